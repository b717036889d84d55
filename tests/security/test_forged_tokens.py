"""Tokens that attackers make, held against a second library: where the two disagree, ours is the stricter, and says why."""

import base64
import json
from datetime import datetime, tzinfo
from typing import Any

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.security.signing_keys import read_key_set
from cds_service.security.tokens import Refusal
from tests.security.callers import (
    ABSENT,
    AUDIENCE,
    BASE,
    ISSUER,
    KEY_ID,
    NOW,
    claims,
    compact,
    elliptic,
    encoded,
    header,
    honest,
    jwk,
    key_set,
    modular,
    pem,
    private_jwk,
)
from tests.security.test_tokens import refusal

RSA_ID = "key-2"
KEYS = {KEY_ID: jwk(elliptic()), RSA_ID: jwk(modular(), RSA_ID, alg="RS384")}
KNOWN = read_key_set(key_set(*KEYS.values()))
MALLORY = elliptic(name="mallory")
TOKEN = honest()
HEAD, BODY, SIGNATURE = TOKEN.split(".")
_RS384 = header(alg="RS384", kid=RSA_ID)


def _secret(data: bytes, algorithm: str = "HS256", **changed: Any) -> str:
    return compact(header(alg=algorithm, **changed), claims(), data)


def _raw(text: str) -> bytes:
    return text.encode()


def _repeated(name: str, first: str, second: str) -> bytes:
    body = json.dumps(claims(**{name: ABSENT}))
    return _raw(f'{{"{name}": "{first}", "{name}": "{second}", {body[1:]}')


