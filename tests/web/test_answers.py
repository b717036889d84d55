"""What is typed is checked field by field; a mistake is a sentence beside its field, and nothing that was typed is lost."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.web.answers import ROWS, parse
from fhir_mappings.questions import Kind, questions
from tests.builders import ICD_CM, LOINC, PCS, TODAY, condition, net, patient, procedure
from tests.web.forms import AUTHOR, BARE, COMPLETE, UNSITED, answer, fill, reading_of, sample

BARE_READING = reading_of(*BARE)


def mistakes(form: dict[str, str]) -> dict[str, str]:
    return dict(fill(BARE_READING, form).errors)


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["0", "0.0", "100", "99,9999", " 12 ", "12 %", "12%"])
def test_a_percentage_from_0_to_100_is_accepted_with_point_comma_or_sign(text: str) -> None:
    assert mistakes(answer("ki67_percent", low=text, tissue="liver")) == {}


@pytest.mark.parametrize(
    "text", ["100.0001", "101", "-1", "-0,1", "1e1", "1.2.3", "<3", "NaN", "٣", "12 mL", "%", "1 2"]
)
def test_anything_else_is_a_sentence_beside_the_number(text: str) -> None:
    assert list(mistakes(answer("ki67_percent", low=text, tissue="liver"))) == ["ki67_percent.low"]


@pytest.mark.parametrize(
    ("liver", "is_wrong"), [("499.9", True), ("500", False), ("8000", False), ("8000.1", True)]
)
def test_a_liver_volume_has_to_be_one_of_a_liver(liver: str, is_wrong: bool) -> None:
    found = mistakes(answer("liver_involvement_percent", tumour="10", liver=liver))
    assert ("liver_involvement_percent.liver" in found) is is_wrong


@pytest.mark.parametrize(("tumour", "is_wrong"), [("1499", False), ("1500", False), ("1501", True)])
def test_a_tumour_is_not_larger_than_its_liver(tumour: str, is_wrong: bool) -> None:
    found = mistakes(answer("liver_involvement_percent", tumour=tumour, liver="1500"))
    assert ("liver_involvement_percent.tumour" in found) is is_wrong


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"low": "5", "high": "4.9"}, "high"),
        ({"low": "5", "high": "9", "comparator": "lt"}, "comparator"),
        ({"low": "0", "comparator": "lt"}, "low"),
        ({"low": "100", "comparator": "gt"}, "low"),
        ({"high": "9"}, "low"),
        ({"comparator": "lt"}, "low"),
    ],
)
@pytest.mark.parametrize("fact", ["ki67_percent", "liver_involvement_percent"])
def test_a_range_that_no_value_fits_is_refused(fact: str, values: dict[str, str], field: str) -> None:
    tissue = {"tissue": "liver"} if fact == "ki67_percent" else {}
    assert list(mistakes(answer(fact, **values, **tissue))) == [f"{fact}.{field}"]


@pytest.mark.parametrize(
    "values",
    [{}, {"low": "5", "band": "11-25"}, {"band": "11-25", "tumour": "5"}, {"low": "5", "liver": "1500"}],
)
def test_liver_involvement_is_stated_in_one_way_only(values: dict[str, str]) -> None:
    assert list(mistakes(answer("liver_involvement_percent", **values))) == ["liver_involvement_percent.low"]


@pytest.mark.parametrize(("given_one", "missing"), [("tumour", "liver"), ("liver", "tumour")])
def test_volumetry_needs_both_volumes(given_one: str, missing: str) -> None:
    found = mistakes(answer("liver_involvement_percent", **{given_one: "1000"}))
    assert list(found) == [f"liver_involvement_percent.{missing}"]


# --- dates ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_wrong"),
    [
        ("2026-11-22", False),
        ("2026-11-23", False),
        ("2026-11-24", True),
        ("2026-11", False),
        ("2026-12", True),
        ("2026", False),
        ("2027", True),
        ("1981-03-13", True),
        ("1981-03-14", False),
        ("1981-03", False),
        ("1981-02", True),
        ("1980", True),
    ],
)
def test_a_date_lies_between_birth_and_the_day_of_evaluation(text: str, is_wrong: bool) -> None:
    found = mistakes(answer("liver_resectability", value="unresectable", date=text))
    assert ("liver_resectability.date" in found) is is_wrong


@pytest.mark.parametrize(
    "text", ["23.11.2026", "2026-13", "2026-02-30", "2026-1-1", "2026-11-23T10:00:00Z", "0000", "x"]
)
def test_what_is_no_date_is_refused_with_an_example(text: str) -> None:
    found = mistakes(answer("liver_resectability", value="unresectable", date=text))
    assert "2026-10-20" in found["liver_resectability.date"]


@pytest.mark.parametrize(("text", "is_wrong"), [("1899", True), ("1900", False)])
def test_without_a_date_of_birth_a_date_of_another_age_is_refused(text: str, is_wrong: bool) -> None:
    reading = reading_of(patient(birthDate=None), *BARE)
    answers = fill(reading, answer("liver_resectability", value="unresectable", date=text))
    assert ("liver_resectability.date" in answers.errors) is is_wrong


@pytest.mark.parametrize("fact", [name for name in questions() if name != "primary_resection"])
def test_every_finding_has_to_be_dated(fact: str) -> None:
    row = 1 if questions()[fact].repeats else 0
    first = questions()[fact].fields[0]
    assert first.kind is Kind.CHOICE
    found = mistakes(answer(fact, row=row, date="", **{first.id: first.options[0].id}))
    assert any(name.endswith(".date") for name in found)


# --- answers that hang together ---------------------------------------------------------------------------------------


def test_an_answer_that_was_begun_has_to_be_finished() -> None:
    assert set(mistakes({"disease_response.3.date": "2026-10-20"})) == {"disease_response.3.value"}


def test_one_assessment_is_typed_once() -> None:
    form = answer("disease_response", row=1, value="stable") | answer(
        "disease_response", row=4, value="stable"
    )
    assert list(mistakes(form)) == ["disease_response.4.date"]


def test_a_specimen_of_the_primary_needs_a_primary_site_that_is_known_or_typed() -> None:
    form = answer("ki67_percent", low="4", tissue="primary")
    unknown = reading_of(*UNSITED)
    assert list(fill(unknown, form).errors) == ["ki67_percent.tissue"]
    assert fill(unknown, form | answer("primary_site", value="ileum")).errors == {}


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        ({"performed": "done"}, ["operation", "date"]),
        ({"performed": "done", "operation": "ileocolic"}, ["date"]),
        ({"performed": "not-done", "operation": "ileocolic"}, ["operation"]),
        ({"performed": "not-done", "residual": "r0"}, ["residual"]),
        ({"performed": "not-done", "date": "2025-10-01"}, ["date"]),
        ({"performed": "recorded", "residual": "r0", "date": "2025-10-01"}, ["performed"]),
        ({"residual": "r0"}, ["performed"]),
    ],
)
def test_a_resection_is_stated_whole_and_without_contradiction(
    values: dict[str, str], fields: list[str]
) -> None:
    found = mistakes(answer("primary_resection", **{"date": ""} | values))
    assert sorted(found) == sorted(f"primary_resection.{name}" for name in fields)


def test_what_is_on_record_of_the_resection_is_not_typed_again() -> None:
    reading = reading_of(*BARE, procedure(f"{PCS}|0DTB0ZZ", id="resection"))
    form = answer("primary_resection", performed="recorded", operation="ileocolic", date="")
    assert sorted(fill(reading, form).errors) == ["primary_resection.operation", "primary_resection.residual"]


def test_that_the_primary_was_not_resected_needs_a_primary_that_could_have_been() -> None:
    form = answer("primary_resection", performed="not-done", date="")
    assert list(fill(reading_of(*UNSITED), form).errors) == ["primary_resection.performed"]


def test_a_site_belongs_to_disease_that_is_present() -> None:
    found = mistakes(answer("extrahepatic_disease", value="absent", method="pet", site="bone"))
    assert list(found) == ["extrahepatic_disease.site"]


# --- who states it ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("author", ["", "   ", "a\nb", "x" * 201, "\x00"])
def test_somebody_has_to_state_it(author: str) -> None:
    form = answer("liver_resectability", value="unresectable") | {"author": author}
    assert list(parse(form, BARE_READING, TODAY).errors) == ["author"]


def test_who_is_signed_in_states_it_whatever_the_form_says() -> None:
    form = answer("liver_resectability", value="unresectable") | AUTHOR
    answers = parse(form, BARE_READING, TODAY, author="Practitioner/7")
    (finding,) = answers.findings
    assert finding["performer"] == [{"reference": "Practitioner/7"}]
    assert answers.response is not None
    assert answers.response["author"] == {"reference": "Practitioner/7"}


def test_an_empty_form_says_so() -> None:
    assert mistakes({}) == {"form": "Nothing was answered yet."}


def test_a_form_with_mistakes_has_no_bundle() -> None:
    with pytest.raises(ValueError, match="mistakes"):
        fill(BARE_READING, {}).bundle()


# --- the resources ----------------------------------------------------------------------------------------------------


def test_every_resource_is_final_dated_attested_and_names_its_form() -> None:
    reading = sample("28-us-core-diagnosis-codes-only")
    answers = fill(reading, COMPLETE)
    assert answers.response is not None
    form = f"QuestionnaireResponse/{answers.response['id']}"
    assert len(answers.findings) == 8
    for item in answers.findings:
        assert item["resourceType"] == "Observation"
        assert item["status"] == "final"
        assert item["effectiveDateTime"]
        assert item["performer"] == [{"display": "Dr Example"}]
        assert item["derivedFrom"] == [{"reference": form}]
        assert item["subject"] == {"reference": reading.record.patient}
        assert [tag["code"] for tag in item["meta"]["tag"]] == ["attested"]


def test_the_same_answers_are_the_same_resources_and_others_are_others() -> None:
    form = answer("ki67_percent", low="4", tissue="liver")
    first, again = fill(BARE_READING, form), fill(BARE_READING, form)
    assert first.references == again.references
    assert first.references.isdisjoint(fill(BARE_READING, form | {"ki67_percent.low": "5"}).references)
    assert first.references.isdisjoint(fill(BARE_READING, form | {"author": "Dr Other"}).references)


def test_a_bundle_creates_each_resource_once_and_points_inside_itself() -> None:
    answers = fill(sample("28-us-core-diagnosis-codes-only"), COMPLETE)
    entries = answers.bundle()["entry"]
    response = entries[0]["fullUrl"]
    for entry in entries:
        resource, request = entry["resource"], entry["request"]
        assert request["method"] == "POST"
        assert request["url"] == resource["resourceType"]
        identifier = resource["identifier"]
        named = identifier if isinstance(identifier, dict) else identifier[0]
        assert request["ifNoneExist"] == f"identifier={named['system']}|{named['value']}"
        assert entry["fullUrl"] == f"urn:uuid:{named['value']}"
    assert all(entry["resource"]["derivedFrom"] == [{"reference": response}] for entry in entries[1:])


def test_what_is_typed_speaks_of_the_conditions_of_the_tumour_on_record() -> None:
    (finding,) = fill(BARE_READING, answer("liver_resectability", value="uncertain")).findings
    assert {"reference": "Condition/net"} in finding["focus"]


def test_the_response_holds_what_was_answered_and_nothing_else() -> None:
    response = fill(BARE_READING, answer("ki67_percent", low="2,5", tissue="liver")).response
    assert response is not None
    (group,) = response["item"]
    assert {item["linkId"]: item["answer"][0] for item in group["item"]} == {
        "ki67_percent.low": {"valueDecimal": 2.5},
        "ki67_percent.tissue": {
            "valueCoding": {
                "system": "http://snomed.info/sct",
                "code": "10200004",
                "display": "Liver structure",
            }
        },
        "ki67_percent.date": {"valueDate": "2026-10-20"},
    }


# --- rubbish ----------------------------------------------------------------------------------------------------------

FIELDS = [
    f"{fact}.{row}.{field.id}" if question.repeats else f"{fact}.{field.id}"
    for fact, question in questions().items()
    for row in (range(1, ROWS + 2) if question.repeats else (0,))
    for field in question.fields
]
LIKELY = st.sampled_from(
    [
        "",
        "present",
        "absent",
        "recorded",
        "not-done",
        "done",
        "primary",
        "lt",
        "12",
        "100",
        "2026",
        "r0",
        "ileum",
    ]
)
RUBBISH = st.dictionaries(
    st.sampled_from([*FIELDS, "author", "x"]), st.one_of(st.text(max_size=40), LIKELY), max_size=30
)


@given(form=RUBBISH)
def test_whatever_is_typed_gives_answers_or_sentences_and_is_kept(form: dict[str, str]) -> None:
    answers = parse(form, BARE_READING, TODAY)
    assert all(answers.typed.get(name, text) == text for name, text in form.items())
    assert bool(answers.errors) is (answers.response is None)
    assert all(text.endswith(".") for text in answers.errors.values())
    if not answers.errors:
        answers.bundle()


def test_the_day_of_evaluation_is_the_callers() -> None:
    form = AUTHOR | answer("liver_resectability", value="unresectable", date="2026-06-01")
    assert parse(form, BARE_READING, date(2026, 6, 1)).errors == {}
    assert "liver_resectability.date" in parse(form, BARE_READING, date(2026, 5, 31)).errors


def test_a_patient_whose_tumour_stands_only_in_words_can_still_be_asked() -> None:
    reading = reading_of(condition(f"{ICD_CM}|C78.7", id="mets"), net(f"{LOINC}|x", id="odd"))
    (finding,) = fill(reading, answer("differentiation", value="net-g2")).findings
    assert "focus" not in finding
