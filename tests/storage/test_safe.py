"""The safe: what is put away is there for who has the secret, until its time, and for nobody who has the database."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import func, select

from cds_service.errors import StorageError
from cds_service.storage.opening import Storage, open_storage
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.safe import Kind, Safe
from cds_service.storage.tables import SEALED
from tests.databases import KEY, Place, broken

NOW = 1_800_000_000.0


def test_what_is_put_away_can_be_looked_at_until_its_time(storage: Storage) -> None:
    storage.safe.put(Kind.SESSION, "secret", b"content", NOW + 10, NOW)
    for at, found in ((NOW, b"content"), (NOW + 9.9, b"content"), (NOW + 10, None)):
        assert storage.safe.look(Kind.SESSION, "secret", at) == found


def test_what_is_put_away_again_takes_the_place_of_what_was_there(storage: Storage) -> None:
    storage.safe.put(Kind.FORM, "secret", b"one", NOW + 10, NOW)
    storage.safe.put(Kind.FORM, "secret", b"two", NOW + 20, NOW)
    assert storage.safe.look(Kind.FORM, "secret", NOW + 15) == b"two"


def test_nothing_opens_with_another_secret_or_as_another_kind(storage: Storage) -> None:
    storage.safe.put(Kind.LAUNCH, "secret", b"content", NOW + 10, NOW)
    assert storage.safe.look(Kind.LAUNCH, "other", NOW) is None
    assert storage.safe.look(Kind.SESSION, "secret", NOW) is None


def test_what_is_taken_is_gone(storage: Storage) -> None:
    storage.safe.put(Kind.LAUNCH, "secret", b"content", NOW + 10, NOW)
    assert storage.safe.take(Kind.LAUNCH, "secret", NOW) == b"content"
    assert storage.safe.take(Kind.LAUNCH, "secret", NOW) is None


def test_what_is_over_cannot_be_taken(storage: Storage) -> None:
    storage.safe.put(Kind.LAUNCH, "secret", b"content", NOW + 10, NOW)
    assert storage.safe.take(Kind.LAUNCH, "secret", NOW + 10) is None


def test_of_many_who_take_at_once_one_gets_it(storage: Storage) -> None:
    storage.safe.put(Kind.LAUNCH, "secret", b"content", NOW + 10, NOW)

    def take(_: int) -> bytes | None:
        return storage.safe.take(Kind.LAUNCH, "secret", NOW)

    with ThreadPoolExecutor(4) as pool:
        assert Counter(pool.map(take, range(8))) == {b"content": 1, None: 7}


def test_what_is_removed_is_gone(storage: Storage) -> None:
    storage.safe.put(Kind.SESSION, "secret", b"content", NOW + 10, NOW)
    storage.safe.remove(Kind.SESSION, "secret")
    assert storage.safe.look(Kind.SESSION, "secret", NOW) is None


def test_a_row_says_neither_what_nor_under_which_secret(storage: Storage) -> None:
    storage.safe.put(Kind.SESSION, "secret-canary", b"content-canary", NOW + 10, NOW)
    with storage.database.reading() as connection:
        [row] = connection.execute(select(SEALED)).all()
    assert b"canary" not in row.content
    assert "canary" not in row.name


def test_another_key_of_the_service_opens_nothing(storage: Storage) -> None:
    storage.safe.put(Kind.SESSION, "secret", b"content", NOW + 10, NOW)
    other = Safe(storage.database, Pseudonyms(b"o" * 32))
    assert other.look(Kind.SESSION, "secret", NOW) is None


def test_what_is_over_is_swept_away_in_passing(storage: Storage) -> None:
    for number in range(49):
        storage.safe.put(Kind.LAUNCH, f"old {number}", b"content", NOW - 301, NOW)
    storage.safe.put(Kind.LAUNCH, "new", b"content", NOW + 10, NOW)
    with storage.database.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(SEALED)) == 1


def test_it_is_there_for_another_process(place: Place) -> None:
    one, other = open_storage(place.settings), open_storage(place.settings)
    one.safe.put(Kind.SESSION, "secret", b"content", NOW + 10, NOW)
    assert other.safe.look(Kind.SESSION, "secret", NOW) == b"content"
    one.close()
    other.close()


def test_a_database_that_does_not_answer_is_told(tmp_path_factory: pytest.TempPathFactory) -> None:
    safe = Safe(broken(tmp_path_factory.mktemp("broken")), Pseudonyms(KEY))
    with pytest.raises(StorageError):
        safe.put(Kind.SESSION, "secret", b"content", NOW + 10, NOW)
