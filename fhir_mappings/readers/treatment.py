"""Facts of the treatment: resection of the primary, and how the disease went on."""

from collections.abc import Iterable, Sequence
from datetime import date

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    PrimaryResection,
    Response,
    ResponseAssessment,
    ResponseCourse,
)
from fhir_mappings.readers.conditions import sites_in
from fhir_mappings.readers.histology import Tumour, named_tumours
from fhir_mappings.readers.intent import is_diagnostic, overall_intent
from fhir_mappings.readers.presence import has_value
from fhir_mappings.readers.residual import Operation, residual_status
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.site_relations import is_en_bloc, overlap, removes
from fhir_mappings.when import PartialDate

# --- resection of the primary -----------------------------------------------------------------------------------------

_LOCAL = "procedure-local-excision"


@once
def primary_resection(chart: Chart) -> Fact[PrimaryResection]:
    """Whether, when and how completely the primary was resected: completed, not diagnostic, at its site.

    Several primaries have to be removed all; the operation for a primary of unknown site settles nothing.
    """
    operations, refused = _operations(chart)
    done = [item for item in operations if item.resource.use is Use.USE and not item.resource.is_negated]
    at_site = [item for item in done if item.covers]
    rest = [item for item in operations if item not in at_site]
    discarded = refused + tuple(Discarded(item.evidence, _reason(item)) for item in rest)
    sites = _primary_sites(chart)
    covered = frozenset().union(*(item.covers for item in at_site))
    if at_site and set(sites) <= covered:
        return _performed(chart, at_site, discarded)
    if at_site:
        kept = tuple(
            Discarded(item.evidence, "does not settle whether every primary was removed") for item in at_site
        )
        return Fact(gap=_partly(sorted(set(sites) - covered)), discarded=discarded + kept)
    return _not_performed(chart, rest, discarded)


def _reason(item: Operation) -> str:
    if item.resource.is_negated:
        return "recorded as not done"
    return item.resource.why or "not surely at the site of the primary"


def _partly(left: Iterable[str]) -> Gap:
    return Gap(
        GapKind.INDETERMINATE,
        "Resection of the primary: several primary sites are on record, and no resection of "
        f"{', '.join(left)}.",
    )


def _not_performed(
    chart: Chart, operations: Sequence[Operation], discarded: tuple[Discarded, ...]
) -> Fact[PrimaryResection]:
    negated = [item for item in operations if item.resource.is_negated and item.covers]
    absences = chart.find({"acquired-absence"}, "Condition")
    missing_organs = [item for item in absences.usable if not item.is_negated]
    gap = chart.blind("primary_resection") or _doubt(chart, operations, missing_organs)
    discarded += tuple(
        Discarded(item.evidence("code"), "an acquired absence tells neither operation nor date")
        for item in (*absences.usable, *absences.candidates)
    )
    if gap is None and negated:
        evidence = tuple(item.evidence for item in negated)
        kept = tuple(item for item in discarded if item.evidence not in evidence)
        return Fact(PrimaryResection(performed=False), evidence, discarded=kept)
    return Fact(gap=gap or chart.missing("primary_resection"), discarded=discarded)


def _doubt(chart: Chart, operations: Sequence[Operation], absences: Sequence[Resource]) -> Gap | None:
    """Why it is open whether the primary was resected, though something speaks for it."""
    candidate = next((item for item in operations if item.resource.use is Use.CANDIDATE), None)
    done = [item for item in operations if item.resource.use is Use.USE and not item.resource.is_negated]
    if candidate is not None:
        reason = f"recorded, but {candidate.resource.why}"
    elif done and not _primary_sites(chart):
        reason = "a resection is on record, but not the site of the primary"
    elif any(_LOCAL in item.resource.meanings or _reason_is_net(chart, item.resource) for item in done):
        reason = "an operation is on record, but not whether it removed the primary"
    elif absences:
        reason = "only an acquired absence of an organ is on record, without operation or date"
    else:
        return None
    return Gap(GapKind.INDETERMINATE, f"Resection of the primary: {reason}.")


