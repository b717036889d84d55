"""Body to HookRequest: decoded once, straight into types; what is wrong is named by its path, never repeated.

Members that are not declared here are skipped by the decoder, as CDS Hooks asks. Of two members with the same
name the last counts.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

import msgspec

from cds_service.errors import BadRequestError
from cds_service.hooks.contexts import Context
from cds_service.hooks.json_path import ROOT, path_at
from cds_service.hooks.services import Service
from fhir_mappings.nodes import PrefetchValue

_T = TypeVar("_T")
_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_FHIR_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_URL = re.compile(r"https?://[^\s/?#]+\S*", re.IGNORECASE)
_MISSING_FIELD = re.compile(r"missing required field `(\w+)`")
_PLACE = re.compile(r" - at `(?P<key>key in )?\$(?P<path>[^`]*)`$")
_BYTE = re.compile(r"\(byte (?P<offset>\d+)\)$")


class FhirAuthorization(msgspec.Struct, frozen=True):
    """The access token for the caller's FHIR server.

    `scope` and `subject` are mandatory in CDS Hooks, but nothing here reads them and Epic's `scope` holds no
    SMART scopes, so a request is not refused for them.
    """

    access_token: str
    token_type: str
    expires_in: float  # JSON knows one kind of number: 300.0 is an integer too
    scope: str | None = None
    subject: str | None = None
    patient: str | None = None


class _Envelope(msgspec.Struct, frozen=True, rename="camel"):
    hook: str
    hook_instance: str
    context: msgspec.Raw  # its shape depends on the hook
    fhir_server: str | None = None
    fhir_authorization: FhirAuthorization | None = None
    prefetch: dict[str, PrefetchValue] | None = None


@dataclass(frozen=True, slots=True)
class HookRequest:
    """One call of a service; `context` is of the type that the service declares."""

    hook_instance: str
    context: Context
    fhir_server: str | None
    fhir_authorization: FhirAuthorization | None
    prefetch: dict[str, PrefetchValue] | None


def parse(body: bytes, service: Service) -> HookRequest:
    """Read the body of a call of `service`. Raises BadRequestError with the path of the mistake."""
    envelope = _decode(_envelopes(), body)
    if envelope.hook != service.hook:
        raise BadRequestError(f"This service answers the hook {service.hook}.", "hook")
    if not _UUID.fullmatch(envelope.hook_instance):
        raise BadRequestError("hookInstance must be a UUID.", "hookInstance")
    context = _decode(_contexts(service.context), envelope.context, "context")
    if not _FHIR_ID.fullmatch(context.patient_id):
        raise BadRequestError(
            "patientId must be a bare FHIR id, without a resource type.", "context.patientId"
        )
    _check_access(envelope, context)
    return HookRequest(
        envelope.hook_instance, context, envelope.fhir_server, envelope.fhir_authorization, envelope.prefetch
    )


def _check_access(request: _Envelope, context: Context) -> None:
    if request.fhir_server is not None and not _URL.fullmatch(request.fhir_server):
        raise BadRequestError("fhirServer must be an absolute http or https URL.", "fhirServer")
    if request.fhir_authorization is None:
        return
    if request.fhir_server is None:
        raise BadRequestError("fhirAuthorization needs fhirServer beside it.", "fhirServer")
    if request.fhir_authorization.token_type != "Bearer":  # noqa: S105  the type of a token, not a token
        raise BadRequestError("token_type must be Bearer.", "fhirAuthorization.token_type")
    if request.fhir_authorization.expires_in < 0 or request.fhir_authorization.expires_in % 1:
        raise BadRequestError("expires_in must be a whole number of seconds.", "fhirAuthorization.expires_in")
    if request.fhir_authorization.patient not in (None, context.patient_id):
        raise BadRequestError(
            "The access token is for another patient than the context.", "fhirAuthorization.patient"
        )


@cache
def _envelopes() -> msgspec.json.Decoder[_Envelope]:
    return msgspec.json.Decoder(_Envelope)


@cache
def _contexts(kind: type[Context]) -> msgspec.json.Decoder[Context]:
    return msgspec.json.Decoder(kind)


def _decode(decoder: msgspec.json.Decoder[_T], body: bytes | msgspec.Raw, place: str = "") -> _T:
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _misshapen(str(error), place) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        path = path_at(bytes(body), _offset(bytes(body), str(error)))
        raise BadRequestError("The body is not valid JSON in UTF-8.", path) from None
    except RecursionError:
        raise BadRequestError("The body is nested too deeply.", ROOT) from None


def _offset(body: bytes, message: str) -> int:
    """The byte that a decoder stumbled over: the one it names, else the first that is no UTF-8, else the end."""
    if named := _BYTE.search(message):
        return int(named["offset"])
    try:
        body.decode()
    except UnicodeDecodeError as error:
        return error.start
    return len(body)


def _misshapen(message: str, within: str = "") -> BadRequestError:
    """Turn msgspec's message, which names types and places but no values, into ours."""
    place = _PLACE.search(message)
    path = (within + place["path"] if place else within).lstrip(".")
    missing = _MISSING_FIELD.search(message)
    if missing:
        return BadRequestError(f"{missing[1]} is missing.", f"{path}.{missing[1]}".lstrip("."))
    expected = _PLACE.sub("", message).replace("`", "")
    return BadRequestError(f"{expected}.", path or ROOT)
