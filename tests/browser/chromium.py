"""The browser: Debian's Chromium, headless, kept to this machine."""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from shutil import which
from typing import TYPE_CHECKING

from tests.needs import lacking

if TYPE_CHECKING:
    from playwright.sync_api import Browser

PATIENCE = 15_000  # milliseconds for one step
_FLAGS = (
    "--no-sandbox",  # tests may run as root, where there is none
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@contextmanager
def running() -> Iterator["Browser"]:
    """The browser, for as long as the block runs."""
    program = which("chromium") or which("chromium-browser") or which("google-chrome")
    if program is None:
        lacking("there is no Chromium here (Debian: apt-get install chromium)")
    if find_spec("playwright") is None:
        lacking("Playwright is not in this environment (make .venv)")
    playwright = import_module("playwright.sync_api")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=list(_FLAGS), timeout=60_000)
        try:
            yield browser
        finally:
            browser.close()
