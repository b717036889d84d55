"""`milan-net replay`: what is sent, what is shown, and that mistakes and silent services end in one line."""

import json
import socket
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask import Response

from cds_service.errors import DataError
from cds_service.hooks.cards import cards
from cds_service.integrator import keys
from cds_service.integrator import replay as module
from cds_service.integrator.replay import FAILED, replay
from tests.integrator.stub import PATH, StubService, dripping, json_answer

REQUEST = {
    "hook": "patient-view",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "context": {"userId": "Practitioner/1", "patientId": "p1"},
    "prefetch": {
        "patient": {"resourceType": "Patient", "id": "p1"},
        "conditions": {"resourceType": "Bundle", "type": "searchset"},
        "reports": {"resourceType": "Bundle", "type": "searchset"},
    },
}
CARD = {
    "summary": "Possible candidate: Ki-67 is missing",
    "indicator": "info",
    "source": {"label": "Milan-NET"},
    "suggestions": [{"label": "Draft an order: Ki-67"}],
    "links": [{"label": "Guideline", "url": "https://example.org/guideline", "type": "absolute"}],
    "extension": {
        "org.milan-net.assessment": {
            "verdict": "incomplete",
            "criteria": [
                {"label": "Age", "verdict": "met", "value": "45 years", "limit": "up to 60"},
                {"label": "Ki-67", "verdict": "unknown", "limit": "below 10 %"},
            ],
        }
    },
}
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "required",
            "diagnostics": "Required data was not sent.",
            "expression": ["prefetch.conditions"],
        }
    ],
}


def as_ours(body: dict[str, Any]) -> Response:
    """A card, and 412 without Conditions."""
    if "conditions" not in body.get("prefetch", {}):
        return Response(json.dumps(OUTCOME), 412, mimetype="application/fhir+json")
    return json_answer({"cards": [CARD] if "reports" in body["prefetch"] else []})


@pytest.fixture
def service() -> Iterator[StubService]:
    with StubService(as_ours).running() as running:
        yield running


@pytest.fixture
def request_file(tmp_path: Path) -> Path:
    path = tmp_path / "request.json"
    path.write_text(json.dumps(REQUEST), "utf-8")
    return path


@pytest.fixture
def run(request_file: Path) -> Callable[..., Result]:
    def run_replay(url: str, *options: str) -> Result:
        environment = {"NO_PROXY": "127.0.0.1"}
        return CliRunner(env=environment).invoke(replay, [str(request_file), "--url", url, *options])

    return run_replay


Run = Callable[..., Result]


# --- what is sent -----------------------------------------------------------------------------------------------------


def test_a_request_is_sent_as_it_is_but_under_a_fresh_instance(service: StubService, run: Run) -> None:
    run(service.url)
    run(service.url)
    first, second = service.received
    assert first | {"hookInstance": ""} == REQUEST | {"hookInstance": ""}
    assert len({first["hookInstance"], second["hookInstance"], REQUEST["hookInstance"]}) == 3
    assert uuid.UUID(first["hookInstance"])
    assert service.headers[0]["Content-Type"] == "application/json"


def test_the_instance_of_the_file_is_kept_on_demand(service: StubService, run: Run) -> None:
    run(service.url, "--keep-instance")
    assert service.received == [REQUEST]


def test_keys_are_left_out_sent_as_null_or_sent_as_failed(service: StubService, run: Run) -> None:
    run(service.url, "--drop", "reports", "--null", "patient", "--outcome", "conditions")
    assert service.received[0]["prefetch"] == {"patient": None, "conditions": FAILED}


def test_without_any_key_there_is_no_prefetch(service: StubService, run: Run) -> None:
    run(service.url, "--all-drops")
    assert "prefetch" not in service.received[0]


def test_each_key_is_left_out_in_turn_beside_what_is_asked_for(service: StubService, run: Run) -> None:
    run(service.url, "--each", "--null", "patient")
    sent = [body["prefetch"] for body in service.received]
    assert [set(REQUEST["prefetch"]) - set(prefetch) for prefetch in sent] == [  # type: ignore[arg-type]
        set(),
        {"patient"},
        {"conditions"},
        {"reports"},
    ]
    assert sent[0]["patient"] is None
    assert len({body["hookInstance"] for body in service.received}) == 4


