"""Text of unknown origin made harmless: as Markdown that renders verbatim, and as plain text.

A chart can be written by a patient. GitHub-flavoured Markdown links bare addresses and lets HTML through, so
escaping brackets is not enough; this recipe keeps clinical text as it was written and nothing else.
"""

import re
import unicodedata

QUOTE_LIMIT = 120  # characters of one quoted value
_ELLIPSIS = "…"
_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", ":": "&#58;", "@": "&#64;"}
_ESCAPES = {mark: f"\\{mark}" for mark in r"!#$()*+-./=?[\]^_`{|}~"} | _ENTITIES
_PUNCTUATION = re.compile(
    r"[!-$&(-+\--/:<-@\[-`{-~]"
)  # in ASCII all but ' , ; and % which Markdown gives no meaning
_TAG = re.compile(r"<(?=[A-Za-z/!?])[^>]*>?")  # "< 10 %" and "<2 cm" are no tags
_MARKS = str.maketrans("", "", "`*[]~|\\")
_TO_SPACE = frozenset({"Cc", "Zl", "Zp", "Zs"})
_TO_NOTHING = frozenset({"Cf", "Co", "Cs"})


def markdown(text: str, limit: int = QUOTE_LIMIT) -> str:
    """Write `text` so that GitHub-flavoured Markdown, also in a table cell, shows it verbatim on one line."""
    return _PUNCTUATION.sub(_escape, shorten(one_line(text), limit))


def plain(text: str, limit: int) -> str:
    """Write `text` for a place that shows plain text: no tags, no Markdown marks, one line."""
    return shorten(one_line(_TAG.sub(" ", one_line(text).translate(_MARKS))), limit)


def one_line(text: str) -> str:
    """Normalise (NFC), drop characters that cannot be seen, and make the rest one line with single spaces."""
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if text.isprintable():  # then its only white space is the ordinary space
        return " ".join(text.split()) if "  " in text else text.strip()
    return " ".join("".join(map(_visible, text)).split())


def shorten(text: str, limit: int) -> str:
    """Cut to at most `limit` characters, counted as Unicode code points and as UTF-16 units alike."""
    if 2 * len(text) <= limit or _utf16_units(text) <= limit:
        return text
    while _utf16_units(text) > limit - len(_ELLIPSIS):
        text = text[: min(len(text) - 1, limit - len(_ELLIPSIS))]
    return text.rstrip() + _ELLIPSIS


def _utf16_units(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def _escape(mark: re.Match[str]) -> str:
    return _ESCAPES[mark[0]]


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if category in _TO_SPACE:
        return " "
    return "" if category in _TO_NOTHING else character
