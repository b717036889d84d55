"""Bytes in, one patient's record out: the first of two readings, which looks only at what decides relevance.

A chart is hundreds of resources of which a handful matter. The first reading (msgspec, one pass over the body) keeps
type, id, codes and subject of each; nothing here can fail because of *what* a resource says, only because the bytes
are no JSON. The second reading, of what matters, is `second_reading.py`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from fhir_mappings.bundle import OUTCOME, PartState, bundle_state, entries_of, has_odd, listed, raw_resources
from fhir_mappings.nodes import Entry, EntryNode, Node, ReferenceNode
from fhir_mappings.ownership import (
    by_patient,
    is_about_another,
    links_of_patients,
    names_elsewhere,
    owner_of,
    subject_of,
    urls_of_patients,
)
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


NOT_JSON = "not JSON"


class RecordError(ValueError):
    """The bytes hold no FHIR record. `path` is the JSON path of the mistake; the text never repeats a value."""

    def __init__(self, problem: str, path: str = "$") -> None:
        super().__init__(f"{problem} (at {path})" if path != "$" else problem)
        self.problem = problem
        self.path = path


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
    linked: frozenset[str] = frozenset()  # other ids of the same person
    server: str = ""  # of the patient, if it is known, as `reference.base` writes it
    is_shared: bool = False  # whether the file holds several patients

    def is_own(self, entry: Entry) -> bool:
        """Whether a resource is this patient's; one that names nobody was sent for this patient."""
        if self._names_patient(entry):
            return True
        owner = owner_of(entry, self.urls)
        if owner is None and entry.type == "Patient":
            return not self._has_named_patient
        return owner is None or f"Patient/{owner}" == self.patient or self._is_linked(owner, entry)

    def _is_linked(self, owner: str, entry: Entry) -> bool:
        """Whether a resource names another record of this person; that record's own Patient is not this one."""
        return owner in self.linked and entry.type != "Patient"

    @property
    def _has_named_patient(self) -> bool:
        """Whether this patient is there by id: another Patient without one is then somebody else, or nobody."""
        return any(entry.reference == self.patient for entry in self.entries if entry.type == "Patient")

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

    def doubt_of(self, entry: Entry) -> str | None:
        """Why a resource that was sent for this patient may be another's, or speak of somebody else; None if it may not."""
        if self._names_patient(entry) or entry.type == "Patient":
            return None
        subject = subject_of(entry.node)
        if self.is_shared and subject is None:
            return "it names no patient, and the file holds several"
        if names_elsewhere(subject, self.urls, self.server):
            return "its subject is a patient of another server"
        return "its subject is no reference to a patient" if self.hides_owner(entry) else None

    def is_about_another(self, focus: object) -> bool:
        """Whether the focus of an Observation is on somebody or something else than this patient."""
        return is_about_another(focus, self.patient.removeprefix("Patient/"), self.urls)

    @property
    def is_complete(self) -> bool:
        """Whether every part arrived whole."""
        return all(state is PartState.COMPLETE for state in self.parts.values())

    def state_of(self, resource_type: str) -> PartState:
        """How much of the resources of a type arrived."""
        return self.parts.get(resource_type, PartState.COMPLETE)


# --- files ------------------------------------------------------------------------------------------------------------

NODE = msgspec.json.Decoder(Node)
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
    linked = links_of_patients(entries, urls)
    return [
        PatientRecord(
            f"Patient/{patient}",
            tuple(mine),
            parts,
            lambda entry: places[entry.place],
            urls,
            linked.get(patient, frozenset()),
            is_shared=len(groups) > 1,
        )
        for patient, mine in groups.items()
    ]


_BUNDLE = "Bundle"
_Read = tuple[list[Entry], list[bytes], frozenset[str]]


def _read_json(data: bytes) -> _Read | None:
    try:
        node = NODE.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if _looks_like_ndjson(data):
            return None
        raise _json_error(error) from None
    if not isinstance(node.resourceType, str):
        raise RecordError("no FHIR resource: resourceType is missing")
    if node.resourceType != _BUNDLE:
        return [Entry(node, ("file", 0))], [data], frozenset()
    entries, raws, truncated = _read_bundle(node, data)
    return [_placed(entry, number) for number, entry in enumerate(entries)], raws, truncated


def _read_bundle(bundle: Node, data: bytes) -> _Read:
    """The resources of a Bundle; one within it, as the answer to a batch has, is opened and judged by itself."""
    given = entries_of("file", bundle)
    bytes_of = raw_resources(data)
    plain = [entry for entry in given if entry.type != _BUNDLE]
    listed_plain = [item for item in listed(bundle.entry) if not _holds_bundle(item)]
    rest = Node(
        resourceType=_BUNDLE, total=bundle.total, entry=listed_plain, link=bundle.link, meta=bundle.meta
    )
    entries, raws = list(plain), [bytes(bytes_of[entry.place[1]]) for entry in plain]
    truncated = _truncated_types(rest, plain)
    for entry in given:
        if entry.type == _BUNDLE:
            inner = _read_bundle(entry.node, bytes(bytes_of[entry.place[1]]))
            entries, raws, truncated = entries + inner[0], raws + inner[1], truncated | inner[2]
    return entries, raws, truncated


def _holds_bundle(item: object) -> bool:
    return (
        isinstance(item, EntryNode)
        and isinstance(item.resource, Node)
        and item.resource.resourceType == _BUNDLE
    )


def _placed(entry: Entry, number: int) -> Entry:
    return Entry(entry.node, ("file", number), entry.full_url)


def _truncated_types(bundle: Node, entries: Sequence[Entry]) -> frozenset[str]:
    """The types of which a Bundle holds only a part: what a page of a search was asked for, else everything."""
    if bundle_state(bundle, entries) is PartState.COMPLETE:
        return frozenset()
    given = [entry.type for entry in entries]
    types = frozenset(given) - {OUTCOME}
    is_page = len(types) == 1 and not has_odd(bundle, given)
    return types if is_page else frozenset(PARTS.values())


def _looks_like_ndjson(data: bytes) -> bool:
    first, line_break, _ = data.lstrip(b" \t\r\n").partition(b"\n")
    if not line_break:
        return False
    try:
        NODE.decode(first)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _read_ndjson(data: bytes) -> _Read:
    """The resources of lines, as if they were the entries of one Bundle; a Bundle among them is opened."""
    lines = [line for line in data.splitlines() if line.strip()]
    nodes = []
    for number, line in enumerate(lines):
        try:
            nodes.append(NODE.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise _json_error(error, f"line {number + 1}") from None
    plain = [node for node in nodes if node.resourceType != _BUNDLE]
    entries = [Entry(node, ("file", 0)) for node in plain]
    raws = [line for node, line in zip(nodes, lines, strict=True) if node.resourceType != _BUNDLE]
    whole = Node(resourceType=_BUNDLE, entry=[EntryNode(resource=node) for node in plain])
    truncated = _truncated_types(whole, entries)
    for node, line in zip(nodes, lines, strict=True):
        if node.resourceType == _BUNDLE:
            inner = _read_bundle(node, line)
            entries, raws, truncated = entries + inner[0], raws + inner[1], truncated | inner[2]
    return [_placed(entry, number) for number, entry in enumerate(entries)], raws, truncated


def _json_error(error: Exception, place: str = "$") -> RecordError:
    if isinstance(error, RecursionError):
        return RecordError("nested too deeply", place)
    if isinstance(error, msgspec.ValidationError):
        return RecordError("not a FHIR resource", place)
    return RecordError(NOT_JSON, place)
