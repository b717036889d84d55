"""The bulkhead: how many threads there may be, and that one who is stuck costs no more than its place."""

from functools import partial
from threading import Event, Thread

import pytest

from cds_service.ehr.bulkhead import Bulkhead
from tests.ehr.answers import wait_until_idle


@pytest.fixture
def gate() -> Event:
    return Event()


def _wait(gate: Event) -> None:
    gate.wait(10)


def test_a_tenant_gets_as_many_threads_as_it_may_have_and_not_one_more(gate: Event) -> None:
    bulkhead = Bulkhead(threads=10, per_tenant=3)
    assert [bulkhead.start("a", partial(_wait, gate)) for _ in range(4)] == [True] * 3 + [False]
    assert bulkhead.start("b", gate.set)
    wait_until_idle(bulkhead)


def test_all_tenants_together_get_as_many_as_there_are(gate: Event) -> None:
    bulkhead = Bulkhead(threads=4, per_tenant=3)
    started = [bulkhead.start(tenant, partial(_wait, gate)) for tenant in "aabbcc"]
    assert started == [True, True, True, True, False, False]
    gate.set()
    wait_until_idle(bulkhead)
    assert bulkhead.start("c", lambda: None)


def test_a_system_without_threads_counts_as_full(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(Thread, "start", refuse)
    bulkhead = Bulkhead()
    assert not bulkhead.start("a", lambda: None)
    assert bulkhead.running == 0
