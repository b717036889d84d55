"""The label of a code never gives a value, and takes one away where it says the opposite or something else."""

import json
from pathlib import Path
from typing import Any

import pytest

import fhir_mappings
from fhir_mappings.labels import answers_in, display_contradicts, names_part_of_liver, words_contradict
from fhir_mappings.valueset import terminology

PATH = Path(fhir_mappings.__file__).parent / "valuesets" / "display-keywords.json"
GIVEN: dict[str, Any] = json.loads(PATH.read_text("utf-8"))
IDS = terminology().value_set_ids()


def test_every_value_set_of_the_word_list_exists() -> None:
    denials = GIVEN["denials"]
    answers = [name for question in GIVEN["answers"].values() for name in question]
    assert {*denials["needed"], *denials["allowed"], *answers} <= IDS


@pytest.mark.parametrize(
    "label",
    [
        "No bone metastasis",
        "no bone metastases seen",
        "Absence of bone metastasis",
        "Without bone metastasis",
        "Bone metastases: none",
        "Bone metastasis (not present)",
        "Bone metastasis ruled out",
        "Kein Hinweis auf Knochenmetastasen",
        "Keine Knochenmetastasen",
        "Knochenmetastasen: keine",
        "Ohne Knochenmetastasen",
        "Knochenmetastasen ausgeschlossen",
        "Geen botmetastasen",
        "Botmetastasen - geen",
        "Zonder botmetastasen",
        "Botmetastasen uitgesloten",
    ],
)
@pytest.mark.parametrize("value_set_id", ["extrahepatic-bone", "presence-present"])
def test_a_label_that_denies_contradicts_what_is_there(value_set_id: str, label: str) -> None:
    assert words_contradict({value_set_id}, label)


@pytest.mark.parametrize(
    "label",
    [
        "Bone metastasis, not otherwise specified",
        "Secondary malignant neoplasm of bone (not specified as left or right)",
        "Metastasis of bone without fracture",
        "Bösartige Neubildung des Knochens, nicht näher bezeichnet",
        "Knochenmetastase o.n.A.",
        "Botmetastase, niet gespecificeerd",
        "Nodal metastasis of bone",
        "No. 8 vertebra, bone metastasis",
        "Bone metastasis present/absent",
        "Bone metastasis, presence or absence",
    ],
)
def test_a_label_that_only_holds_a_denial_of_something_else_denies_nothing(label: str) -> None:
    assert not words_contradict({"extrahepatic-bone"}, label)
    assert not display_contradicts({"extrahepatic-bone"}, label)


@pytest.mark.parametrize(
    ("value_set_id", "label"),
    [
        ("presence-absent", "Present"),
        ("presence-absent", "Bone metastases"),
        ("presence-absent", "Vorhanden"),
        ("presence-present", "Absent"),
        ("presence-present", "Negative"),
        ("presence-present", "Afwezig"),
        ("presence-present", "Unknown"),
        ("presence-unknown", "Present"),
        ("interpretation-negative", "Positive"),
        ("interpretation-positive", "Negative"),
        ("interpretation-positive", "Indeterminate"),
        ("no-evidence-of-disease", "Recurrence"),
        ("margin-negative", "Margin involved by tumour"),
        ("grade-g1", "G3"),
        ("grade-g1", "Grade II"),
        ("grade-g1", "G1-G2"),
        ("grade-g2", "slecht gedifferentieerd"),
        ("grade-g3", "G1"),
        ("grade-low", "High grade"),
        ("residual-r0", "R1"),
        ("residual-r0", "R2a"),
        ("residual-r0", "RX"),
        ("residual-r0", "Incomplete resection"),
        ("residual-r0", "mikroskopischer Resttumor"),
        ("residual-r1", "R0"),
        ("tnm-m1a", "cM1b"),
        ("tnm-m1", "M1c"),
        ("tnm-m1b", "pM1a"),
        ("tnm-m0", "M1"),
        ("tnm-m1a", "No metastasis"),
        ("response-stable", "Progressive disease"),
        ("response-stable", "PD"),
        ("response-partial", "Krankheitsprogression, progressiv"),
        ("response-partial", "Stabiele ziekte"),
        ("response-progression", "Stable"),
        ("response-progression", "No progression"),
        ("response-complete", "Rezidiv"),
        ("resectability-unresectable", "Resectable"),
        ("resectability-resectable", "Not resectable"),
        ("resectability-resectable", "non-resectable"),
        ("resectability-resectable", "Irresectabel"),
    ],
)
def test_a_label_of_the_opposite_or_of_another_answer_contradicts(value_set_id: str, label: str) -> None:
    assert words_contradict({value_set_id}, label)
    assert display_contradicts({value_set_id}, label)


@pytest.mark.parametrize(
    ("value_set_id", "label"),
    [
        ("presence-absent", "Not present"),
        ("presence-absent", "Keine nachweisbar"),
        ("presence-absent", "tumorfrei"),
        ("presence-absent", "Afwezig"),
        ("presence-unknown", "Not known whether present: unknown"),
        ("margin-negative", "Margin clear"),
        ("margin-negative", "Schnittrand tumorfrei"),
        ("margin-negative", "Snijvlak vrij"),
        ("grade-g1", "Grade 1, not G3"),
        ("grade-g1", "G1: well differentiated, low grade"),
        ("grade-g2", "Grad II, mäßig differenziert"),
        ("grade-g3", "G3 (high grade, poorly differentiated)"),
        ("residual-r0", "R0: no microscopic residual"),
        ("residual-r1", "R1: microscopic residual tumour, incomplete resection"),
        ("residual-r1", "R1a"),
        ("tnm-m1a", "cM1a"),
        ("tnm-m1a", "M1"),
        ("tnm-m1c", "AJCC pM1c"),
        ("response-stable", "Stable disease, no progression"),
        ("response-stable", "Progression-free"),
        ("response-stable", "Stabil, ohne Progress"),
        ("response-complete", "Komplettremission (CR)"),
        ("response-no-evidence-of-disease", "NED"),
        ("resectability-unresectable", "Not resectable"),
        ("resectability-unresectable", "non-resectable"),
        ("grade-g1", "3"),
        ("presence-absent", ""),
        ("presence-absent", None),
        ("presence-absent", "なし"),
    ],
)
def test_a_label_that_fits_its_answer_does_not_contradict(value_set_id: str, label: str | None) -> None:
    assert not words_contradict({value_set_id}, label)
    assert not display_contradicts({value_set_id}, label)


def test_words_beside_a_code_that_means_nothing_contradict_nothing() -> None:
    assert not words_contradict((), "No bone metastasis")


def test_words_name_the_answers_that_they_hold_outside_a_denial() -> None:
    assert answers_in("residual status", "R1 resection") == {"residual-r1"}
    assert answers_in("residual status", "incomplete") == {"residual-r1", "residual-r2"}
    assert answers_in("residual status", "R0, no R1 margin") == {"residual-r0"}
    assert answers_in("residual status", "without complication") == frozenset()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Right lobe", True),
        ("Lebersegment 7", True),
        ("linkerkwab", True),
        ("Liver", False),
        ("Entire liver", False),
    ],
)
def test_words_may_name_a_part_of_the_liver(words: str, *, expected: bool) -> None:
    assert names_part_of_liver(words) is expected
