"""Disease outside the liver (terminology.md 2 d, clinical.md 7.4, 7.5): absence needs positive evidence."""

from typing import Any

import pytest

from fhir_mappings.facts import DiseaseExtent, Facts, GapKind, Presence
from tests.builders import (
    AJCC,
    ICD,
    ICD_CM,
    MII,
    OWN,
    SCT,
    Json,
    coded,
    concept,
    condition,
    extension,
    extrahepatic,
    facts_of,
    net,
    observation,
    order,
    procedure,
    ref,
    report,
)

PET = f"{SCT}|764695006"
ANY_METASTASIS = f"{SCT}|128462008"
MESENTERIC, RETROPERITONEAL, PELVIC = (f"{SCT}|{code}" for code in ("94410007", "94519005", "94350006"))
ILEOCOLIC = f"{SCT}|276190007"


def presence(facts: Facts) -> Presence | None:
    return facts.extrahepatic_disease.value.presence if facts.extrahepatic_disease.value else None


def gap(facts: Facts) -> GapKind | None:
    return facts.extrahepatic_disease.gap.kind if facts.extrahepatic_disease.gap else None


def extents(facts: Facts) -> tuple[DiseaseExtent, ...]:
    return facts.extrahepatic_disease.value.extents if facts.extrahepatic_disease.value else ()


def bone(**elements: Any) -> Json:
    return condition(f"{ICD_CM}|C7B.03", **elements)


# --- present ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("item", "extent"),
    [
        (condition(f"{ICD_CM}|C7B.01"), DiseaseExtent.NODAL),
        (bone(), DiseaseExtent.ORGAN),
        (condition(f"{ICD_CM}|C7B.04"), DiseaseExtent.REVIEW),
        (condition(f"{SCT}|94624001"), DiseaseExtent.REVIEW),
        (condition(f"{ICD_CM}|C7B.09"), DiseaseExtent.ORGAN),
        (condition(f"{ICD_CM}|C77.0"), DiseaseExtent.NODAL),
        (condition(f"{ICD_CM}|C77.1"), DiseaseExtent.NODAL),
        (condition(f"{ICD_CM}|C77.2"), DiseaseExtent.REVIEW),
        (condition(f"{ICD_CM}|C77.9"), DiseaseExtent.REVIEW),
        (condition(f"{ICD_CM}|C77.5"), DiseaseExtent.NODAL),
        (condition(f"{ICD_CM}|C78.01"), DiseaseExtent.ORGAN),
        (condition(f"{ICD_CM}|C78.4"), DiseaseExtent.REVIEW),
        (condition(f"{ICD_CM}|C78.6"), DiseaseExtent.ORGAN),
        (condition(f"{ICD}|C79.3"), DiseaseExtent.ORGAN),
        (condition(f"{SCT}|307593001"), DiseaseExtent.UNSPECIFIED),
        (condition(ANY_METASTASIS, bodySite=[concept(f"{SCT}|272673000")]), DiseaseExtent.ORGAN),
        (condition(f"{ICD_CM}|C7B.8", bodySite=[concept(f"{SCT}|39607008")]), DiseaseExtent.ORGAN),
        (coded(f"{SCT}|385421009", f"{MII}fernmetastasen|OSS"), DiseaseExtent.ORGAN),
        (coded(f"{SCT}|385421009", f"{MII}fernmetastasen|LYM"), DiseaseExtent.REVIEW),
        (coded(f"{SCT}|385421009", f"{MII}fernmetastasen|OTH"), DiseaseExtent.ORGAN),
        (extrahepatic("52101004"), DiseaseExtent.UNSPECIFIED),
        (observation(f"{OWN}|extrahepatic-disease", valueBoolean=True), DiseaseExtent.UNSPECIFIED),
    ],
)
def test_every_shape_of_a_finding_is_present_with_its_extent(item: Json, extent: DiseaseExtent) -> None:
    facts = facts_of(net(), item)
    assert (presence(facts), extents(facts)) == (Presence.PRESENT, (extent,))


