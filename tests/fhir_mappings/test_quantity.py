"""A value is read in the unit in which it is written, as all that it can mean, or it is refused with a reason."""

from dataclasses import FrozenInstanceError
from decimal import Decimal
from time import perf_counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.interval import Interval
from fhir_mappings.quantity import (
    LABELS_DIFFER,
    MITOSES_PER_2_MM2,
    MITOSES_PER_10_HPF,
    PERCENT,
    VOLUME,
    Measured,
    Refused,
    Scale,
    measure,
    measure_text,
    naaccr_ki67,
)

SCALES = (PERCENT, VOLUME, MITOSES_PER_2_MM2, MITOSES_PER_10_HPF)
NO_VALUE = "the text holds no single value that can be read"
NO_UNIT = "no unit: a fraction and a percentage cannot be told apart"
OUTSIDE = "the value lies outside 0 to 100 %"
OTHER_UNIT = "the unit is not one of percent"
TWO_UNITS = "its unit and the code of its unit contradict each other"
CONTRADICTION = "the value contradicts itself"
NBSP, FIGURE_SPACE, THIN = "\u00a0", "\u2007", "\u202f"


def interval(text: str) -> Interval:
    """`[0, 1)` in the notation of mathematics; `5` is a point."""
    if text[0] not in "[(":
        return Interval(Decimal(text), Decimal(text))
    low, high = text[1:-1].split(",")
    return Interval(Decimal(low), Decimal(high.strip()), text[0] == "[", text[-1] == "]")


def quantity(value: Any, unit: str | None = None, **more: Any) -> dict[str, Any]:
    return {"valueQuantity": {"value": value, **({"unit": unit} if unit else {}), **more}}


def measured(value: Any, scale: Scale = PERCENT) -> Measured:
    found = measure(value, scale)
    assert isinstance(found, Measured), found
    return found


def refusal(value: Any, scale: Scale = PERCENT) -> str:
    found = measure(value, scale)
    assert isinstance(found, Refused), found
    return found.reason


def of_text(text: str, scale: Scale = PERCENT) -> Measured:
    return measured({"valueString": text}, scale)


# --- text -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<1 %", "[0, 1)"),
        ("<2%", "[0, 2)"),
        ("< 10%", "[0, 10)"),
        ("2-3 %", "[2, 3]"),
        ("3-5 %", "[3, 5]"),
        ("3%-5%", "[3, 5]"),
        ("3 % – 5 %", "[3, 5]"),
        ("3—5%", "[3, 5]"),
        ("10 to 15 percent", "[10, 15]"),
        ("20 bis 30 Prozent", "[20, 30]"),
        ("5 tot 10 procent", "[5, 10]"),
        ("1,5-2,5 %", "[1.5, 2.5]"),
        ("5 - 5 %", "5"),
        ("≤10 %", "[0, 10]"),
        ("<=10 %", "[0, 10]"),
        (">5 %", "(5, 100]"),
        (">=10 %", "[10, 100]"),
        ("≥ 10 %", "[10, 100]"),
        ("≥100 %", "100"),
        ("≤0 %", "0"),
        ("=10 %", "10"),
        ("10 %", "10"),
        ("5,0 %", "5"),
        ("1,5 %", "1.5"),
        ("9.99 %", "9.99"),
        ("0 %", "0"),
        ("100 %", "100"),
        (f"5{NBSP}%", "5"),
        (f"<{THIN}1{FIGURE_SPACE}%", "[0, 1)"),
        ("  5 \t %\n", "5"),
        ("ca. 5 %", "[4.5, 5.5]"),
        ("ca 5%", "[4.5, 5.5]"),
        ("~10 %", "[9, 11]"),
        ("about 10 %", "[9, 11]"),
        ("≈10 %", "[9, 11]"),
        ("etwa 10 %", "[9, 11]"),
        ("ongeveer 10 %", "[9, 11]"),
        ("Approximately 10 PERCENT", "[9, 11]"),
        ("ca. 3-5 %", "[2.7, 5.5]"),
        ("ca. <5 %", "[0, 5.5)"),
        ("ca. >20 %", "(18, 100]"),
        ("about 95 %", "[85.5, 100]"),
        ("~100 %", "[90, 100]"),
    ],
)
def test_a_text_that_is_a_value_is_read_as_all_that_it_can_mean(text: str, expected: str):
    found = of_text(text)
    assert found.interval == interval(expected)
    assert (found.note, found.needs_confirmation) == ("text-value", False)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hot spot 8 %", "8"),
        ("Ki-67: 5 %", "5"),
        ("Ki-67 index <5 % in the metastasis", "[0, 5)"),
        ("5 %?", "5"),
        ("G2 (5%)", "5"),
        ("2024-05-06: 5 %", "5"),
        ("MIB-1 15–20 Prozent", "[15, 20]"),
    ],
)
def test_a_value_among_other_words_needs_confirmation(text: str, expected: str):
    found = of_text(text)
    assert found.interval == interval(expected)
    assert found.needs_confirmation


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "%", "abc", "low", "see report", "Ki-67", "Ki-67: 5", "½ %", "five %"),
        *(
            "5 % and 7 %",
            "8 % in the hot spot, 3 % elsewhere",
            "5 % (was 12 %)",
            "12345 %",
            "5.5.5 %",
            "5..10 %",
        ),
    ],
)
def test_a_text_without_one_value_is_refused(text: str):
    assert refusal({"valueString": text}) == NO_VALUE


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("5-3 %", CONTRADICTION),
        ("<0 %", CONTRADICTION),
        (">100 %", CONTRADICTION),
        ("< 5 - 10 %", CONTRADICTION),
        ("100.4 %", OUTSIDE),
        ("101 %", OUTSIDE),
        ("about 101 %", OUTSIDE),
        ("90-110 %", OUTSIDE),
        ("<101 %", OUTSIDE),
    ],
)
def test_a_text_that_cannot_be_true_is_refused(text: str, reason: str):
    assert refusal({"valueString": text}) == reason


