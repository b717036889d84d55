"""One hospital for all tests that leave nothing behind in it."""

from collections.abc import Iterator

import pytest

from tests.conformance.hospital import Hospital


@pytest.fixture(scope="session")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hospital]:
    with Hospital(tmp_path_factory.mktemp("hospital")) as found:
        yield found
