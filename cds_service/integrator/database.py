"""The commands that look after the database: bring it to the schema, remove what is old."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime

import click

from cds_service.errors import DataError
from cds_service.settings import from_environment
from cds_service.storage import schema
from cds_service.storage.database import Database, sqlite_file
from cds_service.storage.opening import open_database
from cds_service.storage.retention import KEEP_DAYS
from cds_service.storage.retention import prune as remove


@click.command()
def migrate() -> None:
    """Bring the database to the schema of this version; PostgreSQL does not start without it."""
    with closing(open_database(from_environment())) as database:
        revision = schema.upgrade(database)
    click.echo(f"The database has the schema {revision}.")


@click.command()
@click.option(
    "--older-than",
    "days",
    type=click.IntRange(1, 36_500),
    default=KEEP_DAYS,
    show_default=True,
    help="Days for which cards and feedback are kept.",
)
def prune(days: int) -> None:
    """Remove old cards and feedback, and used tokens that have expired."""
    with existing_database() as database:
        removed = remove(database, datetime.now(UTC), days)
    click.echo(f"Removed: {removed.cards} cards, {removed.feedback} feedback, {removed.tokens} used tokens.")


@contextmanager
def existing_database() -> Iterator[Database]:
    """The database of the settings, which has to be there and up to date. Raises DataError, SettingsError."""
    settings = from_environment()
    file = sqlite_file(settings.database)
    if file is not None and not file.exists():
        raise DataError(f"{file}: there is no database yet")
    with closing(open_database(settings)) as database:
        schema.ensure_current(database)
        yield database
