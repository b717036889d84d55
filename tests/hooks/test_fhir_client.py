"""The EHR client: what it may ask, how much it reads, when it asks again, and for how long it waits."""

import gzip
import logging
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from threading import Event, Thread
from typing import Any

import pytest
import requests

from cds_service.addresses import parse_base
from cds_service.hooks.bulkhead import Bulkhead
from cds_service.hooks.circuit import COOL_DOWN_SECONDS, CircuitState
from cds_service.hooks.connections import Transport
from cds_service.hooks.exchange import SHORTEST_PAUSE, pause_before
from cds_service.hooks.fhir_client import PARALLEL, Access, EhrClient, Limits, Pages, access
from cds_service.hooks.fhir_pages import address_of
from cds_service.hooks.query_errors import QueryError, Reason
from cds_service.tenants import Tenant
from fhir_mappings.record import PartState
from tests.faults import faults
from tests.faults.fhir import RESOURCES, as_json
from tests.faults.server import Exchange, FaultyServer
from tests.hooks.ehr import QUERIES, TOKEN, access_to, fetch, fetch_one, tenant

_BASE = "https://ehr.example.org/R4"
_CONDITIONS = "Condition?patient=p1"


def _conditions(number: int) -> tuple[dict[str, Any], ...]:
    patient = {"reference": "Patient/p1"}
    return tuple({"resourceType": "Condition", "id": f"c{i}", "subject": patient} for i in range(number))


def _outcome(pages: Pages) -> tuple[PartState, Reason | None, int]:
    return pages.state, pages.reason, len(pages.pages)


# --- who may be asked -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "server", [_BASE, f"{_BASE}/", "https://EHR.example.org/R4", "https://ehr.example.org:443/R4"]
)
def test_a_server_of_the_tenant_may_be_asked_however_it_is_written(server: str) -> None:
    found = access(tenant(_BASE), server, TOKEN)
    assert found is not None
    assert (found.base, found.token) == (parse_base(_BASE), TOKEN)


@pytest.mark.parametrize(
    "server",
    [
        None,
        "",
        "ehr.example.org/R4",
        "http://ehr.example.org/R4",
        "https://ehr.example.org",
        "https://ehr.example.org/R4/tenant",
        "https://ehr.example.org/r4",
        "https://ehr.example.org:8443/R4",
        "https://ehr.example.org.evil.example/R4",
        "https://ehr.example.org/R4.evil.example",
        "https://ehr.example.org/R4/../../admin",
        "https://ehr.example.org/R4%2f..",
        "https://ehr.example.org/R4?x=1",
        "https://ehr.example.org/R4#x",
        "https://evil@ehr.example.org/R4",
        "https://ehr.example.org\\@evil.example/R4",
        "http://169.254.169.254/R4",
    ],
)
def test_any_other_server_may_not(server: str | None) -> None:
    assert access(tenant(_BASE), server, TOKEN) is None


def test_without_a_token_only_a_tenant_that_allows_it_is_asked() -> None:
    assert access(tenant(_BASE), _BASE, None) is None
    anonymous = Tenant(id="demo", fhir_servers=(_BASE,), allow_anonymous_queries=True)
    found = access(anonymous, _BASE, None)
    assert found is not None
    assert found.token is None


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX-Evil: 1", "a\n", "\u00fc", "a\x00", "x" * 16_385])
def test_a_token_that_cannot_stand_in_a_header_is_none(token: str) -> None:
    assert access(tenant(_BASE), _BASE, token) is None


def test_the_token_is_not_shown() -> None:
    assert TOKEN not in repr(access(tenant(_BASE), _BASE, TOKEN))


# --- what may be asked ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "address"),
    [
        ("Patient/1", f"{_BASE}/Patient/1"),
        ("Patient/a.b-C", f"{_BASE}/Patient/a.b-C"),
        ("Observation?patient=1&category=laboratory", f"{_BASE}/Observation?patient=1&category=laboratory"),
        ("Observation?code=http://loinc.org|1-2", f"{_BASE}/Observation?code=http://loinc.org|1-2"),
        (f"{_BASE}/Condition?page=2", f"{_BASE}/Condition?page=2"),
        (f"{_BASE}?_getpages=abc&_offset=20", f"{_BASE}?_getpages=abc&_offset=20"),
        ("HTTPS://EHR.example.org:443/R4/Condition", f"{_BASE}/Condition"),
    ],
)
def test_a_query_goes_below_the_base(query: str, address: str) -> None:
    assert str(address_of(parse_base(_BASE), query)) == address


