"""Circumstances beside the criteria that a board has to see: what follows from each stands in clinical.md 6."""

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import EndOfLifeCare, Fact, Presence
from fhir_mappings.readers.conditions import active_condition
from fhir_mappings.resource import Resource
from fhir_mappings.when import add_months

_PREGNANCY_MONTHS = 10  # of whatever day it is recorded on, a pregnancy has ended by then [judgement]


@once
def end_of_life_care(chart: Chart) -> Fact[EndOfLifeCare]:
    """Whether hospice or palliative care is on record; ICD-10-CM has a code for the latter only, which is no hospice."""
    found = active_condition(chart, "end_of_life_care")
    if found.value is None:
        return Fact(gap=found.gap, discarded=found.discarded)
    hospice = {item.reference for item in chart.find({"hospice-care"}, "Condition").usable}
    is_hospice = any(item.reference in hospice for item in found.evidence)
    care = EndOfLifeCare.HOSPICE if is_hospice else EndOfLifeCare.PALLIATIVE
    return Fact(care, found.evidence, discarded=found.discarded)


@once
def pregnancy(chart: Chart) -> Fact[Presence]:
    """Whether the patient is pregnant; an entry that nobody closed ends by itself, one without a day does not."""

    def is_over(item: Resource) -> bool:
        return item.date is not None and add_months(item.date.latest, _PREGNANCY_MONTHS) < chart.on

    return active_condition(chart, "pregnancy", is_over)


@once
def hereditary_syndrome(chart: Chart) -> Fact[Presence]:
    """Whether MEN 1 or von Hippel-Lindau syndrome is on record: several primaries are possible."""
    return active_condition(chart, "hereditary_syndrome")


@once
def general_comorbidity(chart: Chart) -> Fact[Presence]:
    """Whether disease that a transplant centre weighs is on record: listed for the clinician, never computed with."""
    return active_condition(chart, "general_comorbidity")
