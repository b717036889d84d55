"""Hostile values: a chart that meets every criterion, plus an answer beside, within or against a value that is read."""

import copy
import json
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import (
    FINDINGS,
    LOINC,
    OUTSIDE,
    PATIENT,
    REQUEST,
    SCT,
    Json,
    card_of,
    coded,
    first_with,
    labelled,
    observed,
)

PERCENT = {"unit": "%", "system": "http://unitsofmeasure.org", "code": "%"}
KI67 = (LOINC, "29593-1")
RESPONSE = (LOINC, "97509-4")
RESIDUAL, MARGIN, M_CATEGORY = (LOINC, "84892-9"), (SCT, "371488000"), (LOINC, "21907-1")
STAIN = (SCT, "1234806008")
PROGRESSION, STABLE, PRESENT, ABSENT, UNKNOWN = "271299001", "359746009", "52101004", "2667000", "261665006"
INTERPRETATION = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
UICC = "https://www.uicc.org/resources/tnm"
NO_VALUE = {"text": "see comment"}


def said(code: str, system: str = SCT) -> Json:
    return {"valueCodeableConcept": coded(system, code)}


def percent(value: float) -> Json:
    return {"valueQuantity": {"value": value, **PERCENT}}


def part(question: tuple[str, str], **answer: Any) -> Json:
    return {"code": coded(*question), **answer}


def panel(*parts: Json, code: tuple[str, str] = (LOINC, "60568-3"), **elements: Any) -> Json:
    return observed(*code, component=list(parts), **elements)


def with_(resource: Json, key: str = "observations") -> Json:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["entry"].append({"resource": resource})
    request["prefetch"][key].pop("total", None)
    return request


def changed(key: str, text: str, **elements: Any) -> Json:
    """The chart with one resource of it changed."""
    request = copy.deepcopy(REQUEST)
    first_with(request, key, text).update(elements)
    return request


def is_plain(request: Json) -> bool:
    return bool(card_of(request)["summary"].startswith("Meets"))


def takes_certainty(request: Json, reference: str) -> bool:
    """Whether the card neither says that the criteria are met nor that they are not, and names the entry."""
    card = card_of(request)
    is_open = not card["summary"].startswith(("Meets", "Outside", "Not yet"))
    return is_open and reference in json.dumps(card["extension"])


# --- components -------------------------------------------------------------------------------------------------------

ANSWERS = [
    part(KI67, **percent(15)),
    part(RESPONSE, **said(PROGRESSION)),
    part(RESIDUAL, **said("278272005")),
    part((FINDINGS, "liver-involvement-percent"), **percent(70)),
    part(OUTSIDE, **said(PRESENT)),
    part(OUTSIDE, valueBoolean=True),
    part(M_CATEGORY, valueString="M1b"),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=repr)
@pytest.mark.parametrize("code", [coded(LOINC, "60568-3"), coded("urn:lab", "PANEL"), {"text": "Panel"}])
def test_what_only_the_components_of_a_panel_answer_takes_certainty_away(answer: Json, code: Json) -> None:
    assert takes_certainty(with_(panel(answer) | {"code": code}), "Observation/added")


@pytest.mark.parametrize(
    "silent",
    [
        part(KI67),
        part(KI67, dataAbsentReason=NO_VALUE),
        part((LOINC, "8480-6"), **percent(15)),
        part((LOINC, "48018-6"), **said(PROGRESSION)),
    ],
    ids=repr,
)
def test_components_that_answer_nothing_that_is_asked_take_nothing_away(silent: Json) -> None:
    card = card_of(with_(panel(silent)))
    assert card["summary"].startswith("Meets")
    assert "Observation/added" not in json.dumps(card)


@pytest.mark.parametrize(
    ("elements", "plain"),
    [
        ({"status": "entered-in-error"}, True),
        ({"status": "preliminary"}, False),
        ({"effectiveDateTime": "2026-11-23"}, False),
        ({"effectiveDateTime": "2026-11-24"}, True),
    ],
)
def test_a_panel_counts_by_its_status_and_day_as_every_finding_does(elements: Json, *, plain: bool) -> None:
    assert is_plain(with_(panel(part(KI67, **percent(15))) | elements)) is plain


