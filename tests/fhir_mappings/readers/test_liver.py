"""Liver metastases, liver involvement, resectability (terminology.md 2 b, g, j; clinical.md 7.1, 7.4)."""

from typing import Any

import pytest

from fhir_mappings.facts import Facts, GapKind, InvolvementMethod, Presence, Resectability
from tests.builders import (
    AJCC,
    ICD,
    ICD_CM,
    LOINC,
    MII,
    OWN,
    SCT,
    Json,
    coded,
    concept,
    condition,
    extension,
    facts_of,
    net,
    observation,
    percent,
    ref,
    report,
)

LIVER = f"{SCT}|10200004"
ANY_METASTASIS = f"{SCT}|128462008"
AJCC_8, AJCC_7 = f"{SCT}|897275008", f"{SCT}|443830009"


def presence(facts: Facts) -> Presence | None:
    return facts.liver_metastases.value.presence if facts.liver_metastases.value else None


# --- metastases -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "item",
    [
        condition(f"{ICD_CM}|C7B.02"),
        condition(f"{ICD}|C78.7"),
        condition(f"{SCT}|94381002"),
        condition(f"{SCT}|1251486007"),
        condition(ANY_METASTASIS, bodySite=[concept(LIVER)]),
        condition(f"{ICD_CM}|C7B.8", bodySite=[concept(LIVER)]),
        condition(f"{SCT}|1290060007", bodySite=[concept(LIVER)]),
        coded(f"{SCT}|385421009", f"{MII}fernmetastasen|HEP"),
        coded(f"{SCT}|385421009", f"{SCT}|258334004"),
        coded(f"{SCT}|385421009", LIVER),
    ],
)
def test_liver_metastases_are_present_in_every_shape(item: Json) -> None:
    assert presence(facts_of(net(), item)) is Presence.PRESENT


@pytest.mark.parametrize(
    "item",
    [
        condition(f"{ICD_CM}|C7B.8"),
        condition(f"{ICD_CM}|C7B.00"),
        condition(ANY_METASTASIS),
        condition(f"{SCT}|1290060007"),
        coded(f"{SCT}|385421009", f"{MII}fernmetastasen|OSS"),
        coded(f"{SCT}|399387003", f"{SCT}|1229903009"),
    ],
)
def test_a_metastasis_without_a_site_is_no_liver_metastasis(item: Json) -> None:
    assert presence(facts_of(net(), item)) is None


@pytest.mark.parametrize(
    "item",
    [
        condition(f"{ICD_CM}|C22.9"),
        condition(f"{SCT}|1098951000119108"),
        condition(f"{SCT}|1691000119104"),
        condition(f"{ICD}|C78.7", verification="provisional"),
        condition(f"{ICD}|C78.7", clinical="resolved"),
        coded(f"{SCT}|385421009", f"{MII}fernmetastasen|HEP", status="preliminary"),
        observation(f"{SCT}|1098951000119108", valueBoolean=True),
        observation(f"{SCT}|1098951000119108", valueBoolean=False),
    ],
)
def test_a_review_code_a_history_and_an_unconfirmed_entry_settle_nothing(item: Json) -> None:
    fact = facts_of(net(), item).liver_metastases
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE
    assert fact.discarded


def test_only_a_refuted_entry_is_an_absence() -> None:
    refuted = condition(f"{ICD}|C78.7", verification="refuted")
    assert presence(facts_of(net(), refuted)) is Presence.ABSENT
    doubtful = condition(f"{ICD}|C78.7", verification="provisional")
    assert presence(facts_of(net(), refuted, doubtful)) is None
    assert presence(facts_of(net(), refuted, condition(f"{SCT}|94381002"))) is Presence.PRESENT


def test_the_first_day_on_record_is_their_beginning() -> None:
    later = condition(f"{ICD_CM}|C7B.02", onsetDateTime="2026-01-01")
    value = facts_of(
        net(), later, condition(f"{SCT}|94381002", onsetDateTime="2024-05")
    ).liver_metastases.value
    assert value is not None
    assert str(value.since) == "2024-05"


