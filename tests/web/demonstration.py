"""The demonstration as `milan-net demo` wires it, for tests; and what a strict browser makes of a page."""

from functools import cache, partial

from flask import Flask
from werkzeug.test import TestResponse

from cds_service.advisor import create_advisor
from cds_service.app import create_app
from cds_service.demo.day import day_asked_for
from cds_service.demo.fhir import demonstrate
from cds_service.settings import Settings
from cds_service.tenants import open_tenants
from cds_service.web.demo import add_demo
from tests.web.pages import ON, SAMPLES, Page

PATIENTS = [path.stem.partition("-")[2] for path in sorted(SAMPLES.glob("*.json"))]
_LOADED = {"link": "href", "script": "src", "img": "src", "form": "action", "iframe": "src", "use": "href"}


def demonstration() -> Flask:
    """The service over the samples, believing that it is `ON` unless a call names another day."""
    settings = Settings()
    app = create_app(settings, open_tenants(), partial(day_asked_for, ON))
    demonstrate(app, SAMPLES)
    add_demo(app, SAMPLES, create_advisor(settings), ON)
    return app


@cache
def shared() -> Flask:
    """One demonstration for tests that change nothing in it."""
    return demonstration()


def page_of(response: TestResponse, status: int = 200) -> Page:
    """A page that says it is a demonstration and shows whole under its own Content-Security-Policy."""
    assert response.status_code == status
    assert response.content_type == "text/html; charset=utf-8"
    policy = response.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    page = Page(response.text)
    assert "DEMO" in page.text
    for name, attributes in page.elements:
        assert name != "style"
        assert not [key for key in attributes if key == "style" or key.startswith("on")], (name, attributes)
        if name == "script":
            assert attributes["src"]
        if name in _LOADED and _LOADED[name] in attributes:
            assert str(attributes[_LOADED[name]]).startswith(("/", "#")), (name, attributes)
        if name == "a":
            assert str(attributes["href"]).startswith(("/", "#", "https://", "?")), attributes
    return page
