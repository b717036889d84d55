"""Whether words name a neuroendocrine tumour: data of `valuesets/tumour-keywords.json`, asked where no code says it."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files

from fhir_mappings.metastasis_words import sentences, undenied


def named_tumours(text: str) -> Iterator[str]:
    """The sentences of a text that name one and do not deny it."""
    for sentence in sentences(text):
        if undenied(_pattern(), sentence) is not None:
            yield sentence


@cache
def tumour_stems() -> tuple[bytes, ...]:
    """Letters, in small, one of which stands in all bytes that name a tumour: what holds none need not be decoded.

    Those with capitals are looked for as they stand: "NET" is a tumour, "net" is not, and neither is "magnetic".
    """
    return tuple(word.encode() for word in (*_words()["tumour"], *_words()["short_stems"]))


@cache
def _pattern() -> re.Pattern[str]:
    plain = "|".join(map(re.escape, _words()["tumour"]))
    return re.compile("|".join((f"(?i:{plain})", *_words()["short"])))


@cache
def _words() -> Mapping[str, list[str]]:
    text = (files("fhir_mappings") / "valuesets" / "tumour-keywords.json").read_text("utf-8")
    content: dict[str, list[str]] = json.loads(text)
    return content
