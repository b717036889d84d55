"""The sample patients on a read-only FHIR R4 endpoint, for the CDS Hooks Sandbox and for tests (cds-hooks.md 9.2, 9.3).

Browsers from anywhere may read it: it holds made-up patients, and says on every answer that it is a demonstration.
"""

import logging
from pathlib import Path
from typing import Final

import orjson
from flask import Blueprint, Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from cds_service.demo.capability import DESCRIPTION, capability_statement
from cds_service.demo.search import read_search, searchset
from cds_service.demo.store import Store, load
from cds_service.errors import (
    BadRequestError,
    HttpError,
    MethodNotAllowedError,
    NotFoundError,
    UnsupportedMediaTypeError,
)

PREFIX: Final = "/demo/fhir"
MARK: Final = "X-Milan-NET-Demo"
TOLD: Final = {"verdict": f"{MARK}-Verdict", "withheld": f"{MARK}-Withheld"}
"""What the log of a call says of its answer: an EHR is not told why there is no card, who tries the service may be."""
_LOG = logging.getLogger(__name__)
_FHIR_JSON: Final = "application/fhir+json"
_FORM: Final = "application/x-www-form-urlencoded"
_READING: Final = "GET, HEAD, OPTIONS"
_LARGEST_FORM: Final = 64 * 1024
_EVERY_METHOD: Final = ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_FROM_ANYWHERE: Final = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, HEAD, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Accept, Authorization, Content-Type, Prefer, X-Requested-With",
    "Access-Control-Max-Age": "600",
}


def demonstrate(app: Flask, folder: Path) -> None:
    """Make an application a demonstration: the endpoint, open to browsers, and a mark on every answer and in the log."""
    app.register_blueprint(demo_fhir(folder))
    app.after_request(_mark)
    _LOG.warning(DESCRIPTION)


def demo_app(folder: Path) -> Flask:
    """The endpoint alone, for a process of its own."""
    app = Flask("cds_service.demo", static_folder=None)
    app.url_map.strict_slashes = False
    demonstrate(app, folder)
    return app


def demo_fhir(folder: Path) -> Blueprint:
    """The endpoint over the samples in a folder. Raises DataError if they cannot be served."""
    store = load(folder)
    blueprint = Blueprint("demo_fhir", __name__, url_prefix=PREFIX)
    _read_and_search(blueprint, store)
    blueprint.add_url_rule("", "root", _refuse, methods=_EVERY_METHOD)
    blueprint.add_url_rule("/<path:_>", "elsewhere", _refuse, methods=_EVERY_METHOD)
    blueprint.register_error_handler(HttpError, _tell)
    blueprint.register_error_handler(HTTPException, _tell_http)
    return blueprint


def _read_and_search(blueprint: Blueprint, store: Store) -> None:
    @blueprint.get("/metadata")
    def metadata() -> Response:
        return _response(orjson.dumps(capability_statement(store, _base())))

    @blueprint.get("/<kind>/<identifier>")
    def read(kind: str, identifier: str) -> Response:
        found = store.find(kind, identifier)
        if found is None:
            raise NotFoundError("There is no such resource here.")
        return _response(found.content)

    @blueprint.get("/<kind>")
    def search(kind: str) -> Response:
        return _found(store, kind, [*request.args.items(multi=True)])

    @blueprint.post("/<kind>/_search")
    def search_by_form(kind: str) -> Response:
        if request.mimetype not in (_FORM, ""):
            raise UnsupportedMediaTypeError(f"A search is posted as {_FORM}.")
        request.max_content_length = _LARGEST_FORM
        return _found(store, kind, [*request.args.items(multi=True), *request.form.items(multi=True)])


def _found(store: Store, kind: str, given: list[tuple[str, str]]) -> Response:
    if kind not in store.by_type:
        raise NotFoundError(f"There are no resources of that type here, only {', '.join(store.by_type)}.")
    return _response(searchset(store, read_search(kind, given), _base()))


def _base() -> str:
    """This endpoint's address as the caller wrote it."""
    return request.root_url.rstrip("/") + PREFIX


def _refuse(_: str = "") -> Response:
    """Whatever is no reading: a preflight is answered, writing is not allowed, and nothing else is here."""
    if request.method == "OPTIONS":
        return Response(status=204, headers={"Allow": _READING})
    if request.method in ("GET", "HEAD"):
        raise NotFoundError(f"There is nothing at this address; GET {PREFIX}/metadata says what there is.")
    raise MethodNotAllowedError(
        "This is a demonstration: it can be read and searched, nothing can be written."
    )


# --- answers ----------------------------------------------------------------------------------------------------------


def _response(content: bytes, status: int = 200) -> Response:
    return Response(content, status, mimetype=_FHIR_JSON)


def _tell(error: HttpError) -> Response:
    response = _response(orjson.dumps(error.as_outcome()), error.status)
    if isinstance(error, MethodNotAllowedError):
        response.headers["Allow"] = _READING
    return response


def _tell_http(error: HTTPException) -> Response:
    """What Flask refuses by itself, such as a form that is too large."""
    outcome = BadRequestError("The request cannot be read.").as_outcome()
    return _response(orjson.dumps(outcome), error.code or BadRequestError.status)


def _mark(response: Response) -> Response:
    """Say that it is a demonstration, and let browsers read it."""
    response.headers[MARK] = "true"
    noted = g.get("log", {})
    response.headers.update({header: str(noted[key]) for key, header in TOLD.items() if key in noted})
    response.headers.update(_FROM_ANYWHERE)
    if request.headers.get("Access-Control-Request-Private-Network") == "true":
        response.headers["Access-Control-Allow-Private-Network"] = "true"
    return response
