"""The criteria that are no plain number: histology, primary, extrahepatic disease and the gate."""

from datetime import date
from typing import Any

import pytest

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criteria import CRITERIA
from cds_service.eligibility.policy import policy
from cds_service.eligibility.verdict import Answer, Flag, Nature
from fhir_mappings.facts import (
    Differentiation,
    Discarded,
    DiseaseExtent,
    Evidence,
    Fact,
    Facts,
    GapKind,
    Grade,
    HistologicGrade,
    Intent,
    MitosisUnit,
    Note,
    OrderKind,
    PortalClass,
    Resectability,
)
from fhir_mappings.when import PartialDate
from tests.eligibility.builders import (
    NOT_RESECTED,
    ON,
    absent,
    day,
    facts,
    gap,
    grade,
    ki67,
    known,
    mitoses,
    present,
    resected,
    sites,
)

MILAN, OLD, OPTN = "milan-net-2016", "milan-net-2007", "optn-nlrb-net"
D, NONE = Differentiation, gap()


def ask(criterion: str, chart: Facts, policy_id: str = MILAN, on: date = ON) -> CriterionResult:
    return CRITERIA[criterion](chart, policy(policy_id).rule(criterion), on)


# --- differentiation --------------------------------------------------------------------------------------------------

HISTOLOGY: dict[str, tuple[Any, Any, Any, Any, str]] = {  # differentiation, grade, Ki-67, mitoses: answer
    "G1": (D.NET_G1, NONE, NONE, NONE, "met"),
    "G2": (D.NET_G2, NONE, NONE, NONE, "met"),
    "G3": (D.NET_G3, NONE, NONE, NONE, "not-met"),
    "NEC": (D.NEC, grade("G1"), ki67("2"), NONE, "not-met"),
    "MiNEN": (D.MINEN, NONE, ki67("2"), NONE, "not-met"),
    "NET alone": (D.NET, NONE, NONE, NONE, "unknown"),
    "NET with grade G1": (D.NET, grade("G1"), NONE, NONE, "met"),
    "NET with grade G2": (D.NET, grade("G2"), NONE, NONE, "met"),
    "NET with grade G3": (D.NET, grade("G3"), NONE, NONE, "not-met"),
    "NET with grade G3 of long ago": (D.NET, grade("G3", "2015-01-01"), NONE, NONE, "not-met"),
    "NET with grade G4": (D.NET, grade("G4"), NONE, NONE, "not-met"),
    "NET with Ki-67 20": (D.NET, NONE, ki67("20"), NONE, "met"),
    "NET with Ki-67 20.1": (D.NET, NONE, ki67("20.1"), NONE, "not-met"),
    "NET with Ki-67 > 5": (D.NET, NONE, ki67("(5,100]"), NONE, "unknown"),
    "NET with mitoses only": (D.NET, NONE, NONE, mitoses("3"), "unknown"),
    "G1 with Ki-67 25": (D.NET_G1, NONE, ki67("25"), NONE, "not-met"),
    "G1 with Ki-67 > 5": (D.NET_G1, NONE, ki67("(5,100]"), NONE, "unknown"),
    "G2 with 20 mitoses": (D.NET_G2, NONE, ki67("5"), mitoses("20"), "met"),
    "G2 with 21 mitoses": (D.NET_G2, NONE, ki67("5"), mitoses("21"), "not-met"),
    "G2 with 15 to 25 mitoses": (D.NET_G2, NONE, ki67("5"), mitoses("[15,25]"), "unknown"),
    "carcinoma alone": (D.NEC_OR_NET, NONE, NONE, NONE, "unknown"),
    "carcinoma with Ki-67 5": (D.NEC_OR_NET, NONE, ki67("5"), NONE, "unknown"),
    "carcinoma with Ki-67 60": (D.NEC_OR_NET, NONE, ki67("60"), NONE, "not-met"),
    "carcinoma with Ki-67 15-30": (D.NEC_OR_NET, NONE, ki67("[15,30]"), NONE, "unknown"),
    "neoplasm alone": (D.UNSPECIFIED, NONE, NONE, NONE, "unknown"),
    "neoplasm with G1 and Ki-67 2": (D.UNSPECIFIED, grade("G1"), ki67("2"), NONE, "unknown"),
    "neoplasm with G3 of 2019": (D.UNSPECIFIED, grade("G3", "2019-01-01"), NONE, NONE, "not-met"),
    "neoplasm with G3 of 2018": (D.UNSPECIFIED, grade("G3", "2018-12-31"), NONE, NONE, "unknown"),
    "neoplasm with G3 of no day": (D.UNSPECIFIED, grade("G3", None), NONE, NONE, "unknown"),
    "neoplasm with Ki-67 60": (D.UNSPECIFIED, NONE, ki67("60"), NONE, "not-met"),
    "no histology, G3 of 2015": (None, grade("G3", "2015-01-01"), NONE, NONE, "unknown"),
    "no histology, G1": (None, grade("G1"), ki67("2"), NONE, "unknown"),
}


