"""How much of the liver is tumour: estimates, categories, and volumetry of one study."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
    Note,
)
from fhir_mappings.interval import Interval, hull
from fhir_mappings.labels import names_part_of_liver
from fhir_mappings.quantity import LABELS_DIFFER, PERCENT, VOLUME, Measured, Refused, measure
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.presence import has_value
from fhir_mappings.readers.tumour_links import REFUSALS, links
from fhir_mappings.relevance import labels
from fhir_mappings.resource import Resource, codings
from fhir_mappings.when import PartialDate, add_months, surely_before


@dataclass(frozen=True, slots=True)
class _Estimate:
    """One statement of how much of the liver is tumour; with a doubt it only takes certainty away."""

    value: LiverInvolvement
    evidence: tuple[Evidence, ...]
    doubt: str = ""
    note: str | None = None

    @property
    def day(self) -> PartialDate | None:
        return self.value.date


_CATEGORIES = {
    "involvement-up-to-10": Interval(Decimal(0), Decimal(10)),
    "involvement-11-25": Interval(Decimal(10), Decimal(25), low_closed=False),
    "involvement-26-50": Interval(Decimal(25), Decimal(50), low_closed=False),
    "involvement-over-50": Interval(Decimal(50), Decimal(100), low_closed=False),
}
_ANY_PERCENT = Interval(Decimal(0), Decimal(100))
_QUARTER = 92  # days
_ELSEWHERE = "speaks of another organ than the liver"
_PART = "speaks of a part of the liver, or of a site that is not known here"


@once
def liver_involvement_percent(chart: Chart) -> Fact[LiverInvolvement]:
    """The percentage of the liver that is tumour: the newest imaging, volumetry before an estimate (clinical.md 7.4).

    What disagrees and is not surely older widens the value: volumetry and an estimate of one quarter, an unconfirmed,
    unreadable or undated statement.
    """
    estimates, refused = _estimates(chart)
    firm = [item for item in estimates if not item.doubt and item.day is not None]
    discarded = refused + tuple(
        Discarded(evidence, item.doubt or "undated")
        for item in estimates
        if item not in firm
        for evidence in item.evidence
    )
    if not firm or chart.blind("liver_involvement_percent") is not None:
        return Fact(gap=_no_involvement(chart, estimates), discarded=discarded)
    return _involvement(firm, [item for item in estimates if item not in firm], discarded)


def _involvement(
    firm: Sequence[_Estimate], doubtful: Sequence[_Estimate], discarded: tuple[Discarded, ...]
) -> Fact[LiverInvolvement]:
    governing = _governing(firm)
    chosen = [item for item in firm if item in governing or _rivals(item, governing[0])]
    later = [item for item in doubtful if not surely_before(item.day, governing[0].day)]
    notes = _involvement_notes(
        chosen, is_disputed=len(chosen) > len(governing) or _spread(governing), is_doubted=bool(later)
    )
    older = tuple(
        Discarded(evidence, "newer imaging or volumetry governs")
        for item in firm
        if item not in chosen
        for evidence in item.evidence
    )
    percent = hull(item.value.percent for item in (*chosen, *later))
    return Fact(
        replace(governing[0].value, percent=percent),
        tuple(dict.fromkeys(evidence for item in chosen for evidence in item.evidence)),
        discarded=discarded + older,
        notes=notes,
    )


def _involvement_notes(
    chosen: Sequence[_Estimate], *, is_disputed: bool, is_doubted: bool
) -> tuple[Note, ...]:
    found = (
        (
            is_disputed,
            "conflicting",
            "Statements of the same quarter disagree; both are taken into account.",
        ),
        (
            is_doubted,
            "unconfirmed",
            "An unconfirmed, unreadable or undated statement was taken into account.",
        ),
        (
            any(item.note == "unit-missing" for item in chosen),
            "unit-missing",
            "The value has no unit; it was read as percent.",
        ),
    )
    return tuple(Note(flag, text) for holds, flag, text in found if holds)


def _no_involvement(chart: Chart, estimates: Sequence[_Estimate]) -> Gap:
    blind = chart.blind("liver_involvement_percent")
    if blind is not None or not estimates:
        return blind or chart.missing("liver_involvement_percent")
    reason = estimates[0].doubt or "without a date"
    return Gap(GapKind.INDETERMINATE, f"Liver involvement: a value is on record, but {reason}.")


def _last(item: _Estimate) -> date:
    return item.day.latest if item.day is not None else date.min


def _governing(firm: Sequence[_Estimate]) -> list[_Estimate]:
    """The newest statements of one day and method: volumetry, unless it is more than a quarter older than an estimate."""
    newest = max(firm, key=_last)
    volumetry = [item for item in firm if item.value.method is InvolvementMethod.VOLUMETRY]
    measured = max(volumetry, key=_last, default=newest)
    if _last(newest) > add_months(_last(measured), 3):
        measured = newest
    return [item for item in firm if item.day == measured.day and item.value.method is measured.value.method]


def _rivals(item: _Estimate, measured: _Estimate) -> bool:
    """Whether a statement disagrees and is of the same quarter, or may be as new."""
    is_recent = abs((_last(item) - _last(measured)).days) <= _QUARTER
    return (is_recent or not surely_before(item.day, measured.day)) and _apart(item, measured)


def _apart(one: _Estimate, other: _Estimate) -> bool:
    return not one.value.percent.overlaps(other.value.percent)


def _spread(items: Sequence[_Estimate]) -> bool:
    return any(_apart(one, other) for one, other in product(items, items))


def _estimates(chart: Chart) -> tuple[list[_Estimate], tuple[Discarded, ...]]:
    results: list[_Estimate | Discarded] = [*chart.dropped("liver_involvement_percent")]
    for name, method in (
        ("liver-involvement-percent-code", InvolvementMethod.ESTIMATE),
        ("liver-involvement-category-code", InvolvementMethod.CATEGORY),
    ):
        found = chart.find({name}, "Observation")
        results += [_estimate(chart, item, method) for item in (*found.usable, *found.candidates)]
    results += _volumetry(chart)
    estimates = [item for item in results if isinstance(item, _Estimate)]
    return estimates, tuple(item for item in results if isinstance(item, Discarded))


def _estimate(chart: Chart, item: Resource, method: InvolvementMethod) -> _Estimate | Discarded:
    """A percentage or a category, also in words; what cannot be read may be any percentage."""
    if links(chart).tumour_of(item) is Tumour.OTHER:
        return Discarded(item.value_evidence(), REFUSALS[Tumour.OTHER])
    if not has_value(item):
        return Discarded(item.value_evidence(), "states no value")
    if _is_elsewhere(chart, item):
        return Discarded(item.value_evidence(), _ELSEWHERE)
    evidence, measured = item.value_evidence(), measure(item.data, PERCENT)
    band = [_CATEGORIES[name] for name in chart.meanings(item.coded_value) if name in _CATEGORIES]
    if reason := _unread(chart, item, band, measured):
        return _Estimate(LiverInvolvement(_ANY_PERCENT, item.date, method), (evidence,), item.why or reason)
    if band or not isinstance(measured, Measured):
        value = LiverInvolvement(hull(band), item.date, InvolvementMethod.CATEGORY)
        return _Estimate(value, (evidence,), item.why)
    words = "a value in free text needs a clinician's confirmation" if measured.needs_confirmation else ""
    return _Estimate(
        LiverInvolvement(measured.interval, item.date, method),
        (replace(evidence, value=measured.as_written),),
        item.why or words,
        measured.note,
    )


def _unread(chart: Chart, item: Resource, band: Sequence[Interval], said: Measured | Refused | None) -> str:
    """Why a statement may mean any percentage: of a part of the liver, not readable, or a band labelled as another."""
    if _is_of_a_part(chart, item):
        return _PART
    if band:
        is_other = (
            not said.interval.overlaps(hull(band))
            if isinstance(said, Measured)
            else said is not None and said.reason == LABELS_DIFFER
        )
        return "its label says another percentage than its code" if is_other else ""
    if isinstance(said, Measured):
        return ""
    return said.reason if said is not None else "its value cannot be read"


# --- tumour volume over liver volume of one study ---------------------------------------------------------------------

_PLAUSIBLE_LIVER = Interval(Decimal(500), Decimal(8000))  # mL (terminology.md 2 g)


@dataclass(frozen=True, slots=True)
class _Volume:
    """A measured volume; that of a part of the liver is at least, not exactly, the volume in the liver."""

    resource: Resource
    measured: Measured
    is_part: bool

    @property
    def evidence(self) -> Evidence:
        return self.resource.evidence("valueQuantity", self.measured.as_written)


def _volumetry(chart: Chart) -> list[_Estimate | Discarded]:
    tumours, refused = _volumes(chart, "liver-tumour-volume-code")
    measured, also_refused = _volumes(chart, "liver-volume-code")
    livers = [item for item in measured if not item.is_part]
    parts = [Discarded(item.evidence, _PART) for item in measured if item.is_part]
    pairs = [
        (tumour, liver)
        for tumour, liver in product(tumours, livers)
        if _same_study(chart, tumour.resource, liver.resource)
    ]
    paired = {id(part) for pair in pairs for part in pair}
    lone = [
        Discarded(part.evidence, "no second volume of the same study")
        for part in (*tumours, *livers)
        if id(part) not in paired
    ]
    studies = ([tumour for tumour, other in pairs if other is liver] for liver in livers)
    ratios = (_of_study(found, liver) for found, liver in zip(studies, livers, strict=True) if found)
    return [*refused, *also_refused, *parts, *lone, *ratios]


def _volumes(chart: Chart, name: str) -> tuple[list[_Volume], list[Discarded]]:
    found = chart.find({name}, "Observation")
    volumes: list[_Volume] = []
    refused: list[Discarded] = []
    for item in (*found.usable, *found.candidates):
        measured = None if item.is_absent else measure(item.data, VOLUME)
        if _is_elsewhere(chart, item):
            refused.append(Discarded(item.evidence("bodySite"), _ELSEWHERE))
        elif isinstance(measured, Measured) and measured.note is None:
            volumes.append(_Volume(item, measured, _is_of_a_part(chart, item)))
        else:
            reason = measured.reason if isinstance(measured, Refused) else "states no volume with a unit"
            refused.append(Discarded(item.evidence("valueQuantity"), reason))
    return volumes, refused


def _is_of_a_part(chart: Chart, item: Resource) -> bool:
    """Whether a statement has another site than the whole liver: a lobe, a segment, or one that is not known here."""
    site = item.data.get("bodySite")
    words = (label for concept in (site, item.data.get("code")) for label in labels(concept or {}))
    if any(map(names_part_of_liver, words)):
        return True
    named = [chart.terminology.meanings(coding.get("system"), coding.get("code")) for coding in codings(site)]
    return site is not None and not (named and all("body-site-liver" in found for found in named))


def _is_elsewhere(chart: Chart, item: Resource) -> bool:
    """Whether the body site is another organ, which is then not a part of the liver either."""
    meanings = chart.meanings(item.data.get("bodySite"))
    is_liver = meanings & {"body-site-liver", "metastasis-site-liver"}
    return not is_liver and any(name.startswith(("site-", "extrahepatic-", "nodes-")) for name in meanings)


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


def _of_study(tumours: Sequence[_Volume], liver: _Volume) -> _Estimate:
    """The share of one study. Several tumour volumes may be one a lesion: at least the largest counts, at most all.

    What is measured in a part of the liver leaves open what the rest of it holds.
    """
    sizes, total = [item.measured.interval for item in tumours], liver.measured.interval
    least, most = max(size.low for size in sizes), sum((size.high for size in sizes), Decimal(0))
    is_open = len(tumours) > 1 or tumours[0].is_part
    evidence = (*(item.evidence for item in tumours), liver.evidence)
    day = tumours[0].resource.date or liver.resource.date
    if total.low <= 0 or (least if is_open else most) > total.low:
        value = LiverInvolvement(_ANY_PERCENT, day, InvolvementMethod.VOLUMETRY)
        return _Estimate(value, evidence, "the tumour volume is not surely smaller than the liver volume")
    high = Decimal(100) if any(item.is_part for item in tumours) else most / total.low * 100
    percent = Interval(least / total.high * 100, min(high, Decimal(100)))
    is_plausible = _PLAUSIBLE_LIVER.low <= total.low and total.high <= _PLAUSIBLE_LIVER.high
    unconfirmed = next((item.resource.why for item in (*tumours, liver) if item.resource.why), "")
    doubt = unconfirmed or ("" if is_plausible else "the liver volume is not plausible")
    return _Estimate(LiverInvolvement(percent, day, InvolvementMethod.VOLUMETRY), evidence, doubt)
