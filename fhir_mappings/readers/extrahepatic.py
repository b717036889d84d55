"""Disease outside the liver: present, absent on positive evidence, or unknown. No code is never "none"."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    DiseaseExtent,
    Evidence,
    ExtrahepaticDisease,
    Fact,
    Gap,
    GapKind,
    Note,
    Presence,
    ResidualStatus,
)
from fhir_mappings.inputs import METASTASIS_SITE_CODES, UNSITED_METASTASIS
from fhir_mappings.readers.conditions import is_metastasis, is_secondary
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.m_category import MCategory, m_categories
from fhir_mappings.readers.presence import has_value, stated_presence
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.treatment import primary_resection
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.resource import Resource, Use, codings
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
class _Finding:
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
        return self.resource.date

    @property
    def is_problem(self) -> bool:
        """Tell whether it stands on the problem list: a standing claim, not a snapshot."""
        return self.resource.kind == "Condition"


@once
def extrahepatic_disease(chart: Chart) -> Fact[ExtrahepaticDisease]:
    """Whether there is disease outside liver and primary (terminology.md 2 d, clinical.md 7.4).

    Absence needs positive evidence. A newer negative study of equal or better kind cancels an older positive one; a
    standing Condition is not cancelled but contradicted, and an unconfirmed finding only takes certainty away.
    """
    findings, refused = _findings(chart)
    negatives = [item for item in findings if item.presence is Presence.ABSENT and not item.doubt]
    found = [item for item in findings if item not in negatives]
    cancelled = [item for item in found if any(_cancels(study, item) for study in negatives)]
    standing = [item for item in found if item not in cancelled and not item.doubt]
    doubts = [item for item in found if item not in cancelled and item.doubt]
    discarded = (
        refused
        + tuple(Discarded(item.evidence, item.doubt) for item in doubts)
        + _set_aside(cancelled, "a newer negative study of equal or better kind")
    )
    if standing:
        return _present_or_conflict(standing, negatives, discarded)
    return _absent_or_gap(chart, negatives, doubts, discarded)


def _set_aside(items: Iterable[_Finding], reason: str) -> tuple[Discarded, ...]:
    return tuple(Discarded(item.evidence, reason) for item in items)


def _answers(study: _Finding, positive: _Finding) -> bool:
    """Whether a negative study is of equal or better kind than a positive finding (clinical.md 7.4)."""
    return study.whole_body or (study.kind == positive.kind and not positive.whole_body)


def _cancels(study: _Finding, positive: _Finding) -> bool:
    """Whether a study is newer than a finding and answers it; a standing claim is not cancelled by any."""
    if positive.is_problem or positive.day is None or study.day is None:
        return False
    return positive.day.latest < study.day.earliest and _answers(study, positive)


def _contradicts(study: _Finding, positive: _Finding) -> bool:
    """Whether a negative study speaks against a finding of its own day, or against an older standing claim."""
    if study.day is None:
        return False
    if positive.day is None:
        return positive.is_problem and study.whole_body
    is_same_day = study.day.earliest <= positive.day.latest and positive.day.earliest <= study.day.latest
    return is_same_day or (positive.day.latest < study.day.earliest and _answers(study, positive))


def _present_or_conflict(
    standing: Sequence[_Finding], negatives: Sequence[_Finding], discarded: tuple[Discarded, ...]
) -> Fact[ExtrahepaticDisease]:
    against = [study for study in negatives if any(_contradicts(study, item) for item in standing)]
    if all(any(_contradicts(study, item) for study in negatives) for item in standing):
        gap = Gap(GapKind.CONFLICTING, _conflict_reason(standing, against))
        return Fact(gap=gap, discarded=discarded + _set_aside((*standing, *negatives), "sources disagree"))
    days = [item.day for item in standing if item.day]
    value = ExtrahepaticDisease(
        Presence.PRESENT,
        max(days, key=lambda day: day.latest, default=None),
        tuple(dict.fromkeys(item.extent for item in standing if item.extent is not None)),
        tuple(sorted({item.site for item in standing if item.site})),
    )
    evidence = tuple(dict.fromkeys(item.evidence for item in standing))
    return Fact(
        value, evidence, discarded=discarded + _set_aside(negatives, "a positive finding stands against it")
    )


def _conflict_reason(standing: Sequence[_Finding], against: Sequence[_Finding]) -> str:
    sites = ", ".join(sorted({item.site or "extrahepatic disease" for item in standing}))
    days = ", ".join(sorted({str(study.day) for study in against}))
    return f"Extrahepatic disease: {sites} on record, but the study of {days} found none."


def _absent_or_gap(
    chart: Chart, negatives: Sequence[_Finding], doubts: Sequence[_Finding], discarded: tuple[Discarded, ...]
) -> Fact[ExtrahepaticDisease]:
    dated = [item for item in negatives if item.day is not None]
    negative = max(dated, key=lambda item: (item.whole_body, item.day and item.day.latest), default=None)
    gap = chart.blind("extrahepatic_disease") or _doubtful(doubts, negatives)
    if gap is None and negative is None:
        gap = _undated(negatives) or chart.missing("extrahepatic_disease")
    if gap is not None or negative is None:
        reason = _WHY_UNPROVEN.get(gap.kind, "") if gap is not None else ""
        return Fact(gap=gap, discarded=discarded + _set_aside(negatives, reason))
    text = "The absence does not rest on somatostatin-receptor imaging on record."
    older = _set_aside((item for item in negatives if item is not negative), "another study governs")
    return Fact(
        ExtrahepaticDisease(Presence.ABSENT, negative.day, whole_body_imaging=negative.whole_body),
        (negative.evidence,),
        discarded=discarded + older,
        notes=() if negative.whole_body else (Note("no-whole-body-imaging", text),),
    )


_WHY_UNPROVEN: Mapping[GapKind, str] = {
    GapKind.UNREADABLE: "the record is incomplete",
    GapKind.NOT_SENT: "the record is incomplete",
    GapKind.CONFLICTING: "sources disagree",
    GapKind.INDETERMINATE: "absence without a date",
}


def _doubtful(doubts: Sequence[_Finding], negatives: Sequence[_Finding]) -> Gap | None:
    unconfirmed = next((item for item in doubts if item.presence is Presence.PRESENT), None)
    if unconfirmed is None:
        return None
    kind = GapKind.CONFLICTING if negatives else GapKind.INDETERMINATE
    return Gap(kind, f"Extrahepatic disease: an unconfirmed finding is on record ({unconfirmed.doubt}).")


def _undated(negatives: Sequence[_Finding]) -> Gap | None:
    if not negatives:
        return None
    return Gap(GapKind.INDETERMINATE, "Extrahepatic disease: the study that found none has no date.")


# --- findings ---------------------------------------------------------------------------------------------------------


def _findings(chart: Chart) -> tuple[list[_Finding], tuple[Discarded, ...]]:
    results = [*_all(chart), *chart.dropped("extrahepatic_disease")]
    findings = [item for item in results if isinstance(item, _Finding)]
    return findings, tuple(item for item in results if isinstance(item, Discarded))


def _all(chart: Chart) -> Iterator[_Finding | Discarded]:
    for item in chart.resources:
        if item.use is Use.DROP:
            continue
        if item.kind == "Condition":
            yield from _of_condition(chart, item)
        elif item.kind == "Observation" and item.meanings & METASTASIS_SITE_CODES:
            yield from _of_observed_site(chart, item)
        elif item.kind == "Observation" and "extrahepatic-disease-code" in item.meanings:
            yield from _stated(chart, item)
    for found in m_categories(chart):
        yield from _of_m_category(found)


def _of_m_category(found: MCategory) -> Iterator[_Finding | Discarded]:
    evidence = found.resource.value_evidence()
    if found.says_extrahepatic is None:
        return
    doubt = found.refusal or found.resource.why
    if found.says_extrahepatic and found.refusal != REFUSALS[Tumour.OTHER]:
        extent = DiseaseExtent.UNSPECIFIED
        yield _Finding(
            Presence.PRESENT, found.resource, evidence, "M category", extent, "M category", doubt=doubt
        )
    elif found.refusal:
        yield Discarded(evidence, found.refusal)
    else:
        yield _Finding(Presence.ABSENT, found.resource, evidence, "M category", doubt=doubt)


def _of_condition(chart: Chart, item: Resource) -> Iterator[_Finding | Discarded]:
    names = _named(chart, item.data.get("code"))
    if names:
        yield from _judged(chart, item, names, "code")
    elif item.meanings & UNSITED_METASTASIS or (
        is_secondary(chart, item) and not is_metastasis(item.meanings)
    ):
        sites = item.data.get("bodySite") or ()
        for concept in sites:
            yield from _sited(chart, item, concept, "bodySite")
        if not sites:
            yield Discarded(item.evidence("code"), "a metastasis of a site that is not stated")


def _of_observed_site(chart: Chart, item: Resource) -> Iterator[_Finding | Discarded]:
    if item.is_absent or not has_value(item):
        yield Discarded(item.value_evidence(), "states no value")
    else:
        yield from _sited(chart, item, item.coded_value, "valueCodeableConcept")


_LIVER = frozenset({"body-site-liver", "metastasis-site-liver"})
_NONE = frozenset({"presence-absent", "no-evidence-of-disease", "presence-unknown"})


def _sited(chart: Chart, item: Resource, concept: object, element: str) -> Iterator[_Finding | Discarded]:
    """The site of a metastasis: a known one, the liver, or one that cannot be read and may lie outside the liver."""
    meanings = chart.meanings(concept)
    if names := _named(chart, concept):
        yield from _judged(chart, item, names, element)
    elif meanings & _NONE:
        yield Discarded(item.evidence(element), "names no site")
    elif not meanings & _LIVER and not item.is_negated and item.is_current:
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
) -> Iterator[_Finding | Discarded]:
    """Each named site as a finding, or the reason why it is no current disease outside the liver."""
    for name in names:
        refusal = _no_disease(chart, item, name)
        if refusal:
            yield Discarded(item.evidence(element), refusal)
        else:
            label = name.removeprefix("extrahepatic-").replace("-", " ")
            finding = _finding(item, element, _extent(chart, name), label, item.why)
            yield from _unless_of_other(chart, item, finding)


def _finding(item: Resource, element: str, extent: DiseaseExtent, site: str | None, doubt: str) -> _Finding:
    return _Finding(Presence.PRESENT, item, item.evidence(element), "site", extent, site, doubt=doubt)


def _unless_of_other(chart: Chart, item: Resource, finding: _Finding) -> Iterator[_Finding | Discarded]:
    """A metastasis that is linked to another tumour says nothing of the NET."""
    if links(chart).tumour_of(item) is Tumour.OTHER:
        yield Discarded(finding.evidence, REFUSALS[Tumour.OTHER])
    else:
        yield finding


def _no_disease(chart: Chart, item: Resource, name: str) -> str:
    if item.is_negated:
        return "refuted: speaks of this site only, so it is no proof that nothing else is there"
    if not item.is_current:
        return "recorded as resolved or inactive: history"
    if is_regional(name, _sites(chart)) and not _is_new_since_resection(chart, item):
        return "regional lymph nodes of the primary are no disease outside the liver in this sense"
    if name in _REMOVABLE and not is_distant(name, _sites(chart)) and _removed_with_primary(chart, item):
        return "recorded before the resection of the primary, and not since: removed with it"
    return ""


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


def _stated(chart: Chart, item: Resource) -> Iterator[_Finding | Discarded]:
    """The project's own question, answered; an answer that is neither yes nor no may be a yes."""
    answer = stated_presence(chart, item)
    evidence, whole_body = item.value_evidence(), _is_whole_body(chart, item)
    if links(chart).tumour_of(item) is Tumour.OTHER:
        yield Discarded(evidence, REFUSALS[Tumour.OTHER])
    elif answer is False:
        yield _Finding(Presence.ABSENT, item, evidence, "statement", whole_body=whole_body, doubt=item.why)
    elif answer or has_value(item):
        doubt = item.why or ("" if answer else "says neither present nor absent")
        label = "extrahepatic disease"
        yield _Finding(
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
        source is not None and source.use is Use.USE and not source.is_negated and pet in source.meanings
        for source in (*sources, *chart.reports_of(item))
    )