@pytest.mark.parametrize(
    "item",
    [
        condition(f"{ICD_CM}|C7B.02"),
        condition(f"{ICD_CM}|C7B.8"),
        condition(f"{ICD_CM}|C7B.00"),
        condition(ANY_METASTASIS),
        condition(ANY_METASTASIS, bodySite=[concept(f"{SCT}|10200004")]),
        coded(f"{SCT}|385421009", f"{MII}fernmetastasen|HEP"),
        coded(f"{SCT}|385421009", f"{SCT}|261985008"),
        condition(f"{SCT}|399374009"),
        bone(verification="refuted"),
        bone(clinical="resolved"),
        coded(f"{SCT}|399387003", f"{SCT}|1229901006"),
        coded(f"{SCT}|399387003", f"{SCT}|1229903009"),
        condition(f"{SCT}|110396000"),
        condition(f"{SCT}|414861001"),
    ],
)
def test_liver_no_site_regional_nodes_history_m0_and_situations_are_neither_present_nor_absent(
    item: Json,
) -> None:
    facts = facts_of(net(), item)
    assert (presence(facts), gap(facts)) == (None, GapKind.NOT_RECORDED)


def test_a_code_for_two_sites_is_two_findings() -> None:
    facts = facts_of(net(), condition(f"{ICD_CM}|C77.2", f"{ICD_CM}|C79.51"))
    assert set(extents(facts)) == {DiseaseExtent.REVIEW, DiseaseExtent.ORGAN}


def test_a_precise_code_beside_a_vague_one_is_what_counts() -> None:
    assert presence(facts_of(net(), condition(MESENTERIC, f"{ICD_CM}|C77.2"))) is None
    assert extents(facts_of(net(), condition(f"{SCT}|94627008", f"{ICD_CM}|C7B.04"))) == (
        DiseaseExtent.ORGAN,
    )


def test_a_metastasis_of_another_tumour_is_none_of_the_net() -> None:
    cancer = condition(f"{ICD_CM}|C50.911")
    linked = bone(extension=[extension("related-primary-cancer-condition", target=cancer)])
    facts = facts_of(net(), cancer, linked)
    assert presence(facts) is None
    assert "belongs to another tumour" in {item.reason for item in facts.extrahepatic_disease.discarded}


# --- lymph nodes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("primary", "node", "extent"),
    [
        ("C7A.012", MESENTERIC, None),
        ("C7A.011", MESENTERIC, None),
        ("C7A.020", MESENTERIC, None),
        ("C7A.092", MESENTERIC, DiseaseExtent.NODAL),  # distant for the stomach
        ("C7A.010", MESENTERIC, DiseaseExtent.REVIEW),  # only the superior ones are regional for the duodenum
        ("C7A.025", MESENTERIC, DiseaseExtent.REVIEW),
        ("C7A.00", MESENTERIC, DiseaseExtent.REVIEW),
        ("C7A.012", RETROPERITONEAL, DiseaseExtent.NODAL),
        ("C7A.025", RETROPERITONEAL, DiseaseExtent.NODAL),
        ("C7A.092", RETROPERITONEAL, DiseaseExtent.NODAL),
        ("C7A.012", PELVIC, DiseaseExtent.NODAL),
        ("C7A.026", PELVIC, DiseaseExtent.REVIEW),
        ("C7A.012", f"{ICD_CM}|C77.2", DiseaseExtent.REVIEW),
        ("C7A.012", f"{ICD_CM}|C77.0", DiseaseExtent.NODAL),
    ],
)
def test_a_node_station_is_regional_distant_or_for_review_by_the_primary(
    primary: str, node: str, extent: DiseaseExtent | None
) -> None:
    facts = facts_of(net(f"{ICD_CM}|{primary}"), condition(node))
    assert extents(facts) == ((extent,) if extent else ())
    assert extent is not None or len(facts.extrahepatic_disease.discarded) == 1


def test_nodes_have_to_be_regional_for_every_primary() -> None:
    facts = facts_of(net(), net(f"{ICD_CM}|C7A.092"), condition(MESENTERIC))
    assert extents(facts) == (DiseaseExtent.NODAL,)


NODES = f"{ICD_CM}|C77.2"


