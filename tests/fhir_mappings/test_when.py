"""A date is every day that it can mean, and months are calendar months."""

from calendar import monthrange
from dataclasses import FrozenInstanceError
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_mappings.when import PartialDate, add_months, birthday, completed_years, parse_date, span

DAYS = st.dates(date(1900, 1, 1), date(2200, 12, 31))


def day(text: str) -> date:
    return date.fromisoformat(text)


def read(text: str) -> PartialDate:
    found = parse_date(text)
    assert found is not None, text
    return found


# --- what is written --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "earliest", "latest"),
    [
        ("2026", "2026-01-01", "2026-12-31"),
        ("2026-11", "2026-11-01", "2026-11-30"),
        ("2026-12", "2026-12-01", "2026-12-31"),
        ("2023-02", "2023-02-01", "2023-02-28"),
        ("2024-02", "2024-02-01", "2024-02-29"),
        ("2000-02", "2000-02-01", "2000-02-29"),
        ("1900-02", "1900-02-01", "1900-02-28"),
        ("2026-11-23", "2026-11-23", "2026-11-23"),
        ("2024-02-29", "2024-02-29", "2024-02-29"),
        ("0001-01-01", "0001-01-01", "0001-01-01"),
        ("9999", "9999-01-01", "9999-12-31"),
        (" 2026-11-23\n", "2026-11-23", "2026-11-23"),
    ],
)
def test_a_date_is_all_the_days_that_it_can_mean(text: str, earliest: str, latest: str):
    assert read(text) == PartialDate(day(earliest), day(latest), text.strip())


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-23T23:59:59-12:00",
        "2026-11-23T00:00:00+14:00",
        "2026-11-23T10:00:00Z",
        "2026-11-23T10:00:00.5Z",
    ],
)
def test_a_moment_is_the_day_on_the_clinicians_calendar(text: str):
    assert read(text) == PartialDate(day("2026-11-23"), day("2026-11-23"), "2026-11-23")


@pytest.mark.parametrize(
    "nothing",
    [
        *("", " ", "26", "202", "20261", "2026-", "2026-1", "2026-11-", "2026-11-2", "2026-11-233"),
        *("2026-00", "2026-13", "2026-11-00", "2026-11-31", "2026-02-29", "1900-02-29", "0000", "0000-01-01"),
        *("20261123", "23.11.2026", "11/23/2026", "-2026", "2026-11-23T", "2026-11-23 10:00", "2026T10:00"),
        *("before 2026", "2026-11-23 or so", "2026-11-23/2026-11-24"),
        *(None, 2026, 2026.0, True, [], ["2026"], {}, {"value": "2026"}, day("2026-11-23")),
    ],
)
def test_what_is_no_fhir_date_is_no_date(nothing: object):
    assert parse_date(nothing) is None


@given(st.text() | st.integers() | st.floats() | st.none() | st.lists(st.text()))
def test_no_value_at_all_is_an_error(value: object):
    found = parse_date(value)
    assert found is None or found.earliest <= found.latest


@given(DAYS)
def test_a_day_lies_in_its_month_and_its_month_in_its_year(on: date):
    exact, month, year = (read(on.isoformat()[:length]) for length in (10, 7, 4))
    assert (
        year.earliest <= month.earliest <= exact.earliest == on == exact.latest <= month.latest <= year.latest
    )
    assert (month.latest + timedelta(days=1)).day == 1
    assert (year.latest - year.earliest).days in (364, 365)


def test_only_a_day_is_exact_and_the_rest_is_shown_as_written():
    assert (str(read("2026-11-23T10:00:00Z")), read("2026-11-23").is_exact) == ("2026-11-23", True)
    assert (str(read("2026-11")), read("2026-11").is_exact) == ("2026-11", False)
    assert (str(read("2026")), read("2026").is_exact) == ("2026", False)


def test_a_date_is_a_value_that_nobody_changes():
    with pytest.raises(FrozenInstanceError):
        read("2026").text = "2027"  # type: ignore[misc]


# --- periods ----------------------------------------------------------------------------------------------------------


