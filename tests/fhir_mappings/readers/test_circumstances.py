"""Circumstances that a board has to see: read where an active entry says so, in doubt where it is unconfirmed."""

from typing import Any

import pytest

from fhir_mappings.facts import EndOfLifeCare, Fact, GapKind, Presence
from fhir_mappings.site_profile import SiteProfile
from fhir_mappings.valueset import Concept, terminology
from tests.builders import ICD_CM, SCT, Json, condition, facts_of, order, procedure

CODES = {
    "end_of_life_care": ["Z51.5"],
    "pregnancy": ["Z32.01", "Z33.1", "Z33.3", "Z34.82", "Z3A.24", "O09.512", "O9A.113"],
    "hereditary_syndrome": ["E31.2", "E31.20", "E31.21", "Q85.83"],
    "general_comorbidity": [
        *("I50.22", "I27.0", "I27.21", "J96.11", "Z99.81", "A41.9", "R65.21", "Z68.41", "Z68.45", "E66.813"),
        *("F10.20", "F11.23", "F19.29"),
    ],
}
NEIGHBOURS = {
    "end_of_life_care": ["Z51.6", "Z51.11", "Z66"],  # not resuscitating is no care of its own
    "pregnancy": ["Z32.02", "Z33.2", "O80", "Z39.2", "O9A.12", "O9A.13"],  # not pregnant, or no longer
    "hereditary_syndrome": ["E31.22", "E31.23", "Q85.81", "E31.1"],
    "general_comorbidity": [
        "Z68.39",
        "F10.21",
        "F17.210",
        "J96.01",
        "E66.01",
        "I27.81",
    ],  # remission, BMI < 40
}
FACTS = sorted(CODES)


def given(name: str, code: str, **elements: Any) -> Fact[Any]:
    on = {"onsetDateTime": "2026-06-01"} | elements
    found: Fact[Any] = getattr(facts_of(condition(f"{ICD_CM}|{code}", **on)), name)
    return found


@pytest.mark.parametrize(("name", "code"), [(name, code) for name in FACTS for code in CODES[name]])
def test_every_kind_of_code_counts_for_its_own_fact_and_no_other(name: str, code: str) -> None:
    assert given(name, code).value is not None
    assert [other for other in FACTS if given(other, code).value is not None] == [name]


@pytest.mark.parametrize(("name", "code"), [(name, code) for name in FACTS for code in NEIGHBOURS[name]])
def test_a_neighbouring_code_says_nothing(name: str, code: str) -> None:
    gap = given(name, code).gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


@pytest.mark.parametrize("name", FACTS)
@pytest.mark.parametrize(
    ("elements", "kind"),
    [
        ({"verification": "refuted"}, GapKind.NOT_RECORDED),
        ({"clinical": "resolved"}, GapKind.NOT_RECORDED),
        ({"verification": "entered-in-error"}, GapKind.NOT_RECORDED),
        ({"verification": "provisional"}, GapKind.INDETERMINATE),
        ({"verification": "provisional", "clinical": "resolved"}, GapKind.NOT_RECORDED),
    ],
)
def test_what_is_refuted_over_or_unconfirmed_is_not_present_and_is_listed(
    name: str, elements: dict[str, str], kind: GapKind
) -> None:
    found = given(name, CODES[name][0], **elements)
    assert found.gap is not None
    assert found.gap.kind is kind
    assert len(found.discarded) == 1


# --- palliative care is no hospice ------------------------------------------------------------------------------------

HOSPICE = Concept("urn:our-hospital", "HOSP", "Hospice, our code")


def with_hospice_code() -> SiteProfile:
    return SiteProfile("our hospital", terminology().with_codes({"hospice-care": [HOSPICE]}))


def hospice(**elements: Any) -> Json:
    return condition(f"{HOSPICE.system}|{HOSPICE.code}", **elements)


def test_palliative_care_is_not_taken_for_hospice_care() -> None:
    assert given("end_of_life_care", "Z51.5").value is EndOfLifeCare.PALLIATIVE


def test_a_site_names_its_own_code_of_hospice_care_and_it_outweighs_palliative_care() -> None:
    assert facts_of(hospice()).end_of_life_care.value is None
    both = (condition(f"{ICD_CM}|Z51.5"), hospice())
    assert facts_of(*both, profile=with_hospice_code()).end_of_life_care.value is EndOfLifeCare.HOSPICE


def test_hospice_care_that_ended_leaves_palliative_care() -> None:
    both = (condition(f"{ICD_CM}|Z51.5"), hospice(clinical="resolved"))
    assert facts_of(*both, profile=with_hospice_code()).end_of_life_care.value is EndOfLifeCare.PALLIATIVE


# --- a pregnancy ends -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        ("2026-11-23", Presence.PRESENT),
        ("2026-01-23", Presence.PRESENT),  # ten months to the day
        ("2026-01-22", None),
        ("2026-01", Presence.PRESENT),  # may be the 31st
        ("2025-12", None),
        (None, Presence.PRESENT),
    ],
)
def test_a_pregnancy_of_more_than_ten_months_ago_is_over(day: str | None, expected: Presence | None) -> None:
    found = given("pregnancy", "Z33.1", onsetDateTime=day)
    assert found.value is expected
    assert len(found.discarded) == (0 if expected else 1)


def test_an_unconfirmed_pregnancy_of_long_ago_is_no_doubt() -> None:
    gap = given("pregnancy", "Z33.1", onsetDateTime="2024-01-01", verification="provisional").gap
    assert gap is not None
    assert gap.kind is GapKind.NOT_RECORDED


# --- a decision against a transplantation -----------------------------------------------------------------------------

REFERRAL, TRANSPLANTATION = f"{SCT}|306316000", f"{SCT}|18027006"
DONATION = f"{SCT}|105463007"


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        (order(REFERRAL, doNotPerform=True), Presence.PRESENT),
        (order(f"{REFERRAL}|Referral for liver transplantation", doNotPerform=True), Presence.PRESENT),
        (order(f"{REFERRAL}|Kidney transplant referral", doNotPerform=True), None),
        (order(REFERRAL), None),
        (order(REFERRAL, doNotPerform=False), None),
        (order(REFERRAL, status="revoked", doNotPerform=True), None),
        (procedure(TRANSPLANTATION, status="not-done"), Presence.PRESENT),
        (procedure(TRANSPLANTATION), None),
        (procedure(TRANSPLANTATION, status="on-hold"), None),
        (procedure(TRANSPLANTATION, DONATION, status="not-done"), None),  # of a donor
        (condition(f"{ICD_CM}|Z53.20"), None),  # of which procedure, it does not say
    ],
)
def test_an_order_not_to_refer_or_a_transplantation_not_done_is_a_decision_against_it(
    item: Json, expected: Presence | None
) -> None:
    assert facts_of(item).transplant_refusal.value is expected


def test_a_decision_of_doubtful_standing_is_in_doubt_and_listed() -> None:
    found = facts_of(order(REFERRAL, status="unknown", doNotPerform=True)).transplant_refusal
    assert found.gap is not None
    assert found.gap.kind is GapKind.INDETERMINATE
    assert len(found.discarded) == 1
