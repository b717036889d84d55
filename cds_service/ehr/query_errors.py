"""Why a query to a FHIR server brought nothing, in one of a few fixed words that a log may hold."""

from enum import StrEnum


class Reason(StrEnum):
    """Why nothing, or not everything, arrived."""

    BUSY = "busy"  # all threads that may wait for servers are waiting
    CIRCUIT_OPEN = "circuit-open"  # the server has not been answering
    TOO_LATE = "too-late"  # the time of the call was over
    UNREACHABLE = "unreachable"  # no connection
    BROKEN_OFF = "broken-off"  # the connection ended in the middle, or does not speak HTTP
    CERTIFICATE = "certificate"  # TLS could not be established
    FORBIDDEN_ADDRESS = "forbidden-address"  # the name resolves to where calls must not end
    FOREIGN_LINK = "foreign-link"  # an address outside the server's base
    REPEATED_LINK = "repeated-link"  # a next link to a page that was read already
    REDIRECTED = "redirected"
    UNAUTHORIZED = "unauthorized"  # 401, 403
    NOT_FOUND = "not-found"  # 404, 410
    THROTTLED = "throttled"  # 429
    REJECTED = "rejected"  # any other status that is no success, 5xx aside
    SERVER_ERROR = "server-error"  # 5xx
    ENCODING = "encoding"  # a Content-Encoding that was not asked for, or is broken
    TOO_LARGE = "too-large"
    TOO_MANY_PAGES = "too-many-pages"
    TOO_MANY_RESOURCES = "too-many-resources"
    NOT_JSON = "not-json"
    OUTCOME = "outcome"  # an OperationOutcome instead of what was asked for
    WRONG_TYPE = "wrong-type"
    BUG = "bug"


class QueryError(Exception):
    """A query that brought nothing."""

    def __init__(self, reason: Reason, retry_after: str | None = None, *, is_passing: bool = False) -> None:
        """`retry_after` is the header of that name; `is_passing` says that asking again may help."""
        super().__init__(reason.value)
        self.reason = reason
        self.retry_after = retry_after
        self.is_passing = is_passing
