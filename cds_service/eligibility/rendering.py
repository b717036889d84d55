"""The assessment for machines: the JSON of the card extension `org.milan-net.assessment`.

`assessment.schema.json` describes it. What is null or empty is left out, except `criteria` and each `evidence`.
"""

from datetime import date
from typing import Any

from cds_service.eligibility.assessment import Assessment, Caveat, Consideration, CriterionResult, Difference
from fhir_mappings.facts import Discarded, Evidence

_KEPT = frozenset({"criteria", "evidence"})


def as_json(assessment: Assessment) -> dict[str, Any]:
    """The assessment as plain JSON values; days are ISO 8601."""
    return _filled(
        policy=assessment.policy,
        policyVersion=assessment.policy_version,
        evaluatedOn=_day(assessment.evaluated_on),
        verdict=str(assessment.verdict),
        headline=assessment.headline,
        gate=assessment.gate,
        criteria=[_criterion(item) for item in assessment.criteria],
        discarded=[_discarded(item.id, datum) for item in assessment.criteria for datum in item.discarded],
        considerations=[_beside(item) for item in assessment.considerations],
        caveats=[_beside(item) for item in assessment.caveats],
        resolvesOn=_day(assessment.resolves_on),
        agesOutOn=_day(assessment.ages_out_on),
        warnings=list(assessment.warnings),
        differences=[_difference(item) for item in assessment.differences],
        otherVerdicts=dict(assessment.other_verdicts),
        orders=[str(order) for order in assessment.orders],
        ordersInDoubt=[str(order) for order in assessment.orders_in_doubt],
        ordersPlaced=[_order(item) for item in assessment.orders_placed],
        ordersSetAside=[_order(item) for item in assessment.orders_set_aside],
        issues=[
            _filled(reference=item.reference, problem=item.problem, facts=list(item.facts))
            for item in assessment.issues
        ],
        mendings=[
            _filled(reference=item.reference, element=item.element, mended=item.mended)
            for item in assessment.mendings
        ],
        foreign=_foreign(assessment.foreign),
        notAssessed=list(assessment.not_assessed),
    )


def _criterion(item: CriterionResult) -> dict[str, Any]:
    return _filled(
        id=item.id,
        label=item.label,
        verdict=str(item.answer),
        nature=str(item.nature),
        value=item.value,
        limit=item.limit,
        reason=item.reason,
        flags=[str(flag) for flag in item.flags],
        gap=str(item.gap.kind) if item.gap is not None else None,
        resolvesOn=_day(item.resolves_on),
        staleOn=_day(item.stale_on),
        remedy=item.remedy,
        evidence=[_evidence(datum) for datum in item.evidence],
    )


def _evidence(item: Evidence) -> dict[str, Any]:
    when = str(item.date) if item.date is not None else None
    return _filled(
        reference=item.reference, date=when, element=item.element, code=item.code, value=item.value
    )


def _discarded(criterion: str, item: Discarded) -> dict[str, Any]:
    return _filled(criterion=criterion, reason=item.reason, **_evidence(item.evidence))


def _order(item: Discarded) -> dict[str, Any]:
    return _filled(reason=item.reason, **_evidence(item.evidence))


def _beside(item: Consideration | Caveat) -> dict[str, Any]:
    return _filled(id=item.id, reason=item.reason, evidence=[_evidence(datum) for datum in item.evidence])


def _difference(item: Difference) -> dict[str, Any]:
    return _filled(
        policy=item.policy,
        criterion=item.criterion,
        verdict=str(item.answer),
        limit=item.limit,
        reason=item.reason,
    )


def _foreign(references: tuple[str, ...]) -> dict[str, Any]:
    """How many resources name another patient, and which; that patient is not named."""
    return {"count": len(references), "references": list(references)} if references else {}


def _day(day: date | None) -> str | None:
    return day.isoformat() if day is not None else None


def _filled(**members: object) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value or name in _KEPT}
