"""Every fault in every query of the whole service: the right card, one that says what was not read, or 412; in time.

Each fault goes through two of the queries; with FULL_FAULT_MATRIX, as in CI, through all, for more patients.
"""

import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from cds_service.ehr.circuit import COOL_DOWN_SECONDS
from fhir_mappings.record import PARTS
from tests.faults import faults
from tests.faults.every import every_fault
from tests.faults.server import FaultyServer, no_fault
from tests.hooks.calls import Body, cards_of, outcome_of
from tests.service.house import ACCESS_TOKEN, House, Patient, house, sample, tenant, without

PATH = "/cds-services/milan-net-patient-view"
EXTENSION = "org.milan-net.assessment"
MEETS = sample("01-meets")
OUTSIDE = sample("32-bone-metastasis")  # a Condition alone says so
NOT_YET = sample("04-progression-in-july")
NO_NET = sample("29-no-net")
WITH_NET = (MEETS, OUTSIDE, NOT_YET)
EVERYBODY = (*WITH_NET, NO_NET)
RESOURCES = tuple(resource for patient in EVERYBODY for resource in patient.resources)
REQUIRED = ("patient", "conditions")
IS_FULL = bool(os.environ.get("FULL_FAULT_MATRIX") or os.environ.get("CI"))
FAULTS = tuple(every_fault("http://127.0.0.1:1/fhir"))
ENDLESS = tuple(name for name in FAULTS if name.startswith(("late", "dripping", "endless")))
_SECONDS = 6.0  # for a call: ample, so that a busy machine fails no query that the fault leaves alone
_SECONDS_OF_ENDLESS = 2.0  # for a call in which a query is waited for in vain
_SLACK = 4.0  # machines that run tests are busy


@dataclass(frozen=True, slots=True)
class Site:
    """A service, and a FHIR server for each query that goes wrong there. Each patient's EHR is a tenant of its own."""

    house: House
    servers: Mapping[str, FaultyServer]
    stranger: FaultyServer
    seconds: float

    def ask(self, patient: Patient, key: str) -> TestResponse:
        """A call without prefetch, for which the server has to be asked that fails in `key`."""
        body = patient.call(..., self.servers[key].base)
        began = time.monotonic()
        answer = self.house.again().post(patient.id, PATH, body)
        assert time.monotonic() - began < self.seconds + _SLACK, key
        return answer


@pytest.fixture(scope="module")
def stranger() -> Iterator[FaultyServer]:
    """Another server, which must never hear anything of us."""
    with FaultyServer() as running:
        yield running


@pytest.fixture
def site(request: pytest.FixtureRequest, stranger: FaultyServer, tmp_path: Path) -> Iterator[Site]:
    seconds = _SECONDS_OF_ENDLESS if any(name in request.node.name for name in ENDLESS) else _SECONDS
    with ExitStack() as stack:
        servers = {key: stack.enter_context(FaultyServer(resources=RESOURCES)) for key in PARTS}
        bases = tuple(server.base for server in servers.values())
        milliseconds = int(seconds * 1000)
        tenants = [
            tenant(patient.id, tmp_path, fhir_servers=bases, deadline_ms=milliseconds)
            for patient in EVERYBODY
        ]
        yield Site(house(tmp_path, *tenants), servers, stranger, seconds)


def told(card: Body) -> str:
    parts: list[str] = card["extension"][EXTENSION].get("notAssessed", [])
    assert bool(parts) == ("**Not assessed:**" in card["detail"])
    return "; ".join(parts)


def answers(card: Body) -> Mapping[str, str]:
    return {item["id"]: item["verdict"] for item in card["extension"][EXTENSION]["criteria"]}


def verdict(card: Body) -> str:
    said: str = card["extension"][EXTENSION]["verdict"]
    return said


def faultless(site: Site, patient: Patient) -> Body:
    (card,) = site.house.cards(patient.id, patient.call(patient.prefetch))
    return card


def check(site: Site, patient: Patient, key: str, response: TestResponse) -> None:
    """The right card, one that says what was not read and claims no more than the right one, or 412."""
    if response.status_code == 412:
        assert key in REQUIRED
        assert f"prefetch.{key}" in outcome_of(response)["expression"]
        return
    cards = cards_of(response)
    if patient is NO_NET:
        assert all(verdict(card) == "incomplete" and told(card) for card in cards)
        return
    (card,) = cards
    right = faultless(site, patient)
    if card == right:
        return
    assert told(card), key
    assert f"{PARTS[key]} resources could" in told(card) or key == "patient", key  # a read has no next page
    for criterion, answer in answers(card).items():
        assert answer in ("unknown", answers(right)[criterion]), (key, criterion)
    assert (verdict(card) == "meets") <= (verdict(right) == "meets")