@pytest.mark.parametrize(
    ("text", "expected"),
    [("5", "5"), ("3-5", "[3, 5]"), ("c. 5", "[4.5, 5.5]"), (">1", "(1, 100]"), ("0", "0")],
)
def test_a_text_without_unit_is_a_percentage_where_it_can_be_no_fraction(text: str, expected: str):
    found = of_text(text)
    assert (found.interval, found.note) == (interval(expected), "unit-missing")


@pytest.mark.parametrize("text", ["0.05", "0,05", "1", "<1", "≤1", "0.5-1", "1.0"])
def test_a_text_without_unit_that_may_be_a_fraction_is_refused(text: str):
    assert refusal({"valueString": text}) == NO_UNIT


def test_a_concept_is_read_by_all_its_labels():
    assert measured({"valueCodeableConcept": {"text": "<25 %"}}).interval == interval("[0, 25)")
    coded = {"coding": [{"display": "25-50 %"}, {"display": "50-75 %"}]}
    assert measured({"valueCodeableConcept": coded}).interval == interval("[25, 75]")
    assert refusal({"valueCodeableConcept": {**coded, "text": ">75 %"}}) == LABELS_DIFFER
    both = {"text": "30 %", "coding": [{"display": "25-50 %"}, {"display": "moderate"}]}
    assert measured({"valueCodeableConcept": both}).interval == interval("[25, 50]")
    for nothing in ([{"code": "5 %"}], [], None, "5 %", ["5 %"], {"display": "5 %"}):
        assert refusal({"valueCodeableConcept": {"coding": nothing}}) == NO_VALUE


def test_a_percentage_is_no_count_and_no_volume():
    assert refusal({"valueString": "<5 %"}, MITOSES_PER_10_HPF) == "the unit is not one of mitoses per 10 HPF"
    assert refusal({"valueString": "5 percent"}, VOLUME) == "the unit is not one of volume"


def test_a_count_in_words_ends_at_the_bounds_of_its_own_scale():
    assert of_text(">20", MITOSES_PER_10_HPF).interval == interval("(20, 1000]")
    assert of_text("2-3", MITOSES_PER_10_HPF).interval == interval("[2, 3]")
    assert refusal({"valueString": "count 3 here"}, MITOSES_PER_10_HPF) == NO_VALUE


