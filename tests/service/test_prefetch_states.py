"""The five states of each prefetch key, with and without leave to ask the FHIR server (integration.md 1.8)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fhir_mappings.record import PARTS
from tests.faults.server import FaultyServer
from tests.hooks.calls import OUTCOME, Body, bundle, cards_of, outcome_of
from tests.samples.generate import SAMPLES
from tests.service.house import House, house, sample, tenant, without

CLINIC = "clinic"
PATH = "/cds-services/milan-net-patient-view"
MEETS = sample("01-meets")
NO_NET = sample("29-no-net")
REQUIRED = ("patient", "conditions")
BUNDLES = tuple(key for key in PARTS if key != "patient")
GARBAGE: tuple[Any, ...] = ("<!DOCTYPE html>", 5, True, [], ["x"], {}, {"resourceType": "Basic"}, {"a": 1})


@pytest.fixture(scope="module")
def server() -> Iterator[FaultyServer]:
    with FaultyServer(resources=MEETS.resources) as running:
        yield running


@pytest.fixture(scope="module")
def clinic(server: FaultyServer, tmp_path_factory: pytest.TempPathFactory) -> House:
    folder = tmp_path_factory.mktemp("clinic")
    return house(folder, tenant(CLINIC, folder, fhir_servers=(server.base,), deadline_ms=10_000))


def targets(server: FaultyServer) -> list[str]:
    return sorted(request.target.removeprefix("/fhir/") for request in server.seen)


def query(key: str) -> str:
    return f"Patient/{MEETS.id}" if key == "patient" else f"{PARTS[key]}?patient={MEETS.id}&_count=200"


def whole(clinic: House) -> list[Body]:
    cards = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch))
    assert cards
    return cards


# --- absent -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", PARTS)
def test_an_absent_key_that_can_be_fetched_gives_the_card_of_the_prefetch(
    clinic: House, server: FaultyServer, key: str
) -> None:
    server.seen.clear()
    body = MEETS.call(without(MEETS.prefetch, key), server.base)
    assert clinic.cards(CLINIC, body) == whole(clinic)
    assert targets(server) == [query(key)]


@pytest.mark.parametrize("prefetch", [..., None, {}], ids=["absent", "null", "empty"])
def test_without_any_prefetch_the_server_gives_the_card_of_the_prefetch(
    clinic: House, server: FaultyServer, prefetch: Any
) -> None:
    server.seen.clear()
    assert clinic.cards(CLINIC, MEETS.call(prefetch, server.base)) == whole(clinic)
    assert targets(server) == sorted(query(key) for key in PARTS)


@pytest.mark.parametrize("key", PARTS)
def test_an_absent_key_without_leave_to_ask_is_told_on_the_card(
    clinic: House, server: FaultyServer, key: str
) -> None:
    server.seen.clear()
    (card,) = clinic.cards(CLINIC, MEETS.call(without(MEETS.prefetch, key)))
    assert f"{PARTS[key]} resources could not be read: the EHR did not send them" in told(card)
    assert server.seen == []


@pytest.mark.parametrize("key", REQUIRED)
@pytest.mark.parametrize("state", [..., OUTCOME, "garbage"], ids=["absent", "outcome", "garbage"])
def test_a_required_key_that_cannot_be_had_is_a_412_that_names_it(
    clinic: House, key: str, state: Any
) -> None:
    prefetch = without(NO_NET.prefetch, key) | ({} if state is ... else {key: state})
    response = clinic.post(CLINIC, PATH, NO_NET.call(prefetch))
    assert response.status_code == 412
    assert outcome_of(response)["expression"] == [f"prefetch.{key}"]
    assert key in outcome_of(response)["diagnostics"]


# --- null and empty ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", BUNDLES)
@pytest.mark.parametrize("with_access", [False, True])
def test_null_an_empty_bundle_and_epics_no_results_are_the_same_and_never_asked_again(
    clinic: House, server: FaultyServer, key: str, *, with_access: bool
) -> None:
    server.seen.clear()
    issue = {"severity": "warning", "code": "not-found", "details": {"coding": [{"code": "4101"}]}}
    notice = {"resourceType": "OperationOutcome", "issue": [issue]}
    none = bundle(total=0, entry=[{"resource": notice, "search": {"mode": "outcome"}}])
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    answers = [
        clinic.post(
            CLINIC,
            PATH,
            MEETS.call(MEETS.prefetch | {key: state}, server.base if with_access else None),
        )
        for state in (None, empty, none)
    ]
    assert {(answer.status_code, answer.data) for answer in answers} == {(200, answers[0].data)}
    for card in cards_of(answers[0]):
        assert "Not assessed" not in card["detail"]
    assert server.seen == []


# --- OperationOutcome and garbage -------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", PARTS)
@pytest.mark.parametrize("with_access", [False, True])
def test_a_failed_query_is_told_on_the_card_and_never_asked_again(
    clinic: House, server: FaultyServer, key: str, *, with_access: bool
) -> None:
    server.seen.clear()
    body = MEETS.call(MEETS.prefetch | {key: OUTCOME}, server.base if with_access else None)
    (card,) = clinic.cards(CLINIC, body)
    assert f"{PARTS[key]} resources could not be read: the EHR's query for them failed" in told(card)
    assert server.seen == []


@pytest.mark.parametrize("key", PARTS)
def test_garbage_is_a_failed_query(clinic: House, key: str) -> None:
    expected = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: OUTCOME}))
    for garbage in GARBAGE:
        assert clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: garbage})) == expected, garbage


def test_another_patient_is_a_failed_query_and_never_the_patient(clinic: House) -> None:
    stranger = MEETS.part("patient") | {"id": "somebody-else", "birthDate": "1931-01-01"}
    (card,) = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {"patient": stranger}))
    assert "Patient resources could not be read" in told(card)
    assert "1931" not in card["detail"]


@pytest.mark.parametrize("key", BUNDLES)
def test_an_answer_of_another_patients_resources_counts_as_a_failed_one(clinic: House, key: str) -> None:
    own = MEETS.part(key)
    for entry in own.get("entry", []):
        entry["resource"]["subject"] = {"reference": "Patient/somebody-else"}
    failed = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: OUTCOME}))
    mixed = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: own}))
    assert [answers(card) for card in mixed] == [answers(card) for card in failed]
    for card in mixed:
        assert "somebody-else" not in str(card)


# --- Bundle, with and without next ------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", BUNDLES)
def test_a_bundle_with_a_next_link_is_followed_to_the_card_of_the_whole(
    clinic: House, server: FaultyServer, key: str
) -> None:
    first = MEETS.part(key)
    rest = first.get("entry", [])[1:]
    first |= {"entry": first.get("entry", [])[:1], "total": len(first.get("entry", []))}
    address = f"{server.base}/{PARTS[key]}?patient={MEETS.id}&page=2"
    first["link"] = [{"relation": "next", "url": address}]
    server.seen.clear()
    server.page_size = 1
    try:
        cards = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: first}, server.base))
    finally:
        server.page_size = 100
    assert cards == whole(clinic)
    assert len(server.seen) == max(len(rest), 1)
    assert server.seen[0].target.endswith("page=2")


@pytest.mark.parametrize("key", BUNDLES)
@pytest.mark.parametrize("link", ["https://evil.example/next", "{base}/../x", "", "file:///x", None])
def test_a_next_link_that_cannot_be_followed_leaves_a_part_which_the_card_says(
    clinic: House, server: FaultyServer, key: str, link: str | None
) -> None:
    part = MEETS.part(key)
    url = None if link is None else link.replace("{base}", server.base)
    part["link"] = [{"relation": "next"} | ({} if url is None else {"url": url})]
    server.seen.clear()
    (card,) = clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: part}, server.base))
    assert f"not all {PARTS[key]} resources could be read: the EHR sent only a part of them" in told(card)
    assert server.seen == []


@pytest.mark.parametrize("key", BUNDLES)
def test_a_single_resource_stands_for_a_bundle_and_a_bundle_for_the_patient(clinic: House, key: str) -> None:
    part = MEETS.part(key)
    entries = part.get("entry", [])
    if len(entries) == 1:
        assert clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {key: entries[0]["resource"]})) == whole(
            clinic
        )
    inside = bundle(MEETS.part("patient"))
    assert answers(clinic.cards(CLINIC, MEETS.call(MEETS.prefetch | {"patient": inside}))[0]) == answers(
        whole(clinic)[0]
    )


# --- every sample patient ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("file", SAMPLES)
def test_every_sample_gets_the_same_cards_through_the_server_as_through_the_prefetch(
    file: str, tmp_path: Path
) -> None:
    patient = sample(file)
    with FaultyServer(resources=patient.resources, page_size=300 if "2000" in file else 7) as server:
        clinic = house(tmp_path, tenant(CLINIC, tmp_path, fhir_servers=(server.base,), deadline_ms=10_000))
        through_prefetch = clinic.cards(CLINIC, patient.call(patient.prefetch))
        assert clinic.cards(CLINIC, patient.call(..., server.base)) == through_prefetch


# --- what a card says -------------------------------------------------------------------------------------------------


def told(card: Body) -> str:
    """What was not read, as card and extension say it."""
    parts = card["extension"]["org.milan-net.assessment"]["notAssessed"]
    assert "**Not assessed:**" in card["detail"]
    return "; ".join(parts)


def answers(card: Body) -> list[tuple[str, str]]:
    said = card["extension"]["org.milan-net.assessment"]
    return [(item["id"], item["verdict"]) for item in said["criteria"]]
