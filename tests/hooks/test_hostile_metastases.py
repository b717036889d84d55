"""A chart that meets every criterion, plus a metastasis where one would not look: the card says so, or asks."""

import copy
import json
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import (
    CLIENT,
    ICD,
    LOINC,
    PATIENT,
    REQUEST,
    SCT,
    SERVICE,
    Json,
    bone,
    coded,
    observed,
)

BONE, LIVER = "94222008", "94381002"
AJCC = "http://cancerstaging.org"
OWN = "urn:milan-net:codesystem:findings"
TYPES = {"Condition": "conditions", "Observation": "observations", "DiagnosticReport": "reports"}


def answer(*resources: Json, without: str = "") -> Json:
    """The card of the chart with resources added, and without those whose id ends so."""
    request = copy.deepcopy(REQUEST)
    if without:
        for part in request["prefetch"].values():
            if part.get("entry"):
                part["entry"] = [
                    item for item in part["entry"] if not item["resource"]["id"].endswith(without)
                ]
                part["total"] = len(part["entry"])
    for resource in resources:
        request["prefetch"][TYPES[resource["resourceType"]]]["entry"].append({"resource": resource})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert response.status_code == 200, response.text
    card: Json = (response.json or {})["cards"][0]
    return card


def concluded(*concepts: Json, **elements: Any) -> Json:
    found = {
        "resourceType": "DiagnosticReport",
        "id": "added",
        "status": "final",
        "code": coded(LOINC, "18748-4"),
    }
    given = {"subject": {"reference": PATIENT}, "effectiveDateTime": "2026-10-20"}
    return {**found, **given, "conclusionCode": list(concepts), **elements}


def net(**elements: Any) -> Json:
    """The NET of the chart, as another entry of the problem list."""
    return bone(**{"id": "net-again", "code": coded(ICD, "C7A.012"), **elements})


def labelled(text: str, **value: Any) -> Json:
    """An observation of a local code that only its text explains."""
    return observed("urn:hospital", "B1", **value) | {"code": coded("urn:hospital", "B1") | {"text": text}}


def worded(text: str, **elements: Any) -> Json:
    return bone(code={"text": text}, **elements)


def staged(summary: Json, **stage: Any) -> Json:
    return net(stage=[{"summary": summary, **stage}])


NAMED_ELSEWHERE = [
    # read as codes, wherever they stand
    concluded(coded(SCT, BONE)),
    concluded(coded(SCT, "399409002"), coded(SCT, BONE)),
    observed(LOINC, "59776-5", valueCodeableConcept=coded(SCT, BONE)),
    observed(
        LOINC,
        "59776-5",
        component=[{"code": coded(LOINC, "59776-5"), "valueCodeableConcept": coded(SCT, BONE)}],
    ),
    observed(SCT, BONE, valueBoolean=True),
    observed(SCT, BONE, valueCodeableConcept=coded(SCT, "52101004")),
    observed(SCT, BONE, valueCodeableConcept={"text": "see report"}),
    observed(SCT, BONE),
    staged(coded(AJCC, "M1b")),
    staged(coded(AJCC, "cM1c")),
    staged({"text": "Stage IV (pT3 pN1 pM1b)"}),
    # named in words, or by codes of a system that is not read
    worded("Bone metastases"),
    worded("Knochenmetastasen"),
    worded("Suspected bone metastases"),
    worded("Bone metastases, no change"),
    bone(code={"coding": [{"system": "urn:hospital", "code": "K1"}], "text": "peritoneal carcinomatosis"}),
    bone(code=coded(SCT, "94602001") | {"text": "Metastatic malignant neoplasm to spleen"}),
    bone(code=coded("http://hl7.org/fhir/sid/icd-9-cm", "198.5")),
    bone(code=coded("urn:oid:2.16.840.1.113883.6.103", "1985")),
    bone(code=coded(SCT, "128462008:363698007=272673000")),
    bone(code=coded(SCT, "128462008 |Metastatic malignant neoplasm|:363698007=78961009 |Spleen|")),
    bone(code=coded(SCT, "128462008") | {"text": "Bone metastases"}),
    bone(code={"text": "Metastasis"}, bodySite=[{"text": "spine"}]),
    net(code=coded(ICD, "C7A.012") | {"text": "Carcinoid of the ileum with pulmonary metastases"}),
    labelled("Bone metastases", valueBoolean=True),
    labelled("Site of metastases", valueString="liver and bone"),
    observed(LOINC, "59776-5", valueString="Multiple peritoneal metastases."),
    concluded(conclusion="Known liver metastases. Several bone metastases."),
    concluded({"text": "Lymph node metastases, supraclavicular"}),
    # over, but after the study that saw nothing
    bone(abatementDateTime="2026-11-10"),
    bone(abatementPeriod={"start": "2026-11-01", "end": "2026-11-10"}),
]


@pytest.mark.parametrize("resource", NAMED_ELSEWHERE, ids=repr)
def test_a_metastasis_outside_the_liver_forbids_a_plain_referral_and_is_named(resource: Json) -> None:
    card = answer(resource)
    assert not card["summary"].startswith("Meets")
    assert f"{resource['resourceType']}/{resource['id']}" in card["detail"].replace("\\", "")


