"""Hostile sentences: what a denial takes back, and what stands beside it and stays, in every place that holds words."""

import copy
from time import process_time
from typing import Any

import pytest

from fhir_mappings.metastasis_words import named_in, says_no
from fhir_mappings.tumour_words import named_tumours
from tests.hooks.test_hostile_charts import REQUEST, Json, answered, bone, observed
from tests.hooks.test_hostile_words import plain, report

STAYS = [
    "No pulmonary nodules, bone metastases in L2 and L4.",
    "No pulmonary nodules or effusion, bone metastases in L2.",
    "No pulmonary nodules, bone metastases in L2 or L4.",
    "No pulmonary nodules, progression of bone metastases.",
    "No pulmonary nodules but bone metastases in L2.",
    "No pulmonary nodules - bone metastases in L2.",
    "Keine Lungenrundherde, Knochenmetastasen in L2.",
    "Geen longhaarden, botmetastasen in L2.",
    "No evidence of progression of bone metastases.",
    "No evidence of new bone metastases.",
    "No progression of bone or lung metastases.",
    "No increase in bone metastases.",
    "No increased uptake in bone metastases.",
    "No increase of lesions suspicious for bone metastases.",
    "No evidence of progressive bone metastases.",
    "No bone metastasis progression.",
    "Kein Hinweis auf Progress der Knochenmetastasen.",
    "Geen toename van de botmetastasen.",
    "No treatment of bone metastases.",
    "Bone metastases cannot be ruled out.",
    "Bone metastases not ruled out.",
    "Bone metastases not excluded.",
    "Cannot definitely rule out bone metastases.",
    "Knochenmetastasen nicht sicher auszuschließen.",
    "Nicht auszuschließen sind Knochenmetastasen.",
    "Botmetastasen niet uit te sluiten.",
    "No metastases except bone metastases in L2.",
    "No metastases except in the bone.",
    "No metastases other than bone metastases in L2.",
    "No metastases apart from the bone.",
    "No metastases besides bone metastases.",
    "No metastases aside from the lung.",
    "Keine Metastasen außer Knochenmetastasen.",
    "Keine Metastasen bis auf eine im Knochen.",
    "Geen metastasen behalve botmetastasen.",
    "High risk of fracture due to bone metastases.",
    "High risk of fracture in bone metastases.",
    "High risk patient with bone metastases.",
    "Bone metastases not seen on prior study.",
    "Bone metastases, previously not seen.",
    "Bone metastases not present on the last CT.",
    "Knochenmetastasen im Vorbefund nicht nachweisbar.",
    "Botmetastasen niet gezien op eerder onderzoek.",
    "Bone metastases in L2, pulmonary nodules not seen.",
    "MRI without contrast shows bone metastases.",
    "Bone metastases found in routine screening.",
    r"No lung nodules\.br\Bone metastases in L2",
    "No lung nodules<br>Bone metastases in L2",
    "No lung nodules<br/>Bone metastases in L2",
    "No pleural effusion.Bone metastases in L2",
    "No pain, bone metastases",
    "Bone metastases, cannot be ruled out",
]
GOES = [
    "No lymph node, bone or lung metastases.",
    "No liver, bone, or lung metastases.",
    "No bone metastases.",
    "No pleural effusion, no bone metastases.",
    "No evidence of metastases in liver, bone or lung.",
    "No evidence of progression or bone metastases.",
    "No recurrence, progression or bone metastases.",
    "No fracture or bone metastases.",
    "No lung, bone or other metastases.",
    "No bone metastases but degenerative changes of the spine.",
    "No nodes with metastases.",
    "Keine Leber-, Knochen- oder Lungenmetastasen",
    "Keine Leber-, Knochen- und Lungenmetastasen",
    "Kein Anhalt für Rezidiv oder Knochenmetastasen.",
    "Geen lymfeklier, bot of longmetastasen.",
    "Pas de métastases osseuses ou pulmonaires",
    "Sin metástasis óseas, hepáticas o pulmonares",
    "Risk of bone metastases.",
    "Family history of bone metastases.",
    "Bone metastases: none",
    "Bone metastases, not seen",
    "Bone metastases ruled out.",
    "Knochenmetastasen wurden nicht nachgewiesen.",
    "Distant metastases (bone, lung, brain): none",
    "Besides cysts no bone metastases.",
    "CT without contrast: no bone metastases.",
    "No increased uptake suspicious for bone metastases.",
    "No abnormal FDG uptake in the bones to suggest metastases.",
    "No enlarged lymph nodes to suggest metastases.",
    "No sclerotic changes suggesting bone metastases.",
    "Keine Veränderungen im Sinne von Knochenmetastasen.",
    "Geen progressie of botmetastasen.",
    "No evidence of residual, recurrent, or metastatic disease of the bone.",
]