def tumour(histology: Differentiation | None, grading: Any, index: Any, count: Any) -> Facts:
    fact = known(histology) if histology else gap()
    return facts(differentiation=fact, histologic_grade=grading, ki67_percent=index, mitotic_count=count)


@pytest.mark.parametrize("row", HISTOLOGY.values(), ids=HISTOLOGY)
@pytest.mark.parametrize("policy_id", [MILAN, OLD])
def test_the_table_of_histologies(row: tuple[Any, Any, Any, Any, str], policy_id: str):
    *measures, answer = row
    result = ask("differentiation", tumour(*measures), policy_id)
    assert result.answer == answer
    assert result.nature is Nature.PERMANENT


@pytest.mark.parametrize(
    ("count", "answer", "flags"),
    [
        ("19", "met", ()),
        ("20", "not-met", (Flag.BORDERLINE,)),
        ("21", "not-met", ()),
        ("[15,20]", "unknown", ()),
        ("[15,20)", "met", ()),
    ],
)
def test_optn_wants_fewer_than_20_mitoses_per_10_high_power_fields(
    count: str, answer: str, flags: tuple[Flag, ...]
):
    chart = facts(mitotic_count=mitoses(count, MitosisUnit.PER_10_HPF))
    result = ask("differentiation", chart, OPTN)
    assert (result.answer, result.flags) == (answer, flags)


@pytest.mark.parametrize(("index", "answer"), [("20", "met"), ("20.1", "not-met")])
def test_optn_leaves_a_ki67_of_20_to_its_own_criterion(index: str, answer: str):
    assert ask("differentiation", facts(ki67_percent=ki67(index)), OPTN).answer == answer


@pytest.mark.parametrize(("when", "answer"), [("2019-01-01", "not-met"), ("2018-12-31", "unknown")])
def test_optn_reads_an_old_grade_three_like_the_others(when: str, answer: str):
    assert ask("differentiation", tumour(D.UNSPECIFIED, grade("G3", when), NONE, NONE), OPTN).answer == answer


@pytest.mark.parametrize("count", ["3", "21"])
@pytest.mark.parametrize(
    ("policy_id", "own", "other"),
    [
        (MILAN, MitosisUnit.PER_2_MM2, MitosisUnit.PER_10_HPF),
        (OLD, MitosisUnit.PER_2_MM2, MitosisUnit.PER_10_HPF),
        (OPTN, MitosisUnit.PER_10_HPF, MitosisUnit.PER_2_MM2),
    ],
)
def test_a_mitotic_count_in_the_other_unit_is_less_sure(policy_id: str, own: Any, other: Any, count: str):
    assert ask("differentiation", facts(mitotic_count=mitoses(count, own)), policy_id).flags == ()
    assert ask("differentiation", facts(mitotic_count=mitoses(count, other)), policy_id).flags == (
        Flag.LOW_CONFIDENCE,
    )


def test_a_carcinoma_of_low_ki67_is_shown_as_a_conflict():
    assert ask("differentiation", tumour(D.NEC_OR_NET, NONE, ki67("5"), NONE)).flags == (Flag.CONFLICTING,)


def test_a_neoplasm_with_a_low_grade_is_no_conflict():
    assert ask("differentiation", tumour(D.UNSPECIFIED, grade("G1"), NONE, NONE)).flags == ()
    assert ask("differentiation", tumour(D.NEC_OR_NET, NONE, NONE, NONE)).flags == ()


def test_a_grade_three_that_may_be_of_2018_is_not_read_as_of_2019():
    spread = PartialDate(date(2018, 12, 1), date(2019, 2, 1), "2018-12-01/2019-02-01")
    fact = known(HistologicGrade(Grade.G3, spread))
    assert ask("differentiation", tumour(D.UNSPECIFIED, fact, NONE, NONE)).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("grading", "index", "reason"),
    [
        (grade("G2"), ki67("5"), "The histology is NET, histologic grade G2."),
        (NONE, ki67("5"), "The histology is NET, Ki-67 5 %."),
    ],
)
def test_the_reason_names_what_gives_the_grade(grading: Any, index: Any, reason: str):
    assert ask("differentiation", tumour(D.NET, grading, index, NONE)).reason == reason