@pytest.mark.parametrize(
    ("code", "expected"), [(f"{ICD_CM}|C78.7", None), (f"{ICD_CM}|C7B.02", Presence.PRESENT)]
)
def test_beside_another_active_cancer_the_histology_has_to_be_stated(
    code: str, expected: Presence | None
) -> None:
    assert presence(facts_of(net(), condition(f"{ICD_CM}|C50.911"), condition(code))) is expected


def test_a_link_to_the_net_states_the_histology() -> None:
    primary = net()
    linked = condition(
        ANY_METASTASIS,
        bodySite=[concept(LIVER)],
        extension=[extension("related-primary-cancer-condition", target=primary)],
    )
    assert presence(facts_of(primary, condition(f"{ICD_CM}|C50.911"), linked)) is Presence.PRESENT


def test_a_metastasis_of_another_tumour_is_none_of_the_net() -> None:
    cancer = condition(f"{ICD_CM}|C18.7")
    linked = condition(
        ANY_METASTASIS,
        bodySite=[concept(LIVER)],
        extension=[extension("related-primary-cancer-condition", target=cancer)],
    )
    assert presence(facts_of(net(), cancer, linked)) is None
    observed = coded(f"{SCT}|385421009", f"{MII}fernmetastasen|HEP", focus=[ref(cancer)])
    assert presence(facts_of(net(), cancer, observed)) is None


# --- the M category ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [f"{SCT}|277208005", f"{SCT}|399387003", f"{SCT}|371497001", f"{LOINC}|21907-1", f"{LOINC}|21901-4"],
)
@pytest.mark.parametrize(
    "value",
    [
        f"{SCT}|1229904003",
        f"{SCT}|1229917000",
        f"{SCT}|261927002",
        f"{AJCC}|M1a",
        "cancerstaging.org|cM1a",
        "https://www.uicc.org/resources/tnm|M1a",
        f"{AJCC}|pM1c",
    ],
)
def test_m1a_and_m1c_of_a_digestive_net_say_liver(code: str, value: str) -> None:
    primary = net()
    assert presence(facts_of(primary, coded(code, value, focus=[ref(primary)]))) is Presence.PRESENT
    assert presence(facts_of(primary, coded(code, value, method=concept(AJCC_8)))) is Presence.PRESENT


def m1a(**elements: Any) -> Json:
    return coded(f"{SCT}|399387003", f"{AJCC}|cM1a", **elements)


def test_a_letter_without_link_or_edition_is_not_read() -> None:
    assert presence(facts_of(net(), m1a())) is None


def test_ajcc_7_has_no_letters_for_a_net() -> None:
    primary = net()
    assert presence(facts_of(primary, m1a(focus=[ref(primary)], method=concept(AJCC_7)))) is None


def test_the_letter_of_a_lung_carcinoid_or_an_unknown_primary_says_nothing_of_the_liver() -> None:
    for code in ("C7A.090", "C7A.00"):
        primary = net(f"{ICD_CM}|{code}")
        assert presence(facts_of(primary, m1a(focus=[ref(primary)], method=concept(AJCC_8)))) is None


def test_the_letter_of_a_colon_cancer_beside_a_net_is_not_the_net_s() -> None:
    cancer = condition(f"{ICD_CM}|C18.7")
    assert presence(facts_of(net(), cancer, m1a(focus=[ref(cancer)], method=concept(AJCC_8)))) is None
    assert presence(facts_of(net(), cancer, m1a(method=concept(AJCC_8)))) is None


def test_a_german_prefix_stands_as_an_extension_on_the_code_and_disturbs_nothing() -> None:
    primary = net()
    item = m1a(focus=[ref(primary)])
    item["code"]["coding"][0]["extension"] = [
        {"url": f"{MII}tnm-cp-praefix", "valueCodeableConcept": {"text": "c"}}
    ]
    assert presence(facts_of(primary, item)) is Presence.PRESENT