@pytest.mark.parametrize("text", STAYS)
def test_a_denial_of_something_else_takes_no_metastasis_back(text: str) -> None:
    assert any(found.elsewhere for found in named_in(text))


@pytest.mark.parametrize("text", GOES)
def test_a_usual_denial_still_takes_all_of_its_metastases_back(text: str) -> None:
    assert not list(named_in(text))


@pytest.mark.parametrize(
    ("text", "in_liver", "elsewhere"),
    [
        ("No metastases other than in the liver.", True, False),
        ("No lung or bone metastases apart from the liver metastases.", True, False),
        ("No liver metastases except one in the bone.", False, True),
        ("No bone metastases except one in L2.", False, True),
    ],
)
def test_of_an_exception_only_what_is_excepted_is_there(
    text: str, *, in_liver: bool, elsewhere: bool
) -> None:
    assert [(item.in_liver, item.elsewhere) for item in named_in(text)] == [(in_liver, elsewhere)]


@pytest.mark.parametrize("filler", [0, 650, 699, 700, 701, 980, 999, 1000, 5000, 50_000])
def test_the_end_of_a_long_sentence_is_read_like_its_beginning(filler: int) -> None:
    text = "Liver unchanged, " + "x" * filler
    assert any(item.elsewhere for item in named_in(f"{text} bone metastases in L2"))
    assert not list(named_in(f"{text} no bone metastases"))


def test_long_texts_cost_no_time() -> None:
    start = process_time()
    for text in ("no metastases ", "metastases not seen, ", "not a ", "except ", "no nodule ( metastasis "):
        list(named_in(text * 5_000 + "metastasis"))
    assert process_time() - start < 2


@pytest.mark.parametrize("answer", ["none", "not seen", "absent", "Nicht nachweisbar", "negative"])
def test_an_answer_that_only_denies_says_no(answer: str) -> None:
    assert says_no(answer)


@pytest.mark.parametrize(
    "answer", ["", "not excluded", "present", "bone metastases: none", "effusion not seen, mass in L2"]
)
def test_an_answer_that_says_more_does_not(answer: str) -> None:
    assert not says_no(answer)


def chart(*resources: Json) -> Json:
    """The chart that meets the criteria, with more in it."""
    request = copy.deepcopy(REQUEST)
    keys = {"Condition": "conditions", "Observation": "observations", "DiagnosticReport": "reports"}
    for item in resources:
        part = request["prefetch"][keys[item["resourceType"]]]
        part["entry"] = [*part.get("entry", ()), {"resource": item}]
        part.pop("total", None)
    return request


def said(text: str) -> dict[str, Any]:
    """A text in each place that holds words: a report, a finding and the label of a diagnosis."""
    return {
        "report": report(conclusion=text, effectiveDateTime="2026-10-20"),
        "finding": observed("http://loinc.org", "59776-5") | {"valueString": text},
        "label": bone(code={"text": text}),
    }


