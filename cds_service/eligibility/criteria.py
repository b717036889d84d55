"""The criteria: one function each, from facts, a rule and a day to an answer with its reason (clinical.md 7.2).

Those that need more room have modules of their own: `histology`, `primary`, `extrahepatic`, `stability`. To add one,
write a function, name it in `CRITERIA`, and say in `policy.PARAMETERS` what it must be told.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criterion import (
    add_flags,
    answer_of,
    compare,
    decided,
    is_borderline,
    is_current,
    missing,
    outdated,
    percent,
)
from cds_service.eligibility.extrahepatic import no_extrahepatic_disease
from cds_service.eligibility.histology import differentiation
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.primary import portal_drainage, primary_resected
from cds_service.eligibility.stability import stability
from cds_service.eligibility.verdict import Answer, Flag
from fhir_mappings.facts import (
    Facts,
    Ki67,
    LiverInvolvement,
    OrderKind,
    Resectability,
    Tissue,
)
from fhir_mappings.interval import Interval
from fhir_mappings.when import PartialDate, add_months, birthday, completed_years

Criterion = Callable[[Facts, Rule, date], CriterionResult]


# --- Ki-67 ------------------------------------------------------------------------------------------------------------


def ki67(facts: Facts, rule: Rule, on: date) -> CriterionResult:
    """The Ki-67 index, highest adequate value, against the limit (clinical.md 3, 7.1)."""
    fact = facts.ki67_percent
    if fact.value is None:
        return missing(rule, fact, "Determine Ki-67 on a liver metastasis.", OrderKind.KI67)
    text, answer = percent(fact.value.percent), compare(rule, fact.value.percent)
    result = decided(
        rule,
        answer,
        f"Ki-67 is {text}; the limit is {rule.limit}.",
        fact,
        value=text,
        dated=_dated_ki67(fact.value),
        flags=(Flag.BORDERLINE,) if is_borderline(rule, fact.value.percent) else (),
    )
    if answer is Answer.UNKNOWN:
        return replace(result, remedy="State the Ki-67 index as a number.", orders=(OrderKind.KI67,))
    return _with_confidence(result, fact.value, rule, on) if answer is Answer.MET else result


def _dated_ki67(value: Ki67) -> str | None:
    governing = max(value.readings, key=lambda reading: reading.percent.high, default=None)
    return str(governing.date) if governing is not None and governing.date is not None else None


def _with_confidence(result: CriterionResult, value: Ki67, rule: Rule, on: date) -> CriterionResult:
    """Metastases are often of a higher grade than the primary, and grades rise with time (clinical.md 3)."""
    doubts = _ki67_doubts(value, rule, on)
    if not doubts:
        return result
    flags = (Flag.DERIVED,) if value.derived_from_grade else (Flag.LOW_CONFIDENCE,)
    return replace(
        add_flags(result, *flags),
        reason=" ".join((result.reason, *doubts)),
        remedy="Consider Ki-67 on a liver metastasis.",
        orders=(OrderKind.KI67,),
    )


def _ki67_doubts(value: Ki67, rule: Rule, on: date) -> tuple[str, ...]:
    if value.derived_from_grade:
        return ("It is derived from grade G1, no number is on record.",)
    doubts = []
    if value.readings and all(reading.tissue is Tissue.PRIMARY for reading in value.readings):
        doubts.append("Only tissue of the primary was measured; metastases are often of a higher grade.")
    months = rule.months("oldAfterMonths")
    dates = [reading.date.latest for reading in value.readings if reading.date is not None]
    if dates and add_months(max(dates), months) < on:
        doubts.append(f"The last measurement is more than {months} months old.")
    return tuple(doubts)


# --- liver involvement ------------------------------------------------------------------------------------------------


def liver_involvement(facts: Facts, rule: Rule, on: date) -> CriterionResult:
    """How much of the liver is tumour, on current imaging, against the limit (clinical.md 7.1)."""
    fact = facts.liver_involvement_percent
    if fact.value is None:
        return missing(rule, fact, "Liver MRI with volumetry.", OrderKind.LIVER_MRI)
    text = percent(fact.value.percent)
    result = _measured_liver(facts, rule, on, fact.value, text)
    if result.answer is Answer.UNKNOWN:
        return replace(result, value=text, remedy="Liver MRI with volumetry.", orders=(OrderKind.LIVER_MRI,))
    return replace(result, value=text)


def _measured_liver(
    facts: Facts, rule: Rule, on: date, found: LiverInvolvement, text: str
) -> CriterionResult:
    fact = facts.liver_involvement_percent
    if found.date is None:
        reason = f"Liver involvement is {text}, but the day of the imaging is not on record."
        return decided(rule, Answer.UNKNOWN, reason, fact)
    if not is_current(found.date, rule.months("stalenessMonths"), on):
        return outdated(rule, found.date, on, f"Liver imaging ({text})", fact)
    reason = f"Liver involvement is {text} ({found.method}, {found.date}); the limit is {rule.limit}."
    return decided(
        rule,
        compare(rule, found.percent),
        reason,
        fact,
        dated=str(found.date),
        stale_on=add_months(found.date.earliest, rule.months("stalenessMonths")),
        flags=(Flag.BORDERLINE,) if is_borderline(rule, found.percent) else (),
    )


# --- age --------------------------------------------------------------------------------------------------------------


def age(facts: Facts, rule: Rule, on: date) -> CriterionResult:
    """Age in completed years against the limit, which is relative (clinical.md 7.1)."""
    fact = facts.birth_date
    if fact.value is None:
        return missing(rule, fact, "Record the date of birth.")
    years = _years(fact.value, on)
    answer = compare(rule, years)
    reason = _age_reason(years, rule, ages_out_on(facts, rule, on))
    result = decided(rule, answer, reason, fact, value=f"{years} years")
    if answer is Answer.UNKNOWN:
        return replace(result, remedy="Record the full date of birth.")
    return add_flags(result, Flag.RELATIVE) if answer is Answer.NOT_MET else result


def _years(birth: PartialDate, on: date) -> Interval:
    """Completed years, from the youngest to the oldest that a partial date of birth allows."""
    return Interval(Decimal(completed_years(birth.latest, on)), Decimal(completed_years(birth.earliest, on)))


def _age_reason(years: Interval, rule: Rule, until: date | None) -> str:
    ends = f" and is passed on {until}" if until else ""
    return f"Age is {years} years; the limit, which is relative, is {rule.limit}{ends}."


def ages_out_on(facts: Facts, rule: Rule, on: date) -> date | None:
    """The first day on which the age limit is no longer kept, if it lies ahead.

    With a partial date of birth the earliest day that is possible: better a warning too early than none.
    """
    birth = facts.birth_date.value
    if birth is None:
        return None
    limit = rule.months("threshold") + (1 if rule.truth("inclusive") else 0)
    day = birthday(birth.earliest, limit)
    return day if day > on else None


def is_under_age(facts: Facts, rule: Rule, on: date) -> bool:
    """Tell whether the patient is surely younger than the adults whom the evidence speaks of."""
    birth = facts.birth_date.value
    return birth is not None and _years(birth, on).is_below(rule.number("adultAge"), inclusive=False) is True


# --- the gate ---------------------------------------------------------------------------------------------------------


def unresectable(facts: Facts, rule: Rule, on: date) -> CriterionResult:  # noqa: ARG001 - all criteria are called alike
    """Whether the liver disease cannot be resected, as stated; a gate beside the criteria (clinical.md 6, 7.2)."""
    fact = facts.liver_resectability
    ask = "Ask a hepatobiliary board whether the metastases can be resected."
    if fact.value is None:
        return missing(rule, fact, ask, OrderKind.SURGICAL_REFERRAL)
    holds = {Resectability.UNRESECTABLE: True, Resectability.RESECTABLE: False}.get(fact.value)
    reason = f"Resectability of the liver metastases is stated as {fact.value}."
    result = decided(rule, answer_of(holds), reason, fact, value=str(fact.value))
    if holds is None:
        return replace(result, remedy=ask, orders=(OrderKind.SURGICAL_REFERRAL,))
    return result


CRITERIA: Mapping[str, Criterion] = MappingProxyType(
    {
        "differentiation": differentiation,
        "ki-67": ki67,
        "portal-drainage": portal_drainage,
        "primary-resected": primary_resected,
        "no-extrahepatic-disease": no_extrahepatic_disease,
        "liver-involvement": liver_involvement,
        "stability": stability,
        "age": age,
        "unresectable": unresectable,
    }
)
