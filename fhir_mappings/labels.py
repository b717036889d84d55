"""What the label of a code says against it: something else, the opposite, or another answer to the same question.

The words stand in `valuesets/display-keywords.json`. They never give a value; they only take one away.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

_ALONE: Final = 3  # letters: a word up to this length must stand alone, or every magnet would be a NET


def display_contradicts(value_set_ids: Iterable[str], display: str | None) -> bool:
    """Whether a display names something else than the meanings of its code.

    True only for value sets where a wrong label is dangerous, and never for an empty display or one in a
    script we have no words for. A contradicted coding is a candidate for a human, not a value.
    """
    names = frozenset(value_set_ids)
    if not _is_readable(display):
        return False
    guarded = _display_keywords()
    is_else = any(not pattern.search(display or "") for name in names for pattern in guarded.get(name, ()))
    return is_else or words_contradict(names, display)


def words_contradict(value_set_ids: Iterable[str], words: str | None) -> bool:
    """Whether words beside a code deny what it says, or give another answer to its question."""
    names = frozenset(value_set_ids)
    if not names or not _is_readable(words):
        return False
    said = (words or "").lower()
    return _is_denied(names, said) or any(_is_answered_otherwise(name, said) for name in names)


def answers_in(question: str, words: str) -> frozenset[str]:
    """The answers to a question whose words a text holds, outside a denial."""
    said = _words().denial.sub(" ", _words().harmless.sub(" ", words.lower()))
    return frozenset(name for name, answer in _words().answers[question].items() if answer.search(said))


def names_part_of_liver(words: str) -> bool:
    """Whether words name a lobe, a segment or another part of the liver."""
    return _words().part_of_liver.search(words.lower()) is not None


def _is_readable(words: str | None) -> bool:
    return bool(words and re.search("[A-Za-z]", words))


def _is_denied(names: frozenset[str], said: str) -> bool:
    """Whether a label denies what its code says, or fails to where the code says that there is nothing."""
    given = _words()
    if names & given.needed and not given.absence.search(given.harmless.sub(" ", said)):
        return True
    if names <= given.allowed or not given.denies.search(said):  # most labels of a chart end here
        return False
    return given.denies.search(given.harmless.sub(" ", said)) is not None


def _is_answered_otherwise(name: str, said: str) -> bool:
    """Whether a label holds the words of another answer, when its own words are left out."""
    given = _words()
    for answers in given.answers.values():
        if name in answers:
            own = answers[name].sub(" ", given.harmless.sub(" ", said))
            left = given.denial.sub(" ", own)
            return any(other.search(left) for key, other in answers.items() if key != name)
    return False


# --- the words --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Words:
    """The patterns of the word list, for labels in small letters; see its description."""

    harmless: re.Pattern[str]
    denies: re.Pattern[str]  # a label that denies as a whole
    denial: re.Pattern[str]  # a part of a label, from a word that denies to the next stop
    absence: re.Pattern[str]  # any word that says that there is nothing
    needed: frozenset[str]
    allowed: frozenset[str]
    answers: Mapping[str, Mapping[str, re.Pattern[str]]]
    part_of_liver: re.Pattern[str]


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
        needed=frozenset(denials["needed"]),
        allowed=frozenset(denials["allowed"]),
        answers={
            question: {name: _alone(words) for name, words in answers.items()}
            for question, answers in given["answers"].items()
        },
        part_of_liver=_alone(given["parts_of_liver"]),
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
    ways = (rf"\b{re.escape(word)}\b" if len(word) <= _ALONE else re.escape(word) for word in words)
    return re.compile("|".join(ways), re.IGNORECASE)
