"""A chart that meets every criterion, plus one entry that may say otherwise: the card never says "meets"."""

import copy
import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cds_service.app import create_app

Json = dict[str, Any]
REQUEST = json.loads((Path(__file__).parents[2] / "sample_bundles" / "requests" / "meets.json").read_bytes())
SCT, LOINC, ICD = "http://snomed.info/sct", "http://loinc.org", "http://hl7.org/fhir/sid/icd-10-cm"
SERVICE = "/cds-services/milan-net-patient-view"
CLIENT = create_app(today=lambda: date(2026, 11, 23)).test_client()
PATIENT = f"Patient/{REQUEST['context']['patientId']}"


def coded(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code}]}


def bone(**elements: Any) -> Json:
    status = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
    given = {"verificationStatus": coded(status, "confirmed"), "onsetDateTime": "2026-01-01"}
    found = {"resourceType": "Condition", "id": "bone", "code": coded(SCT, "94222008")}
    return {**found, "subject": {"reference": PATIENT}, **given, **elements}


def observed(system: str, code: str, **elements: Any) -> Json:
    found = {"resourceType": "Observation", "id": "added", "status": "final", "code": coded(system, code)}
    return {**found, "subject": {"reference": PATIENT}, "effectiveDateTime": "2026-10-20", **elements}


def summaries(key: str, entry: Any, body: bytes | None = None) -> list[str]:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["entry"].append(entry)
    response = CLIENT.post(
        SERVICE, data=body or json.dumps(request).encode(), content_type="application/json"
    )
    assert response.status_code == 200, response.text
    return [card["summary"] for card in (response.json or {})["cards"]]


def test_the_chart_itself_meets_the_criteria() -> None:
    (summary,) = summaries("conditions", {"resource": {"resourceType": "Basic", "id": "x"}})
    assert summary.startswith("Meets")


@pytest.mark.parametrize(
    "entry",
    [
        {"resource": [bone()]},
        {"resource": json.dumps(bone())},
        {"resource": bone(resourceType="condition")},
        {"resource": bone(resourceType="Condition ")},
        {"resource": {key: value for key, value in bone().items() if key != "resourceType"}},
        bone(),
        [bone()],
        {"response": {"status": "500"}},
        {"resource": bone(subject={"reference": f"{PATIENT}/"})},
        {"resource": bone(subject={"reference": PATIENT.lower()})},
        {"resource": bone(subject={"reference": f"{PATIENT}?x=1"})},
        {"resource": bone(subject={"reference": "Group/g"})},
        {"resource": bone(subject={"display": "Somebody"})},
        {"resource": bone(onsetDateTime="2027-01-01", recordedDate="2026-10-01")},
        {
            "resource": bone(
                verificationStatus={
                    "coding": [
                        {"system": "urn:x", "code": "refuted"},
                        {"system": "urn:x", "code": "confirmed"},
                    ]
                }
            )
        },
        {
            "resource": bone(
                clinicalStatus={
                    "coding": [{"system": "urn:x", "code": "inactive"}, {"system": "urn:x", "code": "active"}]
                }
            )
        },
        {"resource": bone(code=coded(SCT, "94410007"), onsetDateTime="2026-11-15")},
        {"resource": bone(code=coded(ICD, "Z76.82"))},
    ],
    ids=repr,
)
def test_a_condition_that_may_speak_against_it_forbids_a_plain_referral(entry: Any) -> None:
    assert not [summary for summary in summaries("conditions", entry) if summary.startswith("Meets")]


@pytest.mark.parametrize(
    "resource",
    [
        observed(LOINC, "59847-4", valueString="Poorly differentiated neuroendocrine carcinoma"),
        observed(LOINC, "59847-4", valueCodeableConcept={"text": "Large cell neuroendocrine carcinoma"}),
        observed(LOINC, "84892-9", valueString="R2"),
        observed(LOINC, "21907-1", valueString="M1b"),
        observed(
            LOINC,
            "97509-4",
            component=[{"code": coded(LOINC, "97509-4"), "valueCodeableConcept": coded(SCT, "271299001")}],
        ),
        observed(LOINC, "29593-1", valueDecimal=15),
    ],
    ids=repr,
)
def test_a_finding_in_a_form_that_is_not_read_takes_certainty_away(resource: Json) -> None:
    assert not [
        item for item in summaries("observations", {"resource": resource}) if item.startswith("Meets")
    ]


