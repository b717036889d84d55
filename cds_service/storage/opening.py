"""Open what the settings name: the database with its schema, the key, and what is kept with both."""

import shutil
import tempfile
import weakref
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from cds_service.errors import SettingsError
from cds_service.settings import Settings
from cds_service.storage import schema
from cds_service.storage.database import Database, connect, sqlite_file
from cds_service.storage.ledger import Ledger
from cds_service.storage.pseudonyms import Pseudonyms, own_key, read_key
from cds_service.storage.replay import DatabaseReplay
from cds_service.storage.safe import Safe


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Storage:
    """All that is kept."""

    database: Database
    ledger: Ledger
    replay: DatabaseReplay
    safe: Safe

    def close(self) -> None:
        """Let go of the database."""
        self.database.close()


def open_storage(settings: Settings) -> Storage:
    """What the settings name. SQLite is brought to the schema by itself; PostgreSQL has to be by `milan-net migrate`.

    Raises SettingsError with a sentence, StorageError where SQLite's file is in use for too long.
    """
    database = open_database(settings)
    with ExitStack() as on_failure:
        on_failure.callback(database.close)
        names = pseudonyms(settings)
        if database.is_sqlite:
            schema.upgrade(database)
        else:
            schema.ensure_current(database)
        on_failure.pop_all()
    return _storage(database, names)


def ensure_usable(settings: Settings, *, ask: bool) -> None:
    """Raise SettingsError where `open_storage` would, without making or changing anything.

    SQLite's file and key are made when the service starts, by whoever it runs as. PostgreSQL is connected to where it
    may be asked.
    """
    file = _file(settings)
    if file is not None:
        if not file.parent.is_dir():
            raise SettingsError(f"{file}: the database cannot be opened: its folder is not there.")
        return
    with closing(open_database(settings)) as database:
        pseudonyms(settings)
        if ask:
            schema.ensure_current(database)


def open_database(settings: Settings) -> Database:
    """The database alone, whatever its schema. Raises SettingsError."""
    _file(settings)
    return connect(settings.database)


def _file(settings: Settings) -> Path | None:
    """SQLite's file; None for another database. Raises SettingsError where several machines would have to share it."""
    file = sqlite_file(settings.database)
    if settings.replicas > 1 and file is not None:
        raise SettingsError(
            "SQLite is one machine's file, and MILAN_NET_REPLICAS says that several serve together: "
            "give MILAN_NET_DATABASE_URL a PostgreSQL database."
        )
    return file


def temporary_storage() -> Storage:
    """A database in a folder of its own that goes with the process: for demonstrations and the open mode."""
    folder = Path(tempfile.mkdtemp(prefix="milan-net-"))
    database = connect(f"sqlite:///{folder}/temporary.db")
    schema.upgrade(database)
    storage = _storage(database, Pseudonyms(own_key(folder / "temporary.db")))
    weakref.finalize(storage, _forget, database, folder)
    return storage


def _forget(database: Database, folder: Path) -> None:
    database.close()
    shutil.rmtree(folder, ignore_errors=True)


def _storage(database: Database, names: Pseudonyms) -> Storage:
    return Storage(database, Ledger(database, names), DatabaseReplay(database), Safe(database, names))


def pseudonyms(settings: Settings) -> Pseudonyms:
    """The names under the settings' key; beside SQLite one is made. Raises SettingsError."""
    if settings.pseudonym_key_file is not None:
        return Pseudonyms(read_key(settings.pseudonym_key_file))
    file = sqlite_file(settings.database)
    if file is None:
        raise SettingsError(
            "With PostgreSQL give MILAN_NET_PSEUDONYM_KEY_FILE, a secret of at least 32 random bytes "
            "that all machines share: no patient or user is stored under a name."
        )
    return Pseudonyms(own_key(file))
