"""When the EHR client asks again, and for how long it waits."""

import time
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from threading import Event, Thread

import pytest

from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.circuit import CircuitState
from cds_service.ehr.connections import Transport
from cds_service.ehr.exchange import SHORTEST_PAUSE, pause_before
from cds_service.ehr.fhir_client import PARALLEL, EhrClient
from cds_service.ehr.query_errors import QueryError, Reason
from fhir_mappings.bundle import PartState
from tests.ehr.answers import QUERIES, access_to, conditions, fetch, fetch_one, outcome_of, wait_until_idle
from tests.faults import faults
from tests.faults.server import Exchange, FaultyServer

_CONDITIONS = "Condition?patient=p1"


# --- asking again ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [
        faults.reset,
        faults.hang_up,
        faults.reset_in_body,
        faults.truncated,
        faults.cut_chunks,
        faults.status(429),
        faults.status(502),
        faults.status(503, "0"),
        faults.status(504),
    ],
)
def test_what_may_pass_is_asked_again_once(fault: faults.Fault) -> None:
    with FaultyServer(faults.first(1, fault)) as server:
        assert fetch_one(server, _CONDITIONS).state is PartState.COMPLETE
        assert len(server.seen) == 2
    with FaultyServer(faults.first(2, fault)) as server:
        assert fetch_one(server, _CONDITIONS).state is PartState.FAILED
        assert len(server.seen) == 2


@pytest.mark.parametrize("code", [400, 401, 403, 404, 410, 422, 500, 501])
def test_what_does_not_pass_is_not_asked_again(code: int) -> None:
    with FaultyServer(faults.first(1, faults.status(code, "0"))) as server:
        assert fetch_one(server, _CONDITIONS).state is PartState.FAILED
        assert len(server.seen) == 1


def test_a_query_asks_again_once_for_all_its_pages() -> None:
    with FaultyServer(faults.first(1, faults.status(503)), resources=conditions(3), page_size=1) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.SERVER_ERROR, 1)


def test_retry_after_within_the_time_is_waited_for() -> None:
    with FaultyServer(faults.first(1, faults.status(503, "1"))) as server:
        begun = time.monotonic()
        assert fetch_one(server, _CONDITIONS, seconds=5).state is PartState.COMPLETE
        assert time.monotonic() - begun >= 1


def test_retry_after_beyond_the_time_is_not_waited_for() -> None:
    with FaultyServer(faults.first(1, faults.status(503, "5"))) as server:
        begun = time.monotonic()
        assert fetch_one(server, _CONDITIONS, seconds=4).reason is Reason.SERVER_ERROR
        assert time.monotonic() - begun < 3
        assert len(server.seen) == 1


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, SHORTEST_PAUSE),
        ("", SHORTEST_PAUSE),
        ("0", SHORTEST_PAUSE),
        ("7", 7.0),
        (" 7 ", 7.0),
        ("-7", SHORTEST_PAUSE),
        ("1e3", SHORTEST_PAUSE),
        ("nan", SHORTEST_PAUSE),
        ("soon", SHORTEST_PAUSE),
        ("9" * 5000, SHORTEST_PAUSE),
        (format_datetime(datetime(2026, 11, 23, 12, 0, 30, tzinfo=UTC), usegmt=True), 30.0),
        (format_datetime(datetime(2026, 11, 23, 11, 59, 0, tzinfo=UTC), usegmt=True), SHORTEST_PAUSE),
        ("Mon, 23 Nov 2026 12:00:30", 30.0),
        ("Mon, 99 Nov 2026 12:00:30 GMT", SHORTEST_PAUSE),
    ],
)
def test_retry_after_is_seconds_or_a_date(header: str | None, seconds: float) -> None:
    noon = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC).timestamp()
    assert pause_before(QueryError(Reason.THROTTLED, header), now=lambda: noon) == seconds


# --- waiting --------------------------------------------------------------------------------------------------------


