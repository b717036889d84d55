"""Hostile days: a moment that another clock calls tomorrow may be past, and a year that stands for "no day" is none."""

import copy
from typing import Any

import pytest

from tests.hooks.test_hostile_charts import (
    LOINC,
    REQUEST,
    SCT,
    Json,
    answered,
    bone,
    coded,
    first_with,
    observed,
)

PROGRESSION = coded(SCT, "271299001")


def with_entry(key: str, resource: Json) -> Json:
    request = copy.deepcopy(REQUEST)
    request["prefetch"][key]["entry"].append({"resource": resource})
    request["prefetch"][key].pop("total", None)
    return request


def with_patient(**elements: Any) -> Json:
    request = copy.deepcopy(REQUEST)
    request["prefetch"]["patient"].update(elements)
    return request


def is_plain(cards: list[Json]) -> bool:
    return bool(cards) and cards[0]["summary"].startswith("Meets")


# The day of evaluation is 2026-11-23. It ends last at UTC-12: at 12:00 UTC of the next day.
PAST_SOMEWHERE = ["2026-11-24T07:00:00+11:00", "2026-11-24T00:30:00Z", "2026-11-24T11:59:59Z"]
PAST_SOMEWHERE += ["2026-11-25T01:59:59+14:00"]
LATER = ["2026-11-24T12:00:00Z", "2026-11-25T02:00:00+14:00", "2026-11-24T00:00:00-12:00"]
LATER += ["2026-11-24", "2026-12"]


@pytest.mark.parametrize("moment", PAST_SOMEWHERE)
def test_a_moment_that_is_tomorrow_by_its_own_clock_alone_takes_certainty_away(moment: str) -> None:
    response = observed(LOINC, "97509-4", effectiveDateTime=moment, valueCodeableConcept=PROGRESSION)
    period = {"effectiveDateTime": None, "effectivePeriod": {"start": moment}}
    assert not is_plain(answered(with_entry("conditions", bone(onsetDateTime=moment))))
    assert not is_plain(answered(with_entry("observations", response)))
    assert not is_plain(
        answered(with_entry("observations", {key: v for key, v in (response | period).items() if v}))
    )


@pytest.mark.parametrize("moment", LATER)
def test_what_every_clock_calls_tomorrow_is_set_aside(moment: str) -> None:
    assert is_plain(answered(with_entry("conditions", bone(onsetDateTime=moment))))


@pytest.mark.parametrize("moment", PAST_SOMEWHERE)
def test_a_death_that_may_be_past_is_a_death(moment: str) -> None:
    assert answered(with_patient(deceasedDateTime=moment)) == []


@pytest.mark.parametrize("moment", LATER)
def test_a_death_to_come_is_none_yet(moment: str) -> None:
    assert is_plain(answered(with_patient(deceasedDateTime=moment)))


def test_a_liver_metastasis_that_may_be_of_today_is_in_doubt_and_not_absent() -> None:
    request = copy.deepcopy(REQUEST)
    first_with(request, "conditions", "C7B.02")["onsetDateTime"] = PAST_SOMEWHERE[0]
    [card] = answered(request)
    assert "liver metastases in doubt" in card["summary"]


def test_what_was_entered_in_error_stays_out_on_every_clock() -> None:
    wrong = bone(onsetDateTime=PAST_SOMEWHERE[0], verificationStatus=coded("urn:x", "entered-in-error"))
    assert is_plain(answered(with_entry("conditions", wrong)))


@pytest.mark.parametrize("day", ["9999-12-31", "9999", "2200-01-01", "1904-12-31", "0001-01-01T00:00:00Z"])
def test_a_liver_metastasis_of_a_year_that_is_none_is_one_without_a_day(day: str) -> None:
    request = copy.deepcopy(REQUEST)
    first_with(request, "conditions", "C7B.02")["onsetDateTime"] = day
    assert is_plain(answered(request))


@pytest.mark.parametrize(
    ("day", "plain"),
    [
        *(("0001-01-01T00:00:00Z", False), ("1753-01-01", False), ("1900-01-01", False)),
        *(("1904-12-31", False), ("1905-01-01", True), ("9999-12-31", False)),
        *(("2199-12-31", True), ("2200-01-01", False)),
    ],
)
def test_a_progression_of_a_year_that_is_none_may_be_of_any_day(day: str, *, plain: bool) -> None:
    response = observed(LOINC, "97509-4", effectiveDateTime=day, valueCodeableConcept=PROGRESSION)
    assert is_plain(answered(with_entry("observations", response))) is plain


def test_a_birth_in_a_year_that_is_none_is_unknown() -> None:
    for born in ("1904-12-31", "1900-01-01", "0001-01-01"):
        [card] = answered(with_patient(birthDate=born))
        assert card["summary"].startswith("Possible candidate: 1 of"), born
    [card] = answered(with_patient(birthDate="1905-01-01"))
    assert not card["summary"].startswith("Possible candidate: 1 of")


@pytest.mark.parametrize(("day", "dead"), [("1900-01-01", True), ("0001-01-01", True), ("9999-12-31", False)])
def test_a_death_of_a_day_that_is_none_is_one_unless_it_lies_beyond_all_days(day: str, *, dead: bool) -> None:
    assert (answered(with_patient(deceasedDateTime=day)) == []) is dead
