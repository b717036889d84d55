"""Nothing of a patient, a user or a token in a log, an error, the database or the output of a served process."""

import json
import logging
from pathlib import Path

import pytest
import requests

from cds_service.cli import run
from cds_service.errors import InternalError
from tests.faults import faults
from tests.faults.every import every_fault
from tests.faults.server import FaultyServer
from tests.hooks.calls import HOOK_INSTANCE, OUTCOME, Body, bundle, condition
from tests.service.house import ACCESS_TOKEN, House, Patient, granted, house, tenant
from tests.service.served import CLINIC, PATH, Served, serving, tenants_file, token

CANARY = "Canary4711"
PATIENT_ID = f"id-{CANARY}"
USER = f"Practitioner/{CANARY}"
SUBJECT = {"reference": f"Patient/{PATIENT_ID}", "display": CANARY}
IDENTITY: Body = {
    "resourceType": "Patient",
    "id": PATIENT_ID,
    "birthDate": "1981-05-04",
    "name": [{"family": CANARY}],
    "identifier": [{"value": CANARY}],
}
NET = condition(f"net-{CANARY}", "C7A.012", subject=SUBJECT, note=[{"text": CANARY}])
LIVER = condition(f"liver-{CANARY}", "C7B.02", subject=SUBJECT)
SOMEBODY = Patient(PATIENT_ID, (IDENTITY, NET, LIVER))
SECRETS = (CANARY, CANARY.lower(), ACCESS_TOKEN)
FEEDBACK = f"{PATH}/feedback"


def call(**members: object) -> Body:
    return {
        "hook": "patient-view",
        "hookInstance": HOOK_INSTANCE,
        "context": {"userId": USER, "patientId": PATIENT_ID, "encounterId": CANARY},
        "prefetch": SOMEBODY.prefetch,
        **members,
    }


def about(card: str) -> Body:
    """Feedback with everything that a person may type."""
    told = {"reason": {"code": "other", "display": CANARY}, "userComment": CANARY}
    entry = {"card": card, "outcome": "overridden", "overrideReason": told}
    return {"feedback": [entry | {"outcomeTimestamp": "2026-11-23T12:00:00Z", CANARY: CANARY}]}


WRONG = {  # paths, bodies and headers by the status they have to get
    400: [
        (PATH, call(hook=CANARY)),
        (PATH, call(hookInstance=CANARY)),
        (PATH, call(context={"userId": USER, "patientId": f"Patient/{PATIENT_ID}"})),
        (PATH, call(context={"userId": USER, "patientId": [CANARY]})),
        (PATH, call(fhirServer=CANARY)),
        (PATH, call(fhirAuthorization={"access_token": CANARY, "token_type": CANARY, "expires_in": 1})),
        (FEEDBACK, {"feedback": [{"card": CANARY, "outcome": CANARY}]}),
        (FEEDBACK, {"feedback": [{CANARY: CANARY}]}),
        (FEEDBACK, {CANARY: CANARY}),
    ],
    404: [(f"/cds-services/{CANARY}", call()), (f"/cds-services/{CANARY}/feedback", {})],
    412: [(PATH, call(prefetch={CANARY: IDENTITY})), (PATH, call(prefetch={"patient": OUTCOME}))],
}
ILL_FORMED = [
    f'{{"hook":"{CANARY}"',
    f'{{"context":{{"patientId":"{CANARY}\\ud800"}}}}',
    f'["{CANARY}"]',
    CANARY,
]


@pytest.fixture
def clinic(tmp_path: Path) -> House:
    return house(tmp_path, tenant(CLINIC, tmp_path, policy=None), max_body_bytes=200_000)


def assert_clean(text: str) -> None:
    for secret in SECRETS:
        assert secret not in text


def assert_database_is_clean(folder: Path) -> None:
    written = b"".join(path.read_bytes() for path in folder.glob("milan-net.db*"))
    assert written
    for secret in SECRETS:
        assert secret.encode() not in written