def test_two_findings_with_one_accession_number_are_no_versions_of_each_other() -> None:
    percent = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    request = copy.deepcopy(REQUEST)
    for name, value, second in (("one", 15, "00"), ("two", 2, "01")):
        finding = observed(LOINC, "29593-1", valueQuantity={"value": value, **percent})
        stamp = {"lastUpdated": f"2026-10-21T10:00:{second}Z"}
        finding |= {"id": name, "identifier": [{"system": "urn:lab", "value": "S25-1"}], "meta": stamp}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert "Ki-67 15 %" in (response.json or {})["cards"][0]["summary"]


def test_a_byte_of_another_encoding_in_one_entry_is_no_error_of_the_service() -> None:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["conditions"]["entry"].append({"resource": bone(code={"text": "Diab@te"})})
    body = json.dumps(request).encode().replace(b"Diab@te", b"Diab\xe8te")
    assert summaries("conditions", {}, body)


def test_a_death_without_its_day_is_a_death() -> None:
    request = copy.deepcopy(REQUEST)
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    request["prefetch"]["patient"]["_deceasedDateTime"] = {"extension": [absent]}
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert response.json == {"cards": []}


def test_a_value_whose_display_contradicts_it_takes_certainty_away() -> None:
    said = {
        "system": "http://terminology.hl7.org/CodeSystem/icd-o-3",
        "code": "8041/3",
        "display": "Hypertension",
    }
    resource = observed(LOINC, "59847-4", valueCodeableConcept={"coding": [said]})
    assert not [
        item for item in summaries("observations", {"resource": resource}) if item.startswith("Meets")
    ]


