"""A FHIR server in a process of its own: with every sample patient, it gives exactly the cards that the prefetch gives.

The demonstration's endpoint always; HAPI FHIR JPA where TEST_FHIR_SERVER names one, which `make hapi` starts.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from cds_service.addresses import parse_base
from tests.demo.servers import running_demo
from tests.hooks.calls import Body
from tests.samples.generate import SAMPLES
from tests.service.house import House, Patient, house, sample, tenant

HAPI = os.environ.get("TEST_FHIR_SERVER", "")
CLINIC = "clinic"
MENDED = ("20-bone-metastasis-unreadable",)  # its question is an element that HAPI does not keep as it is
_TRIES = 3
_SECONDS = 120  # for 2000 resources in one transaction


@pytest.fixture(scope="module")
def demo() -> Iterator[str]:
    """The demonstration's endpoint, which has every sample already."""
    with running_demo() as base:
        yield base


@pytest.fixture(scope="module")
def hapi() -> str:
    """A server that is loaded as the tests go."""
    if not HAPI:
        pytest.skip("TEST_FHIR_SERVER names no FHIR server (make hapi)")
    assert parse_base(HAPI).is_loopback, "samples are loaded into a server on this machine only"
    return HAPI


@pytest.mark.parametrize("file", SAMPLES)
def test_every_sample_gets_the_same_cards_from_the_demonstration_as_from_the_prefetch(
    file: str, demo: str, tmp_path: Path
) -> None:
    _assert_same_cards(demo, sample(file), tmp_path)


@pytest.mark.parametrize("file", SAMPLES)
def test_every_sample_gets_the_same_cards_from_a_hapi_server_as_from_the_prefetch(
    file: str, hapi: str, tmp_path: Path
) -> None:
    patient = sample(file)
    _load(patient)
    if file in MENDED:
        patient = Patient(patient.id, tuple(_stored(item) for item in patient.resources))
    _assert_same_cards(hapi, patient, tmp_path)


def _assert_same_cards(base: str, patient: Patient, folder: Path) -> None:
    clinic = house(folder, tenant(CLINIC, folder, fhir_servers=(base,), deadline_ms=10_000))
    through_prefetch = clinic.cards(CLINIC, patient.call(patient.prefetch))
    assert _fetched(clinic, patient, base) == through_prefetch


def _fetched(clinic: House, patient: Patient, base: str) -> list[Body]:
    """The cards through the server; one that has just been started may need more than the ten seconds of a call."""
    for _ in range(_TRIES):
        cards = clinic.cards(CLINIC, patient.call(..., base))
        if not any("Not assessed" in card["detail"] for card in cards):
            break
    return cards


def _load(patient: Patient) -> None:
    """Put everything of a patient on the server, under its own ids."""
    response = requests.post(HAPI, json=_transaction(patient.resources), timeout=_SECONDS)
    assert response.status_code == 200, response.text[:1000]


def _stored(resource: Body) -> Body:
    """A resource as the server has it."""
    path = f"{HAPI}/{resource['resourceType']}/{resource['id']}"
    found: Body = requests.get(path, timeout=_SECONDS).json()
    return found


def _transaction(resources: tuple[Body, ...]) -> Body:
    entries = [
        {"resource": item, "request": {"method": "PUT", "url": f"{item['resourceType']}/{item['id']}"}}
        for item in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
