"""Takes the pictures of the README: `make screenshots`."""

from pathlib import Path
from typing import TYPE_CHECKING

from tests.browser.chromium import running
from tests.browser.walking import opened, sent, typed
from tests.loopback import listening
from tests.web.demonstration import demonstration
from tests.web.forms import COMPLETE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

DOCS = Path(__file__).parents[2] / "docs"
_SIZE = {"width": 1280, "height": 860}
_PATIENT = "progression-in-july"
_INCOMPLETE = "us-core-diagnosis-codes-only"


def take(page: "Page", name: str) -> None:
    """Keep what the window shows."""
    page.screenshot(path=DOCS / f"{name}.png", animations="disabled", caret="hide")


def chart(browser: "Browser", demo: str) -> None:
    """A chart with its card."""
    with opened(browser, viewport=_SIZE) as page:
        page.goto(f"{demo}/patients/{_INCOMPLETE}")
        page.wait_for_selector("article.card")
        take(page, "chart")


def assessment(browser: "Browser", demo: str, scheme: str, place: str) -> None:
    """The page behind the card, from a place in it on."""
    with opened(browser, viewport=_SIZE, color_scheme=scheme) as page:
        page.goto(f"{demo}/patients/{_PATIENT}/assessment")
        page.locator(place).evaluate("(node) => node.scrollIntoView()")
        take(page, f"assessment-{scheme}")


def form(browser: "Browser", demo: str) -> None:
    """The form, with what would follow from the answers."""
    with opened(browser, viewport=_SIZE) as page:
        page.goto(f"{demo}/patients/{_INCOMPLETE}/form")
        typed(page, {name: text for name, text in COMPLETE.items() if text} | {"author": "Dr Example"})
        sent(page)
        take(page, "form")


def main() -> None:
    """All of them."""
    with listening(demonstration()) as origin, running() as browser:
        chart(browser, f"{origin}/demo")
        assessment(browser, f"{origin}/demo", "light", "body")
        assessment(browser, f"{origin}/demo", "dark", "#criterion-stability")
        form(browser, f"{origin}/demo")


if __name__ == "__main__":
    main()
