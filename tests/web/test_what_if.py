"""What would follow from the answers: decided where the record was silent, and nothing on record is overruled."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from cds_service.web.answers import what_if, with_answers
from cds_service.web.attested import statements
from cds_service.web.reading import Reading, read
from fhir_mappings.attested import attested_in
from fhir_mappings.bundle import PartState
from fhir_mappings.nodes import PrefetchValue
from fhir_mappings.prefetch import read_prefetch
from fhir_mappings.record import read_file
from tests.builders import OWN, SCT, TODAY, bundle, coded, extrahepatic, ki67, patient, response
from tests.web.forms import ADVISOR, BARE, COMPLETE, SAMPLES, answer, fill, reading_of, sample, then

CODES_ONLY = "28-us-core-diagnosis-codes-only"


def request_reading(path: Path) -> Reading:
    """The record of a hook request."""
    body = path.read_bytes()
    request = json.loads(body)
    prefetch = msgspec.json.decode(json.dumps(request["prefetch"]).encode(), type=dict[str, PrefetchValue])
    return read(read_prefetch(prefetch, body, request["context"]["patientId"]), ADVISOR, TODAY)


@pytest.mark.parametrize("source", ["sample", "request"])
def test_an_incomplete_patient_is_decided_by_the_form(source: str) -> None:
    reading = (
        sample(CODES_ONLY)
        if source == "sample"
        else request_reading(SAMPLES / "requests" / "incomplete.json")
    )
    assert reading.assessment.verdict == "incomplete"
    assert then(reading, COMPLETE).assessment.verdict == "meets"
    high = COMPLETE | {"ki67_percent.low": "12", "differentiation.value": "net-g2"}
    assert then(reading, high).assessment.verdict == "outside"
    assert then(reading, COMPLETE | {"liver_resectability.value": "resectable"}).assessment.verdict == (
        "resection-first"
    )
    worse = COMPLETE | {"disease_response.2.value": "progression"}
    assert then(reading, worse).assessment.verdict == "not-yet"


@pytest.mark.parametrize(
    ("ki67_value", "verdict"), [("9.9", "meets"), ("10", "borderline"), ("10.1", "outside")]
)
def test_a_typed_number_meets_the_limit_as_a_recorded_one_would(ki67_value: str, verdict: str) -> None:
    form = COMPLETE | {"ki67_percent.low": ki67_value, "differentiation.value": "net-g2"}
    assert then(sample(CODES_ONLY), form).assessment.verdict == verdict


def test_each_answer_alone_leaves_the_patient_incomplete() -> None:
    reading = sample(CODES_ONLY)
    for fact in {name.split(".")[0] for name in COMPLETE}:
        form = {name: text for name, text in COMPLETE.items() if name.split(".")[0] == fact}
        assert then(reading, form).assessment.verdict == "incomplete", fact


def test_evidence_that_was_typed_is_told_from_what_was_recorded() -> None:
    reading = then(sample(CODES_ONLY), COMPLETE)
    by_criterion = {
        item.id: {evidence.reference for evidence in item.evidence} for item in reading.assessment.criteria
    }
    assert by_criterion["ki-67"] <= reading.attested
    assert by_criterion["age"].isdisjoint(reading.attested)
    assert by_criterion["primary-resected"] & reading.attested
    assert by_criterion["primary-resected"] - reading.attested


# --- what is recorded is not overruled --------------------------------------------------------------------------------


def test_a_lower_ki_67_does_not_cover_a_recorded_higher_one() -> None:
    reading = reading_of(*BARE, ki67(12, id="recorded"))
    after = then(reading, answer("ki67_percent", low="2", tissue="liver"))
    assert after.facts.ki67_percent.value is not None
    assert after.facts.ki67_percent.value.percent == reading.facts.ki67_percent.value.percent  # type: ignore[union-attr]


def test_a_stable_reading_of_a_day_with_a_recorded_progression_is_in_conflict() -> None:
    reading = reading_of(*BARE, response(f"{SCT}|271299001", id="pd"))
    after = then(reading, answer("disease_response", row=1, value="stable"))
    assert after.facts.disease_response.value is not None
    (one,) = after.facts.disease_response.value.assessments
    assert str(one.response) == "conflicting readings"


def test_the_opposite_of_a_recorded_decision_of_the_same_day_is_a_conflict() -> None:
    recorded = coded(f"{OWN}|liver-metastases-resectability", f"{OWN}|resectable", id="board")
    after = then(reading_of(*BARE, recorded), answer("liver_resectability", value="unresectable"))
    assert after.facts.liver_resectability.gap is not None
    assert after.facts.liver_resectability.gap.kind == "conflicting"


def test_absence_does_not_cancel_disease_recorded_on_the_same_day() -> None:
    reading = reading_of(*BARE, extrahepatic("52101004", id="pet"))
    after = then(reading, answer("extrahepatic_disease", value="absent", method="sstr-pet"))
    assert after.facts.extrahepatic_disease.gap is not None
    assert after.facts.extrahepatic_disease.gap.kind == "conflicting"


def test_another_primary_site_than_the_diagnosis_is_for_review() -> None:
    after = then(reading_of(*BARE), answer("primary_site", value="pancreas"))
    (criterion,) = (item for item in after.assessment.criteria if item.id == "portal-drainage")
    assert criterion.answer == "unknown"


def test_what_the_engine_sets_aside_of_the_answers_is_said_with_the_reason() -> None:
    reading = reading_of(
        *BARE, coded(f"{OWN}|liver-metastases-resectability", f"{OWN}|resectable", id="board")
    )
    answers = fill(reading, answer("liver_resectability", value="unresectable", date="2026-09-01"))
    after = what_if(reading, answers, ADVISOR)
    (statement,) = statements(answers, after)
    assert statement.unused == ("a newer statement governs",)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("[0-9]*.json")), ids=lambda path: path.stem)
def test_no_recorded_evidence_disappears_because_something_was_typed(path: Path) -> None:
    """Whatever a criterion or fact rested on is afterwards evidence still, or set aside with a reason that names it."""
    before = sample(path.stem)
    after = then(before, {name: text for name, text in COMPLETE.items() if "primary_resection" not in name})
    for name in (
        "ki67_percent",
        "extrahepatic_disease",
        "disease_response",
        "liver_involvement_percent",
        "liver_resectability",
        "primary_resection",
        "primary_site",
        "differentiation",
    ):
        fact = getattr(after.facts, name)
        kept = {item.reference for item in fact.evidence}
        kept |= {item.evidence.reference for item in fact.discarded if item.reason}
        assert {item.reference for item in getattr(before.facts, name).evidence} <= kept, name


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("[0-9]*.json")), ids=lambda path: path.stem)
def test_a_recorded_reason_to_stay_outside_outlives_every_good_answer(path: Path) -> None:
    before = sample(path.stem)
    after = then(before, {name: text for name, text in COMPLETE.items() if "primary_resection" not in name})
    were = {item.id: item.answer for item in before.assessment.criteria}
    lasting = ("differentiation", "ki-67", "portal-drainage", "age", "primary-resected")
    for item in after.assessment.criteria:
        if item.id in lasting and were.get(item.id) == "not-met":
            assert item.answer != "met", item.id


# --- the record -------------------------------------------------------------------------------------------------------


def test_the_record_itself_stays_as_it_was() -> None:
    reading = sample(CODES_ONLY)
    answers = fill(reading, COMPLETE)
    size = len(reading.record.entries)
    after = with_answers(reading.record, answers)
    assert len(reading.record.entries) == size
    assert len(after.entries) == size + len(answers.findings)
    assert read(reading.record, ADVISOR, TODAY).assessment == reading.assessment


def test_what_could_not_be_read_stays_unread_whatever_is_typed() -> None:
    reading = reading_of(*BARE)
    parts = {**reading.record.parts, "Observation": PartState.FAILED}
    failed = read(replace(reading.record, parts=parts), ADVISOR, TODAY)
    after = then(failed, answer("disease_response", row=1, value="stable"))
    assert after.facts.disease_response.gap is not None
    assert after.facts.disease_response.gap.kind == "unreadable"


def test_answers_can_be_added_to_answers() -> None:
    reading = sample(CODES_ONLY)
    first = fill(reading, answer("ki67_percent", low="4", tissue="liver"))
    second = fill(reading, answer("liver_resectability", value="unresectable"))
    record = with_answers(with_answers(reading.record, first), second)
    facts = read(record, ADVISOR, TODAY).facts
    assert facts.ki67_percent.value is not None
    assert facts.liver_resectability.value is not None


def test_what_was_written_back_is_still_known_as_attested() -> None:
    answers = fill(reading_of(*BARE), answer("ki67_percent", low="4", tissue="liver"))
    (record,) = read_file(bundle(patient(), *BARE, *answers.findings))
    assert attested_in(record) == answers.references


def test_a_tag_of_another_system_attests_nothing() -> None:
    tagged = ki67(4, id="k", meta={"tag": [{"system": "urn:x", "code": "attested"}]})
    quoted = ki67(4, id="q", note=[{"text": "urn:milan-net:codesystem:provenance"}])
    (record,) = read_file(bundle(patient(), *BARE, tagged, quoted))
    assert attested_in(record) == frozenset()
