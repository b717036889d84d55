"""What every answer has in common: headers, and a log line without patient data."""

import json
import logging

import pytest

from tests.hooks.calls import HOOK_INSTANCE, NET, SERVICE, bundle, call, chart, client


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
