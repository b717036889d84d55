"""A prefetch that did not bring everything: what is asked for, and what the answers make of the record."""

import json
from typing import Any

import msgspec
import pytest

from fhir_mappings.bundle import PartState
from fhir_mappings.nodes import PrefetchValue
from fhir_mappings.prefetch import Fetched, read_prefetch, unsent
from fhir_mappings.record import PARTS, PatientRecord

Json = dict[str, Any]
NEXT = [{"relation": "next", "url": "https://ehr.example.org/R4/Condition?page=2"}]


def condition(identifier: str | None, **members: Any) -> Json:
    """A Condition of the patient."""
    given = {"id": identifier} if identifier else {}
    return {"resourceType": "Condition", **given, "subject": {"reference": "Patient/p1"}, **members}


def searched(*resources: Json, **members: Any) -> Json:
    """A searchset Bundle."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": item} for item in resources],
        **members,
    }


def read(prefetch: Json | None, aliases: Any = None, fetched: Any = None, added: Any = None) -> PatientRecord:
    body = json.dumps({"prefetch": prefetch} if prefetch is not None else {}).encode()
    decoded = (
        msgspec.json.decode(json.dumps(prefetch), type=dict[str, PrefetchValue])
        if prefetch is not None
        else None
    )
    pages = {
        key: Fetched(tuple(json.dumps(page).encode() for page in found), state)
        for key, (found, state) in (fetched or {}).items()
    }
    extra = {key: json.dumps(value).encode() for key, value in (added or {}).items()}
    record = read_prefetch(decoded, body, "p1", aliases=aliases or {}, fetched=pages, added=extra)
    for entry in record.entries:  # the bytes of every resource are its own
        assert json.loads(record.source(entry))["resourceType"] == entry.type
        assert json.loads(record.source(entry)).get("id") == entry.node.id
    return record


def decoded(prefetch: Json) -> dict[str, PrefetchValue]:
    return msgspec.json.decode(json.dumps(prefetch), type=dict[str, PrefetchValue])


def references(record: PatientRecord) -> list[str]:
    return [entry.reference for entry in record.entries]


# --- what is asked for ------------------------------------------------------------------------------------------------


def test_every_part_that_was_not_sent_is_asked_for() -> None:
    assert unsent(None, {}) == dict.fromkeys(PARTS)
    assert set(unsent(decoded({"patient": None, "conditions": searched()}), {})) == set(PARTS) - {
        "patient",
        "conditions",
    }


@pytest.mark.parametrize(
    "value",
    [
        None,
        searched(),
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]},
        "<html>",
        searched(total=3),
    ],
)
def test_what_was_answered_is_not_asked_again(value: Any) -> None:
    assert "conditions" not in unsent(decoded({"conditions": value}), {})


def test_of_a_page_the_next_one_is_asked_for() -> None:
    assert unsent(decoded({"conditions": searched(link=NEXT)}), {})["conditions"] == NEXT[0]["url"]


def test_a_next_link_without_an_address_cannot_be_followed() -> None:
    assert "conditions" not in unsent(decoded({"conditions": searched(link=[{"relation": "next"}])}), {})


def test_a_part_of_several_rows_is_asked_for_whole_when_one_is_missing() -> None:
    aliases = {"conditions": ("problems", "diagnoses")}
    assert unsent(decoded({"problems": searched()}), aliases)["conditions"] is None
    assert "conditions" not in unsent(decoded({"problems": searched(), "diagnoses": None}), aliases)


# --- what the answers make of it --------------------------------------------------------------------------------------


def test_what_was_fetched_is_as_good_as_what_was_sent() -> None:
    sent = read({"conditions": searched(condition("c1"), condition("c2"))})
    fetched = read(
        {}, fetched={"conditions": ([searched(condition("c1"), condition("c2"))], PartState.COMPLETE)}
    )
    assert references(fetched) == references(sent) == ["Condition/c1", "Condition/c2"]
    assert fetched.state_of("Condition") is sent.state_of("Condition") is PartState.COMPLETE


def test_the_pages_of_a_search_are_one_answer() -> None:
    pages = [searched(condition("c1"), link=NEXT, total=2), searched(condition("c2"), total=2)]
    record = read({}, fetched={"conditions": (pages, PartState.COMPLETE)})
    assert references(record) == ["Condition/c1", "Condition/c2"]
    assert record.state_of("Condition") is PartState.COMPLETE


def test_fewer_entries_than_the_total_of_all_pages_leave_a_part() -> None:
    pages = [searched(condition("c1"), link=NEXT, total=3), searched(condition("c2"), total=3)]
    record = read({}, fetched={"conditions": (pages, PartState.COMPLETE)})
    assert record.state_of("Condition") is PartState.TRUNCATED


def test_the_rest_of_a_page_that_was_sent_makes_it_whole() -> None:
    sent = {"conditions": searched(condition("c1"), link=NEXT)}
    record = read(sent, fetched={"conditions": ([searched(condition("c2"))], PartState.COMPLETE)})
    assert references(record) == ["Condition/c1", "Condition/c2"]
    assert record.state_of("Condition") is PartState.COMPLETE


@pytest.mark.parametrize("state", [PartState.FAILED, PartState.TRUNCATED])
def test_a_rest_that_cannot_be_had_leaves_what_was_sent_a_part(state: PartState) -> None:
    record = read({"conditions": searched(condition("c1"), link=NEXT)}, fetched={"conditions": ([], state)})
    assert references(record) == ["Condition/c1"]
    assert record.state_of("Condition") is PartState.TRUNCATED


@pytest.mark.parametrize(
    "page", ["<html>", {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}]
)
def test_a_page_that_failed_leaves_the_others_a_part(page: Any) -> None:
    record = read(
        {}, fetched={"conditions": ([searched(condition("c1"), link=NEXT), page], PartState.COMPLETE)}
    )
    assert references(record) == ["Condition/c1"]
    assert record.state_of("Condition") is PartState.TRUNCATED


def test_a_page_of_errors_leaves_the_others_a_part() -> None:
    failed = searched({"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]})
    record = read(
        {}, fetched={"conditions": ([searched(condition("c1"), link=NEXT), failed], PartState.COMPLETE)}
    )
    assert "Condition/c1" in references(record)
    assert record.state_of("Condition") is PartState.TRUNCATED


@pytest.mark.parametrize("answer", [[], ["not FHIR"]])
def test_a_query_that_failed_is_no_answer(answer: list[Any]) -> None:
    record = read({}, fetched={"conditions": (answer, PartState.FAILED)})
    assert record.state_of("Condition") is PartState.FAILED


def test_the_patient_is_read_and_has_to_be_the_one_of_the_context() -> None:
    for identifier, state in (("p1", PartState.COMPLETE), ("p2", PartState.FAILED)):
        patient = {"resourceType": "Patient", "id": identifier}
        record = read({}, fetched={"patient": ([patient], PartState.COMPLETE)})
        assert record.state_of("Patient") is state


def test_resources_without_an_id_keep_names_of_their_own_over_the_pages() -> None:
    pages = [searched(condition(None), condition(None), link=NEXT), searched(condition(None))]
    assert len(set(references(read({}, fetched={"conditions": (pages, PartState.COMPLETE)})))) == 3


# --- names of a site --------------------------------------------------------------------------------------------------


def test_a_part_arrives_under_the_names_of_the_site() -> None:
    record = read(
        {"problems": searched(condition("c1")), "diagnoses": searched(condition("c2"))},
        {"conditions": ("problems", "diagnoses")},
    )
    assert references(record) == ["Condition/c1", "Condition/c2"]
    assert record.state_of("Condition") is PartState.COMPLETE


def test_one_row_of_several_is_a_part() -> None:
    record = read({"problems": searched(condition("c1"))}, {"conditions": ("problems", "diagnoses")})
    assert record.state_of("Condition") is PartState.TRUNCATED
    assert read({}, {"conditions": ("problems",)}).state_of("Condition") is PartState.NOT_SENT


def test_a_row_that_failed_fails_the_part_and_the_others_still_count() -> None:
    given = {"problems": searched(condition("c1")), "diagnoses": {"resourceType": "OperationOutcome"}}
    record = read(given, {"conditions": ("problems", "diagnoses")})
    assert references(record) == ["Condition/c1"]
    assert record.state_of("Condition") is PartState.FAILED


def test_our_own_key_is_enough_where_a_site_has_others() -> None:
    record = read({"conditions": searched(condition("c1"))}, {"conditions": ("problems",)})
    assert record.state_of("Condition") is PartState.COMPLETE


def test_a_missing_row_is_made_good_by_the_whole_query() -> None:
    found = {"conditions": ([searched(condition("c1"), condition("c2"))], PartState.COMPLETE)}
    record = read({"problems": searched(condition("c1"))}, {"conditions": ("problems", "diagnoses")}, found)
    assert record.state_of("Condition") is PartState.COMPLETE
    assert set(references(record)) == {"Condition/c1", "Condition/c2"}


# --- the context ------------------------------------------------------------------------------------------------------


def test_what_is_new_in_the_context_joins_the_record_and_makes_no_part_whole() -> None:
    new = {"entry": [{"resource": condition("new")}]}
    assert references(read({"conditions": searched(condition("c1"))}, added={"conditions": new})) == [
        "Condition/c1",
        "Condition/new",
    ]
    assert read({}, added={"conditions": new}).state_of("Condition") is PartState.NOT_SENT


# --- what looks whole and is not ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("own", [None, searched(), searched(condition("b"))])
def test_rows_under_names_of_the_site_count_beside_the_key_of_the_standard(own: Any) -> None:
    aliases = {"conditions": ("problems", "diagnoses")}
    prefetch = {"conditions": own, "problems": searched(condition("a"))}
    record = read(prefetch, aliases)
    assert "Condition/a" in references(record)
    assert record.state_of("Condition") is PartState.COMPLETE
    assert "conditions" not in unsent(decoded(prefetch), aliases)


def test_a_bundle_within_a_bundle_may_hold_anything() -> None:
    nested = {"resourceType": "Bundle", "type": "batch-response", "entry": [{"resource": searched()}]}
    assert read({"conditions": nested}).state_of("Condition") is PartState.TRUNCATED


@pytest.mark.parametrize(
    ("subjects", "state"),
    [
        (["p2"], PartState.FAILED),
        (["p2", "p3"], PartState.FAILED),
        (["p2", "p1"], PartState.COMPLETE),
        (["p2", None], PartState.COMPLETE),
        ([], PartState.COMPLETE),
    ],
)
def test_an_answer_about_other_patients_only_says_nothing_of_this_one(
    subjects: list[str | None], state: PartState
) -> None:
    found = [
        condition(f"c{number}", subject={"reference": f"Patient/{subject}"} if subject else None)
        for number, subject in enumerate(subjects)
    ]
    assert read({"conditions": searched(*found)}).state_of("Condition") is state
