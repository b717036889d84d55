"""The resources behind an answer are shown as they were recorded, with what was read marked in them."""

import json
from dataclasses import replace
from typing import Any

import pytest

from cds_service.web.evidence import LONGEST_RESOURCE, LONGEST_TEXT, Evidences, find, recorded
from fhir_mappings.facts import Discarded, Evidence
from tests.hooks.test_text import HOSTILE
from tests.web.pages import record_of

PATIENT = {"resourceType": "Patient", "id": "p"}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "code": {"coding": [{"system": "http://loinc.org", "code": "29593-1"}]},
    "component": [{"valueString": "a"}, {"valueQuantity": {"value": 2}}],
    "extension": [{"url": "urn:x:first"}, {"url": "urn:x:second", "valueCode": "y"}],
    "valueQuantity": {"value": 12, "unit": "%"},
}


def shown(resource: Any, *elements: str) -> tuple[str, list[str]]:
    """The whole text and the marked parts."""
    pieces = recorded(json.dumps(resource).encode(), elements).pieces
    return "".join(piece.text for piece in pieces), [piece.text for piece in pieces if piece.read]


@pytest.mark.parametrize(
    ("element", "path"),
    [
        ("code", ("code",)),
        ("valueQuantity", ("valueQuantity",)),
        ("value", ("valueQuantity",)),
        ("component[1].valueQuantity", ("component", 1, "valueQuantity")),
        ("component[1].value", ("component", 1, "valueQuantity")),
        ("component[2].valueQuantity", ("component",)),
        ("extension[second]", ("extension", 1)),
        ("extension[third]", ("extension",)),
        ("code[0]", ("code",)),
        ("nothing", ()),
        ("co", ()),
        ("", ()),
    ],
)
def test_an_element_is_found_as_far_as_it_is_there(element: str, path: tuple[str | int, ...]) -> None:
    assert find(OBSERVATION, element) == path


def test_a_resource_reads_back_as_what_it_was() -> None:
    for elements in ((), ("valueQuantity",), ("component[1].valueQuantity", "code"), ("nothing",)):
        assert json.loads(shown(OBSERVATION, *elements)[0]) == OBSERVATION


def test_only_the_element_that_was_read_is_marked_with_its_name() -> None:
    assert shown(OBSERVATION, "valueQuantity")[1] == ['"valueQuantity": {"value": 12, "unit": "%"}']
    assert shown(OBSERVATION, "component[1].value")[1] == ['"valueQuantity": {"value": 2}']
    assert shown(OBSERVATION)[1] == []


def test_a_number_is_shown_as_it_was_written() -> None:
    text = "".join(piece.text for piece in recorded(b'{"a": 2.50, "b": 1e2, "c": 10.0}').pieces)
    assert text == '{"a": 2.50, "b": 1e2, "c": 10.0}'


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_reads_back_and_holds_nothing_that_cannot_be_seen(text: str) -> None:
    found, _ = shown({"resourceType": "Observation", "note": text})
    assert json.loads(found)["note"] == text
    assert found.replace("\n", "").isprintable()


def test_a_half_of_a_surrogate_pair_is_shown_as_its_escape() -> None:
    (piece,) = recorded(b'{"a": "\\ud800"}').pieces
    assert piece.text == '{"a": "\\ud800"}'


def test_a_long_text_is_cut_and_says_so() -> None:
    kept = recorded(json.dumps({"a": "x" * LONGEST_TEXT}).encode())
    cut = recorded(json.dumps({"a": "x" * (LONGEST_TEXT + 1)}).encode())
    assert kept.note == ""
    assert cut.note
    assert f"({LONGEST_TEXT + 1} characters)" in cut.pieces[0].text


def test_of_a_long_resource_what_was_read_is_shown_though_it_stands_at_the_end() -> None:
    resource = {"many": [{"x": index} for index in range(20_000)], "valueString": "read"}
    found = recorded(json.dumps(resource).encode(), ["valueString"])
    assert found.note
    assert [piece.text for piece in found.pieces if piece.read] == ['"valueString": "read"']
    assert sum(len(piece.text) for piece in found.pieces) < LONGEST_RESOURCE + 100


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_what_is_no_json_is_said_to_be_unshowable(data: bytes) -> None:
    assert recorded(data).pieces == ()
    assert recorded(data).note


def test_a_resource_that_is_used_twice_is_shown_once_with_both_quotes() -> None:
    record = record_of(PATIENT, OBSERVATION)
    items = [Evidence("Observation/o", "code"), Evidence("Observation/o", "valueQuantity", value="12 %")]
    (source,) = Evidences(record).used([*items, items[0]])
    assert [quote.element for quote in source.quotes] == ["code", "valueQuantity"]
    assert len(source.recorded) == 1


def test_a_resource_that_was_sent_twice_alike_is_shown_once_and_versions_are_all_shown() -> None:
    other = OBSERVATION | {"status": "final"}
    twice = record_of(PATIENT, OBSERVATION, OBSERVATION)
    versions = record_of(PATIENT, OBSERVATION, other)
    item = Evidence("Observation/o", "code")
    assert [len(Evidences(record).used([item])[0].recorded) for record in (twice, versions)] == [1, 2]


def test_a_resource_that_did_not_arrive_is_named_without_content() -> None:
    (source,) = Evidences(record_of(PATIENT)).used([Evidence("Observation/gone", "code")])
    assert source.recorded == ()


def test_a_resource_of_another_patient_is_not_shown() -> None:
    stray = OBSERVATION | {"subject": {"reference": "Patient/other"}}
    (entry,) = [
        item for item in record_of(PATIENT | {"id": "other"}, stray).entries if item.type != "Patient"
    ]
    record = record_of(PATIENT)
    mixed = replace(record, entries=(*record.entries, entry))
    (source,) = Evidences(mixed).used([Evidence("Observation/o", "code")])
    assert source.recorded == ()


def test_what_was_set_aside_carries_its_reason() -> None:
    item = Discarded(Evidence("Observation/o", "valueQuantity", value="3 %"), "older")
    (source,) = Evidences(record_of(PATIENT, OBSERVATION)).discarded([item])
    assert [(quote.said, quote.reason) for quote in source.quotes] == [("3 %", "older")]


def test_what_a_user_typed_is_marked_and_what_was_recorded_is_not() -> None:
    evidences = Evidences(record_of(PATIENT, OBSERVATION), frozenset({"Observation/o"}))
    typed, other = evidences.used([Evidence("Observation/o", "code"), Evidence("Patient/p", "birthDate")])
    assert (typed.attested, other.attested) == (True, False)
