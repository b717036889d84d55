"""Diagnosis, differentiation and grade (terminology.md 2 a, h; clinical.md 3, 7.4)."""

import pytest

from fhir_mappings.facts import Differentiation, GapKind, Grade, Presence
from fhir_mappings.site_profile import SiteProfile
from fhir_mappings.valueset import Concept, terminology
from tests.builders import (
    ICD,
    ICD_CM,
    ICD_GM,
    ICD_O,
    LOINC,
    MCODE,
    MII,
    SCT,
    Json,
    coded,
    condition,
    extension,
    facts_of,
    facts_of_prefetch,
    grade,
    histology,
    net,
    observation,
    patient,
    ref,
    report,
    searchset,
    specimen,
)

NET_G1 = f"{SCT}|1286769009"
NET_G2 = f"{SCT}|1286770005"
G1, G2, G3 = f"{SCT}|54102005", f"{SCT}|1663004", f"{SCT}|61026006"


# --- diagnosis --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"{ICD_CM}|C7A.012",
        f"{ICD_CM}|D3A.8",  # its tabular text includes "neuroendocrine tumor NOS"
        f"{ICD_CM}|C7A.1",
        f"{ICD_CM}|C7B.02",
        f"{ICD_CM}|C7B.8",
        "|C7A012",
        f"{SCT}|255046005",
        f"{SCT}|1290067005",
        f"{SCT}|1290060007",
    ],
)
def test_a_diagnosis_code_of_a_net_is_a_net(code: str) -> None:
    assert facts_of(condition(code)).neuroendocrine_tumour.value is Presence.PRESENT


@pytest.mark.parametrize("code", [f"{ICD}|C17.2", f"{ICD_CM}|C4A.9", f"{SCT}|110396000"])
def test_an_organ_a_merkel_cell_tumour_or_no_tumour_is_no_net(code: str) -> None:
    gap = facts_of(condition(code)).neuroendocrine_tumour.gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


@pytest.mark.parametrize("url", ["histology-morphology-behavior", "mcode-histology-morphology-behavior"])
def test_mcode_keeps_the_histology_in_an_extension(url: str) -> None:
    item = condition(f"{SCT}|363346000", extension=[extension(url.removeprefix("mcode-"), f"{ICD_O}|8240/3")])
    item["extension"][0]["url"] = f"http://hl7.org/fhir/us/mcode/StructureDefinition/{url}"
    assert facts_of(item).neuroendocrine_tumour.value is Presence.PRESENT


@pytest.mark.parametrize(
    "code", [f"{LOINC}|59847-4", f"{LOINC}|31206-6", f"{LOINC}|31205-8", f"{SCT}|512001000004108"]
)
@pytest.mark.parametrize("value", ["8240/3", "82403", "8240/6", "8249/3", "8240/1"])
def test_the_histology_of_a_pathology_observation_is_a_net(code: str, value: str) -> None:
    facts = facts_of(coded(code, f"{ICD_O}|{value}"))
    assert facts.neuroendocrine_tumour.value is Presence.PRESENT


def test_an_oid_and_a_combined_icd_o_code_are_understood() -> None:
    item = histology("urn:oid:2.16.840.1.113883.6.43.1|8240/3-C17.2")
    assert facts_of(item).neuroendocrine_tumour.value is Presence.PRESENT


def test_a_morphology_without_a_digestive_net_is_no_net() -> None:
    assert facts_of(histology(f"{ICD_O}|8140/3")).neuroendocrine_tumour.value is None


def test_only_a_refuted_diagnosis_says_that_there_is_none() -> None:
    assert facts_of(net(verification="refuted")).neuroendocrine_tumour.value is Presence.ABSENT


def test_a_refuted_diagnosis_beside_a_history_of_one_proves_nothing() -> None:
    facts = facts_of(net(verification="refuted"), condition(f"{ICD_CM}|Z85.060"))
    assert facts.neuroendocrine_tumour.gap is not None
    assert facts.neuroendocrine_tumour.gap.kind is GapKind.INDETERMINATE


def test_a_refuted_diagnosis_beside_a_confirmed_one_is_set_aside_by_name() -> None:
    refuted = net(verification="refuted")
    fact = facts_of(net(), refuted).neuroendocrine_tumour
    assert fact.value is Presence.PRESENT
    assert [(item.evidence.reference, item.reason) for item in fact.discarded] == [
        (f"Condition/{refuted['id']}", "refuted")
    ]


