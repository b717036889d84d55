"""What follows from the answers: gates, the order of the verdicts, headlines, time windows, orders and differences."""

from dataclasses import replace
from datetime import date
from itertools import product
from typing import Any

import pytest

from cds_service.eligibility.assessment import Assessment, Consideration, CriterionResult
from cds_service.eligibility.evaluation import assess, conclude
from cds_service.eligibility.headline import MAX_LENGTH
from cds_service.eligibility.policy import PARAMETERS, policies, policy
from cds_service.eligibility.verdict import Answer, Flag, Nature, Verdict
from fhir_mappings.facts import (
    Differentiation,
    DiseaseExtent,
    EndOfLifeCare,
    Fact,
    Facts,
    GapKind,
    Issue,
    LiverMetastases,
    Mending,
    Note,
    OpenOrder,
    OrderKind,
    OrderState,
    PortalClass,
    Presence,
    Resectability,
    TransplantStatus,
)
from tests.eligibility.builders import (
    NOT_RESECTED,
    ON,
    VECTORS,
    absent,
    course,
    day,
    facts,
    gap,
    grade,
    ki67,
    known,
    liver,
    orders,
    present,
    resected,
    sites,
)

MILAN = policy("milan-net-2016")
UNSEEN = [GapKind.NOT_SENT, GapKind.UNREADABLE, GapKind.CONFLICTING, GapKind.INDETERMINATE]


def judged(chart: Facts, on: date = ON) -> Assessment:
    return assess(chart, MILAN, on, policies())


# --- the vectors of clinical.md 7.6 -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("chart", "verdict"), VECTORS.values(), ids=VECTORS)
def test_the_vectors_of_the_reference(chart: Facts, verdict: str):
    assert judged(chart).verdict == verdict


HEADLINES = {
    "A": "all 8 criteria met",
    "B": "Ki-67 12 % (limit < 10 %)",
    "C": "1 of 8 criteria lacks data",
    "D": "stability reaches 6 months on 2027-01-01",
    "E": "3 of 8 criteria lack data",
    "F": "primary site lung not in the portal range",
    "G": "primary tumour not resected",
    "H": "1 of 8 criteria lacks data",
    "I": "stability reaches 6 months on 2026-12-01",
    "L": "other active malignancy on record",
    "M": "the patient is deceased",
}


@pytest.mark.parametrize(("name", "headline"), HEADLINES.items())
def test_the_headline_says_in_one_clause_why(name: str, headline: str):
    assert judged(VECTORS[name][0]).headline == headline


@pytest.mark.parametrize(
    ("name", "old", "optn"),
    [
        ("B", "meets", "meets"),
        ("C", "meets", "meets"),
        ("F", "outside", "outside"),
        ("K", "outside", "incomplete"),
        ("H", "borderline", "borderline"),
    ],
)
def test_the_other_policies_give_their_own_verdicts(name: str, old: str, optn: str):
    expected = (("milan-net-2007", old), ("optn-nlrb-net", optn))
    assert judged(VECTORS[name][0]).other_verdicts == expected


@pytest.mark.parametrize(
    ("chart", "expected"),
    [
        (VECTORS["A"][0], set()),
        (VECTORS["B"][0], {("optn-nlrb-net", "ki-67", "met")}),
        (
            VECTORS["C"][0],
            {("milan-net-2007", "liver-involvement", "met"), ("optn-nlrb-net", "liver-involvement", "met")},
        ),
        (VECTORS["K"][0], {("optn-nlrb-net", "portal-drainage", "unknown")}),
    ],
    ids=["A", "B", "C", "K"],
)
def test_differences_are_the_criteria_that_another_policy_answers_otherwise(chart: Facts, expected: set[Any]):
    assert {
        (item.policy, item.criterion, item.answer.value) for item in judged(chart).differences
    } == expected


def test_a_criterion_that_the_other_policy_does_not_have_is_no_difference():
    assert [item for item in judged(VECTORS["B"][0]).differences if item.policy == "milan-net-2007"] == []
    assert [item.id for item in assess(facts(), policy("milan-net-2007"), ON).criteria] == [
        name for name in PARAMETERS if name != "ki-67"
    ]


