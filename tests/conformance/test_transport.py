"""Whom the service calls, and over what: https, and only the servers on a tenant's list (cds-hooks.md 10)."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from cds_service.hooks.services import SERVICES
from cds_service.tenants import Tenant
from tests.conformance.hospital import Hospital, asking, call_of
from tests.faults.server import FaultyServer
from tests.hooks.calls import chart
from tests.security.callers import trust

DOCS = Path(__file__).resolve().parents[2] / "docs" / "cds-hooks.md"


@pytest.mark.parametrize(
    "changed",
    [
        {"fhir_servers": ("http://ehr.example.org/R4",)},
        {"fhir_servers": ("http://ehr.example.org/R4",), "allow_loopback": True},
        {"trust": trust(jwks_url="http://127.0.0.1/jwks.json")},
        {"links": ({"label": "x", "url": "http://x.example.org"},)},
    ],
)
def test_item_40_nothing_is_configured_without_https(changed: Any) -> None:
    with pytest.raises(ValidationError, match="https"):
        Tenant(**({"id": "clinic", "trust": trust()} | changed))


def test_item_40_a_key_set_elsewhere_comes_over_https_even_for_tests() -> None:
    with pytest.raises(ValidationError, match="https"):
        Tenant(id="clinic", allow_loopback=True, trust=trust(jwks_url="http://ehr.example.org/jwks.json"))


@pytest.mark.parametrize("server", ["http://ehr.example.org/R4", "http://127.0.0.1:1/fhir"])
def test_item_40_a_server_without_https_is_not_asked(hospital: Hospital, server: str) -> None:
    token = {"access_token": "t", "token_type": "Bearer", "expires_in": 300}
    body = call_of(SERVICES[0], chart(conditions=...), fhirServer=server, fhirAuthorization=token)
    assert hospital.ask(SERVICES[0], body).status_code == 412


def test_item_40_the_notes_say_who_ends_tls() -> None:
    text = " ".join(DOCS.read_text("utf-8").split())
    assert "a proxy in front of the service ends TLS, 1.2 or later" in text


TRAPS = (
    *("https://ehr.example.org.mallory.example/R4", "https://ehr.example.org@mallory.example/R4"),
    *("https://mallory.example/https://ehr.example.org/R4", "https://ehr.example.org/R4.mallory.example"),
    *("https://ehr.example.org/R4/../admin", "https://ehr.example.org/R4/%2e%2e/admin"),
    *("https://ehr.example.org:444/R4", "http://ehr.example.org/R4", "https://ehr.example.org/r4"),
    *("http://169.254.169.254/R4", "http://[::1]/R4", "http://0x7f.1/R4", "http://2130706433/R4"),
    *("https://ehr.example.org\\@mallory.example/R4", "https://127.0.0.1/R4"),
)


@pytest.mark.parametrize("server", TRAPS)
@pytest.mark.parametrize("service", SERVICES[:2], ids=lambda service: service.hook)
def test_item_50_a_server_that_is_not_listed_is_never_called(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: str, service: Any
) -> None:
    def connect(*_: object, **__: object) -> None:
        raise AssertionError("somebody was called")

    monkeypatch.setattr("socket.socket.connect", connect)
    monkeypatch.setattr("socket.getaddrinfo", connect)
    access = {"access_token": "t", "token_type": "Bearer", "expires_in": 300}
    with Hospital(tmp_path, fhir_servers=("https://ehr.example.org/R4",)) as hospital:
        body = call_of(service, ..., fhirServer=server, fhirAuthorization=access)
        assert hospital.ask(service, body).status_code == 412


def test_item_50_a_redirect_is_not_followed(tmp_path: Path) -> None:
    with FaultyServer() as stranger:

        def elsewhere(exchange: Any) -> None:
            exchange.answer(b"", 302, Location=f"{stranger.base}{exchange.target}")

        with FaultyServer(elsewhere) as server, Hospital(tmp_path, **asking(server)) as hospital:
            access = {"access_token": "t", "token_type": "Bearer", "expires_in": 300}
            body = call_of(SERVICES[0], ..., fhirServer=server.base, fhirAuthorization=access)
            assert hospital.ask(SERVICES[0], body).status_code == 412
            assert server.seen
        assert stranger.connections == 0