def test_no_password_of_this_machine_is_sent(
    service: StubService, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login someone password secret\n", "utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    run(service.url)
    assert "Authorization" not in service.headers[0]


def test_a_signed_call_carries_a_token_for_the_address_and_none_is_printed(
    service: StubService, run: Run, tmp_path: Path
) -> None:
    keys.make(tmp_path / "keys")
    key = keys.private_key(tmp_path / "keys", "ES384")
    result = run(service.url, "--sign", str(key), "--issuer", "https://ehr.example.org", "--subject", "app")
    assert result.exit_code == 0, result.output
    kind, token = service.headers[0]["Authorization"].split()
    claims = _claims(token)
    assert kind == "Bearer"
    assert (claims["iss"], claims["aud"], claims["sub"]) == ("https://ehr.example.org", service.url, "app")
    assert token not in result.output
    run(service.url, "--sign", str(key), "--issuer", "https://ehr.example.org", "--audience", "typed")
    again = _claims(service.headers[1]["Authorization"].split()[1])
    assert again["aud"] == "typed"
    assert again["jti"] != claims["jti"]


def _claims(token: str) -> dict[str, Any]:
    import base64  # noqa: PLC0415

    part = token.split(".")[1]
    claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return claims


# --- what is shown ----------------------------------------------------------------------------------------------------


def test_a_card_is_shown_with_criteria_suggestions_and_links(service: StubService, run: Run) -> None:
    shown = run(service.url).output
    assert "200 in " in shown
    assert "info: Possible candidate: Ki-67 is missing" in shown
    assert "Age" in shown
    assert "45 years" in shown
    assert "unknown" in shown
    assert "Suggestion: Draft an order: Ki-67" in shown
    assert "Link: Guideline https://example.org/guideline" in shown


def test_no_card_and_an_error_are_told_apart(service: StubService, run: Run) -> None:
    assert "No card." in run(service.url, "--drop", "reports").output
    refused = run(service.url, "--drop", "conditions").output
    assert "412 in " in refused
    assert "Required data was not sent. (prefetch.conditions)" in refused


def test_each_shows_key_and_answer(service: StubService, run: Run) -> None:
    lines = run(service.url, "--each").output.splitlines()
    rows = {line.split()[0]: line for line in lines[1:] if line[:1].strip()}
    assert "Possible candidate" in rows["–"]
    assert "412" in rows["conditions"]
    assert "no card" in rows["reports"]


def test_json_is_the_answer_as_it_came(service: StubService, run: Run) -> None:
    assert json.loads(run(service.url, "--json").output) == {"cards": [CARD]}
    lines = [json.loads(line) for line in run(service.url, "--each", "--json").output.splitlines()]
    assert [(line["notSent"], line["status"]) for line in lines] == [
        (None, 200),
        ("patient", 200),
        ("conditions", 412),
        ("reports", 200),
    ]
    assert lines[2]["answer"] == OUTCOME


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>proxy\x1b[31m</html>", 502, mimetype="text/html"),
        json_answer([]),
        json_answer({"cards": 3}),
        Response(b"[" * 5000, 200),
        json_answer({"resourceType": "Bundle"}),
    ],
)
def test_what_is_no_answer_of_a_cds_service_is_quoted_without_control_codes(
    run: Run, answer: Response
) -> None:
    with StubService(lambda _: answer).running() as service:
        result = run(service.url)
    assert result.exit_code == 1
    assert "no answer of a CDS service" in result.output
    assert "\x1b" not in result.output


def test_an_answer_without_a_body_is_said_to_have_none(run: Run) -> None:
    with StubService(lambda _: Response(status=401)).running() as service:
        result = run(service.url)
    assert "401 in " in result.output
    assert "an answer without a body" in result.output


def test_signing_is_mentioned_where_an_unsigned_call_is_not_known(run: Run) -> None:
    for status, options, is_told in (
        (401, (), True),
        (401, ("--each", "--json"), True),
        (403, (), False),
    ):
        with StubService(lambda _, status=status: Response(status=status)).running() as service:
            assert ("--sign KEYFILE" in run(service.url, *options).stderr) is is_told


def test_a_redirect_is_shown_and_not_followed(run: Run) -> None:
    moved = Response(status=307, headers={"Location": PATH})
    with StubService(lambda _: moved).running() as service:
        assert "307 in " in run(service.url).output
        assert len(service.received) == 1


