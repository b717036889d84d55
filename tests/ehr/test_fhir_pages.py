"""What the EHR client reads: the whole chart, page by page, up to its limits."""

import gzip
import time
import tracemalloc
from typing import Any

import pytest

from cds_service.addresses import parse_base
from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.fhir_client import Access, EhrClient, Limits, Pages
from cds_service.ehr.query_errors import Reason
from fhir_mappings.bundle import PartState
from tests.ehr.answers import (
    QUERIES,
    TOKEN,
    conditions,
    fetch,
    fetch_one,
    outcome_of,
    tenant,
)
from tests.faults import faults
from tests.faults.fhir import RESOURCES, as_json
from tests.faults.server import Exchange, FaultyServer

_CONDITIONS = "Condition?patient=p1"


# --- the whole chart ------------------------------------------------------------------------------------------------


def test_all_queries_bring_what_the_server_has_with_the_token_and_by_get() -> None:
    with FaultyServer() as server:
        found = fetch(server)
        assert {key: outcome_of(pages) for key, pages in found.items()} == dict.fromkeys(
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


# --- pages ----------------------------------------------------------------------------------------------------------


def test_pages_are_followed_to_the_last() -> None:
    with FaultyServer(resources=conditions(7), page_size=3) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.COMPLETE, None, 3)
        assert server.tokens == {f"Bearer {TOKEN}"}


def test_a_next_link_of_the_prefetch_is_followed() -> None:
    with FaultyServer(resources=conditions(7), page_size=3) as server:
        found = fetch_one(server, f"{server.base}/{_CONDITIONS}&page=2")
        assert outcome_of(found) == (PartState.COMPLETE, None, 2)


def test_a_next_link_relative_to_the_base_is_followed() -> None:
    content = as_json(
        {"resourceType": "Bundle", "link": [{"relation": "next", "url": "Condition?patient=p1"}]}
    )
    with FaultyServer(faults.only("Observation", faults.body(content))) as server:
        assert outcome_of(fetch_one(server, "Observation?patient=p1")) == (PartState.COMPLETE, None, 2)


@pytest.mark.parametrize(
    ("pages", "outcome"),
    [
        (19, (PartState.COMPLETE, None, 19)),
        (20, (PartState.COMPLETE, None, 20)),
        (21, (PartState.TRUNCATED, Reason.TOO_MANY_PAGES, 20)),
    ],
)
def test_up_to_twenty_pages_are_read(pages: int, outcome: tuple[PartState, Reason | None, int]) -> None:
    with FaultyServer(resources=conditions(pages), page_size=1) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == outcome
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
    with FaultyServer(resources=conditions(10), page_size=5) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS, client)) == outcome


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
    with FaultyServer(resources=conditions(10), page_size=5) as server:
        whole = fetch_one(server, _CONDITIONS)
        enough = sum(map(len, whole.pages))
        at = fetch_one(server, _CONDITIONS, EhrClient(limits=Limits(size=enough)))
        below = fetch_one(server, _CONDITIONS, EhrClient(limits=Limits(size=enough - 1)))
    assert outcome_of(at) == (PartState.COMPLETE, None, 2)
    assert below == Pages(whole.pages[:1], PartState.TRUNCATED, Reason.TOO_LARGE)


def test_a_body_that_is_too_large_leaves_its_room_to_the_queries_after_it() -> None:
    client = EhrClient(limits=Limits(size=100_000), bulkhead=Bulkhead(threads=1))
    with FaultyServer(faults.only("Patient", faults.huge_body), resources=conditions(300)) as server:
        found = fetch(server, {"huge": "Patient/p1", "after": _CONDITIONS}, client)
    assert found["huge"].reason is Reason.TOO_LARGE
    assert found["after"].state is PartState.COMPLETE


def test_what_the_limits_are() -> None:
    assert Limits() == Limits(pages=20, size=16 * 1024 * 1024, resources=10_000)


