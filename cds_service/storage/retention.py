"""What is old enough goes: used tokens by themselves, cards and feedback after a stated time."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, delete, select, tuple_

from cds_service.storage.database import Database
from cds_service.storage.tables import CARD_SHOWN, CARD_WITHHELD, FEEDBACK, REPLAY, SEALED

KEEP_DAYS: Final = 730  # cards and feedback: long enough for a yearly review, and for quiet days up to that
_CLOCKS_DIFFER: Final = 300  # seconds by which two machines that serve together may disagree
_BATCH: Final = 500  # rows at once, so that nobody waits long


@dataclass(frozen=True, slots=True)
class Removed:
    """How many rows went."""

    tokens: int
    cards: int
    feedback: int


def prune(database: Database, now: datetime, days: int = KEEP_DAYS) -> Removed:
    """Remove all cards and feedback older than so many days, and all expired tokens. Raises StorageError.

    What launches left behind, and the counts of cards withheld, go with them and are not counted.
    """
    before = now - timedelta(days=days)
    _exhaust(database, CARD_WITHHELD, CARD_WITHHELD.c.day < before.date())
    _exhaust(database, SEALED, SEALED.c.until < now.timestamp())
    return Removed(
        tokens=_exhaust(database, REPLAY, _expired(now.timestamp())),
        cards=_exhaust(database, CARD_SHOWN, CARD_SHOWN.c.shown_on < before.date()),
        feedback=_exhaust(database, FEEDBACK, FEEDBACK.c.received_on < before),
    )


def remove_expired_tokens(connection: Connection, now: float) -> int:
    """Remove some tokens that have expired, on the way of a request."""
    return _remove(connection, REPLAY, _expired(now))


def remove_expired_seals(connection: Connection, now: float) -> None:
    """Remove some of what launches and sessions have left behind, on the way of a request."""
    _remove(connection, SEALED, SEALED.c.until < now - _CLOCKS_DIFFER)


def remove_old(connection: Connection, now: datetime) -> None:
    """Remove some cards and feedback that are older than is kept, on the way of a request."""
    before = now - timedelta(days=KEEP_DAYS)
    _remove(connection, CARD_SHOWN, CARD_SHOWN.c.shown_on < before.date())
    _remove(connection, FEEDBACK, FEEDBACK.c.received_on < before)


def _expired(now: float) -> ColumnElement[bool]:
    return REPLAY.c.until < now - _CLOCKS_DIFFER


def _exhaust(database: Database, table: Table, old: ColumnElement[bool]) -> int:
    total = 0
    while True:
        with database.writing() as connection:
            removed = _remove(connection, table, old)
        total += removed
        if removed < _BATCH:
            return total


def _remove(connection: Connection, table: Table, old: ColumnElement[bool]) -> int:
    """Remove at most one batch; rows that another process is just removing are left to it."""
    key: Any = tuple_(*table.primary_key.columns)
    some = select(*table.primary_key.columns).where(old).limit(_BATCH).with_for_update(skip_locked=True)
    return connection.execute(delete(table).where(key.in_(some))).rowcount
