"""Facts of the Patient resource."""

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Discarded, Evidence, Fact, Gap, GapKind
from fhir_mappings.resource import Resource, Use
from fhir_mappings.when import PartialDate, parse_date, recorded_date


def _patients(chart: Chart) -> list[Resource]:
    """The Patient resource; several where versions of it disagree and none is the newest."""
    return [item for item in chart.resources if item.kind == "Patient" and item.use is not Use.DROP]


def birth_date(chart: Chart) -> Fact[PartialDate]:
    """The date of birth; a year or month alone stays the interval that it is."""
    patients = _patients(chart)
    if not patients:
        return Fact(gap=chart.missing("birth_date"))
    texts = list(dict.fromkeys(item.data.get("birthDate") for item in patients))
    if len(texts) > 1:
        return Fact(gap=Gap(GapKind.CONFLICTING, "Date of birth: versions of the patient disagree."))
    if texts[0] is None:
        return Fact(gap=Gap(GapKind.NOT_RECORDED, "Date of birth: not on record."))
    found = recorded_date(texts[0])
    if found is None or found.earliest > chart.on:
        return Fact(gap=Gap(GapKind.UNREADABLE, "Date of birth: what is recorded is no day in the past."))
    return Fact(found, (Evidence(patients[0].reference, "birthDate", value=str(texts[0])),))


def deceased(chart: Chart) -> Fact[bool]:
    """Whether the patient has died by the day of evaluation; of versions that disagree, the death counts."""
    patients = _patients(chart)
    if not patients:
        return Fact(gap=chart.missing("deceased"))
    read = [_deceased(chart, item) for item in patients]
    return max(read, key=lambda fact: (fact.value is True, fact.value is None))


def _deceased(chart: Chart, patient: Resource) -> Fact[bool]:
    data, reference = patient.data, patient.reference
    if (flag := data.get("deceasedBoolean")) is not None:
        return Fact(flag, (Evidence(reference, "deceasedBoolean", value=str(flag).lower()),))
    if (day := parse_date(data.get("deceasedDateTime"))) is None:
        return Fact(gap=Gap(GapKind.NOT_RECORDED, "Vital status: not on record."))
    evidence = Evidence(reference, "deceasedDateTime", day, value=str(day))
    if day.may_lie_by(chart.on):  # also one long ago that is no day: that the patient died was recorded
        return Fact(True, (evidence,))  # noqa: FBT003  the value of the fact
    gap = Gap(GapKind.NOT_RECORDED, "Vital status: no death by the day of evaluation.")
    return Fact(gap=gap, discarded=(Discarded(evidence, "dated after the day of evaluation"),))
