"""How fast the tumour grows, from its tissue: Ki-67 index and mitotic count."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import (
    Differentiation,
    Discarded,
    Evidence,
    Fact,
    Gap,
    GapKind,
    Grade,
    Ki67,
    Ki67Reading,
    MitosisUnit,
    MitoticCount,
    Note,
    Tissue,
)
from fhir_mappings.inputs import KI67_CODES
from fhir_mappings.interval import Interval, highest
from fhir_mappings.quantity import (
    MITOSES_PER_2_MM2,
    MITOSES_PER_10_HPF,
    PERCENT,
    Measured,
    Refused,
    Scale,
    measure,
    measure_text,
    naaccr_ki67,
)
from fhir_mappings.readers.histology import Tumour
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.tumour import differentiation, histologic_grade
from fhir_mappings.readers.tumour_links import REFUSALS, links, tissue_of
from fhir_mappings.resource import Resource, Use, codings
from fhir_mappings.site_relations import overlap
from fhir_mappings.when import PartialDate, recorded_date

_G1 = Interval(
    Decimal(0), Decimal(3), low_closed=True, high_closed=False
)  # WHO: G1 is Ki-67 < 3 % and mitoses < 2
_ANY_PERCENT = Interval(Decimal(0), Decimal(100))
_NO_VALUE = "states no value"


@dataclass(frozen=True, slots=True)
class _Reading:
    """One value of one resource. With a doubt it can only take certainty away, and without an interval may be any."""

    resource: Resource
    evidence: Evidence
    interval: Interval
    doubt: str = ""
    note: str | None = None


@once
def ki67_percent(chart: Chart) -> Fact[Ki67]:
    """The Ki-67 index over every specimen of the NET, in percent of tumour cells: the highest adequate value governs.

    A preliminary value, one among other words, one that could not be read and one that may be another tumour's can
    only raise the upper end (clinical.md 3).
    """
    readings, discarded = _ki67_readings(chart)
    usable = [item for item in readings if not item.doubt]
    doubtful = [item for item in readings if item.doubt]
    discarded += tuple(Discarded(item.evidence, item.doubt) for item in doubtful)
    if not usable:
        return _without_reading(chart, doubtful, discarded)
    is_blind = chart.blind("ki67_percent") is not None
    percent = _widened(usable, doubtful, _ANY_PERCENT if is_blind else None)
    return Fact(
        Ki67(percent, tuple(_specimen_reading(chart, item) for item in usable)),
        tuple(item.evidence for item in usable),
        discarded=discarded,
        notes=_notes(chart, usable, doubtful),
    )


def _specimen_reading(chart: Chart, item: _Reading) -> Ki67Reading:
    day = item.resource.date or _collected(chart, item.resource)
    return Ki67Reading(item.interval, _tissue(chart, item.resource), day, item.resource.reference)


def _widened(
    usable: Sequence[_Reading], doubtful: Sequence[_Reading], unseen: Interval | None = None
) -> Interval:
    """Where the highest value lies: doubtful and unseen values raise its upper end and never its lower one."""
    sure = highest(item.interval for item in usable)
    top = highest([sure, *(item.interval for item in doubtful), *([unseen] if unseen else [])])
    return Interval(sure.low, top.high, sure.low_closed, top.high_closed)


def _without_reading(
    chart: Chart, doubtful: Sequence[_Reading], discarded: tuple[Discarded, ...]
) -> Fact[Ki67]:
    if (blind := chart.blind("ki67_percent")) is not None:
        return Fact(gap=blind, discarded=discarded)
    if doubtful:
        gap = Gap(GapKind.INDETERMINATE, f"Ki-67 index: recorded, but {doubtful[0].doubt}.")
        return Fact(gap=gap, discarded=discarded)
    grade = histologic_grade(chart)
    is_net = differentiation(chart).value in (Differentiation.NET_G1, Differentiation.NET)
    if grade.value is None or grade.value.grade is not Grade.G1 or not is_net:
        return Fact(gap=chart.missing("ki67_percent"), discarded=discarded)
    note = Note("derived-from-grade", "No Ki-67 index on record; G1 means less than 3 %.")
    return Fact(Ki67(_G1, (), derived_from_grade=True), grade.evidence, discarded=discarded, notes=(note,))


def _notes(chart: Chart, usable: Sequence[_Reading], doubtful: Sequence[_Reading]) -> tuple[Note, ...]:
    only_primary = all(_tissue(chart, item.resource) is Tissue.PRIMARY for item in usable)
    blind = chart.blind("ki67_percent")
    found = (
        (only_primary, "primary-tissue-only", "Ki-67 was measured on the primary tumour only."),
        (
            any(item.note == "unit-missing" for item in usable),
            "unit-missing",
            "A Ki-67 value has no unit; it was read as percent.",
        ),
        (
            any(_is_breast_code(item.resource) for item in usable),
            "breast-code",
            "A Ki-67 value of the NET stands under a code for breast tumours.",
        ),
        (bool(doubtful), "unconfirmed", "An unconfirmed Ki-67 value was taken into account."),
        (blind is not None, "incomplete", blind.reason if blind else ""),
    )
    return tuple(Note(flag, text) for holds, flag, text in found if holds)


# --- readings ---------------------------------------------------------------------------------------------------------


def _ki67_readings(chart: Chart) -> tuple[list[_Reading], tuple[Discarded, ...]]:
    found = chart.find(KI67_CODES, "Observation")
    readings: list[_Reading] = []
    refused = list(chart.dropped("ki67_percent"))
    for item in (*found.usable, *found.candidates, *_mislabelled(chart)):
        if (refusal := _ki67_refusal(chart, item)) is not None:
            refused.append(Discarded(item.evidence("code"), refusal))
            continue
        doubt = _doubt(chart, item)
        for element, value in _values(chart, item):
            evidence = item.evidence(element, value.as_written)
            if isinstance(value, Measured):
                own = (
                    "a value in free text needs a clinician's confirmation"
                    if value.needs_confirmation
                    else ""
                )
                readings.append(_Reading(item, evidence, value.interval, doubt or own, value.note))
            elif value.as_written is None or doubt:
                refused.append(Discarded(evidence, value.reason))
            else:
                readings.append(_Reading(item, evidence, _ANY_PERCENT, value.reason))
    return readings, tuple(refused)


def _mislabelled(chart: Chart) -> list[Resource]:
    """Observations whose label says Ki-67 and whose code does not (terminology.md 0.6)."""
    found = chart.find({"mislabelled-code"}, "Observation")
    return [item for item in (*found.usable, *found.candidates) if _says_ki67(item)]


def _says_ki67(item: Resource) -> bool:
    code = item.data.get("code") or {}
    words = (code.get("text"), *(coding.get("display") for coding in codings(code)))
    return any(re.search(r"ki.?67|mib.?1\b", str(text), re.IGNORECASE) for text in words if text)


def _doubt(chart: Chart, item: Resource) -> str:
    """Why no value of an observation may count for certain."""
    if "mislabelled-code" in item.meanings:
        return "the code does not mean Ki-67, though its label says so"
    if item.use is not Use.USE:
        return item.why
    specimen = chart.by_reference(item.data.get("specimen"))
    if specimen is not None and specimen.use is Use.DROP:
        return f"its specimen does not count: {specimen.why}"
    return REFUSALS[Tumour.UNTOLD] if links(chart).tumour_of_tissue(item) is Tumour.UNTOLD else ""


def _is_breast_code(item: Resource) -> bool:
    return "ki67-code-breast" in item.meanings and "ki67-code" not in item.meanings


def _ki67_refusal(chart: Chart, item: Resource) -> str | None:
    """Why an observation says nothing of the Ki-67 index of the NET."""
    if "ki67-ordinal-code" in item.meanings:
        return "states no percentage"
    if links(chart).tumour_of_tissue(item) is Tumour.OTHER:
        return REFUSALS[Tumour.OTHER]
    if _is_breast_code(item) and not links(chart).is_linked_to_net(item):
        return "the code is for breast tumours, and nothing links it to the neuroendocrine tumour"
    return None


_Value = tuple[str, Measured | Refused]


def _values(chart: Chart, item: Resource) -> Iterable[_Value]:
    """The Ki-67 values of an observation; where its own is said to be absent, those of its components still count."""
    if "immunohistochemistry-code" in item.meanings:
        return _stained_values(chart, item)
    text = item.data.get("valueString")
    if "ki67-naaccr-code" in item.meanings and isinstance(text, str) and not item.is_absent:
        return [("valueString", _registry_value(text))]
    own = _measured(item.data)
    parts = [
        (f"component[{index}].{element}", value)
        for index, component in enumerate(item.data.get("component") or ())
        if chart.meanings(component.get("code")) & KI67_CODES
        for element, value in _measured(component)
    ]
    return own + parts or [("value", _no_value(item))]


def _no_value(item: Resource) -> Refused:
    return Refused(f"{_NO_VALUE} (data absent)" if item.is_absent else _NO_VALUE)


def _registry_value(text: str) -> Measured | Refused:
    """A NAACCR item; its codes for "not known" are no value, and no unreadable one."""
    value = naaccr_ki67(text)
    no_value = isinstance(value, Refused) and re.fullmatch(r"\s*XXX\.[789]\s*", text, re.IGNORECASE)
    return Refused(value.reason) if no_value and isinstance(value, Refused) else value


def _measured(holder: Mapping[str, Any]) -> list[_Value]:
    if holder.get("dataAbsentReason"):
        return []
    element = next((name for name in sorted(holder) if name.startswith("value")), "value")
    value = measure(holder, PERCENT)
    return [] if value is None else [(element, value)]


def _stained_values(chart: Chart, item: Resource) -> list[_Value]:
    """A generic immunohistochemistry: one component names the marker, the value or another one the percentage."""
    components = item.data.get("component") or ()
    genes = [part for part in components if "gene-studied-code" in chart.meanings(part.get("code"))]
    if not any("gene-mki67" in chart.meanings(part.get("valueCodeableConcept")) for part in genes):
        return []
    parts = [
        (f"component[{index}].{element}", value)
        for index, part in enumerate(components)
        if part not in genes and part.get("valueQuantity")
        for element, value in _measured(part)
    ]
    return _measured(item.data) or parts or [("value", _no_value(item))]


# --- specimens --------------------------------------------------------------------------------------------------------


def _tissue(chart: Chart, item: Resource) -> Tissue:
    """Where the specimen of an observation was taken: by its body site, or the body site of the specimen."""
    meanings = tissue_of(chart, item)
    if meanings & {"body-site-liver", "metastasis-site-liver"}:
        return Tissue.LIVER_METASTASIS
    site = primary_site(chart).value
    named = {name.removeprefix("site-") for name in meanings if name.startswith("site-")}
    if site is not None and overlap(named, site.sites):
        return Tissue.PRIMARY
    is_elsewhere = any(name.startswith(("extrahepatic-", "nodes-")) for name in meanings)
    return Tissue.OTHER_METASTASIS if is_elsewhere else Tissue.NOT_STATED


def _collected(chart: Chart, item: Resource) -> PartialDate | None:
    specimen = chart.by_reference(item.data.get("specimen"))
    collection = specimen.data.get("collection") if specimen is not None else None
    return recorded_date(collection.get("collectedDateTime")) if isinstance(collection, Mapping) else None


# --- mitoses ----------------------------------------------------------------------------------------------------------

_SCALES: tuple[tuple[MitosisUnit, Scale], ...] = (
    (MitosisUnit.PER_2_MM2, MITOSES_PER_2_MM2),
    (MitosisUnit.PER_10_HPF, MITOSES_PER_10_HPF),
)
_ANY_COUNT = Interval(Decimal(0), MITOSES_PER_2_MM2.maximum)


@once
def mitotic_count(chart: Chart) -> Fact[MitoticCount]:
    """The highest mitotic count of the NET, per 2 mm2 or per 10 high-power fields; the two are not converted.

    A doubtful count, and one without the area it was counted over, can only raise the upper end.
    """
    counts, discarded = _counts(chart)
    doubtful = [item for found in counts.values() for item in found if item.doubt]
    discarded += tuple(Discarded(item.evidence, item.doubt) for item in doubtful)
    sure = {unit: [item for item in found if not item.doubt] for unit, found in counts.items() if unit}
    sure = {unit: found for unit, found in sure.items() if found}
    blind = chart.blind("mitotic_count")
    if not sure or blind is not None:
        gap = blind or _no_count(chart, doubtful)
        return Fact(gap=gap, discarded=discarded)
    unit = max(sure, key=lambda name: highest(item.interval for item in sure[name]).high)  # never the milder
    other = [item for name, found in sure.items() if name is not unit for item in found]
    return Fact(
        MitoticCount(_widened(sure[unit], doubtful), unit),
        tuple(item.evidence for item in sure[unit]),
        discarded=discarded
        + tuple(Discarded(item.evidence, "counted over another area, and not higher") for item in other),
    )


def _no_count(chart: Chart, doubtful: Sequence[_Reading]) -> Gap:
    if doubtful:
        return Gap(GapKind.INDETERMINATE, f"Mitotic count: recorded, but {doubtful[0].doubt}.")
    return chart.missing("mitotic_count")


_Counts = dict[MitosisUnit | None, list[_Reading]]


def _counts(chart: Chart) -> tuple[_Counts, tuple[Discarded, ...]]:
    """The counts by their unit; under None those whose unit is not told."""
    found = chart.find({"mitosis-code", "mitosis-code-per-10-hpf"}, "Observation")
    counts: _Counts = {MitosisUnit.PER_2_MM2: [], MitosisUnit.PER_10_HPF: [], None: []}
    refused = list(chart.dropped("mitotic_count"))
    for item in (*found.usable, *found.candidates):
        if links(chart).tumour_of_tissue(item) is Tumour.OTHER:
            refused.append(Discarded(item.value_evidence(), REFUSALS[Tumour.OTHER]))
        elif item.is_absent or (counted := _counted(item)) is None:
            refused.append(Discarded(item.value_evidence(), _NO_VALUE))
        else:
            unit, interval, text = counted
            doubt = _doubt(chart, item) or ("" if unit else "the area it was counted over is not stated")
            counts[unit].append(_Reading(item, item.evidence("value", text), interval, doubt))
    return counts, tuple(refused)


def _counted(item: Resource) -> tuple[MitosisUnit | None, Interval, str | None] | None:
    """The unit, count and words of an observation; None where it holds no value at all."""
    read = [(unit, value) for unit, scale in _SCALES if (value := _count(item, scale)) is not None]
    for unit, value in read:
        if isinstance(value, Measured) and _has_unit(item, unit, value):
            return unit, value.interval, value.as_written
    return (None, _ANY_COUNT, read[0][1].as_written) if read else None


_COUNT_AND_UNIT = re.compile(
    r"\s*([<>=≤≥~]*\s*[\d.,]+(?:\s*[-–]\s*[\d.,]+)?)\s*((?:/|per\b)\s*.+)", re.IGNORECASE
)


def _count(item: Resource, scale: Scale) -> Measured | Refused | None:
    """A count; also in a text such as "1 /2mm2" of Dutch pathology."""
    text = item.data.get("valueString")
    match = _COUNT_AND_UNIT.fullmatch(text) if isinstance(text, str) and len(text) <= _A_LINE else None
    if match is None:
        return measure(item.data, scale)
    number, factor = measure_text(match[1], scale), scale.factor(match[2])
    if factor is None or not isinstance(number, Measured):
        return Refused(f"the unit is not one of {scale.name}", text)
    found = number.interval
    scaled = Interval(found.low * factor, found.high * factor, found.low_closed, found.high_closed)
    return Measured(scaled, match[0].strip())


_A_LINE = 80  # characters: a count and its unit, and no report


def _has_unit(item: Resource, unit: MitosisUnit, value: Measured) -> bool:
    if value.note in ("unit-missing", "text-value"):
        return unit is MitosisUnit.PER_10_HPF and "mitosis-code-per-10-hpf" in item.meanings
    return value.note is None and not value.needs_confirmation