@pytest.mark.parametrize("fault", [faults.status(500), faults.status(404), faults.reset, faults.cut_json])
def test_a_failure_after_the_first_page_keeps_the_pages_before_it(fault: faults.Fault) -> None:
    with FaultyServer(faults.from_page(3, fault), resources=conditions(9), page_size=2) as server:
        found = fetch_one(server, _CONDITIONS)
    assert (found.state, len(found.pages)) == (PartState.TRUNCATED, 2)
    assert found.reason is not None


def test_the_deadline_in_the_middle_of_the_pages_keeps_those_before_it() -> None:
    with FaultyServer(faults.from_page(2, faults.silence), resources=conditions(9), page_size=2) as server:
        found = fetch_one(server, _CONDITIONS, seconds=0.6)
    assert outcome_of(found) == (PartState.TRUNCATED, Reason.TOO_LATE, 1)


def test_a_page_that_links_to_itself_is_read_once() -> None:
    with FaultyServer(faults.next_link(f"{{base}}/{_CONDITIONS}")) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.REPEATED_LINK, 1)
        assert len(server.seen) == 1


def test_of_two_next_links_none_is_chosen() -> None:
    def two_links(exchange: Exchange) -> None:
        links = [{"relation": "next", "url": f"{server.base}/Condition?page={page}"} for page in (2, 3)]
        exchange.answer(as_json({"resourceType": "Bundle", "link": links}))

    with FaultyServer(two_links) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.FOREIGN_LINK, 1)
        assert len(server.seen) == 1


def test_one_next_link_said_twice_is_followed() -> None:
    with FaultyServer(resources=conditions(2), page_size=1) as server:

        def said_twice(exchange: Exchange) -> None:
            links = [link for link in exchange.content["link"] if link["relation"] == "next"]
            exchange.answer(as_json({**exchange.content, "link": links * 2}))

        server.fault = said_twice
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.COMPLETE, None, 2)


@pytest.mark.parametrize("more", [b"x", gzip.compress(b"{}", mtime=0), b"\x00" * 300_000])
def test_what_stands_behind_the_end_of_a_packed_body_makes_it_unreadable(more: bytes) -> None:
    packed = gzip.compress(b'{"resourceType": "Bundle"}', mtime=0) + more
    with FaultyServer(faults.encoded("gzip", packed)) as server:
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.FAILED, Reason.ENCODING, 0)


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
        assert outcome_of(fetch_one(server, _CONDITIONS)) == (PartState.TRUNCATED, Reason.FOREIGN_LINK, 1)


@pytest.mark.parametrize(
    ("entry", "count"), [(None, 0), ([], 0), ({"resource": {}}, 1), ([{}, {}], 2), ("x", 1)]
)
def test_entries_of_any_shape_are_counted(entry: Any, count: int) -> None:
    with FaultyServer(faults.body(as_json({"resourceType": "Bundle", "entry": entry}))) as server:
        for limit, state in ((count, PartState.COMPLETE), (count - 1, PartState.FAILED)):
            client = EhrClient(limits=Limits(resources=limit))
            assert fetch_one(server, _CONDITIONS, client).state is state


def test_packed_bytes_that_unpack_to_nothing_are_limited_too() -> None:
    client = EhrClient(limits=Limits(size=200_000))
    with FaultyServer(faults.hollow_gzip) as server:
        assert fetch_one(server, _CONDITIONS, client, seconds=20).reason is Reason.TOO_LARGE


def test_a_bomb_is_unpacked_in_small_steps() -> None:
    client = EhrClient(limits=Limits(size=1_000_000))
    with FaultyServer(faults.gzip_bomb()) as server:
        tracemalloc.start()
        try:
            found = fetch_one(server, _CONDITIONS, client, seconds=20)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert found.reason is Reason.TOO_LARGE
    assert peak < 8_000_000, "of the 64 MiB that it holds"
