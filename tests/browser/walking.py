"""A clinician who walks through the pages: opens, reads, types and sends."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.browser.chromium import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@contextmanager
def opened(browser: "Browser", **context: Any) -> Iterator["Page"]:
    """A page in a window of its own, which fails where a script or the Content-Security-Policy complains."""
    window = browser.new_context(**context)
    page = window.new_page()
    page.set_default_timeout(PATIENCE)
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
    try:
        yield page
        assert complaints == []
    finally:
        window.close()


def typed(page: "Page", answers: Mapping[str, str]) -> None:
    """Fill in fields of the form by their names; what is folded up is opened first."""
    for name, value in answers.items():
        found = page.locator(f'[name="{name}"]').first
        question = page.locator("details.question", has=page.locator(f'[name="{name}"]'))
        if question.count() and question.get_attribute("open") is None:
            question.locator("summary").click()
        if found.evaluate("(node) => node.tagName") == "SELECT":
            found.select_option(value)
        else:
            found.fill(value)


def sent(page: "Page", wish: str = "assess") -> None:
    """Press one of the buttons of the form."""
    page.locator(f'button[name="do"][value="{wish}"]:visible').last.click()
    page.wait_for_load_state()


def verdict(page: "Page") -> str:
    """The verdict of an assessment page, in words."""
    return page.inner_text(".verdict-word").strip()


def outcome(page: "Page") -> str:
    """What would follow from the answers, as the form says it."""
    return page.inner_text("#attested-title")
