"""A token passes once, whoever asks, and not at all where nobody can say whether it has."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from cds_service.errors import StorageError, UnavailableError
from cds_service.storage.opening import Storage
from cds_service.storage.replay import DatabaseReplay
from cds_service.storage.retention import prune
from cds_service.storage.tables import REPLAY
from tests.databases import Place, broken
from tests.storage.contest import race

NOW = 1_800_000_000.0
TOKENS = 60
PROCESSES = 4


def _tokens(storage: Storage) -> int:
    with storage.database.reading() as connection:
        return len(connection.execute(select(REPLAY)).all())


def test_a_token_passes_once(storage: Storage) -> None:
    assert storage.replay.claim("https://a.example.org", "1", NOW + 300, NOW)
    assert not storage.replay.claim("https://a.example.org", "1", NOW + 300, NOW)
    assert not storage.replay.claim("https://a.example.org", "1", NOW + 900, NOW)


def test_the_same_id_of_another_issuer_is_another_token(storage: Storage) -> None:
    assert storage.replay.claim("https://a.example.org", "1", NOW, NOW)
    assert storage.replay.claim("https://b.example.org", "1", NOW, NOW)
    assert storage.replay.claim("https://a.example.org1", "", NOW, NOW)


@pytest.mark.parametrize("token", ["", "\x00", "\ud800", "x" * 100_000, "'; DROP TABLE replay; --", "ﷺ"])
def test_an_id_may_be_any_text(storage: Storage, token: str) -> None:
    assert storage.replay.claim("https://a.example.org", token, NOW, NOW)
    assert not storage.replay.claim("https://a.example.org", token, NOW, NOW)


def test_of_four_processes_exactly_one_gets_each_token(place: Place) -> None:
    won = race(PROCESSES, place.environment, "claim", str(TOKENS))
    assert Counter(token for tokens in won for token in tokens) == {str(n): 1 for n in range(TOKENS)}


def test_of_the_threads_of_one_process_one_gets_each_token_and_none_an_error(storage: Storage) -> None:
    def claim(number: int) -> bool:
        return storage.replay.claim("https://a.example.org", str(number % TOKENS), NOW, NOW)

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(claim, range(TOKENS * 10))) == TOKENS


def test_a_token_is_remembered_by_a_process_that_starts_later(place: Place, storage: Storage) -> None:
    assert storage.replay.claim("https://ehr.example.org", "token-0", NOW, NOW)
    assert race(1, place.environment, "claim", "1") == [[]]


def test_an_expired_token_goes_once_no_clock_calls_it_valid(storage: Storage) -> None:
    for number, until in enumerate((NOW - 301, NOW - 300, NOW, NOW + 1)):
        storage.replay.claim("https://a.example.org", str(number), until, NOW)
    assert prune(storage.database, datetime.fromtimestamp(NOW, UTC)).tokens == 1
    assert _tokens(storage) == 3


def test_expired_tokens_go_by_themselves_as_others_come(storage: Storage) -> None:
    replay = storage.replay
    for number in range(150):
        replay.claim("https://a.example.org", f"old {number}", NOW - 1000, NOW)
    for number in range(50):
        replay.claim("https://a.example.org", f"new {number}", NOW + 1000, NOW)
    assert _tokens(storage) == 50


def test_no_token_is_forgotten_while_the_clock_that_let_it_in_calls_it_valid(storage: Storage) -> None:
    past = 1000.0  # a clock that is slow, or given: by the machine's own the token would be long expired
    for number in range(500):
        assert storage.replay.claim("https://a.example.org", str(number), past + 300, past)
    assert _tokens(storage) == 500


def test_a_database_that_does_not_answer_lets_nobody_in(tmp_path: Path) -> None:
    replay = DatabaseReplay(broken(tmp_path))
    with pytest.raises(UnavailableError) as raised:
        replay.claim("https://a.example.org", "secret-token", NOW, NOW)
    assert isinstance(raised.value, StorageError)
    assert "secret-token" not in str(raised.value)
    assert raised.value.__cause__ is None
