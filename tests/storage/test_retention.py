"""What is kept for a stated time goes then, neither a day sooner nor never."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from cds_service.storage.ledger import Feedback, Outcome, ShownCard
from cds_service.storage.opening import Storage
from cds_service.storage.retention import KEEP_DAYS, Removed, prune
from cds_service.storage.tables import CARD_SHOWN, FEEDBACK
from tests.hooks.assessments import assessment

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def leave(storage: Storage, at: datetime) -> None:
    card = str(uuid4())
    storage.ledger.record_shown(ShownCard("a", "s", card, "p", "u", assessment()), at)
    storage.ledger.keep("a", "s", [Feedback(card, Outcome.OVERRIDDEN, at)], at)


def left(storage: Storage) -> tuple[int, int]:
    with storage.database.reading() as connection:
        counts = [
            connection.scalar(select(func.count()).select_from(table)) for table in (CARD_SHOWN, FEEDBACK)
        ]
    return counts[0] or 0, counts[1] or 0


@pytest.mark.parametrize(("age", "goes"), [(99, False), (100, False), (101, True)])
def test_rows_go_when_they_are_older_than_so_many_days(storage: Storage, age: int, *, goes: bool) -> None:
    leave(storage, NOW - age * DAY)
    assert prune(storage.database, NOW, 100) == Removed(0, int(goes), int(goes))
    assert left(storage) == ((0, 0) if goes else (1, 1))


def test_more_rows_than_one_batch_all_go(storage: Storage) -> None:
    entries = [Feedback(str(uuid4()), Outcome.OVERRIDDEN, NOW) for _ in range(1001)]
    storage.ledger.keep("a", "s", entries, NOW - 101 * DAY)
    assert prune(storage.database, NOW, 100).feedback == 1001


def test_old_rows_go_by_themselves_as_cards_are_shown(storage: Storage) -> None:
    leave(storage, NOW - (KEEP_DAYS + 1) * DAY)
    leave(storage, NOW - (KEEP_DAYS - 1) * DAY)
    for _ in range(200):
        storage.ledger.record_shown(ShownCard("a", "s", "one", "p", "u", assessment()), NOW)
    assert left(storage) == (2, 1)
