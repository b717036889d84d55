"""Two tenants of one issuer, with the same patient ids: nothing that one does or has ever reaches the other."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults import faults
from tests.faults.server import FaultyServer, no_fault
from tests.hooks.calls import Body, cards_of
from tests.service.house import PATIENT_VIEW, House, house, sample, tenant, without
from tests.service.test_fatigue_over_http import DECLINED

NORTH, SOUTH = "north", "south"
PATH = f"/cds-services/{PATIENT_VIEW}"
MEETS = sample("01-meets")
OLD = sample("22-61st-birthday-today")
PREFETCH = MEETS.prefetch
UNTOLD = without(PREFETCH, "observations")

Servers = tuple[FaultyServer, FaultyServer]


@pytest.fixture
def servers() -> Iterator[Servers]:
    with FaultyServer(resources=MEETS.resources) as north, FaultyServer(resources=MEETS.resources) as south:
        yield north, south


@pytest.fixture
def both(servers: Servers, tmp_path: Path) -> House:
    north, south = servers
    aliases = {"conditions": ("PROBLEMS", "DIAGNOSES")}
    return house(
        tmp_path,
        tenant(NORTH, tmp_path, fhir_servers=(north.base,), prefetch_aliases=aliases),
        tenant(SOUTH, tmp_path, fhir_servers=(south.base,), policy="optn-nlrb-net"),
    )


def decided_by(cards: list[Body]) -> str:
    policy: str = cards[0]["extension"]["org.milan-net.assessment"]["policy"]
    return policy


def test_each_tenant_is_decided_by_its_own_policy(both: House) -> None:
    assert decided_by(both.cards(NORTH, MEETS.call(PREFETCH))) == "milan-net-2016"
    assert decided_by(both.cards(SOUTH, MEETS.call(PREFETCH))) == "optn-nlrb-net"


def test_a_token_opens_the_door_of_its_own_tenant_only(both: House) -> None:
    path = PATH
    assert both.post("west", path, MEETS.call(PREFETCH)).status_code == 401
    assert both.post(NORTH, path, MEETS.call(PREFETCH), sub=[NORTH, SOUTH]).status_code == 401


def test_the_same_token_passes_once_and_two_tokens_of_two_tenants_do_not_meet(both: House) -> None:
    header = both.signed(NORTH, PATH, jti="once")
    body = MEETS.call(PREFETCH)
    assert both.client.post(PATH, json=body, headers=header).status_code == 200
    assert both.client.post(PATH, json=body, headers=header).status_code == 401


def test_what_one_tenant_sets_aside_the_other_still_sees(both: House) -> None:
    (card,) = both.cards(NORTH, MEETS.call(PREFETCH))
    both.override(NORTH, card, DECLINED)
    assert both.cards(NORTH, MEETS.call(PREFETCH)) == []
    assert both.cards(SOUTH, MEETS.call(PREFETCH))


def test_feedback_on_the_card_of_another_tenant_changes_nothing(both: House) -> None:
    (card,) = both.cards(NORTH, MEETS.call(PREFETCH))
    both.override(SOUTH, card, DECLINED)
    assert both.cards(NORTH, MEETS.call(PREFETCH)) == [card]
    assert both.cards(SOUTH, MEETS.call(PREFETCH))


def test_the_aliases_of_one_tenant_mean_nothing_to_the_other(both: House) -> None:
    conditions = PREFETCH["conditions"]
    halves = [{**conditions, "entry": part, "total": len(part)} for part in _halves(conditions["entry"])]
    named = without(PREFETCH, "conditions") | dict(zip(("PROBLEMS", "DIAGNOSES"), halves, strict=True))
    (card,) = both.cards(NORTH, MEETS.call(named))
    assert "Not assessed" not in card["detail"]
    assert answers(card) == answers(both.cards(NORTH, MEETS.call(PREFETCH))[0])
    (card,) = both.cards(SOUTH, MEETS.call(named))
    assert "Condition resources could not be read: the EHR did not send them" in said(card)


def test_a_row_of_several_that_is_missing_is_fetched_or_told(both: House, servers: Servers) -> None:
    half, _ = _halves(PREFETCH["conditions"]["entry"])
    one = {**PREFETCH["conditions"], "entry": half, "total": len(half)}
    named = without(PREFETCH, "conditions") | {"PROBLEMS": one}
    (card,) = both.cards(NORTH, MEETS.call(named))
    assert "not all Condition resources could be read" in said(card)
    (card,) = both.cards(NORTH, MEETS.call(named, servers[0].base))
    assert "Not assessed" not in card["detail"]
    assert len(servers[0].seen) == 1


def test_no_tenant_can_have_the_server_of_another_asked(both: House, servers: Servers) -> None:
    (card,) = both.cards(NORTH, MEETS.call(UNTOLD, servers[1].base))
    assert "Observation resources could not be read" in said(card)
    assert servers[1].seen == []


def test_what_stands_on_one_tenants_server_is_not_told_to_the_other(both: House, servers: Servers) -> None:
    servers[1].resources = ()
    assert both.cards(NORTH, MEETS.call(..., servers[0].base))
    assert both.post(SOUTH, PATH, MEETS.call(..., servers[1].base)).status_code == 412


def test_a_dead_server_of_one_tenant_costs_the_other_no_answer(both: House, servers: Servers) -> None:
    servers[0].fault = faults.hang_up
    for _ in range(6):
        both.cards(NORTH, MEETS.call(UNTOLD, servers[0].base))
    servers[0].fault = no_fault
    assert "could not be read" in said(both.cards(NORTH, MEETS.call(UNTOLD, servers[0].base))[0])
    assert len(servers[1].seen) == 0
    (card,) = cards_of(both.post(SOUTH, PATH, MEETS.call(UNTOLD, servers[1].base)))
    assert "Not assessed" not in card["detail"]


def said(card: Body) -> str:
    return "; ".join(card["extension"]["org.milan-net.assessment"]["notAssessed"])


def answers(card: Body) -> list[tuple[str, str]]:
    found = card["extension"]["org.milan-net.assessment"]["criteria"]
    return [(item["id"], item["verdict"]) for item in found]


def _halves(entries: list[Body]) -> tuple[list[Body], list[Body]]:
    return entries[: len(entries) // 2], entries[len(entries) // 2 :]
