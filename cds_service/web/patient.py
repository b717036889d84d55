"""Who the patient is, for the banner of a page: shown, and neither stored nor logged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.hooks.text import QUOTE_LIMIT, one_line, shorten
from cds_service.web.reading import Reading
from fhir_mappings.when import PartialDate, completed_years

_SEXES = frozenset({"male", "female", "other", "unknown"})


@dataclass(frozen=True, slots=True)
class Banner:
    """What tells one patient from another. What the record does not say is said to be missing."""

    name: str
    sex: str
    born: str
    age: str
    id: str
    is_deceased: bool = False


def banner(reading: Reading) -> Banner:
    """The banner of a reading; versions of the Patient that disagree are shown side by side."""
    patients = list(_patients(reading))
    birth, on = reading.facts.birth_date.value, reading.assessment.evaluated_on
    names = dict.fromkeys(name for item in patients if (name := _name(item.get("name"))))
    sexes = dict.fromkeys(
        sex for item in patients if isinstance(sex := item.get("gender"), str) and sex in _SEXES
    )
    return Banner(
        name=" / ".join(names) or "name not on record",
        sex=" / ".join(sexes) or "not on record",
        born=str(birth) if birth else "not on record",
        age=_age(birth, on) if birth else "",
        id=reading.record.patient.removeprefix("Patient/"),
        is_deceased=bool(reading.facts.deceased.value),
    )


def _patients(reading: Reading) -> Iterator[dict[str, Any]]:
    for entry in reading.record.entries:
        if entry.type == "Patient" and reading.record.is_own(entry):
            yield _resource(reading.record.source(entry))


def _resource(data: bytes) -> dict[str, Any]:
    """The members of a resource; none where it cannot be read, which the assessment says elsewhere."""
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _name(given: object) -> str:
    """The official name, else the first; whatever its shape, as one line."""
    names = [item for item in (given if isinstance(given, list) else [given]) if isinstance(item, dict)]
    chosen = next((item for item in names if item.get("use") == "official"), names[0] if names else {})
    parts = [*_words(chosen.get("family")), ", ", *_words(chosen.get("given"))]
    text = _words(chosen.get("text")) or [" ".join(parts).replace(" , ", ", ").strip(" ,")]
    return shorten(one_line(text[0]), QUOTE_LIMIT)


def _words(value: object) -> list[str]:
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, str)]


def _age(birth: PartialDate, on: date) -> str:
    oldest, youngest = completed_years(birth.earliest, on), completed_years(birth.latest, on)
    return f"{youngest} years" if youngest == oldest else f"{youngest} or {oldest} years"
