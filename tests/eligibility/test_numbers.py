"""The three tables of clinical.md 7.1: Ki-67, liver involvement and age, below, at and above each limit."""

from datetime import date

import pytest

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criteria import CRITERIA, ages_out_on, is_under_age
from cds_service.eligibility.criterion import percent
from cds_service.eligibility.policy import policy
from cds_service.eligibility.verdict import Answer, Flag
from fhir_mappings.facts import Fact, Facts, Ki67, Ki67Reading, OrderKind, Resectability, Tissue
from fhir_mappings.interval import highest
from tests.eligibility.builders import ON, absent, day, facts, interval, ki67, known, liver

MILAN, OLD, OPTN = "milan-net-2016", "milan-net-2007", "optn-nlrb-net"


def ask(criterion: str, chart: Facts, policy_id: str = MILAN, on: date = ON) -> CriterionResult:
    return CRITERIA[criterion](chart, policy(policy_id).rule(criterion), on)


def shown(result: CriterionResult) -> str:
    """The answer, with a tilde where it is borderline."""
    return result.answer + ("~" if Flag.BORDERLINE in result.flags else "")


KI67 = {  # datum: (interval, Milan < 10, OPTN < 20)
    "<1 %": ("[0,1)", "met", "met"),
    "2 %": ("2", "met", "met"),
    "3-5 %": ("[3,5]", "met", "met"),
    "9 %": ("9", "met", "met"),
    "9.01 %": ("9.01", "met~", "met"),
    "9.9 %": ("9.9", "met~", "met"),
    "<10 %": ("[0,10)", "met", "met"),
    "<=10 %": ("[0,10]", "unknown", "met"),
    "10 %": ("10", "not-met~", "met"),
    "10.01 %": ("10.01", "not-met", "met"),
    "~10 %": ("[9,11]", "unknown", "met"),
    ">10 %": ("(10,100]", "not-met", "unknown"),
    ">=10 %": ("[10,100]", "not-met", "unknown"),
    "5-15 %": ("[5,15]", "unknown", "met"),
    "10-15 %": ("[10,15]", "not-met", "met"),
    ">5 %": ("(5,100]", "unknown", "unknown"),
    "<20 %": ("[0,20)", "unknown", "met"),
    "19 %": ("19", "not-met", "met"),
    "19.5 %": ("19.5", "not-met", "met~"),
    "20 %": ("20", "not-met", "not-met~"),
    "20.1 %": ("20.1", "not-met", "not-met"),
    "G1 only": ("[0,3)", "met", "met"),
}


@pytest.mark.parametrize(("datum", "milan", "optn"), KI67.values(), ids=KI67)
def test_the_table_of_ki67(datum: str, milan: str, optn: str):
    chart = facts(ki67_percent=ki67(datum))
    assert (shown(ask("ki-67", chart, MILAN)), shown(ask("ki-67", chart, OPTN))) == (milan, optn)


LIVER = {  # datum: (interval, 2016 < 50, 2007 and OPTN <= 50)
    "30 %": ("30", "met", "met"),
    "49 %": ("49", "met", "met"),
    "49.01 %": ("49.01", "met~", "met~"),
    "49.5 %": ("49.5", "met~", "met~"),
    "50 %": ("50", "not-met~", "met~"),
    "50.01 %": ("50.01", "not-met", "not-met"),
    "26-50 %": ("[26,50]", "unknown", "met"),
    ">50 %": ("(50,100]", "not-met", "not-met"),
    ">=50 %": ("[50,100]", "not-met", "unknown"),
    "<50 %": ("[0,50)", "met", "met"),
    "<=50 %": ("[0,50]", "unknown", "met"),
    "about half": ("[45,55]", "unknown", "unknown"),
    "40-60 %": ("[40,60]", "unknown", "unknown"),
}


@pytest.mark.parametrize(("datum", "strict", "inclusive"), LIVER.values(), ids=LIVER)
def test_the_table_of_liver_involvement(datum: str, strict: str, inclusive: str):
    chart = facts(liver_involvement_percent=liver(datum))
    answers = tuple(shown(ask("liver-involvement", chart, policy_id)) for policy_id in (MILAN, OLD, OPTN))
    assert answers == (strict, inclusive, inclusive)


AGES = {  # date of birth, for 2026-11-23: <= 60, <= 55, < 60
    "55 y 364 d": ("1970-11-24", "met", "met", "met"),
    "56 y 0 d": ("1970-11-23", "met", "not-met", "met"),
    "59 y 364 d": ("1966-11-24", "met", "not-met", "met"),
    "60 y 0 d": ("1966-11-23", "met", "not-met", "not-met"),
    "60 y 364 d": ("1965-11-24", "met", "not-met", "not-met"),
    "61 y 0 d": ("1965-11-23", "not-met", "not-met", "not-met"),
    "1967": ("1967", "met", "not-met", "met"),
    "1966": ("1966", "met", "not-met", "unknown"),
    "1965": ("1965", "unknown", "not-met", "not-met"),
    "1964": ("1964", "not-met", "not-met", "not-met"),
    "1963": ("1963", "not-met", "not-met", "not-met"),
    "1965-11": ("1965-11", "unknown", "not-met", "not-met"),
    "1965-10": ("1965-10", "not-met", "not-met", "not-met"),
    "1965-12": ("1965-12", "met", "not-met", "not-met"),
}


