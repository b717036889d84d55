"""The one thing that SQLite and PostgreSQL write alike and SQLAlchemy keeps apart: INSERT ... ON CONFLICT."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.storage.database import Database


def insert(database: Database, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what happens when the row is already there."""
    return sqlite.insert(table) if database.is_sqlite else postgresql.insert(table)


def insert_new(database: Database, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT of one row that does nothing where it is there already; its `rowcount` tells whether the row was new."""
    return insert(database, table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
