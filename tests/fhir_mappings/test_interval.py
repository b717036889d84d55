"""An interval says yes, no, or "it depends": three-valued comparison with open and closed ends (clinical.md 7.1)."""

from collections.abc import Sequence
from dataclasses import FrozenInstanceError
from decimal import Decimal
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.interval import Interval, highest, hull, point

TEN = Decimal(10)
BOTH = (True, False)


def interval(text: str) -> Interval:
    """`[0, 1)` in the notation of mathematics."""
    low, high = text[1:-1].split(",")
    return Interval(Decimal(low), Decimal(high.strip()), text[0] == "[", text[-1] == "]")


@st.composite
def intervals(draw: st.DrawFn) -> Interval:
    """Intervals with ends on a small grid, so that ends often meet."""
    low, high = sorted((draw(st.integers(0, 6)), draw(st.integers(0, 6))))
    closed = low == high
    return Interval(Decimal(low), Decimal(high), closed or draw(st.booleans()), closed or draw(st.booleans()))


def contains(one: Interval, value: Decimal) -> bool:
    above = value > one.low or (value == one.low and one.low_closed)
    below = value < one.high or (value == one.high and one.high_closed)
    return above and below


GRID = [Decimal(step) / 4 for step in range(29)]
"""Points at, and between, all ends that `intervals` draws."""


def sampled(one: Interval) -> set[Decimal]:
    return {value for value in GRID if contains(one, value)}


# --- below a limit ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "strict", "inclusive"),
    [
        ("[0, 1)", True, True),
        ("[2, 2]", True, True),
        ("[3, 5]", True, True),
        ("[9.9, 9.9]", True, True),
        ("[0, 10)", True, True),
        ("[0, 10]", None, True),
        ("(0, 10)", True, True),
        ("[10, 10]", False, True),
        ("[9, 11]", None, None),
        ("(10, 100]", False, False),
        ("(10, 100)", False, False),
        ("[10, 100]", False, None),
        ("[10, 100)", False, None),
        ("[5, 15]", None, None),
        ("[10, 15]", False, None),
        ("(5, 100]", None, None),
        ("[10.1, 10.1]", False, False),
        ("[11, 12]", False, False),
    ],
)
def test_an_interval_is_below_ten_or_not_or_it_depends(
    text: str, strict: bool | None, inclusive: bool | None
):
    assert interval(text).is_below(TEN, inclusive=False) is strict
    assert interval(text).is_below(TEN, inclusive=True) is inclusive


@pytest.mark.parametrize(
    ("low", "high", "low_closed", "high_closed", "inclusive"),
    list(product((9, 10, 11), (9, 10, 11), BOTH, BOTH, BOTH)),
)
def test_every_combination_of_ends_agrees_with_the_points_between_them(
    low: int, high: int, low_closed: bool, high_closed: bool, inclusive: bool
):
    ends = (Decimal(low), Decimal(high), low_closed, high_closed)
    if low > high or (low == high and not (low_closed and high_closed)):
        with pytest.raises(ValueError, match="no value fits"):
            Interval(*ends)
        return
    one = Interval(*ends)
    values = [value for step in range(33, 49) if contains(one, value := Decimal(step) / 4)]
    answers = {value < TEN or (inclusive and value == TEN) for value in values}
    expected = None if len(answers) > 1 else answers.pop()
    assert one.is_below(TEN, inclusive=inclusive) is expected


@given(intervals(), st.sampled_from(GRID), st.booleans())
def test_an_answer_holds_for_every_value_and_doubt_means_that_values_differ(
    one: Interval, limit: Decimal, inclusive: bool
):
    fine = {step / 2 for step in sampled(one)} | sampled(one)
    ends = {one.low + Decimal("0.01"), one.high - Decimal("0.01")}
    values = {value for value in fine | ends if contains(one, value)}
    answers = {value < limit or (inclusive and value == limit) for value in values}
    answer = one.is_below(limit, inclusive=inclusive)
    assert answers == ({True, False} if answer is None else {answer})


