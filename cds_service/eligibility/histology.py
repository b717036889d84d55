"""The criterion `differentiation`: a well-differentiated tumour of grade 1 or 2, from four facts that may disagree.

A grade is the higher of what Ki-67 and mitoses give (WHO 2019/2022), so any of the four facts can take a tumour out,
and none alone brings it in against another. What was not recorded takes nothing away; what was recorded and could not
be read may hide a higher grade and leaves the question open.
"""

from collections.abc import Iterable
from datetime import date
from typing import Any

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criterion import add_flags, decided, hides, missing, percent
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.verdict import Answer, Flag
from fhir_mappings.facts import (
    Differentiation,
    Fact,
    Facts,
    Grade,
    Ki67,
    MitoticCount,
    OrderKind,
)

_FAILING = frozenset({Differentiation.NEC, Differentiation.MINEN, Differentiation.NET_G3})
_GRADED = frozenset({Differentiation.NET_G1, Differentiation.NET_G2})
_WELL = _GRADED | {Differentiation.NET}
_HIGH = frozenset({Grade.G3, Grade.G4})
_Measure = tuple[Fact[Any], str, bool | None]
_REVIEW = "Ask pathology to state differentiation and WHO grade."

_OPEN = {
    # 8246/3 and "neuroendocrine carcinoma" were used for NET before WHO 2010. terminology.md 2 a would exclude
    # it without a Ki-67 that speaks against; a missing Ki-67 is no such statement, and unknown is never a "no".
    Differentiation.NEC_OR_NET: "The histology says neuroendocrine carcinoma without its differentiation, "
    "words that older reports also used for a NET.",
    # clinical.md 7.2: "neuroendocrine neoplasm" without more is unknown, whatever its grade.
    Differentiation.UNSPECIFIED: "The histology says neuroendocrine neoplasm; whether NET or NEC is not stated.",
    Differentiation.NET: "The tumour is well differentiated, but neither a grade G1 or G2 nor a Ki-67 index that gives "
    "one is on record.",
}


def differentiation(facts: Facts, rule: Rule, on: date) -> CriterionResult:  # noqa: ARG001 - all criteria are called alike
    """Well differentiated, G1 or G2: histology, grade, Ki-67 and mitoses together (clinical.md 3, 7.2)."""
    measures = _measures(facts, rule)
    return (
        _poorly_differentiated(facts, rule)
        or _high_grade(facts, rule, measures)
        or _open_number(facts, rule, measures)
        or _hidden(rule, measures)
        or _from_histology(facts, rule)
    )


def _poorly_differentiated(facts: Facts, rule: Rule) -> CriterionResult | None:
    """NEC, MiNEN and NET G3 are outside in every version."""
    fact = facts.differentiation
    if fact.value not in _FAILING:
        return None
    reason = f"The histology is {fact.value}, not a well-differentiated tumour of grade 1 or 2."
    return decided(rule, Answer.NOT_MET, reason, fact, value=str(fact.value))


def _high_grade(facts: Facts, rule: Rule, measures: Iterable[_Measure]) -> CriterionResult | None:
    """A Ki-67 or mitotic count wholly above its ceiling, or a grade 3, is high grade whatever the histology is called."""
    for fact, text, low_grade in measures:
        if low_grade is False:
            reason = f"{text} is above what a tumour of grade 1 or 2 may have."
            result = decided(rule, Answer.NOT_MET, reason, fact, facts.differentiation, value=text)
            return _with_count_flags(result, facts, rule) if fact is facts.mitotic_count else result
    return None


def _open_number(facts: Facts, rule: Rule, measures: Iterable[_Measure]) -> CriterionResult | None:
    """A measure that may lie above its ceiling, or a grade 3 of unclear meaning, leaves the question open."""
    for fact, text, low_grade in measures:
        if fact.value is not None and low_grade is None:
            reason = f"{text} leaves open whether the tumour is of grade 1 or 2."
            return decided(
                rule, Answer.UNKNOWN, reason, fact, facts.differentiation, value=text, remedy=_REVIEW
            )
    return None


def _hidden(rule: Rule, measures: Iterable[_Measure]) -> CriterionResult | None:
    """A grade, Ki-67 or mitotic count that exists and was not seen could be a high one."""
    hidden = next((fact for fact, _, _ in measures if hides(fact)), None)
    return missing(rule, hidden, _REVIEW) if hidden is not None else None


