"""The signed tokens of CDS clients: taken apart, and believed only after every check (integration.md 3.1, cds-hooks.md 5).

The order of the checks is that of the members of `Refusal`. Nothing that a token says about where its keys are is ever
followed, and nothing of a token is ever written anywhere.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.util import urlsafe_b64decode

from cds_service.errors import UnauthorizedError
from cds_service.security.signing_keys import LONGEST_KEY_ID, SigningKey
from cds_service.tenants import SIGNATURES, Trust

LONGEST_TOKEN: Final = 8 * 1024
LEEWAY: Final = 60.0  # seconds by which the clocks of two hospitals may differ
LONGEST_LIFE: Final = 3600.0  # for so long a stolen token would serve
LONGEST_TOKEN_ID: Final = 255

_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")
_LATEST: Final = 2**53  # seconds; beyond it, floats skip whole numbers


class Refusal(StrEnum):
    """Why a caller is not admitted, in the order of the checks. A word for the log and for a metric, never more."""

    MISSING = "no-token"
    SCHEME = "not-bearer"
    TOO_LONG = "too-long"
    MALFORMED = "malformed"
    CRITICAL = "critical-header"
    ALGORITHM = "algorithm"
    TYPE = "type"
    KEY_ID = "key-id"
    ISSUER = "issuer"
    KEYS_URL = "keys-url"
    KEY = "unknown-key"
    SIGNATURE = "signature"
    TIMES = "times"
    EXPIRED = "expired"
    EARLY = "not-yet"
    LIFETIME = "lifetime"
    AUDIENCE = "audience"
    SUBJECT = "subject"
    TENANT = "tenant"
    TOKEN_ID = "token-id"  # noqa: S105  a word for the log
    AMBIGUOUS = "ambiguous"
    REPLAYED = "replayed"


@dataclass(frozen=True, slots=True)
class Token:
    """A token taken apart. Nothing in it is to be believed before `verify`."""

    compact: bytes
    algorithm: str
    key_id: str
    keys_url: object  # `jku`; None if the header has none
    claims: Mapping[str, Any]

    @property
    def issuer(self) -> str | None:
        """Who is said to have signed: good for choosing whom to ask for keys, and for nothing else."""
        issuer = self.claims.get("iss")
        return issuer if isinstance(issuer, str) else None


# --- taking apart -----------------------------------------------------------------------------------------------------


def take_apart(text: str) -> Token:
    """A token's parts, as far as they can be read without a key. Raises UnauthorizedError."""
    if len(text) > LONGEST_TOKEN:
        raise UnauthorizedError(Refusal.TOO_LONG)
    if not _COMPACT.fullmatch(text):
        raise UnauthorizedError(Refusal.MALFORMED)
    header, claims, _ = text.encode("ascii").split(b".")
    algorithm, key_id, keys_url = _header(_object(header))
    return Token(text.encode("ascii"), algorithm, key_id, keys_url, _object(claims))


def _header(header: Mapping[str, Any]) -> tuple[str, str, object]:
    """Members that mean nothing here are passed over, such as an embedded `jwk`, `x5c` or `x5u`: they are never used."""
    if (
        "crit" in header or "b64" in header
    ):  # extensions that change what the signature says; none is understood
        raise UnauthorizedError(Refusal.CRITICAL)
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in SIGNATURES:
        raise UnauthorizedError(Refusal.ALGORITHM)
    if header.get("typ") != "JWT":
        raise UnauthorizedError(Refusal.TYPE)
    if not isinstance(key_id, str) or not 0 < len(key_id) <= LONGEST_KEY_ID:
        raise UnauthorizedError(Refusal.KEY_ID)
    if "jku" in header and not isinstance(header["jku"], str):
        raise UnauthorizedError(Refusal.KEYS_URL)
    return algorithm, key_id, header.get("jku")


