"""What FHIR elements say, as the short texts in the tables of a chart; of any shape, since charts are what they are."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

Json = Mapping[str, Any]
_TAG: Final = re.compile(
    r" \((disorder|procedure|finding|body structure|qualifier value|morphologic abnormality|observable entity|situation"
    r"|regime/therapy|specimen|person|event)\)$"
)


def concept(value: Any) -> str:
    """A CodeableConcept or Coding, or several: the text, else the first display, else the code."""
    if isinstance(value, list):
        return "; ".join(filter(None, map(concept, value)))
    if not isinstance(value, dict):
        return value if isinstance(value, str) else ""
    own = value.get("text") or value.get("display")
    if isinstance(own, str):
        return _TAG.sub("", own)
    codings = value.get("coding")
    if isinstance(codings, list):
        return next(filter(None, map(concept, codings)), "")
    return plain(value.get("code"))


def plain(value: Any) -> str:
    """A value that should be one word or number; of any other shape its words, and that it cannot be read."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, str | int | float):
        return "" if value is None else str(value)
    words = (
        [plain(item) for item in value if isinstance(item, str | int | float)]
        if isinstance(value, list)
        else []
    )
    return f"{', '.join(words)} (not readable)".strip()


def codes(value: Any) -> str:
    """The codes of a CodeableConcept, as an EHR shows them beside its text."""
    codings = value.get("coding") if isinstance(value, dict) else None
    given = (
        [item.get("code") for item in codings if isinstance(item, dict)] if isinstance(codings, list) else []
    )
    return ", ".join(code for code in given if isinstance(code, str))


def quantity(value: Any) -> str:
    """A Quantity with its comparator and unit."""
    if not isinstance(value, dict):
        return ""
    unit = value.get("unit") or value.get("code")
    return " ".join(filter(None, map(plain, (value.get("comparator"), value.get("value"), unit))))


def result(resource: Json) -> str:
    """What an Observation found: its value, its components, or why it has none."""
    own = next((read(resource[name]) for name, read in _VALUES.items() if name in resource), "")
    parts = [f"{concept(item.get('code'))}: {result(item)}" for item in _objects(resource.get("component"))]
    absent = concept(resource.get("dataAbsentReason"))
    return "; ".join(filter(None, [own, *parts, absent and f"no value: {absent}"]))


def day(resource: Json, *names: str) -> str:
    """The day that the first of some elements gives: a date, a moment or a period."""
    for name in names:
        value = resource.get(name)
        if isinstance(value, dict):
            value = value.get("start") or value.get("end")
        if isinstance(value, str) and value:
            return value[:10]
    return ""


def _objects(value: Any) -> Iterator[Json]:
    return (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())


def _range(value: Any) -> str:
    given = value if isinstance(value, dict) else {}
    return f"{quantity(given.get('low')) or '?'} to {quantity(given.get('high')) or '?'}"


def _ratio(value: Any) -> str:
    given = value if isinstance(value, dict) else {}
    return f"{quantity(given.get('numerator'))} / {quantity(given.get('denominator'))}"


_VALUES: Final[Mapping[str, Callable[[Any], str]]] = {
    "valueQuantity": quantity,
    "valueCodeableConcept": concept,
    "valueString": plain,
    "valueRange": _range,
    "valueRatio": _ratio,
    "valueInteger": plain,
    "valueBoolean": plain,
    "valueDateTime": plain,
}