# --- the order of the verdicts ----------------------------------------------------------------------------------------


def result(criterion: str, answer: Answer, nature: Nature, *flags: Flag) -> CriterionResult:
    return CriterionResult(criterion, criterion, answer, nature, "", "", flags=flags)


N, U, Y = Answer.NOT_MET, Answer.UNKNOWN, Answer.MET
PERMANENT = {
    "met": result("ki-67", Y, Nature.PERMANENT),
    "on the limit, met": result("ki-67", Y, Nature.PERMANENT, Flag.BORDERLINE),
    "unknown": result("ki-67", U, Nature.PERMANENT),
    "on the limit": result("ki-67", N, Nature.PERMANENT, Flag.BORDERLINE),
    "not met": result("ki-67", N, Nature.PERMANENT),
}
CHANGING = {answer: result("primary-resected", answer, Nature.ACTIONABLE) for answer in Answer}
TIME = {answer: result("stability", answer, Nature.TIME_RESOLVING) for answer in Answer}
AGE = {answer: result("age", answer, Nature.RELATIVE) for answer in Answer}
GATE = {answer: result("unresectable", answer, Nature.ACTIONABLE) for answer in Answer}
GATE[U] = replace(GATE[U], gap=gap().gap)  # not stated


def expected(
    permanent: str, changing: Answer, time: Answer, age: Answer, gate: Answer, *, considered: bool
) -> Verdict:
    """clinical.md 7.3 in words of its own."""
    if permanent == "not met":
        return Verdict.OUTSIDE
    if N in (changing, time):
        return Verdict.NOT_YET
    if age is N or permanent == "on the limit" or considered:
        return Verdict.BORDERLINE
    if gate is N:
        return Verdict.RESECTION_FIRST
    return Verdict.INCOMPLETE if U in (changing, time, age) or permanent == "unknown" else Verdict.MEETS


@pytest.mark.parametrize("considered", [False, True])
@pytest.mark.parametrize("gate", Answer)
@pytest.mark.parametrize("permanent", PERMANENT)
def test_the_whole_table_of_verdicts(permanent: str, gate: Answer, considered: bool):
    considerations = (Consideration("other-malignancy", "x"),) if considered else ()
    for changing, time, age in product(Answer, Answer, Answer):
        items = (PERMANENT[permanent], CHANGING[changing], TIME[time], AGE[age], GATE[gate])
        wanted = expected(permanent, changing, time, age, gate, considered=considered)
        assert conclude(items, considerations) is wanted
        assert conclude(items[::-1], considerations) is wanted


AND = {  # two criteria that only time or surgery can change: the nine rows
    (Y, Y): Verdict.MEETS,
    (Y, U): Verdict.INCOMPLETE,
    (Y, N): Verdict.NOT_YET,
    (U, Y): Verdict.INCOMPLETE,
    (U, U): Verdict.INCOMPLETE,
    (U, N): Verdict.NOT_YET,
    (N, Y): Verdict.NOT_YET,
    (N, U): Verdict.NOT_YET,
    (N, N): Verdict.NOT_YET,
}


@pytest.mark.parametrize(("answers", "verdict"), AND.items())
def test_the_nine_rows_of_and(answers: tuple[Answer, Answer], verdict: Verdict):
    assert conclude((CHANGING[answers[0]], TIME[answers[1]])) is verdict


@pytest.mark.parametrize("kind", UNSEEN)
def test_resectability_that_is_in_doubt_forbids_a_plain_referral(kind: GapKind):
    found = judged(facts(liver_resectability=gap(kind)))
    assert found.verdict is Verdict.INCOMPLETE
    assert found.headline == "all 8 criteria met; what is recorded does not settle resectability"


def test_resectability_that_is_stated_as_uncertain_forbids_a_plain_referral():
    found = judged(facts(liver_resectability=known(Resectability.UNCERTAIN)))
    assert found.verdict is Verdict.INCOMPLETE


def test_resectability_that_is_not_stated_does_not_block_but_is_asked_for():
    found = judged(facts(liver_resectability=gap()))
    assert found.verdict is Verdict.MEETS
    assert found.headline == "all 8 criteria met; resectability not stated"
    assert found.orders == (OrderKind.TRANSPLANT_REFERRAL, OrderKind.SURGICAL_REFERRAL)


