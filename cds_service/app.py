"""The application: the one place that knows how things are wired."""

import gc
import re
from collections.abc import Callable, Iterable
from datetime import date
from importlib.resources import files
from typing import TYPE_CHECKING

from flask import Flask

from cds_service.advisor import Advisor, create_advisor
from cds_service.hooks import detail
from cds_service.hooks.cards import cards
from cds_service.hooks.prefetch import gather
from cds_service.hooks.request import parse
from cds_service.hooks.routes import attach, hooks
from cds_service.hooks.services import SERVICES
from cds_service.settings import Settings, from_environment
from fhir_mappings.drafts import drafts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_SLASHES = re.compile(r"/{2,}")


def create_app(settings: Settings | None = None, today: Callable[[], date] = date.today) -> Flask:
    """Wire the service. Raises SettingsError with a sentence when a setting cannot be used.

    `today` is the only clock: tests and demonstrations give their own.
    """
    settings = settings or from_environment()
    advisor = create_advisor(settings)
    app = Flask("cds_service", static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # Flask types the provider's base class
    app.config["MAX_CONTENT_LENGTH"] = settings.max_body_bytes
    app.url_map.redirect_defaults = False
    app.register_blueprint(hooks(advisor, today))
    attach(app, settings.cors_origins)
    app.wsgi_app = _tidy_paths(app.wsgi_app)  # type: ignore[assignment, method-assign]  # Flask's documented way to wrap
    detail.load()
    drafts()
    _rehearse(advisor, today())
    return app


def _rehearse(advisor: Advisor, on: date) -> None:
    """Lead a made-up patient through every step: a broken file stops the start, and no real call loads anything."""
    body = (files("cds_service") / "hooks" / "rehearsal.json").read_bytes()
    hook = parse(body, SERVICES[0])
    facts, assessment = advisor.advise(gather(hook, body), on)
    cards(assessment, facts, advisor.policy, hook.hook_instance)


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
