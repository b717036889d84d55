"""“And on this day?”: in a demonstration, and nowhere else, a call may name the day on which it is answered."""

from datetime import date
from typing import Final

from flask import has_request_context, request

from cds_service.errors import BadRequestError

ON: Final = "X-Milan-NET-Demo-On"
FIRST: Final = date(1950, 1, 1)
LAST: Final = date(2100, 12, 31)


def day_asked_for(otherwise: date) -> date:
    """The day that a call names in its header, else the demonstration's own. Raises BadRequestError.

    It is the clock of an application only where `milan-net demo` gives it to one: the service itself reads no such header.
    """
    text = request.headers.get(ON, "") if has_request_context() else ""
    return parse_day(text) if text else otherwise


def parse_day(text: str) -> date:
    """A day as a date field sends it. Raises BadRequestError with a sentence."""
    try:
        day = date.fromisoformat(text.strip())
    except ValueError:
        raise BadRequestError("A day is written as YYYY-MM-DD, such as 2026-11-23.", "on") from None
    if not FIRST <= day <= LAST:
        raise BadRequestError(f"The demonstration knows the days from {FIRST} to {LAST}.", "on")
    return day
