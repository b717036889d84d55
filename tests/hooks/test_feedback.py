"""Feedback: what EHRs send is read, what breaks the standard is named by its path, and nothing acknowledged is lost."""

import json
import logging
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from cds_service.errors import BadRequestError, StorageError
from cds_service.hooks.cards import OVERRIDE_REASONS, OVERRIDES
from cds_service.hooks.feedback import EPIC_REASON, MAX_ITEMS, FeedbackReceipt, parse, receive
from cds_service.storage.ledger import Feedback, Ledger, Outcome, Reason
from cds_service.storage.opening import Storage
from cds_service.storage.tables import FEEDBACK
from cds_service.tenants import FeedbackRules, Tenant
from tests.databases import broken_ledger

CARD = "4e0a3a1e-ebd3-4d2a-a3ff-5b5f5e8b2d11"
OTHER = "0c0ffee0-0000-4000-8000-000000000001"
SUGGESTION = "aaaaaaaa-0000-4000-8000-000000000002"
MOMENT = "2026-11-23T10:00:00Z"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
SERVICE = "milan-net-patient-view"
TENANT = Tenant(id="a")
SCHEMA = json.loads((files("cds_service") / "schemas/feedback.schema.json").read_bytes())


def overridden(**changes: Any) -> dict[str, Any]:
    return _without_none({"card": CARD, "outcome": "overridden", "outcomeTimestamp": MOMENT} | changes)


def accepted(**changes: Any) -> dict[str, Any]:
    entry = {"card": CARD, "outcome": "accepted", "acceptedSuggestions": [{"id": SUGGESTION}]}
    return _without_none(entry | {"outcomeTimestamp": MOMENT} | changes)


def _without_none(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if value is not ...}


def body(*entries: Any) -> bytes:
    return json.dumps({"feedback": entries}).encode()


def one(entry: Any, **options: Any) -> Feedback:
    [found] = parse(body(entry), **options)
    return found


def mistake(content: bytes) -> tuple[str, ...]:
    with pytest.raises(BadRequestError) as raised:
        parse(content)
    return raised.value.paths


# --- what is read -----------------------------------------------------------------------------------------------------


def test_an_accepted_card_names_its_suggestions() -> None:
    assert one(accepted()) == Feedback(
        CARD, Outcome.ACCEPTED, datetime(2026, 11, 23, 10, tzinfo=UTC), suggestions=(SUGGESTION,)
    )


def test_an_overridden_card_may_say_why() -> None:
    reason = {"code": "declined", "system": OVERRIDES, "display": "The patient declines"}
    found = one(overridden(overrideReason={"reason": reason, "userComment": "Mr Doe"}))
    assert found.reason == Reason(OVERRIDES, "declined")
    assert found.comment is None  # dropped before it reaches anything


def test_a_coding_may_lack_its_display_and_its_system() -> None:
    assert one(overridden(overrideReason={"reason": {"code": "x"}})).reason == Reason(None, "x")


def test_a_reason_may_be_a_comment_alone() -> None:
    found = one(overridden(overrideReason={"userComment": " seen \n by me "}), keep_comments=True)
    assert (found.reason, found.comment) == (None, "seen by me")


def test_an_overridden_card_may_say_nothing_more() -> None:
    assert one(overridden()).reason is None
    assert one(overridden(overrideReason=None, acceptedSuggestions=None)).reason is None
    assert one(overridden(overrideReason={})).reason is None


def test_an_accepted_card_has_no_reason_to_be_set_aside() -> None:
    assert one(accepted(overrideReason={"reason": {"code": "declined"}})).reason is None


def test_members_that_nobody_declared_are_ignored() -> None:
    entry = overridden(extension={"a": [1]}, cardSummary="x", feedback=[])
    assert parse(json.dumps({"feedback": [entry], "internal.x": {}}).encode()) == (one(overridden()),)


def test_a_batch_may_mix_cards_and_outcomes_and_repeat_them() -> None:
    found = parse(body(accepted(), overridden(card=OTHER), accepted()))
    assert [(item.card, item.outcome.value) for item in found] == [
        (CARD, "accepted"),
        (OTHER, "overridden"),
        (CARD, "accepted"),
    ]