@pytest.mark.parametrize("verification", ["provisional", "unconfirmed"])
def test_an_unconfirmed_diagnosis_settles_nothing(verification: str) -> None:
    fact = facts_of(net(verification=verification)).neuroendocrine_tumour
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE
    assert fact.discarded


@pytest.mark.parametrize("verification", ["entered-in-error", "differential"])
def test_an_error_or_a_differential_is_dropped_and_listed(verification: str) -> None:
    fact = facts_of(net(verification=verification)).neuroendocrine_tumour
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.NOT_RECORDED
    assert [item.reason for item in fact.discarded] == [f"verification status is {verification}"]


def test_a_missing_status_counts_as_active_and_confirmed() -> None:
    assert facts_of(net(clinical=None, verification=None)).neuroendocrine_tumour.value is Presence.PRESENT


def test_a_net_in_remission_is_a_net_with_a_note() -> None:
    fact = facts_of(net(clinical="remission")).neuroendocrine_tumour
    assert fact.value is Presence.PRESENT
    assert [note.flag for note in fact.notes] == ["recorded-as-history"]


@pytest.mark.parametrize("status", ["preliminary", "registered", "entered-in-error", "cancelled"])
def test_a_histology_that_is_not_final_is_no_diagnosis(status: str) -> None:
    assert facts_of(histology(f"{ICD_O}|8240/3", status=status)).neuroendocrine_tumour.value is None


def test_a_histology_with_an_absent_reason_has_no_value() -> None:
    item = histology(f"{ICD_O}|8240/3", dataAbsentReason={"text": "not performed"})
    assert facts_of(item).neuroendocrine_tumour.value is None


def test_a_code_under_a_label_of_something_else_is_a_candidate_only() -> None:
    assert facts_of(net(f"{ICD_CM}|C7A.012|Essential hypertension")).neuroendocrine_tumour.value is None


# --- differentiation --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        (f"{ICD_O}|8240/3", Differentiation.NET),
        (f"{ICD_O}|8249/3", Differentiation.NET),  # G2 in ICD-O-3.2, G2 and G3 in WHO 2019: no grade
        (f"{ICD_O}|8013/3", Differentiation.NEC),
        (f"{ICD_O}|8041/3", Differentiation.NEC),
        (f"{ICD_O}|8246/3", Differentiation.NEC_OR_NET),
        (f"{ICD_O}|8244/3", Differentiation.MINEN),
        (NET_G1, Differentiation.NET_G1),
        (NET_G2, Differentiation.NET_G2),
        (f"{SCT}|128928004", Differentiation.UNSPECIFIED),
        (f"{SCT}|1286767006", Differentiation.NEC_OR_NET),
    ],
)
def test_a_morphology_says_how_well_the_tumour_is_differentiated(
    code: str, expected: Differentiation
) -> None:
    assert facts_of(histology(code)).differentiation.value is expected


def test_a_poorly_differentiated_code_is_a_carcinoma() -> None:
    assert facts_of(net(f"{ICD_CM}|C7A.1")).differentiation.value is Differentiation.NEC


def test_a_carcinoma_with_a_net_metastasis_code_stays_a_carcinoma() -> None:
    facts = facts_of(net(f"{ICD_CM}|C7A.1"), condition(f"{ICD_CM}|C7B.02"))
    assert facts.differentiation.value is Differentiation.NEC


def test_carcinoma_and_net_contradict_each_other() -> None:
    fact = facts_of(histology(f"{ICD_O}|8013/3"), histology(NET_G1)).differentiation
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.CONFLICTING
    assert len(fact.discarded) == 2


def test_pathology_outranks_a_vaguer_diagnosis() -> None:
    assert facts_of(net(), histology(NET_G1)).differentiation.value is Differentiation.NET_G1


@pytest.mark.parametrize("pair", [(NET_G1, NET_G2), (NET_G2, NET_G1)])
def test_the_highest_grade_governs_over_pathology_and_diagnosis(pair: tuple[str, str]) -> None:
    facts = facts_of(histology(pair[0]), net(pair[1]))
    assert facts.differentiation.value is Differentiation.NET_G2


