"""The form behind a chart of the demonstration: assessed or downloaded on the chosen day, and kept nowhere."""

import json

from flask.testing import FlaskClient

from tests.web.demonstration import page_of, shared
from tests.web.forms import COMPLETE

CHART = "/demo/patients/us-core-diagnosis-codes-only"
TYPED = {name: text for name, text in COMPLETE.items() if text} | {"author": "Dr Example"}


def client() -> FlaskClient:
    return shared().test_client()


def test_the_assessment_leads_to_the_form_of_the_same_day() -> None:
    page = page_of(client().get(f"{CHART}/assessment?on=2026-11-01"))
    assert [found for name, found in page.elements if found.get("href") == f"{CHART}/form?on=2026-11-01"]


def test_answers_are_assessed_on_the_day_of_the_form() -> None:
    address = f"{CHART}/form?on=2026-11-01"
    asked = page_of(client().get(address))
    assert "2026-11-01" in asked.text
    assert [found for name, found in asked.elements if name == "form" and found["action"] == address]
    told = page_of(client().post(address, data=TYPED | {"do": "assess"}))
    assert "With your answers: meets" in told.text
    assert "Write to the EHR" not in told.text
    assert "data missing" in page_of(client().get(f"{CHART}/assessment")).text


def test_a_day_before_an_answer_refuses_that_answer() -> None:
    told = page_of(client().post(f"{CHART}/form?on=2025-01-01", data=TYPED | {"do": "download"}))
    assert "put right" in told.text


def test_a_download_is_the_bundle_and_there_is_nothing_to_write_to() -> None:
    response = client().post(f"{CHART}/form", data=TYPED | {"do": "download"})
    assert json.loads(response.text)["resourceType"] == "Bundle"
    assert response.headers["Cache-Control"] == "no-store"
    told = page_of(client().post(f"{CHART}/form", data=TYPED | {"do": "write"}))
    assert "Nothing has been stored" in told.text


def test_more_lines_keep_what_was_typed() -> None:
    told = client().post(f"{CHART}/form", data=TYPED | {"do": "more", "ki67_percent.low": "half"})
    assert 'value="half"' in told.text
    assert "put right" not in told.text


def test_the_form_of_nobody_is_not_found() -> None:
    assert client().get("/demo/patients/nobody/form").status_code == 404
    assert client().post("/demo/patients/nobody/form", data=TYPED).status_code == 404
