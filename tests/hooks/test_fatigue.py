"""Alert fatigue: what was set aside with a reason stays away until the facts change, and nothing else does."""

import logging
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from cds_service.eligibility.assessment import Assessment, Consideration
from cds_service.eligibility.verdict import Answer, Flag, Verdict
from cds_service.hooks.cards import OVERRIDE_REASONS, OVERRIDES
from cds_service.hooks.fatigue import SPEAKS_OF_PATIENT, Decision, Fatigue, Show, Why, Withheld
from cds_service.storage.ledger import Feedback, Ledger, Outcome, Reason, ShownCard
from cds_service.tenants import FeedbackRules, Tenant
from tests.databases import broken_ledger
from tests.hooks.assessments import assessment, criterion

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
OVERRIDDEN_AT = NOW - timedelta(hours=1)
TENANT = Tenant(id="a", feedback=FeedbackRules(quiet_days=90))
PATIENT, ME, COLLEAGUE = "p1", "Practitioner/1", "PractitionerRole/2"
SERVICE = "milan-net-patient-view"
COMORBIDITY = Reason(OVERRIDES, "comorbidity")
DECLINED = Reason(OVERRIDES, "declined")
BY_ME = Withheld(Why.OVERRIDDEN_BY_CLINICIAN)
FOR_ALL = Withheld(Why.OVERRIDDEN_FOR_PATIENT)
HL7 = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"