def test_uuids_are_compared_in_lower_case() -> None:
    found = one(accepted(card=CARD.upper(), acceptedSuggestions=[{"id": SUGGESTION.upper()}]))
    assert (found.card, found.suggestions) == (CARD, (SUGGESTION,))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-23T10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23t10:00:00z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23 10:00:00Z", datetime(2026, 11, 23, 10, tzinfo=UTC)),
        ("2026-11-23T10:00:00.5Z", datetime(2026, 11, 23, 10, 0, 0, 500_000, tzinfo=UTC)),
        ("2026-11-23T10:00:00.1234567Z", datetime(2026, 11, 23, 10, 0, 0, 123_456, tzinfo=UTC)),
        ("2026-11-23T01:00:00+02:00", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ("2026-11-23T10:00:00-05:30", datetime(2026, 11, 23, 15, 30, tzinfo=UTC)),
        ("2026-12-31T23:59:60Z", datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)),
    ],
)
def test_a_moment_is_kept_in_utc(text: str, expected: datetime) -> None:
    found = one(overridden(outcomeTimestamp=text)).at
    assert found == expected
    assert found.tzinfo is UTC


# --- Epic -------------------------------------------------------------------------------------------------------------


def test_epic_says_override_reasons_as_an_object_or_a_list() -> None:
    told = {"reason": {"code": "declined", "system": OVERRIDES}, "userComment": "text"}
    for value in (told, [told], [None, told], [{"userComment": "text"}, told], [told["reason"]]):
        assert one(overridden(overrideReasons=value)).reason == Reason(OVERRIDES, "declined")


def test_epic_tells_a_reason_of_the_site_in_an_extension() -> None:
    extension = {
        f"{EPIC_REASON}.reasonCategory": "45",
        f"{EPIC_REASON}.reasonDisplay": "Not this patient",
        f"{EPIC_REASON}.reasonTitle": "Does not apply",
    }
    found = one(overridden(overrideReasons={"extension": extension, "userComment": "text"}))
    assert found.reason == Reason(EPIC_REASON, "Does not apply")
    only = one(overridden(overrideReasons={"extension": {f"{EPIC_REASON}.reasonCategory": "45"}}))
    assert only.reason == Reason(EPIC_REASON, "45")
    assert one(overridden(overrideReason={"extension": {"com.example": "x"}})).reason is None


@pytest.mark.parametrize("ours", OVERRIDE_REASONS, ids=lambda item: item["code"])
@pytest.mark.parametrize("name", ["reasonTitle", "reasonDisplay"])
def test_a_reason_that_a_site_built_in_our_words_is_ours(ours: dict[str, str], name: str) -> None:
    extension = {f"{EPIC_REASON}.{name}": ours["display"].upper(), f"{EPIC_REASON}.reasonCategory": "45"}
    found = one(overridden(overrideReasons={"extension": extension}))
    assert found.reason == Reason(ours["system"], ours["code"])


def test_a_card_may_be_named_by_something_that_is_no_uuid() -> None:
    assert one(overridden(card="123456")).card == "123456"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"feedback": {}}',
        b'{"feedback": null}',
        b'{"feedback": []}',
        b'"feedback"',
    ],
)
def test_a_body_without_entries_is_refused(content: bytes) -> None:
    assert mistake(content) == (("feedback",) if content else ("$",))


@pytest.mark.parametrize(
    "content", [b"{", b'{"feedback": NaN}', b"\xff", b"[" * 100_000, b'{"a": "\xed\xa0\x80"}']
)
def test_what_is_no_json_is_refused(content: bytes) -> None:
    assert mistake(content) == ("$",)


