"""What every test in a browser starts from."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cds_service.integrator.keys import make
from tests.browser.chromium import running
from tests.loopback import listening
from tests.needs import lacking
from tests.node import FOLDER
from tests.web.demonstration import demonstration
from tests.web.launches import Ward, ward

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(scope="session")
def browser() -> Iterator["Browser"]:
    """Chromium, for all tests of a process."""
    with running() as found:
        yield found


@pytest.fixture(scope="session")
def axe() -> Path:
    """The program that looks for what people who see or move otherwise could not use."""
    program = FOLDER / "node_modules" / "axe-core" / "axe.min.js"
    if not program.is_file():
        lacking("axe-core is not installed (make npm)")
    return program


@pytest.fixture
def demo() -> Iterator[str]:
    """The address of a demonstration of its own, whose feedback nobody else sees."""
    with listening(demonstration()) as origin:
        yield f"{origin}/demo"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Ward]:
    """An EHR that launches the pages of the service, both on loopback."""
    make(tmp_path)
    with ward(tmp_path) as found:
        yield found
