"""Every card that any service gives to any sample patient, over the wire (cds-hooks.md 3 and 10)."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import pytest
from fhir.resources.R4B.servicerequest import ServiceRequest
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from werkzeug.test import TestResponse

from cds_service.hooks.cards import OVERRIDE_REASONS
from cds_service.hooks.services import SERVICES, Service
from cds_service.tenants import Link, Tenant
from tests.conformance.hospital import SAMPLES, Hospital, call_of, context_of, feedback_of, sample
from tests.hooks.calls import (
    LIVER,
    NET,
    OUTCOME,
    PATIENT,
    SERVICE,
    Body,
    bundle,
    call,
    cards_of,
    chart,
    client,
    condition,
    empty_members,
    schema,
    strict,
)
from tests.hooks.test_text import ANYTHING, HOSTILE, tags

GFM = MarkdownIt("gfm-like", {"html": True})
EHR = client()
EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
EXTENSION = "org.milan-net.assessment"
# The tags of our templates; that no text becomes one of these either is proved in tests/hooks/test_cards.py.
_PAIRED = ("p", "h4", "ul", "li", "strong", "em", "table", "thead", "tbody", "tr", "th", "td")
AUTHORED = {"<hr />", *(f"<{slash}{name}>" for name in _PAIRED for slash in ("", "/"))}
LINKS = (
    Link(label="Pathway", url="https://hospital.example.org/net"),
    Link(label="Open the app", url="https://app.example.org/launch", type="smart", app_context="net"),
)


@pytest.fixture
def ehr() -> FlaskClient:
    return EHR


@pytest.fixture(scope="module")
def answers(hospital: Hospital) -> list[tuple[Service, TestResponse]]:
    """What every service says of every sample patient."""
    files = sorted(SAMPLES.glob("*.json"))
    return [(service, hospital.ask(service, sample(file, service))) for file in files for service in SERVICES]


@pytest.fixture(scope="module")
def cards(answers: list[tuple[Service, TestResponse]]) -> list[Body]:
    found = [card for _, response in answers for card in cards_of(response)]
    assert len(found) > 150
    return found


@pytest.fixture(scope="module")
def suggestions(cards: list[Body]) -> list[Body]:
    return [suggestion for card in cards for suggestion in card.get("suggestions", [])]


def test_item_25_every_answer_is_an_object_with_cards_and_nothing_else(
    answers: list[tuple[Service, TestResponse]],
) -> None:
    assert {tuple(strict(response.data)) for _, response in answers} == {("cards",)}
    assert {service.hook for service, response in answers if cards_of(response)} == {
        service.hook for service in SERVICES
    }


def test_item_25_no_advice_is_exactly_an_empty_list(answers: list[tuple[Service, TestResponse]]) -> None:
    silent = [response.data for _, response in answers if not cards_of(response)]
    assert set(silent) == {b'{"cards":[]}'}


def test_item_25_without_a_trace_of_a_tumour_other_missing_keys_are_no_reason_to_speak(
    ehr: FlaskClient,
) -> None:
    prefetch = {
        "patient": PATIENT,
        "conditions": bundle(condition("asthma", "J45.909")),
        "observations": OUTCOME,
    }
    response = ehr.post(SERVICE, json=call(prefetch))
    assert response.json == {"cards": []}


def test_item_25_patients_whom_the_criteria_do_not_concern_get_exactly_no_cards(ehr: FlaskClient) -> None:
    for prefetch in (
        chart(conditions=bundle(condition("asthma", "J45.909"))),
        chart(conditions=bundle(NET)),
        chart(patient=PATIENT | {"deceasedBoolean": True}),
        chart(patient=PATIENT | {"birthDate": "2015-01-01"}),
    ):
        assert ehr.post(SERVICE, json=call(prefetch)).data == b'{"cards":[]}'


def sentences(text: str) -> list[str]:
    return re.split(r"(?<=[.!?])\s+(?=[A-Z])", text)


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_item_26_summary_indicator_and_label_are_as_they_must_be(cards: list[Body]) -> None:
    for card in cards:
        assert 1 <= len(card["summary"]) <= units(card["summary"]) <= 139
        assert card["summary"].strip()
        assert len(sentences(card["summary"])) == 1
        assert card["source"]["label"].strip()
    assert {card["indicator"] for card in cards} == {"info", "warning"}  # and never critical


TOO_LONG = ("x" * 500, "\U0001f600" * 300, "\u0301" * 300, "e\u0301" * 150, "\u0958" * 200, "\ufdfa" * 200)


def hostile(text: str) -> Body:
    """A chart of somebody who met the criteria, in which every text that people type says `text`."""
    _, prefetch = json.loads(json.dumps(("", sample(SAMPLES / "01-meets.json", SERVICES[0])["prefetch"])))
    for resource in resources(prefetch):
        resource["note"] = [{"text": text}]
        for name in ("code", "bodySite", "valueCodeableConcept"):
            concepts = resource.get(name, [])
            for concept in concepts if isinstance(concepts, list) else [concepts]:
                concept["text"] = text
                for coding in concept.get("coding", ()):
                    coding["display"] = text
        if "valueString" in resource:
            resource["valueString"] = text
    return {name: part for name, part in prefetch.items() if name != "observations"}


def resources(prefetch: Body) -> Iterator[Body]:
    for part in prefetch.values():
        yield from (entry["resource"] for entry in part["entry"]) if "entry" in part else (part,)


def hostile_card(hospital: Hospital, service: Service, text: str) -> Body:
    context = context_of(service, "meets")
    (card,) = cards_of(hospital.ask(service, call_of(service, hostile(text), context=context)))
    return card


@EACH_SERVICE
@pytest.mark.parametrize("text", [*TOO_LONG, *HOSTILE], ids=lambda text: ascii(text[:30]))
def test_item_26_and_27_no_text_of_a_chart_stretches_a_summary_or_becomes_markup(
    hospital: Hospital, service: Service, text: str
) -> None:
    card = hostile_card(hospital, service, text)
    assert 1 <= len(card["summary"]) <= units(card["summary"]) <= 139
    assert not re.search(r"[\n\r`*\[\]]|<[A-Za-z/!?]", card["summary"])
    assert set(tags(GFM.render(card["detail"]))) <= AUTHORED


@given(text=ANYTHING | st.text(min_size=100, max_size=400))
def test_item_26_and_27_whatever_the_text(text: str) -> None:
    prefetch = chart(conditions=bundle(NET | {"code": NET["code"] | {"text": text}}, LIVER))
    (card,) = cards_of(EHR.post(SERVICE, json=call(prefetch)))
    assert 1 <= len(card["summary"]) <= units(card["summary"]) <= 139
    assert set(tags(GFM.render(card["detail"]))) <= AUTHORED


def test_item_27_detail_is_markdown_with_no_tags_but_its_own(cards: list[Body]) -> None:
    assert {tag for card in cards for tag in tags(GFM.render(card["detail"]))} <= AUTHORED


def test_item_28_suggestions_say_how_to_select(cards: list[Body]) -> None:
    for card in cards:
        assert ("suggestions" in card) == ("selectionBehavior" in card)
        assert card.get("selectionBehavior", "any") == "any"
        recommended = [item for item in card.get("suggestions", ()) if item.get("isRecommended")]
        assert len(recommended) <= 1
    assert any("suggestions" in card for card in cards)


def test_item_29_each_action_creates_one_whole_draft(suggestions: list[Body]) -> None:
    assert suggestions
    for suggestion in suggestions:
        assert suggestion["label"].strip()
        for action in suggestion["actions"]:
            assert set(action) == {"type", "description", "resource"}
            assert action["type"] == "create"
            assert action["description"].strip()
            ServiceRequest.model_validate(action["resource"])
            assert UUID(action["resource"]["id"])
            assert action["resource"]["status"] == "draft"


def test_item_30_reasons_are_whole_codings_and_nothing_else(cards: list[Body]) -> None:
    for card in cards:
        assert card["overrideReasons"] == OVERRIDE_REASONS
        for reason in card["overrideReasons"]:
            assert set(reason) == {"code", "system", "display"}
            assert all(isinstance(value, str) and value.strip() for value in reason.values())
            assert urlsplit(reason["system"]).scheme


def test_item_31_without_a_wish_of_the_tenant_there_are_no_links(cards: list[Body]) -> None:
    assert not [card for card in cards if "links" in card]


@EACH_SERVICE
def test_item_31_links_are_whole_absolute_and_open_nothing_by_themselves(
    tmp_path: Path, service: Service
) -> None:
    with Hospital(tmp_path, links=LINKS) as hospital:
        (card,) = cards_of(hospital.ask(service))
    assert [set(link) for link in card["links"]] == [
        {"label", "url", "type"},
        {"label", "url", "type", "appContext"},
    ]
    for link in card["links"]:
        assert link["type"] == ("smart" if "appContext" in link else "absolute")
        assert urlsplit(link["url"]).scheme == "https"
        assert "autolaunchable" not in link


def test_item_31_a_context_is_for_an_app_and_an_address_is_absolute() -> None:
    for wrong in ({"type": "absolute", "app_context": "x"}, {"url": "/app"}, {"url": "http://x.org"}):
        with pytest.raises(ValueError, match=r"app_context|address"):
            Link.model_validate({"label": "x", "url": "https://x.org"} | wrong)
    assert Tenant(id="x").links == ()


def test_item_32_uuids_are_lower_case_and_unique(cards: list[Body], suggestions: list[Body]) -> None:
    uuids = [item["uuid"] for item in (*cards, *suggestions)]
    assert all(str(UUID(uuid)) == uuid for uuid in uuids)
    assert len(set(uuids)) == len(uuids)


@EACH_SERVICE
def test_item_32_feedback_knows_the_uuids_of_the_cards_that_were_shown(
    hospital: Hospital, service: Service
) -> None:
    (card,) = cards_of(hospital.ask(service))
    [first, *_] = card["suggestions"]
    told = {"card": card["uuid"], "outcome": "accepted", "acceptedSuggestions": [{"id": first["uuid"]}]}
    body = {"feedback": [told | {"outcomeTimestamp": "2026-11-23T10:00:00Z"}]}
    assert hospital.post(feedback_of(service), body).status_code == 200
    receipt = hospital.logged[-1]["feedback"]
    assert (receipt["accepted"], receipt["unknown"], receipt["foreign"]) == (1, 0, 0)


def test_item_33_the_source_is_the_guideline_and_its_address_absolute(cards: list[Body]) -> None:
    for card in cards:
        address = urlsplit(card["source"]["url"])
        assert (address.scheme, address.netloc) == ("https", "doi.org")
        assert "icon" not in card["source"]  # of 100 x 100 pixels: none is hosted
    assert len({card["source"]["url"] for card in cards}) == 1


def test_item_34_the_topic_is_a_static_coding(cards: list[Body]) -> None:
    topics = {json.dumps(card["source"]["topic"], sort_keys=True): card for card in cards}
    for text in topics:
        topic = json.loads(text)
        assert set(topic) == {"code", "system", "display"}
        assert re.fullmatch(r"[A-Za-z0-9]{1,100}", topic["code"])  # as Epic asks (integration.md 0)
    assert len(topics) == len({card["extension"][EXTENSION]["verdict"] for card in cards})


def test_item_35_nothing_is_done_or_selected_without_agreement(
    answers: list[tuple[Service, TestResponse]],
) -> None:
    for _, response in answers:
        assert b"actionSelectionBehavior" not in response.data
        assert b"systemActions" not in response.data


def test_item_36_answers_are_strict_json_of_the_official_shape(
    answers: list[tuple[Service, TestResponse]],
) -> None:
    for _, response in answers:
        assert response.content_type == "application/json"
        schema("response").validate(strict(response.data))


def test_item_36_what_a_chart_holds_never_breaks_the_json(hospital: Hospital) -> None:
    for text in ("\u2028", "\x00", '"', "\\", "\U0001f600", "\ufffe", "e\u0301"):
        for service in SERVICES:
            hostile_card(hospital, service, text)


def test_no_member_of_a_card_is_null_or_empty(cards: list[Body]) -> None:
    """Item 4 for cards; in our own extension an empty list of evidence says that there is none."""
    for card in cards:
        found: list[Any] = list(empty_members(card))
        assert [path for path in found if not (EXTENSION in path and path.endswith(".evidence"))] == []
