"""What Alembic runs for every command: the steps, on the connection and within the transaction that it is given."""

from alembic import context

from cds_service.storage.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    transactional_ddl=True,  # also on SQLite, because the transaction is ours
)
with context.begin_transaction():
    context.run_migrations()
