"""Birth and death, from the Patient resource (terminology.md 2 i)."""

from datetime import date

import pytest

from fhir_mappings.facts import GapKind
from tests.builders import facts_of, facts_of_prefetch, patient


@pytest.mark.parametrize(
    ("written", "earliest", "latest"),
    [
        ("1965-11-23", date(1965, 11, 23), date(1965, 11, 23)),
        ("1965-11", date(1965, 11, 1), date(1965, 11, 30)),
        ("1964-02", date(1964, 2, 1), date(1964, 2, 29)),
        ("1965", date(1965, 1, 1), date(1965, 12, 31)),
    ],
)
def test_a_date_of_birth_stays_as_partial_as_it_is_written(
    written: str, earliest: date, latest: date
) -> None:
    value = facts_of(patient(birthDate=written)).birth_date.value
    assert value is not None
    assert (value.earliest, value.latest) == (earliest, latest)


def test_a_date_of_birth_with_an_absent_reason_is_not_recorded() -> None:
    absent = {
        "extension": [
            {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
        ]
    }
    person = patient(_birthDate=absent)
    del person["birthDate"]
    gap = facts_of(person).birth_date.gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


@pytest.mark.parametrize("written", ["1965-13-01", "2027-01-01", "unknown"])
def test_what_is_no_day_in_the_past_is_unreadable(written: str) -> None:
    gap = facts_of(patient(birthDate=written)).birth_date.gap
    assert gap is not None
    assert gap.kind is GapKind.UNREADABLE


def test_a_patient_who_was_not_sent_has_no_date_of_birth_and_no_vital_status() -> None:
    facts = facts_of_prefetch({"conditions": None})
    assert facts.birth_date.gap is not None
    assert facts.birth_date.gap.kind is GapKind.NOT_SENT
    assert facts.deceased.gap is not None
    assert facts.deceased.gap.kind is GapKind.NOT_SENT


@pytest.mark.parametrize("flag", [True, False])
def test_a_flag_tells_whether_the_patient_died(flag: bool) -> None:
    assert facts_of(patient(deceasedBoolean=flag)).deceased.value is flag


@pytest.mark.parametrize(("day", "dead"), [("2026-11-22", True), ("2026-11-23", True), ("2026-11-24", None)])
def test_a_death_counts_from_its_day_on(day: str, dead: bool | None) -> None:
    fact = facts_of(patient(deceasedDateTime=day)).deceased
    assert fact.value is dead
    assert bool(fact.discarded) is (dead is None)


def test_without_a_word_of_death_nobody_is_called_alive() -> None:
    fact = facts_of(patient()).deceased
    assert fact.value is None
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.NOT_RECORDED


def test_versions_of_a_patient_that_disagree_leave_the_birth_open_and_count_the_death() -> None:
    facts = facts_of(patient(deceasedBoolean=False), patient(birthDate="1960-01-01", deceasedBoolean=True))
    assert facts.birth_date.gap is not None
    assert facts.birth_date.gap.kind is GapKind.CONFLICTING
    assert facts.deceased.value is True


def test_the_newer_version_of_a_patient_governs() -> None:
    old = patient(birthDate="1960-01-01", meta={"lastUpdated": "2020-01-01T00:00:00Z"})
    new = patient(birthDate="1970-01-01", meta={"lastUpdated": "2024-01-01T00:00:00Z"})
    for pair in ((old, new), (new, old)):
        assert str(facts_of(*pair).birth_date.value) == "1970-01-01"


@pytest.mark.parametrize(
    ("born", "readable"), [("2026-11-22", True), ("2026-11-23", True), ("2026-11-24", False)]
)
def test_a_patient_may_be_born_on_the_day_of_evaluation_and_not_after_it(born: str, readable: bool) -> None:
    fact = facts_of(patient(birthDate=born)).birth_date
    assert (fact.value is not None) is readable


@pytest.mark.parametrize(
    ("born", "readable"), [("2026-11", True), ("2026", True), ("2026-12", False), ("2027", False)]
)
def test_a_partial_birth_that_may_be_past_is_one(born: str, readable: bool) -> None:
    assert (facts_of(patient(birthDate=born)).birth_date.value is not None) is readable
