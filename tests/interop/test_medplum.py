"""Medplum's own client calls the service over HTTP: discovery, prefetch that it fetches itself, and the card."""

from typing import Any

import pytest

from cds_service.demo.fhir import PREFIX
from cds_service.hooks.services import SERVICES
from fhir_mappings.record import PARTS
from tests.commands import running
from tests.node import Node

Json = dict[str, Any]
SERVICE = SERVICES[0].id


def called(node: Node, base: str, patient: str) -> Json:
    given = {"base": base, "fhirPath": PREFIX.lstrip("/"), "patient": patient, "practitioner": "example"}
    found: Json = node.run("medplum.mjs", given)
    return found


@pytest.fixture(scope="module")
def answered(node: Node) -> dict[str, Json]:
    """What three sample patients get."""
    with running("demo") as (_, address):
        base = address.removesuffix("cds-services")
        patients = ("meets", "us-core-diagnosis-codes-only", "no-net")
        return {patient: called(node, base, patient) for patient in patients}


def test_medplum_finds_the_services(answered: dict[str, Json]) -> None:
    assert [item["id"] for item in answered["meets"]["services"]] == [service.id for service in SERVICES]


def test_medplum_sends_prefetch_alone_and_gets_the_card(answered: dict[str, Json]) -> None:
    found = answered["meets"]
    assert set(found["request"]) == {"hook", "hookInstance", "context", "prefetch"}
    assert set(found["request"]["prefetch"]) == set(PARTS)
    (card,) = found["cards"]
    assert card["summary"].startswith("Meets recorded Milan-NET")
    assert card["suggestions"][0]["actions"][0]["resource"]["resourceType"] == "ServiceRequest"
    assert answered["no-net"]["cards"] == []


def test_null_where_medplum_found_nothing_gives_the_same_card(answered: dict[str, Json]) -> None:
    found = answered["us-core-diagnosis-codes-only"]
    assert None in found["withNulls"]["prefetch"].values()
    (card,) = found["cards"]
    assert card["extension"]["org.milan-net.assessment"]["verdict"] == "incomplete"
    assert found["cardsWithNulls"] == [card]


def test_medplum_asks_for_fhir_json_and_takes_json(answered: dict[str, Json]) -> None:
    calls = [call for call in answered["meets"]["calls"] if call["path"].startswith("/cds-services")]
    assert [(call["method"], call["path"], call["status"]) for call in calls] == [
        ("GET", "/cds-services", 200),
        ("POST", f"/cds-services/{SERVICE}", 200),
        ("POST", f"/cds-services/{SERVICE}", 200),
    ]
    assert {call["accept"] for call in calls} == {"application/fhir+json, */*; q=0.1"}
    assert {call.get("contentType") for call in calls} == {None, "application/json"}
