"""The form as a page: its questions, what was typed into them, what is wrong with that, and what would follow from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from flask import render_template

from cds_service.eligibility.verdict import Answer
from cds_service.hooks.detail import ANSWERS, MARKS
from cds_service.web.answers import AUTHOR, FORM, ROWS, Answers
from cds_service.web.asked import Asked, asked
from cds_service.web.attested import Statement, statements
from cds_service.web.patient import banner
from cds_service.web.reading import Reading
from cds_service.web.recorded import in_words
from cds_service.web.typed import field_name
from fhir_mappings.questions import Field, questions

_SPARE_LINES = 3


@dataclass(frozen=True, slots=True)
class Place:
    """What the place of a form offers: its address, the way back, and who is signed in.

    `hidden` goes back with every answer (a token, the day). `writable` are the types of resources
    that can be written to the EHR, None where nothing is offered; `notice` stands above everything.
    """

    action: str
    back: str
    hidden: Mapping[str, str] = field(default_factory=dict)
    author: str = ""
    writable: frozenset[str] | None = None
    notice: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """One input: its name, its field, what stands in it and what is wrong with that."""

    name: str
    field: Field
    value: str
    error: str

    @property
    def id(self) -> str:
        """The id of the input, to which labels and mistakes point."""
        return input_id(self.name)


@dataclass(frozen=True, slots=True)
class Author:
    """Who states it all, where nobody is signed in."""

    value: str
    error: str
    name: str = AUTHOR

    @property
    def id(self) -> str:
        """The id of the input."""
        return input_id(self.name)


@dataclass(frozen=True, slots=True)
class Source:
    """A resource that answers a question already."""

    reference: str
    day: str
    is_attested: bool


@dataclass(frozen=True, slots=True)
class Panel:
    """One question on the page."""

    asked: Asked
    lines: tuple[tuple[Box, ...], ...]
    recorded: tuple[str, ...]
    sources: tuple[Source, ...]

    @property
    def is_open(self) -> bool:
        """What is settled is folded up, unless something was typed there."""
        return self.asked.is_open or any(box.value or box.error for line in self.lines for box in line)

    @property
    def mark(self) -> str:
        """The mark of the answer, which never stands alone."""
        return MARKS[self.asked.answer]

    @property
    def state(self) -> str:
        """The answer in a word."""
        return ANSWERS[self.asked.answer]


@dataclass(frozen=True, slots=True)
class Change:
    """A criterion that what was typed answers otherwise than the record alone."""

    label: str
    before: Answer
    after: Answer
    reason: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What would follow from the answers. `refused` are types of resources among them that the EHR does not let us add."""

    before: str
    after: str
    headline: str
    changes: tuple[Change, ...]
    statements: tuple[Statement, ...]
    refused: tuple[str, ...]


def form_page(
    reading: Reading, place: Place, answers: Answers | None = None, then: Reading | None = None
) -> str:
    """The page, as HTML. `reading` is of the record as it is; `then` of the record with the answers, once they are whole."""
    errors = answers.errors if answers is not None else {}
    typed = answers.typed if answers is not None else {}
    outcome = _outcome(reading, then, answers, place) if then is not None and answers is not None else None
    return render_template(
        "web/form.html",
        reading=reading,
        patient=banner(reading),
        place=place,
        panels=panels(reading, typed, errors),
        mistakes=mistakes(errors),
        has_gaps=any(item.answer is Answer.UNKNOWN for item in reading.assessment.criteria),
        author=Author(typed.get(AUTHOR, ""), errors.get(AUTHOR, "")),
        outcome=outcome,
        marks=MARKS,
        words=ANSWERS,
    )


def panels(reading: Reading, typed: Mapping[str, str], errors: Mapping[str, str]) -> list[Panel]:
    """The questions in their order, with what was typed."""
    day = reading.assessment.evaluated_on
    return [
        Panel(
            asked=item,
            lines=tuple(_boxes(item, row, typed, errors) for row in _rows(item, typed)),
            recorded=tuple(in_words(item.fact, line) for line in item.recorded),
            sources=_sources(item, reading),
        )
        for item in asked(reading.policy, reading.facts, day)
    ]


def _rows(item: Asked, typed: Mapping[str, str]) -> range:
    """The lines of a question: of one that repeats always some to spare."""
    if not item.question.repeats:
        return range(1)
    filled = [
        row
        for row in range(1, ROWS + 1)
        if any(typed.get(field_name(item.fact, one.id, row)) for one in item.question.fields)
    ]
    return range(1, min(max(filled, default=0) + _SPARE_LINES, ROWS) + 1)


def _boxes(item: Asked, row: int, typed: Mapping[str, str], errors: Mapping[str, str]) -> tuple[Box, ...]:
    named = ((field_name(item.fact, one.id, row), one) for one in item.question.fields)
    return tuple(Box(name, one, typed.get(name, ""), errors.get(name, "")) for name, one in named)


def _sources(item: Asked, reading: Reading) -> tuple[Source, ...]:
    found = (
        Source(one.reference, str(one.date or ""), one.reference in reading.attested) for one in item.evidence
    )
    return tuple(dict.fromkeys(found))


def mistakes(errors: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Each mistake with the id of its input and the question it belongs to."""
    return [(input_id(name), _label(name), text) for name, text in errors.items()]


def _label(name: str) -> str:
    if name in _OF_THE_FORM:
        return _OF_THE_FORM[name]
    fact, *row, field_id = name.split(".")
    line = f", line {row[0]}" if row else ""
    return f"{questions()[fact].label}{line}, {questions()[fact].field(field_id).label}"


_OF_THE_FORM = {AUTHOR: "Your name", FORM: "The form"}


def input_id(name: str) -> str:
    """The id of an input by its name."""
    return f"input-{name.replace('.', '-').replace('_', '-')}"


def _outcome(before: Reading, then: Reading, answers: Answers, place: Place) -> Outcome:
    were = {item.id: item.answer for item in before.assessment.criteria}
    changes = tuple(
        Change(item.label, were.get(item.id, Answer.UNKNOWN), item.answer, item.reason)
        for item in then.assessment.criteria
        if item.answer is not were.get(item.id, Answer.UNKNOWN)
    )
    return Outcome(
        before.assessment.verdict.replace("-", " "),
        then.assessment.verdict.replace("-", " "),
        then.assessment.headline,
        changes,
        statements(answers, then),
        tuple(kind for kind in answers.types if place.writable is not None and kind not in place.writable),
    )
