"""Of which tumour an observation speaks, where a patient has more than one: by focus, specimen, report or tissue."""

from fhir_mappings.chart import Chart, once
from fhir_mappings.readers.conditions import net_conditions, other_malignancies, sites_in, sites_of_conditions
from fhir_mappings.readers.histology import Tumour, extensions, named_tumours
from fhir_mappings.resource import Resource, Use
from fhir_mappings.site_relations import overlap

REFUSALS = {
    Tumour.OTHER: "belongs to another tumour",
    Tumour.UNTOLD: "cannot be assigned to one of several tumours",
}


class TumourLinks:
    """Tells for an observation whether it speaks of the NET, by focus, specimen, report or tissue (terminology.md 2 h).

    Two tumours in one pathology report are real: a Ki-67 that belongs to the other one must not count, and one that
    cannot be assigned while another tumour is on record is ambiguous.
    """

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._named = named_tumours(chart)
        self._by_specimen: dict[str, set[Tumour]] = {}
        for resource, tumour in self._named.resources:
            for specimen in _specimens(chart, resource):
                self._by_specimen.setdefault(specimen, set()).add(tumour)
        self._by_group = self._groups()
        self._by_stage = self._stages()

    def tumour_of(self, item: Resource) -> Tumour:
        """Whether an observation or a metastasis speaks of the NET, of another tumour, or does not tell."""
        return self._told(item) or (Tumour.UNTOLD if self._named.has_other else Tumour.NET)

    def tumour_of_tissue(self, item: Resource) -> Tumour:
        """The same for what was seen in tissue: it has to be assigned as soon as any other malignancy is on record."""
        told = self._told(item) or self._of_tissue(item)
        is_alone = not self._named.has_other and not other_malignancies(self._chart).others
        return told or (Tumour.NET if is_alone else Tumour.UNTOLD)

    def is_linked_to_net(self, item: Resource) -> bool:
        """Whether a focus, specimen or report says in so many words that it speaks of the NET."""
        return self._told(item) is Tumour.NET

    def is_pointing(self, item: Resource) -> bool:
        """Whether a focus or extension points to a tumour, known or not."""
        return bool(self._linked(item))

    def _told(self, item: Resource) -> Tumour | None:
        """What the closest link says; where that one names two tumours, nothing is told."""
        linked = self._linked(item) or self._of_specimens(item) or self._by_group.get(item.reference)
        if not linked:
            return None
        return next(iter(linked)) if len(linked) == 1 else Tumour.UNTOLD

    def _linked(self, item: Resource) -> set[Tumour]:
        references = [
            *(item.data.get("focus") or ()),
            *(part.get("valueReference") for part in extensions(item)),
        ]
        found = {self._of_reference(reference) for reference in references if reference}
        return {tumour for tumour in found if tumour is not None} | self._by_stage.get(item.reference, set())

    def _of_reference(self, reference: object) -> Tumour | None:
        """The tumour of a Condition or histology that is pointed to; a metastasis tells nothing of its own."""
        item = self._chart.by_reference(reference)
        if item is None or item.use is Use.DROP:
            return Tumour.UNTOLD if self._chart.target(reference).startswith("Condition/") else None
        if item.reference in self._named.by_reference:
            return self._named.by_reference[item.reference]
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

    def _stages(self) -> dict[str, set[Tumour]]:
        """The tumours whose Conditions rest their stage on an assessment, for each assessment."""
        found: dict[str, set[Tumour]] = {}
        for condition in self._chart.resources:
            for stage in condition.data.get("stage") or () if condition.use is not Use.DROP else ():
                for assessment in stage.get("assessment") or ():
                    tumour = self._of_reference({"reference": condition.reference}) or Tumour.UNTOLD
                    found.setdefault(self._chart.target(assessment), set()).add(tumour)
        return found

    def _groups(self) -> dict[str, set[Tumour]]:
        """The tumours named by the members of each panel or report, for each of its members."""
        groups: dict[str, set[Tumour]] = {}
        for resource in self._chart.resources:
            listed = (*(resource.data.get("hasMember") or ()), *(resource.data.get("result") or ()))
            if not listed or resource.use is Use.DROP:
                continue
            members = [self._chart.target(item) for item in listed]
            named = {
                self._named.by_reference[member] for member in members if member in self._named.by_reference
            }
            for member in members:
                groups.setdefault(member, set()).update(named)
        return groups


@once
def links(chart: Chart) -> TumourLinks:
    """The links of a chart."""
    return TumourLinks(chart)


def tissue_of(chart: Chart, item: Resource) -> frozenset[str]:
    """The value sets of where a specimen was taken: the body site of the observation, and of its specimens."""
    specimens = [chart.at(name) for name in _specimens(chart, item)]
    concepts = [item.data.get("bodySite")]
    concepts += [
        (found.data.get("collection") or {}).get("bodySite") for found in specimens if found is not None
    ]
    return frozenset().union(*(chart.meanings(concept) for concept in concepts))


def _specimens(chart: Chart, resource: Resource) -> list[str]:
    given = resource.data.get("specimen")
    items = given if isinstance(given, list) else [given] if given else []
    return [target for item in items if (target := chart.target(item))]
