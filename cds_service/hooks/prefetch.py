"""HookRequest to PatientRecord: what was sent, and what is left unsaid when something was not.

Fetching what was not sent from the caller's FHIR server belongs into `gather`, between the two lines.
"""

from cds_service.errors import PreconditionFailedError
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import Service
from fhir_mappings.facts import Facts, GapKind, Presence
from fhir_mappings.record import PARTS, PartState, PatientRecord, read_prefetch


def gather(request: HookRequest, body: bytes) -> PatientRecord:
    """Collect the record of the patient in the context; parts that did not arrive are marked as such."""
    return read_prefetch(request.prefetch, body, request.context.patient_id)


def ensure_sufficient(record: PatientRecord, facts: Facts, service: Service) -> None:
    """Raise PreconditionFailedError if nothing can be said without the required keys that did not arrive whole.

    Clients may show an error as "all clear", so a tumour that is on record, or in doubt for what a resource says, is
    answered by a card that names what is missing. Without one, silence would claim that there is none.
    """
    missing = [key for key in service.required if record.state_of(PARTS[key]) is not PartState.COMPLETE]
    if missing and not _has_trace(facts):
        raise PreconditionFailedError(
            f"Required data was not sent, was sent in part, or could not be queried: {', '.join(missing)}.",
            *(f"prefetch.{key}" for key in missing),
        )


def _has_trace(facts: Facts) -> bool:
    """Whether anything that arrived speaks of a neuroendocrine tumour, if only in doubt or unreadably."""
    tumour = facts.neuroendocrine_tumour
    if tumour.gap is None:
        return tumour.value is Presence.PRESENT
    in_doubt = tumour.gap.kind in (GapKind.CONFLICTING, GapKind.INDETERMINATE)
    return in_doubt or any("neuroendocrine_tumour" in issue.facts for issue in facts.issues)