CORPUS: dict[str, tuple[str, Refusal | None]] = {
    "honest": (TOKEN, None),
    "honest, RS384": (compact(_RS384, claims(), modular()), None),
    "honest, list of audiences": (honest(aud=["https://other.example.org", AUDIENCE]), None),
    "honest, unknown header member": (compact(header(extra=1), claims()), None),
    # signatures that prove nothing
    "alg none": (f"{encoded(json.dumps(header(alg='none')).encode())}.{BODY}.", Refusal.MALFORMED),
    "alg none, with the old signature": (
        f"{encoded(json.dumps(header(alg='none')).encode())}.{BODY}.{SIGNATURE}",
        Refusal.ALGORITHM,
    ),
    "alg nOnE": (compact(header(alg="nOnE"), claims(), algorithm="ES384"), Refusal.ALGORITHM),
    "no signature": (f"{HEAD}.{BODY}.", Refusal.MALFORMED),
    "no signature and no dot": (f"{HEAD}.{BODY}", Refusal.MALFORMED),
    "signature of zeros": (f"{HEAD}.{BODY}.{encoded(bytes(96))}", Refusal.SIGNATURE),
    "signature r = s = 1": (f"{HEAD}.{BODY}.{encoded((bytes(47) + bytes([1])) * 2)}", Refusal.SIGNATURE),
    "HS256 with the elliptic PEM": (_secret(pem(elliptic())), Refusal.ALGORITHM),
    "HS384 with the RSA PEM": (_secret(pem(modular()), "HS384", kid=RSA_ID), Refusal.ALGORITHM),
    "HS384 with the JWK": (_secret(json.dumps(KEYS[KEY_ID]).encode(), "HS384"), Refusal.ALGORITHM),
    "HS256 with nothing": (_secret(b""), Refusal.ALGORITHM),
    "ES384 by somebody else": (compact(header(), claims(), MALLORY), Refusal.SIGNATURE),
    "ES384 on another curve": (compact(header(), claims(), elliptic("P-256"), "ES384"), Refusal.SIGNATURE),
    "ES384 on a larger curve": (compact(header(), claims(), elliptic("P-521"), "ES384"), Refusal.SIGNATURE),
    "ES384 over another digest": (compact(header(), claims(), elliptic(), "ES256"), Refusal.SIGNATURE),
    "ES512, which nobody listed": (
        compact(header(alg="ES512"), claims(), elliptic("P-521")),
        Refusal.ALGORITHM,
    ),
    "RS384 header over an elliptic key": (
        compact(header(alg="RS384"), claims(), modular()),
        Refusal.ALGORITHM,
    ),
    "PS384 for RS384": (compact(_RS384, claims(), modular(), "PS384"), Refusal.SIGNATURE),
    "RS256 for RS384": (compact(_RS384, claims(), modular(), "RS256"), Refusal.SIGNATURE),
    # keys that the token brings along
    "wrong kid": (compact(header(kid="key-9"), claims()), Refusal.KEY),
    "kid of another key": (compact(header(kid=RSA_ID), claims()), Refusal.ALGORITHM),
    "kid as a path": (compact(header(kid="../../dev/null"), claims(), MALLORY), Refusal.KEY),
    "kid as SQL": (compact(header(kid="x' UNION SELECT 'k"), claims(), MALLORY), Refusal.KEY),
    "no kid": (compact(header(kid=ABSENT), claims()), Refusal.KEY_ID),
    "embedded jwk": (compact(header(jwk=jwk(MALLORY)), claims(), MALLORY), Refusal.SIGNATURE),
    "embedded private jwk": (compact(header(jwk=private_jwk(MALLORY)), claims(), MALLORY), Refusal.SIGNATURE),
    "embedded x5c": (compact(header(x5c=["MIIB"]), claims(), MALLORY), Refusal.SIGNATURE),
    "x5u elsewhere": (
        compact(header(x5u="https://evil.example.org/c.pem"), claims(), MALLORY),
        Refusal.SIGNATURE,
    ),
    "jku elsewhere": (
        compact(header(jku="https://evil.example.org/jwks.json"), claims(), MALLORY),
        Refusal.KEYS_URL,
    ),
    "jku elsewhere, honest key": (
        compact(header(jku="https://evil.example.org/"), claims()),
        Refusal.KEYS_URL,
    ),
    "jku inside": (compact(header(jku="http://169.254.169.254/latest"), claims()), Refusal.KEYS_URL),
    "jku as a file": (compact(header(jku="file:///etc/passwd"), claims()), Refusal.KEYS_URL),
    # headers that change the meaning
    "unknown crit": (compact(header(crit=["org.example"], **{"org.example": 1}), claims()), Refusal.CRITICAL),
    "crit that is no list": (compact(header(crit="exp"), claims()), Refusal.CRITICAL),
    "empty crit": (compact(header(crit=[]), claims()), Refusal.CRITICAL),
    "b64 false, critical": (compact(header(b64=False, crit=["b64"]), claims()), Refusal.CRITICAL),
    "b64 false": (compact(header(b64=False), claims()), Refusal.CRITICAL),
    "typ missing": (compact(header(typ=ABSENT), claims()), Refusal.TYPE),
    "typ at+jwt": (compact(header(typ="at+jwt"), claims()), Refusal.TYPE),
    "alg twice": (
        compact(_raw(f'{{"alg":"none","alg":"ES384","typ":"JWT","kid":"{KEY_ID}"}}'), claims()),
        Refusal.MALFORMED,
    ),
    # times
    "exp as text": (honest(exp=str(int(NOW) + 300)), Refusal.TIMES),
    "exp Infinity": (compact(header(), _raw(json.dumps(claims(exp=float("inf"))))), Refusal.MALFORMED),
    "exp 1e999": (
        compact(header(), _raw(json.dumps(claims(exp=0)).replace('"exp": 0', '"exp": 1e999'))),
        Refusal.TIMES,
    ),
    "exp NaN": (compact(header(), _raw(json.dumps(claims(exp=float("nan"))))), Refusal.MALFORMED),
    "exp true": (honest(exp=True), Refusal.TIMES),
    "exp null": (honest(exp=None), Refusal.TIMES),
    "exp a list": (honest(exp=[int(NOW) + 300]), Refusal.TIMES),
    "exp missing": (honest(exp=ABSENT), Refusal.TIMES),
    "exp past": (honest(exp=NOW - 61), Refusal.EXPIRED),
    "exp in the year 300 million": (honest(exp=10**16), Refusal.TIMES),
    "iat missing": (honest(iat=ABSENT), Refusal.TIMES),
    "iat as text": (honest(iat=str(int(NOW))), Refusal.TIMES),
    "iat true": (honest(iat=True), Refusal.TIMES),
    "iat ahead": (honest(iat=NOW + 120, exp=NOW + 300), Refusal.EARLY),
    "nbf ahead": (honest(nbf=NOW + 120), Refusal.EARLY),
    "nbf as text": (honest(nbf="0"), Refusal.TIMES),
    "nbf null": (honest(nbf=None), Refusal.TIMES),
    "lifetime of a day": (honest(exp=NOW + 86400), Refusal.LIFETIME),
    "lifetime of an hour and a second": (honest(exp=NOW + 3601), Refusal.LIFETIME),
    "over before it was issued": (honest(iat=NOW + 10, exp=NOW - 10), Refusal.LIFETIME),
    # audiences
    "aud of another service": (honest(aud="https://other.example.org/cds-services/x"), Refusal.AUDIENCE),
    "aud of discovery": (honest(aud=BASE + "/cds-services"), Refusal.AUDIENCE),
    "aud of feedback": (honest(aud=AUDIENCE + "/feedback"), Refusal.AUDIENCE),
    "aud that begins alike": (honest(aud=AUDIENCE + ".evil.example.org"), Refusal.AUDIENCE),
    "aud missing": (honest(aud=ABSENT), Refusal.AUDIENCE),
    "aud empty list": (honest(aud=[]), Refusal.AUDIENCE),
    "aud a number": (honest(aud=1), Refusal.AUDIENCE),
    "aud a list with a number": (honest(aud=[AUDIENCE, 1]), Refusal.AUDIENCE),
    "aud an object": (honest(aud={AUDIENCE: 1}), Refusal.AUDIENCE),
    # issuers and ids
    "iss of somebody else": (honest(iss="https://evil.example.org"), Refusal.ISSUER),
    "iss missing": (honest(iss=ABSENT), Refusal.ISSUER),
    "iss a list": (honest(iss=[ISSUER]), Refusal.ISSUER),
    "iss twice, ours last": (
        compact(header(), _repeated("iss", "https://evil.example.org", ISSUER)),
        Refusal.MALFORMED,
    ),
    "iss twice, ours first": (
        compact(header(), _repeated("iss", ISSUER, "https://evil.example.org")),
        Refusal.MALFORMED,
    ),
    "jti missing": (honest(jti=ABSENT), Refusal.TOKEN_ID),
    "jti empty": (honest(jti=""), Refusal.TOKEN_ID),
    "jti a number": (honest(jti=7), Refusal.TOKEN_ID),
    "jti of 256 characters": (honest(jti="j" * 256), Refusal.TOKEN_ID),
    "jti with NUL": (honest(jti="a\x00"), Refusal.TOKEN_ID),
    # shapes
    "header of 5 MB, signed": (compact(header(pad="x" * 5_000_000), claims()), Refusal.TOO_LONG),
    "body of 5 MB, signed": (honest(pad="x" * 5_000_000), Refusal.TOO_LONG),
    "parts swapped": (f"{BODY}.{HEAD}.{SIGNATURE}", Refusal.ALGORITHM),
    "body of another token": (f"{HEAD}.{honest(jti='other').split('.')[1]}.{SIGNATURE}", Refusal.SIGNATURE),
    "header of another token": (
        f"{compact(header(x=1), claims()).split('.')[0]}.{BODY}.{SIGNATURE}",
        Refusal.SIGNATURE,
    ),
    "padded": (f"{HEAD}=.{BODY}.{SIGNATURE}", Refusal.MALFORMED),
    "padded signature": (f"{HEAD}.{BODY}.{SIGNATURE}====", Refusal.MALFORMED),
    "blank inside": (f"{HEAD}. {BODY}.{SIGNATURE}", Refusal.MALFORMED),
    "line break at the end": (f"{TOKEN}\n", Refusal.MALFORMED),
    "other alphabet": (f"{HEAD}.{BODY}.{SIGNATURE[:-1]}+", Refusal.MALFORMED),
    "five parts": (f"{TOKEN}.{BODY}.{SIGNATURE}", Refusal.MALFORMED),
    "nested": (compact(header(cty="JWT"), _raw(TOKEN)), Refusal.MALFORMED),
    "body a list": (compact(header(), b"[]"), Refusal.MALFORMED),
    "body no JSON": (compact(header(), b"iss"), Refusal.MALFORMED),
    "body in UTF-16": (compact(header(), json.dumps(claims()).encode("utf-16")), Refusal.MALFORMED),
    "body with a byte-order mark": (
        compact(header(), b"\xef\xbb\xbf" + json.dumps(claims()).encode()),
        Refusal.MALFORMED,
    ),
    "body nested 2000 deep": (compact(header(), b"[" * 2000), Refusal.MALFORMED),
    "header a list": (compact(b'["alg"]', claims()), Refusal.MALFORMED),
    "header nested 2000 deep": (compact(b"[" * 2000, claims()), Refusal.MALFORMED),
    "JSON serialization": (
        json.dumps({"protected": HEAD, "payload": BODY, "signature": SIGNATURE}),
        Refusal.MALFORMED,
    ),
    "nothing": ("", Refusal.MALFORMED),
    "dots": ("..", Refusal.MALFORMED),
    "NUL": ("\x00", Refusal.MALFORMED),
    "letters beyond ASCII": (f"{HEAD}.{BODY}.\u0661{SIGNATURE}", Refusal.MALFORMED),
}