def test_a_grade_that_the_histology_states_needs_no_second_source():
    assert ask("differentiation", tumour(D.NET_G1, NONE, NONE, NONE)).reason == "The histology is NET G1."


@pytest.mark.parametrize("name", ["histologic_grade", "ki67_percent", "mitotic_count"])
@pytest.mark.parametrize("kind", [GapKind.UNREADABLE, GapKind.CONFLICTING, GapKind.NOT_SENT])
def test_a_measure_that_was_not_seen_may_hide_a_high_grade(name: str, kind: GapKind):
    result = ask("differentiation", facts(**{name: gap(kind)}))
    assert (result.answer, result.flags) == (Answer.UNKNOWN, (Flag(kind.value),))


@pytest.mark.parametrize("name", ["histologic_grade", "ki67_percent", "mitotic_count"])
@pytest.mark.parametrize("kind", [GapKind.NOT_RECORDED, GapKind.INDETERMINATE])
def test_a_measure_that_does_not_exist_or_says_nothing_takes_nothing_away(name: str, kind: GapKind):
    assert ask("differentiation", facts(**{name: gap(kind)})).answer is Answer.MET


# --- gaps -------------------------------------------------------------------------------------------------------------

NEEDED = {
    "differentiation": "differentiation",
    "ki-67": "ki67_percent",
    "portal-drainage": "primary_site",
    "primary-resected": "primary_resection",
    "no-extrahepatic-disease": "extrahepatic_disease",
    "liver-involvement": "liver_involvement_percent",
    "stability": "disease_response",
    "age": "birth_date",
    "unresectable": "liver_resectability",
}
FLAGS = {
    GapKind.NOT_RECORDED: (),
    GapKind.INDETERMINATE: (),
    GapKind.NOT_SENT: (Flag.NOT_SENT,),
    GapKind.UNREADABLE: (Flag.UNREADABLE,),
    GapKind.CONFLICTING: (Flag.CONFLICTING,),
}


@pytest.mark.parametrize(("criterion", "name"), NEEDED.items())
@pytest.mark.parametrize("kind", GapKind)
def test_a_gap_makes_its_criterion_unknown_with_its_own_sentence_and_flag(
    criterion: str, name: str, kind: GapKind
):
    result = ask(criterion, facts(**{name: gap(kind, "So it is.")}))
    assert (result.answer, result.reason, result.flags) == (Answer.UNKNOWN, "So it is.", FLAGS[kind])
    assert result.gap is not None
    assert result.gap.kind is kind
    assert result.remedy


@pytest.mark.parametrize("name", NEEDED)
@pytest.mark.parametrize("kind", [GapKind.NOT_SENT, GapKind.UNREADABLE])
def test_what_exists_and_did_not_arrive_is_looked_up_and_not_ordered_again(name: str, kind: GapKind):
    result = ask(name, facts(**{NEEDED[name]: gap(kind)}))
    assert result.orders == ()
    assert result.remedy is not None
    assert result.remedy.startswith("Check the chart")


def test_a_result_carries_evidence_discarded_data_notes_and_citation():
    seen, other = Evidence("Observation/a", "value", day("2025-01-02")), Evidence("Observation/b", "value")
    fact = Fact(
        ki67("2").value,
        (seen, seen),
        discarded=(Discarded(other, "older"),),
        notes=(Note("unit", "The unit is odd."),),
    )
    result = ask("ki-67", facts(ki67_percent=fact))
    assert result.evidence == (seen,)
    assert result.discarded == (Discarded(other, "older"),)
    assert result.reason.endswith("The unit is odd.")
    assert result.citation == policy(MILAN).rule("ki-67").citation.text


# --- portal drainage --------------------------------------------------------------------------------------------------

