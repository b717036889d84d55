"""A resection that was not meant to cure is no curative resection by itself; an intent that is absent changes nothing."""

from typing import Any

import pytest

from fhir_mappings.facts import Fact, Intent, PrimaryResection, ResidualStatus
from fhir_mappings.site_profile import SiteProfile
from fhir_mappings.valueset import Concept, terminology
from tests.builders import (
    ICD_CM,
    MII,
    SCT,
    Json,
    concept,
    condition,
    extension,
    facts_of,
    net,
    procedure,
    ref,
)

ILEOCOLIC, R0 = f"{SCT}|276190007", concept(f"{SCT}|258254000")
CURATIVE, PALLIATIVE, OTHER = f"{SCT}|373808002", f"{SCT}|363676003", f"{SCT}|11111111111111"
MII_URL = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/StructureDefinition/mii-ex-onko-operation-intention"
UNKNOWN = f"{SCT}|261665006"


def resection(*others: Json, **elements: Any) -> Fact[PrimaryResection]:
    return facts_of(net(), procedure(ILEOCOLIC, outcome=R0, **elements), *others).primary_resection


def intent(*others: Json, **elements: Any) -> Intent:
    value = resection(*others, **elements).value
    assert value is not None
    assert (value.performed, value.residual) == (True, ResidualStatus.R0)
    return value.intent


def mcode(*codes: str) -> dict[str, Any]:
    return {"extension": [extension("procedure-intent", *codes)]}


def mii(letter: str) -> dict[str, Any]:
    return {"extension": [{"url": MII_URL, "valueCodeableConcept": concept(f"{MII}intention|{letter}")}]}


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({}, Intent.NOT_STATED),
        (mcode(CURATIVE), Intent.CURATIVE),
        (mcode(PALLIATIVE), Intent.PALLIATIVE),
        (mcode(CURATIVE, PALLIATIVE), Intent.PALLIATIVE),
        (mcode(OTHER), Intent.UNREAD),
        (mcode(UNKNOWN), Intent.NOT_STATED),
        (mii("K"), Intent.CURATIVE),
        (mii("P"), Intent.PALLIATIVE),
        (mii("S"), Intent.UNREAD),
        ({"extension": [extension("treatment-intent", PALLIATIVE)]}, Intent.PALLIATIVE),
        ({"extension": [extension("body-location-qualifier", PALLIATIVE)]}, Intent.NOT_STATED),
        ({"extension": [extension("histology-morphology-behavior", OTHER)]}, Intent.NOT_STATED),
        ({"extension": [{"url": MII_URL, "valueCode": "palliative"}]}, Intent.PALLIATIVE),
        ({"extension": [{"url": MII_URL, "valueString": "best effort"}]}, Intent.UNREAD),
        ({"extension": [{"url": MII_URL, "valueCoding": concept(CURATIVE)["coding"][0]}]}, Intent.CURATIVE),
        ({"category": concept(PALLIATIVE)}, Intent.PALLIATIVE),
        ({"category": concept(f"{SCT}|387713003|Surgical procedure")}, Intent.NOT_STATED),
        ({"reasonCode": [concept(PALLIATIVE)]}, Intent.PALLIATIVE),
        ({"reasonCode": [concept(text="Bleeding"), concept(f"{ICD_CM}|Z51.5")]}, Intent.PALLIATIVE),
        ({"reasonCode": [concept(text="Debulking of the mesenteric mass")]}, Intent.PALLIATIVE),
        ({"reasonCode": [concept(text="Bowel obstruction")]}, Intent.NOT_STATED),
        ({"code": concept(f"{ILEOCOLIC}|Palliative ileocolic resection")}, Intent.PALLIATIVE),
        ({"code": concept(ILEOCOLIC, text="Ileocolic resection, CYTOREDUCTIVE")}, Intent.PALLIATIVE),
    ],
)
def test_the_intent_is_read_from_its_extension_the_category_the_reason_and_the_words(
    elements: dict[str, Any], expected: Intent
) -> None:
    assert intent(**elements) is expected


def test_a_reason_that_points_to_palliative_care_is_one() -> None:
    care = condition(f"{ICD_CM}|Z51.5")
    assert intent(care, reasonReference=[ref(care)]) is Intent.PALLIATIVE
    assert intent(care) is Intent.NOT_STATED


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        ({"verification": "entered-in-error"}, Intent.NOT_STATED),
        ({"verification": "refuted"}, Intent.NOT_STATED),
        ({"verification": "provisional"}, Intent.PALLIATIVE),
        ({"clinical": "resolved"}, Intent.PALLIATIVE),
    ],
)
def test_a_reason_that_was_withdrawn_is_none_and_one_that_has_ended_is_one(
    elements: dict[str, str], expected: Intent
) -> None:
    care = condition(f"{ICD_CM}|Z51.5", **elements)
    assert intent(care, reasonReference=[ref(care)]) is expected


def test_a_diagnostic_intent_in_german_letters_is_no_resection() -> None:
    found = resection(**mii("D"))
    assert found.value is None
    assert [item.reason for item in found.discarded] == ["for diagnosis only"]


def test_another_operation_without_an_intent_or_with_a_better_one_takes_nothing_back() -> None:
    for other in (procedure(ILEOCOLIC, outcome=R0), procedure(ILEOCOLIC, outcome=R0, **mcode(CURATIVE))):
        assert intent(other, **mcode(PALLIATIVE)) is Intent.PALLIATIVE


def test_palliative_outweighs_an_intent_that_is_not_read() -> None:
    assert intent(procedure(ILEOCOLIC, outcome=R0, **mcode(OTHER)), **mcode(PALLIATIVE)) is Intent.PALLIATIVE


def test_a_site_s_own_code_of_hospice_care_is_a_reason_too() -> None:
    ours = Concept("urn:our-hospital", "HOSP", "Hospice, our code")
    site = SiteProfile("our hospital", terminology().with_codes({"hospice-care": [ours]}))
    operation = procedure(ILEOCOLIC, outcome=R0, reasonCode=[concept("urn:our-hospital|HOSP")])
    value = facts_of(net(), operation, profile=site).primary_resection.value
    assert value is not None
    assert value.intent is Intent.PALLIATIVE


def test_one_operation_of_stated_intent_does_not_speak_for_another() -> None:
    assert intent(procedure(ILEOCOLIC, outcome=R0), **mcode(CURATIVE)) is Intent.NOT_STATED


def test_an_operation_elsewhere_says_nothing_of_the_intent_here() -> None:
    pancreas = procedure(f"{SCT}|401004", outcome=R0, **mcode(PALLIATIVE))
    assert intent(pancreas) is Intent.NOT_STATED


def test_the_element_that_states_it_is_evidence() -> None:
    found = resection(reasonCode=[concept(text="debulking")]).evidence
    assert [item.value for item in found if item.element == "reasonCode"] == ["palliative or debulking"]


def test_a_reason_in_an_odd_shape_is_mended_and_read() -> None:
    assert intent(reasonCode=concept(PALLIATIVE)) is Intent.PALLIATIVE
