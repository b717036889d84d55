"""What we ask an EHR to allow, and what it allowed: it may be less, and then it is said which parts are missing."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cds_service.tenants import Smart
from fhir_mappings.record import PARTS

_IDENTITY: Final = ("launch", "openid", "fhirUser")
WRITTEN: Final = ("QuestionnaireResponse", "Observation", "Procedure", "Condition")
"""What the answers of a form are written as."""
_SCOPE: Final = re.compile(
    r"(patient|user)/(?P<type>\*|[A-Za-z]+)\.(?P<may>read|write|\*|c?r?u?d?s?)(?P<query>\?.+)?"
)
_V1: Final = {"read": "rs", "write": "cud", "*": "cruds"}


class Extent(StrEnum):
    """How much of a type a token opens."""

    ALL = "all"
    SOME = "some"  # only what a search within the scope allows: that something is not among it says nothing
    NONE = "none"


def wanted(smart: Smart, *, has_v2: bool) -> tuple[str, ...]:
    """The scopes to ask for: the tenant's own, else what a record is made of, in the form that the server knows."""
    if smart.scopes:
        return smart.scopes
    read, write = ("rs", "c") if has_v2 else ("read", "write")
    parts = [f"patient/{kind}.{read}" for kind in PARTS.values()]
    written = [f"patient/{kind}.{write}" for kind in WRITTEN] if smart.write_back != "off" else []
    return (*_IDENTITY, *parts, *written)


@dataclass(frozen=True, slots=True)
class Lacking:
    """A part of the record that the token does not open, or only in part."""

    part: str  # a key of PARTS
    extent: Extent


def lacking(granted: Iterable[str]) -> tuple[Lacking, ...]:
    """The parts that cannot be read whole."""
    scopes = tuple(granted)
    found = [Lacking(part, readable(scopes, part)) for part in PARTS]
    return tuple(item for item in found if item.extent is not Extent.ALL)


def readable(granted: Iterable[str], part: str) -> Extent:
    """How much of a part a token opens: the patient is read, everything else is searched for."""
    return _extent(granted, PARTS[part], "r" if part == "patient" else "s")


def writable(granted: Iterable[str], kind: str) -> bool:
    """Whether a token lets us add resources of a type."""
    return _extent(granted, kind, "c") is not Extent.NONE


def _extent(granted: Iterable[str], kind: str, permission: str) -> Extent:
    found = Extent.NONE
    for scope in granted:
        match = _SCOPE.fullmatch(scope)
        if match is None or match["type"] not in ("*", kind):
            continue
        if permission in _V1.get(match["may"], match["may"]):
            if not match["query"]:
                return Extent.ALL
            found = Extent.SOME
    return found
