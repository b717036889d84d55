"""The Markdown of a card as HTML, for the demonstration, which shows cards as an EHR does.

Raw HTML stays text, and only links to http and https addresses become links: what a chart says can be hostile, and so
can be what is posted here. The browser builds elements of its own from the result and takes only those that it knows.
"""

from functools import cache
from typing import Final
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

LARGEST: Final = 256 * 1024
_DEEPEST: Final = 20
_LINKED: Final = ("http", "https")


def as_html(text: str) -> str:
    """Render GitHub-flavoured Markdown without images, raw HTML or links to anything but web addresses."""
    return str(_renderer().render(text))


@cache
def _renderer() -> MarkdownIt:
    renderer = MarkdownIt("commonmark", {"html": False, "maxNesting": _DEEPEST})
    renderer.enable(["table", "strikethrough"]).disable("image")
    renderer.validateLink = _is_web_address  # type: ignore[method-assign]  # the library's documented way
    return renderer


def _is_web_address(url: str) -> bool:
    try:
        return urlsplit(url.strip()).scheme.lower() in _LINKED
    except ValueError:
        return False
