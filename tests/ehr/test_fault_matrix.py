"""Every fault in every query: the others bring what there is, the faulty one says so, in time, and no token strays."""

import logging
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor

import pytest

from cds_service.ehr.circuit import CircuitState
from cds_service.ehr.fhir_client import EhrClient, Pages
from cds_service.ehr.query_errors import Reason
from fhir_mappings.bundle import PartState
from tests.ehr.answers import QUERIES, TOKEN, TYPES, access_to
from tests.faults.every import every_fault
from tests.faults.faults import only
from tests.faults.server import FaultyServer

_DEADLINE = 5.0  # for faults that end by themselves
_SLOW_DEADLINE = 1.2
_SHORT_DEADLINE = 0.4
_SLACK = 2.0  # machines that run tests are busy

_SLOW = {Reason.TOO_LATE}
_BROKEN = {Reason.BROKEN_OFF}
_LARGE = {Reason.TOO_LARGE}
EXPECTED: Mapping[str, set[Reason]] = {
    "no answer": _SLOW,
    "late answer": _SLOW,
    "hung up": _BROKEN,
    "reset": _BROKEN,
    "reset in the body": _BROKEN,
    "dripping status": _SLOW,
    "dripping headers": _SLOW,
    "dripping body": _SLOW,
    "dripping chunk size": _SLOW,
    "dripping trailers": _SLOW,
    "less than Content-Length": _BROKEN,
    "cut without a length": {Reason.NOT_JSON},
    "cut chunks": _BROKEN,
    "chunk garbage": _BROKEN,
    "endless headers": _BROKEN,
    "endless header": _BROKEN,
    "endless 100 Continue": _SLOW,
    "another protocol": _BROKEN,
    "400": {Reason.REJECTED},
    "401": {Reason.UNAUTHORIZED},
    "403": {Reason.UNAUTHORIZED},
    "404": {Reason.NOT_FOUND},
    "410": {Reason.NOT_FOUND},
    "429": {Reason.THROTTLED},
    "429 with Retry-After": {Reason.THROTTLED},
    "500": {Reason.SERVER_ERROR},
    "502": {Reason.SERVER_ERROR},
    "503 with Retry-After": {Reason.SERVER_ERROR},
    "503 with a date": {Reason.SERVER_ERROR},
    "504": {Reason.SERVER_ERROR},
    "204": {Reason.REJECTED},
    "redirect to a stranger": {Reason.REDIRECTED},
    "redirect to the same server": {Reason.REDIRECTED},
    "redirect to metadata": {Reason.REDIRECTED},
    "no body": {Reason.NOT_JSON},
    "HTML": {Reason.NOT_JSON},
    "another JSON": {Reason.WRONG_TYPE},
    "a list": {Reason.NOT_JSON},
    "NaN": {Reason.NOT_JSON},
    "no UTF-8": {Reason.NOT_JSON},
    "deep JSON": {Reason.NOT_JSON},
    "another type": {Reason.WRONG_TYPE},
    "OperationOutcome": {Reason.OUTCOME},
    "cut JSON": {Reason.NOT_JSON},
    "unknown encoding": {Reason.ENCODING},
    "gzip that is none": {Reason.ENCODING},
    "two layers of gzip": {Reason.ENCODING},
    "cut gzip": _BROKEN,
    "gzip bomb": _LARGE,
    "hollow gzip": _LARGE,
    "endless body": _LARGE,
    "endless paging": {Reason.TOO_MANY_PAGES},
    "next page at a stranger": {Reason.FOREIGN_LINK},
    "next page with a user": {Reason.FOREIGN_LINK},
    "next page at the metadata": {Reason.FOREIGN_LINK},
    "next page above the base": {Reason.FOREIGN_LINK},
    "next page beside the base": {Reason.FOREIGN_LINK},
    "next page of a file": {Reason.FOREIGN_LINK},
    "next page is no text": {Reason.FOREIGN_LINK},
}
_PAGING = {name for name in EXPECTED if "pag" in name}
_OPENING = {"no answer", "dripping headers", "reset", "503 with Retry-After", "another protocol"}
_NOT_OPENING = {"401", "404", "429", "HTML", "redirect to a stranger", "endless paging"}