class Clinic:
    """Clinicians who look at cards and set them aside."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.fatigue = Fatigue(ledger)

    def show(self, said: Assessment | None = None, user: str = ME, **changes: Any) -> str:
        card = ShownCard("a", SERVICE, str(uuid4()), PATIENT, user, said or assessment())
        card = replace(card, **changes)
        self.ledger.record_shown(card, NOW)
        return card.uuid

    def answer(self, card: str, reason: Reason | None = COMORBIDITY, **changes: Any) -> None:
        given = replace(Feedback(card, Outcome.OVERRIDDEN, OVERRIDDEN_AT, reason), **changes)
        self.ledger.keep("a", SERVICE, [given], NOW)

    def override(self, reason: Reason | None = COMORBIDITY, **shown: Any) -> None:
        self.answer(self.show(**shown), reason)

    def ask(
        self, said: Assessment | None = None, user: str = ME, now: datetime = NOW, **more: Any
    ) -> Decision:
        tenant = more.pop("tenant", TENANT)
        patient = more.pop("patient", PATIENT)
        return self.fatigue.decide(tenant, patient, user, said or assessment(), now, **more)


@pytest.fixture
def clinic(ledger: Ledger) -> Clinic:
    return Clinic(ledger)


# --- what does not withhold -------------------------------------------------------------------------------------------


def test_showing_a_card_never_makes_it_vanish(clinic: Clinic) -> None:
    for _ in range(3):
        assert clinic.ask() == Show()
        clinic.show()
    assert clinic.ask() == Show()


def test_an_accepted_card_is_shown_again(clinic: Clinic) -> None:
    clinic.answer(clinic.show(), None, outcome=Outcome.ACCEPTED)
    clinic.answer(clinic.show(), DECLINED, outcome=Outcome.ACCEPTED)
    assert clinic.ask() == Show()


def test_an_override_without_a_reason_withholds_nothing(clinic: Clinic) -> None:
    clinic.override(None)
    clinic.answer(clinic.show(), None, comment="no code, only words")
    assert clinic.ask() == Show()


def test_feedback_on_a_card_that_nobody_remembers_withholds_nothing(clinic: Clinic) -> None:
    clinic.answer(str(uuid4()))
    assert clinic.ask() == Show()


# --- what does --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [COMORBIDITY, Reason(None, "x"), Reason("com.epic", "Not now")])
def test_an_override_with_any_reason_binds_the_clinician_who_gave_it(clinic: Clinic, reason: Reason) -> None:
    clinic.override(reason)
    assert clinic.ask() == BY_ME
    assert clinic.ask(user=COLLEAGUE) == Show()


@pytest.mark.parametrize("nobody", ["", " "])
def test_an_override_by_a_user_without_a_name_is_nobodys_own(clinic: Clinic, nobody: str) -> None:
    clinic.answer(clinic.show(user=nobody), COMORBIDITY)
    assert clinic.ask(user=nobody) == Show()


@pytest.mark.parametrize("reason", SPEAKS_OF_PATIENT, ids=lambda reason: reason.code)
def test_a_reason_that_speaks_of_the_patient_binds_everybody(clinic: Clinic, reason: Reason) -> None:
    clinic.override(reason)
    assert clinic.ask() == BY_ME
    assert clinic.ask(user=COLLEAGUE) == FOR_ALL


def test_of_our_reasons_two_speak_of_the_patient() -> None:
    ours = {
        item["code"] for item in OVERRIDE_REASONS if Reason(item["system"], item["code"]) in SPEAKS_OF_PATIENT
    }
    assert ours == {"declined", "discussed"}


@pytest.mark.parametrize(
    "reason",
    [
        Reason(None, "declined"),
        Reason("urn:other", "declined"),
        Reason(HL7, "declined"),
        Reason(HL7, "need-more-info"),
        Reason(HL7, "patient-contraindication"),
        Reason(HL7, "limited-time"),
    ],
)
def test_a_code_of_another_system_or_meaning_binds_nobody_else(clinic: Clinic, reason: Reason) -> None:
    clinic.override(reason)
    assert clinic.ask(user=COLLEAGUE) == Show()


def test_an_override_is_for_one_patient_and_one_tenant(clinic: Clinic) -> None:
    clinic.override(DECLINED)
    assert clinic.ask(patient="p2") == Show()
    assert clinic.ask(tenant=Tenant(id="b")) == Show()


def test_a_card_shown_under_one_id_to_two_clinicians_was_overridden_by_neither(clinic: Clinic) -> None:
    card = clinic.show()
    clinic.show(user=COLLEAGUE, uuid=card)
    clinic.show(uuid=card)
    clinic.answer(card)
    assert clinic.ask() == clinic.ask(user=COLLEAGUE) == Show()
    clinic.answer(card, DECLINED, at=OVERRIDDEN_AT + timedelta(minutes=1))
    assert clinic.ask() == clinic.ask(user=COLLEAGUE) == FOR_ALL


def test_a_card_that_is_shown_twice_to_one_clinician_stays_theirs(clinic: Clinic) -> None:
    card = clinic.show()
    clinic.show(uuid=card)
    clinic.answer(card)
    assert clinic.ask() == BY_ME


def test_an_override_silences_its_own_topic_only(clinic: Clinic) -> None:
    clinic.override(DECLINED)
    assert clinic.ask(topic="milanNetOrderWarning") == Show()
    clinic.override(DECLINED, topic="milanNetOrderWarning")
    assert clinic.ask(topic="milanNetOrderWarning") == BY_ME


# --- until the facts change -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": Verdict.NOT_YET},
        {"policy": "optn-nlrb-net"},
        {"policy_version": "9.9.9"},
        {"considerations": ()},
        {"considerations": (Consideration("other-malignancy", "another reason"),)},
        {"criteria": (criterion(Answer.MET),)},
        {"criteria": (criterion(value="13 %"),)},
        {"criteria": (criterion(flags=(Flag.BORDERLINE, Flag.NOT_SENT, Flag.STALE)),)},
        {"criteria": (criterion(flags=(Flag.BORDERLINE,)),)},
        {"criteria": (criterion(id="stability"),)},
        {"criteria": (criterion(resolves_on=date(2027, 1, 1)),)},
        {"criteria": (criterion(), criterion(id="age"))},
    ],
)
def test_the_card_comes_back_when_the_facts_change(clinic: Clinic, changes: dict[str, Any]) -> None:
    said = assessment(criteria=(criterion(),))
    clinic.override(DECLINED, said=said)
    assert clinic.ask(said) == BY_ME
    assert clinic.ask(replace(said, **changes)) == Show()


@pytest.mark.parametrize(
    "changes",
    [
        {"evaluated_on": date(2027, 6, 1)},
        {"patient": "Patient/other-reference"},
        {"headline": "said otherwise"},
        {"warnings": ("other",)},
        {"criteria": (criterion(Answer.MET, id="b"), criterion(id="a"))},
        {
            "criteria": (
                criterion(id="a", evidence=(), discarded=(), reason="x"),
                criterion(Answer.MET, id="b"),
            )
        },
        {
            "criteria": (
                criterion(id="a", flags=(Flag.NOT_SENT, Flag.BORDERLINE)),
                criterion(Answer.MET, id="b"),
            )
        },
        {"differences": ()},
        {"ages_out_on": None},
    ],
)
def test_the_day_and_references_and_their_order_change_nothing(
    clinic: Clinic, changes: dict[str, Any]
) -> None:
    said = assessment(criteria=(criterion(id="a"), criterion(Answer.MET, id="b")))
    clinic.override(said=said)
    assert clinic.ask(replace(said, **changes)) == BY_ME


def test_a_birthday_is_no_change_and_a_passed_age_limit_is() -> None:
    young = assessment(criteria=(criterion(Answer.MET, id="age", value="59 years"),))
    older = assessment(criteria=(criterion(Answer.MET, id="age", value="60 years"),))
    past = assessment(criteria=(criterion(Answer.NOT_MET, id="age", value="61 years"),))
    assert young.fingerprint == older.fingerprint != past.fingerprint


def test_which_doubt_makes_an_assessment_incomplete_is_part_of_the_facts() -> None:
    lacking = assessment(Verdict.INCOMPLETE, headline="2 of 8 criteria lack data")
    doubted = assessment(Verdict.INCOMPLETE, headline="liver metastases in doubt")
    assert lacking.fingerprint != doubted.fingerprint


# --- or time passes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reason", [COMORBIDITY, DECLINED])
@pytest.mark.parametrize(("days", "is_shown"), [(89, False), (90, True), (91, True)])
def test_the_card_comes_back_on_the_day_on_which_the_quiet_days_have_passed(
    clinic: Clinic, reason: Reason, days: int, *, is_shown: bool
) -> None:
    clinic.override(reason)
    found = clinic.ask(now=OVERRIDDEN_AT + timedelta(days=days))
    assert found == (Show() if is_shown else BY_ME)


def test_with_no_quiet_days_a_card_is_never_withheld(clinic: Clinic) -> None:
    clinic.override(DECLINED)
    never = Tenant(id="a", feedback=FeedbackRules(quiet_days=0))
    assert clinic.ask(tenant=never, now=OVERRIDDEN_AT) == Show()


def test_a_clock_that_is_ahead_keeps_a_card_away_no_longer(clinic: Clinic) -> None:
    clinic.answer(clinic.show(), at=NOW + timedelta(days=9999))
    assert clinic.ask(now=NOW + timedelta(days=89)) == BY_ME
    assert clinic.ask(now=NOW + timedelta(days=90)) == Show()


def test_a_later_override_of_the_same_counts_anew(clinic: Clinic) -> None:
    clinic.override()
    later = NOW + timedelta(days=90)
    assert clinic.ask(now=later) == Show()
    clinic.ledger.keep("a", SERVICE, [Feedback(clinic.show(), Outcome.OVERRIDDEN, later, COMORBIDITY)], later)
    assert clinic.ask(now=later + timedelta(days=89)) == BY_ME


# --- whatever the ledger says -----------------------------------------------------------------------------------------


def test_a_silent_verdict_is_silent_for_everybody(clinic: Clinic) -> None:
    silent = Tenant(id="a", silent_verdicts=frozenset({Verdict.OUTSIDE}))
    assert clinic.ask(tenant=silent) == Withheld(Why.SILENT_VERDICT)
    assert clinic.ask(assessment(Verdict.NOT_YET), tenant=silent) == Show()


def test_a_database_that_does_not_answer_costs_nobody_a_card(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    clinic = Clinic(broken_ledger(tmp_path))
    clinic.show()
    assert clinic.ask() == Show()
    assert [record.getMessage() for record in caplog.records if record.name.startswith("cds_service")] == [
        '{"event":"card-not-recorded","service":"milan-net-patient-view"}',
        '{"event":"overrides-not-read","tenant":"a"}',
    ]


def test_a_patient_without_a_card_costs_the_database_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clinic = Clinic(broken_ledger(tmp_path))
    assert clinic.ask(assessment(Verdict.NOT_APPLICABLE)) == Show()
    assert caplog.text == ""
