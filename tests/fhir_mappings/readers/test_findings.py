"""Metastases and tumours that stand elsewhere than in a Condition's code (terminology.md 2 l), and what is over."""

from typing import Any

import pytest

from fhir_mappings.facts import Differentiation, Facts, GapKind, Presence
from tests.builders import (
    AJCC,
    ICD_CM,
    LOINC,
    OWN,
    SCT,
    Json,
    coded,
    concept,
    condition,
    extrahepatic,
    facts_of,
    net,
    observation,
    percent,
    ref,
    report,
)

BONE, LIVER, PET = f"{SCT}|94222008", f"{SCT}|94381002", f"{SCT}|764695006"
DATED = {"effectiveDateTime": "2026-10-20"}


def elsewhere(facts: Facts) -> Presence | GapKind:
    fact = facts.extrahepatic_disease
    assert fact.gap is not None or fact.value is not None
    return fact.value.presence if fact.value else fact.gap.kind if fact.gap else GapKind.NOT_RECORDED


def in_liver(facts: Facts) -> Presence | GapKind:
    fact = facts.liver_metastases
    return fact.value.presence if fact.value else fact.gap.kind if fact.gap else GapKind.NOT_RECORDED


def concluded(*codes: str, **elements: Any) -> Json:
    return report(f"{LOINC}|18748-4", **DATED, conclusionCode=[concept(code) for code in codes], **elements)


def staged(*codes: str, text: str | None = None, **stage: Any) -> Json:
    return net(stage=[{"summary": concept(*codes, text=text), **stage}])


# --- codes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (concluded(BONE), Presence.PRESENT),
        (concluded(BONE, status="preliminary"), GapKind.INDETERMINATE),
        (concluded(BONE, status="entered-in-error"), GapKind.NOT_RECORDED),
        (report(PET, conclusionCode=[concept(BONE, f"{SCT}|261985008")]), GapKind.INDETERMINATE),
        (concluded(f"{SCT}|261985008"), GapKind.NOT_RECORDED),
        (concluded(f"{SCT}|399409002"), GapKind.NOT_RECORDED),
        (coded(f"{LOINC}|59776-5", BONE), Presence.PRESENT),
        (coded(f"{LOINC}|59776-5", LIVER), GapKind.NOT_RECORDED),
        (observation(BONE, valueBoolean=True), Presence.PRESENT),
        (observation(BONE, valueBoolean=False), GapKind.NOT_RECORDED),
        (observation(BONE), GapKind.INDETERMINATE),
        (observation(BONE, valueBoolean=True, dataAbsentReason=concept(text="x")), GapKind.UNREADABLE),
        (
            observation(f"{SCT}|128462008", valueBoolean=True, bodySite=concept(f"{SCT}|39607008")),
            Presence.PRESENT,
        ),
        (observation(f"{SCT}|399374009", valueBoolean=True), GapKind.NOT_RECORDED),
    ],
)
def test_a_coded_finding_is_there_where_it_is_said_and_never_proves_that_nothing_is(
    item: Json, expected: Presence | GapKind
) -> None:
    assert elsewhere(facts_of(net(), item)) is expected


@pytest.mark.parametrize(
    "item",
    [concluded(f"{SCT}|261985008"), concluded(f"{SCT}|399409002"), observation(BONE, valueBoolean=False)],
)
def test_a_finding_that_is_not_used_is_listed(item: Json) -> None:
    assert [found.reason for found in facts_of(net(), item).extrahepatic_disease.discarded]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (concluded(LIVER), Presence.PRESENT),
        (observation(LIVER, valueBoolean=True), Presence.PRESENT),
        (
            observation(f"{SCT}|128462008", valueBoolean=True, bodySite=concept(f"{SCT}|10200004")),
            Presence.PRESENT,
        ),
        (observation(LIVER), GapKind.INDETERMINATE),
        (observation(LIVER, valueBoolean=False), GapKind.NOT_RECORDED),
        (staged(f"{AJCC}|M1a"), Presence.PRESENT),
        (condition(code={"text": "Lebermetastasen"}), GapKind.INDETERMINATE),
        (condition(code={"text": "Lebermetastasen"}, clinical="resolved"), GapKind.INDETERMINATE),
        (condition(code={"text": "keine Lebermetastasen"}), GapKind.NOT_RECORDED),
    ],
)
def test_liver_metastases_count_by_code_and_are_possible_by_words(
    item: Json, expected: Presence | GapKind
) -> None:
    assert in_liver(facts_of(net(), item)) is expected


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (concluded(f"{SCT}|128628002"), Differentiation.NEC),
        (observation(f"{SCT}|128628002", valueBoolean=True), Differentiation.NEC),
        (coded(f"{LOINC}|59776-5", f"{SCT}|128628002"), Differentiation.NEC),
        (observation(f"{SCT}|128628002", valueBoolean=False), None),
        (concluded(f"{SCT}|128628002", status="cancelled"), None),
    ],
)
def test_a_tumour_that_is_concluded_or_found_is_one(item: Json, expected: Differentiation | None) -> None:
    assert facts_of(item).differentiation.value is expected


