"""What FHIR elements say in the tables of a chart, whatever shape they have."""

from typing import Any

import pytest

from cds_service.web.demo_fhir_text import codes, concept, day, quantity, result

STRANGE: list[Any] = [
    None,
    "",
    "text",
    7,
    1.5,
    True,
    [],
    {},
    [None],
    [[]],
    {"coding": None},
    {"coding": "x"},
    {"a": []},
]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"text": "as written", "coding": [{"display": "other"}]}, "as written"),
        ({"coding": [{"code": "1"}]}, "1"),
        ({"coding": [{"display": "Liver structure (body structure)"}]}, "Liver structure"),
        ({"coding": [{"display": "Grade (WHO)"}]}, "Grade (WHO)"),
        ([{"text": "a"}, {"text": "b"}], "a; b"),
        ({"coding": [{"code": ["refuted", "confirmed"]}]}, "refuted, confirmed (not readable)"),
    ],
)
def test_a_concept_is_said_by_its_text_else_its_display_else_its_code(value: Any, said: str) -> None:
    assert concept(value) == said


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"valueQuantity": {"value": 2, "unit": "%"}}, "2 %"),
        ({"valueQuantity": {"value": 3, "unit": "%", "comparator": "<"}}, "< 3 %"),
        ({"valueQuantity": {"value": 0, "code": "%"}}, "0 %"),
        (
            {"valueRange": {"low": {"value": 20, "unit": "%"}, "high": {"value": 30, "unit": "%"}}},
            "20 % to 30 %",
        ),
        ({"valueRange": {"low": {"value": 20, "unit": "%"}}}, "20 % to ?"),
        ({"valueString": "1,5 %"}, "1,5 %"),
        ({"valueBoolean": False}, "false"),
        ({"valueString": ["a", {}]}, "a (not readable)"),
        ({"valueQuantity": {"value": {}, "unit": "%"}}, "(not readable) %"),
        (
            {"component": [{"code": {"text": "Ki-67"}, "valueQuantity": {"value": 2, "unit": "%"}}]},
            "Ki-67: 2 %",
        ),
        ({"dataAbsentReason": {"text": "not done"}}, "no value: not done"),
        ({}, ""),
    ],
)
def test_a_result_is_said_with_its_unit_and_its_absence_with_its_reason(resource: Any, said: str) -> None:
    assert result(resource) == said


@pytest.mark.parametrize("strange", STRANGE)
def test_no_shape_is_an_error(strange: Any) -> None:
    assert isinstance(concept(strange), str)
    assert isinstance(codes(strange), str)
    assert isinstance(quantity(strange), str)
    names = ("valueQuantity", "valueCodeableConcept", "valueString", "valueRange", "valueRatio", "component")
    for name in (*names, "dataAbsentReason"):
        assert isinstance(result({name: strange}), str)
    assert isinstance(day({"effectiveDateTime": strange}, "effectiveDateTime"), str)


def test_the_day_of_a_moment_or_a_period_is_the_day_that_is_written() -> None:
    assert day({"effectiveDateTime": "2026-05-02T23:30:00-05:00"}, "effectiveDateTime") == "2026-05-02"
    assert day({"effectivePeriod": {"end": "2026-05"}}, "effectiveDateTime", "effectivePeriod") == "2026-05"
