"""Used tokens, cards shown, feedback."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the three tables."""
    op.create_table(
        "replay",
        sa.Column("token", sa.String(64), nullable=False),
        sa.Column("until", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("token", name="pk_replay"),
    )
    op.create_index("ix_replay_until", "replay", ["until"])
    _create_card_shown()
    _create_feedback()


def _create_card_shown() -> None:
    op.create_table(
        "card_shown",
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("topic", sa.String(100), nullable=False),
        sa.Column("verdict", sa.String(32), nullable=False),
        sa.Column("policy", sa.String(100), nullable=False),
        sa.Column("policy_version", sa.String(100), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("clinician", sa.String(64), nullable=False),
        sa.Column("shown_on", sa.Date, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "service", "card", name="pk_card_shown"),
    )
    op.create_index("ix_card_shown_tenant", "card_shown", ["tenant", "fingerprint"])
    op.create_index("ix_card_shown_shown_on", "card_shown", ["shown_on"])


def _create_feedback() -> None:
    op.create_table(
        "feedback",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("tenant", sa.String(64), nullable=False),
        sa.Column("service", sa.String(100), nullable=False),
        sa.Column("card", sa.String(36), nullable=False),
        sa.Column("outcome", sa.String(10), nullable=False),
        sa.Column("outcome_timestamp", sa.DateTime, nullable=False),
        sa.Column("reason_system", sa.String(500)),
        sa.Column("reason_code", sa.String(200)),
        sa.Column("suggestions", sa.JSON, nullable=False),
        sa.Column("comment", sa.LargeBinary),
        sa.Column("received_on", sa.DateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
        sa.UniqueConstraint("tenant", "service", "card", "outcome", "outcome_timestamp", name="uq_feedback"),
    )
    op.create_index("ix_feedback_received_on", "feedback", ["received_on"])


def downgrade() -> None:
    """Remove the three tables."""
    for table in ("feedback", "card_shown", "replay"):
        op.drop_table(table)
