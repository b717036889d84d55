"""What all tests share: the databases, Node, and property tests that do not depend on the speed or the luck of a machine."""

import os

from hypothesis import HealthCheck, settings

from tests.databases import empty, ledger, migrated, place, postgresql, storage
from tests.node import node

__all__ = ["empty", "ledger", "migrated", "node", "place", "postgresql", "storage"]

settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", settings.get_profile("patient"), derandomize=True)
settings.load_profile("repeatable" if os.environ.get("CI") else "patient")