@pytest.mark.parametrize("part", ["conclusionCode", "conclusion"])
def test_a_conclusion_of_an_odd_shape_is_named(part: str) -> None:
    facts = facts_of(net(), report(PET, **DATED, **{part: 5}))
    assert facts.issues


# --- stage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (staged(f"{AJCC}|M1b"), Presence.PRESENT),
        (staged(f"{AJCC}|cM1c"), Presence.PRESENT),
        (staged(f"{AJCC}|M1a"), GapKind.NOT_RECORDED),
        (staged(f"{AJCC}|M1"), GapKind.NOT_RECORDED),
        (staged(text="Stage IV"), GapKind.NOT_RECORDED),
        (staged(text="pT3 pN1 pM1b"), GapKind.INDETERMINATE),
        (staged(f"{AJCC}|M1b", type=concept(f"{SCT}|443830009")), GapKind.INDETERMINATE),
        (condition(f"{ICD_CM}|C50.911", stage=[{"summary": concept(f"{AJCC}|M1b")}]), GapKind.NOT_RECORDED),
        (condition("urn:x|y", stage=[{"summary": concept(f"{AJCC}|M1b")}]), GapKind.INDETERMINATE),
    ],
)
def test_the_stage_of_the_net_says_there_and_never_not(item: Json, expected: Presence | GapKind) -> None:
    assert elsewhere(facts_of(net(), item)) is expected


def test_a_stage_is_a_standing_claim_that_a_later_study_contradicts() -> None:
    assert elsewhere(facts_of(staged(f"{AJCC}|M1b"), extrahepatic())) is GapKind.CONFLICTING


def test_the_assessment_of_a_stage_is_linked_to_its_tumour() -> None:
    category = coded(f"{SCT}|399387003", f"{AJCC}|cM1b")
    assert elsewhere(facts_of(net(), category)) is GapKind.INDETERMINATE
    assert elsewhere(facts_of(net(stage=[{"assessment": [ref(category)]}]), category)) is Presence.PRESENT
    of_other = condition(f"{ICD_CM}|C50.911", stage=[{"assessment": [ref(category)]}])
    assert elsewhere(facts_of(net(), of_other, category)) is GapKind.NOT_RECORDED


# --- over, elsewhere, of another study --------------------------------------------------------------------------------


def bone(**elements: Any) -> Json:
    return condition(BONE, **elements)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"abatementDateTime": "2026-10-19"}, Presence.ABSENT),
        ({"abatementDateTime": "2026-10-20"}, GapKind.CONFLICTING),
        ({"abatementDateTime": "2026-10"}, GapKind.CONFLICTING),
        ({"abatementPeriod": {"start": "2026-01-01", "end": "2026-10-19"}}, Presence.ABSENT),
        ({"abatementPeriod": {"start": "2026-01-01"}}, GapKind.CONFLICTING),
        ({"abatementDateTime": "2026-10-19", "clinical": "active"}, GapKind.CONFLICTING),
        ({"abatementDateTime": "2026-10-21", "clinical": "resolved"}, GapKind.CONFLICTING),
        ({"clinical": "resolved"}, Presence.ABSENT),
    ],
)
def test_what_is_over_was_there_until_its_day_and_only_a_later_study_takes_it_away(
    elements: dict[str, Any], expected: Presence | GapKind
) -> None:
    facts = facts_of(net(), bone(**({"clinical": None} | elements)), extrahepatic())
    assert elsewhere(facts) is expected
    assert facts.extrahepatic_disease.discarded


