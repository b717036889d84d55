"""What a record says of disease outside the liver, statement by statement (terminology.md 2 d, 2 l)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from fhir_mappings.chart import Chart
from fhir_mappings.facts import (
    Discarded,
    DiseaseExtent,
    Evidence,
    Presence,
    ResidualStatus,
)
from fhir_mappings.inputs import METASTASIS, METASTASIS_SITE_CODES, UNSITED_METASTASIS
from fhir_mappings.readers.conditions import is_metastasis, is_secondary
from fhir_mappings.readers.findings import CodedFinding, coded_findings
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.m_category import MCategory, m_categories
from fhir_mappings.readers.presence import has_value, stated_presence
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.treatment import primary_resection
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.readers.worded import ONLY_WORDS, WordedMetastasis, worded_metastases
from fhir_mappings.resource import Resource, Use, abated_on, codings
from fhir_mappings.site_relations import is_distant, is_for_review, is_regional
from fhir_mappings.when import PartialDate, surely_before

_EXTENTS = {
    "extrahepatic-mesentery-or-peritoneum": DiseaseExtent.REVIEW,
    "extrahepatic-possibly-miscoded-primary": DiseaseExtent.REVIEW,
    "nodes-ambiguous": DiseaseExtent.REVIEW,
    "nodes-mesenteric": DiseaseExtent.REVIEW,
    "nodes-pelvic": DiseaseExtent.NODAL,
    "nodes-retroperitoneal": DiseaseExtent.NODAL,
    "extrahepatic-distant-node": DiseaseExtent.NODAL,
    "extrahepatic-disseminated": DiseaseExtent.UNSPECIFIED,
}
_REMOVABLE = frozenset({"nodes-mesenteric", "nodes-ambiguous"})  # with the primary: its own lymph nodes
_VAGUE = {  # what a second coding of the same concept makes more precise
    "nodes-ambiguous": ("nodes-", "extrahepatic-distant-node"),
    "extrahepatic-mesentery-or-peritoneum": ("nodes-mesenteric", "extrahepatic-peritoneum"),
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One statement that there is, or is not, disease outside the liver. With a doubt it only takes certainty away."""

    presence: Presence
    resource: Resource
    evidence: Evidence
    kind: str  # "statement", "M category", "site": only a later one of its own kind answers the same question
    extent: DiseaseExtent | None = None
    site: str | None = None
    whole_body: bool = False
    doubt: str = ""

    @property
    def day(self) -> PartialDate | None:
        """The day it speaks of."""
        return self.resource.date

    @property
    def is_problem(self) -> bool:
        """Tell whether it stands on the problem list: a standing claim, not a snapshot, until it is over."""
        return self.resource.kind == "Condition" and self.resource.is_current


def extrahepatic_findings(chart: Chart) -> tuple[list[Finding], tuple[Discarded, ...]]:
    """Every statement that there is, or is not, disease outside the liver, and what says nothing of it."""
    results = [*_all(chart), *chart.dropped("extrahepatic_disease")]
    findings = [item for item in results if isinstance(item, Finding)]
    return findings, tuple(item for item in results if isinstance(item, Discarded))


def _all(chart: Chart) -> Iterator[Finding | Discarded]:
    for item in chart.resources:
        if item.use is Use.DROP:
            continue
        if item.kind == "Condition":
            yield from _of_condition(chart, item)
        elif item.kind == "Observation" and item.meanings & METASTASIS_SITE_CODES:
            yield from _of_observed_site(chart, item)
        elif item.kind == "Observation" and "extrahepatic-disease-code" in item.meanings:
            yield from _stated(chart, item)
    for category in m_categories(chart):
        yield from _of_m_category(category)
    for coded in coded_findings(chart):
        yield from _of_coded(chart, coded)
    for worded in worded_metastases(chart):
        yield from _of_words(chart, worded)


def _of_coded(chart: Chart, found: CodedFinding) -> Iterator[Finding | Discarded]:
    """A finding of a report or observation: one that is there may be the worst, one that is not is not all."""
    names = _named(chart, found.concept)
    meanings = chart.meanings(found.concept)
    if found.is_denied:
        if names or "no-evidence-of-disease" in meanings:
            yield Discarded(found.evidence, "says that one thing was not found, not that nothing is there")
    elif names:
        for result in _judged(chart, found.resource, names, found.element):
            yield replace(result, evidence=found.evidence)
    elif meanings & UNSITED_METASTASIS:
        yield from _unsited(chart, found.resource, found.element)


def _of_words(chart: Chart, found: WordedMetastasis) -> Iterator[Finding | Discarded]:
    """What only words name is never a finding that stands, and takes an absence away."""
    item, named = found.resource, found.named
    if _is_coded_site(chart, item) or (
        not named.elsewhere and (named.in_liver or item.meanings & METASTASIS)
    ):
        return
    refusal = _not_current(item)
    if refusal or not named.elsewhere:
        yield Discarded(found.evidence, refusal or f"{ONLY_WORDS}, and they name no site")
    else:
        finding = _finding(item, found.element, DiseaseExtent.UNSPECIFIED, None, ONLY_WORDS)
        yield from _unless_of_other(chart, item, replace(finding, evidence=found.evidence))