@pytest.mark.parametrize(("born", "milan", "old", "optn"), AGES.values(), ids=AGES)
def test_the_table_of_ages(born: str, milan: str, old: str, optn: str):
    chart = facts(birth_date=known(day(born)))
    assert tuple(ask("age", chart, policy_id).answer for policy_id in (MILAN, OLD, OPTN)) == (
        milan,
        old,
        optn,
    )


def test_age_is_relative_and_says_so():
    result = ask("age", facts(birth_date=known(day("1965-11-23"))))
    assert (result.flags, result.nature) == ((Flag.RELATIVE,), "relative")
    assert result.reason == "Age is 61 years; the limit, which is relative, is ≤ 60 years."


@pytest.mark.parametrize(
    ("on", "answer"),
    [(date(2021, 2, 28), "met"), (date(2021, 3, 1), "not-met")],
    ids=["28 February", "1 March"],
)
def test_born_on_29_february_the_birthday_of_a_common_year_is_1_march(on: date, answer: str):
    assert ask("age", facts(birth_date=known(day("1960-02-29"))), MILAN, on).answer == answer


@pytest.mark.parametrize(
    ("policy_id", "born", "expected"),
    [
        (MILAN, "1970-06-15", date(2031, 6, 15)),
        (OLD, "1972-06-15", date(2028, 6, 15)),
        (OPTN, "1970-06-15", date(2030, 6, 15)),
        (MILAN, "1960-02-29", None),
        (MILAN, "1968-02-29", date(2029, 3, 1)),
        (MILAN, "1965-11-24", date(2026, 11, 24)),
        (MILAN, "1965-11-23", None),
        (MILAN, "1966", date(2027, 1, 1)),
    ],
)
def test_the_day_on_which_the_age_limit_is_passed(policy_id: str, born: str, expected: date | None):
    chart = facts(birth_date=known(day(born)))
    rule = policy(policy_id).rule("age")
    assert ages_out_on(chart, rule, ON) == expected
    if expected is not None and day(born).is_exact:
        assert ask("age", chart, policy_id, date.fromordinal(expected.toordinal() - 1)).answer is Answer.MET
        assert ask("age", chart, policy_id, expected).answer is Answer.NOT_MET


@pytest.mark.parametrize(
    ("born", "is_minor"), [("2008-11-24", True), ("2008-11-23", False), ("2008", False), ("2009", True)]
)
@pytest.mark.parametrize("policy_id", [MILAN, OLD, OPTN])
def test_under_age_means_surely_under_18(born: str, is_minor: bool, policy_id: str):
    assert is_under_age(facts(birth_date=known(day(born))), policy(policy_id).rule("age"), ON) is is_minor


def test_a_ki67_that_only_g1_gives_is_met_and_flagged_as_derived():
    chart = facts(ki67_percent=known(Ki67(interval("[0,3)"), (), derived_from_grade=True)))
    result = ask("ki-67", chart)
    assert (result.answer, result.flags, result.orders) == (Answer.MET, (Flag.DERIVED,), (OrderKind.KI67,))
    assert "derived from grade G1" in result.reason


@pytest.mark.parametrize(
    ("fact", "flags"),
    [
        (ki67("2", Tissue.LIVER_METASTASIS), ()),
        (ki67("2", Tissue.NOT_STATED), ()),
        (ki67("2", Tissue.PRIMARY), (Flag.LOW_CONFIDENCE,)),
        (ki67("9.9", Tissue.PRIMARY), (Flag.BORDERLINE, Flag.LOW_CONFIDENCE)),
        (ki67("12", Tissue.PRIMARY), ()),
        (ki67("2", when="2024-11-23"), ()),
        (ki67("2", when="2024-11-22"), (Flag.LOW_CONFIDENCE,)),
    ],
    ids=[
        "metastasis",
        "not stated",
        "primary",
        "primary near the limit",
        "primary above",
        "24 months",
        "older",
    ],
)
@pytest.mark.parametrize("policy_id", [MILAN])
def test_a_low_ki67_is_less_sure_from_the_primary_or_after_24_months(
    fact: Fact[Ki67], flags: tuple[Flag, ...], policy_id: str
):
    result = ask("ki-67", facts(ki67_percent=fact), policy_id)
    assert result.flags == flags
    assert (OrderKind.KI67 in result.orders) is (Flag.LOW_CONFIDENCE in flags)


@pytest.mark.parametrize(("when", "is_old"), [("2024-11-23", False), ("2024-11-22", True)])
def test_the_other_policy_with_a_ki67_has_the_same_24_months(when: str, is_old: bool):
    result = ask("ki-67", facts(ki67_percent=ki67("2", when=when)), OPTN)
    assert (Flag.LOW_CONFIDENCE in result.flags) is is_old