@pytest.fixture(scope="module")
def stranger() -> Iterator[FaultyServer]:
    """Another server, which must never hear anything of us."""
    with FaultyServer() as server:
        yield server


def _call(
    server: FaultyServer, client: EhrClient, seconds: float = _SHORT_DEADLINE
) -> tuple[Mapping[str, Pages], float]:
    """What a call brings, and the seconds by which it missed its deadline."""
    deadline = time.monotonic() + seconds
    found = client.fetch(access_to(server), QUERIES, deadline)
    return found, time.monotonic() - deadline


def _with_fault_in(key: str, name: str, stranger: FaultyServer) -> tuple[Mapping[str, Pages], float]:
    fault = only(TYPES[key], every_fault(stranger.base)[name])
    with FaultyServer(fault) as server:
        return _call(server, EhrClient(), _SLOW_DEADLINE if EXPECTED[name] == _SLOW else _DEADLINE)


def test_every_fault_has_an_expected_reason() -> None:
    assert EXPECTED.keys() == every_fault("http://127.0.0.1:1/fhir").keys()


@pytest.mark.parametrize("name", EXPECTED)
def test_a_fault_in_one_query_is_told_and_leaves_the_others_whole(name: str, stranger: FaultyServer) -> None:
    with ThreadPoolExecutor(len(QUERIES)) as threads:
        calls = {key: threads.submit(_with_fault_in, key, name, stranger) for key in QUERIES}
    for faulty, call in calls.items():
        found, late = call.result()
        assert late < _SLACK, faulty
        assert found.keys() == QUERIES.keys()
        for key, pages in found.items():
            if key != faulty or (key == "patient" and name in _PAGING):  # a read has no next page
                assert (pages.state, pages.reason) == (PartState.COMPLETE, None), (faulty, key)
            else:
                _assert_tells(pages, name)
    assert stranger.seen == []


def _assert_tells(pages: Pages, name: str) -> None:
    # an answer that never ends may be cut by the clock before it is by its size
    reasons = EXPECTED[name] | (_SLOW if EXPECTED[name] == _LARGE or "endless" in name else set())
    assert pages.reason in reasons
    assert pages.state is (PartState.TRUNCATED if pages.pages else PartState.FAILED)
    assert bool(pages.pages) or name not in _PAGING


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_a_fault_in_all_queries_neither_raises_nor_logs_what_was_asked(
    name: str, stranger: FaultyServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(every_fault(stranger.base)[name]) as server:
        found, late = _call(server, EhrClient())
    assert late < _SLACK
    assert all(pages.reason is not None for key, pages in found.items() if key != "patient")
    assert stranger.seen == []
    assert server.tokens <= {f"Bearer {TOKEN}"}
    for secret in (TOKEN, "p1", "patient=", "127.0.0.1", "page=", "169.254"):
        assert secret not in caplog.text


@pytest.mark.parametrize("name", sorted(_OPENING))
def test_a_server_that_fails_opens_the_circuit_and_is_left_alone(name: str, stranger: FaultyServer) -> None:
    client = EhrClient()
    with FaultyServer(every_fault(stranger.base)[name]) as server:
        circuit = client.circuit(access_to(server))
        for _ in range(3):
            if circuit.state is CircuitState.CLOSED:
                _call(server, client)
        assert circuit.state is CircuitState.OPEN
        asked = len(server.seen)
        found, late = _call(server, client)
        assert len(server.seen) == asked
    assert late < 0, "it is not waited for"
    assert {pages.reason for pages in found.values()} == {Reason.CIRCUIT_OPEN}
    assert {pages.state for pages in found.values()} == {PartState.FAILED}


@pytest.mark.parametrize("name", sorted(_NOT_OPENING))
def test_a_server_that_answers_whatever_it_says_keeps_the_circuit_closed(
    name: str, stranger: FaultyServer
) -> None:
    client = EhrClient()
    with FaultyServer(every_fault(stranger.base)[name]) as server:
        _call(server, client)
        _call(server, client)
        assert client.circuit(access_to(server)).state is CircuitState.CLOSED
