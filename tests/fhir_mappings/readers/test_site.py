"""The primary site and its portal class (terminology.md 2 c, clinical.md 1.4)."""

import pytest

from fhir_mappings.facts import GapKind, PortalClass
from tests.builders import (
    ICD,
    ICD_CM,
    ICD_O,
    SCT,
    coded,
    concept,
    condition,
    extension,
    facts_of,
    histology,
    net,
    ref,
    specimen,
)

ILEUM, PANCREAS, LUNG, LIVER, BONE = (
    f"{SCT}|{code}" for code in ("34516001", "15776009", "39607008", "10200004", "272673000")
)
ANYWHERE = f"{SCT}|1288045008"  # well-differentiated NET, no site


@pytest.mark.parametrize(
    ("code", "site", "portal"),
    [
        ("C7A.012", "ileum", PortalClass.PORTAL),
        ("C7A.010", "duodenum", PortalClass.PORTAL),
        ("C7A.020", "appendix", PortalClass.PORTAL),
        ("C7A.025", "colon-sigmoid", PortalClass.PORTAL),
        ("C7A.095", "midgut", PortalClass.PORTAL),
        ("C7A.026", "rectum", PortalClass.NOT_PORTAL),
        ("C7A.090", "lung", PortalClass.NOT_PORTAL),
        ("C7A.091", "thymus", PortalClass.NOT_PORTAL),
        ("C7A.093", "kidney", PortalClass.NOT_PORTAL),
        ("C7A.092", "stomach", PortalClass.REVIEW),
        ("C7A.029", "large-intestine", PortalClass.UNKNOWN),
        ("C7A.094", "foregut", PortalClass.UNKNOWN),
        ("C7A.096", "hindgut", PortalClass.UNKNOWN),
        ("D3A.012", "ileum", PortalClass.PORTAL),
    ],
)
def test_a_code_names_its_site_and_the_site_its_portal_class(
    code: str, site: str, portal: PortalClass
) -> None:
    value = facts_of(condition(f"{ICD_CM}|{code}")).primary_site.value
    assert value is not None
    assert (value.sites, value.portal_class, value.classes) == ((site,), portal, (portal,))


@pytest.mark.parametrize("code", ["C7A.00", "C7A.098", "C7A.1", "C7A.8"])
def test_a_code_that_names_no_organ_is_no_site(code: str) -> None:
    assert facts_of(condition(f"{ICD_CM}|{code}")).primary_site.gap is not None


@pytest.mark.parametrize(
    ("region", "organ", "sites"),
    [
        ("C7A.094", "C7A.012", ("foregut", "ileum")),
        ("C7A.096", "C7A.012", ("hindgut", "ileum")),
        ("C7A.095", "C7A.012", ("ileum",)),  # a part of the midgut
        ("C7A.094", "C7A.010", ("duodenum",)),
    ],
)
def test_a_region_beside_an_organ_is_a_primary_of_its_own_unless_it_holds_the_organ(
    region: str, organ: str, sites: tuple[str, ...]
) -> None:
    found = facts_of(condition(f"{ICD_CM}|{region}"), condition(f"{ICD_CM}|{organ}")).primary_site.value
    assert found is not None
    assert found.sites == sites
    assert (found.portal_class is PortalClass.UNKNOWN) is (len(sites) > 1)


def test_the_body_site_names_the_organ_where_the_code_does_not() -> None:
    value = facts_of(condition(ANYWHERE, bodySite=[concept(PANCREAS)])).primary_site.value
    assert value is not None
    assert value.sites == ("pancreas",)


def test_a_broader_code_beside_a_precise_one_is_the_same_site() -> None:
    value = facts_of(condition(f"{ICD_CM}|C7A.019", bodySite=[concept(ILEUM)])).primary_site.value
    assert value is not None
    assert (value.sites, value.portal_class) == (("ileum",), PortalClass.PORTAL)


def test_a_contradiction_inside_one_diagnosis_is_for_review_at_every_site() -> None:
    fact = facts_of(net(bodySite=[concept(f"{ICD_O}|C34.1")])).primary_site
    assert fact.value is not None
    assert fact.value.classes == (PortalClass.REVIEW, PortalClass.REVIEW)
    assert [note.flag for note in fact.notes] == ["site-conflict"]


def test_two_primaries_keep_their_own_classes() -> None:
    value = facts_of(net(), condition(f"{ICD_CM}|C7A.090")).primary_site.value
    assert value is not None
    assert dict(zip(value.sites, value.classes, strict=True)) == {
        "ileum": PortalClass.PORTAL,
        "lung": PortalClass.NOT_PORTAL,
    }
    assert value.portal_class is PortalClass.NOT_PORTAL


@pytest.mark.parametrize("site", [LIVER, BONE, LUNG])
def test_the_site_of_a_metastasis_is_never_that_of_the_primary(site: str) -> None:
    metastasis = condition(
        f"{SCT}|128462008",
        bodySite=[concept(site)],
        extension=[extension("histology-morphology-behavior", f"{ICD_O}|8240/6")],
    )
    value = facts_of(net(), metastasis).primary_site.value
    assert value is not None
    assert value.sites == ("ileum",)
    assert facts_of(metastasis).primary_site.value is None


def test_an_mcode_secondary_condition_is_known_by_its_link_to_the_primary() -> None:
    primary = net()
    secondary = condition(
        ANYWHERE,
        bodySite=[concept(LUNG)],
        extension=[extension("related-primary-cancer-condition", target=primary)],
    )
    value = facts_of(primary, secondary).primary_site.value
    assert value is not None
    assert value.sites == ("ileum",)


