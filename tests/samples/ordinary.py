"""An ordinary chart of many years, to hide a patient's few facts in: laboratory values, visits, prescriptions and colds."""

from collections.abc import Iterator
from datetime import date, timedelta

from tests.samples.resources import HEMOGLOBIN, HL7, ICD10CM, LOINC, Json, category, coding, concept, quantity

_LABORATORY = (
    (HEMOGLOBIN, "g/dL", 12.4),
    ((LOINC, "2160-0", "Creatinine [Mass/volume] in Serum or Plasma"), "mg/dL", 0.8),
    ((LOINC, "2823-3", "Potassium [Moles/volume] in Serum or Plasma"), "mmol/L", 4.1),
    ((LOINC, "770-8", "Neutrophils/100 leukocytes in Blood by Automated count"), "%", 58.0),
    ((LOINC, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"), "%", 5.4),
    ((LOINC, "29463-7", "Body weight"), "kg", 71.0),
)
_EVERY = 10  # each tenth resource is no Observation


def ordinary_chart(subject: Json) -> Iterator[tuple[str, str, Json]]:
    """Laboratory values, visits, prescriptions and colds, every second day from 2014 on, without end."""
    day = date(2014, 1, 2)
    for number in range(10_000):
        on = (day + timedelta(days=2 * (number // 6) % 4600)).isoformat()
        if number % _EVERY:
            yield f"lab-{number}", "Observation", _laboratory(subject, number, on)
        else:
            yield _visit(subject, number, on)


def _laboratory(subject: Json, number: int, on: str) -> Json:
    code, unit, typical = _LABORATORY[number % len(_LABORATORY)]
    return {
        "status": "final",
        "category": category("laboratory" if unit != "kg" else "vital-signs"),
        "code": concept(code),
        "subject": subject,
        "effectiveDateTime": f"{on}T07:30:00Z",
        "valueQuantity": quantity(round(typical * (1 + number % 7 / 50), 1), unit),
    }


def _visit(subject: Json, number: int, on: str) -> tuple[str, str, Json]:
    ambulatory = coding((f"{HL7}/v3-ActCode", "AMB", "ambulatory"))
    lisinopril = ("http://www.nlm.nih.gov/research/umls/rxnorm", "314076", "lisinopril 10 MG Oral Tablet")
    cold = (ICD10CM, "J00", "Acute nasopharyngitis [common cold]")
    kind = number // _EVERY % 3
    if kind == 0:
        return (
            f"visit-{number}",
            "Encounter",
            {"status": "finished", "class": ambulatory, "subject": subject, "period": {"start": on}},
        )
    if kind == 1:
        given = {"status": "completed", "intent": "order", "medicationCodeableConcept": concept(lisinopril)}
        return f"drug-{number}", "MedicationRequest", {**given, "subject": subject, "authoredOn": on}
    status = concept((f"{HL7}/condition-clinical", "resolved", "Resolved"))
    return (
        f"cold-{number}",
        "Condition",
        {"clinicalStatus": status, "code": concept(cold), "subject": subject, "onsetDateTime": on},
    )
