"""A build sheet as Markdown, and that Markdown as a page that needs nothing else.

What a tenants' file says is written verbatim, never as markup: a name with a pipe must not move a column of a table.
"""

import html
import re
from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt

from cds_service.hooks.text import markdown, one_line

_LONGEST: Final = 2000
_BLANK_LINES = re.compile(r"\n{3,}")
_BETWEEN_ROWS = re.compile(r"(?<=\|)\n\n(?=\|)")
_TICKS = re.compile(r"`+")


class _Escaped(str):
    """Text that is Markdown already."""

    __slots__ = ()


def _write(value: object) -> str:
    return value if isinstance(value, _Escaped) else markdown(str(value), _LONGEST)


def _own(value: str) -> _Escaped:
    """A filter for wording of ours, which holds no markup: it reads better unescaped."""
    return _Escaped(value)


def _code(value: str) -> _Escaped:
    """A filter for what is to be copied: a span of code, also in a table, whatever it holds."""
    text = one_line(value)
    longest = max((len(run) for run in _TICKS.findall(text)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return _Escaped(f"{fence}{pad}{text}{pad}{fence}".replace("|", "\\|"))


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("cds_service", "templates/integrator"),
        autoescape=False,  # noqa: S701  `finalize` escapes, for Markdown, where autoescape knows only HTML
        finalize=_write,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(code=_code, own=_own)
    return environment


def as_markdown(sheet: object) -> str:
    """The page as Markdown; the template reads `sheet` by the names of its members."""
    text = _environment().get_template("build-sheet.md").render(s=sheet)
    return _BLANK_LINES.sub("\n\n", _BETWEEN_ROWS.sub("\n", text)).strip() + "\n"


def as_html(text: str, title: str) -> str:
    """That Markdown as one page without scripts, images or anything from elsewhere."""
    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(text)
    page = _environment().get_template("build-sheet.html")
    return page.render(title=_Escaped(html.escape(one_line(title))), body=_Escaped(body))