@pytest.mark.parametrize(
    ("onset", "expected"),
    [
        ("2025-09-30", None),
        ("2025-10-01", None),
        ("2025-10-02", Presence.PRESENT),
        ("2025", Presence.PRESENT),
    ],
)
def test_nodes_on_record_by_the_day_of_the_resection_went_with_it(
    onset: str, expected: Presence | None
) -> None:
    facts = facts_of(net(), condition(NODES, onsetDateTime=onset), procedure(ILEOCOLIC))
    assert presence(facts) is expected


@pytest.mark.parametrize(
    "operation",
    [
        procedure(ILEOCOLIC, status="not-done"),
        procedure(ILEOCOLIC, on=None),
        procedure(ILEOCOLIC, outcome=concept(f"{SCT}|278272005")),
        procedure("http://www.cms.gov/Medicare/Coding/ICD10|0DBB8ZZ", bodySite=[concept(f"{SCT}|34516001")]),
        procedure(ILEOCOLIC, reasonCode=[concept(f"{SCT}|363676003")]),
        procedure(ILEOCOLIC, extension=[extension("procedure-intent", f"{SCT}|11111111111111")]),
    ],
)
def test_nodes_do_not_go_with_a_resection_not_done_undated_incomplete_local_or_not_meant_to_cure(
    operation: Json,
) -> None:
    facts = facts_of(net(), condition(NODES, onsetDateTime="2025-09-01"), operation)
    assert presence(facts) is Presence.PRESENT


@pytest.mark.parametrize("code", [f"{ICD_CM}|C7B.04", f"{ICD_CM}|C77.0", f"{ICD_CM}|C79.51"])
def test_what_may_be_peritoneum_a_distant_node_or_an_organ_never_goes_with_a_resection(code: str) -> None:
    facts = facts_of(net(), condition(code, onsetDateTime="2025-09-01"), procedure(ILEOCOLIC))
    assert presence(facts) is Presence.PRESENT


# --- absent -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "value", ["2667000", "260415000", "410516002", "410594000", "47492008", "373572006", "110396000"]
)
def test_a_negative_answer_on_a_day_is_an_absence(value: str) -> None:
    found = facts_of(net(), extrahepatic(value)).extrahepatic_disease.value
    assert found is not None
    assert (found.presence, str(found.as_of), found.whole_body_imaging) == (
        Presence.ABSENT,
        "2026-10-20",
        True,
    )


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"valueBoolean": False}, Presence.ABSENT),
        (
            {
                "interpretation": [
                    concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation|NEG")
                ]
            },
            Presence.ABSENT,
        ),
        (
            {
                "interpretation": [
                    concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation|POS")
                ]
            },
            Presence.PRESENT,
        ),
        ({"valueBoolean": False, "dataAbsentReason": {"text": "unknown"}}, None),
        ({}, None),
    ],
)
def test_a_flag_or_an_interpretation_answers_and_an_absent_value_does_not(
    elements: dict[str, Any], expected: Presence | None
) -> None:
    assert presence(facts_of(net(), extrahepatic(None, **elements))) is expected


@pytest.mark.parametrize("value", ["261665006", "373068000"])
def test_an_answer_that_is_neither_takes_certainty_from_an_older_negative_one(value: str) -> None:
    facts = facts_of(net(), extrahepatic(on="2026-09-01"), extrahepatic(value, pet=False))
    assert gap(facts) is GapKind.CONFLICTING


@pytest.mark.parametrize("where", ["derivedFrom", "partOf", "report", "nowhere"])
def test_the_absence_rests_on_pet_where_method_source_or_report_says_so(where: str) -> None:
    pet = procedure(PET, on="2026-10-20")
    study = report(PET)
    links = {"derivedFrom": {"derivedFrom": [ref(study)]}, "partOf": {"partOf": [ref(pet)]}}
    item = extrahepatic(pet=False, **links.get(where, {}))
    listing = report(PET, item) if where == "report" else report(PET)
    fact = facts_of(net(), pet, study, item, listing).extrahepatic_disease
    assert fact.value is not None
    assert fact.value.whole_body_imaging is (where != "nowhere")
    assert bool(fact.notes) is (where == "nowhere")


