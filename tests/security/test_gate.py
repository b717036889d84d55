"""The gate: whom it admits, once, and that it is shut when it cannot be sure."""

import logging
import threading
from pathlib import Path

import pytest

from cds_service.errors import UnauthorizedError, UnavailableError
from cds_service.security.gate import Gate
from cds_service.security.key_sets import KeySets
from cds_service.security.tokens import Refusal
from cds_service.tenants import Tenant, Tenants, open_tenants
from tests.security.callers import (
    AUDIENCE,
    BASE,
    ISSUER,
    NOW,
    PATH,
    MemoryReplayStore,
    claims,
    compact,
    elliptic,
    header,
    honest,
    jwk,
    key_set,
    tenant,
    trust,
    write,
)


class BrokenReplayStore:
    """A store that does not answer."""

    def claim(self, issuer: str, token_id: str, until: float, now: float) -> bool:
        raise UnavailableError("The store does not answer.")


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    return write(tmp_path, "keys.json", key_set(jwk(elliptic())))


def gate(
    *tenants: Tenant, store: MemoryReplayStore | BrokenReplayStore | None = None, now: float = NOW
) -> Gate:
    every = Tenants(tenants)
    return Gate(every, store or MemoryReplayStore(), KeySets(every, patience=0.1), lambda: now)


def refusal(shut: Gate, authorization: str | None, path: str = PATH) -> str:
    with pytest.raises(UnauthorizedError) as caught:
        shut.admit(authorization, path)
    assert str(caught.value) == "The caller is not known."
    return caught.value.reason


def test_a_caller_with_an_honest_token_is_admitted_as_its_tenant(keys: Path) -> None:
    clinic = tenant(jwks_url=None, jwks_file=keys)
    assert gate(clinic).admit(f"Bearer {honest()}", PATH) is clinic


@pytest.mark.parametrize("path", ["/cds-services", PATH, PATH + "/feedback"])
def test_every_endpoint_asks_who_calls(keys: Path, path: str) -> None:
    shut = gate(tenant(jwks_url=None, jwks_file=keys))
    assert refusal(shut, None, path) == Refusal.MISSING
    assert shut.admit(f"Bearer {honest(aud=BASE + path)}", path).id == "clinic"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "bEaReR"])
@pytest.mark.parametrize("space", [" ", "  ", "     "])
def test_the_scheme_is_written_in_any_case(keys: Path, scheme: str, space: str) -> None:
    assert gate(tenant(jwks_url=None, jwks_file=keys)).admit(f"{scheme}{space}{honest()}", PATH)


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, Refusal.MISSING),
        ("", Refusal.MISSING),
        ("  ", Refusal.MISSING),
        ("Bearer", Refusal.MISSING),
        ("Bearer ", Refusal.MISSING),
        ("Basic bWU6bWU=", Refusal.SCHEME),
        ("Digest username=me", Refusal.SCHEME),
        ("Bearer: x.y.z", Refusal.SCHEME),
        ("Token x.y.z", Refusal.SCHEME),
        ("Negotiate", Refusal.SCHEME),
        (honest(), Refusal.SCHEME),
        ("Bearer x", Refusal.MALFORMED),
        ("Bearer x.y.z", Refusal.MALFORMED),
        (f"Bearer {honest()} {honest()}", Refusal.MALFORMED),
        (f"Bearer {honest()},Bearer {honest()}", Refusal.MALFORMED),
        (f"Bearer\t{honest()}", Refusal.MALFORMED),
        (f'Bearer "{honest()}"', Refusal.MALFORMED),
        (f"Bearer {honest()}\x00", Refusal.MALFORMED),
        ("Bearer " + "x" * 9000, Refusal.TOO_LONG),
        ("x" * 5_000_000, Refusal.TOO_LONG),
        ("a" + " " * 8000 + "\x01", Refusal.MALFORMED),
        ("Bearer \u0661.\u0661.\u0661", Refusal.MALFORMED),
    ],
)
def test_a_header_without_a_bearers_token_is_refused_for_its_reason(
    keys: Path, authorization: str | None, reason: Refusal
) -> None:
    assert refusal(gate(tenant(jwks_url=None, jwks_file=keys)), authorization) == reason


