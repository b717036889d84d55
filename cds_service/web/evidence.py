"""The resources behind an answer, as they were recorded: JSON with the elements that were read marked in it."""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cds_service.hooks.detail import written
from fhir_mappings.facts import Discarded, Evidence
from fhir_mappings.nodes import Entry
from fhir_mappings.record import PatientRecord

LONGEST_TEXT = 400  # characters of one string; narratives and attachments are longer, and say nothing here
LONGEST_RESOURCE = 24_000
_UNSEEN = frozenset({"Cc", "Cf", "Co", "Cs", "Zl", "Zp"})
_STEP = re.compile(r"(?P<name>[A-Za-z]\w*)|\[(?P<index>[^\]]*)\]")
_INDENT = "  "
_LINE = 160  # characters
_OF_THE_PATIENT = ("resourceType", "id", "birthDate", "deceasedBoolean", "deceasedDateTime")

Path = tuple[str | int, ...]


class _Number(str):
    """A number as it was written: 2.50 says more than 2.5 (FHIR R4, decimal)."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of JSON text; `read` tells that it is an element the answer rests on."""

    text: str
    read: bool = False


@dataclass(frozen=True, slots=True)
class Recorded:
    """One resource as it was recorded, and what of it is not shown."""

    pieces: tuple[Piece, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """What was read in one element of a resource, as a reader of the chart would say it, and why it was set aside."""

    element: str
    said: str
    date: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Source:
    """One resource that an answer rests on, or that was looked at for it and not used."""

    reference: str
    quotes: tuple[Quote, ...]
    recorded: tuple[
        Recorded, ...
    ]  # several where the record holds versions; none where it is not in the record
    attested: bool = False


class Evidences:
    """The resources of a record by their references, for a page that shows many of them."""

    def __init__(self, record: PatientRecord, attested: frozenset[str] = frozenset()) -> None:
        self._record = record
        self._attested = attested
        self._entries: dict[str, list[Entry]] = {}
        for entry in record.entries:
            self._entries.setdefault(entry.reference, []).append(entry)

    def used(self, evidence: Iterable[Evidence]) -> tuple[Source, ...]:
        """The resources that an answer rests on, each once."""
        return self._sources((item.reference, item.element, _quote(item)) for item in evidence)

    def discarded(self, items: Iterable[Discarded]) -> tuple[Source, ...]:
        """The resources that were looked at and not used, each once, with the reasons."""
        return self._sources(
            (item.evidence.reference, item.evidence.element, _quote(item.evidence, item.reason))
            for item in items
        )

    def _sources(self, said: Iterable[tuple[str, str, Quote]]) -> tuple[Source, ...]:
        quotes: dict[str, dict[Quote, str]] = {}
        for reference, element, quote in said:
            quotes.setdefault(reference, {})[quote] = element
        return tuple(self._source(reference, found) for reference, found in quotes.items())

    def _source(self, reference: str, quotes: Mapping[Quote, str]) -> Source:
        show = partial(self._recorded, elements=tuple(dict.fromkeys(quotes.values())))
        own = [entry for entry in self._entries.get(reference, ()) if self._record.is_own(entry)]
        shown = tuple(dict.fromkeys(map(show, own)))  # sent twice is shown once
        return Source(reference, tuple(quotes), shown, reference in self._attested)

    def _recorded(self, entry: Entry, elements: Sequence[str]) -> Recorded:
        return recorded(self._record.source(entry), elements)


def _quote(item: Evidence, reason: str = "") -> Quote:
    return Quote(item.element, written(item) or "", str(item.date or ""), reason)


# --- a resource as text -----------------------------------------------------------------------------------------------


def recorded(data: bytes, elements: Iterable[str] = ()) -> Recorded:
    """A resource as indented JSON with some elements marked; what cannot be shown says so."""
    try:
        resource = json.loads(data, parse_float=_Number, parse_int=_Number, parse_constant=_Number)
        shown, note = _fit(resource)
        read = frozenset(path for element in elements if (path := find(shown, element)))
        pieces = tuple(_joined(_pieces(shown, read)))
    except (ValueError, RecursionError):
        return Recorded((), "This entry cannot be shown.")
    if sum(len(piece.text) for piece in pieces) > LONGEST_RESOURCE:
        return _cut(pieces)
    return Recorded(pieces, note)


def _fit(resource: Any) -> tuple[Any, str]:
    """What of a resource belongs on a page: of the Patient only what was asked, and no endless strings."""
    if isinstance(resource, dict) and resource.get("resourceType") == "Patient":
        kept = {name: resource[name] for name in _OF_THE_PATIENT if name in resource}
        return kept, "Other elements of the Patient are not shown."
    shown = _shortened(resource)
    return shown, "" if shown == resource else "Long texts are cut."


def _shortened(value: Any) -> Any:
    if type(value) is str and len(value) > LONGEST_TEXT:
        return f"{value[:LONGEST_TEXT]}… ({len(value)} characters)"
    if isinstance(value, dict):
        return {name: _shortened(item) for name, item in value.items()}
    return [_shortened(item) for item in value] if isinstance(value, list) else value


def _cut(pieces: Iterable[Piece]) -> Recorded:
    """As much as fits, from the beginning; then the elements that were read and lie beyond."""
    room, kept = LONGEST_RESOURCE, []
    for piece in pieces:
        text = piece.text if piece.read and len(piece.text) < LONGEST_RESOURCE else piece.text[: max(room, 0)]
        room -= len(text)
        kept.append(Piece(text if text == piece.text else f"{text}\n…\n", piece.read))
    return Recorded(tuple(_joined(kept)), "The entry is long; only a part is shown.")


# --- elements ---------------------------------------------------------------------------------------------------------


def find(resource: Any, element: str) -> Path:
    """Where an element of an Evidence stands: `component[1].valueQuantity`, `extension[the-end-of-its-url]`, `value`.

    As much of it as there is; an element that is not there at all is the empty path.
    """
    path: Path = ()
    node = resource
    for step in _STEP.finditer(element):
        key = _member(node, step["name"]) if step["name"] else _item(node, step["index"])
        if key is None:
            break
        path, node = (*path, key), node[key]
    return path


def _member(node: Any, name: str) -> str | None:
    """The member of that name; of a choice (`value`), the one that was chosen."""
    if not isinstance(node, dict):
        return None
    if name in node:
        return name
    choices = (key for key in sorted(node) if key.startswith(name) and key[len(name) :][:1].isupper())
    return next(choices, None)


def _item(node: Any, index: str) -> int | None:
    if not isinstance(node, list):
        return None
    if index.isdecimal():
        return int(index) if int(index) < len(node) else None
    urls = (item.get("url") if isinstance(item, dict) else None for item in node)
    return next((at for at, url in enumerate(urls) if isinstance(url, str) and url.endswith(index)), None)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _pieces(value: Any, read: frozenset[Path], path: Path = (), depth: int = 1) -> Iterator[Piece]:
    """The JSON of a value, divided where an element that was read begins or ends."""
    if not any(wanted[: len(path)] == path for wanted in read) or not isinstance(value, dict | list):
        yield Piece(_json(value, depth - 1))
        return
    members = list(_members(value))
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    yield Piece(f"{opening}\n")
    for number, (key, item) in enumerate(members):
        name = f"{_json(key, 0)}: " if isinstance(key, str) else ""
        yield Piece(_INDENT * depth)
        if (*path, key) in read:
            yield Piece(name + _json(item, depth), read=True)
        else:
            yield Piece(name)
            yield from _pieces(item, read, (*path, key), depth + 1)
        yield Piece(",\n" if number + 1 < len(members) else "\n")
    yield Piece(_INDENT * (depth - 1) + closing)


def _members(value: dict[str, Any] | list[Any]) -> Iterable[tuple[str | int, Any]]:
    return value.items() if isinstance(value, dict) else enumerate(value)


def _json(value: Any, depth: int) -> str:
    """Indented JSON in which what fits on a line stands on one line, as a reader would write it."""
    if isinstance(value, _Number):
        return value
    if not value or not isinstance(value, dict | list):
        return _visible(json.dumps(value, ensure_ascii=False))
    names = ((f"{_json(key, 0)}: " if isinstance(key, str) else "", item) for key, item in _members(value))
    parts = [name + _json(item, depth + 1) for name, item in names]
    opening, closing = "{}" if isinstance(value, dict) else "[]"
    line = f"{opening}{', '.join(parts)}{closing}"
    if "\n" not in line and len(line) + len(_INDENT) * depth <= _LINE:
        return line
    separator = ",\n" + _INDENT * (depth + 1)
    return f"{opening}\n{_INDENT * (depth + 1)}{separator.join(parts)}\n{_INDENT * depth}{closing}"


def _visible(text: str) -> str:
    """JSON with every character that cannot be seen, or that turns text around, as its escape."""
    if text.isprintable():
        return text
    return "".join(_escaped(mark) if unicodedata.category(mark) in _UNSEEN else mark for mark in text)


def _escaped(mark: str) -> str:
    return f"\\u{ord(mark):04x}" if mark <= "\uffff" else json.dumps(mark)[1:-1]


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Neighbours that are alike in one."""
    text, read = "", False
    for piece in pieces:
        if piece.read != read and text:
            yield Piece(text, read)
            text = ""
        text, read = text + piece.text, piece.read
    if text:
        yield Piece(text, read)
