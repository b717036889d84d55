"""The timeline says what happened when and what time will change; its drawing is plain numbers."""

import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from itertools import pairwise
from typing import Any

import pytest
from flask import render_template_string

from cds_service.eligibility.evaluation import assess
from cds_service.eligibility.policy import DEFAULT_POLICY, policy
from cds_service.web.drawing import NARROW, WIDE, Drawing, Label, draw
from cds_service.web.reading import Reading
from cds_service.web.timeline import Lane, Shape, Timeline, timeline
from fhir_mappings.facts import Facts, Ki67, Ki67Reading, Tissue
from tests.eligibility.builders import (
    NOT_RESECTED,
    absent,
    course,
    day,
    facts,
    gap,
    ki67,
    known,
    liver,
    resected,
)
from tests.web.pages import ON, SMALL, application, reading_of, record_of, sample_record

EMPTY = record_of({"resourceType": "Patient", "id": "a"})
NOTHING: dict[str, Any] = {
    name: gap()
    for name in (
        "primary_resection",
        "disease_response",
        "ki67_percent",
        "extrahepatic_disease",
        "liver_involvement_percent",
        "birth_date",
    )
}


def of(found: Facts, on: date = ON, attested: frozenset[str] = frozenset()) -> Timeline:
    rules = policy(DEFAULT_POLICY)
    return timeline(Reading(EMPTY, found, assess(found, rules, on), rules, attested))


def said(found: Timeline, lane: Lane) -> list[tuple[Shape, str, str]]:
    return [(item.shape, item.label, str(item.day)) for item in found.events if item.lane is lane]


# --- what happened ---


def test_what_has_a_day_stands_in_its_row_in_the_order_of_days() -> None:
    found = of(facts())
    assert said(found, Lane.SURGERY) == [(Shape.RESECTION, "R0", "2025-10-01")]
    assert [label for _, label, _ in said(found, Lane.RESPONSE)] == ["SD", "SD", "SD"]
    assert said(found, Lane.KI67) == [(Shape.KI67, "2 %", "2025-11-01")]
    assert said(found, Lane.EXTRAHEPATIC) == [(Shape.IMAGING, "none", "2026-10-20")]
    assert said(found, Lane.INVOLVEMENT) == [(Shape.IMAGING, "30 %", "2026-10-20")]
    assert [item.day.earliest for item in found.events] == sorted(item.day.earliest for item in found.events)


def test_each_kind_of_response_has_a_symbol_of_its_own() -> None:
    found = of(
        facts(
            disease_response=course("2026-01-10 SD", "2026-02-10 PR", "2026-03-10 PD", "2026-04-10 CONFLICT")
        )
    )
    shapes = [shape for shape, _, _ in said(found, Lane.RESPONSE)]
    assert shapes == [Shape.STABLE, Shape.RESPONSE, Shape.PROGRESSION, Shape.DISPUTED]
    assert {*found.shapes} >= {*shapes}


def test_a_preliminary_reading_is_not_firm_and_says_so() -> None:
    found = of(facts(disease_response=course("2026-01-10 SD", "2026-10-20 PD?")))
    first, last = (item for item in found.events if item.lane is Lane.RESPONSE)
    assert (first.firm, last.firm) == (True, False)
    assert last.text == "progressive disease (preliminary)"


def test_an_assessment_of_the_day_itself_counts_and_one_of_tomorrow_does_not() -> None:
    found = of(facts(disease_response=course("2026-11-23 SD", "2026-11-24 SD")))
    today, tomorrow = (item for item in found.events if item.lane is Lane.RESPONSE)
    assert (today.firm, tomorrow.firm) == (True, False)
    assert tomorrow.text.endswith("after the day of evaluation")


def test_an_empty_record_has_no_rows_and_says_which_are_empty() -> None:
    found = of(facts(**NOTHING))
    assert found.lanes == ()
    assert found.empty == (Lane.SURGERY, Lane.RESPONSE, Lane.KI67, Lane.EXTRAHEPATIC, Lane.INVOLVEMENT)
    assert found.window is None
    assert [item.kind for item in found.milestones] == ["evaluated"]


def test_what_has_no_day_is_said_in_words_and_not_drawn() -> None:
    found = of(facts(primary_resection=resected(None), liver_involvement_percent=liver("30", None)))
    assert found.undated == (
        "Resection of the primary: resection of the primary, R0",
        "Liver involvement: liver involvement 30 % (volumetry)",
    )
    assert said(found, Lane.SURGERY) == []


def test_a_resection_that_was_not_done_is_no_event() -> None:
    assert said(of(facts(primary_resection=NOT_RESECTED)), Lane.SURGERY) == []