# --- involvement ------------------------------------------------------------------------------------------------------

PERCENT, CATEGORY = f"{OWN}|liver-involvement-percent", f"{OWN}|liver-involvement-category"


def involvement(facts: Facts) -> str | None:
    value = facts.liver_involvement_percent.value
    return str(value.percent) if value else None


def estimate(value: float, on: str | None = "2026-10-20", **elements: Any) -> Json:
    return observation(PERCENT, on=on, valueQuantity=percent(value), **elements)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"valueQuantity": percent(49.5)}, "49.5"),
        ({"valueQuantity": percent(50)}, "50"),
        ({"valueQuantity": percent(25, "<")}, "≥ 0, < 25"),
        ({"valueQuantity": percent(0.35, unit="1")}, "35"),
        ({"valueRange": {"low": percent(25), "high": percent(50)}}, "25-50"),
        ({"valueCodeableConcept": {"text": "25-50 %"}}, "25-50"),
        ({"valueString": ">75 %"}, "> 75, ≤ 100"),
    ],
)
def test_a_percentage_is_an_interval(elements: dict[str, Any], expected: str) -> None:
    assert involvement(facts_of(observation(PERCENT, **elements))) == expected


@pytest.mark.parametrize(
    ("code", "expected"),
    [("up-to-10", "0-10"), ("11-25", "> 10, ≤ 25"), ("26-50", "> 25, ≤ 50"), ("over-50", "> 50, ≤ 100")],
)
def test_a_category_is_an_interval(code: str, expected: str) -> None:
    assert involvement(facts_of(coded(CATEGORY, f"{OWN}|{code}"))) == expected
    assert involvement(facts_of(observation(CATEGORY, valueCodeableConcept={"text": "26-50 %"}))) == "26-50"


@pytest.mark.parametrize(
    "elements",
    [
        {"valueString": "extensive, innumerable"},
        {"valueQuantity": percent(0.4, unit=None)},
        {"valueQuantity": percent(140)},
    ],
)
def test_words_and_ambiguous_numbers_settle_nothing_and_hide_no_older_value(elements: dict[str, Any]) -> None:
    unread = observation(PERCENT, on="2026-11-01", **elements)
    gap = facts_of(unread).liver_involvement_percent.gap
    assert gap is not None
    assert gap.kind is GapKind.INDETERMINATE
    assert involvement(facts_of(estimate(30), unread)) == "0-100"


def test_a_missing_value_takes_nothing_away() -> None:
    empty = observation(PERCENT, on="2026-11-01", dataAbsentReason={"text": "not done"})
    assert involvement(facts_of(estimate(30), empty)) == "30"


def test_the_newest_imaging_governs_and_the_older_is_listed() -> None:
    fact = facts_of(estimate(60, on="2025-01-01"), estimate(30)).liver_involvement_percent
    assert fact.value is not None
    assert str(fact.value.percent) == "30"
    assert [item.reason for item in fact.discarded] == ["newer imaging or volumetry governs"]


def volumes(
    tumour: float = 420, liver: float = 1680, on: str = "2026-10-20", **elements: Any
) -> tuple[Json, Json]:
    unit = elements.pop("unit", "mL")
    return (
        observation(
            f"{OWN}|liver-tumour-volume", on=on, valueQuantity=percent(tumour, unit=unit), **elements
        ),
        observation(f"{OWN}|liver-volume", on=on, valueQuantity=percent(liver, unit=unit), **elements),
    )


def test_two_volumes_of_one_study_are_a_percentage() -> None:
    value = facts_of(*volumes()).liver_involvement_percent.value
    assert value is not None
    assert (str(value.percent), value.method) == ("25", InvolvementMethod.VOLUMETRY)