def _is_coded_site(chart: Chart, item: Resource) -> bool:
    """Whether a Condition's own codes name the site, so that they are judged and not its words."""
    sites = (item.data.get("code"), *(item.data.get("bodySite") or ())) if item.kind == "Condition" else ()
    return any(_named(chart, concept) for concept in sites)


def _of_m_category(found: MCategory) -> Iterator[Finding | Discarded]:
    evidence = found.evidence
    if found.says_extrahepatic is None:
        return
    doubt = found.doubt or found.refusal or found.resource.why
    if found.says_extrahepatic and found.refusal != REFUSALS[Tumour.OTHER]:
        extent = DiseaseExtent.UNSPECIFIED
        yield Finding(
            Presence.PRESENT, found.resource, evidence, "M category", extent, "M category", doubt=doubt
        )
    elif found.refusal or found.is_of_stage:
        yield Discarded(evidence, found.refusal or "a stage has no day: no proof that nothing came since")
    else:
        yield Finding(Presence.ABSENT, found.resource, evidence, "M category", doubt=doubt)


def _of_condition(chart: Chart, item: Resource) -> Iterator[Finding | Discarded]:
    names = _named(chart, item.data.get("code"))
    if names:
        yield from _judged(chart, item, names, "code")
    elif item.meanings & UNSITED_METASTASIS or (
        is_secondary(chart, item) and not is_metastasis(item.meanings)
    ):
        yield from _unsited(chart, item, "code")


def _unsited(chart: Chart, item: Resource, element: str) -> Iterator[Finding | Discarded]:
    """A metastasis whose code names no site: its body site tells."""
    given = item.data.get("bodySite") or []
    sites = given if isinstance(given, list) else [given]
    for concept in sites:
        yield from _sited(chart, item, concept, "bodySite")
    if not sites:
        yield Discarded(item.evidence(element), "a metastasis of a site that is not stated")


def _of_observed_site(chart: Chart, item: Resource) -> Iterator[Finding | Discarded]:
    if item.is_absent or not has_value(item):
        yield Discarded(item.value_evidence(), "states no value")
    else:
        yield from _sited(chart, item, item.coded_value, "valueCodeableConcept")


_LIVER = frozenset({"body-site-liver", "metastasis-site-liver"})
_NONE = frozenset({"presence-absent", "no-evidence-of-disease", "presence-unknown"})


def _sited(chart: Chart, item: Resource, concept: object, element: str) -> Iterator[Finding | Discarded]:
    """The site of a metastasis: a known one, the liver, or one that cannot be read and may lie outside the liver."""
    meanings = chart.meanings(concept)
    if names := _named(chart, concept):
        yield from _judged(chart, item, names, element)
    elif meanings & _NONE:
        yield Discarded(item.evidence(element), "names no site")
    elif not meanings & _LIVER and not _not_current(item):
        doubt = item.why or "names a site of a metastasis that is not known here"
        yield from _unless_of_other(
            chart, item, _finding(item, element, DiseaseExtent.UNSPECIFIED, None, doubt)
        )


def _named(chart: Chart, concept: object) -> list[str]:
    """The value sets of a concept that name a site: one for each coding, the vague ones left out beside precise ones."""
    names = set()
    for coding in codings(concept):
        found = chart.terminology.meanings(coding.get("system"), coding.get("code"))
        own = {name for name in found if name.startswith(("extrahepatic-", "nodes-"))}
        reviewed = {name for name in own if _EXTENTS.get(name) is DiseaseExtent.REVIEW}
        names |= reviewed or own
    return sorted(name for name in names if not any(_is_clearer(other, name) for other in names - {name}))


def _is_clearer(other: str, name: str) -> bool:
    return name in _VAGUE and other.startswith(_VAGUE[name])


def _judged(
    chart: Chart, item: Resource, names: Iterable[str], element: str
) -> Iterator[Finding | Discarded]:
    """Each named site as a finding, or the reason why it is no current disease outside the liver."""
    for name in names:
        refusal = _no_disease(chart, item, name)
        if refusal:
            yield Discarded(item.evidence(element), refusal)
        else:
            label = name.removeprefix("extrahepatic-").replace("-", " ")
            finding = _finding(item, element, _extent(chart, name), label, item.why)
            yield from _unless_of_other(chart, item, finding)


