"""Ki-67 index and mitotic count (terminology.md 2 h, clinical.md 3, 7.1)."""

from decimal import Decimal
from typing import Any

import pytest

from fhir_mappings.facts import Facts, GapKind, MitosisUnit, Tissue
from fhir_mappings.site_profile import SiteProfile
from fhir_mappings.valueset import Concept, terminology
from tests.builders import (
    ICD_CM,
    ICD_O,
    LOINC,
    NAACCR,
    SCT,
    Json,
    coded,
    concept,
    condition,
    extension,
    facts_of,
    grade,
    histology,
    ki67,
    net,
    observation,
    percent,
    ref,
    report,
    specimen,
)

ILEUM, LIVER, CAECUM, BREAST = (f"{SCT}|{code}" for code in ("34516001", "10200004", "32713005", "76752008"))
BREAST_KI67 = f"{LOINC}|85330-9"
NET_G1 = f"{SCT}|1286769009"
G1, G2 = f"{SCT}|54102005", f"{SCT}|1663004"


def interval(facts: Facts) -> str | None:
    """The governing interval in words."""
    return str(facts.ki67_percent.value.percent) if facts.ki67_percent.value else None


def flags(facts: Facts) -> list[str]:
    return [note.flag for note in facts.ki67_percent.notes]


# --- values -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (2, "2"),
        (9.9, "9.9"),
        (10, "10"),
        (percent(10, "<"), "≥ 0, < 10"),
        (percent(10, "<="), "0-10"),
        (percent(10, ">"), "> 10, ≤ 100"),
        (percent(10, ">="), "10-100"),
        (percent(0.05, unit="1"), "5"),
        (percent(2, unit="{percent}"), "2"),
        ("< 10%", "≥ 0, < 10"),
        ("<2%", "≥ 0, < 2"),
        ("2-3 %", "2-3"),
        ("ca. 5 %", "4.5-5.5"),
        ("5,0 %", "5"),
        ("5\u00a0%", "5"),
    ],
)
def test_a_value_is_an_interval(value: float | str | Json, expected: str) -> None:
    assert interval(facts_of(net(), ki67(value))) == expected


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"valueRange": {"low": percent(5), "high": percent(15)}}, "5-15"),
        ({"valueInteger": 7}, "7"),
        ({"valueCodeableConcept": {"text": "< 3 %"}}, "≥ 0, < 3"),
        ({"component": [{"code": concept(f"{LOINC}|29593-1"), "valueQuantity": percent(4)}]}, "4"),
    ],
)
def test_every_type_of_value_is_read(elements: dict[str, Any], expected: str) -> None:
    assert interval(facts_of(net(), observation(f"{LOINC}|29593-1", **elements))) == expected


def test_a_number_without_a_unit_is_percent_with_a_note() -> None:
    facts = facts_of(net(), ki67(percent(5, unit=None)))
    assert interval(facts) == "5"
    assert "unit-missing" in flags(facts)


@pytest.mark.parametrize(
    "value",
    [percent(0.05, unit=None), percent(150), percent(5, unit="mg"), "hot spot 8 %, mean 3 %", "see text"],
)
def test_a_value_that_cannot_be_read_is_no_value_and_may_be_any_beside_another(value: Json | str) -> None:
    alone = facts_of(net(), ki67(value))
    assert alone.ki67_percent.gap is not None
    assert alone.ki67_percent.gap.kind is GapKind.INDETERMINATE
    assert interval(facts_of(net(), ki67(2), ki67(value))) == "2-100"


@pytest.mark.parametrize(
    "elements",
    [
        {"dataAbsentReason": {"text": "specimen lost"}},
        {},
    ],
)
def test_no_value_takes_nothing_away(elements: dict[str, Any]) -> None:
    empty = observation(f"{LOINC}|29593-1", **elements)
    assert interval(facts_of(net(), ki67(2), empty)) == "2"
    gap = facts_of(net(), empty).ki67_percent.gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


@pytest.mark.parametrize(
    "text",
    [
        "Ki-67 5 %, hot spot 25 %",
        "Ki-67 5 %, hot spot 25",
        "Ki-67 3 % (previously 12 %)",
        "Ki-67 3 % (previously 12)",
        "Ki-67 3 % (12 previously)",
        "12 before, now 3 %",
        "3 %,25 in hot spots",
    ],
)
def test_of_two_numbers_in_words_none_is_chosen(text: str) -> None:
    assert facts_of(net(), ki67(text)).ki67_percent.gap is not None
    assert interval(facts_of(net(), ki67(2), ki67(text))) == "2-100"


