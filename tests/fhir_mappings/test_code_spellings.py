"""Codes and systems as records spell them: with a version, a short name, a national edition, or words behind the code."""

import pytest

from fhir_mappings.metastasis_words import named_by_code
from fhir_mappings.relevance import holding
from fhir_mappings.tumour_words import named_tumours, tumour_stems
from fhir_mappings.valueset import is_other_malignancy, normalise_code, normalise_system, terminology
from tests.hooks.test_hostile_charts import Json, answered, bone, coded, observed
from tests.hooks.test_hostile_words import LIVER_METASTASES, chart, is_doubt, plain

SNOMED, LOINC = "http://snomed.info/sct", "http://loinc.org"
ICD_10_CM, ICD_10 = "http://hl7.org/fhir/sid/icd-10-cm", "http://hl7.org/fhir/sid/icd-10"


@pytest.mark.parametrize(
    ("spelled", "system"),
    [
        (f"{ICD_10_CM}|2026", ICD_10_CM),
        (f"{ICD_10_CM} | 2026", ICD_10_CM),
        (f"{ICD_10_CM}/2026", ICD_10_CM),
        (f"{ICD_10_CM}/version/2026/", ICD_10_CM),
        ("urn:oid:2.16.840.1.113883.6.90|2026", ICD_10_CM),
        (f"{SNOMED}|{SNOMED}/731000124108", SNOMED),
        (f"{SNOMED}/731000124108/version/20250901", SNOMED),
        (f"{LOINC}|2.76", LOINC),
        (f"{LOINC}/2.76", LOINC),
        ("http://fhir.de/CodeSystem/bfarm/icd-10-gm|2025", ICD_10),
        ("SCT", SNOMED),
        ("I10", ICD_10),
        ("I10C", ICD_10_CM),
        *((f"{ICD_10}-{country}", ICD_10) for country in ("am", "ca", "de", "nl", "uk")),
    ],
)
def test_a_version_or_a_short_name_makes_no_other_system(spelled: str, system: str) -> None:
    assert normalise_system(spelled) == system
    code = {SNOMED: "94381002", LOINC: "29593-1"}.get(system, "C78.7")
    assert terminology().meanings(spelled, code) == terminology().meanings(system, code) != frozenset()


@pytest.mark.parametrize(
    "system", ["urn:local|2026", "https://a.example/codes/2026", f"{ICD_10_CM}x", f"x{ICD_10_CM}|1"]
)
def test_an_unknown_system_with_a_version_stays_unknown(system: str) -> None:
    assert normalise_system(system) == system
    assert not terminology().meanings(system, "C78.7")


@pytest.mark.parametrize(
    "code",
    [
        "C79.51 Secondary malignant neoplasm of bone",
        "C79.51 SECONDARY MALIGNANT NEOPLASM OF BONE",
        "c7951 bone",
        "C79.51 - Knochen",
        "C79.51: Knochen",
    ],
)
def test_words_behind_a_code_are_left_out(code: str) -> None:
    for system in (ICD_10_CM, ICD_10):
        assert terminology().meanings(system, code) == {"extrahepatic-bone"}


def test_words_behind_a_code_hide_no_other_malignancy_and_no_net() -> None:
    assert is_other_malignancy(ICD_10_CM, "C50.911 Malignant neoplasm of breast")
    assert "histology-net" in terminology().meanings(None, "C7A.012 Carcinoid of ileum")


@pytest.mark.parametrize("code", ["C7A 012", "C7A. 012", "C7A.012 ", "C7A.012!"])
def test_a_blank_within_a_code_begins_no_words(code: str) -> None:
    assert normalise_code(ICD_10_CM, code) == ("C7A.012",)


@pytest.mark.parametrize("code", ["Bone C79.51", "C79.51.1.1 bone", "secondary bone"])
def test_words_before_a_code_are_no_code(code: str) -> None:
    assert not terminology().meanings(ICD_10_CM, code)


def test_a_code_of_icd_9_is_read_with_a_version() -> None:
    assert named_by_code("http://hl7.org/fhir/sid/icd-9-cm|2014", "198.5") is not None


# --- names of the tumour in capitals ----------------------------------------------------------------------------------

SHORT = [
    "NET G2 ileum",
    "pNET G2",
    "SI-NET",
    "siNET",
    "panNET",
    "Two NETs",
    "NEN Dünndarm G2",
    "(NET)",
    "Ileum\nNET",
]
ENGLISH = [
    "net weight 70 kg",
    "NET WEIGHT 70 kg",
    "Internet",
    "INTERNET",
    "network",
    "MAGNETIC RESONANCE",
    "het net",
]


@pytest.mark.parametrize("text", SHORT)
def test_a_short_name_in_capitals_names_a_tumour(text: str) -> None:
    assert list(named_tumours(text))
    assert holding([b'{"conclusion": "x"}', f'{{"conclusion": "{text}"}}'.encode()], tumour_stems()) == [1]


@pytest.mark.parametrize("text", [*ENGLISH, "No NET", "kein NEN"])
def test_an_english_net_or_a_denied_one_names_none(text: str) -> None:
    assert not list(named_tumours(text))


def test_what_holds_no_capitals_of_the_name_is_not_decoded() -> None:
    assert holding([b'{"conclusion": "magnetic net"}'], tumour_stems()) == []


@pytest.mark.parametrize(
    "text",
    ["NET G2 ileum, liver metastases", "pNET G2, metastatic to liver", "NEN Dünndarm G2 mit Lebermetastasen"],
)
def test_a_diagnosis_that_only_abbreviates_the_tumour_is_in_doubt(text: str) -> None:
    assert is_doubt(answered(chart(bone(code={"text": text}))))


def test_an_answer_that_abbreviates_it_is_in_doubt_beside_liver_metastases() -> None:
    said = observed("urn:local", "TYPE") | {"valueString": "NET G1"}
    assert is_doubt(answered(chart(LIVER_METASTASES, said)))
    assert answered(chart(LIVER_METASTASES, said | {"valueString": "net weight 70"})) == []


# --- the syndrome -----------------------------------------------------------------------------------------------------


def syndrome(**elements: object) -> Json:
    return bone(code=coded(ICD_10, "E34.0"), id="syndrome", **elements)


def test_a_carcinoid_syndrome_beside_liver_metastases_makes_the_diagnosis_open() -> None:
    [card] = answered(chart(LIVER_METASTASES, syndrome()))
    assert card["summary"].startswith("Possible candidate")
    assert "only a carcinoid syndrome is on record (Condition/syndrome)" in plain(card["detail"])
    assert "suggestions" not in card


@pytest.mark.parametrize(
    "elements",
    [
        {
            "verificationStatus": coded(
                "http://terminology.hl7.org/CodeSystem/condition-ver-status", "refuted"
            )
        },
        {"clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "resolved")},
    ],
    ids=["refuted", "resolved"],
)
def test_a_syndrome_that_is_none_any_more_is_no_reason_to_speak(elements: Json) -> None:
    assert answered(chart(LIVER_METASTASES, syndrome(**elements))) == []


def test_a_syndrome_without_liver_metastases_is_no_reason_to_speak() -> None:
    assert answered(chart(syndrome())) == []
