"""What launches and their sessions keep for a while, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "sealed",
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("until", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_sealed"),
    )
    op.create_index("ix_sealed_until", "sealed", ["until"])


def downgrade() -> None:
    """Remove the table."""
    op.drop_table("sealed")
