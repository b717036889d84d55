"""Words that name a metastasis (terminology.md 2 l): where, whether they are denied, and what is found without decoding."""

import json
from time import process_time

import pytest

from fhir_mappings.metastasis_words import named_by_code, named_in, stems
from fhir_mappings.relevance import holding

ELSEWHERE, LIVER, BOTH, UNSAID = (False, True), (True, False), (True, True), (False, False)
NAMED = {
    "Bone metastases": ELSEWHERE,
    "Knochenmetastasen": ELSEWHERE,
    "Metastatic malignant neoplasm to spleen (disorder)": ELSEWHERE,
    "Secondary malignant neoplasm of lung": ELSEWHERE,
    "Peritonealkarzinose": ELSEWHERE,
    "Peritoneal carcinomatosis": ELSEWHERE,
    "Metástasis óseas, extrahepatic": ELSEWHERE,
    "Métastases osseuses": ELSEWHERE,
    "Uitzaaiingen in de longen, botmetastasen": ELSEWHERE,
    "bone metastases cannot be excluded": ELSEWHERE,
    "Keine neuen Knochenmetastasen": ELSEWHERE,
    "No change of the bone metastases": ELSEWHERE,
    "Bone metastases, no treatment": ELSEWHERE,
    "ypT2N2(mi)M1b": ELSEWHERE,
    "M1 (OSS)": ELSEWHERE,
    "Liver mets": LIVER,
    "Lebermetastasen": LIVER,
    "Secondary malignant neoplasm of liver and intrahepatic bile duct": LIVER,
    "Metastatic malignant neoplasm to the liver": LIVER,
    "Metastasis to bone and liver": BOTH,
    "Metastatic neuroendocrine tumor of ileum": UNSAID,
    "Moment der Behandlung: metastasierter NET": UNSAID,
    "Secondary malignant neoplasm of unspecified site": UNSAID,
}


@pytest.mark.parametrize(("text", "where"), NAMED.items())
def test_words_name_a_metastasis_and_where_it_is(text: str, where: tuple[bool, bool]) -> None:
    assert [(found.in_liver, found.elsewhere) for found in named_in(text)] == [where]


@pytest.mark.parametrize(
    "text",
    [
        "no evidence of metastases",
        "keine Metastasen",
        "geen botmetastasen",
        "Bone metastases: none",
        "bone metastases not seen",
        "Knochenmetastasen ausgeschlossen",
        "bone metastases false",
        "screening for bone metastases",
        "Family history of metastatic lung cancer",
        "regional lymph node metastasis",
        "M1(HEP)",
        "pM1a",
        "homeostasis of bone",
        "",
    ],
)
def test_words_that_deny_one_or_name_none_say_nothing(text: str) -> None:
    assert not list(named_in(text))


def test_each_sentence_is_read_by_itself() -> None:
    found = list(named_in("No lung metastases. Bone metastases.\nLiver metastases; stable"))
    assert [(item.in_liver, item.elsewhere) for item in found] == [ELSEWHERE, LIVER]


@pytest.mark.parametrize("text", NAMED)
def test_what_names_a_metastasis_is_found_without_decoding_the_rest(text: str) -> None:
    for ascii_only in (True, False):
        held = json.dumps({"code": {"text": text.upper()}}, ensure_ascii=ascii_only).encode()
        other = json.dumps({"code": {"text": "Haemoglobin"}, "note": text}).encode()
        assert holding([other, held, other], stems()) == [1]


def test_what_is_no_object_is_searched_whole() -> None:
    assert holding([b'["bone metastases"]', b"", b'"x"'], stems()) == [0]


@pytest.mark.parametrize(
    ("code", "where"),
    [
        ("197.7", LIVER),
        ("1977", LIVER),
        ("209.72", LIVER),
        ("198.5", ELSEWHERE),
        ("196", ELSEWHERE),
        ("209.70", UNSAID),
    ],
)
def test_a_code_of_icd_9_is_read_like_words(code: str, where: tuple[bool, bool]) -> None:
    found = named_by_code("http://hl7.org/fhir/sid/icd-9-cm", code)
    assert found is not None
    assert (found.in_liver, found.elsewhere) == where


@pytest.mark.parametrize(
    ("system", "code"), [("urn:x", "198.5"), ("ICD9", "199.1"), ("ICD9", "250.00"), (None, None)]
)
def test_another_code_is_none(system: str | None, code: str | None) -> None:
    assert named_by_code(system, code) is None


def test_a_long_text_costs_no_time() -> None:
    start = process_time()
    for text in ("metastatic to " * 20_000, "secondary malignant " * 20_000, "no " * 50_000, "M1 (" * 50_000):
        list(named_in(text))
    assert process_time() - start < 2
