"""From facts, a policy and a day to one assessment: gates, criteria, verdict, time windows and what other policies say."""

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any

from cds_service.eligibility.assessment import Assessment, Consideration, CriterionResult, Difference
from cds_service.eligibility.considerations import UNSEEN, caveats, considerations
from cds_service.eligibility.criteria import CRITERIA, ages_out_on, is_under_age
from cds_service.eligibility.criterion import hides
from cds_service.eligibility.headline import GATE, has_doubtful_gate, headline, is_firm, without_gate
from cds_service.eligibility.orders import is_referred, offered, unseen_orders
from cds_service.eligibility.policy import Policy
from cds_service.eligibility.verdict import Answer, Flag, Nature, Verdict
from fhir_mappings.facts import (
    EndOfLifeCare,
    Fact,
    Facts,
    GapKind,
    LiverMetastases,
    OrderKind,
    Presence,
    TransplantStatus,
)
from fhir_mappings.when import add_months

_WINDOW_MONTHS = 12  # an age limit that is passed within a year is worth a warning (clinical.md 7.3)
_TRANSPLANT_GATES = {
    TransplantStatus.TRANSPLANTED: ("transplanted", "the liver has already been transplanted"),
    TransplantStatus.LISTED: ("listed", "the patient is already on a transplant waiting list"),
}


def assess(facts: Facts, policy: Policy, on: date, others: Sequence[Policy] = ()) -> Assessment:
    """Assess one patient on one day; `others` are the policies to compare with. Never fails: what is not known says so."""
    gate = _gate(facts, policy, on)
    if gate is not None:
        name, sentence = gate
        return _assessment(facts, policy, on, verdict=Verdict.NOT_APPLICABLE, headline=sentence, gate=name)
    results, discussed = evaluate(facts, policy, on), considerations(facts)
    verdict = _verdict(facts, results, discussed)
    resolves_on = max((item.resolves_on for item in _failed(results) if item.resolves_on), default=None)
    ages_out = ages_out_on(facts, policy.rule("age"), on) if _has(policy, "age") else None
    offer = offered(facts, policy.orders, on, _wanted(facts, verdict, results, discussed))
    compared = [
        (other, _evaluate_beside(facts, other, on, policy, results))
        for other in others
        if other.id != policy.id
    ]
    return _assessment(
        facts,
        policy,
        on,
        verdict=verdict,
        headline=_open_question(facts, verdict) or headline(verdict, results, discussed),
        criteria=results,
        considerations=discussed,
        caveats=caveats(facts),
        resolves_on=resolves_on,
        ages_out_on=ages_out,
        ages_out_exactly=_is_exact(facts),
        warnings=(
            *_age_warnings(on, ages_out, resolves_on, is_exact=_is_exact(facts)),
            *_imaging_warnings(results, on, resolves_on),
            *_blind(facts),
            *unseen_orders(facts),
            *_in_doubt(facts),
        ),
        differences=tuple(item for other, found in compared for item in _differences(results, other, found)),
        other_verdicts=tuple((other.id, str(_verdict(facts, found, discussed))) for other, found in compared),
        orders=offer.drafts,
        orders_in_doubt=offer.in_doubt,
        orders_placed=offer.placed,
        orders_set_aside=offer.set_aside,
    )


def _assessment(facts: Facts, policy: Policy, on: date, **found: Any) -> Assessment:
    return Assessment(
        patient=facts.patient,
        policy=policy.id,
        policy_version=policy.version,
        policy_title=policy.title,
        policy_citation=policy.citation.text,
        evaluated_on=on,
        issues=facts.issues,
        mendings=facts.mendings,
        foreign=facts.foreign,
        not_assessed=facts.unread_parts,
        **found,
    )


def evaluate(facts: Facts, policy: Policy, on: date) -> tuple[CriterionResult, ...]:
    """What each criterion of a policy answers, in the policy's order."""
    return tuple(CRITERIA[rule.criterion](facts, rule, on) for rule in policy.rules)


