"""Holds what readers use of a resource against FHIR R4: the home of the `fhir.resources` models for reading.

`fhir.resources` has no R4 package; its R4B models serve R4 data for the types read here. They forbid unknown
elements, so they are handed only the elements that readers use, of one resource at a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from fhir.resources.R4B.codeableconcept import CodeableConcept
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.procedure import Procedure
from fhir.resources.R4B.reference import Reference
from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.specimen import Specimen
from pydantic import BaseModel, ValidationError

_MODELS: Mapping[str, type[BaseModel]] = {
    model.__name__: model
    for model in (Condition, DiagnosticReport, Observation, Patient, Procedure, ServiceRequest, Specimen)
}
_SUBJECT = Reference.model_validate({"reference": "Patient/subject"})
_CONCEPTS = ("code", "clinicalStatus", "verificationStatus", "valueCodeableConcept")


def nonconformance(kind: str, data: Mapping[str, Any]) -> str | None:
    """Why the elements of a resource are no valid R4, naming the elements and never a value; None when they are."""
    try:
        _MODELS[kind].model_validate(_with_known_parts(data))
    except ValidationError as error:
        return "; ".join(
            sorted({_named(kind, item) for item in error.errors(include_input=False, include_url=False)})
        )
    except (ValueError, TypeError, AssertionError):  # fhir.resources raises these for a few malformed shapes
        return "malformed"
    return None


def _with_known_parts(data: Mapping[str, Any]) -> dict[str, Any]:
    """Put parts that were validated before in place of their JSON: the same codes come in every chart.

    Only codings (system, code, display) are remembered, never a text, a value or a reference.
    """
    parts = dict(data)
    if isinstance(subject := parts.get("subject"), dict) and isinstance(subject.get("reference"), str):
        parts["subject"] = _SUBJECT  # whose resource it is was settled in record.py
    for name in _CONCEPTS:
        key = _codings(parts.get(name))
        if key is not None and (known := _valid_concept(key)) is not None:
            parts[name] = known
    return parts


_Key = tuple[tuple[tuple[str, str], ...], ...]


def _codings(concept: object) -> _Key | None:
    if (
        not isinstance(concept, dict)
        or not concept.keys() <= {"coding", "text"}
        or not isinstance(concept.get("coding"), list)
    ):
        return None
    if not isinstance(concept.get("text", ""), str):
        return None
    items = []
    for coding in concept["coding"]:
        if not isinstance(coding, dict) or not all(isinstance(value, str) for value in coding.values()):
            return None
        items.append(tuple(coding.items()))
    return tuple(items)


@lru_cache(maxsize=4096)
def _valid_concept(key: _Key) -> BaseModel | None:
    try:
        return CodeableConcept.model_validate({"coding": [dict(coding) for coding in key]})
    except ValidationError:
        return None


def _named(kind: str, error: Mapping[str, Any]) -> str:
    path = ".".join(str(step) for step in error["loc"] if not str(step)[:1].isupper() and step != "root")
    return f"{kind}.{path or 'value'} ({error['type']})"
