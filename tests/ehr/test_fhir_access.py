"""What the EHR client may ask, and of whom: the tenant's own server, below its base, and nothing else."""

import pytest

from cds_service.addresses import parse_base
from cds_service.ehr.fhir_client import access
from cds_service.ehr.fhir_pages import address_of
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.tenants import Tenant
from tests.ehr.answers import TOKEN, fetch_one, tenant
from tests.faults.server import FaultyServer

_BASE = "https://ehr.example.org/R4"


# --- who may be asked -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server", [_BASE, f"{_BASE}/", "https://EHR.example.org/R4", "https://ehr.example.org:443/R4"]
)
def test_a_server_of_the_tenant_may_be_asked_however_it_is_written(server: str) -> None:
    found = access(tenant(_BASE), server, TOKEN)
    assert found is not None
    assert (found.base, found.token) == (parse_base(_BASE), TOKEN)


@pytest.mark.parametrize(
    "server",
    [
        None,
        "",
        "ehr.example.org/R4",
        "http://ehr.example.org/R4",
        "https://ehr.example.org",
        "https://ehr.example.org/R4/tenant",
        "https://ehr.example.org/r4",
        "https://ehr.example.org:8443/R4",
        "https://ehr.example.org.evil.example/R4",
        "https://ehr.example.org/R4.evil.example",
        "https://ehr.example.org/R4/../../admin",
        "https://ehr.example.org/R4%2f..",
        "https://ehr.example.org/R4?x=1",
        "https://ehr.example.org/R4#x",
        "https://evil@ehr.example.org/R4",
        "https://ehr.example.org\\@evil.example/R4",
        "http://169.254.169.254/R4",
    ],
)
def test_any_other_server_may_not(server: str | None) -> None:
    assert access(tenant(_BASE), server, TOKEN) is None


def test_without_a_token_only_a_tenant_that_allows_it_is_asked() -> None:
    assert access(tenant(_BASE), _BASE, None) is None
    anonymous = Tenant(id="demo", fhir_servers=(_BASE,), allow_anonymous_queries=True)
    found = access(anonymous, _BASE, None)
    assert found is not None
    assert found.token is None


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "a\n", "\u00fc", "a\x00", "x" * 16_385])
def test_a_token_that_cannot_stand_in_a_header_is_none(token: str) -> None:
    assert access(tenant(_BASE), _BASE, token) is None


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(access(tenant(_BASE), _BASE, TOKEN))


# --- what may be asked ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("Patient/1", f"{_BASE}/Patient/1"),
        ("Patient/a.b-C", f"{_BASE}/Patient/a.b-C"),
        ("Observation?patient=1&category=laboratory", f"{_BASE}/Observation?patient=1&category=laboratory"),
        ("Observation?code=http://loinc.org|1-2", f"{_BASE}/Observation?code=http://loinc.org|1-2"),
        (f"{_BASE}/Condition?page=2", f"{_BASE}/Condition?page=2"),
        (f"{_BASE}?_getpages=abc&_offset=20", f"{_BASE}?_getpages=abc&_offset=20"),
        ("HTTPS://EHR.example.org:443/R4/Condition", f"{_BASE}/Condition"),
    ],
)
def test_a_query_goes_below_the_base(query: str, address: str) -> None:
    assert str(address_of(parse_base(_BASE), query)) == address


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Patient/..",
        "Patient/.",
        "Patient/../../admin",
        "Patient/1/../../..",
        "Patient/%2e%2e",
        "Patient/1#x",
        "Patient/1\r\nX-Evil: 1",
        "Patient//1",
        "/Patient/1",
        "//evil.example/Patient/1",
        "../admin",
        "?patient=1",
        "patient/1",
        "Patient/1/$everything",
        "Patient/1?_format=xml",
        "Condition?patient=a b",
        "Condition?patient=1\n",
        "Condition?",
        "file:///etc/passwd",
        "ftp://ehr.example.org/R4/Patient/1",
        "http://ehr.example.org/R4/Patient/1",
        "https://ehr.example.org/R4x/Patient/1",
        "https://ehr.example.org/R4.evil.example/Patient/1",
        "https://ehr.example.org/other-hospital/Patient/1",
        "https://ehr.example.org/R4/../admin",
        "https://ehr.example.org/R4/%2e%2e/admin",
        "https://ehr.example.org:8443/R4/Patient/1",
        "https://user@ehr.example.org/R4/Patient/1",
        "https://ehr.example.org@evil.example/R4/Patient/1",
        "https://ehr.example.org\\@evil.example/R4",
        "https://evil.example/R4/Patient/1",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1]/R4/Patient/1",
    ],
)
def test_a_query_never_leaves_the_base(query: str) -> None:
    with pytest.raises(QueryError) as caught:
        address_of(parse_base(_BASE), query)
    assert caught.value.reason is Reason.FOREIGN_LINK


def test_a_query_that_may_not_be_asked_fails_without_a_request() -> None:
    with FaultyServer() as server:
        assert fetch_one(server, "../admin").reason is Reason.FOREIGN_LINK
        assert server.connections == 0
