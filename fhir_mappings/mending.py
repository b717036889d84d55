"""Straightens the known bends of real EHR data before validation, and says what it straightened.

Measured on public vendor-shaped records (242 Observations and Conditions): taken whole, 70 % fail strict validation; of
the elements that readers use, one in ten does, half of them for things that change no meaning: one object where a
list belongs, a list of one where an object belongs, padded strings, empty members, the forms of older FHIR versions.
Whatever else is wrong stays wrong, and validation says so.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Json = dict[str, Any]

ELEMENTS: Mapping[str, frozenset[str]] = {
    "Patient": frozenset({"birthDate", "_birthDate", "deceasedBoolean", "deceasedDateTime"}),
    "Condition": frozenset(
        {"clinicalStatus", "verificationStatus", "code", "bodySite", "stage", "subject", "extension"}
        | {"onsetDateTime", "onsetPeriod", "abatementDateTime", "abatementPeriod", "recordedDate"}
    ),
    "Observation": frozenset(
        {
            "status",
            "code",
            "subject",
            "bodySite",
            "method",
            "specimen",
            "focus",
            "component",
            "hasMember",
            "derivedFrom",
        }
        | {
            "extension",
            "partOf",
            "dataAbsentReason",
            "interpretation",
            "effectiveDateTime",
            "effectivePeriod",
            "effectiveInstant",
        }
        | {
            "valueQuantity",
            "valueCodeableConcept",
            "valueString",
            "valueBoolean",
            "valueInteger",
            "valueRange",
            "valueRatio",
        }
    ),
    "Procedure": frozenset(
        {
            "status",
            "code",
            "subject",
            "bodySite",
            "category",
            "reasonCode",
            "reasonReference",
            "outcome",
            "extension",
            "partOf",
            "report",
        }
        | {"performedDateTime", "performedPeriod"}
    ),
    "DiagnosticReport": frozenset(
        {
            "status",
            "code",
            "subject",
            "effectiveDateTime",
            "effectivePeriod",
            "result",
            "specimen",
            "imagingStudy",
            "conclusion",
            "conclusionCode",
        }
    ),
    "Specimen": frozenset({"status", "type", "subject", "collection", "parent"}),
    "ServiceRequest": frozenset({"status", "intent", "doNotPerform", "code", "subject", "authoredOn"}),
}
"""The elements that readers use, by type: nothing else is handed to validation, so an odd address costs no birth date."""

_LISTS: Mapping[str, frozenset[str]] = {
    "Condition": frozenset({"bodySite", "stage", "extension"}),
    "Observation": frozenset(
        {"focus", "component", "hasMember", "derivedFrom", "partOf", "interpretation", "extension"}
    ),
    "Procedure": frozenset({"bodySite", "reasonCode", "reasonReference", "partOf", "report", "extension"}),
    "DiagnosticReport": frozenset({"result", "specimen", "imagingStudy", "conclusionCode"}),
    "Specimen": frozenset({"parent"}),
}
_INNER_LISTS = frozenset({"coding", "extension"})
_CONCEPTS = frozenset(
    {"bodySite", "category", "code", "conclusionCode", "dataAbsentReason", "interpretation", "outcome"}
    | {"reasonCode", "summary", "valueCodeableConcept"}
)
_CODES = frozenset({"status", "intent"})
_BOOLEANS = frozenset({"deceasedBoolean", "doNotPerform", "valueBoolean"})
_EXTENSIONS_READ = re.compile(
    r"/(mcode-)?(histology-morphology-behavior|condition-related|related-condition|related-primary-cancer-condition|treatment-intent"
    r"|procedure-intent|mii-ex-onko-operation-intention)$"
)
_STATUS_SYSTEMS = {
    "clinicalStatus": "http://terminology.hl7.org/CodeSystem/condition-clinical",
    "verificationStatus": "http://terminology.hl7.org/CodeSystem/condition-ver-status",
}
_COMPACT_DATE = re.compile(r"(\d{4})(\d{2})(\d{2})")


def needs_mending(resource: Json) -> bool:
    """Whether a resource has a bend that validation lets pass although it hides what a status says."""
    for name in _CODES:
        code = resource.get(name)
        if isinstance(code, str) and code != code.lower().strip():
            return True
    return _was_not_done(resource)


def _was_not_done(resource: Json) -> bool:
    if "notDone" not in resource and "notPerformed" not in resource:
        return False
    said = (str(resource.get(name)).strip().lower() for name in ("notDone", "notPerformed"))
    return any(text in ("true", "1") for text in said)


def selected(resource: Json) -> Json:
    """The elements of a resource that readers use, as they stand."""
    names = ELEMENTS.get(str(resource.get("resourceType")), frozenset())
    result = {name: value for name, value in resource.items() if name in names}
    if "extension" in result:
        known = _read_extensions(result.pop("extension"))
        result.update({"extension": known} if known else {})
    return result


def _read_extensions(extensions: Any) -> list[Json]:
    given = extensions if isinstance(extensions, list) else [extensions]
    return [
        item for item in given if isinstance(item, dict) and _EXTENSIONS_READ.search(str(item.get("url")))
    ]


def mend(resource: Json) -> tuple[Json, tuple[tuple[str, str], ...]]:
    """The elements of a resource that readers use, straightened, and the pairs (element, what was mended)."""
    kind = str(resource.get("resourceType", ""))
    mended: list[tuple[str, str]] = []
    lists = _LISTS.get(kind, frozenset())
    result: Json = {}
    for name in ELEMENTS.get(kind, frozenset()) & resource.keys():
        value = _element(name, resource[name], mended, is_list=name in lists)
        if value is not None:
            result[name] = value
    _older_versions(kind, resource, result, mended)
    return result, tuple(sorted(set(mended)))


def _element(name: str, value: Any, mended: list[tuple[str, str]], *, is_list: bool) -> Any:
    value = _clean(name, value, mended)
    if value is None:
        return None
    if name == "extension":
        return _read_extensions(value) or None
    value = _as_concepts(name, name, value, mended)
    if is_list and not isinstance(value, list):
        mended.append((name, "a single value where a list belongs"))
        return [value]
    if not is_list and isinstance(value, list) and len(value) == 1:
        mended.append((name, "a list of one where a single value belongs"))
        value = value[0]
    return _scalar(name, value, mended)


def _clean(name: str, value: Any, mended: list[tuple[str, str]]) -> Any:
    """Strip padded strings, drop empty members (null, "", [], {}), and put lone codings into lists, all the way down."""
    if isinstance(value, str):
        return _stripped(name, value, mended)
    if isinstance(value, dict):
        return _cleaned_object(name, value, mended)
    if isinstance(value, list):
        items = [item for item in (_clean(name, item, mended) for item in value) if item is not None]
        if len(items) != len(value):
            mended.append((name, "empty members"))
        return items or None
    return value


def _stripped(name: str, value: str, mended: list[tuple[str, str]]) -> str | None:
    clean = value.strip()
    if clean != value:
        mended.append((name, "padded text"))
    return clean or None


def _cleaned_object(name: str, value: Json, mended: list[tuple[str, str]]) -> Json | None:
    result: Json = {}
    for key, item in value.items():
        clean = _clean(f"{name}.identifier" if key == "identifier" else name, item, mended)
        if clean is None:
            mended.append((name, "empty members"))
        elif key in _CONCEPTS and not isinstance(clean, str):
            result[key] = _as_concepts(key, f"{name}.{key}", clean, mended)
        elif key in _INNER_LISTS and isinstance(clean, dict):
            mended.append((f"{name}.{key}", "a single value where a list belongs"))
            result[key] = [clean]
        elif (
            key == "value"
            and isinstance(clean, str)
            and re.fullmatch(r"-?\d+([.,]\d+)?", clean)
            and "url" not in value
            and not name.endswith(".identifier")
        ):
            mended.append((f"{name}.value", "a number written as text"))
            result[key] = float(clean.replace(",", "."))
        else:
            result[key] = clean
    return result or None


def _as_concepts(name: str, place: str, value: Any, mended: list[tuple[str, str]]) -> Any:
    """Codings that stand where concepts belong, as concepts of one coding."""
    if name not in _CONCEPTS:
        return value
    if isinstance(value, list):
        return [_as_concepts(name, place, item, mended) for item in value]
    if not isinstance(value, dict) or "coding" in value or not isinstance(value.get("code"), str):
        return value
    mended.append((place, "a coding where a concept belongs"))
    words = {"text": value["text"]} if "text" in value else {}
    return {"coding": [{key: item for key, item in value.items() if key != "text"}], **words}


def _scalar(name: str, value: Any, mended: list[tuple[str, str]]) -> Any:
    if name in _CODES and isinstance(value, str) and value != value.lower():
        mended.append((name, "capitals in a code"))
        return value.lower()
    if name in _BOOLEANS and isinstance(value, str) and value.lower() in ("true", "false"):
        mended.append((name, "a boolean written as text"))
        return value.lower() == "true"
    if name in _STATUS_SYSTEMS and isinstance(value, str):
        mended.append((name, "a code where a concept belongs"))
        return {"coding": [{"system": _STATUS_SYSTEMS[name], "code": value.lower()}]}
    if (
        name.endswith(("Date", "DateTime", "authoredOn"))
        and isinstance(value, str)
        and (match := _COMPACT_DATE.fullmatch(value))
    ):
        mended.append((name, "a date without hyphens"))
        return "-".join(match.groups())
    return value


def _older_versions(kind: str, resource: Json, result: Json, mended: list[tuple[str, str]]) -> None:
    """`notDone` of STU3 and `notPerformed` of DSTU2 say the opposite of their status, so they must not be lost."""
    if kind == "Procedure" and _was_not_done(resource):
        result["status"] = "not-done"
        mended.append(("status", "not-done of an older FHIR version"))
