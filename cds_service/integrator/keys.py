"""Keys and signed tokens for a rehearsal: what an EHR would hold, made on this machine (asked for by those who connect one).

The private keys are for tests: whoever holds one can call the service as that EHR.
"""

import os
import stat
import time
import uuid
from pathlib import Path
from typing import Any, Final

import click
import orjson
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeyParameters, RSAKey

from cds_service.errors import DataError
from cds_service.security.signing_keys import TEST_KEY

PUBLIC: Final = "jwks.json"
ALGORITHMS: Final = ("ES384", "RS384")
"""Those that CDS Hooks recommends (cds-hooks.md 5)."""

_RSA_BITS: Final = 3072
_LIFETIME: Final = 300
_OWNER_ONLY: Final = 0o600


def private_key(folder: Path, algorithm: str) -> Path:
    """The file in a folder of keys that signs by an algorithm."""
    return folder / f"private-{algorithm.lower()}.json"


def make(folder: Path) -> None:
    """Make a key for each algorithm in a folder that has none, and the set that publishes them. Raises DataError."""
    folder.mkdir(parents=True, exist_ok=True)
    public = []
    for algorithm in ALGORITHMS:
        key = _generate(algorithm)
        _write(private_key(folder, algorithm), key.as_dict(private=True), _OWNER_ONLY)
        public.append(key.as_dict(private=False))
    _write(folder / PUBLIC, {"keys": public}, 0o644)


def _generate(algorithm: str) -> ECKey | RSAKey:
    parameters: KeyParameters = {
        "alg": algorithm,
        "use": "sig",
        "kid": f"{TEST_KEY}{algorithm.lower()}-{uuid.uuid4().hex[:12]}",
    }
    if algorithm.startswith("ES"):
        return ECKey.generate_key("P-384", parameters)
    return RSAKey.generate_key(_RSA_BITS, parameters)


def _write(path: Path, content: object, mode: int) -> None:
    """Write a new file that never was readable by more than `mode` says."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be written').lower()}") from None
    with open(descriptor, "wb") as file:  # noqa: PTH123  a path cannot open a descriptor
        file.write(orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))


def sign(  # noqa: PLR0913  each is a member of the token
    private_key_path: Path,
    *,
    issuer: str,
    audience: str,
    now: float,
    lifetime: int = _LIFETIME,
    subject: str | None = None,
    tenant: str | None = None,
    keys_url: str | None = None,
) -> str:
    """A token as an EHR makes it for one call, signed with a key of `make`. Raises DataError."""
    key, algorithm = _read(private_key_path)
    header = {"alg": algorithm, "typ": "JWT", "kid": key.kid, "jku": keys_url}
    claims = {
        "iss": issuer,
        "aud": audience,
        "iat": int(now),
        "exp": int(now) + lifetime,
        "jti": str(uuid.uuid4()),
        "sub": subject,
        "tenant": tenant,
    }
    registry = jws.JWSRegistry(algorithms=[algorithm])
    return jws.serialize_compact(_given(header), orjson.dumps(_given(claims)), key, registry=registry)


def _given(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _read(path: Path) -> tuple[ECKey | RSAKey, str]:
    try:
        is_open = bool(stat.S_IMODE(path.stat().st_mode) & 0o077)
        content = orjson.loads(path.read_bytes())
        algorithm = content["alg"]
        key = ECKey.import_key(content) if content["kty"] == "EC" else RSAKey.import_key(content)
    except OSError as error:
        raise DataError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    except (JoseError, ValueError, KeyError, TypeError):
        raise DataError(f"{path}: this is no private key that milan-net keys made") from None
    if algorithm not in ALGORITHMS or not key.is_private or not key.kid:
        raise DataError(f"{path}: this is no private key that milan-net keys made")
    if is_open:
        raise DataError(f"{path}: others can read this private key (chmod 600)")
    return key, algorithm


# --- commands ---------------------------------------------------------------------------------------------------------

_FOLDER = click.argument("folder", metavar="DIR", type=click.Path(file_okay=False, path_type=Path))


@click.group()
def keys() -> None:
    """Make test keys and tokens signed with them, to call the service as an EHR would."""


@keys.command()
@_FOLDER
def new(folder: Path) -> None:
    """Make private keys and the public key set in DIR."""
    make(folder)
    click.echo(f"Public key set: {folder / PUBLIC}  (in the tenants' file: jwks_file under [tenants.trust])")
    for algorithm in ALGORITHMS:
        click.echo(f"Private key:    {private_key(folder, algorithm)}  (for tests; give it to nobody)")


@keys.command()
@_FOLDER
@click.option("--issuer", required=True, help="The issuer that the tenant trusts.")
@click.option("--audience", required=True, help="The address that is called, such as .../cds-services.")
@click.option("--subject", default=None, help="The `sub` claim, where the tenant asks for one.")
@click.option("--tenant", default=None, help="The `tenant` claim, where the tenant asks for one.")
@click.option(
    "--lifetime", type=click.IntRange(1, 3600), default=_LIFETIME, show_default=True, help="Seconds."
)
@click.option("--algorithm", type=click.Choice(ALGORITHMS), default=ALGORITHMS[0], show_default=True)
def token(folder: Path, algorithm: str, **members: Any) -> None:
    """Print a token for one call, signed with a key in DIR."""
    click.echo(sign(private_key(folder, algorithm), now=time.time(), **members))
