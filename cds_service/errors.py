"""Every error that is told to somebody, as one tree.

CdsError
├── HttpError                              told as an OperationOutcome that never repeats what was sent
│   ├── RequestError                       a mistake of the caller
│   │   ├── BadRequestError            400  the body breaks JSON, CDS Hooks or FHIR; `paths` say where
│   │   ├── UnauthorizedError          401  the caller is not known; told without a body
│   │   ├── NotFoundError              404  no such service or address
│   │   ├── MethodNotAllowedError      405
│   │   ├── PreconditionFailedError    412  what the service requires was not sent and cannot be had
│   │   ├── PayloadTooLargeError       413
│   │   └── UnsupportedMediaTypeError  415
│   ├── InternalError                  500  a bug of ours: no detail leaves the process
│   └── UnavailableError               503  something this call cannot do without does not answer
│       └── StorageError               503  the database does not answer
├── LaunchError                             a launch from the EHR, or its session, cannot go on: told on a page
├── SettingsError                           a setting that cannot be used: said in a sentence, nothing starts
└── DataError                               a file that cannot be assessed: one line on the command line
"""

import traceback
from typing import ClassVar


class CdsError(Exception):
    """Anything that goes wrong and is told to somebody in a sentence."""


class HttpError(CdsError):
    """An error with an HTTP status and a FHIR issue code (http://hl7.org/fhir/issue-type)."""

    status: ClassVar[int]
    issue: ClassVar[str]

    def __init__(self, problem: str, *paths: str) -> None:
        """`problem` is a sentence without any value of the request, `paths` name its elements ("hook")."""
        super().__init__(problem)
        self.problem = problem
        self.paths = tuple(path for path in paths if path)

    def as_outcome(self) -> dict[str, object]:
        """The FHIR OperationOutcome that tells it (CDS Hooks 3.0 and Da Vinci CRD ask for one on errors)."""
        issue: dict[str, object] = {"severity": "error", "code": self.issue, "diagnostics": self.problem}
        if self.paths:
            issue["expression"] = list(self.paths)
        return {"resourceType": "OperationOutcome", "issue": [issue]}


class RequestError(HttpError):
    """A mistake of the caller."""


class BadRequestError(RequestError):
    """The body breaks JSON, CDS Hooks or FHIR."""

    status = 400
    issue = "invalid"


class UnauthorizedError(RequestError):
    """The caller is not known. Why is told to the log alone, by one of a few fixed words: `reason`."""

    status = 401
    issue = "login"

    def __init__(self, reason: str) -> None:
        """`reason` is a word such as "expired"; it never holds anything of the token."""
        super().__init__("The caller is not known.")
        self.reason = reason


class NotFoundError(RequestError):
    """No such service or address."""

    status = 404
    issue = "not-found"


class MethodNotAllowedError(RequestError):
    """The address exists, the method does not."""

    status = 405
    issue = "not-supported"


class PreconditionFailedError(RequestError):
    """What the service requires was not sent and cannot be had."""

    status = 412
    issue = "required"


class PayloadTooLargeError(RequestError):
    """The body is larger than the service reads."""

    status = 413
    issue = "too-long"


class UnsupportedMediaTypeError(RequestError):
    """The body is not JSON by its own declaration, or is compressed."""

    status = 415
    issue = "not-supported"


class InternalError(HttpError):
    """A bug of ours."""

    status = 500
    issue = "exception"


class UnavailableError(HttpError):
    """Something this call cannot do without does not answer."""

    status = 503
    issue = "transient"


class StorageError(UnavailableError):
    """The database does not answer."""


class LaunchError(CdsError):
    """A launch from the EHR, or its session, cannot go on. The page of that name says what happened and how to go on."""

    def __init__(self, reason: str) -> None:
        """`reason` is a word such as "lost", for the page and the log; it never holds anything that was sent."""
        super().__init__(reason)
        self.reason = reason


class SettingsError(CdsError, ValueError):
    """A setting that cannot be used."""


class DataError(CdsError):
    """A file that cannot be assessed."""


def whereabouts(error: BaseException) -> list[str]:
    """Where a bug happened, by function and line; never what the error says, which may hold patient data."""
    return [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)[-3:]]
