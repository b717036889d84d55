"""Bytes in, one patient's record out: the first of two readings, which looks only at what decides relevance.

A chart is hundreds of resources of which a handful matter. The first reading (msgspec, one pass over the body) keeps
type, id, codes and subject of each; nothing here can fail because of *what* a resource says, only because the bytes
are no JSON. The second reading, of what matters, is `chart.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import msgspec
import orjson
from msgspec import Raw, Struct

from fhir_mappings.nodes import Entry, EntryNode, LinkNode, Node, PrefetchValue, ReferenceNode, SearchNode
from fhir_mappings.outcome import is_error, says_not_all
from fhir_mappings.ownership import by_patient, owner_of, subject_of, urls_of_patients
from fhir_mappings.reference import encoded

PARTS: Mapping[str, str] = {
    "patient": "Patient",
    "conditions": "Condition",
    "observations": "Observation",
    "procedures": "Procedure",
    "reports": "DiagnosticReport",
    "specimens": "Specimen",
    "orders": "ServiceRequest",
}
"""The parts of a record by prefetch key: the FHIR type each brings."""


_OUTCOME = "OperationOutcome"


class RecordError(ValueError):
    """The bytes hold no FHIR record. `path` is the JSON path of the mistake; the text never repeats a value."""

    def __init__(self, problem: str, path: str = "$") -> None:
        super().__init__(f"{problem} (at {path})" if path != "$" else problem)
        self.problem = problem
        self.path = path


class PartState(StrEnum):
    """How much of one part of the record arrived. Only a COMPLETE part can say that there is nothing."""

    COMPLETE = "complete"
    NOT_SENT = "not-sent"
    FAILED = "failed"
    TRUNCATED = "truncated"


@dataclass(frozen=True, slots=True)
class PatientRecord:
    """Everything that arrived for one patient: the resources, how much of each part came, and where the bytes are.

    What was sent for the patient may still be another's: `is_own` tells, and only what matters is asked.
    """

    patient: str
    entries: tuple[Entry, ...]
    parts: Mapping[str, PartState]
    source: Callable[[Entry], bytes]
    urls: Mapping[str, str]  # the ids of the Patients by their fullUrl

    def is_own(self, entry: Entry) -> bool:
        """Whether a resource is this patient's; one that names nobody was sent for this patient."""
        if self._names_patient(entry):
            return True
        owner = owner_of(entry, self.urls)
        return owner is None or f"Patient/{owner}" == self.patient

    def _names_patient(self, entry: Entry) -> bool:
        """Whether the subject is this patient, written in the way that nearly all records write it."""
        subject = entry.node.subject
        return type(subject) is ReferenceNode and subject.reference == self.patient

    @property
    def foreign(self) -> tuple[str, ...]:
        """What names another patient and is left out: the references, without that patient's id."""
        unclear = [entry for entry in self.entries if not self._names_patient(entry)]
        others = [entry for entry in unclear if not self.is_own(entry)]
        return tuple(dict.fromkeys(map(self._nameless, others)))

    def _nameless(self, entry: Entry) -> str:
        """The reference of another's resource; its place where the reference would name the patient."""
        owner = encoded(owner_of(entry, self.urls) or "")
        if owner not in entry.reference:
            return entry.reference
        key, index = entry.place
        return f"{entry.type} (no. {index + 1} of {key})"

    def hides_owner(self, entry: Entry) -> bool:
        """Whether a resource has a subject that cannot be read: it was sent for this patient, and may be another's."""
        return (
            not self._names_patient(entry)
            and subject_of(entry.node) is not None
            and owner_of(entry, self.urls) is None
            and entry.type != "Patient"
        )

    @property
    def is_complete(self) -> bool:
        """Whether every part arrived whole."""
        return all(state is PartState.COMPLETE for state in self.parts.values())

    def state_of(self, resource_type: str) -> PartState:
        """How much of the resources of a type arrived."""
        return self.parts.get(resource_type, PartState.COMPLETE)


# --- a CDS Hooks prefetch -------------------------------------------------------------------------------------------


