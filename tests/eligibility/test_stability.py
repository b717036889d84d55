"""Six months of stability or response: the thirteen steps of clinical.md 5.2."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criteria import CRITERIA
from cds_service.eligibility.policy import policy
from cds_service.eligibility.verdict import Answer, Flag
from fhir_mappings.facts import Fact, Facts, OrderKind, Response, ResponseAssessment, ResponseCourse
from fhir_mappings.when import PartialDate, add_months
from tests.eligibility.builders import NOT_RESECTED, ON, course, day, facts, gap, known, resected

MILAN, OLD, OPTN = "milan-net-2016", "milan-net-2007", "optn-nlrb-net"


def ask(chart: Facts, on: date = ON, policy_id: str = MILAN) -> CriterionResult:
    return CRITERIA["stability"](chart, policy(policy_id).rule("stability"), on)


def of(*entries: str, operated: Fact[Any] | None = None, on: date = ON) -> CriterionResult:
    return ask(
        facts(disease_response=course(*entries), primary_resection=operated or resected("2025-01-01")), on
    )


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [
        ("2026-05-20", "2026-11-20", "met"),
        ("2026-05-20", "2026-11-19", "unknown"),
        ("2026-05-21", "2026-11-20", "unknown"),
        ("2026-05-23", "2026-11-22", "unknown"),
        ("2026-05-24", "2026-11-22", "not-met"),
    ],
    ids=["exactly", "a day short", "a day short at the start", "ends today", "ends tomorrow"],
)
@pytest.mark.parametrize("policy_id", [MILAN, OLD, OPTN])
def test_exactly_six_calendar_months_count(start: str, end: str, answer: str, policy_id: str):
    chart = facts(disease_response=course(f"{start} SD", f"{end} SD"))
    assert ask(chart, policy_id=policy_id).answer == answer


@pytest.mark.parametrize(
    ("start", "end", "answer"),
    [
        ("2025-08-31", "2026-02-28", "met"),
        ("2025-08-31", "2026-02-27", "unknown"),
        ("2023-08-31", "2024-02-29", "met"),
        ("2023-08-31", "2024-02-28", "unknown"),
        ("2024-02-29", "2024-08-29", "met"),
        ("2024-02-29", "2024-08-28", "unknown"),
        ("2026-03-31", "2026-09-30", "met"),
    ],
)
def test_months_end_where_the_calendar_ends_them(start: str, end: str, answer: str):
    on = date.fromisoformat(end) + timedelta(days=30)
    operated = resected("2020-01-01")
    assert of(f"{start} SD", f"{end} SD", operated=operated, on=on).answer == answer


def test_it_is_half_a_year_of_the_calendar_and_not_180_days():
    assert of("2026-01-01 SD", "2026-06-30 SD").answer is Answer.UNKNOWN
    assert of("2026-01-01 SD", "2026-07-01 SD").answer is Answer.MET


@pytest.mark.parametrize("word", ["CR", "PR", "SD", "RESPONSE"])
def test_a_response_counts_like_stability(word: str):
    assert of("2026-01-10 SD", f"2026-10-20 {word}").answer is Answer.MET


def test_neither_response_nor_its_end_restarts_the_clock():
    assert of("2026-01-10 PR", "2026-06-01 SD", "2026-10-20 SD").answer is Answer.MET


def test_a_progression_at_the_end_is_not_met_and_the_clock_restarts():
    result = of("2026-01-10 SD", "2026-10-20 PD")
    assert (result.answer, result.resolves_on, result.value) == (
        Answer.NOT_MET,
        date(2027, 4, 20),
        "progressive disease",
    )
    assert result.orders == ()


def test_a_progression_at_the_end_needs_no_resection_to_be_a_no():
    assert of("2026-10-20 PD", operated=gap()).answer is Answer.NOT_MET
    assert of("2026-10-20 PD", operated=NOT_RESECTED).answer is Answer.NOT_MET


def test_an_old_progression_without_news_is_restaged_and_has_no_day():
    result = of("2026-01-10 PD")
    assert (result.answer, result.resolves_on, result.orders) == (
        Answer.NOT_MET,
        None,
        (OrderKind.RESTAGING,),
    )


def test_after_a_progression_the_resection_can_move_the_day():
    result = of("2026-07-01 PD", operated=resected("2026-09-01"))
    assert result.resolves_on == date(2027, 3, 1)


def test_stability_after_a_progression_is_counted_from_it():
    result = of("2026-01-10 SD", "2026-07-01 PD", "2026-10-20 SD")
    assert (result.answer, result.resolves_on) == (Answer.NOT_MET, date(2027, 1, 1))
    assert result.value == "3 months"


def test_assessments_before_the_resection_do_not_count():
    result = of("2026-01-10 SD", "2026-05-02 SD", "2026-11-20 SD", operated=resected("2026-06-01"))
    assert (result.answer, result.resolves_on) == (Answer.NOT_MET, date(2026, 12, 1))


def test_the_last_of_several_resections_starts_the_clock():
    operated = resected("2025-10-01", last_date=day("2026-08-01"))
    assert of("2026-01-10 SD", "2026-10-20 SD", operated=operated).resolves_on == date(2027, 2, 1)


def test_one_assessment_is_no_course():
    result = of("2026-10-20 SD")
    assert (result.answer, result.orders) == (Answer.UNKNOWN, (OrderKind.RESTAGING,))


def test_nothing_since_the_resection_is_unknown_and_says_when_it_could_be_met():
    result = of("2026-01-10 SD", operated=resected("2026-10-01"))
    assert (result.answer, result.resolves_on) == (Answer.UNKNOWN, date(2027, 4, 1))


def test_time_that_has_passed_unseen_is_no_stability():
    result = of("2026-01-10 SD", "2026-06-01 SD")
    assert (result.answer, result.flags, result.orders) == (Answer.UNKNOWN, (), (OrderKind.RESTAGING,))


@pytest.mark.parametrize(
    ("last", "policy_id", "answer", "flags"),
    [
        ("2026-05-23", MILAN, "met", ()),
        ("2026-05-22", MILAN, "unknown", (Flag.STALE,)),
        ("2026-05-22", OLD, "unknown", (Flag.STALE,)),
        ("2026-05-23", OLD, "met", ()),
        ("2026-08-23", OPTN, "met", ()),
        ("2026-08-22", OPTN, "unknown", (Flag.STALE,)),
    ],
)
def test_the_last_assessment_has_to_be_current(
    last: str, policy_id: str, answer: str, flags: tuple[Flag, ...]
):
    chart = facts(disease_response=course("2025-10-02 SD", f"{last} SD"))
    result = ask(chart, policy_id=policy_id)
    assert (result.answer, result.flags) == (answer, flags)


@pytest.mark.parametrize(
    "operated", [gap(), resected(None), NOT_RESECTED], ids=["no record", "no day", "in situ"]
)
def test_without_the_day_of_the_resection_the_time_cannot_be_counted(operated: Fact[Any]):
    result = of("2026-01-10 SD", "2026-10-20 SD", operated=operated)
    assert (result.answer, result.orders) == (Answer.UNKNOWN, ())
    assert "resection" in result.reason


def test_what_lies_ahead_is_dropped():
    assert of("2026-01-10 SD", "2026-10-20 SD", "2026-11-24 PD").answer is Answer.MET
    assert of("2026-01-10 SD", "2026-10-20 SD", "2026-11-23 PD").answer is Answer.NOT_MET


def test_the_last_of_several_progressions_starts_the_clock():
    result = of("2026-01-10 PD", "2026-08-01 PD", "2026-10-20 SD")
    assert (result.answer, result.resolves_on) == (Answer.NOT_MET, date(2027, 2, 1))


def test_a_month_is_full_on_its_last_day():
    assert of("2026-05-20 SD", "2026-11-20 SD").value == "6 months"
    assert of("2026-05-24 SD", "2026-11-22 SD").value == "5 months"
    assert of("2026-11-01 SD", "2026-11-22 SD").value == "0 months"


def test_a_day_that_is_today_is_no_day_to_wait_for():
    progressive = of("2026-05-23 PD")
    assert (progressive.resolves_on, progressive.orders) == (None, (OrderKind.RESTAGING,))
    assert of("2026-05-24 PD").resolves_on == date(2026, 11, 24)
    assert of("2026-01-10 SD", operated=resected("2026-05-23")).resolves_on is None
    assert of("2026-01-10 SD", operated=resected("2026-05-24")).resolves_on == date(2026, 11, 24)


def test_partial_days_are_waited_for_until_the_latest_they_can_be():
    assert of("2026-09 PD").resolves_on == date(2027, 3, 30)
    assert of("2026-01-10 SD", operated=resected("2026-10")).resolves_on == date(2027, 4, 30)
    assert of("2026-09 PD", operated=resected("2026-10")).resolves_on == date(2027, 4, 30)


def test_partial_days_go_stale_on_the_earliest_they_can():
    assert of("2026-01-10 SD", "2026-10 SD").stale_on == date(2027, 4, 1)


def test_months_between_partial_days_are_those_that_are_sure():
    assert of("2026-01 SD", "2026-10 SD").value == "8 months"
    assert of("2026-06 SD", "2026-10 SD").value == "3 months"


def test_the_reason_names_both_ends_of_a_partial_day_and_one_of_a_known_one():
    assert "from 2026-04-01 to 2026-04-30 to 2026-10-20" in of(
        "2026-01-10 SD", "2026-10-20 SD", operated=resected("2026-04")
    ).reason.replace(" only", "")
    assert "from 2026-01-10 to 2026-10-20." in of("2026-01-10 SD", "2026-10-20 SD").reason


def test_an_assessment_that_may_precede_the_resection_proves_nothing():
    assert of("2026-01-10 SD", "2026-10-15 SD", operated=resected("2026-10")).answer is Answer.UNKNOWN


@pytest.mark.parametrize(("last", "flags"), [("2026-05-23", ()), ("2026-05-22", (Flag.STALE,))])
@pytest.mark.parametrize("operated", [resected("2025-01-01"), resected(None), NOT_RESECTED])
def test_what_is_too_short_or_cannot_be_counted_may_be_stale_too(
    last: str, flags: tuple[Flag, ...], operated: Fact[Any]
):
    result = of("2026-01-10 SD", f"{last} SD", operated=operated)
    assert (result.answer, result.flags) == (Answer.UNKNOWN, flags)
    assert ("older than 6 months" in result.reason) is (bool(flags) and operated == resected("2025-01-01"))
    if operated.value is not None and operated.value.date is None:
        assert result.orders == ((OrderKind.RESTAGING,) if flags else ())


def test_a_partly_dated_assessment_may_be_stale_where_the_time_cannot_be_counted():
    assert of("2026-01-10 SD", "2026-05 SD", operated=resected(None)).flags == (Flag.STALE,)
    assert of("2026-01-10 SD", "2026-06 SD", operated=resected(None)).flags == ()


def test_the_last_of_several_progressions_is_named():
    result = of("2026-05-02 SD", "2026-01-10 PD", "2026-10-20 PD")
    assert result.dated == "2026-10-20"
    assert "of 2026-10-20, shows progressive disease" in result.reason


def test_a_course_of_doubts_after_a_progression_has_no_last_good_day():
    result = of("2026-01-10 PD", "2026-02-01 SD?", operated=gap())
    assert (result.answer, result.flags) == (Answer.UNKNOWN, ())


def test_a_primary_in_situ_is_named_as_what_it_is():
    assert "which has not been done" in of("2026-01-10 SD", "2026-10-20 SD", operated=NOT_RESECTED).reason
    assert (
        "whose day is not on record" in of("2026-01-10 SD", "2026-10-20 SD", operated=resected(None)).reason
    )


# --- what is unsure ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entries", "answer"),
    [
        (("2026-01-10 SD", "2026-10-20 SD", "2026-11-10 PD?"), "unknown"),
        (("2026-01-10 SD", "2026-09-01 PD?", "2026-10-20 SD"), "unknown"),
        (("2025-01-10 SD", "2025-06-01 PD?", "2026-10-20 SD"), "met"),
        (("2026-01-10 SD", "2026-10-20 SD?"), "unknown"),
        (("2026-01-10 SD?", "2026-10-20 SD?"), "unknown"),
        (("2026-01-10 SD", "2026-10-20 SD", "2026-11-10 SD?"), "met"),
        (("2026-01-10 SD", "2026-10-20 PD", "2026-11-10 SD?"), "unknown"),
        (("2026-01-10 SD", "2026-10-20 PD", "2026-11-10 PD?"), "not-met"),
        (("2026-01-10 SD", "2026-06-01 SD", "2026-10-20 CONFLICT"), "unknown"),
        (("2026-01-10 SD", "2026-10-20 SD", "2026-10-20 PD"), "unknown"),
        (("2025-01-10 SD", "2025-06-01 PD", "2025-06-01 SD", "2026-10-20 SD"), "met"),
    ],
)
def test_an_unsure_reading_can_only_take_certainty_away(entries: tuple[str, ...], answer: str):
    assert of(*entries, operated=resected("2024-01-01")).answer == answer


def test_a_doubt_that_decides_is_named():
    result = of("2026-01-10 SD", "2026-10-20 SD", "2026-11-10 PD?")
    assert result.flags == (Flag.CONFLICTING,)
    assert "2026-11-10 is preliminary or disputed" in result.reason


@pytest.mark.parametrize(
    ("entries", "operated", "answer"),
    [
        (("2026-01 SD", "2026-10 SD"), "2025", "met"),
        (("2026-04 SD", "2026-10 SD"), "2025", "unknown"),
        (("2026-01 SD", "2026-10-20 SD"), "2026-04", "unknown"),
        (("2026-01 SD", "2026-10-20 SD"), "2026-04-20", "met"),
        (("2026-06 SD", "2026-10 SD"), "2025", "not-met"),
        (("2026-05 SD", "2026-10 SD"), "2025", "unknown"),
        (("2026-10 SD", "2026-10 PD"), "2025", "unknown"),
        (("2026-03 SD", "2026-03-31 PD"), "2025", "unknown"),
        (("2026-03 SD", "2026-03-15 PD"), "2025", "unknown"),
        (("2026-03-15 SD", "2026-03 PD"), "2025", "unknown"),
        (("2026-03 SD", "2026-04-01 PD"), "2025", "not-met"),
        (("2025-06-01 SD", "2026-04 PD?", "2026-10-20 SD"), "2025", "unknown"),
        (("2025-06-01 SD", "2026-04 PD?", "2026-10-30 SD"), "2025", "met"),
        (("2026-01-10 SD", "2026-11 SD"), "2025", "met"),
        (("2026-05 PD", "2026-11-20 SD"), "2025", "unknown"),
    ],
)
def test_partial_dates_are_read_both_ways(entries: tuple[str, ...], operated: str, answer: str):
    assert of(*entries, operated=resected(operated)).answer == answer


def test_a_partial_day_resolves_on_the_latest_it_can_be():
    assert of("2026-09 PD", "2026-11-10 SD").resolves_on == date(2027, 3, 30)


# --- the reference, written a second time for courses in which nothing is unsure -----------------------------------------

Sure = tuple[tuple[date, bool], ...]  # day, is it a progression


def reference(sure: Sure, operated: date, on: date) -> Answer:
    """clinical.md 5.2, steps 1 to 10, as they stand there."""
    past = sorted(item for item in sure if item[0] <= on)
    if not past:
        return Answer.UNKNOWN
    bad = [when for when, is_bad in past if is_bad]
    good = [when for when, is_bad in past if not is_bad]
    if bad and (not good or max(good) < max(bad)):
        return Answer.NOT_MET
    anchor = max(max(bad) if bad else past[0][0], operated)
    after = [when for when in good if when > anchor]
    if not after:
        return Answer.UNKNOWN
    reaches = add_months(anchor, 6)
    if reaches <= max(after) and on <= add_months(max(after), 6):
        return Answer.MET
    return Answer.NOT_MET if reaches > on else Answer.UNKNOWN


FIRST = date(2025, 6, 1)
DAYS = st.integers(0, 560).map(lambda number: FIRST + timedelta(days=number))


def exact(when: date) -> PartialDate:
    return PartialDate(when, when, when.isoformat())


@st.composite
def partial(draw: st.DrawFn) -> PartialDate:
    when = draw(DAYS)
    if draw(st.booleans()):
        return exact(when)
    end = when + timedelta(days=draw(st.integers(1, 60)))
    return PartialDate(when, end, f"{when}/{end}")


@given(
    sure=st.dictionaries(DAYS, st.booleans(), max_size=6),
    operated=DAYS,
    on=DAYS,
)
def test_a_sure_course_is_answered_as_the_reference_says(sure: dict[date, bool], operated: date, on: date):
    items = tuple(
        ResponseAssessment(Response.PROGRESSION if is_bad else Response.STABLE, exact(when), "Observation/1")
        for when, is_bad in sure.items()
    )
    chart = facts(
        disease_response=known(ResponseCourse(items)), primary_resection=resected(operated.isoformat())
    )
    assert ask(chart, on).answer is reference(tuple(sure.items()), operated, on)


ASSESSMENTS = st.builds(
    ResponseAssessment,
    response=st.sampled_from([Response.PROGRESSION, Response.STABLE, Response.PARTIAL, Response.CONFLICTING]),
    date=partial(),
    reference=st.just("Observation/1"),
    confirmed=st.sampled_from([True, True, False]),
)


@given(items=st.lists(ASSESSMENTS, min_size=1, max_size=4), operated=partial(), on=DAYS)
def test_an_answer_on_an_unsure_course_holds_for_everything_that_it_can_mean(
    items: list[ResponseAssessment], operated: PartialDate, on: date
):
    answer = ask(_chart(items, operated), on).answer
    if answer is Answer.UNKNOWN:
        return
    for meaning, day_of_operation in _meanings(
        [item for item in items if item.date.earliest <= on], operated
    ):
        days = [when for when, _ in meaning]
        # Two on one day are a dispute of their own, and what is on record was done by today.
        if len(set(days)) == len(days) and max((*days, day_of_operation)) <= on:
            assert reference(meaning, day_of_operation, on) is answer


def _chart(items: list[ResponseAssessment], operated: PartialDate) -> Facts:
    resection = resected()
    assert resection.value is not None
    return facts(
        disease_response=known(ResponseCourse(tuple(items))),
        primary_resection=known(replace(resection.value, date=operated)),
    )


def _meanings(items: list[ResponseAssessment], operated: PartialDate) -> Iterator[tuple[Sure, date]]:
    """Every course that the items can stand for: both ends of each day, both readings, counted or not."""
    choices = [_readings(item) for item in items]
    for ends in product(*choices, (operated.earliest, operated.latest)):
        *readings, day_of_operation = ends
        yield tuple(reading for reading in readings if reading is not None), day_of_operation


def _readings(item: ResponseAssessment) -> list[tuple[date, bool] | None]:
    is_bad = [item.response is Response.PROGRESSION]
    if item.response is Response.CONFLICTING:
        is_bad = [True, False]
    found: list[tuple[date, bool] | None] = list(product({item.date.earliest, item.date.latest}, is_bad))
    return found if item.confirmed else [*found, None]


@given(items=st.lists(ASSESSMENTS, min_size=1, max_size=6), operated=partial(), on=DAYS, data=st.data())
def test_the_order_of_the_assessments_does_not_matter(
    items: list[ResponseAssessment], operated: PartialDate, on: date, data: st.DataObject
):
    shuffled = data.draw(st.permutations(items))
    assert ask(_chart(items, operated), on) == ask(_chart(list(shuffled), operated), on)


def _days_it_can_be(day: PartialDate, on: date) -> list[date]:
    """The first and the last day; one after the evaluation is not learnt from a record that stands by then."""
    return [day.earliest, min(day.latest, on)] if day.earliest <= on else [day.earliest]


@given(items=st.lists(ASSESSMENTS, min_size=1, max_size=5), operated=partial(), on=DAYS, data=st.data())
def test_learning_a_day_or_a_reading_exactly_never_turns_a_yes_into_a_no(
    items: list[ResponseAssessment], operated: PartialDate, on: date, data: st.DataObject
):
    before = ask(_chart(items, operated), on).answer
    sharper = [
        replace(item, date=exact(data.draw(st.sampled_from(_days_it_can_be(item.date, on)))))
        for item in items
    ]
    after = ask(_chart(sharper, operated), on).answer
    assert {before, after} != {Answer.MET, Answer.NOT_MET}
