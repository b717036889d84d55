"""A crash loses nothing that was acknowledged: a process that keeps feedback is killed at random, again and again."""

import random
import signal
import time
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import event, select, text

from cds_service.storage.ledger import Feedback, Outcome
from cds_service.storage.opening import Storage, open_storage
from cds_service.storage.tables import FEEDBACK
from tests.databases import Place
from tests.storage.contest import await_ready, release, start

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ROUNDS = 3
ENTRIES = 3  # of one batch


def _cards(storage: Storage) -> set[str]:
    with storage.database.reading() as connection:
        return set(connection.scalars(select(FEEDBACK.c.card)))


def _killed(place: Place, seed: int, seconds: float) -> list[str]:
    """What a process acknowledged until it was killed; a line that was cut short is no acknowledgement."""
    process = start(place.environment, "feedback", str(seed))
    try:
        await_ready(process)
        release(process)
        assert process.stdout is not None
        first = process.stdout.readline()
        time.sleep(seconds)
        process.send_signal(signal.SIGKILL)
        rest = process.communicate(timeout=30)[0]
    finally:
        process.kill()
    assert process.returncode == -signal.SIGKILL
    return [line.strip() for line in (first + rest).splitlines(keepends=True) if line.endswith("\n")]


def test_what_was_acknowledged_outlives_the_process(place: Place) -> None:
    luck = random.Random(3)  # noqa: S311  when to kill
    acknowledged: set[str] = set()
    for seed in range(ROUNDS):
        cards = _killed(place, seed, luck.uniform(0, 0.4))
        assert cards
        acknowledged.update(cards)
    storage = open_storage(place.settings)
    kept = _cards(storage)
    storage.close()
    assert acknowledged <= kept
    assert len(kept) % ENTRIES == 0  # a batch is whole or not there


def test_an_acknowledged_transaction_is_on_the_disk_and_others_need_not_be(place: Place) -> None:
    storage = open_storage(place.settings)
    question = "PRAGMA synchronous" if place.kind == "sqlite" else "SHOW synchronous_commit"
    with storage.database.writing(durable=True) as connection:
        assert connection.scalar(text(question)) in (2, "on")  # 2 is FULL
    with storage.database.writing() as connection:
        assert connection.scalar(text(question)) in (
            1,
            "on",
        )  # 1 is NORMAL: a power cut may cost a card shown
    storage.close()


def test_feedback_is_kept_in_a_durable_transaction(storage: Storage) -> None:
    told: list[str] = []
    event.listen(storage.database.engine, "before_cursor_execute", lambda *seen: told.append(seen[2]))
    storage.ledger.keep("a", "s", [Feedback(str(uuid4()), Outcome.OVERRIDDEN, NOW)], NOW)
    assert told[0] in {"PRAGMA synchronous = FULL", "SET LOCAL synchronous_commit = on"}


@pytest.mark.parametrize("place", ["postgresql"], indirect=True)
def test_a_server_that_acknowledges_early_is_told_not_to(place: Place) -> None:
    storage = open_storage(place.settings)
    with storage.database.engine.connect() as connection:
        connection.exec_driver_sql("SET synchronous_commit = off")
        connection.commit()
    with storage.database.writing() as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "off"
    with storage.database.writing(durable=True) as connection:
        assert connection.scalar(text("SHOW synchronous_commit")) == "on"
    storage.close()
