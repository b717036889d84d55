"""The checks of the Inferno Da Vinci CRD server suite, redone over real answers to signed calls (cds-hooks.md 8.1).

Each check has its number of the suite's digest and a function of its own; a broken answer shows that it bites.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import product
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

import pytest
from fhir.resources.R4B import get_fhir_model_class
from werkzeug.test import TestResponse

from cds_service.hooks.services import SERVICES, Service
from tests.conformance.hospital import (
    DISCOVERY,
    KEYS,
    SAMPLES,
    Hospital,
    bearer,
    call_of,
    path_of,
    sample,
)
from tests.hooks.calls import Body

EACH_CALL = pytest.mark.parametrize(
    ("service", "algorithm"),
    list(product(SERVICES, KEYS)),
    ids=lambda value: value if isinstance(value, str) else value.hook,
)
GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
USERS: Final = ("Practitioner", "PractitionerRole", "Patient", "RelatedPerson")
CONTEXTS: Final[Mapping[str, Mapping[str, type]]] = {
    "patient-view": {},
    "order-select": {"selections": list, "draftOrders": dict},
    "order-sign": {"draftOrders": dict},
    "problem-list-item-create": {"conditions": dict},
    "encounter-start": {"encounterId": str},
    "appointment-book": {"appointments": dict},
}
NOTES: Final = Path(__file__).resolve().parents[2] / "docs" / "cds-hooks.md"
UNKNOWN: Final = {"davinci-crd.configuration": {"max-cards": 1, "nothing-we-know": True}}


class BrokenError(AssertionError):
    """A check of the suite that an answer does not pass."""


def ensure(holds: object, what: str) -> None:
    if not holds:
        raise BrokenError(what)


def is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


# --- the checks --------------------------------------------------------------------------------------------------------


def check_2_and_3_discovery(response: TestResponse) -> None:
    ensure(response.status_code == 200, "status")
    listed = json.loads(response.data)["services"]
    ensure(isinstance(listed, list) and listed, "services")
    for service in listed:
        ensure(all(is_text(service.get(name)) for name in ("hook", "description", "id")), "members")


def check_4_invocation(response: TestResponse) -> Body:
    ensure(response.status_code == 200, "status")
    content = json.loads(response.data)
    ensure(isinstance(content, dict), "object")
    return dict(content)


def check_5_request(body: Body) -> None:
    ensure(GUID.fullmatch(body["hookInstance"]), "hookInstance")
    ensure(isinstance(body["context"], dict), "context")
    ensure("fhirServer" in body or "fhirAuthorization" not in body, "fhirServer")
    ensure(all(body.get(name, "x") for name in ("fhirServer", "fhirAuthorization", "prefetch")), "blank")
    context = body["context"]
    kind, _, identifier = context["userId"].partition("/")
    ensure(kind in USERS and is_text(identifier), "userId")
    ensure(all("/" not in context.get(name, "") for name in ("patientId", "encounterId")), "ids")
    for name, expected in CONTEXTS[body["hook"]].items():
        ensure(isinstance(context.get(name), expected) and context[name], name)
    orders = [entry["resource"] for entry in context.get("draftOrders", {}).get("entry", ())]
    named = {f"{order['resourceType']}/{order['id']}" for order in orders}
    ensure(set(context.get("selections", ())) <= named, "selections")


def check_6_cards(content: Body) -> list[Body]:
    ensure(isinstance(content.get("cards"), list), "cards")
    found: list[Body] = content["cards"]
    return found


def check_7_card(card: Body) -> None:
    ensure(is_text(card.get("summary")) and len(card["summary"]) < 140, "summary")
    ensure(card.get("indicator") in ("info", "warning", "critical"), "indicator")
    source = card.get("source")
    ensure(isinstance(source, dict) and is_text(source.get("label")), "source")
    topic = card["source"].get("topic")
    ensure(isinstance(topic, dict) and is_text(topic.get("code")) and is_text(topic.get("system")), "topic")


def check_8_optional(card: Body) -> None:
    ensure(all(is_text(card[name]) for name in ("uuid", "detail") if name in card), "strings")
    lists = [card[name] for name in ("suggestions", "overrideReasons", "links") if name in card]
    ensure(all(isinstance(found, list) and found for found in lists), "arrays")


def check_9_suggestions(card: Body) -> None:
    if "suggestions" in card:
        ensure(card.get("selectionBehavior") in ("at-most-one", "any"), "selectionBehavior")
    for suggestion in card.get("suggestions", ()):
        ensure(is_text(suggestion.get("label")), "label")
        actions = suggestion.get("actions", [None])
        ensure(isinstance(actions, list) and actions, "actions")
        for action in filter(None, actions):
            check_action(action)


def check_action(action: Body) -> None:
    ensure(action.get("type") in ("create", "update", "delete"), "type")
    ensure(is_text(action.get("description")), "description")
    if action["type"] == "delete":
        ensure(re.fullmatch(r"[A-Za-z]+/[A-Za-z0-9.-]{1,64}", action.get("resourceId", "")), "resourceId")
    else:
        resource = action.get("resource")
        ensure(isinstance(resource, dict), "resource")
        get_fhir_model_class(action["resource"]["resourceType"]).model_validate(resource)


def check_10_reasons(card: Body) -> None:
    for reason in card.get("overrideReasons", ()):
        ensure(all(is_text(reason.get(name)) for name in ("code", "system", "display")), "reason")


def check_11_links(card: Body) -> None:
    for link in card.get("links", ()):
        ensure(is_text(link.get("label")) and link.get("type") in ("absolute", "smart"), "link")
        ensure(re.fullmatch(r"https?://[^\s/]+\S*", link.get("url", "")), "url")
        ensure(link["type"] == "smart" or "appContext" not in link, "appContext")


CARD_CHECKS: Final[tuple[Callable[[Body], None], ...]] = (
    check_7_card,
    check_8_optional,
    check_9_suggestions,
    check_10_reasons,
    check_11_links,
)


def check_card(card: Body) -> None:
    for check in CARD_CHECKS:
        check(card)


def check_answer(response: TestResponse) -> list[Body]:
    """Checks 4 and 6 to 11, and 12, as far as it is not for CRD alone: nothing is done without being asked."""
    content = check_4_invocation(response)
    ensure("systemActions" not in content, "systemActions")
    cards = check_6_cards(content)
    for card in cards:
        check_card(card)
    return cards


# --- over the service --------------------------------------------------------------------------------------------------


def test_item_56_check_1_tls_is_that_of_what_stands_in_front() -> None:
    """The service itself speaks http, to the proxy before it; Inferno's first check is one of an installation."""
    assert "Inferno's check of TLS is one of the proxy" in " ".join(NOTES.read_text("utf-8").split())


