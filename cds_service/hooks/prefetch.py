"""HookRequest to PatientRecord: what was sent, what was fetched, and what is left unsaid when neither brought it.

For each key of the prefetch there are five states (integration.md 1.8): absent is fetched; null and an empty Bundle
say that there is none; an OperationOutcome is a failed query, which is not repeated; a Bundle with a next link is a
part, of which the rest is fetched. What cannot be had is unknown, never "none".
"""

from collections.abc import Mapping
from typing import Final, Protocol

import orjson

from cds_service.ehr.fhir_client import Access, Pages, access
from cds_service.errors import PreconditionFailedError
from cds_service.hooks.contexts import Context, ProblemContext
from cds_service.hooks.dialects import query
from cds_service.hooks.request import HookRequest
from cds_service.hooks.services import Service
from cds_service.tenants import Tenant
from fhir_mappings.bundle import PartState
from fhir_mappings.facts import Facts, GapKind, Presence
from fhir_mappings.prefetch import Fetched, read_prefetch, unsent
from fhir_mappings.record import PARTS, PatientRecord

_PAGE_SIZE: Final = 200  # what many servers give at most; one that gives less says so by a next link


class Ehr(Protocol):
    """Where what was not sent is fetched from."""

    def fetch(self, access: Access, queries: Mapping[str, str], deadline: float) -> Mapping[str, Pages]:
        """Ask the queries by their keys, until `deadline` on the monotonic clock; never raises."""


def sent(hook: HookRequest, body: bytes) -> PatientRecord:
    """The record as far as the call itself holds it, as a file of such calls is read."""
    return read_prefetch(
        hook.prefetch,
        body,
        hook.context.patient_id,
        added=_added(hook.context),
        server=hook.fhir_server,
    )


def gather(  # noqa: PLR0913  the call, its bytes, and how to ask for more
    hook: HookRequest, body: bytes, service: Service, *, tenant: Tenant, ehr: Ehr, deadline: float
) -> PatientRecord:
    """Collect the record of the patient in the context; parts that cannot be had are marked as such."""
    return read_prefetch(
        hook.prefetch,
        body,
        hook.context.patient_id,
        aliases=tenant.prefetch_aliases,
        fetched=_fetched(_queries(hook, service, tenant), _access(hook, tenant), ehr, deadline),
        added=_added(hook.context),
        server=hook.fhir_server,
    )


def _added(context: Context) -> dict[str, bytes]:
    """What is new in the context: on no server yet."""
    return {"conditions": orjson.dumps(context.conditions)} if isinstance(context, ProblemContext) else {}


def _queries(hook: HookRequest, service: Service, tenant: Tenant) -> dict[str, str]:
    """What to ask for, because it did not arrive: the rest of a part, or a part of its own."""
    missing = unsent(hook.prefetch, tenant.prefetch_aliases)
    patient = hook.context.patient_id
    return {
        key: link or _paged(query(tenant, service.prefetch[key], patient)) for key, link in missing.items()
    }


def _paged(asked: str) -> str:
    """A search with pages of a size of ours: by default a server may give 20 at a time, and each page costs a trip."""
    return f"{asked}&_count={_PAGE_SIZE}" if "?" in asked else asked


def _fetched(
    queries: Mapping[str, str], server: Access | None, ehr: Ehr, deadline: float
) -> dict[str, Fetched]:
    """The answers of the caller's FHIR server; none where the call gives no right to ask."""
    if not queries or server is None:
        return {}
    answers = ehr.fetch(server, queries, deadline)
    return {key: Fetched(pages.pages, pages.state) for key, pages in answers.items()}


def _access(hook: HookRequest, tenant: Tenant) -> Access | None:
    """The right to ask the caller's FHIR server: it is one of the tenant's, and there is a token for it."""
    if hook.fhir_server is None:
        return None
    if hook.fhir_authorization is None:
        return access(tenant, hook.fhir_server, None) if tenant.allow_anonymous_queries else None
    return access(tenant, hook.fhir_server, hook.fhir_authorization.access_token)


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
