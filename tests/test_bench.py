"""What the bench measures is there to be measured: both servers start, and the bodies ask what they are said to ask."""

import pytest

from tests.bench.__main__ import serving
from tests.bench.bodies import with_net, without_net


@pytest.mark.parametrize("application", ["tests.bench.service:app", "tests.bench.floor:app"])
def test_a_server_under_measurement_starts_and_answers_both_bodies(application: str):
    with serving(application) as server:
        server.post(without_net(), 1)
        server.post(with_net(), 1)
        assert server.cpu_seconds() > 0
        assert server.resident_mb() > 1
