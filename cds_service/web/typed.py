"""What was typed into one field: a value, or a sentence that says what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from fhir_mappings.attested import Value
from fhir_mappings.questions import Field, Kind, Question
from fhir_mappings.when import PartialDate, parse_date

LONGEST = 200  # characters of anything that is typed
_NUMBER = re.compile(r"[0-9]{1,5}(?:[.,][0-9]{1,4})?")
_DATE = re.compile(r"[0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2})?)?")
_EARLIEST = date(1900, 1, 1)
_MAY_BE_REFERENCE = re.compile(r"(?:Practitioner|PractitionerRole)/[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True, slots=True)
class Days:
    """The days that an answer can speak of."""

    on: date
    birth: PartialDate | None


def field_name(fact: str, field: str, row: int = 0) -> str:
    """The name of an input: `ki67_percent.low`; in a question that repeats with the line, `disease_response.2.date`."""
    return f"{fact}.{row}.{field}" if row else f"{fact}.{field}"


def read_field(field: Field, text: str, days: Days) -> Value | str:
    """The value of a field that is not empty, or what is wrong with it."""
    if len(text) > LONGEST:
        return f"This is longer than {LONGEST} characters."
    if field.kind is Kind.CHOICE:
        return field.option(text) or f"“{text}” is not one of the answers."
    return _number(field, text) if field.kind is Kind.DECIMAL else _day(text, days)


def _number(field: Field, text: str) -> Decimal | str:
    if _NUMBER.fullmatch(text.removesuffix(field.unit).strip()) is None:
        return f"Type a number without other signs, as 12 or 2.5 ({field.unit} is understood)."
    number = Decimal(text.removesuffix(field.unit).strip().replace(",", "."))
    low, high = field.minimum, field.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        return f"The number has to lie between {low} and {high} {field.unit}."
    return number


def _day(text: str, days: Days) -> PartialDate | str:
    day = parse_date(text) if _DATE.fullmatch(text) else None
    if day is None:
        return "Type a date as 2026-10-20, 2026-10 or 2026."
    if day.earliest > days.on:
        return f"The date lies after {days.on}, the day of this assessment."
    if days.birth is not None and day.latest < days.birth.earliest:
        return "The date lies before the patient was born."
    return day if day.latest >= _EARLIEST else f"The date lies before {_EARLIEST.year}."


def read_author(text: str) -> Mapping[str, str] | str:
    """Who states it, as a Reference: `Practitioner/...` or a name; or what is wrong with it."""
    if not text:
        return "Type the name of the person who states this."
    if len(text) > LONGEST or not text.isprintable():
        return f"A name has at most {LONGEST} characters and one line."
    return {"reference": text} if _MAY_BE_REFERENCE.fullmatch(text) else {"display": text}


def required(question: Question, values: Mapping[str, object]) -> dict[str, str]:
    """What is missing of a question that was begun, by field."""
    return {
        field.id: _ASK[field.kind] for field in question.fields if field.required and field.id not in values
    }


_ASK = {
    Kind.CHOICE: "Choose one of the answers.",
    Kind.DECIMAL: "Type a number.",
    Kind.DATE: "Type the date.",
}
