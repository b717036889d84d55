"""Key sets kept at hand: rotation is noticed, a bad or dead key server turns nobody away, and floods reach nobody."""

import gzip
import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cds_service.errors import SettingsError, UnavailableError
from cds_service.security.key_sets import COOLDOWN, FRESH, LAST_GOOD, KeySets, download
from cds_service.security.signing_keys import LARGEST_SET, KeySetError
from cds_service.tenants import Tenant, Tenants
from tests.security.callers import (
    KeyServer,
    elliptic,
    eventually,
    jwk,
    key_server,
    key_set,
    modular,
    trust,
    write,
)

OLD = key_set(jwk(elliptic(), "old"))
NEW = key_set(jwk(elliptic(), "old"), jwk(modular(), "new"))


class Clock:
    """A clock that goes forward when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as played:
        played.body = OLD
        yield played


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Caller:
    """One tenant's keys as the gate asks for them."""

    def __init__(self, url: str, clock: Clock, patience: float = 5.0) -> None:
        self.trust = trust(jwks_url=url)
        self.tenants = Tenants((Tenant(id="clinic", trust=self.trust, allow_loopback=True),))
        self.sets = KeySets(self.tenants, clock, patience)

    def knows(self, kid: str = "old") -> bool:
        return self.sets.find(self.trust, kid) is not None


def test_the_first_call_asks_and_the_next_ones_do_not(server: KeyServer, clock: Clock) -> None:
    caller = Caller(server.url, clock)
    assert server.asked == []
    assert [caller.knows() for _ in range(5)] == [True] * 5
    assert len(server.asked) == 1


def test_keys_can_be_asked_for_before_anybody_calls(server: KeyServer, clock: Clock) -> None:
    caller = Caller(server.url, clock, patience=0.0)
    caller.sets.warm()
    assert eventually(lambda: caller.sets._sets[server.url]._held is not None)
    assert caller.knows()
    assert len(server.asked) == 1


@pytest.mark.parametrize(("age", "asks"), [(FRESH - 1, 1), (FRESH, 2)])
def test_a_set_that_is_no_longer_fresh_serves_while_it_is_asked_for_again(
    server: KeyServer, clock: Clock, age: float, asks: int
) -> None:
    caller = Caller(server.url, clock)
    assert caller.knows()
    server.wait.clear()  # a slow server: the call must not notice
    clock.now += age
    begun = time.monotonic()
    assert caller.knows()
    assert time.monotonic() - begun < 1
    server.wait.set()
    assert eventually(lambda: len(server.asked) == asks)


@pytest.mark.parametrize(("age", "answers"), [(LAST_GOOD - 1, True), (LAST_GOOD, False)])
def test_the_last_good_set_serves_for_a_day_when_its_server_is_dead(
    server: KeyServer, clock: Clock, age: float, *, answers: bool
) -> None:
    caller = Caller(server.url, clock)
    assert caller.knows()
    server.status = 503
    clock.now += age
    if answers:
        assert caller.knows()
    else:
        with pytest.raises(UnavailableError):
            caller.knows()


def test_a_key_that_is_taken_back_is_gone_after_the_next_look(server: KeyServer, clock: Clock) -> None:
    server.body = NEW
    caller = Caller(server.url, clock)
    assert caller.knows("new")
    server.body = OLD
    clock.now += FRESH
    assert caller.knows("new")  # this one starts the look
    assert eventually(lambda: not caller.knows("new"))
    assert caller.knows("old")


@pytest.mark.parametrize(("later", "found"), [(COOLDOWN - 1, False), (COOLDOWN, True)])
def test_a_new_key_is_found_at_its_first_use_but_not_sooner_than_the_pause_allows(
    server: KeyServer, clock: Clock, later: float, *, found: bool
) -> None:
    caller = Caller(server.url, clock)
    assert not caller.knows("new")
    server.body = NEW
    clock.now += later
    assert caller.knows("new") == found
    assert len(server.asked) == 1 + found


def test_a_flood_of_made_up_key_ids_reaches_the_server_once(server: KeyServer, clock: Clock) -> None:
    caller = Caller(server.url, clock)
    clock.now += COOLDOWN
    assert not any(caller.knows(f"made-up-{number}") for number in range(200))
    assert len(server.asked) == 1


def test_calls_at_one_moment_share_one_request(server: KeyServer, clock: Clock) -> None:
    server.wait.clear()
    caller = Caller(server.url, clock)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(caller.knows())) for _ in range(12)]
    for thread in threads:
        thread.start()
    assert eventually(lambda: len(server.asked) == 1)
    server.wait.set()
    for thread in threads:
        thread.join(10)
    assert found == [True] * 12
    assert len(server.asked) == 1