P = PortalClass
PORTAL: dict[str, tuple[Fact[Any], str, str]] = {  # Milan (both), OPTN
    "ileum": (sites("ileum"), "met", "met"),
    "lung": (sites("lung", worst=P.NOT_PORTAL), "not-met", "not-met"),
    "not known": (sites("unknown", worst=P.UNKNOWN), "unknown", "unknown"),
    "bile duct": (sites("bile-duct", worst=P.REVIEW), "unknown", "unknown"),
    "stomach": (sites("stomach", worst=P.REVIEW), "unknown", "met"),
    "rectum": (sites("rectum", worst=P.NOT_PORTAL), "not-met", "unknown"),
    "rectosigmoid": (sites("rectosigmoid", worst=P.REVIEW), "unknown", "unknown"),
    "ampulla": (sites("ampulla", worst=P.REVIEW), "met", "met"),
    "pancreas and ileum": (sites("pancreas", "ileum"), "met", "met"),
    "ileum and lung": (
        sites("ileum", "lung", worst=P.NOT_PORTAL, classes=(P.PORTAL, P.NOT_PORTAL)),
        "not-met",
        "not-met",
    ),
    "ileum and stomach": (
        sites("ileum", "stomach", worst=P.REVIEW, classes=(P.PORTAL, P.REVIEW)),
        "unknown",
        "met",
    ),
    "ileum and rectum": (
        sites("ileum", "rectum", worst=P.NOT_PORTAL, classes=(P.PORTAL, P.NOT_PORTAL)),
        "not-met",
        "unknown",
    ),
    "ileum and unknown": (
        sites("ileum", "unknown", worst=P.UNKNOWN, classes=(P.PORTAL, P.UNKNOWN)),
        "unknown",
        "unknown",
    ),
    "classes not given": (sites("ileum", "rectum", worst=P.NOT_PORTAL), "not-met", "unknown"),
    "classes not given, no override": (sites("ileum", "lung", worst=P.NOT_PORTAL), "not-met", "not-met"),
}


@pytest.mark.parametrize(("fact", "milan", "optn"), PORTAL.values(), ids=PORTAL)
def test_the_table_of_primary_sites(fact: Fact[Any], milan: str, optn: str):
    answers = [
        ask("portal-drainage", facts(primary_site=fact), policy_id).answer for policy_id in (MILAN, OLD, OPTN)
    ]
    assert answers == [milan, milan, optn]


def test_a_site_outside_the_range_is_permanent_and_named():
    result = ask("portal-drainage", facts(primary_site=PORTAL["ileum and lung"][0]))
    assert (result.nature, result.value) == (Nature.PERMANENT, "lung")


def test_a_primary_that_is_not_known_is_looked_for_and_one_for_review_is_not():
    assert ask("portal-drainage", facts(primary_site=PORTAL["not known"][0])).orders == (
        OrderKind.SOMATOSTATIN_RECEPTOR_PET,
    )
    assert ask("portal-drainage", facts(primary_site=PORTAL["bile duct"][0])).orders == ()


# --- resection of the primary -----------------------------------------------------------------------------------------

RESECTION: dict[str, tuple[Fact[Any], str]] = {
    "R0": (resected(), "met"),
    "R0 in a month": (resected("2025-10"), "met"),
    "R1": (resected(residual="R1"), "unknown"),
    "margin not stated": (resected(residual="not stated"), "unknown"),
    "R2": (resected(residual="R2"), "not-met"),
    "not done": (NOT_RESECTED, "not-met"),
    "with the transplantation": (resected(with_transplant=True), "not-met"),
    "local excision": (resected(local_excision=True), "unknown"),
    "curative intent": (resected(intent=Intent.CURATIVE), "met"),
    "palliative intent": (resected(intent=Intent.PALLIATIVE), "unknown"),
    "intent not readable": (resected(intent=Intent.UNREAD), "unknown"),
    "palliative intent, R2": (resected(residual="R2", intent=Intent.PALLIATIVE), "not-met"),
    "no day": (resected(None), "unknown"),
}


@pytest.mark.parametrize(("fact", "answer"), RESECTION.values(), ids=RESECTION)
@pytest.mark.parametrize("policy_id", [MILAN, OLD, OPTN])
def test_the_table_of_resections(fact: Fact[Any], answer: str, policy_id: str):
    result = ask("primary-resected", facts(primary_resection=fact), policy_id)
    assert (result.answer, result.nature) == (answer, Nature.ACTIONABLE)
    assert result.orders == ((OrderKind.SURGICAL_REFERRAL,) if answer == "not-met" else ())
    assert (result.remedy is None) is (answer == "met")


@pytest.mark.parametrize(
    ("removed", "answer"), [((), "unknown"), (("ileum",), "unknown"), (("ileum", "pancreas"), "met")]
)
def test_of_several_primaries_each_has_to_be_resected(removed: tuple[str, ...], answer: str):
    chart = facts(primary_site=sites("ileum", "pancreas"), primary_resection=resected(sites=removed))
    assert ask("primary-resected", chart).answer == answer


def test_the_margin_is_asked_for_where_it_is_not_stated():
    assert ask("primary-resected", facts(primary_resection=resected(residual="R1"))).remedy == (
        "State the resection margin (R0, R1, R2)."
    )


# --- extrahepatic disease ---------------------------------------------------------------------------------------------