@pytest.mark.parametrize(
    "query",
    [
        "",
        "Patient/..",
        "Patient/.",
        "Patient/../../admin",
        "Patient/1/../../..",
        "Patient/%2e%2e",
        "Patient/1#x",
        "Patient/1\r\nX-Evil: 1",
        "Patient//1",
        "/Patient/1",
        "//evil.example/Patient/1",
        "../admin",
        "?patient=1",
        "patient/1",
        "Patient/1/$everything",
        "Patient/1?_format=xml",
        "Condition?patient=a b",
        "Condition?patient=1\n",
        "Condition?",
        "file:///etc/passwd",
        "ftp://ehr.example.org/R4/Patient/1",
        "http://ehr.example.org/R4/Patient/1",
        "https://ehr.example.org/R4x/Patient/1",
        "https://ehr.example.org/R4.evil.example/Patient/1",
        "https://ehr.example.org/other-hospital/Patient/1",
        "https://ehr.example.org/R4/../admin",
        "https://ehr.example.org/R4/%2e%2e/admin",
        "https://ehr.example.org:8443/R4/Patient/1",
        "https://user@ehr.example.org/R4/Patient/1",
        "https://ehr.example.org@evil.example/R4/Patient/1",
        "https://ehr.example.org\\@evil.example/R4",
        "https://evil.example/R4/Patient/1",
        "http://169.254.169.254/latest/meta-data",
        "https://[::1]/R4/Patient/1",
    ],
)
def test_a_query_never_leaves_the_base(query: str) -> None:
    with pytest.raises(QueryError) as caught:
        address_of(parse_base(_BASE), query)
    assert caught.value.reason is Reason.FOREIGN_LINK


def test_a_query_that_may_not_be_asked_fails_without_a_request() -> None:
    with FaultyServer() as server:
        assert fetch_one(server, "../admin").reason is Reason.FOREIGN_LINK
        assert server.connections == 0


# --- the whole chart --------------------------------------------------------------------------------------------------


def test_all_queries_bring_what_the_server_has_with_the_token_and_by_get() -> None:
    with FaultyServer() as server:
        found = fetch(server)
        assert {key: _outcome(pages) for key, pages in found.items()} == dict.fromkeys(
            QUERIES, (PartState.COMPLETE, None, 1)
        )
        assert found["patient"].pages == (as_json(RESOURCES[0]),)
        assert sorted(request.target for request in server.seen) == sorted(
            f"/fhir/{query}" for query in QUERIES.values()
        )
        assert server.tokens == {f"Bearer {TOKEN}"}
        assert {request.headers["Accept"] for request in server.seen} == {"application/fhir+json"}


def test_without_a_token_none_is_sent() -> None:
    with FaultyServer() as server:
        anonymous = Access(tenant(server.base), parse_base(server.base), None)
        found = EhrClient().fetch(anonymous, {"it": "Patient/p1"}, time.monotonic() + 5)
        assert found["it"].state is PartState.COMPLETE
        assert server.tokens == set()


def test_no_queries_bring_nothing() -> None:
    with FaultyServer() as server:
        assert fetch(server, {}) == {}


def test_a_packed_answer_is_unpacked() -> None:
    with FaultyServer(faults.in_gzip) as server:
        assert fetch_one(server, "Patient/p1").pages == (as_json(RESOURCES[0]),)


def test_a_bundle_with_an_outcome_inside_is_passed_on_for_the_record_to_judge() -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}
    content = as_json({"resourceType": "Bundle", "entry": [{"resource": outcome}]})
    with FaultyServer(faults.body(content)) as server:
        assert fetch_one(server, _CONDITIONS) == Pages((content,), PartState.COMPLETE)


def test_a_read_that_brings_a_bundle_or_a_search_that_brings_none_fails() -> None:
    with FaultyServer(faults.body(b'{"resourceType": "Bundle"}')) as server:
        assert fetch_one(server, "Patient/p1").reason is Reason.WRONG_TYPE
    with FaultyServer(faults.body(b'{"resourceType": "Condition"}')) as server:
        assert fetch_one(server, _CONDITIONS).reason is Reason.WRONG_TYPE


