"""Hostile charts: words beside a code that say something else, disputes, and concepts in the shape of a coding."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import PATIENT, REQUEST, SCT, Json, answered, bone, coded, observed

FINDINGS = "urn:milan-net:codesystem:findings"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
LOINC = "http://loinc.org"


def changed(key: str, name: str, change: Callable[[Json], object]) -> Json:
    """The request that meets the criteria, with one resource changed: that whose id or code holds `name`."""
    request = copy.deepcopy(REQUEST)
    resources = [entry["resource"] for entry in request["prefetch"][key]["entry"]]
    [found] = [item for item in resources if any(name in text for text in (item["id"], *codes(item)))]
    change(found)
    return request


def codes(resource: Json) -> list[str]:
    return [coding["code"] for coding in resource.get("code", {}).get("coding", ())]


def worded(name: str, text: str) -> Json:
    return changed("observations", name, lambda item: item["valueCodeableConcept"].update(text=text))


def with_entry(key: str, resource: Json) -> Json:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key].pop("total", None)
    request["prefetch"][key].setdefault("entry", []).append({"resource": resource})
    return request


def is_plain_referral(request: Json) -> bool:
    return any(card["summary"].startswith("Meets") for card in answered(request))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("meets-histology", "Poorly differentiated neuroendocrine carcinoma"),
        ("meets-histology", "MiNEN"),
        ("meets-histology", "Merkel cell carcinoma"),
        ("meets-histology", "NET G3"),
        ("meets-extrahepatic", "Not present, but new osseous lesion suspicious"),
        ("meets-extrahepatic", "Cannot be excluded"),
        ("meets-extrahepatic", "nicht ausgeschlossen"),
        ("response-2026-10-20", "Stable disease except new bone lesion"),
        ("response-2026-10-20", "increase in size"),
        ("response-2026-10-20", "Krankheitsprogress"),
        ("meets-residual", "tumour at margin"),
        ("meets-residual", "R0, rest cannot be ruled out"),
        ("resectability", "resectable"),
    ],
)
def test_an_answer_whose_text_says_something_else_is_none(name: str, text: str) -> None:
    assert not is_plain_referral(worded(name, text))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("meets-histology", "Well differentiated neuroendocrine tumour, G1"),
        ("meets-histology", "Well-differentiated neuroendocrine carcinoma"),  # the name of WHO 2000
        ("meets-extrahepatic", "No suspicious lesion, not present"),
        ("meets-extrahepatic", "Absent: no new lesions"),
        ("response-2026-10-20", "Stable disease, no new lesions"),
        ("meets-residual", "R0, margins free"),
        ("resectability", "unresectable"),
    ],
)
def test_an_answer_whose_text_says_the_same_stays_one(name: str, text: str) -> None:
    assert is_plain_referral(worded(name, text))


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("C7A.012", coded(ICD, "C7A.012") | {"text": "Small cell carcinoma of ileum"}),
        ("C7B.02", coded(ICD, "C78.7") | {"text": "Colorectal cancer liver metastases"}),
    ],
)
def test_a_diagnosis_whose_text_says_something_else_is_in_doubt(name: str, code: Json) -> None:
    assert not is_plain_referral(changed("conditions", name, lambda item: item.update(code=code)))


@pytest.mark.parametrize(
    ("key", "resource"),
    [
        ("conditions", bone(code={"system": SCT, "code": "94222008"})),
        ("conditions", bone(code={"system": ICD, "code": "C50.911", "text": "Breast cancer"})),
        (
            "observations",
            observed(LOINC, "29593-1", valueQuantity={"value": 15, "unit": "%"})
            | {"code": {"system": LOINC, "code": "29593-1"}},
        ),
        (
            "procedures",
            {
                "resourceType": "Procedure",
                "id": "tx",
                "status": "completed",
                "subject": {"reference": PATIENT},
                "code": {"system": SCT, "code": "18027006"},
            },
        ),
        (
            "reports",
            {
                "resourceType": "DiagnosticReport",
                "id": "ct",
                "status": "final",
                "code": coded(LOINC, "24627-2"),
                "subject": {"reference": PATIENT},
                "conclusionCode": [{"system": SCT, "code": "94222008"}],
            },
        ),
    ],
    ids=lambda item: str(item)[:60],
)
def test_a_coding_where_a_concept_belongs_is_read(key: str, resource: Json) -> None:
    assert not is_plain_referral(with_entry(key, resource))


def test_a_liver_metastasis_in_the_shape_of_a_coding_is_one() -> None:
    assert is_plain_referral(
        changed("conditions", "C7B.02", lambda item: item.update(code=item["code"]["coding"][0]))
    )


def resectable(**elements: Any) -> Json:
    value = {"valueCodeableConcept": coded(FINDINGS, "resectable")}
    return observed(FINDINGS, "liver-metastases-resectability", **(value | elements)) | {"id": "other"}


@pytest.mark.parametrize(
    "resource",
    [
        resectable(effectiveDateTime="2026-10-27"),  # the day of the other statement
        resectable(effectiveDateTime="2026-11-01", status="preliminary"),
        resectable(effectiveDateTime=None),
    ],
    ids=["same day", "preliminary", "undated"],
)
def test_resectability_in_dispute_forbids_a_plain_referral(resource: Json) -> None:
    resource = {name: value for name, value in resource.items() if value is not None}
    [card] = answered(with_entry("observations", resource))
    assert card["summary"].startswith("Possible candidate: all 8 criteria met")
    assert "not stated" not in card["summary"]


def referral(text: str | None, *systems: str) -> Json:
    codings = [{"system": system, "code": "306316000"} for system in (SCT, *systems)]
    code = {"coding": codings} | ({"text": text} if text else {})
    given = {"resourceType": "ServiceRequest", "id": "asked", "status": "active", "intent": "order"}
    return given | {"code": code, "subject": {"reference": PATIENT}, "authoredOn": "2026-11-01"}


@pytest.mark.parametrize("text", ["Referral to liver transplant clinic", "Lebertransplantation"])
def test_an_active_referral_for_the_liver_is_answered_with_no_card(text: str) -> None:
    assert answered(with_entry("orders", referral(text))) == []


@pytest.mark.parametrize("text", [None, "Referral to transplant clinic"])
def test_a_referral_whose_organ_nobody_states_silences_nothing_and_recommends_nothing(
    text: str | None,
) -> None:
    [card] = answered(with_entry("orders", referral(text)))
    assert "not known whether one is active" in card["summary"]
    assert not any(item.get("isRecommended") for item in card.get("suggestions", ()))


@pytest.mark.parametrize(
    "text", ["Referral to transplant nephrology", "Stammzelltransplantation", "Fecal microbiota transplant"]
)
def test_a_referral_for_something_else_is_none(text: str) -> None:
    assert is_plain_referral(with_entry("orders", referral(text)))


def test_a_code_that_a_site_has_given_the_meaning_is_for_the_liver() -> None:
    assert answered(with_entry("orders", referral(None, "urn:site"))) == []