X = DiseaseExtent
PRESENT: dict[str, tuple[tuple[DiseaseExtent, ...], str, Nature]] = {
    "organ": ((X.ORGAN,), "not-met", Nature.PERMANENT),
    "organ and nodes": ((X.NODAL, X.ORGAN), "not-met", Nature.PERMANENT),
    "nodes": ((X.NODAL,), "not-met", Nature.ACTIONABLE),
    "nodes and mesentery": ((X.NODAL, X.REVIEW), "not-met", Nature.ACTIONABLE),
    "site not stated": ((X.UNSPECIFIED,), "not-met", Nature.ACTIONABLE),
    "nothing stated": ((), "not-met", Nature.ACTIONABLE),
    "mesentery or peritoneum": ((X.REVIEW,), "unknown", Nature.PERMANENT),
}


@pytest.mark.parametrize(("extents", "answer", "nature"), PRESENT.values(), ids=PRESENT)
def test_the_table_of_disease_outside_the_liver(
    extents: tuple[DiseaseExtent, ...], answer: str, nature: Nature
):
    result = ask("no-extrahepatic-disease", facts(extrahepatic_disease=present(*extents)))
    assert (result.answer, result.nature) == (answer, nature)


def test_the_sites_are_named():
    chart = facts(extrahepatic_disease=present(X.ORGAN, sites=("bone", "lung")))
    assert "(bone, lung)" in ask("no-extrahepatic-disease", chart).reason


@pytest.mark.parametrize(
    ("when", "milan", "optn"),
    [
        ("2026-08-23", "met", "met"),
        ("2026-08-22", "met", "unknown"),
        ("2026-05-23", "met", "unknown"),
        ("2026-05-22", "unknown", "unknown"),
        ("2026-05", "unknown", "unknown"),
        ("2026-10", "met", "met"),
        (None, "unknown", "unknown"),
    ],
)
def test_a_negative_study_counts_up_to_six_months_and_three_in_optn(when: str | None, milan: str, optn: str):
    chart = facts(extrahepatic_disease=absent(when))
    answers = [ask("no-extrahepatic-disease", chart, policy_id).answer for policy_id in (MILAN, OLD, OPTN)]
    assert answers == [milan, milan, optn]


def test_a_stale_negative_study_says_until_when_it_counted():
    result = ask("no-extrahepatic-disease", facts(extrahepatic_disease=absent("2026-05-22")))
    assert (result.flags, result.stale_on) == ((Flag.STALE,), date(2026, 11, 22))
    assert result.orders == (OrderKind.SOMATOSTATIN_RECEPTOR_PET,)


@pytest.mark.parametrize("policy_id", [MILAN, OLD, OPTN])
def test_a_negative_needs_a_study_of_the_whole_body(policy_id: str):
    chart = facts(extrahepatic_disease=absent(whole_body=False))
    assert ask("no-extrahepatic-disease", chart, policy_id).answer is Answer.UNKNOWN


@pytest.mark.parametrize(
    ("operated", "answer"),
    [
        (resected("2026-10-19"), "met"),
        (resected("2026-10-20"), "unknown"),
        (resected("2026-10-21"), "unknown"),
        (resected("2026-09"), "met"),
        (resected("2026-10"), "unknown"),
        (resected("2025-01-01", last_date=day("2026-10-21")), "unknown"),
        (resected(None), "unknown"),
        (gap(), "unknown"),
        (NOT_RESECTED, "met"),
    ],
    ids=[
        "before",
        "same day",
        "after",
        "month before",
        "same month",
        "second one after",
        "no day",
        "none",
        "in situ",
    ],
)
def test_a_negative_study_has_to_follow_the_resection(operated: Fact[Any], answer: str):
    assert ask("no-extrahepatic-disease", facts(primary_resection=operated)).answer == answer


def test_a_study_of_a_month_in_which_the_resection_was_does_not_surely_follow_it():
    assert ask(
        "no-extrahepatic-disease",
        facts(extrahepatic_disease=absent("2026-10"), primary_resection=resected("2026-10-20")),
    ).answer is (Answer.UNKNOWN)
    chart = facts(extrahepatic_disease=absent("2026-10"), primary_resection=resected("2026-09-30"))
    assert ask("no-extrahepatic-disease", chart).answer is Answer.MET


# --- the gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "answer"),
    [
        (Resectability.UNRESECTABLE, Answer.MET),
        (Resectability.RESECTABLE, Answer.NOT_MET),
        (Resectability.UNCERTAIN, Answer.UNKNOWN),
    ],
)
def test_the_table_of_resectability(stated: Resectability, answer: Answer):
    result = ask("unresectable", facts(liver_resectability=known(stated)))
    assert result.answer is answer
    assert result.orders == ((OrderKind.SURGICAL_REFERRAL,) if answer is Answer.UNKNOWN else ())
