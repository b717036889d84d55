"""The services on offer. Each is declared once, and the declaration gives discovery, routing and prefetch."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from cds_service.errors import NotFoundError


@dataclass(frozen=True, slots=True)
class Service:
    """One CDS service: what discovery tells of it, and what it cannot do without."""

    id: str
    hook: str
    title: str
    description: str
    usage_requirements: str
    prefetch: Mapping[str, str] = field(default_factory=dict)  # key -> template, restricted query subset only
    required: tuple[str, ...] = ()  # keys without which nothing can be said

    def as_discovery(self) -> dict[str, object]:
        """The entry of this service in the discovery document (CDS Hooks 2.0.1, Discovery)."""
        return {
            "hook": self.hook,
            "title": self.title,
            "description": self.description,
            "id": self.id,
            "usageRequirements": self.usage_requirements,
            "prefetch": dict(self.prefetch),
        }


_CHART = {
    "patient": "Patient/{{context.patientId}}",
    "conditions": "Condition?patient={{context.patientId}}",
    "observations": "Observation?patient={{context.patientId}}",
    "procedures": "Procedure?patient={{context.patientId}}",
    "reports": "DiagnosticReport?patient={{context.patientId}}",
    "specimens": "Specimen?patient={{context.patientId}}",
    "orders": "ServiceRequest?patient={{context.patientId}}",
}

SERVICES = (
    Service(
        id="milan-net-patient-view",
        hook="patient-view",
        title="Milan-NET: liver transplantation in neuroendocrine liver metastases",
        description=(
            "Compares the record of an adult with liver metastases of a neuroendocrine tumour with the "
            "Milan-NET criteria and says which are met, which are not, and what is missing. It gives no card "
            "for any other patient. It supports, and does not replace, clinical judgement."
        ),
        usage_requirements=(
            "FHIR R4. Required: the Patient and all Conditions of the patient. Also read: Observations "
            "(Ki-67, grade, liver involvement, response), Procedures, DiagnosticReports, Specimens and "
            "ServiceRequests; what is not sent is shown as unknown on the card, never as absent."
        ),
        prefetch=_CHART,
        required=("patient", "conditions"),
    ),
)


def find(service_id: str) -> Service:
    """The service with that id. Raises NotFoundError, which does not repeat the id: it may be anything."""
    for service in SERVICES:
        if service.id == service_id:
            return service
    raise NotFoundError("There is no such service. GET /cds-services lists those that exist.")


def discovery() -> dict[str, object]:
    """The discovery document."""
    return {"services": [service.as_discovery() for service in SERVICES]}
