"""Hostile charts: a tumour that nobody coded, in the words of a diagnosis, a finding or a report, is not passed over."""

import copy
import html
import json
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import (
    CLIENT,
    PATIENT,
    REQUEST,
    SCT,
    SERVICE,
    Json,
    answered,
    bone,
    coded,
    observed,
)

LIVER_METASTASES = bone(code=coded("http://hl7.org/fhir/sid/icd-10-cm", "C78.7"), id="liver")


def chart(*resources: Json) -> Json:
    """A request of which every query was answered in full: with these resources, and with nothing else."""
    request = copy.deepcopy(REQUEST)
    kinds = {"conditions": "Condition", "observations": "Observation", "reports": "DiagnosticReport"}
    for key in ("conditions", "observations", "procedures", "reports", "specimens", "orders"):
        mine = [{"resource": item} for item in resources if item["resourceType"] == kinds.get(key)]
        request["prefetch"][key] = {"resourceType": "Bundle", "type": "searchset", "entry": mine}
    return request


def report(**elements: Any) -> Json:
    code = coded("http://loinc.org", "11526-1")
    given = {"resourceType": "DiagnosticReport", "id": "path", "status": "final", "code": code}
    return {**given, "subject": {"reference": PATIENT}, "effectiveDateTime": "2026-02-01", **elements}


def finding(**elements: Any) -> Json:
    return observed("urn:local", "TUMOR-TYPE") | {"id": "type"} | elements


def plain(detail: str) -> str:
    return html.unescape(detail.replace("\\", ""))


def is_doubt(cards: list[Json]) -> bool:
    [card] = cards
    detail = plain(card["detail"])
    return (
        card["summary"].startswith("Possible candidate")
        and "only the words of an entry say so" in detail
        and "suggestions" not in card
    )


@pytest.mark.parametrize(
    "code",
    [
        {"text": "Metastatic neuroendocrine tumor to liver"},
        {"text": "CARCINOID of ileum, liver metastases"},
        {"coding": [{"system": "urn:x", "code": "7", "display": "Neuroendokriner Tumor, Lebermetastasen"}]},
        {"coding": {"display": "Neuroendocrine tumour with liver metastases"}},
        coded("http://hl7.org/fhir/sid/icd-10-cm", "C78.7") | {"text": "Liver metastases of a NET/carcinoid"},
        coded(SCT, "94381002") | {"text": "Liver metastases; primary: pancreatic insulinoma"},
    ],
    ids=repr,
)
def test_a_tumour_in_the_words_of_a_diagnosis_is_in_doubt(code: Json) -> None:
    assert is_doubt(answered(chart(bone(code=code))))


@pytest.mark.parametrize(
    "resource",
    [
        report(conclusion="Liver biopsy. Metastasis of a well differentiated neuroendocrine tumour, G2."),
        report(conclusion="No lymphoma seen.\nConsistent with carcinoid."),
        report(conclusionCode=[{"text": "Neuroendocrine carcinoma"}]),
        finding(valueString="neuroendocrine neoplasm"),
        finding(valueCodeableConcept={"text": "Neuroendokriner Tumor G1"}),
        finding(valueCodeableConcept={"coding": [{"system": "urn:x", "code": "9", "display": "Carcinoid"}]}),
    ],
    ids=repr,
)
def test_a_tumour_in_the_words_of_a_finding_or_report_is_in_doubt_beside_liver_metastases(
    resource: Json,
) -> None:
    assert is_doubt(answered(chart(LIVER_METASTASES, resource)))
    assert answered(chart(resource)) == []


@pytest.mark.parametrize(
    "text",
    [
        "Family history of neuroendocrine tumour, liver metastases",
        "No evidence of carcinoid; liver metastases",
        "Colon cancer, liver metastases",
        "Neuroendocrine tumour",  # and none in the liver
    ],
)
def test_words_that_deny_a_tumour_or_name_none_in_the_liver_are_no_reason_to_speak(text: str) -> None:
    assert answered(chart(bone(code={"text": text}))) == []


@pytest.mark.parametrize(
    "resource",
    [
        report(conclusion="Adenocarcinoma. No neuroendocrine differentiation."),
        report(conclusion="Neuroendocrine tumour.", status="entered-in-error"),
        report(conclusionCode=[None, {"text": "Adenocarcinoma"}]),
        report(conclusion={"text": "neuroendocrine tumour"}),
        finding(valueString="carcinoid", dataAbsentReason={"text": "error"}),
        finding(code={"text": "Neuroendocrine tumour marker"}, valueQuantity={"value": 3}),
        bone(code={"text": "Neuroendocrine tumour"}, id="net", verificationStatus=coded("x", "refuted")),
    ],
    ids=repr,
)
def test_liver_metastases_beside_words_that_name_no_tumour_are_no_reason_to_speak(resource: Json) -> None:
    assert answered(chart(LIVER_METASTASES, resource)) == []


@pytest.mark.parametrize(
    "concluded", [[True], ["94222008"], [1, {"text": "neuroendocrine tumour"}]], ids=repr
)
def test_a_conclusion_that_cannot_be_read_may_name_the_tumour(concluded: list[Any]) -> None:
    [card] = answered(chart(LIVER_METASTASES, report(conclusionCode=concluded)))
    assert "DiagnosticReport/path could not be read" in plain(card["detail"])


def test_words_are_not_asked_where_a_code_says_that_there_is_a_tumour() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["conditions"]["entry"].append({"resource": bone(code={"text": "Carcinoid of 2019"})})
    [before], [after] = answered(REQUEST), answered(request)
    assert (after["summary"], after["detail"]) == (before["summary"], before["detail"])


def test_a_tumour_in_words_of_another_encoding_is_an_entry_that_could_not_be_read() -> None:
    body = json.dumps(chart(bone(code={"text": "Neuroendokriner Tumor, @; Lebermetastasen"}))).encode()
    answer = CLIENT.post(SERVICE, data=body.replace(b"@", b"\xfc"), content_type="application/json")
    [card] = (answer.json or {})["cards"]
    assert "Condition/bone could not be read" in plain(card["detail"])
