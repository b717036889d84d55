"""Hook requests of a realistic size: a patient with 20 Conditions and many laboratory results, with or without a NET."""

import json
import random
from pathlib import Path
from typing import Any

Json = dict[str, Any]
PATIENT = "bench"
_KEYS = ("conditions", "observations", "procedures", "reports", "specimens", "orders")
_LOINC, _SNOMED = "http://loinc.org", "http://snomed.info/sct"
_TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
_SAMPLE = Path(__file__).parents[2] / "sample_bundles" / "requests" / "meets.json"


def without_net(observations: int = 200, conditions: int = 20) -> bytes:
    """A patient-view request of an ordinary chart (about 290 kB with 200 observations)."""
    parts: dict[str, list[Json]] = {key: [] for key in _KEYS}
    chance = random.Random(1)  # noqa: S311  bodies have to be the same in every run
    parts["conditions"] = [_condition(number, chance) for number in range(conditions)]
    parts["observations"] = [_laboratory_result(number, chance) for number in range(observations)]
    return _request({"resourceType": "Patient", "id": PATIENT, "birthDate": "1970-01-01"}, parts)


def with_net(relevant: int = 25) -> bytes:
    """The same chart with `relevant` resources that decide: the sample `meets` and further response assessments."""
    sample = json.loads(_SAMPLE.read_bytes())
    moved = json.loads(
        json.dumps(sample["prefetch"]).replace(
            f"Patient/{sample['context']['patientId']}", f"Patient/{PATIENT}"
        )
    )
    ordinary = json.loads(without_net(200 - relevant))["prefetch"]
    parts = {
        key: [entry["resource"] for value in (moved, ordinary) for entry in value[key].get("entry", [])]
        for key in _KEYS
    }
    decisive = sum(len(moved[key].get("entry", [])) for key in _KEYS) + 1
    parts["observations"] += [_assessment(number) for number in range(max(0, relevant - decisive))]
    return _request({**moved["patient"], "id": PATIENT}, parts)


def _request(patient: Json, parts: dict[str, list[Json]]) -> bytes:
    bundles = {key: _bundle(resources) for key, resources in parts.items()}
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/bench", "patientId": PATIENT},
        "prefetch": {"patient": patient, **bundles},
    }
    return json.dumps(body).encode()


def _bundle(resources: list[Json]) -> Json:
    entries = [
        {
            "fullUrl": f"https://ehr.example.org/fhir/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in resources
    ]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def _concept(system: str, code: str, display: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": display}]}


def _condition(number: int, chance: random.Random) -> Json:
    return {
        "resourceType": "Condition",
        "id": f"condition-{number}",
        "clinicalStatus": _concept(f"{_TERMINOLOGY}/condition-clinical", "active", "Active"),
        "verificationStatus": _concept(f"{_TERMINOLOGY}/condition-ver-status", "confirmed", "Confirmed"),
        "category": [
            _concept(f"{_TERMINOLOGY}/condition-category", "problem-list-item", "Problem List Item")
        ],
        "code": {
            "coding": [
                {
                    "system": _SNOMED,
                    "code": str(chance.randrange(10**7, 10**8)),
                    "display": "Hypertensive disorder",
                },
                {
                    "system": "http://hl7.org/fhir/sid/icd-10-cm",
                    "code": "I10",
                    "display": "Essential hypertension",
                },
            ],
            "text": "Hypertension",
        },
        "subject": {"reference": f"Patient/{PATIENT}", "display": "Bench, Patient"},
        "encounter": {"reference": "Encounter/1"},
        "onsetDateTime": "2019-05-01",
        "recordedDate": "2019-05-02",
    }


def _laboratory_result(number: int, chance: random.Random) -> Json:
    unit = {"unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"}
    return {
        "resourceType": "Observation",
        "id": f"result-{number}",
        "meta": {"versionId": "1", "lastUpdated": "2026-01-01T00:00:00Z", "source": "urn:bench"},
        "identifier": [{"system": "urn:oid:1.2.3.4", "value": str(number)}],
        "status": "final",
        "category": [_concept(f"{_TERMINOLOGY}/observation-category", "laboratory", "Laboratory")],
        "code": {
            "coding": [
                {
                    "system": _LOINC,
                    "code": f"{chance.randrange(1000, 99999)}-7",
                    "display": "Glucose in Serum",
                },
                {
                    "system": "urn:oid:1.2.840.114350.1.13.0.1.7.2.768282",
                    "code": str(number),
                    "display": "GLUCOSE",
                },
            ],
            "text": "Glucose",
        },
        "subject": {"reference": f"Patient/{PATIENT}", "display": "Bench, Patient"},
        "encounter": {"reference": "Encounter/1"},
        "effectiveDateTime": "2026-01-01T10:00:00Z",
        "issued": "2026-01-01T11:00:00.000Z",
        "performer": [{"reference": "Practitioner/1", "display": "Doctor, Some"}],
        "valueQuantity": {"value": round(chance.uniform(50, 200), 1), **unit},
        "interpretation": [_concept(f"{_TERMINOLOGY}/v3-ObservationInterpretation", "N", "Normal")],
        "referenceRange": [
            {"low": {"value": 70, **unit}, "high": {"value": 100, **unit}, "text": "70-100 mg/dL"}
        ],
    }


def _assessment(number: int) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"assessment-{number}",
        "status": "final",
        "code": _concept(_LOINC, "97509-4", "Cancer disease status"),
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": f"2026-{number % 9 + 1:02}-{number % 27 + 1:02}",
        "valueCodeableConcept": _concept(_SNOMED, "359746009", "Patient's condition stable"),
    }
