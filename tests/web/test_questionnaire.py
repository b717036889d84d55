"""The form as a FHIR R4 Questionnaire: valid under every policy, unknown first, with the limits and what is recorded."""

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from cds_service.eligibility.policy import Policy, policies, policy
from cds_service.web.asked import asked
from cds_service.web.questionnaire import questionnaire
from fhir_mappings.questions import FORM_ANSWERS, Kind, questions
from fhir_mappings.valueset import terminology
from tests.builders import ICD_CM, TODAY, Json, condition, ki67, net, patient
from tests.web.forms import BARE, COMPLETE, SAMPLES, reading_of, sample, then

MILAN = policy("milan-net-2016")
FORM_CODES = files("fhir_mappings") / "valuesets" / "codesystem-form.json"


def items(form: Json) -> Iterator[Json]:
    for item in form.get("item", ()):
        yield item
        yield from items(item)


def item_of(form: Json, link: str) -> Json:
    (found,) = (item for item in items(form) if item["linkId"] == link)
    return found


def extensions(item: Json) -> dict[str, object]:
    named = {one["url"].rsplit("/", 1)[-1]: one for one in item.get("extension", ())}
    return {name: next(one[key] for key in one if key.startswith("value")) for name, one in named.items()}


@pytest.mark.parametrize("rules", policies(), ids=lambda rules: rules.id)
@pytest.mark.parametrize("path", sorted(SAMPLES.glob("[0-9]*.json")), ids=lambda path: path.stem)
def test_every_policy_has_a_valid_form_for_every_sample(rules: Policy, path: Path) -> None:
    form = questionnaire(rules, sample(path.stem).facts, TODAY)
    links = [item["linkId"] for item in items(form)]
    assert len(links) == len(set(links))
    assert form["url"].endswith(rules.id)
    for item in items(form):
        assert not ("initial" in item and "answerOption" in item), "que-11"
        assert ("item" in item) is (item["type"] == "group"), "que-1"


def test_what_is_unknown_is_asked_first_then_what_is_not_met_and_the_rest_is_folded_up() -> None:
    reading = reading_of(*BARE, ki67(12, id="k"))
    found = asked(MILAN, reading.facts, TODAY)
    states = [str(item.answer) for item in found]
    assert states == sorted(states, key=["unknown", "not-met", "met"].index)
    assert {item.fact for item in found if item.is_open} >= {"liver_involvement_percent", "disease_response"}
    assert not any(item.is_open for item in found if item.fact in {"ki67_percent", "primary_site"})


def test_a_complete_patient_is_asked_nothing_openly() -> None:
    assert not any(item.is_open for item in asked(MILAN, sample("01-meets").facts, TODAY))


def test_every_criterion_but_the_age_has_a_question() -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    covered = {item.criterion.id for item in asked(MILAN, reading.facts, TODAY) if item.criterion}
    assert covered == {rule.criterion for rule in MILAN.rules} - {"age"}


def test_ki_67_is_asked_for_the_histology_where_the_policy_has_no_limit_for_it() -> None:
    rules = policy("milan-net-2007")
    found = {item.fact: item for item in asked(rules, reading_of(*BARE).facts, TODAY)}
    assert found["ki67_percent"].criterion is not None
    assert found["ki67_percent"].criterion.id == "differentiation"


@pytest.mark.parametrize(("code", "is_asked"), [("E34.00", True), ("I10", False)])
def test_carcinoid_heart_disease_is_asked_for_where_there_is_a_carcinoid_syndrome(
    code: str, is_asked: bool
) -> None:
    reading = reading_of(*BARE, condition(f"{ICD_CM}|{code}", id="other"))
    facts = [item.fact for item in asked(MILAN, reading.facts, TODAY)]
    assert ("carcinoid_heart_disease" in facts) is is_asked


def test_a_number_has_its_unit_and_limits_and_a_date_the_days_it_can_be() -> None:
    form = questionnaire(MILAN, reading_of(*BARE).facts, TODAY)
    percent = extensions(item_of(form, "ki67_percent.low"))
    assert percent["questionnaire-unit"] == {
        "system": "http://unitsofmeasure.org",
        "code": "%",
        "display": "%",
    }
    assert (percent["minValue"], percent["maxValue"]) == (0, 100)
    liver = extensions(item_of(form, "liver_involvement_percent.liver"))
    assert (liver["minValue"], liver["maxValue"]) == (500, 8000)
    days = extensions(item_of(form, "disease_response.date"))
    assert (days["minValue"], days["maxValue"]) == ("1981-03-14", "2026-11-23")


def test_without_a_date_of_birth_a_date_has_no_lower_limit() -> None:
    form = questionnaire(MILAN, reading_of(patient(birthDate=None), *BARE).facts, TODAY)
    assert set(extensions(item_of(form, "disease_response.date"))) == {"maxValue"}