def test_no_error_repeats_anything(clinic: House, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    caplog.set_level(logging.DEBUG)
    for status, calls in WRONG.items():
        for path, body in calls:
            response = clinic.post(CLINIC, path, body)
            assert response.status_code == status, (path, response.text)
            assert_clean(response.text + str(response.headers))
    for text in ILL_FORMED:
        headers = clinic.signed(CLINIC, PATH) | {"Content-Type": "application/json"}
        response = clinic.client.post(PATH, data=text, headers=headers)
        assert response.status_code == 400
        assert_clean(response.text)
    assert_clean(caplog.text)
    assert_database_is_clean(tmp_path)


@pytest.mark.parametrize(
    ("status", "headers", "data"),
    [
        (401, {"Authorization": f"Bearer {CANARY}"}, b"{}"),
        (401, {"Authorization": CANARY}, b"{}"),
        (401, {}, CANARY.encode()),
        (413, {"Content-Type": "application/json"}, b'"' + CANARY.encode() * 50_000 + b'"'),
        (415, {"Content-Type": f"text/{CANARY}"}, CANARY.encode()),
        (415, {"Content-Type": "application/json", "Content-Encoding": CANARY}, CANARY.encode()),
    ],
)
def test_no_refusal_repeats_anything(
    clinic: House,
    caplog: pytest.LogCaptureFixture,
    status: int,
    headers: dict[str, str],
    data: bytes,
) -> None:
    caplog.set_level(logging.DEBUG)
    known = {} if status == 401 else clinic.signed(CLINIC, PATH)
    response = clinic.client.post(PATH, data=data, headers=known | headers)
    assert response.status_code == status
    assert_clean(response.text + str(response.headers) + caplog.text)


def test_an_address_and_a_method_are_not_repeated(clinic: House, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for response in (
        clinic.client.get(f"/{CANARY}?patient={CANARY}"),
        clinic.client.delete(PATH, data=CANARY),
        clinic.client.get(f"{PATH}?patient={CANARY}"),
    ):
        assert_clean(response.text + caplog.text)


def test_a_bug_repeats_nothing(
    clinic: House, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise KeyError(CANARY)

    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr("cds_service.advisor.read_facts", broken)
    response = clinic.post(CLINIC, PATH, call())
    assert response.status_code == InternalError.status
    assert_clean(response.text + caplog.text)


def test_a_card_and_feedback_on_it_leave_no_name_behind(
    clinic: House, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    (card,) = clinic.cards(CLINIC, call())
    response = clinic.post(CLINIC, FEEDBACK, about(card["uuid"]))
    assert response.status_code == 200, response.text
    assert_clean(response.text + caplog.text)
    assert_database_is_clean(tmp_path)


@pytest.mark.parametrize(
    "name", ["500", "HTML", "OperationOutcome", "reset", "another type", "endless paging"]
)
def test_a_fetch_that_fails_tells_neither_what_was_asked_nor_what_came(
    name: str, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(every_fault("http://127.0.0.1:1/fhir")[name], resources=SOMEBODY.resources) as server:
        clinic = house(tmp_path, tenant(CLINIC, tmp_path, fhir_servers=(server.base,)))
        body = call(**granted(server.base), prefetch=...)
        del body["prefetch"]
        response = clinic.post(CLINIC, PATH, body)
        if response.status_code != 200:
            assert_clean(response.text)
        server.fault = faults.body(b'{"resourceType": "%b"}' % CANARY.encode())
        assert_clean(clinic.post(CLINIC, PATH, body).text)
    assert_clean(caplog.text)
    assert_database_is_clean(tmp_path)


def test_a_served_process_says_nothing_of_anybody(tmp_path: Path) -> None:
    with FaultyServer(faults.status(500), resources=SOMEBODY.resources) as server:
        file = tenants_file(tmp_path, f'fhir_servers = ["{server.base}"]')
        settings = {
            "MILAN_NET_TENANTS": str(file),
            "MILAN_NET_DATABASE_URL": f"sqlite:///{tmp_path}/milan-net.db",
        }
        with serving(tmp_path, settings) as served:
            _use(served, server)
            output = served.output
    assert '"status":200' in output.read_text(), "it does log"
    assert_clean(output.read_text())
    assert_database_is_clean(tmp_path)


def _use(served: Served, server: FaultyServer) -> None:
    """Everything that a caller may do, right and wrong."""
    (card,) = served.post(PATH, call(), Authorization=token()).json()["cards"]
    given = served.post(FEEDBACK, about(card["uuid"]), Authorization=token(FEEDBACK))
    assert given.status_code == 200
    body = call(**granted(server.base))
    del body["prefetch"]
    assert_clean(served.post(PATH, body, Authorization=token()).text)
    for status, calls in WRONG.items():
        for path, wrong in calls:
            response = served.post(path, wrong, Authorization=token(path))
            assert response.status_code == status
            assert_clean(response.text)
    assert_clean(served.post(PATH, CANARY.encode(), Authorization=f"Bearer {CANARY}.{CANARY}.{CANARY}").text)
    for odd in (f"/{CANARY}?{CANARY}", f"/cds-services?patient={CANARY}"):
        assert_clean(requests.get(served.url + odd, timeout=10, headers={"X-Canary": CANARY}).text)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("chart.json", json.dumps(bundle(IDENTITY | {"birthDate": [CANARY]}))[:-1]),
        ("chart.json", json.dumps({"resourceType": CANARY})),
        ("call.json", json.dumps(call(context={"patientId": [CANARY]}))),
        ("chart.ndjson", f'{{"resourceType":"Patient","id":"{CANARY}"\n{CANARY}'),
    ],
)
def test_a_command_that_fails_repeats_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str
) -> None:
    (tmp_path / name).write_text(content)
    assert run(["assess", str(tmp_path / name)]) != 0
    assert_clean(str(capsys.readouterr()))


def test_a_start_that_fails_repeats_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    monkeypatch.setenv("MILAN_NET_PSEUDONYM_KEY_FILE", str(key))
    password = tenants_file(tmp_path, f'fhir_servers = ["https://user:{CANARY}@ehr.example.org/fhir"]')
    monkeypatch.setenv("MILAN_NET_TENANTS", str(password))
    assert run(["serve", "--port", "1"]) != 0
    assert run(["check-config"]) != 0
    monkeypatch.setenv("MILAN_NET_DATABASE_URL", f"postgresql+psycopg://milan:{CANARY}@127.0.0.1:1/milan")
    tenants_file(tmp_path)
    assert run(["serve", "--port", "1"]) != 0
    run(["check-config"])
    assert_clean(str(capsys.readouterr()))
