"""The page of an assessment: everything is said, nothing of a record becomes markup, and a strict browser shows it whole."""

import json
import re
from dataclasses import fields, replace
from datetime import date
from typing import Any

import pytest

from cds_service.eligibility.policy import policies
from cds_service.eligibility.verdict import Answer, Verdict
from cds_service.hooks.prefetch import sent
from cds_service.hooks.request import parse
from cds_service.hooks.services import find
from cds_service.hooks.text import one_line
from cds_service.web.pages import page_headers
from cds_service.web.view import Actions, Link, view, visible
from fhir_mappings.facts import Evidence
from tests.hooks import assessments
from tests.hooks.test_text import HOSTILE
from tests.web.pages import (
    FILES,
    SAMPLES,
    SMALL,
    Page,
    application,
    html_of,
    reading_of,
    record_of,
    resources_of,
    sample_record,
)

ACTIONS = Actions(
    back=Link("/list", "Patients"), form="/form", other_day="/here", hidden=(("patient", "p1"),)
)


def page_of(file: str, **given: Any) -> Page:
    return Page(html_of(reading_of(sample_record(file), **given), ACTIONS))


# --- everything is said ---


@pytest.mark.parametrize("policy_id", [known.id for known in policies()])
@pytest.mark.parametrize("file", SMALL)
def test_every_sample_is_shown_with_every_criterion_under_every_rule_set(file: str, policy_id: str) -> None:
    reading = reading_of(sample_record(file), policy_id=policy_id)
    page = Page(html_of(reading, ACTIONS))
    assert reading.assessment.headline.casefold() in page.text.casefold()
    for item in reading.assessment.criteria:
        assert f"criterion-{item.id}" in {attributes.get("id") for attributes in page.named("tbody")}
        for said in (item.label, item.reason, item.limit, item.value, item.dated, item.remedy, item.citation):
            assert said is None or one_line(said).rstrip(".") in page.text, item.id


def test_the_samples_show_every_verdict_and_every_answer() -> None:
    found = [reading_of(sample_record(file)).assessment for file in FILES]
    assert {item.verdict for item in found} == set(Verdict)
    assert {criterion.answer for item in found for criterion in item.criteria} == set(Answer)


def test_a_chart_of_2000_resources_is_shown_as_briefly_as_its_small_twin() -> None:
    small, large = (
        html_of(reading_of(sample_record(file))) for file in ("01-meets", "19-chart-of-2000-resources")
    )
    assert len(large) < 1.2 * len(small)


def test_the_banner_tells_who_the_patient_is_and_how_old_on_the_day() -> None:
    page = page_of("01-meets", on=date(2026, 3, 13))
    assert "Sample, Meets" in page.text
    assert "female" in page.text
    assert "1981-03-14 (44 years)" in page.text
    assert "(45 years)" in page_of("01-meets", on=date(2026, 3, 14)).text


def test_a_year_of_birth_gives_both_ages() -> None:
    assert "1965 (60 or 61 years)" in page_of("08-born-1965-only").text


def test_a_patient_without_name_sex_and_birth_is_shown_as_such() -> None:
    record = record_of({"resourceType": "Patient", "id": "bare"})
    text = Page(html_of(reading_of(record))).text
    assert "name not on record" in text
    assert "Born not on record" in text


def test_names_in_any_shape_are_shown_or_left_out() -> None:
    for name in ("text", 7, None, [], [None], {"family": ["A"], "given": "B"}, [{"given": [1, "C"]}]):
        record = record_of({"resourceType": "Patient", "id": "odd", "name": name, "gender": ["male"]})
        assert Page(html_of(reading_of(record))).text


def test_what_is_to_be_discussed_stands_before_the_verdict() -> None:
    html = html_of(reading_of(sample_record("30-carcinoid-heart-disease")))
    assert html.index("carcinoid heart disease on record") < html.index("<h1")


def test_a_caveat_stands_before_the_verdict() -> None:
    html = html_of(reading_of(sample_record("38-men-1-and-heart-failure")))
    assert html.index("hereditary tumour syndrome") < html.index("<h1")


def test_a_criterion_that_another_rule_set_answers_otherwise_says_so() -> None:
    page = page_of("02-ki67-12-percent")
    assert "OPTN/NLRB guidance on NET exception requests: ✓ met (limit < 20 %)" in page.text
    assert "meets; otherwise answered: Ki-67 ✓ met (< 20 %)" in page.text


