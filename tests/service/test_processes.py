"""Several processes on one database: a token passes once whoever gets it, and what cannot be sure does not start."""

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import pytest
import requests
from pydantic import SecretStr

from cds_service.app import create_app
from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.storage import schema
from cds_service.storage.database import connect
from cds_service.tenants import Tenants, open_tenants
from tests.databases import Place
from tests.hooks.calls import cards_of, outcome_of
from tests.postgresql import Server
from tests.service.house import house, sample, tenant
from tests.service.served import CLINIC, PATH, SECONDS, Served, command, serving, tenants_file, token

MEETS = sample("01-meets")
CALL = MEETS.call(MEETS.prefetch)
TIMES = 8
TOKENS = 5
T = TypeVar("T")


@pytest.fixture
def pair(place: Place, tmp_path: Path) -> Iterator[tuple[Served, Served]]:
    """Two services on one database, the first with two workers."""
    settings = place.environment | {"MILAN_NET_TENANTS": str(tenants_file(tmp_path))}
    with ExitStack() as stack:
        first = stack.enter_context(serving(tmp_path, settings, "--workers", "2"))
        yield first, stack.enter_context(serving(tmp_path, settings))


def test_processes_that_share_a_database_are_one_service(pair: tuple[Served, Served]) -> None:
    _assert_a_token_passes_once(pair)
    _assert_what_is_set_aside_at_one_stays_away_at_the_other(pair)


def _assert_a_token_passes_once(pair: tuple[Served, Served]) -> None:
    for _ in range(TOKENS):
        header = token()
        with ThreadPoolExecutor(TIMES) as threads:
            calls = [
                threads.submit(pair[number % 2].post, PATH, CALL, Authorization=header)
                for number in range(TIMES)
            ]
        found = Counter(call.result().status_code for call in calls)
        assert found == {200: 1, 401: TIMES - 1}


def _assert_what_is_set_aside_at_one_stays_away_at_the_other(pair: tuple[Served, Served]) -> None:
    (card,) = pair[0].post(PATH, CALL, Authorization=token()).json()["cards"]
    entry = {
        "card": card["uuid"],
        "outcome": "overridden",
        "overrideReason": {"reason": card["overrideReasons"][0]},
        "outcomeTimestamp": datetime.now(UTC).isoformat(),
    }
    path = f"{PATH}/feedback"
    body = {"feedback": [entry]}
    assert pair[1].post(path, body, Authorization=token(path)).status_code == 200
    for served in (*pair, *pair):
        assert served.post(PATH, CALL, Authorization=token()).json() == {"cards": []}


def test_a_worker_that_is_killed_is_replaced_and_the_others_go_on(tmp_path: Path) -> None:
    settings = {"MILAN_NET_TENANTS": str(tenants_file(tmp_path))}
    with serving(tmp_path, settings, "--workers", "2") as served:
        before = _until(lambda: served.workers, lambda found: len(found) == 2)
        gone = min(before)
        os.kill(gone, signal.SIGKILL)
        after = _until(lambda: served.workers, lambda found: len(found) == 2 and gone not in found)
        assert len(after & before) == 1
        for _ in range(TIMES):
            found = _until(lambda: served.post(PATH, CALL, Authorization=token()), lambda answer: answer.ok)
            assert found.json()["cards"]


def _until(ask: Callable[[], T], holds: Callable[[T], bool]) -> T:
    """What is asked for, once it is so; a call on a connection of the killed one may break."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        try:
            found = ask()
        except requests.ConnectionError:
            continue
        if holds(found):
            return found
        time.sleep(0.1)
    raise AssertionError("it never was so")


# --- what does not start ----------------------------------------------------------------------------------------------


def test_replicas_on_sqlite_do_not_start(tmp_path: Path) -> None:
    settings = {"MILAN_NET_REPLICAS": "2", "MILAN_NET_TENANTS": str(tenants_file(tmp_path))}
    done = command(tmp_path, settings, "serve", "--port", "1")
    assert done.returncode != 0
    assert "PostgreSQL" in done.stderr
    assert "Traceback" not in done.stderr


def test_nobody_configured_does_not_start_and_says_what_to_do(tmp_path: Path) -> None:
    done = command(tmp_path, {}, "serve")
    assert done.returncode != 0
    assert "MILAN_NET_TENANTS" in done.stderr
    assert "--open" in done.stderr


@pytest.mark.parametrize("revision", ["base", None], ids=["empty", "without a version"])
def test_postgresql_with_an_old_schema_does_not_start(
    postgresql: Server, tmp_path: Path, revision: str | None
) -> None:
    name = postgresql.new_database()
    address = postgresql.address(name)
    if revision is not None:
        database = connect(address)
        schema.upgrade(database)
        schema.downgrade(database, revision)
        database.close()
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    settings = Settings(database_url=SecretStr(address), pseudonym_key_file=key)
    with pytest.raises(SettingsError, match="milan-net migrate"):
        create_app(settings, Tenants((tenant(CLINIC, tmp_path),)))
    postgresql.drop_database(name)


# --- a database that goes away ----------------------------------------------------------------------------------------


def test_without_its_database_a_call_with_a_token_is_a_503_and_never_an_open_door(
    postgresql: Server, tmp_path: Path
) -> None:
    name = postgresql.new_database()
    address = postgresql.address(name)
    database = connect(address)
    schema.upgrade(database)
    database.close()
    key = tmp_path / "key"
    key.write_bytes(b"k" * 32)
    clinic = house(
        tmp_path, tenant(CLINIC, tmp_path), database_url=SecretStr(address), pseudonym_key_file=key
    )
    assert clinic.cards(CLINIC, CALL)
    postgresql.drop_database(name)
    for path, body in ((PATH, CALL), (f"{PATH}/feedback", {"feedback": []})):
        response = clinic.post(CLINIC, path, body)
        assert response.status_code == 503
        assert response.headers["Retry-After"]
        assert outcome_of(response)["code"] == "transient"
        assert name not in response.text
    assert clinic.client.post(PATH, json=CALL).status_code == 401, "who is not known stays out"


def test_in_open_mode_a_database_that_goes_away_costs_no_card() -> None:
    app = create_app(Settings(), open_tenants())
    app.extensions["storage"].database.close()
    file = Path(str(app.extensions["storage"].database.engine.url.database))
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    file.mkdir()  # so that none is made anew
    response = app.test_client().post(PATH, json=CALL)
    assert cards_of(response)
