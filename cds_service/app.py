"""The application: the one place that knows how things are wired."""

import gc
import re
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Flask

from cds_service.advisor import Advisor, create_advisor
from cds_service.ehr.fhir_client import EhrClient
from cds_service.errors import SettingsError
from cds_service.hooks import detail
from cds_service.hooks.cards import cards
from cds_service.hooks.fatigue import Fatigue
from cds_service.hooks.journey import Journey
from cds_service.hooks.prefetch import sent
from cds_service.hooks.request import parse
from cds_service.hooks.routes import attach, hooks
from cds_service.hooks.services import SERVICES
from cds_service.security.gate import Gate
from cds_service.security.key_sets import KeySets
from cds_service.settings import Settings, from_environment
from cds_service.smart.launching import prepare
from cds_service.smart.pending_forms import PendingForms
from cds_service.smart.routes import smart_launch
from cds_service.storage.opening import Storage, open_storage, temporary_storage
from cds_service.tenants import Tenants, load_tenants
from cds_service.web.launched import Launched, launched
from cds_service.web.pages import pages
from fhir_mappings.drafts import drafts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile(r"/{2,}")
NO_TENANT = (
    "No tenant is configured, so nobody could be let in. Describe who may call in a TOML file and name it in "
    'MILAN_NET_TENANTS (README, "Connect an EHR"), or try the service on this machine alone: milan-net serve --open'
)


def create_app(
    settings: Settings | None = None,
    tenants: Tenants | None = None,
    today: Callable[[], date] = date.today,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Flask:
    """Wire the service. Raises SettingsError with a sentence when a setting cannot be used.

    Without `tenants` those of the settings may call. `today` and `now` are the only clocks: the day of evaluation,
    and the moment by which tokens expire and overrides end. Tests and demonstrations give their own.
    """
    settings = settings or from_environment()
    tenants = tenants or configured_tenants(settings)
    advisors = {tenant.id: create_advisor(settings, tenant) for tenant in tenants.all}
    storage = _storage(settings, tenants)
    ehr = EhrClient()
    launching = prepare(tenants, storage.safe, lambda: now().timestamp())
    contexts = launching.app_contexts
    journey = Journey(advisors, ehr, storage.ledger, Fatigue(storage.ledger), today, now, contexts)
    keys = KeySets(tenants)
    keys.warm()
    gate = Gate(tenants, storage.replay, keys, lambda: now().timestamp())
    app = _flask(settings)
    app.extensions["storage"] = storage  # as long as the application lives: a temporary one goes with it
    app.register_blueprint(hooks(journey, gate, settings))
    app.register_blueprint(pages)
    app.register_blueprint(smart_launch(launching, lambda handle: f"/smart/{handle}"))
    forms = PendingForms(storage.safe, lambda: now().timestamp())
    app.register_blueprint(launched(Launched(launching, forms, advisors, ehr, today)))
    attach(app, settings.cors_origins)
    app.wsgi_app = _tidy_paths(app.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's documented way to wrap
    detail.load()
    drafts()
    for advisor in advisors.values():
        _rehearse(advisor, tenants, today())
    return app


def configured_tenants(settings: Settings) -> Tenants:
    """Those who may call. Raises SettingsError, also when there is nobody."""
    if settings.tenants is None:
        raise SettingsError(NO_TENANT)
    return load_tenants(settings.tenants)


def _storage(settings: Settings, tenants: Tenants) -> Storage:
    """What is kept; in open mode, where nobody is known, it goes with the process."""
    return open_storage(settings) if tenants.open is None else temporary_storage()


def _flask(settings: Settings) -> Flask:
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types the provider's base class
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.config["TRUSTED_HOSTS"] = list(settings.trusted_hosts) or None
    app.url_map.redirect_defaults = False
    return app


def _rehearse(advisor: Advisor, tenants: Tenants, on: date) -> None:
    """Lead a made-up patient through every step: a broken file stops the start, and no real call loads anything."""
    body = (files("cds_service") / "hooks" / "rehearsal.json").read_bytes()
    hook = parse(body, SERVICES[0])
    facts, assessment = advisor.advise(sent(hook, body), on)
    cards(assessment, facts, advisor.policy, hook_instance=hook.hook_instance, tenant=tenants.all[0])


def settle() -> None:
    """Tell the garbage collector that what start-up loaded stays, so that it never walks through it again.

    Its thresholds stay as they are: the first reading makes objects that it does not track, and measured, higher ones
    won nothing here and cost memory.
    """
    gc.collect()
    gc.freeze()


def _tidy_paths(application: "WSGIApplication") -> "WSGIApplication":
    """Let `//` and a trailing slash in a path mean what they were meant to: clients join addresses naively.

    A redirect would not do, because a browser's preflight cannot follow one (cds-hooks.md 9.5 and 9.6).
    """

    def tidied(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if "//" in path or path.endswith("/"):
            environ["PATH_INFO"] = _SLASHES.sub("/", path).rstrip("/") or "/"
        return application(environ, start_response)

    return tidied
