"""How fast the tumour grows, from its tissue: Ki-67 index and mitotic count."""

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
    measure,
    naaccr_ki67,
)
from fhir_mappings.readers.histology import Tumour, links
from fhir_mappings.readers.site import primary_site
from fhir_mappings.readers.tumour import differentiation, histologic_grade
from fhir_mappings.resource import Resource, Use

_G1 = Interval(
    Decimal(0), Decimal(3), low_closed=True, high_closed=False
)  # WHO: G1 is Ki-67 < 3 % and mitoses < 2


@dataclass(frozen=True, slots=True)
class _Reading:
    """One value read from one resource; a candidate can only take certainty away."""

    measured: Measured
    resource: Resource
    element: str
    is_candidate: bool

    @property
    def evidence(self) -> Evidence:
        return self.resource.evidence(self.element, self.measured.as_written)


@once
def ki67_percent(chart: Chart) -> Fact[Ki67]:
    """The Ki-67 index over every specimen of the NET, in percent of tumour cells: the highest adequate value governs.

    A preliminary or text-only value, and a value that could not be read, can only raise the upper end.
    """
    readings, discarded = _readings(chart)
    usable = [item for item in readings if not item.is_candidate]
    candidates = [item for item in readings if item.is_candidate]
    discarded += [Discarded(item.evidence, _candidate_reason(item)) for item in candidates]
    if not usable:
        return _without_reading(chart, candidates, tuple(discarded))
    percent = _widened(
        highest(item.measured.interval for item in usable),
        candidates,
        is_blind=chart.blind("ki67_percent") is not None,
    )
    tissues = tuple(
        Ki67Reading(
            item.measured.interval, _tissue(chart, item.resource), item.resource.date, item.resource.reference
        )
        for item in usable
    )
    return Fact(
        Ki67(percent, tissues),
        tuple(item.evidence for item in usable),
        discarded=tuple(discarded),
        notes=_notes(chart, usable, candidates),
    )


def _widened(percent: Interval, candidates: Sequence[_Reading], *, is_blind: bool) -> Interval:
    top = highest([percent, *(item.measured.interval for item in candidates)])
    if is_blind:
        return Interval(percent.low, Decimal(100), percent.low_closed, high_closed=True)
    return Interval(percent.low, top.high, percent.low_closed, top.high_closed)


def _without_reading(
    chart: Chart, candidates: Sequence[_Reading], discarded: tuple[Discarded, ...]
) -> Fact[Ki67]:
    if (blind := chart.blind("ki67_percent")) is not None:
        return Fact(gap=blind, discarded=discarded)
    if candidates:
        return Fact(
            gap=Gap(GapKind.INDETERMINATE, f"Ki-67 index: {_candidate_reason(candidates[0])}."),
            discarded=discarded,
        )
    said = differentiation(chart)
    grade = histologic_grade(chart)
    if said.value is Differentiation.NET_G1 or (grade.value is not None and grade.value.grade.value == "G1"):
        source = grade if grade.value is not None else said
        note = Note("derived-from-grade", "No Ki-67 index on record; G1 means less than 3 %.")
        return Fact(
            Ki67(_G1, (), derived_from_grade=True), source.evidence, discarded=discarded, notes=(note,)
        )
    return Fact(gap=chart.missing("ki67_percent"), discarded=discarded)


def _candidate_reason(item: _Reading) -> str:
    return item.resource.why or "a value in free text needs a clinician's confirmation"


def _notes(chart: Chart, usable: Sequence[_Reading], candidates: Sequence[_Reading]) -> tuple[Note, ...]:
    notes = []
    if all(_tissue(chart, item.resource) is Tissue.PRIMARY for item in usable):
        notes.append(Note("primary-tissue-only", "Ki-67 was measured on the primary tumour only."))
    if any(item.measured.note == "unit-missing" for item in usable):
        notes.append(Note("unit-missing", "A Ki-67 value has no unit; it was read as percent."))
    if candidates:
        notes.append(Note("unconfirmed", "An unconfirmed Ki-67 value was taken into account."))
    if (blind := chart.blind("ki67_percent")) is not None:
        notes.append(Note("incomplete", blind.reason))
    return tuple(notes)


def _readings(chart: Chart) -> tuple[list[_Reading], list[Discarded]]:
    found = chart.find(KI67_CODES, "Observation")
    readings: list[_Reading] = []
    discarded = list(found.discarded)
    discarded += [
        Discarded(item.evidence("code"), "the code does not mean Ki-67, whatever its label says")
        for item in chart.find({"mislabelled-code"}, "Observation").usable
    ]
    for item in (*found.usable, *found.candidates):
        if (refusal := _refusal(chart, item)) is not None:
            discarded.append(Discarded(item.evidence("code"), refusal))
            continue
        for element, measured in _values(chart, item):
            if isinstance(measured, Refused):
                discarded.append(Discarded(item.evidence(element, measured.as_written), measured.reason))
            else:
                candidate = (
                    item.use is not Use.USE
                    or measured.needs_confirmation
                    or links(chart).tumour_of(item) is Tumour.UNTOLD
                )
                readings.append(_Reading(measured, item, element, candidate))
    return readings, discarded


