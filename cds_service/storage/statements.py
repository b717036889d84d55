"""The one thing that SQLite and PostgreSQL write alike and SQLAlchemy keeps apart: INSERT ... ON CONFLICT."""

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.storage.database import Database


def insert(database: Database, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An INSERT that can say what happens when the row is already there."""
    return sqlite.insert(table) if database.is_sqlite else postgresql.insert(table)
