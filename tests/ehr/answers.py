"""What the tests of the EHR client share: a tenant on loopback, its queries, and calls with a deadline."""

import time
from collections.abc import Mapping
from typing import Any

from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.fhir_client import Access, EhrClient, Pages, access
from cds_service.ehr.query_errors import Reason
from cds_service.tenants import Tenant
from fhir_mappings.bundle import PartState
from tests.faults.server import FaultyServer

TOKEN = "canary-token.0123456789"
QUERIES = {
    "patient": "Patient/p1",
    "conditions": "Condition?patient=p1",
    "observations": "Observation?patient=p1",
    "procedures": "Procedure?patient=p1",
    "reports": "DiagnosticReport?patient=p1",
    "specimens": "Specimen?patient=p1",
    "orders": "ServiceRequest?patient=p1",
}
TYPES = {key: query.partition("?")[0].partition("/")[0] for key, query in QUERIES.items()}


def tenant(*bases: str, identifier: str = "general", allow_loopback: bool = True) -> Tenant:
    """A tenant whose FHIR servers are on this machine."""
    return Tenant(id=identifier, fhir_servers=bases, allow_loopback=allow_loopback)


def access_to(server: FaultyServer, identifier: str = "general") -> Access:
    """Leave to ask a server, with the token of a call."""
    found = access(tenant(server.base, identifier=identifier), server.base, TOKEN)
    assert found is not None
    return found


def fetch(
    server: FaultyServer,
    queries: Mapping[str, str] = QUERIES,
    client: EhrClient | None = None,
    seconds: float = 5.0,
) -> Mapping[str, Pages]:
    """Ask a server, with so much time."""
    return (client or EhrClient()).fetch(access_to(server), queries, time.monotonic() + seconds)


def fetch_one(
    server: FaultyServer, query: str, client: EhrClient | None = None, seconds: float = 5.0
) -> Pages:
    """Ask a server one thing."""
    return fetch(server, {"it": query}, client, seconds)["it"]


def outcome_of(pages: Pages) -> tuple[PartState, Reason | None, int]:
    """State, reason and number of pages."""
    return pages.state, pages.reason, len(pages.pages)


def conditions(number: int) -> tuple[dict[str, Any], ...]:
    """So many Conditions of the patient."""
    patient = {"reference": "Patient/p1"}
    return tuple({"resourceType": "Condition", "id": f"c{i}", "subject": patient} for i in range(number))


def wait_until_idle(bulkhead: Bulkhead) -> None:
    """Wait until no thread is left, but not for ever."""
    for _ in range(500):
        if bulkhead.running == 0:
            return
        time.sleep(0.01)
    raise AssertionError("threads are left")