def test_what_is_recorded_is_prefilled_and_named_with_its_source() -> None:
    form = questionnaire(MILAN, reading_of(*BARE, ki67(2.5, id="k", on="2025-10-02")).facts, TODAY)
    assert item_of(form, "ki67_percent.low")["initial"] == [{"valueDecimal": 2.5}]
    assert item_of(form, "ki67_percent.date")["initial"] == [{"valueDate": "2025-10-02"}]
    assert "Observation/k (2025-10-02)" in item_of(form, "ki67_percent.recorded")["text"]
    site = item_of(form, "primary_site.value")
    (chosen,) = (one for one in site["answerOption"] if one.get("initialSelected"))
    assert chosen["valueCoding"]["code"] == "C17.2"


def test_what_is_not_recorded_is_not_prefilled_and_says_why() -> None:
    form = questionnaire(MILAN, reading_of(*BARE).facts, TODAY)
    assert "initial" not in item_of(form, "ki67_percent.low")
    assert item_of(form, "ki67_percent.recorded")["text"] == "Ki-67 index: nothing on record."


def test_what_was_typed_comes_back_as_what_is_recorded() -> None:
    """The prefilled form of a record with answers holds those answers: both directions speak of the same fields."""
    after = then(sample("28-us-core-diagnosis-codes-only"), COMPLETE)
    found = {item.fact: item.recorded for item in asked(MILAN, after.facts, TODAY)}
    assert found["differentiation"] == ({"value": "net-g1"},)
    assert found["ki67_percent"] == ({"low": "2.5", "tissue": "liver", "date": "2025-10"},)
    assert found["primary_resection"] == ({"performed": "done", "residual": "r0", "date": "2025-10-01"},)
    assert found["liver_resectability"] == ({"value": "unresectable"},)
    assert [line["date"] for line in found["disease_response"]] == ["2026-02-01", "2026-10-20"]
    assert found["extrahepatic_disease"] == ({"value": "absent", "method": "sstr-pet", "date": "2026-10-20"},)


@pytest.mark.parametrize(
    ("comparator", "initial"), [("<", {"comparator": "lt"}), (">", {"comparator": "gt"})]
)
def test_a_number_with_a_comparator_is_shown_with_it(comparator: str, initial: dict[str, str]) -> None:
    value = {"value": 3, "unit": "%", "code": "%", "comparator": comparator}
    (line,) = (
        item.recorded[0]
        for item in asked(MILAN, reading_of(*BARE, ki67(value, id="k")).facts, TODAY)
        if item.fact == "ki67_percent"
    )
    assert line.items() >= (initial | {"low": "3"}).items()


def test_the_list_of_assessments_can_be_longer_than_one() -> None:
    form = questionnaire(MILAN, sample("01-meets").facts, TODAY)
    group = item_of(form, "disease_response")
    assert group["repeats"] is True
    assert group["item"][1]["text"].count("Stable disease") == 3


# --- the data ---------------------------------------------------------------------------------------------------------


def test_every_code_of_the_form_is_one_that_the_readers_know() -> None:
    known = terminology().meanings
    for question in questions().values():
        options = [option for field in question.fields for option in field.options]
        codings = [question.code, *question.codes.values()]
        codings += [code for option in options for code in (option.coding, option.finding) if code]
        if question.grade is not None:
            codings += [question.grade.code, *question.grade.of.values()]
        for coding in codings:
            system, _, code = coding.rpartition("|")
            assert system == "http://hl7.org/fhir/quantity-comparator" or known(system, code), coding


def test_no_two_answers_of_a_field_have_one_code_unless_no_finding_tells_them_apart() -> None:
    for question in questions().values():
        for field in question.fields:
            assert all(option.code["display"] for option in field.options)
            codes = [(option.code["system"], option.code["code"]) for option in field.options]
            assert len(codes) == len(set(codes)), field.label


def test_the_form_s_own_answers_are_defined_in_its_code_system() -> None:
    defined = json.loads(FORM_CODES.read_text("utf-8"))
    own = {
        (option.id, option.label)
        for question in questions().values()
        for field in question.fields
        for option in field.options
        if option.coding is None
    }
    assert defined["url"] == FORM_ANSWERS
    assert {(one["code"], one["display"]) for one in defined["concept"]} == own
    assert defined["count"] == len(defined["concept"])


def test_a_number_has_limits_a_choice_answers_and_every_sentence_an_end() -> None:
    for question in questions().values():
        assert question.ask.endswith(("?", "."))
        for field in question.fields:
            assert bool(field.options) is (field.kind is Kind.CHOICE)
            assert (field.minimum is not None) is (field.kind is Kind.DECIMAL)
            assert not field.hint or field.hint.endswith(".")


def test_a_net_without_a_site_is_asked_for_it() -> None:
    reading = reading_of(net(f"{ICD_CM}|C7A.00", id="net"))
    (site,) = (item for item in asked(MILAN, reading.facts, TODAY) if item.fact == "primary_site")
    assert site.is_open