@pytest.mark.parametrize(
    "text",
    [
        "Ki-67 5 % (2024-05-06)",
        "MIB-1 (06.05.2024): 5 %",
        "Ki67 5 % of 500 cells, G2",
        "5 % at 400x",
        "Ki-67 5 %",
    ],
)
def test_the_number_of_a_marker_a_day_a_grade_or_a_count_is_no_second_value(text: str) -> None:
    assert interval(facts_of(net(), ki67(2), ki67(text))) == "2-5"


def test_a_value_among_other_words_needs_confirmation() -> None:
    facts = facts_of(net(), ki67("proliferation index about 12 % in hot spots"))
    assert facts.ki67_percent.gap is not None
    assert facts.ki67_percent.gap.kind is GapKind.INDETERMINATE


@pytest.mark.parametrize(
    ("code", "expected"), [("XXX.4", "≥ 0, < 3"), ("XXX.5", "3-20"), ("XXX.6", "> 20, ≤ 100"), ("5.0", "5")]
)
def test_a_registry_item_is_a_value_or_a_category(code: str, expected: str) -> None:
    assert interval(facts_of(net(), ki67(code, code=f"{NAACCR}|3863"))) == expected


@pytest.mark.parametrize("code", ["XXX.7", "XXX.8", "XXX.9"])
def test_a_registry_item_that_is_not_known_is_no_value(code: str) -> None:
    assert interval(facts_of(net(), ki67(2), ki67(code, code=f"{NAACCR}|3863"))) == "2"


@pytest.mark.parametrize("code", [f"{LOINC}|33055-5", f"{LOINC}|85319-2", f"{LOINC}|85300-2"])
def test_an_ordinal_code_her2_and_a_mitotic_score_are_no_ki67(code: str) -> None:
    facts = facts_of(net(), ki67(2), observation(code, valueQuantity=percent(40)))
    assert interval(facts) == "2"


def test_a_wrong_code_under_the_label_ki67_takes_certainty_and_gives_none() -> None:
    wrong = observation(f"{LOINC}|85331-7|Ki-67", valueQuantity=percent(30))
    assert interval(facts_of(net(), wrong)) is None
    assert interval(facts_of(net(), ki67(2), wrong)) == "2-30"


def test_a_right_code_under_another_label_takes_certainty_and_gives_none() -> None:
    wrong = ki67(30, code=f"{LOINC}|29593-1|Progesterone receptor")
    assert interval(facts_of(net(), wrong)) is None
    assert interval(facts_of(net(), ki67(2), wrong)) == "2-30"


@pytest.mark.parametrize("inside", [True, False])
def test_generic_immunohistochemistry_is_ki67_where_a_component_names_the_gene(inside: bool) -> None:
    gene = {
        "code": concept(f"{LOINC}|48018-6"),
        "valueCodeableConcept": concept("http://www.genenames.org|HGNC:7107"),
    }
    value = {"code": concept(f"{SCT}|1255078008"), "valueQuantity": percent(7)}
    elements = {"component": [gene, value]} if inside else {"component": [gene], "valueQuantity": percent(7)}
    assert interval(facts_of(net(), observation(f"{SCT}|1234806008", **elements))) == "7"


def test_generic_immunohistochemistry_of_another_gene_is_no_ki67() -> None:
    gene = {
        "code": concept(f"{LOINC}|48018-6"),
        "valueCodeableConcept": concept("http://www.genenames.org|HGNC:3467"),
    }
    item = observation(f"{SCT}|1234806008", component=[gene], valueQuantity=percent(90))
    assert facts_of(net(), item).ki67_percent.value is None


def test_a_site_profile_brings_the_question_codes_of_cap() -> None:
    own = terminology().with_codes(
        {"ki67-code": [Concept("http://cap.org/eCC", "351503.100004300", "Ki-67")]}
    )
    item = ki67(6, code="http://cap.org/eCC|351503.100004300")
    assert interval(facts_of(net(), item, profile=SiteProfile("cap", own))) == "6"
    assert interval(facts_of(net(), item)) is None


# --- which value governs ----------------------------------------------------------------------------------------------


