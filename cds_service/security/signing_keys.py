"""Key sets as callers publish them: which of the keys in one may vouch for a token, and why the others may not.

A key set is read on the way of a request and by `milan-net check-config`, by the same rules (integration.md 3.1).
"""

import binascii
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, RSAKey
from joserfc.util import urlsafe_b64decode

LARGEST_SET: Final = 64 * 1024
MOST_KEYS: Final = 50
LONGEST_KEY_ID: Final = 255
TEST_KEY: Final = "milan-net-test-"
"""How the ids of keys begin that `milan-net keys` makes."""

_CURVES: Final = {"P-256": ("ES256", 32), "P-384": ("ES384", 48)}
_RSA_ALGORITHMS: Final = frozenset({"RS256", "RS384", "PS256", "PS384"})
_RSA_BITS: Final = range(2048, 8192 + 1)
_EXPONENTS: Final = range(65537, 2**64)  # NIST SP 800-56B, and what OpenSSL takes for large moduli
_PRIVATE_MEMBERS: Final = ("d", "p", "q", "dp", "dq", "qi", "oth", "k")
# RFC 7638 thumbprints of keys whose private half anybody can read: those of the CDS Hooks sandbox and of the example in
# the specification (cds-hooks.md 5).
_KNOWN_TO_ALL: Final = frozenset(
    {"s9fOe-KDYD1myZ8YCzleUqJQgrYZL49kVijBxhnZvZc", "-UtOymI2Z0XB5SZogEZu3s5oMyQ4YaewHtR9huroTQs"}
)


class KeySetError(ValueError):
    """A key set that cannot be used. The text says why and repeats nothing of it."""


class _UnusableKeyError(ValueError):
    """A key that vouches for nothing here. The text says why and repeats nothing of it."""


class _UnsafeKeyError(_UnusableKeyError):
    """A key that would vouch for anybody, or may."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key, and the algorithms it may be used with."""

    key: ECKey | RSAKey
    algorithms: frozenset[str]


@dataclass(frozen=True, slots=True)
class KeySet:
    """The keys of a set by their ids, and a line for each that was left out: as of no use here, or as unsafe."""

    keys: Mapping[str, SigningKey]
    left_out: tuple[str, ...] = ()
    unsafe: tuple[str, ...] = ()


def read_key_set(data: bytes) -> KeySet:
    """The usable keys of a JSON Web Key Set. Raises KeySetError where it is none.

    Others are left out one by one, as RFC 7517 5 wants: an issuer may publish keys for other ends beside them.
    """
    keys: dict[str, SigningKey] = {}
    left_out: list[str] = []
    unsafe: list[str] = []
    items = _items(data)
    ids = Counter(map(_key_id, items))
    for number, item in enumerate(items):
        try:
            kid = _ensure_unique(_key_id(item), ids)
            keys[kid] = _ensure_secret(signing_key(item))
        except _UnusableKeyError as error:
            lines = unsafe if isinstance(error, _UnsafeKeyError) else left_out
            lines.append(f"keys[{number}]: {error}")
    return KeySet(keys, tuple(left_out), tuple(unsafe))


def _items(data: bytes) -> list[Any]:
    if len(data) > LARGEST_SET:
        raise KeySetError(f"it is larger than {LARGEST_SET // 1024} KiB")
    try:
        content = orjson.loads(data)
    except ValueError:
        raise KeySetError("it is not JSON") from None
    items = content.get("keys") if isinstance(content, dict) else None
    if not isinstance(items, list):
        raise KeySetError('it is not an object with a list "keys"')
    if len(items) > MOST_KEYS:
        raise KeySetError(f"it has more than {MOST_KEYS} keys")
    return items


def _key_id(item: Any) -> str | None:
    kid = item.get("kid") if isinstance(item, dict) else None
    return kid if isinstance(kid, str) and 0 < len(kid) <= LONGEST_KEY_ID else None


def _ensure_unique(kid: str | None, ids: Counter[str | None]) -> str:
    if kid is None:
        raise _UnusableKeyError("it has no kid")
    if ids[kid] > 1:
        raise _UnsafeKeyError("another key has the same kid")
    return kid


def signing_key(item: Mapping[str, Any]) -> SigningKey:
    """The public key that a JSON Web Key describes. Raises ValueError that says why it cannot be used."""
    _ensure_for_signatures(item)
    key, algorithms = _elliptic(item) if item.get("kty") == "EC" else _rsa(item)
    named = item.get("alg")
    if named is None:
        return SigningKey(key, algorithms)
    if not isinstance(named, str) or named not in algorithms:
        raise _UnusableKeyError("its alg is none that goes with such a key here")
    return SigningKey(key, frozenset({named}))


def _ensure_for_signatures(item: Mapping[str, Any]) -> None:
    if item.get("kty") == "oct":
        raise _UnsafeKeyError("it is symmetric: whoever can check such a signature can make it")
    if any(name in item for name in _PRIVATE_MEMBERS):
        raise _UnsafeKeyError("its private part stands beside it: it has to be replaced, and never published")
    if item.get("kty") not in ("EC", "RSA"):
        raise _UnusableKeyError("its kty is neither EC nor RSA")
    if item.get("use", "sig") != "sig":
        raise _UnusableKeyError("its use is not sig")
    operations = item.get("key_ops", ["verify"])
    if not isinstance(operations, list) or "verify" not in operations:
        raise _UnusableKeyError("its key_ops do not have verify")


def _elliptic(item: Mapping[str, Any]) -> tuple[ECKey, frozenset[str]]:
    curve = item.get("crv")
    if not isinstance(curve, str) or curve not in _CURVES:
        raise _UnusableKeyError("its crv is neither P-384 nor P-256")
    algorithm, size = _CURVES[curve]
    if any(len(_octets(item, name)) != size for name in ("x", "y")):
        raise _UnusableKeyError("its coordinates do not fit its curve")
    try:
        key = ECKey.import_key({name: item[name] for name in ("kty", "crv", "x", "y")})
    except (JoseError, ValueError):
        raise _UnusableKeyError("its point is not on its curve") from None
    return key, frozenset({algorithm})


def _rsa(item: Mapping[str, Any]) -> tuple[RSAKey, frozenset[str]]:
    modulus, exponent = (int.from_bytes(_octets(item, name), "big") for name in ("n", "e"))
    if modulus.bit_length() not in _RSA_BITS:
        raise _UnsafeKeyError(f"its modulus has {modulus.bit_length()} bits; 2048 to 8192 are taken")
    if exponent not in _EXPONENTS or exponent % 2 == 0:
        raise _UnsafeKeyError("its exponent is weak: it has to be odd and at least 65537")
    try:
        key = RSAKey.import_key({name: item[name] for name in ("kty", "n", "e")})
    except (JoseError, ValueError):
        raise _UnusableKeyError("its numbers make no RSA key") from None
    return key, _RSA_ALGORITHMS


def _octets(item: Mapping[str, Any], name: str) -> bytes:
    text = item.get(name)
    if not isinstance(text, str) or not re.fullmatch(r"[A-Za-z0-9_-]+", text):
        raise _UnusableKeyError(f"its {name} is missing or not base64url")
    try:
        return urlsafe_b64decode(text.encode())
    except binascii.Error:
        raise _UnusableKeyError(f"its {name} is missing or not base64url") from None


def _ensure_secret(key: SigningKey) -> SigningKey:
    if key.key.thumbprint() in _KNOWN_TO_ALL:
        raise _UnsafeKeyError(
            "its private part is public: it is that of the CDS Hooks sandbox or specification"
        )
    return key
