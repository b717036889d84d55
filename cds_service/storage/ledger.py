"""The ledger: which cards were shown, and what became of them."""

import itertools
import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

import orjson
from sqlalchemy import Insert, bindparam, case, select

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.verdict import Verdict
from cds_service.errors import StorageError
from cds_service.storage.database import Database
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.retention import remove_old
from cds_service.storage.statements import insert, insert_new
from cds_service.storage.tables import CARD_SHOWN, CARD_WITHHELD, FEEDBACK

_LOG = logging.getLogger(__name__)
_SWEEP_EVERY: Final = 200  # cards
_NOBODY: Final = ""  # in place of the clinician: several, or one without a name


class Outcome(StrEnum):
    """What a clinician did with a card; that it was ignored is never told (cds-hooks.md 4)."""

    ACCEPTED = "accepted"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a card was set aside: a code, with its system if the EHR names it."""

    system: str | None
    code: str


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the EHR tells of one card. `at` is when the clinician acted, as the EHR says."""

    card: str
    outcome: Outcome
    at: datetime
    reason: Reason | None = None
    suggestions: tuple[str, ...] = ()
    comment: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of feedback: rows that are new, rows that were there, and how many of both speak of no card shown."""

    stored: int
    repeated: int
    unknown: int


@dataclass(frozen=True, slots=True)
class Override:
    """That a card which said the same of the same patient was overridden with a reason."""

    is_own: bool  # by the clinician who asks
    reason: Reason
    at: datetime


@dataclass(frozen=True, slots=True)
class ShownCard:
    """A card that was shown, to whom, and what it said. `topic` is its kind, where a service has several for a verdict."""

    tenant: str
    service: str
    uuid: str
    patient: str
    user: str
    assessment: Assessment
    topic: str = ""


class Ledger:
    """Cards shown and feedback on them. Every method raises StorageError only."""

    def __init__(self, database: Database, pseudonyms: Pseudonyms) -> None:
        self._database = database
        self._pseudonyms = pseudonyms
        self._shown = itertools.count(1)
        self._insert_card = _insert_card(database)
        self._insert_feedback = insert_new(database, FEEDBACK)

    def record_shown(self, card: ShownCard, now: datetime) -> None:
        """Remember that a card was shown. A failure is logged and costs nobody a card; then no override is known.

        A card that is shown again is the same row; where another clinician gets it under the same id, an override of
        it is nobody's own.
        """
        try:
            with self._database.writing() as connection:
                connection.execute(self._insert_card, self._card_row(card, now))
                if next(self._shown) % _SWEEP_EVERY == 0:
                    remove_old(connection, now)
        except StorageError:
            _LOG.error(orjson.dumps({"event": "card-not-recorded", "service": card.service}).decode())

    def record_withheld(self, tenant: str, verdict: Verdict, reason: str, now: datetime) -> None:
        """Count a card that stayed away. A failure is logged and changes no answer."""
        row = {
            "tenant": tenant,
            "day": now.astimezone(UTC).date(),
            "verdict": verdict.value,
            "reason": reason,
        }
        statement = insert(self._database, CARD_WITHHELD).values(row | {"cards": 1})
        statement = statement.on_conflict_do_update(
            index_elements=list(CARD_WITHHELD.primary_key),
            set_={CARD_WITHHELD.c.cards: CARD_WITHHELD.c.cards + 1},
        )
        try:
            with self._database.writing() as connection:
                connection.execute(statement)
        except StorageError:
            _LOG.error(orjson.dumps({"event": "withheld-not-counted", "tenant": tenant}).decode())

    def _card_row(self, card: ShownCard, now: datetime) -> dict[str, object]:
        names, said = self._pseudonyms, card.assessment
        return {
            "tenant": card.tenant,
            "service": card.service,
            "card": card.uuid,
            "topic": card.topic,
            "verdict": said.verdict.value,
            "policy": said.policy,
            "policy_version": said.policy_version,
            "fingerprint": names.fingerprint(card.tenant, card.patient, said.fingerprint),
            "patient": names.patient(card.tenant, card.patient),
            "clinician": self._clinician(card.tenant, card.user),
            "shown_on": now.astimezone(UTC).date(),
        }

    def _clinician(self, tenant: str, user: str) -> str:
        """What stands for a user; those whom the EHR gives no name are not taken for one and the same."""
        return self._pseudonyms.clinician(tenant, user) if user.strip() else _NOBODY

    def overrides(
        self, tenant: str, patient: str, user: str, assessment: Assessment, topic: str = ""
    ) -> tuple[Override, ...]:
        """The overrides, with a reason, of cards that said this of this patient."""
        names = self._pseudonyms
        asked = {
            "tenant": tenant,
            "patient": names.patient(tenant, patient),
            "fingerprint": names.fingerprint(tenant, patient, assessment.fingerprint),
            "topic": topic,
        }
        own = self._clinician(tenant, user)
        with self._database.reading() as connection:
            return tuple(
                # An EHR whose clock is ahead cannot keep a card away for longer.
                Override(clinician == own != _NOBODY, Reason(system, code), min(at, received))
                for clinician, system, code, at, received in connection.execute(_OVERRIDES, asked)
            )

    def keep(self, tenant: str, service: str, entries: Iterable[Feedback], received: datetime) -> Kept:
        """Store feedback, all of it or none; when this returns it is on the disk. What is already there stays as it is."""
        rows = [self._row(tenant, service, entry, received) for entry in merged(entries)]
        with self._database.writing(durable=True) as connection:
            stored = sum(connection.execute(self._insert_feedback, row).rowcount for row in rows)
            cards = {row["card"] for row in rows}
            shown = CARD_SHOWN.c
            known = connection.scalars(
                select(shown.card).where(
                    shown.tenant == tenant, shown.service == service, shown.card.in_(cards)
                )
            )
            lacking = cards - set(known)
        return Kept(stored, len(rows) - stored, sum(row["card"] in lacking for row in rows))

    def _row(self, tenant: str, service: str, entry: Feedback, received: datetime) -> dict[str, object]:
        return {
            "tenant": tenant,
            "service": service,
            "card": entry.card,
            "outcome": entry.outcome.value,
            "outcome_timestamp": entry.at,
            "reason_system": entry.reason.system if entry.reason else None,
            "reason_code": entry.reason.code if entry.reason else None,
            "suggestions": list(entry.suggestions),
            "comment": self._pseudonyms.seal(tenant, entry.comment) if entry.comment else None,
            "received_on": received,
        }


_OVERRIDES: Final = (
    select(
        CARD_SHOWN.c.clinician,
        FEEDBACK.c.reason_system,
        FEEDBACK.c.reason_code,
        FEEDBACK.c.outcome_timestamp,
        FEEDBACK.c.received_on,
    )
    .join_from(
        CARD_SHOWN,
        FEEDBACK,
        (CARD_SHOWN.c.tenant == FEEDBACK.c.tenant)
        & (CARD_SHOWN.c.service == FEEDBACK.c.service)
        & (CARD_SHOWN.c.card == FEEDBACK.c.card),
    )
    .where(
        CARD_SHOWN.c.tenant == bindparam("tenant"),
        CARD_SHOWN.c.fingerprint == bindparam("fingerprint"),
        CARD_SHOWN.c.patient == bindparam("patient"),
        CARD_SHOWN.c.topic == bindparam("topic"),
        FEEDBACK.c.outcome == Outcome.OVERRIDDEN.value,
        FEEDBACK.c.reason_code.is_not(None),
    )
)


def _insert_card(database: Database) -> Insert:
    """Insert a card; where it is there and another clinician's, make it nobody's."""
    statement = insert(database, CARD_SHOWN)
    same = CARD_SHOWN.c.clinician == statement.excluded.clinician
    return statement.on_conflict_do_update(
        index_elements=[CARD_SHOWN.c.tenant, CARD_SHOWN.c.service, CARD_SHOWN.c.card],
        set_={CARD_SHOWN.c.clinician: case((same, CARD_SHOWN.c.clinician), else_=_NOBODY)},
    )


def merged(entries: Iterable[Feedback]) -> Sequence[Feedback]:
    """One entry for each card, outcome and moment, in a fixed order: two batches at once cannot wait for each other."""
    found: dict[tuple[str, str, datetime], Feedback] = {}
    for entry in entries:
        key = (entry.card, entry.outcome.value, entry.at)
        known = found.get(key)
        found[key] = entry if known is None else _united(known, entry)
    return [found[key] for key in sorted(found)]


def _united(one: Feedback, other: Feedback) -> Feedback:
    return replace(
        one,
        reason=one.reason or other.reason,
        suggestions=tuple(dict.fromkeys((*one.suggestions, *other.suggestions))),
        comment=one.comment or other.comment,
    )
