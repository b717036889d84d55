"""From a record to facts: the table fact → reader, and the one function that applies it."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from datetime import date
from functools import cache
from typing import Any

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Fact, Facts
from fhir_mappings.inputs import inputs
from fhir_mappings.readers import (
    care,
    circumstances,
    extrahepatic,
    involvement,
    liver,
    patient,
    proliferation,
    site,
    treatment,
    tumour,
)
from fhir_mappings.record import PatientRecord
from fhir_mappings.site_profile import SiteProfile
from fhir_mappings.valueset import terminology

READERS: Mapping[str, Callable[[Chart], Fact[Any]]] = {
    reader.__name__: reader
    for reader in (
        patient.birth_date,
        patient.deceased,
        tumour.neuroendocrine_tumour,
        tumour.differentiation,
        site.primary_site,
        proliferation.ki67_percent,
        proliferation.mitotic_count,
        tumour.histologic_grade,
        liver.liver_metastases,
        involvement.liver_involvement_percent,
        liver.liver_resectability,
        extrahepatic.extrahepatic_disease,
        treatment.primary_resection,
        treatment.disease_response,
        care.transplant_status,
        care.other_malignancy,
        care.carcinoid_syndrome,
        care.carcinoid_heart_disease,
        circumstances.end_of_life_care,
        care.transplant_refusal,
        circumstances.pregnancy,
        circumstances.hereditary_syndrome,
        circumstances.general_comorbidity,
        care.open_orders,
    )
}
FACT_NAMES = tuple(
    field.name
    for field in fields(Facts)
    if field.name not in ("patient", "issues", "mendings", "foreign", "unread_parts")
)


@cache
def _nothing_recorded() -> Mapping[str, Fact[Any]]:
    """The facts of a complete record that holds nothing relevant: the answer for most patients of a hospital.

    Read once, by the readers themselves, from an empty record; what stands in the Patient is always read.
    """
    empty = PatientRecord("Patient/nobody", (), {}, lambda _: b"", {})
    chart = Chart(empty, date.max, terminology(), inputs())
    return {name: reader(chart) for name, reader in READERS.items() if inputs()[name].kinds != ("Patient",)}


def read_facts(record: PatientRecord, on: date, site_profile: SiteProfile | None = None) -> Facts:
    """Read all facts of a record as they stood on the day `on`.

    Never fails because of what a record says: what cannot be read becomes a gap with its reason, and every resource
    that could not be read is named in `Facts.issues`.
    """
    chart = Chart(record, on, site_profile.terminology if site_profile else terminology(), inputs())
    facts: dict[str, Fact[Any]] = dict(_nothing_recorded()) if chart.is_silent else {}
    for name, reader in READERS.items():
        if name not in facts:
            facts[name] = reader(chart)
    found = Facts(
        patient=record.patient,
        issues=chart.issues,
        mendings=chart.mendings,
        foreign=record.foreign,
        unread_parts=chart.unread_parts,
        **facts,
    )
    chart.memo.clear()  # it refers back to the chart: without this, whole records pile up until the collector comes by
    return found
