"""The schema's version: bring a database to it, step by step, one process at a time."""

import logging
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from cds_service.errors import SettingsError, StorageError
from cds_service.storage.database import Database

BASE: Final = "base"
HEAD: Final = "head"
_LOCK: Final = 6_290_114_733  # PostgreSQL's advisory lock for migrations: any number, the same everywhere
_PATIENCE_SECONDS: Final = 30  # while another process migrates


def upgrade(database: Database, to: str = HEAD) -> str:
    """Bring the schema up to a revision, the newest if not given, and return it.

    Raises SettingsError where the database was made by a newer version, StorageError where it does not answer.
    """
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with _alone(database) as connection:
        if _is_foreign(connection):
            raise SettingsError("The database was made by a newer version of this program.")
        command.upgrade(_config(connection), to)
        return _revision(connection) or BASE


def downgrade(database: Database, to: str = BASE) -> None:
    """Take the schema down to a revision; what only newer ones could hold is lost."""
    logging.getLogger("alembic").setLevel(logging.WARNING)
    with _alone(database) as connection:
        command.downgrade(_config(connection), to)


def ensure_current(database: Database) -> None:
    """Raise SettingsError unless the schema is the one that this version of the program works with."""
    try:
        with database.reading() as connection:
            found = _revision(connection)
    except StorageError:
        raise SettingsError("The database does not answer.") from None
    if found != head():
        raise SettingsError("The database has another schema: run `milan-net migrate`, then start again.")


def head() -> str:
    """The newest revision."""
    return str(ScriptDirectory.from_config(_config(None)).get_current_head())


def _config(connection: Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", "cds_service.storage:migrations")
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _is_foreign(connection: Connection) -> bool:
    found = _revision(connection)
    known = {script.revision for script in ScriptDirectory.from_config(_config(None)).walk_revisions()}
    return found is not None and found not in known


@contextmanager
def _alone(database: Database) -> Iterator[Connection]:
    """One transaction around the whole migration, during which no other process migrates."""
    try:
        with database.engine.connect() as connection:
            connection.detach()  # what is set here for long waits is not for those who come after
            if database.is_sqlite:
                _set_wal(connection)
            with connection.execution_options(milan_begin="EXCLUSIVE", milan_durable=True).begin():
                if not database.is_sqlite:
                    connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
                    connection.exec_driver_sql("SET LOCAL lock_timeout = 0")
                    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                yield connection
    except SQLAlchemyError:
        raise StorageError("The database does not answer.") from None


def _set_wal(connection: Connection) -> None:
    """Let readers and a writer work side by side; SQLite does not wait for its turn here, so it is asked again."""
    until = time.monotonic() + _PATIENCE_SECONDS
    driver = connection.connection.cursor()
    driver.execute(f"PRAGMA busy_timeout = {_PATIENCE_SECONDS * 1000}")
    while True:
        try:
            driver.execute("PRAGMA journal_mode = WAL")
        except sqlite3.Error as error:
            if not isinstance(error, sqlite3.OperationalError) or time.monotonic() > until:
                raise StorageError("The database does not answer.") from None
            time.sleep(0.05)
        else:
            return