def test_what_is_over_is_neither_there_nor_absent_without_a_study() -> None:
    facts = facts_of(net(), bone(clinical=None, abatementDateTime="2026-01-01"))
    assert elsewhere(facts) is GapKind.INDETERMINATE


@pytest.mark.parametrize(("day", "active"), [("2026-11-22", False), ("2026-11-23", True), ("2026-11", True)])
def test_a_condition_is_over_from_the_day_after_its_abatement(day: str, active: bool) -> None:
    cancer = condition(f"{ICD_CM}|C50.911", clinical=None, abatementDateTime=day)
    assert (facts_of(net(), cancer).other_malignancy.value is Presence.PRESENT) is active


def test_an_answer_with_a_body_site_speaks_of_that_site_only() -> None:
    site = concept(f"{SCT}|39607008")
    facts = facts_of(net(), extrahepatic(bodySite=site))
    assert elsewhere(facts) is GapKind.NOT_RECORDED
    assert facts.extrahepatic_disease.discarded
    assert elsewhere(facts_of(net(), extrahepatic("52101004", bodySite=site))) is Presence.PRESENT


@pytest.mark.parametrize(
    ("day", "whole"),
    [
        ("2026-10-13", True),
        ("2026-10-12", False),
        ("2026-10-27", True),
        ("2026-10-28", False),
        ("2025-10-20", False),
    ],
)
def test_a_study_lends_whole_body_within_a_week(day: str, whole: bool) -> None:
    item = extrahepatic(pet=False)
    value = facts_of(net(), item, report(PET, item, effectiveDateTime=day)).extrahepatic_disease.value
    assert value is not None
    assert value.whole_body_imaging is whole


@pytest.mark.parametrize(
    ("site", "expected"),
    [
        (concept(f"{SCT}|10200004"), "30"),
        (concept(text="Leber"), None),  # words prove nothing
        (concept(f"{SCT}|39607008"), None),
        (concept(f"{SCT}|78961009"), None),
        (concept(text="right lobe of liver"), None),
    ],
)
def test_only_the_involvement_of_the_whole_liver_is_a_value(site: Json, expected: str | None) -> None:
    item = observation(f"{OWN}|liver-involvement-percent", valueQuantity=percent(30), bodySite=site)
    fact = facts_of(net(), item).liver_involvement_percent
    assert (str(fact.value.percent) if fact.value else None) == expected
    assert fact.value or fact.discarded


def test_the_volume_of_another_organ_makes_no_ratio() -> None:
    volumes = {"liver-tumour-volume": 100, "liver-volume": 1000}
    spleen = concept(f"{SCT}|78961009")
    items = [
        observation(f"{OWN}|{code}", valueQuantity=percent(size, unit="mL"), bodySite=spleen)
        for code, size in volumes.items()
    ]
    assert facts_of(net(), *items).liver_involvement_percent.value is None


def test_the_involvement_of_another_organ_does_not_widen_the_livers() -> None:
    percents = {f"{SCT}|10200004": 30, f"{SCT}|39607008": 70}
    items = [
        observation(f"{OWN}|liver-involvement-percent", valueQuantity=percent(size), bodySite=concept(site))
        for site, size in percents.items()
    ]
    value = facts_of(net(), *items).liver_involvement_percent.value
    assert value is not None
    assert str(value.percent) == "30"


@pytest.mark.parametrize(
    "elements",
    [
        {"valueBoolean": True, "dataAbsentReason": concept(text="not asked")},
        {"valueCodeableConcept": concept(f"{SCT}|2667000")},
    ],
)
def test_an_observation_in_words_without_a_value_or_with_a_no_says_nothing(elements: Json) -> None:
    item = observation("urn:x|y", **elements) | {"code": {"text": "Bone metastases"}}
    assert elsewhere(facts_of(net(), item)) is GapKind.NOT_RECORDED


def test_the_stage_of_a_refuted_net_proves_nothing() -> None:
    item = net(verification="refuted", stage=[{"summary": concept(f"{AJCC}|M1b")}])
    assert elsewhere(facts_of(net(), item)) is GapKind.INDETERMINATE


def test_a_stage_has_no_day_and_is_no_diagnosis() -> None:
    value = facts_of(staged(f"{AJCC}|M1a")).liver_metastases.value
    assert value is not None
    assert value.since is None
    other = condition("urn:x|y", stage=[{"summary": concept(f"{SCT}|128628002")}])
    assert facts_of(other).differentiation.value is None
