"""Whether words name a metastasis, and where: data of `valuesets/metastasis-keywords.json`, asked by readers."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_PIECE = 1000  # characters that are read at once: patterns take square time on a long sentence
_OVERLAP = 300  # of two pieces: what a cut parts in one of them stands whole in the other
_REACH = 250  # characters over which a denial can hold: further away it is one of something else
_ANSWER = 4  # words of an answer that says no by itself
_ASIDE = re.compile(r"\([^()]*\)")
_LETTER = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class NamedMetastasis:
    """A sentence or label that names a metastasis: in the liver, elsewhere, in both, or without saying where."""

    words: str
    in_liver: bool
    elsewhere: bool


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    """For text in small letters, as patterns that ignore case take many times as long."""
    return {
        name: re.compile("|".join(words))
        for name, words in _keywords().items()
        if name not in ("stems", "codes")
    }


@cache
def _keywords() -> Mapping[str, Any]:
    text = (files("fhir_mappings") / "valuesets" / "metastasis-keywords.json").read_text("utf-8")
    return {name: value for name, value in json.loads(text).items() if name != "description"}


def named_in(text: str) -> Iterator[NamedMetastasis]:
    """The metastases that a text names, sentence by sentence; one that is denied is neither there nor not."""
    for sentence in sentences(text):
        found = _named(sentence)
        if found is not None:
            yield found


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text with plain spaces; a long one in pieces that overlap."""
    for sentence in _patterns()["break"].split(text):
        plain = " ".join(sentence.split())
        for start in range(0, max(1, len(plain) - _OVERLAP), _PIECE - _OVERLAP):
            yield plain[start : start + _PIECE]


def _named(sentence: str) -> NamedMetastasis | None:
    patterns, small = _patterns(), sentence.lower()
    by_category = patterns["category"].search(small)
    place = small if by_category is not None else _told(small)
    if place is None:
        return None
    elsewhere = by_category is not None or patterns["elsewhere"].search(place) is not None
    return NamedMetastasis(sentence, patterns["liver"].search(place) is not None, elsewhere)


def _told(sentence: str) -> str | None:
    """The words that say where a metastasis is: of "no metastases except in bone" those behind the exception."""
    patterns = _patterns()
    if patterns["metastasis"].search(sentence) is None:
        return None
    excepted = patterns["except"].search(sentence)
    if excepted is not None:
        head, tail = sentence[: excepted.start()], sentence[excepted.end() :]
        if patterns["metastasis"].search(head) and undenied(patterns["metastasis"], head) is None:
            is_sited = patterns["liver"].search(tail) or patterns["elsewhere"].search(tail)
            return tail if is_sited else sentence
    return sentence if undenied(patterns["metastasis"], sentence) is not None else None


def undenied(pattern: re.Pattern[str], sentence: str) -> re.Match[str] | None:
    """The first place of a sentence where a pattern is found and not taken back.

    "No evidence of ..." and "... not seen" do; "no new ..." does not, nor does a denial of what stands before a comma.
    """
    plain = _patterns()["but"].sub(lambda found: " " * len(found[0]), sentence.lower())
    denials = _patterns()["before"].finditer(plain)
    ahead, nearest = next(denials, None), None
    for named in pattern.finditer(sentence):
        while ahead is not None and ahead.end() <= named.start():
            ahead, nearest = next(denials, None), ahead
        if not _is_denied(plain, nearest, named):
            return named
    return None


def _is_denied(plain: str, nearest: re.Match[str] | None, named: re.Match[str]) -> bool:
    patterns = _patterns()
    if nearest is not None and _reaches(nearest[0], plain[nearest.end() : named.start()]):
        return patterns["change"].match(plain, named.end()) is None
    behind = patterns["after"].search(plain[named.end() :])
    return behind is not None and _follows(plain[named.end() : named.end() + behind.start()])


def _reaches(denial: str, between: str) -> bool:
    """Whether a denial before a metastasis is one of it: an "or" takes it over a comma, nothing over a "but"."""
    patterns = _patterns()
    clause = _behind_the_pause(between)
    if clause is None or clause is between or patterns["or"].search(clause):
        return clause is not None
    is_dutch = patterns["in_dutch"].search(denial) is not None
    return is_dutch and patterns["or_in_dutch"].search(clause) is not None


def _follows(between: str) -> bool:
    """Whether a denial behind a metastasis is one of it; behind a comma it has to stand at once."""
    clause = _behind_the_pause(between)
    return clause is not None and (clause is between or not _LETTER.search(clause))


def _behind_the_pause(between: str) -> str | None:
    """What stands behind the last comma of two places; all where there is none, nothing where no denial holds so far."""
    if len(between) > _REACH or _patterns()["beyond"].search(between):
        return None
    plain = _ASIDE.sub("", between)
    pauses = [pause.end() for pause in _patterns()["pause"].finditer(plain)]
    return plain[pauses[-1] :] if pauses else between


def says_no(answer: str) -> bool:
    """Whether an answer is nothing but a denial: "not seen", "none"; "not excluded" is none."""
    plain = _patterns()["but"].sub(" ", answer.strip().lower())
    is_short = len(answer.split()) <= _ANSWER and not _patterns()["metastasis"].search(answer.lower())
    return is_short and _patterns()["after"].search(plain) is not None


def named_by_code(system: object, code: object) -> NamedMetastasis | None:
    """What a code of a classification without a value set names: ICD-9-CM, from before 2015."""
    if not isinstance(code, str):
        return None
    name = str(system).partition("|")[0].strip()
    for table in _keywords()["codes"]:
        if name in table["systems"]:
            says = {name: re.fullmatch(table[name], code) for name in ("liver", "elsewhere", "unstated")}
            if any(says.values()):
                return NamedMetastasis(code, says["liver"] is not None, says["elsewhere"] is not None)
    return None


@cache
def stems() -> tuple[bytes, ...]:
    """Letters one of which stands in all bytes that name a metastasis: what holds none need not be decoded."""
    return tuple(word.encode() for word in _keywords()["stems"])


def joined(*parts: Iterable[str]) -> str:
    """Labels as one text: "metastasis" beside a body site "bone" says what neither says alone."""
    return " ".join(dict.fromkeys(word.strip() for part in parts for word in part if word.strip()))
