"""How many cards were withheld, and why: counts alone."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "card_withheld",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(100), nullable=False),
        sa.Column("cards", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "day", "verdict", "reason", name="pk_card_withheld"),
    )


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("card_withheld")