def test_a_site_s_own_code_for_net_g3_in_a_diagnosis_outranks_g1_of_pathology() -> None:
    own = terminology().with_codes({"histology-net-g3": [Concept("urn:lab", "G3NET", "NET G3")]})
    facts = facts_of(histology(NET_G1), net("urn:lab|G3NET"), profile=SiteProfile("lab", own))
    assert facts.differentiation.value is Differentiation.NET_G3


def test_carcinoma_of_unstated_differentiation_in_pathology_is_not_settled_by_a_grade_beside_it() -> None:
    facts = facts_of(histology(f"{ICD_O}|8246/3"), histology(NET_G1))
    assert facts.differentiation.value is Differentiation.NEC_OR_NET


def test_an_unconfirmed_worse_histology_takes_certainty_away() -> None:
    fact = facts_of(histology(NET_G1), histology(f"{ICD_O}|8013/3", status="preliminary")).differentiation
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.CONFLICTING


def test_an_unconfirmed_better_histology_changes_nothing() -> None:
    fact = facts_of(histology(NET_G2), histology(NET_G1, status="preliminary")).differentiation
    assert fact.value is Differentiation.NET_G2
    assert [item.reason for item in fact.discarded] == ["status is preliminary"]


def test_a_german_tumour_has_its_site_in_icd_10_and_its_histology_beside_it() -> None:
    primary = condition(f"{ICD_GM}|C17.2")
    facts = facts_of(primary, histology(f"{ICD_O}|8240/3", focus=[ref(primary)]))
    assert facts.differentiation.value is Differentiation.NET
    assert facts.primary_site.value is not None
    assert facts.primary_site.value.sites == ("ileum",)


# --- grade ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "code",
    [
        f"{LOINC}|33732-9",
        f"{LOINC}|59542-1",
        f"{LOINC}|21858-6",
        f"{SCT}|371469007",
        f"{SCT}|490401000146101",
        "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl|C18000",
    ],
)
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (G1, Grade.G1),
        (G2, Grade.G2),
        (G3, Grade.G3),
        (f"{SCT}|258245003", Grade.G4),
        (f"{SCT}|1228848004", Grade.G1),
        (f"{SCT}|1228850007", Grade.G2),
        (f"{MII}grading|2", Grade.G2),
    ],
)
def test_a_grade_is_read_under_every_code_of_it(code: str, value: str, expected: Grade) -> None:
    found = facts_of(net(), coded(code, value)).histologic_grade.value
    assert found is not None
    assert found.grade is expected


@pytest.mark.parametrize(
    "value", [f"{SCT}|1228845001", f"{SCT}|1155708003", f"{MII}grading|L", f"{SCT}|1228848002"]
)
def test_gx_a_two_tier_grade_and_a_code_with_a_wrong_check_digit_are_no_grade(value: str) -> None:
    assert facts_of(net(), grade(value)).histologic_grade.value is None


def test_a_two_tier_low_is_no_g1_and_gives_no_ki67() -> None:
    facts = facts_of(histology(f"{ICD_O}|8240/3"), grade(f"{SCT}|1155708003"))
    assert facts.histologic_grade.gap is not None
    assert facts.histologic_grade.gap.kind is GapKind.INDETERMINATE
    assert facts.ki67_percent.value is None


@pytest.mark.parametrize("other", [f"{SCT}|1155707008", f"{SCT}|1286893008", "urn:lab|HG"])
def test_a_high_intermediate_or_unread_grade_takes_certainty_from_g1(other: str) -> None:
    fact = facts_of(net(), grade(G1), grade(other)).histologic_grade
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.CONFLICTING
    assert len(fact.discarded) == 2


def test_a_low_or_missing_grade_takes_nothing_from_g3() -> None:
    empty = observation(f"{LOINC}|33732-9", dataAbsentReason={"text": "unknown"})
    found = facts_of(net(), grade(G3), grade(f"{SCT}|1155708003"), empty).histologic_grade
    assert found.value is not None
    assert found.value.grade is Grade.G3
    assert len(found.discarded) == 2


@pytest.mark.parametrize(
    ("status", "expected"), [("final", Grade.G3), ("preliminary", None), ("cancelled", Grade.G1)]
)
def test_the_highest_grade_governs_and_a_preliminary_one_takes_certainty(
    status: str, expected: Grade | None
) -> None:
    fact = facts_of(net(), grade(G1), grade(G3, status=status)).histologic_grade
    assert (fact.value.grade if fact.value else None) is expected
    assert len(fact.discarded) >= 1


