"""A hospital for launches: its EHR, our service as it is launched from there, and a user's browser."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import requests
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.hooks.routes import attach
from cds_service.smart.client_key import public_key_set
from cds_service.smart.errands import Errands
from cds_service.smart.forgery import ensure_own_form
from cds_service.smart.launching import Launching, prepare
from cds_service.smart.pending_forms import PendingForms
from cds_service.smart.routes import session_of, smart_launch
from cds_service.smart.sessions import Session, SessionOverError
from cds_service.storage.opening import Storage
from cds_service.tenants import Smart, Tenant, Tenants
from cds_service.web.pages import pages
from tests.smart.ehr import CLIENT, PlayedEhr

ADDRESS = "http://localhost"
SECURE_ADDRESS = "https://cds.example.org"


class Clock:
    """Seconds since 1970 that stand still until they are moved."""

    def __init__(self) -> None:
        self.now = 1_795_000_000.0

    def __call__(self) -> float:
        return self.now


def smart(key_file: Path, **changed: Any) -> Smart:
    """What a tenant registered."""
    return Smart(**{"client_id": CLIENT, "private_key_file": key_file, "address": ADDRESS} | changed)


def tenant(ehr: PlayedEhr, app: Smart, **changed: Any) -> Tenant:
    """The tenant whose EHR it is."""
    told: dict[str, Any] = {
        "id": "clinic",
        "name": "Clinic Seven",
        "fhir_servers": (ehr.base,),
        "allow_loopback": True,
        "smart": app,
    }
    return Tenant(**told | changed)


@dataclass
class Browser:
    """A user's browser: it keeps cookies, and follows to the EHR's sign-in and back."""

    client: FlaskClient
    base: str
    cookies_set: list[str] = field(default_factory=list)
    bodies: list[str] = field(default_factory=list)

    def get(self, address: str, **named: Any) -> TestResponse:
        return self._seen(self.client.get(address, **named))

    def post(self, address: str, **named: Any) -> TestResponse:
        return self._seen(self.client.post(address, **named))

    def _seen(self, response: TestResponse) -> TestResponse:
        self.cookies_set += response.headers.getlist("Set-Cookie")
        self.bodies += [response.text, str(response.headers)]
        return response

    def depart(self, launch: str, iss: str | None = None) -> TestResponse:
        """Open our launch address, as the EHR does."""
        return self.get(f"/smart/launch?iss={quote(iss or self.base, safe='')}&launch={launch}")

    def sign_in(self, away: TestResponse) -> str:
        """Follow to the EHR, which approves or refuses: the address that it sends back to, on our host."""
        assert away.status_code == 303, away.text
        back = requests.get(away.headers["Location"], allow_redirects=False, timeout=10)
        location = urlsplit(back.headers["Location"])
        return f"{location.path}?{location.query}"

    def launch(self, launch: str, iss: str | None = None) -> TestResponse:
        """All of it: away, sign-in, and back."""
        return self.get(self.sign_in(self.depart(launch, iss)))


@dataclass
class Hospital:
    """Everything together."""

    ehr: PlayedEhr
    tenant: Tenant
    storage: Storage
    clock: Clock
    launching: Launching
    app: Flask

    def browser(self) -> Browser:
        secure = self.tenant.smart is not None and self.tenant.smart.is_secure
        client = self.app.test_client()
        if secure:
            client.environ_base["wsgi.url_scheme"] = "https"
        return Browser(client, self.ehr.base)

    def session(self, browser: Browser, response: TestResponse) -> Session:
        """The session that a launch led to."""
        assert response.status_code == 303, response.text
        handle = response.headers["Location"].split("/")[2]
        name = next(line for line in browser.cookies_set if handle in line)
        return self.launching.sessions.find(handle, name.split("=", 1)[1].split(";")[0])

    def launched(self, **launch: Any) -> Session:
        """The session of an honest launch."""
        browser = self.browser()
        return self.session(browser, browser.launch(self.ehr.launch(**launch)))


def hospital(  # noqa: PLR0917  everything that a house is made of
    ehr: PlayedEhr,
    who: Tenant,
    storage: Storage,
    clock: Clock,
    seconds: float = 2.0,
    others: tuple[Tenant, ...] = (),
) -> Hospital:
    """A service that is launched from an EHR, with a page to land on and a form on it."""
    tenants = Tenants((who, *others))
    launching = prepare(tenants, storage.safe, clock, Errands(seconds=seconds))
    ehr.client_keys = lambda: public_key_set(launching.keys)
    ehr.now = clock
    app = Flask("cds_service", static_folder=None)
    app.register_blueprint(pages)
    app.register_blueprint(smart_launch(launching, lambda handle: f"/smart/{handle}/"))
    attach(app, ())

    @app.get("/smart/<handle>/")
    def landing(handle: str) -> str:
        session = session_of(launching.sessions, handle)
        return f"landed on {session.patient}"

    @app.post("/smart/<handle>/form")
    def form(handle: str) -> str:
        try:
            session = session_of(launching.sessions, handle)
        except SessionOverError as over:
            raise PendingForms(storage.safe, clock).rescued(over, request.form) from None
        ensure_own_form(session, request.form)
        return "taken"

    return Hospital(ehr, who, storage, clock, launching, app)


def query_of(response: TestResponse) -> dict[str, str]:
    """The parameters with which a browser is sent on."""
    return {name: one for name, [one] in parse_qs(urlsplit(response.headers["Location"]).query).items()}