def test_a_deadline_in_the_past_asks_nothing() -> None:
    with FaultyServer() as server:
        found = fetch(server, seconds=-1)
        assert {pages.reason for pages in found.values()} == {Reason.TOO_LATE}
        assert server.seen == []


def test_no_more_than_a_few_queries_are_asked_at_the_same_time() -> None:
    together: list[int] = []
    running = [0]

    def counting(exchange: Exchange) -> None:
        running[0] += 1
        together.append(running[0])
        exchange.pause(0.05)
        running[0] -= 1
        exchange.answer()

    with FaultyServer(counting) as server:
        assert all(pages.state is PartState.COMPLETE for pages in fetch(server).values())
    assert 1 < max(together) <= PARALLEL


def test_a_name_that_cannot_be_looked_up_in_time_is_not_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    gate = Event()

    def stuck(_host: str, _port: int) -> tuple[str, ...]:
        gate.wait(10)
        return ("127.0.0.1",)

    bulkhead = Bulkhead()
    client = EhrClient(Transport(stuck), bulkhead)
    with FaultyServer() as server:
        begun = time.monotonic()
        found = fetch(server, client=client, seconds=0.3)
        assert time.monotonic() - begun < 2
        assert {pages.reason for pages in found.values()} == {Reason.TOO_LATE}
        assert bulkhead.running == PARALLEL, "who is stuck keeps its place"
        time.sleep(0.5)  # each counts its time from its own start, on a busy machine a moment later
        gate.set()
        wait_until_idle(bulkhead)
        assert server.seen == [], "nobody asks after the call is over"
        assert len(caplog.records) == len(QUERIES), "and nobody tells it twice"


@pytest.mark.parametrize(
    "fault", [faults.silence, faults.drip_headers, faults.drip_trailers, faults.drip_body]
)
def test_threads_that_wait_for_a_slow_server_end_with_the_call(fault: faults.Fault) -> None:
    bulkhead = Bulkhead()
    with FaultyServer(fault) as server:
        fetch(server, client=EhrClient(bulkhead=bulkhead), seconds=0.4)
        begun = time.monotonic()
        wait_until_idle(bulkhead)
        assert time.monotonic() - begun < 2


def test_when_all_threads_are_waiting_the_next_call_fails_at_once() -> None:
    client = EhrClient(bulkhead=Bulkhead(threads=PARALLEL))
    with FaultyServer(faults.silence) as server, FaultyServer() as other:
        waiting = Thread(target=partial(fetch, server, QUERIES, client, 3.0))
        waiting.start()
        while len(server.seen) < PARALLEL:
            time.sleep(0.01)
        begun = time.monotonic()
        found = fetch(other, client=client)
        assert time.monotonic() - begun < 1
        assert {pages.reason for pages in found.values()} == {Reason.BUSY}
        assert client.circuit(access_to(other)).state is CircuitState.CLOSED
        server.stopped.set()
        waiting.join(10)


def test_a_slow_hospital_leaves_threads_to_the_others() -> None:
    client = EhrClient(bulkhead=Bulkhead(threads=2 * PARALLEL, per_tenant=PARALLEL))
    with FaultyServer(faults.silence) as slow, FaultyServer() as quick:
        waiting = Thread(target=partial(fetch, slow, QUERIES, client, 3.0))
        waiting.start()
        while len(slow.seen) < PARALLEL:
            time.sleep(0.01)
        found = client.fetch(access_to(quick, "other"), QUERIES, time.monotonic() + 5)
        assert all(pages.state is PartState.COMPLETE for pages in found.values())
        slow.stopped.set()
        waiting.join(10)


def test_fewer_threads_than_queries_do_the_work_one_after_the_other() -> None:
    with FaultyServer() as server:
        found = fetch(server, client=EhrClient(bulkhead=Bulkhead(threads=1)))
    assert all(pages.state is PartState.COMPLETE for pages in found.values())