def test_a_long_text_is_a_report_and_costs_no_time():
    start = perf_counter()
    for text in (
        "a" + " " * 100_000 + "b",
        "5 " * 50_000,
        "ca. " * 50_000,
        "5 % " * 50_000,
        "x" * 996 + " 5 %",
    ):
        assert isinstance(measure_text(text, PERCENT), Refused | Measured)
    assert perf_counter() - start < 1
    assert of_text("x" * 996 + " 5 %").needs_confirmation
    assert refusal({"valueString": "x" * 997 + " 5 %"}) == NO_VALUE


# --- quantities -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit", ["%", "% ", "percent", "Percent", "{percent}", "pct", "Prozent", "% of cells", "%{cells}"]
)
@pytest.mark.parametrize("element", ["unit", "code"])
def test_five_percent_is_written_in_many_ways(element: str, unit: str):
    assert measured({"valueQuantity": {"value": 5, element: unit}}).interval == interval("5")


@pytest.mark.parametrize(
    ("value", "more", "expected"),
    [
        (0.35, {"code": "1"}, "35"),
        (0.05, {"unit": "1"}, "5"),
        (1, {"code": "1"}, "100"),
        (0.5, {"code": "dL/L"}, "5"),
        (35, {"unit": "%", "code": "1"}, "35"),  # what the clinician saw wins, where it can be nothing else
        (1.01, {"unit": "%", "code": "1"}, "1.01"),
        (0, {"unit": "%", "code": "1"}, "0"),
        (0.5, {"unit": "%"}, "0.5"),
        (100, {"unit": "%"}, "100"),
        (0, {"unit": "%"}, "0"),
        (5, {"unit": "of all cells", "code": "%"}, "5"),
        ("5", {"unit": "%"}, "5"),
        (Decimal("9.999"), {"unit": "%"}, "9.999"),
    ],
)
def test_a_quantity_is_read_in_its_own_unit(value: Any, more: dict[str, str], expected: str):
    found = measured(quantity(value, **more))
    assert (found.interval, found.note, found.needs_confirmation) == (interval(expected), None, False)


@pytest.mark.parametrize(
    ("comparator", "expected"),
    [
        ("<", "[0, 10)"),
        ("<=", "[0, 10]"),
        (">", "(10, 100]"),
        (">=", "[10, 100]"),
        ("≤", "[0, 10]"),
        ("≥", "[10, 100]"),
        (" < ", "[0, 10)"),
        ("", "10"),
        (None, "10"),
    ],
)
def test_a_comparator_opens_the_interval(comparator: str | None, expected: str):
    assert measured(quantity(10, "%", comparator=comparator)).interval == interval(expected)
    assert measured(quantity(0.1, code="1", comparator=comparator)).interval == interval(expected)


@pytest.mark.parametrize("comparator", ["~", "ad", "lt", "=>", "<>", ["<"], {"code": "<"}, 5, True])
def test_a_comparator_that_nobody_knows_makes_no_exact_value(comparator: Any):
    assert refusal(quantity(10, "%", comparator=comparator)) == "its comparator is not one that FHIR defines"


@pytest.mark.parametrize(
    "more",
    [
        *(
            {"unit": "mL"},
            {"code": "mL"},
            {"unit": "mg%"},
            {"unit": "cells"},
            {"unit": "{cells}"},
            {"unit": "/mm2"},
        ),
        *(
            {"unit": "%", "code": "mL"},
            {"unit": "mL", "code": "%"},
            {"unit": "10*-2"},
            {"unit": "‰"},
            {"unit": "[%]"},
        ),
        *({"unit": "dL/L", "code": "1"}, {"unit": "ppm"}, {"unit": ["%"]}, {"unit": {"a": "%"}}),
    ],
)
def test_another_unit_is_never_guessed_away(more: dict[str, Any]):
    assert refusal(quantity(5, **more)) == OTHER_UNIT


@pytest.mark.parametrize("value", [1, 0.35, Decimal("0.0001")])
def test_a_value_that_may_be_meant_in_either_of_two_units_is_refused(value: Any):
    assert refusal(quantity(value, unit="%", code="1")) == TWO_UNITS
    assert measured(quantity(value, unit="%", code="%")).interval == interval(str(value))


