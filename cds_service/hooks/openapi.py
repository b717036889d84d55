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
_ALWAYS: Final[tuple[type[HttpError], ...]] = (UnauthorizedError, InternalError, UnavailableError)
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


@cache
def document() -> Mapping[str, Any]:
    """The OpenAPI document of all endpoints."""
    paths = {"/cds-services": {"get": _discovery()}}
    for service in SERVICES:
        paths[f"/cds-services/{service.id}"] = {"post": _call(service)}
        paths[f"/cds-services/{service.id}/feedback"] = {"post": _feedback(service)}
    return {
        "openapi": OPENAPI,
        "info": {
            "title": "Milan-NET CDS",
            "version": VERSION,
            "summary": "CDS Hooks: liver transplantation in neuroendocrine liver metastases",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{"cdsClient": []}],
        "paths": paths,
        "components": {
            "schemas": {name: _schema(name) for name in _SCHEMAS} | {"outcome": _OUTCOME},
            "securitySchemes": {
                "cdsClient": {
                    "type": "http",
                    "scheme": "bearer",
                    "bearerFormat": "JWT",
                    "description": "The JSON Web Token of CDS Hooks (Trusting CDS Clients). Not asked for in open mode.",
                }
            },
        },
    }


def _schema(name: str) -> Mapping[str, Any]:
    text = (files("cds_service") / "schemas" / f"{name}.schema.json").read_text("utf-8")
    content: dict[str, Any] = json.loads(text)
    return {key: value for key, value in content.items() if key not in ("$schema", "$id")}


def _discovery() -> Mapping[str, Any]:
    return {
        "operationId": "discovery",
        "summary": "The services on offer",
        "responses": _responses("The discovery document", _json(_ref("discovery")), _ALWAYS),
    }


def _call(service: Service) -> Mapping[str, Any]:
    hook = {"properties": {"hook": {"const": service.hook}}}
    return {
        "operationId": service.id,
        "summary": service.title,
        "description": service.description,
        "requestBody": {"required": True, "content": _json({"allOf": [_ref("request"), hook]})},
        "responses": _responses(
            "Cards, or none where there is nothing to say",
            _json(_ref("response")),
            (*_OF_A_BODY, PreconditionFailedError, *_ALWAYS),
        ),
    }


def _feedback(service: Service) -> Mapping[str, Any]:
    return {
        "operationId": f"{service.id}-feedback",
        "summary": f"What became of the cards of {service.id}",
        "requestBody": {"required": True, "content": _json(_ref("feedback"))},
        "responses": _responses("Kept; without a body", {}, (*_OF_A_BODY, *_ALWAYS)),
    }


def _responses(
    success: str, content: Mapping[str, Any], errors: tuple[type[HttpError], ...]
) -> Mapping[str, Any]:
    found: dict[str, Any] = {"200": {"description": success} | ({"content": content} if content else {})}
    told_of: tuple[type[HttpError], ...] = (*errors, MethodNotAllowedError)
    for error in sorted(told_of, key=lambda item: item.status):
        told = (
            {}
            if error is UnauthorizedError
            else {"content": {"application/fhir+json": {"schema": _ref("outcome")}}}
        )
        found[str(error.status)] = {"description": (error.__doc__ or "").partition("\n")[0], **told}
    return found


def _ref(name: str) -> Mapping[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"application/json": {"schema": schema}}