def test_the_highest_value_governs_whatever_its_date_and_tissue() -> None:
    old = ki67(12, on="2020-01-01", bodySite=concept(ILEUM))
    new = ki67(3, on="2026-01-01", bodySite=concept(LIVER))
    facts = facts_of(net(), old, new)
    assert interval(facts) == "12"
    assert facts.ki67_percent.value is not None
    assert {(reading.percent.low, reading.tissue) for reading in facts.ki67_percent.value.readings} == {
        (Decimal(12), Tissue.PRIMARY),
        (Decimal(3), Tissue.LIVER_METASTASIS),
    }


@pytest.mark.parametrize(("value", "expected"), [(12, "2-12"), (1, "2")])
def test_a_preliminary_value_can_only_raise_the_upper_end(value: float, expected: str) -> None:
    facts = facts_of(net(), ki67(2), ki67(value, status="preliminary"))
    assert interval(facts) == expected
    assert "unconfirmed" in flags(facts)


@pytest.mark.parametrize("status", ["entered-in-error", "cancelled", "registered"])
def test_a_value_in_error_is_dropped_and_listed(status: str) -> None:
    fact = facts_of(net(), ki67(2), ki67(40, status=status)).ki67_percent
    assert fact.value is not None
    assert fact.value.percent.is_point
    assert [item.reason for item in fact.discarded] == [f"status is {status}"]


def test_a_value_dated_after_the_day_of_evaluation_is_dropped_and_listed() -> None:
    fact = facts_of(net(), ki67(40, on="2026-11-24")).ki67_percent
    assert fact.value is None
    assert [item.reason for item in fact.discarded] == ["dated after the day of evaluation"]
    assert facts_of(net(), ki67(40, on="2026-11-23")).ki67_percent.value is not None


def test_an_undated_value_counts_and_takes_the_day_of_its_specimen() -> None:
    tissue = specimen(LIVER, collection={"bodySite": concept(LIVER), "collectedDateTime": "2025-02-03"})
    value = facts_of(net(), tissue, ki67(2, on=None, specimen=ref(tissue))).ki67_percent.value
    assert value is not None
    assert str(value.readings[0].date) == "2025-02-03"


@pytest.mark.parametrize("status", ["entered-in-error", "unsatisfactory"])
def test_a_value_of_a_specimen_that_does_not_count_is_unconfirmed(status: str) -> None:
    tissue = specimen(LIVER, status=status)
    assert interval(facts_of(net(), tissue, ki67(1, specimen=ref(tissue)))) is None
    assert interval(facts_of(net(), tissue, ki67(2), ki67(30, specimen=ref(tissue)))) == "2-30"


def test_tissue_of_the_primary_only_is_noted() -> None:
    tissue = specimen(ILEUM)
    assert "primary-tissue-only" in flags(facts_of(net(), tissue, ki67(2, specimen=ref(tissue))))
    assert "primary-tissue-only" not in flags(facts_of(net(), ki67(2)))


# --- whose value ------------------------------------------------------------------------------------------------------


def two_tumours(**links: Any) -> Facts:
    ileum, caecum = specimen(ILEUM), specimen(CAECUM)
    by = {"ileum": {"specimen": ref(ileum)}, "caecum": {"specimen": ref(caecum)}, "": {}}
    items = [
        histology(NET_G1, specimen=ref(ileum)),
        ki67(2, **by["ileum"]),
        histology(f"{ICD_O}|8490/3", specimen=ref(caecum)),
        ki67(85, **by[links["second"]]),
    ]
    return facts_of(net(), ileum, caecum, *items, report(f"{LOINC}|60568-3", *items))


@pytest.mark.parametrize(("second", "expected"), [("caecum", "2"), ("ileum", "85"), ("", "2-85")])
def test_of_two_tumours_in_one_report_the_specimen_tells_whose_value_it_is(
    second: str, expected: str
) -> None:
    assert interval(two_tumours(second=second)) == expected


def test_a_value_with_the_breast_cancer_in_focus_is_not_the_net_s() -> None:
    cancer = condition(f"{ICD_CM}|C50.911")
    facts = facts_of(net(), cancer, ki67(40, focus=[ref(cancer)]))
    assert interval(facts) is None
    assert [item.reason for item in facts.ki67_percent.discarded] == ["belongs to another tumour"]


def test_an_unlinked_value_beside_another_cancer_is_ambiguous() -> None:
    cancer = condition(f"{ICD_CM}|C50.911")
    assert interval(facts_of(net(), cancer, ki67(4))) is None


