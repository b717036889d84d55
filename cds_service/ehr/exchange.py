"""One request: the bytes that a server answers, or the reason why there are none."""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)

from cds_service.addresses import Address
from cds_service.ehr.connections import Transport
from cds_service.ehr.downloads import ACCEPTED_ENCODING, Allowance, read_body
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.ehr.reach import ForbiddenAddressError, Reach

SHORTEST_PAUSE = 0.05
"""Seconds before a second try where the server names none: enough for a connection to come back."""

_OK = 200
_COMMON = {"Accept-Encoding": ACCEPTED_ENCODING, "User-Agent": "Milan-NET-CDS"}
_BY_STATUS: Mapping[int, Reason] = {
    401: Reason.UNAUTHORIZED,
    403: Reason.UNAUTHORIZED,
    404: Reason.NOT_FOUND,
    410: Reason.NOT_FOUND,
    429: Reason.THROTTLED,
}
_PASSING = frozenset((429, 502, 503, 504))
_SECONDS = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a call asks: where its connections may end, its token, and how much it may still read."""

    reach: Reach
    token: str | None = field(repr=False)
    size: Allowance


def exchange(transport: Transport, address: Address, terms: Terms, timeout: float) -> bytes:
    """Ask once. Whoever calls has made sure that the token belongs to the address. Raises QueryError."""
    headers = _COMMON | {"Accept": "application/fhir+json"} | _authorization(terms)
    with _telling(), transport.get(terms.reach, address, headers, timeout) as response:
        _check_status(response)
        return read_body(response, terms.size)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answers, whatever its status."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


def get(
    transport: Transport, address: Address, terms: Terms, headers: Mapping[str, str], timeout: float
) -> Answer:
    """Ask once for anything; the token of the terms is not sent. Raises QueryError where there is no answer."""
    with _telling(), transport.get(terms.reach, address, _COMMON | dict(headers), timeout) as response:
        return Answer(response.status_code, response.headers, read_body(response, terms.size))


def post(  # noqa: PLR0913, PLR0917  what is sent, where, and on what terms
    transport: Transport,
    address: Address,
    terms: Terms,
    headers: Mapping[str, str],
    body: bytes,
    timeout: float,
) -> Answer:
    """Send something once, with the token of the terms. Raises QueryError where there is no answer."""
    named = _COMMON | dict(headers) | _authorization(terms)
    with _telling(), transport.post(terms.reach, address, named, body, timeout) as response:
        return Answer(response.status_code, response.headers, read_body(response, terms.size))


def _authorization(terms: Terms) -> dict[str, str]:
    return {} if terms.token is None else {"Authorization": f"Bearer {terms.token}"}


@contextmanager
def _telling() -> Iterator[None]:
    """Whatever goes wrong on the way, as a QueryError.

    A response that is left is closed; a connection that was read to its end is then already back among those kept open.
    """
    try:
        yield
    except ForbiddenAddressError:
        raise QueryError(Reason.FORBIDDEN_ADDRESS) from None
    except requests.RequestException as error:
        raise _unanswered(error) from None
    except ReadTimeoutError:
        raise QueryError(Reason.TOO_LATE) from None
    except HTTPError:
        raise QueryError(Reason.BROKEN_OFF, is_passing=True) from None


def _unanswered(error: requests.RequestException) -> QueryError:
    """What became of a request without an answer. A connection kept open may have been closed over there: ask again."""
    if isinstance(error, requests.Timeout):
        return QueryError(Reason.TOO_LATE)
    if isinstance(error, requests.exceptions.SSLError):
        return QueryError(Reason.CERTIFICATE)
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        # to urllib3 a connection that was refused is a kind of time-out; here it is none: nothing was sent
        is_refused = isinstance(cause.reason, NewConnectionError)
        is_late = isinstance(cause.reason, ConnectTimeoutError) and not is_refused
        return QueryError(Reason.TOO_LATE if is_late else Reason.UNREACHABLE)
    return QueryError(Reason.BROKEN_OFF, is_passing=True)


def _check_status(response: requests.Response) -> None:
    status = response.status_code
    if status == _OK:
        return
    family = {3: Reason.REDIRECTED, 5: Reason.SERVER_ERROR}.get(status // 100, Reason.REJECTED)
    raise QueryError(
        _BY_STATUS.get(status, family), response.headers.get("Retry-After"), is_passing=status in _PASSING
    )


def pause_before(error: QueryError, now: Callable[[], float] = time.time) -> float:
    """Seconds to wait before asking again: what Retry-After says (seconds or a date), else a moment."""
    text = (error.retry_after or "").strip()
    if _SECONDS.fullmatch(text):
        return max(float(text), SHORTEST_PAUSE)
    try:
        at = parsedate_to_datetime(text)
    except ValueError:
        return SHORTEST_PAUSE
    at = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return max((at - datetime.fromtimestamp(now(), UTC)).total_seconds(), SHORTEST_PAUSE)