def test_two_volumes_of_different_studies_are_none() -> None:
    tumour, _ = volumes(on="2026-10-20")
    _, liver = volumes(on="2026-10-21")
    fact = facts_of(tumour, liver).liver_involvement_percent
    assert fact.value is None
    assert [item.reason for item in fact.discarded] == ["no second volume of the same study"] * 2
    one, other = report(f"{LOINC}|36046-1", tumour), report(f"{LOINC}|30669-6", liver)
    assert involvement(facts_of(tumour, liver | {"effectiveDateTime": "2026-10-20"}, one, other)) is None


def test_one_report_makes_two_days_one_study() -> None:
    tumour, _ = volumes(on="2026-10-20")
    _, liver = volumes(on="2026-10-21")
    assert involvement(facts_of(tumour, liver, report(f"{LOINC}|36046-1", tumour, liver))) == "25"


@pytest.mark.parametrize("undated", [0, 1])
def test_one_volume_of_a_study_gives_its_day_to_the_other(undated: int) -> None:
    pair = list(volumes())
    del pair[undated]["effectiveDateTime"]
    value = facts_of(*pair, report(f"{LOINC}|36046-1", *pair)).liver_involvement_percent.value
    assert value is not None
    assert str(value.date) == "2026-10-20"


def test_two_volumes_of_one_day_are_one_study_where_only_one_stands_in_a_report() -> None:
    tumour, liver = volumes()
    assert involvement(facts_of(tumour, liver, report(f"{LOINC}|36046-1", tumour))) == "25"
    assert involvement(facts_of(tumour, liver, report(f"{LOINC}|36046-1", liver))) == "25"


@pytest.mark.parametrize(("tumour", "liver"), [(1700, 1680), (4, 16), (4000, 9000)])
def test_a_tumour_larger_than_the_liver_and_an_implausible_liver_are_no_measure(
    tumour: float, liver: float
) -> None:
    fact = facts_of(*volumes(tumour, liver)).liver_involvement_percent
    assert fact.value is None
    assert fact.discarded


def test_a_volume_without_a_unit_is_no_volume() -> None:
    assert involvement(facts_of(*volumes(unit=None))) is None


def test_volumetry_ranks_above_an_estimate_of_the_same_quarter_unless_they_disagree() -> None:
    agrees = coded(CATEGORY, f"{OWN}|11-25", on="2026-11-10")
    fact = facts_of(*volumes(), agrees).liver_involvement_percent
    assert fact.value is not None
    assert (str(fact.value.percent), fact.value.method) == ("25", InvolvementMethod.VOLUMETRY)
    disagreeing = facts_of(*volumes(), estimate(55, on="2026-11-10")).liver_involvement_percent
    assert disagreeing.value is not None
    assert str(disagreeing.value.percent) == "25-55"
    assert [note.flag for note in disagreeing.notes] == ["conflicting"]


def test_an_estimate_more_than_a_quarter_newer_ranks_above_volumetry() -> None:
    assert involvement(facts_of(*volumes(on="2026-05-01"), estimate(55))) == "55"


@pytest.mark.parametrize(
    "other",
    [
        estimate(60, status="preliminary"),
        estimate(60, on=None),
        estimate(60, on="2026"),
        estimate(60, on="2026-10-20"),
        estimate(60, on="2026-09-01"),
    ],
)
def test_what_disagrees_and_is_not_surely_older_widens_the_value(other: Json) -> None:
    assert involvement(facts_of(estimate(30), other)) == "30-60"


def test_an_unconfirmed_newer_value_does_not_make_an_older_one_current() -> None:
    value = facts_of(
        estimate(30, on="2025-12-01"), estimate(20, on="2026-11-01", status="preliminary")
    ).liver_involvement_percent.value
    assert value is not None
    assert (str(value.percent), str(value.date)) == ("20-30", "2025-12-01")


