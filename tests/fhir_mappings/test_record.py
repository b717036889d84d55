"""Bytes become one record per patient; how much arrived is kept, and a mistake is named without repeating a value."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fhir_mappings.bundle import PartState
from fhir_mappings.nodes import Entry, PrefetchValue
from fhir_mappings.prefetch import read_prefetch
from fhir_mappings.record import PARTS, PatientRecord, RecordError, read_file

Json = dict[str, Any]
BOM = b"\xef\xbb\xbf"
KEYS = tuple(PARTS)


def patient(name: str = "p1", **more: Any) -> Json:
    return {"resourceType": "Patient", "id": name, "birthDate": "1970-01-01", **more}


def observation(name: str, subject: Any = "Patient/p1", **more: Any) -> Json:
    given = {"reference": subject} if isinstance(subject, str) else subject
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"text": "x"},
        "subject": given,
        **more,
    }


def bundle(*resources: Json | None, kind: str = "collection", **more: Any) -> Json:
    entries = [{"resource": resource} if resource is not None else {} for resource in resources]
    return {"resourceType": "Bundle", "type": kind, "entry": entries, **more}


def outcome(*severities: Any) -> Json:
    issue = [{"severity": severity, "code": "processing", "diagnostics": "CANARY"} for severity in severities]
    return {"resourceType": "OperationOutcome", "issue": issue}


def dumped(*documents: Any) -> bytes:
    return b"\n".join(json.dumps(document).encode() for document in documents)


def records(*documents: Any) -> list[PatientRecord]:
    return read_file(dumped(*documents))


def own(record: PatientRecord) -> list[str]:
    return [entry.reference for entry in record.entries if record.is_own(entry)]


def content(record: PatientRecord, entry: Entry) -> Any:
    return json.loads(record.source(entry))


# --- files ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["collection", "searchset", "batch", "document", "history"])
def test_a_bundle_of_any_type_is_the_record_of_its_patient(kind: str):
    [record] = records(bundle(patient(), observation("a"), observation("b"), kind=kind))
    assert record.patient == "Patient/p1"
    assert own(record) == ["Patient/p1", "Observation/a", "Observation/b"]
    assert record.is_complete
    assert [content(record, entry)["id"] for entry in record.entries] == ["p1", "a", "b"]


def test_a_transaction_refers_to_its_patient_by_a_urn():
    urn = "urn:uuid:11111111-1111-1111-1111-111111111111"
    given = bundle(patient(), observation("a", urn), observation("b", "urn:uuid:0"), kind="transaction")
    given["entry"][0]["fullUrl"] = urn
    given["entry"][1]["request"] = {"method": "POST", "url": "Observation"}
    given["entry"].append({"request": {"method": "DELETE", "url": "Observation/c"}})
    record = records(given)[0]
    assert (record.patient, own(record)) == ("Patient/p1", ["Patient/p1", "Observation/a"])


def test_a_single_resource_is_a_record_of_one():
    [record] = records(patient())
    assert (record.patient, own(record), record.is_complete) == ("Patient/p1", ["Patient/p1"], True)
    [record] = records(observation("a"))
    assert (record.patient, own(record)) == ("Patient/p1", ["Observation/a"])
    assert content(record, record.entries[0]) == observation("a")


def test_a_bundle_with_a_single_object_for_its_entries_holds_one():
    given = bundle(patient())
    given["entry"] = given["entry"][0]
    [record] = records(given)
    assert content(record, record.entries[0]) == patient()


def test_an_older_resource_may_name_its_patient_in_patient():
    given = observation("a")
    given["patient"] = given.pop("subject")
    assert own(records(bundle(given))[0]) == ["Observation/a"]


@pytest.mark.parametrize("line_break", [b"\n", b"\r\n", b"\n\n  \n", b"\r\n \r\n"])
@pytest.mark.parametrize("start", [b"", BOM, BOM + b"\n\n", b"\n \r\n"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n\r\n"])
def test_ndjson_is_read_with_blank_lines_byte_order_mark_and_any_line_break(
    start: bytes, line_break: bytes, end: bytes
):
    lines = [dumped(item) for item in (patient(), observation("a"), observation("b"))]
    [record] = read_file(start + line_break.join(lines) + end)
    assert own(record) == ["Patient/p1", "Observation/a", "Observation/b"]
    assert [content(record, entry)["id"] for entry in record.entries] == ["p1", "a", "b"]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_bundle_may_start_with_a_byte_order_mark_and_end_with_a_line_break(indent: int | None):
    given = json.dumps(bundle(patient(), observation("a")), indent=indent).encode()
    [record] = read_file(BOM + given + b"\r\n")
    assert own(record) == ["Patient/p1", "Observation/a"]
    assert content(record, record.entries[1]) == observation("a")


def test_two_patients_are_two_records_that_do_not_mix():
    given = [patient("p1"), patient("p2"), observation("a", "Patient/p2"), observation("b", "Patient/p1")]
    for found in (records(bundle(*given)), records(*given)):
        assert {record.patient: sorted(own(record)) for record in found} == {
            "Patient/p1": ["Observation/b", "Patient/p1"],
            "Patient/p2": ["Observation/a", "Patient/p2"],
        }


def test_what_names_nobody_belongs_to_the_only_patient_but_to_none_of_two():
    ownerless = {"resourceType": "Specimen", "id": "s"}
    assert own(records(bundle(patient(), ownerless))[0]) == ["Patient/p1", "Specimen/s"]
    for record in records(bundle(patient("p1"), patient("p2"), ownerless)):
        assert "Specimen/s" not in own(record)


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        " Patient/p1 ",
        "Patient/p1/_history/3",
        "https://ehr.example/fhir/Patient/p1",
        "http://ehr.example/r4/Patient/p1/_history/12",
    ],
)
def test_a_subject_may_be_written_absolute_and_versioned(reference: str):
    record = read_prefetch(*prefetched(observations=bundle(observation("a", reference))), "p1")
    assert own(record) == ["Observation/a"]


@pytest.mark.parametrize(
    "reference",
    [
        *("Patient/p2", "Patient/p11", "Patient/P1", "https://ehr.example/fhir/Patient/p2"),
        *("urn:uuid:0", "Patient/p2/_history/p1"),
    ],
)
def test_another_patients_resource_is_left_out(reference: str):
    record = read_prefetch(
        *prefetched(observations=bundle(observation("a", reference), observation("b"))), "p1"
    )
    assert own(record) == ["Observation/b"]
    assert len(record.entries) - len(own(record)) in (0, 1)


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1/x",
        "Patient/p1/",
        "patient/p1",
        "Patient/p1?x=1",
        "Group/p1",
        "Practitioner/p1",
        "NotPatient/p1",
        "#p1",
    ],
)
def test_a_subject_that_cannot_be_read_hides_whose_the_resource_is(reference: str):
    record = read_prefetch(*prefetched(observations=bundle(observation("a", reference))), "p1")
    assert own(record) == ["Observation/a"]
    assert [record.hides_owner(entry) for entry in record.entries if entry.type == "Observation"] == [True]


def test_a_resource_is_named_by_its_id_or_else_by_its_place():
    nameless = observation("a")
    del nameless["id"]
    [record] = records(bundle(patient(), nameless, {**nameless, "id": 5}, {**nameless, "id": ""}))
    assert [entry.reference for entry in record.entries[1:]] == [
        *("Observation/(no id, no. 2)", "Observation/(no id, no. 3)", "Observation/(no id, no. 4)"),
    ]


# --- what is no record ------------------------------------------------------------------------------------------------

CANARY = "CANARY"


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "not JSON"),
        (BOM, "not JSON"),
        (b" \n ", "not JSON"),
        (b"<html>CANARY</html>", "not JSON"),
        (b"CANARY\nCANARY", "not JSON"),
        (b'{"resourceType": "Patient", "id": "CANARY"', "not JSON"),
        (b'{"resourceType": "Patient", "id": NaN, "CANARY": 1}', "not JSON"),
        (b'{"resourceType": "Patient", "id": Infinity, "CANARY": 1}', "not JSON"),
        (b'{"resourceType": "Patient", "id": "CANARY\\ud800"}', "not JSON"),
        (b'{"resourceType": "Patient", "id": "CANARY\xff"}', "not JSON"),
        (b'{"resourceType": "Patient", "id": "CANARY"} CANARY', "not JSON"),
        (b'{"resourceType": "Patient", "id": "a"}\n{"CANARY": ', "not JSON (at line 2)"),
        (b'{"resourceType": "Patient", "id": "a"}\n\n["CANARY"]', "not a FHIR resource (at line 2)"),
        (b"null", "not a FHIR resource"),
        (b'"CANARY"', "not a FHIR resource"),
        (b'[{"resourceType": "CANARY"}]', "not a FHIR resource"),
        (b"{}", "no FHIR resource: resourceType is missing"),
        (b'{"resourceType": ["CANARY"]}', "no FHIR resource: resourceType is missing"),
        (b'{"resourceType": "Patient", "name": "CANARY"}', "the Patient has no id"),
    ],
)
def test_bytes_that_hold_no_record_are_named_without_repeating_them(data: bytes, problem: str):
    with pytest.raises(RecordError) as caught:
        read_file(data)
    assert str(caught.value) == problem
    assert CANARY not in repr((caught.value.args, caught.value.problem, caught.value.path))
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    "document",
    [
        bundle(),
        {"resourceType": "Bundle"},
        bundle(None, None),
        bundle({"resourceType": "Medication", "id": CANARY, "subject": {"display": CANARY}}),
        bundle(patient(""), {"resourceType": "CANARY"}) | {"entry": "CANARY"},
        {"resourceType": "Medication", "id": CANARY},
    ],
)
def test_a_record_of_nobody_is_an_error(document: Json):
    with pytest.raises(RecordError, match="no patient"):
        records(document)


def test_the_place_of_a_mistake_stands_in_the_error():
    error = RecordError("not JSON", "line 3")
    assert (str(error), error.problem, error.path) == ("not JSON (at line 3)", "not JSON", "line 3")
    assert (str(RecordError("not JSON")), RecordError("not JSON").path) == ("not JSON", "$")


@pytest.mark.parametrize("depth", [2_000, 200_000])
@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}"), (b'{"extension":[', b"]}")])
def test_a_bomb_of_brackets_is_an_error_and_no_crash(opening: bytes, closing: bytes, depth: int):
    inner = b'{"resourceType": "Patient", "id": "p1", "a": %b}' % (opening * depth + b"1" + closing * depth)
    for data in (opening * depth, opening * depth + b"1" + closing * depth, inner, inner + b"\n" + inner):
        with pytest.raises(RecordError):
            read_file(data)


def test_a_page_of_a_search_does_not_say_what_the_next_page_holds():
    given = bundle(
        patient(), observation("a"), kind="searchset", link=[{"relation": "next", "url": "CANARY"}]
    )
    [record] = records(given)
    assert record.state_of("Observation") is PartState.TRUNCATED
    assert not record.is_complete
    given["link"] = [{"relation": "self", "url": "x"}]
    assert records(given)[0].is_complete


# --- any document at all ----------------------------------------------------------------------------------------------

NAMES = [
    "resourceType",
    "id",
    "entry",
    "resource",
    "subject",
    "patient",
    "reference",
    "fullUrl",
    "link",
    "relation",
]
WORDS = [
    "Bundle",
    "Patient",
    "Observation",
    "OperationOutcome",
    "p1",
    "Patient/p1",
    "next",
    "error",
    "urn:uuid:1",
]
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*NAMES, "code", "coding", "issue", "severity", "extension"]), inner, max_size=5
        )
    ),
    max_leaves=25,
)


def consistent(record: PatientRecord) -> bool:
    """Whether everything that a reader may ask of a record has an answer."""
    contents = [content(record, entry) for entry in record.entries]
    names = [(entry.reference, entry.type, record.is_own(entry)) for entry in record.entries]
    return len(contents) == len(names) and all(isinstance(item, dict) for item in contents)


def refused(data: bytes) -> RecordError | None:
    """The error for bytes that hold no record; any other error is a bug."""
    try:
        assert all(map(consistent, read_file(data)))
    except RecordError as error:
        return error
    return None


@settings(deadline=None)
@given(DOCUMENTS)
@example({"resourceType": "Bundle", "entry": [{"resource": {"resourceType": ["Patient"], "id": "p1"}}]})
@example({"resourceType": "Bundle", "entry": {"resource": {"resourceType": "Patient", "id": "p1"}}})
@example(
    {
        "resourceType": "Bundle",
        "entry": [5, None, "x", {"resource": [1]}, {"resource": {"id": 1, "subject": 2}}],
    }
)
def test_no_document_is_more_than_a_record_error(document: Any):
    error = refused(json.dumps(document).encode())
    assert error is None or len(str(error)) < 100


@settings(deadline=None)
@given(st.binary(max_size=60) | st.text(max_size=40).map(lambda text: text.encode("utf-8", "replace")))
def test_no_bytes_are_more_than_a_record_error(data: bytes):
    error = refused(data)
    assert error is None or len(str(error)) < 100


# --- prefetch ---------------------------------------------------------------------------------------------------------


class Body(msgspec.Struct):
    """The part of a hook request that matters here."""

    prefetch: dict[str, PrefetchValue] | None = None


def prefetched(**parts: Any) -> tuple[dict[str, PrefetchValue] | None, bytes]:
    body = dumped({"hook": "patient-view", "prefetch": parts})
    return msgspec.json.decode(body, type=Body).prefetch, body


NEXT = [{"relation": "self", "url": "a"}, {"relation": "next", "url": "b"}]
NOTE = {"resource": outcome("warning"), "search": {"mode": "outcome"}}
MINE = observation("a")


@pytest.mark.parametrize(
    ("value", "state", "found"),
    [
        pytest.param(None, PartState.COMPLETE, [], id="null: asked for, and there is none"),
        pytest.param(bundle(), PartState.COMPLETE, [], id="an empty Bundle"),
        pytest.param(
            {"resourceType": "Bundle", "total": 0}, PartState.COMPLETE, [], id="a Bundle of total 0"
        ),
        pytest.param({"resourceType": "Bundle", "entry": None}, PartState.COMPLETE, [], id="entries of null"),
        pytest.param(bundle(MINE), PartState.COMPLETE, ["Observation/a"], id="a Bundle"),
        pytest.param(
            bundle(MINE, None), PartState.TRUNCATED, ["Observation/a"], id="an entry without a resource"
        ),
        pytest.param(
            bundle(MINE) | {"entry": {"resource": MINE}},
            PartState.COMPLETE,
            ["Observation/a"],
            id="one entry, no list",
        ),
        pytest.param(MINE, PartState.COMPLETE, ["Observation/a"], id="a single resource"),
        pytest.param(bundle(link=NEXT), PartState.TRUNCATED, [], id="a next page after an empty one"),
        pytest.param(bundle(MINE, link=NEXT), PartState.TRUNCATED, ["Observation/a"], id="a next page"),
        pytest.param(
            bundle(MINE, link=NEXT[1]), PartState.TRUNCATED, ["Observation/a"], id="a next page, no list"
        ),
        pytest.param(
            bundle(MINE, link=NEXT[:1]), PartState.COMPLETE, ["Observation/a"], id="a link to itself"
        ),
        pytest.param(outcome("error"), PartState.FAILED, [], id="an OperationOutcome"),
        pytest.param(
            outcome("information"), PartState.FAILED, [], id="an OperationOutcome, whatever its severity"
        ),
        pytest.param(
            bundle(outcome("fatal"), MINE), PartState.FAILED, [], id="a fatal outcome in the Bundle"
        ),
        pytest.param(
            bundle(MINE, outcome("warning", "error")), PartState.FAILED, [], id="an error beside a warning"
        ),
        pytest.param(
            bundle(MINE, outcome()), PartState.FAILED, [], id="an outcome that does not say how bad"
        ),
        pytest.param(
            bundle(MINE, outcome("Information")),
            PartState.FAILED,
            [],
            id="a severity that FHIR does not know",
        ),
        pytest.param(bundle(MINE, outcome(None)), PartState.FAILED, [], id="a severity of null"),
        pytest.param("<html>502</html>", PartState.FAILED, [], id="a page of HTML"),
        pytest.param([], PartState.FAILED, [], id="a list"),
        pytest.param([MINE], PartState.FAILED, [], id="a list of resources"),
        pytest.param(5, PartState.FAILED, [], id="a number"),
        pytest.param(False, PartState.FAILED, [], id="a boolean"),
        pytest.param({}, PartState.FAILED, [], id="an object without a type"),
        pytest.param({"resourceType": ["Observation"]}, PartState.FAILED, [], id="a type in a list"),
        pytest.param(patient(), PartState.FAILED, [], id="a resource of another type"),
        pytest.param(bundle() | {"entry": "x"}, PartState.FAILED, [], id="entries of text"),
        pytest.param(bundle() | {"entry": 5}, PartState.FAILED, [], id="entries of a number"),
    ],
)
def test_what_came_for_a_key_is_complete_truncated_or_failed(value: Any, state: PartState, found: list[str]):
    record = read_prefetch(*prefetched(observations=value), "p1")
    assert record.state_of("Observation") is state
    assert own(record) == found
    assert all(content(record, entry) == MINE for entry in record.entries)


def test_outcomes_of_a_search_that_are_only_warnings_mean_that_there_is_nothing():
    given = {"resourceType": "Bundle", "type": "searchset", "entry": [NOTE]}
    record = read_prefetch(*prefetched(conditions=given), "p1")
    assert record.state_of("Condition") is PartState.COMPLETE
    assert {entry.type for entry in record.entries} <= {"OperationOutcome"}


def searched(*entries: Any, **more: Any) -> Json:
    return {"resourceType": "Bundle", "type": "searchset", "entry": list(entries), **more}


MATCH = {"resource": MINE, "search": {"mode": "match"}}
UNSAID = {"resource": MINE}
INCLUDED = {"resource": {"resourceType": "Practitioner", "id": "x"}, "search": {"mode": "include"}}
INCLUDED_UNSAID = {"resource": {"resourceType": "Practitioner", "id": "x"}}
INCLUDED_OF_THE_TYPE = {"resource": observation("b"), "search": {"mode": "include"}}


@pytest.mark.parametrize(
    ("entries", "total", "state"),
    [
        ([], 0, PartState.COMPLETE),
        ([], 1, PartState.TRUNCATED),
        ([MATCH], 0, PartState.COMPLETE),
        ([MATCH], 1, PartState.COMPLETE),
        ([MATCH], 2, PartState.TRUNCATED),
        ([UNSAID], 1, PartState.COMPLETE),
        ([UNSAID], 2, PartState.TRUNCATED),
        ([MATCH, INCLUDED], 1, PartState.COMPLETE),
        ([MATCH, INCLUDED], 2, PartState.TRUNCATED),
        ([MATCH, INCLUDED_OF_THE_TYPE], 2, PartState.TRUNCATED),
        ([UNSAID, INCLUDED_UNSAID], 2, PartState.TRUNCATED),
        ([MATCH, INCLUDED_UNSAID], 1, PartState.COMPLETE),
        ([MATCH, NOTE], 1, PartState.COMPLETE),
        ([MATCH, NOTE], 2, PartState.TRUNCATED),
        ([MATCH], 1.5, PartState.TRUNCATED),
        ([MATCH], " 2 ", PartState.TRUNCATED),
        ([MATCH], "1", PartState.COMPLETE),
        ([MATCH], "many", PartState.COMPLETE),
        ([MATCH], -1, PartState.COMPLETE),
        ([MATCH], None, PartState.COMPLETE),
        ([], True, PartState.COMPLETE),
        ([MATCH], [5], PartState.COMPLETE),
        ([MATCH], 10**400, PartState.TRUNCATED),
    ],
)
def test_a_total_above_the_matches_says_that_some_are_missing_and_any_other_says_nothing(
    entries: list[Json], total: Any, state: PartState
):
    record = read_prefetch(*prefetched(observations=searched(*entries, total=total)), "p1")
    assert record.state_of("Observation") is state


def test_a_total_without_entries_says_that_they_are_missing():
    given = {"resourceType": "Bundle", "type": "searchset", "total": 3}
    assert read_prefetch(*prefetched(conditions=given), "p1").state_of("Condition") is PartState.TRUNCATED


def test_a_file_whose_total_is_larger_than_its_matches_is_no_whole_record():
    given = bundle(observation("a"), observation("b"), kind="searchset", total=3)
    assert records(given)[0].state_of("Observation") is PartState.TRUNCATED
    assert records(given | {"total": 2})[0].is_complete


def told(code: str, severity: str = "warning", **more: Any) -> Json:
    issue = {"severity": severity, "code": code, **more}
    found = {"resourceType": "OperationOutcome", "issue": [issue]}
    return {"resource": found, "search": {"mode": "outcome"}}


EPIC = "urn:oid:1.2.840.114350.1.13.0.1.7.2.657369"


def detail(code: str, display: str) -> Json:
    return {"details": {"coding": [{"system": EPIC, "code": code, "display": display}], "text": display}}


@pytest.mark.parametrize(
    "note",
    [
        *(told(code) for code in ("incomplete", "too-costly", "security", "suppressed", "forbidden")),
        *(told(code) for code in ("timeout", "throttled", "transient", " Incomplete ")),
        told("suppressed", "information"),
        told("result-truncated"),
        told("processing", details={"text": "The result was truncated."}),
        told("processing", details={"text": "Results are INCOMPLETE"}),
        told("processing", details={"coding": {"code": "x", "display": "Too costly"}}),
        told("processing", diagnostics="Output limited to 500 rows"),
        told("processing", details={"coding": [None, 5, {"code": "suppressed"}]}),
        told("processing", **detail("59204", "The client is not authorized: results will not be returned.")),
    ],
    ids=repr,
)
def test_an_outcome_that_says_that_not_everything_came_makes_a_part_truncated(note: Json):
    for entries in ([note], [MATCH, note], [MATCH, told("informational", "information"), note]):
        record = read_prefetch(*prefetched(observations=searched(*entries)), "p1")
        assert record.state_of("Observation") is PartState.TRUNCATED
        assert ("Observation/a" in own(record)) is (MATCH in entries)


@pytest.mark.parametrize(
    "note",
    [
        told("processing", **detail("4101", "Resource request returns no results.")),
        told("not-found"),
        told("informational", "information", details=5),
        told("processing", details={"coding": 5, "text": ["truncated"]}, diagnostics=None),
    ],
    ids=repr,
)
def test_a_plain_warning_that_nothing_was_found_is_an_empty_and_whole_part(note: Json):
    for more in ({"total": 0}, {}):
        record = read_prefetch(*prefetched(conditions=searched(note, **more)), "p1")
        assert record.state_of("Condition") is PartState.COMPLETE


@pytest.mark.parametrize(
    "given", [{}, {"unknown": None}, {"OBSERVATIONS": bundle(MINE), "resourceType": "Bundle"}]
)
def test_a_key_that_is_absent_was_not_sent(given: Json):
    record = read_prefetch(*prefetched(**given), "p1")
    assert [record.state_of(kind) for kind in PARTS.values()] == [PartState.NOT_SENT] * len(KEYS)
    assert (record.entries, record.is_complete) == ((), False)


def test_a_request_without_prefetch_sent_nothing():
    record = read_prefetch(None, b"{}", "p1")
    assert set(map(record.state_of, PARTS.values())) == {PartState.NOT_SENT}


def test_a_record_is_complete_when_every_part_is():
    whole = dict.fromkeys(KEYS)
    assert read_prefetch(*prefetched(**whole), "p1").is_complete
    for key in KEYS:
        rest = {name: None for name in KEYS if name != key}
        assert not read_prefetch(*prefetched(**rest), "p1").is_complete
        assert not read_prefetch(*prefetched(**{**whole, key: outcome("error")}), "p1").is_complete
        assert not read_prefetch(*prefetched(**{**whole, key: bundle(link=NEXT)}), "p1").is_complete


def test_the_failure_of_one_part_costs_the_others_nothing():
    given = {"patient": patient(), "conditions": "<html>", "procedures": [], "observations": bundle(MINE)}
    record = read_prefetch(*prefetched(**given), "p1")
    assert own(record) == ["Patient/p1", "Observation/a"]
    assert [content(record, entry) for entry in record.entries] == [patient(), MINE]


def test_the_wrong_patient_is_no_patient():
    assert read_prefetch(*prefetched(patient=patient("p2")), "p1").state_of("Patient") is PartState.FAILED
    assert (
        read_prefetch(*prefetched(patient={"resourceType": "Patient"}), "p1").state_of("Patient")
        is PartState.FAILED
    )
    record = read_prefetch(*prefetched(patient=bundle(patient("p2"), patient("p1"))), "p1")
    assert own(record) == ["Patient/p1"]


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), DOCUMENTS, max_size=3))
def test_no_prefetch_is_an_error(parts: Json):
    plain = msgspec.json.decode(msgspec.json.encode(parts))  # NaN is no JSON
    decoded, body = prefetched(**plain)
    assert consistent(read_prefetch(decoded, body, "p1"))


@pytest.mark.parametrize(("link", "whole"), [([], True), (NEXT, False)])
def test_the_answer_to_a_batch_is_opened_and_each_bundle_in_it_judged_by_itself(
    link: Any, *, whole: bool
) -> None:
    inner = searched({"resource": observation("a")}, {"resource": observation("b")}, total=2, link=link)
    outer = {
        "resourceType": "Bundle",
        "type": "batch-response",
        "entry": [{"resource": patient("p1")}, {"resource": inner}],
    }
    (record,) = read_file(json.dumps(outer).encode())
    assert [entry.reference for entry in record.entries] == ["Patient/p1", "Observation/a", "Observation/b"]
    assert [json.loads(record.source(entry))["id"] for entry in record.entries] == ["p1", "a", "b"]
    assert (record.state_of("Observation") is PartState.COMPLETE) is whole


@pytest.mark.parametrize(
    ("response", "whole"),
    [
        ({"status": "201 Created", "location": "Observation/x/_history/1"}, True),
        ({"status": "299", "location": "Observation/x"}, True),
        ({"status": "204 No Content"}, True),
        ({"status": "200 OK"}, False),  # to a search it would have brought something
        ({"status": "304", "location": "Observation/x"}, False),
        ({"status": "404 Not Found", "location": "Observation/x"}, False),
        ({"status": 204}, False),
        ({"location": "Observation/x"}, False),
        ("204", False),
        (None, False),
    ],
    ids=repr,
)
def test_of_entries_without_a_resource_only_the_answer_to_a_write_leaves_the_file_whole(
    response: Any, *, whole: bool
) -> None:
    entries = [{"resource": patient("p1")}, {"response": response}]
    answer = {"resourceType": "Bundle", "type": "batch-response", "entry": entries}
    (record,) = read_file(json.dumps(answer).encode())
    assert (record.state_of("Observation") is PartState.COMPLETE) is whole
