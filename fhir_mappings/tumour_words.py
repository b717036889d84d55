"""Whether words name a neuroendocrine tumour: data of `valuesets/tumour-keywords.json`, asked where no code says it."""

import json
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from fhir_mappings.metastasis_words import sentences, undenied


def named_tumours(text: str) -> Iterator[str]:
    """The sentences of a text that name one and do not deny it."""
    for sentence in sentences(text):
        if undenied(_pattern(), sentence.lower()) is not None:
            yield sentence


@cache
def tumour_stems() -> tuple[bytes, ...]:
    """Letters, in small, one of which stands in all bytes that name a tumour: what holds none need not be decoded."""
    return tuple(word.encode() for word in _words())


@cache
def _pattern() -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, _words())))


@cache
def _words() -> tuple[str, ...]:
    text = (files("fhir_mappings") / "valuesets" / "tumour-keywords.json").read_text("utf-8")
    return tuple(json.loads(text)["tumour"])
