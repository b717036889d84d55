"""The chart of a session's patient, read with its token: the same seven queries as a hook's, and the same reading."""

from typing import Final

from cds_service.ehr.fhir_client import Pages, access
from cds_service.ehr.query_errors import Reason
from cds_service.hooks.dialects import query
from cds_service.hooks.prefetch import Ehr
from cds_service.hooks.services import SERVICES
from cds_service.smart.scopes import Extent, readable
from cds_service.smart.sessions import Session, SessionOverError
from fhir_mappings.bundle import PartState
from fhir_mappings.prefetch import Fetched, read_prefetch
from fhir_mappings.record import PARTS, PatientRecord

_NOTHING: Final = b"{}"


def record_of(session: Session, ehr: Ehr, deadline: float) -> PatientRecord:
    """The record as far as the token opens it, asked until `deadline` on the monotonic clock.

    A part that the EHR did not allow counts as failed, one that it allowed by halves as truncated: what is not in them
    is unknown, never "none". Raises SessionOverError where the EHR no longer takes the token.
    """
    extents = {part: readable(session.scopes, part) for part in PARTS}
    asked = {
        part: query(session.tenant, SERVICES[0].prefetch[part], session.patient)
        for part, extent in extents.items()
        if extent is not Extent.NONE
    }
    server = access(session.tenant, str(session.base), session.token)
    answers = ehr.fetch(server, asked, deadline) if server is not None and asked else {}
    if answers and all(pages.reason is Reason.UNAUTHORIZED for pages in answers.values()):
        raise SessionOverError(session)
    fetched = {part: _fetched(answers.get(part), extent) for part, extent in extents.items()}
    return read_prefetch(None, _NOTHING, session.patient, fetched=fetched, server=str(session.base))


def _fetched(pages: Pages | None, extent: Extent) -> Fetched:
    if pages is None:
        return Fetched((), PartState.FAILED)
    is_half = extent is Extent.SOME and pages.state is PartState.COMPLETE
    return Fetched(pages.pages, PartState.TRUNCATED if is_half else pages.state)