def _finding(item: Resource, element: str, extent: DiseaseExtent, site: str | None, doubt: str) -> Finding:
    """A finding of a site; of a Condition that is over, one of its last day: only a later study takes it away."""
    evidence = item.evidence(element)
    if not item.is_current:
        item, doubt = replace(item, date=abated_on(item.data)), doubt or _OVER
    return Finding(Presence.PRESENT, item, evidence, "site", extent, site, doubt=doubt)


_OVER = "recorded as over, and no later study shows it gone"
_READING_DAYS = 7  # between the day of imaging and what is said of it [judgement]


def _unless_of_other(chart: Chart, item: Resource, finding: Finding) -> Iterator[Finding | Discarded]:
    """A metastasis that is linked to another tumour says nothing of the NET."""
    if links(chart).tumour_of(item) is Tumour.OTHER:
        yield Discarded(finding.evidence, REFUSALS[Tumour.OTHER])
    else:
        yield finding


def _no_disease(chart: Chart, item: Resource, name: str) -> str:
    if refusal := _not_current(item):
        return refusal
    if is_regional(name, _sites(chart)) and not _is_new_since_resection(chart, item):
        return "regional lymph nodes of the primary are no disease outside the liver in this sense"
    if name in _REMOVABLE and not is_distant(name, _sites(chart)) and _removed_with_primary(chart, item):
        return "recorded before the resection of the primary, and not since: removed with it"
    return ""


def _not_current(item: Resource) -> str:
    if item.is_negated:
        return "refuted: speaks of this site only, so it is no proof that nothing else is there"
    if item.is_current or abated_on(item.data) is not None:
        return ""
    return "recorded as resolved or inactive: history"


def _is_new_since_resection(chart: Chart, item: Resource) -> bool:
    """Whether nodes came up after the primary was gone: new nodal disease counts, wherever it lies (clinical.md 1.5)."""
    resection = primary_resection(chart).value
    return resection is not None and resection.performed and surely_before(resection.last_date, item.date)


def _extent(chart: Chart, name: str) -> DiseaseExtent:
    if is_distant(name, _sites(chart)) or is_regional(name, _sites(chart)):
        return DiseaseExtent.NODAL
    if is_for_review(name, _sites(chart)):
        return DiseaseExtent.REVIEW
    return _EXTENTS.get(name, DiseaseExtent.ORGAN)


def _sites(chart: Chart) -> tuple[str, ...]:
    site = primary_site(chart).value
    return site.sites if site is not None else ()


def _removed_with_primary(chart: Chart, item: Resource) -> bool:
    """Whether nodes were on record by the day of a resection that can have taken them (clinical.md 1.5)."""
    resection = primary_resection(chart).value
    if resection is None or not resection.performed or resection.local_excision:
        return False
    if resection.leaves_open_what_was_removed:
        return False
    if resection.residual is ResidualStatus.R2 or resection.date is None or item.date is None:
        return False
    return item.date.latest <= resection.date.earliest


def _stated(chart: Chart, item: Resource) -> Iterator[Finding | Discarded]:
    """The project's own question, answered; an answer that is neither yes nor no may be a yes."""
    answer = stated_presence(chart, item)
    if answer is False and item.data.get("bodySite"):
        yield Discarded(
            item.value_evidence(), "speaks of its own site only: no proof that nothing else is there"
        )
        return
    evidence, whole_body = item.value_evidence(), _is_whole_body(chart, item)
    if links(chart).tumour_of(item) is Tumour.OTHER:
        yield Discarded(evidence, REFUSALS[Tumour.OTHER])
    elif answer is False:
        yield Finding(Presence.ABSENT, item, evidence, "statement", whole_body=whole_body, doubt=item.why)
    elif answer or has_value(item):
        doubt = item.why or ("" if answer else "says neither present nor absent")
        label = "extrahepatic disease"
        yield Finding(
            Presence.PRESENT, item, evidence, "statement", DiseaseExtent.UNSPECIFIED, label, whole_body, doubt
        )
    else:
        yield Discarded(evidence, "states no value")


def _is_whole_body(chart: Chart, item: Resource) -> bool:
    """Whether a statement rests on somatostatin-receptor imaging: by its method, its source, or its report."""
    pet = "imaging-somatostatin-receptor-pet"
    if pet in chart.meanings(item.data.get("method")):
        return True
    sources = [
        chart.by_reference(reference)
        for name in ("derivedFrom", "partOf")
        for reference in item.data.get(name) or ()
    ]
    return any(
        source is not None
        and source.use is Use.USE
        and not source.is_negated
        and pet in source.meanings
        and _is_of_one_study(source, item)
        for source in (*sources, *chart.reports_of(item))
    )


def _is_of_one_study(source: Resource, item: Resource) -> bool:
    """Whether a study and what is said to rest on it may be of one day: a report that lists old findings lends none."""
    if source.date is None or item.date is None:
        return source.date is None
    week = timedelta(days=_READING_DAYS)
    return source.date.earliest - week <= item.date.latest and item.date.earliest - week <= source.date.latest
