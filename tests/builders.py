"""Builds FHIR resources for tests, one small function a kind, and reads facts from them.

Every builder takes the elements that a test is about by name; whatever else a valid resource needs is filled in.
"""

import json
from collections.abc import Mapping
from datetime import date
from itertools import count
from typing import Any

import msgspec

from fhir_mappings.facts import Facts
from fhir_mappings.mapping import read_facts
from fhir_mappings.nodes import PrefetchValue
from fhir_mappings.prefetch import read_prefetch
from fhir_mappings.record import PatientRecord, read_file
from fhir_mappings.site_profile import SiteProfile

Json = dict[str, Any]
TODAY = date(2026, 11, 23)

SCT = "http://snomed.info/sct"
LOINC = "http://loinc.org"
ICD_CM = "http://hl7.org/fhir/sid/icd-10-cm"
ICD = "http://hl7.org/fhir/sid/icd-10"
ICD_GM = "http://fhir.de/CodeSystem/bfarm/icd-10-gm"
PCS = "http://www.cms.gov/Medicare/Coding/ICD10"
ICD_O = "http://terminology.hl7.org/CodeSystem/icd-o-3"
AJCC = "http://cancerstaging.org"
OWN = "urn:milan-net:codesystem:findings"
MII = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/mii-cs-onko-"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-"
NAACCR = "urn:milan-net:codesystem:naaccr-data-item"
_HL7 = "http://terminology.hl7.org/CodeSystem/"
_NUMBERS = count(1)


def concept(*codes: str, text: str | None = None) -> Json:
    """A CodeableConcept of codes written `system|code` or `system|code|display`."""
    coding = []
    for code in codes:
        system, value, *display = code.split("|")
        coding.append({"system": system, "code": value} | ({"display": display[0]} if display else {}))
    return ({"coding": coding} if coding else {}) | ({"text": text} if text else {})


def ref(resource: Json) -> Json:
    """A Reference to a resource."""
    return {"reference": f"{resource['resourceType']}/{resource['id']}"}


def _resource(kind: str, elements: Mapping[str, Any]) -> Json:
    own = {"resourceType": kind, "id": f"r{next(_NUMBERS):05}", "subject": {"reference": "Patient/p"}}
    return {key: value for key, value in {**own, **elements}.items() if value is not None}


def patient(**elements: Any) -> Json:
    """The Patient `p`, born in 1981."""
    return {"resourceType": "Patient", "id": "p", "birthDate": "1981-03-14", **elements}


def condition(
    *codes: str, clinical: str | None = "active", verification: str | None = "confirmed", **elements: Any
) -> Json:
    """A Condition with an onset in 2025."""
    given: Json = {"code": concept(*codes), "onsetDateTime": "2025-08-18"}
    if clinical:
        given["clinicalStatus"] = concept(f"{_HL7}condition-clinical|{clinical}")
    if verification:
        given["verificationStatus"] = concept(f"{_HL7}condition-ver-status|{verification}")
    return _resource("Condition", given | elements)


def observation(code: str, status: str = "final", on: str | None = "2026-10-20", **elements: Any) -> Json:
    """An Observation of October 2026."""
    return _resource(
        "Observation", {"status": status, "code": concept(code), "effectiveDateTime": on, **elements}
    )


def coded(code: str, *values: str, **elements: Any) -> Json:
    """An Observation with a coded value."""
    return observation(code, valueCodeableConcept=concept(*values), **elements)


def procedure(*codes: str, status: str = "completed", on: str | None = "2025-10-01", **elements: Any) -> Json:
    """A Procedure of October 2025."""
    return _resource(
        "Procedure", {"status": status, "code": concept(*codes), "performedDateTime": on, **elements}
    )


def report(code: str, *results: Json, status: str = "final", **elements: Any) -> Json:
    """A DiagnosticReport with its results."""
    given = {"status": status, "code": concept(code), "result": [ref(item) for item in results] or None}
    return _resource("DiagnosticReport", given | elements)


