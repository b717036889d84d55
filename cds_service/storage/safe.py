"""The safe: what a launch or a session keeps for a while, sealed so that neither the database nor our key alone opens it.

Each thing is put away under a secret that somebody else holds, mostly a browser's cookie. Its row is named by a digest
of that secret and encrypted under a key made of it and of the service's own key.
"""

import base64
import itertools
from enum import StrEnum
from typing import Final

from cryptography.fernet import Fernet, InvalidToken
from sqlalchemy import delete, select

from cds_service.storage.database import Database
from cds_service.storage.pseudonyms import Pseudonyms, keyed_digest
from cds_service.storage.retention import remove_expired_seals
from cds_service.storage.statements import insert
from cds_service.storage.tables import SEALED

_SWEEP_EVERY: Final = 50  # things put away


class Kind(StrEnum):
    """What is put away; one kind never opens as another."""

    LAUNCH = "launch"  # a user who is away signing in at the EHR
    SESSION = "session"  # a token of the EHR, and whom it is about
    APP_CONTEXT = "app-context"  # the patient that a card was about
    FORM = "form"  # answers that were typed and could not be taken


class Safe:
    """Things put away under secrets, each until a moment (seconds since 1970). Every method raises StorageError only."""

    def __init__(self, database: Database, names: Pseudonyms) -> None:
        self._database, self._key = database, names.key
        self._puts = itertools.count(1)

    def put(self, kind: Kind, secret: str, content: bytes, until: float, now: float) -> None:
        """Put something away, in the place of what was there under the same secret."""
        row = {
            "name": self._name(kind, secret),
            "content": self._fernet(kind, secret).encrypt(content),
            "until": until,
        }
        statement = insert(self._database, SEALED)
        replacing = statement.on_conflict_do_update(
            index_elements=[SEALED.c.name],
            set_={"content": statement.excluded.content, "until": statement.excluded.until},
        )
        with self._database.writing() as connection:
            connection.execute(replacing, row)
            if next(self._puts) % _SWEEP_EVERY == 0:
                remove_expired_seals(connection, now)

    def look(self, kind: Kind, secret: str, now: float) -> bytes | None:
        """What is there, and stays there; None if there is nothing, or no longer."""
        query = select(SEALED.c.content).where(
            SEALED.c.name == self._name(kind, secret), SEALED.c.until > now
        )
        with self._database.reading() as connection:
            return self._opened(kind, secret, connection.scalar(query))

    def take(self, kind: Kind, secret: str, now: float) -> bytes | None:
        """What is there, for whoever comes first and for nobody after."""
        here = SEALED.c.name == self._name(kind, secret)
        with self._database.writing() as connection:
            sealed = connection.scalar(select(SEALED.c.content).where(here, SEALED.c.until > now))
            is_first = connection.execute(delete(SEALED).where(here)).rowcount == 1
        return self._opened(kind, secret, sealed if is_first else None)

    def remove(self, kind: Kind, secret: str) -> None:
        """Let nothing be there."""
        with self._database.writing() as connection:
            connection.execute(delete(SEALED).where(SEALED.c.name == self._name(kind, secret)))

    def _opened(self, kind: Kind, secret: str, sealed: bytes | None) -> bytes | None:
        if sealed is None:
            return None
        try:
            return self._fernet(kind, secret).decrypt(sealed)
        except InvalidToken:  # sealed under another key of the service
            return None

    def _name(self, kind: Kind, secret: str) -> str:
        return keyed_digest(self._key, "sealed-name", kind, secret).hex()

    def _fernet(self, kind: Kind, secret: str) -> Fernet:
        return Fernet(base64.urlsafe_b64encode(keyed_digest(self._key, "sealed-content", kind, secret)))
