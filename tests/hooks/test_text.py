"""Text of unknown origin is shown verbatim and can never become markup."""

import re
import unicodedata
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.hooks.text import markdown, one_line, plain, shorten

GFM = MarkdownIt("gfm-like", {"html": True})
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- x",
    "<b",
    "[click](javascript:alert(1))",
    "![x](https://evil.test/x.png)",
    "https://evil.test/a?b=c&d",
    "www.evil.test",
    "evil.com",
    "mailto:a@evil.test",
    "a@evil.test",
    "<https://evil.test>",
    "**bold** _it_ ~~no~~ `code`",
    "# heading",
    "1. one",
    "1) one",
    "- item",
    "+ item",
    "> quote",
    "```\ncode\n```",
    "~~~",
    "a | b | c",
    "a \\| b",
    "back\\slash",
    "ends with \\",
    "&lt;b&gt; &#60;b&#62; &copy;",
    "line one\nline two\r\n\r\nthree",
    "para\u2028para\u2029x",
    "x\u0000y\u001b[31mred",
    "\u202egnp.exe",
    "zero\u200bwidth\ufeff",
    "---",
    "===",
    "***",
    "[x]: https://evil.test",
    "[^1]",
    "- [ ] task",
    ":warning:",
    "@user #1",
    "$x$",
    "{{ a }}{% b %}",
    "    indented",
    "NET G2 (Ki-67 12%) – <2 cm; CgA: 250 ng/mL, 5-HIAA ≥ 3×",
]
ANYTHING = st.one_of(
    st.sampled_from(HOSTILE),
    st.text(max_size=60),
    st.lists(
        st.sampled_from([*HOSTILE, "<", ">", "|", "\\", "\n", "`", "*", "_", "[", "]", "(", ")", "www.", "x"])
    ).map("".join),
)


def tags(html: str) -> list[str]:
    return re.findall(r"<[^>]*>", html)


def text_of(html: str) -> str:
    return unescape(re.sub(r"<[^>]*>", "", html)).strip()


def expected(text: str) -> str:
    return shorten(one_line(text), 120)


@given(text=ANYTHING)
def test_a_paragraph_shows_the_text_verbatim_and_holds_no_tag_but_its_own(text: str) -> None:
    html = GFM.render(f"x {markdown(text)}")
    assert tags(html) == ["<p>", "</p>"]
    assert text_of(html) == f"x {expected(text)}".strip()


@given(text=ANYTHING)
def test_also_at_the_beginning_of_a_line(text: str) -> None:
    html = GFM.render(markdown(text))
    assert set(tags(html)) <= {"<p>", "</p>"}
    assert text_of(html) == expected(text)


@given(text=ANYTHING)
def test_a_table_keeps_its_cells(text: str) -> None:
    cell = markdown(text)
    html = GFM.render(f"| a | b |\n|---|---|\n| {cell} | {cell} |\n| c | d |\n")
    assert [unescape(found) for found in re.findall(r"<td>(.*?)</td>", html, re.DOTALL)] == [
        expected(text)
    ] * 2 + ["c", "d"]
    assert len(tags(html)) == len(tags(GFM.render("| a | b |\n|---|---|\n| x | x |\n| c | d |\n")))


@pytest.mark.parametrize("text", HOSTILE)
def test_each_hostile_text_is_harmless_in_a_list_and_in_quotes(text: str) -> None:
    assert tags(GFM.render(f'- "{markdown(text)}"')) == ["<ul>", "<li>", "</li>", "</ul>"]


@given(text=ANYTHING)
def test_what_cannot_be_seen_is_gone(text: str) -> None:
    assert not {unicodedata.category(char) for char in one_line(text)} & {"Cc", "Cf", "Co", "Cs", "Zl", "Zp"}


@given(text=ANYTHING, limit=st.integers(1, 150))
def test_plain_text_keeps_its_limit_in_characters_and_in_utf_16_units(text: str, limit: int) -> None:
    short = plain(text, limit)
    assert len(short) <= limit
    assert len(short.encode("utf-16-le")) // 2 <= limit
    assert not re.search(r"<[A-Za-z/!?]", short)


@pytest.mark.parametrize("text", ["Ki-67 12 % (limit < 10 %)", "<2 cm and > 1 cm", "a & b: 5-HIAA ≥ 3"])
def test_plain_text_leaves_clinical_text_alone(text: str) -> None:
    assert plain(text, 139) == text


def test_text_is_cut_at_its_limit_with_an_ellipsis() -> None:
    assert shorten("a" * 120, 120) == "a" * 120
    assert shorten("a" * 121, 120) == "a" * 119 + "…"
    assert shorten("😀" * 60, 120) == "😀" * 60
    assert shorten("😀" * 61, 120) == "😀" * 59 + "…"
