"""A Bundle, or the pages of one: its resources with their places and bytes, and how much of the whole it holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from fhir_mappings.nodes import Entry, EntryNode, LinkNode, Node, SearchNode
from fhir_mappings.outcome import is_error, says_not_all

OUTCOME = "OperationOutcome"


class PartState(StrEnum):
    """How much of one part of the record arrived. Only a COMPLETE part can say that there is nothing."""

    COMPLETE = "complete"
    NOT_SENT = "not-sent"
    FAILED = "failed"
    TRUNCATED = "truncated"


def bundle_state(bundle: Node, entries: Sequence[Entry], kind: str = "") -> PartState:
    """How much of what was searched for a Bundle holds; `kind` is the type that was searched for, if that is known."""
    if bundle.entry is not None and not isinstance(bundle.entry, list | EntryNode):
        return PartState.FAILED
    types = [entry.node.resourceType for entry in entries]
    outcomes = [entry.node for entry in entries if entry.type == OUTCOME] if OUTCOME in types else []
    if any(map(is_error, outcomes)):
        return PartState.FAILED
    says_more = _has_next(bundle) or any(map(says_not_all, outcomes)) or _lacks_matches(bundle, kind)
    says_more = says_more or is_cut(bundle)
    return PartState.TRUNCATED if says_more or has_odd(bundle, types) else PartState.COMPLETE


def _has_next(bundle: Node) -> bool:
    return any(True for _ in _nexts(bundle))


_WITHHELD = frozenset(
    {"REDACTED", "MASKED"}
)  # v3-ObservationValue, by which a server marks what it gave in part
_CUT = _WITHHELD | {"SUBSETTED"}


def is_cut(bundle: Node) -> bool:
    """Whether a Bundle is marked as a part of the whole; marks in another encoding may say so."""
    try:
        return not _CUT.isdisjoint(_marks(orjson.loads(bytes(bundle.meta))))
    except orjson.JSONDecodeError:
        return True


def is_withheld(meta: object) -> bool:
    """Whether a resource is marked as one of which something was withheld."""
    return not _WITHHELD.isdisjoint(_marks(meta))


def _marks(meta: object) -> Iterator[str]:
    """The codes of the security labels and tags."""
    given = meta if isinstance(meta, Mapping) else {}
    for coding in (*listed(given.get("security")), *listed(given.get("tag"))):
        if isinstance(coding, Mapping) and isinstance(code := coding.get("code"), str):
            yield code.strip().upper()


def next_link(bundle: Node) -> str | None:
    """The address of the page after this one, as written."""
    return next((link.url for link in _nexts(bundle) if isinstance(link.url, str) and link.url), None)


def _nexts(bundle: Node) -> Iterator[LinkNode]:
    links = (link for link in listed(bundle.link) if isinstance(link, LinkNode))
    return (link for link in links if isinstance(link.relation, str) and link.relation.lower() == "next")


def has_odd(bundle: Node, types: Sequence[Any]) -> bool:
    """Whether something stands among the entries that may be anything: no resource, a Bundle, or one that does not say.

    `types` are the `resourceType` of the entries that hold a resource.
    """
    given = listed(bundle.entry)
    is_short = len(types) < len(given) and len(types) < sum(map(_brings, given))
    return is_short or not all(map(_is_type, {name if type(name) is str else "" for name in types}))


def _lacks_matches(bundle: Node, kind: str) -> bool:
    """Whether `total` counts more matches than there are; a smaller total, and none, say nothing."""
    total = bundle.total
    if total is None or isinstance(total, bool):
        return False
    try:
        return float(total) > _matches(bundle, kind)
    except OverflowError:  # a number beyond all bounds
        return bool(total > 0)
    except (TypeError, ValueError):  # no number
        return False


def _matches(bundle: Node, kind: str) -> int:
    """How much a search found. An entry that does not say whether it is a match is one if it is of the type asked for."""
    types = [
        (entry.search.mode if type(entry.search) is SearchNode else None, entry.resource.resourceType)
        for entry in listed(bundle.entry)
        if type(entry) is EntryNode and type(entry.resource) is Node
    ]
    plain = types.count(("match", kind))
    return plain if plain == len(types) else sum(_is_match(mode, each, kind) for mode, each in types)


def _is_match(mode: object, each: object, kind: str) -> bool:
    is_meant = mode == "match" or (mode is None and (each == kind or not kind))
    return is_meant and each != OUTCOME


def _brings(entry: object) -> bool:
    """Whether an entry has a resource or should have one; a request of a batch, and the answer to a write, need none."""
    if type(entry) is not EntryNode or entry.resource is not None:
        return True
    return entry.request is None and not _is_written(entry.response)


def _is_written(response: object) -> bool:
    """Whether a response says that a write went well: it names what it wrote, or says that it has no content."""
    given = response if isinstance(response, dict) else {}
    status, location = given.get("status"), given.get("location")
    if not isinstance(status, str):
        return False
    return status.startswith("204") or (status.startswith("2") and isinstance(location, str))


def _is_type(name: str) -> bool:
    return name.isalpha() and name[:1].isupper() and name != "Bundle"


def listed(value: Any) -> list[Any]:
    """The members of what should be a list: a single object counts as a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def entries_of(key: str, bundle: Node, start: int = 0) -> list[Entry]:
    """The resources of a Bundle, each with its place in it; `start` counts what stands on the pages before."""
    return [
        Entry(entry.resource, (key, start + index), entry.fullUrl if type(entry.fullUrl) is str else None)
        for index, entry in enumerate(listed(bundle.entry))
        if type(entry) is EntryNode and type(entry.resource) is Node
    ]


class _RawEntry(Struct, gc=False):
    resource: Raw = Raw(b"null")


class RawBundle(Struct, gc=False):
    """A Bundle of which only the bytes of its resources are wanted."""

    entry: list[_RawEntry] = []


_RAW_BUNDLE = msgspec.json.Decoder(RawBundle)


def raw_resources(bundle: bytes | Raw) -> Sequence[Raw]:
    """The bytes of each resource of a Bundle, in order; also where `entry` is a single object."""
    try:
        return [entry.resource for entry in _RAW_BUNDLE.decode(bundle).entry]
    except msgspec.ValidationError:
        entries = listed(orjson.loads(bytes(bundle)).get("entry"))
        return [
            Raw(orjson.dumps(entry.get("resource") if isinstance(entry, dict) else None)) for entry in entries
        ]