def _refusal(chart: Chart, item: Resource) -> str | None:
    if item.meanings & {"ki67-ordinal-code"}:
        return "states no percentage"
    tumour = links(chart).tumour_of(item)
    if tumour is Tumour.OTHER:
        return "belongs to another tumour"
    if (
        item.meanings & {"ki67-code-breast"}
        and not item.meanings & {"ki67-code"}
        and not links(chart).is_linked_to_net(item)
    ):
        return "the code is for breast tumours, and nothing links it to the neuroendocrine tumour"
    return None


def _values(chart: Chart, item: Resource) -> Iterable[tuple[str, Measured | Refused]]:
    if item.meanings & {"immunohistochemistry-code"}:
        return _stained_values(chart, item)
    if item.meanings & {"ki67-naaccr-code"} and isinstance(text := item.data.get("valueString"), str):
        return [("valueString", naaccr_ki67(text))]
    return (
        _measured_elements(item.data, "")
        or [
            (f"component[{index}].{element}", value)
            for index, component in enumerate(item.data.get("component") or ())
            if chart.meanings(component.get("code")) & KI67_CODES
            for element, value in _measured_elements(component, "")
        ]
        or [("value", Refused(_absent(item)))]
    )


def _measured_elements(holder: Mapping[str, Any], prefix: str) -> list[tuple[str, Measured | Refused]]:
    measured = measure(holder, PERCENT)
    element = next((name for name in holder if name.startswith("value")), "value")
    return [] if measured is None else [(prefix + element, measured)]


def _stained_values(chart: Chart, item: Resource) -> list[tuple[str, Measured | Refused]]:
    """A generic immunohistochemistry: one component names the marker, the value or another one the percentage."""
    components = item.data.get("component") or ()
    genes = [part for part in components if "gene-studied-code" in chart.meanings(part.get("code"))]
    if not any("gene-mki67" in chart.meanings(part.get("valueCodeableConcept")) for part in genes):
        return []
    own = _measured_elements(item.data, "")
    return own or [
        (f"component.{element}", value)
        for part in components
        if part not in genes and part.get("valueQuantity")
        for element, value in _measured_elements(part, "")
    ]


def _absent(item: Resource) -> str:
    return "states no value (data absent)" if item.data.get("dataAbsentReason") else "states no value"


def _tissue(chart: Chart, item: Resource) -> Tissue:
    """Where the specimen of an observation was taken: by its body site, or the body site of the specimen."""
    specimen = chart.by_reference(item.data.get("specimen"))
    concepts = [item.data.get("bodySite")]
    if specimen is not None:
        concepts.append((specimen.data.get("collection") or {}).get("bodySite"))
    meanings = frozenset().union(*(chart.meanings(concept) for concept in concepts))
    if meanings & {"body-site-liver", "metastasis-site-liver"}:
        return Tissue.LIVER_METASTASIS
    site = primary_site(chart).value
    named = {name.removeprefix("site-") for name in meanings if name.startswith("site-")}
    if site is not None and named & set(site.sites):
        return Tissue.PRIMARY
    return (
        Tissue.OTHER_METASTASIS
        if any(name.startswith(("extrahepatic-", "nodes-")) for name in meanings)
        else Tissue.NOT_STATED
    )


@once
def mitotic_count(chart: Chart) -> Fact[MitoticCount]:
    """The highest mitotic count of the NET, per 2 mm2 or per 10 high-power fields; the two are not converted."""
    found = chart.find({"mitosis-code", "mitosis-code-per-10-hpf"}, "Observation")
    counts: list[tuple[MitoticCount, Resource, str]] = []
    discarded = list(found.discarded)
    for item in (*found.usable, *found.candidates):
        count = _count(chart, item)
        if isinstance(count, Refused):
            discarded.append(Discarded(item.evidence("value", count.as_written), count.reason))
        else:
            counts.append((count[0], item, count[1].as_written))
    if not counts or chart.blind("mitotic_count") is not None:
        return Fact(gap=chart.missing("mitotic_count"), discarded=tuple(discarded))
    unit = (
        MitosisUnit.PER_2_MM2
        if any(count.unit is MitosisUnit.PER_2_MM2 for count, _, _ in counts)
        else MitosisUnit.PER_10_HPF
    )
    used = [(count, item, text) for count, item, text in counts if count.unit is unit]
    discarded += [
        Discarded(item.evidence("value", text), "counted over another area")
        for count, item, text in counts
        if count.unit is not unit
    ]
    return Fact(
        MitoticCount(highest(count.count for count, _, _ in used), unit),
        tuple(item.evidence("value", text) for _, item, text in used),
        discarded=tuple(discarded),
    )


def _count(chart: Chart, item: Resource) -> tuple[MitoticCount, Measured] | Refused:
    if item.use is not Use.USE:
        return Refused(item.why)
    if links(chart).tumour_of(item) is not Tumour.NET:
        return Refused("does not belong to the neuroendocrine tumour, or does not say so")
    per_area = measure(item.data, MITOSES_PER_2_MM2)
    if isinstance(per_area, Measured) and per_area.note is None:
        return MitoticCount(per_area.interval, MitosisUnit.PER_2_MM2), per_area
    per_field = measure(item.data, MITOSES_PER_10_HPF)
    has_unit = isinstance(per_field, Measured) and (
        per_field.note is None or "mitosis-code-per-10-hpf" in item.meanings
    )
    if isinstance(per_field, Measured) and has_unit:
        return MitoticCount(per_field.interval, MitosisUnit.PER_10_HPF), per_field
    return Refused("the unit of the count is not stated")