def read_prefetch(
    prefetch: Mapping[str, PrefetchValue] | None, body: bytes, patient_id: str
) -> PatientRecord:
    """Make the record of `Patient/{patient_id}` from the decoded `prefetch` of a hook request and its body.

    Keys other than those of PARTS are ignored. A key that is absent counts as not sent, null or an empty Bundle as
    read and empty, an OperationOutcome or anything that is no FHIR as failed, a Bundle that says that there is more
    than it holds as truncated (cds-hooks.md 2.3, integration.md 1.8). A Patient other than
    the one of the context fails the part `patient`.
    """
    given = prefetch or {}
    parts: dict[str, PartState] = {}
    entries: list[Entry] = []
    for key, kind in PARTS.items():
        parts[kind], arrived = (
            _part(key, kind, given[key], patient_id) if key in given else (PartState.NOT_SENT, [])
        )
        entries += arrived
    return PatientRecord(
        f"Patient/{patient_id}", tuple(entries), parts, _PrefetchSource(body), urls_of_patients(entries)
    )


def _part(key: str, kind: str, value: PrefetchValue, patient_id: str) -> tuple[PartState, list[Entry]]:
    """How much of one part arrived, and its resources."""
    if value is None:
        return PartState.COMPLETE, []
    if not isinstance(value, Node):
        return PartState.FAILED, []
    if value.resourceType == "Bundle":
        entries = _entries(key, value)
        state = _bundle_state(value, entries, kind)
        return state, [] if state is PartState.FAILED else entries
    is_other_patient = kind == "Patient" and value.id != patient_id
    if value.resourceType != kind or is_other_patient:
        return PartState.FAILED, []
    return PartState.COMPLETE, [Entry(value, (key, -1))]


def _bundle_state(bundle: Node, entries: Sequence[Entry], kind: str = "") -> PartState:
    """How much of what was searched for a Bundle holds; `kind` is the type that was searched for, if that is known."""
    if bundle.entry is not None and not isinstance(bundle.entry, list | EntryNode):
        return PartState.FAILED
    types = [entry.node.resourceType for entry in entries]
    outcomes = [entry.node for entry in entries if entry.type == _OUTCOME] if _OUTCOME in types else []
    if any(map(is_error, outcomes)):
        return PartState.FAILED
    says_more = _has_next(bundle) or any(map(says_not_all, outcomes)) or _lacks_matches(bundle, kind)
    return PartState.TRUNCATED if says_more or _has_odd(bundle, types) else PartState.COMPLETE


def _has_next(bundle: Node) -> bool:
    links = [link for link in _listed(bundle.link) if isinstance(link, LinkNode)]
    return any(isinstance(link.relation, str) and link.relation.lower() == "next" for link in links)


def _has_odd(bundle: Node, types: Sequence[Any]) -> bool:
    """Whether something stands among the entries that may be anything: no resource, or one that does not say which."""
    given = _listed(bundle.entry)
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
        for entry in _listed(bundle.entry)
        if type(entry) is EntryNode and type(entry.resource) is Node
    ]
    plain = types.count(("match", kind))
    return plain if plain == len(types) else sum(_is_match(mode, each, kind) for mode, each in types)


def _is_match(mode: object, each: object, kind: str) -> bool:
    is_meant = mode == "match" or (mode is None and (each == kind or not kind))
    return is_meant and each != _OUTCOME


def _brings(entry: object) -> bool:
    return not (type(entry) is EntryNode and entry.resource is None and entry.request is not None)


def _is_type(name: str) -> bool:
    return name.isalpha() and name[:1].isupper()