# --- pages ------------------------------------------------------------------------------------------------------------


def test_pages_are_followed_to_the_last() -> None:
    with FaultyServer(resources=_conditions(7), page_size=3) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == (PartState.COMPLETE, None, 3)
        assert server.tokens == {f"Bearer {TOKEN}"}


def test_a_next_link_of_the_prefetch_is_followed() -> None:
    with FaultyServer(resources=_conditions(7), page_size=3) as server:
        found = fetch_one(server, f"{server.base}/{_CONDITIONS}&page=2")
        assert _outcome(found) == (PartState.COMPLETE, None, 2)


def test_a_next_link_relative_to_the_base_is_followed() -> None:
    content = as_json(
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": "Condition?patient=p1"}]}
    )
    with FaultyServer(faults.only("Observation", faults.body(content))) as server:
        assert _outcome(fetch_one(server, "Observation?patient=p1")) == (PartState.COMPLETE, None, 2)


@pytest.mark.parametrize(
    ("pages", "outcome"),
    [
        (19, (PartState.COMPLETE, None, 19)),
        (20, (PartState.COMPLETE, None, 20)),
        (21, (PartState.TRUNCATED, Reason.TOO_MANY_PAGES, 20)),
    ],
)
def test_up_to_twenty_pages_are_read(pages: int, outcome: tuple[PartState, Reason | None, int]) -> None:
    with FaultyServer(resources=_conditions(pages), page_size=1) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == outcome
        assert len(server.seen) == min(pages, 20)


@pytest.mark.parametrize(
    ("limit", "outcome"),
    [
        (9, (PartState.TRUNCATED, Reason.TOO_MANY_RESOURCES, 1)),
        (10, (PartState.COMPLETE, None, 2)),
        (11, (PartState.COMPLETE, None, 2)),
        (4, (PartState.FAILED, Reason.TOO_MANY_RESOURCES, 0)),
        (5, (PartState.TRUNCATED, Reason.TOO_MANY_RESOURCES, 1)),
    ],
)
def test_resources_are_read_up_to_the_limit(
    limit: int, outcome: tuple[PartState, Reason | None, int]
) -> None:
    client = EhrClient(limits=Limits(resources=limit))
    with FaultyServer(resources=_conditions(10), page_size=5) as server:
        assert _outcome(fetch_one(server, _CONDITIONS, client)) == outcome


def test_resources_count_over_all_queries_of_a_call() -> None:
    client = EhrClient(limits=Limits(resources=9))
    two = {key: QUERIES[key] for key in ("conditions", "observations", "procedures", "reports")}
    with FaultyServer() as server:
        states = sorted(pages.state.value for pages in fetch(server, two, client).values())
        assert states == ["complete", "complete", "complete", "failed"]
        states = [pages.state.value for pages in fetch(server, two, client).values()]
        assert states.count("complete") == 3, "the next call has its own allowance"


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize(("more", "state"), [(-1, "complete"), (0, "complete"), (1, "failed")])
def test_bytes_are_read_up_to_the_limit_packed_or_not(pack: Any, more: int, state: str) -> None:
    limit = 200_000
    start = b'{"resourceType": "Bundle"'
    content = start + b" " * (limit + more - len(start) - 1) + b"}"
    fault = faults.encoded("identity" if pack is bytes else "gzip", pack(content))
    with FaultyServer(fault) as server:
        found = fetch_one(server, _CONDITIONS, EhrClient(limits=Limits(size=limit)))
    assert found.state.value == state
    assert found.reason is (None if more <= 0 else Reason.TOO_LARGE)


def test_a_page_beyond_the_bytes_is_dropped_and_those_before_it_are_kept() -> None:
    with FaultyServer(resources=_conditions(10), page_size=5) as server:
        whole = fetch_one(server, _CONDITIONS)
        enough = sum(map(len, whole.pages))
        at = fetch_one(server, _CONDITIONS, EhrClient(limits=Limits(size=enough)))
        below = fetch_one(server, _CONDITIONS, EhrClient(limits=Limits(size=enough - 1)))
    assert _outcome(at) == (PartState.COMPLETE, None, 2)
    assert below == Pages(whole.pages[:1], PartState.TRUNCATED, Reason.TOO_LARGE)