@pytest.mark.parametrize(
    ("item", "reason"),
    [
        (estimate(30, on=None), "without a date"),
        (estimate(30, status="preliminary"), "status is preliminary"),
    ],
)
def test_an_undated_or_unconfirmed_value_alone_settles_nothing(item: Json, reason: str) -> None:
    gap = facts_of(item).liver_involvement_percent.gap
    assert gap is not None
    assert gap.kind is GapKind.INDETERMINATE
    assert gap.reason.endswith(f"but {reason}.")


LIVER = f"{SCT}|10200004"
RIGHT_LOBE = concept(f"{SCT}|1111111|Right lobe of liver")


@pytest.mark.parametrize(
    "site",
    [
        {"text": "Right lobe"},
        {"text": "Lebersegment 7"},
        {"text": "Leber"},  # words prove nothing
        RIGHT_LOBE,
        concept(f"{LIVER}|Right lobe of liver"),
        concept(LIVER, text="Rechter Leberlappen"),
        concept(LIVER, text="linkerkwab"),
        concept(LIVER, "urn:local|RHL"),
        concept("urn:local|RHL"),
    ],
)
def test_the_volume_of_a_part_is_not_the_volume_of_the_liver(site: Json) -> None:
    tumour, liver = volumes()
    fact = facts_of(tumour, liver | {"bodySite": site}).liver_involvement_percent
    assert fact.value is None
    reasons = {item.evidence.reference: item.reason for item in fact.discarded}
    assert "a part of the liver" in reasons[f"Observation/{liver['id']}"]
    assert involvement(facts_of(tumour, liver | {"bodySite": site}, liver | {"id": "whole"})) == "25"


@pytest.mark.parametrize("site", [concept(LIVER), concept(f"{LIVER}|Liver structure", f"{SCT}|181268008")])
def test_a_volume_of_the_whole_liver_may_say_so(site: Json) -> None:
    assert involvement(facts_of(*volumes(bodySite=site))) == "25"


def test_a_code_labelled_as_a_lobe_is_a_part_too() -> None:
    tumour, liver = volumes()
    liver["code"]["text"] = "Volume of the left lobe"
    assert involvement(facts_of(tumour, liver)) is None


def test_the_tumour_volume_of_a_lobe_is_at_least_that_of_the_liver() -> None:
    tumour, liver = volumes()
    lobe = tumour | {"bodySite": RIGHT_LOBE}
    assert involvement(facts_of(lobe, liver)) == "25-100"
    second = lobe | {"id": "second", "valueQuantity": percent(630, unit="mL")}
    assert involvement(facts_of(lobe, second, liver)) == "37.5-100"
    assert involvement(facts_of(lobe, tumour | {"id": "whole"}, liver)) == "25-100"


def test_an_estimate_of_a_lobe_is_no_estimate_of_the_liver_and_takes_certainty_away() -> None:
    lobe = estimate(10, bodySite=RIGHT_LOBE)
    gap = facts_of(lobe).liver_involvement_percent.gap
    assert gap is not None
    assert gap.kind is GapKind.INDETERMINATE
    assert involvement(facts_of(lobe, estimate(30))) == "0-100"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("> 50 %", None),
        ("≥ 50 %", "> 25, ≤ 50"),
        ("26-50 %", "> 25, ≤ 50"),
        ("25 %", None),
        ("> 25 %", "> 25, ≤ 50"),
    ],
)
def test_a_band_labelled_as_another_settles_nothing(label: str, expected: str | None) -> None:
    assert involvement(facts_of(coded(CATEGORY, f"{OWN}|26-50|{label}"))) == expected


# --- involvement: on the edge -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("newer", "method"),
    [
        ("2026-10-19", InvolvementMethod.VOLUMETRY),
        ("2026-10-20", InvolvementMethod.VOLUMETRY),
        ("2026-10-21", InvolvementMethod.ESTIMATE),
    ],
)
def test_volumetry_governs_until_three_months_after_its_day(newer: str, method: InvolvementMethod) -> None:
    value = facts_of(*volumes(on="2026-07-20"), estimate(25, on=newer)).liver_involvement_percent.value
    assert value is not None
    assert value.method is method


