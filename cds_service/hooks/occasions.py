"""Why a service was called, and whether that is an occasion to speak: the one engine advises, and each hook says less.

| hook | speaks |
|---|---|
| patient-view, encounter-start, appointment-book | whenever the criteria concern the patient |
| problem-list-item-create | when the new problem is a neuroendocrine tumour or a liver metastasis |
| order-select, order-sign | on a draft for transplantation, or for a treatment of a patient who may be a candidate |
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.contexts import Context, OrderSelectContext, OrderSignContext, ProblemContext
from fhir_mappings.drafted import DraftedOrder, DraftKind, Lookup, drafted_orders, names_the_tumour
from fhir_mappings.facts import OrderKind
from fhir_mappings.valueset import Terminology


class Indicator(StrEnum):
    """How urgent a card is (CDS Hooks 2.0.1, Card Attributes); no advice of ours is critical."""

    INFO = "info"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Occasion:
    """What of a call concerns us: the drafts that do, and everything that is being ordered already."""

    drafts: frozenset[DraftKind] = frozenset()
    ordered: frozenset[OrderKind] = frozenset()


@dataclass(frozen=True, slots=True)
class Manner:
    """How the advice is given: how urgent, why here, on which topic, and which orders are not proposed once more."""

    indicator: Indicator = Indicator.INFO
    opening: str = ""
    topic: str = ""  # advice that is set aside on one topic is still given on another
    ordered: frozenset[OrderKind] = field(default_factory=frozenset)


_TREATMENTS: Final[Mapping[DraftKind, str]] = {
    DraftKind.LIVER_RESECTION: "a liver resection",
    DraftKind.LIVER_EMBOLISATION: "an embolisation of the liver",
    DraftKind.RADIONUCLIDE_THERAPY: "peptide receptor radionuclide therapy",
}
_MAY_BE_CANDIDATE: Final = (Verdict.MEETS, Verdict.INCOMPLETE, Verdict.BORDERLINE, Verdict.NOT_YET)
_NOT_NOW: Final = (Verdict.OUTSIDE, Verdict.NOT_YET)


def occasion(context: Context, terminology: Terminology, own: Lookup) -> Occasion | None:
    """What of a call concerns us; None where nothing does, so that no record has to be read.

    `own` says what a site orders under a code of its own.
    """
    if isinstance(context, OrderSignContext):
        orders = drafted_orders(context.draft_orders, context.patient_id, terminology, own)
        drafted = _considered(context, orders)
        drafts = frozenset(item.kind for item, is_new in drafted if is_new and item.kind is not None)
        ordered = frozenset(item.order for item, _ in drafted if item.order is not None)
        return Occasion(drafts, ordered) if drafts else None
    if isinstance(context, ProblemContext):
        return Occasion() if names_the_tumour(context.conditions, terminology) else None
    return Occasion()


def _considered(
    context: OrderSignContext, drafted: tuple[DraftedOrder, ...]
) -> list[tuple[DraftedOrder, bool]]:
    """Every draft order, and whether it is what the user has just chosen or is about to sign.

    A selection by a URN, which drafts do not carry as their id, may mean any of them.
    """
    if not isinstance(context, OrderSelectContext):
        return [(item, True) for item in drafted]
    chosen = {"/".join(selection.split("/_history/")[0].split("/")[-2:]) for selection in context.selections}
    considered = [(item, _is_chosen(item.reference, chosen)) for item in drafted]
    if any(item.startswith("urn:") for item in chosen) and not any(is_new for _, is_new in considered):
        return [(item, True) for item in drafted]
    return considered


def _is_chosen(reference: str | None, chosen: set[str]) -> bool:
    """Whether `Type/id` is among the selections, if only by its bare id; a draft without an id may be any of them."""
    if reference is None:
        return bool(chosen)
    return not chosen.isdisjoint((reference, reference.rpartition("/")[2]))


def manner(found: Occasion, assessment: Assessment) -> Manner | None:
    """How to give an assessment on an occasion; None where there is nothing worth knowing."""
    if not found.drafts:
        return Manner()
    if DraftKind.TRANSPLANT_EVALUATION in found.drafts:
        return _on_transplant(found, assessment.verdict)
    return _on_treatment(found, assessment) or _on_imaging(found, assessment)


def _on_transplant(found: Occasion, verdict: Verdict) -> Manner | None:
    if verdict is Verdict.MEETS:
        return None
    indicator = Indicator.WARNING if verdict in _NOT_NOW else Indicator.INFO
    opening = "A draft order asks for a liver transplantation, or for an evaluation for it"
    return Manner(indicator, opening, "transplant-order", found.ordered | {OrderKind.TRANSPLANT_REFERRAL})


def _on_treatment(found: Occasion, assessment: Assessment) -> Manner | None:
    """A word before a treatment that may be better given after, or instead of, an evaluation for transplantation."""
    named = [words for kind, words in _TREATMENTS.items() if kind in found.drafts]
    if not named or assessment.verdict not in _MAY_BE_CANDIDATE:
        return None
    opening = (
        f"A draft order is for {' and '.join(named)}, and the patient may be a candidate for transplantation"
    )
    return Manner(Indicator.INFO, opening, "treatment-order", found.ordered)


def _on_imaging(found: Occasion, assessment: Assessment) -> Manner | None:
    """A word beside imaging where something else is missing too: one examination would not yet decide.

    That a part of the record could not be read is such a thing: silence would claim that nothing else is open.
    """
    if DraftKind.RECEPTOR_IMAGING not in found.drafts or assessment.verdict not in _MAY_BE_CANDIDATE:
        return None
    others = set(assessment.orders) - found.ordered - {OrderKind.SOMATOSTATIN_RECEPTOR_PET}
    is_unread = bool(assessment.not_assessed) and assessment.verdict is not Verdict.MEETS
    if not others and not is_unread:
        return None
    ordered = found.ordered | {OrderKind.SOMATOSTATIN_RECEPTOR_PET}
    return Manner(Indicator.INFO, _IMAGING.get(assessment.verdict, _IMAGING_OPEN), "imaging-order", ordered)


_IMAGING_OPEN: Final = (
    "A draft order is for somatostatin-receptor imaging, which would not answer everything that is missing"
)
_IMAGING: Final[Mapping[Verdict, str]] = {
    Verdict.MEETS: "A draft order is for somatostatin-receptor imaging of a patient who may be referred already"
}