def test_without_unit_a_value_above_one_is_a_percentage_and_says_so():
    assert measured(quantity(Decimal("1.01"))).interval == interval("1.01")
    assert measured(quantity(10)).note == "unit-missing"
    assert measured(quantity(0)).interval == interval("0")  # zero is zero either way
    assert measured(quantity(Decimal("0.5"), comparator=">")).interval == interval("(0.5, 100]")


@pytest.mark.parametrize("value", [1, 0.05, 0.5, 0.99, Decimal("0.0001")])
def test_without_unit_a_value_up_to_one_may_be_a_fraction(value: Any):
    assert refusal(quantity(value)) == NO_UNIT
    assert refusal(quantity(value, comparator="<")) == NO_UNIT


@pytest.mark.parametrize(
    ("value", "more", "reason"),
    [
        (Decimal("100.1"), {}, OUTSIDE),
        (101, {}, OUTSIDE),
        (-1, {}, OUTSIDE),
        (Decimal("-0.1"), {}, OUTSIDE),
        (-1, {"comparator": ">"}, OUTSIDE),
        (101, {"comparator": ">"}, OUTSIDE),
        (101, {"comparator": "<"}, OUTSIDE),
        (0, {"comparator": "<"}, CONTRADICTION),
        (-1, {"comparator": "<"}, CONTRADICTION),
        (100, {"comparator": ">"}, CONTRADICTION),
        (35, {"code": "1", "unit": None}, OUTSIDE),
    ],
)
def test_a_value_outside_zero_to_a_hundred_is_refused(value: Any, more: dict[str, Any], reason: str):
    assert refusal(quantity(value, **{"unit": "%", **more})) == reason


@pytest.mark.parametrize(
    "value",
    [
        *(
            True,
            False,
            None,
            "",
            "NaN",
            "sNaN",
            "nan",
            "Infinity",
            "-Infinity",
            "five",
            "5 %",
            [5],
            {"value": 5},
            {},
        ),
        *(
            float("nan"),
            float("inf"),
            1e16,
            "1e16",
            "1e999999999",
            "1e-999999999",
            "0E-1000000",
            "-1e999999999",
        ),
    ],
)
def test_what_is_no_number_is_refused(value: Any):
    assert refusal(quantity(value, "%")) == "no numeric value"
    assert refusal(quantity(value, "mL"), VOLUME) == "no numeric value"


def test_a_quantity_without_value_is_refused_and_no_value_at_all_is_nothing():
    assert refusal({"valueQuantity": {}}) == "no numeric value"
    assert refusal({"valueQuantity": {"unit": "%"}}) == "no numeric value"
    assert measure({}, PERCENT) is None
    assert measure({"valueBoolean": True}, PERCENT) is None


def test_a_refusal_and_a_reading_keep_what_was_written():
    assert measured(quantity(10, "%", comparator="<")).as_written == "< 10 %"
    assert measured(quantity(0.35, code="1")).as_written == "0.35 1"
    refused = measure(quantity(5, "mL"), PERCENT)
    assert refused == Refused(OTHER_UNIT, "5 mL")
    assert of_text(f"5{NBSP}%").as_written == "5 %"


def test_what_was_read_is_a_value_that_nobody_changes():
    for item, name in ((of_text("5 %"), "note"), (Refused("no"), "reason"), (PERCENT, "maximum")):
        with pytest.raises(FrozenInstanceError):
            setattr(item, name, "x")


def test_an_integer_is_a_value_without_unit():
    assert measured({"valueInteger": 5}).interval == interval("5")
    assert measured({"valueInteger": 5}).note == "unit-missing"
    assert refusal({"valueInteger": 1}) == NO_UNIT
    assert refusal({"valueInteger": True}) == "no numeric value"


# --- ranges and ratios ------------------------------------------------------------------------------------------------


def range_of(low: Any = None, high: Any = None) -> dict[str, Any]:
    return {"valueRange": {name: end for name, end in (("low", low), ("high", high)) if end is not None}}


def percent(value: float) -> dict[str, Any]:
    return {"value": value, "unit": "%"}


