"""Learning more never overturns an answer: forgetting and blurring lead to "unknown", and only where a fact is read."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.eligibility.criteria import CRITERIA
from cds_service.eligibility.criterion import HIDING
from cds_service.eligibility.evaluation import assess, evaluate
from cds_service.eligibility.policy import PARAMETERS, policies
from cds_service.eligibility.verdict import Answer
from fhir_mappings.facts import (
    Differentiation,
    DiseaseExtent,
    Fact,
    Facts,
    GapKind,
    MitosisUnit,
    PortalClass,
    Resectability,
)
from fhir_mappings.interval import Interval
from fhir_mappings.when import parse_date
from tests.eligibility.builders import (
    FACT_NAMES,
    NOT_RESECTED,
    ON,
    absent,
    course,
    day,
    facts,
    gap,
    grade,
    ki67,
    known,
    liver,
    mitoses,
    present,
    resected,
    sites,
)

# What each criterion reads. NEEDED: without it there is no answer, unless another fact gives a no. CAN_REFUSE: looked
# at for what it may say against; "nothing is on record" is an answer there, "something was not seen" is none.
NEEDED = {
    "differentiation": {"differentiation"},
    "ki-67": {"ki67_percent"},
    "portal-drainage": {"primary_site"},
    "primary-resected": {"primary_resection"},
    "no-extrahepatic-disease": {"extrahepatic_disease", "primary_resection"},
    "liver-involvement": {"liver_involvement_percent"},
    "stability": {"disease_response", "primary_resection"},
    "age": {"birth_date"},
    "unresectable": {"liver_resectability"},
}
CAN_REFUSE = {
    "differentiation": {"histologic_grade", "ki67_percent", "mitotic_count"},
    "primary-resected": {"primary_site"},
}


def test_the_table_of_what_reads_what_names_every_criterion():
    assert list(NEEDED) == list(PARAMETERS) == list(CRITERIA)


P = PortalClass
VALUES: dict[str, list[Fact[Any]]] = {
    "differentiation": [known(item) for item in Differentiation],
    "histologic_grade": [grade("G1"), grade("G2"), grade("G3"), grade("G3", "2015"), grade("G4"), gap()],
    "ki67_percent": [ki67(item) for item in ("2", "9.9", "10", "[5,15]", "20", "25", "(5,100]")],
    "mitotic_count": [
        mitoses("3"),
        mitoses("20", MitosisUnit.PER_10_HPF),
        mitoses("25"),
        mitoses("[15,25]"),
        gap(),
    ],
    "primary_site": [
        sites("ileum"),
        sites("lung", worst=P.NOT_PORTAL),
        sites("rectum", worst=P.NOT_PORTAL),
        sites("ileum", "stomach", worst=P.REVIEW, classes=(P.PORTAL, P.REVIEW)),
        sites("ileum", "pancreas"),
    ],
    "primary_resection": [
        resected(),
        resected("2026-06-01"),
        resected("2026-11"),
        resected(None),
        resected(residual="R1"),
        resected(residual="R2"),
        resected(sites=("ileum", "pancreas")),
        NOT_RESECTED,
    ],
    "extrahepatic_disease": [
        absent(),
        absent("2026-01-01"),
        absent(whole_body=False),
        present(DiseaseExtent.ORGAN),
        present(DiseaseExtent.NODAL),
        present(DiseaseExtent.REVIEW),
    ],
    "liver_involvement_percent": [
        liver("30"),
        liver("50"),
        liver("[26,50]"),
        liver("60"),
        liver("30", "2026-01-01"),
    ],
    "disease_response": [
        course("2026-01-10 SD", "2026-10-20 SD"),
        course("2026-10-20 PD"),
        course("2026-07-01 PD", "2026-10-20 SD"),
        course("2026-01-10 SD", "2026-02-01 SD"),
        course("2026-01-10 SD", "2026-10-20 SD", "2026-11-01 PD?"),
    ],
    "birth_date": [known(day(item)) for item in ("1981-03-14", "1966", "1965", "1960", "1965-11-23")],
    "liver_resectability": [known(item) for item in Resectability],
}
CHARTS = st.fixed_dictionaries({name: st.sampled_from(values) for name, values in VALUES.items()}).map(
    lambda values: facts(**values)
)
POLICIES = st.sampled_from(policies())


def answers(chart: Facts, item: Any) -> dict[str, Answer]:
    return {result.id: result.answer for result in evaluate(chart, item, ON)}


@given(chart=CHARTS, name=st.sampled_from(FACT_NAMES), kind=st.sampled_from(GapKind), item=POLICIES)
def test_forgetting_a_fact_changes_only_what_reads_it_and_only_to_unknown(
    chart: Facts, name: str, kind: GapKind, item: Any
):
    before = answers(chart, item)
    after = answers(replace(chart, **{name: gap(kind)}), item)
    for criterion, answer in after.items():
        if answer is before[criterion]:
            continue
        needed, can_refuse = NEEDED[criterion], CAN_REFUSE.get(criterion, set())
        assert name in needed | can_refuse, f"{criterion} does not read {name}"
        if name in needed or kind in HIDING:
            assert answer is Answer.UNKNOWN
        else:  # it spoke against, and the record says that there is no such thing
            assert answer is not Answer.NOT_MET


@pytest.mark.parametrize("kind", GapKind)
@pytest.mark.parametrize(
    ("criterion", "name"), [(key, name) for key, names in NEEDED.items() for name in sorted(names)]
)
def test_what_is_needed_is_needed(criterion: str, name: str, kind: GapKind):
    assert answers(facts(**{name: gap(kind)}), policies()[0])[criterion] is Answer.UNKNOWN


@given(
    chart=CHARTS,
    names=st.sets(st.sampled_from(sorted(VALUES))),
    kind=st.sampled_from(sorted(HIDING)),
    item=POLICIES,
)
def test_forgetting_several_facts_never_turns_an_answer_round(
    chart: Facts, names: set[str], kind: GapKind, item: Any
):
    before = answers(chart, item)
    after = answers(replace(chart, **{name: gap(kind) for name in names}), item)
    assert all(after[key] in (before[key], Answer.UNKNOWN) for key in before)


NUMBERS = st.decimals(Decimal(0), Decimal(100), places=1) | st.sampled_from(
    [Decimal(item) for item in (9, 10, 19, 20, 49, 50)]
)


@st.composite
def nested(draw: st.DrawFn) -> tuple[Interval, Interval]:
    """An interval and a narrower one inside it."""
    low, inner_low, inner_high, high = sorted(draw(st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS)))
    closed = draw(st.tuples(st.booleans(), st.booleans()))
    outer = Interval(
        low,
        high,
        low in (high, inner_low) or closed[0],
        high in (low, inner_high) or closed[1],
    )
    return outer, Interval(inner_low, inner_high)


@given(pair=nested(), name=st.sampled_from(["ki67", "liver", "mitoses"]), chart=CHARTS, item=POLICIES)
def test_narrowing_a_number_never_turns_an_answer_round(
    pair: tuple[Interval, Interval], name: str, chart: Facts, item: Any
):
    wide, narrow = (_with_number(chart, name, value) for value in pair)
    before, after = answers(wide, item), answers(narrow, item)
    assert all(before[key] in (Answer.UNKNOWN, after[key]) for key in before)


def _with_number(chart: Facts, name: str, value: Interval) -> Facts:
    text = f"{'[' if value.low_closed else '('}{value.low},{value.high}{']' if value.high_closed else ')'}"
    if name == "ki67":
        return replace(chart, ki67_percent=ki67(text))
    if name == "liver":
        return replace(chart, liver_involvement_percent=liver(text))
    return replace(chart, mitotic_count=mitoses(text))


DATES = st.dates(parse_date("1960-01-01").earliest, ON)  # type: ignore[union-attr] - it is a date
DATED = {
    "birth_date": lambda text: known(day(text)),
    "primary_resection": resected,
    "extrahepatic_disease": absent,
    "liver_involvement_percent": lambda text: liver("30", text),
    "histologic_grade": lambda text: grade("G3", text),
}


@given(
    when=DATES, cut=st.sampled_from([4, 7]), name=st.sampled_from(sorted(DATED)), chart=CHARTS, item=POLICIES
)
def test_learning_the_day_never_turns_an_answer_round(
    when: Any, cut: int, name: str, chart: Facts, item: Any
):
    text = when.isoformat()
    vague = answers(replace(chart, **{name: DATED[name](text[:cut])}), item)
    exact = answers(replace(chart, **{name: DATED[name](text)}), item)
    assert all({vague[key], exact[key]} != {Answer.MET, Answer.NOT_MET} for key in vague)


@given(chart=CHARTS, item=POLICIES)
def test_assessing_is_a_function_of_facts_policy_and_day(chart: Facts, item: Any):
    assert assess(chart, item, ON, policies()) == assess(chart, item, ON, policies())