def test_the_pathology_question_names_the_site_where_no_diagnosis_does() -> None:
    value = facts_of(condition(ANYWHERE), coded(f"{SCT}|399687005", ILEUM)).primary_site.value
    assert value is not None
    assert value.sites == ("ileum",)


def test_the_topography_beside_a_morphology_names_the_site_unless_it_is_liver_tissue() -> None:
    told = histology(f"{ICD_O}|8240/3-C17.2")
    assert facts_of(told).primary_site.value is not None
    biopsy = histology(f"{ICD_O}|8240/6", bodySite=concept(LIVER))
    assert facts_of(condition(ANYWHERE), biopsy).primary_site.value is None


def test_pathology_that_names_another_organ_makes_it_a_case_for_review() -> None:
    fact = facts_of(net(), coded(f"{SCT}|399687005", PANCREAS)).primary_site
    assert fact.value is not None
    assert fact.value.classes == (PortalClass.REVIEW,)
    assert len(fact.discarded) == 1


def test_pathology_of_another_tumour_names_no_site_of_the_net() -> None:
    tissue = specimen(f"{SCT}|32713005")
    fact = facts_of(
        net(),
        tissue,
        histology(f"{ICD_O}|8490/3", specimen=ref(tissue)),
        coded(f"{SCT}|399687005", f"{SCT}|32713005", specimen=ref(tissue)),
    ).primary_site
    assert fact.value is not None
    assert (fact.value.sites, fact.value.classes) == (("ileum",), (PortalClass.PORTAL,))


@pytest.mark.parametrize(
    ("code", "site"), [("Z85.060", "small-intestine"), ("Z85.110", "lung"), ("Z85.020", "stomach")]
)
def test_a_history_code_names_the_site_where_nothing_else_does(code: str, site: str) -> None:
    fact = facts_of(condition(ANYWHERE), condition(f"{ICD_CM}|{code}")).primary_site
    assert fact.value is not None
    assert fact.value.sites == (site,)
    assert [note.flag for note in fact.notes] == ["site-from-history"]


def test_a_history_of_another_carcinoid_is_a_conflict() -> None:
    fact = facts_of(net(), condition(f"{ICD_CM}|Z85.110")).primary_site
    assert fact.value is not None
    assert fact.value.portal_class is PortalClass.REVIEW


@pytest.mark.parametrize(
    ("verification", "portal"),
    [
        ("provisional", PortalClass.REVIEW),
        ("refuted", PortalClass.PORTAL),
        ("entered-in-error", PortalClass.PORTAL),
    ],
)
def test_an_unconfirmed_lung_carcinoid_takes_certainty_from_a_portal_site(
    verification: str, portal: PortalClass
) -> None:
    fact = facts_of(net(), condition(f"{ICD_CM}|C7A.090", verification=verification)).primary_site
    assert fact.value is not None
    assert (fact.value.sites, fact.value.portal_class) == (("ileum",), portal)
    assert len(fact.discarded) == 1


def test_an_unconfirmed_portal_site_does_not_soften_a_lung_primary() -> None:
    fact = facts_of(condition(f"{ICD_CM}|C7A.090"), net(verification="provisional")).primary_site
    assert fact.value is not None
    assert fact.value.portal_class is PortalClass.NOT_PORTAL


def test_only_an_unconfirmed_site_settles_nothing() -> None:
    gap = facts_of(net(verification="provisional")).primary_site.gap
    assert gap is not None
    assert gap.kind is GapKind.INDETERMINATE


def test_an_occult_primary_is_said_to_be_one() -> None:
    gap = facts_of(condition(f"{ICD_CM}|C7B.02"), condition(f"{ICD}|C80.0")).primary_site.gap
    assert gap is not None
    assert "occult" in gap.reason


# --- outside the United States the site stands in C17.x and the histology beside it -----------------------------------


def test_one_digestive_organ_beside_an_unlinked_net_histology_is_the_site_with_a_note() -> None:
    fact = facts_of(condition(f"{ICD}|C17.2"), histology(f"{ICD_O}|8240/3")).primary_site
    assert fact.value is not None
    assert fact.value.sites == ("ileum",)
    assert [note.flag for note in fact.notes] == ["site-inferred"]


@pytest.mark.parametrize("code", ["C50.9", "C34.1", "C61"])
def test_an_organ_of_another_cancer_is_never_taken_for_the_site_of_an_unlinked_net(code: str) -> None:
    facts = facts_of(condition(f"{ICD}|{code}"), histology(f"{ICD_O}|8240/3"))
    assert facts.primary_site.value is None


def test_two_organs_beside_an_unlinked_histology_settle_nothing_and_a_focus_does() -> None:
    ileum, sigmoid = condition(f"{ICD}|C17.2"), condition(f"{ICD}|C18.7")
    assert facts_of(ileum, sigmoid, histology(f"{ICD_O}|8240/3")).primary_site.value is None
    value = facts_of(ileum, sigmoid, histology(f"{ICD_O}|8240/3", focus=[ref(ileum)])).primary_site.value
    assert value is not None
    assert value.sites == ("ileum",)


def test_a_tumour_of_unstated_kind_is_the_net_where_a_net_histology_has_it_in_focus() -> None:
    primary = condition(f"{SCT}|363346000", bodySite=[concept(ILEUM)])
    facts = facts_of(primary, histology(f"{ICD_O}|8240/3", focus=[ref(primary)]))
    assert facts.primary_site.value is not None
    assert facts.primary_site.value.sites == ("ileum",)
    assert facts.other_malignancy.value is None
