"""One GET: the bytes that a FHIR server answers, or the reason why there are none."""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import requests
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, ReadTimeoutError

from cds_service.addresses import Address
from cds_service.ehr.connections import Transport
from cds_service.ehr.downloads import ACCEPTED_ENCODING, Allowance, read_body
from cds_service.ehr.query_errors import QueryError, Reason
from cds_service.ehr.reach import ForbiddenAddressError, Reach

SHORTEST_PAUSE = 0.05
"""Seconds before a second try where the server names none: enough for a connection to come back."""

_OK = 200
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
    headers = {
        "Accept": "application/fhir+json",
        "Accept-Encoding": ACCEPTED_ENCODING,
        "User-Agent": "Milan-NET-CDS",
    }
    if terms.token is not None:
        headers["Authorization"] = f"Bearer {terms.token}"
    try:
        response = transport.get(terms.reach, address, headers, timeout)
    except ForbiddenAddressError:
        raise QueryError(Reason.FORBIDDEN_ADDRESS) from None
    except requests.RequestException as error:
        raise _unanswered(error) from None
    try:
        _check_status(response)
        return read_body(response, terms.size)
    except ReadTimeoutError:
        raise QueryError(Reason.TOO_LATE) from None
    except HTTPError:
        raise QueryError(Reason.BROKEN_OFF, is_passing=True) from None
    finally:
        response.close()  # a connection that was read to its end is already back among those kept open


def _unanswered(error: requests.RequestException) -> QueryError:
    """What became of a request without an answer. A connection kept open may have been closed over there: ask again."""
    if isinstance(error, requests.Timeout):
        return QueryError(Reason.TOO_LATE)
    if isinstance(error, requests.exceptions.SSLError):
        return QueryError(Reason.CERTIFICATE)
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        is_late = isinstance(cause.reason, ConnectTimeoutError)
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