def test_the_words_of_a_panel_are_read_beside_its_components() -> None:
    answer = part(KI67, **percent(2))
    request = with_(panel(answer, code=("urn:lab", "X"), valueString="Bone metastases in L2"))
    card = card_of(request)
    assert not card["summary"].startswith("Meets")
    assert "Bone metastases" in json.dumps(card["extension"])


AGAINST_THEIR_PARENT = [
    ("meets-grade", said("61026006")),
    ("meets-residual", said("278272005")),
    ("response-2026-10-20", said(PROGRESSION)),
    ("meets-involvement", percent(80)),
    ("meets-extrahepatic", said(PRESENT)),
    ("meets-extrahepatic", {"valueBoolean": True}),
]


@pytest.mark.parametrize(("name", "answer"), AGAINST_THEIR_PARENT, ids=repr)
def test_a_component_that_answers_its_parent_s_question_otherwise_leaves_it_open(
    name: str, answer: Json
) -> None:
    request = copy.deepcopy(REQUEST)
    parent = first_with(request, "observations", name)
    parent["component"] = [{"code": parent["code"], **answer}]
    assert takes_certainty(request, f"Observation/{parent['id']}")


@pytest.mark.parametrize("name", [name for name, _ in AGAINST_THEIR_PARENT])
def test_a_component_that_repeats_its_parent_changes_nothing(name: str) -> None:
    request = copy.deepcopy(REQUEST)
    parent = first_with(request, "observations", name)
    value = {key: item for key, item in parent.items() if key.startswith("value")}
    parent["component"] = [{"code": parent["code"], **value}]
    assert is_plain(request)


def test_an_involvement_that_stands_only_in_a_component_leaves_it_open() -> None:
    question = (FINDINGS, "liver-involvement-percent")
    request = with_(panel(part(question, **percent(30)), code=question))
    assert takes_certainty(request, "Observation/added")


def test_a_component_of_another_question_leaves_the_value_of_its_parent_as_it_is() -> None:
    parts = [part(RESPONSE, **said(PROGRESSION))]
    card = card_of(changed("observations", "meets-ki67", component=parts))
    assert not card["summary"].startswith("Meets")
    evidence = json.dumps(card["extension"])
    assert '"Observation/meets-ki67"' in evidence
    assert "1 of 8 criteria" in card["summary"]  # the course is open, the Ki-67 index is not


GENE = part((LOINC, "48018-6"), **said("HGNC:7107", "http://www.genenames.org"))


def test_a_stain_for_ki67_is_read_and_one_that_names_no_marker_is_open() -> None:
    answer = part(KI67, **percent(15))
    assert "Ki-67 15 %" in card_of(with_(panel(GENE, answer, code=STAIN)))["summary"]
    assert takes_certainty(with_(panel(answer, code=STAIN)), "Observation/added")
    beside = panel(GENE, answer, code=STAIN, **percent(2))
    assert takes_certainty(with_(beside), "Observation/added")


# --- contained --------------------------------------------------------------------------------------------------------


def report(*contained: Any, **elements: Any) -> Json:
    found = {"resourceType": "DiagnosticReport", "id": "rep", "status": "final", "contained": list(contained)}
    found |= {"code": coded(LOINC, "11526-1"), "subject": {"reference": PATIENT}}
    return {**found, "effectiveDateTime": "2026-10-20", "result": [{"reference": "#k"}], **elements}


INSIDE = observed(*KI67, **percent(15)) | {"id": "k"}


@pytest.mark.parametrize(
    "given",
    [
        report(INSIDE),
        report(INSIDE, code=coded("urn:lab", "REP")),
        report(INSIDE, code="REP"),
        report(INSIDE, conclusionCode="none"),
        report(INSIDE, contained=INSIDE),
        report(panel(part(KI67, **percent(15)))),
        report(panel(GENE, part((LOINC, "85319-2"), **percent(15)), code=STAIN)),
        report(observed(*OUTSIDE, interpretation=[coded(INTERPRETATION, "POS")])),
    ],
    ids=repr,
)
def test_a_finding_that_a_report_contains_takes_certainty_away(given: Json) -> None:
    assert takes_certainty(with_(given, "reports"), "DiagnosticReport/rep")