@given(intervals(), st.sampled_from(GRID))
def test_what_is_strictly_below_is_also_at_most(one: Interval, limit: Decimal):
    if one.is_below(limit, inclusive=False):
        assert one.is_below(limit, inclusive=True) is True
    if one.is_below(limit, inclusive=True) is False:
        assert one.is_below(limit, inclusive=False) is False


# --- several values ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["[2, 2]"], "[2, 2]"),
        (["[2, 2]", "[12, 12]"], "[12, 12]"),
        (["[0, 3)", "[2, 2]"], "[2, 3)"),
        (["[0, 10]", "[5, 5]"], "[5, 10]"),
        (["(5, 9]", "[5, 7]"], "(5, 9]"),
        (["[5, 9)", "[1, 9]"], "[5, 9]"),
        (["[0, 5)", "[5, 5]"], "[5, 5]"),
        (["[1, 2]", "(3, 100]", "[50, 60]"], "[50, 100]"),
    ],
)
def test_the_highest_is_at_least_every_low_end_and_at_most_the_highest(texts: list[str], expected: str):
    assert highest(map(interval, texts)) == interval(expected)


@given(st.lists(intervals(), min_size=1, max_size=4))
def test_the_highest_holds_the_largest_of_any_choice_and_nothing_else(items: list[Interval]):
    reachable = {max(choice) for choice in product(*(sampled(item) for item in items))}
    assert reachable == sampled(highest(items))


@given(st.lists(intervals(), min_size=1, max_size=5))
def test_the_order_of_the_values_does_not_matter(items: list[Interval]):
    assert highest(items) == highest(reversed(items)) == highest([*items, *items])
    assert hull(items) == hull(reversed(items)) == hull([*items, *items])


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["[2, 2]"], "[2, 2]"),
        (["[2, 2]", "[12, 12]"], "[2, 12]"),
        (["(2, 3)", "[2, 3)"], "[2, 3)"),
        (["(2, 3)", "(2, 3]"], "(2, 3]"),
        (["(2, 3)", "(4, 5)"], "(2, 5)"),
        (["[0, 9)", "[1, 2]"], "[0, 9)"),
    ],
)
def test_the_hull_reaches_from_the_lowest_to_the_highest_end(texts: list[str], expected: str):
    assert hull(map(interval, texts)) == interval(expected)


@given(st.lists(intervals(), min_size=1, max_size=5))
def test_the_hull_holds_all_of_them_and_starts_and_ends_where_they_do(items: list[Interval]):
    found = hull(items)
    union = set().union(*map(sampled, items))
    assert union <= sampled(found)
    assert (min(union), max(union)) == (min(sampled(found)), max(sampled(found)))


@pytest.mark.parametrize("combine", [highest, hull])
def test_nothing_has_no_highest_and_no_hull(combine):
    empty: Sequence[Interval] = ()
    with pytest.raises(ValueError, match="empty"):
        combine(empty)


# --- points and sentences ---------------------------------------------------------------------------------------------


def test_an_interval_is_a_value_that_nobody_changes():
    with pytest.raises(FrozenInstanceError):
        point(2).low = TEN  # type: ignore[misc]


def test_a_point_holds_one_value():
    assert point(2) == point("2.0") == point(Decimal(2)) == interval("[2, 2]")
    assert point(2).is_point
    assert not interval("[2, 3]").is_point


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("[2, 2]", "2"),
        ("[2.50, 2.50]", "2.5"),
        ("[100, 100]", "100"),
        ("[1E+2, 1E+2]", "100"),
        ("[0.0, 0.0]", "0"),
        ("[3, 5]", "3-5"),
        ("[0, 1)", "≥ 0, < 1"),
        ("(5, 100]", "> 5, ≤ 100"),
        ("(10, 25)", "> 10, < 25"),
    ],
)
def test_an_interval_is_shown_with_its_ends(text: str, shown: str):
    assert str(interval(text)) == shown