def test_a_reason_is_one_of_a_few_words(keys: Path) -> None:
    assert all(len(reason) <= 16 and reason.replace("-", "").isalpha() for reason in Refusal)


def test_an_issuer_that_nobody_trusts_is_refused(keys: Path) -> None:
    shut = gate(tenant(jwks_url=None, jwks_file=keys))
    for issuer in ("https://other.example.org", "", None, 7):
        assert refusal(shut, f"Bearer {honest(iss=issuer)}") == Refusal.ISSUER


def test_in_open_mode_everybody_is_the_open_tenant_and_no_header_is_looked_at() -> None:
    everybody = open_tenants()
    store = MemoryReplayStore()
    door = Gate(everybody, store, KeySets(everybody), lambda: NOW)
    for authorization in (None, "Basic x", "x" * 5_000_000, f"Bearer {honest()}"):
        assert door.admit(authorization, PATH) is everybody.open
    assert store.claimed == {}


# --- once ---------------------------------------------------------------------------------------------------------------


def test_a_token_is_admitted_once(keys: Path) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys))
    assert door.admit(f"Bearer {honest()}", PATH)
    assert refusal(door, f"Bearer {honest()}") == Refusal.REPLAYED
    assert door.admit(f"Bearer {honest(jti='another')}", PATH)


def test_another_token_of_the_same_id_is_a_replay_wherever_it_is_used(keys: Path) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys))
    assert door.admit(f"Bearer {honest()}", PATH)
    other = honest(aud=BASE + "/cds-services", exp=NOW + 200)
    assert refusal(door, f"Bearer {other}", "/cds-services") == Refusal.REPLAYED


def test_ids_of_different_issuers_are_different(keys: Path) -> None:
    other = tenant("other", issuer="https://other.example.org", jwks_url=None, jwks_file=keys)
    door = gate(tenant(jwks_url=None, jwks_file=keys), other)
    assert door.admit(f"Bearer {honest()}", PATH).id == "clinic"
    assert door.admit(f"Bearer {honest(iss='https://other.example.org')}", PATH).id == "other"


def test_of_many_callers_with_one_token_one_is_admitted(keys: Path) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys))
    outcomes: list[str] = []
    start = threading.Barrier(16)

    def call() -> None:
        start.wait(10)
        try:
            outcomes.append(door.admit(f"Bearer {honest()}", PATH).id)
        except UnauthorizedError as error:
            outcomes.append(error.reason)

    threads = [threading.Thread(target=call) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert sorted(outcomes) == ["clinic", *[Refusal.REPLAYED] * 15]


def test_a_token_is_remembered_longer_than_any_replica_would_take_it(keys: Path) -> None:
    store = MemoryReplayStore()
    gate(tenant(jwks_url=None, jwks_file=keys), store=store).admit(f"Bearer {honest(exp=NOW + 10)}", PATH)
    assert store.claimed == {(ISSUER, "once"): NOW + 10 + 60 + 60}


@pytest.mark.parametrize(
    "token",
    [
        compact(header(), claims(), elliptic(name="mallory")),
        honest(exp=NOW - 61),
        honest(aud=BASE + "/cds-services"),
        honest(iss="https://other.example.org"),
        compact(header(kid="x"), claims()),
    ],
)
def test_a_token_that_is_refused_uses_up_no_id(keys: Path, token: str) -> None:
    store = MemoryReplayStore()
    door = gate(tenant(jwks_url=None, jwks_file=keys), store=store)
    refusal(door, f"Bearer {token}")
    assert store.claimed == {}
    assert door.admit(f"Bearer {honest()}", PATH)


def test_the_gate_is_shut_while_it_cannot_tell_a_replay(keys: Path) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys), store=BrokenReplayStore())
    with pytest.raises(UnavailableError):
        door.admit(f"Bearer {honest()}", PATH)
    assert refusal(door, "Bearer x.y.z") == Refusal.MALFORMED


