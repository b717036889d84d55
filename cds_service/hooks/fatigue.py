"""Which card stays away, and why: advice that a clinician has set aside with a reason is not repeated until it changes.

What counts as a reason and as a change stands in integration.md 5.1. Showing a card never makes it vanish: without
feedback the same request gets the same answer, because clients drop the cards of an earlier call when a hook fires again.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

import orjson

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import StorageError
from cds_service.hooks.cards import OVERRIDES
from cds_service.storage.ledger import Ledger, Override, Reason
from cds_service.tenants import Tenant

_LOG = logging.getLogger(__name__)

_HL7: Final = "http://terminology.hl7.org/CodeSystem/non-adherence-reason-codes"  # CDS Hooks 3.0 ballot

# Reasons that are true of the patient whoever opens the chart: the patient does not want it, or it was dealt with. What
# a clinician thinks of the advice, its time or the data binds that clinician alone; so does any code not listed here.
SPEAKS_OF_PATIENT: Final = MappingProxyType(
    {
        Reason(OVERRIDES, "discussed"): "a board has discussed this patient",
        Reason(OVERRIDES, "declined"): "the patient's own decision",
        Reason(_HL7, "does-not-align-preferences"): "the patient's own decision (category)",
        Reason(_HL7, "patient-refuses"): "the patient's own decision",
        Reason(_HL7, "patient-fears-discomfort"): "the patient's own decision",
        Reason(_HL7, "patient-does-not-want-change"): "the patient's own decision",
        Reason(_HL7, "cultural-religious-reason"): "the patient's own decision",
        Reason(_HL7, "prefers-alternative"): "the patient's own decision",
        Reason(_HL7, "action-completed"): "what was advised has been done",
    }
)


class Why(StrEnum):
    """Why a card is withheld, in a word for the log and the counters."""

    SILENT_VERDICT = "silent-verdict"
    OVERRIDDEN_BY_CLINICIAN = "overridden-by-clinician"
    OVERRIDDEN_FOR_PATIENT = "overridden-for-patient"


@dataclass(frozen=True, slots=True)
class Show:
    """The card is shown."""


@dataclass(frozen=True, slots=True)
class Withheld:
    """The card stays away."""

    reason: Why


Decision = Show | Withheld


class Fatigue:
    """Decides whether a card is shown, with one look into the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def decide(  # noqa: PLR0913  these are what the decision is about
        self,
        tenant: Tenant,
        patient: str,
        user: str,
        assessment: Assessment,
        now: datetime,
        *,
        topic: str = "",
    ) -> Decision:
        """Show the card, or withhold it and say why. Where the database does not answer it is shown.

        An override withholds cards of its own `topic` alone: what was said at the opening of a chart does not silence
        a warning at the signing of an order, where the two are given different topics.
        """
        if assessment.verdict in tenant.silent_verdicts:
            return Withheld(Why.SILENT_VERDICT)
        if assessment.verdict is Verdict.NOT_APPLICABLE or tenant.feedback.quiet_days == 0:
            return Show()
        try:
            overrides = self._ledger.overrides(tenant.id, patient, user, assessment, topic)
        except StorageError:
            _LOG.error(orjson.dumps({"event": "overrides-not-read", "tenant": tenant.id}).decode())
            return Show()
        since = now - timedelta(days=tenant.feedback.quiet_days)
        return _decided(tuple(item for item in overrides if item.at > since))


def _decided(overrides: tuple[Override, ...]) -> Decision:
    if any(item.is_own for item in overrides):
        return Withheld(Why.OVERRIDDEN_BY_CLINICIAN)
    if any(item.reason in SPEAKS_OF_PATIENT for item in overrides):
        return Withheld(Why.OVERRIDDEN_FOR_PATIENT)
    return Show()