SAYS_NOTHING_AGAINST = [
    concluded({"text": "No evidence of metastases"}),
    concluded(conclusion="No bone metastases. Keine Lymphknotenmetastasen. Liver metastases unchanged."),
    concluded(coded(SCT, LIVER)),
    concluded(coded(SCT, "261985008")),
    observed(SCT, BONE, valueBoolean=False),
    observed(SCT, BONE, valueBoolean=True, status="entered-in-error"),
    labelled("Bone metastases", valueBoolean=False),
    labelled("Bone metastases", valueString="none"),
    labelled("Number of bone metastases", valueInteger=0),
    worded("No evidence of metastases"),
    worded("keine Metastasen"),
    worded("Bone metastases: ruled out"),
    worded("Family history of metastatic breast disease"),
    worded("Metastatic neuroendocrine tumour"),
    worded("Lebermetastasen"),
    bone(code=coded("http://hl7.org/fhir/sid/icd-9-cm", "197.7")),
    staged(coded(AJCC, "M1a")),
    staged({"text": "Stage IV"}),
    bone(abatementDateTime="2026-05-01"),
    worded("Bone metastases", abatementDateTime="2026-05-01"),
]


@pytest.mark.parametrize("resource", SAYS_NOTHING_AGAINST, ids=repr)
def test_what_is_denied_over_or_in_the_liver_takes_nothing_away(resource: Json) -> None:
    assert answer(resource)["summary"].startswith("Meets")


NO_PROOF = [
    concluded(coded(SCT, "261985008")),
    concluded({"text": "No evidence of metastases"}),
    observed(SCT, BONE, valueBoolean=False),
    observed(OWN, "extrahepatic-disease", valueBoolean=False, bodySite=coded(SCT, "39607008")),
    observed(
        OWN,
        "extrahepatic-disease",
        valueBoolean=False,
        bodySite=coded(SCT, "39607008"),
        method=coded(SCT, "764695006"),
    ),
    worded("No bone metastases"),
    staged(coded(AJCC, "M1a")),
    bone(abatementDateTime="2026-05-01"),
]


@pytest.mark.parametrize("resource", NO_PROOF, ids=repr)
def test_what_denies_one_thing_is_no_study_of_the_whole(resource: Json) -> None:
    assert not answer(resource, without="extrahepatic")["summary"].startswith("Meets")


@pytest.mark.parametrize(
    "resource",
    [
        worded("Lebermetastasen"),
        bone(code=coded("http://hl7.org/fhir/sid/icd-9-cm", "209.72")),
        bone(code=coded(SCT, "128462008:363698007=10200004")),
        concluded(conclusion="Multiple liver metastases."),
    ],
    ids=repr,
)
def test_liver_metastases_in_words_only_are_possible_and_asked_for(resource: Json) -> None:
    card = answer(resource, without="liver-metastases")
    assert not card["summary"].startswith("Meets")
    assert "possible, but only the words of an entry say so" in card["detail"]
    assert f"{resource['resourceType']}/{resource['id']}" in card["detail"].replace("\\", "")


@pytest.mark.parametrize("resource", [concluded(coded(SCT, LIVER)), observed(SCT, LIVER, valueBoolean=True)])
def test_liver_metastases_of_a_report_or_finding_count(resource: Json) -> None:
    assert answer(resource, without="liver-metastases")["summary"].startswith("Meets")


@pytest.mark.parametrize(("day", "meets"), [("2025-10-20", False), ("2026-10-20", True)])
def test_a_pet_report_of_another_year_lends_no_whole_body(day: str, meets: bool) -> None:
    result = [{"reference": "Observation/added"}]
    report = concluded(code=coded(SCT, "764695006"), result=result, effectiveDateTime=day) | {"id": "pet"}
    stated = observed(OWN, "extrahepatic-disease", valueBoolean=False)
    assert answer(stated, report, without="extrahepatic")["summary"].startswith("Meets") is meets


@pytest.mark.parametrize(
    "site",
    [coded(SCT, "78961009"), {"text": "Spleen"}, coded(SCT, "39607008"), {"text": "right lobe of liver"}],
)
def test_the_involvement_of_another_organ_is_not_the_livers(site: Json) -> None:
    percent = {"value": 10, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    finding = observed(OWN, "liver-involvement-percent", valueQuantity=percent, bodySite=site)
    assert not answer(finding, without="involvement")["summary"].startswith("Meets")


def test_a_poorly_differentiated_tumour_that_a_report_concludes_is_no_meeting_of_the_criteria() -> None:
    assert not answer(concluded(coded(SCT, "128628002")))["summary"].startswith("Meets")
    of_pathology = concluded(coded(SCT, "1286767006"), code=coded(LOINC, "22637-3"))
    assert not answer(of_pathology)["summary"].startswith("Meets")


def test_a_second_ki67_in_words_is_not_passed_over() -> None:
    finding = observed(LOINC, "29593-1", valueString="Ki-67 5 %, hot spot 25")
    assert not answer(finding)["summary"].startswith("Meets")
