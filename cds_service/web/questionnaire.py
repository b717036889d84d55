"""The form as a FHIR R4 Questionnaire: generated from what the policy's criteria need, prefilled with what is recorded."""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from cds_service.eligibility.policy import Policy
from cds_service.web.asked import Asked, asked
from cds_service.web.recorded import in_words
from fhir_mappings.attested import plain
from fhir_mappings.facts import Facts
from fhir_mappings.questions import Field, Kind, coding_of
from fhir_mappings.written import valid

Json = dict[str, Any]
_EXTENSION = "http://hl7.org/fhir/StructureDefinition/"
_UCUM = "http://unitsofmeasure.org"


def canonical(policy: Policy) -> str:
    """The canonical address of the form of a policy, with its version; public contract."""
    return f"{_address(policy)}|{policy.version}"


def _address(policy: Policy) -> str:
    return f"urn:milan-net:questionnaire:{policy.id}"


def questionnaire(policy: Policy, facts: Facts, on: date) -> Json:
    """The Questionnaire for one patient on a day. `linkId`s are names of facts, and `fact.field` below them.

    What is recorded stands in it as initial value, and in words with its source, so that nobody takes it for typed.
    """
    return valid(
        {
            "resourceType": "Questionnaire",
            "url": _address(policy),
            "version": policy.version,
            "name": "MilanNetMissingData",
            "title": f"What is missing for the {policy.title}",
            "status": "active",
            "experimental": False,
            "subjectType": ["Patient"],
            "date": on.isoformat(),
            "description": f"{policy.status} Answers are statements of the user and are marked as attested.",
            "item": [_group(item, facts, on) for item in asked(policy, facts, on)],
        }
    )


def _group(item: Asked, facts: Facts, on: date) -> Json:
    question = item.question
    lines = item.recorded if question.repeats else item.recorded[:1]
    initial = item.recorded[0] if len(item.recorded) == 1 and not question.repeats else {}
    notes = [*_notes(item, lines)]
    fields = [_field(item.fact, field, initial.get(field.id), facts, on) for field in question.fields]
    return {
        "linkId": item.fact,
        "code": [dict(coding_of(question.code))],
        "text": f"{question.label}. {question.ask}",
        "type": "group",
        "required": False,
        "repeats": question.repeats,
        "item": [*notes, *fields],
    }


def _notes(item: Asked, lines: tuple[Mapping[str, str], ...]) -> Iterator[Json]:
    """Why it is asked, and what is recorded or missing, as text that takes no answer."""
    yield _note(f"{item.fact}.why", item.why)
    if item.missing:
        yield _note(f"{item.fact}.recorded", item.missing)
        return
    said = [text for line in lines if (text := in_words(item.fact, line))]
    sources = dict.fromkeys(f"{source.reference} ({source.date or 'undated'})" for source in item.evidence)
    text = ". ".join((*said, f"From {', '.join(sources)}"))
    yield _note(f"{item.fact}.recorded", f"On record: {text}.")


def _note(name: str, text: str) -> Json:
    return {"linkId": name, "text": text, "type": "display"}


def _field(fact: str, field: Field, initial: str | None, facts: Facts, on: date) -> Json:
    extensions = [*_limits(field, facts, on)]
    return {
        "linkId": f"{fact}.{field.id}",
        **({"extension": extensions} if extensions else {}),
        "text": field.label + (f" ({field.hint})" if field.hint else ""),
        "type": field.kind.value,
        "required": field.required,
        **_answers(field, initial),
    }


def _answers(field: Field, initial: str | None) -> Json:
    """The answers to choose from, or the initial value of what is typed (FHIR R4, que-11: never both)."""
    if field.kind is Kind.CHOICE:
        return {"answerOption": [_option(field, index, initial) for index in range(len(field.options))]}
    if initial is None:
        return {}
    is_date = field.kind is Kind.DATE
    return {"initial": [{"valueDate": initial} if is_date else {"valueDecimal": plain(Decimal(initial))}]}


def _option(field: Field, index: int, initial: str | None) -> Json:
    option = field.options[index]
    selected = {"initialSelected": True} if option.id == initial else {}
    return {"valueCoding": dict(option.code), **selected}


def _limits(field: Field, facts: Facts, on: date) -> Iterator[Json]:
    if field.kind is Kind.DECIMAL:
        unit = {"system": _UCUM, "code": field.unit, "display": field.unit}
        yield {"url": f"{_EXTENSION}questionnaire-unit", "valueCoding": unit}
        for name, limit in (("minValue", field.minimum), ("maxValue", field.maximum)):
            if limit is not None:
                yield {"url": f"{_EXTENSION}{name}", "valueDecimal": plain(limit)}
    elif field.kind is Kind.DATE:
        birth = facts.birth_date.value
        if birth is not None:
            yield {"url": f"{_EXTENSION}minValue", "valueDate": birth.earliest.isoformat()}
        yield {"url": f"{_EXTENSION}maxValue", "valueDate": on.isoformat()}