STRICTER = {
    "jku elsewhere, honest key": "an address of keys that is not the tenant's is a forgery or a mistake",
    "jku inside": "the same",
    "jku as a file": "the same",
    "typ missing": "CDS Hooks requires it",
    "typ at+jwt": "CDS Hooks fixes JWT: a token for another purpose must not serve here",
    "alg twice": "RFC 7515 4 lets a reader refuse it, and two programs could see two algorithms",
    "exp as text": "CDS Hooks requires a number",
    "exp in the year 300 million": "a token for ever is no token for a call",
    "iat as text": "CDS Hooks requires a number",
    "iat true": "a truth value is no time; PyJWT takes it as 1",
    "nbf as text": "RFC 7519 2 requires a number",
    "lifetime of a day": "so long a stolen token would serve",
    "lifetime of an hour and a second": "the limit is an hour",
    "over before it was issued": "nobody honest makes one",
    "iss twice, ours last": "RFC 7519 4 lets a reader refuse it, and two programs could see two issuers",
    "jti empty": "the second one would be a replay of the first",
    "jti of 256 characters": "the replay store keeps 255",
    "jti with NUL": "a database may not keep it",
    "header of 5 MB, signed": "it costs half a second before anything is known of the caller",
    "body of 5 MB, signed": "the same",
    "body in UTF-16": "RFC 7519 3 has UTF-8 only: two programs could read two bodies",
    "body with a byte-order mark": "RFC 8259 8.1 forbids it",
}
"""What PyJWT lets pass, and why it is refused here."""


