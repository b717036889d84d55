"""Facts of the liver: metastases, how much of it is tumour, whether they can be resected."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import product

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    InvolvementMethod,
    LiverInvolvement,
    LiverMetastases,
    Note,
    Presence,
    Resectability,
)
from fhir_mappings.inputs import METASTASIS_SITE_CODES, UNSITED_METASTASIS
from fhir_mappings.interval import Interval, hull
from fhir_mappings.quantity import PERCENT, VOLUME, Measured, Refused, measure
from fhir_mappings.readers.care import other_malignancy
from fhir_mappings.readers.m_category import m_categories
from fhir_mappings.resource import Resource, Use, codings, written
from fhir_mappings.when import PartialDate, add_months

_LIVER = frozenset({"body-site-liver", "metastasis-site-liver"})


# --- metastases -------------------------------------------------------------------------------------------------------


@once
def liver_metastases(chart: Chart) -> Fact[LiverMetastases]:
    """Whether liver metastases are on record, and since when.

    A code that does not name the histology (C78.7) settles nothing while another malignancy is active
    (clinical.md 7.4, 9).
    """
    items = list(_metastases(chart))
    present = [
        (item, element)
        for item, element in items
        if item.use is Use.USE and item.is_current and not item.is_negated
    ]
    rest = tuple(
        Discarded(item.evidence(element), _set_aside(item))
        for item, element in items
        if (item, element) not in present
    )
    if present:
        return _present(chart, present, rest)
    if chart.blind("liver_metastases") is not None:
        return Fact(gap=chart.missing("liver_metastases"), discarded=rest)
    candidates = [item for item, _ in items if item.use is Use.CANDIDATE]
    if candidates:
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, f"Liver metastases: recorded, but {candidates[0].why}."),
            discarded=rest,
        )
    refuted = [item for item, _ in items if item.is_negated]
    if refuted and len(refuted) == len(items):
        return Fact(
            LiverMetastases(Presence.ABSENT), tuple(item.evidence("verificationStatus") for item in refuted)
        )
    return Fact(gap=chart.missing("liver_metastases"), discarded=rest)


def _present(
    chart: Chart, present: Sequence[tuple[Resource, str]], rest: tuple[Discarded, ...]
) -> Fact[LiverMetastases]:
    says_net = any(
        item.meanings & {"liver-metastasis-net", "histology-metastatic-net"} for item, _ in present
    )
    other = other_malignancy(chart)
    if not says_net and other.value is Presence.PRESENT:
        reason = (
            "Liver metastases: on record, but another malignancy is active and their histology is not stated."
        )
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, reason),
            discarded=tuple(Discarded(item.evidence(name), "histology not stated") for item, name in present),
        )
    since = min((item.date for item, _ in present if item.date), key=lambda day: day.earliest, default=None)
    return Fact(
        LiverMetastases(Presence.PRESENT, since),
        tuple(item.evidence(element) for item, element in present),
        discarded=rest,
    )


def _metastases(chart: Chart) -> Iterable[tuple[Resource, str]]:
    for item in chart.resources:
        if item.use is Use.DROP:
            continue
        if item.kind == "Condition" and "liver-metastasis" in item.meanings:
            yield item, "code"
        elif (
            item.kind == "Condition"
            and item.meanings & UNSITED_METASTASIS
            and _names_liver(chart, item.data.get("bodySite"))
        ):
            yield item, "bodySite"
        elif (
            item.kind == "Observation"
            and item.meanings & METASTASIS_SITE_CODES
            and _LIVER & chart.meanings(item.data.get("valueCodeableConcept"))
        ):
            yield item, "valueCodeableConcept"
    yield from ((found.resource, found.element) for found in m_categories(chart) if found.says_liver)


def _names_liver(chart: Chart, sites: object) -> bool:
    return any(_LIVER & chart.meanings(site) for site in (sites if isinstance(sites, list) else [sites]))


def _set_aside(item: Resource) -> str:
    return item.why or ("refuted" if item.is_negated else "recorded as resolved or inactive: history")


# --- involvement ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Estimate:
    """One statement of how much of the liver is tumour."""

    value: LiverInvolvement
    evidence: tuple[Evidence, ...]
    is_candidate: bool = False


_CATEGORIES = {
    "involvement-up-to-10": Interval(Decimal(0), Decimal(10)),
    "involvement-11-25": Interval(Decimal(10), Decimal(25), low_closed=False),
    "involvement-26-50": Interval(Decimal(25), Decimal(50), low_closed=False),
    "involvement-over-50": Interval(Decimal(50), Decimal(100), low_closed=False),
}


@once
def liver_involvement_percent(chart: Chart) -> Fact[LiverInvolvement]:
    """The percentage of the liver that is tumour: the newest imaging, volumetry before an estimate (clinical.md 7.4)."""
    estimates, discarded = _estimates(chart)
    usable = [item for item in estimates if not item.is_candidate]
    discarded += [
        Discarded(evidence, "unconfirmed")
        for item in estimates
        if item.is_candidate
        for evidence in item.evidence
    ]
    if not usable or chart.blind("liver_involvement_percent") is not None:
        return Fact(gap=_no_involvement(chart, estimates), discarded=tuple(discarded))
    if any(item.value.date is None for item in usable):
        undated = [item for item in usable if item.value.date is None]
        discarded += [Discarded(evidence, "undated") for item in undated for evidence in item.evidence]
        usable = [item for item in usable if item.value.date is not None]
    if not usable:
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, "Liver involvement: the value on record has no date."),
            discarded=tuple(discarded),
        )
    governing, notes = _governing(usable, [item for item in estimates if item.is_candidate])
    used = [item for item in usable if item in governing]
    discarded += [
        Discarded(evidence, "newer imaging or volumetry governs")
        for item in usable
        if item not in governing
        for evidence in item.evidence
    ]
    value = _combined(governing)
    return Fact(
        value,
        tuple(evidence for item in used for evidence in item.evidence),
        discarded=tuple(discarded),
        notes=notes,
    )


def _no_involvement(chart: Chart, estimates: Sequence[_Estimate]) -> Gap:
    if chart.blind("liver_involvement_percent") is None and estimates:
        return Gap(GapKind.INDETERMINATE, "Liver involvement: only an unconfirmed value is on record.")
    return chart.missing("liver_involvement_percent")


def _day(item: _Estimate) -> date:
    return item.value.date.latest if item.value.date is not None else date.min


def _governing(
    usable: Sequence[_Estimate], candidates: Sequence[_Estimate]
) -> tuple[list[_Estimate], tuple[Note, ...]]:
    """The newest statements; volumetry and an estimate of the same quarter that disagree govern together."""
    newest = max(usable, key=_day)
    volumetry = [item for item in usable if item.value.method is InvolvementMethod.VOLUMETRY]
    measured = max(volumetry, key=_day, default=newest)
    if _day(newest) > add_months(_day(measured), 3):
        measured = newest
    chosen = [
        item for item in usable if _day(item) == _day(measured) and item.value.method is measured.value.method
    ]
    rivals = [
        item
        for item in usable
        if item not in chosen
        and abs((_day(item) - _day(measured)).days) <= _QUARTER
        and _apart(item, measured)
    ]
    later = [item for item in candidates if _day(item) >= _day(measured)]
    notes = (
        (Note("conflicting", "Statements of the same quarter disagree; both are taken into account."),)
        if rivals or later
        else ()
    )
    return [*chosen, *rivals, *later], notes


_QUARTER = 92


def _apart(one: _Estimate, other: _Estimate) -> bool:
    first, second = one.value.percent, other.value.percent
    return first.high < second.low or second.high < first.low


def _combined(governing: Sequence[_Estimate]) -> LiverInvolvement:
    newest = max(governing, key=_day)
    method = min((item.value.method for item in governing), key=list(InvolvementMethod).index)
    return LiverInvolvement(hull(item.value.percent for item in governing), newest.value.date, method)


def _estimates(chart: Chart) -> tuple[list[_Estimate], list[Discarded]]:
    estimates: list[_Estimate] = []
    discarded: list[Discarded] = []
    for name, read in (
        ("liver-involvement-percent-code", _percent),
        ("liver-involvement-category-code", _category),
    ):
        found = chart.find({name}, "Observation")
        discarded += found.discarded
        for item in (*found.usable, *found.candidates):
            result = read(chart, item)
            estimates += [result] if isinstance(result, _Estimate) else []
            discarded += [result] if isinstance(result, Discarded) else []
    volumes, refused = _volumetry(chart)
    return estimates + volumes, discarded + refused


def _percent(_: Chart, item: Resource) -> _Estimate | Discarded:
    element = next((name for name in item.data if name.startswith("value")), "value")
    measured = measure(item.data, PERCENT)
    if not isinstance(measured, Measured):
        return Discarded(
            item.evidence(element, measured.as_written if measured else None),
            measured.reason if measured else "states no value",
        )
    value = LiverInvolvement(measured.interval, item.date, InvolvementMethod.ESTIMATE)
    is_candidate = item.use is not Use.USE or measured.needs_confirmation
    return _Estimate(value, (item.evidence(element, measured.as_written),), is_candidate)


def _category(chart: Chart, item: Resource) -> _Estimate | Discarded:
    concept = item.data.get("valueCodeableConcept")
    bounds = next((_CATEGORIES[name] for name in chart.meanings(concept) if name in _CATEGORIES), None)
    code = next((written(coding) for coding in codings(concept)), None)
    if bounds is None:
        return Discarded(
            item.evidence("valueCodeableConcept", code), "no known category of liver involvement"
        )
    value = LiverInvolvement(bounds, item.date, InvolvementMethod.CATEGORY)
    return _Estimate(value, (item.evidence("valueCodeableConcept", code),), item.use is not Use.USE)


# --- tumour volume over liver volume of one study ---------------------------------------------------------------------


def _volumetry(chart: Chart) -> tuple[list[_Estimate], list[Discarded]]:
    tumours, refused = _volumes(chart, "liver-tumour-volume-code")
    livers, also_refused = _volumes(chart, "liver-volume-code")
    discarded = [*refused, *also_refused]
    pairs = [
        (tumour, liver)
        for tumour, liver in product(tumours, livers)
        if _same_study(chart, tumour[0], liver[0])
    ]
    paired = {id(part) for pair in pairs for part in pair}
    discarded += [
        Discarded(item.evidence("valueQuantity", size.as_written), "no second volume of the same study")
        for part in (*tumours, *livers)
        if id(part) not in paired
        for item, size in [part]
    ]
    results = [_ratio(tumour, liver) for tumour, liver in pairs]
    return [item for item in results if isinstance(item, _Estimate)], discarded + [
        item for item in results if isinstance(item, Discarded)
    ]


_Volume = tuple[Resource, Measured]


def _volumes(chart: Chart, name: str) -> tuple[list[_Volume], list[Discarded]]:
    found = chart.find({name}, "Observation")
    volumes: list[_Volume] = []
    discarded = list(found.discarded)
    for item in (*found.usable, *found.candidates):
        measured = measure(item.data, VOLUME)
        if isinstance(measured, Measured) and measured.note is None:
            volumes.append((item, measured))
        else:
            reason = measured.reason if isinstance(measured, Refused) else "states no volume with a unit"
            discarded.append(Discarded(item.evidence("valueQuantity"), reason))
    return volumes, discarded


def _same_study(chart: Chart, one: Resource, other: Resource) -> bool:
    """Whether two volumes come from one study: the same report or imaging study, else the same exact day."""
    first, second = _studies(chart, one), _studies(chart, other)
    if first and second:
        return bool(first & second)
    return one.date is not None and one.date == other.date and one.date.is_exact


def _studies(chart: Chart, item: Resource) -> set[str]:
    own = {
        chart.target(reference)
        for name in ("derivedFrom", "partOf")
        for reference in item.data.get(name) or ()
    }
    return (own - {""}) | {report.reference for report in chart.reports_of(item)}


def _ratio(tumour: _Volume, liver: _Volume) -> _Estimate | Discarded:
    (part, size), (whole, total) = tumour, liver
    evidence = (
        part.evidence("valueQuantity", size.as_written),
        whole.evidence("valueQuantity", total.as_written),
    )
    if total.interval.low <= 0 or size.interval.high > total.interval.low:
        return Discarded(evidence[0], "the tumour volume is larger than the liver volume")
    low, high = size.interval.low / total.interval.high * 100, size.interval.high / total.interval.low * 100
    is_candidate = Use.CANDIDATE in (part.use, whole.use)
    return _Estimate(
        LiverInvolvement(Interval(low, high), part.date, InvolvementMethod.VOLUMETRY), evidence, is_candidate
    )


# --- resectability ----------------------------------------------------------------------------------------------------

_RESECTABILITY = {
    "resectability-resectable": Resectability.RESECTABLE,
    "resectability-unresectable": Resectability.UNRESECTABLE,
    "resectability-uncertain": Resectability.UNCERTAIN,
}


@once
def liver_resectability(chart: Chart) -> Fact[Resectability]:
    """The newest statement of a board or surgeon on whether the liver metastases can be resected."""
    found = chart.find({"liver-resectability-code", "resectability-unresectable"}, "Observation")
    discarded = found.discarded + tuple(
        Discarded(item.evidence("code"), item.why) for item in found.candidates
    )
    stated = [(item, value) for item in found.usable for value in _stated(chart, item)]
    if not stated or chart.blind("liver_resectability") is not None:
        return Fact(gap=chart.missing("liver_resectability"), discarded=discarded)
    newest = max(_last_day(item.date) for item, _ in stated)
    current = [(item, value) for item, value in stated if _last_day(item.date) == newest]
    older = tuple(
        Discarded(item.evidence("value"), "a newer statement governs")
        for item, _ in stated
        if _last_day(item.date) != newest
    )
    if len({value for _, value in current}) > 1:
        reason = "Resectability: statements of the same day disagree."
        return Fact(
            gap=Gap(GapKind.CONFLICTING, reason),
            discarded=discarded
            + older
            + tuple(Discarded(item.evidence("value"), "statements disagree") for item, _ in current),
        )
    return Fact(
        current[0][1],
        tuple(item.evidence("valueCodeableConcept", value) for item, value in current),
        discarded=discarded + older,
    )


def _stated(chart: Chart, item: Resource) -> list[Resectability]:
    meanings = chart.meanings(item.data.get("valueCodeableConcept"))
    if "resectability-unresectable" in item.meanings and not meanings & {"presence-absent"}:
        return [Resectability.UNRESECTABLE]
    return [value for name, value in _RESECTABILITY.items() if name in meanings]


def _last_day(day: PartialDate | None) -> date:
    return day.latest if day is not None else date.min
