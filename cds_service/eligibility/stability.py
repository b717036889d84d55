"""The criterion `stability`: six months of stable disease or response, and proof of it (clinical.md 5.2)."""

from dataclasses import replace
from datetime import date

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.course import Course, Landmark, read_course
from cds_service.eligibility.criterion import add_flags, decided, missing, with_gap
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.verdict import Answer, Flag
from fhir_mappings.facts import Facts, OrderKind, PrimaryResection
from fhir_mappings.when import PartialDate, add_months

_RESTAGE = "Repeat the imaging and record the response."


def stability(facts: Facts, rule: Rule, on: date) -> CriterionResult:
    """Months of stability or response after the later of resection and last progression; absence of news is no proof."""
    fact = facts.disease_response
    if fact.value is None:
        return missing(rule, fact, _RESTAGE, OrderKind.RESTAGING)
    course = read_course(fact.value.assessments, on)
    if course.ends_in_progression:
        return _progressive(facts, rule, on, course)
    if not course.good and not course.progressions:
        return _unproven(facts, rule, "No final assessment of the response is on record.", course=course)
    resection = resection_day(facts.primary_resection.value)
    if resection is None:
        return _without_resection(facts, rule, on, course)
    return _since(facts, rule, on, course, counted_from(course, resection))


def resection_day(resection: PrimaryResection | None) -> PartialDate | None:
    """The day on which the last primary was removed, if one was and the day is known."""
    if resection is None or not resection.performed:
        return None
    return resection.last_date or resection.date


def counted_from(course: Course, resection: PartialDate | None) -> Landmark:
    """The day from which the months count: the later of run start and resection (step 4).

    Needs at least one sure assessment. Without a resection the day is provisional: nothing is met by it.
    """
    return course.run_start.later_of(resection) if resection else course.run_start


def _since(facts: Facts, rule: Rule, on: date, course: Course, anchor: Landmark) -> CriterionResult:
    """Steps 5 to 10, each asked for the earliest and the latest day of the anchor (step 13)."""
    reaches = anchor.plus(rule.months("months"))
    last = course.last_good_after(anchor.latest)
    if last is None:
        return _nothing_since(facts, rule, on, course, anchor)
    stale_on = add_months(last.earliest, rule.months("stalenessMonths"))
    if reaches.latest <= last.earliest and on <= stale_on:
        return _stable(facts, rule, anchor, last, stale_on)
    if reaches.earliest > on:
        return _too_short(facts, rule, anchor, last, stale_on)
    reason = f"Stable disease or response is documented from {anchor} to {last} only"
    if on > stale_on:
        reason += f"; the last assessment is older than {rule.months('stalenessMonths')} months"
    result = _unproven(facts, rule, f"{reason}.", course=course, is_stale=on > stale_on)
    return replace(result, dated=str(last), stale_on=stale_on)


def _stable(facts: Facts, rule: Rule, anchor: Landmark, last: PartialDate, stale_on: date) -> CriterionResult:
    """Step 8; exactly so many calendar months count."""
    reason = f"Stable disease or response is documented from {anchor} to {last}."
    result = decided(rule, Answer.MET, reason, facts.disease_response, facts.primary_resection)
    return replace(result, value=_in_months(anchor.latest, last.earliest), dated=str(last), stale_on=stale_on)


def _too_short(
    facts: Facts, rule: Rule, anchor: Landmark, last: PartialDate, stale_on: date
) -> CriterionResult:
    """Step 9: nothing can be done but wait, and restage on or after that day."""
    resolves_on = anchor.plus(rule.months("months")).latest
    reason = (
        f"Stable disease or response is documented from {anchor} to {last}; "
        f"{rule.months('months')} months are reached on {resolves_on}."
    )
    return replace(
        decided(rule, Answer.NOT_MET, reason, facts.disease_response, facts.primary_resection),
        value=_in_months(anchor.latest, last.earliest),
        dated=str(last),
        stale_on=stale_on,
        resolves_on=resolves_on,
        remedy=f"Restage on or after {resolves_on}.",
    )


def _progressive(facts: Facts, rule: Rule, on: date, course: Course) -> CriterionResult:
    """Step 7: the clock starts again at the progression; the day on which it ends is provisional."""
    resection = resection_day(facts.primary_resection.value)
    reaches = counted_from(course, resection).plus(rule.months("months")).latest
    reason = (
        f"The last assessment, of {course.last_progression}, shows progressive disease; "
        f"{rule.months('months')} months of stability are counted anew."
    )
    return replace(
        decided(rule, Answer.NOT_MET, reason, facts.disease_response, facts.primary_resection),
        value="progressive disease",
        dated=str(course.last_progression),
        resolves_on=reaches if reaches > on else None,
        remedy=_RESTAGE,
        orders=() if reaches > on else (OrderKind.RESTAGING,),
    )


def _nothing_since(facts: Facts, rule: Rule, on: date, course: Course, anchor: Landmark) -> CriterionResult:
    """Step 5: a second assessment after the anchor is the proof, and there is none."""
    reaches = anchor.plus(rule.months("months")).latest
    reason = f"No assessment shows stable disease or response after {anchor}, from which the time counts."
    result = _unproven(facts, rule, reason, course=course)
    return replace(result, resolves_on=reaches if reaches > on else None)


def _without_resection(facts: Facts, rule: Rule, on: date, course: Course) -> CriterionResult:
    """Step 4: stability has to follow the resection; without its day the time cannot be counted."""
    resection = facts.primary_resection
    if resection.value is not None and not resection.value.performed:
        reason = "Stability is counted from the resection of the primary, which has not been done."
    else:
        reason = "Stability is counted from the resection of the primary, whose day is not on record."
    last = course.last_good_after(date.min)
    is_stale = last is not None and on > add_months(last.earliest, rule.months("stalenessMonths"))
    result = _unproven(
        facts, rule, f"{reason} Assessments go back to {course.run_start}.", course=course, is_stale=is_stale
    )
    result = result if is_stale else replace(result, orders=(), remedy="Record the day of the resection.")
    return with_gap(result, resection.gap)


def _unproven(
    facts: Facts, rule: Rule, reason: str, *, course: Course, is_stale: bool = False
) -> CriterionResult:
    """Step 10: time may have passed, but stability is not documented."""
    doubts = ", ".join(str(day) for day in course.doubts)
    if doubts:
        reason += f" The reading of {doubts} is preliminary or disputed and may be a progression."
    flags = (*((Flag.STALE,) if is_stale else ()), *((Flag.CONFLICTING,) if doubts else ()))
    result = decided(rule, Answer.UNKNOWN, reason, facts.disease_response, facts.primary_resection)
    return replace(add_flags(result, *flags), remedy=_RESTAGE, orders=(OrderKind.RESTAGING,))


def _in_months(start: date, end: date) -> str:
    count = _months(start, end)
    return f"{count} month" if count == 1 else f"{count} months"


def _months(start: date, end: date) -> int:
    """Full calendar months between two days."""
    months = (end.year - start.year) * 12 + end.month - start.month
    return max(months if add_months(start, months) <= end else months - 1, 0)