@pytest.mark.parametrize("sizes", [(500, 500), (100, 700)])
def test_a_tumour_volume_for_each_lesion_is_not_taken_for_the_whole(sizes: tuple[int, int]) -> None:
    findings, request = "urn:milan-net:codesystem:findings", copy.deepcopy(REQUEST)
    volumes = [("liver-volume", 1500), *(("liver-tumour-volume", size) for size in sizes)]
    for index, (code, size) in enumerate(volumes):
        millilitres = {"value": size, "unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
        finding = observed(findings, code, valueQuantity=millilitres) | {"id": f"volume-{index}"}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    assert not (response.json or {})["cards"][0]["summary"].startswith("Meets")


def card_of(request: Json) -> Json:
    response = CLIENT.post(SERVICE, data=json.dumps(request), content_type="application/json")
    (card,) = (response.json or {})["cards"]
    return dict(card)


def labelled(system: str, code: str, display: str | None = None, text: str | None = None) -> Json:
    coding = {"system": system, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


FINDINGS = "urn:milan-net:codesystem:findings"
OUTSIDE = (FINDINGS, "extrahepatic-disease")
LABELS_AGAINST_THEIR_CODES = [
    (OUTSIDE, labelled(SCT, "2667000", "Present")),
    (OUTSIDE, labelled(SCT, "2667000", "Absent", "Two bone metastases")),
    (OUTSIDE, labelled(SCT, "2667000", text="Vorhanden")),
    (OUTSIDE, labelled(SCT, "52101004", "No bone metastasis")),
    ((LOINC, "33732-9"), labelled(SCT, "54102005", "G3")),
    ((LOINC, "33732-9"), labelled(SCT, "1663004", "G2", "Grad 3")),
    ((LOINC, "84892-9"), labelled(SCT, "258254000", "R1")),
    ((LOINC, "21907-1"), labelled(SCT, "1229904003", "cM1b")),
    ((LOINC, "97509-4"), labelled(SCT, "359746009", "Progressive disease")),
    (
        (LOINC, "59847-4"),
        labelled("http://terminology.hl7.org/CodeSystem/icd-o-3", "8240/3", "Small cell carcinoma"),
    ),
    ((FINDINGS, "liver-involvement-category"), labelled(FINDINGS, "11-25", "> 50 %")),
]


@pytest.mark.parametrize(("question", "answer"), LABELS_AGAINST_THEIR_CODES, ids=repr)
def test_an_answer_whose_words_say_something_else_takes_certainty_away_and_is_named(
    question: tuple[str, str], answer: Json
) -> None:
    request = copy.deepcopy(REQUEST)
    resource = observed(*question, valueCodeableConcept=answer)
    request["prefetch"]["observations"]["entry"].append({"resource": resource})
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert "Observation/added" in json.dumps(card["extension"])


@pytest.mark.parametrize(
    "words",
    ["No bone metastasis", "Absence of bone metastasis", "Keine Knochenmetastasen", "Geen botmetastasen"],
)
def test_a_metastasis_that_its_label_denies_is_neither_present_nor_absent(words: str) -> None:
    for code in (labelled(SCT, "94222008", words), labelled(SCT, "94222008", text=words)):
        request = copy.deepcopy(REQUEST)
        request["prefetch"]["conditions"]["entry"].append({"resource": bone(code=code)})
        card = card_of(request)
        assert not card["summary"].startswith(("Meets", "Outside"))
        assert "Condition/bone" in json.dumps(card["extension"])


@pytest.mark.parametrize("site", [{"text": "Right lobe"}, labelled(SCT, "10200004", "Liver, segment VII")])
@pytest.mark.parametrize(("part", "size"), [("liver-volume", 900), ("liver-tumour-volume", 150)])
def test_the_volume_of_a_part_of_the_liver_is_not_that_of_the_whole(part: str, size: int, site: Json) -> None:
    request = copy.deepcopy(REQUEST)
    for code in ("liver-volume", "liver-tumour-volume"):
        millilitres = {"unit": "mL", "system": "http://unitsofmeasure.org", "code": "mL"}
        value = {"value": size if code == part else 600 if part == "liver-volume" else 1500, **millilitres}
        finding = observed(FINDINGS, code, valueQuantity=value) | {"id": code}
        finding |= {"bodySite": site} if code == part else {}
        request["prefetch"]["observations"]["entry"].append({"resource": finding})
    card = card_of(request)
    assert not card["summary"].startswith("Outside" if part == "liver-volume" else "Meets")
    assert f"Observation/{part}" in json.dumps(card["extension"])


def first_with(request: Json, key: str, text: str) -> Json:
    """The first resource of a prefetch key whose JSON holds a text."""
    found = (entry["resource"] for entry in request["prefetch"][key]["entry"])
    return next(item for item in found if text in json.dumps(item))


@pytest.mark.parametrize("words", ["R1 resection", "R2", "incomplete", "unvollständig", "onvolledig"])
def test_an_outcome_in_words_beside_a_coded_r0_takes_certainty_away(words: str) -> None:
    request = copy.deepcopy(REQUEST)
    operation = first_with(request, "procedures", "276190007")
    operation["outcome"] = {**operation.get("outcome", {}), "text": words}
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert f"Procedure/{operation['id']}" in json.dumps(card["extension"])


def test_a_histology_in_the_words_of_an_extension_takes_certainty_away() -> None:
    request = copy.deepcopy(REQUEST)
    tumour = first_with(request, "conditions", "C7A.012")
    url = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-histology-morphology-behavior"
    tumour["extension"] = [{"url": url, "valueCodeableConcept": {"text": "Small cell carcinoma"}}]
    card = card_of(request)
    assert not card["summary"].startswith(("Meets", "Outside"))
    assert f"Condition/{tumour['id']}" in json.dumps(card["extension"])


def test_a_high_ki67_in_a_component_counts_though_the_parent_says_that_it_has_no_value() -> None:
    request = copy.deepcopy(REQUEST)
    quantity = {"value": 15, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
    part = {"code": coded(LOINC, "29593-1"), "valueQuantity": quantity}
    panel = observed(LOINC, "29593-1", dataAbsentReason={"text": "see component"}, component=[part])
    request["prefetch"]["observations"]["entry"].append({"resource": panel})
    assert "Ki-67 15 %" in card_of(request)["summary"]
