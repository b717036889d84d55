"""The EHR client: servers that are left alone and tried again, bugs, and what it writes into the log."""

import logging
import time
from collections.abc import Mapping
from typing import Any

import pytest
import requests

from cds_service.ehr.bulkhead import Bulkhead
from cds_service.ehr.circuit import COOL_DOWN_SECONDS, CircuitState
from cds_service.ehr.connections import Transport
from cds_service.ehr.fhir_client import EhrClient, Pages
from cds_service.ehr.query_errors import Reason
from fhir_mappings.bundle import PartState
from tests.ehr.answers import QUERIES, access_to, fetch, outcome_of
from tests.faults import faults
from tests.faults.server import FaultyServer

_CONDITIONS = "Condition?patient=p1"


# --- the circuit ----------------------------------------------------------------------------------------------------


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


def test_a_trial_that_never_reached_the_server_says_nothing_and_leaves_the_next_call_to_try() -> None:
    clock = Clock()
    answers = ["127.0.0.1"]
    client = EhrClient(Transport(lambda _host, _port: tuple(answers)), clock=clock)
    with FaultyServer(faults.hang_up) as server:
        _call(server, client, clock)
        circuit = client.circuit(access_to(server))
        assert circuit.state is CircuitState.OPEN
        clock.ahead += COOL_DOWN_SECONDS + 0.1
        answers[:] = ["169.254.169.254"]
        for _ in range(2):
            found = _call(server, client, clock)
            assert {pages.reason for pages in found.values()} == {Reason.FORBIDDEN_ADDRESS}
            assert circuit.state is CircuitState.OPEN
        answers[:] = ["127.0.0.1"]
        server.fault = faults.in_gzip
        assert all(pages.state is PartState.COMPLETE for pages in _call(server, client, clock).values())


# --- bugs and logs --------------------------------------------------------------------------------------------------


class BrokenTransport(Transport):
    """A transport with a bug, whose error text holds patient data."""

    def get(self, *_: Any) -> requests.Response:
        raise KeyError("Patient/canary-patient")


def test_a_bug_costs_the_answer_and_is_logged_by_its_place(caplog: pytest.LogCaptureFixture) -> None:
    with FaultyServer() as server:
        found = fetch(server, client=EhrClient(BrokenTransport()))
    assert {outcome_of(pages) for pages in found.values()} == {(PartState.FAILED, Reason.BUG, 0)}
    assert "exchange:" in caplog.text
    assert "canary" not in caplog.text


class BrokenBulkhead(Bulkhead):
    """A bulkhead with a bug."""

    def start(self, *_: Any) -> bool:
        raise KeyError("canary")


def test_a_bug_outside_the_threads_does_not_raise_either(caplog: pytest.LogCaptureFixture) -> None:
    with FaultyServer() as server:
        found = fetch(server, client=EhrClient(bulkhead=BrokenBulkhead()))
    assert {outcome_of(pages) for pages in found.values()} == {(PartState.FAILED, Reason.BUG, 0)}
    assert "canary" not in caplog.text


def test_a_malformed_header_does_not_bring_the_address_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(faults.malformed_header) as server:
        fetch(server)
    assert "p1" not in caplog.text
    assert "127.0.0.1" not in caplog.text


def test_the_log_names_tenant_type_reason_and_time_and_nothing_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with FaultyServer(faults.only("Condition", faults.status(403))) as server:
        fetch(server)
    (record,) = caplog.records
    words = record.getMessage().rpartition(" ms=")
    assert words[0] == "FHIR query failed: tenant=general type=Condition reason=unauthorized pages=0"
    assert words[2].isdigit()