def _performed(
    chart: Chart, operations: Sequence[Operation], discarded: tuple[Discarded, ...]
) -> Fact[PrimaryResection]:
    days = sorted(
        (item.resource.date for item in operations if item.resource.date), key=lambda day: day.latest
    )
    if chart.unread("primary_resection"):  # a second operation, or a residual status of R2
        kept = tuple(Discarded(item.evidence, "another entry could not be read") for item in operations)
        return Fact(gap=chart.missing("primary_resection"), discarded=discarded + kept)
    all_dated = len(days) == len(operations)
    residual = residual_status(chart, operations)
    intent, reasons = overall_intent(chart, [item.resource for item in operations])
    value = PrimaryResection(
        performed=True,
        date=days[0] if all_dated else None,
        residual=residual.status,
        with_transplant=any(_with_transplant(chart, item.resource) for item in operations),
        local_excision=_is_local_somewhere(operations),
        sites=tuple(sorted(frozenset().union(*(item.covers for item in operations)))),
        last_date=days[-1] if all_dated else None,
        intent=intent,
    )
    evidence = tuple(item.evidence for item in operations) + reasons + residual.evidence
    return Fact(value, evidence, discarded=discarded + residual.discarded, notes=residual.notes)


def _is_local_somewhere(operations: Sequence[Operation]) -> bool:
    """Whether one of the primaries was removed by local excision only."""
    formal = [item.covers for item in operations if _LOCAL not in item.resource.meanings]
    local = [item.covers for item in operations if _LOCAL in item.resource.meanings]
    return bool(frozenset().union(*local) - frozenset().union(*formal))


def _operations(chart: Chart) -> tuple[list[Operation], tuple[Discarded, ...]]:
    names = chart.inputs["primary_resection"].value_sets - {"liver-transplant-procedure"}
    found = chart.find(names, "Procedure")
    refused = list(chart.dropped("primary_resection"))
    operations = []
    for item in (*found.usable, *found.candidates):
        if is_diagnostic(chart, item):
            refused.append(Discarded(item.evidence("extension"), "for diagnosis only"))
        else:
            operations.append(
                Operation(item, _covered(chart, item), item.evidence("code", _first_code(item)))
            )
    return operations, tuple(refused)


def _first_code(item: Resource) -> str | None:
    return next((written(coding) for coding in codings(item.data.get("code"))), None)


def _primary_sites(chart: Chart) -> tuple[str, ...]:
    site = primary_site(chart).value
    return site.sites if site is not None else ()


def _covered(chart: Chart, item: Resource) -> frozenset[str]:
    """Which of the primary sites an operation removed: by its body site, by its code, else by its reason.

    A body site narrows what a code means ("small bowel": the jejunum), except where organs are removed as one.
    """
    sites = frozenset(_primary_sites(chart))
    named = frozenset().union(*(sites_in(chart.meanings(part)) for part in item.data.get("bodySite") or ()))
    by_code = frozenset().union(*(removes(name) for name in item.meanings))
    is_en_bloc_there = any(is_en_bloc(name) for name in item.meanings) and bool(overlap(named, by_code))
    if named and not is_en_bloc_there:
        return overlap(sites, named)
    if by_code or named:
        return sites & (by_code | named)
    return sites if _reason_is_net(chart, item) and len(sites) == 1 else frozenset()


def _reason_is_net(chart: Chart, item: Resource) -> bool:
    reasons = [chart.by_reference(reference) for reference in item.data.get("reasonReference") or ()]
    return any(reason is not None and named_tumours(chart).is_net(reason) for reason in reasons)


def _with_transplant(chart: Chart, operation: Resource) -> bool:
    """Whether the operation was part of a liver transplantation, or may have been on the same day."""
    parts = {chart.target(reference) for reference in operation.data.get("partOf") or ()}
    transplants = chart.find({"liver-transplant-procedure"}, "Procedure").usable
    return any(
        item.reference in parts or _may_be_same_day(item.date, operation.date)
        for item in transplants
        if not item.is_negated
    )


