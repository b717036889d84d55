"""A clinician's way from the list or the card to a decided verdict and back, with SMART launch and without."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cds_service.smart.sessions import IDLE
from cds_service.storage.tally import tally
from tests.browser.walking import opened, outcome, sent, typed, verdict
from tests.web.forms import COMPLETE
from tests.web.launches import Ward

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

PATIENT = "us-core-diagnosis-codes-only"
TYPED = {name: text for name, text in COMPLETE.items() if text}
NAMED = TYPED | {"author": "Dr Example"}


def opens_its_evidence(page: "Page", criterion: str) -> str:
    """Open the evidence of a criterion with the keyboard, and read it."""
    box = page.locator(f"#criterion-{criterion}")
    box.locator("details > summary").first.focus()
    page.keyboard.press("Enter")
    box.locator("details[open]").first.wait_for()
    return box.locator(".evidence").inner_text()


def test_from_the_list_over_the_form_to_a_decided_verdict_and_feedback(browser: "Browser", demo: str) -> None:
    with opened(browser) as page:
        page.goto(demo)
        page.click(f'a[href*="/patients/{PATIENT}"]')
        assert page.inner_text(".card-summary") == "Possible candidate: 6 of 8 criteria lack data"
        with page.expect_popup() as popup:
            page.click("text=Open the assessment")
        assessment = popup.value
        assert verdict(assessment) == "Possible candidate, data missing"
        assert "What would answer it" in opens_its_evidence(assessment, "ki-67")
        assessment.click("text=Supply what is missing")
        typed(assessment, NAMED)
        sent(assessment)
        assert outcome(assessment).startswith("With your answers: meets")
        assert "Nothing has been stored" in assessment.inner_text("main")
        with assessment.expect_download() as download:
            sent(assessment, "download")
        bundle = json.loads(Path(download.value.path()).read_text("utf-8"))
        assert bundle["type"] == "transaction"
        assert assessment.locator('button[value="write"]').count() == 0

        page.bring_to_front()
        page.click("text=Dismiss …")
        page.locator(".demo-reason input").first.check()
        page.click("text=Dismiss the card")
        page.wait_for_selector("#advice >> text=The service was told.")
        page.click("#advice >> text=Ask once more")
        page.wait_for_selector("text=The card stays away")


def test_the_filtered_list_counts_who_is_left_and_says_when_nobody_is(browser: "Browser", demo: str) -> None:
    with opened(browser) as page:
        page.goto(demo)
        page.fill("#q", "bone")
        groups = page.locator(".demo-patients tbody:visible")
        left = groups.locator("tr[data-searched]:visible").count()
        assert sum(map(int, groups.locator(".demo-number").all_inner_texts())) == left > 1
        page.fill("#q", "zzz")
        assert page.inner_text("#nobody") == "No patient matches."
        assert not page.is_visible("table")
        page.fill("#q", "")
        assert page.is_visible("table")
        assert not page.is_visible("#nobody")


@pytest.mark.parametrize("width", [360, 600, 1440])
def test_a_chart_says_at_every_width_that_a_value_is_preliminary(
    browser: "Browser", demo: str, width: int
) -> None:
    with opened(browser, viewport={"width": width, "height": 800}) as page:
        page.goto(f"{demo}/patients/preliminary-ki67-12-percent")
        assert page.locator(".demo-record :text-is('preliminary'):visible").count() == 1


def test_the_page_of_a_card_reads_the_problem_that_is_being_added(browser: "Browser", demo: str) -> None:
    with opened(browser) as page:
        page.goto(f"{demo}/patients/no-net")
        page.select_option("#hook", "problem-list-item-create")
        page.click("text=Ask the service")
        summary = page.inner_text(".card-summary")
        page.goto(str(page.get_attribute("text=Open the assessment", "href")))
        assert page.inner_text("h1") == summary
        assert "the problem that is being added" in page.inner_text("main")


def test_from_the_card_through_the_launch_to_what_the_ehr_holds_and_feedback(
    browser: "Browser", house: Ward
) -> None:
    [link] = house.card()["links"]
    assert link["type"] == "smart"
    with opened(browser) as page:
        page.goto(house.launch(link["appContext"]))
        assert page.url.startswith(f"{house.origin}/smart/")
        assert verdict(page) == "Possible candidate, data missing"
        opens_its_evidence(page, "ki-67")
        page.click("text=Supply what is missing")
        typed(page, TYPED)
        sent(page)
        assert outcome(page).startswith("With your answers: meets")
        assert house.ehr.written == []
        sent(page, "write")
        told = page.locator("tbody td:nth-child(2)").all_inner_texts()
        assert told == ["The EHR has stored it."] * len(house.ehr.written)
        assert len(told) > 1
        page.click("text=Assess the record again")
        assert verdict(page) == "Meets the recorded criteria"
        assert "Holds what a user typed" in page.inner_text("main")
        assert page.locator("#criterion-ki-67 .badge--attested").count() > 0
        assert not any(token in page.content() for token in house.ehr.tokens)
    card = house.card()
    assert card["summary"].startswith("Meets recorded Milan-NET criteria")
    assert house.dismiss(card) == 200
    [told] = [
        number for line, number in tally(house.storage.database, "clinic") if line.outcome == "overridden"
    ]
    assert told == 1


def test_another_patient_than_the_card_was_about_is_refused(browser: "Browser", house: Ward) -> None:
    [link] = house.card()["links"]
    with opened(browser) as page:
        answer = page.goto(house.launch(link["appContext"], patient="somebody-else"))
        assert answer is not None
        assert answer.status == 409
        assert page.locator(".verdict").count() == 0


def test_what_was_typed_survives_the_end_of_the_session(browser: "Browser", house: Ward) -> None:
    with opened(browser) as page:
        page.goto(house.launch())
        page.click("text=Supply what is missing")
        typed(page, TYPED)
        house.clock.later = IDLE + 60
        sent(page)
        assert "What you typed is kept for 15 minutes" in page.inner_text("main")
        page.goto(house.launch())
        page.click("text=Supply what is missing")
        assert page.locator('[name="ki67_percent.low"]').input_value() == TYPED["ki67_percent.low"]
        sent(page)
        assert outcome(page).startswith("With your answers: meets")


def test_the_page_names_what_the_token_does_not_open(browser: "Browser", house: Ward) -> None:
    house.ehr.granted = "launch openid fhirUser patient/Patient.r patient/Condition.rs patient/Observation.rs"
    with opened(browser) as page:
        page.goto(house.launch())
        told = page.inner_text('[aria-label="Not readable"]')
        assert "procedures, reports, specimens, orders" in told
        assert "conditions" not in told
        page.click("text=Supply what is missing")
        typed(page, TYPED)
        sent(page)
        assert page.locator('button[value="write"]').count() == 0


def test_a_foreign_ehr_is_refused_before_anything_is_fetched(browser: "Browser", house: Ward) -> None:
    with opened(browser) as page:
        answer = page.goto(house.launch(iss="https://elsewhere.example/fhir"))
        assert answer is not None
        assert answer.status == 403
        assert house.ehr.requests == []


@pytest.mark.parametrize("place", ["demo", "house"])
def test_everything_can_be_read_and_sent_without_scripts(
    browser: "Browser", place: str, request: pytest.FixtureRequest
) -> None:
    found = request.getfixturevalue(place)
    with opened(browser, java_script_enabled=False) as page:
        if place == "demo":
            page.goto(found)
            page.click(f'a[href*="/patients/{PATIENT}"]')
            assert "Problems" in page.inner_text("main")
            page.click("noscript a, .notice a")
        else:
            page.goto(found.launch())
        assert "data missing" in page.inner_text(".verdict-word")
        page.click("#criterion-ki-67 summary")
        assert page.locator("#criterion-ki-67 .evidence").is_visible()
        page.click("text=Supply what is missing")
        typed(page, NAMED if place == "demo" else TYPED)
        sent(page)
        assert outcome(page).startswith("With your answers: meets")
