"""Hostile patients: what is another's, of another server, merged, withheld or of no version stands for nobody else."""

import copy
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import LOINC, REQUEST, SCT, Json, answered, coded, observed
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
