"""Body of a feedback call to entries of the ledger: the standard's shape, and what EHRs make of it.

What is declared has to be of its type, and `card`, `outcome`, `outcomeTimestamp` and the suggestions of an accepted card
have to be there (cds-hooks.md 4); everything else is read if it is there (integration.md 1.1, Epic).
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cds_service.errors import BadRequestError
from cds_service.hooks.cards import OVERRIDE_REASONS
from cds_service.hooks.json_path import ROOT
from cds_service.hooks.text import one_line
from cds_service.storage.ledger import Feedback, Ledger, Outcome, Reason
from cds_service.tenants import Tenant

MAX_ITEMS: Final = 1000
_MAX_SUGGESTIONS: Final = 100
_MAX_CARD: Final = 200
_MAX_CODE: Final = 200
_MAX_SYSTEM: Final = 500
_MAX_COMMENT: Final = 10_000

EPIC_REASON: Final = "com.epic.cdshooks.feedback.overrideReason"
_EPIC_NAMES: Final = ("reasonTitle", "reasonDisplay", "reasonCategory")  # what people read comes first
_OURS: Final = {item["display"].casefold(): Reason(item["system"], item["code"]) for item in OVERRIDE_REASONS}

_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_MOMENT: Final = re.compile(
    r"(?P<minutes>\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d):(?P<seconds>\d\d)(\.(?P<fraction>\d{1,30}))?"
    r"(?P<zone>[Zz]|[+-]\d\d:\d\d)",
    re.ASCII,
)
_LEAP_SECOND: Final = "60"


@dataclass(frozen=True, slots=True)
class FeedbackReceipt:
    """What became of one call, in numbers for the log.

    `stored` entries are new, `repeated` ones were there; `unknown` ones of both speak of no card on record. `foreign`
    ones name a card by something that no card of ours is named by, and are dropped.
    """

    accepted: int
    overridden: int
    stored: int
    repeated: int
    unknown: int
    foreign: int


def receive(tenant: Tenant, service: str, body: bytes, ledger: Ledger, now: datetime) -> FeedbackReceipt:
    """Keep the feedback in a body, all of it or none. When this returns, it may be acknowledged.

    Raises BadRequestError with the JSON path of what is wrong, StorageError where nothing could be kept.
    """
    entries = parse(body, keep_comments=tenant.feedback.keep_comments)
    ours = [entry for entry in entries if _UUID.fullmatch(entry.card)]
    kept = ledger.keep(tenant.id, service, ours, now)
    accepted = sum(entry.outcome is Outcome.ACCEPTED for entry in entries)
    return FeedbackReceipt(
        accepted=accepted,
        overridden=len(entries) - accepted,
        stored=kept.stored,
        repeated=kept.repeated,
        unknown=kept.unknown,
        foreign=len(entries) - len(ours),
    )


def parse(body: bytes, *, keep_comments: bool = False) -> tuple[Feedback, ...]:
    """The entries of a body. Raises BadRequestError with the JSON path of the first mistake."""
    content = _decoded(body)
    items = content.get("feedback") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items:
        raise BadRequestError("feedback must be an array with entries.", "feedback")
    if len(items) > MAX_ITEMS:
        raise BadRequestError(f"feedback holds more than {MAX_ITEMS} entries.", "feedback")
    return tuple(
        _entry(item, f"feedback[{number}]", keep_comments=keep_comments) for number, item in enumerate(items)
    )


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise BadRequestError("The body is not valid JSON in UTF-8.", ROOT) from None
    except RecursionError:
        raise BadRequestError("The body is nested too deeply.", ROOT) from None


# --- one entry --------------------------------------------------------------------------------------------------------


def _entry(item: Any, path: str, *, keep_comments: bool) -> Feedback:
    if not isinstance(item, dict):
        raise BadRequestError("An entry must be an object.", path)
    card = _text(item, "card", path, _MAX_CARD)
    if card is None:
        raise BadRequestError("card is missing.", f"{path}.card")
    outcome = _outcome(item, path)
    told = tuple(_told(item, path))
    reason = next(filter(None, (_reason(part, place) for part, place in told)), None)
    comment = next(
        filter(None, (_text(part, "userComment", place, _MAX_COMMENT) for part, place in told)), None
    )
    return Feedback(
        card=card.lower(),
        outcome=outcome,
        at=_moment(item, path),
        reason=reason if outcome is Outcome.OVERRIDDEN else None,
        suggestions=_suggestions(item, path, is_required=outcome is Outcome.ACCEPTED),
        comment=comment if keep_comments else None,
    )


def _text(item: Mapping[str, Any], name: str, path: str, limit: int) -> str | None:
    """A member as one line of text; None where it is not there, or blank."""
    value = item.get(name)
    if value is None:
        return None
    if not isinstance(value, str):
        raise BadRequestError(f"{name} must be a string.", f"{path}.{name}")
    text = one_line(value[: limit + 1])
    if len(value) > limit or len(text) > limit:  # composed anew, a few characters become two
        raise BadRequestError(f"{name} is longer than {limit} characters.", f"{path}.{name}")
    return text or None


def _outcome(item: Mapping[str, Any], path: str) -> Outcome:
    value = item.get("outcome")
    if value not in tuple(Outcome):
        raise BadRequestError("outcome must be accepted or overridden.", f"{path}.outcome")
    return Outcome(value)


def _moment(item: Mapping[str, Any], path: str) -> datetime:
    """The moment in UTC, to the microsecond. A leap second is the second before it."""
    value, place = item.get("outcomeTimestamp"), f"{path}.outcomeTimestamp"
    found = _MOMENT.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise BadRequestError("outcomeTimestamp must be a moment with its zone (RFC 3339).", place)
    seconds = "59" if found["seconds"] == _LEAP_SECOND else found["seconds"]
    fraction = (found["fraction"] or "")[:6].ljust(6, "0")
    text = f"{found['minutes'].upper()}:{seconds}.{fraction}{found['zone'].upper()}"
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadRequestError("outcomeTimestamp is no day and time.", place) from None


def _suggestions(item: Mapping[str, Any], path: str, *, is_required: bool) -> tuple[str, ...]:
    """The ids of the accepted suggestions that can be ours; an accepted card has to name some."""
    place = f"{path}.acceptedSuggestions"
    told = item.get("acceptedSuggestions")
    if told is None and not is_required:
        return ()
    if not isinstance(told, list) or (is_required and not told) or len(told) > _MAX_SUGGESTIONS:
        raise BadRequestError("acceptedSuggestions must be an array that names them.", place)
    ids = [_suggestion(part, f"{place}[{number}]") for number, part in enumerate(told)]
    return tuple(dict.fromkeys(text for text in ids if _UUID.fullmatch(text)))


def _suggestion(part: Any, path: str) -> str:
    text = _text(part, "id", path, _MAX_CARD) if isinstance(part, dict) else None
    if text is None:
        raise BadRequestError("A suggestion is named by its id.", f"{path}.id")
    return text.lower()


# --- why a card was set aside -----------------------------------------------------------------------------------------


def _told(item: Mapping[str, Any], path: str) -> Iterator[tuple[Mapping[str, Any], str]]:
    """The objects that may tell a reason, and where: `overrideReason`, and Epic's `overrideReasons`, one or a list."""
    for name in ("overrideReason", "overrideReasons"):
        value = item.get(name)
        for number, part in enumerate(value if isinstance(value, list) else [value]):
            place = f"{path}.{name}[{number}]" if isinstance(value, list) else f"{path}.{name}"
            if part is None:
                continue
            if not isinstance(part, dict):
                raise BadRequestError(f"{name} must be an object.", place)
            yield part, place


def _reason(part: Mapping[str, Any], path: str) -> Reason | None:
    """The coded reason; a Coding may lack its display, or stand where its parent should; Epic's own come in an extension."""
    coding = part.get("reason", part if "code" in part else None)
    if coding is not None and not isinstance(coding, dict):
        raise BadRequestError("reason must be a Coding.", f"{path}.reason")
    code = _text(coding, "code", f"{path}.reason", _MAX_CODE) if coding else None
    if coding and code:
        return Reason(_text(coding, "system", f"{path}.reason", _MAX_SYSTEM), code)
    extension = part.get("extension")
    return _epic_reason(extension, f"{path}.extension") if isinstance(extension, dict) else None


def _epic_reason(extension: Mapping[str, Any], path: str) -> Reason | None:
    """A reason that a site built in Epic. One that bears the words of ours is ours: so its analysts are told to name it."""
    told = (_text(extension, f"{EPIC_REASON}.{name}", path, _MAX_CODE) for name in _EPIC_NAMES)
    names = [name for name in told if name]
    ours = (_OURS.get(name.casefold()) for name in names)
    return next(filter(None, ours), Reason(EPIC_REASON, names[0]) if names else None)
