"""What the record already answers: the values of a fact as the form would have them, shown with their source."""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_mappings.facts import (
    Differentiation,
    ExtrahepaticDisease,
    Ki67,
    LiverInvolvement,
    LiverMetastases,
    Presence,
    PrimaryResection,
    PrimarySite,
    Resectability,
    ResidualStatus,
    ResponseCourse,
)
from fhir_mappings.interval import Interval
from fhir_mappings.questions import Question, questions
from fhir_mappings.when import PartialDate

Values = dict[str, str]  # by field: the id of an answer, a number, a date


def recorded_values(fact: str, value: object) -> list[Values]:
    """The values of the fields that say what is recorded; one for each line of a question that repeats."""
    if value is None:
        return []
    lines: list[Values] = _VALUES[fact](value, questions()[fact])
    return [{name: text for name, text in line.items() if text} for line in lines]


def in_words(fact: str, values: Mapping[str, str]) -> str:
    """What is recorded, in the words of the form: "Ki-67, or lower end of a range: 2 %; Specimen from: Primary tumour"."""
    question = questions()[fact]
    parts = []
    for field in question.fields:
        if text := values.get(field.id):
            option = field.option(text)
            shown = option.label if option is not None else f"{text} {field.unit}".strip()
            parts.append(f"{field.label.rstrip('?')}: {shown}")
    return "; ".join(parts)


def _meant(question: Question, field: str, value: object) -> str:
    option = question.field(field).meaning(str(value))
    return option.id if option is not None else ""


def _day(day: PartialDate | None) -> str:
    return day.text if day is not None and "/" not in day.text else ""


def _differentiation(value: Differentiation, question: Question) -> list[Values]:
    return [{"value": _meant(question, "value", value)}]


def _site(value: PrimarySite, question: Question) -> list[Values]:
    return [{"value": _meant(question, "value", value.sites[0])}] if len(value.sites) == 1 else []


def _proliferation(value: Ki67, question: Question) -> list[Values]:
    highest = max(value.readings, key=lambda item: (item.percent.high, item.percent.low), default=None)
    if highest is None:
        return [_interval(value.percent)]
    tissue = _meant(question, "tissue", highest.tissue)
    return [{**_interval(value.percent), "tissue": tissue, "date": _day(highest.date)}]


def _interval(percent: Interval) -> Values:
    """An interval in the fields of the form; the whole range of percentages says nothing."""
    low, high = (str(Interval(end, end)) for end in (percent.low, percent.high))
    if percent.is_point:
        return {"low": low}
    if percent.low == 0 and percent.low_closed and not percent.high_closed:
        return {"comparator": "lt", "low": high}
    if percent.high == 100 and percent.high_closed and not percent.low_closed:  # noqa: PLR2004 - percent
        return {"comparator": "gt", "low": low}
    return {"low": low, "high": high}


def _involvement(value: LiverInvolvement, question: Question) -> list[Values]:  # noqa: ARG001 - all are called alike
    return [{**_interval(value.percent), "date": _day(value.date)}]


def _elsewhere(value: ExtrahepaticDisease, question: Question) -> list[Values]:
    method = "sstr-pet" if value.whole_body_imaging else ""
    presence = _meant(question, "value", value.presence)
    return [{"value": presence, "method": method, "date": _day(value.as_of)}]


def _resection(value: PrimaryResection, question: Question) -> list[Values]:
    performed = _meant(question, "performed", "done" if value.performed else "not done")
    is_stated = value.residual is not ResidualStatus.NOT_STATED
    residual = _meant(question, "residual", value.residual) if is_stated else ""
    return [{"performed": performed, "residual": residual, "date": _day(value.date)}]


def _course(value: ResponseCourse, question: Question) -> list[Values]:
    return [
        {"value": _meant(question, "value", item.response), "date": _day(item.date)}
        for item in value.assessments
        if item.confirmed
    ]


def _resectability(value: Resectability, question: Question) -> list[Values]:
    return [{"value": _meant(question, "value", value)}]


def _metastases(value: LiverMetastases, question: Question) -> list[Values]:
    return [{"value": _meant(question, "value", value.presence), "date": _day(value.since)}]


def _disease(value: Presence, question: Question) -> list[Values]:
    return [{"value": _meant(question, "value", value)}]


_VALUES: Mapping[str, Callable[[Any, Question], list[Values]]] = {
    "differentiation": _differentiation,
    "ki67_percent": _proliferation,
    "primary_site": _site,
    "primary_resection": _resection,
    "liver_involvement_percent": _involvement,
    "extrahepatic_disease": _elsewhere,
    "disease_response": _course,
    "liver_resectability": _resectability,
    "liver_metastases": _metastases,
    "carcinoid_heart_disease": _disease,
}
