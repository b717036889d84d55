"""Tokens that were used: each passes once, whichever process or machine it comes to (integration.md 3.2)."""

import itertools
from hashlib import sha256
from typing import Final

from cds_service.storage.database import Database
from cds_service.storage.retention import remove_expired_tokens
from cds_service.storage.statements import insert_new
from cds_service.storage.tables import REPLAY

_SWEEP_EVERY: Final = 200  # claims


class DatabaseReplay:
    """The replay store in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._claims = itertools.count(1)
        self._insert = insert_new(database, REPLAY)

    def claim(self, issuer: str, token_id: str, until: float, now: float) -> bool:
        """Tell whether this is the first use of a token that is valid until then; True once, for whoever comes first.

        Times are seconds since 1970; `now` is the moment by which the token was found valid, and forgets old ones.
        Raises StorageError, a 503, where the database does not answer: without its memory no token is let in.
        """
        with self._database.writing() as connection:
            if next(self._claims) % _SWEEP_EVERY == 0:
                remove_expired_tokens(connection, now)
            return (
                connection.execute(
                    self._insert, {"token": _digest(issuer, token_id), "until": until}
                ).rowcount
                == 1
            )


def _digest(issuer: str, token_id: str) -> str:
    parts = (part.encode("utf-8", "surrogatepass") for part in (issuer, token_id))
    return sha256(b"".join(len(part).to_bytes(8) + part for part in parts)).hexdigest()