@pytest.mark.parametrize(
    ("low", "high", "expected", "note"),
    [
        (percent(25), percent(50), "[25, 50]", None),
        (percent(5), percent(5), "5", None),
        (percent(25), None, "[25, 100]", None),
        (None, percent(5), "[0, 5]", None),
        ({"value": 0.25, "code": "1"}, {"value": 0.5, "code": "1"}, "[25, 50]", None),
        ({"value": 25}, percent(50), "[25, 50]", None),
        (percent(25), {"value": 50}, "[25, 50]", None),
        ({"value": 0.25}, {"value": 0.5, "code": "1"}, "[25, 50]", None),
        ({"value": 3}, {"value": 5}, "[3, 5]", "unit-missing"),
        ({"value": 3}, None, "[3, 100]", "unit-missing"),
    ],
)
def test_a_range_holds_both_its_ends_and_an_open_end_is_the_bound(
    low: Any, high: Any, expected: str, note: str | None
):
    found = measured(range_of(low, high))
    assert (found.interval, found.note) == (interval(expected), note)


@pytest.mark.parametrize(
    ("low", "high", "reason"),
    [
        (None, None, "the range has no end"),
        (percent(10), percent(5), CONTRADICTION),
        (percent(90), percent(110), OUTSIDE),
        (percent(-1), percent(5), OUTSIDE),
        ({"value": 0.25}, {"value": 0.5}, NO_UNIT),
        (None, {"value": 1}, NO_UNIT),
        *[
            (low, high, "an end of the range has no value in a unit of percent")
            for low, high in (
                ({"value": 5, "unit": "mL"}, None),
                (percent(5), {"value": 10, "unit": "mL"}),
                ({"unit": "%"}, percent(5)),
                (percent(5), {}),
                (percent(5), 10),
                ("5 %", percent(10)),
                ([percent(5)], percent(10)),
            )
        ],
    ],
)
def test_a_range_that_cannot_be_read_whole_is_refused(low: Any, high: Any, reason: str):
    assert refusal(range_of(low, high)) == reason


def ratio(numerator: Any, denominator: Any) -> dict[str, Any]:
    return {"valueRatio": {"numerator": numerator, "denominator": denominator}}


def test_a_ratio_is_a_part_of_a_whole():
    assert measured(ratio({"value": 1}, {"value": 2})).interval == interval("50")
    assert measured(ratio({"value": 0}, {"value": 2})).interval == interval("0")
    assert measured(ratio({"value": 420, "unit": "mL"}, {"value": 1680, "unit": "mL"})).interval == interval(
        "25"
    )


@pytest.mark.parametrize(
    ("numerator", "denominator", "reason"),
    [
        ({"value": 1}, {"value": 0}, "the ratio cannot be divided"),
        ({"value": 1}, {}, "the ratio cannot be divided"),
        ({}, {"value": 1}, "the ratio cannot be divided"),
        (None, None, "the ratio cannot be divided"),
        ([1], "2", "the ratio cannot be divided"),
        ({"value": -1}, {"value": -2}, "the ratio cannot be divided"),
        ({"value": 1, "comparator": "<"}, {"value": 2}, "the ratio cannot be divided"),
        ({"value": 1}, {"value": 2, "comparator": ">"}, "the ratio cannot be divided"),
        ({"value": 1, "unit": "mL"}, {"value": 2, "unit": "L"}, OTHER_UNIT),
        ({"value": 1, "unit": "mL"}, {"value": 2}, OTHER_UNIT),
        ({"value": 5, "unit": "%"}, {"value": 1}, OTHER_UNIT),
        ({"value": 5, "unit": "%"}, {"value": 10, "unit": "%"}, OTHER_UNIT),
        ({"value": 3}, {"value": 2}, OUTSIDE),
        ({"value": "1e15"}, {"value": "1e-15"}, OUTSIDE),
        ({"value": "1e999999"}, {"value": "1e-999999"}, "the ratio cannot be divided"),
    ],
)
def test_a_ratio_that_is_no_part_of_a_whole_is_refused(numerator: Any, denominator: Any, reason: str):
    assert refusal(ratio(numerator, denominator)) == reason


