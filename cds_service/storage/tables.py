"""The tables. Whom a row is about stands in it only as a pseudonym; the migrations make the same, and a test compares."""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Date,
    DateTime,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

METADATA: Final = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)


class Utc(TypeDecorator[datetime]):
    """A moment: with its zone in Python, without one and in UTC in the database, because SQLite has no zones."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """To UTC, and without the zone."""
        return value.astimezone(UTC).replace(tzinfo=None) if value is not None else None

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """With the zone again."""
        return value.replace(tzinfo=UTC) if value is not None else None


_DIGEST: Final = String(64)  # SHA-256 in hexadecimal digits
_TENANT: Final = String(64)
_SERVICE: Final = String(100)
_UUID: Final = String(36)

REPLAY: Final = Table(
    "replay",
    METADATA,
    Column("token", _DIGEST, primary_key=True),  # digest of issuer and token id
    Column(
        "until", Float(53), nullable=False
    ),  # seconds since 1970: then the token is no longer valid anyway
    Index(None, "until"),
)

CARD_SHOWN: Final = Table(
    "card_shown",
    METADATA,
    Column("tenant", _TENANT, primary_key=True),
    Column("service", _SERVICE, primary_key=True),
    Column("card", _UUID, primary_key=True),
    Column(
        "topic", String(100), nullable=False
    ),  # the kind of advice, where a service says more than the verdict
    Column("verdict", String(32), nullable=False),
    Column("policy", String(100), nullable=False),
    Column("policy_version", String(100), nullable=False),
    Column("fingerprint", _DIGEST, nullable=False),  # of patient and assessment
    Column("patient", _DIGEST, nullable=False),
    Column("clinician", String(64), nullable=False),  # empty where one card was shown to several
    Column("shown_on", Date, nullable=False),
    Index(None, "tenant", "fingerprint"),
    Index("ix_card_shown_shown_on", "shown_on"),
)

CARD_WITHHELD: Final = Table(  # counts alone: a card that nobody saw is nobody's
    "card_withheld",
    METADATA,
    Column("tenant", _TENANT, primary_key=True),
    Column("day", Date, primary_key=True),
    Column("verdict", String(32), primary_key=True),
    Column("reason", String(100), primary_key=True),
    Column("cards", Integer, nullable=False),
)

FEEDBACK: Final = Table(
    "feedback",
    METADATA,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("tenant", _TENANT, nullable=False),
    Column("service", _SERVICE, nullable=False),
    Column("card", _UUID, nullable=False),
    Column("outcome", String(10), nullable=False),  # accepted, overridden
    Column("outcome_timestamp", Utc, nullable=False),  # as the EHR tells it
    Column("reason_system", String(500)),
    Column("reason_code", String(200)),
    Column("suggestions", JSON, nullable=False),  # uuids of those accepted
    Column("comment", LargeBinary),  # encrypted, and only where the tenant asks for it
    Column("received_on", Utc, nullable=False),
    UniqueConstraint("tenant", "service", "card", "outcome", "outcome_timestamp"),
    Index("ix_feedback_received_on", "received_on"),
)

SEALED: Final = Table(
    "sealed",
    METADATA,
    Column("name", _DIGEST, primary_key=True),  # digest of the secret that opens it, which is kept nowhere
    Column("content", LargeBinary, nullable=False),  # encrypted under that secret
    Column("until", Float(53), nullable=False),  # seconds since 1970
    Index(None, "until"),
)