@pytest.mark.parametrize("algorithm", KEYS)
def test_item_56_checks_2_and_3_discovery_with_a_token(hospital: Hospital, algorithm: str) -> None:
    token = bearer(DISCOVERY, algorithm, jti=token_hex(32))  # 64 digits, as Inferno makes them
    headers = {"Accept": "application/json", "Authorization": token}
    check_2_and_3_discovery(hospital.client.get(DISCOVERY, headers=headers))


@EACH_CALL
def test_item_56_checks_4_to_11_an_ordinary_call(
    hospital: Hospital, service: Service, algorithm: str
) -> None:
    body = call_of(service)
    check_5_request(body)
    assert len(check_answer(hospital.post(path_of(service), body, algorithm))) == 1


@EACH_CALL
def test_item_56_checks_4_to_11_every_sample_patient(
    hospital: Hospital, service: Service, algorithm: str
) -> None:
    found = 0
    for file in sorted(SAMPLES.glob("*.json"))[::3]:
        body = sample(file, service)
        check_5_request(body)
        found += len(check_answer(hospital.post(path_of(service), body, algorithm)))
    assert found > 3


@EACH_CALL
def test_item_56_unknown_configuration_context_and_members_are_tolerated(
    hospital: Hospital, service: Service, algorithm: str
) -> None:
    expected = check_answer(hospital.post(path_of(service), call_of(service), algorithm))
    body = call_of(service, extension=UNKNOWN, somethingNew={"a": 1})
    body["context"]["somethingNew"] = UNKNOWN
    assert check_answer(hospital.post(path_of(service), body, algorithm)) == expected


# --- the checks bite ---------------------------------------------------------------------------------------------------


def broken(card: Body) -> Iterator[Body]:
    """Cards that break one check each."""
    [suggestion, *_] = card["suggestions"]
    [action] = suggestion["actions"]
    yield card | {"summary": "x" * 140}
    yield card | {"summary": " "}
    yield card | {"indicator": "hard-stop"}
    yield card | {"source": {"label": "x"}}
    yield card | {"source": card["source"] | {"topic": {"code": "x"}}}
    yield card | {"detail": ""}
    yield card | {"links": []}
    yield {name: value for name, value in card.items() if name != "selectionBehavior"}
    for wrong in ({"type": "delete"}, {"description": ""}, {"resource": {"resourceType": "ServiceRequest"}}):
        yield card | {"suggestions": [suggestion | {"actions": [action | wrong]}]}
    yield card | {"suggestions": [suggestion | {"actions": []}]}
    yield card | {"overrideReasons": [{"code": "x", "system": "urn:x"}]}
    for wrong in ({"url": "/x"}, {"type": "other"}, {"appContext": "x"}):
        yield card | {"links": [{"label": "x", "url": "https://x.org", "type": "absolute"} | wrong]}


def test_item_56_each_check_notices_what_it_is_for(hospital: Hospital) -> None:
    (card,) = check_answer(hospital.ask(SERVICES[0]))
    for wrong in broken(card):
        with pytest.raises((BrokenError, ValueError)):
            check_card(wrong)


def test_item_56_a_request_that_breaks_check_5_is_noticed() -> None:
    good = call_of(SERVICES[0])
    wrong: list[dict[str, Any]] = [
        {"hookInstance": "x"},
        {"prefetch": {}},
        {"fhirAuthorization": {"access_token": "t"}},
        {"context": good["context"] | {"patientId": "Patient/p1"}},
        {"context": good["context"] | {"userId": "p1"}},
    ]
    for changed in wrong:
        with pytest.raises(BrokenError):
            check_5_request(good | changed)
