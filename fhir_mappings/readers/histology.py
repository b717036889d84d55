"""What the histology says, and of which tumour an observation speaks where a patient has more than one."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum
from typing import Any

from fhir_mappings.chart import OTHER_MALIGNANCY, Chart, once
from fhir_mappings.facts import Discarded, Evidence
from fhir_mappings.inputs import HISTOLOGY_CODES, METASTATIC_NET, NET_HISTOLOGY, UNSITED_METASTASIS
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import has_digestive_net_chapter, overlap
from fhir_mappings.valueset import normalise_code, normalise_system

Concept = Mapping[str, Any]


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


REFUSALS = {
    Tumour.OTHER: "belongs to another tumour",
    Tumour.UNTOLD: "cannot be assigned to one of several tumours",
}


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


def _of_condition(chart: Chart, condition: Resource) -> Iterator[Histology]:
    for coding in codings(condition.data.get("code")):
        source = Source.BILLING if "icd-10" in _system(coding) else Source.DIAGNOSIS
        evidence = condition.evidence("code", written(coding), coding)
        yield Histology(_meanings(chart, coding), source, evidence, condition)
    for extension in _extensions(condition):
        name = str(extension.get("url")).rsplit("/", 1)[-1]
        yield from _of_concept(chart, condition, f"extension[{name}]", extension.get("valueCodeableConcept"))


def _of_concept(chart: Chart, resource: Resource, element: str, concept: object) -> Iterator[Histology]:
    for coding in codings(concept):
        evidence = resource.evidence(element, written(coding), coding)
        yield Histology(_meanings(chart, coding), Source.PATHOLOGY, evidence, resource)


def set_aside(items: Iterable[Histology], reason: str = "") -> tuple[Discarded, ...]:
    """Statements that are not used, each with the reason, or with what its status says."""
    return tuple(
        dict.fromkeys(Discarded(item.evidence, reason or item.resource.why or "refuted") for item in items)
    )


def _meanings(chart: Chart, coding: Mapping[str, Any]) -> frozenset[str]:
    return chart.terminology.meanings(coding.get("system"), coding.get("code"))


def _system(coding: Mapping[str, Any]) -> str:
    return str(normalise_system(coding.get("system")) or "").lower()


def _extensions(resource: Resource) -> list[Mapping[str, Any]]:
    return list(resource.data.get("extension") or ())


# --- which Conditions are the primary tumour, and which another malignancy? -------------------------------------------

_SECONDARY = UNSITED_METASTASIS | METASTATIC_NET | {"liver-metastasis", "liver-metastasis-review"}
_RELATED_PRIMARY = "related-primary-cancer-condition"


def is_metastasis(meanings: frozenset[str]) -> bool:
    """Whether a code names a metastasis, here or there."""
    return bool(meanings & _SECONDARY) or any(
        name.startswith(("extrahepatic-", "nodes-")) for name in meanings
    )


def is_secondary(chart: Chart, condition: Resource) -> bool:
    """Whether a Condition is a metastasis: by its code, or because it points to its primary (mCODE)."""
    return is_metastasis(chart.meanings(condition.data.get("code"))) or _points_to_primary(condition)


def _points_to_primary(condition: Resource) -> bool:
    return any(str(item.get("url")).endswith(_RELATED_PRIMARY) for item in _extensions(condition))


@once
def net_conditions(chart: Chart) -> list[Resource]:
    """The Conditions of the primary NET: by their own code or histology, or the one that a NET histology is linked to.

    A metastasis is never one of them, even where its histology is a NET (terminology.md 2 c).
    """
    conditions = [item for item in chart.resources if item.kind == "Condition" and item.use is not Use.DROP]
    own = [item for item in conditions if _names_primary_net(chart, item)]
    if any(not item.is_negated for item in own):
        return own
    return own + _conditions_of_net_histology(chart, conditions)


def _names_primary_net(chart: Chart, condition: Resource) -> bool:
    if _points_to_primary(condition):
        return False
    by_code = [_meanings(chart, coding) for coding in codings(condition.data.get("code"))]
    if any(found & NET_HISTOLOGY and not is_metastasis(found) for found in by_code):
        return True
    return bool(condition.meanings & NET_HISTOLOGY) and not is_secondary(chart, condition)


def _conditions_of_net_histology(chart: Chart, conditions: Iterable[Resource]) -> list[Resource]:
    """WHO ICD-10 has no code for a NET: the site stands in C17.x and the histology in an Observation beside it.

    Without a link, one Condition of a digestive site is taken as the NET's where no other tumour is on record.
    """
    possible = [item for item in conditions if not item.is_negated and not is_secondary(chart, item)]
    focused = [item for item in possible if item.reference in links(chart).net_focus]
    sited = [item for item in possible if _names_tumour(chart, item)]
    if focused or len(sited) != 1 or links(chart).has_other or not links(chart).has_net_histology:
        return focused
    return sited if has_digestive_net_chapter(sites_of_conditions(chart, sited)) else []


def _names_tumour(chart: Chart, condition: Resource) -> bool:
    return OTHER_MALIGNANCY in condition.meanings or bool(sites_of_conditions(chart, [condition]))


def sites_in(meanings: Iterable[str]) -> frozenset[str]:
    """The organ sites among value sets, without their prefix; "unknown" is no site."""
    named = (name.removeprefix("site-") for name in meanings if name.startswith("site-"))
    return frozenset(named) - {"unknown"}


@dataclass(frozen=True, slots=True)
class OtherMalignancies:
    """Conditions of another malignancy, and those that may as well be the NET itself, coded by its organ only."""

    others: tuple[Resource, ...]
    maybe_net: tuple[Resource, ...]


@once
def other_malignancies(chart: Chart) -> OtherMalignancies:
    """The malignancies coded beside the NET, whatever their status.

    C17.2 beside a NET of the ileum may be the same tumour, coded by its organ; so may the one Condition of an organ
    beside a NET histology that nothing links to it (terminology.md 2 a).
    """
    own = {item.reference for item in net_conditions(chart)}
    found = [
        item
        for item in chart.resources
        if item.kind == "Condition"
        and item.use is not Use.DROP
        and OTHER_MALIGNANCY in item.meanings
        and item.reference not in own
        and not item.meanings & (NET_HISTOLOGY | METASTATIC_NET | UNSITED_METASTASIS)
    ]
    net_sites = sites_of_conditions(chart, net_conditions(chart))
    is_alone = not own and len(found) == 1 and links(chart).has_net_histology
    maybe = tuple(
        item
        for item in found
        if not histology_of(chart, item)
        and (is_alone or overlap(sites_of_conditions(chart, [item]), net_sites))
    )
    return OtherMalignancies(tuple(item for item in found if item not in maybe), maybe)


def histology_of(chart: Chart, condition: Resource) -> bool:
    """Whether an extension of a Condition, or an observation that has it in focus, says what another tumour it is."""
    return links(chart).is_other(condition) or condition.reference in links(chart).other_focus


def sites_of_conditions(chart: Chart, conditions: Iterable[Resource]) -> frozenset[str]:
    """The organ sites that the codes and body sites of Conditions name."""
    return frozenset().union(
        *(
            sites_in(chart.meanings(concept))
            for item in conditions
            for concept in (item.data.get("code"), *(item.data.get("bodySite") or ()))
        )
    )


# --- which tumour? ----------------------------------------------------------------------------------------------------


class TumourLinks:
    """Tells for an observation whether it speaks of the NET, by focus, specimen, report or tissue (terminology.md 2 h).

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
        named = set(self._by_resource.values())
        self.has_net = Tumour.NET in named
        self.has_other = bool(named - {Tumour.NET})
        self.has_net_histology = any(True for _ in self._observations_of(Tumour.NET))
        self.net_focus = self._focus_of(Tumour.NET)
        self.other_focus = self._focus_of(Tumour.OTHER)

    def tumour_of(self, item: Resource) -> Tumour:
        """Whether an observation or a metastasis speaks of the NET, of another tumour, or does not tell."""
        return self._told(item) or (Tumour.UNTOLD if self.has_other else Tumour.NET)

    def tumour_of_tissue(self, item: Resource) -> Tumour:
        """The same for what was seen in tissue: it has to be assigned as soon as any other malignancy is on record."""
        told = self._told(item) or self._of_tissue(item)
        is_alone = not self.has_other and not other_malignancies(self._chart).others
        return told or (Tumour.NET if is_alone else Tumour.UNTOLD)

    def is_linked_to_net(self, item: Resource) -> bool:
        """Whether a focus, specimen or report says in so many words that it speaks of the NET."""
        return self._told(item) is Tumour.NET

    def other_tumours(self) -> tuple[Discarded, ...]:
        """The histologies of other tumours, and those that cannot be read: why a link may be needed."""
        return tuple(
            Discarded(item.value_evidence(), _OTHER_HISTOLOGY[tumour])
            for item in self._chart.resources
            if (tumour := self._by_resource.get(item.reference)) in _OTHER_HISTOLOGY
        )

    def is_pointing(self, item: Resource) -> bool:
        """Whether a focus or extension points to a tumour, known or not."""
        return bool(self._linked(item))

    def is_net(self, resource: Resource) -> bool:
        """Whether a resource itself says that the tumour is a NET."""
        return self._by_resource.get(resource.reference) is Tumour.NET

    def is_other(self, resource: Resource) -> bool:
        """Whether a resource itself says that the tumour is none."""
        return self._by_resource.get(resource.reference) is Tumour.OTHER

    def _told(self, item: Resource) -> Tumour | None:
        """What the closest link says; where that one names two tumours, nothing is told."""
        by_group = self._by_group.get(item.reference, set())
        for linked in (self._linked(item), self._of_specimens(item), by_group):
            if linked:
                return next(iter(linked)) if len(linked) == 1 else Tumour.UNTOLD
        return None

    def _linked(self, item: Resource) -> set[Tumour]:
        references = list(item.data.get("focus") or ())
        references += [extension.get("valueReference") for extension in _extensions(item)]
        found = {self._of_reference(reference) for reference in references if reference}
        return {tumour for tumour in found if tumour is not None}

    def _of_reference(self, reference: object) -> Tumour | None:
        """The tumour of a Condition or histology that is pointed to; a metastasis tells nothing of its own."""
        item = self._chart.by_reference(reference)
        if item is None or item.use is Use.DROP:
            return Tumour.UNTOLD if self._chart.target(reference).startswith("Condition/") else None
        if item.reference in self._by_resource:
            return self._by_resource[item.reference]
        if item in net_conditions(self._chart):
            return Tumour.NET
        return Tumour.OTHER if item in other_malignancies(self._chart).others else None

    def _of_specimens(self, item: Resource) -> set[Tumour]:
        return {
            tumour
            for specimen in _specimens(self._chart, item)
            for tumour in self._by_specimen.get(specimen, ())
        }

    def _of_tissue(self, item: Resource) -> Tumour | None:
        """By where the tissue was taken: an organ of one tumour only, or a liver whose metastases are coded as a NET's."""
        meanings = tissue_of(self._chart, item)
        if "body-site-liver" in meanings:
            coded = (found.meanings for found in self._chart.resources if found.use is Use.USE)
            return Tumour.NET if any("liver-metastasis-net" in found for found in coded) else None
        sites = sites_in(meanings)
        of_net = bool(overlap(sites, sites_of_conditions(self._chart, net_conditions(self._chart))))
        of_other = bool(
            overlap(sites, sites_of_conditions(self._chart, other_malignancies(self._chart).others))
        )
        return None if of_net is of_other else Tumour.NET if of_net else Tumour.OTHER

    def _groups(self) -> dict[str, set[Tumour]]:
        """The tumours named by the members of each panel or report, for each of its members."""
        groups: dict[str, set[Tumour]] = {}
        for resource in self._chart.resources:
            listed = (*(resource.data.get("hasMember") or ()), *(resource.data.get("result") or ()))
            members = [self._chart.target(item) for item in listed if resource.use is not Use.DROP]
            named = {self._by_resource[member] for member in members if member in self._by_resource}
            for member in members:
                groups.setdefault(member, set()).update(named)
        return groups

    def _observations_of(self, tumour: Tumour) -> Iterator[Resource]:
        for item in self._chart.resources:
            if item.kind == "Observation" and self._by_resource.get(item.reference) is tumour:
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
def links(chart: Chart) -> TumourLinks:
    """The links of a chart."""
    return TumourLinks(chart)


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
        for item in _extensions(resource)
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


def tissue_of(chart: Chart, item: Resource) -> frozenset[str]:
    """The value sets of where a specimen was taken: the body site of the observation, and of its specimens."""
    specimens = [chart.by_reference({"reference": name}) for name in _specimens(chart, item)]
    concepts = [item.data.get("bodySite")]
    concepts += [
        (found.data.get("collection") or {}).get("bodySite") for found in specimens if found is not None
    ]
    return frozenset().union(*(chart.meanings(concept) for concept in concepts))


def _specimens(chart: Chart, resource: Resource) -> list[str]:
    given = resource.data.get("specimen")
    items = given if isinstance(given, list) else [given]
    return [target for item in items if (target := chart.target(item))]
