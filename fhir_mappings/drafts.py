"""Draft orders as FHIR R4 ServiceRequests: proposals that a clinician may sign, never orders.

What is the same for every patient is data (`drafts.json`) and is validated with `fhir.resources` once, when
it is loaded. What differs is an id, a day and references, each held against FHIR's own pattern: that costs
microseconds, where validating the whole resource again costs a tenth of a millisecond.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib.resources import files
from uuid import UUID

import msgspec
from fhir.resources.R4B.servicerequest import ServiceRequest

from fhir_mappings.facts import OrderKind
from fhir_mappings.reference import is_reference

_REASON_TYPES = ("Condition/", "Observation/", "DiagnosticReport/", "DocumentReference/")


@dataclass(frozen=True, slots=True)
class Draft:
    """The part of a draft order that is the same for every patient."""

    label: str
    description: str
    code: Mapping[str, object]


@cache
def drafts() -> Mapping[OrderKind, Draft]:
    """Every draft order. Raises ValueError when one is missing or its ServiceRequest is not valid R4."""
    text = (files("fhir_mappings") / "drafts.json").read_bytes()
    loaded = msgspec.json.decode(text, type=dict[OrderKind, Draft])
    missing = [kind.value for kind in OrderKind if kind not in loaded]
    if missing:
        raise ValueError(f"drafts.json has no {', '.join(missing)}")
    for kind in loaded:
        ServiceRequest.model_validate(_resource(loaded[kind], "draft", "Patient/id", None, (), ()))
    return loaded


def draft_order(  # noqa: PLR0913  the elements of the resource that differ between patients
    kind: OrderKind,
    *,
    order_id: UUID,
    patient: str,
    on: date | None = None,
    reasons: Iterable[str] = (),
    used: Iterable[str] = (),
) -> dict[str, object]:
    """Build one draft ServiceRequest for `patient` ("Patient/123").

    `reasons` and `used` are references ("Condition/1"); one that is not a relative reference is left out,
    and so is a reason of a type that FHIR does not allow as one.
    """
    return _resource(
        drafts()[kind],
        str(order_id),
        patient,
        on,
        [reference for reference in _references(reasons) if reference.startswith(_REASON_TYPES)],
        _references(used),
    )


def _references(references: Iterable[str]) -> list[str]:
    return [reference for reference in dict.fromkeys(references) if is_reference(reference)]


def _resource(  # noqa: PLR0913, PLR0917  one argument for each element
    draft: Draft, order_id: str, patient: str, on: date | None, reasons: Sequence[str], used: Sequence[str]
) -> dict[str, object]:
    resource: dict[str, object] = {
        "resourceType": "ServiceRequest",
        "id": order_id,
        "status": "draft",
        "intent": "proposal",
        "code": dict(draft.code),
        "subject": {"reference": patient},
    }
    if on is not None:
        resource["authoredOn"] = on.isoformat()
    if reasons:
        resource["reasonReference"] = [{"reference": reference} for reference in reasons]
    if used:
        resource["supportingInfo"] = [{"reference": reference} for reference in used]
    return resource