def test_a_body_that_is_too_large_leaves_its_room_to_the_queries_after_it() -> None:
    client = EhrClient(limits=Limits(size=100_000), bulkhead=Bulkhead(threads=1))
    with FaultyServer(faults.only("Patient", faults.huge_body), resources=_conditions(300)) as server:
        found = fetch(server, {"huge": "Patient/p1", "after": _CONDITIONS}, client)
    assert found["huge"].reason is Reason.TOO_LARGE
    assert found["after"].state is PartState.COMPLETE


def test_what_the_limits_are() -> None:
    assert Limits() == Limits(pages=20, size=16 * 1024 * 1024, resources=10_000)


@pytest.mark.parametrize("fault", [faults.status(500), faults.status(404), faults.reset, faults.cut_json])
def test_a_failure_after_the_first_page_keeps_the_pages_before_it(fault: faults.Fault) -> None:
    with FaultyServer(faults.from_page(3, fault), resources=_conditions(9), page_size=2) as server:
        found = fetch_one(server, _CONDITIONS)
    assert (found.state, len(found.pages)) == (PartState.TRUNCATED, 2)
    assert found.reason is not None


def test_the_deadline_in_the_middle_of_the_pages_keeps_those_before_it() -> None:
    with FaultyServer(faults.from_page(2, faults.silence), resources=_conditions(9), page_size=2) as server:
        found = fetch_one(server, _CONDITIONS, seconds=0.6)
    assert _outcome(found) == (PartState.TRUNCATED, Reason.TOO_LATE, 1)


def test_a_page_that_links_to_itself_is_read_once() -> None:
    with FaultyServer(faults.next_link(f"{{base}}/{_CONDITIONS}")) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.REPEATED_LINK, 1)
        assert len(server.seen) == 1


def test_of_two_next_links_none_is_chosen() -> None:
    links = [{"relation": "next", "url": f"{_BASE}/Condition?page={page}"} for page in (2, 3)]
    with FaultyServer(faults.body(as_json({"resourceType": "Bundle", "link": links}))) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.FOREIGN_LINK, 1)


@pytest.mark.parametrize(
    "link",
    [
        {"relation": "NEXT", "url": "https://evil.example/"},
        [{"relation": "next"}],
        [{"relation": "next", "url": ["x"]}],
        [{"relation": "self"}, {"relation": "next", "url": 5}],
    ],
)
def test_a_next_link_of_any_shape_means_that_there_is_more(link: Any) -> None:
    with FaultyServer(faults.body(as_json({"resourceType": "Bundle", "link": link}))) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.FOREIGN_LINK, 1)


@pytest.mark.parametrize(
    ("entry", "count"), [(None, 0), ([], 0), ({"resource": {}}, 1), ([{}, {}], 2), ("x", 1)]
)
def test_entries_of_any_shape_are_counted(entry: Any, count: int) -> None:
    with FaultyServer(faults.body(as_json({"resourceType": "Bundle", "entry": entry}))) as server:
        for limit, state in ((count, PartState.COMPLETE), (count - 1, PartState.FAILED)):
            client = EhrClient(limits=Limits(resources=limit))
            assert fetch_one(server, _CONDITIONS, client).state is state


# --- asking again -----------------------------------------------------------------------------------------------------


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
    with FaultyServer(faults.first(1, faults.status(503)), resources=_conditions(3), page_size=1) as server:
        assert _outcome(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.SERVER_ERROR, 1)


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


# --- waiting ----------------------------------------------------------------------------------------------------------


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


def test_a_name_that_cannot_be_looked_up_in_time_is_not_waited_for() -> None:
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
        gate.set()
        _wait_until_idle(bulkhead)
        assert server.seen == [], "nobody asks after the call is over"


def _wait_until_idle(bulkhead: Bulkhead) -> None:
    for _ in range(500):
        if bulkhead.running == 0:
            return
        time.sleep(0.01)
    raise AssertionError("threads are left")


@pytest.mark.parametrize(
    "fault", [faults.silence, faults.drip_headers, faults.drip_trailers, faults.drip_body]
)
def test_threads_that_wait_for_a_slow_server_end_with_the_call(fault: faults.Fault) -> None:
    bulkhead = Bulkhead()
    with FaultyServer(fault) as server:
        fetch(server, client=EhrClient(bulkhead=bulkhead), seconds=0.4)
        begun = time.monotonic()
        _wait_until_idle(bulkhead)
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


