"""The addresses of CDS Hooks: the journey of a request, and what every response has in common."""

import logging
import time
from dataclasses import asdict
from typing import Final

import orjson
from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from cds_service.errors import (
    BadRequestError,
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaTypeError,
    whereabouts,
)
from cds_service.hooks import openapi, services
from cds_service.hooks.feedback import receive
from cds_service.hooks.journey import Journey
from cds_service.hooks.json_path import ROOT
from cds_service.hooks.services import Service
from cds_service.security.gate import Gate
from cds_service.settings import Settings
from cds_service.tenants import Tenant
from fhir_mappings.record import RecordError, without_mark

_LOG = logging.getLogger(__name__)
_JSON: Final = "application/json"
_FHIR_JSON: Final = "application/fhir+json"
_RETRY_AFTER: Final = "5"  # seconds
_TOO_LARGE: Final = "The body is larger than this service reads."

LOGGED: Final = (
    *("tenant", "service", "verdict", "cards", "withheld", "unread", "feedback", "hookInstance"),
    *("error", "refused"),
)
HEADERS: Final = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
}
PREFLIGHT: Final = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Content-Type, Authorization",
    "Access-Control-Max-Age": "600",
}


def hooks(journey: Journey, gate: Gate, settings: Settings) -> Blueprint:
    """The CDS Hooks endpoints as a blueprint."""
    blueprint = Blueprint("hooks", __name__)

    @blueprint.get("/cds-services")
    def discover() -> Response:
        if not settings.open_discovery:
            _admit(gate)
        return _response(services.discovery(with_versions=settings.cds_hooks_3))

    @blueprint.get("/openapi.json")
    def describe() -> Response:
        return _response(openapi.document())

    @blueprint.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        tenant, service = _admit(gate), _named(service_id)
        found = journey.cards_for(tenant, service, _body(), g.started, g.log)
        g.log["cards"] = len(found)
        return _response({"cards": found})

    @blueprint.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        tenant, service = _admit(gate), _named(service_id)
        receipt = receive(tenant, service.id, _body(), journey.ledger, journey.now())
        g.log["feedback"] = asdict(receipt)
        return Response(status=200, mimetype=_JSON)

    return blueprint


def _admit(gate: Gate) -> Tenant:
    tenant = gate.admit(request.headers.get("Authorization"), request.path)
    g.log["tenant"] = tenant.id
    return tenant


def _named(service_id: str) -> Service:
    service = services.find(service_id)
    g.log["service"] = service.id
    return service


def _body() -> bytes:
    if request.mimetype not in (_JSON, _FHIR_JSON):
        raise UnsupportedMediaTypeError("The body must be application/json or application/fhir+json.")
    if request.headers.get("Content-Encoding"):
        raise UnsupportedMediaTypeError("The body must not be compressed.")
    body = request.get_data(cache=False)
    limit = request.max_content_length
    if request.content_length is None and limit is not None and len(body) >= limit:  # chunked, and cut there
        raise PayloadTooLargeError(_TOO_LARGE)
    return without_mark(body)


def _response(content: object, status: int = 200, mimetype: str = _JSON) -> Response:
    return Response(orjson.dumps(content), status, mimetype=mimetype)


# --- what every response has in common ------------------------------------------------------------------


def attach(app: Flask, cors_origins: tuple[str, ...]) -> None:
    """Give every response its headers and its log line, and every error an OperationOutcome."""
    app.before_request(_begin)
    app.after_request(lambda response: _finish(response, cors_origins))
    app.register_error_handler(HttpError, _tell)
    app.register_error_handler(
        RecordError, lambda error: _tell(BadRequestError("The prefetch cannot be read.", error.path))
    )
    app.register_error_handler(HTTPException, _tell_http)
    app.register_error_handler(Exception, _tell_bug)


def _begin() -> Response | None:
    g.started = time.monotonic()
    g.log = {}
    return (
        Response(status=204, headers={"Allow": "GET, POST, OPTIONS"}) if request.method == "OPTIONS" else None
    )


def _finish(response: Response, cors_origins: tuple[str, ...]) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)  # a page has stricter or other ones of its own
    if cors_origins:
        _allow_origin(response, cors_origins)
    _log(response.status_code)
    return response


def _allow_origin(response: Response, cors_origins: tuple[str, ...]) -> None:
    response.headers["Vary"] = "Origin"
    origin = request.headers.get("Origin")
    if origin in cors_origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        if request.method == "OPTIONS":
            response.headers.update(PREFLIGHT)


def _log(status: int) -> None:
    """One line for each request. What is in it is listed here: nothing of a patient, and no address."""
    if not _LOG.isEnabledFor(logging.INFO):
        return
    known = {key: g.log.get(key) for key in LOGGED}
    milliseconds = round((time.monotonic() - g.started) * 1000, 2)
    line = {"event": "request", "status": status, "ms": milliseconds, **known}
    _LOG.info(orjson.dumps({key: value for key, value in line.items() if value is not None}).decode())


def _tell(error: HttpError) -> Response:
    g.log["error"] = type(error).__name__
    if isinstance(error, UnauthorizedError):  # why is for the log alone (integration.md 3.1)
        g.log["refused"] = error.reason
        return Response(status=error.status, headers={"WWW-Authenticate": "Bearer"}, mimetype=_JSON)
    response = _outcome(error)
    if isinstance(error, UnavailableError):
        response.headers["Retry-After"] = _RETRY_AFTER
    return response


def _outcome(error: HttpError) -> Response:
    return _response(error.as_outcome(), error.status, _FHIR_JSON)


def _tell_http(error: HTTPException) -> Response:
    """Errors that Flask and Werkzeug raise: their pages are HTML and may repeat the address."""
    code = error.code or 500
    if code == NotFoundError.status:
        return _tell(NotFoundError("There is nothing at this address. GET /cds-services lists the services."))
    if code == MethodNotAllowedError.status:
        return _allowing(_tell(MethodNotAllowedError("This address does not answer that method.")), error)
    if code == PayloadTooLargeError.status:
        return _tell(PayloadTooLargeError(_TOO_LARGE))
    if code < InternalError.status:
        return _tell(BadRequestError("The request cannot be read.", ROOT))
    return _tell_bug(error)


def _allowing(response: Response, error: HTTPException) -> Response:
    allow = dict(error.get_headers()).get("Allow")
    if allow:
        response.headers["Allow"] = allow
    return response


def _tell_bug(error: Exception) -> Response:
    """A bug of ours: the log says where."""
    bug = {"event": "bug", "error": type(error).__name__, "at": whereabouts(error)}
    _LOG.error(orjson.dumps(bug).decode())
    return _tell(InternalError("Something went wrong in the service. The log says where."))
