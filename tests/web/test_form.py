"""The page of the form: everything that was typed comes back escaped, every mistake is linked, and it needs no script."""

import re
from html.parser import HTMLParser

import pytest
from flask import Flask, request
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.smart.scopes import WRITTEN
from cds_service.web.answers import ROWS, Answers, parse
from cds_service.web.form import Place, form_page
from cds_service.web.pages import pages
from cds_service.web.reading import Reading
from tests.builders import TODAY, ki67
from tests.web.forms import AUTHOR, BARE, COMPLETE, answer, fill, reading_of, sample, then

PLACE = Place("/app/form", "/app/assessment", {"day": "2026-11-23"})
NEAR = reading_of(*BARE)


class Page(HTMLParser):
    """What a page is made of: its tags with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    def input(self, name: str) -> dict[str, str]:
        (found,) = (item for item in self.all("input", "select") if item.get("name") == name)
        return found


def page(
    reading: Reading, answers: Answers | None = None, after: Reading | None = None, place: Place = PLACE
) -> Page:
    app = Flask("cds_service", static_folder=None)
    app.register_blueprint(pages)
    with app.test_request_context():
        return Page(form_page(reading, place, answers, after))


def test_every_input_has_a_label_and_every_reference_a_target() -> None:
    for found in (page(NEAR), page(NEAR, fill(NEAR, {"ki67_percent.low": "x"}))):
        ids = [item["id"] for _, item in found.tags if "id" in item]
        assert len(ids) == len(set(ids))
        labelled = {item["for"] for item in found.all("label")}
        shown = [item for item in found.all("input", "select") if item.get("type") != "hidden"]
        assert {item["id"] for item in shown} == labelled
        named = [one for _, item in found.tags for one in item.get("aria-describedby", "").split()]
        named += [item["href"][1:] for item in found.all("a") if item["href"].startswith("#")]
        assert set(named) <= set(ids)


def test_a_mistake_stands_in_the_summary_beside_its_field_and_the_question_is_open() -> None:
    reading = sample("01-meets")
    found = page(reading, fill(reading, answer("ki67_percent", low="120", tissue="liver")))
    box = found.input("ki67_percent.low")
    assert (box["value"], box["aria-invalid"]) == ("120", "true")
    assert f"{box['id']}-mistake" in box["aria-describedby"].split()
    assert {"href": f"#{box['id']}"} in found.all("a")
    assert found.text.count("has to lie between 0 and 100 %") == 2
    opened = [item["id"] for item in found.all("details") if "open" in item]
    assert opened == ["question-ki67-percent"]


def test_nothing_on_the_page_needs_a_script_or_breaks_the_policy_of_contents() -> None:
    for found in (page(NEAR), page(NEAR, fill(NEAR, COMPLETE))):
        assert not found.all("script", "style")
        for _, attributes in found.tags:
            assert not any(name == "style" or name.startswith("on") for name in attributes)


def test_what_the_place_gives_goes_back_with_the_answers() -> None:
    found = page(NEAR)
    (form,) = found.all("form")
    assert (form["method"], form["action"]) == ("post", "/app/form")
    assert found.input("day")["value"] == "2026-11-23"


def test_who_is_signed_in_is_shown_and_not_asked() -> None:
    found = page(NEAR, place=Place("/f", "/b", author="Dr Example"))
    assert "Dr Example" in found.text
    assert not [item for item in found.all("input") if item.get("name") == "author"]


def test_what_is_recorded_is_shown_with_its_source_and_is_not_in_the_input() -> None:
    found = page(reading_of(*BARE, ki67(2.5, id="recorded", on="2025-10-02")))
    assert "Observation/recorded" in found.text
    assert "2.5 %" in found.text
    assert found.input("ki67_percent.low")["value"] == ""


def test_a_list_has_always_lines_to_spare_and_never_more_than_are_read() -> None:
    def last(form: dict[str, str]) -> int:
        names = " ".join(item.get("name", "") for item in page(NEAR, fill(NEAR, form)).all("select"))
        return max(int(row) for row in re.findall(r"disease_response\.(\d+)", names))

    assert last({}) == 3
    assert last(answer("disease_response", row=2, value="stable")) == 5
    assert last(answer("disease_response", row=ROWS, value="stable")) == ROWS


def test_what_would_follow_is_shown_as_attested_with_before_and_after() -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    answers = fill(reading, COMPLETE)
    found = page(reading, answers, then(reading, COMPLETE))
    assert "With your answers: meets" in found.text
    assert "From the record alone: incomplete" in found.text
    assert len([item for item in found.all("span") if "badge--attested" in item.get("class", "")]) == 9
    assert found.input("ki67_percent.low")["value"] == "2,5"
    values = {item.get("value") for item in found.all("button")}
    assert values == {"more", "download", "assess"}


def test_the_form_is_headed_by_what_it_is_for_and_names_the_patient_in_its_title() -> None:
    assert "What is missing: name not on record ·" in page(NEAR).text
    whole = page(sample("01-meets")).text
    assert "Add or correct findings: Sample, Meets ·" in whole
    assert "What is missing" not in whole


def test_writing_is_offered_where_the_place_can() -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    answers, place = fill(reading, COMPLETE), Place("/f", "/b", writable=frozenset(WRITTEN))
    assert set(answers.types) <= set(WRITTEN)
    found = page(reading, answers, then(reading, COMPLETE), place)
    assert "write" in {item.get("value") for item in found.all("button")}


@pytest.mark.parametrize("kind", ["Procedure", "Condition"])
def test_what_the_ehr_does_not_allow_is_named_and_writing_is_not_offered(kind: str) -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    form = COMPLETE | answer("liver_metastases", value="absent", date="2026-10-01")
    form |= answer("primary_resection", performed="not-done", residual="", date="")
    answers, place = fill(reading, form), Place("/f", "/b", writable=frozenset(WRITTEN) - {kind})
    assert not answers.errors
    found = page(reading, answers, then(reading, form), place)
    assert f"it does not allow this application to add {kind} resources" in found.text
    assert "write" not in {item.get("value") for item in found.all("button")}


@pytest.mark.parametrize(
    "text", ['"><script>alert(1)</script>', "' onfocus=alert(1) x='", "{{ 7*7 }}", "</select>"]
)
def test_markup_that_was_typed_is_text(text: str) -> None:
    typed = {"ki67_percent.low": text, "ki67_percent.tissue": text, "ki67_percent.date": text, "author": text}
    found = page(NEAR, fill(NEAR, typed))
    assert found.input("ki67_percent.low")["value"] == text
    assert found.input("author")["value"] == text
    assert not found.all("script")
    assert not any("onfocus" in attributes for _, attributes in found.tags)
    assert f"“{text}” is not one of the answers." in found.text


@settings(max_examples=30)
@given(text=st.text(alphabet=st.characters(exclude_categories=["Cs", "Cc"]), max_size=60))
def test_any_text_comes_back_as_it_was_typed(text: str) -> None:
    found = page(NEAR, fill(NEAR, {"liver_resectability.date": text}))
    assert found.input("liver_resectability.date")["value"] == text


def test_the_form_is_read_as_a_browser_sends_it() -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    app = Flask("cds_service", static_folder=None)
    with app.test_request_context(
        "/f", method="POST", data=COMPLETE | AUTHOR | {"do": "assess", "token": "x"}
    ):
        answers = parse(request.form, reading, TODAY)
    assert answers.errors == {}
    assert answers.references == fill(reading, COMPLETE).references


def test_what_was_attested_before_is_marked_where_it_is_evidence() -> None:
    found = page(then(NEAR, answer("ki67_percent", low="4", tissue="liver")))
    assert [item for item in found.all("span") if item.get("class") == "badge badge--attested"] != []
    assert not [item for item in page(NEAR).all("span") if item.get("class") == "badge badge--attested"]
