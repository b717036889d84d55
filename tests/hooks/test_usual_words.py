"""Usual words: what reports and problem lists of a patient who meets the criteria say every day raises no doubt."""

import pytest

from tests.hooks.test_hostile_answers import changed, is_plain_referral, with_entry
from tests.hooks.test_hostile_charts import bone
from tests.hooks.test_hostile_words import report

REPORTS = [
    "CT: Multiple liver metastases, stable compared to prior study. No new lesions. No lymphadenopathy.",
    "68Ga-DOTATATE PET/CT: known hepatic metastases with intense uptake. No uptake outside the liver.",
    "No extrahepatic disease, no lymphadenopathy, no bone metastases.",
    "No evidence of bone, nodal or peritoneal metastases.",
    "Hepatic metastases up to 3 cm, partial response to treatment.",
    "Stable hepatic metastatic disease. No extrahepatic metastases identified.",
    "Impression: 1. Hepatic metastases, unchanged. 2. No evidence of new metastatic disease elsewhere.",
    "Liver metastases of a well-differentiated NET of the ileum, status post right hemicolectomy.",
    "MRT Leber: multiple Lebermetastasen, größenkonstant. Kein Nachweis extrahepatischer Metastasen.",
    "Levermetastasen, stabiel. Geen aanwijzingen voor botmetastasen of lymfekliermetastasen.",
]
LABELS = [
    ("C7A.012", "Malignant carcinoid tumor of ileum (HCC)"),
    ("C7A.012", "Neuroendocrine carcinoma of ileum"),
    ("C7A.012", "Well differentiated NET G1 of terminal ileum, metastatic to liver"),
    ("C7B.02", "Metastatic carcinoid tumor to liver (CMS/HCC)"),
    ("C7B.02", "Liver metastases"),
    ("C7B.02", "Neuroendocrine carcinoma metastatic to liver"),
]
OTHERS = [
    "Essential hypertension",
    "Screening for malignant neoplasm of colon",
    "Family history of breast cancer",
    "Secondary hyperparathyroidism",
    "Benign neoplasm of colon",
    "Carcinoid syndrome",
]


@pytest.mark.parametrize("text", REPORTS)
def test_a_usual_report_raises_no_doubt(text: str) -> None:
    assert is_plain_referral(with_entry("reports", report(conclusion=text, effectiveDateTime="2026-11-01")))


@pytest.mark.parametrize(("code", "text"), LABELS)
def test_a_usual_label_of_the_tumour_raises_no_doubt(code: str, text: str) -> None:
    assert is_plain_referral(changed("conditions", code, lambda item: item["code"].update(text=text)))


@pytest.mark.parametrize("text", OTHERS)
def test_a_usual_label_of_something_else_raises_no_doubt(text: str) -> None:
    assert is_plain_referral(with_entry("conditions", bone(id="other", code={"text": text})))


@pytest.mark.parametrize(
    "text", ["Metastases of the liver and to bone.", "Metastasis to the lung, compared to prior study new."]
)
def test_where_a_metastasis_went_to_is_still_read(text: str) -> None:
    assert not is_plain_referral(
        with_entry("reports", report(conclusion=text, effectiveDateTime="2026-11-01"))
    )
