"""Names that cannot be read back: keyed digests of patients, clinicians and assessments, and sealed comments."""

import base64
import hmac
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.fernet import Fernet, InvalidToken

from cds_service.errors import SettingsError

KEY_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Digests under one secret key. Those of another tenant, or of another kind of thing, never agree."""

    key: bytes = field(repr=False)

    def patient(self, tenant: str, patient: str) -> str:
        """What stands for a patient."""
        return self._digest("patient", tenant, patient).hex()

    def clinician(self, tenant: str, user: str) -> str:
        """What stands for whoever saw a card."""
        return self._digest("clinician", tenant, user).hex()

    def fingerprint(self, tenant: str, patient: str, fingerprint: str) -> str:
        """What stands for an assessment of a patient: two patients alike cannot be seen to be so."""
        return self._digest("fingerprint", tenant, patient, fingerprint).hex()

    def seal(self, tenant: str, comment: str) -> bytes:
        """A comment that only this key opens."""
        return self._fernet(tenant).encrypt(comment.encode())

    def unseal(self, tenant: str, sealed: bytes) -> str | None:
        """A sealed comment; None where the key is another one."""
        try:
            return self._fernet(tenant).decrypt(sealed).decode()
        except InvalidToken:
            return None

    def _fernet(self, tenant: str) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(self._digest("comment", tenant)))

    def _digest(self, *parts: str) -> bytes:
        return keyed_digest(self.key, *parts)


def keyed_digest(key: bytes, *parts: str) -> bytes:
    """HMAC-SHA-256 of the parts, each with its length before it, so that no two lists of parts are alike."""
    encoded = (part.encode("utf-8", "surrogatepass") for part in parts)
    return hmac.digest(key, b"".join(len(part).to_bytes(8) + part for part in encoded), "sha256")


def read_key(path: Path) -> bytes:
    """The secret key in a file. Raises SettingsError where it is too short to be one."""
    try:
        key = path.read_bytes().rstrip(b"\r\n")
    except OSError as error:
        raise SettingsError(f"{path}: the key cannot be read: {error.strerror}.") from None
    if len(key) < KEY_BYTES:
        raise SettingsError(f"{path}: a key has at least {KEY_BYTES} random bytes.")
    return key


def own_key(database: Path) -> bytes:
    """The key beside a SQLite database; made when first asked for, and only once, whoever asks at the same time."""
    path = database.with_name(f"{database.name}.key")
    if not path.exists():
        try:
            _make_key(path)
        except OSError as error:
            raise SettingsError(
                f"{path}: a key cannot be made there ({error.strerror}); give MILAN_NET_PSEUDONYM_KEY_FILE."
            ) from None
    return read_key(path)


def _make_key(path: Path) -> None:
    """Write a key elsewhere and link it in place: nobody sees half a key, and the first who links wins."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")  # mode 0600
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(os.urandom(KEY_BYTES).hex().encode())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(name, path)
        except FileExistsError:
            return
        _settle(path.parent)
    finally:
        Path(name).unlink()


def _settle(folder: Path) -> None:
    """Make sure that a file's name is on the disk, not only its content."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
