"""What the histology says, and of which tumour an observation speaks where a patient has more than one."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, IntEnum

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Evidence
from fhir_mappings.inputs import HISTOLOGY_CODES, METASTATIC_NET, NET_HISTOLOGY
from fhir_mappings.resource import Resource, Use, codings, written


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


class Tumour(Enum):
    """Which tumour an observation speaks of."""

    NET = "the neuroendocrine tumour"
    OTHER = "another tumour"
    UNTOLD = "not told"


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
            yield from _of_concept(chart, resource, "valueCodeableConcept", Source.PATHOLOGY)


def _of_condition(chart: Chart, condition: Resource) -> Iterator[Histology]:
    for coding in codings(condition.data.get("code")):
        meanings = chart.terminology.meanings(coding.get("system"), coding.get("code"))
        if meanings:
            source = Source.BILLING if "icd-10" in str(coding.get("system")).lower() else Source.DIAGNOSIS
            yield Histology(meanings, source, condition.evidence("code", written(coding), coding), condition)
    for extension in condition.data.get("extension") or ():
        for coding in codings(extension.get("valueCodeableConcept")):
            meanings = chart.terminology.meanings(coding.get("system"), coding.get("code"))
            name = str(extension.get("url")).rsplit("/", 1)[-1]
            yield Histology(
                meanings,
                Source.PATHOLOGY,
                condition.evidence(f"extension[{name}]", written(coding), coding),
                condition,
            )


def _of_concept(chart: Chart, resource: Resource, element: str, source: Source) -> Iterator[Histology]:
    for coding in codings(resource.data.get(element)):
        meanings = chart.terminology.meanings(coding.get("system"), coding.get("code"))
        yield Histology(meanings, source, resource.evidence(element, written(coding), coding), resource)


# --- which tumour? ----------------------------------------------------------------------------------------------------


class TumourLinks:
    """Tells for an observation whether it speaks of the NET, by focus, specimen or report (terminology.md 2 h).

    Two tumours in one pathology report are real: a Ki-67 that belongs to the other one must not count, and one that
    cannot be assigned while another tumour is on record is ambiguous.
    """

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._by_resource: dict[str, Tumour] = {}
        self._by_specimen: dict[str, set[Tumour]] = {}
        for resource in chart.resources:
            if resource.use is not Use.DROP and (tumour := _own_tumour(chart, resource)) is not None:
                self._by_resource[resource.reference] = tumour
                for specimen in _specimens(chart, resource):
                    self._by_specimen.setdefault(specimen, set()).add(tumour)
        self._by_group = self._groups()
        self.has_net = Tumour.NET in self._by_resource.values()
        self.has_other = Tumour.OTHER in self._by_resource.values()
        histologies_of_net = [
            item
            for item in chart.resources
            if item.kind == "Observation" and self._by_resource.get(item.reference) is Tumour.NET
        ]
        self.has_net_histology = bool(histologies_of_net)
        self.net_focus = frozenset(
            chart.target(focus) for item in histologies_of_net for focus in item.data.get("focus") or ()
        )

    def tumour_of(self, observation: Resource) -> Tumour:
        """Whether the observation speaks of the NET, of another tumour, or does not tell."""
        for linked in (
            self._linked(observation),
            self._of_specimens(observation),
            self._by_group.get(observation.reference, set()),
        ):
            if len(linked) == 1:
                return next(iter(linked))
        return Tumour.UNTOLD if self.has_other else Tumour.NET

    def is_linked_to_net(self, observation: Resource) -> bool:
        """Whether a focus, specimen or report says in so many words that the observation speaks of the NET."""
        linked = (
            self._linked(observation),
            self._of_specimens(observation),
            self._by_group.get(observation.reference, set()),
        )
        return next((item == {Tumour.NET} for item in linked if item), False)

    def speaks_of_net(self, observation: Resource) -> bool:
        """Whether nothing stands against reading an observation as one of the NET."""
        return self.has_net and self.tumour_of(observation) is Tumour.NET

    def is_net(self, resource: Resource) -> bool:
        """Whether a resource itself says that the tumour is a NET."""
        return self._by_resource.get(resource.reference) is Tumour.NET

    def _linked(self, observation: Resource) -> set[Tumour]:
        references = list(observation.data.get("focus") or ())
        references += [
            item.get("valueReference")
            for item in observation.data.get("extension") or ()
            if item.get("valueReference")
        ]
        resources = [self._chart.by_reference(reference) for reference in references]
        return {
            self._by_resource[item.reference]
            for item in resources
            if item is not None and item.reference in self._by_resource
        }

    def _of_specimens(self, observation: Resource) -> set[Tumour]:
        return {
            tumour
            for specimen in _specimens(self._chart, observation)
            for tumour in self._by_specimen.get(specimen, ())
        }

    def _groups(self) -> dict[str, set[Tumour]]:
        """The tumours named by the members of each panel or report, for each of its members."""
        groups: dict[str, set[Tumour]] = {}
        for resource in self._chart.resources:
            members = [
                self._chart.target(item)
                for item in (*(resource.data.get("hasMember") or ()), *(resource.data.get("result") or ()))
            ]
            named = {self._by_resource[member] for member in members if member in self._by_resource}
            for member in members:
                groups.setdefault(member, set()).update(named)
        return groups


@once
def links(chart: Chart) -> TumourLinks:
    """The links of a chart."""
    return TumourLinks(chart)


def _own_tumour(chart: Chart, resource: Resource) -> Tumour | None:
    """What a resource itself says the tumour is: a histology or a primary tumour Condition."""
    if resource.kind == "Observation" and resource.meanings & HISTOLOGY_CODES:
        meanings = chart.meanings(resource.data.get("valueCodeableConcept"))
        has_value = any(True for _ in codings(resource.data.get("valueCodeableConcept")))
        return (Tumour.NET if meanings & NET_HISTOLOGY else Tumour.OTHER) if has_value else None
    if resource.kind != "Condition":
        return None
    if resource.meanings & (NET_HISTOLOGY | METASTATIC_NET):
        return Tumour.NET
    return Tumour.OTHER if _has_other_histology(resource) else None


def _has_other_histology(condition: Resource) -> bool:
    """A Condition whose histology extension names something that is no neuroendocrine neoplasm."""
    extensions = condition.data.get("extension") or ()
    return any(
        "histology" in str(item.get("url")) and item.get("valueCodeableConcept") for item in extensions
    )


def _specimens(chart: Chart, resource: Resource) -> list[str]:
    given = resource.data.get("specimen")
    items = given if isinstance(given, list) else [given]
    return [target for item in items if (target := chart.target(item))]