def specimen(*sites: str, **elements: Any) -> Json:
    """A Specimen with the site where it was taken."""
    return _resource(
        "Specimen", {"status": "available", "collection": {"bodySite": concept(*sites)}, **elements}
    )


def order(code: str, status: str = "active", **elements: Any) -> Json:
    """A ServiceRequest."""
    given = {"status": status, "intent": "order", "code": concept(code), "authoredOn": "2026-11-01"}
    return _resource("ServiceRequest", given | elements)


def percent(value: float | None, comparator: str | None = None, unit: str | None = "%") -> Json:
    """A Quantity; in percent unless another unit is given, None for no unit."""
    own = {"value": value, "comparator": comparator, "unit": unit, "code": unit}
    return {key: item for key, item in own.items() if item is not None}


def extension(name: str, *codes: str, target: Json | None = None) -> Json:
    """An mCODE extension with a coded value or a reference."""
    value = {"valueReference": ref(target)} if target else {"valueCodeableConcept": concept(*codes)}
    return {"url": f"{MCODE}{name}", **value}


# --- frequent resources -----------------------------------------------------------------------------------------------


def net(code: str = f"{ICD_CM}|C7A.012", **elements: Any) -> Json:
    """A NET of the ileum, if no other code is given."""
    return condition(code, **elements)


def histology(*values: str, **elements: Any) -> Json:
    """What the pathologist called the tumour."""
    return coded(f"{LOINC}|59847-4", *values, **elements)


def ki67(value: float | str | Json | None, code: str = f"{LOINC}|29593-1", **elements: Any) -> Json:
    """A Ki-67 index: a number of percent, a text, a Quantity, or none."""
    if isinstance(value, str):
        return observation(code, valueString=value, **elements)
    quantity = percent(value) if isinstance(value, int | float) else value
    return observation(code, valueQuantity=quantity, **elements)


def grade(value: str, **elements: Any) -> Json:
    """A histologic grade."""
    return coded(f"{LOINC}|33732-9", value, **elements)


def extrahepatic(value: str | None = "2667000", *, pet: bool = True, **elements: Any) -> Json:
    """The statement that there is disease outside the liver, or none; by whole-body PET unless told otherwise."""
    given: Json = {"method": concept(f"{SCT}|764695006")} if pet else {}
    if value:
        given["valueCodeableConcept"] = concept(f"{SCT}|{value}")
    return observation(f"{OWN}|extrahepatic-disease", **given | elements)


def response(value: str, on: str | None = "2026-10-20", **elements: Any) -> Json:
    """A disease assessment."""
    return coded(f"{LOINC}|97509-4", value, on=on, **elements)


# --- reading ----------------------------------------------------------------------------------------------------------


def bundle(*resources: Json) -> bytes:
    """A collection of resources as bytes."""
    entries = [{"resource": item} for item in resources]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries}).encode()


def record_of(*resources: Json) -> PatientRecord:
    """The record of patient `p`, who is added if missing."""
    has_patient = any(item["resourceType"] == "Patient" for item in resources)
    (record,) = read_file(bundle(*resources if has_patient else (patient(), *resources)))
    return record


def facts_of(*resources: Json, on: date = TODAY, profile: SiteProfile | None = None) -> Facts:
    """The facts of patient `p` on a day, read from resources and nothing else."""
    return read_facts(record_of(*resources), on, profile)


def facts_of_prefetch(prefetch: Mapping[str, Json | None], on: date = TODAY) -> Facts:
    """The facts of patient `p`, read from the prefetch of a hook request: a key that is missing was not sent."""
    body = json.dumps({"prefetch": prefetch}).encode()
    decoded = msgspec.json.decode(body, type=dict[str, dict[str, PrefetchValue]])["prefetch"]
    return read_facts(read_prefetch(decoded, body, "p"), on)


def searchset(*resources: Json) -> Json:
    """A page of search results."""
    return {
        "resourceType": "Bundle",
        "type": "searchset",
        "entry": [{"resource": item} for item in resources],
    }
