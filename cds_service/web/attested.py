"""What the user stated, for a page: each statement in words, and what the engine made of it."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

from cds_service.web.answers import Answers
from cds_service.web.reading import Reading
from cds_service.web.recorded import in_words
from fhir_mappings.attested import Given, Value
from fhir_mappings.facts import Discarded, Fact
from fhir_mappings.questions import Option, questions
from fhir_mappings.when import PartialDate


@dataclass(frozen=True, slots=True)
class Statement:
    """One answer of the user's. `unused` are the reasons why the engine set some of it aside."""

    label: str
    said: str
    references: tuple[str, ...]
    unused: tuple[str, ...]


def statements(answers: Answers, then: Reading) -> tuple[Statement, ...]:
    """Every answer, and of each that was set aside the reason: what is typed is never silently preferred or dropped."""
    discarded = list(_discarded(then))
    return tuple(
        Statement(
            questions()[item.given.fact].label,
            in_words(item.given.fact, _as_typed(item.given)),
            item.references,
            _reasons(item.references, discarded),
        )
        for item in answers.stated
    )


def _as_typed(given: Given) -> dict[str, str]:
    return {name: _text(value) for name, value in given.values.items()}


def _text(value: Value) -> str:
    if isinstance(value, Option):
        return value.id
    return value.text if isinstance(value, PartialDate) else str(value)


def _discarded(then: Reading) -> Iterator[Discarded]:
    for one in fields(then.facts):
        fact = getattr(then.facts, one.name)
        if isinstance(fact, Fact):
            yield from fact.discarded


def _reasons(references: tuple[str, ...], discarded: list[Discarded]) -> tuple[str, ...]:
    found = (item.reason for item in discarded if item.evidence.reference in references)
    return tuple(dict.fromkeys(found))
