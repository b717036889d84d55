"""The assessment page prints as one A4 page for a tumour board."""

import re
from typing import TYPE_CHECKING

import pytest

from tests.browser.walking import opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

_SIDES = ("top", "bottom", "left", "right")


def pages_in(pdf: bytes) -> int:
    """How many pages a PDF of Chromium has: its page objects, which the page tree has to have counted alike."""
    objects = len(re.findall(rb"/Type\s*/Page\b", pdf))
    assert objects == max(int(found) for found in re.findall(rb"/Count\s+(\d+)", pdf))
    return objects


@pytest.mark.parametrize(
    "patient",
    [
        "meets",
        "progression-in-july",
        "two-tumours-one-report",
        "us-core-diagnosis-codes-only",
        "carcinoid-heart-disease",
    ],
)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_assessment_is_one_page(browser: "Browser", demo: str, patient: str, scheme: str) -> None:
    with opened(browser, color_scheme=scheme) as page:
        page.goto(f"{demo}/patients/{patient}/assessment")
        page.emulate_media(media="print")
        assert page.is_visible("text=DEMONSTRATION: made-up patient")
        assert pages_in(page.pdf(prefer_css_page_size=True)) == 1
        assert pages_in(page.pdf(format="A4", margin=dict.fromkeys(_SIDES, "10mm"))) == 1


def test_two_pages_are_counted_as_two(browser: "Browser") -> None:
    with opened(browser) as page:
        page.set_content("<p>one</p><p style='break-before: page'>two</p>")
        assert pages_in(page.pdf(format="A4")) == 2
