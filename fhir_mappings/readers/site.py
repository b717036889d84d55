"""The primary site and whether its veins drain into the portal vein."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Discarded, Evidence, Fact, Gap, GapKind, Note, PortalClass, PrimarySite
from fhir_mappings.inputs import METASTATIC_NET, NET_HISTOLOGY, UNSITED_METASTASIS, prefixed
from fhir_mappings.readers.histology import Tumour, links
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import most_specific, overlap
from fhir_mappings.valueset import portal_class

_UNNAMED = "unknown"
_WORST = (PortalClass.NOT_PORTAL, PortalClass.REVIEW, PortalClass.UNKNOWN, PortalClass.PORTAL)


@dataclass(frozen=True, slots=True)
class _Named:
    """A site that some element names."""

    site: str
    evidence: Evidence
    resource: Resource


@once
def primary_site(chart: Chart) -> Fact[PrimarySite]:
    """Every primary site on record and the worst of their portal classes.

    Precedence: body site, then the diagnosis, then pathology, then history (terminology.md 2 c); never a secondary
    condition. Sites of the same rank that do not contain each other are several primaries, or a contradiction inside
    one resource: then a clinician decides.
    """
    tiers = (_body_sites(chart), _diagnosis_sites(chart), _pathology_sites(chart), _history_sites(chart))
    candidates = tuple(
        Discarded(named.evidence, named.resource.why)
        for tier in tiers
        for named in tier
        if named.resource.use is not Use.USE
    )
    usable = [
        [named for named in tier if named.resource.use is Use.USE and not named.resource.is_negated]
        for tier in tiers
    ]
    if chart.blind("primary_site") is not None:
        return Fact(gap=chart.missing("primary_site"), discarded=candidates)
    named = [*usable[0], *usable[1]] or usable[2] or usable[3]
    if not named:
        return Fact(gap=_no_site(chart), discarded=candidates)
    return _settled(
        named, usable[2] if named is not usable[2] else [], candidates, from_history=named is usable[3]
    )


def _no_site(chart: Chart) -> Gap:
    occult = chart.find({"primary-occult"}, "Condition").usable
    if occult:
        return Gap(GapKind.INDETERMINATE, "Primary site: recorded as unknown (occult primary).")
    return chart.missing("primary_site")


def _settled(
    named: Sequence[_Named],
    pathology: Sequence[_Named],
    discarded: tuple[Discarded, ...],
    *,
    from_history: bool,
) -> Fact[PrimarySite]:
    sites = most_specific(item.site for item in named)
    notes = []
    classes = tuple(PortalClass(portal_class(site)) for site in sites)
    worst = min(classes, key=_WORST.index)
    if _contradicts_itself(named) or (pathology and not overlap(sites, (item.site for item in pathology))):
        worst = PortalClass.REVIEW if worst is not PortalClass.NOT_PORTAL or len(sites) > 1 else worst
        notes.append(Note("site-conflict", "Elements of the record name different primary sites."))
    if from_history:
        notes.append(Note("site-from-history", "The primary site stands only in a history code."))
    evidence = tuple(dict.fromkeys(item.evidence for item in named))
    other = tuple(
        Discarded(item.evidence, "the recorded body site or diagnosis governs")
        for item in pathology
        if item.site not in sites
    )
    return Fact(PrimarySite(sites, worst, classes), evidence, discarded=discarded + other, notes=tuple(notes))


def _contradicts_itself(named: Sequence[_Named]) -> bool:
    """Whether one resource names two sites of which neither is a part of the other."""
    by_resource: dict[str, set[str]] = {}
    for item in named:
        by_resource.setdefault(item.resource.reference, set()).add(item.site)
    return any(len(most_specific(sites)) > 1 for sites in by_resource.values())


def _sites_of(chart: Chart, concept: object) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for coding in codings(concept):
        for name in chart.terminology.meanings(coding.get("system"), coding.get("code")):
            if name.startswith("site-") and name != f"site-{_UNNAMED}":
                yield name.removeprefix("site-"), coding


@once
def net_conditions(chart: Chart) -> list[Resource]:
    """The Conditions of the primary NET: by their own code, or as the one tumour that a NET histology is linked to."""
    conditions = [item for item in chart.resources if item.kind == "Condition" and item.use is not Use.DROP]
    own = [item for item in conditions if item.meanings & NET_HISTOLOGY]
    return own or _conditions_of_net_histology(chart, conditions)


def _conditions_of_net_histology(chart: Chart, conditions: Sequence[Resource]) -> list[Resource]:
    """WHO ICD-10 has no code for a NET: the site stands in C17.x and the histology in an Observation beside it."""
    sited = [
        item for item in conditions if item.meanings & prefixed("site-") and not item.meanings & _SECONDARY
    ]
    focused = [item for item in sited if item.reference in links(chart).net_focus]
    return focused or (sited if len(sited) == 1 and links(chart).has_net_histology else [])


_SECONDARY = UNSITED_METASTASIS | METASTATIC_NET | {"liver-metastasis"}


def _body_sites(chart: Chart) -> list[_Named]:
    found = []
    for condition in net_conditions(chart):
        if condition.meanings & _SECONDARY and not condition.meanings & NET_HISTOLOGY:
            continue
        for concept in condition.data.get("bodySite") or ():
            found += [
                _Named(site, condition.evidence("bodySite", written(coding), coding), condition)
                for site, coding in _sites_of(chart, concept)
            ]
    return found


def _diagnosis_sites(chart: Chart) -> list[_Named]:
    return [
        _Named(site, condition.evidence("code", written(coding), coding), condition)
        for condition in net_conditions(chart)
        for concept in (condition.data.get("code"), *_extension_concepts(condition))
        for site, coding in _sites_of(chart, concept)
    ]


def _extension_concepts(condition: Resource) -> list[object]:
    return [item.get("valueCodeableConcept") for item in condition.data.get("extension") or ()]


def _pathology_sites(chart: Chart) -> list[_Named]:
    """Sites of pathology Observations: the primary-site question, and the topography beside a NET histology."""
    found = []
    for item in chart.find({"primary-site-code", "histology-code"}, "Observation").usable:
        if links(chart).tumour_of(item) is not Tumour.NET:
            continue
        elements = ("valueCodeableConcept", "bodySite")
        for element in elements if not _from_metastasis(chart, item) else elements[:1]:
            found += [
                _Named(site, item.evidence(element, written(coding), coding), item)
                for site, coding in _sites_of(chart, item.data.get(element))
            ]
    return found


def _from_metastasis(chart: Chart, item: Resource) -> bool:
    """Whether tissue of a metastasis was looked at: its body site is not the primary's."""
    return "body-site-liver" in chart.meanings(item.data.get("bodySite"))


def _history_sites(chart: Chart) -> list[_Named]:
    return [
        _Named(site, item.evidence("code", written(coding), coding), item)
        for item in chart.find({"history-of-net"}, "Condition").usable
        for site, coding in _sites_of(chart, item.data.get("code"))
    ]
