"""A submitted form: what was typed, what is wrong with it, and, where nothing is, the resources that say the same."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from cds_service.advisor import Advisor
from cds_service.web.plausibility import implausible
from cds_service.web.questionnaire import canonical
from cds_service.web.reading import Reading, read
from cds_service.web.typed import Days, field_name, read_author, read_field, required
from fhir_mappings.added import with_resources
from fhir_mappings.answer_sheet import answer_sheet, transaction
from fhir_mappings.attested import Given, Setting, Value, findings
from fhir_mappings.facts import Evidence, Fact, PrimaryResection
from fhir_mappings.questions import Option, Question, questions
from fhir_mappings.record import PatientRecord
from fhir_mappings.reference import is_reference
from fhir_mappings.when import PartialDate
from fhir_mappings.written import valid

Json = dict[str, Any]
ROWS = 12  # lines of a question that repeats
AUTHOR = "author"
FORM = "form"  # where a mistake of the form as a whole stands


@dataclass(frozen=True, slots=True)
class Stated:
    """One answer and the findings that it is written as."""

    given: Given
    findings: tuple[Json, ...]

    @property
    def references(self) -> tuple[str, ...]:
        """The findings as references."""
        return tuple(f"{item['resourceType']}/{item['id']}" for item in self.findings)


@dataclass(frozen=True, slots=True)
class Answers:
    """What a form brought. `typed` is all of it, by field; with `errors`, sentences by field, there are no resources."""

    patient: str
    typed: Mapping[str, str]
    errors: Mapping[str, str] = field(default_factory=dict)
    response: Json | None = None
    stated: tuple[Stated, ...] = ()

    @property
    def findings(self) -> tuple[Json, ...]:
        """What the answers are written as, each resource once."""
        return tuple({item["id"]: item for one in self.stated for item in one.findings}.values())

    @property
    def references(self) -> frozenset[str]:
        """What the user typed, as references: evidence with one of these is shown as attested (`Reading.attested`)."""
        return frozenset(name for one in self.stated for name in one.references)

    @property
    def types(self) -> tuple[str, ...]:
        """The types of what `bundle` holds, each once."""
        return tuple(
            dict.fromkeys(item["resourceType"] for item in (self.response or {}, *self.findings) if item)
        )

    def bundle(self) -> Json:
        """A transaction of the QuestionnaireResponse and its findings, for download and for the EHR."""
        if self.response is None:
            raise ValueError("a form with mistakes, or without an answer, cannot be written")
        return transaction((self.response, *self.findings))


def with_answers(record: PatientRecord, answers: Answers) -> PatientRecord:
    """The record as if what was typed stood in it: beside what is recorded, never instead of it, and stored nowhere."""
    return with_resources(record, answers.findings)


def what_if(reading: Reading, answers: Answers, advisor: Advisor) -> Reading:
    """The same patient and day, read and assessed with the answers; what was attested before stays marked as that."""
    record = with_answers(reading.record, answers)
    return read(record, advisor, reading.assessment.evaluated_on, reading.attested | answers.references)


def parse(form: Mapping[str, str], reading: Reading, on: date, author: str = "") -> Answers:
    """Read a submitted form. `author` is who is signed in (`Practitioner/7`); without one the form has to say.

    Fields that no question has are not read. Never raises, whatever was typed.
    """
    typed = {name: str(form.get(name, "")) for name in _names()}
    typed[AUTHOR] = author or str(form.get(AUTHOR, ""))
    days = Days(on, reading.facts.birth_date.value)
    lines = [_line(fact, row, typed, days) for fact in questions() for row in _rows(fact)]
    begun = [line for line in lines if line.is_begun]
    stated = read_author(typed[AUTHOR].strip())
    reference = stated if isinstance(stated, Mapping) else {}
    setting = _setting(reading, reference, [line.given for line in begun])
    errors = _mistakes(begun, setting)
    if not isinstance(stated, Mapping):
        errors[AUTHOR] = stated
    if not begun:
        errors[FORM] = "Nothing was answered yet."
    if errors:
        return Answers(reading.record.patient, typed, errors)
    return _written(reading, on, typed, [line.given for line in begun], setting)


def _names() -> Iterator[str]:
    for fact, question in questions().items():
        for row in _rows(fact):
            yield from (field_name(fact, item.id, row) for item in question.fields)


def _rows(fact: str) -> range:
    return range(1, ROWS + 1) if questions()[fact].repeats else range(1)


# --- one question, or one line of it ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Line:
    given: Given
    row: int
    errors: Mapping[str, str]

    @property
    def is_begun(self) -> bool:
        return bool(self.given.values or self.errors)


def _line(fact: str, row: int, typed: Mapping[str, str], days: Days) -> _Line:
    question = questions()[fact]
    texts = {item.id: typed[field_name(fact, item.id, row)].strip() for item in question.fields}
    read = {name: read_field(question.field(name), text, days) for name, text in texts.items() if text}
    values: dict[str, Value] = {name: value for name, value in read.items() if not isinstance(value, str)}
    errors = {name: value for name, value in read.items() if isinstance(value, str)}
    return _Line(Given(fact, values), row, errors | _missing(question, read))


def _missing(question: Question, read: Mapping[str, object]) -> dict[str, str]:
    return required(question, read) if read else {}


def _mistakes(lines: list[_Line], setting: Setting) -> dict[str, str]:
    errors: dict[str, str] = {}
    for index, line in enumerate(lines):
        wrong = dict(line.errors) or implausible(line.given, setting)
        if not wrong and line.given in [other.given for other in lines[:index]]:
            wrong = {"date": "The same assessment stands above."}
        errors |= {field_name(line.given.fact, name, line.row): text for name, text in wrong.items()}
    return errors


# --- what it is about -------------------------------------------------------------------------------------------------


def _setting(reading: Reading, author: Mapping[str, str], given: list[Given]) -> Setting:
    """What the record says of the tumour, its site and its operation; a site that is typed comes first."""
    facts = reading.facts
    typed = [item.option("value") for item in given if item.fact == "primary_site"]
    recorded = facts.primary_site.value.sites if facts.primary_site.value is not None else ()
    resection = facts.primary_resection.value
    return Setting(
        patient=reading.record.patient,
        author=author,
        response="",
        tumours=_recorded(facts.neuroendocrine_tumour.evidence, "Condition/", reading),
        sites=(*(option.id for option in typed if isinstance(option, Option)), *recorded),
        operations=_operations(facts.primary_resection, reading),
        operated_on=_as_written(resection.date if resection is not None else None),
    )


def _as_written(day: PartialDate | None) -> PartialDate | None:
    """A day that can be written as one date; that of a period cannot."""
    return day if day is not None and "/" not in day.text else None


def _operations(resection: Fact[PrimaryResection], reading: Reading) -> tuple[str, ...]:
    """The operations on record that removed the primary, or may have: which of them did, the readers decide."""
    if resection.value is not None:
        evidence = resection.evidence if resection.value.performed else ()
    else:
        evidence = tuple(item.evidence for item in resection.discarded)
    return _recorded(evidence, "Procedure/", reading)


def _recorded(evidence: Iterable[Evidence], kind: str, reading: Reading) -> tuple[str, ...]:
    """The references of one kind among evidence, without what was typed before."""
    named = dict.fromkeys(item.reference for item in evidence)
    return tuple(
        name
        for name in named
        if name.startswith(kind) and is_reference(name) and name not in reading.attested
    )


def _written(
    reading: Reading, on: date, typed: Mapping[str, str], given: list[Given], setting: Setting
) -> Answers:
    sheet = answer_sheet(given, setting.patient, setting.author, on, canonical(reading.policy))
    placed = replace(setting, response=f"QuestionnaireResponse/{sheet['id']}")
    stated = (Stated(answer, tuple(map(valid, findings(answer, placed)))) for answer in given)
    return Answers(reading.record.patient, typed, response=valid(sheet), stated=tuple(stated))
