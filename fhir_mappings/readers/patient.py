"""Facts of the Patient resource."""

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Discarded, Evidence, Fact, Gap, GapKind
from fhir_mappings.when import PartialDate, parse_date


def birth_date(chart: Chart) -> Fact[PartialDate]:
    """The date of birth; a year or month alone stays the interval that it is."""
    if chart.patient is None:
        return Fact(gap=chart.missing("birth_date"))
    text = chart.patient.data.get("birthDate")
    if text is None:
        return Fact(gap=Gap(GapKind.NOT_RECORDED, "Date of birth: not on record."))
    found = parse_date(text)
    if found is None or found.earliest > chart.on:
        return Fact(gap=Gap(GapKind.UNREADABLE, "Date of birth: what is recorded is no day in the past."))
    return Fact(found, (Evidence(chart.patient.reference, "birthDate", value=str(text)),))


def deceased(chart: Chart) -> Fact[bool]:
    """Whether the patient has died by the day of evaluation."""
    if chart.patient is None:
        return Fact(gap=chart.missing("deceased"))
    data, reference = chart.patient.data, chart.patient.reference
    if (flag := data.get("deceasedBoolean")) is not None:
        return Fact(flag, (Evidence(reference, "deceasedBoolean", value=str(flag).lower()),))
    if (day := parse_date(data.get("deceasedDateTime"))) is None:
        return Fact(gap=Gap(GapKind.NOT_RECORDED, "Vital status: not on record."))
    evidence = Evidence(reference, "deceasedDateTime", day, value=str(day))
    if day.earliest <= chart.on:
        return Fact(True, (evidence,))  # noqa: FBT003  the value of the fact
    later = Discarded(evidence, "dated after the day of evaluation")
    return Fact(
        gap=Gap(GapKind.NOT_RECORDED, "Vital status: no death by the day of evaluation."), discarded=(later,)
    )