def test_resectable_metastases_are_resected_first():
    found = judged(facts(liver_resectability=known(Resectability.RESECTABLE)))
    assert (found.verdict, OrderKind.TRANSPLANT_REFERRAL in found.orders) == (Verdict.RESECTION_FIRST, False)


def test_not_met_beats_unknown_and_the_unknown_is_still_listed():
    found = judged(facts(ki67_percent=ki67("12"), disease_response=gap()))
    assert found.verdict is Verdict.OUTSIDE
    assert {item.id for item in found.criteria if item.answer is Answer.UNKNOWN} == {"stability"}


@pytest.mark.parametrize(
    ("changes", "headline"),
    [
        ({"ki67_percent": ki67("10")}, "Ki-67 10 % (limit < 10 %)"),
        ({"liver_involvement_percent": liver("50")}, "liver involvement 50 % (limit < 50 %)"),
        ({"birth_date": known(day("1965-11-23"))}, "age 61 (limit ≤ 60, relative)"),
        (
            {"carcinoid_heart_disease": known(Presence.PRESENT)},
            "carcinoid heart disease on record: cardiology first",
        ),
    ],
    ids=["Ki-67", "liver", "age", "heart"],
)
def test_what_is_only_on_the_limit_or_relative_or_considered_is_borderline(
    changes: dict[str, Any], headline: str
):
    found = judged(facts(**changes))
    assert (found.verdict, found.headline) == (Verdict.BORDERLINE, headline)


@pytest.mark.parametrize(
    ("changes", "verdict", "headline"),
    [
        ({"liver_involvement_percent": liver("60")}, "outside", "liver involvement 60 % (limit < 50 %)"),
        ({"differentiation": known(Differentiation.NEC)}, "outside", "histology: NEC"),
        (
            {"extrahepatic_disease": present(DiseaseExtent.ORGAN, sites=("bone",))},
            "outside",
            "disease outside the liver (bone)",
        ),
        (
            {"extrahepatic_disease": present(DiseaseExtent.NODAL)},
            "not-yet",
            "disease outside the liver (distant lymph nodes)",
        ),
        ({"extrahepatic_disease": present(DiseaseExtent.REVIEW)}, "incomplete", "1 of 8 criteria lacks data"),
        ({"primary_resection": resected(residual="R2")}, "not-yet", "primary tumour R2 resection"),
        (
            {"disease_response": course("2026-01-10 PD")},
            "not-yet",
            "progressive disease at the last assessment",
        ),
        (
            {"primary_resection": NOT_RESECTED, "disease_response": course("2026-09-10 PD")},
            "not-yet",
            "primary tumour not resected; stability reaches 6 months on 2027-03-10",
        ),
        (
            {
                "ki67_percent": ki67("12"),
                "liver_involvement_percent": liver("60"),
                "differentiation": known(Differentiation.NEC),
            },
            "outside",
            "histology: NEC; Ki-67 12 % (limit < 10 %); liver involvement 60 % (limit < 50 %)",
        ),
    ],
)
def test_the_headline_names_what_decided(changes: dict[str, Any], verdict: str, headline: str):
    found = judged(facts(**changes))
    assert (found.verdict, found.headline) == (verdict, headline)


def test_what_can_change_is_not_named_beside_what_cannot():
    found = judged(facts(ki67_percent=ki67("12"), primary_resection=NOT_RESECTED))
    assert (found.verdict, found.headline) == (Verdict.OUTSIDE, "Ki-67 12 % (limit < 10 %)")


def test_a_long_headline_is_cut_and_counts_the_rest():
    worst = facts(
        differentiation=known(Differentiation.NEC),
        ki67_percent=ki67("(20.25,33.75)"),
        liver_involvement_percent=liver("60"),
        primary_site=sites("lung", "other-not-portal", worst=PortalClass.NOT_PORTAL),
        extrahepatic_disease=present(
            DiseaseExtent.ORGAN, sites=("bone", "lung", "adrenal gland", "brain", "skin") * 3
        ),
    )
    found = judged(worst)
    assert len(found.headline) <= MAX_LENGTH
    assert found.headline.endswith(" and 3 more")
    alone = judged(facts(extrahepatic_disease=worst.extrahepatic_disease))
    assert len(alone.headline) <= MAX_LENGTH
    assert alone.headline.endswith(" ...")