@pytest.mark.parametrize(
    ("entry", "place"),
    [
        (7, ""),
        (overridden(card=...), ".card"),
        (overridden(card=" "), ".card"),
        (overridden(card=7), ".card"),
        (overridden(card="x" * 201), ".card"),
        (overridden(outcome=...), ".outcome"),
        (overridden(outcome="ignored"), ".outcome"),
        (overridden(outcome=["accepted"]), ".outcome"),
        (overridden(outcomeTimestamp=...), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp=1764000000), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-11-23T10:00:00"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-11-23"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-02-30T10:00:00Z"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-11-23T25:00:00Z"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="0001-01-01T00:00:00+14:00"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="9999-12-31T23:59:59-14:00"), ".outcomeTimestamp"),
        (overridden(outcomeTimestamp="٢٠٢٦-11-23T10:00:00Z"), ".outcomeTimestamp"),
        (accepted(acceptedSuggestions=...), ".acceptedSuggestions"),
        (accepted(acceptedSuggestions=None), ".acceptedSuggestions"),
        (accepted(acceptedSuggestions=[]), ".acceptedSuggestions"),
        (accepted(acceptedSuggestions={"id": SUGGESTION}), ".acceptedSuggestions"),
        (accepted(acceptedSuggestions=[{"id": SUGGESTION}] * 101), ".acceptedSuggestions"),
        (accepted(acceptedSuggestions=[{"id": SUGGESTION}, {}]), ".acceptedSuggestions[1].id"),
        (accepted(acceptedSuggestions=[SUGGESTION]), ".acceptedSuggestions[0].id"),
        (overridden(overrideReason="declined"), ".overrideReason"),
        (overridden(overrideReasons=[{}, 7]), ".overrideReasons[1]"),
        (overridden(overrideReason={"reason": "declined"}), ".overrideReason.reason"),
        (overridden(overrideReason={"reason": {"code": 7}}), ".overrideReason.reason.code"),
        (overridden(overrideReason={"reason": {"code": "x" * 201}}), ".overrideReason.reason.code"),
        (overridden(overrideReason={"reason": {"code": "x", "system": 7}}), ".overrideReason.reason.system"),
        (overridden(overrideReason={"reason": {"code": "\u0958" * 200}}), ".overrideReason.reason.code"),
        (overridden(overrideReason={"userComment": 7}), ".overrideReason.userComment"),
        (overridden(overrideReason={"userComment": "x" * 10_001}), ".overrideReason.userComment"),
    ],
)
def test_a_mistake_is_named_by_its_path_and_the_whole_batch_is_refused(entry: Any, place: str) -> None:
    assert mistake(body(overridden(), entry)) == (f"feedback[1]{place}",)


def test_a_batch_has_at_most_a_thousand_entries() -> None:
    assert len(parse(body(*[overridden()] * MAX_ITEMS))) == MAX_ITEMS
    assert mistake(body(*[overridden()] * (MAX_ITEMS + 1))) == ("feedback",)


def test_a_refusal_repeats_nothing_that_was_sent() -> None:
    with pytest.raises(BadRequestError) as raised:
        parse(body(overridden(outcome="Jane Doe", card="Jane Doe")))
    assert "Doe" not in json.dumps(raised.value.as_outcome())


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=9,
)
entries = st.fixed_dictionaries(
    {},
    optional={
        "card": st.sampled_from([CARD, OTHER, "7"]) | json_values,
        "outcome": st.sampled_from(["accepted", "overridden"]) | json_values,
        "outcomeTimestamp": st.just(MOMENT) | json_values,
        "acceptedSuggestions": st.just([{"id": SUGGESTION}]) | json_values,
        "overrideReason": json_values
        | st.fixed_dictionaries({"reason": json_values, "userComment": json_values}),
        "overrideReasons": json_values | st.lists(st.fixed_dictionaries({"extension": json_values})),
    },
)


@given(st.lists(entries | json_values, max_size=3))
def test_whatever_comes_is_read_or_refused(found: list[Any]) -> None:
    places: tuple[str, ...] = ()
    read: tuple[Feedback, ...] = ()
    try:
        read = parse(body(*found), keep_comments=True)
    except BadRequestError as error:
        places = error.paths
    assert len(read) == len(found) or len(places) == 1


@given(st.lists(entries, min_size=1, max_size=3))
def test_what_the_schema_of_the_standard_allows_is_read(found: list[Any]) -> None:
    content = {"feedback": found}
    if jsonschema.Draft202012Validator(SCHEMA).is_valid(content):
        assert len(parse(json.dumps(content).encode())) == len(found)


# --- what is kept -----------------------------------------------------------------------------------------------------


