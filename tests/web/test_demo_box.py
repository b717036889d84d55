"""The box of the demonstration: what is pasted is assessed and forgotten, and a mistake is a sentence."""

import html
import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import text as sql
from werkzeug.test import TestResponse

from cds_service.web import demo_box
from tests import records
from tests.hooks.calls import ON
from tests.hooks.test_text import HOSTILE
from tests.web.demonstration import demonstration, page_of, shared
from tests.web.pages import SAMPLES

MEETS = (SAMPLES / "01-meets.json").read_text(encoding="utf-8")
REQUESTS = sorted((SAMPLES / "requests").glob("*.json"))
MALFORMED = sorted(path for path in (records.folder() / "F_malformed").rglob("*") if path.is_file())


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    return shared().test_client()


def posted(client: FlaskClient, text: bytes, file: bytes | None, fields: dict[str, str]) -> TestResponse:
    """The form as a browser posts it. The test client's own encoder writes large ones to files that it leaves open."""
    parts = [b'name="text"\r\n\r\n' + text]
    parts += [f'name="{name}"\r\n\r\n{value}'.encode() for name, value in fields.items()]
    if file is not None:
        parts.append(b'name="file"; filename="record.json"\r\nContent-Type: application/json\r\n\r\n' + file)
    body = b"".join(b"--=edge=\r\nContent-Disposition: form-data; " + part + b"\r\n" for part in parts)
    return client.post(
        "/demo/assess", data=body + b"--=edge=--\r\n", content_type='multipart/form-data; boundary="=edge="'
    )


def pasted(client: FlaskClient, text: str, **fields: str) -> TestResponse:
    return posted(client, text.encode(), None, {"on": str(ON)} | fields)


def dropped(client: FlaskClient, content: bytes, **fields: str) -> TestResponse:
    return posted(client, b"", content, {"on": str(ON)} | fields)


def kept(response: TestResponse) -> str:
    """What stands in the box."""
    found = re.search(r'<textarea id="text".*?>\n(.*?)</textarea>', response.text, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


def ndjson(*names: str) -> str:
    bundles = [json.loads((SAMPLES / f"{name}.json").read_bytes()) for name in names]
    return "\n".join(json.dumps(entry["resource"]) for bundle in bundles for entry in bundle["entry"])


# --- what is taken ---


def test_the_box_is_empty_at_first(client: FlaskClient) -> None:
    response = client.get("/demo/assess")
    page_of(response)
    assert kept(response) == ""


@pytest.mark.parametrize("way", [pasted, lambda client, text: dropped(client, text.encode())])
def test_a_bundle_is_assessed_whether_pasted_or_dropped(client: FlaskClient, way: Any) -> None:
    page = page_of(way(client, MEETS))
    assert "all 8 criteria met" in page.text or "Meets" in page.text
    assert "/demo/assess?on=2026-11-23" in {item["href"] for item in page.named("a")}


def test_a_record_is_assessed_on_the_day_that_is_chosen(client: FlaskClient) -> None:
    chart = (SAMPLES / "04-progression-in-july.json").read_text(encoding="utf-8")
    assert "Not yet" in page_of(pasted(client, chart, on="2026-12-31")).text
    assert "Possible candidate" in page_of(pasted(client, chart, on="2027-01-01")).text


@pytest.mark.parametrize("path", REQUESTS, ids=lambda path: path.stem)
def test_a_hook_request_is_assessed(client: FlaskClient, path: Path) -> None:
    page_of(pasted(client, path.read_text(encoding="utf-8")))


def test_of_several_patients_one_is_chosen_and_what_was_pasted_goes_along(client: FlaskClient) -> None:
    lines = ndjson("01-meets", "02-ki67-12-percent")
    response = pasted(client, lines)
    page = page_of(response)
    assert "2 patients were pasted" in page.text
    along = re.search(r"<textarea[^>]*>\n(.*?)</textarea>", response.text, re.DOTALL)
    assert along is not None
    assert html.unescape(along[1]) == lines
    second = page_of(pasted(client, html.unescape(along[1]), patient="1"))
    assert "ki67-12-percent" in second.text


@pytest.mark.parametrize("number", ["7", "-1", "x", "99999999999999999999", "²"])
def test_a_choice_that_there_is_not_is_no_error(client: FlaskClient, number: str) -> None:
    page_of(pasted(client, ndjson("01-meets", "02-ki67-12-percent"), patient=number))


def test_the_box_takes_as_many_patients_as_it_says_and_not_one_more(client: FlaskClient) -> None:
    def patients(count: int) -> str:
        return "\n".join(
            json.dumps({"resourceType": "Patient", "id": f"p{number}"}) for number in range(count)
        )

    assert f"{demo_box.MOST} patients were pasted" in page_of(pasted(client, patients(demo_box.MOST))).text
    assert "takes up to 50" in page_of(pasted(client, patients(demo_box.MOST + 1)), 400).text


# --- mistakes ---


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is nothing in the box yet"),
        ("  \n ", "there is nothing in the box yet"),
        ("not json", "not JSON from line 1, column 1, on"),
        ('{"resourceType": "Bundle",\n  "entry": [', "not JSON from line 2, column 13, on"),
        ("[]", "not a FHIR resource"),
        ("{}", "no FHIR resource: resourceType is missing"),
        ('{"resourceType": "Bundle"}', "no patient"),
        ('{"resourceType": "Patient"}', "the Patient has no id"),
        ('{"hook": "patient-view"}', "missing"),
        ('{"hook": "tea-time", "hookInstance": "x", "context": {}}', "patient-view"),
        ('{"resourceType": "Patient", "id": "a"}\nnot json', "line 2"),
        ("[" * 100_000, "This cannot be assessed"),
        ('{"resourceType": "Patient", "id": "\ud800"}'.encode("utf-8", "replace").decode(), None),
    ],
)
def test_a_mistake_is_a_sentence_and_what_was_typed_is_still_there(
    client: FlaskClient, text: str, said: str | None
) -> None:
    response = pasted(client, text)
    if said is None:
        assert response.status_code < 500
        return
    page = page_of(response, 400)
    assert said in page.text
    assert kept(response) == text


