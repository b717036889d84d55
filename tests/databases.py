"""The databases that tests run on: SQLite always, PostgreSQL where it is installed, and both wherever something is kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr

from cds_service.settings import Settings
from cds_service.storage import schema
from cds_service.storage.database import Database, connect
from cds_service.storage.ledger import Ledger
from cds_service.storage.opening import Storage, open_storage
from cds_service.storage.pseudonyms import Pseudonyms
from cds_service.storage.tables import METADATA
from tests.needs import lacking
from tests.postgresql import Server, programs, serving

KEY = b"k" * 32
KINDS = ("sqlite", "postgresql")


@dataclass(frozen=True, slots=True)
class Place:
    """An empty database, not yet migrated, and the settings that name it."""

    kind: str
    address: str
    key_file: Path

    @property
    def settings(self) -> Settings:
        """The settings of a service that keeps its things here."""
        return Settings(database_url=SecretStr(self.address), pseudonym_key_file=self.key_file)

    @property
    def environment(self) -> dict[str, str]:
        """The same for another process."""
        return {
            "MILAN_NET_DATABASE_URL": self.address,
            "MILAN_NET_PSEUDONYM_KEY_FILE": str(self.key_file),
        }


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A PostgreSQL server for the whole run."""
    found = programs()
    if found is None:
        lacking("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with serving(found) as server:
        yield server


@pytest.fixture(scope="session")
def migrated(postgresql: Server) -> str:
    """The address of a PostgreSQL database at the newest schema, which every test gets without rows."""
    address = postgresql.address(postgresql.new_database())
    database = connect(address)
    schema.upgrade(database)
    database.close()
    return address


@pytest.fixture(params=KINDS)
def empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A database without any table."""
    key_file = tmp_path / "pseudonyms.key"
    key_file.write_bytes(KEY)
    if request.param == "sqlite":
        yield Place("sqlite", f"sqlite:///{tmp_path}/test.db", key_file)
        return
    server: Server = request.getfixturevalue("postgresql")
    name = server.new_database()
    yield Place("postgresql", server.address(name), key_file)
    server.drop_database(name)


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """A database at the newest schema."""
    key_file = tmp_path / "pseudonyms.key"
    key_file.write_bytes(KEY)
    if request.param == "sqlite":
        found = Place("sqlite", f"sqlite:///{tmp_path}/test.db", key_file)
        open_storage(found.settings).close()
        return found
    address = request.getfixturevalue("migrated")
    _clear(address)
    return Place("postgresql", address, key_file)


def _clear(address: str) -> None:
    """Remove the rows of an earlier test: far quicker than a database for each."""
    database = connect(address)
    with database.writing() as connection:
        for table in METADATA.tables.values():
            connection.execute(table.delete())
    database.close()


@pytest.fixture
def storage(place: Place) -> Iterator[Storage]:
    """Everything that is kept, open."""
    found = open_storage(place.settings)
    yield found
    found.close()


@pytest.fixture
def ledger(storage: Storage) -> Ledger:
    """The ledger, open."""
    return storage.ledger


def broken(tmp_path: Path) -> Database:
    """A database that does not answer: its file is no database."""
    file = tmp_path / "broken.db"
    file.write_bytes(b"this is no database " * 100)
    return connect(f"sqlite:///{file}")


def broken_ledger(tmp_path: Path) -> Ledger:
    """A ledger whose database does not answer."""
    return Ledger(broken(tmp_path), Pseudonyms(KEY))