# --- the circuit ------------------------------------------------------------------------------------------------------


class Clock:
    """The monotonic clock, and a hand to move it on."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.ahead


def _call(server: FaultyServer, client: EhrClient, clock: Clock) -> Mapping[str, Pages]:
    return client.fetch(access_to(server), QUERIES, clock() + 5)


def test_a_server_that_has_recovered_is_tried_and_used_again() -> None:
    clock = Clock()
    client = EhrClient(clock=clock)
    with FaultyServer(faults.status(500)) as server:
        _call(server, client, clock)
        circuit = client.circuit(access_to(server))
        assert circuit.state is CircuitState.OPEN
        server.fault = faults.in_gzip
        assert {pages.reason for pages in _call(server, client, clock).values()} == {Reason.CIRCUIT_OPEN}
        clock.ahead += COOL_DOWN_SECONDS + 0.1
        assert all(pages.state is PartState.COMPLETE for pages in _call(server, client, clock).values())
        assert circuit.state is CircuitState.CLOSED


def test_a_server_that_has_not_recovered_is_left_alone_again() -> None:
    clock = Clock()
    client = EhrClient(clock=clock)
    with FaultyServer(faults.status(500)) as server:
        _call(server, client, clock)
        clock.ahead += COOL_DOWN_SECONDS + 0.1
        assert {pages.reason for pages in _call(server, client, clock).values()} == {Reason.SERVER_ERROR}
        assert {pages.reason for pages in _call(server, client, clock).values()} == {Reason.CIRCUIT_OPEN}


def test_tenants_do_not_share_a_circuit() -> None:
    client = EhrClient()
    with FaultyServer(faults.status(500)) as server:
        fetch(server, client=client)
        other = client.fetch(access_to(server, "other"), QUERIES, time.monotonic() + 5)
    assert {pages.reason for pages in other.values()} == {Reason.SERVER_ERROR}


def test_a_server_that_was_given_too_little_time_is_not_blamed() -> None:
    client = EhrClient()
    with FaultyServer(faults.silence) as server:
        for _ in range(4):
            fetch(server, client=client, seconds=0.05)
        assert client.circuit(access_to(server)).state is CircuitState.CLOSED


def test_a_name_at_a_forbidden_address_is_not_the_servers_failure() -> None:
    client = EhrClient(Transport(lambda _host, _port: ("169.254.169.254",)))
    with FaultyServer() as server:
        for _ in range(2):
            found = fetch(server, client=client)
            assert {pages.reason for pages in found.values()} == {Reason.FORBIDDEN_ADDRESS}
        assert client.circuit(access_to(server)).state is CircuitState.CLOSED
        assert server.connections == 0


# --- bugs and logs ----------------------------------------------------------------------------------------------------


class BrokenTransport(Transport):
    """A transport with a bug, whose error text holds patient data."""

    def get(self, *_: Any) -> requests.Response:
        raise KeyError("Patient/canary-patient")


def test_a_bug_costs_the_answer_and_is_logged_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with FaultyServer() as server:
        found = fetch(server, client=EhrClient(BrokenTransport()))
    assert {_outcome(pages) for pages in found.values()} == {(PartState.FAILED, Reason.BUG, 0)}
    assert "exchange:" in caplog.text
    assert "canary" not in caplog.text


class BrokenBulkhead(Bulkhead):
    """A bulkhead with a bug."""

    def start(self, *_: Any) -> bool:
        raise KeyError("canary")


def test_a_bug_outside_the_threads_does_not_raise_either(caplog: pytest.LogCaptureFixture) -> None:
    with FaultyServer() as server:
        found = fetch(server, client=EhrClient(bulkhead=BrokenBulkhead()))
    assert {_outcome(pages) for pages in found.values()} == {(PartState.FAILED, Reason.BUG, 0)}
    assert "canary" not in caplog.text


def test_the_log_names_tenant_type_reason_and_time_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(faults.only("Condition", faults.status(403))) as server:
        fetch(server)
    (record,) = caplog.records
    words = record.getMessage().rpartition(" ms=")
    assert words[0] == "FHIR query failed: tenant=general type=Condition reason=unauthorized pages=0"
    assert words[2].isdigit()
