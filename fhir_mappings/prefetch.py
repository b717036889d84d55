"""A CDS Hooks prefetch to one patient's record: what was sent, what was fetched beside it, and what is new in the context.

Each part of the record is answered by rows: a row is one query's answer, page by page. A site whose analysts typed
the prefetch by hand may bring one part in several rows under names of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeGuard

import msgspec
from msgspec import Raw, Struct

from fhir_mappings.bundle import (
    PartState,
    RawBundle,
    bundle_state,
    entries_of,
    is_cut,
    listed,
    next_link,
    raw_resources,
)
from fhir_mappings.nodes import Entry, Node, PrefetchValue
from fhir_mappings.ownership import links_of_patients, owner_of, urls_of_patients
from fhir_mappings.record import NODE, PARTS, PatientRecord
from fhir_mappings.reference import base

_WORST_FIRST = (PartState.FAILED, PartState.TRUNCATED, PartState.NOT_SENT, PartState.COMPLETE)
Prefetch = Mapping[str, PrefetchValue] | None
Aliases = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fetched:
    """What a query brought, page by page, and how much of it that is."""

    pages: tuple[bytes, ...]
    state: PartState


@dataclass(frozen=True, slots=True)
class _Page:
    """One JSON value of a row: where it is found, what it says, and its bytes unless they stand in the body."""

    name: str
    content: PrefetchValue
    data: bytes | None = None
    start: int = 0  # how many entries stand on the pages before it


@dataclass(frozen=True, slots=True)
class _Row:
    """One query's answer; `state` is what whoever asked says of it."""

    pages: tuple[_Page, ...]
    state: PartState = PartState.COMPLETE


def unsent(prefetch: Prefetch, aliases: Aliases) -> dict[str, str | None]:
    """The keys whose part did not arrive whole and may be fetched: the next link to follow, or None for the query.

    A failed query is not among them: asking again is usually pointless (cds-hooks.md 2.3).
    """
    given = prefetch or {}
    found: dict[str, str | None] = {}
    for key in PARTS:
        names = _names(key, given, aliases)
        sent = [given[name] for name in names if name in given]
        links = [link for value in sent if isinstance(value, Node) and (link := next_link(value))]
        if len(sent) < len(names):
            found[key] = None
        elif len(names) == 1 and links:
            found[key] = links[0]
    return found


def read_prefetch(  # noqa: PLR0913  what a record can be made of
    prefetch: Prefetch,
    body: bytes,
    patient_id: str,
    *,
    aliases: Aliases = {},  # noqa: B006  never written to
    fetched: Mapping[str, Fetched] = {},
    added: Mapping[str, bytes] = {},
    server: str | None = None,
) -> PatientRecord:
    """Make the record of `Patient/{patient_id}` from the decoded `prefetch` of a hook request and its body.

    `aliases` are the names under which a site sends the rows of a part, `fetched` is what was asked for beside them
    (by key), `added` are Bundles of a part that only the context of the call holds. Other keys are ignored. `server` is
    the FHIR server of the patient, if that is known: a subject with this id on another server is somebody else.

    A key that is absent counts as not sent, null or an empty Bundle as read and empty, an OperationOutcome or anything
    that is no FHIR as failed, a Bundle that says that there is more than it holds as truncated (cds-hooks.md 2.3,
    integration.md 1.8). A Patient other than the one of the context fails the part `patient`, and so does an answer
    that holds other patients' resources only fail its own: it was given for somebody else.
    """
    rows = {key: _rows(key, prefetch or {}, aliases, fetched.get(key)) for key in PARTS}
    states: dict[str, PartState] = {}
    entries: list[Entry] = []
    for key, kind in PARTS.items():
        answers = [_read_row(row, kind, patient_id) for row in rows[key]]
        states[kind] = min((state for state, _ in answers), key=_WORST_FIRST.index)
        entries += [entry for _, arrived in answers for entry in arrived]
    urls = urls_of_patients(entries)
    linked = links_of_patients(entries, urls).get(patient_id, frozenset())
    states |= dict.fromkeys(_mixed_up(entries, {None, patient_id, *linked}, urls), PartState.FAILED)
    context = [_page(f"context.{key}", 0, data) for key, data in added.items()]
    entries += [entry for page in context for entry in _entries(page)]
    pages = [*(page for key in rows for row in rows[key] for page in row.pages), *context]
    source = _Source(body, pages)
    home = base(server) if server else ""
    return PatientRecord(f"Patient/{patient_id}", tuple(entries), states, source, urls, linked, home)


def _mixed_up(
    entries: Sequence[Entry], own_ids: AbstractSet[str | None], urls: Mapping[str, str]
) -> set[str]:
    """The types of which everything that arrived names another patient."""
    foreign: set[str] = set()
    own: set[str] = set()
    for entry in entries:
        if entry.type not in own:
            is_own = owner_of(entry, urls) in own_ids
            (own if is_own else foreign).add(entry.type)
    return foreign.intersection(PARTS.values()) - own


def _names(key: str, given: Mapping[str, PrefetchValue], aliases: Aliases) -> tuple[str, ...]:
    """The rows that bring a part: its own key and what comes beside it, or those of the site where that is not sent."""
    own = tuple(aliases.get(key, ()))
    if key in given:  # an empty row beside a filled one of the site must not hide it
        return (key, *(name for name in own if name in given))
    return own or (key,)