@pytest.mark.parametrize(
    "given",
    [
        report(INSIDE | {"status": "cancelled"}),
        report(INSIDE, status="entered-in-error"),
        report(INSIDE, effectiveDateTime="2026-11-24"),
        report(observed(*KI67)),
        report(observed(LOINC, "8480-6", **percent(15)), "Observation", None),
        report({"resourceType": "Observation", "code": {"coding": [{"system": ["x"], "code": {}}]}}),
        report(
            {"resourceType": "Observation", "code": {"coding": [{"system": LOINC, "code": 7}]}} | percent(1)
        ),
    ],
    ids=repr,
)
def test_what_a_report_contains_and_nobody_asks_for_takes_nothing_away(given: Json) -> None:
    assert is_plain(with_(given, "reports"))


# --- what stands against a value --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "resource",
    [
        observed(*KI67, dataAbsentReason=NO_VALUE, **percent(15)),
        observed(*RESPONSE, dataAbsentReason=NO_VALUE, **said(PROGRESSION)),
        observed(*OUTSIDE, dataAbsentReason=NO_VALUE, **said(PRESENT)),
        panel(part(KI67, dataAbsentReason=NO_VALUE, **percent(15)), code=KI67),
    ],
    ids=repr,
)
def test_a_value_beside_the_reason_why_there_is_none_takes_certainty_away(resource: Json) -> None:
    assert takes_certainty(with_(resource), "Observation/added")


@pytest.mark.parametrize(
    ("question", "value"), [(KI67, {}), (RESPONSE, {}), (RESPONSE, said(UNKNOWN)), (OUTSIDE, {})]
)
def test_a_reason_for_no_value_alone_or_beside_unknown_says_nothing(
    question: tuple[str, str], value: Json
) -> None:
    assert is_plain(with_(observed(*question, dataAbsentReason=NO_VALUE, **value)))


@pytest.mark.parametrize(
    ("code", "plain"), [("POS", False), ("DET", False), ("IND", False), ("NEG", True), ("A", True)]
)
def test_an_absence_is_none_where_its_interpretation_says_otherwise(code: str, *, plain: bool) -> None:
    given = [coded(INTERPRETATION, code)]
    request = changed("observations", "meets-extrahepatic", interpretation=given)
    assert is_plain(request) is plain
    assert plain or takes_certainty(request, "Observation/meets-extrahepatic")
    flag = changed("observations", "meets-extrahepatic", interpretation=given, valueBoolean=False)
    del first_with(flag, "observations", "meets-extrahepatic")["valueCodeableConcept"]
    assert is_plain(flag) is plain


def test_a_presence_that_is_interpreted_as_negative_is_open() -> None:
    given = [coded(INTERPRETATION, "NEG")]
    request = changed("observations", "meets-extrahepatic", interpretation=given, **said(PRESENT))
    assert takes_certainty(request, "Observation/meets-extrahepatic")


LABELS = {"coding": [{"system": "urn:x", "code": name, "display": name} for name in ("5%", "20%")]}


def test_two_labels_with_different_numbers_are_shown_and_may_be_any_value() -> None:
    request = with_(observed(*KI67, valueCodeableConcept=LABELS))
    assert takes_certainty(request, "Observation/added")
    assert "5% / 20%" in json.dumps(card_of(request)["extension"])
    same = copy.deepcopy(LABELS)
    same["coding"][1]["display"] = "5 %"
    assert "Ki-67" not in card_of(with_(observed(*KI67, valueCodeableConcept=same)))["summary"]


@pytest.mark.parametrize(("value", "plain"), [(0.15, False), (1, False), (2, True)])
def test_a_percent_sign_beside_the_code_for_a_fraction_is_read_only_where_it_is_no_fraction(
    value: float, *, plain: bool
) -> None:
    quantity = {"value": value, **PERCENT, "code": "1"}
    assert is_plain(with_(observed(*KI67, valueQuantity=quantity))) is plain


@pytest.mark.parametrize(
    ("words", "plain"),
    [
        ("Ki-67 (repeat requested, invalid)", False),
        ("Ki-67 normal control", False),
        ("Ki-67 (ungültig)", False),
        ("Ki-67, ongeldig", False),
        ("Ki-67, controlled by a second reader", True),
        ("Ki-67 index, validated", True),
    ],
)
def test_a_value_whose_question_is_labelled_as_not_usable_takes_certainty_away(
    words: str, *, plain: bool
) -> None:
    for code in (labelled(*KI67, text=words), labelled(*KI67, display=words)):
        request = changed("observations", "meets-ki67", code=code)
        assert is_plain(request) is plain
        assert plain or takes_certainty(request, "Observation/meets-ki67")