@pytest.mark.parametrize("place", said(""))
@pytest.mark.parametrize(
    "text", [STAYS[0], STAYS[9], STAYS[-2], STAYS[-1], "No metastases except in the bone."]
)
def test_a_metastasis_beside_a_denial_is_a_doubt_wherever_it_is_said(text: str, place: str) -> None:
    [card] = answered(chart(said(text)[place]))
    assert not card["summary"].startswith("Meets")
    assert "only the words of an entry say so" in plain(card["detail"])


@pytest.mark.parametrize("place", said(""))
@pytest.mark.parametrize(
    "text", [GOES[0], GOES[11], "No bone metastases but degenerative changes of the spine."]
)
def test_a_usual_denial_changes_no_verdict_wherever_it_is_said(text: str, place: str) -> None:
    [before], [after] = answered(chart()), answered(chart(said(text)[place]))
    assert after["summary"] == before["summary"]


def test_a_local_question_with_commas_is_answered_by_a_plain_no() -> None:
    asked = observed("urn:local", "META") | {"code": {"text": "Distant metastases, bone"}}
    [clean] = answered(chart(asked | {"valueString": "not seen"}))
    [doubt] = answered(chart(asked | {"valueString": "not excluded"}))
    assert clean["summary"].startswith("Meets")
    assert not doubt["summary"].startswith("Meets")


def test_a_tumour_is_denied_as_far_as_a_metastasis_is() -> None:
    assert not list(named_tumours("No adenocarcinoma, lymphoma or neuroendocrine tumour."))
    assert list(named_tumours("No adenocarcinoma, neuroendocrine tumour."))
    assert list(named_tumours("A neuroendocrine tumour cannot be ruled out."))


# --- another malignancy in words --------------------------------------------------------------------------------------

ANOTHER = [
    "Hepatocellular carcinoma secondary to hepatitis C cirrhosis",
    "Breast cancer (no metastases)",
    "Bronchialkarzinom, Verdacht auf Rezidiv",
    "Prostate cancer, screening detected",
    "Prostate cancer, benign nevus",
    "Breast cancer, family history of colon cancer",
    "History of hepatitis C with hepatocellular carcinoma",
    "Lung cancer not ruled out",
    "Metastatic breast cancer",
    "Metastatic malignant melanoma",
    "Lebermetastasen eines Mammakarzinoms",
    "Breast cancer, carcinoid of ileum",
    "Small cell neuroendocrine carcinoma of lung",
    "Typical carcinoid of lung",
    "Bronchial carcinoid",
    "Neuroendokriner Tumor der Lunge",
]
NO_OTHER = [
    "No evidence of breast cancer",
    "Screening for malignant neoplasm of colon",
    "Family history of lung cancer",
    "Prostate cancer screening",
    "Cancer of breast, history of",
    "Mammakarzinom in der Anamnese",
    "Ductal carcinoma in situ of breast",
    "Secondary malignant neoplasm of bone",
    "Malignant neoplasm of bone, secondary",
    "Metastatic carcinoma",
    "Family history of lung carcinoid",
    "Neuroendocrine carcinoma of ileum",
    "Carcinoma of ileum, neuroendocrine",
    "Malignant carcinoid tumor of ileum",
    "Malignant gastrinoma",
    "Carcinoid of ileum",
    "Metastatic NET to liver",
    "Neuroendocrine tumor of ileum with lung metastases",
    "Neuroendocrine tumor of ileum metastatic to lung",
    "Lung metastases of neuroendocrine tumor",
    "Secondary carcinoid tumor of lung",
]


def asks_for_another(label: str) -> bool:
    [card] = answered(chart(bone(code={"text": label}, id="second")))
    return "Other malignancy: on record, but only the words of an entry say so" in plain(card["detail"])


@pytest.mark.parametrize("label", ANOTHER)
def test_another_malignancy_is_not_taken_back_by_the_words_beside_it(label: str) -> None:
    assert asks_for_another(label)


@pytest.mark.parametrize("label", NO_OTHER)
def test_what_denies_the_malignancy_itself_or_names_the_net_is_no_other_one(label: str) -> None:
    assert not asks_for_another(label)
