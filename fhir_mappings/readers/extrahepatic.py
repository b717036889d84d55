"""Disease outside the liver: present, absent on positive evidence, or unknown. No code is never "none"."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

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
)
from fhir_mappings.inputs import METASTASIS_SITE_CODES, UNSITED_METASTASIS
from fhir_mappings.readers.m_category import m_categories
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.treatment import primary_resection
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import is_regional
from fhir_mappings.when import PartialDate

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
_REGIONAL_FIRST = (
    "nodes-regional",
    "nodes-mesenteric",
    "extrahepatic-mesentery-or-peritoneum",
    "nodes-ambiguous",
)


@dataclass(frozen=True, slots=True)
class _Finding:
    """One statement that there is, or is not, disease outside the liver."""

    presence: Presence
    resource: Resource
    evidence: Evidence
    extent: DiseaseExtent | None = None
    site: str | None = None
    whole_body: bool = False
    is_problem: bool = False  # stands on the problem list: a standing claim, not a snapshot

    @property
    def day(self) -> PartialDate | None:
        return self.resource.date


@once
def extrahepatic_disease(chart: Chart) -> Fact[ExtrahepaticDisease]:
    """Whether there is disease outside liver and primary (terminology.md 2 d, clinical.md 7.4).

    Absence needs positive evidence. A newer negative study of equal or better kind cancels an older positive one; a
    standing Condition is not cancelled but contradicted, and an unconfirmed finding only takes certainty away.
    """
    findings, discarded = _findings(chart)
    positives = [
        item for item in findings if item.presence is Presence.PRESENT and item.resource.use is Use.USE
    ]
    negatives = [
        item
        for item in findings
        if item.presence is Presence.ABSENT and item.resource.use is Use.USE and item.day is not None
    ]
    candidates = [item for item in findings if item.resource.use is Use.CANDIDATE]
    discarded += [Discarded(item.evidence, item.resource.why) for item in candidates]
    discarded += [
        Discarded(item.evidence, "absence without a date")
        for item in findings
        if item.presence is Presence.ABSENT and item.day is None
    ]
    negative = max(negatives, key=lambda item: (_last(item), item.whole_body), default=None)
    standing = [item for item in positives if not _cancelled(item, negative)]
    discarded += [
        Discarded(item.evidence, "a newer negative study of equal or better kind")
        for item in positives
        if item not in standing
    ]
    if standing:
        return _present_or_conflict(standing, negative, tuple(discarded))
    return _absent_or_gap(chart, negative, candidates, tuple(discarded))


def _last(item: _Finding) -> date:
    return item.day.latest if item.day is not None else date.min


def _cancelled(positive: _Finding, negative: _Finding | None) -> bool:
    if negative is None or positive.is_problem or positive.day is None or negative.day is None:
        return False
    return positive.day.latest < negative.day.earliest and (negative.whole_body or not positive.whole_body)


def _present_or_conflict(
    standing: Sequence[_Finding], negative: _Finding | None, discarded: tuple[Discarded, ...]
) -> Fact[ExtrahepaticDisease]:
    contradicted = [item for item in standing if negative is not None and _contradicts(item, negative)]
    if negative is not None and len(contradicted) == len(standing):
        sites = ", ".join(sorted({item.site or "extrahepatic disease" for item in standing}))
        reason = f"Extrahepatic disease: {sites} on record, but the study of {negative.day} found none."
        both = tuple(Discarded(item.evidence, "sources disagree") for item in (*standing, negative))
        return Fact(gap=Gap(GapKind.CONFLICTING, reason), discarded=discarded + both)
    extents = tuple(dict.fromkeys(item.extent for item in standing if item.extent is not None))
    sites_named = tuple(sorted({item.site for item in standing if item.site}))
    as_of = max((item.day for item in standing if item.day), key=lambda day: day.latest, default=None)
    value = ExtrahepaticDisease(Presence.PRESENT, as_of, extents, sites_named)
    if negative is not None:
        discarded += (Discarded(negative.evidence, "a positive finding stands against it"),)
    return Fact(value, tuple(dict.fromkeys(item.evidence for item in standing)), discarded=discarded)


def _contradicts(positive: _Finding, negative: _Finding) -> bool:
    """Whether a negative study is at least as new as a standing claim, or of the same day as a finding."""
    if positive.day is None or negative.day is None:
        return positive.is_problem
    return negative.day.latest >= positive.day.earliest


def _absent_or_gap(
    chart: Chart, negative: _Finding | None, candidates: Sequence[_Finding], discarded: tuple[Discarded, ...]
) -> Fact[ExtrahepaticDisease]:
    if (blind := chart.blind("extrahepatic_disease")) is not None:
        return Fact(
            gap=blind,
            discarded=discarded
            + ((Discarded(negative.evidence, "the record is incomplete"),) if negative else ()),
        )
    unconfirmed = [item for item in candidates if item.presence is Presence.PRESENT]
    if unconfirmed:
        reason = f"Extrahepatic disease: an unconfirmed finding is on record ({unconfirmed[0].resource.why})."
        kind = GapKind.CONFLICTING if negative else GapKind.INDETERMINATE
        return Fact(
            gap=Gap(kind, reason),
            discarded=discarded + ((Discarded(negative.evidence, "sources disagree"),) if negative else ()),
        )
    if negative is None:
        return Fact(gap=chart.missing("extrahepatic_disease"), discarded=discarded)
    notes = (
        ()
        if negative.whole_body
        else (
            Note(
                "no-whole-body-imaging",
                "The absence does not rest on somatostatin-receptor imaging on record.",
            ),
        )
    )
    value = ExtrahepaticDisease(Presence.ABSENT, negative.day, whole_body_imaging=negative.whole_body)
    return Fact(value, (negative.evidence,), discarded=discarded, notes=notes)


# --- findings ---------------------------------------------------------------------------------------------------------


def _findings(chart: Chart) -> tuple[list[_Finding], list[Discarded]]:
    findings: list[_Finding] = []
    discarded: list[Discarded] = []
    for result in _all(chart):
        if isinstance(result, _Finding):
            findings.append(result)
        else:
            discarded.append(result)
    return findings, discarded


def _all(chart: Chart) -> Iterator[_Finding | Discarded]:
    for item in chart.resources:
        if item.use is Use.DROP:
            if any(name.startswith(("extrahepatic-", "nodes-")) for name in item.meanings):
                yield Discarded(item.evidence("code"), item.why)
        elif item.kind == "Condition":
            yield from _of_condition(chart, item)
        elif item.kind == "Observation" and item.meanings & METASTASIS_SITE_CODES:
            yield from _sited(chart, item, item.data.get("valueCodeableConcept"), "valueCodeableConcept")
        elif item.kind == "Observation" and "extrahepatic-disease-code" in item.meanings:
            yield from _stated(chart, item)
    for found in m_categories(chart):
        if found.says_extrahepatic is not None:
            presence = Presence.PRESENT if found.says_extrahepatic else Presence.ABSENT
            extent = DiseaseExtent.UNSPECIFIED if found.says_extrahepatic else None
            yield _Finding(presence, found.resource, _value_evidence(found.resource), extent, "M category")


def _of_condition(chart: Chart, item: Resource) -> Iterator[_Finding | Discarded]:
    if any(name.startswith(("extrahepatic-", "nodes-")) for name in item.meanings):
        yield from _judged(chart, item, item.meanings, "code")
    elif item.meanings & UNSITED_METASTASIS:
        for concept in item.data.get("bodySite") or ():
            yield from _sited(chart, item, concept, "bodySite")


def _sited(chart: Chart, item: Resource, concept: object, element: str) -> Iterator[_Finding | Discarded]:
    meanings = chart.meanings(concept)
    if any(name.startswith(("extrahepatic-", "nodes-")) for name in meanings):
        yield from _judged(chart, item, meanings, element)


def _judged(
    chart: Chart, item: Resource, meanings: frozenset[str], element: str
) -> Iterator[_Finding | Discarded]:
    """One finding of a named site, or the reason why it is no current disease outside the liver."""
    name = next(
        name
        for name in (*_REGIONAL_FIRST, *sorted(meanings))
        if name in meanings and name.startswith(("extrahepatic-", "nodes-"))
    )
    evidence = item.evidence(element)
    if item.is_negated:
        yield Discarded(
            evidence, "refuted: speaks of this site only, so it is no proof that nothing else is there"
        )
    elif not item.is_current:
        yield Discarded(evidence, "recorded as resolved or inactive: history")
    elif name == "nodes-regional" or is_regional(name, _sites(chart)):
        yield Discarded(
            evidence, "regional lymph nodes of the primary are no disease outside the liver in this sense"
        )
    elif name in _REGIONAL_FIRST and _removed_with_primary(chart, item):
        yield Discarded(
            evidence, "recorded before the resection of the primary, and not since: removed with it"
        )
    else:
        label = name.removeprefix("extrahepatic-").replace("-", " ")
        yield _Finding(
            Presence.PRESENT,
            item,
            evidence,
            _EXTENTS.get(name, DiseaseExtent.ORGAN),
            label,
            is_problem=item.kind == "Condition",
        )


def _sites(chart: Chart) -> tuple[str, ...]:
    site = primary_site(chart).value
    return site.sites if site is not None else ()


def _removed_with_primary(chart: Chart, item: Resource) -> bool:
    resection = primary_resection(chart).value
    if resection is None or not resection.performed or resection.date is None or item.date is None:
        return False
    return item.date.latest <= resection.date.earliest


def _stated(chart: Chart, item: Resource) -> Iterator[_Finding | Discarded]:
    meanings = chart.meanings(item.data.get("valueCodeableConcept"))
    flag = item.data.get("valueBoolean")
    if "presence-present" in meanings or flag is True:
        yield _Finding(
            Presence.PRESENT,
            item,
            _value_evidence(item),
            DiseaseExtent.UNSPECIFIED,
            "extrahepatic disease",
            _is_whole_body(chart, item),
        )
    elif "presence-absent" in meanings or "no-evidence-of-disease" in meanings or flag is False:
        yield _Finding(Presence.ABSENT, item, _value_evidence(item), whole_body=_is_whole_body(chart, item))
    else:
        yield Discarded(_value_evidence(item), "neither present nor absent")


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
        source is not None and source.use is Use.USE and pet in source.meanings
        for source in (*sources, *chart.reports_of(item))
    )


def _value_evidence(item: Resource) -> Evidence:
    element = next((name for name in item.data if name.startswith("value")), "code")
    value = next((written(coding) for coding in codings(item.data.get(element))), None)
    return item.evidence(element, value if value is not None else str(item.data.get(element, "")) or None)