@pytest.mark.parametrize("status", ["not-done", "unknown", "in-progress"])
def test_a_pet_that_was_not_done_is_no_source(status: str) -> None:
    pet = procedure(PET, status=status)
    value = facts_of(net(), pet, extrahepatic(pet=False, partOf=[ref(pet)])).extrahepatic_disease.value
    assert value is not None
    assert not value.whole_body_imaging


@pytest.mark.parametrize(
    "elements",
    [{"status": "preliminary"}, {"on": None}, {"status": "entered-in-error"}, {"on": "2026-11-24"}],
)
def test_an_unconfirmed_undated_wrong_or_future_negative_proves_nothing_and_is_listed(
    elements: dict[str, Any],
) -> None:
    facts = facts_of(net(), extrahepatic(**elements))
    assert presence(facts) is None
    assert facts.extrahepatic_disease.discarded


def test_a_pet_ranks_above_a_newer_study_of_another_kind() -> None:
    facts = facts_of(net(), extrahepatic(), extrahepatic(on="2026-11-01", pet=False))
    assert facts.extrahepatic_disease.value is not None
    assert str(facts.extrahepatic_disease.value.as_of) == "2026-10-20"


def test_a_refuted_site_is_no_absence_by_itself_and_does_not_disturb_one() -> None:
    assert presence(facts_of(net(), bone(verification="refuted"))) is None
    assert presence(facts_of(net(), bone(verification="refuted"), extrahepatic())) is Presence.ABSENT


@pytest.mark.parametrize("value", ["cM1a", "pM1a"])
def test_m1a_of_the_net_is_an_absence_and_m1b_and_m1c_a_presence(value: str) -> None:
    primary = net()
    link = {"focus": [ref(primary)]}
    assert (
        presence(facts_of(primary, coded(f"{SCT}|399387003", f"{AJCC}|{value}", **link))) is Presence.ABSENT
    )
    for letter in "bc":
        item = coded(f"{SCT}|399387003", f"{AJCC}|{value[:-1]}{letter}", **link)
        assert presence(facts_of(primary, item)) is Presence.PRESENT


@pytest.mark.parametrize(
    ("letter", "expected"),
    [("a", GapKind.NOT_RECORDED), ("b", GapKind.INDETERMINATE), ("c", GapKind.INDETERMINATE)],
)
def test_an_unlinked_letter_is_no_absence_and_only_takes_certainty_away(
    letter: str, expected: GapKind
) -> None:
    item = coded(f"{SCT}|399387003", f"{AJCC}|cM1{letter}")
    assert gap(facts_of(net(), item)) is expected
    facts = facts_of(net(), item, extrahepatic())
    assert gap(facts) is (None if letter == "a" else GapKind.CONFLICTING)
    assert facts.extrahepatic_disease.discarded


# --- sources against each other ---------------------------------------------------------------------------------------


def observed_bone(on: str | None = "2026-05-01", **elements: Any) -> Json:
    return coded(f"{SCT}|385421009", f"{MII}fernmetastasen|OSS", on=on, **elements)


@pytest.mark.parametrize(
    ("positive", "negative", "expected"),
    [
        (observed_bone(), extrahepatic(), Presence.ABSENT),  # newer, and the whole body
        (observed_bone(), extrahepatic(pet=False), Presence.PRESENT),  # of a lesser kind
        (observed_bone(on="2026-11-01"), extrahepatic(), Presence.PRESENT),  # older
        (observed_bone(on="2026-10-20"), extrahepatic(), GapKind.CONFLICTING),  # of the same day
        (observed_bone(on="2026"), extrahepatic(), GapKind.CONFLICTING),  # perhaps of the same day
        (observed_bone(on=None), extrahepatic(), Presence.PRESENT),
        (bone(), extrahepatic(), GapKind.CONFLICTING),  # a standing claim is not cancelled
        (bone(), extrahepatic(pet=False), Presence.PRESENT),
        (bone(onsetDateTime="2026-11-01"), extrahepatic(), Presence.PRESENT),
        (extrahepatic("52101004", on="2026-05-01"), extrahepatic(), Presence.ABSENT),
        (extrahepatic("52101004", on="2026-05-01"), extrahepatic(pet=False), Presence.PRESENT),
        (extrahepatic("52101004", on="2026-05-01", pet=False), extrahepatic(pet=False), Presence.ABSENT),
    ],
)
def test_only_a_newer_negative_study_of_equal_or_better_kind_cancels(
    positive: Json, negative: Json, expected: Presence | GapKind
) -> None:
    facts = facts_of(net(), positive, negative)
    assert (presence(facts) or gap(facts)) is expected
    assert facts.extrahepatic_disease.discarded


