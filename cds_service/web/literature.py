"""What is published about outcomes, for the page: cited data (`literature.json`), and nothing without a citation."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import msgspec

from cds_service.eligibility.policy import Citation


class Statement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One finding, what limits it, and where it stands. None is shown without the other two."""

    text: str
    limits: str
    citation: Citation


class Figures(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Numbers side by side, so that none stands alone (clinical.md 4.6)."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Findings on one question; its figures come from the first statement's source."""

    id: str
    title: str
    statements: tuple[Statement, ...]
    table: Figures | None = None


@dataclass(frozen=True, slots=True)
class Literature:
    """All sections, in the order in which they are shown."""

    sections: tuple[Section, ...]


@cache
def literature() -> Literature:
    """The literature that ships. Raises msgspec.ValidationError where a statement has no limits or no citation."""
    return msgspec.json.decode((files("cds_service.web") / "literature.json").read_bytes(), type=Literature)
