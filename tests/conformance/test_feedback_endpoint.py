"""The feedback endpoint of every service, over the wire (cds-hooks.md 4 and 10)."""

import logging
from typing import Any

import pytest

from cds_service.hooks.services import SERVICES, Service
from tests.conformance.hospital import DISCOVERY, Hospital, call_of, feedback_of
from tests.hooks.calls import Body, cards_of, outcome_of

EACH_SERVICE = pytest.mark.parametrize("service", SERVICES, ids=lambda service: service.hook)
CARD = "4e0a3a1e-ebd3-4d2a-a3ff-5b5f5e8b2d11"
SUGGESTION = {"id": "aaaaaaaa-0000-4000-8000-000000000002"}
CANARY = "<b>Mr Doe 4711</b>"
REASON = {"code": "declined", "system": "urn:milan-net:codesystem:override-reasons"}


def told(outcome: str = "overridden", **changed: Any) -> Body:
    entry = {"card": CARD, "outcome": outcome, "outcomeTimestamp": "2026-11-23T10:00:00.123Z"}
    if outcome == "accepted":
        entry["acceptedSuggestions"] = [SUGGESTION]
    return {name: value for name, value in (entry | changed).items() if value is not ...}


BATCH = [
    told(),
    told("accepted"),
    told(overrideReason={"reason": REASON}),
    told(overrideReason={"reason": REASON | {"display": "The patient declines"}, "userComment": "x"}),
    told(overrideReason={"userComment": "x"}),
    told(card="another-card"),
    told("accepted", outcomeTimestamp="2026-11-23T12:00:00+02:00"),
]


@EACH_SERVICE
def test_item_37_a_batch_of_every_kind_is_taken_and_may_come_again(
    hospital: Hospital, service: Service
) -> None:
    for _ in range(2):
        response = hospital.post(feedback_of(service), {"feedback": [*BATCH, *BATCH]})
        assert (response.status_code, response.data) == (200, b"")


@EACH_SERVICE
@pytest.mark.parametrize("entry", BATCH)
def test_item_37_each_entry_alone_is_taken(hospital: Hospital, service: Service, entry: Body) -> None:
    assert hospital.post(feedback_of(service), {"feedback": [entry]}).status_code == 200


WRONG = [
    ({"feedback": [told("accepted", acceptedSuggestions=...)]}, "feedback[0].acceptedSuggestions"),
    ({"feedback": [told("accepted", acceptedSuggestions=[])]}, "feedback[0].acceptedSuggestions"),
    ({"feedback": [told("accepted", acceptedSuggestions=[{}])]}, "feedback[0].acceptedSuggestions[0].id"),
    ({"feedback": [told(), told("ignored")]}, "feedback[1].outcome"),
    ({"feedback": [told(outcome=...)]}, "feedback[0].outcome"),
    ({"feedback": [told(card=...)]}, "feedback[0].card"),
    ({"feedback": [told(outcomeTimestamp=...)]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [told(outcomeTimestamp="yesterday")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [told(outcomeTimestamp="2026-11-23T10:00:00")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [CANARY]}, "feedback[0]"),
    ({"feedback": {}}, "feedback"),
    ({"feedback": []}, "feedback"),
    ({"feedback": None}, "feedback"),
    ([told()], "feedback"),
    (told(), "feedback"),
    ({}, "feedback"),
]


@EACH_SERVICE
@pytest.mark.parametrize(("body", "path"), WRONG, ids=lambda value: str(value)[:40])
def test_item_38_what_is_missing_is_named(hospital: Hospital, service: Service, body: Any, path: str) -> None:
    response = hospital.post(feedback_of(service), body)
    assert response.status_code == 400
    assert outcome_of(response)["expression"] == [path]
    assert CANARY not in response.text


@EACH_SERVICE
def test_item_38_extra_members_and_a_coding_without_display_are_fine(
    hospital: Hospital, service: Service
) -> None:
    extra = {"extension": {"com.example": {"a": []}}, "other": None}
    entry = told(overrideReason={"reason": REASON | extra} | extra, **extra)
    assert hospital.post(feedback_of(service), {"feedback": [entry], **extra}).status_code == 200


def test_item_39_an_unknown_service_takes_no_feedback(hospital: Hospital) -> None:
    response = hospital.post(f"{DISCOVERY}/canary-4711/feedback", {"feedback": [told()]})
    assert response.status_code == 404
    assert "4711" not in response.text


@EACH_SERVICE
def test_item_39_an_unknown_card_fails_nothing_of_the_rest(hospital: Hospital, service: Service) -> None:
    (card,) = cards_of(hospital.ask(service, call_of(service)))
    moment = f"2026-11-23T11:30:{SERVICES.index(service):02d}Z"  # told of at no other moment
    known = told("accepted", card=card["uuid"], outcomeTimestamp=moment)
    unknown = told(card="00000000-0000-4000-8000-000000004711", outcomeTimestamp=moment)
    assert hospital.post(feedback_of(service), {"feedback": [unknown, known]}).status_code == 200
    receipt = hospital.logged[-1]["feedback"]
    assert (receipt["stored"], receipt["unknown"]) == (2, 1)


@EACH_SERVICE
def test_item_39_a_comment_is_neither_logged_nor_shown(
    hospital: Hospital, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    entry = told(overrideReason={"userComment": CANARY}, card="Mr-Doe-4711")
    with caplog.at_level(logging.DEBUG):
        for feedback in ([entry], [entry, CANARY]):
            response = hospital.post(feedback_of(service), {"feedback": feedback})
            assert "4711" not in response.text
    assert "4711" not in caplog.text
    assert hospital.logged[-2]["feedback"]["foreign"] == 1
