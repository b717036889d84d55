"""A key set: which of its keys vouch for a token, and why the others do not."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.security.signing_keys import LARGEST_SET, MOST_KEYS, KeySetError, read_key_set
from tests.security.callers import elliptic, encoded, jwk, key_set, modular, number, private_jwk

EC = jwk(elliptic())
RSA = jwk(modular(), "key-2")


def test_keys_are_found_by_their_ids_with_the_algorithms_that_fit_them() -> None:
    found = read_key_set(key_set(EC, RSA, jwk(elliptic("P-256"), "key-3")))
    assert {kid: key.algorithms for kid, key in found.keys.items()} == {
        "key-1": {"ES384"},
        "key-2": {"RS256", "RS384", "PS256", "PS384"},
        "key-3": {"ES256"},
    }
    assert found.left_out == found.unsafe == ()


def test_a_key_that_names_its_algorithm_and_use_is_taken_for_those() -> None:
    found = read_key_set(
        key_set(RSA | {"alg": "RS384", "use": "sig", "key_ops": ["verify"], "x5c": 7, "x": 1})
    )
    assert found.keys["key-2"].algorithms == {"RS384"}


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (jwk(elliptic(), None), "no kid"),
        (EC | {"kid": ""}, "no kid"),
        (EC | {"kid": 7}, "no kid"),
        (EC | {"kid": "k" * 256}, "no kid"),
        (EC | {"use": "enc"}, "use"),
        (EC | {"use": None}, "use"),
        (EC | {"key_ops": ["sign"]}, "key_ops"),
        (EC | {"key_ops": "verify"}, "key_ops"),
        (EC | {"alg": "ES256"}, "alg"),
        (EC | {"alg": "RS384"}, "alg"),
        (EC | {"alg": ["ES384"]}, "alg"),
        (EC | {"alg": "HS384"}, "alg"),
        (EC | {"crv": "P-256"}, "coordinates"),
        (EC | {"crv": ["P-384"]}, "crv"),
        (jwk(elliptic("P-521")), "crv"),
        (EC | {"x": EC["y"]}, "point"),
        (EC | {"x": "A" + EC["x"]}, "x is missing or not base64url|coordinates"),
        (EC | {"x": EC["x"] + "="}, "base64url"),
        (EC | {"y": None}, "base64url"),
        (EC | {"kty": "OKP", "crv": "Ed25519"}, "kty"),
        (EC | {"kty": None}, "kty"),
        (RSA | {"n": ""}, "base64url"),
        ("key", "no kid"),
        (None, "no kid"),
    ],
)
def test_a_key_that_is_of_no_use_here_is_left_out_and_the_others_stay(key: Any, why: str) -> None:
    found = read_key_set(key_set(jwk(modular(), "good"), key))
    assert set(found.keys) == {"good"}
    [line] = found.left_out
    assert line.startswith("keys[1]: ")
    assert any(part in line for part in why.split("|"))
    assert found.unsafe == ()


@pytest.mark.parametrize(
    ("key", "why"),
    [
        ({"kty": "oct", "kid": "s", "k": encoded(b"secret" * 8)}, "symmetric"),
        (private_jwk(elliptic()) | {"kid": "s"}, "private part"),
        (private_jwk(modular()) | {"kid": "s"}, "private part"),
        (EC | {"d": ""}, "private part"),
        (RSA | {"e": number(3)}, "exponent"),
        (RSA | {"e": number(65536)}, "exponent"),
        (RSA | {"e": number(2**64 + 1)}, "exponent"),
        (RSA | {"n": number(1 << 16383 | 1)}, "16384 bits"),
        (jwk(elliptic(name="x"), "good"), "same kid"),
    ],
)
def test_a_key_that_would_vouch_for_anybody_is_left_out_as_unsafe(key: dict[str, Any], why: str) -> None:
    found = read_key_set(key_set(jwk(modular(), "good"), key))
    assert set(found.keys) == (set() if why == "same kid" else {"good"})
    assert any(why in line for line in found.unsafe)


@pytest.mark.parametrize(
    ("bits", "taken"), [(2040, False), (2047, False), (2048, True), (8192, True), (8193, False)]
)
def test_a_modulus_has_2048_to_8192_bits(bits: int, *, taken: bool) -> None:
    found = read_key_set(key_set(RSA | {"n": number(1 << (bits - 1) | 1)}))
    assert (set(found.keys) == {"key-2"}) == taken
    assert bool(found.unsafe) != taken


def test_two_keys_of_one_id_are_both_left_out_because_neither_is_meant_more() -> None:
    found = read_key_set(key_set(EC, RSA, jwk(elliptic(name="x"))))
    assert set(found.keys) == {"key-2"}
    assert len(found.unsafe) == 2


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"<html>", "not JSON"),
        (b"[" * 5000, "not JSON"),
        (b"[]", "object"),
        (b"{}", "object"),
        (b'{"keys": {}}', "object"),
        (b'{"keys": NaN}', "not JSON"),
        (b'\xff{"keys": []}', "not JSON"),
        (key_set(*[{}] * (MOST_KEYS + 1)), "50 keys"),
        (b'{"keys": []}' + b" " * LARGEST_SET, "64 KiB"),
    ],
)
def test_what_is_no_key_set_is_told_in_a_sentence(data: bytes, why: str) -> None:
    with pytest.raises(KeySetError, match=why):
        read_key_set(data)


def test_a_set_may_be_empty_full_and_as_large_as_the_limit() -> None:
    assert read_key_set(b'{"keys": []}').keys == {}
    assert len(read_key_set(key_set(*[EC | {"kid": str(i)} for i in range(MOST_KEYS)])).keys) == MOST_KEYS
    body = key_set(EC)
    assert set(read_key_set(body + b" " * (LARGEST_SET - len(body))).keys) == {"key-1"}


def test_no_line_repeats_what_the_set_holds() -> None:
    canary = "canary-7f3a"
    bad = [
        {"kid": canary, "kty": canary},
        {"kty": "EC", "kid": canary + "2", "crv": canary, "x": canary, "d": canary},
    ]
    found = read_key_set(key_set(*bad, RSA | {"kid": canary + "3", "n": canary, "e": canary, "alg": canary}))
    assert len(found.left_out) + len(found.unsafe) == 3
    assert canary not in str((found.left_out, found.unsafe))


@given(
    st.dictionaries(
        st.sampled_from(["kty", "kid", "crv", "x", "y", "n", "e", "use", "alg", "key_ops", "d", "k"]),
        st.sampled_from(["EC", "RSA", "oct", "P-384", "AQAB", EC["x"], EC["y"], RSA["n"], "sig", "", "ES384"])
        | st.none()
        | st.integers()
        | st.lists(st.text(max_size=3), max_size=2),
    )
)
def test_whatever_a_key_looks_like_the_set_is_read(key: dict[str, Any]) -> None:
    found = read_key_set(json.dumps({"keys": [key]}).encode())
    assert len(found.keys) + len(found.left_out) + len(found.unsafe) == 1