def _evaluate_beside(
    facts: Facts, other: Policy, on: date, policy: Policy, results: Iterable[CriterionResult]
) -> tuple[CriterionResult, ...]:
    """What each criterion of another policy answers; a rule that asks just what ours asks has its answer already."""
    asked = {rule.criterion: rule for rule in policy.rules}
    answered = {item.id: item for item in results}
    return tuple(
        answered[rule.criterion]
        if asked.get(rule.criterion) == rule
        else CRITERIA[rule.criterion](facts, rule, on)
        for rule in other.rules
    )


# --- gates ------------------------------------------------------------------------------------------------------------


def _gate(facts: Facts, policy: Policy, on: date) -> tuple[str, str] | None:
    """What keeps the criteria from being asked at all: its name and its sentence (clinical.md 6)."""
    if facts.deceased.value:
        return "deceased", "the patient is deceased"
    if _has(policy, "age") and is_under_age(facts, policy.rule("age"), on):
        return "under-age", "the patient is under age; the evidence is on adults"
    if _is_absent(facts.neuroendocrine_tumour):
        return "no-net", "no neuroendocrine tumour on record"
    if _is_absent(facts.liver_metastases):
        return "no-liver-metastases", "no liver metastases on record"
    if facts.end_of_life_care.value is EndOfLifeCare.HOSPICE:
        return "hospice", "hospice care is on record"
    return _transplant_gate(facts, policy, on)


def _transplant_gate(facts: Facts, policy: Policy, on: date) -> tuple[str, str] | None:
    """What is already under way."""
    status = facts.transplant_status.value
    if status is not None:
        return _TRANSPLANT_GATES[status]
    is_open = is_referred(facts, policy.orders, on)
    return ("referred", "a transplant referral is already active") if is_open else None


def _is_absent(fact: Fact[Presence] | Fact[LiverMetastases]) -> bool:
    """Recorded as absent, or the whole record was read and holds none; what could not be seen is no absence."""
    if fact.gap is not None:
        return fact.gap.kind is GapKind.NOT_RECORDED
    value = fact.value.presence if isinstance(fact.value, LiverMetastases) else fact.value
    return value is Presence.ABSENT


def _has(policy: Policy, criterion: str) -> bool:
    return any(rule.criterion == criterion for rule in policy.rules)


# --- the verdict ------------------------------------------------------------------------------------------------------


def conclude(results: Iterable[CriterionResult], discussed: Sequence[Consideration] = ()) -> Verdict:
    """The verdict on the answers: the first that holds, in this order (clinical.md 7.3)."""
    results = tuple(results)
    asked, failed = without_gate(results), _failed(results)
    firm = {item.nature for item in failed if is_firm(item)}
    resectable = any(item.id == GATE and item.answer is Answer.NOT_MET for item in results)
    lacking = any(item.answer is Answer.UNKNOWN for item in asked)
    verdicts = (
        (Verdict.OUTSIDE, Nature.PERMANENT in firm),
        (Verdict.NOT_YET, bool(firm)),
        (Verdict.BORDERLINE, bool(failed) or bool(discussed)),
        (Verdict.RESECTION_FIRST, resectable),
        (Verdict.INCOMPLETE, lacking or has_doubtful_gate(results)),
    )
    return next((verdict for verdict, holds in verdicts if holds), Verdict.MEETS)


def _failed(results: Iterable[CriterionResult]) -> tuple[CriterionResult, ...]:
    return tuple(item for item in without_gate(results) if item.answer is Answer.NOT_MET)


def _verdict(facts: Facts, results: Sequence[CriterionResult], discussed: Sequence[Consideration]) -> Verdict:
    """The verdict on a patient: nothing is concluded about a tumour that may be none of these.

    With the liver metastases in doubt, what speaks against the criteria still does, and what speaks for them does not.
    """
    verdict = conclude(results, discussed)
    is_doubtful = facts.neuroendocrine_tumour.gap is not None
    is_doubtful |= facts.liver_metastases.gap is not None and verdict is Verdict.MEETS
    return Verdict.INCOMPLETE if is_doubtful else verdict