def test_a_period_covers_both_its_ends_to_their_last_possible_day():
    assert span(read("2026-01"), read("2026-02")) == PartialDate(
        day("2026-01-01"), day("2026-02-28"), "2026-01/2026-02"
    )


@pytest.mark.parametrize("end", ["2026-03-05", "2026-03", "2026"])
def test_a_period_may_end_on_the_day_on_which_it_starts(end: str):
    found = span(read("2026-03-05"), read(end))
    assert found is not None
    assert (found.earliest, found.latest) == (day("2026-03-05"), read(end).latest)


def test_a_period_with_one_end_is_that_end():
    assert span(read("2026-01"), None) == span(None, read("2026-01")) == read("2026-01")
    assert span(None, None) is None


def test_a_period_written_the_wrong_way_round_says_nothing():
    assert span(read("2026-03-05"), read("2026-03-04")) is None
    assert span(read("2026-03"), read("2026-02")) is None


# --- calendar months --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "months", "end"),
    [
        ("2026-05-20", 6, "2026-11-20"),
        ("2026-08-31", 6, "2027-02-28"),
        ("2027-08-31", 6, "2028-02-29"),
        ("2026-03-31", 1, "2026-04-30"),
        ("2026-12-31", 2, "2027-02-28"),
        ("2026-06-30", 6, "2026-12-30"),
        ("2026-12-01", 1, "2027-01-01"),
        ("2026-11-30", 1, "2026-12-30"),
        ("2024-02-29", 12, "2025-02-28"),
        ("2024-02-29", 48, "2028-02-29"),
        ("2026-03-31", -1, "2026-02-28"),
        ("2026-01-15", -1, "2025-12-15"),
        ("2026-01-15", 0, "2026-01-15"),
    ],
)
def test_months_are_counted_on_the_calendar(start: str, months: int, end: str):
    assert add_months(day(start), months) == day(end)


@given(DAYS, st.integers(-240, 240))
def test_adding_months_never_skips_a_month(start: date, months: int):
    end = add_months(start, months)
    assert (end.year - start.year) * 12 + end.month - start.month == months
    assert end.day == min(start.day, monthrange(end.year, end.month)[1])


@given(DAYS, DAYS, st.integers(-240, 240))
def test_the_later_of_two_days_never_comes_first_after_adding_months(one: date, other: date, months: int):
    first, second = sorted((one, other))
    assert add_months(first, months) <= add_months(second, months)


def test_a_period_without_end_is_written_9999_and_stays_there():
    assert add_months(day("9999-12-31"), 1) == add_months(day("9999-06-30"), 12) == date.max
    assert add_months(day("9999-06-30"), 6) == day("9999-12-30")
    assert add_months(day("0001-01-01"), -1) == date.min
    assert add_months(day("0001-03-15"), -1) == day("0001-02-15")


# --- age --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("born", "on", "age"),
    [
        ("1966-11-24", "2026-11-23", 59),
        ("1966-11-23", "2026-11-23", 60),
        ("1965-11-24", "2026-11-23", 60),
        ("1965-11-23", "2026-11-23", 61),
        ("1964-02-29", "2025-02-28", 60),
        ("1964-02-29", "2025-03-01", 61),
        ("1964-02-29", "2024-02-28", 59),
        ("1964-02-29", "2024-02-29", 60),
        ("2026-11-23", "2026-11-23", 0),
    ],
)
def test_a_year_of_age_is_complete_on_the_birthday(born: str, on: str, age: int):
    assert completed_years(day(born), day(on)) == age


def test_who_is_born_on_29_february_has_a_birthday_on_1_march_in_common_years():
    assert birthday(day("1964-02-29"), 61) == day("2025-03-01")
    assert birthday(day("1964-02-29"), 60) == day("2024-02-29")
    assert birthday(day("1964-02-29"), 136) == day("2100-03-01")


@given(DAYS, st.integers(0, 120))
def test_the_birthday_is_the_first_day_of_the_new_age(born: date, years: int):
    on = birthday(born, years)
    assert completed_years(born, on) == years
    assert completed_years(born, on - timedelta(days=1)) == years - 1
