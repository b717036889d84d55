"""What each resource itself says of the histology: the statements on record, and the tumours that they name."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, IntEnum
from typing import Any

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Discarded, Evidence
from fhir_mappings.inputs import HISTOLOGY_CODES, METASTATIC_NET, NET_HISTOLOGY
from fhir_mappings.readers.findings import coded_findings
from fhir_mappings.relevance import contradicted
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.valueset import normalise_code, normalise_system


class Source(IntEnum):
    """How close a statement stands to the microscope: pathology outranks a diagnosis that was typed or billed."""

    BILLING = 1
    DIAGNOSIS = 2
    PATHOLOGY = 3


@dataclass(frozen=True, slots=True)
class Histology:
    """One statement of what a tumour is: the value sets of its code, where it stands, and how far it may be used."""

    meanings: frozenset[str]
    source: Source
    evidence: Evidence
    resource: Resource

    @property
    def is_usable(self) -> bool:
        """Tell whether it counts, or can only take certainty away."""
        return self.resource.use is Use.USE and not self.resource.is_negated


# --- statements -------------------------------------------------------------------------------------------------------


@once
def histologies(chart: Chart) -> tuple[Histology, ...]:
    """Every statement on record that names a neuroendocrine neoplasm, candidates and refuted ones included."""
    return tuple(item for item in _statements(chart) if item.meanings & (NET_HISTOLOGY | METASTATIC_NET))


def _statements(chart: Chart) -> Iterator[Histology]:
    for resource in chart.resources:
        if resource.use is Use.DROP:
            continue
        if resource.kind == "Condition":
            yield from _of_condition(chart, resource)
        elif resource.kind == "Observation" and resource.meanings & HISTOLOGY_CODES:
            yield from _of_concept(chart, resource, "valueCodeableConcept", resource.coded_value)
    for found in coded_findings(chart):
        source = Source.PATHOLOGY if "report-pathology" in found.resource.meanings else Source.DIAGNOSIS
        for coding in codings(found.concept) if not found.is_denied else ():
            yield Histology(coding_meanings(chart, coding), source, found.evidence, found.resource)


def _of_condition(chart: Chart, condition: Resource) -> Iterator[Histology]:
    for coding in codings(condition.data.get("code")):
        source = Source.BILLING if "icd-10" in _system(coding) else Source.DIAGNOSIS
        evidence = condition.evidence("code", written(coding), coding)
        yield Histology(coding_meanings(chart, coding), source, evidence, condition)
    for extension in extensions(condition):
        concept = extension.get("valueCodeableConcept")
        is_mislabelled = condition.use is Use.USE and contradicted(concept, chart.terminology)
        holder = replace(condition, use=Use.CANDIDATE, why=_MISLABELLED) if is_mislabelled else condition
        yield from _of_concept(chart, holder, _element(extension), concept)


_MISLABELLED = "its words say something else than its code means"


def _element(extension: Mapping[str, Any]) -> str:
    return f"extension[{str(extension.get('url')).rsplit('/', 1)[-1]}]"


def unread_histologies(chart: Chart, conditions: Iterable[Resource]) -> tuple[Discarded, ...]:
    """The histologies of Conditions that stand in words only, or in words that contradict their code.

    Words give no value, but what they say may be the worst.
    """
    return tuple(
        Discarded(condition.evidence(_element(extension)), reason)
        for condition in conditions
        for extension in extensions(condition)
        if "histology" in str(extension.get("url"))
        and (reason := _why_unread(chart, extension.get("valueCodeableConcept")))
    )


def _why_unread(chart: Chart, concept: object) -> str:
    if contradicted(concept, chart.terminology):
        return _MISLABELLED
    return "" if any(coding.get("code") for coding in codings(concept)) else "given in words only"


def _of_concept(chart: Chart, resource: Resource, element: str, concept: object) -> Iterator[Histology]:
    for coding in codings(concept):
        evidence = resource.evidence(element, written(coding), coding)
        yield Histology(coding_meanings(chart, coding), Source.PATHOLOGY, evidence, resource)


def set_aside(items: Iterable[Histology], reason: str = "") -> tuple[Discarded, ...]:
    """Statements that are not used, each with the reason, or with what its status says."""
    return tuple(
        dict.fromkeys(Discarded(item.evidence, reason or item.resource.why or "refuted") for item in items)
    )


def coding_meanings(chart: Chart, coding: Mapping[str, Any]) -> frozenset[str]:
    """The value sets of one coding."""
    return chart.terminology.meanings(coding.get("system"), coding.get("code"))


def _system(coding: Mapping[str, Any]) -> str:
    return str(normalise_system(coding.get("system")) or "").lower()


def extensions(resource: Resource) -> list[Mapping[str, Any]]:
    """The extensions of a resource."""
    return list(resource.data.get("extension") or ())


# --- tumours that are named -------------------------------------------------------------------------------------------


class Tumour(Enum):
    """Which tumour an observation speaks of."""

    NET = "the neuroendocrine tumour"
    OTHER = "another tumour"
    UNTOLD = "not told"


class NamedTumours:
    """The tumours that histologies and tumour Conditions name themselves, and what these observations have in focus."""

    def __init__(self, chart: Chart) -> None:
        self.resources = tuple(
            (resource, tumour)
            for resource in chart.resources
            if resource.use is not Use.DROP and (tumour := _own_tumour(chart, resource)) is not None
        )
        self.by_reference = {resource.reference: tumour for resource, tumour in self.resources}
        self._chart = chart
        self.has_other = bool(set(self.by_reference.values()) - {Tumour.NET})
        self.has_net_histology = any(True for _ in self._observations_of(Tumour.NET))
        self.net_focus = self._focus_of(Tumour.NET)
        self.other_focus = self._focus_of(Tumour.OTHER)

    def other_tumours(self) -> tuple[Discarded, ...]:
        """The histologies of other tumours, and those that cannot be read: why a link may be needed."""
        return tuple(
            Discarded(item.value_evidence(), _OTHER_HISTOLOGY[tumour])
            for item in self._chart.resources
            if (tumour := self.by_reference.get(item.reference)) in _OTHER_HISTOLOGY
        )

    def is_net(self, resource: Resource) -> bool:
        """Whether a resource itself says that the tumour is a NET."""
        return self.by_reference.get(resource.reference) is Tumour.NET

    def is_other(self, resource: Resource) -> bool:
        """Whether a resource itself says that the tumour is none."""
        return self.by_reference.get(resource.reference) is Tumour.OTHER

    def _observations_of(self, tumour: Tumour) -> Iterator[Resource]:
        for item in self._chart.resources:
            if item.kind == "Observation" and self.by_reference.get(item.reference) is tumour:
                yield item

    def _focus_of(self, tumour: Tumour) -> frozenset[str]:
        return frozenset(
            self._chart.target(focus)
            for item in self._observations_of(tumour)
            for focus in item.data.get("focus") or ()
        )


_OTHER_HISTOLOGY: Mapping[Tumour | None, str] = {
    Tumour.OTHER: "names another tumour",
    Tumour.UNTOLD: "a histology in a code that is not known here",
}


@once
def named_tumours(chart: Chart) -> NamedTumours:
    """The tumours that the resources of a chart name."""
    return NamedTumours(chart)


def _own_tumour(chart: Chart, resource: Resource) -> Tumour | None:
    """What a resource itself says the tumour is: a histology or a tumour Condition."""
    if resource.kind == "Observation" and resource.meanings & HISTOLOGY_CODES:
        return _tumour_named(chart, resource.coded_value)
    if resource.kind != "Condition" or resource.is_negated:
        return None
    if resource.meanings & (NET_HISTOLOGY | METASTATIC_NET):
        return Tumour.NET
    histologies_named = (
        _tumour_named(chart, item.get("valueCodeableConcept"))
        for item in extensions(resource)
        if "histology" in str(item.get("url"))
    )
    return next((tumour for tumour in histologies_named if tumour is not None), None)


_ICD_O_3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"
_MORPHOLOGY = re.compile(r"\d{4}/\d")
_BEHAVIOUR_ONLY = re.compile(r"/?\d")


def _tumour_named(chart: Chart, concept: object) -> Tumour | None:
    """The tumour that a coded histology names; a code that we cannot read may name any."""
    meanings = chart.meanings(concept)
    if meanings & (NET_HISTOLOGY | METASTATIC_NET):
        return Tumour.NET
    if "histology-not-gep-net" in meanings or any(_is_morphology(coding) for coding in codings(concept)):
        return Tumour.OTHER
    unread = [
        item for item in codings(concept) if not _BEHAVIOUR_ONLY.fullmatch(str(item.get("code") or "0"))
    ]
    return Tumour.UNTOLD if unread and "presence-unknown" not in meanings else None


def _is_morphology(coding: Mapping[str, Any]) -> bool:
    system = normalise_system(coding.get("system"))
    return system == _ICD_O_3 and any(
        _MORPHOLOGY.fullmatch(code) for code in normalise_code(system, coding.get("code"))
    )