def test_the_gate_is_shut_while_the_keys_cannot_be_had() -> None:
    door = gate(Tenant(id="clinic", trust=trust(jwks_url="http://127.0.0.1:9/keys"), allow_loopback=True))
    with pytest.raises(UnavailableError):
        door.admit(f"Bearer {honest()}", PATH)


def test_nothing_of_a_token_is_ever_logged_or_told(keys: Path, caplog: pytest.LogCaptureFixture) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys))
    tokens = [
        honest(jti="canary-1"),
        honest(jti="canary-1", exp=NOW - 99),
        honest(iss="canary"),
        "canary.x.y",
    ]
    with caplog.at_level(logging.DEBUG):
        for token in (*tokens, tokens[0]):
            try:
                door.admit(f"Bearer {token}", PATH)
            except UnauthorizedError as error:
                told = str((str(error), error.reason, error.as_outcome(), error.__cause__))
                assert "canary" not in told
                assert token not in told
    assert caplog.text == ""


# --- several tenants of one issuer --------------------------------------------------------------------------------------


def test_tenants_of_one_issuer_are_told_apart_by_claims(keys: Path) -> None:
    shared = {"jwks_url": None, "jwks_file": keys}
    tenants = [
        tenant("one", subject="a", **shared),
        tenant("two", subject="b", tenant="x", **shared),
        tenant("three", subject="b", tenant="y", **shared),
    ]
    door = gate(*tenants)
    for name, token in {
        "one": honest(jti="1", sub="a"),
        "two": honest(jti="2", sub="b", tenant="x"),
        "three": honest(jti="3", sub="b", tenant="y"),
    }.items():
        assert door.admit(f"Bearer {token}", PATH).id == name
    assert refusal(door, f"Bearer {honest(sub='c')}") == Refusal.SUBJECT
    assert refusal(door, f"Bearer {honest(sub='b')}") in {Refusal.TENANT, Refusal.SUBJECT}


def test_a_claim_alone_makes_nobody_a_tenant(keys: Path, tmp_path: Path) -> None:
    others = write(tmp_path, "others.json", key_set(jwk(elliptic(name="two"))))
    door = gate(
        tenant("one", subject="a", jwks_url=None, jwks_file=keys),
        tenant("two", subject="b", jwks_url=None, jwks_file=others),
    )
    stolen = compact(header(), claims(sub="b"), elliptic())  # signed by one, in the name of the other
    assert refusal(door, f"Bearer {stolen}") == Refusal.SIGNATURE


def test_tenants_of_one_issuer_are_told_apart_by_keys(keys: Path, tmp_path: Path) -> None:
    others = write(tmp_path, "others.json", key_set(jwk(elliptic(name="two"), "key-2")))
    door = gate(tenant("one", jwks_url=None, jwks_file=keys), tenant("two", jwks_url=None, jwks_file=others))
    assert door.admit(f"Bearer {honest(jti='1')}", PATH).id == "one"
    second = compact(header(kid="key-2"), claims(jti="2"), elliptic(name="two"))
    assert door.admit(f"Bearer {second}", PATH).id == "two"
    assert refusal(door, f"Bearer {honest(jti='3', exp=NOW - 100)}") == Refusal.EXPIRED


def test_a_token_that_two_tenants_would_take_belongs_to_neither(keys: Path) -> None:
    twins = [tenant(name, jwks_url=None, jwks_file=keys) for name in ("one", "two")]
    assert refusal(gate(*twins), f"Bearer {honest()}") == Refusal.AMBIGUOUS


def test_an_audience_is_that_of_the_path_and_not_of_the_call(keys: Path) -> None:
    door = gate(tenant(jwks_url=None, jwks_file=keys))
    assert refusal(door, f"Bearer {honest()}", "/cds-services/other") == Refusal.AUDIENCE
    assert AUDIENCE.endswith(PATH)
