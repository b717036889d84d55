"""A draft order for a patient with a NET, and a query that failed: an empty answer would read as "nothing to say"."""

from pathlib import Path

import pytest

from fhir_mappings.record import PARTS
from tests.hooks.calls import OUTCOME, Body, bundle
from tests.samples.resources import DOTATATE_PET
from tests.service.house import ME, House, Patient, house, sample, tenant

CLINIC = "clinic"
MEETS = sample("01-meets")
NOT_YET = sample("04-progression-in-july")
SNOMED = "http://snomed.info/sct"
DRAFTS = {
    "transplantation": (SNOMED, "18027006"),
    "resection": (SNOMED, "61326000"),
    "imaging": DOTATATE_PET[:2],
}


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> House:
    folder: Path = tmp_path_factory.mktemp("clinic")
    return house(folder, tenant(CLINIC, folder))


def signed(clinic: House, patient: Patient, draft: str, prefetch: Body) -> list[Body]:
    """What is said when such an order is to be signed."""
    system, code = DRAFTS[draft]
    order = {
        "resourceType": "ServiceRequest",
        "id": "draft",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [{"system": system, "code": code}]},
        "subject": {"reference": f"Patient/{patient.id}"},
    }
    context = {"userId": ME, "patientId": patient.id, "draftOrders": bundle(order)}
    body = patient.call(prefetch, hook="order-sign", context=context)
    return clinic.cards(CLINIC, body, "milan-net-order-sign")


@pytest.mark.parametrize("draft", DRAFTS)
@pytest.mark.parametrize("key", ["patient", "conditions", "observations", "procedures", "reports"])
def test_a_failed_query_that_leaves_the_criteria_open_is_told_before_any_order_of_ours(
    clinic: House, draft: str, key: str
) -> None:
    (card,) = signed(clinic, MEETS, draft, MEETS.prefetch | {key: OUTCOME})
    assert f"**Not assessed:** {PARTS[key]} resources could not be read" in card["detail"]


@pytest.mark.parametrize("key", ["specimens", "orders"])
def test_where_all_is_met_all_the_same_the_referral_is_signed_in_silence(clinic: House, key: str) -> None:
    assert signed(clinic, MEETS, "transplantation", MEETS.prefetch | {key: OUTCOME}) == []


@pytest.mark.parametrize("draft", DRAFTS)
def test_a_warning_does_not_go_away_because_a_query_failed(clinic: House, draft: str) -> None:
    for key in PARTS:
        assert signed(clinic, NOT_YET, draft, NOT_YET.prefetch | {key: OUTCOME}), key
