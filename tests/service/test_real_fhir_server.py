"""A real FHIR server: loaded with every sample patient, it gives exactly the cards that the prefetch gives.

`make hapi` starts one (HAPI FHIR JPA); MILAN_NET_TEST_FHIR_SERVER names its base. It has to be on loopback.
"""

import os

import pytest
import requests

from cds_service.addresses import parse_base
from tests.hooks.calls import Body
from tests.samples.generate import SAMPLES
from tests.service.house import House, Patient, house, sample, tenant

BASE = os.environ.get("MILAN_NET_TEST_FHIR_SERVER", "")
CLINIC = "clinic"
MENDED = ("20-bone-metastasis-unreadable",)  # its question is an element that no server keeps as it is
_TRIES = 3
_SECONDS = 120  # for 2000 resources in one transaction

pytestmark = pytest.mark.skipif(
    not BASE, reason="MILAN_NET_TEST_FHIR_SERVER names no FHIR server (make hapi)"
)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> House:
    assert parse_base(BASE).is_loopback, "samples are loaded into a server on this machine only"
    folder = tmp_path_factory.mktemp("clinic")
    return house(folder, tenant(CLINIC, folder, fhir_servers=(BASE,), deadline_ms=10_000))


@pytest.mark.parametrize("file", SAMPLES)
def test_every_sample_gets_the_same_cards_from_a_real_server_as_from_the_prefetch(
    file: str, clinic: House
) -> None:
    patient = sample(file)
    _load(patient)
    if file in MENDED:
        patient = Patient(patient.id, tuple(_stored(item) for item in patient.resources))
    through_prefetch = clinic.cards(CLINIC, patient.call(patient.prefetch))
    assert _fetched(clinic, patient) == through_prefetch


def _fetched(clinic: House, patient: Patient) -> list[Body]:
    """The cards through the server; one that has just been started may need more than the ten seconds of a call."""
    for _ in range(_TRIES):
        cards = clinic.cards(CLINIC, patient.call(..., BASE))
        if not any("Not assessed" in card["detail"] for card in cards):
            break
    return cards


def _load(patient: Patient) -> None:
    """Put everything of a patient on the server, under its own ids."""
    response = requests.post(BASE, json=_transaction(patient.resources), timeout=_SECONDS)
    assert response.status_code == 200, response.text[:1000]


def _stored(resource: Body) -> Body:
    """A resource as the server has it."""
    path = f"{BASE}/{resource['resourceType']}/{resource['id']}"
    found: Body = requests.get(path, timeout=_SECONDS).json()
    return found


def _transaction(resources: tuple[Body, ...]) -> Body:
    entries = [
        {"resource": item, "request": {"method": "PUT", "url": f"{item['resourceType']}/{item['id']}"}}
        for item in resources
    ]
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}
