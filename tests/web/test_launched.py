"""The pages behind a launch: theirs alone who launched them, framed where the tenant says, and nothing typed is lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.test import TestResponse

from cds_service.integrator.keys import make
from cds_service.smart.sessions import IDLE
from tests.smart.ehr import USER
from tests.smart.hospital import Browser
from tests.web.forms import COMPLETE
from tests.web.launches import FRAMES, Ward, ward
from tests.web.pages import Page

TYPED = {name: text for name, text in COMPLETE.items() if text}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("keys")
    make(folder)
    return folder


@pytest.fixture
def house(keys: Path) -> Iterator[Ward]:
    with ward(keys) as found:
        yield found


class User:
    """Somebody who has launched the pages."""

    def __init__(self, house: Ward) -> None:
        self.browser = Browser(house.app.test_client(), house.ehr.base)
        landed = self.browser.launch(house.ehr.launch(house.patient))
        assert landed.status_code == 303, landed.text
        self.page = landed.headers["Location"]
        self.form_address = f"{self.page}/form"

    def opens(self, address: str = "") -> TestResponse:
        return self.browser.get(self.page + address)

    def token(self) -> str:
        [found] = [
            attributes["value"]
            for name, attributes in Page(self.opens("/form").text).elements
            if name == "input" and attributes.get("name") == "form_token"
        ]
        return str(found)

    def sends(self, wish: str, token: str | None = None, **answers: str) -> TestResponse:
        form = {"form_token": token or self.token(), "do": wish} | answers
        return self.browser.post(self.form_address, data=form)


def test_every_page_is_kept_nowhere_and_framed_where_the_tenant_says(house: Ward) -> None:
    user = User(house)
    for response in (user.opens(), user.opens("/form"), user.sends("assess", **TYPED)):
        assert response.status_code == 200
        policy = response.headers["Content-Security-Policy"]
        assert f"frame-ancestors {FRAMES}" in policy
        assert "unsafe" not in policy
        assert response.headers["Cache-Control"] == "no-store"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert "X-Frame-Options" not in response.headers


def test_nobody_may_frame_the_pages_of_a_tenant_that_names_no_place(keys: Path) -> None:
    with ward(keys, frame_ancestors=()) as house:
        user = User(house)
        for response in (user.opens(), user.sends("download", **TYPED)):
            assert "frame-ancestors 'none'" in response.headers["Content-Security-Policy"]


def test_no_token_stands_in_any_page(house: Ward) -> None:
    user = User(house)
    user.opens()
    user.sends("assess", **TYPED)
    user.sends("download", **TYPED)
    user.sends("write", **TYPED)
    user.opens()
    [form] = house.ehr.forms
    for text in (*house.ehr.tokens, form["client_assertion"], form["code_verifier"]):
        assert text not in "".join(user.browser.bodies)


def test_another_browser_does_not_get_in(house: Ward) -> None:
    user = User(house)
    other = house.app.test_client()
    assert other.get(user.page).status_code == 403
    assert (
        other.post(user.form_address, data={"form_token": user.token(), "do": "write", **TYPED}).status_code
        == 403
    )
    assert house.ehr.written == []


@pytest.mark.parametrize("wish", ["assess", "download", "write", "more"])
def test_a_form_from_elsewhere_is_refused(house: Ward, wish: str) -> None:
    user = User(house)
    for token in ("forged", "ä", User(house).token()):
        assert user.sends(wish, token=token, **TYPED).status_code == 403
    assert user.browser.post(user.form_address, data={"do": wish, **TYPED}).status_code == 403
    assert house.ehr.written == []


def test_to_assess_says_what_would_follow_and_stores_nothing(house: Ward) -> None:
    user = User(house)
    shown = Page(user.sends("assess", **TYPED).text)
    assert "With your answers: meets" in shown.text
    assert house.ehr.written == []
    assert "data missing" in user.opens().text


def test_more_lines_keep_what_was_typed_and_complain_of_nothing(house: Ward) -> None:
    response = User(house).sends("more", **(TYPED | {"ki67_percent.low": "half"}))
    assert 'value="half"' in response.text
    assert "put right" not in response.text
    assert 'name="disease_response.5.value"' in response.text


def test_a_mistake_is_told_and_neither_downloaded_nor_written(house: Ward) -> None:
    user = User(house)
    for wish in ("assess", "download", "write"):
        response = user.sends(wish, **(TYPED | {"ki67_percent.low": "half"}))
        assert response.mimetype == "text/html"
        assert "put right" in response.text
        assert 'value="half"' in response.text
    assert house.ehr.written == []


def test_a_download_is_a_bundle_that_says_who_states_it(house: Ward) -> None:
    response = User(house).sends("download", **TYPED)
    assert response.mimetype == "application/fhir+json"
    assert response.headers["Content-Disposition"].startswith("attachment")
    bundle: dict[str, Any] = json.loads(response.text)
    kinds = {entry["resource"]["resourceType"] for entry in bundle["entry"]}
    assert {"QuestionnaireResponse", "Observation"} <= kinds
    assert USER in response.text
    assert house.ehr.written == []


def test_what_is_written_is_in_the_chart_and_attested_from_then_on(house: Ward) -> None:
    user = User(house)
    response = user.sends("write", **TYPED)
    assert response.text.count("The EHR has stored it.") == len(house.ehr.written) > 1
    page = Page(user.opens().text)
    assert "Meets the recorded criteria" in page.text
    assert "Holds what a user typed" in page.text


def test_an_operation_and_a_ruled_out_finding_are_written_with_the_scopes_that_are_asked_for(
    house: Ward,
) -> None:
    user = User(house)
    given = {"primary_resection.performed": "not-done", "liver_metastases.value": "absent"}
    given["liver_metastases.date"] = "2026-10-20"
    assert 'value="write"' in user.sends("assess", **given).text
    assert "The EHR holds all your statements." in user.sends("write", **given).text
    kinds = {item["resourceType"] for item in house.ehr.written}
    assert kinds == {"QuestionnaireResponse", "Procedure", "Condition"}


def test_answers_that_the_token_does_not_let_us_add_are_named_and_none_is_sent(house: Ward) -> None:
    house.ehr.granted = (
        "launch openid fhirUser patient/*.rs patient/QuestionnaireResponse.c patient/Observation.c"
    )
    user = User(house)
    given = {"primary_resection.performed": "not-done"}
    page = user.sends("assess", **given).text
    assert "it does not allow this application to add Procedure resources" in page
    assert 'value="write"' not in page
    assert "Not everything is in the EHR" in user.sends("write", **given).text
    assert house.ehr.written == []


def test_nothing_is_written_where_the_tenant_does_not_want_it(keys: Path) -> None:
    with ward(keys, write_back="off") as house:
        user = User(house)
        assert "Write to the EHR" not in user.sends("assess", **TYPED).text
        response = user.sends("write", **TYPED)
        assert "The EHR has stored it." not in response.text
        assert house.ehr.written == []


def test_a_day_may_be_asked_about_and_what_is_no_day_is_today(house: Ward) -> None:
    user = User(house)
    assert "assessment of 2027-02-01" in user.opens("?on=2027-02-01").text
    assert "assessment of 2026-11-23" in user.opens("?on=tomorrow").text


def test_the_page_names_what_the_token_opens_only_in_part_or_not_at_all(house: Ward) -> None:
    whole = "patient/Patient.r patient/Condition.rs patient/Procedure.rs patient/DiagnosticReport.rs"
    house.ehr.granted = (
        f"launch openid fhirUser {whole} patient/Specimen.rs patient/Observation.rs?category=laboratory"
    )
    text = Page(User(house).opens().text).text
    assert "Closed to this page: observations (in part), orders." in text
    house.ehr.granted = None
    assert "Closed to this page" not in User(house).opens().text


def test_what_was_typed_into_a_session_that_is_over_waits_for_the_next(house: Ward) -> None:
    user = User(house)
    token = user.token()
    house.clock.later = IDLE + 1
    late = user.sends("write", token=token, **TYPED)
    assert late.status_code == 403
    assert "What you typed is kept for 15 minutes" in late.text
    assert TYPED["ki67_percent.low"] not in late.text
    assert house.ehr.written == []

    again = User(house)
    assert f'value="{TYPED["ki67_percent.low"]}"' in again.opens("/form").text
    assert again.sends("assess", **TYPED).status_code == 200
    assert f'value="{TYPED["ki67_percent.low"]}"' not in again.opens("/form").text


def test_a_forged_form_is_not_kept_for_anybody(house: Ward) -> None:
    user = User(house)
    house.clock.later = IDLE + 1
    assert "kept for 15 minutes" not in user.sends("assess", token="forged", **TYPED).text
    assert 'value="2,5"' not in User(house).opens("/form").text


def test_what_the_ehr_refused_is_said_and_what_was_typed_goes_back_to_the_form(house: Ward) -> None:
    user = User(house)
    house.ehr.write_status = 422
    response = user.sends("write", **TYPED)
    page = Page(response.text)
    assert "Not everything is in the EHR" in page.text
    assert "The EHR did not accept it." in page.text
    kept = {
        str(found["name"]): str(found["value"])
        for name, found in page.elements
        if name == "input" and found.get("type") == "hidden"
    }
    assert TYPED.items() <= kept.items()
    again = user.browser.post(user.form_address, data=kept | {"do": "more"})
    assert f'value="{TYPED["ki67_percent.low"]}"' in again.text


def test_to_sign_out_ends_the_session(house: Ward) -> None:
    user = User(house)
    [address] = [
        str(found["action"])
        for name, found in Page(user.opens().text).elements
        if name == "form" and str(found["action"]).endswith("/end")
    ]
    assert user.browser.post(address, data={"form_token": "forged"}).status_code == 403
    assert user.browser.post(address, data={"form_token": user.token()}).status_code == 200
    assert user.opens().status_code == 403