@pytest.mark.parametrize(
    "unsure",
    [
        bone(verification="provisional"),
        observed_bone(on="2026-11-01", status="preliminary"),
        condition(ANY_METASTASIS, bodySite=[concept("urn:lab|somewhere")]),
        coded(f"{SCT}|385421009", "urn:lab|somewhere", on="2026-11-01"),
    ],
)
def test_an_unconfirmed_or_unread_site_takes_certainty_and_never_adds_a_no(unsure: Json) -> None:
    assert gap(facts_of(net(), unsure)) is GapKind.INDETERMINATE
    facts = facts_of(net(), unsure, extrahepatic())
    assert gap(facts) is GapKind.CONFLICTING
    assert facts.extrahepatic_disease.discarded


def test_an_unconfirmed_finding_is_no_stronger_than_a_confirmed_one() -> None:
    assert presence(facts_of(net(), observed_bone(status="preliminary"), extrahepatic())) is Presence.ABSENT


def test_an_order_for_a_pet_is_no_pet() -> None:
    assert presence(facts_of(net(), order(PET))) is None


# --- words against codes ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verification", ["confirmed", "refuted"])
@pytest.mark.parametrize("label", ["No bone metastasis", "Ohne Knochenmetastasen", "Zonder botmetastasen"])
def test_a_metastasis_that_its_label_denies_is_in_doubt(label: str, verification: str) -> None:
    denied = condition(f"{ICD_CM}|C7B.03|{label}", verification=verification)
    assert gap(facts_of(net(), denied)) is GapKind.INDETERMINATE
    beside = facts_of(net(), denied, extrahepatic(on="2025-01-01"))
    assert presence(beside) is None
    assert gap(beside) is GapKind.CONFLICTING


@pytest.mark.parametrize(
    "item",
    [
        extrahepatic("2667000|Present"),
        extrahepatic("52101004|Absent"),
        extrahepatic(
            None,
            interpretation=[
                concept("http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation|NEG|Positive")
            ],
        ),
        coded(f"{SCT}|385421009|No metastasis", f"{SCT}|258333005"),
        coded(f"{SCT}|385421009", f"{SCT}|258333005|Keine Knochenmetastasen (OSS)"),
        coded(f"{OWN}|extrahepatic-disease|No extrahepatic disease", f"{SCT}|2667000"),
        coded(f"{OWN}|extrahepatic-disease", f"{SCT}|52101004", "urn:local|9|None"),
    ],
)
def test_an_answer_against_its_own_words_is_neither_yes_nor_no(item: Json) -> None:
    for facts in (facts_of(net(), item), facts_of(net(), item, extrahepatic())):
        assert presence(facts) is None
        assert gap(facts) is GapKind.UNREADABLE
        assert f"Observation/{item['id']}" in {issue.reference for issue in facts.issues}


def test_an_m_category_labelled_as_another_is_neither() -> None:
    primary = net()
    item = coded(f"{SCT}|399387003", f"{AJCC}|cM1a|cM1b", focus=[ref(primary)])
    assert gap(facts_of(primary, item)) is GapKind.UNREADABLE


def test_a_body_site_labelled_as_another_makes_a_metastasis_a_candidate() -> None:
    sited = condition(ANY_METASTASIS, bodySite=[concept(f"{SCT}|10200004|Bone structure")])
    facts = facts_of(net(), sited)
    assert facts.liver_metastases.value is None
    assert facts.liver_metastases.gap is not None
    assert facts.liver_metastases.gap.kind is GapKind.INDETERMINATE


def test_a_mislabelled_answer_under_a_code_of_an_odd_shape_is_not_read_either() -> None:
    item = extrahepatic("2667000|Present")
    item["code"]["coding"] = item["code"]["coding"][0]
    assert gap(facts_of(net(), item)) is GapKind.UNREADABLE