def _from_histology(facts: Facts, rule: Rule) -> CriterionResult:
    """What the histology itself allows, once nothing speaks for a high grade."""
    fact = facts.differentiation
    if fact.value is None:
        return missing(rule, fact, _REVIEW)
    support = _grade_support(facts, rule)
    if fact.value in _GRADED or (fact.value is Differentiation.NET and support is not None):
        said = "NET" if fact.value is Differentiation.NET else str(fact.value)
        text = said + _grade_clause(facts, support)
        used = (fact,) if support is None else (fact, support)
        result = decided(rule, Answer.MET, f"The histology is {text}.", *used, value=text)
        return _with_count_flags(result, facts, rule)
    orders = (OrderKind.KI67,) if fact.value is Differentiation.NET else ()
    flags = (Flag.CONFLICTING,) if fact.value is Differentiation.NEC_OR_NET and support is not None else ()
    return decided(
        rule,
        Answer.UNKNOWN,
        _OPEN[fact.value],
        fact,
        value=str(fact.value),
        flags=flags,
        remedy=_REVIEW,
        orders=orders,
    )


def _grade_support(facts: Facts, rule: Rule) -> Fact[Any] | None:
    """The fact that gives a tumour without a stated grade its G1 or G2: the grade itself, else the Ki-67 index."""
    if facts.histologic_grade.value is not None and facts.histologic_grade.value.grade not in _HIGH:
        return facts.histologic_grade
    return facts.ki67_percent if _ki67_is_low(facts.ki67_percent.value, rule) else None


def _grade_clause(facts: Facts, support: Fact[Any] | None) -> str:
    grade, index = facts.histologic_grade.value, facts.ki67_percent.value
    if support is facts.histologic_grade and grade is not None:
        return f", histologic grade {grade.grade}"
    return f", Ki-67 {percent(index.percent)}" if support is facts.ki67_percent and index is not None else ""


# --- the three measures: the fact, its text, and whether it is that of a low grade (True, False, None: open) ----------


def _measures(facts: Facts, rule: Rule) -> tuple[_Measure, ...]:
    grade, ki67, mitoses = (
        facts.histologic_grade.value,
        facts.ki67_percent.value,
        facts.mitotic_count.value,
    )
    return (
        (
            facts.histologic_grade,
            f"Histologic grade {grade.grade}" if grade else "",
            _grade_is_low(facts, rule),
        ),
        (facts.ki67_percent, f"Ki-67 {percent(ki67.percent)}" if ki67 else "", _ki67_is_low(ki67, rule)),
        (
            facts.mitotic_count,
            f"A mitotic count of {_count(mitoses)}" if mitoses else "",
            _mitoses_low(mitoses, rule),
        ),
    )


def _grade_is_low(facts: Facts, rule: Rule) -> bool | None:
    """Before 2017-2019 "grade 3" usually meant NEC, and says nothing sure without the differentiation (clinical.md 3)."""
    graded = facts.histologic_grade.value
    if graded is None:
        return None
    if graded.grade not in _HIGH:
        return True
    is_recent = graded.date is not None and graded.date.earliest.year >= rule.months("gradeThreeSince")
    return False if is_recent or facts.differentiation.value in _WELL or graded.grade is Grade.G4 else None


def _ki67_is_low(ki67: Ki67 | None, rule: Rule) -> bool | None:
    if ki67 is None:
        return None
    return ki67.percent.is_below(rule.number("ki67Threshold"), inclusive=rule.truth("ki67Inclusive"))


def _mitoses_low(mitoses: MitoticCount | None, rule: Rule) -> bool | None:
    if mitoses is None:
        return None
    return mitoses.count.is_below(rule.number("mitosesThreshold"), inclusive=rule.truth("mitosesInclusive"))


def _count(mitoses: MitoticCount) -> str:
    return f"{mitoses.count} {mitoses.unit}"


def _with_count_flags(result: CriterionResult, facts: Facts, rule: Rule) -> CriterionResult:
    """Say how sure a mitotic count is.

    WHO gives 2 mm2 as 10 high-power fields of one size only: the same number in the other unit is less sure. A count
    that is exactly an exclusive limit is still G2 by WHO, hence borderline like a Ki-67 of 20 % (clinical.md 7.1).
    """
    mitoses = facts.mitotic_count.value
    if mitoses is None:
        return result
    unit = (Flag.LOW_CONFIDENCE,) if mitoses.unit != rule.text("mitosesUnit") else ()
    on_limit = mitoses.count.is_point and mitoses.count.low == rule.number("mitosesThreshold")
    edge = (Flag.BORDERLINE,) if on_limit and result.answer is Answer.NOT_MET else ()
    return add_flags(result, *unit, *edge)
