"""The second reading: a resource that matters is decoded, mended, validated, and sorted by what it may be used for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import orjson

from fhir_mappings.answers import (
    CONTAINED,
    ELSEWHERE,
    LABEL_ONLY,
    asked_in_components,
    counts,
    in_components,
    in_contained,
    value_problem,
)
from fhir_mappings.bundle import is_withheld
from fhir_mappings.conformance import nonconformance
from fhir_mappings.facts import Mending
from fhir_mappings.mending import mend, needs_mending, selected
from fhir_mappings.nodes import Entry, Node
from fhir_mappings.ownership import is_replaced
from fhir_mappings.record import PatientRecord
from fhir_mappings.reference import server_of
from fhir_mappings.relevance import (
    LABELLED_MALIGNANCY,
    LABELLED_METASTASIS,
    LABELLED_TUMOUR,
    all_meanings,
    contradicted,
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
from fhir_mappings.when import parse_date

Mended = tuple[tuple[str, str], ...]
_IN_WORDS = frozenset({LABELLED_MALIGNANCY, LABELLED_METASTASIS, LABELLED_TUMOUR})
_CODED = frozenset({"Condition", "Observation", "Procedure", "DiagnosticReport", "ServiceRequest"})


@dataclass(frozen=True, slots=True)
class Unread:
    """A resource that matters, or may, and could not be read."""

    kind: str
    reference: str
    problem: str
    meanings: frozenset[str] | None  # None: its code could not be read, so it may mean anything
    is_part: bool = False  # only what stands in it could not be read: the rest may say something, too


class SecondReading:
    """Reads the resources of a record for the day `on`; keeps account of what could not be read and what was mended.

    `asked` are the value sets of what a finding may be asked for: what only its components answer is then an issue.
    """

    def __init__(
        self, record: PatientRecord, on: date, terminology: Terminology, asked: frozenset[str]
    ) -> None:
        self._asked = asked - LABEL_ONLY
        self._record = record
        self._on = on
        self._terminology = terminology
        self._contradictions: dict[bytes, bool] = {}
        self._patients = 0
        self.unread: list[Unread] = []
        self.mendings: list[Mending] = []

    def resources(self) -> tuple[Resource, ...]:
        """Every resource whose codes mean something here, in the newest version of each."""
        relevant = sorted(self._relevant(), key=lambda pair: (pair[0].reference, pair[0].place))
        self._patients = sum(entry.type == "Patient" for entry, _ in relevant)
        read = [resource for entry, meanings in relevant for resource in self.read(entry, meanings)]
        return tuple(self.on_the_day(latest_versions(read)))

    def _relevant(self) -> Iterator[tuple[Entry, frozenset[str] | None]]:
        """The resources whose codes mean something here, or cannot be told; of the patient's own only."""
        meanings, is_own = self._terminology.meanings, self._record.is_own
        for entry in self._record.entries:
            kind = entry.node.resourceType
            if type(kind) is str and kind in _CODED:
                found = node_meanings(entry.node, meanings)
                if found != NOTHING and is_own(entry):
                    yield entry, found
            elif kind == "Patient" and is_own(entry):
                yield entry, NOTHING

    def read(self, entry: Entry, meanings: frozenset[str] | None) -> Iterator[Resource]:
        """One resource, where it can be read and its codes mean something; None: its codes have to be read once more."""
        kind, reference = entry.type, entry.reference
        try:
            raw = _patient_elements(entry.node) if self._is_only_patient(entry) else self._load(entry)
            data, mended, problem = _conforming(kind, raw)
        except (orjson.JSONDecodeError, RecursionError) as error:
            problem = "nested too deeply" if isinstance(error, RecursionError) else "not valid JSON"
            said = None if meanings is None else meanings | _IN_WORDS  # beside its codes it may say anything
            self.unread.append(Unread(kind, reference, problem, said))
            return
        problem = problem or self._doubt_of_owner(entry, data)
        if kind == "DiagnosticReport":
            self._look_into(reference, data, raw)
        if meanings is None:
            meanings = self._settled_meanings(entry, data)
        if kind == "Observation" and meanings:
            meanings, problem = self._answered(reference, data, raw, meanings, problem)
        if meanings == NOTHING and kind != "Patient":
            return
        if problem is not None or meanings is None:
            self.unread.append(Unread(kind, reference, problem or "its code is not a concept", meanings))
            return
        self.mendings.extend(Mending(reference, element, what) for element, what in mended)
        yield self._resource(entry, data, raw, meanings)

    def _doubt_of_owner(self, entry: Entry, data: dict[str, Any]) -> str | None:
        """Why a resource may be another's, or speak of another; a merged Patient still tells of a death."""
        if entry.type == "Patient" and is_replaced(entry.node):
            day = parse_date(data.get("deceasedDateTime"))
            is_dead = data.get("deceasedBoolean") is True or (day is not None and day.may_lie_by(self._on))
            return None if is_dead else "it was replaced by another record of the same person"
        if "focus" in data and self._record.is_about_another(data["focus"]):
            return "its focus is on somebody or something else than the patient"
        return self._record.doubt_of(entry)

    def _answered(
        self, reference: str, data: Json, raw: Json, meanings: frozenset[str], problem: str | None
    ) -> tuple[frozenset[str], str | None]:
        """What a finding is about, and why its value cannot be read; about nothing, where nothing that is asked is told.

        What only its components answer is an issue, beside the value where it has one that is read.
        """
        is_named_in_words = not meanings.isdisjoint(_IN_WORDS)
        own = meanings_of(data.get("code"), self._terminology) or (meanings & _IN_WORDS)
        if problem is not None:
            return own | asked_in_components(data, self._asked, self._terminology), problem
        if not counts("Observation", data, self._on):
            return own, self._problem_of_value(raw, data, own)
        told = in_components(data, own, self._asked, self._terminology)
        if told:
            self.unread.append(Unread("Observation", reference, ELSEWHERE, told, is_part=True))
        beside = None if is_named_in_words or not own else value_problem(data, own, self._terminology)
        return own, beside or self._problem_of_value(raw, data, own)

    def _problem_of_value(self, raw: Json, data: Json, own: frozenset[str]) -> str | None:
        if _is_unread_value(raw, data, own):
            return "its value is given in a form that is not read"
        if self._is_misanswered(data):
            return "its words say something else than its codes mean"
        return None

    def _look_into(self, reference: str, data: Json, raw: Json) -> None:
        """The findings that a report contains are an issue, whatever the report itself is about."""
        if raw.get("contained") and counts("DiagnosticReport", data, self._on):
            told = in_contained(raw, self._asked, self._terminology, self._on)
            if told:
                self.unread.append(Unread("Observation", reference, CONTAINED, told, is_part=True))

    def _is_misanswered(self, data: Json) -> bool:
        is_dropped = standing("Observation", data, self._on)[0] is Use.DROP
        return not is_dropped and misanswered(data, self._terminology, self._contradicted)

    def _contradicted(self, concept: object) -> bool:
        """Whether the words of a concept contradict its codes; asked once, as the findings of a chart repeat themselves."""
        try:
            key = orjson.dumps(concept)
        except orjson.JSONEncodeError:  # nested deeper than it writes
            return contradicted(concept, self._terminology)
        if key not in self._contradictions:
            self._contradictions[key] = contradicted(concept, self._terminology)
        return self._contradictions[key]

    def _is_only_patient(self, entry: Entry) -> bool:
        return entry.type == "Patient" and self._patients == 1

    def _load(self, entry: Entry) -> dict[str, Any]:
        content: dict[str, Any] = orjson.loads(self._record.source(entry))
        return content

    def _settled_meanings(self, entry: Entry, data: dict[str, Any]) -> frozenset[str] | None:
        """The meanings of a code that stood in an odd shape; None when even mending leaves no concept."""
        if "code" not in data:
            return frozenset()
        if not is_concept(data["code"]) or not all(map(is_concept, data.get("conclusionCode") or ())):
            return None
        try:
            return all_meanings(entry.type, data, self._terminology)
        except (TypeError, AttributeError):  # an extension of an odd shape, too
            return None

    def _resource(
        self, entry: Entry, data: dict[str, Any], raw: dict[str, Any], meanings: frozenset[str]
    ) -> Resource:
        kind = entry.type
        use, why, is_current, is_negated = standing(kind, data, self._on)
        if use is Use.USE and misnamed(data, self._contradicted):
            use, why = Use.CANDIDATE, "the display of its code names something else than the code means"
            is_negated = False  # it refutes nobody can tell what
        if use is Use.USE and raw.get("modifierExtension"):
            use, why = Use.CANDIDATE, "it carries a modifier extension, which may change its meaning"
        if use is Use.USE and is_withheld(raw.get("meta")):
            use, why = Use.CANDIDATE, "a part of it was withheld"
        day = clinical_date(kind, data)
        server = server_of(entry.full_url)
        said = (meanings, day, use, why, is_current, is_negated, *identity(raw), server)
        return Resource(kind, entry.reference, data, *said)

    def on_the_day(self, resources: Iterable[Resource]) -> Iterator[Resource]:
        """Resources as they stood on the day: what is dated later is set aside.

        A moment that is later by its own clock alone may be past: it counts as a doubt.
        """
        for item in resources:
            if item.date is None or item.date.earliest <= self._on:
                yield item
            elif not item.date.may_lie_by(self._on):
                yield replace(item, use=Use.DROP, why="dated after the day of evaluation")
            else:
                use = Use.DROP if item.use is Use.DROP else Use.CANDIDATE
                why = item.why or "dated after the day of evaluation by its own clock"
                yield replace(item, use=use, why=why, date=item.date.on_any_clock())

    def decoded(self, entry: Entry) -> Json | None:
        """A resource as it was sent; one that cannot be decoded may say anything."""
        try:
            return self._load(entry)
        except orjson.JSONDecodeError:  # as bytes in another encoding
            self.unread.append(Unread(entry.type, entry.reference, "not valid JSON", _IN_WORDS))
            return None


_CODED_ANSWERS = frozenset(
    {"histology-code", "residual-status-code", "margin-status-code", "tnm-m-code", "metastasis-site-code"}
    | {"extrahepatic-disease-code"}
)
_PARTS_UNREAD = _CODED_ANSWERS | {"response-code", "grade-code", "mitosis-code", "mitosis-code-per-10-hpf"}
_PARTS_UNREAD |= {
    "liver-involvement-category-code",
    "liver-involvement-percent-code",
    "liver-resectability-code",
}
_PARTS_UNREAD |= {"liver-tumour-volume-code", "liver-volume-code"}


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
