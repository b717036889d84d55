"""Holds what readers use of a resource against FHIR R4: the home of the `fhir.resources` models for reading.

`fhir.resources` has no R4 package; its R4B models serve R4 data for the types read here. They forbid unknown
elements, so they are handed only the elements that readers use, of one resource at a time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from functools import lru_cache
from typing import Any

import orjson
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.diagnosticreport import DiagnosticReport
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.procedure import Procedure
from fhir.resources.R4B.servicerequest import ServiceRequest
from fhir.resources.R4B.specimen import Specimen
from pydantic import BaseModel, ValidationError

_MODELS: Mapping[str, type[BaseModel]] = {
    model.__name__: model
    for model in (Condition, DiagnosticReport, Observation, Patient, Procedure, ServiceRequest, Specimen)
}


def nonconformance(kind: str, data: Mapping[str, Any]) -> str | None:
    """Why the elements of a resource are no valid R4, naming the elements and never a value; None when they are.

    Whether a resource is valid depends on its elements, types and codes, not on which day, number, text or reference
    stands in it, once those are well-formed. So the verdict on a form is remembered, without any of these.
    """
    try:
        form = orjson.dumps(_form("", data))
    except (_OddValueError, orjson.JSONEncodeError):
        return _nonconformance(kind, data)
    return _remembered(kind, form)


def _nonconformance(kind: str, data: Mapping[str, Any]) -> str | None:
    try:
        model = _MODELS[kind].model_validate(data)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        return "; ".join(sorted({_named(kind, item) for item in found}))
    except (ValueError, TypeError, AssertionError, AttributeError):  # for a few malformed shapes
        return f"{kind} {_OTHER_FORM}"
    values = {name: getattr(model, name, None) for name in data}
    loose = sorted(name for name, item in data.items() if _is_converted(values[name], item))
    return "; ".join(f"{kind}.{name} {_loosely(values[name])}" for name in loose) or None


def _loosely(value: object) -> str:
    """What to say of an element that validation made `value` of."""
    return _WORDS["bool_type"] if isinstance(value, bool) else _OTHER_FORM


def _is_converted(model: object, value: object) -> bool:
    """Whether validation passed only because it made another type of the value, which readers will not do.

    It takes "no" and 0 for booleans, numbers for days, and a text that holds JSON for an object.
    """
    if isinstance(model, BaseModel):
        return not isinstance(value, dict) or any(
            _is_converted(getattr(model, name, None), item) for name, item in value.items()
        )
    if isinstance(model, list):
        return not isinstance(value, list) or any(map(_is_converted, model, value))
    return (isinstance(model, bool) and not isinstance(value, bool)) or (
        isinstance(model, date) and not isinstance(value, str)
    )


@lru_cache(maxsize=4096)
def _remembered(kind: str, form: bytes) -> str | None:
    return _nonconformance(kind, orjson.loads(form))


# --- forms: a resource without the values that are a patient's own --------------------------------------------------------

_DATE = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])-(0[1-9]|1\d|2[0-8])")
_DATE_TIME = re.compile(
    _DATE.pattern + r"T([01]\d|2[0-3]):[0-5]\d:[0-5]\d(\.\d{1,6})?(Z|[+-](0\d|1[0-3]):[0-5]\d)"
)
_FREE_TEXT = frozenset({"display", "text", "unit", "reference", "valueString", "conclusion"})
_CODES = frozenset({"system", "code", "url", "comparator", "status", "intent", "version"})


class _OddValueError(Exception):
    """A value that is not well-formed: what is said of its form says nothing of it."""


def _form(name: str, value: Any) -> Any:
    """A value with well-formed days, numbers, texts and references replaced by fixed ones."""
    kind = type(value)
    if kind is str:
        return value if name in _CODES else _form_of_text(name, value)
    if kind is dict:
        return {key: _form(key, item) for key, item in value.items()}
    if kind is list:
        return [_form(name, item) for item in value]
    if kind is int or kind is float:
        return 1 if kind is int else 1.5
    if kind is bool:
        return value
    raise _OddValueError


def _form_of_text(name: str, text: str) -> str:
    if name in _FREE_TEXT:
        if text and text.isprintable() and text == text.strip():
            return "text"
    elif _DATE.fullmatch(text):
        return "2000-01-01"
    elif _DATE_TIME.fullmatch(text):
        return "2000-01-01T00:00:00Z"
    raise _OddValueError


# --- what is wrong, in words ----------------------------------------------------------------------------------------------

_OTHER_FORM = "has another form than FHIR says"
_WORDS: Mapping[str, str] = {
    "missing": "is missing",
    "model_field_validation.missing": "is missing",
    "bool_type": "is neither true nor false",
    "bool_parsing": "is neither true nor false",
    "int_type": "is no whole number",
    "int_parsing": "is no whole number",
    "int_from_float": "is no whole number",
}
_BELONGS: Mapping[str, str] = {
    "string_type": "one text belongs",
    "list_type": "a list belongs",
    "model_validation_format": "one object belongs",
    "json_invalid": "one object belongs",  # the library tries to read a text as JSON
    "date_type": "one date belongs",
    "datetime_type": "one date belongs",
}
_GIVEN: Mapping[type, str] = {
    list: "is a list",
    dict: "is an object",
    str: "is a text",
    bool: "is true or false",
    int: "is a number",
    float: "is a number",
}
_YEAR_MONTH_DAY = re.compile(r"(\d{4}-\d{2})(-\d{2})?(T.*)?", re.DOTALL)
_CODES_OF_FHIR = frozenset({"code", "status", "intent", "comparator"})
_DATED = re.compile(r"(?i)(date|start|end)[a-z]*$|(date|time)$")


def _named(kind: str, error: Mapping[str, Any]) -> str:
    """The element and what is wrong with it, without its value."""
    steps = error["loc"]
    if error["type"] == "extra_forbidden":  # not a name of the record's own
        steps = steps[:-1]
    path = ".".join(str(step) for step in steps if not str(step)[:1].isupper() and step != "root")
    return f"{kind}{'.' if path else ''}{path} {_wrong(error, path)}"


def _wrong(error: Mapping[str, Any], path: str) -> str:
    what, given = error["type"], error.get("input")
    if what in _WORDS:
        return _WORDS[what]
    if what in _BELONGS and type(given) in _GIVEN:
        is_code = what == "string_type" and path.rpartition(".")[2] in _CODES_OF_FHIR
        return f"{_GIVEN[type(given)]} where {'one code belongs' if is_code else _BELONGS[what]}"
    if isinstance(given, str) and (what.startswith("date") or _DATED.search(path)):
        return "is no date as FHIR writes one" if _may_be_day(given) else "is no day of the calendar"
    return _OTHER_FORM


def _may_be_day(text: str) -> bool:
    """Whether a text that is no date names a day all the same, or not even looks like one."""
    looks = _YEAR_MONTH_DAY.fullmatch(text)
    if looks is None:
        return True
    try:
        date.fromisoformat(looks[1] + (looks[2] or "-01"))
    except ValueError:
        return False
    return True