def test_a_set_that_came_while_a_call_made_up_its_mind_is_used(
    server: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller = Caller(server.url, clock)
    cached = caller.sets._sets[server.url]
    monkeypatch.setattr(cached, "ask", cached.load)  # it is there, and nothing is out any more
    assert caller.knows()


def test_a_process_without_a_thread_to_spare_refuses_and_recovers(
    server: KeyServer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    caller = Caller(server.url, clock)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", start)
        with pytest.raises(UnavailableError):
            caller.knows()
    clock.now += COOLDOWN
    assert caller.knows()


def test_a_call_waits_no_longer_than_its_patience(server: KeyServer, clock: Clock) -> None:
    server.wait.clear()
    caller = Caller(server.url, clock, patience=0.1)
    begun = time.monotonic()
    with pytest.raises(UnavailableError):
        caller.knows()
    assert 0.1 <= time.monotonic() - begun < 1
    server.wait.set()
    assert eventually(lambda: caller.sets._sets[server.url]._held is not None)
    assert caller.knows()


def test_a_server_that_failed_is_left_alone_for_a_while_and_calls_are_refused_at_once(
    server: KeyServer, clock: Clock
) -> None:
    server.status = 500
    caller = Caller(server.url, clock)
    for _ in range(5):
        with pytest.raises(UnavailableError):
            caller.knows()
    assert len(server.asked) == 1
    server.status = 200
    clock.now += COOLDOWN
    assert caller.knows()


def test_an_unknown_key_with_a_dead_server_is_an_unknown_key(server: KeyServer, clock: Clock) -> None:
    caller = Caller(server.url, clock)
    assert caller.knows()
    server.status = 500
    clock.now += COOLDOWN
    assert not caller.knows("new")
    assert caller.knows()


def test_tenants_that_share_an_address_share_its_keys(server: KeyServer, clock: Clock) -> None:
    one, other = (trust(jwks_url=server.url, subject=name) for name in ("a", "b"))
    tenants = [Tenant(id=f"t{i}", trust=t, allow_loopback=True) for i, t in enumerate((one, other))]
    sets = KeySets(Tenants(tuple(tenants)), clock, 5.0)
    assert sets.find(one, "old") is sets.find(other, "old") is not None
    assert len(server.asked) == 1


# --- what a server may answer -------------------------------------------------------------------------------------------


def test_a_server_is_asked_plainly(server: KeyServer) -> None:
    assert download(server.url) == OLD
    [asked] = server.asked
    assert asked["Accept"] == "application/json, application/jwk-set+json"
    assert asked["Accept-Encoding"] == "identity"
    assert not {"Authorization", "Cookie"} & asked.keys()


def test_the_way_out_may_lead_through_a_proxy_but_no_password_is_taken_along(
    server: KeyServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/jwks.json"))
    netrc = write(tmp_path, "netrc", b"machine keys.example.org login me password canary\n")
    monkeypatch.setenv("NETRC", str(netrc))
    assert download("http://keys.example.org/jwks.json") == OLD
    assert server.paths == ["http://keys.example.org/jwks.json"]
    assert "Authorization" not in server.asked[0]


def test_loopback_is_not_asked_through_a_proxy(server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert download(server.url) == OLD


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "Application/JWK-Set+JSON"])
def test_json_by_any_of_its_names_is_read(server: KeyServer, kind: str) -> None:
    server.headers = {"Content-Type": kind}
    assert download(server.url) == OLD


@pytest.mark.parametrize("kind", ["text/html", "text/plain", "application/jsonp", ""])
def test_what_is_not_called_json_is_not_read(server: KeyServer, kind: str) -> None:
    server.headers = {"Content-Type": kind}
    with pytest.raises(KeySetError, match="JSON"):
        download(server.url)


@pytest.mark.parametrize("status", [201, 204, 301, 302, 307, 308, 401, 404, 429, 500, 503])
def test_anything_but_200_is_no_key_set_and_no_redirect_is_followed(server: KeyServer, status: int) -> None:
    server.status = status
    server.headers["Location"] = server.url.replace("jwks", "elsewhere")
    server.body = b"" if status == 204 else OLD
    with pytest.raises(KeySetError, match=str(status)):
        download(server.url)
    assert server.paths == ["/jwks.json"]


@pytest.mark.parametrize(
    ("size", "read"), [(LARGEST_SET, True), (LARGEST_SET + 1, False), (20 * 1024**2, False)]
)
def test_no_more_is_read_than_a_set_may_hold(server: KeyServer, size: int, *, read: bool) -> None:
    server.body = OLD + b" " * (size - len(OLD))
    if read:
        assert len(download(server.url)) == size
    else:
        with pytest.raises(KeySetError, match="larger than 64 KiB"):
            download(server.url)


def test_a_compressed_bomb_is_not_unpacked(server: KeyServer) -> None:
    server.headers["Content-Encoding"] = "gzip"
    server.body = gzip.compress(b" " * 50_000_000)
    with pytest.raises(KeySetError, match="compresses"):
        download(server.url)


def test_a_server_that_drips_is_given_up_after_three_seconds(server: KeyServer) -> None:
    server.drip = 0.05
    begun = time.monotonic()
    with pytest.raises(KeySetError, match="too slow"):
        download(server.url)
    assert 2.5 < time.monotonic() - begun < 4


def test_a_server_that_says_nothing_is_given_up_after_three_seconds(server: KeyServer) -> None:
    server.wait.clear()
    begun = time.monotonic()
    with pytest.raises(KeySetError, match="does not answer"):
        download(server.url)
    assert 2.5 < time.monotonic() - begun < 4


def test_a_set_that_ends_too_soon_is_not_used(server: KeyServer) -> None:
    server.cut = 5
    with pytest.raises(KeySetError, match="does not answer"):
        download(server.url)


def test_a_server_that_is_gone_is_told_in_a_sentence() -> None:
    with key_server() as gone:
        url = gone.url
    with pytest.raises(KeySetError, match="does not answer"):
        download(url)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"[]", b'{"keys": 1}', b"[" * 60_000])
