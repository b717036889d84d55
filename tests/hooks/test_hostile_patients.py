"""Hostile patients: what is another's, of another server, merged, withheld or of no version stands for nobody else."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.bundle import PartState
from fhir_mappings.mapping import read_facts
from fhir_mappings.record import PatientRecord, read_file
from tests.hooks.test_hostile_charts import (
    CLIENT,
    LOINC,
    PATIENT,
    REQUEST,
    SCT,
    SERVICE,
    Json,
    answered,
    bone,
    coded,
    first_with,
    observed,
)
from tests.hooks.test_hostile_days import is_plain

LIVER, ILEUM = coded(SCT, "10200004"), coded(SCT, "34516001")


def percent(value: float) -> Json:
    return {"value": value, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}


def ki67(value: float, **elements: Any) -> Json:
    return observed(LOINC, "29593-1", valueQuantity=percent(value)) | elements


def updated(day: str) -> Json:
    return {"meta": {"lastUpdated": f"{day}T10:00:00Z"}}


def with_entries(key: str, *entries: Json) -> Json:
    """The chart that meets, with more entries of a Bundle: resources, or whole entries with a `resource`."""
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["entry"] += [
        item if "resource" in item else {"resource": item} for item in entries
    ]
    request["prefetch"][key].pop("total", None)
    return request


def of_patients(*copies: Json) -> Json:
    request = copy.deepcopy(REQUEST)
    person = request["prefetch"]["patient"]
    entries = [{"resource": {**person, **more}} for more in copies]
    request["prefetch"]["patient"] = {"resourceType": "Bundle", "entry": entries}
    return request


# --- versions ---------------------------------------------------------------------------------------------------------

ACCESSION = {"identifier": [{"system": "urn:lab", "value": "S26-1"}]}


@pytest.mark.parametrize(
    ("sites", "replaced"),
    [
        ([{"bodySite": LIVER}, {"bodySite": ILEUM}], False),
        ([{"bodySite": {"text": "liver"}}, {"bodySite": {"text": "ileum"}}], False),
        ([{"bodySite": LIVER}, {}], False),
        ([{"specimen": {"display": "block A"}}, {"specimen": {"display": "block B"}}], False),
        ([{"bodySite": LIVER}, {"bodySite": LIVER}], True),
        ([{"bodySite": LIVER}, {"bodySite": LIVER | {"text": "Liver structure"}}], True),
        ([{}, {}], True),
    ],
    ids=repr,
)
def test_only_a_finding_of_the_same_site_and_specimen_is_replaced_by_its_correction(
    sites: list[Json], *, replaced: bool
) -> None:
    first = ki67(21, id="first", **ACCESSION, **updated("2026-10-21"), **sites[0])
    amended = ki67(2, id="amended", status="amended", **ACCESSION, **updated("2026-10-22"), **sites[1])
    for pair in ((first, amended), (amended, first)):
        assert is_plain(answered(with_entries("observations", *pair))) is replaced


def test_a_correction_replaces_nothing_that_does_not_say_when_it_is_of() -> None:
    first = ki67(21, id="first", **ACCESSION)
    amended = ki67(2, id="amended", status="amended", **ACCESSION, **updated("2026-10-22"))
    assert not is_plain(answered(with_entries("observations", first, amended)))


@pytest.mark.parametrize(
    ("first", "second", "plain"),
    [
        ({}, updated("2020-10-22"), False),
        (updated("2020-10-22"), {}, False),
        ({"meta": {"lastUpdated": "last week"}}, updated("2020-10-22"), False),
        (updated("2020-10-23"), updated("2020-10-22"), False),
        (updated("2020-10-21"), updated("2020-10-22"), True),
    ],
    ids=repr,
)
def test_a_copy_that_does_not_say_when_it_is_of_is_not_the_older_one(
    first: Json, second: Json, *, plain: bool
) -> None:
    copies = ki67(21, id="7", **first), ki67(2, id="7", **second)
    assert is_plain(answered(with_entries("observations", *copies))) is plain


def test_a_death_in_a_copy_of_the_patient_without_a_day_of_update_counts() -> None:
    dated = updated("2020-01-01")
    assert answered(of_patients(dated, {"deceasedBoolean": True})) == []
    assert answered(of_patients({**dated, "deceasedBoolean": True}, {})) == []
    [card] = answered(of_patients(dated, {"birthDate": "1970-01-01"}))
    assert "versions of the patient disagree" in card["detail"]
    assert is_plain(answered(of_patients(dated, {})))


@pytest.mark.parametrize(
    ("one", "other", "plain"),
    [
        ("https://a.example/fhir/Observation/7", "https://b.example/fhir/Observation/7", False),
        ("https://a.example/fhir/Observation/7", "https://a.example/test/Observation/7", False),
        ("https://a.example:8443/fhir/Observation/7", "https://a.example/fhir/Observation/7", False),
        ("https://a.example/fhir/Observation/7", "https://a.example/fhir/Observation/7", True),
        ("https://a.example/fhir/Observation/7", "http://A.example:80/fhir/Observation/7/_history/2", True),
        ("https://a.example/fhir/Observation/7", None, True),
        ("urn:uuid:7", "urn:uuid:8", True),
    ],
)
def test_what_has_one_id_on_two_servers_is_two_findings(one: str, other: str | None, *, plain: bool) -> None:
    old = {"resource": ki67(21, id="7", **updated("2026-10-21")), "fullUrl": one}
    new = {"resource": ki67(2, id="7", **updated("2026-10-22")), "fullUrl": other}
    assert is_plain(answered(with_entries("observations", old, new))) is plain


# --- merged patients --------------------------------------------------------------------------------------------------


def linked(kind: str, other: Any = "Patient/old", **elements: Any) -> Json:
    """The chart whose Patient has a link."""
    request = copy.deepcopy(REQUEST)
    link = {"other": {"reference": other}, "type": kind}
    request["prefetch"]["patient"].update(link=[link], **elements)
    return request


def of_old(request: Json) -> Json:
    request["prefetch"]["conditions"]["entry"].append(
        {"resource": bone(subject={"reference": "Patient/old"})}
    )
    request["prefetch"]["conditions"].pop("total", None)
    return request


@pytest.mark.parametrize("elements", [{}, {"active": False}, {"active": True}], ids=repr)
def test_a_patient_who_was_merged_into_another_record_gets_no_plain_referral(elements: Json) -> None:
    [card] = answered(linked("replaced-by", "Patient/new", **elements))
    assert card["summary"].startswith("Possible candidate")
    assert "suggestions" not in card


def test_a_death_in_a_merged_record_is_a_death() -> None:
    assert answered(linked("replaced-by", deceasedBoolean=True)) == []
    assert answered(linked("replaced-by", deceasedDateTime="2026-11-23")) == []
    [card] = answered(linked("replaced-by", deceasedDateTime="2026-11-24"))
    assert card["summary"].startswith("Possible candidate")


@pytest.mark.parametrize("kind", ["replaces", "refer", "seealso"])
@pytest.mark.parametrize("other", ["Patient/old", "https://ehr.example/fhir/Patient/old/_history/2"])
def test_what_names_a_record_that_is_linked_to_the_patient_is_the_patients_own(kind: str, other: str) -> None:
    assert is_plain(answered(linked(kind, other)))
    assert not is_plain(answered(of_old(linked(kind, other))))


@pytest.mark.parametrize("other", ["Patient/older", "RelatedPerson/old", "Patient", "", None, 5])
def test_a_link_to_somebody_else_makes_nothing_the_patients_own(other: Any) -> None:
    assert is_plain(answered(of_old(linked("replaces", other))))


@pytest.mark.parametrize("link", ["Patient/old", [None], {"type": "replaces"}, [{"other": "Patient/old"}]])
def test_a_link_of_an_odd_shape_is_none(link: Any) -> None:
    request = of_old(copy.deepcopy(REQUEST))
    request["prefetch"]["patient"]["link"] = link
    assert is_plain(answered(request))


# --- other servers, and other persons in the focus --------------------------------------------------------------------

OUTSIDE = "meets-extrahepatic"
MEETS = PATIENT.removeprefix("Patient/")


def with_subject(subject: str, server: str | None = "https://ehr.example.org/fhir") -> Json:
    """The chart in which that there is no disease outside the liver is said of a subject."""
    request = copy.deepcopy(REQUEST)
    first_with(request, "observations", OUTSIDE)["subject"]["reference"] = subject
    return request | ({"fhirServer": server} if server else {})


@pytest.mark.parametrize(
    ("subject", "server", "plain"),
    [
        ("https://other.example/fhir/Patient/{}", "https://ehr.example.org/fhir", False),
        ("https://ehr.example.org/test/Patient/{}", "https://ehr.example.org/fhir", False),
        ("https://ehr.example.org:8443/fhir/Patient/{}", "https://ehr.example.org/fhir", False),
        ("https://ehr.example.org/Patient/{}", "https://ehr.example.org/fhir", False),
        ("https://ehr.example.org/fhir/Patient/{}", "https://ehr.example.org/fhir", True),
        ("https://ehr.example.org/fhir/Patient/{}/_history/3", "https://ehr.example.org/fhir/", True),
        ("https://EHR.example.org:443/fhir/Patient/{}", "https://ehr.example.org/fhir", True),
        ("http://ehr.example.org:80/fhir/Patient/{}", "https://ehr.example.org/fhir", True),
        ("https://ehr.example.org/FHIR/R4/Patient/{}", "https://ehr.example.org/FHIR/R4", True),
        ("https://ehr.example.org/Patient/{}", "https://ehr.example.org", True),
        ("Patient/{}", "https://ehr.example.org/fhir", True),
        ("https://other.example/fhir/Patient/{}", None, True),
    ],
)
def test_a_subject_of_this_id_on_another_server_may_be_somebody_else(
    subject: str, server: str | None, *, plain: bool
) -> None:
    cards = answered(with_subject(subject.format(MEETS), server))
    assert is_plain(cards) is plain
    assert ("is a patient of another server" in json.dumps(cards)) is not plain


def test_a_subject_is_known_where_the_patient_came_with_that_address() -> None:
    address = f"https://internal.example/fhir/{PATIENT}"
    request = with_subject(address)
    entry = {"fullUrl": address, "resource": request["prefetch"]["patient"]}
    request["prefetch"]["patient"] = {"resourceType": "Bundle", "entry": [entry]}
    assert is_plain(answered(request))


@pytest.mark.parametrize(
    ("focus", "plain"),
    [
        ([{"reference": "Patient/other"}], False),
        ([{"reference": "https://ehr.example/fhir/Patient/other/_history/1"}], False),
        ([{"reference": "RelatedPerson/mother"}], False),
        ([{"reference": PATIENT}, {"reference": "Device/pump"}], False),
        ([{"type": "RelatedPerson", "display": "the donor"}], False),
        ({"reference": "Patient/other"}, False),
        ([{"reference": PATIENT}], True),
        ([{"reference": "Condition/meets-tumour"}], True),
        ([{"display": "the liver"}], True),
        ([], True),
    ],
    ids=repr,
)
def test_a_finding_with_another_person_in_its_focus_is_not_the_patients_own(
    focus: Any, *, plain: bool
) -> None:
    request = copy.deepcopy(REQUEST)
    first_with(request, "observations", OUTSIDE)["focus"] = focus
    cards = answered(request)
    assert is_plain(cards) is plain
    assert ("its focus is on somebody or something else" in json.dumps(cards)) is not plain


# --- what was withheld ------------------------------------------------------------------------------------------------

OBSERVATION_VALUE = "http://terminology.hl7.org/CodeSystem/v3-ObservationValue"


def marked(code: str, element: str = "security") -> Json:
    return {element: [{"system": OBSERVATION_VALUE, "code": code}]}


MARKS = [
    (marked("REDACTED"), False),
    (marked("MASKED"), False),
    (marked("SUBSETTED", "tag"), False),
    (marked("PSEUDED"), True),
    ({"lastUpdated": "2026-11-01T00:00:00Z", "security": ["REDACTED", None], "tag": "SUBSETTED"}, True),
    ("REDACTED", True),
]


@pytest.mark.parametrize(("meta", "plain"), MARKS, ids=repr)
def test_a_bundle_of_which_something_was_withheld_is_a_part(meta: Any, *, plain: bool) -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["observations"]["meta"] = meta
    cards = answered(request)
    assert is_plain(cards) is plain
    assert ("not all Observation resources could be read" in json.dumps(cards)) is not plain


def test_marks_that_cannot_be_read_may_say_that_something_was_withheld() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["observations"]["meta"] = {"source": "@"}
    body = json.dumps(request).encode().replace(b'"@"', b'"\xfc"')
    response = CLIENT.post(SERVICE, data=body, content_type="application/json")
    assert not is_plain((response.json or {})["cards"])


def test_a_finding_of_which_something_was_withheld_only_takes_certainty_away() -> None:
    for meta, plain in MARKS[:2] + MARKS[3:]:
        request = copy.deepcopy(REQUEST)
        first_with(request, "observations", OUTSIDE)["meta"] = meta
        assert is_plain(answered(request)) is plain, meta
    assert not is_plain(answered(with_entries("conditions", bone(meta=marked("REDACTED")))))


# --- files ------------------------------------------------------------------------------------------------------------

FILE = json.loads((Path(__file__).parents[2] / "sample_bundles" / "01-meets.json").read_bytes())
RESOURCES = [entry["resource"] for entry in FILE["entry"]]
ERROR = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


def collection(*resources: Json) -> Json:
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": item} for item in resources],
    }


def lines(*resources: Json) -> list[PatientRecord]:
    return read_file(b"\n".join(json.dumps(item).encode() for item in resources))


def unread(record: PatientRecord) -> list[str]:
    return [issue.problem for issue in read_facts(record, date(2026, 11, 23)).issues]


def test_a_bundle_on_a_line_is_opened() -> None:
    for given in (
        (*RESOURCES, collection(bone())),
        (FILE, collection(bone())),
        (collection(bone()), *RESOURCES),
    ):
        [record] = lines(*given)
        assert record.is_complete
        assert "Condition/bone" in [entry.reference for entry in record.entries]
        sources = [json.loads(record.source(entry))["id"] for entry in record.entries]
        assert sources == [entry.node.id for entry in record.entries]


def test_a_bundle_on_a_line_may_be_one_patients_each() -> None:
    other = {"resourceType": "Patient", "id": "other", "birthDate": "1970-01-01"}
    assert [record.patient for record in lines(FILE, collection(other))] == [PATIENT, "Patient/other"]


def test_a_bundle_on_a_line_that_says_that_there_is_more_is_a_part() -> None:
    page = {**collection(bone()), "link": [{"relation": "next", "url": "https://ehr.example/2"}]}
    [record] = lines(*RESOURCES, page)
    assert record.state_of("Condition") is PartState.TRUNCATED
    assert record.state_of("Observation") is PartState.COMPLETE


@pytest.mark.parametrize("severity", ["error", "fatal", "information"])
def test_an_error_on_a_line_leaves_a_part(severity: str) -> None:
    outcome = {**ERROR, "issue": [{"severity": severity, "code": "informational"}]}
    [record] = lines(*RESOURCES, outcome)
    [same] = read_file(json.dumps(collection(*RESOURCES, outcome)).encode())
    assert record.is_complete is same.is_complete is (severity == "information")


@pytest.mark.parametrize("subject", [None, {"identifier": {"value": "MRN1"}}, {"display": "Sample"}])
def test_what_names_nobody_among_several_patients_may_be_any_ones(subject: Json | None) -> None:
    other = {"resourceType": "Patient", "id": "other", "birthDate": "1970-01-01"}
    stray = {key: value for key, value in bone(subject=subject).items() if value is not None}
    for found in (
        lines(*RESOURCES, other, stray),
        read_file(json.dumps(collection(*RESOURCES, other, stray)).encode()),
    ):
        assert [record.patient for record in found] == [PATIENT, "Patient/other"]
        assert all(len(unread(record)) == 1 for record in found)


def test_a_finding_without_a_subject_belongs_to_the_only_patient_and_may_be_any_ones_of_two() -> None:
    other = {"resourceType": "Patient", "id": "other", "birthDate": "1970-01-01"}
    stray = {key: value for key, value in ki67(15).items() if key != "subject"}
    [record] = lines(*RESOURCES, stray)
    assert unread(record) == []
    problem = "it names no patient, and the file holds several"
    assert [unread(record) for record in lines(*RESOURCES, other, stray)] == [[problem], [problem]]


def test_what_names_a_linked_patient_is_in_the_record_of_the_file_too() -> None:
    link = [{"other": {"reference": "Patient/old"}, "type": "replaces"}]
    mine = [{**item, "link": link} if item["resourceType"] == "Patient" else item for item in RESOURCES]
    of_old_one = bone(subject={"reference": "Patient/old"})
    [record] = lines(*mine, of_old_one, {"resourceType": "Specimen", "id": "s"})
    assert record.foreign == ()
    assert len(record.entries) == len(RESOURCES) + 2
    old = {"resourceType": "Patient", "id": "old"}
    [record, second] = lines(*mine, of_old_one, old)
    assert (record.patient, second.patient) == (PATIENT, "Patient/old")
    assert "Condition/bone" in [entry.reference for entry in record.entries if record.is_own(entry)]