# --- gates ------------------------------------------------------------------------------------------------------------

ABSENT = LiverMetastases(Presence.ABSENT)
GATES: dict[str, tuple[dict[str, Fact[Any]], str]] = {
    "deceased": ({"deceased": known(True)}, "deceased"),
    "17 years": ({"birth_date": known(day("2008-11-24"))}, "under-age"),
    "NET refuted": ({"neuroendocrine_tumour": known(Presence.ABSENT)}, "no-net"),
    "no NET": ({"neuroendocrine_tumour": gap()}, "no-net"),
    "metastases refuted": ({"liver_metastases": known(ABSENT)}, "no-liver-metastases"),
    "no metastases": ({"liver_metastases": gap()}, "no-liver-metastases"),
    "hospice": ({"end_of_life_care": known(EndOfLifeCare.HOSPICE)}, "hospice"),
    "transplanted": ({"transplant_status": known(TransplantStatus.TRANSPLANTED)}, "transplanted"),
    "listed": ({"transplant_status": known(TransplantStatus.LISTED)}, "listed"),
    "referred": ({"open_orders": orders(OrderKind.TRANSPLANT_REFERRAL)}, "referred"),
}


@pytest.mark.parametrize(("changes", "gate"), GATES.values(), ids=GATES)
@pytest.mark.parametrize("index", [0.0, 12.0], ids=["inside", "outside"])
def test_a_gate_keeps_the_criteria_from_being_asked(changes: dict[str, Fact[Any]], gate: str, index: float):
    found = judged(facts(ki67_percent=ki67(str(index)), **changes))
    assert (found.verdict, found.gate) == (Verdict.NOT_APPLICABLE, gate)
    assert found.headline
    assert (found.criteria, found.orders, found.differences, found.other_verdicts) == ((), (), (), ())


@pytest.mark.parametrize(
    "changes",
    [
        {"deceased": known(False)},
        {"deceased": gap(GapKind.UNREADABLE)},
        {"birth_date": known(day("2008-11-23"))},
        {"birth_date": known(day("2008"))},
        {"transplant_status": gap()},
        {"end_of_life_care": gap(GapKind.INDETERMINATE)},
    ],
)
def test_what_is_not_sure_is_no_gate(changes: dict[str, Fact[Any]]):
    assert judged(facts(**changes)).gate is None


OTHERWISE: dict[str, dict[str, Fact[Any]]] = {
    "meets": {},
    "outside": {"ki67_percent": ki67("12")},
    "not-yet": {"primary_resection": NOT_RESECTED},
    "borderline": {"ki67_percent": ki67("10")},
    "resection-first": {"liver_resectability": known(Resectability.RESECTABLE)},
    "incomplete": {"ki67_percent": gap()},
}


@pytest.mark.parametrize("kind", UNSEEN)
@pytest.mark.parametrize("changes", OTHERWISE.values(), ids=OTHERWISE)
def test_nothing_is_concluded_about_a_tumour_that_may_be_no_net(kind: GapKind, changes: dict[str, Fact[Any]]):
    found = judged(facts(neuroendocrine_tumour=gap(kind), **changes))
    assert found.verdict is Verdict.INCOMPLETE
    assert found.headline.startswith("neuroendocrine tumour ")
    assert found.orders == ()
    assert {verdict for _, verdict in found.other_verdicts} == {"incomplete"}


@pytest.mark.parametrize("kind", UNSEEN)
@pytest.mark.parametrize(("verdict", "changes"), OTHERWISE.items(), ids=OTHERWISE)
def test_metastases_in_doubt_keep_a_chart_from_meeting_but_not_from_failing(
    kind: GapKind, verdict: str, changes: dict[str, Fact[Any]]
):
    found = judged(facts(liver_metastases=gap(kind), **changes))
    assert found.verdict == ("incomplete" if verdict == "meets" else verdict)
    assert found.headline.startswith("liver metastases ") is (found.verdict is Verdict.INCOMPLETE)