def _open_question(facts: Facts, verdict: Verdict) -> str | None:
    """The headline where diagnosis or liver metastases themselves are in doubt."""
    if verdict is not Verdict.INCOMPLETE:
        return None
    if facts.neuroendocrine_tumour.gap is not None:
        return f"neuroendocrine tumour {_DOUBTS[facts.neuroendocrine_tumour.gap.kind]}"
    if facts.liver_metastases.gap is not None:
        return f"liver metastases {_DOUBTS[facts.liver_metastases.gap.kind]}"
    return None


_DOUBTS = {
    GapKind.NOT_SENT: "not known: that part of the record was not sent",
    GapKind.UNREADABLE: "not known: what may say so could not be read",
    GapKind.CONFLICTING: "in doubt: sources disagree",
    GapKind.INDETERMINATE: "in doubt: the record does not settle it",
}


# --- orders ------------------------------------------------------------------------------------------------------------


def _wanted(
    facts: Facts,
    verdict: Verdict,
    results: Iterable[CriterionResult],
    discussed: Iterable[Consideration],
) -> frozenset[OrderKind]:
    """Drafts that would answer what is open; none outside, or before the diagnosis stands."""
    if verdict is Verdict.OUTSIDE or facts.neuroendocrine_tumour.gap is not None:
        return frozenset()
    asked = (*(item.orders for item in results), *(item.orders for item in discussed))
    wanted = {order for orders in asked for order in orders}
    if verdict is Verdict.MEETS:
        wanted.add(OrderKind.TRANSPLANT_REFERRAL)
    # Any carcinoid syndrome: an echocardiogram before referral is complete (clinical.md 1.7).
    if facts.carcinoid_syndrome.value is Presence.PRESENT and facts.carcinoid_heart_disease.value is None:
        wanted.add(OrderKind.ECHOCARDIOGRAM)
    return frozenset(wanted)


def _differences(
    results: Iterable[CriterionResult], other: Policy, found: Iterable[CriterionResult]
) -> tuple[Difference, ...]:
    mine = {item.id: item.answer for item in results}
    return tuple(
        Difference(other.id, other.title, item.id, item.label, item.answer, item.limit, item.reason)
        for item in found
        if item.id in mine and item.answer is not mine[item.id]
    )


# --- warnings ---------------------------------------------------------------------------------------------------------


def _is_exact(facts: Facts) -> bool:
    """Whether the day of birth is known, and with it the day on which an age limit is passed."""
    birth = facts.birth_date.value
    return birth is None or birth.is_exact


def _age_warnings(
    on: date, ages_out: date | None, resolves_on: date | None, *, is_exact: bool
) -> tuple[str, ...]:
    if ages_out is None:
        return ()
    passed = f"{ages_out}" if is_exact else f"{ages_out} at the earliest"
    if resolves_on is not None and ages_out <= resolves_on:
        return (
            f"The window closes before it opens: the age limit is passed on {passed}, stability counts on {resolves_on}.",
        )
    if ages_out <= add_months(on, _WINDOW_MONTHS):
        return (f"The age limit, which is relative, is passed on {passed}.",)
    return ()


def _imaging_warnings(
    results: Iterable[CriterionResult], on: date, resolves_on: date | None
) -> tuple[str, ...]:
    dated = [
        (item.label, item.stale_on, Flag.STALE in item.flags) for item in results if item.stale_on is not None
    ]
    gone = [f"{label}: the imaging is stale after {day}." for label, day, is_stale in dated if is_stale]
    going = [
        f"{label}: the imaging goes stale after {day}, before {resolves_on}."
        for label, day, _ in dated
        if resolves_on is not None and on <= day < resolves_on
    ]
    return (*gone, *going)


def _in_doubt(facts: Facts) -> tuple[str, ...]:
    """Why liver metastases are open although something is on record: the headline has no room to name it."""
    gap = facts.liver_metastases.gap
    return (gap.reason,) if gap is not None and gap.kind is GapKind.INDETERMINATE else ()


def _blind(facts: Facts) -> tuple[str, ...]:
    """Facts beside the criteria that exist and were not seen: they would change the advice, so a clinician is told."""
    watched = [getattr(facts, name) for name in ("deceased", "transplant_status", *UNSEEN)]
    return tuple(dict.fromkeys(fact.gap.reason for fact in watched if fact.gap is not None and hides(fact)))