def test_the_day_on_which_a_wait_ends_is_among_the_dates() -> None:
    assert (
        "2027-01-01 Time-bound criteria can be met from this day." in page_of("04-progression-in-july").text
    )


def test_a_study_counts_as_current_on_its_last_day_and_not_on_the_next() -> None:
    last, next_day = (
        {item.text for item in view(reading_of(sample_record("01-meets"), on=on)).dates}
        for on in (date(2027, 4, 20), date(2027, 4, 21))
    )
    assert any("imaging is current" in text for text in last)
    assert any("imaging was current" in text for text in next_day)


def test_what_could_not_be_read_is_named_with_what_it_could_have_said() -> None:
    page = page_of("20-bone-metastasis-unreadable")
    assert "Condition/bone-metastasis-unreadable-bone" in page.text
    assert "Could have said something of" in page.text


def test_what_was_not_sent_is_never_shown_as_none() -> None:
    body = (SAMPLES / "requests" / "observations-missing.json").read_bytes()
    record = sent(parse(body, find("milan-net-patient-view")), body)
    text = Page(html_of(reading_of(record))).text
    assert "Observation: not sent" in text
    assert "never as “none”" in text


def test_what_names_another_patient_is_not_shown() -> None:
    stray = {
        "resourceType": "Observation",
        "id": "stray",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29593-1"}]},
        "subject": {"reference": "Patient/another-person"},
        "valueQuantity": {"value": 90, "unit": "%"},
    }
    request = json.loads((SAMPLES / "requests" / "meets.json").read_bytes())
    request["prefetch"]["observations"]["entry"].append({"resource": stray})
    body = json.dumps(request).encode()
    page = Page(html_of(reading_of(sent(parse(body, find("milan-net-patient-view")), body))))
    assert "Left out: Observation/stray" in page.text
    assert "another-person" not in page.text


def test_the_rule_set_its_version_and_what_it_is_not_stand_on_the_page() -> None:
    text = page_of("01-meets").text
    for said in (
        "Milan-NET criteria (2016), version 2026.11",
        "Decision support, not listing policy",
        "2026-11-23",
    ):
        assert said in text


@pytest.mark.parametrize("file", SMALL)
def test_a_page_never_calls_a_patient_eligible(file: str) -> None:
    assert not re.search(r"eligible|contraindicated", page_of(file).text, re.IGNORECASE)


def test_where_the_criteria_are_not_asked_nothing_is_said_of_outcomes() -> None:
    page = page_of("29-no-net")
    assert "Not assessed: no neuroendocrine tumour on record" in page.text
    assert "What is published" not in page.text
    assert "What is published" in page_of("01-meets").text


# --- evidence ---


def test_the_element_that_was_read_is_marked_in_the_resource() -> None:
    (value,) = [
        text for text in page_of("02-ki67-12-percent").marked if "valueQuantity" in text and "12" in text
    ]
    assert '"value": 12' in value


def test_what_was_set_aside_is_shown_with_its_reason() -> None:
    reading = reading_of(sample_record("17-two-tumours-one-report"))
    reasons = [item.reason for criterion in reading.assessment.criteria for item in criterion.discarded]
    text = Page(html_of(reading)).text
    assert reasons
    assert all(f"not used: {reason}" in text for reason in reasons)


def test_of_the_patient_only_what_was_read_is_shown_as_evidence() -> None:
    resources = resources_of("01-meets")
    resources[0]["telecom"] = [{"system": "phone", "value": "555-0199"}]
    assert "555-0199" not in html_of(reading_of(record_of(*resources)))


def test_every_citation_says_how_well_it_is_verified() -> None:
    text = page_of("01-meets").text
    assert text.count("Read at the source, mostly in its abstract or a restatement.") >= 9


# --- what was typed ---

TYPED = "Observation/ki67-12-percent-ki67"


def test_what_a_user_typed_is_marked_wherever_it_is_used() -> None:
    page = page_of("02-ki67-12-percent", attested=[TYPED])
    row = re.search(r"Ki-67 ✗ not met\s+typed by the user", page.text)
    assert row
    assert "1 finding on this page was typed" in page.text
    assert any("typed by the user" in title for title in page.texts if "tissue" in title)


def test_nothing_is_marked_as_typed_where_nothing_was() -> None:
    assert "typed" not in page_of("02-ki67-12-percent").text


# --- what a place offers ---