def _listed(value: Any) -> list[Any]:
    """The members of what should be a list: a single object counts as a list of one."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _entries(key: str, bundle: Node) -> list[Entry]:
    """The resources of a Bundle, each with its place in it."""
    return [
        Entry(entry.resource, (key, index), entry.fullUrl if type(entry.fullUrl) is str else None)
        for index, entry in enumerate(_listed(bundle.entry))
        if type(entry) is EntryNode and type(entry.resource) is Node
    ]


class _RawEntry(Struct, gc=False):
    resource: Raw = Raw(b"null")


class _RawBundle(Struct, gc=False):
    entry: list[_RawEntry] = []


class _RawRequest(Struct, gc=False):
    prefetch: dict[str, _RawBundle | None] = {}


class _RawParts(Struct, gc=False):
    prefetch: dict[str, Raw] = {}


_RAW_BUNDLE = msgspec.json.Decoder(_RawBundle)
_RAW_REQUEST = msgspec.json.Decoder(_RawRequest)
_RAW_PARTS = msgspec.json.Decoder(_RawParts)


class _PrefetchSource:
    """Finds the bytes of single resources in the body, in a second pass that is only made when something matters."""

    def __init__(self, body: bytes) -> None:
        self._body = body
        self._bundles: dict[str, _RawBundle | None] | None = None

    def __call__(self, entry: Entry) -> bytes:
        key, index = entry.place
        if self._bundles is None:
            try:
                self._bundles = _RAW_REQUEST.decode(self._body).prefetch
            except msgspec.ValidationError:  # a part of an odd shape: the others can still be found
                self._bundles = {}
        bundle = self._bundles.get(key)
        if bundle is not None and 0 <= index < len(bundle.entry):
            return bytes(bundle.entry[index].resource)
        part = _RAW_PARTS.decode(self._body).prefetch[key]
        return bytes(part if index < 0 else _raw_resources(part)[index])


def _raw_resources(bundle: bytes | Raw) -> Sequence[Raw]:
    """The bytes of each resource of a Bundle, in order; also where `entry` is a single object."""
    try:
        return [entry.resource for entry in _RAW_BUNDLE.decode(bundle).entry]
    except msgspec.ValidationError:
        entries = _listed(orjson.loads(bytes(bundle)).get("entry"))
        return [
            Raw(orjson.dumps(entry.get("resource") if isinstance(entry, dict) else None)) for entry in entries
        ]


# --- files ------------------------------------------------------------------------------------------------------------

_NODE = msgspec.json.Decoder(Node)
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


def without_mark(data: bytes) -> bytes:
    """The bytes without the byte order mark that Windows writes before UTF-8; what stands in them is counted after it."""
    return data.removeprefix(_BYTE_ORDER_MARK)


def read_file(data: bytes) -> list[PatientRecord]:
    """Read a Bundle (collection, searchset, transaction ...), a single resource, or NDJSON: one record per patient.

    Raises RecordError when the bytes are neither, or when no patient can be told.
    """
    data = without_mark(data)
    entries, raws, truncated = _read_json(data) or _read_ndjson(data)
    places = dict(zip((entry.place for entry in entries), raws, strict=True))
    parts = {
        kind: PartState.TRUNCATED if kind in truncated else PartState.COMPLETE for kind in PARTS.values()
    }
    urls = urls_of_patients(entries)
    groups = by_patient(entries, urls)
    if not groups:
        has_patient = any(entry.type == "Patient" for entry in entries)
        raise RecordError(
            "the Patient has no id" if has_patient else "no patient: neither a Patient nor a reference to one"
        )
    return [
        PatientRecord(f"Patient/{patient}", tuple(mine), parts, lambda entry: places[entry.place], urls)
        for patient, mine in groups.items()
    ]


_Read = tuple[list[Entry], list[bytes], frozenset[str]]


def _read_json(data: bytes) -> _Read | None:
    try:
        node = _NODE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _looks_like_ndjson(data):
            return None
        raise _json_error(error) from None
    if not isinstance(node.resourceType, str):
        raise RecordError("no FHIR resource: resourceType is missing")
    if node.resourceType != "Bundle":
        return [Entry(node, ("file", 0))], [data], frozenset()
    entries = _entries("file", node)
    raws = _raw_resources(data)
    return entries, [bytes(raws[entry.place[1]]) for entry in entries], _truncated_types(node, entries)


def _truncated_types(bundle: Node, entries: Sequence[Entry]) -> frozenset[str]:
    """The types of which a Bundle holds only a part: what a page of a search was asked for, else everything."""
    if _bundle_state(bundle, entries) is PartState.COMPLETE:
        return frozenset()
    types = frozenset(entry.type for entry in entries) - {_OUTCOME}
    return types if len(types) == 1 else frozenset(PARTS.values())


def _looks_like_ndjson(data: bytes) -> bool:
    first, line_break, _ = data.lstrip(b" \t\r\n").partition(b"\n")
    if not line_break:
        return False
    try:
        _NODE.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _read_ndjson(data: bytes) -> _Read:
    lines = [line for line in data.splitlines() if line.strip()]
    entries = []
    for number, line in enumerate(lines):
        try:
            entries.append(Entry(_NODE.decode(line), ("file", number)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _json_error(error, f"line {number + 1}") from None
    return entries, lines, frozenset()


def _json_error(error: Exception, place: str = "$") -> RecordError:
    if isinstance(error, RecursionError):
        return RecordError("nested too deeply", place)
    if isinstance(error, msgspec.ValidationError):
        return RecordError("not a FHIR resource", place)
    return RecordError("not JSON", place)