def test_of_several_resections_the_first_and_the_last_are_shown() -> None:
    found = of(facts(primary_resection=resected("2025-10-01", last_date=day("2026-02-01"))))
    assert [when for _, _, when in said(found, Lane.SURGERY)] == ["2025-10-01", "2026-02-01"]


def test_every_ki67_value_is_shown_not_only_the_one_that_governs() -> None:
    readings = tuple(
        Ki67Reading(ki67(text).value.percent, Tissue.PRIMARY, day(when), "Observation/k")  # type: ignore[union-attr]
        for text, when in (("3", "2025-01-01"), ("12", "2025-06-01"))
    )
    found = of(facts(ki67_percent=known(Ki67(readings[1].percent, readings))))
    assert [label for _, label, _ in said(found, Lane.KI67)] == ["3 %", "12 %"]


def test_what_a_user_typed_is_marked() -> None:
    found = of(facts(), attested=frozenset({"Observation/response-1", "Observation/pet"}))
    assert {(item.lane, str(item.day)) for item in found.events if item.attested} == {
        (Lane.RESPONSE, "2026-05-02"),
        (Lane.EXTRAHEPATIC, "2026-10-20"),
    }


# --- the window ---


def test_the_window_counts_from_the_later_of_resection_and_first_assessment() -> None:
    window = of(facts()).window
    assert window is not None
    assert (window.start, window.end, window.documented) == (
        date(2026, 1, 10),
        date(2026, 7, 10),
        date(2026, 10, 20),
    )
    later = of(facts(primary_resection=resected("2026-03-05"))).window
    assert later is not None
    assert later.start == date(2026, 3, 5)


def test_the_window_begins_anew_at_a_progression() -> None:
    found = of(facts(disease_response=course("2026-01-10 SD", "2026-07-01 PD", "2026-10-20 SD")))
    assert found.window is not None
    assert (found.window.start, found.window.end) == (date(2026, 7, 1), date(2027, 1, 1))
    assert [str(item.day) for item in found.milestones if item.kind == "resolves"] == ["2027-01-01"]


def test_a_window_that_ends_in_progression_documents_nothing() -> None:
    window = of(facts(disease_response=course("2026-01-10 SD", "2026-07-01 PD"))).window
    assert window is not None
    assert window.documented is None


def test_six_months_after_the_31st_of_august_end_on_the_last_of_february() -> None:
    for start, end in (("2026-08-31", date(2027, 2, 28)), ("2023-08-31", date(2024, 2, 29))):
        found = of(
            facts(primary_resection=resected("2020-01-01"), disease_response=course(f"{start} PD")),
            date(int(start[:4]), 10, 1),
        )
        assert found.window is not None
        assert found.window.end == end


def test_a_day_known_in_part_makes_the_beginning_of_the_window_uncertain() -> None:
    window = of(facts(primary_resection=resected("2026-03"))).window
    assert window is not None
    assert (window.earliest, window.start) == (date(2026, 3, 1), date(2026, 3, 31))


def test_without_the_day_of_the_resection_nothing_is_counted() -> None:
    assert of(facts(primary_resection=resected(None))).window is None
    assert of(facts(primary_resection=gap())).window is None


# --- how long a study may be used ---


def test_a_study_may_be_used_until_the_day_that_its_criterion_names() -> None:
    found = of(facts())
    assert {(item.lane, item.start, item.until) for item in found.validities} == {
        (lane, date(2026, 10, 20), date(2027, 4, 20))
        for lane in (Lane.RESPONSE, Lane.EXTRAHEPATIC, Lane.INVOLVEMENT)
    }


def test_a_stale_study_keeps_its_end() -> None:
    found = of(facts(extrahepatic_disease=absent("2026-02-01")))
    (stale,) = [item for item in found.validities if item.lane is Lane.EXTRAHEPATIC]
    assert stale.until == date(2026, 8, 1)


# --- the drawing ---


def kinds(drawing: Drawing) -> list[str]:
    return [bar.kind for bar in drawing.bars]


def within(drawing: Drawing) -> None:
    """Everything lies inside, and labels of one row do not cover each other."""
    for mark in drawing.marks:
        assert drawing.left <= mark.left <= mark.x <= mark.right <= drawing.right
        assert 0 < mark.y < drawing.height
    for bar in drawing.bars:
        assert drawing.left <= bar.left <= bar.right <= drawing.right
    for label in drawing.labels:
        assert 0 < label.y < drawing.height
    rows: dict[float, list[tuple[float, float]]] = {}
    for label in drawing.labels:
        rows.setdefault(label.y, []).append(extent(label))
    for found in rows.values():
        for (_, end), (start, _) in pairwise(sorted(found)):
            assert end <= start


