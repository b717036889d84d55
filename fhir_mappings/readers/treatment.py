"""Facts of the treatment: resection of the primary, and how the disease went on."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    Note,
    PrimaryResection,
    ResidualStatus,
    Response,
    ResponseAssessment,
    ResponseCourse,
)
from fhir_mappings.readers.histology import Tumour, links
from fhir_mappings.readers.site import primary_site
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import overlap, removes
from fhir_mappings.when import PartialDate

# --- resection of the primary -----------------------------------------------------------------------------------------

_RESIDUALS = {
    "residual-r2": ResidualStatus.R2,
    "residual-r1": ResidualStatus.R1,
    "residual-r0": ResidualStatus.R0,
}  # the worst first


@dataclass(frozen=True, slots=True)
class _Operation:
    """An operation that may have removed the primary, and which of the primary sites it covers."""

    resource: Resource
    covers: frozenset[str]
    evidence: Evidence


@once
def primary_resection(chart: Chart) -> Fact[PrimaryResection]:
    """Whether, when and how completely the primary was resected: completed, not diagnostic, at its site.

    Several primaries have to be removed all; the operation for a primary of unknown site settles nothing.
    """
    operations, discarded = _operations(chart)
    sites = _primary_sites(chart)
    done = [item for item in operations if item.resource.use is Use.USE and not item.resource.is_negated]
    at_site = [item for item in done if item.covers]
    discarded += [
        Discarded(item.evidence, "not at the site of the primary")
        for item in done
        if not item.covers and sites
    ]
    if at_site and not set(sites) <= frozenset().union(*(item.covers for item in at_site)):
        return Fact(gap=_partly(sites, at_site), discarded=tuple(discarded) + _kept(at_site))
    if at_site:
        return _performed(chart, at_site, tuple(discarded))
    return _not_performed(chart, [item for item in operations if item not in done], done, tuple(discarded))


def _kept(
    operations: Iterable[_Operation], reason: str = "does not settle whether the primary was removed"
) -> tuple[Discarded, ...]:
    return tuple(Discarded(item.evidence, reason) for item in operations)


def _partly(sites: Sequence[str], operations: Sequence[_Operation]) -> Gap:
    covered = frozenset().union(*(item.covers for item in operations))
    left = ", ".join(site for site in sites if site not in covered)
    return Gap(
        GapKind.INDETERMINATE,
        f"Resection of the primary: several primary sites are on record, and no resection of {left}.",
    )


def _not_performed(
    chart: Chart,
    others: Sequence[_Operation],
    elsewhere: Sequence[_Operation],
    discarded: tuple[Discarded, ...],
) -> Fact[PrimaryResection]:
    if (blind := chart.blind("primary_resection")) is not None:
        return Fact(gap=blind, discarded=discarded)
    negated = [item for item in others if item.resource.is_negated and item.covers]
    candidates = [item for item in others if item.resource.use is Use.CANDIDATE]
    if negated and not candidates:
        return Fact(
            PrimaryResection(performed=False), tuple(item.evidence for item in negated), discarded=discarded
        )
    if candidates:
        reason = f"Resection of the primary: recorded, but {candidates[0].resource.why}."
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, reason),
            discarded=discarded + _kept(candidates, candidates[0].resource.why),
        )
    if elsewhere and not _primary_sites(chart):
        reason = "Resection of the primary: a resection is on record, but not the site of the primary."
        return Fact(gap=Gap(GapKind.INDETERMINATE, reason), discarded=discarded + _kept(elsewhere))
    absences = chart.find({"acquired-absence"}, "Condition").usable
    if absences:
        reason = "Resection of the primary: only an acquired absence of an organ is on record, without operation or date."
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, reason),
            discarded=discarded
            + tuple(Discarded(item.evidence("code"), "no operation") for item in absences),
        )
    return Fact(gap=chart.missing("primary_resection"), discarded=discarded)


def _performed(
    chart: Chart, operations: Sequence[_Operation], discarded: tuple[Discarded, ...]
) -> Fact[PrimaryResection]:
    dated = sorted(
        (item.resource.date for item in operations if item.resource.date), key=lambda day: day.latest
    )
    residual, evidence, notes = _residual(chart, operations)
    value = PrimaryResection(
        performed=True,
        date=dated[0] if len(dated) == len(operations) else None,
        residual=residual,
        with_transplant=any(_with_transplant(chart, item.resource) for item in operations),
        local_excision=all("procedure-local-excision" in item.resource.meanings for item in operations),
        sites=tuple(sorted(frozenset().union(*(item.covers for item in operations)))),
        last_date=dated[-1] if len(dated) == len(operations) else None,
    )
    return Fact(
        value, tuple(item.evidence for item in operations) + evidence, discarded=discarded, notes=notes
    )


def _operations(chart: Chart) -> tuple[list[_Operation], list[Discarded]]:
    names = chart.inputs["primary_resection"].value_sets - {"liver-transplant-procedure"}
    found = chart.find(names, "Procedure")
    discarded = list(found.discarded)
    operations = []
    for item in (*found.usable, *found.candidates):
        if _is_diagnostic(chart, item):
            discarded.append(Discarded(item.evidence("extension"), "for diagnosis only"))
        else:
            operations.append(
                _Operation(item, _covered(chart, item), item.evidence("code", _first_code(item)))
            )
    return operations, discarded


def _first_code(item: Resource) -> str | None:
    return next((written(coding) for coding in codings(item.data.get("code"))), None)


def _is_diagnostic(chart: Chart, item: Resource) -> bool:
    concepts = [extension.get("valueCodeableConcept") for extension in item.data.get("extension") or ()]
    return any("intent-diagnostic" in chart.meanings(concept) for concept in concepts)


def _primary_sites(chart: Chart) -> tuple[str, ...]:
    site = primary_site(chart).value
    return site.sites if site is not None else ()


def _covered(chart: Chart, item: Resource) -> frozenset[str]:
    """Which of the primary sites an operation removed: those of its own body site, else of its code, else of its reason."""
    sites = _primary_sites(chart)
    named = {
        name.removeprefix("site-")
        for concept in item.data.get("bodySite") or ()
        for name in chart.meanings(concept)
        if name.startswith("site-")
    }
    removed = named or frozenset().union(*(removes(name) for name in item.meanings))
    covered = overlap(sites, removed)
    return covered or (frozenset(sites) if _reason_is_net(chart, item) and not removed else covered)


def _reason_is_net(chart: Chart, item: Resource) -> bool:
    reasons = [chart.by_reference(reference) for reference in item.data.get("reasonReference") or ()]
    return any(reason is not None and links(chart).is_net(reason) for reason in reasons)


def _with_transplant(chart: Chart, operation: Resource) -> bool:
    transplants = chart.find({"liver-transplant-procedure"}, "Procedure").usable
    return any(
        item.date is not None and item.date == operation.date for item in transplants if not item.is_negated
    )


def _residual(
    chart: Chart, operations: Sequence[_Operation]
) -> tuple[ResidualStatus, tuple[Evidence, ...], tuple[Note, ...]]:
    """The residual status of the operation: its outcome, or an Observation of the NET on or after its day."""
    stated: list[tuple[ResidualStatus, Evidence]] = []
    for operation in operations:
        meanings = chart.meanings(operation.resource.data.get("outcome"))
        stated += [
            (status, operation.resource.evidence("outcome"))
            for name, status in _RESIDUALS.items()
            if name in meanings
        ]
    first = min((item.resource.date.earliest for item in operations if item.resource.date), default=None)
    for item in chart.find({"residual-status-code", "margin-status-code"}, "Observation").usable:
        is_earlier = first is not None and item.date is not None and item.date.latest < first
        if links(chart).tumour_of(item) is Tumour.NET and not is_earlier:
            stated += _stated_residual(chart, item)
    if not stated:
        return ResidualStatus.NOT_STATED, (), ()
    order = [*_RESIDUALS.values(), ResidualStatus.NOT_STATED]
    worst = min((status for status, _ in stated), key=order.index)
    notes = (
        ()
        if len({status for status, _ in stated}) == 1
        else (Note("residual-conflict", "Statements of the residual status differ; the worst counts."),)
    )
    return worst, tuple(evidence for status, evidence in stated if status is worst), notes


def _stated_residual(chart: Chart, item: Resource) -> list[tuple[ResidualStatus, Evidence]]:
    concept = item.data.get("valueCodeableConcept")
    meanings = chart.meanings(concept)
    evidence = item.evidence(
        "valueCodeableConcept", next((written(coding) for coding in codings(concept)), None)
    )
    if "margin-status-code" in item.meanings:
        return [(ResidualStatus.R0, evidence)] if meanings & {"margin-negative", "presence-absent"} else []
    return [(status, evidence) for name, status in _RESIDUALS.items() if name in meanings]


# --- course of the disease --------------------------------------------------------------------------------------------

_RESPONSES = {
    "response-progression": Response.PROGRESSION,
    "response-mixed": Response.CONFLICTING,
    "response-stable": Response.STABLE,
    "response-partial": Response.PARTIAL,
    "response-complete": Response.COMPLETE,
    "response-no-evidence-of-disease": Response.COMPLETE,
    "response-improved": Response.RESPONSE,
}


@once
def disease_response(chart: Chart) -> Fact[ResponseCourse]:
    """All dated assessments of the NET, in the order of the days of imaging.

    An unconfirmed assessment stays in the course, marked: an unconfirmed progression takes certainty away, an
    unconfirmed good one counts for nothing (clinical.md 5.2, 7.5).
    """
    if (blind := chart.blind("disease_response")) is not None:
        return Fact(gap=blind)
    found = chart.find({"response-code"}, "Observation")
    discarded = list(found.discarded)
    assessments: list[tuple[ResponseAssessment, Evidence]] = []
    for item in (*found.usable, *found.candidates):
        result = _assessed(chart, item)
        if isinstance(result, Discarded):
            discarded.append(result)
        else:
            assessments.append(result)
    if not assessments:
        return Fact(gap=chart.missing("disease_response"), discarded=tuple(discarded))
    course = tuple(
        sorted(
            _merged([item for item, _ in assessments]),
            key=lambda item: (item.date.earliest, item.date.latest, item.reference),
        )
    )
    return Fact(
        ResponseCourse(course), tuple(evidence for _, evidence in assessments), discarded=tuple(discarded)
    )


def _assessed(chart: Chart, item: Resource) -> tuple[ResponseAssessment, Evidence] | Discarded:
    concept = item.data.get("valueCodeableConcept")
    meanings = chart.meanings(concept)
    evidence = item.evidence(
        "valueCodeableConcept", next((written(coding) for coding in codings(concept)), None)
    )
    response = next((value for name, value in _RESPONSES.items() if name in meanings), None)
    if links(chart).tumour_of(item) is Tumour.OTHER:
        return Discarded(evidence, "speaks of another tumour")
    if response is None:
        return Discarded(
            evidence,
            "not evaluable"
            if "response-not-evaluable" in meanings
            else "no value that says how the disease went on",
        )
    if item.date is None:
        return Discarded(evidence, "undated")
    confirmed = item.use is Use.USE and links(chart).tumour_of(item) is Tumour.NET
    if not confirmed and response is not Response.PROGRESSION:
        return Discarded(evidence, item.why or "cannot be assigned to one of two tumours")
    return ResponseAssessment(response, item.date, item.reference, confirmed), evidence


def _merged(assessments: Sequence[ResponseAssessment]) -> list[ResponseAssessment]:
    """One assessment a day: progression and anything else on one day are readings that conflict (clinical.md 5.2, 11)."""
    by_day: dict[tuple[PartialDate, bool], list[ResponseAssessment]] = {}
    for item in assessments:
        by_day.setdefault((item.date, item.confirmed), []).append(item)
    merged = []
    for same in by_day.values():
        responses = {item.response for item in same}
        conflict = Response.CONFLICTING in responses or (
            Response.PROGRESSION in responses and len(responses) > 1
        )
        first = min(same, key=lambda item: item.reference)
        merged.append(
            ResponseAssessment(Response.CONFLICTING, first.date, first.reference, first.confirmed)
            if conflict
            else first
        )
    return merged
