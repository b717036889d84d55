"""What the label of a code says against it: something else, the opposite, or another answer to the same question.

The words stand in `valuesets/display-keywords.json`. They never give a value; they only take one away.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Any, Final

_LETTER: Final = re.compile("[A-Za-z]")
_ALONE: Final = 3  # letters: a word up to this length must stand alone, or every magnet would be a NET


def display_contradicts(value_set_ids: Iterable[str], display: str | None) -> bool:
    """Whether a display names something else than the meanings of its code.

    True only for value sets where a wrong label is dangerous, and never for an empty display or one in a
    script we have no words for. A contradicted coding is a candidate for a human, not a value.
    """
    if not display or not _LETTER.search(display):
        return False
    claim, said = _claim(frozenset(value_set_ids)), display.lower()
    return not all(guard.search(said) for guard in claim.guards) or _is_contradicted(claim, said)


def words_contradict(value_set_ids: Iterable[str], words: str | None) -> bool:
    """Whether words beside a code deny what it says, or give another answer to its question."""
    names = frozenset(value_set_ids)
    if not names or not words or not _LETTER.search(words):
        return False
    return _is_contradicted(_claim(names), words.lower())


def answers_in(question: str, words: str) -> frozenset[str]:
    """The answers to a question whose words a text holds, outside a denial."""
    said = _words().denial.sub(" ", _words().harmless.sub(" ", words.lower()))
    return frozenset(name for name, answer in _words().answers[question].items() if answer.search(said))


def names_part_of_liver(words: str) -> bool:
    """Whether words name a lobe, a segment or another part of the liver."""
    return _words().part_of_liver.search(words.lower()) is not None


def says_unusable(words: str) -> bool:
    """Whether words beside a value say that it is none of the patient's tumour, or does not count."""
    return _words().unusable.search(words.lower()) is not None


def _is_contradicted(claim: _Claim, said: str) -> bool:
    """Whether a label denies what its code says, fails to where that is none, or answers otherwise."""
    given = _words()
    if claim.is_absence and not given.absence.search(given.harmless.sub(" ", said)):
        return True
    if claim.is_reassuring and _is_doubted(said):
        return True
    if (
        claim.may_be_denied
        and given.denies.search(said)
        and given.denies.search(given.harmless.sub(" ", said))
    ):
        return True  # what is harmless is only looked for where something denies: in most labels nothing does
    return any(_is_answered_otherwise(own, other, said) for own, other in claim.answers)


def _is_doubted(said: str) -> bool:
    """Whether a label takes back what reassures: "cannot be excluded", "not present, but suspicious"."""
    given = _words()
    left = given.harmless.sub(" ", said)
    return bool(given.open_question.search(left) or given.doubt.search(given.denial.sub(" ", left)))


def _is_answered_otherwise(own: re.Pattern[str], other: re.Pattern[str], said: str) -> bool:
    """Whether a label holds the words of another answer, when its own words are left out."""
    left = own.sub(" ", _words().harmless.sub(" ", said))
    return other.search(_words().denial.sub(" ", left)) is not None


# --- the words --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """The patterns of the word list, for labels in small letters; see its description."""

    harmless: re.Pattern[str]
    denies: re.Pattern[str]  # a label that denies as a whole
    denial: re.Pattern[str]  # a part of a label, from a word that denies to the next stop
    absence: re.Pattern[str]  # any word that says that there is nothing
    open_question: re.Pattern[str]  # what denies a denial
    doubt: re.Pattern[str]  # what raises a doubt, outside a denial
    reassuring: frozenset[str]
    needed: frozenset[str]
    allowed: frozenset[str]
    answers: Mapping[str, Mapping[str, re.Pattern[str]]]
    part_of_liver: re.Pattern[str]
    unusable: re.Pattern[str]


@cache
def _words() -> _Words:
    given = _read()
    denials = given["denials"]
    leading, anywhere = _either(denials["leading"]), _either(denials["anywhere"])
    return _Words(
        harmless=_alone(given["harmless"]),
        denies=re.compile(rf"^\W*{leading}|[:(–-]\s*{leading}\W*$|{anywhere}"),
        denial=re.compile(rf"{leading}[^,;:.()]*"),
        absence=_alone([*denials["leading"], *denials["anywhere"], *denials["clearing"]]),
        open_question=_alone(given["doubts"]["open"]),
        doubt=_alone(given["doubts"]["raised"]),
        reassuring=frozenset(given["doubts"]["reassuring"]) | frozenset(denials["needed"]),
        needed=frozenset(denials["needed"]),
        allowed=frozenset(denials["allowed"]),
        answers={
            question: {name: _alone(words) for name, words in answers.items()}
            for question, answers in given["answers"].items()
        },
        part_of_liver=_alone(given["parts_of_liver"]),
        unusable=_alone(given["unusable"]),
    )


def _read() -> dict[str, Any]:
    path = files("fhir_mappings") / "valuesets" / "display-keywords.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return content


def _alone(words: Iterable[str]) -> re.Pattern[str]:
    return re.compile(_either(words))


def _either(words: Iterable[str]) -> str:
    """Any of some words, each standing alone; * stands for the rest of a word."""
    ways = "|".join(re.escape(word.lower()).replace(r"\*", r"\w*") for word in words)
    return rf"(?:(?<!\w)(?:{ways})(?!\w))"


@cache
def _display_keywords() -> Mapping[str, tuple[re.Pattern[str], ...]]:
    keywords: Mapping[str, list[list[str]]] = _read()["keywords"]
    return {name: tuple(_any_of(group) for group in groups) for name, groups in keywords.items()}


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    small = map(str.lower, words)
    return re.compile(
        "|".join(rf"\b{re.escape(word)}\b" if len(word) <= _ALONE else re.escape(word) for word in small)
    )


# --- what a code claims -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Claim:
    """What the labels of a code with some meanings are held against."""

    guards: tuple[re.Pattern[str], ...]  # a display matches all of them
    is_absence: bool
    is_reassuring: bool
    may_be_denied: bool
    answers: tuple[tuple[re.Pattern[str], re.Pattern[str]], ...]  # the words of its answer, and of all others


@lru_cache(maxsize=1024)
def _claim(names: frozenset[str]) -> _Claim:
    given, guarded = _words(), _display_keywords()
    return _Claim(
        guards=tuple(guard for name in names for guard in guarded.get(name, ())),
        is_absence=not names.isdisjoint(given.needed),
        is_reassuring=not names.isdisjoint(given.reassuring),
        may_be_denied=not names <= given.allowed,
        answers=tuple(
            (answers[name], _others(name, answers))
            for name in names
            for answers in given.answers.values()
            if name in answers
        ),
    )


def _others(name: str, answers: Mapping[str, re.Pattern[str]]) -> re.Pattern[str]:
    return re.compile("|".join(pattern.pattern for key, pattern in answers.items() if key != name))