def test_tissue_of_the_net_s_organ_links_a_value_beside_another_cancer() -> None:
    cancer = condition(f"{ICD_CM}|C50.911")
    assert interval(facts_of(net(), cancer, ki67(4, bodySite=concept(ILEUM)))) == "4"
    assert interval(facts_of(net(), cancer, ki67(4, bodySite=concept(LIVER)))) is None
    carcinoid = condition(f"{ICD_CM}|C7B.02")
    assert interval(facts_of(net(), cancer, carcinoid, ki67(4, bodySite=concept(LIVER)))) == "4"


def test_a_focus_on_a_condition_that_nobody_can_read_is_ambiguous() -> None:
    assert interval(facts_of(net(), ki67(4, focus=[{"reference": "Condition/not-there"}]))) is None


def test_an_mcode_marker_is_linked_by_its_related_condition() -> None:
    primary = net()
    item = ki67(3, extension=[extension("related-condition", target=primary)])
    assert interval(facts_of(primary, condition(f"{ICD_CM}|C50.911"), item)) == "3"


@pytest.mark.parametrize("linked", [True, False])
def test_a_breast_code_counts_only_where_a_link_says_it_is_the_net_s(linked: bool) -> None:
    primary = net()
    item = ki67(3, code=BREAST_KI67, **({"focus": [ref(primary)]} if linked else {}))
    facts = facts_of(primary, item)
    assert interval(facts) == ("3" if linked else None)
    assert ("breast-code" in flags(facts)) is linked


def test_a_histology_in_a_code_we_cannot_read_leaves_its_specimen_s_value_open() -> None:
    tissue = specimen(LIVER)
    local = histology("urn:lab|ADENOCA", specimen=ref(tissue))
    assert interval(facts_of(net(), tissue, local, ki67(4, specimen=ref(tissue)))) is None


def test_a_behaviour_code_alone_names_no_other_tumour() -> None:
    assert interval(facts_of(net(), coded(f"{LOINC}|31206-6", f"{ICD_O}|3"), ki67(4))) == "4"


# --- derived from the grade -------------------------------------------------------------------------------------------


def test_g1_without_a_number_means_less_than_three_percent() -> None:
    facts = facts_of(histology(f"{ICD_O}|8240/3"), grade(G1))
    assert interval(facts) == "≥ 0, < 3"
    assert facts.ki67_percent.value is not None
    assert facts.ki67_percent.value.derived_from_grade


@pytest.mark.parametrize("items", [(grade(G2),), (grade(G1), grade(G2)), (histology(NET_G1), grade(G2))])
def test_g2_or_a_g1_beside_a_g2_leaves_the_index_open(items: tuple[Json, ...]) -> None:
    assert facts_of(net(), *items).ki67_percent.value is None


def test_a_preliminary_g2_leaves_the_index_open() -> None:
    assert facts_of(net(), grade(G1), grade(G2, status="preliminary")).ki67_percent.value is None


def test_a_g1_of_a_carcinoma_gives_no_index() -> None:
    assert facts_of(net(f"{ICD_CM}|C7A.1"), grade(G1)).ki67_percent.value is None


def test_a_number_that_is_unconfirmed_is_not_replaced_by_a_grade() -> None:
    assert facts_of(net(), grade(G1), ki67(12, status="preliminary")).ki67_percent.value is None


# --- mitoses ----------------------------------------------------------------------------------------------------------

DUTCH, PER_HPF = f"{SCT}|405920001", f"{SCT}|406094009"


def mitoses(facts: Facts) -> tuple[str, MitosisUnit] | None:
    value = facts.mitotic_count.value
    return (str(value.count), value.unit) if value else None


