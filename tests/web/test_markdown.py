"""The Markdown of a card in the demonstration: what cards say is shown, what is hostile stays text."""

import re

import pytest

from cds_service.hooks.text import markdown as escaped
from cds_service.web import markdown
from cds_service.web.markdown import as_html
from tests.hooks.test_text import HOSTILE
from tests.web.demonstration import shared
from tests.web.pages import Page

KNOWN = {"p", "ul", "ol", "li", "strong", "em", "s", "code", "pre", "blockquote", "hr", "br", "a"} | {
    *("h1", "h2", "h3", "h4", "h5", "h6", "table", "thead", "tbody", "tr", "th", "td"),
}
ATTACKS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1))",
    "[click](java\nscript:alert(1))",
    "[click](&#106;avascript:alert(1))",
    "[click](data:text/html,<script>alert(1)</script>)",
    "[click](vbscript:x)",
    "[click](file:///etc/passwd)",
    "[click](//evil.example)",
    "[click](/demo/assess)",
    "[click](http://[bad)",
    "![beacon](https://evil.example/x.png)",
    "<javascript:alert(1)>",
    '[x](https://ok.example "on\\" onmouseover=alert(1)")',
    "<svg/onload=alert(1)>",
    "<!-- --><iframe src=https://evil.example></iframe>",
    "`<b>`",
    "| a |\n|---|\n| <script>alert(1)</script> |",
    ">" * 500 + "deep",
]


@pytest.mark.parametrize("attack", [*ATTACKS, *HOSTILE])
def test_hostile_markdown_becomes_no_element_and_no_address_that_is_not_known(attack: str) -> None:
    page = Page(as_html(attack))
    for name, attributes in page.elements:
        assert name in KNOWN, name
        assert set(attributes) <= {"href", "title", "style", "start", "class"}, attributes
        assert str(attributes.get("href", "https://")).startswith(("https://", "http://"))
    assert not re.search(r"<(script|img|svg|iframe)", as_html(attack), re.IGNORECASE)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_what_a_card_escapes_is_shown_as_plain_paragraphs(hostile: str) -> None:
    assert {name for name, _ in Page(as_html(escaped(hostile))).elements} <= {"p"}


def test_what_cards_are_made_of_is_rendered() -> None:
    text = "**Not yet:** *why*\n\n#### Criteria\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n- one\n\n---\n\n[x](https://doi.org/1)"
    names = {name for name, _ in Page(as_html(text)).elements}
    assert {"strong", "em", "h4", "table", "td", "li", "hr", "a"} <= names


def test_the_endpoint_renders_any_bytes_and_refuses_too_many() -> None:
    client = shared().test_client()
    answer = client.post("/demo/markdown", data=b"**a** \xff")
    assert answer.status_code == 200
    assert answer.mimetype == "text/html"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert client.post("/demo/markdown", data=b"a" * markdown.LARGEST).status_code == 200
    assert client.post("/demo/markdown", data=b"a" * (markdown.LARGEST + 1)).status_code == 413
