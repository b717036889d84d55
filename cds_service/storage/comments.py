"""The comments that clinicians wrote, where a tenant keeps them: free text that may hold patient data."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

from sqlalchemy import select

from cds_service.storage.database import Database
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.tables import FEEDBACK

OTHER_KEY: Final = "(sealed with another key)"


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment, with the reason beside it, if one was chosen."""

    at: datetime
    outcome: str
    reason: str
    text: str


def comments(
    database: Database, names: Pseudonyms, tenant: str | None = None, since: date | None = None
) -> Iterator[Comment]:
    """The comments, unsealed, in the order of time. Raises StorageError."""
    given = FEEDBACK.c
    query = select(
        given.outcome_timestamp, given.outcome, given.reason_code, given.tenant, given.comment
    ).where(given.comment.is_not(None))
    query = query.where(given.tenant == tenant) if tenant is not None else query
    if since is not None:
        query = query.where(given.outcome_timestamp >= datetime.combine(since, time.min, UTC))
    with database.reading(unhurried=True) as connection:
        for at, outcome, reason, owner, sealed in connection.execute(query.order_by(given.outcome_timestamp)):
            yield Comment(at, outcome, reason or "", names.unseal(owner, sealed) or OTHER_KEY)
