"""The addresses of launches: away to the EHR, back from it, and the end of a session."""

from collections.abc import Callable
from typing import Final

import orjson
from flask import Blueprint, Response, g, render_template, request

from cds_service.errors import LaunchError, UnavailableError
from cds_service.smart import cookies
from cds_service.smart.client_key import public_key_set
from cds_service.smart.forgery import ensure_own_form
from cds_service.smart.launching import CALLBACK, Launching
from cds_service.smart.problems import STATUS, Problem
from cds_service.smart.sessions import Session, SessionOverError, Sessions
from cds_service.tenants import Smart, Tenant, Tenants
from cds_service.web.pages import page_headers

Landing = Callable[[str], str]
"""The handle of a session to the path of its first page."""

_LONGEST: Final = 8192
_TOLD: Final = ("state", "code", "error", "iss")


def smart_launch(launching: Launching, landing: Landing) -> Blueprint:
    """The endpoints of SMART launches as a blueprint. LaunchErrors of all pages are told by it."""
    blueprint = Blueprint("smart", __name__)

    @blueprint.get("/smart/launch")
    def launch() -> Response:
        iss = _single("iss")
        tenant, base = launching.tenant_of(iss)
        smart = _noted(tenant)
        departure = launching.depart(tenant, base, iss, _single("launch"))
        response = _to(departure.address)
        cookies.set_launch(response, smart, departure)
        return response

    @blueprint.get(f"{CALLBACK}/<tenant_id>")
    def callback(tenant_id: str) -> Response:
        tenant = _named(launching.tenants, tenant_id)
        smart, state = _noted(tenant), _single("state", Problem.LOST)
        told = {name: _single(name, Problem.LOST) for name in _TOLD if name in request.args}
        browser = request.cookies.get(cookies.launch_cookie(smart, state), "")
        try:
            session = launching.arrive(tenant, told, browser)
        except LaunchError as error:
            response = tell(error)
            if browser:
                cookies.forget_launch(response, smart, state)
            return response
        response = _to(landing(session.handle))
        cookies.forget_launch(response, smart, state)
        cookies.set_session(response, smart, session, launching.now())
        return response

    @blueprint.get("/smart/jwks.json")
    def keys() -> Response:
        return Response(orjson.dumps(public_key_set(launching.keys)), mimetype="application/json")

    @blueprint.post("/smart/<handle>/end")
    def end(handle: str) -> Response:
        session = session_of(launching.sessions, handle)
        ensure_own_form(session, request.form)
        launching.sessions.end(session)
        response = tell(LaunchError(Problem.ENDED))
        cookies.forget_session(response, _noted(session.tenant), handle)
        return response

    blueprint.register_error_handler(UnavailableError, tell_busy)
    blueprint.app_errorhandler(LaunchError)(tell)
    return blueprint


def session_of(sessions: Sessions, handle: str) -> Session:
    """The session that an address names and the browser holds the secret of. Raises SessionOverError."""
    try:
        session = sessions.find(handle, cookies.secret_of(request, handle))
    except SessionOverError as over:
        if over.session is not None:
            _noted(over.session.tenant)
        raise
    _noted(session.tenant)
    return session


def tell(error: LaunchError) -> Response:
    """The page of a problem: a plain sentence and a way on, and nothing of what was sent."""
    problem = Problem(error.reason)
    if problem is not Problem.ENDED:
        _log()["launch"] = problem.value
    tenant: Tenant | None = g.get("launched_by")
    is_kept = isinstance(error, SessionOverError) and error.is_form_kept
    body = render_template(f"web/launch-{problem.value}.html", tenant=tenant, is_form_kept=is_kept)
    response = Response(body, STATUS[problem], mimetype="text/html")
    ancestors = tenant.smart.frame_ancestors if tenant is not None and tenant.smart is not None else ()
    response.headers.update(page_headers(ancestors))
    return response


def _to(address: str) -> Response:
    """Send the browser on, without a page that would repeat the address."""
    return Response(status=303, headers={"Location": address})


def tell_busy(_: UnavailableError) -> Response:
    """The page that says that our database does not answer: for every blueprint that shows pages."""
    return tell(LaunchError(Problem.BUSY))


def _single(name: str, problem: Problem = Problem.INCOMPLETE) -> str:
    """A parameter that is given once: of two, programs choose differently."""
    values = request.args.getlist(name)
    if len(values) != 1 or not 0 < len(values[0]) <= _LONGEST:
        raise LaunchError(problem)
    return values[0]


def _named(tenants: Tenants, tenant_id: str) -> Tenant:
    tenant = tenants.by_id(tenant_id)
    if tenant is None or tenant.smart is None:
        raise LaunchError(Problem.LOST)
    return tenant


def _noted(tenant: Tenant) -> Smart:
    """What the tenant registered; its id goes into the log, and its pages may be framed where it says."""
    if tenant.smart is None:
        raise LaunchError(Problem.FOREIGN)
    g.launched_by = tenant
    _log()["tenant"] = tenant.id
    return tenant.smart


def _log() -> dict[str, object]:
    """What the request's line in the log will hold."""
    notes: dict[str, object] = g.setdefault("log", {})
    return notes