# --- time -------------------------------------------------------------------------------------------------------------


def test_an_assessment_resolves_on_the_latest_day_of_what_is_not_met():
    assert judged(VECTORS["D"][0]).resolves_on == date(2027, 1, 1)
    assert judged(VECTORS["A"][0]).resolves_on is None
    waiting = facts(disease_response=course("2026-01-10 SD"), primary_resection=resected("2026-10-01"))
    assert judged(waiting).resolves_on is None


@pytest.mark.parametrize(
    ("born", "closes", "within_a_year"),
    [
        ("1966-01-01", True, False),
        ("1966-01-02", False, True),
        ("1966-11-23", False, True),
        ("1966-11-24", False, False),
        ("1965-11-23", False, False),
    ],
)
def test_a_window_that_closes_before_it_opens_or_within_a_year_is_a_warning(
    born: str, closes: bool, within_a_year: bool
):
    chart = facts(birth_date=known(day(born)), disease_response=course("2026-07-01 PD", "2026-10-20 SD"))
    said = " ".join(judged(chart).warnings)
    assert ("closes before it opens" in said) is closes
    assert ("which is relative, is passed on" in said) is within_a_year


def test_stale_imaging_says_when_it_went_stale():
    assert "Liver involvement: the imaging is stale after 2026-08-01." in judged(VECTORS["E"][0]).warnings


@pytest.mark.parametrize(
    ("imaged", "warned"),
    [("2026-05-22", False), ("2026-05-23", True), ("2026-06-30", True), ("2026-07-01", False)],
)
def test_imaging_that_goes_stale_before_the_day_it_is_needed_is_a_warning(imaged: str, warned: bool):
    chart = facts(
        disease_response=course("2026-07-01 PD", "2026-10-20 SD"),
        liver_involvement_percent=liver("30", imaged),
        extrahepatic_disease=absent("2026-10-20"),
    )
    assert (
        any(item.startswith("Liver involvement: the imaging goes stale") for item in judged(chart).warnings)
        is warned
    )


@pytest.mark.parametrize(
    "name",
    [
        *("deceased", "transplant_status", "other_malignancy", "carcinoid_heart_disease"),
        *("end_of_life_care", "transplant_refusal", "pregnancy"),
    ],
)
@pytest.mark.parametrize(
    ("kind", "warned"), [(GapKind.UNREADABLE, True), (GapKind.NOT_SENT, True), (GapKind.NOT_RECORDED, False)]
)
def test_what_was_not_seen_beside_the_criteria_is_a_warning(name: str, kind: GapKind, warned: bool):
    assert ("It was not seen." in judged(facts(**{name: gap(kind, "It was not seen.")})).warnings) is warned


@pytest.mark.parametrize(
    ("kind", "verdict"),
    [
        (GapKind.CONFLICTING, "borderline"),  # unconfirmed, or only words say so
        (GapKind.UNREADABLE, "meets"),  # and a warning; see the test below
        (GapKind.INDETERMINATE, "meets"),  # it may be the NET itself, coded by its organ
        (GapKind.NOT_SENT, "meets"),
        (GapKind.NOT_RECORDED, "meets"),
    ],
)
def test_another_malignancy_in_doubt_asks_for_a_discussion(kind: GapKind, verdict: str):
    found = judged(facts(other_malignancy=gap(kind, "It is in doubt.")))
    assert found.verdict == verdict
    assert [item.id for item in found.considerations] == ["other-malignancy"] * (verdict == "borderline")


# --- orders -----------------------------------------------------------------------------------------------------------

