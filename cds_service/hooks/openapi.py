"""The endpoints as an OpenAPI 3.1 document, made from the services and schemas that also answer the calls."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final

from cds_service.errors import (
    BadRequestError,
    HttpError,
    InternalError,
    MethodNotAllowedError,
    NotFoundError,
    PayloadTooLargeError,
    PreconditionFailedError,
    UnauthorizedError,
    UnavailableError,
    UnsupportedMediaTypeError,
)
from cds_service.hooks.services import SERVICES, Service

OPENAPI: Final = "3.1.0"
VERSION: Final = "2.0.1"  # of CDS Hooks, which these endpoints follow
_SCHEMAS: Final = ("discovery", "request", "response", "feedback")
_ALWAYS: Final[tuple[type[HttpError], ...]] = (MethodNotAllowedError, InternalError, UnavailableError)
_OF_A_BODY: Final[tuple[type[HttpError], ...]] = (
    BadRequestError,
    NotFoundError,
    PayloadTooLargeError,
    UnsupportedMediaTypeError,
)
_OUTCOME: Final[Mapping[str, Any]] = {
    "type": "object",
    "required": ["resourceType", "issue"],
    "properties": {
        "resourceType": {"const": "OperationOutcome"},
        "issue": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "required": ["severity", "code", "diagnostics"],
                "properties": {
                    "severity": {"const": "error"},
                    "code": {"type": "string"},
                    "diagnostics": {"type": "string"},
                    "expression": {"type": "array", "items": {"type": "string"}, "minItems": 1},
                },
            },
        },
    },
}


_LOCK: Final = "cdsClient"
_LOCKS: Final[Mapping[str, Any]] = {
    _LOCK: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The JSON Web Token of CDS Hooks (Trusting CDS Clients).",
    }
}


@cache
def document(*, is_open: bool, has_open_discovery: bool) -> Mapping[str, Any]:
    """The OpenAPI document of all endpoints of a service that asks callers who they are, or does not."""
    anybody = {"/cds-services": _discovery(), "/openapi.json": _description()}
    known = {} if has_open_discovery else {"/cds-services": anybody["/cds-services"]}
    for service in SERVICES:
        known[f"/cds-services/{service.id}"] = _call(service)
        known[f"/cds-services/{service.id}/feedback"] = _feedback(service)
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Milan-NET CDS",
            "version": VERSION,
            "summary": "CDS Hooks: liver transplantation in neuroendocrine liver metastases",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": anybody | (known if is_open else {path: _locked(item) for path, item in known.items()}),
        "components": {"schemas": {name: _schema(name) for name in _SCHEMAS} | {"outcome": _OUTCOME}}
        | ({} if is_open else {"securitySchemes": _LOCKS}),
    }


def _schema(name: str) -> Mapping[str, Any]:
    text = (files("cds_service") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return {key: value for key, value in content.items() if key not in ("$schema", "$id")}


# --- paths ------------------------------------------------------------------------------------------------------------

Path = Mapping[str, Mapping[str, Any]]


def _discovery() -> Path:
    return {
        "get": {
            "operationId": "discovery",
            "summary": "The services on offer",
            "responses": _responses("The discovery document", _json(_ref("discovery")), _ALWAYS),
        }
    }


def _description() -> Path:
    return {
        "get": {
            "operationId": "openapi",
            "summary": "This document",
            "responses": _responses("The endpoints in OpenAPI 3.1", _json({"type": "object"}), _ALWAYS),
        }
    }


def _call(service: Service) -> Path:
    hook = {"properties": {"hook": {"const": service.hook}}}
    errors = (*_OF_A_BODY, PreconditionFailedError, *_ALWAYS)
    return {
        "post": {
            "operationId": service.id,
            "summary": service.title,
            "description": service.description,
            "requestBody": {"required": True, "content": _json({"allOf": [_ref("request"), hook]})},
            "responses": _responses(
                "Cards, or none where there is nothing to say", _json(_ref("response")), errors
            ),
        }
    }


def _feedback(service: Service) -> Path:
    return {
        "post": {
            "operationId": f"{service.id}-feedback",
            "summary": f"What became of the cards of {service.id}",
            "requestBody": {"required": True, "content": _json(_ref("feedback"))},
            "responses": _responses("Kept; without a body", {}, (*_OF_A_BODY, *_ALWAYS)),
        }
    }


def _locked(path: Path) -> Path:
    """A path as it is where callers are asked who they are."""
    refusal = {str(UnauthorizedError.status): {"description": _told(UnauthorizedError)}}
    return {
        method: {**operation, "security": [{_LOCK: []}], "responses": operation["responses"] | refusal}
        for method, operation in path.items()
    }


def _responses(
    success: str, content: Mapping[str, Any], errors: tuple[type[HttpError], ...]
) -> Mapping[str, Any]:
    found: dict[str, Any] = {"200": {"description": success} | ({"content": content} if content else {})}
    outcome = {"application/fhir+json": {"schema": _ref("outcome")}}
    for error in sorted(errors, key=lambda item: item.status):
        found[str(error.status)] = {"description": _told(error), "content": outcome}
    return found


def _told(error: type[HttpError]) -> str:
    return (error.__doc__ or "").partition("\n")[0]


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"application/json": {"schema": schema}}
