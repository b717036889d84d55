"""Who the user is, from an ID token that is believed only after every check (OpenID Connect Core 3.1.3.7)."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from joserfc import jws
from joserfc.errors import JoseError

from cds_service.errors import LaunchError
from cds_service.security.signing_keys import SigningKey
from cds_service.smart.problems import Problem
from cds_service.tenants import SIGNATURES

FindKey = Callable[[str | None, str], SigningKey | None]
"""The issuer's key of an id, or the only one for an algorithm where the token names none."""

_LONGEST: Final = 16 * 1024
_LEEWAY: Final = 60.0
_LATEST: Final = 2**53
_REFERENCE: Final = re.compile(
    r"(?:.*/)?((?:Practitioner|PractitionerRole|Patient|RelatedPerson|Person)/[A-Za-z0-9.-]{1,64})"
)


@dataclass(frozen=True, slots=True)
class Identity:
    """A user of an EHR: as its sign-in knows them, and as a FHIR resource if it says which."""

    subject: str = field(repr=False)
    reference: str | None = field(repr=False)  # "Practitioner/7"


@dataclass(frozen=True, slots=True)
class Expected:
    """What an ID token for a launch has to say."""

    issuer: str
    client_id: str
    nonce: str


class _Limits(jws.JWSRegistry):
    max_header_length = _LONGEST
    max_payload_length = _LONGEST
    max_signature_length = _LONGEST


def verify(id_token: str, expected: Expected, find_key: FindKey, now: float) -> Identity:
    """The user whom an ID token names. Raises LaunchError, and says no more than that."""
    claims = _believed(id_token, find_key)
    if claims.get("iss") != expected.issuer or claims.get("nonce") != expected.nonce:
        raise LaunchError(Problem.IDENTITY)
    _check_audience(claims, expected.client_id)
    _check_times(claims, now)
    subject = claims.get("sub")
    if not isinstance(subject, str) or not 0 < len(subject) <= 255:  # noqa: PLR2004  OpenID Connect Core 2
        raise LaunchError(Problem.IDENTITY)
    return Identity(subject, _reference(claims))


def _believed(id_token: str, find_key: FindKey) -> Mapping[str, Any]:
    """What the issuer has signed."""
    registry = _Limits(algorithms=list(SIGNATURES), strict_check_header=False)
    try:
        token = jws.extract_compact(id_token.encode("ascii"), registry=registry)
        key = _key(token.headers(), find_key)
        payload = jws.deserialize_compact(id_token, key.key, registry=registry).payload
        claims = orjson.loads(payload or b"")
    except (JoseError, ValueError):
        raise LaunchError(Problem.IDENTITY) from None
    if not isinstance(claims, dict):
        raise LaunchError(Problem.IDENTITY)
    return claims


def _key(header: Mapping[str, Any], find_key: FindKey) -> SigningKey:
    """The key for a header: one that may be used with its algorithm, which is one of those allowed here."""
    algorithm, kid = header.get("alg"), header.get("kid")
    if algorithm not in SIGNATURES or not (kid is None or isinstance(kid, str)) or "crit" in header:
        raise LaunchError(Problem.IDENTITY)
    key = find_key(kid, str(algorithm))
    if key is None or algorithm not in key.algorithms:
        raise LaunchError(Problem.IDENTITY)
    return key


def _check_audience(claims: Mapping[str, Any], client_id: str) -> None:
    audience = claims.get("aud")
    named = [audience] if isinstance(audience, str) else audience
    if not isinstance(named, list) or client_id not in named:
        raise LaunchError(Problem.IDENTITY)
    if claims.get("azp", client_id) != client_id or (len(named) > 1 and "azp" not in claims):
        raise LaunchError(Problem.IDENTITY)


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    expires, issued = claims.get("exp"), claims.get("iat")
    for moment in (expires, issued):
        if isinstance(moment, bool) or not isinstance(moment, int | float) or not 0 <= moment <= _LATEST:
            raise LaunchError(Problem.IDENTITY)
    if now >= float(expires or 0) + _LEEWAY or float(issued or 0) > now + _LEEWAY:
        raise LaunchError(Problem.IDENTITY)


def _reference(claims: Mapping[str, Any]) -> str | None:
    """The user as "Type/id": servers write it with or without their base, as `fhirUser` or `profile`."""
    for name in ("fhirUser", "profile"):
        text = claims.get(name)
        match = _REFERENCE.fullmatch(text) if isinstance(text, str) else None
        if match is not None:
            return match[1]
    return None
