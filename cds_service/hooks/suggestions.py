"""Draft orders on a card: what would answer a missing criterion, and the referral when all are met."""

from collections.abc import Container, Iterator
from uuid import UUID, uuid5

from cds_service.eligibility.assessment import Assessment
from cds_service.hooks.dialects import coded_for, may_propose
from cds_service.tenants import Tenant
from fhir_mappings.drafts import draft_order, drafts
from fhir_mappings.facts import Evidence, Facts, OrderKind


def suggestions(
    assessment: Assessment, facts: Facts, card: UUID, tenant: Tenant, ordered: Container[OrderKind]
) -> list[dict[str, object]]:
    """One suggestion for each order of the assessment that is not being `ordered`; only the referral is recommended."""
    return [
        _suggestion(kind, coded_for(tenant, kind, _order(kind, assessment, facts, suggestion)), suggestion)
        for kind in assessment.orders
        if kind not in ordered and may_propose(tenant, kind)
        for suggestion in (uuid5(card, kind),)
    ]


def _suggestion(kind: OrderKind, order: dict[str, object], suggestion: UUID) -> dict[str, object]:
    draft = drafts()[kind]
    recommended = {"isRecommended": True} if kind is OrderKind.TRANSPLANT_REFERRAL else {}
    action = {"type": "create", "description": draft.description, "resource": order}
    return {"label": draft.label, "uuid": str(suggestion), **recommended, "actions": [action]}


def _order(kind: OrderKind, assessment: Assessment, facts: Facts, suggestion: UUID) -> dict[str, object]:
    reasons = _conditions(facts)
    return draft_order(
        kind,
        order_id=uuid5(suggestion, "order"),
        patient=assessment.patient,
        on=assessment.evaluated_on,
        reasons=reasons,
        used=_used(assessment, reasons) if kind is OrderKind.TRANSPLANT_REFERRAL else (),
    )


def _conditions(facts: Facts) -> list[str]:
    """References to the Conditions that state the tumour and its liver metastases."""
    evidence = (*facts.neuroendocrine_tumour.evidence, *facts.liver_metastases.evidence)
    return list(dict.fromkeys(item.reference for item in evidence if item.reference.startswith("Condition/")))


def _used(assessment: Assessment, reasons: list[str]) -> list[str]:
    """References to everything else that the answers rest on, in the order of the criteria."""
    left_out = {assessment.patient, *reasons}
    return [
        item for item in dict.fromkeys(e.reference for e in _evidence(assessment)) if item not in left_out
    ]


def _evidence(assessment: Assessment) -> Iterator[Evidence]:
    for criterion in assessment.criteria:
        yield from criterion.evidence
