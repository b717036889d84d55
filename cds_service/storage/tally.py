"""What the ledger adds up to: cards shown, accepted and overridden, by week, verdict and reason, and never by patient."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy import Select, func, select

from cds_service.storage.database import Database
from cds_service.storage.tables import CARD_SHOWN, CARD_WITHHELD, FEEDBACK

SHOWN: Final = "shown"  # beside the outcomes
WITHHELD: Final = "withheld"
UNKNOWN: Final = "unknown"  # the verdict of a card that is not on record


@dataclass(frozen=True, slots=True, order=True)
class Line:
    """What is counted together; `reason` and its system are empty where none was given."""

    week: str  # ISO 8601, "2026-W48"
    verdict: str
    outcome: str  # "shown", "withheld", "accepted", "overridden"
    reason_system: str = ""
    reason: str = ""


def tally(database: Database, tenant: str | None = None, since: date | None = None) -> list[tuple[Line, int]]:
    """How many cards stand behind each line, in order. A card accepted twice in a week counts once. Raises StorageError."""
    counts: Counter[Line] = Counter()
    with database.reading(unhurried=True) as connection:
        for day, verdict, number in connection.execute(_shown(tenant, since)):
            counts[Line(_week(day), verdict, SHOWN)] += number
        acted = {
            (Line(_week(at.date()), verdict, outcome, system, code), card)
            for verdict, outcome, at, system, code, card in connection.execute(_acted(tenant, since))
        }
        for day, verdict, reason, number in connection.execute(_withheld(tenant, since)):
            counts[Line(_week(day), verdict, WITHHELD, "", reason)] += number
    counts.update(line for line, _ in acted)
    return sorted(counts.items())


def _shown(tenant: str | None, since: date | None) -> Select[Any]:
    shown = CARD_SHOWN.c
    query = select(shown.shown_on, shown.verdict, func.count()).group_by(shown.shown_on, shown.verdict)
    query = query.where(shown.tenant == tenant) if tenant is not None else query
    return query.where(shown.shown_on >= since) if since is not None else query


def _withheld(tenant: str | None, since: date | None) -> Select[Any]:
    kept = CARD_WITHHELD.c
    query = select(kept.day, kept.verdict, kept.reason, kept.cards)
    query = query.where(kept.tenant == tenant) if tenant is not None else query
    return query.where(kept.day >= since) if since is not None else query


def _acted(tenant: str | None, since: date | None) -> Select[Any]:
    shown, given = CARD_SHOWN.c, FEEDBACK.c
    same = (shown.tenant == given.tenant) & (shown.service == given.service) & (shown.card == given.card)
    query = select(
        func.coalesce(shown.verdict, UNKNOWN),
        given.outcome,
        given.outcome_timestamp,
        func.coalesce(given.reason_system, ""),
        func.coalesce(given.reason_code, ""),
        given.tenant + "/" + given.service + "/" + given.card,  # one card
    ).join_from(FEEDBACK, CARD_SHOWN, same, isouter=True)
    query = query.where(given.tenant == tenant) if tenant is not None else query
    if since is None:
        return query
    return query.where(given.outcome_timestamp >= datetime.combine(since, time.min, UTC))


def _week(day: date) -> str:
    year, week, _ = day.isocalendar()
    return f"{year}-W{week:02}"
