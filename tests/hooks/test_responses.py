"""What every answer has in common: headers, CORS and a log line without patient data."""

import json
import logging

import pytest

from cds_service.settings import Settings
from tests.hooks.calls import HOOK_INSTANCE, NET, SERVICE, bundle, call, chart, client

ORIGIN = "https://sandbox.example.org"
PATHS = ["/cds-services", SERVICE, f"{SERVICE}/feedback"]


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/cds-services", 200), ("POST", SERVICE, 415), ("GET", "/x", 404)]
)
def test_every_answer_has_the_headers_of_an_api(method: str, path: str, status: int) -> None:
    response = client().open(path, method=method)
    assert response.status_code == status
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize("path", PATHS)
def test_51_a_preflight_from_a_configured_origin_is_allowed(path: str) -> None:
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    response = client(Settings(cors_origins=(ORIGIN,))).options(path, headers=headers)
    assert response.status_code == 204
    assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert set(response.headers["Access-Control-Allow-Methods"].split(", ")) == {"GET", "POST", "OPTIONS"}
    assert set(response.headers["Access-Control-Allow-Headers"].split(", ")) == {
        "Content-Type",
        "Authorization",
    }
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        (PATHS[0], "GET, HEAD, OPTIONS"),
        (PATHS[1], "OPTIONS, POST"),
        (PATHS[2], "OPTIONS, POST"),
        ("/x", "OPTIONS"),
    ],
)
def test_51_options_tells_what_an_address_answers_to(path: str, methods: str) -> None:
    response = client().options(path)
    assert response.status_code == 204
    assert response.headers["Allow"] == methods


def test_51_answers_and_errors_carry_the_same_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    ehr = client(Settings(cors_origins=(ORIGIN,)))
    headers = {"Origin": ORIGIN}
    answers = [
        ehr.get("/cds-services", headers=headers),
        ehr.post(SERVICE, json=call(chart()), headers=headers),
        ehr.post(SERVICE, json={}, headers=headers),
        ehr.post("/cds-services/x", json={}, headers=headers),
        ehr.post(SERVICE, json=call(), headers=headers),
    ]
    monkeypatch.setattr("cds_service.hooks.journey.parse", lambda *_: 1 / 0)
    answers.append(ehr.post(SERVICE, json={}, headers=headers))
    assert [answer.status_code for answer in answers] == [200, 200, 400, 404, 412, 500]
    for answer in answers:
        assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert answer.headers["Vary"] == "Origin"


def test_51_other_origins_are_not_allowed_but_caches_are_told() -> None:
    for origins in ((), (ORIGIN,)):
        response = client(Settings(cors_origins=origins)).get(
            "/cds-services", headers={"Origin": "https://sandbox.example.org.evil.test"}
        )
        assert "Access-Control-Allow-Origin" not in response.headers
        assert response.headers.get("Vary") == ("Origin" if origins else None)


def test_a_request_is_logged_in_one_line_without_patient_data(caplog: pytest.LogCaptureFixture) -> None:
    canary = "CANARY-4711"
    tumour = NET | {"id": canary, "subject": {"reference": f"Patient/{canary}"}, "note": [{"text": canary}]}
    patient = {
        "resourceType": "Patient",
        "id": canary,
        "birthDate": "1971-02-03",
        "name": [{"family": canary}],
    }
    body = call(chart(patient=patient, conditions=bundle(tumour)))
    body["context"] = {"userId": f"Practitioner/{canary}", "patientId": canary}
    with caplog.at_level(logging.DEBUG):
        assert client().post(SERVICE, json=body).status_code == 200
        client().post(SERVICE, json=body | {"hook": canary})
        client().post(SERVICE, json=body | {"hookInstance": canary})
        client().post(f"/cds-services/{canary}?patient={canary}", json=body)
        client().get(f"/{canary}")
    assert canary not in caplog.text
    assert "1971" not in caplog.text
    lines = [
        json.loads(record.message) for record in caplog.records if record.name == "cds_service.hooks.routes"
    ]
    assert [line["status"] for line in lines] == [200, 400, 400, 404, 404]
    assert lines[0]["service"] == "milan-net-patient-view"
    assert lines[0]["hookInstance"] == HOOK_INSTANCE
    assert lines[0]["verdict"]
    assert lines[0]["ms"] > 0
    assert "hookInstance" not in lines[2]
