"""The schema's history, run by Alembic; `versions` holds its steps."""