ORDERS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "meets": ({}, {"transplant-referral"}),
    "no Ki-67": ({"ki67_percent": gap()}, {"ki-67"}),
    "stale": (
        {
            "extrahepatic_disease": absent("2026-01-01"),
            "liver_involvement_percent": liver("30", "2026-01-01"),
        },
        {"somatostatin-receptor-pet", "liver-mri"},
    ),
    "in situ": ({"primary_resection": NOT_RESECTED}, {"surgical-referral"}),
    "no course": ({"disease_response": gap()}, {"restaging"}),
    "outside": ({"ki67_percent": ki67("12"), "disease_response": gap()}, set()),
    "carcinoid syndrome": (
        {"carcinoid_syndrome": known(Presence.PRESENT)},
        {"transplant-referral", "echocardiogram"},
    ),
    "syndrome, heart healthy": (
        {"carcinoid_syndrome": known(Presence.PRESENT), "carcinoid_heart_disease": known(Presence.ABSENT)},
        {"transplant-referral"},
    ),
    "carcinoid heart": ({"carcinoid_heart_disease": known(Presence.PRESENT)}, {"echocardiogram"}),
    "already placed": ({"ki67_percent": gap(), "open_orders": orders(OrderKind.KI67)}, set()),
    "orders not known": ({"open_orders": gap(GapKind.NOT_SENT)}, {"transplant-referral"}),
    "no date of birth": ({"birth_date": gap()}, set()),
}


@pytest.mark.parametrize(("changes", "wanted"), ORDERS.values(), ids=ORDERS)
def test_orders_answer_what_is_open_and_are_not_placed_twice(changes: dict[str, Any], wanted: set[str]):
    found = judged(facts(**changes)).orders
    assert {str(item) for item in found} == wanted
    assert len(set(found)) == len(found)


def referral(
    written: str | None = "2026-11-01", state: OrderState = OrderState.ACTIVE, **more: Any
) -> OpenOrder:
    when = day(written) if written else None
    return OpenOrder(OrderKind.TRANSPLANT_REFERRAL, "ServiceRequest/referral", when, state, **more)


S = OrderState


@pytest.mark.parametrize(
    ("order", "answer"),
    [
        (referral(), "referred"),
        (referral("2025-11-24"), "referred"),
        (referral("2025-11-23"), "set aside"),
        (referral("2015-01-01"), "set aside"),
        (referral("2015"), "set aside"),
        (referral("2025"), "referred"),  # it may have been in December
        (referral("2024"), "set aside"),
        (referral(None), "referred"),  # the EHR says active, and nothing says that it is old
        (referral("2025-11-24", S.COMPLETED), "referred"),
        (referral("2025-11-23", S.COMPLETED), "set aside"),
        (referral(None, S.COMPLETED), "in doubt"),
        (referral("2025-11-24", S.DRAFT), "placed"),
        (referral("2025-11-23", S.DRAFT), "set aside"),
        (referral("2026-11-01", S.ON_HOLD), "placed"),
        (referral("2015-01-01", S.ON_HOLD), "set aside"),
        (referral(None, S.DRAFT), "placed"),
        (referral("2026-11-01", S.PROPOSED), "set aside"),
        (referral(None, S.PROPOSED), "set aside"),
        (referral("2026-11-01", S.DOUBTFUL, doubt="status is unknown"), "in doubt"),
        (referral(None, S.DOUBTFUL, doubt="status is unknown"), "in doubt"),
        (referral("2015-01-01", S.DOUBTFUL, doubt="status is unknown"), "set aside"),
    ],
    ids=lambda item: item if isinstance(item, str) else f"{item.state} {item.date}",
)
def test_only_an_order_that_was_given_and_is_not_out_of_date_counts_as_placed(order: OpenOrder, answer: str):
    found = judged(facts(open_orders=known((order,))))
    is_offered = OrderKind.TRANSPLANT_REFERRAL in found.orders
    assert (found.gate == "referred") is (answer == "referred")
    assert is_offered is (answer in ("set aside", "in doubt"))
    assert (OrderKind.TRANSPLANT_REFERRAL in found.orders_in_doubt) is (answer == "in doubt")
    listed = [item.evidence.reference for item in found.orders_set_aside]
    assert listed == (["ServiceRequest/referral"] if is_offered else [])
    assert len(found.orders_placed) == (answer == "placed")


def test_an_old_order_does_not_hide_a_new_one():
    found = judged(facts(open_orders=known((referral("2015-01-01"), referral("2026-11-01")))))
    assert found.gate == "referred"


def test_a_doubt_about_one_order_is_none_about_another():
    doubtful = OpenOrder(OrderKind.LIVER_MRI, "ServiceRequest/mri", None, S.DOUBTFUL, "status is unknown")
    found = judged(facts(open_orders=known((doubtful,)), liver_involvement_percent=gap()))
    assert found.orders_in_doubt == (OrderKind.LIVER_MRI,)
    assert judged(facts(open_orders=known((doubtful,)))).orders_in_doubt == ()