def _queries_for(name: str) -> tuple[str, ...]:
    """Which queries a fault goes through: by turns, unless all."""
    first = FAULTS.index(name)
    keys = tuple(PARTS)
    return keys if IS_FULL else (keys[first % len(keys)], keys[(first + 3) % len(keys)])


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_one_query_gives_the_right_card_or_says_what_was_not_read(site: Site, name: str) -> None:
    fault = every_fault(site.stranger.base)[name]
    for key, server in site.servers.items():
        server.fault = faults.only(PARTS[key], fault)
    for patients in (EVERYBODY[:2], EVERYBODY[2:]) if IS_FULL else ((MEETS, NO_NET),):
        with ThreadPoolExecutor(14) as threads:  # no more at a time than a busy machine answers
            calls = {
                (patient.id, key): (patient, threads.submit(site.ask, patient, key))
                for patient in patients
                for key in _queries_for(name)
            }
            for (_, key), (patient, call) in calls.items():
                check(site, patient, key, call.result())
    assert site.stranger.seen == []
    assert {token for server in site.servers.values() for token in server.tokens} <= {
        f"Bearer {ACCESS_TOKEN}"
    }


@pytest.mark.parametrize("name", [name for name in FAULTS if IS_FULL or name not in ENDLESS])
def test_a_fault_in_every_query_is_a_412_and_with_the_required_parts_at_hand_a_card(
    site: Site, name: str
) -> None:
    server = site.servers["patient"]
    server.fault = every_fault(site.stranger.base)[name]
    response = site.ask(MEETS, "patient")
    paged = "pag" in name
    assert response.status_code == (200 if paged and cards_of(response) else 412), name
    held = {key: MEETS.part(key) for key in REQUIRED}
    body = MEETS.call(held, server.base)
    (card,) = cards_of(site.house.post(MEETS.id, PATH, body))
    assert verdict(card) == "incomplete" or (paged and verdict(card) == "meets")
    assert all(f"{PARTS[key]} resources could" in told(card) for key in PARTS if key not in REQUIRED)
    assert site.stranger.seen == []


def test_a_server_that_is_down_is_left_alone_for_a_while_and_asked_again_afterwards(site: Site) -> None:
    server = site.servers["observations"]
    server.fault = faults.hang_up
    body = MEETS.call(without(MEETS.prefetch, "observations"), server.base)
    for _ in range(6):
        (card,) = site.house.cards(MEETS.id, body)
        assert "Observation resources could not be read" in told(card)
    asked = len(server.seen)
    server.fault = no_fault
    (card,) = site.house.cards(MEETS.id, body)
    assert "Observation resources could not be read" in told(card)
    assert len(server.seen) == asked, "the breaker is open"
    time.sleep(COOL_DOWN_SECONDS + 0.1)
    assert site.house.cards(MEETS.id, body) == [faultless(site, MEETS)]
    assert len(server.seen) > asked, "and closes once the server answers"


def test_many_calls_for_a_dead_server_do_not_starve_another_hospital(tmp_path: Path) -> None:
    with FaultyServer(faults.silence) as dead, FaultyServer(resources=RESOURCES) as alive:
        clinic = house(
            tmp_path,
            tenant("dead", tmp_path, fhir_servers=(dead.base,), deadline_ms=3000),
            tenant("alive", tmp_path, fhir_servers=(alive.base,), deadline_ms=10_000),
        )
        expected = clinic.cards("alive", OUTSIDE.call(OUTSIDE.prefetch))
        with ThreadPoolExecutor(24) as threads:
            body = MEETS.call(..., dead.base)
            waiting = [threads.submit(clinic.again().post, "dead", PATH, body) for _ in range(24)]
            while not dead.seen:
                time.sleep(0.01)
            for _ in range(3):
                assert clinic.cards("alive", OUTSIDE.call(..., alive.base)) == expected
            assert not all(call.done() for call in waiting), "the others are still waiting"
            assert {call.result().status_code for call in waiting} == {412}
