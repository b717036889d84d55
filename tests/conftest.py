"""What all tests share: the databases, Node, and property tests that do not depend on the speed or the luck of a machine."""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.databases import empty, ledger, migrated, place, postgresql, storage
from tests.node import node

__all__ = ["empty", "ledger", "migrated", "node", "place", "postgresql", "storage"]

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "patient")

# Here servers, browsers and clocks are real: what a busy machine held up once is asked again, and what is wrong stays wrong.
_REAL_TIME = ("browser", "demo", "ehr", "interop", "security", "service", "smart", "storage")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let the tests with real servers and clocks run again when they fail."""
    folders = tuple(Path(__file__).parent / name for name in _REAL_TIME)
    for item in items:
        if any(folder in item.path.parents for folder in folders) or item.path.name == "test_cli.py":
            item.add_marker(pytest.mark.flaky(reruns=2, reruns_delay=1))