@pytest.mark.parametrize(
    ("words", "plain"),
    [("Invalid / insufficient cells", False), ("Probe unzureichend", False), ("Low", True)],
)
def test_a_value_that_is_interpreted_as_not_usable_takes_certainty_away(words: str, *, plain: bool) -> None:
    request = changed("observations", "meets-ki67", interpretation=[{"text": words}])
    assert is_plain(request) is plain
    assert plain or takes_certainty(request, "Observation/meets-ki67")


# --- answers in a code that nobody here knows -------------------------------------------------------------------------

ON_THE_DAY = {"effectiveDateTime": "2025-10-01"}


@pytest.mark.parametrize(
    "resource",
    [
        observed(*M_CATEGORY, valueCodeableConcept=labelled(UICC, "1b", "M1b")),
        observed(*M_CATEGORY, **said("cM1B", "http://cancerstaging.org")),
        observed(*M_CATEGORY, valueCodeableConcept={"coding": [{"code": "M1b"}]}),
        observed(*M_CATEGORY, **said("M1b", "urn:lab")),
        observed(*M_CATEGORY, valueCodeableConcept={"coding": [{"display": "M1b"}]}),
        observed(*RESIDUAL, valueCodeableConcept=labelled("urn:lab", "R1", "R1 microscopic"), **ON_THE_DAY),
        observed(*MARGIN, valueCodeableConcept=labelled("urn:lab", "POS", "Tumour at margin"), **ON_THE_DAY),
        observed(*MARGIN, interpretation=[coded("urn:lab", "POS")], **ON_THE_DAY),
    ],
    ids=repr,
)
def test_an_answer_in_a_code_that_is_not_known_here_takes_certainty_away(resource: Json) -> None:
    assert takes_certainty(with_(resource), "Observation/added")


@pytest.mark.parametrize(
    "resource",
    [
        observed(*M_CATEGORY, **said(UNKNOWN)),
        observed(*M_CATEGORY, **said("1229901006")),
        observed(*RESIDUAL, **said("258253006"), **ON_THE_DAY),
        observed(*RESIDUAL, **said(UNKNOWN), **ON_THE_DAY),
        observed(*MARGIN, **said(UNKNOWN), **ON_THE_DAY),
        observed(*MARGIN, interpretation=[coded(INTERPRETATION, "IND")], **ON_THE_DAY),
        observed(*M_CATEGORY, dataAbsentReason=NO_VALUE),
    ],
    ids=repr,
)
def test_a_code_that_says_that_nothing_is_known_takes_nothing_away(resource: Json) -> None:
    assert is_plain(with_(resource))


@pytest.mark.parametrize(
    ("code", "system", "plain"),
    [
        ("385671000", SCT, False),
        ("385670004", SCT, False),
        ("X7", "urn:lab", False),
        ("385669000", SCT, True),
        (UNKNOWN, SCT, True),
    ],
)
def test_an_outcome_of_the_resection_that_is_no_success_takes_r0_away(
    code: str, system: str, *, plain: bool
) -> None:
    request = changed("procedures", "276190007", outcome=coded(system, code))
    assert is_plain(request) is plain
    assert plain or takes_certainty(request, "Procedure/meets-resection")


def test_an_outcome_without_a_code_is_read_by_its_words_only() -> None:
    in_words = {"coding": [{"display": "R0 resection"}]}
    assert is_plain(changed("procedures", "276190007", outcome=in_words))
    worse = {"coding": [{"display": "R1 resection"}]}
    assert takes_certainty(changed("procedures", "276190007", outcome=worse), "Procedure/meets-resection")


@pytest.mark.parametrize(
    ("day", "summary"),
    [
        ("2025-09-30T23:00:00Z", "Not yet: primary tumour R2"),
        ("2025-09-30", "Not yet: primary tumour R2"),
        ("2025-09-29", "Possible candidate"),
        ("2025-01-01", "Possible candidate"),
    ],
)
def test_a_residual_tumour_that_is_dated_before_the_only_operation_is_not_set_aside(
    day: str, summary: str
) -> None:
    resource = observed(*RESIDUAL, **said("278272005")) | {"effectiveDateTime": day}
    card = card_of(with_(resource))
    assert card["summary"].startswith(summary)
    assert "Observation/added" in json.dumps(card["extension"])
