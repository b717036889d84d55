"""Pages for tests: a tiny application that serves them, and a strict reader of their HTML."""

import json
from collections.abc import Iterable
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from flask import Flask

from cds_service.advisor import Advisor
from cds_service.eligibility.policy import DEFAULT_POLICY, policies, policy
from cds_service.web.pages import page_headers, pages
from cds_service.web.reading import Reading, read
from cds_service.web.view import Actions, assessment_page
from fhir_mappings.record import PatientRecord, read_file
from tests.builders import Json

ON = date(2026, 11, 23)
SAMPLES = Path(__file__).parents[2] / "sample_bundles"
FILES = sorted(path.stem for path in SAMPLES.glob("*.json"))
SMALL = [file for file in FILES if "2000" not in file]
VOID = frozenset({"meta", "link", "input", "br", "hr", "wbr", "img", "path", "circle", "rect", "line"})


@cache
def sample_record(file: str) -> PatientRecord:
    """The record of a sample."""
    (record,) = read_file((SAMPLES / f"{file}.json").read_bytes())
    return record


def record_of(*resources: Json) -> PatientRecord:
    """The record of one patient's resources."""
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": item} for item in resources],
    }
    (record,) = read_file(json.dumps(bundle).encode())
    return record


def resources_of(file: str) -> list[Json]:
    """The resources of a sample, to be changed at will."""
    return [
        entry["resource"]
        for entry in json.loads((SAMPLES / f"{file}.json").read_text(encoding="utf-8"))["entry"]
    ]


def reading_of(
    record: PatientRecord, on: date = ON, policy_id: str = DEFAULT_POLICY, attested: Iterable[str] = ()
) -> Reading:
    """A record, read and assessed."""
    chosen = policy(policy_id)
    others = tuple(other for other in policies() if other.id != chosen.id)
    return read(record, Advisor(chosen, others), on, frozenset(attested))


def application(reading: Reading, actions: Actions | None = None) -> Flask:
    """An application of one page, at `/`."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(pages)

    @app.get("/")
    def page() -> tuple[str, dict[str, str]]:
        return assessment_page(reading, actions=actions or Actions()), dict(page_headers())

    return app


@cache
def _renderer() -> Flask:
    """An application that renders: one for all pages, because compiling the templates takes its time."""
    app = Flask(__name__, static_folder=None)
    app.register_blueprint(pages)
    return app


def html_of(reading: Reading, actions: Actions | None = None) -> str:
    """The page of a reading."""
    with _renderer().test_request_context():
        return assessment_page(reading, actions=actions or Actions())


class Page(HTMLParser):
    """The elements and the text of a page. Raises AssertionError where tags are not closed in order."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.marked: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    @property
    def text(self) -> str:
        """All text, with single spaces."""
        return " ".join(" ".join(self.texts).split()).replace(" ;", ";")

    def named(self, *names: str) -> list[dict[str, str | None]]:
        """The attributes of the elements of some names."""
        return [attributes for name, attributes in self.elements if name in names]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"</{tag}> closes nothing"
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)
        if self._open[-1:] == ["mark"]:
            self.marked.append(data)