@pytest.mark.parametrize("kind", [GapKind.NOT_SENT, GapKind.UNREADABLE])
def test_of_orders_that_were_not_seen_nothing_is_known(kind: GapKind):
    found = judged(facts(open_orders=gap(kind, "They were not sent.")))
    assert found.orders == found.orders_in_doubt == (OrderKind.TRANSPLANT_REFERRAL,)
    assert (
        "They were not sent. Whether an order or referral is already active is not known." in found.warnings
    )


def test_of_orders_that_were_seen_in_part_those_count_and_of_the_rest_nothing_is_known():
    note = Note("incomplete", "Orders: only a part.")
    seen = replace(orders(OrderKind.KI67), notes=(note,))
    found = judged(facts(open_orders=seen, ki67_percent=gap(), liver_involvement_percent=gap()))
    assert found.orders == found.orders_in_doubt == (OrderKind.LIVER_MRI,)
    assert any("is not known" in item for item in found.warnings)


def test_the_age_at_which_an_order_is_out_of_date_is_the_policys():
    shorter = replace(MILAN, orders=replace(MILAN.orders, months=3))
    chart = facts(open_orders=known((referral("2026-08-23"),)))
    assert assess(chart, MILAN, ON).gate == "referred"
    found = assess(chart, shorter, ON)
    assert (found.gate, found.orders) == (None, (OrderKind.TRANSPLANT_REFERRAL,))
    (listed,) = found.orders_set_aside
    assert listed.reason == "out of date: active, and written 3 months ago or more"


def test_issues_and_mendings_are_carried_along_through_a_gate_too():
    issues, mendings = (
        (Issue("Observation/1", "no code", ("ki67_percent",)),),
        (Mending("Patient/1", "name", "list"),),
    )
    for chart in (facts(), facts(deceased=known(True))):
        found = assess(Facts(**{**_fields(chart), "issues": issues, "mendings": mendings}), MILAN, ON)
        assert (found.issues, found.mendings) == (issues, mendings)


def _fields(chart: Facts) -> dict[str, Any]:
    return {name: getattr(chart, name) for name in chart.__dataclass_fields__}


def test_an_assessment_says_which_policy_it_followed_and_when():
    found = judged(facts())
    assert (found.policy, found.policy_version, found.policy_title) == (MILAN.id, MILAN.version, MILAN.title)
    assert (found.patient, found.evaluated_on) == ("Patient/a", ON)
    assert found.policy_citation == MILAN.citation.text


def test_a_grade_that_is_higher_than_the_histology_says_is_outside():
    assert judged(facts(histologic_grade=grade("G3"))).verdict is Verdict.OUTSIDE


def test_an_unreadable_entry_of_another_malignancy_asks_for_a_discussion():
    issue = Issue(
        "Condition/x", "Condition.onsetDateTime is no date as FHIR writes one", ("other_malignancy",)
    )
    found = judged(facts(other_malignancy=gap(GapKind.UNREADABLE, "It is in doubt."), issues=(issue,)))
    assert found.verdict == "borderline"


@pytest.mark.parametrize(
    ("kind", "verdict"), [(GapKind.INDETERMINATE, "borderline"), (GapKind.NOT_SENT, "meets")]
)
def test_a_doubtful_transplant_status_forbids_a_plain_referral(kind: GapKind, verdict: str):
    found = judged(facts(transplant_status=gap(kind, "It is in doubt.")))
    assert found.verdict == verdict
    assert ("transplant-referral" in found.orders) is (verdict == "meets")


@pytest.mark.parametrize(
    ("born", "clause"), [("1967-01-01", "is passed on 2028"), ("1967", "at the earliest")]
)
def test_a_partial_date_of_birth_gives_the_earliest_day_and_says_so(born: str, clause: str):
    found = judged(facts(birth_date=known(day(born))), on=date(2027, 6, 1))
    assert found.ages_out_on == date(2028, 1, 1)
    assert found.ages_out_exactly is (born != "1967")
    assert any(clause in item for item in found.warnings)
