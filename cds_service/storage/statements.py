"""The one thing that SQLite and PostgreSQL write alike and SQLAlchemy keeps apart: INSERT ... ON CONFLICT."""

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.storage.database import Database


def insert(database: Database, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what happens when the row is already there."""
    return sqlite.insert(table) if database.is_sqlite else postgresql.insert(table)


def insert_new(connection: Connection, statement: sqlite.Insert | postgresql.Insert) -> bool:
    """Insert a row unless it is there; tell whether it was new."""
    counting = statement.on_conflict_do_nothing().execution_options(preserve_rowcount=True)
    return connection.execute(counting).rowcount == 1
