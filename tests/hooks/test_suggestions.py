"""Draft orders: valid R4, drafts only, and only the referral recommended."""

import csv
import json
from importlib.resources import files
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.suggestions import suggestions
from fhir_mappings.drafts import draft_order, drafts
from fhir_mappings.facts import OrderKind
from tests.hooks.assessments import TENANT, assessment, facts
from tests.hooks.calls import empty_members

CARD = UUID("61b32833-578d-5899-9cae-4074640bcd84")
CODES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "codes.csv"


def offered() -> list[dict[str, Any]]:
    return [dict(item) for item in suggestions(assessment(Verdict.MEETS), facts(), CARD, TENANT, ())]


def test_each_order_is_one_suggestion_with_one_create_action() -> None:
    made = offered()
    assert len(made) == len(OrderKind)
    for item in made:
        assert set(item) <= {"label", "uuid", "isRecommended", "actions"}
        (action,) = item["actions"]
        assert set(action) == {"type", "description", "resource"}
        assert action["type"] == "create"
        assert list(empty_members(item)) == []


def test_every_draft_is_valid_r4_with_an_id_and_never_an_order() -> None:
    for item in offered():
        resource = item["actions"][0]["resource"]
        ServiceRequest.model_validate(resource)
        assert UUID(resource["id"])
        assert (resource["status"], resource["intent"]) == ("draft", "proposal")
        assert resource["subject"] == {"reference": "Patient/p1"}
        assert resource["authoredOn"] == "2026-11-23"


def test_the_referral_names_both_conditions_and_what_was_used() -> None:
    referral = offered()[0]
    resource = referral["actions"][0]["resource"]
    assert resource["code"]["coding"][0]["code"] == "306316000"
    assert resource["reasonReference"] == [{"reference": "Condition/net"}, {"reference": "Condition/liver"}]
    assert resource["supportingInfo"] == [{"reference": "Observation/ki67"}]


def test_only_the_referral_is_recommended() -> None:
    recommended = [item["label"] for item in offered() if item.get("isRecommended")]
    assert recommended == ["Draft a referral for liver-transplant evaluation"]


def test_no_order_no_suggestion() -> None:
    assert suggestions(assessment(Verdict.OUTSIDE, orders=()), facts(), CARD, TENANT, ()) == []


@pytest.mark.parametrize(
    "reference", ["#contained", "urn:uuid:x", "https://evil.test/Observation/1", "Observation/a b", ""]
)
def test_a_reference_that_is_not_relative_is_left_out(reference: str) -> None:
    order = draft_order(
        OrderKind.KI67,
        order_id=CARD,
        patient="Patient/p1",
        reasons=[reference],
        used=[reference, "Observation/1"],
    )
    ServiceRequest.model_validate(order)
    assert "reasonReference" not in order
    assert order["supportingInfo"] == [{"reference": "Observation/1"}]


def test_a_reason_is_of_a_type_that_fhir_allows() -> None:
    order = draft_order(
        OrderKind.KI67, order_id=CARD, patient="Patient/p1", reasons=["Procedure/1", "Condition/1"]
    )
    assert order["reasonReference"] == [{"reference": "Condition/1"}]


def test_changing_one_draft_changes_no_other() -> None:
    first = draft_order(OrderKind.KI67, order_id=CARD, patient="Patient/p1")
    first["code"]["text"] = "changed"
    assert draft_order(OrderKind.KI67, order_id=CARD, patient="Patient/p1")["code"] != first["code"]


def test_every_kind_of_order_has_a_draft_with_a_text() -> None:
    assert set(drafts()) == set(OrderKind)
    assert all(draft.label and draft.description and draft.code["text"] for draft in drafts().values())


@pytest.mark.skipif(not CODES.is_file(), reason="the verified code list is not beside this checkout")
def test_every_code_is_one_that_was_verified_with_its_display() -> None:
    with CODES.open(encoding="utf-8", newline="") as file:
        known = {
            (row["system"], row["code"], row["display"])
            for row in csv.DictReader(file)
            if row["verified"] == "yes"
        }
    loaded = json.loads((files("fhir_mappings") / "drafts.json").read_text(encoding="utf-8"))
    used = {
        (coding["system"], coding["code"], coding["display"])
        for draft in loaded.values()
        for coding in draft["code"].get("coding", [])
    }
    assert used <= known
