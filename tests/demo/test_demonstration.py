"""The service beside the demonstration's endpoint, as the CDS Hooks Sandbox uses both (cds-hooks.md 9.2 to 9.5)."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient

from cds_service.app import create_app
from cds_service.demo.fhir import MARK, PREFIX, demonstrate
from cds_service.settings import Settings
from cds_service.tenants import Tenant, Tenants
from tests.demo.servers import SAMPLES, running_demo
from tests.hooks.calls import HOOK_INSTANCE, ON, SERVICE, cards_of

ORIGIN = {"Origin": "https://sandbox.cds-hooks.org"}
PATIENTS = [path.stem.partition("-")[2] for path in sorted(SAMPLES.glob("*.json"))]


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    with running_demo() as running:
        yield running


@pytest.fixture(scope="module")
def client(base: str) -> FlaskClient:
    """A client of the service, with time enough for a busy machine."""
    tenant = Tenant(
        id="open",
        fhir_servers=(base,),
        allow_loopback=True,
        allow_private_addresses=True,
        allow_anonymous_queries=True,
        deadline_ms=10_000,
    )
    app = create_app(Settings(), Tenants((tenant,)), today=lambda: ON)
    demonstrate(app, SAMPLES)
    return app.test_client()


def templates(client: FlaskClient) -> dict[str, str]:
    services = client.get("/cds-services", headers=ORIGIN).json["services"]  # type: ignore[index]
    found: dict[str, str] = next(item["prefetch"] for item in services if item["hook"] == "patient-view")
    return found


def prefetched(client: FlaskClient, base: str, patient: str) -> dict[str, Any]:
    """What the sandbox sends: a search by form, a read by GET, a key that failed left out."""
    found = {}
    for key, template in templates(client).items():
        path, _, query = template.replace("{{context.patientId}}", patient).partition("?")
        if query:
            # one page, as large as need be: the sandbox sends what it gets
            form = {**dict([query.split("=", 1)]), "_count": "1000"}
            answer = requests.post(f"{base}/{path}/_search", data=form, timeout=10)
        else:
            answer = requests.get(f"{base}/{path}", timeout=10)
        if answer.ok:
            found[key] = answer.json()
    return found


def called(client: FlaskClient, base: str, patient: str, **members: Any) -> list[dict[str, Any]]:
    body = {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "fhirServer": base,
        "context": {"patientId": patient, "userId": "Practitioner/COREPRACTITIONER1"},
        **members,
    }
    return cards_of(client.post(SERVICE, json=body, headers=ORIGIN))


@pytest.mark.parametrize("patient", PATIENTS)
def test_what_is_fetched_gives_the_cards_that_prefetch_gives(
    client: FlaskClient, base: str, patient: str
) -> None:
    sent = called(client, base, patient, prefetch=prefetched(client, base, patient))
    assert called(client, base, patient) == sent


def test_a_page_that_goes_on_is_followed(client: FlaskClient, base: str) -> None:
    patient = "chart-of-2000-resources"
    whole = prefetched(client, base, patient)
    first = requests.get(f"{base}/Observation?patient={patient}&_count=700", timeout=10).json()
    assert any(link["relation"] == "next" for link in first["link"])
    cut = called(client, base, patient, prefetch=whole | {"observations": first})
    assert cut == called(client, base, patient, prefetch=whole)
    assert cut


@pytest.mark.parametrize("path", ["/cds-services", SERVICE, f"{SERVICE}/feedback", f"{PREFIX}/Patient"])
def test_a_browser_of_the_sandbox_may_ask_first_on_every_path(client: FlaskClient, path: str) -> None:
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
        "Access-Control-Request-Private-Network": "true",
    }
    response = client.options(path, headers=ORIGIN | asked)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    assert {"authorization", "content-type"} <= set(
        response.headers["Access-Control-Allow-Headers"].lower().split(", ")
    )
    assert response.headers["Access-Control-Allow-Private-Network"] == "true"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/cds-services"),
        ("POST", SERVICE),
        ("GET", "/nothing/here"),
        ("GET", f"{PREFIX}/metadata"),
        ("GET", f"{PREFIX}//Patient/"),
        ("PUT", f"{PREFIX}/Patient/meets"),
    ],
)
def test_every_answer_is_marked_and_readable_for_a_browser_errors_included(
    client: FlaskClient, method: str, path: str
) -> None:
    response = client.open(path, method=method, headers=ORIGIN)
    assert response.headers[MARK] == "true"
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_the_sandbox_can_dismiss_the_card(client: FlaskClient, base: str) -> None:
    [card] = called(client, base, "ki67-12-percent")
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {
            "reason": {name: card["overrideReasons"][0][name] for name in ("code", "system")},
            "userComment": "",
        },
        "outcomeTimestamp": "2026-11-23T10:00:00.000Z",
    }
    response = client.post(f"{SERVICE}/feedback", json={"feedback": [entry]}, headers=ORIGIN)
    assert response.status_code == 200
    assert response.headers["Access-Control-Allow-Origin"] == "*"


def test_without_the_demonstration_no_page_of_it_is_there() -> None:
    tenant = Tenant(id="open")
    plain = create_app(Settings(), Tenants((tenant,)), today=lambda: ON).test_client()
    for path in ("/cds-services", f"{PREFIX}/Patient"):
        response = plain.get(path, headers=ORIGIN)
        assert MARK not in response.headers
        assert "Access-Control-Allow-Origin" not in response.headers
    assert plain.get(f"{PREFIX}/Patient").status_code == 404