def test_what_a_card_says_of_itself_is_what_our_cards_say() -> None:
    """The criteria are found where our cards put them: the stub above would hide a change of name."""
    import inspect  # noqa: PLC0415

    assert "EXTENSION: orjson.Fragment" in inspect.getsource(cards)


# --- mistakes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--drop", "observation"), "has no key observation; it has patient, conditions, reports"),
        (("--drop", "patient", "--null", "patient"), "patient cannot be sent in two ways at once"),
        (("--all-drops", "--outcome", "patient"), "patient cannot be sent in two ways at once"),
        (("--each", "--all-drops"), "leave one out"),
        (("--issuer", "https://ehr.example.org"), "belong to --sign"),
        (("--sign", "key.json"), "--sign needs --issuer"),
    ],
)
def test_a_wrong_call_is_told_and_nothing_is_sent(
    service: StubService, run: Run, options: tuple[str, ...], told: str
) -> None:
    result = run(service.url, *options)
    assert result.exit_code != 0
    assert told in " ".join((result.output or str(result.exception)).split()) or told in str(result.exception)
    assert service.received == []


@pytest.mark.parametrize(
    "url",
    ["ftp://ehr.example.org/x", "file:///etc/passwd", "127.0.0.1:8000", "http://user:pw@ehr.example.org/"],
)
def test_only_http_addresses_without_a_user_are_called(run: Run, url: str) -> None:
    result = run(url)
    assert result.exit_code == 2
    assert "--url" in result.output
    assert "pw@" not in result.output.replace(url, "")


def test_a_token_does_not_leave_the_machine_unencrypted(run: Run) -> None:
    result = run("http://ehr.example.org/cds-services/x", "--sign", "key.json", "--issuer", "i")
    assert result.exit_code == 2
    assert "https" in result.output


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("no JSON", "this is no JSON from line 1, column 1, on"),
        ("[]", "no hook request"),
        ('{"resourceType": "Bundle"}', "no hook request"),
        ('{"hook": "patient-view", "prefetch": []}', "its prefetch is no object"),
    ],
)
def test_a_file_that_is_no_request_is_told_by_its_name(
    run: Run, request_file: Path, content: str, told: str
) -> None:
    request_file.write_text(content, "utf-8")
    result = run("http://127.0.0.1:9/cds-services/x")
    assert isinstance(result.exception, DataError)
    assert str(result.exception).startswith(str(request_file))
    assert told in str(result.exception)


def test_a_request_without_a_prefetch_can_be_sent_but_has_no_keys_to_drop(
    service: StubService, run: Run, request_file: Path
) -> None:
    request_file.write_text(json.dumps({key: REQUEST[key] for key in REQUEST if key != "prefetch"}), "utf-8")
    assert "412" in run(service.url, "--each").output
    assert "it has none at all" in str(run(service.url, "--drop", "patient").exception)


# --- services that do not answer --------------------------------------------------------------------------------------


def test_a_service_that_is_not_there_is_told_in_a_line(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/cds-services/x"
    result = run(url)
    assert isinstance(result.exception, DataError)
    assert "cannot be reached" in str(result.exception)


def test_a_service_that_drips_is_not_waited_for(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_TO_ANSWER", 0.5)
    with StubService(lambda _: dripping(40, 0.1)).running() as service:
        result = run(service.url)
    assert isinstance(result.exception, DataError)
    assert "did not answer within" in str(result.exception)


def test_an_endless_answer_is_not_read_to_its_end(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LARGEST_ANSWER", 1000)
    with StubService(lambda _: json_answer("x" * 5000)).running() as service:
        result = run(service.url)
    assert isinstance(result.exception, DataError)
    assert "larger than" in str(result.exception)


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (json_answer({"cards": []}), 0),
        (Response(json.dumps(OUTCOME), 412, mimetype="application/json"), 0),
        (Response(b"", 412), 1),
        (Response(b"", 401), 1),
        (Response(json.dumps({"cards": []}), 500, mimetype="application/json"), 1),
        (Response(json.dumps(OUTCOME), 503, mimetype="application/json"), 1),
        (json_answer(OUTCOME), 1),
    ],
)
@pytest.mark.parametrize("options", [(), ("--each",), ("--json",)])
def test_the_exit_code_tells_whether_the_call_was_taken(
    run: Run, answer: Response, code: int, options: tuple[str, ...]
) -> None:
    with StubService(lambda _: answer).running() as service:
        assert run(service.url, *options).exit_code == code