@pytest.mark.parametrize(
    ("code", "elements", "expected"),
    [
        (DUTCH, {"valueQuantity": percent(1, unit="/2mm2")}, ("1", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueQuantity": percent(1, unit="/(2.mm2)")}, ("1", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueQuantity": percent(1, unit="/2.mm2")}, ("1", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueQuantity": percent(2, "<", unit="/2mm2")}, ("≥ 0, < 2", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueString": "1 /2mm2"}, ("1", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueString": "< 2 / 2 mm2"}, ("≥ 0, < 2", MitosisUnit.PER_2_MM2)),
        (DUTCH, {"valueString": "3 per 10 HPF"}, ("3", MitosisUnit.PER_10_HPF)),
        (PER_HPF, {"valueQuantity": percent(3, unit=None)}, ("3", MitosisUnit.PER_10_HPF)),
        (PER_HPF, {"valueInteger": 3}, ("3", MitosisUnit.PER_10_HPF)),
        (
            f"{SCT}|371472000",
            {"valueRatio": {"numerator": {"value": 4}, "denominator": percent(2, unit="mm2")}},
            ("4", MitosisUnit.PER_2_MM2),
        ),
    ],
)
def test_a_count_keeps_the_area_it_was_counted_over(
    code: str, elements: dict[str, Any], expected: tuple[str, MitosisUnit]
) -> None:
    assert mitoses(facts_of(net(), observation(code, **elements))) == expected


def count(value: float, unit: str | None = "/2mm2", **elements: Any) -> Json:
    return observation(DUTCH, valueQuantity=percent(value, unit=unit), **elements)


def test_a_count_without_its_area_is_not_read_and_may_be_any_beside_another() -> None:
    gap = facts_of(net(), count(25, unit=None)).mitotic_count.gap
    assert gap is not None
    assert gap.kind is GapKind.INDETERMINATE
    assert mitoses(facts_of(net(), count(1), count(25, unit=None))) == ("1-1000", MitosisUnit.PER_2_MM2)


def test_the_highest_count_governs_and_a_preliminary_one_only_raises_the_upper_end() -> None:
    assert mitoses(facts_of(net(), count(1), count(4))) == ("4", MitosisUnit.PER_2_MM2)
    assert mitoses(facts_of(net(), count(1), count(25, status="preliminary"))) == (
        "1-25",
        MitosisUnit.PER_2_MM2,
    )


def test_counts_over_two_areas_are_not_converted_and_the_higher_is_never_hidden() -> None:
    per_hpf = observation(PER_HPF, valueQuantity=percent(30, unit=None))
    fact = facts_of(net(), count(1), per_hpf).mitotic_count
    assert fact.value is not None
    assert (str(fact.value.count), fact.value.unit) == ("30", MitosisUnit.PER_10_HPF)
    assert len(fact.discarded) == 1


def test_a_count_of_another_tumour_is_set_aside() -> None:
    cancer = condition(f"{ICD_CM}|C18.0")
    fact = facts_of(net(), cancer, count(40, focus=[ref(cancer)])).mitotic_count
    assert fact.value is None
    assert [item.reason for item in fact.discarded] == ["belongs to another tumour"]


KI67_PART = {"code": concept(f"{LOINC}|29593-1"), "valueQuantity": percent(15)}


def test_a_ki67_in_a_component_counts_where_the_parent_says_that_it_has_none() -> None:
    panel = observation(f"{LOINC}|29593-1", dataAbsentReason={"text": "see parts"}, component=[KI67_PART])
    assert interval(facts_of(net(), panel)) == "15"
    assert interval(facts_of(net(), ki67(2), panel)) == "15"


@pytest.mark.parametrize(
    "part",
    [
        {"code": KI67_PART["code"], "dataAbsentReason": {"text": "error"}},
        {"code": concept(f"{LOINC}|85319-2"), "valueQuantity": percent(15)},
        {"code": {"text": "Ki-67"}, "valueQuantity": percent(15)},
    ],
)
def test_a_component_that_is_no_ki67_value_of_its_own_is_none(part: Json) -> None:
    panel = observation(f"{LOINC}|29593-1", dataAbsentReason={"text": "see parts"}, component=[part])
    assert interval(facts_of(net(), ki67(2), panel)) == "2"


def test_a_stained_gene_counts_where_the_parent_says_that_it_has_no_value() -> None:
    gene = {
        "code": concept(f"{LOINC}|48018-6"),
        "valueCodeableConcept": concept("http://www.genenames.org|HGNC:7107"),
    }
    part = {"code": concept(f"{SCT}|1255078008"), "valueQuantity": percent(15)}
    absent = {"text": "see parts"}
    panel = observation(f"{SCT}|1234806008", dataAbsentReason=absent, component=[gene, part])
    assert interval(facts_of(net(), panel)) == "15"


def test_a_registry_item_that_is_said_to_be_absent_may_be_any_value() -> None:
    item = ki67("XXX.6", code=f"{NAACCR}|3863", dataAbsentReason={"text": "error"})
    assert interval(facts_of(net(), ki67(2), item)) == "2-100"


def test_a_ki67_component_labelled_as_another_marker_may_be_any_value() -> None:
    part = {"code": concept(f"{LOINC}|29593-1|Estrogen receptor"), "valueQuantity": percent(1)}
    panel = observation(f"{LOINC}|29593-1", dataAbsentReason={"text": "see parts"}, component=[part])
    assert interval(facts_of(net(), panel)) is None
    assert interval(facts_of(net(), ki67(2), panel)) == "2-100"