@pytest.mark.parametrize(
    ("when", "milan", "optn"),
    [
        ("2026-08-23", "met", "met"),
        ("2026-08-22", "met", "unknown"),
        ("2026-05-23", "met", "unknown"),
        ("2026-05-22", "unknown", "unknown"),
        ("2026-10", "met", "met"),
        ("2026-08", "met", "unknown"),
        ("2026-05", "unknown", "unknown"),
        ("2026", "unknown", "unknown"),
    ],
)
def test_liver_imaging_counts_up_to_six_months_and_three_in_optn(when: str, milan: str, optn: str):
    chart = facts(liver_involvement_percent=liver("30", when))
    answers = [ask("liver-involvement", chart, policy_id).answer for policy_id in (MILAN, OLD, OPTN)]
    assert answers == [milan, milan, optn]


def test_stale_liver_imaging_is_unknown_even_above_the_limit_and_names_its_value():
    result = ask("liver-involvement", facts(liver_involvement_percent=liver("70", "2026-05-22")))
    assert (result.answer, result.flags, result.stale_on) == (
        Answer.UNKNOWN,
        (Flag.STALE,),
        date(2026, 11, 22),
    )
    assert "70 %" in result.reason
    assert result.orders == (OrderKind.LIVER_MRI,)


def test_liver_imaging_without_a_day_is_unknown():
    assert (
        ask("liver-involvement", facts(liver_involvement_percent=liver("30", None))).answer is Answer.UNKNOWN
    )


@pytest.mark.parametrize(
    ("datum", "text"),
    [
        ("12", "12 %"),
        ("[3,5]", "3-5 %"),
        ("[0,10)", "< 10 %"),
        ("[0,10]", "≤ 10 %"),
        ("(50,100]", "> 50 %"),
        ("[50,100]", "≥ 50 %"),
        ("(25,50]", "> 25, ≤ 50 %"),
    ],
)
def test_percentages_are_written_as_a_clinician_writes_them(datum: str, text: str):
    assert percent(interval(datum)) == text


def readings(*pairs: tuple[str, str | None]) -> Fact[Ki67]:
    """Several Ki-67 readings of metastases: value and day."""
    found = tuple(
        Ki67Reading(interval(value), Tissue.LIVER_METASTASIS, day(when) if when else None, "Observation/1")
        for value, when in pairs
    )
    return known(Ki67(highest(item.percent for item in found), found))


def test_the_day_of_a_ki67_is_that_of_the_reading_that_governs():
    assert (
        ask("ki-67", facts(ki67_percent=readings(("2", "2026-01-01"), ("5", "2025-06-01")))).dated
        == "2025-06-01"
    )
    assert ask("ki-67", facts(ki67_percent=readings(("5", None), ("2", "2025-06-01")))).dated is None


@pytest.mark.parametrize(
    ("pairs", "is_old"),
    [
        ([("2", "2020-01-01"), ("2", "2025-01-01")], False),
        ([("2", "2020-01-01"), ("2", "2021-01-01")], True),
        ([("2", "2024-11")], False),
        ([("2", "2024-10")], True),
        ([("2", None)], False),
    ],
)
def test_the_newest_reading_tells_how_old_a_ki67_is(pairs: list[tuple[str, str | None]], is_old: bool):
    assert (Flag.LOW_CONFIDENCE in ask("ki-67", facts(ki67_percent=readings(*pairs))).flags) is is_old


def test_partly_dated_imaging_goes_stale_on_the_earliest_day_it_can():
    assert ask("liver-involvement", facts(liver_involvement_percent=liver("30", "2026-10"))).stale_on == date(
        2027, 4, 1
    )
    assert ask("no-extrahepatic-disease", facts(extrahepatic_disease=absent("2026-10"))).stale_on == date(
        2027, 4, 1
    )
    assert ask("liver-involvement", facts(liver_involvement_percent=liver("30", "2026-05"))).stale_on == date(
        2026, 11, 1
    )


@pytest.mark.parametrize(
    ("when", "words"), [("2026-05", "may be older"), ("2026-04", "is older"), ("2026-05-22", "is older")]
)
def test_imaging_that_may_be_too_old_is_told_from_imaging_that_is(when: str, words: str):
    assert words in ask("liver-involvement", facts(liver_involvement_percent=liver("30", when))).reason


@pytest.mark.parametrize(
    ("on", "words"), [(date(2026, 11, 30), "may be older"), (date(2026, 12, 1), "is older")]
)
def test_imaging_of_a_month_is_surely_too_old_once_its_last_day_is(on: date, words: str):
    assert (
        words
        in ask("liver-involvement", facts(liver_involvement_percent=liver("30", "2026-05")), MILAN, on).reason
    )


def test_a_result_is_dated_by_its_first_dated_evidence():
    assert ask("unresectable", facts()).dated is None
    chart = facts(liver_resectability=known(Resectability.UNRESECTABLE, "Observation/board", "2026-09-01"))
    assert ask("unresectable", chart).dated == "2026-09-01"
