"""What the client has to know of an answer: that it is what was asked for, how much it holds, and what comes next."""

import re
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import Raw, Struct

from cds_service.addresses import Address, AddressError
from cds_service.ehr.query_errors import QueryError, Reason

# a read or a search, as prefetch templates have them: nothing in it can leave the base
_RELATIVE = re.compile(r"(?P<type>[A-Z][A-Za-z]{1,63})(/[A-Za-z0-9.-]{1,64}|\?[^#\s]+)")
_ABSOLUTE = re.compile(r"https?://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Page:
    """One answer: how many resources it holds, and where the following one is."""

    resources: int
    next: str | None  # "" is a next link that cannot be used


class _Envelope(Struct, gc=False):
    resourceType: Any = None  # noqa: N815  FHIR's own name
    entry: Raw = Raw(b"[]")
    link: Any = None


_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ENTRIES = msgspec.json.Decoder(list[Raw] | None)


def address_of(base: Address, query: str) -> Address:
    """Where a query goes: "Patient/1", "Condition?patient=1" below the base, or an absolute link within it.

    The base and not only the origin, as cds-hooks.md 2.2 has it: hospitals share servers, and the token of one is not
    for the neighbour's path. Raises QueryError.
    """
    if not (_ABSOLUTE.match(query) or _RELATIVE.fullmatch(query)):
        raise QueryError(Reason.FOREIGN_LINK)
    try:
        address = Address.parse(query if _ABSOLUTE.match(query) else f"{base}/{query}")
    except AddressError:
        raise QueryError(Reason.FOREIGN_LINK) from None
    if not base.contains(address):
        raise QueryError(Reason.FOREIGN_LINK)
    return address


def kind_of(query: str) -> tuple[str, str]:
    """The resource type that a query is about, for the log, and the type of the resource that answers it."""
    match = _RELATIVE.fullmatch(query)
    if match is None:
        return "Bundle", "Bundle"
    return match["type"], match["type"] if "?" not in query else "Bundle"


def read_page(data: bytes, expected: str) -> Page:
    """Look at an answer. Raises QueryError if it is not of the expected type."""
    try:
        envelope = _ENVELOPE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise QueryError(Reason.NOT_JSON) from None
    if envelope.resourceType == "OperationOutcome":
        raise QueryError(Reason.OUTCOME)
    if envelope.resourceType != expected:
        raise QueryError(Reason.WRONG_TYPE)
    return Page(1, None) if expected != "Bundle" else Page(_count(envelope.entry), _next(envelope.link))


def _count(entries: Raw) -> int:
    """How many entries there are; a single one may stand without its list."""
    try:
        return len(_ENTRIES.decode(entries) or ())
    except msgspec.ValidationError:
        return 1


def _next(links: Any) -> str | None:
    """The one next link. Of two that differ none is chosen."""
    listed = links if isinstance(links, list) else [links]
    found = {_url(link) for link in listed if isinstance(link, dict) and _is_next(link)}
    if not found:
        return None
    return found.pop() if len(found) == 1 else ""


def _is_next(link: dict[str, Any]) -> bool:
    relation = link.get("relation")
    return isinstance(relation, str) and relation.lower() == "next"


def _url(link: dict[str, Any]) -> str:
    url = link.get("url")
    return url if isinstance(url, str) else ""
