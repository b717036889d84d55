"""The second reading: of all that arrived, what matters is mended, validated and sorted by what it may be used for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property, wraps
from typing import Any, TypeVar, cast

import orjson

from fhir_mappings.bundle import PartState
from fhir_mappings.conformance import nonconformance
from fhir_mappings.facts import Discarded, Gap, GapKind, Issue, Mending
from fhir_mappings.mending import mend, needs_mending, selected
from fhir_mappings.nodes import Entry, Node
from fhir_mappings.record import PatientRecord
from fhir_mappings.reference import encoded
from fhir_mappings.relevance import (
    LABELLED_MALIGNANCY,
    LABELLED_METASTASIS,
    all_meanings,
    contradicted,
    holding,
    is_concept,
    misanswered,
    misnamed,
    node_meanings,
)
from fhir_mappings.resource import (
    Json,
    Resource,
    Use,
    clinical_date,
    codings,
    meanings_of,
    standing,
    tells_of_a_death,
)
from fhir_mappings.valueset import NOTHING, Terminology
from fhir_mappings.versions import identity, latest_versions

T = TypeVar("T")


def once(reader: Callable[[Chart], T]) -> Callable[[Chart], T]:
    """Let a reader work once for each chart, however many other readers ask it."""

    @wraps(reader)
    def read(chart: Chart) -> T:
        if reader not in chart.memo:
            chart.memo[reader] = reader(chart)
        return cast("T", chart.memo[reader])

    return read


Mended = tuple[tuple[str, str], ...]
_CODED = frozenset({"Condition", "Observation", "Procedure", "DiagnosticReport", "ServiceRequest"})


@dataclass(frozen=True, slots=True)
class Input:
    """What one fact is read from: the resource types, the value sets of their codes, and its name for a sentence.

    `details` are value sets of Observations that say more of it, and never whether there is anything to say.
    """

    label: str
    kinds: tuple[str, ...]
    value_sets: frozenset[str]
    details: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """The resources of some value sets: usable ones, candidates that can only take certainty away, and discarded data."""

    usable: tuple[Resource, ...]
    candidates: tuple[Resource, ...]
    discarded: tuple[Discarded, ...]


_NOTHING_FOUND = Found((), (), ())


@dataclass(frozen=True, slots=True)
class _Unread:
    kind: str
    reference: str
    problem: str
    meanings: frozenset[str] | None  # None: its code could not be read, so it may mean anything


class Chart:
    """What a record says on the day `on`, ready for readers. `inputs` tells which facts a resource could have changed."""

    def __init__(
        self, record: PatientRecord, on: date, terminology: Terminology, inputs: Mapping[str, Input]
    ) -> None:
        self.on = on
        self.terminology = terminology
        self.inputs = inputs
        self.memo: dict[object, object] = {}  # what readers work out once and share
        self._record = record
        self._unread: list[_Unread] = []
        self._mendings: list[Mending] = []
        relevant = sorted(self._relevant(), key=lambda pair: (pair[0].reference, pair[0].place))
        self._patients = sum(entry.type == "Patient" for entry, _ in relevant)
        read = [resource for entry, meanings in relevant for resource in self._read(entry, meanings)]
        self.resources: tuple[Resource, ...] = tuple(self._on_the_day(latest_versions(read)))

    # --- what readers ask ---

    @cached_property
    def patient(self) -> Resource | None:
        """The Patient resource, if it arrived and could be read."""
        return next(
            (item for item in self.resources if item.kind == "Patient" and item.use is not Use.DROP), None
        )

    @property
    def is_silent(self) -> bool:
        """Whether the whole record arrived and holds nothing that any reader of codes could use."""
        return (
            not self._unread
            and len(self.resources) <= 1
            and self.patient is not None
            and self._record.is_complete
        )

    def is_cut_off(self, kind: str) -> bool:
        """Whether resources of a type were asked for and came in part or not at all."""
        return self._record.state_of(kind) in (PartState.FAILED, PartState.TRUNCATED)

    def is_whole(self, kind: str) -> bool:
        """Whether all resources of a type arrived."""
        return self._record.state_of(kind) is PartState.COMPLETE

    @cached_property
    def mendings(self) -> tuple[Mending, ...]:
        """What was straightened before validation."""
        return tuple(dict.fromkeys(self._mendings))

    @cached_property
    def issues(self) -> tuple[Issue, ...]:
        """Every resource that could not be read, with the facts that it might have changed."""
        issues = (Issue(item.reference, item.problem, self._facts_of(item)) for item in self._unread)
        return tuple(dict.fromkeys(issues))  # a copy of it counts once

    def find(self, value_sets: Iterable[str], *kinds: str) -> Found:
        """The resources of the given types whose code lies in one of the value sets."""
        wanted = frozenset(value_sets)
        if wanted.isdisjoint(self._meanings):
            return _NOTHING_FOUND
        hits = [
            item for item in self.resources if item.kind in kinds and not wanted.isdisjoint(item.meanings)
        ]
        return Found(
            tuple(item for item in hits if item.use is Use.USE),
            tuple(item for item in hits if item.use is Use.CANDIDATE),
            tuple(Discarded(item.evidence("status"), item.why) for item in hits if item.use is Use.DROP),
        )

    def dropped(self, fact: str) -> tuple[Discarded, ...]:
        """What could have spoken of a fact and is left out for its status, its date or a newer version of it."""
        given = self.inputs[fact]
        return tuple(
            Discarded(item.evidence("status"), item.why)
            for item in self.resources
            if item.use is Use.DROP
            and item.kind in given.kinds
            and not given.value_sets.isdisjoint(item.meanings)
        )

    def target(self, reference: object) -> str:
        """What a Reference points to as `Type/id`: urn:uuid, absolute and versioned references included; else empty."""
        text = reference.get("reference") if isinstance(reference, Mapping) else None
        if not isinstance(text, str):
            return ""
        if text.startswith("urn:"):
            return self._full_urls.get(text, text)
        *kind, name = text.split("/_history/")[0].split("/")[-2:]
        return "/".join((*kind, encoded(name)))

    def by_reference(self, reference: object) -> Resource | None:
        """A resource that another one refers to; Specimens are only read this way."""
        return self.at(self.target(reference))

    def at(self, target: str) -> Resource | None:
        """The resource that a target names."""
        return self._by_reference.get(target) or self._specimen(target)

    def reports_of(self, item: Resource) -> tuple[Resource, ...]:
        """The relevant DiagnosticReports that name an observation as a result."""
        return tuple(self._reports.get(item.reference, ()))

    def meanings(self, concept: object) -> frozenset[str]:
        """The value sets that hold a coding of a concept."""
        return meanings_of(concept, self.terminology)

    def unread(self, fact: str) -> tuple[str, ...]:
        """The references of the resources that could not be read and might have changed a fact."""
        return tuple(dict.fromkeys(item.reference for item in self._unread if fact in self._facts_of(item)))

    def blind(self, fact: str) -> Gap | None:
        """Why a fact cannot be known for certain: a resource that could not be read, or a part that did not arrive."""
        label = self.inputs[fact].label
        if unread := self.unread(fact):
            return Gap(GapKind.UNREADABLE, f"{label}: {', '.join(unread)} could not be read.")
        for kind in self.inputs[fact].kinds:
            state = self._record.state_of(kind)
            if state is not PartState.COMPLETE:
                return Gap(_GAPS[state], f"{label}: {self._unread_part(kind)}.")
        return None

    @property
    def unread_parts(self) -> tuple[str, ...]:
        """A clause for each part of the record that did not arrive whole."""
        return tuple(self._unread_part(kind) for kind in self._record.parts if not self.is_whole(kind))

    def _unread_part(self, kind: str) -> str:
        return _STATES[self._record.state_of(kind)].format(kind=kind)

    def missing(self, fact: str) -> Gap:
        """The gap of a fact for which nothing was found."""
        return self.blind(fact) or Gap(GapKind.NOT_RECORDED, f"{self.inputs[fact].label}: nothing on record.")

    def labelled(
        self, kind: str, meaning: str, reads_like: Callable[[Json], bool], stems: tuple[bytes, ...] = ()
    ) -> list[Resource]:
        """Resources whose codes mean nothing here, and whose words do: for what no list of codes can be complete.

        With `stems`, only what holds one of these letters is decoded: the words of a chart are many.
        """
        known = self._by_reference.keys() | {item.reference for item in self._unread}
        entries = [entry for entry in self._record.entries if entry.node.resourceType == kind]
        if stems:
            entries = [entries[index] for index in holding(map(self._record.source, entries), stems)]
        unknown = [entry for entry in entries if entry.reference not in known and self._record.is_own(entry)]
        found: list[Resource] = []
        for entry in unknown:
            raw = self._decoded(entry)
            if raw is not None and reads_like(raw):
                found += self._read(entry, frozenset({meaning}))
        return [item for item in self._on_the_day(found) if item.use is not Use.DROP]

    def _decoded(self, entry: Entry) -> Json | None:
        """A resource as it was sent; one that cannot be decoded may say anything."""
        try:
            return self._load(entry)
        except orjson.JSONDecodeError:  # as bytes in another encoding
            labelled = frozenset({LABELLED_MALIGNANCY, LABELLED_METASTASIS})
            self._unread.append(_Unread(entry.type, entry.reference, "not valid JSON", labelled))
            return None

    # --- reading ---

    def _relevant(self) -> Iterator[tuple[Entry, frozenset[str] | None]]:
        """The resources whose codes mean something here, or cannot be told; of the patient's own only."""
        meanings, is_own = self.terminology.meanings, self._record.is_own
        for entry in self._record.entries:
            kind = entry.node.resourceType
            if type(kind) is str and kind in _CODED:
                found = node_meanings(entry.node, meanings)
                if found != NOTHING and is_own(entry):
                    yield entry, found
            elif kind == "Patient" and is_own(entry):
                yield entry, NOTHING

    def _read(self, entry: Entry, meanings: frozenset[str] | None) -> Iterator[Resource]:
        kind, reference = entry.type, entry.reference
        try:
            raw = _patient_elements(entry.node) if self._is_only_patient(entry) else self._load(entry)
            data, mended, problem = _conforming(kind, raw)
        except (orjson.JSONDecodeError, RecursionError) as error:
            problem = "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"
            self._unread.append(_Unread(kind, reference, problem, meanings))
            return
        if problem is None and self._record.hides_owner(entry):
            problem = "its subject is no reference to a patient"
        if problem is None and kind == "Observation" and meanings and _is_unread_value(raw, data, meanings):
            problem = "its value is given in a form that is not read"
        if meanings is None:
            meanings = self._settled_meanings(entry, data)
            if meanings == frozenset():
                return
        if problem is None and meanings is not None and self._is_misanswered(kind, data):
            problem = "its words say something else than its codes mean"
        if problem is not None or meanings is None:
            self._unread.append(_Unread(kind, reference, problem or "its code is not a concept", meanings))
            return
        self._mendings.extend(Mending(reference, element, what) for element, what in mended)
        yield self._resource(entry, data, raw, meanings)

    def _is_misanswered(self, kind: str, data: dict[str, Any]) -> bool:
        is_finding = kind == "Observation" and standing(kind, data, self.on)[0] is not Use.DROP
        return is_finding and misanswered(data, self.terminology, self._contradicted)

    def _contradicted(self, concept: object) -> bool:
        """Whether the words of a concept contradict its codes; asked once, as the findings of a chart repeat themselves."""
        try:
            key = ("contradicted", orjson.dumps(concept))
        except orjson.JSONEncodeError:  # nested deeper than it writes
            return contradicted(concept, self.terminology)
        if key not in self.memo:
            self.memo[key] = contradicted(concept, self.terminology)
        return cast("bool", self.memo[key])

    def _is_only_patient(self, entry: Entry) -> bool:
        return entry.type == "Patient" and self._patients == 1

    def _load(self, entry: Entry) -> dict[str, Any]:
        content: dict[str, Any] = orjson.loads(self._record.source(entry))
        return content

    def _settled_meanings(self, entry: Entry, data: dict[str, Any]) -> frozenset[str] | None:
        """The meanings of a code that stood in an odd shape; None when even mending leaves no concept."""
        if "code" not in data:
            return frozenset()
        if not is_concept(data["code"]):
            return None
        try:
            return all_meanings(entry.type, data, self.terminology)
        except (TypeError, AttributeError):  # an extension of an odd shape, too
            return None

    def _resource(
        self, entry: Entry, data: dict[str, Any], raw: dict[str, Any], meanings: frozenset[str]
    ) -> Resource:
        kind = entry.type
        use, why, is_current, is_negated = standing(kind, data, self.on)
        if use is Use.USE and misnamed(data, self._contradicted):
            use, why = Use.CANDIDATE, "the display of its code names something else than the code means"
            is_negated = False  # it refutes nobody can tell what
        if use is Use.USE and raw.get("modifierExtension"):
            use, why = Use.CANDIDATE, "it carries a modifier extension, which may change its meaning"
        day = clinical_date(kind, data)
        return Resource(
            kind, entry.reference, data, meanings, day, use, why, is_current, is_negated, *identity(raw)
        )

    def _on_the_day(self, resources: Iterable[Resource]) -> Iterator[Resource]:
        for item in resources:
            if item.date is not None and item.date.earliest > self.on:
                yield replace(item, use=Use.DROP, why="dated after the day of evaluation")
            else:
                yield item

    @cached_property
    def _meanings(self) -> frozenset[str]:
        """The value sets that the resources speak of: most that readers ask for are not among them."""
        return frozenset().union(*(item.meanings for item in self.resources))

    @cached_property
    def _by_reference(self) -> dict[str, Resource]:
        return {item.reference: item for item in reversed(self.resources)}

    @cached_property
    def _full_urls(self) -> dict[str, str]:
        urns = (
            entry for entry in self._record.entries if entry.full_url and entry.full_url.startswith("urn:")
        )
        return {entry.full_url: entry.reference for entry in urns if entry.full_url}

    @cached_property
    def _specimens(self) -> dict[str, Entry]:
        mine = (
            entry
            for entry in self._record.entries
            if entry.node.resourceType == "Specimen" and self._record.is_own(entry)
        )
        return {entry.reference: entry for entry in mine}

    def _specimen(self, reference: str) -> Resource | None:
        """A Specimen, read when something refers to it: most of a chart's specimens matter to nobody."""
        key = ("specimen", reference)
        if key not in self.memo:
            entry = self._specimens.get(reference)
            found = list(self._read(entry, frozenset({"specimen"}))) if entry is not None else []
            self.memo[key] = found[0] if found else None
        return cast("Resource | None", self.memo[key])

    @cached_property
    def _reports(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for item in self.resources:
            for result in item.data.get("result") or () if item.kind == "DiagnosticReport" else ():
                found.setdefault(self.target(result), []).append(item)
        return found

    def _facts_of(self, unread: _Unread) -> tuple[str, ...]:
        return tuple(name for name, given in self.inputs.items() if _may_change(unread, given))


def _may_change(unread: _Unread, given: Input) -> bool:
    """Whether a resource that could not be read might have changed a fact that is read from `given`."""
    if unread.meanings is None or unread.kind == "Patient":
        return unread.kind in given.kinds
    if not given.details.isdisjoint(unread.meanings):
        return True
    return unread.kind in given.kinds and not given.value_sets.isdisjoint(unread.meanings)


_GAPS = {
    PartState.NOT_SENT: GapKind.NOT_SENT,
    PartState.FAILED: GapKind.UNREADABLE,
    PartState.TRUNCATED: GapKind.NOT_SENT,
}
_STATES = {
    PartState.NOT_SENT: "{kind} resources could not be read: the EHR did not send them",
    PartState.FAILED: "{kind} resources could not be read: the EHR's query for them failed",
    PartState.TRUNCATED: "not all {kind} resources could be read: the EHR sent only a part of them",
}


_CODED_ANSWERS = frozenset(
    {"histology-code", "residual-status-code", "margin-status-code", "tnm-m-code", "metastasis-site-code"}
    | {"extrahepatic-disease-code"}
)
_PARTS_UNREAD = _CODED_ANSWERS | {"response-code", "grade-code", "mitosis-code", "mitosis-code-per-10-hpf"}
_PARTS_UNREAD |= {"liver-involvement-category-code"}


def _is_unread_value(raw: Mapping[str, Any], data: Mapping[str, Any], meanings: frozenset[str]) -> bool:
    """Whether a finding says something in words, components or a data type where readers look for a code.

    What it says might be the worst; taken as "no value" it would vanish.
    """
    held = [name for name in raw if name.startswith("value")]
    if any(name not in data for name in held):
        return True
    if not held:
        return bool(raw.get("component")) and not meanings.isdisjoint(_PARTS_UNREAD)
    is_coded = bool(codings(data.get("valueCodeableConcept")))
    return not is_coded and "valueBoolean" not in data and not meanings.isdisjoint(_CODED_ANSWERS)


def _patient_elements(node: Node) -> dict[str, Any]:
    """What readers use of a Patient, kept by the first reading: most charts need no second look at the body."""
    names = ("resourceType", "birthDate", "deceasedBoolean", "deceasedDateTime")
    found = {name: value for name in names if (value := getattr(node, name)) is not None}
    if "deceasedDateTime" not in found and tells_of_a_death(node.deceased_unknown_when):
        found["deceasedBoolean"] = True  # died, the day is not told
    return found


def _conforming(kind: str, raw: dict[str, Any]) -> tuple[dict[str, Any], Mended, str | None]:
    """The elements of a resource that readers use, what was mended in them, and what is still wrong."""
    data = selected(raw)
    if not needs_mending(raw) and nonconformance(kind, data) is None:
        return data, (), None
    data, mended = mend(raw)
    return data, mended, nonconformance(kind, data)
