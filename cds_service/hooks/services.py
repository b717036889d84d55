"""The services on offer. Each is declared once, and the declaration gives discovery, routing and prefetch.

Every service has an id of its own: clients store services by address, and one that stands for two hooks loses one of
them (cds-hooks.md 9.5).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cds_service.errors import NotFoundError
from cds_service.hooks.contexts import (
    AppointmentContext,
    Context,
    EncounterContext,
    OrderSelectContext,
    OrderSignContext,
    ProblemContext,
)

STANDARD: Final = "3.0.0"  # the version of CDS Hooks whose additions discovery may show
_CHART: Final[Mapping[str, str]] = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": "Condition?patient={{context.patientId}}",
    "observations": "Observation?patient={{context.patientId}}",
    "procedures": "Procedure?patient={{context.patientId}}",
    "reports": "DiagnosticReport?patient={{context.patientId}}",
    "specimens": "Specimen?patient={{context.patientId}}",
    "orders": "ServiceRequest?patient={{context.patientId}}",
}
_USAGE: Final = (
    "FHIR R4. Required: the Patient and all Conditions of the patient. Also read: Observations "
    "(Ki-67, grade, liver involvement, response), Procedures, DiagnosticReports, Specimens and "
    "ServiceRequests; what is not sent is fetched where the call allows it, else shown as unknown on the card, "
    "never as absent."
)
_ADVICE: Final = (
    "Compares the record of an adult with liver metastases of a neuroendocrine tumour with the "
    "Milan-NET criteria and says which are met, which are not, and what is missing. It gives no card "
    "for any other patient. It supports, and does not replace, clinical judgement."
)
_TREATMENTS: Final = (
    "a liver resection, embolisation, peptide receptor radionuclide therapy or somatostatin-receptor imaging"
)


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: what discovery tells of it, what it is given, and what it cannot do without."""

    id: str
    hook: str
    title: str
    description: str
    context: type[Context] = Context
    hook_version: str = "1.0"
    usage_requirements: str = _USAGE
    prefetch: Mapping[str, str] = field(
        default_factory=lambda: _CHART
    )  # key -> template, restricted query subset only
    required: tuple[str, ...] = ("patient", "conditions")  # keys without which nothing can be said

    def as_discovery(self, *, with_versions: bool = False) -> dict[str, object]:
        """The entry of this service in the discovery document (CDS Hooks 2.0.1, Discovery; versions are of 3.0)."""
        versions = {"version": STANDARD, "hookVersion": self.hook_version} if with_versions else {}
        return {
            "hook": self.hook,
            "title": self.title,
            "description": self.description,
            "id": self.id,
            **versions,
            "usageRequirements": self.usage_requirements,
            "prefetch": dict(self.prefetch),
        }


SERVICES: Final = (
    Service(
        id="milan-net-patient-view",
        hook="patient-view",
        title="Milan-NET: liver transplantation in neuroendocrine liver metastases",
        description=_ADVICE,
    ),
    Service(
        id="milan-net-order-select",
        hook="order-select",
        title="Milan-NET: while an order is chosen",
        description=(
            "When a referral or evaluation for liver transplantation is chosen: says where the record stands outside "
            f"the Milan-NET criteria, or what it lacks. When {_TREATMENTS} is chosen for a patient who may be a "
            "candidate for transplantation: says so. It is silent otherwise."
        ),
        context=OrderSelectContext,
    ),
    Service(
        id="milan-net-order-sign",
        hook="order-sign",
        title="Milan-NET: before an order is signed",
        description=(
            "When a referral or evaluation for liver transplantation is to be signed: says where the record stands "
            f"outside the Milan-NET criteria, or what it lacks. When {_TREATMENTS} is to be signed for a patient who "
            "may be a candidate for transplantation: says so. It is silent otherwise."
        ),
        context=OrderSignContext,
    ),
    Service(
        id="milan-net-problem-list-item-create",
        hook="problem-list-item-create",
        title="Milan-NET: a neuroendocrine tumour or liver metastasis is recorded",
        description=f"When a neuroendocrine tumour or liver metastases are added to the problem list. {_ADVICE}",
        context=ProblemContext,
        hook_version="0.1.0",
    ),
    Service(
        id="milan-net-encounter-start",
        hook="encounter-start",
        title="Milan-NET: at the start of an encounter",
        description=_ADVICE,
        context=EncounterContext,
    ),
    Service(
        id="milan-net-appointment-book",
        hook="appointment-book",
        title="Milan-NET: when an appointment is booked",
        description=_ADVICE,
        context=AppointmentContext,
    ),
)


def find(service_id: str) -> Service:
    """The service with that id. Raises NotFoundError, which does not repeat the id: it may be anything."""
    for service in SERVICES:
        if service.id == service_id:
            return service
    raise NotFoundError("There is no such service. GET /cds-services lists those that exist.")


def answering(hook: str) -> Service:
    """The service for a hook; for one that has none, the first, which will say so."""
    return next((service for service in SERVICES if service.hook == hook), SERVICES[0])


def discovery(*, with_versions: bool = False) -> dict[str, object]:
    """The discovery document."""
    return {"services": [service.as_discovery(with_versions=with_versions) for service in SERVICES]}