def _rows(
    key: str, given: Mapping[str, PrefetchValue], aliases: Aliases, fetched: Fetched | None
) -> list[_Row]:
    """The rows of a part, at least one: what was not sent is a row too, which has no page."""
    names = _names(key, given, aliases)
    sent = [_Row((_Page(name, given[name]),)) for name in names if name in given]
    if fetched is None:
        missing = PartState.TRUNCATED if sent else PartState.NOT_SENT
        return sent if len(sent) == len(names) else [*sent, _Row((), missing)]
    if len(sent) == len(names) == 1:  # what was fetched are the pages after the one that was sent
        return [
            _Row((*sent[0].pages, *_pages(key, fetched.pages, _size(given[names[0]]))), _as_rest(fetched))
        ]
    return [*sent, _Row(tuple(_pages(key, fetched.pages)), fetched.state)]


def _as_rest(fetched: Fetched) -> PartState:
    """The state of a row whose first page was sent: a rest that cannot be had leaves a part."""
    return PartState.TRUNCATED if fetched.state is PartState.FAILED else fetched.state


def _pages(key: str, contents: Iterable[bytes], start: int = 0) -> Iterator[_Page]:
    for number, data in enumerate(contents):
        page = _page(f"{key}, page {number + 1}", start, data)
        start += _size(page.content)
        yield page


def _page(name: str, start: int, data: bytes) -> _Page:
    try:
        return _Page(name, NODE.decode(data), data, start)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Page(name, "")  # anything that is no FHIR


def _size(value: PrefetchValue) -> int:
    return len(listed(value.entry)) if isinstance(value, Node) else 0


# --- reading rows -----------------------------------------------------------------------------------------------------


def _read_row(row: _Row, kind: str, patient_id: str) -> tuple[PartState, list[Entry]]:
    """How much of a query's answer arrived, and its resources."""
    if not row.pages:
        return row.state, []
    if len(row.pages) == 1:
        state, entries = _read_page(row.pages[0], kind, patient_id)
    else:
        state, entries = _read_pages(row.pages, kind)
    return min(state, row.state, key=_WORST_FIRST.index), entries


def _read_page(page: _Page, kind: str, patient_id: str) -> tuple[PartState, list[Entry]]:
    value = page.content
    if value is None:
        return PartState.COMPLETE, []
    if not isinstance(value, Node):
        return PartState.FAILED, []
    if value.resourceType == "Bundle":
        entries = _entries(page)
        state = bundle_state(value, entries, kind)
        return state, [] if state is PartState.FAILED else entries
    is_other_patient = kind == "Patient" and value.id != patient_id
    if value.resourceType != kind or is_other_patient:
        return PartState.FAILED, []
    return PartState.COMPLETE, [Entry(value, (page.name, -1))]


def _read_pages(pages: Sequence[_Page], kind: str) -> tuple[PartState, list[Entry]]:
    """Several pages as if they had been one. What is wrong with one of them leaves a part of the whole."""
    bundles = [page.content for page in pages if _is_bundle(page.content)]
    entries = [entry for page in pages if _is_bundle(page.content) for entry in _entries(page)]
    whole = Node(
        resourceType="Bundle",
        total=bundles[0].total if bundles else None,
        entry=[entry for bundle in bundles for entry in listed(bundle.entry)],
        link=bundles[-1].link if bundles else None,
    )
    is_cut_off = any(map(is_cut, bundles))
    state = bundle_state(whole, entries, kind)
    is_whole = state is PartState.COMPLETE and len(bundles) == len(pages) and not is_cut_off
    return PartState.COMPLETE if is_whole else PartState.TRUNCATED, entries


def _is_bundle(value: PrefetchValue) -> TypeGuard[Node]:
    return isinstance(value, Node) and value.resourceType == "Bundle"


def _entries(page: _Page) -> list[Entry]:
    return entries_of(page.name, page.content, page.start) if isinstance(page.content, Node) else []


# --- bytes ------------------------------------------------------------------------------------------------------------


class _RawRequest(Struct, gc=False):
    prefetch: dict[str, RawBundle | None] = {}


class _RawParts(Struct, gc=False):
    prefetch: dict[str, Raw] = {}


_RAW_REQUEST = msgspec.json.Decoder(_RawRequest)
_RAW_PARTS = msgspec.json.Decoder(_RawParts)


class _Source:
    """Finds the bytes of single resources, in a second pass that is only made when something matters."""

    def __init__(self, body: bytes, pages: Iterable[_Page]) -> None:
        self._body = body
        self._pages = {page.name: page for page in pages if page.data is not None}
        self._bundles: dict[str, RawBundle | None] | None = None
        self._raws: dict[str, Sequence[Raw]] = {}

    def __call__(self, entry: Entry) -> bytes:
        name, index = entry.place
        page = self._pages.get(name)
        return self._in_body(name, index) if page is None else self._on_page(page, index)

    def _on_page(self, page: _Page, index: int) -> bytes:
        if index < 0:
            return page.data or b""
        if page.name not in self._raws:
            self._raws[page.name] = raw_resources(page.data or b"")
        return bytes(self._raws[page.name][index - page.start])

    def _in_body(self, name: str, index: int) -> bytes:
        if self._bundles is None:
            try:
                self._bundles = _RAW_REQUEST.decode(self._body).prefetch
            except msgspec.ValidationError:  # a part of an odd shape: the others can still be found
                self._bundles = {}
        bundle = self._bundles.get(name)
        if bundle is not None and 0 <= index < len(bundle.entry):
            return bytes(bundle.entry[index].resource)
        part = _RAW_PARTS.decode(self._body).prefetch[name]
        return bytes(part if index < 0 else raw_resources(part)[index])