def test_the_grade_of_another_tumour_in_the_same_report_is_not_the_net_s() -> None:
    ileum, caecum = specimen(f"{SCT}|34516001"), specimen(f"{SCT}|32713005")
    items = [
        histology(NET_G1, specimen=ref(ileum)),
        grade(G1, specimen=ref(ileum)),
        histology(f"{ICD_O}|8490/3", specimen=ref(caecum)),
        grade(G3, specimen=ref(caecum)),
    ]
    fact = facts_of(net(), ileum, caecum, *items, report(f"{LOINC}|60568-3", *items)).histologic_grade
    assert fact.value is not None
    assert fact.value.grade is Grade.G1
    assert [item.reason for item in fact.discarded] == ["belongs to another tumour"]


def test_a_grade_that_nothing_assigns_to_one_of_two_tumours_settles_nothing() -> None:
    fact = facts_of(net(), histology(f"{ICD_O}|8490/3"), grade(G1)).histologic_grade
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE


def test_an_unassigned_grade_is_ambiguous_as_soon_as_another_cancer_is_coded() -> None:
    assert facts_of(net(), condition(f"{ICD_CM}|C50.911"), grade(G1)).histologic_grade.value is None


@pytest.mark.parametrize(("doubtful", "expected"), [(G1, Grade.G2), (G2, Grade.G2), (G3, None)])
def test_a_doubtful_grade_takes_certainty_only_from_a_lower_one(
    doubtful: str, expected: Grade | None
) -> None:
    fact = facts_of(net(), grade(G2), grade(doubtful, status="preliminary")).histologic_grade
    assert (fact.value.grade if fact.value else None) is expected


@pytest.mark.parametrize(("firm", "expected"), [(G2, None), (G3, Grade.G3), (f"{SCT}|258245003", Grade.G4)])
def test_a_grade_that_cannot_be_read_may_be_g3_and_no_more(firm: str, expected: Grade | None) -> None:
    fact = facts_of(net(), grade(firm), grade("urn:lab|HG")).histologic_grade
    assert (fact.value.grade if fact.value else None) is expected


@pytest.mark.parametrize("label", ["G3", "Grad III", "poorly differentiated"])
def test_a_grade_labelled_as_another_is_unknown_and_named(label: str) -> None:
    mislabelled = grade(f"{G1}|{label}")
    facts = facts_of(net(), grade(G1), mislabelled)
    assert facts.histologic_grade.value is None
    assert [item.reference for item in facts.issues] == [f"Observation/{mislabelled['id']}"]


def test_the_newest_day_of_the_highest_grade_is_its_day() -> None:
    value = facts_of(
        net(), grade(G2, on="2026-01-01"), grade(G2), grade(G1, on="2026-11-01")
    ).histologic_grade.value
    assert value is not None
    assert str(value.date) == "2026-10-20"


# --- histology in words -----------------------------------------------------------------------------------------------

HISTOLOGY = "histology-morphology-behavior"


def in_words(concept: Json) -> Json:
    return {"url": f"{MCODE}{HISTOLOGY}", "valueCodeableConcept": concept}


@pytest.mark.parametrize(
    "concept",
    [
        {"text": "Small cell neuroendocrine carcinoma"},
        {
            "text": "Neuroendocrine tumour, G1"
        },  # words never give a value, and this reader cannot tell them apart
        {"coding": [{"display": "Large cell neuroendocrine carcinoma"}]},
        {"coding": [{"system": ICD_O, "code": "8240/3", "display": "Small cell carcinoma"}]},
        {"coding": [{"system": ICD_O, "code": "8240/3"}], "text": "No neuroendocrine tumour"},
    ],
)
def test_an_extension_in_words_takes_certainty_from_differentiation_and_grade(concept: Json) -> None:
    primary = net(extension=[in_words(concept)])
    facts = facts_of(primary, histology(NET_G1), grade(G1))
    assert facts.neuroendocrine_tumour.value is Presence.PRESENT
    for fact in (facts.differentiation, facts.histologic_grade):
        assert fact.value is None
        assert f"Condition/{primary['id']}" in {item.evidence.reference for item in fact.discarded}
    assert facts.ki67_percent.value is None


