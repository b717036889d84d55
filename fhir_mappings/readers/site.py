"""The primary site and whether its veins drain into the portal vein."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Discarded, Evidence, Fact, Gap, GapKind, Note, PortalClass, PrimarySite
from fhir_mappings.readers.conditions import is_metastasis, net_conditions, sites_in
from fhir_mappings.readers.histology import Tumour, named_tumours
from fhir_mappings.readers.tumour_links import REFUSALS, links, tissue_of
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import most_specific, overlap
from fhir_mappings.valueset import portal_class

_WORST = (PortalClass.NOT_PORTAL, PortalClass.REVIEW, PortalClass.UNKNOWN, PortalClass.PORTAL)
_INFERRED = (
    "The diagnosis names an organ and no histology; it is taken for the NET, as the only tumour on record."
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A site that some element names."""

    site: str
    evidence: Evidence
    resource: Resource
    refusal: str = ""  # why it cannot count, though it may take certainty away

    @property
    def is_firm(self) -> bool:
        return self.resource.use is Use.USE and not self.resource.is_negated and not self.refusal

    @property
    def is_doubt(self) -> bool:
        return self.resource.use is Use.CANDIDATE and not self.resource.is_negated and not self.refusal

    @property
    def reason(self) -> str:
        return self.refusal or self.resource.why or ("refuted" if self.resource.is_negated else "")


@once
def primary_site(chart: Chart) -> Fact[PrimarySite]:
    """Every primary site on record and the worst of their portal classes.

    Precedence: body site and diagnosis, then pathology, then history (terminology.md 2 c); never a secondary
    condition. Sites of the same rank on several Conditions are several primaries. What contradicts inside one
    resource, or between ranks, is for a clinician to judge.
    """
    tiers = (_condition_sites(chart), _pathology_sites(chart), _history_sites(chart))
    firm = [[named for named in tier if named.is_firm] for tier in tiers]
    named = next((tier for tier in firm if tier), [])
    rest = [item for tier in tiers for item in tier if item not in named]
    if chart.blind("primary_site") is not None or not named:
        return Fact(gap=_gap(chart, rest), discarded=_set_aside(rest) + chart.dropped("primary_site"))
    return _settled(chart, named, rest, from_history=named is firm[2])


def _set_aside(items: Iterable[_Named], governs: str = "not used") -> tuple[Discarded, ...]:
    return tuple(dict.fromkeys(Discarded(item.evidence, item.reason or governs) for item in items))


def _gap(chart: Chart, rest: Sequence[_Named]) -> Gap:
    if (blind := chart.blind("primary_site")) is not None:
        return blind
    doubt = next((item for item in rest if item.is_doubt), None)
    if doubt is not None:
        return Gap(GapKind.INDETERMINATE, f"Primary site: recorded, but {doubt.reason}.")
    if chart.find({"primary-occult"}, "Condition").usable:
        return Gap(GapKind.INDETERMINATE, "Primary site: recorded as unknown (occult primary).")
    return chart.missing("primary_site")


def _settled(
    chart: Chart, named: Sequence[_Named], rest: Sequence[_Named], *, from_history: bool
) -> Fact[PrimarySite]:
    sites = most_specific(item.site for item in named)
    conflict = _contradicts_itself(named) or any(item.is_firm for item in _elsewhere(sites, rest))
    doubt = any(item.is_doubt for item in _elsewhere(sites, rest))
    classes = tuple(_class(PortalClass(portal_class(site)), conflict=conflict, doubt=doubt) for site in sites)
    return Fact(
        PrimarySite(sites, min(classes, key=_WORST.index), classes),
        tuple(dict.fromkeys(item.evidence for item in named)),
        discarded=_set_aside(rest, "the recorded body site or diagnosis governs")
        + chart.dropped("primary_site"),
        notes=_notes(named, conflict=conflict, doubt=doubt, from_history=from_history, chart=chart),
    )


def _elsewhere(sites: Sequence[str], items: Iterable[_Named]) -> list[_Named]:
    """The statements that name a site which is none of those on record, and no part or region of one."""
    return [item for item in items if not overlap((item.site,), sites)]


def _class(own: PortalClass, *, conflict: bool, doubt: bool) -> PortalClass:
    """A contradiction is for review; an unconfirmed site only takes away that all of it is portal."""
    return PortalClass.REVIEW if conflict or (doubt and own is PortalClass.PORTAL) else own


def _notes(
    named: Sequence[_Named], *, conflict: bool, doubt: bool, from_history: bool, chart: Chart
) -> tuple[Note, ...]:
    inferred = any(_is_inferred(chart, item.resource) for item in named)
    return tuple(
        note
        for holds, note in (
            (conflict, Note("site-conflict", "Elements of the record name different primary sites.")),
            (doubt, Note("unconfirmed", "An unconfirmed entry names another primary site.")),
            (
                from_history,
                Note("site-from-history", "The primary site stands only in a history code."),
            ),
            (inferred, Note("site-inferred", _INFERRED)),
        )
        if holds
    )


def _is_inferred(chart: Chart, item: Resource) -> bool:
    return (
        item in net_conditions(chart)
        and not named_tumours(chart).is_net(item)
        and item.reference not in named_tumours(chart).net_focus
    )


def _contradicts_itself(named: Sequence[_Named]) -> bool:
    """Whether one resource names two sites of which neither is a part of the other."""
    by_resource: dict[str, set[str]] = {}
    for item in named:
        by_resource.setdefault(item.resource.reference, set()).add(item.site)
    return any(len(most_specific(sites)) > 1 for sites in by_resource.values())


def _sites_named(
    chart: Chart, item: Resource, element: str, concept: object, refusal: str = ""
) -> list[_Named]:
    return [
        _Named(site, item.evidence(element, written(coding), coding), item, refusal)
        for coding in codings(concept)
        for site in sorted(sites_in(chart.terminology.meanings(coding.get("system"), coding.get("code"))))
    ]


def _condition_sites(chart: Chart) -> list[_Named]:
    """Sites of the Conditions of the NET: body site, code, and a histology that names its organ."""
    found = []
    for condition in net_conditions(chart):
        code = condition.data.get("code")
        if not is_metastasis(chart.meanings(code)):  # else the body site may be that of the metastasis
            for site in condition.data.get("bodySite") or ():
                found += _sites_named(chart, condition, "bodySite", site)
        found += _sites_named(chart, condition, "code", code)
        for extension in condition.data.get("extension") or ():
            name = str(extension.get("url")).rsplit("/", 1)[-1]
            found += _sites_named(
                chart, condition, f"extension[{name}]", extension.get("valueCodeableConcept")
            )
    return found


def _pathology_sites(chart: Chart) -> list[_Named]:
    """Sites of pathology Observations: the primary-site question, and the topography beside a NET histology."""
    found = []
    observations = chart.find({"primary-site-code", "histology-code"}, "Observation")
    for item in (*observations.usable, *observations.candidates):
        tumour = links(chart).tumour_of_tissue(item)
        refusal = REFUSALS.get(tumour, "")
        found += _sites_named(chart, item, "valueCodeableConcept", item.coded_value, refusal)
        if tumour is Tumour.NET and "body-site-liver" not in tissue_of(chart, item):
            found += _sites_named(chart, item, "bodySite", item.data.get("bodySite"))
    return found


def _history_sites(chart: Chart) -> list[_Named]:
    history = chart.find({"history-of-net"}, "Condition")
    return [
        named
        for item in (*history.usable, *history.candidates)
        for named in _sites_named(chart, item, "code", item.data.get("code"))
    ]