@pytest.mark.parametrize(
    ("scale", "denominator", "expected"),
    [
        (MITOSES_PER_2_MM2, {"value": 1, "unit": "mm2"}, "6"),
        (MITOSES_PER_2_MM2, {"value": 2, "code": "mm2"}, "3"),
        (MITOSES_PER_2_MM2, {"value": 10, "unit": "mm²"}, "0.6"),
        (MITOSES_PER_10_HPF, {"value": 10, "unit": "HPF"}, "3"),
        (MITOSES_PER_10_HPF, {"value": 10, "code": "[HPF]"}, "3"),
        (MITOSES_PER_10_HPF, {"value": 1, "unit": "10 HPF"}, "3"),
    ],
)
def test_a_count_over_an_area_is_a_ratio(scale: Scale, denominator: dict[str, Any], expected: str):
    assert measured(ratio({"value": 3}, denominator), scale).interval == interval(expected)


def test_a_count_over_another_area_is_not_converted():
    assert "not one of" in refusal(ratio({"value": 3}, {"value": 1, "unit": "mm2"}), MITOSES_PER_10_HPF)
    assert "not one of" in refusal(ratio({"value": 3}, {"value": 10, "unit": "[HPF]"}), MITOSES_PER_2_MM2)
    assert "not one of" in refusal(ratio({"value": 3}, {"value": 10}), MITOSES_PER_10_HPF)


# --- units of counts and volumes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("unit", "per_2_mm2", "per_10_hpf"),
    [
        ("/(2.mm2)", "1", None),
        ("/2.mm2", "1", None),  # valid UCUM for (1/2).mm2, and written for per 2 mm2
        ("/2mm2", "1", None),
        ("/2 mm²", "1", None),
        ("per 2 mm2", "1", None),
        ("/mm2", "2", None),
        ("/mm^2", "2", None),
        ("mm-2", "2", None),
        ("/(10.mm2)", "0.2", None),
        ("/10mm2", "0.2", None),
        ("/10.[HPF]", None, "1"),
        ("/(10.[HPF])", None, "1"),
        ("/10[HPF]", None, "1"),
        ("/{10HPF}", None, "1"),
        ("/10 HPF", None, "1"),
        ("per 10 HPF", None, "1"),
        ("/[HPF]", None, "10"),
        ("/HPF", None, "10"),
        ("mm2", None, None),
        ("[HPF]", None, None),
        ("/mm3", None, None),
        ("1", None, None),
        ("%", None, None),
        ("{mitoses}", None, None),
    ],
)
def test_a_mitotic_count_is_per_area_or_per_field_and_never_both(
    unit: str, per_2_mm2: str | None, per_10_hpf: str | None
):
    for scale, factor in ((MITOSES_PER_2_MM2, per_2_mm2), (MITOSES_PER_10_HPF, per_10_hpf)):
        found = measure(quantity(3, unit), scale)
        if factor is None:
            assert found == Refused(f"the unit is not one of {scale.name}", f"3 {unit}")
        else:
            assert isinstance(found, Measured)
            assert found.interval == interval(str(3 * Decimal(factor)))


@pytest.mark.parametrize(
    ("unit", "millilitres"),
    [
        *[(unit, "3") for unit in ("mL", "ml", "ML", "cm3", "cm³", "cm 3", "cm^3", "cc", "CC")],
        ("dL", "300"),
        ("L", "3000"),
        ("l", "3000"),
        ("mm3", "0.003"),
        ("mm³", "0.003"),
    ],
)
def test_a_volume_is_read_in_millilitres(unit: str, millilitres: str):
    assert measured(quantity(3, unit), VOLUME).interval == interval(millilitres)


@pytest.mark.parametrize("unit", ["m3", "cm2", "cm", "g", "%", "1", "uL", "kg", "mm^2", "mL/min", "mol"])
def test_what_is_no_volume_is_refused(unit: str):
    assert refusal(quantity(3, unit), VOLUME) == "the unit is not one of volume"