@pytest.mark.parametrize(
    ("older", "expected"), [("2026-07-21", "30-60"), ("2026-07-20", "30-60"), ("2026-07-19", "30")]
)
def test_an_older_estimate_that_disagrees_counts_for_92_days(older: str, expected: str) -> None:
    fact = facts_of(estimate(60, on=older), estimate(30, on="2026-10-20")).liver_involvement_percent
    assert fact.value is not None
    assert str(fact.value.percent) == expected
    assert [note.flag for note in fact.notes] == (["conflicting"] if "-" in expected else [])


@pytest.mark.parametrize(
    ("on", "expected"), [("2026-10-19", "30"), ("2026-10-20", "30-60"), ("2026-10-21", "30-60")]
)
def test_an_unconfirmed_value_counts_from_the_day_of_the_governing_one(on: str, expected: str) -> None:
    doubtful = estimate(60, on=on, status="preliminary")
    fact = facts_of(doubtful, estimate(30)).liver_involvement_percent
    assert fact.value is not None
    assert str(fact.value.percent) == expected
    assert [note.flag for note in fact.notes] == (["unconfirmed"] if expected != "30" else [])


@pytest.mark.parametrize(("low", "expected"), [(29, "30"), (30, "30"), (31, "30-60")])
def test_statements_that_share_a_value_do_not_disagree(low: int, expected: str) -> None:
    other = observation(PERCENT, on="2026-10-01", valueRange={"low": percent(low), "high": percent(60)})
    assert involvement(facts_of(estimate(30), other)) == expected


@pytest.mark.parametrize(("high", "expected"), [(29, "20-30"), (30, "30"), (31, "30")])
def test_statements_that_share_a_value_do_not_disagree_from_above(high: int, expected: str) -> None:
    other = observation(PERCENT, on="2026-10-01", valueRange={"low": percent(20), "high": percent(high)})
    assert involvement(facts_of(estimate(30), other)) == expected


def test_a_band_above_a_value_disagrees_with_the_value_at_its_open_end() -> None:
    band = coded(CATEGORY, f"{OWN}|over-50", on="2026-10-01")
    assert involvement(facts_of(estimate(50), band)) == "50-100"


def test_two_estimates_of_one_day_are_taken_together_and_disagree_only_apart() -> None:
    same = facts_of(estimate(30), estimate(30)).liver_involvement_percent
    apart = facts_of(estimate(30), estimate(40)).liver_involvement_percent
    assert [note.flag for note in same.notes] == []
    assert [note.flag for note in apart.notes] == ["conflicting"]


@pytest.mark.parametrize(
    ("tumour", "liver", "expected"),
    [
        (1679, 1680, True),
        (1680, 1680, True),
        (1681, 1680, False),
        (100, 499, False),
        (100, 500, True),
        (100, 8000, True),
        (100, 8001, False),
        (0, 0, False),
        (0, 1680, True),
    ],
)
def test_a_ratio_is_one_of_a_plausible_liver_no_smaller_than_its_tumour(
    tumour: float, liver: float, *, expected: bool
) -> None:
    assert (facts_of(*volumes(tumour, liver)).liver_involvement_percent.value is not None) is expected


def test_a_tumour_as_large_as_the_liver_is_all_of_it() -> None:
    assert involvement(facts_of(*volumes(1680, 1680))) == "100"


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((420, 420), "25-50"),
        ((840, 840), "50-100"),
        ((840, 1050), "62.5-100"),
        ((1680, 420), "100"),
        ((1681, 420), None),
    ],
)
def test_several_tumours_are_at_least_the_largest_and_at_most_the_liver(
    sizes: tuple[int, int], expected: str | None
) -> None:
    tumours = [volumes(size)[0] for size in sizes]
    found = involvement(facts_of(*tumours, volumes()[1]))
    assert found == expected