def extent(label: Label) -> tuple[float, float]:
    length = len(label.text) * 6.3
    start = {"start": label.x, "middle": label.x - length / 2, "end": label.x - length}[label.anchor]
    return start, start + length


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("file", SMALL)
def test_every_sample_is_drawn_inside_its_box_without_labels_that_cover_each_other(
    file: str, width: int
) -> None:
    found = timeline(reading_of(sample_record(file)))
    within(draw(found, width))
    assert draw(found, width) == draw(timeline(reading_of(sample_record(file))), width)


MANY = [f"{2016 + index // 12}-{index % 12 + 1:02}-15 {'SD' if index % 9 else 'PD'}" for index in range(120)]
EDGES: dict[str, Facts] = {
    "nothing": facts(**NOTHING),
    "many assessments": facts(disease_response=course(*MANY)),
    "one day": facts(
        primary_resection=resected("2026-11-23"),
        disease_response=course("2026-11-23 SD"),
        ki67_percent=ki67("2", when="2026-11-23"),
    ),
    "year only": facts(primary_resection=resected("2025"), disease_response=course("2025 SD", "2026 SD")),
    "future": facts(disease_response=course("2031-01-01 SD", "2026-10-20 SD")),
    "far past": facts(ki67_percent=ki67("2", when="1950-02-28"), primary_resection=resected("0001-01-01")),
    "end of time": facts(disease_response=course("9999-12-31 SD", "9999 PD")),
    "leap day": facts(primary_resection=resected("2024-02-29"), disease_response=course("2024-02-29 PD")),
}


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("name", EDGES)
def test_the_edges_are_drawn_inside_the_box(name: str, width: int) -> None:
    within(draw(of(EDGES[name]), width))


def test_a_leap_day_is_drawn_on_its_day_of_evaluation_too() -> None:
    found = of(EDGES["leap day"], date(2024, 2, 29))
    within(draw(found))
    assert found.window is not None
    assert found.window.end == date(2024, 8, 29)


def test_a_day_known_in_part_is_a_bar_and_a_known_one_a_point() -> None:
    marks = draw(of(facts(disease_response=course("2026-03 SD", "2026-10-20 SD")))).marks
    partial, exact = (mark for mark in marks if "stable" in mark.title)
    assert partial.left < partial.x < partial.right
    assert exact.left == exact.right


def test_what_lies_far_back_stands_at_the_edge_with_an_arrow_and_its_day() -> None:
    drawing = draw(of(facts(ki67_percent=ki67("2", when="1999-05-04"))))
    assert "← 2 % 1999-05-04" in {label.text for label in drawing.labels}


def test_the_window_fills_up_to_what_is_documented_and_then_to_the_day_of_evaluation() -> None:
    found = of(facts(disease_response=course("2026-07-01 PD", "2026-10-20 SD")))
    drawing = draw(found)
    assert kinds(drawing)[-4:] == ["window", "documented", "elapsed", "reached"]
    window, documented, elapsed, reached = drawing.bars[-4:]
    (evaluated,) = [line for line in drawing.lines if line.kind == "evaluated"]
    assert window.left == documented.left < documented.right == elapsed.left < elapsed.right
    assert elapsed.right == evaluated.x < window.right == reached.left


def test_a_full_window_has_no_empty_part() -> None:
    assert "elapsed" not in kinds(draw(of(facts())))


def test_nothing_is_undocumented_where_the_last_assessment_is_of_the_day_itself() -> None:
    found = of(facts(disease_response=course("2026-07-01 PD", "2026-11-23 SD")))
    assert kinds(draw(found))[-3:] == ["window", "documented", "reached"]


def test_a_study_is_valid_on_its_last_day_and_expired_on_the_next() -> None:
    found = replace(of(facts()), window=None)
    for on, kind in ((date(2027, 4, 20), "valid"), (date(2027, 4, 21), "expired")):
        assert {*kinds(draw(replace(found, on=on)))} == {kind}


def test_the_svg_is_well_formed_for_every_edge() -> None:
    source = (
        '{% import "web/_timeline.html" as tl %}'
        '<div>{{ tl.drawing(d, "wide", "Text.") }}{{ tl.table(t) }}</div>'
    )
    app = application(reading_of(EMPTY))
    with app.test_request_context():
        for found in map(of, EDGES.values()):
            root = ET.fromstring(render_template_string(source, d=draw(found), t=found))  # noqa: S314  ours
            assert root.find(".//svg/title") is not None
            assert root.find(".//svg/desc") is not None
            days = [row.findtext("td") for row in root.findall(".//tbody/tr")]
            assert {str(item.day) for item in found.events} <= {*days}