def test_a_volume_and_a_count_have_bounds_too():
    assert measured(quantity(20, "L"), VOLUME).interval == interval("20000")
    assert refusal(quantity(20_001, "mL"), VOLUME) == "the value lies outside 0 to 20000 mL"
    assert measured(quantity(500, "/mm2"), MITOSES_PER_2_MM2).interval == interval("1000")
    assert "outside 0 to 1000" in refusal(quantity(501, "/mm2"), MITOSES_PER_2_MM2)
    assert measured(quantity(20, "/10 HPF", comparator=">"), MITOSES_PER_10_HPF).interval == interval(
        "(20, 1000]"
    )


def test_a_unit_of_two_kinds_is_refused_on_both_scales():
    both = quantity(3, "/10 HPF", code="/mm2")
    assert "not one of" in refusal(both, MITOSES_PER_2_MM2)
    assert "not one of" in refusal(both, MITOSES_PER_10_HPF)
    assert "not one of" in refusal(quantity(3, "L", code="mL"), VOLUME)
    assert measured(quantity(3, "/10 HPF", code="1"), MITOSES_PER_10_HPF).interval == interval("3")


# --- NAACCR 3863 ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("0.0", "0"),
        ("0.1", "0.1"),
        ("5.0", "5"),
        ("5", "5"),
        ("05.0", "5"),
        ("100.0", "100"),
        (" 5.0 ", "5"),
        ("XXX.4", "[0, 3)"),
        ("xxx.4", "[0, 3)"),
        ("XXX.5", "[3, 20]"),
        ("XXX.6", "(20, 100]"),
    ],
)
def test_a_registry_code_is_a_percentage_or_a_category(code: str, expected: str):
    found = naaccr_ki67(code)
    assert isinstance(found, Measured)
    assert found.interval == interval(expected)


@pytest.mark.parametrize(
    "code",
    ["XXX.7", "XXX.8", "XXX.9", "XXX.1", "", "100.1", "999.9", "5,0", "5.00", "-1.0", "1000", "5 %", "1e1"],
)
def test_a_registry_code_without_percentage_is_refused(code: str):
    found = naaccr_ki67(code)
    assert isinstance(found, Refused)
    assert found.reason == "the registry code states no percentage"


# --- anything ---------------------------------------------------------------------------------------------------------

ODD_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["%", "mL", "1e99"]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(
                ["value", "unit", "code", "comparator", "low", "high", "numerator", "denominator"]
            )
            | st.sampled_from(["coding", "text", "display"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ELEMENTS = [
    *("valueQuantity", "valueRange", "valueRatio", "valueInteger", "valueString", "valueCodeableConcept"),
]


def is_sound(found: Measured | Refused | None, scale: Scale) -> bool:
    return not isinstance(found, Measured) or 0 <= found.interval.low <= found.interval.high <= scale.maximum


@given(st.dictionaries(st.sampled_from(ELEMENTS), ODD_JSON, max_size=2), st.sampled_from(SCALES))
def test_no_json_value_is_an_error_and_every_reading_lies_in_bounds(value: dict[str, Any], scale: Scale):
    assert is_sound(measure(value, scale), scale)


@given(
    st.text(alphabet=st.sampled_from("0159.,<>=≤≥-–~% catobisHPF\u00a0")) | st.text(), st.sampled_from(SCALES)
)
def test_no_text_is_an_error_and_every_reading_lies_in_bounds(text: str, scale: Scale):
    assert is_sound(measure_text(text, scale), scale)
    assert is_sound(naaccr_ki67(text), PERCENT)


@given(st.decimals(0, 100, places=2), st.sampled_from(["<", "<=", ">", ">="]))
def test_text_and_quantity_say_the_same(value: Decimal, comparator: str):
    one = measure(quantity(value, "%", comparator=comparator), PERCENT)
    other = measure_text(f"{comparator} {value} %", PERCENT)
    assert type(one) is type(other)
    if isinstance(one, Measured) and isinstance(other, Measured):
        assert one.interval == other.interval


@pytest.mark.parametrize(
    "text", ["more than 20 %", "over 20 %", "at least 20 %", "mehr als 20 %", "meer dan 20 %"]
)
def test_words_that_raise_a_value_leave_its_upper_end_open(text: str):
    found = measure_text(text, PERCENT)
    assert isinstance(found, Measured)
    assert found.needs_confirmation
    assert (found.interval.low, found.interval.high) == (20, 100)
