"""The connection: SQLite in a file beside the service, or PostgreSQL where several machines serve together."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from cds_service.errors import SettingsError, StorageError

# A call has 1.5 s in all (integration.md 4.2); who waits longer for the database fails open or closed at once.
_WAIT_SECONDS: Final = 1.0
_POOL: Final = {"pool_size": 4, "max_overflow": 12, "pool_timeout": _WAIT_SECONDS}
_POSTGRESQL_ARGUMENTS: Final = {
    "connect_timeout": 2,
    "tcp_user_timeout": 2000,
    "options": "-c statement_timeout=2000 -c lock_timeout=1000",
    "application_name": "milan-net",
}


@dataclass(frozen=True, slots=True)
class Database:
    """A database that is open. Whatever it cannot do is a StorageError, which says nothing of what was asked."""

    engine: Engine

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file that only this machine can use."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def reading(self, *, unhurried: bool = False) -> Iterator[Connection]:
        """A transaction that only reads; an unhurried one is a report, which may take its time."""
        with _answering(), self.engine.connect() as connection:
            if unhurried and not self.is_sqlite:
                connection.exec_driver_sql("SET LOCAL statement_timeout = 0")
            yield connection

    @contextmanager
    def writing(self, *, durable: bool = False) -> Iterator[Connection]:
        """A transaction that writes: whole or not at all. A durable one is on the disk when it ends."""
        with _answering(), self.engine.connect() as connection:
            options = {"milan_begin": "IMMEDIATE", "milan_durable": durable}
            with connection.execution_options(**options).begin():
                if (
                    durable and not self.is_sqlite
                ):  # a server may have been told to acknowledge before it writes
                    connection.exec_driver_sql("SET LOCAL synchronous_commit = on")
                yield connection

    def close(self) -> None:
        """Let go of all connections."""
        self.engine.dispose()


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except SQLAlchemyError:
        raise StorageError("The database does not answer.") from None


def connect(address: str) -> Database:
    """The database at an address in SQLAlchemy's form. Raises SettingsError, which never repeats the address."""
    url = _parsed(address)
    backend = url.get_backend_name()
    if backend == "sqlite":
        return Database(_sqlite(url))
    if backend == "postgresql":
        return Database(_postgresql(url))
    raise SettingsError(
        "The database has to be SQLite (sqlite:///file.db) or PostgreSQL (postgresql://user@host/name)."
    )


def sqlite_file(address: str) -> Path | None:
    """The file of a SQLite database; None for another."""
    url = _parsed(address)
    return Path(url.database) if url.get_backend_name() == "sqlite" and url.database else None


def _parsed(address: str) -> URL:
    try:
        return make_url(address)
    except ArgumentError:
        raise SettingsError(
            "The database's address cannot be read; it looks like sqlite:///file.db."
        ) from None


# --- SQLite -----------------------------------------------------------------------------------------------------------


def _sqlite(url: URL) -> Engine:
    name = url.database or ":memory:"
    if (
        url.drivername not in ("sqlite", "sqlite+pysqlite")
        or url.query
        or name.startswith((":memory:", "file:"))
    ):
        raise SettingsError("A SQLite database has to be a plain file, as in sqlite:///file.db.")
    _make_private(Path(name))
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": _WAIT_SECONDS, "isolation_level": None},  # transactions begin where we say
        **_POOL,
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_private(path: Path) -> None:
    """Make the file, readable by its owner alone; SQLite's files beside it take over the permissions."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as error:
        raise SettingsError(f"{path}: the database cannot be opened: {error.strerror}.") from None


def _prepare(connection: Any, _: object) -> None:
    connection.execute("PRAGMA foreign_keys = ON")


def _begin(connection: Connection) -> None:
    """Begin a transaction: those that write take their turn at once, so that none fails half-way for a lock."""
    options = connection.get_execution_options()
    safety = "FULL" if options.get("milan_durable") else "NORMAL"
    connection.exec_driver_sql(f"PRAGMA synchronous = {safety}")
    connection.exec_driver_sql(f"BEGIN {options.get('milan_begin', 'DEFERRED')}")


# --- PostgreSQL -------------------------------------------------------------------------------------------------------


def _postgresql(url: URL) -> Engine:
    if url.drivername not in ("postgresql", "postgresql+psycopg"):
        raise SettingsError("PostgreSQL is reached by psycopg: postgresql+psycopg://user@host/name.")
    return create_engine(
        url.set(drivername="postgresql+psycopg"),
        hide_parameters=True,
        pool_pre_ping=True,  # a server that was restarted costs nobody an answer
        pool_recycle=1800,
        connect_args=_POSTGRESQL_ARGUMENTS,
        **_POOL,
    )
