"""The schema: the migrations make what the tables say, up and down, on both databases, one process at a time."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text

from cds_service.errors import SettingsError, StorageError
from cds_service.storage import schema
from cds_service.storage.database import connect
from cds_service.storage.opening import open_storage
from cds_service.storage.tables import METADATA
from tests.databases import Place, broken
from tests.storage.contest import race

RACERS = 3


def test_the_migrations_make_the_tables_that_the_code_works_with(empty: Place) -> None:
    database = connect(empty.address)
    schema.upgrade(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    database.close()


def test_the_schema_goes_up_and_down_and_up_again(empty: Place) -> None:
    database = connect(empty.address)
    for _ in range(2):
        assert schema.upgrade(database) == schema.head()
        assert set(inspect(database.engine).get_table_names()) == {*METADATA.tables, "alembic_version"}
        schema.downgrade(database)
        assert inspect(database.engine).get_table_names() == ["alembic_version"]
    database.close()


def test_every_step_goes_down_alone(empty: Place) -> None:
    database = connect(empty.address)
    schema.upgrade(database)
    schema.downgrade(database, "-1")
    assert schema.upgrade(database) == schema.head()
    database.close()


def test_a_migration_that_fails_half_way_leaves_nothing(empty: Place) -> None:
    database = connect(empty.address)
    with database.writing() as connection:
        connection.execute(text("CREATE TABLE feedback (in_the_way INTEGER)"))
    with pytest.raises(StorageError):
        schema.upgrade(database)
    assert inspect(database.engine).get_table_names() == ["feedback"]
    database.close()


def test_several_processes_may_migrate_at_once(empty: Place) -> None:
    race(RACERS, empty.environment, "migrate")
    open_storage(empty.settings).close()


def test_sqlite_is_brought_to_the_schema_at_the_start_and_postgresql_has_to_be(empty: Place) -> None:
    if empty.kind == "sqlite":
        open_storage(empty.settings).close()
    else:
        with pytest.raises(SettingsError, match="milan-net migrate"):
            open_storage(empty.settings)


def test_a_database_of_a_newer_version_is_refused(empty: Place) -> None:
    database = connect(empty.address)
    schema.upgrade(database)
    with database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SettingsError, match=r"newer version|another schema"):
        open_storage(empty.settings)
    with pytest.raises(SettingsError, match="newer version"):
        schema.upgrade(database)
    database.close()


def test_a_file_that_is_no_database_is_told_without_a_traceback(tmp_path: Path) -> None:
    database = broken(tmp_path)
    with pytest.raises(StorageError):
        schema.upgrade(database)
    with pytest.raises(SettingsError):
        schema.ensure_current(database)
    database.close()