def test_a_place_that_offers_nothing_gets_a_page_without_links_and_forms() -> None:
    page = Page(html_of(reading_of(sample_record("28-us-core-diagnosis-codes-only"))))
    assert page.named("form", "button") == []
    assert all((attributes["href"] or "").startswith("#") for attributes in page.named("a"))


def test_what_a_place_offers_is_on_the_page() -> None:
    page = page_of("28-us-core-diagnosis-codes-only")
    assert {"/list", "/form"} <= {attributes["href"] for attributes in page.named("a")}
    assert page.named("form")[0]["action"] == "/here"
    assert {"type": "hidden", "name": "patient", "value": "p1"} in page.named("input")


# --- hostile text ---


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_of_a_record_becomes_markup_or_leaves_its_place(text: str) -> None:
    def tags(words: str) -> list[str]:
        reading = reading_of(sample_record("01-meets"))
        shown = replace(reading, assessment=assessments.assessment(text=words))
        return [name for name, _ in Page(html_of(shown, ACTIONS)).elements]

    assert tags(text) == tags("plain")


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_resource_is_shown_as_text(text: str) -> None:
    resources = resources_of("02-ki67-12-percent")
    for item in resources:
        item["note"] = [{"text": text}]
        if item["resourceType"] == "Patient":
            item["name"] = [{"text": text}]
    hostile = Page(html_of(reading_of(record_of(*resources))))
    assert not {"script", "img", "b", "iframe", "object"} & {name for name, _ in hostile.elements}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\x00\x1b]", "".join(hostile.texts))


def test_no_text_of_an_assessment_turns_the_page_around() -> None:
    reading = reading_of(sample_record("01-meets"))
    shown = replace(reading, assessment=assessments.assessment(text="a\u202eb\x1bc"))
    page = Page(html_of(shown))
    assert "abc" in page.text.replace(" ", "")
    assert not re.search("[\u202e\x1b]", "".join(page.texts))


def test_every_text_of_an_assessment_is_made_visible() -> None:
    hostile = "a\u202eb\nc\x00"
    cleaned = visible(assessments.assessment(text=hostile))
    assert hostile not in repr(cleaned)
    assert cleaned.criteria[0].evidence[0].value == one_line(hostile)


def test_what_is_visible_stays_as_it_is() -> None:
    found = reading_of(sample_record("17-two-tumours-one-report")).assessment
    assert visible(found) == found
    assert {field.name for field in fields(Evidence)} == {
        "reference",
        "element",
        "date",
        "code",
        "display",
        "value",
    }


# --- a strict browser ---


@pytest.mark.parametrize("file", ["01-meets", "23-window-closes-before-it-opens", "29-no-net"])
def test_the_content_security_policy_holds_everything_on_the_page(file: str) -> None:
    page = page_of(file)
    names = {name for name, _ in page.elements}
    assert not names & {
        "script",
        "style",
        "iframe",
        "object",
        "embed",
        "base",
        "img",
        "image",
        "foreignobject",
    }
    for _, attributes in page.elements:
        assert "style" not in attributes
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("href", "src", "action", "xlink:href"):
            assert (attributes.get(name) or "/").startswith(("/", "#"))


@pytest.mark.parametrize("file", ["01-meets", "28-us-core-diagnosis-codes-only", "29-no-net"])
def test_ids_are_unique_and_what_refers_to_them_finds_them(file: str) -> None:
    page = page_of(file)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len({*ids})
    wanted = {
        name
        for _, attributes in page.elements
        for key in ("aria-labelledby", "aria-describedby", "for")
        for name in (attributes.get(key) or "").split()
    } | {(link["href"] or "")[1:] for link in page.named("a") if (link["href"] or "").startswith("#")}
    assert wanted <= {*ids}


def test_the_stylesheet_is_served_and_loads_nothing_else() -> None:
    client = application(reading_of(sample_record("01-meets"))).test_client()
    for link in Page(client.get("/").text).named("link"):
        with client.get(link["href"] or "") as response:
            assert response.status_code == 200
            if link["rel"] == "stylesheet":
                assert not re.search(r"@import|url\(|https?:", response.text)


def test_the_headers_keep_a_page_out_of_caches_and_foreign_frames() -> None:
    headers = page_headers()
    assert headers["Cache-Control"] == "no-store"
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "unsafe" not in headers["Content-Security-Policy"]
    framed = page_headers(["https://ehr.example", "https://other.example"])
    assert framed["Content-Security-Policy"].endswith(
        "frame-ancestors https://ehr.example https://other.example"
    )