def test_an_extension_with_a_code_and_fitting_words_keeps_its_value() -> None:
    fitting = {"coding": [{"system": ICD_O, "code": "8240/3", "display": "Carcinoid tumor"}], "text": "pNET"}
    assert facts_of(net(extension=[in_words(fitting)])).differentiation.value is Differentiation.NET


def test_the_words_of_another_or_a_refuted_tumour_take_nothing_from_the_net() -> None:
    words = [in_words({"text": "Invasive ductal carcinoma"})]
    breast = condition(f"{ICD_CM}|C50.911", extension=words)
    refuted = condition(f"{ICD_CM}|C7A.1", verification="refuted", extension=words)
    for other in (breast, refuted):
        assert facts_of(net(), histology(NET_G1), other).differentiation.value is Differentiation.NET_G1


def test_the_words_beside_a_metastasis_of_the_net_take_certainty_away() -> None:
    metastasis = condition(f"{ICD_CM}|C7B.02", extension=[in_words({"text": "Poorly differentiated"})])
    assert facts_of(net(), histology(NET_G1), metastasis).differentiation.value is None


def test_an_extension_that_is_no_histology_takes_nothing_away() -> None:
    primary = net()
    metastasis = condition(
        f"{ICD_CM}|C7B.02", extension=[extension("related-primary-cancer-condition", target=primary)]
    )
    assert facts_of(primary, metastasis, histology(NET_G1)).differentiation.value is Differentiation.NET_G1


def test_the_words_beside_a_german_site_code_take_certainty_from_its_histology() -> None:
    site = condition(f"{ICD}|C17.2", extension=[in_words({"text": "kleinzellig"})])
    assert facts_of(site, histology(NET_G1, focus=[ref(site)])).differentiation.value is None


def test_a_tumour_known_only_by_a_mislabelled_histology_is_in_doubt() -> None:
    lying = {"coding": [{"system": ICD_O, "code": "8240/3", "display": "Adenocarcinoma"}]}
    fact = facts_of(condition(f"{SCT}|363346000", extension=[in_words(lying)])).neuroendocrine_tumour
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE


def test_a_refuted_no_tumour_is_neither_a_tumour_nor_none() -> None:
    denied = condition(f"{ICD_CM}|C7A.012|No neuroendocrine tumour of the ileum", verification="refuted")
    fact = facts_of(denied).neuroendocrine_tumour
    assert fact.value is None
    assert fact.gap is not None
    assert fact.gap.kind is GapKind.INDETERMINATE


LOW = f"{SCT}|1155708003"


@pytest.mark.parametrize(
    "silent",
    [
        grade(LOW),
        grade(f"{SCT}|1228845001"),
        grade(f"{SCT}|1228845001", dataAbsentReason={"text": "error"}),
        observation(f"{LOINC}|33732-9", dataAbsentReason={"text": "error"}),
        observation(f"{LOINC}|33732-9"),
    ],
)
def test_a_low_gx_or_missing_grade_takes_nothing_from_g1(silent: Json) -> None:
    found = facts_of(net(), grade(G1), silent).histologic_grade
    assert found.value is not None
    assert found.value.grade is Grade.G1


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (LOW, "is of a two-tier or three-tier scale, which is not G1 to G3"),
        ("urn:lab|HG", "holds no grade that can be read"),
    ],
)
def test_a_grade_that_gives_none_says_why(value: str, reason: str) -> None:
    gap = facts_of(net(), grade(value)).histologic_grade.gap
    assert gap is not None
    assert gap.reason == f"Histologic grade: the entry on record {reason}."


def test_observations_that_were_not_sent_hide_a_tumour_only_where_something_hints_at_one() -> None:
    whole = {"patient": patient(), "conditions": searchset()}
    hinted = {**whole, "conditions": searchset(condition(f"{ICD_CM}|C78.7"))}
    unread = {**whole, "observations": searchset(observation(f"{LOINC}|59847-4", valueString="NEC"))}
    cases = (
        (whole, GapKind.NOT_RECORDED),
        (hinted, GapKind.NOT_SENT),
        (unread, GapKind.UNREADABLE),
        ({"patient": patient()}, GapKind.NOT_SENT),
    )
    for prefetch, kind in cases:
        gap = facts_of_prefetch(prefetch).neuroendocrine_tumour.gap
        assert gap is not None
        assert gap.kind is kind
