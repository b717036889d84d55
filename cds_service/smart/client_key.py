"""Our key for an EHR: with it we prove to its token endpoint who we are, instead of a shared secret."""

import stat
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson
from joserfc.errors import JoseError, SecurityWarning
from joserfc.jwk import ECKey, RSAKey

from cds_service.errors import SettingsError
from cds_service.security.signing_keys import signing_key
from cds_service.tenants import Smart, Tenants

_LARGEST: Final = 64 * 1024
_ALGORITHMS: Final = ("RS384", "ES384")
"""Those that every EHR has to take (SMART App Launch 2.2, Client Authentication: Asymmetric)."""


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A private key with the id and the algorithm under which its public half is published."""

    key: ECKey | RSAKey = field(repr=False)
    kid: str
    algorithm: str

    def public(self) -> dict[str, Any]:
        """The public half as a JSON Web Key."""
        told = self.key.as_dict(private=False)
        told.pop("key_ops", None)
        return {**told, "kid": self.kid, "alg": self.algorithm, "use": "sig"}


def read_client_key(smart: Smart) -> ClientKey:
    """The key that a tenant's configuration names. Raises SettingsError with a sentence."""
    path = smart.private_key_file
    key = _imported(_content(path))
    if key is None or not key.is_private:
        raise SettingsError(f"{path}: this is no private key, as a JWK or an unencrypted PEM.")
    try:
        usable = signing_key(key.as_dict(private=False)).algorithms
    except ValueError as error:
        raise SettingsError(f"{path}: the key cannot be used: {error}.") from None
    algorithm = next((name for name in _ALGORITHMS if name in usable), None)
    if algorithm is None:
        raise SettingsError(f"{path}: EHRs take RSA keys (RS384) and elliptic ones on P-384 (ES384).")
    return ClientKey(key, smart.kid or key.kid or key.thumbprint(), algorithm)


def _content(path: Path) -> bytes:
    try:
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise SettingsError(f"{path}: others can read this private key (chmod 600).")
        with path.open("rb") as file:
            return file.read(_LARGEST)
    except OSError as error:
        raise SettingsError(f"{path}: the key cannot be read: {error.strerror}.") from None


def _imported(content: bytes) -> ECKey | RSAKey | None:
    for kind in (ECKey, RSAKey):
        try:
            # a short key is only warned of there, and refused by whoever asked here
            with warnings.catch_warnings(action="ignore", category=SecurityWarning):
                return kind.import_key(orjson.loads(content) if content.lstrip()[:1] == b"{" else content)
        except (JoseError, ValueError, TypeError, KeyError, AttributeError):
            continue
    return None


def client_keys(tenants: Tenants) -> dict[str, ClientKey]:
    """The keys by tenant. Raises SettingsError, also where two keys have one id."""
    found = {tenant.id: read_client_key(tenant.smart) for tenant in tenants.all if tenant.smart is not None}
    for key in found.values():
        same = [other for other in found.values() if other.kid == key.kid]
        if any(other.key.thumbprint() != key.key.thumbprint() for other in same):
            raise SettingsError("Two of the private keys for smart have the same kid.")
    return found


def public_key_set(keys: Mapping[str, ClientKey]) -> dict[str, Any]:
    """What we publish at /smart/jwks.json: each key once."""
    return {"keys": list({key.kid: key.public() for key in keys.values()}.values())}