def test_a_body_that_is_no_key_set_leaves_the_last_good_one(
    server: KeyServer, clock: Clock, body: bytes
) -> None:
    caller = Caller(server.url, clock)
    assert caller.knows()
    server.body = body
    clock.now += COOLDOWN
    assert not caller.knows("new")
    assert caller.knows()


def test_a_failure_is_logged_without_address_or_key(
    server: KeyServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    server.body = b"canary-" + OLD
    caller = Caller(server.url + "?canary", clock)
    with caplog.at_level(logging.DEBUG, "cds_service"), pytest.raises(UnavailableError):
        caller.knows("canary")
    [line] = [record.getMessage() for record in caplog.records if record.name.startswith("cds_service")]
    assert line == '{"event":"keys","tenant":"clinic","problem":"it is not JSON"}'


def test_a_bug_in_the_background_is_a_line_and_not_the_end(
    clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    def broken() -> bytes:
        raise RuntimeError("canary")

    caller = Caller("https://keys.example.org", clock)
    caller.sets._sets["https://keys.example.org"]._load = broken
    with pytest.raises(UnavailableError):
        caller.knows()
    assert "RuntimeError" in caplog.text
    assert "canary" not in caplog.text


# --- files --------------------------------------------------------------------------------------------------------------


def test_a_file_is_read_at_once_and_a_changed_one_is_noticed(tmp_path: Path, clock: Clock) -> None:
    path = write(tmp_path, "keys.json", OLD)
    trusted = trust(jwks_url=None, jwks_file=path)
    sets = KeySets(Tenants((Tenant(id="clinic", trust=trusted),)), clock, 5.0)
    assert sets.find(trusted, "old") is not None
    assert sets.find(trusted, "new") is None
    path.write_bytes(NEW)
    clock.now += COOLDOWN
    assert sets.find(trusted, "new") is not None


def test_a_file_goes_before_an_address_which_is_then_never_asked(
    server: KeyServer, tmp_path: Path, clock: Clock
) -> None:
    trusted = trust(jwks_url=server.url, jwks_file=write(tmp_path, "keys.json", OLD))
    sets = KeySets(Tenants((Tenant(id="clinic", trust=trusted, allow_loopback=True),)), clock, 5.0)
    sets.warm()
    assert sets.find(trusted, "old") is not None
    assert sets.find(trusted, "new") is None
    assert server.asked == []


def test_a_file_that_is_no_key_set_stops_the_start(tmp_path: Path, clock: Clock) -> None:
    for path in (write(tmp_path, "keys.json", b"{"), tmp_path / "missing.json", tmp_path):
        tenants = Tenants((Tenant(id="clinic", trust=trust(jwks_url=None, jwks_file=path)),))
        with pytest.raises(SettingsError, match=r"^The key set .* cannot be used: .*\.$"):
            KeySets(tenants, clock)
