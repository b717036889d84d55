"""Clients in a browser: preflights, the same headers on every status, and the public sandbox (cds-hooks.md 9 and 10)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.hooks.services import SERVICES, Service
from cds_service.settings import Settings
from tests.conformance.hospital import (
    DISCOVERY,
    REFERRAL,
    Hospital,
    bearer,
    call_of,
    every_path,
    feedback_of,
    path_of,
)
from tests.hooks.calls import PATIENT, SERVICE, Body, bundle, call, cards_of, chart, client, strict
from tests.security.callers import BASE

ORIGIN = "https://sandbox.example.org"
FEEDBACK = f"{SERVICE}/feedback"
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
GARBAGE: dict[str, Any] = {"data": b"{", "content_type": "application/json"}
LARGE: dict[str, Any] = {"data": b" " * 20_001, "content_type": "application/json"}


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    """A hospital whose clinicians use a browser."""
    settings = {"cors_origins": (ORIGIN,), "max_body_bytes": 20_000}
    with Hospital(tmp_path_factory.mktemp("ward"), settings) as found:
        yield found


@pytest.mark.parametrize("path", every_path())
def test_item_51_a_preflight_without_a_token_is_allowed_on_every_path(ward: Hospital, path: str) -> None:
    for method in ("GET", "POST"):
        headers = {"Origin": ORIGIN, "Access-Control-Request-Method": method}
        response = ward.client.options(path, headers=headers)
        assert response.status_code == 204
        allowed = response.headers
        assert allowed["Access-Control-Allow-Origin"] == ORIGIN
        assert set(allowed["Access-Control-Allow-Methods"].split(", ")) == {"GET", "POST", "OPTIONS"}
        assert set(allowed["Access-Control-Allow-Headers"].split(", ")) == {"Content-Type", "Authorization"}
        assert allowed["Vary"] == "Origin"


def send(ward: Hospital, method: str, path: str, *, signed: bool = True, **given: Any) -> TestResponse:
    headers = {"Origin": ORIGIN} | ({"Authorization": bearer(path)} if signed else {})
    return ward.client.open(path, method=method, headers=headers, **given)


STATUSES: dict[int, Callable[[Hospital], list[TestResponse]]] = {
    200: lambda ward: [
        send(ward, "GET", DISCOVERY),
        send(ward, "POST", SERVICE, json=call(chart())),
    ],
    400: lambda ward: [send(ward, "POST", path, **GARBAGE) for path in (SERVICE, FEEDBACK)],
    401: lambda ward: [
        send(ward, "GET", DISCOVERY, signed=False),
        *(send(ward, "POST", path, signed=False, **GARBAGE) for path in (SERVICE, FEEDBACK)),
    ],
    404: lambda ward: [send(ward, "POST", f"{DISCOVERY}/x{end}", json={}) for end in ("", "/feedback", "/x")],
    405: lambda ward: [
        send(ward, "POST", DISCOVERY),
        *(send(ward, "GET", path) for path in (SERVICE, FEEDBACK)),
    ],
    412: lambda ward: [send(ward, "POST", SERVICE, json=call())],
    413: lambda ward: [send(ward, "POST", path, **LARGE) for path in (SERVICE, FEEDBACK)],
    415: lambda ward: [send(ward, "POST", path, data="x") for path in (SERVICE, FEEDBACK)],
}


@pytest.mark.parametrize("status", STATUSES)
def test_item_51_answers_and_errors_carry_the_same_origin(ward: Hospital, status: int) -> None:
    for answer in STATUSES[status](ward):
        assert answer.status_code == status
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Vary"] == "Origin"


def test_item_51_also_a_bug_does(monkeypatch: pytest.MonkeyPatch) -> None:
    ehr = client(Settings(cors_origins=(ORIGIN,)))
    monkeypatch.setattr("cds_service.hooks.journey.parse", lambda *_: 1 / 0)
    answer = ehr.post(SERVICE, json={}, headers={"Origin": ORIGIN})
    assert answer.status_code == 500
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN


@pytest.mark.parametrize("path", [DISCOVERY, SERVICE, FEEDBACK])
def test_item_51_also_where_callers_cannot_be_told_apart(tmp_path: Path, path: str) -> None:
    nowhere = {"jwks_url": "http://127.0.0.1:1/jwks.json", "jwks_file": None}
    settings = {"cors_origins": (ORIGIN,)}
    with Hospital(tmp_path, settings, trusting=nowhere, allow_loopback=True) as shut:
        answer = send(shut, "GET" if path == DISCOVERY else "POST", path)
    assert answer.status_code == 503
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert int(answer.headers["Retry-After"])


def test_item_51_other_origins_are_not_allowed_but_caches_are_told() -> None:
    for origins in ((), (ORIGIN,)):
        for other in ("https://sandbox.example.org.evil.test", "null", "*", ORIGIN.replace("https", "http")):
            response = client(Settings(cors_origins=origins)).get(DISCOVERY, headers={"Origin": other})
            assert "Access-Control-Allow-Origin" not in response.headers
            assert response.headers.get("Vary") == ("Origin" if origins else None)


# --- 52: what the sandbox does (9.3) -----------------------------------------------------------------------------------

USER = "Practitioner/COREPRACTITIONER1"
SERVED_FROM = "http://127.0.0.1:18082"


class Sandbox:
    """Plays the public sandbox against an open service: what it sends, in its order, after a preflight each time.

    A real browser does the same in the tests of the demonstration; here each step is looked at by itself.
    """

    def __init__(self) -> None:
        self.http: FlaskClient = client(Settings(cors_origins=(SERVED_FROM,)))

    def send(self, method: str, path: str, body: Body | None = None) -> TestResponse:
        """A request as fetch makes it from another origin."""
        asked = {"Origin": SERVED_FROM, "Access-Control-Request-Method": method}
        assert self.http.options(path, headers=asked).status_code == 204
        headers = {"Origin": SERVED_FROM, "Accept": "application/json", "Authorization": "Bearer a.b.c"}
        answer = self.http.open(path, method=method, json=body, headers=headers)
        assert answer.headers["Access-Control-Allow-Origin"] == SERVED_FROM
        return answer

    def call(self, service: Body, prefetch: Body, **context: Any) -> list[Body]:
        """Call a service of the discovery document; keys that failed are left out, and so is an empty prefetch."""
        body = {
            "hookInstance": str(uuid4()),
            "hook": service["hook"],
            "fhirServer": "https://r2.example.org/fhir",
            "context": {"patientId": "p1", "userId": USER, **context},
        } | ({"prefetch": prefetch} if prefetch else {})
        answer = self.send("POST", f"{DISCOVERY}/{service['id']}", body)
        assert answer.status_code == 200
        return list(strict(answer.data)["cards"])

    def tell(self, service: Body, **entry: Any) -> TestResponse:
        """Send feedback, as a click on a suggestion or on Dismiss does."""
        told = entry | {"outcomeTimestamp": "2026-11-23T10:00:00.000Z"}
        return self.send("POST", f"{DISCOVERY}/{service['id']}/feedback", {"feedback": [told]})


DRAFTED = {
    "selections": ["ServiceRequest/d0"],
    "draftOrders": {"resourceType": "Bundle", "entry": [{"resource": REFERRAL}]},
}
KNOWN_TO_SANDBOX = {
    "patient-view": {},
    "order-select": DRAFTED,
    "order-sign": {"draftOrders": DRAFTED["draftOrders"]},
}


@pytest.mark.parametrize("hook", KNOWN_TO_SANDBOX)
def test_item_52_discovery_card_accept_dismiss_and_feedback(hook: str) -> None:
    sandbox = Sandbox()
    listed = strict(sandbox.send("GET", DISCOVERY).data)["services"]
    [service] = [service for service in listed if service["hook"] == hook]
    context: Any = KNOWN_TO_SANDBOX[hook]
    (card,) = sandbox.call(service, chart(specimens=...), **context)
    [suggestion, *_] = card["suggestions"]
    accepted = [{"id": suggestion["uuid"]}]
    taken = sandbox.tell(service, card=card["uuid"], outcome="accepted", acceptedSuggestions=accepted)
    assert taken.status_code == 200
    assert len(sandbox.call(service, chart(specimens=...), **context)) == 1
    [reason] = [item for item in card["overrideReasons"] if item["code"] == "declined"]
    coding = {"code": reason["code"], "system": reason["system"]}  # it sends no display
    dismissed = {"reason": coding, "userComment": "not now"}
    taken = sandbox.tell(service, card=card["uuid"], outcome="overridden", overrideReason=dismissed)
    assert taken.status_code == 200
    assert sandbox.call(service, chart(specimens=...), **context) == []


def test_item_52_each_service_has_an_address_of_its_own_there() -> None:
    assert len({path_of(service) for service in SERVICES}) == len(SERVICES)


def test_item_52_without_a_prefetch_it_is_told_why_there_is_no_card() -> None:
    body = {
        "hookInstance": str(uuid4()),
        "hook": "patient-view",
        "context": {"patientId": "p1", "userId": USER},
    }
    answer = Sandbox().send("POST", SERVICE, body)
    assert answer.status_code == 412
    assert "patient" in answer.text


# --- 53: addresses joined naively (9.5) --------------------------------------------------------------------------------

UNTIDY = ("{}/", "/{}", "{}//", "//{}/")


@pytest.mark.parametrize("form", UNTIDY)
def test_item_53_a_discovery_address_with_slashes_works_without_a_redirect(ward: Hospital, form: str) -> None:
    path = form.format(DISCOVERY)
    answer = ward.client.get(
        "/", environ_overrides={"PATH_INFO": path}, headers={"Authorization": bearer(DISCOVERY)}
    )
    assert answer.status_code == 200


@EACH_SERVICE
@pytest.mark.parametrize("form", [*UNTIDY, f"{DISCOVERY}//{{}}"])
def test_item_53_so_does_a_service_and_its_feedback(ward: Hospital, service: Service, form: str) -> None:
    entry = {"card": str(uuid4()), "outcome": "overridden", "outcomeTimestamp": "2026-11-23T10:00:00Z"}
    for path, body in ((path_of(service), call_of(service)), (feedback_of(service), {"feedback": [entry]})):
        untidy = form.format(path.removeprefix(f"{DISCOVERY}/") if DISCOVERY in form else path)
        given = {"PATH_INFO": untidy}
        for method in ("POST", "OPTIONS"):
            answer = ward.client.open(
                "/",
                method=method,
                environ_overrides=given,
                json=body,
                headers={"Authorization": bearer(path)},
            )
            assert answer.status_code == (204 if method == "OPTIONS" else 200)


def test_item_53_the_audience_is_the_tidy_address_unless_the_tenant_lists_another(tmp_path: Path) -> None:
    untidy = f"{BASE}{DISCOVERY}/"
    for listed, status in (((), 401), ((untidy,), 200)):
        folder = tmp_path / str(status)
        folder.mkdir()
        with Hospital(folder, trusting={"fixed_audiences": listed}) as hospital:
            headers = {"Authorization": bearer(DISCOVERY, aud=untidy)}
            assert hospital.client.get(f"{DISCOVERY}/", headers=headers).status_code == status


def test_a_patient_of_the_sandbox_without_a_tumour_gets_no_card() -> None:
    prefetch = {"patient": PATIENT, "conditions": bundle()}
    assert cards_of(client().post(SERVICE, json=call(prefetch))) == []


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (DISCOVERY, "GET, HEAD, OPTIONS"),
        (SERVICE, "OPTIONS, POST"),
        (FEEDBACK, "OPTIONS, POST"),
        ("/x", "OPTIONS"),
    ],
)
def test_item_51_options_tells_what_an_address_answers_to(path: str, methods: str) -> None:
    response = client().options(path)
    assert response.status_code == 204
    assert response.headers["Allow"] == methods