def rows(storage: Storage) -> list[Any]:
    with storage.database.reading() as connection:
        return list(connection.execute(select(FEEDBACK).order_by(FEEDBACK.c.id)))


def take(storage: Storage, *found: Any, tenant: Tenant = TENANT, service: str = SERVICE) -> FeedbackReceipt:
    return receive(tenant, service, body(*found), storage.ledger, NOW)


def test_feedback_is_kept_with_its_reason_and_suggestions(storage: Storage) -> None:
    reason = {"reason": {"code": "comorbidity", "system": OVERRIDES}}
    take(storage, accepted(), overridden(card=OTHER, overrideReason=reason))
    first, second = sorted(rows(storage), key=lambda row: row.outcome)
    assert (first.tenant, first.service, first.card, first.suggestions) == ("a", SERVICE, CARD, [SUGGESTION])
    assert (second.reason_system, second.reason_code) == (OVERRIDES, "comorbidity")
    assert first.outcome_timestamp == datetime(2026, 11, 23, 10, tzinfo=UTC)
    assert first.received_on == NOW


def test_what_is_sent_again_is_acknowledged_and_stands_once(storage: Storage) -> None:
    receipt = FeedbackReceipt(accepted=1, overridden=1, stored=2, repeated=0, unknown=2, foreign=0)
    assert take(storage, accepted(), overridden()) == receipt
    again = take(storage, overridden(), accepted(), accepted(outcomeTimestamp="2026-11-23T11:00:00+01:00"))
    assert (again.stored, again.repeated) == (0, 2)
    assert len(rows(storage)) == 2


def test_another_moment_outcome_service_or_tenant_is_another_row(storage: Storage) -> None:
    take(storage, overridden(), overridden(outcomeTimestamp="2026-11-23T10:00:00.000001Z"), accepted())
    take(storage, overridden(), service="milan-net-order-sign")
    take(storage, overridden(), tenant=Tenant(id="b"))
    assert len(rows(storage)) == 5


def test_suggestions_of_one_card_that_come_as_two_entries_are_all_kept(storage: Storage) -> None:
    second = "bbbbbbbb-0000-4000-8000-000000000003"
    take(storage, accepted(), accepted(acceptedSuggestions=[{"id": second}, {"id": SUGGESTION}]))
    [row] = rows(storage)
    assert row.suggestions == [SUGGESTION, second]


def test_a_card_that_cannot_be_ours_is_counted_and_dropped(storage: Storage) -> None:
    receipt = take(storage, overridden(card="Jane Doe"), overridden())
    assert (receipt.foreign, receipt.stored, receipt.unknown) == (1, 1, 1)
    assert [row.card for row in rows(storage)] == [CARD]


def test_a_mistake_in_one_entry_keeps_nothing_of_the_batch(storage: Storage) -> None:
    with pytest.raises(BadRequestError):
        take(storage, overridden(), overridden(outcome="?"))
    assert rows(storage) == []


def test_characters_that_no_database_takes_are_dropped(storage: Storage) -> None:
    take(storage, overridden(overrideReason={"reason": {"code": "a\u200bb", "system": "\x00"}}))
    [row] = rows(storage)
    assert (row.reason_system, row.reason_code) == (None, "ab")


def test_comments_are_kept_only_where_the_tenant_asks_and_then_sealed(storage: Storage) -> None:
    told = overridden(overrideReason={"userComment": "spoke with Jane Doe"})
    take(storage, told)
    take(storage, told, tenant=Tenant(id="b", feedback=FeedbackRules(keep_comments=True)))
    dropped, kept = rows(storage)
    assert dropped.comment is None
    assert b"Jane" not in kept.comment


def test_a_database_that_does_not_answer_is_no_acknowledgement(tmp_path: Path) -> None:
    with pytest.raises(StorageError) as raised:
        receive(TENANT, SERVICE, body(overridden()), broken_ledger(tmp_path), NOW)
    assert raised.value.status == 503


def test_nothing_of_a_call_is_logged(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    told = {"reason": {"code": "canary-code"}, "userComment": "canary-comment"}
    receive(TENANT, SERVICE, body(overridden(overrideReason=told, card="canary-card")), ledger, NOW)
    assert "canary" not in caplog.text
