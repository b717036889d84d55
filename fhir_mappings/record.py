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

from fhir_mappings.nodes import Entry, EntryNode, IssueNode, LinkNode, Node, PrefetchValue, ReferenceNode
from fhir_mappings.ownership import by_patient, owner_of, subject_of, urls_of_patients

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
    read and empty, an OperationOutcome or anything that is no FHIR as failed, a Bundle with a next link as truncated
    (cds-hooks.md 2.3, integration.md 1.8). A Patient other than the one of the context fails the part `patient`.
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
        state = _bundle_state(value, entries)
        return state, [] if state is PartState.FAILED else entries
    is_other_patient = kind == "Patient" and value.id != patient_id
    if value.resourceType != kind or is_other_patient:
        return PartState.FAILED, []
    return PartState.COMPLETE, [Entry(value, (key, -1))]


def _bundle_state(bundle: Node, entries: Sequence[Entry]) -> PartState:
    if bundle.entry is not None and not isinstance(bundle.entry, list | EntryNode):
        return PartState.FAILED
    outcomes = [entry.node for entry in entries if entry.node.resourceType == "OperationOutcome"]
    if any(_is_error(outcome) for outcome in outcomes):
        return PartState.FAILED
    links = [link for link in _listed(bundle.link) if isinstance(link, LinkNode)]
    has_next = any(isinstance(link.relation, str) and link.relation.lower() == "next" for link in links)
    has_odd = len(entries) < len(given := _listed(bundle.entry)) and len(entries) < sum(map(_brings, given))
    return PartState.TRUNCATED if has_next or has_odd or not _have_types(entries) else PartState.COMPLETE


def _brings(entry: object) -> bool:
    return not (type(entry) is EntryNode and entry.resource is None and entry.request is not None)


def _have_types(entries: Sequence[Entry]) -> bool:
    """Whether all entries say what they are. One that does not may be anything, so something is missing from the part."""
    written = [entry.node.resourceType for entry in entries]
    kinds = {kind if type(kind) is str else "" for kind in written}
    return all(kind.isalpha() and kind[:1].isupper() for kind in kinds)


def _is_error(outcome: Node) -> bool:
    severities = [item.severity for item in _listed(outcome.issue) if isinstance(item, IssueNode)]
    return not severities or any(severity not in ("information", "warning") for severity in severities)


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


def read_file(data: bytes) -> list[PatientRecord]:
    """Read a Bundle (collection, searchset, transaction ...), a single resource, or NDJSON: one record per patient.

    Raises RecordError when the bytes are neither, or when no patient can be told.
    """
    data = data.removeprefix(_BYTE_ORDER_MARK)  # as Windows writes it
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
    types = frozenset(entry.type for entry in entries) - {"OperationOutcome"}
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
