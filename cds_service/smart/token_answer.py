"""What a token endpoint answers: a token and whom it is about, or why there is none."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from cds_service.ehr.exchange import Answer
from cds_service.errors import LaunchError
from cds_service.smart.discovery import json_object
from cds_service.smart.problems import Problem

_LOG = logging.getLogger(__name__)
_OK: Final = 200
_SERVER_ERROR: Final = 500
_TOKEN: Final = re.compile(r"[\x21-\x7e]{1,16384}")
_FHIR_ID: Final = re.compile(r"[A-Za-z0-9.-]{1,64}")
_UNTOLD: Final = 300  # seconds that a token is used whose end was not told
_LONGEST: Final = 8 * 3600
_LONGEST_CONTEXT: Final = 4096
# RFC 6749 5.2; any other word of a server is not repeated in the log
_ERRORS: Final = frozenset(
    (
        *("invalid_request", "invalid_client", "invalid_grant", "unauthorized_client"),
        *("unsupported_grant_type", "invalid_scope"),
    )
)


@dataclass(frozen=True, slots=True)
class TokenAnswer:
    """A token and what came with it. What is not read here, such as `smart_style_url`, is never followed."""

    token: str = field(repr=False)
    seconds: int
    patient: str = field(repr=False)
    encounter: str | None = field(repr=False)
    scopes: tuple[str, ...] | None  # None: those that were asked for (RFC 6749 5.1)
    id_token: str | None = field(repr=False)
    app_context: str | None
    needs_banner: bool  # the EHR does not show who the patient is


def read_answer(answer: Answer, tenant_id: str) -> TokenAnswer:
    """The token in an answer. Raises LaunchError."""
    if answer.status >= _SERVER_ERROR:
        raise LaunchError(Problem.UNREACHABLE)
    if answer.status != _OK:
        raise _refusal(answer, tenant_id)
    told = json_object(answer.body)
    token, kind = told.get("access_token"), told.get("token_type")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise LaunchError(Problem.UNUSABLE)
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise LaunchError(Problem.UNUSABLE)
    scope = _text(told, "scope")
    return TokenAnswer(
        token=token,
        seconds=_seconds(told.get("expires_in")),
        patient=_patient(told),
        encounter=_id(told.get("encounter"), "Encounter/"),
        scopes=tuple(scope.split()) if scope is not None else None,
        id_token=_text(told, "id_token"),
        app_context=_app_context(told),
        needs_banner=told.get("need_patient_banner") is not False,
    )


def _refusal(answer: Answer, tenant_id: str) -> LaunchError:
    """An answer without a token. What is wrong with our registration only the log can help with."""
    try:
        told = json_object(answer.body).get("error")
    except LaunchError:
        told = None
    word = told if isinstance(told, str) and told in _ERRORS else "unknown"
    _LOG.warning("No token: tenant=%s status=%d error=%s", tenant_id, answer.status, word)
    return LaunchError(Problem.SCOPES if word == "invalid_scope" else Problem.REFUSED)


def _text(told: Mapping[str, Any], name: str) -> str | None:
    found = told.get(name)
    return found if isinstance(found, str) else None


def _seconds(value: Any) -> int:
    """How long a token lasts; some servers write the number as a text."""
    try:
        seconds = _UNTOLD if value is None else int(value)
    except (TypeError, ValueError, OverflowError):
        raise LaunchError(Problem.UNUSABLE) from None
    if seconds <= 0:
        raise LaunchError(Problem.UNUSABLE)
    return min(seconds, _LONGEST)


def _patient(told: Mapping[str, Any]) -> str:
    found = _id(told.get("patient"), "Patient/")
    if found is None:
        raise LaunchError(Problem.NO_PATIENT)
    return found


def _id(value: Any, prefix: str) -> str | None:
    """A FHIR id, with or without its type."""
    text = value.removeprefix(prefix) if isinstance(value, str) else ""
    return text if _FHIR_ID.fullmatch(text) else None


def _app_context(told: Mapping[str, Any]) -> str | None:
    found = _text(told, "appContext")
    return found if found is not None and len(found) <= _LONGEST_CONTEXT else None