@pytest.mark.parametrize("day", ["", "23.11.2026", "1949-12-31", "2101-01-01"])
def test_a_day_that_cannot_be_meant_keeps_what_was_typed(client: FlaskClient, day: str) -> None:
    response = pasted(client, MEETS, on=day)
    if day:
        page_of(response, 400)
        assert kept(response).replace("\r\n", "\n") == MEETS
    else:  # the day of the demonstration
        page_of(response)


def test_the_box_reads_as_much_as_it_says_and_not_a_byte_more(client: FlaskClient) -> None:
    room = demo_box.LARGEST - len(MEETS.encode())
    page_of(dropped(client, MEETS.encode() + b" " * room))
    assert "more than 8 MB" in page_of(dropped(client, MEETS.encode() + b" " * (room + 1)), 413).text
    assert "more than 8 MB" in page_of(dropped(client, b" " * (demo_box.LARGEST * 2)), 413).text
    page_of(pasted(client, MEETS + " " * room))


def test_it_is_said_that_the_box_is_empty_where_too_much_was_pasted(client: FlaskClient) -> None:
    response = pasted(client, " " * (demo_box.LARGEST * 2))
    assert "the box is empty again" in page_of(response, 413).text
    assert kept(response) == ""
    slightly = pasted(client, MEETS + " " * (demo_box.LARGEST - len(MEETS.encode()) + 1))
    assert "still in the box" in page_of(slightly, 413).text
    assert kept(slightly)
    assert "still in the box" not in page_of(pasted(client, " "), 400).text


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", ""])
def test_a_body_that_is_no_form_is_an_empty_box(client: FlaskClient, content_type: str) -> None:
    page_of(client.post("/demo/assess", data=b"\xff\x00{", content_type=content_type), 400)


@pytest.mark.parametrize("path", MALFORMED, ids=lambda path: path.name)
def test_no_malformed_file_is_answered_with_a_5xx(client: FlaskClient, path: Path) -> None:
    content = path.read_bytes()
    for response in (dropped(client, content), pasted(client, content.decode("utf-8", "replace"))):
        assert response.status_code in (200, 400)
        page_of(response, response.status_code)


# --- hostile text, and what is kept ---


@pytest.mark.parametrize("hostile", [*HOSTILE, "</textarea><script>alert(1)</script>", "{{ 7 * 7 }}"])
def test_hostile_text_is_shown_as_text(client: FlaskClient, hostile: str) -> None:
    broken = pasted(client, hostile)
    page_of(broken, 400)
    patient = {"resourceType": "Patient", "id": "p1", "name": [{"text": hostile}], "birthDate": hostile}
    tumour = {
        "resourceType": "Condition",
        "id": "c1",
        "subject": {"reference": "Patient/p1"},
        "code": {
            "coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "C7B.02", "display": hostile}],
            "text": hostile,
        },
    }
    page_of(pasted(client, f"{json.dumps(patient)}\n{json.dumps(tumour)}"))
    others = json.dumps({"resourceType": "Patient", "id": "p2", "name": [{"text": hostile}]})
    page_of(pasted(client, f"{json.dumps(patient)}\n{others}"))


def test_what_is_pasted_is_not_even_written_to_a_temporary_file(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a file is opened")

    for name in ("TemporaryFile", "SpooledTemporaryFile", "NamedTemporaryFile", "mkstemp"):
        monkeypatch.setattr(f"tempfile.{name}", refuse)
    for name in ("TemporaryFile", "SpooledTemporaryFile"):
        monkeypatch.setattr(f"werkzeug.formparser.{name}", refuse, raising=False)
    page_of(dropped(client, MEETS.encode() + b" " * 2_000_000))


def test_what_is_pasted_is_neither_stored_nor_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = demonstration()
    client = app.test_client()
    with caplog.at_level(logging.DEBUG):
        pasted(client, MEETS.replace("1981-03-14", "1971-07-07").replace("Meets", "Xanthippe"))
        pasted(client, '{"Xanthippe": ')
    assert "Xanthippe" not in caplog.text
    assert "1971" not in caplog.text
    engine = app.extensions["storage"].ledger._database.engine
    with engine.connect() as connection:
        assert connection.execute(sql("select count(*) from card_shown")).scalar() == 0
