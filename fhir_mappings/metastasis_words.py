"""Whether words name a metastasis, and where: data of `valuesets/metastasis-keywords.json`, asked by readers."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

_LONGEST = 1000  # characters of one sentence that are looked at: patterns take square time on a long one
_SENTENCE = re.compile(r"[.;!?]\s+|[\r\n]+")


@dataclass(frozen=True, slots=True)
class NamedMetastasis:
    """A sentence or label that names a metastasis: in the liver, elsewhere, in both, or without saying where."""

    words: str
    in_liver: bool
    elsewhere: bool


@cache
def _patterns() -> Mapping[str, re.Pattern[str]]:
    names = ("metastasis", "liver", "elsewhere", "category", "before", "after", "but")
    return {name: re.compile("|".join(_keywords()[name]), re.IGNORECASE) for name in names}


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
    """The sentences of a text with plain spaces, each as far as it is looked at."""
    return (" ".join(sentence.split())[:_LONGEST] for sentence in _SENTENCE.split(text))


def _named(sentence: str) -> NamedMetastasis | None:
    patterns = _patterns()
    by_category = patterns["category"].search(sentence)
    named = patterns["metastasis"].search(sentence)
    if by_category is None and (named is None or is_denied(sentence, named)):
        return None
    elsewhere = by_category is not None or patterns["elsewhere"].search(sentence) is not None
    return NamedMetastasis(sentence, patterns["liver"].search(sentence) is not None, elsewhere)


def is_denied(sentence: str, named: re.Match[str]) -> bool:
    """Whether a sentence takes back what it names: "no evidence of ...", "... not seen"; "no new ..." does not."""
    before = _patterns()["but"].sub(" ", sentence[: named.end()])
    after = _patterns()["but"].sub(" ", sentence[named.end() :])
    return bool(_patterns()["before"].search(before) or _patterns()["after"].search(after))


def named_by_code(system: object, code: object) -> NamedMetastasis | None:
    """What a code of a classification without a value set names: ICD-9-CM, from before 2015."""
    if not isinstance(code, str):
        return None
    for table in _keywords()["codes"]:
        if system in table["systems"]:
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
