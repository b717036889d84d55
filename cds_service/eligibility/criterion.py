"""What every criterion needs: how a result is put together, how a gap becomes an answer, how a number meets a limit."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any, TypedDict, Unpack

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.verdict import Answer, Flag, Nature
from fhir_mappings.facts import Fact, Gap, GapKind, OrderKind
from fhir_mappings.interval import Interval
from fhir_mappings.when import PartialDate, add_months

_GAP_FLAGS = {
    GapKind.NOT_SENT: Flag.NOT_SENT,
    GapKind.UNREADABLE: Flag.UNREADABLE,
    GapKind.CONFLICTING: Flag.CONFLICTING,
}
# Behind these gaps a value may stand that would change the answer; the other two say that none was found, or none of use.
HIDING = frozenset(_GAP_FLAGS)
# Data that exist but did not arrive are not ordered again: they are looked up.
_LOOK_UP = {
    GapKind.NOT_SENT: "Check the chart: this part of the record was not sent.",
    GapKind.UNREADABLE: (
        "Check the chart: what stands there could not be read here. An entry that no program can read should be "
        "corrected or entered again."
    ),
}
# Notes that the criterion words itself.
_OWN_WORDS = frozenset({"primary-tissue-only", "derived-from-grade"})


class Known(TypedDict, total=False):
    """What a criterion knows of its result beside answer and reason; the members of CriterionResult of these names."""

    nature: Nature
    value: str | None
    dated: str | None
    flags: tuple[Flag, ...]
    gap: Gap | None
    resolves_on: date | None
    stale_on: date | None
    remedy: str | None
    orders: tuple[OrderKind, ...]


def decided(
    rule: Rule, answer: Answer, reason: str, *facts: Fact[Any], **known: Unpack[Known]
) -> CriterionResult:
    """A result with all that the facts it rests on bring along: evidence, what was discarded, and their notes."""
    evidence = tuple(dict.fromkeys([item for fact in facts for item in fact.evidence]))
    days = [item.date for item in evidence if item.date is not None]
    members: Known = {"nature": rule.nature, "dated": str(days[0]) if days else None, **known}
    return CriterionResult(
        id=rule.criterion,
        label=rule.label,
        answer=answer,
        reason=" ".join((reason, *_notes(facts))),
        limit=rule.limit,
        evidence=evidence,
        discarded=tuple(dict.fromkeys([item for fact in facts for item in fact.discarded])),
        citation=rule.citation.text,
        **members,
    )


def _notes(facts: Iterable[Fact[Any]]) -> list[str]:
    notes = dict.fromkeys([note for fact in facts for note in fact.notes if note.flag not in _OWN_WORDS])
    return [note.text for note in notes]


def missing(rule: Rule, fact: Fact[Any], remedy: str, *orders: OrderKind) -> CriterionResult:
    """The answer where a fact has no value: unknown, with the gap's own sentence and what would fill it."""
    gap = fact.gap or Gap(GapKind.INDETERMINATE, "The record does not settle this.")
    return decided(
        rule,
        Answer.UNKNOWN,
        gap.reason,
        fact,
        gap=gap,
        flags=gap_flags(gap),
        remedy=_LOOK_UP.get(gap.kind, remedy),
        orders=() if gap.kind in _LOOK_UP else orders,
    )


def gap_flags(gap: Gap) -> tuple[Flag, ...]:
    """The flag of a kind of gap; a plain "not recorded" needs none."""
    return (_GAP_FLAGS[gap.kind],) if gap.kind in _GAP_FLAGS else ()


def hides(fact: Fact[Any]) -> bool:
    """Tell whether a value that was not seen may stand behind the gap."""
    return fact.gap is not None and fact.gap.kind in HIDING


def add_flags(result: CriterionResult, *flags: Flag) -> CriterionResult:
    """The result with more flags, each once, in the order of the vocabulary."""
    wanted = {*result.flags, *flags}
    return replace(result, flags=tuple(flag for flag in Flag if flag in wanted))


def with_gap(result: CriterionResult, gap: Gap | None) -> CriterionResult:
    """The result with the gap of a second fact that it would have needed."""
    return result if gap is None else add_flags(replace(result, gap=gap), *gap_flags(gap))


# --- numbers ----------------------------------------------------------------------------------------------------------


def answer_of(holds: bool | None) -> Answer:  # noqa: FBT001 - a tri-state, not a switch
    """Yes, no or it depends, as an answer."""
    if holds is None:
        return Answer.UNKNOWN
    return Answer.MET if holds else Answer.NOT_MET


def compare(rule: Rule, value: Interval) -> Answer:
    """Whether the whole interval keeps the rule's limit (clinical.md 7.1)."""
    return answer_of(value.is_below(rule.number("threshold"), inclusive=rule.truth("inclusive")))


def is_borderline(rule: Rule, value: Interval) -> bool:
    """Exactly on the limit, where versions and readings differ, or within it but wholly beyond `nearLimit`."""
    if value.is_point and value.low == rule.number("threshold"):
        return True
    near = value.is_below(rule.number("nearLimit"), inclusive=True) is False
    return near and compare(rule, value) is Answer.MET


def percent(value: Interval) -> str:
    """An interval of percent in a clinician's words: "12 %", "< 10 %", "> 50 %", "26-50 %"."""
    if value.is_point:
        return f"{value} %"
    low, high = str(Interval(value.low, value.low)), str(Interval(value.high, value.high))
    if value.low == 0 and value.low_closed:
        return f"{'≤' if value.high_closed else '<'} {high} %"
    if value.high == 100 and value.high_closed:  # noqa: PLR2004 - percent
        return f"{'≥' if value.low_closed else '>'} {low} %"
    return f"{value} %"


# --- days -------------------------------------------------------------------------------------------------------------


def is_current(when: PartialDate, months: int, on: date) -> bool:
    """Tell whether imaging may surely still be used: up to and including the day `months` after it (clinical.md 5.3)."""
    return on <= add_months(when.earliest, months)


def outdated(rule: Rule, when: PartialDate, on: date, what: str, *facts: Fact[Any]) -> CriterionResult:
    """The answer where imaging is too old, or so partly dated that it may be: unknown, and when it went stale."""
    months = rule.months("stalenessMonths")
    stale_on = add_months(when.earliest, months)
    if on <= add_months(when.latest, months):
        reason = f"{what} is dated {when} only, and may be older than {months} months."
    else:
        reason = f"{what} of {when} is older than {months} months: stale after {stale_on}."
    return decided(
        rule, Answer.UNKNOWN, reason, *facts, flags=(Flag.STALE,), dated=str(when), stale_on=stale_on
    )
