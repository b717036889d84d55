"""Alert fatigue as clinicians meet it: what one sets aside stays away for as long as it should, and for nobody else."""

from pathlib import Path
from uuid import NAMESPACE_URL, uuid5

import pytest

from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.cards import OVERRIDES
from cds_service.storage.tally import WITHHELD, tally
from tests.hooks.calls import Body, bundle
from tests.service.house import COLLEAGUE, ME, NOON, PATIENT_VIEW, House, Patient, house, sample, tenant

CLINIC = "clinic"
ORDER_SIGN = "milan-net-order-sign"
MEETS = sample("01-meets")
OUTSIDE = sample("02-ki67-12-percent")
COMORBIDITY = {"system": OVERRIDES, "code": "comorbidity"}
DECLINED = {"system": OVERRIDES, "code": "declined"}
DISCUSSED = {"system": OVERRIDES, "code": "discussed"}
QUIET = 30  # days


@pytest.fixture
def clinic(tmp_path: Path) -> House:
    return house(tmp_path, tenant(CLINIC, tmp_path, feedback={"quiet_days": QUIET}))


def opened(
    clinic: House, patient: Patient = MEETS, user: str = ME, prefetch: Body | None = None
) -> list[Body]:
    """What a clinician sees on opening a chart."""
    context = {"userId": user, "patientId": patient.id}
    body = patient.call(prefetch or patient.prefetch, context=context, hookInstance=_instance(user))
    return clinic.cards(CLINIC, body)


def _instance(user: str) -> str:
    """Each clinician opens the chart for themselves."""
    return str(uuid5(NAMESPACE_URL, user))


def signed(clinic: House, patient: Patient, user: str = ME) -> list[Body]:
    """What a clinician sees before signing a referral for transplantation."""
    coding = {"system": "http://snomed.info/sct", "code": "18027006"}  # transplantation of liver
    order = {
        "resourceType": "ServiceRequest",
        "id": "draft",
        "status": "draft",
        "intent": "order",
        "code": {"coding": [coding]},
        "subject": {"reference": f"Patient/{patient.id}"},
    }
    context = {"userId": user, "patientId": patient.id, "draftOrders": bundle(order)}
    body = patient.call(patient.prefetch, hook="order-sign", context=context, hookInstance=_instance(user))
    return clinic.cards(CLINIC, body, ORDER_SIGN)


def test_a_card_never_vanishes_just_because_it_was_shown(clinic: House) -> None:
    first = opened(clinic)
    assert first
    for _ in range(3):
        assert opened(clinic) == first
        clinic.clock.turn(minutes=5)


def test_feedback_without_a_reason_takes_nothing_away(clinic: House) -> None:
    (card,) = opened(clinic)
    entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": NOON.isoformat()}
    path = f"/cds-services/{PATIENT_VIEW}/feedback"
    assert clinic.post(CLINIC, path, {"feedback": [entry]}).status_code == 200
    assert opened(clinic) == [card]


def test_a_reason_of_the_clinician_keeps_the_card_from_that_clinician_alone(clinic: House) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, COMORBIDITY)
    assert opened(clinic) == []
    assert opened(clinic, user=COLLEAGUE)
    assert opened(clinic) == [], "also after a colleague has seen it"


def test_a_card_that_stays_away_is_counted(clinic: House) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, COMORBIDITY)
    for _ in range(2):
        assert opened(clinic) == []
    lines = tally(clinic.client.application.extensions["storage"].database)
    assert [(line.verdict, number) for line, number in lines if line.outcome == WITHHELD] == [("meets", 2)]


@pytest.mark.parametrize("reason", [DECLINED, DISCUSSED], ids=lambda reason: str(reason["code"]))
def test_a_reason_that_speaks_of_the_patient_keeps_the_card_from_everybody(
    clinic: House, reason: Body
) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, reason)
    assert opened(clinic) == []
    assert opened(clinic, user=COLLEAGUE) == []


def test_another_patients_card_is_shown(clinic: House) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, DECLINED)
    assert opened(clinic, OUTSIDE)


def test_the_card_comes_back_when_the_facts_change_and_goes_when_they_change_back(clinic: House) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, COMORBIDITY)
    changed = MEETS.prefetch
    for entry in changed["observations"]["entry"]:
        if entry["resource"]["id"] == "meets-ki67":
            entry["resource"]["valueQuantity"]["value"] = 4
    assert opened(clinic, prefetch=changed)
    assert opened(clinic) == []


def test_a_query_that_fails_is_another_card_and_not_the_one_that_was_set_aside(clinic: House) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, DECLINED)
    assert opened(clinic, prefetch=MEETS.prefetch | {"observations": "garbage"})


@pytest.mark.parametrize(
    ("span", "is_back"),
    [
        ({"days": QUIET, "seconds": -1}, False),
        ({"days": QUIET}, True),
        ({"days": QUIET, "seconds": 1}, True),
    ],
)
def test_the_card_comes_back_when_the_quiet_days_are_over(
    clinic: House, span: dict[str, float], *, is_back: bool
) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, COMORBIDITY)
    clinic.clock.turn(**span)
    assert bool(opened(clinic)) is is_back


def test_a_warning_at_the_signature_is_not_silenced_by_what_was_set_aside_at_the_opening(
    clinic: House,
) -> None:
    (card,) = opened(clinic, OUTSIDE)
    clinic.override(CLINIC, card, DECLINED)
    assert opened(clinic, OUTSIDE) == []
    (warning,) = signed(clinic, OUTSIDE)
    assert warning["indicator"] == "warning"
    clinic.override(CLINIC, warning, COMORBIDITY, ORDER_SIGN)
    assert signed(clinic, OUTSIDE) == []
    assert signed(clinic, OUTSIDE, COLLEAGUE)


def test_a_silent_verdict_is_silent_and_the_others_are_not(tmp_path: Path) -> None:
    silent = {Verdict.OUTSIDE.value}
    clinic = house(tmp_path, tenant(CLINIC, tmp_path, silent_verdicts=silent))
    assert opened(clinic, OUTSIDE) == []
    assert opened(clinic, MEETS)


def test_the_ledger_holds_no_name_of_a_patient_or_a_user(clinic: House, tmp_path: Path) -> None:
    (card,) = opened(clinic)
    clinic.override(CLINIC, card, COMORBIDITY)
    written = b"".join(path.read_bytes() for path in tmp_path.glob("milan-net.db*"))
    assert card["uuid"].encode() in written
    for secret in (b"Patient/meets", b"Practitioner/1", b"meets-net"):
        assert secret not in written