def test_a_tumour_larger_than_the_liver_takes_certainty_from_an_estimate() -> None:
    assert involvement(facts_of(*volumes(1700, 1680), estimate(30))) == "0-100"


def test_one_preliminary_tumour_volume_of_several_makes_the_share_unconfirmed() -> None:
    tumour, liver = volumes()
    assert involvement(facts_of(tumour, tumour | {"id": "second", "status": "preliminary"}, liver)) is None


@pytest.mark.parametrize(
    ("elements", "reason"),
    [
        ({"valueBoolean": True}, "its value cannot be read"),
        ({"valueQuantity": percent(140)}, "the value lies outside 0 to 100 %"),
    ],
)
def test_an_estimate_that_cannot_be_read_says_why(elements: dict[str, Any], reason: str) -> None:
    gap = facts_of(observation(PERCENT, **elements)).liver_involvement_percent.gap
    assert gap is not None
    assert gap.reason.endswith(f"but {reason}.")


def test_one_tumour_volume_that_may_be_larger_than_the_liver_is_no_measure() -> None:
    tumour, liver = volumes()
    bounds = {"low": percent(1000, unit="mL"), "high": percent(2000, unit="mL")}
    uncertain = {key: value for key, value in tumour.items() if key != "valueQuantity"} | {
        "valueRange": bounds
    }
    assert involvement(facts_of(uncertain, liver)) is None


# --- resectability ----------------------------------------------------------------------------------------------------

BOARD = f"{OWN}|liver-metastases-resectability"


def stated(value: str, on: str | None = "2026-10-27", **elements: Any) -> Json:
    return coded(BOARD, f"{OWN}|{value}", on=on, **elements)


@pytest.mark.parametrize("value", ["resectable", "unresectable", "uncertain"])
def test_the_board_s_word_counts(value: str) -> None:
    assert facts_of(stated(value)).liver_resectability.value == value


def test_the_newest_word_counts_and_the_older_is_listed() -> None:
    fact = facts_of(stated("resectable", on="2025-01-01"), stated("unresectable")).liver_resectability
    assert fact.value is Resectability.UNRESECTABLE
    assert len(fact.discarded) == 1


@pytest.mark.parametrize(
    "other",
    [
        stated("resectable"),
        stated("resectable", on=None),
        stated("resectable", on="2026"),
        stated("resectable", status="preliminary"),
        coded(BOARD, "urn:lab|maybe", on="2026-11-01"),
    ],
)
def test_a_word_that_disagrees_and_is_not_surely_older_leaves_it_open(other: Json) -> None:
    fact = facts_of(stated("unresectable"), other).liver_resectability
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.CONFLICTING
    assert len(fact.discarded) == 2


NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl|C27359"


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"valueBoolean": True}, Resectability.UNRESECTABLE),
        ({"valueBoolean": False}, None),
        ({"valueCodeableConcept": concept(f"{SCT}|52101004")}, Resectability.UNRESECTABLE),
        ({"valueCodeableConcept": concept(f"{SCT}|2667000")}, None),
        ({"dataAbsentReason": {"text": "unknown"}}, None),
        ({}, None),
    ],
)
def test_unresectable_as_a_question_counts_only_when_it_is_answered_yes(
    elements: dict[str, Any], expected: Resectability | None
) -> None:
    assert facts_of(observation(NCIT, **elements)).liver_resectability.value is expected


def test_a_word_whose_label_says_the_opposite_settles_nothing() -> None:
    for value in (f"{OWN}|unresectable|Resectable", f"{OWN}|resectable|Not resectable"):
        facts = facts_of(coded(BOARD, value), stated("unresectable"))
        assert facts.liver_resectability.value is None
        assert [item.reference for item in facts.issues]