class _Clock(datetime):
    """The clock that PyJWT looks at."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> "_Clock":
        return cls.fromtimestamp(NOW, tz)


@pytest.fixture
def _clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("jwt.api_jwt.datetime", _Clock)


def is_taken_by_pyjwt(token: str) -> bool:
    """Whether PyJWT, used with care, believes a token."""
    try:
        key = KEYS[jwt.get_unverified_header(token)["kid"]]
        jwt.decode(
            token,
            jwt.PyJWK(key),
            algorithms=["ES384", "RS384"],
            audience=AUDIENCE,
            issuer=ISSUER,
            leeway=60,
            options={"require": ["exp", "iat", "jti", "iss", "aud"]},
        )
    except (jwt.PyJWTError, KeyError, ValueError, TypeError, OverflowError, RecursionError):
        return False
    return True


def _ours(token: str) -> str | None:
    return refusal(token, keys=KNOWN)


@pytest.mark.parametrize("name", CORPUS)
def test_a_forged_token_is_refused_for_its_reason(name: str) -> None:
    token, reason = CORPUS[name]
    assert _ours(token) == reason


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize("name", CORPUS)
def test_a_second_library_agrees_or_is_less_strict_where_the_list_says_why(name: str) -> None:
    token, reason = CORPUS[name]
    assert is_taken_by_pyjwt(token) == (reason is None or name in STRICTER)


@pytest.mark.usefixtures("_clock")
@pytest.mark.parametrize(
    "offset", [-3700, -3600, -120, -61, -60.5, -60, -59.5, -59, -1, 0, 1, 59, 60, 60.5, 61, 3000]
)
@pytest.mark.parametrize("name", ["exp", "iat", "nbf"])
def test_no_edge_of_time_is_laxer_than_that_of_the_second_library(name: str, offset: float) -> None:
    token = honest(**{"exp": NOW + 300, "iat": NOW - 300, name: NOW + offset})
    assert _ours(token) is not None or is_taken_by_pyjwt(token)


_JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(st.sampled_from(["alg", "typ", "kid", "jku", "crit", "b64", "cty", "x5c", "jwk", "x"]), _JSON_VALUES)
def test_a_header_with_anything_in_it_is_believed_or_refused_and_nothing_else(
    name: str, value: object
) -> None:
    reason = _ours(compact(header(**{name: value}), claims(), algorithm="ES384"))
    assert reason is None or reason in set(Refusal)
    assert name not in {"alg", "typ", "kid", "jku", "crit", "b64"} or reason is not None


@given(st.sampled_from(["iss", "aud", "exp", "iat", "nbf", "jti"]), _JSON_VALUES)
def test_claims_with_anything_in_them_are_believed_or_refused_and_nothing_else(
    name: str, value: object
) -> None:
    reason = _ours(honest(**{name: value}))
    assert reason is None or reason in set(Refusal)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=120))
def test_bytes_that_look_like_a_token_are_refused_with_a_word(
    head: bytes, body: bytes, signature: bytes
) -> None:
    token = ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in (head, body, signature))
    assert _ours(token) in set(Refusal)
