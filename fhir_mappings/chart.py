"""A patient's chart on a day: what readers ask of the resources that matter, and of what is missing or could not be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, wraps
from typing import TypeVar, cast

from fhir_mappings.bundle import PartState
from fhir_mappings.facts import Discarded, Gap, GapKind, Issue, Mending
from fhir_mappings.nodes import Entry
from fhir_mappings.record import PatientRecord
from fhir_mappings.reference import encoded
from fhir_mappings.relevance import holding
from fhir_mappings.resource import Json, Resource, Use, meanings_of
from fhir_mappings.second_reading import SecondReading, Unread
from fhir_mappings.valueset import Terminology

T = TypeVar("T")


def once(reader: Callable[[Chart], T]) -> Callable[[Chart], T]:
    """Let a reader work once for each chart, however many other readers ask it."""

    @wraps(reader)
    def read(chart: Chart) -> T:
        if reader not in chart.memo:
            chart.memo[reader] = reader(chart)
        return cast("T", chart.memo[reader])

    return read


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
        self._reading = SecondReading(record, on, terminology, _asked(inputs))
        self.resources: tuple[Resource, ...] = self._reading.resources()

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
            not self._reading.unread
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
        return tuple(dict.fromkeys(self._reading.mendings))

    @cached_property
    def issues(self) -> tuple[Issue, ...]:
        """Every resource that could not be read, with the facts that it might have changed."""
        issues = (Issue(item.reference, item.problem, self._facts_of(item)) for item in self._reading.unread)
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
        return tuple(
            dict.fromkeys(item.reference for item in self._reading.unread if fact in self._facts_of(item))
        )

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
        unread = {item.reference for item in self._reading.unread if not item.is_part}
        known = self._by_reference.keys() | unread
        entries = [entry for entry in self._record.entries if entry.node.resourceType == kind]
        if stems:
            entries = [entries[index] for index in holding(map(self._record.source, entries), stems)]
        unknown = [entry for entry in entries if entry.reference not in known and self._record.is_own(entry)]
        found: list[Resource] = []
        for entry in unknown:
            raw = self._reading.decoded(entry)
            if raw is not None and reads_like(raw):
                found += self._reading.read(entry, frozenset({meaning}))
        return [item for item in self._reading.on_the_day(found) if item.use is not Use.DROP]

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
            found = list(self._reading.read(entry, frozenset({"specimen"}))) if entry is not None else []
            self.memo[key] = found[0] if found else None
        return cast("Resource | None", self.memo[key])

    @cached_property
    def _reports(self) -> dict[str, list[Resource]]:
        found: dict[str, list[Resource]] = {}
        for item in self.resources:
            for result in item.data.get("result") or () if item.kind == "DiagnosticReport" else ():
                found.setdefault(self.target(result), []).append(item)
        return found

    def _facts_of(self, unread: Unread) -> tuple[str, ...]:
        return tuple(name for name, given in self.inputs.items() if _may_change(unread, given))


def _asked(inputs: Mapping[str, Input]) -> frozenset[str]:
    """The value sets of what Observations are asked for."""
    read = (given.value_sets for given in inputs.values() if "Observation" in given.kinds)
    return frozenset().union(*read, *(given.details for given in inputs.values()))


def _may_change(unread: Unread, given: Input) -> bool:
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