def _may_be_same_day(one: PartialDate | None, other: PartialDate | None) -> bool:
    return (
        one is not None
        and other is not None
        and one.earliest <= other.latest
        and other.earliest <= one.latest
    )


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
_ORDER = tuple(Response)
_MAY_BE_BAD = (Response.PROGRESSION, Response.CONFLICTING)
_NOT_EVALUABLE = frozenset({"response-not-evaluable", "response-lesion-level", "presence-unknown"})
_Assessed = tuple[ResponseAssessment, Evidence]


@once
def disease_response(chart: Chart) -> Fact[ResponseCourse]:
    """All dated assessments of the NET, in the order of the days of imaging.

    What may be a progression stays in the course, marked as not confirmed, and takes certainty away: a preliminary or
    undated one, and one whose value cannot be read. An unconfirmed good one counts for nothing (clinical.md 5.2, 7.5).
    """
    found = chart.find({"response-code"}, "Observation")
    results = [_assessed(chart, item) for item in (*found.usable, *found.candidates)]
    assessed = [item for item in results if not isinstance(item, Discarded)]
    discarded = chart.dropped("disease_response") + tuple(
        item for item in results if isinstance(item, Discarded)
    )
    if (blind := chart.blind("disease_response")) is not None:
        unsure = tuple(Discarded(evidence, "the record is incomplete") for _, evidence in assessed)
        return Fact(gap=blind, discarded=discarded + unsure)
    if not assessed:
        gap = _no_assessment(chart, is_recorded=bool(results))
        return Fact(gap=gap, discarded=discarded)
    course = sorted(
        _merged([item for item, _ in assessed]),
        key=lambda item: (item.date.earliest, item.date.latest, item.reference),
    )
    return Fact(
        ResponseCourse(tuple(course)), tuple(evidence for _, evidence in assessed), discarded=discarded
    )


def _no_assessment(chart: Chart, *, is_recorded: bool) -> Gap:
    if is_recorded:
        return Gap(GapKind.INDETERMINATE, "Disease response: no assessment on record counts for certain.")
    return chart.missing("disease_response")


def _assessed(chart: Chart, item: Resource) -> _Assessed | Discarded:
    evidence, tumour = item.value_evidence(), links(chart).tumour_of(item)
    if tumour is Tumour.OTHER:
        return Discarded(evidence, REFUSALS[tumour])
    meanings = chart.meanings(item.coded_value)
    response = _response(item, meanings)
    if response is None:
        return Discarded(evidence, "not evaluable" if has_value(item) else "states no value")
    doubt = item.why or REFUSALS.get(tumour, "") or ("undated" if item.date is None else "")
    if doubt and response not in _MAY_BE_BAD:
        return Discarded(evidence, doubt)
    is_read = not meanings.isdisjoint(_RESPONSES)
    day = item.date or PartialDate(date.min, chart.on, "an unknown day")
    return ResponseAssessment(response, day, item.reference, confirmed=not doubt and is_read), evidence


def _response(item: Resource, meanings: frozenset[str]) -> Response | None:
    """The trend, if one is stated; a value that cannot be read may be a progression."""
    said = {value for name, value in _RESPONSES.items() if name in meanings}
    if said:
        return _overall(said)
    is_unread = has_value(item) and not meanings & _NOT_EVALUABLE
    return Response.CONFLICTING if is_unread else None


def _overall(said: set[Response]) -> Response:
    if Response.PROGRESSION in said or Response.CONFLICTING in said:
        return Response.PROGRESSION if said == {Response.PROGRESSION} else Response.CONFLICTING
    return min(said, key=_ORDER.index)


def _merged(assessments: Sequence[ResponseAssessment]) -> list[ResponseAssessment]:
    """One assessment a day: progression and anything else on one day are in conflict (clinical.md 5.2, step 11)."""
    by_day: dict[tuple[PartialDate, bool], list[ResponseAssessment]] = {}
    for item in assessments:
        by_day.setdefault((item.date, item.confirmed), []).append(item)
    return [_of_one_day(same) for same in by_day.values()]


def _of_one_day(same: Sequence[ResponseAssessment]) -> ResponseAssessment:
    first = min(same, key=lambda item: item.reference)
    response = _overall({item.response for item in same})
    return ResponseAssessment(response, first.date, first.reference, first.confirmed)
