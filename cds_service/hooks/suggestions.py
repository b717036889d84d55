"""Draft orders on a card: what would answer a missing criterion, and the referral when all are met."""

from collections.abc import Iterator
from uuid import UUID, uuid5

from cds_service.eligibility.assessment import Assessment
from fhir_mappings.drafts import draft_order, drafts
from fhir_mappings.facts import Evidence, Facts, OrderKind
from fhir_mappings.reference import is_reference


def suggestions(assessment: Assessment, facts: Facts, card: UUID) -> list[dict[str, object]]:
    """One suggestion for each order of the assessment; only a referral that is surely not active yet is recommended."""
    reasons = _conditions(facts)
    used = _used(assessment, reasons)
    return [_suggestion(kind, assessment, reasons, used, uuid5(card, kind)) for kind in assessment.orders]


_IN_DOUBT = ". Whether one is already active is not known"


def _suggestion(
    kind: OrderKind, assessment: Assessment, reasons: list[str], used: list[str], suggestion: UUID
) -> dict[str, object]:
    draft = drafts()[kind]
    linked = used if kind is OrderKind.TRANSPLANT_REFERRAL else []
    order = draft_order(
        kind,
        order_id=uuid5(suggestion, "order"),
        patient=assessment.patient,
        on=assessment.evaluated_on,
        reasons=reasons,
        used=linked,
    )
    in_doubt = kind in assessment.orders_in_doubt
    is_recommended = kind is OrderKind.TRANSPLANT_REFERRAL and not in_doubt
    recommended = {"isRecommended": True} if is_recommended else {}
    description = draft.description + (_IN_DOUBT if in_doubt else "") + _unlinked(reasons + linked)
    action = {"type": "create", "description": description, "resource": order}
    return {"label": draft.label, "uuid": str(suggestion), **recommended, "actions": [action]}


def _unlinked(references: list[str]) -> str:
    """What a description says of entries that cannot be linked, because their ids are none that FHIR allows."""
    count = sum(not is_reference(item) for item in references)
    return f". Not linked, for want of a valid id: {count} of the entries it rests on" if count else ""


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