def _object(part: bytes) -> dict[str, Any]:
    """The JSON object of a part, if two programs could not read it differently."""
    try:
        text = urlsafe_b64decode(part).decode("utf-8")
        content = json.loads(text, object_pairs_hook=_without_repeats, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        raise UnauthorizedError(Refusal.MALFORMED) from None
    if not isinstance(content, dict):
        raise UnauthorizedError(Refusal.MALFORMED)
    return content


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a member is repeated")
    return found


def _no_constant(_: str) -> float:
    raise ValueError("NaN and Infinity are not JSON")


# --- believing --------------------------------------------------------------------------------------------------------


def verify(
    token: Token, trust: Trust, find_key: Callable[[str], SigningKey | None], path: str, now: float
) -> None:
    """Check a token against whom a tenant trusts, for the endpoint at `path`. Raises UnauthorizedError.

    What is left to do afterwards is to see that it comes for the first time.
    """
    if token.algorithm not in trust.algorithms:
        raise UnauthorizedError(Refusal.ALGORITHM)
    if token.issuer != trust.issuer:
        raise UnauthorizedError(Refusal.ISSUER)
    if token.keys_url is not None and token.keys_url != trust.jwks_url:
        raise UnauthorizedError(Refusal.KEYS_URL)
    _check_signature(token, find_key(token.key_id))
    _check_times(token.claims, now)
    _check_audience(token.claims.get("aud"), trust, path)
    _check_caller(token.claims, trust)
    token_id(token)


class _Limits(jws.JWSRegistry):
    """The limits of joserfc, which are narrower for a header than a real `x5c` needs; the whole is capped above."""

    max_header_length = LONGEST_TOKEN
    max_payload_length = LONGEST_TOKEN
    max_signature_length = LONGEST_TOKEN


def _check_signature(token: Token, key: SigningKey | None) -> None:
    if key is None:
        raise UnauthorizedError(Refusal.KEY)
    if token.algorithm not in key.algorithms:
        raise UnauthorizedError(Refusal.ALGORITHM)
    registry = _Limits(algorithms=[token.algorithm], strict_check_header=False)
    try:
        jws.deserialize_compact(token.compact, key.key, registry=registry)
    except (JoseError, ValueError):
        raise UnauthorizedError(Refusal.SIGNATURE) from None


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    """A token is over *at* its `exp` (RFC 7519 4.1.4), and each comparison grants the leeway but the lifetime.

    Of `exp`, a part of a second does not count: PyJWT and others drop it, and nobody's check is to be laxer.
    """
    expires, issued = _time(claims.get("exp")), _time(claims.get("iat"))
    begins = _time(claims["nbf"]) if "nbf" in claims else issued
    if now >= math.floor(expires) + LEEWAY:
        raise UnauthorizedError(Refusal.EXPIRED)
    if max(issued, begins) > now + LEEWAY:
        raise UnauthorizedError(Refusal.EARLY)
    if not 0 <= expires - issued <= LONGEST_LIFE:
        raise UnauthorizedError(Refusal.LIFETIME)


def _time(value: object) -> float:
    """Seconds since the epoch. Infinity and NaN fail the comparison, which a number too large for a float passes by."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= _LATEST:
        raise UnauthorizedError(Refusal.TIMES)
    return float(value)


def _check_audience(audience: object, trust: Trust, path: str) -> None:
    """The address of this endpoint, compared as it is written (RFC 7519 2 knows no equal addresses)."""
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or not all(isinstance(item, str) for item in named):
        raise UnauthorizedError(Refusal.AUDIENCE)
    accepted = {base + path for base in trust.audiences} | set(trust.fixed_audiences)
    if accepted.isdisjoint(named):
        raise UnauthorizedError(Refusal.AUDIENCE)


def _check_caller(claims: Mapping[str, Any], trust: Trust) -> None:
    if trust.subject is not None and claims.get("sub") != trust.subject:
        raise UnauthorizedError(Refusal.SUBJECT)
    if trust.tenant is not None and claims.get("tenant") != trust.tenant:
        raise UnauthorizedError(Refusal.TENANT)


def token_id(token: Token) -> str:
    """The `jti`, by which a replay is told. Raises UnauthorizedError where there is none that a database can keep."""
    found = token.claims.get("jti")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_TOKEN_ID or not found.isprintable():
        raise UnauthorizedError(Refusal.TOKEN_ID)
    return found


def expiry(token: Token) -> float:
    """When a verified token is over for everybody, clocks apart."""
    return _time(token.claims.get("exp")) + LEEWAY
