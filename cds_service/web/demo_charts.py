"""The chart of a sample patient as an EHR shows one: compact tables, newest first."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from cds_service.hooks.text import one_line
from cds_service.web.demo_fhir_text import codes, concept, day, plain, result

SHOWN: Final = 25  # rows of a table; the rest opens below
Json = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Row:
    """One entry of the chart."""

    day: str
    what: str
    code: str
    found: str
    status: str
    reference: str


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the chart; `found` is the heading of its third column."""

    id: str
    title: str
    found: str
    rows: tuple[Row, ...]

    @property
    def first(self) -> tuple[Row, ...]:
        """The rows that are shown at once."""
        return self.rows[:SHOWN]

    @property
    def rest(self) -> tuple[Row, ...]:
        """The rows that open below."""
        return self.rows[SHOWN:]


def sections(content: bytes) -> tuple[Section, ...]:
    """The tables of a chart: of every kind of resource that is read, also where there is none."""
    resources = resources_in(content)
    return tuple(_section(kind, resources) for kind in _KINDS)


def resources_in(content: bytes) -> list[dict[str, Any]]:
    """The resources of a sample's Bundle."""
    return [entry["resource"] for entry in orjson.loads(content)["entry"]]


@dataclass(frozen=True, slots=True)
class _Kind:
    type: str
    title: str
    found: str
    days: tuple[str, ...]
    what: Callable[[Json], str]
    say: Callable[[Json], str]


def _section(kind: _Kind, resources: Iterable[Json]) -> Section:
    rows = [_row(kind, item) for item in resources if item["resourceType"] == kind.type]
    newest_first = sorted(rows, key=lambda row: row.day, reverse=True)
    return Section(kind.type.lower(), kind.title, kind.found, tuple(newest_first))


def _row(kind: _Kind, resource: Json) -> Row:
    status = concept(resource.get("clinicalStatus")) or concept(resource.get("status"))
    return Row(
        day=day(resource, *kind.days) or day(resource.get("collection") or {}, "collectedDateTime"),
        what=one_line(kind.what(resource)) or "(without a name)",
        code=one_line(codes(resource.get("code"))),
        found=one_line(kind.say(resource)),
        status=one_line(status.lower()),
        reference=f"{kind.type}/{resource.get('id', '')}",
    )


def _named(resource: Json) -> str:
    return concept(resource.get("code")) or concept(resource.get("medicationCodeableConcept"))


def _problem(resource: Json) -> str:
    return ", ".join(
        filter(None, [concept(resource.get("verificationStatus")).lower(), concept(resource.get("bodySite"))])
    )


def _procedure(resource: Json) -> str:
    words = (concept(resource.get(name)) for name in ("bodySite", "outcome", "statusReason"))
    return ", ".join(filter(None, words))


def _report(resource: Json) -> str:
    said, coded = resource.get("conclusion"), concept(resource.get("conclusionCode"))
    words = said if isinstance(said, str) else ""
    if coded.casefold() in words.casefold():  # the code says the same once more
        return words
    return f"{words.rstrip('.')}; {coded}" if words else coded


def _tissue(resource: Json) -> str:
    collection = resource.get("collection")
    return concept(collection.get("bodySite")) if isinstance(collection, dict) else ""


_KINDS: Final = (
    _Kind("Condition", "Problems", "Certainty, site", ("onsetDateTime", "recordedDate"), _named, _problem),
    _Kind(
        "Observation", "Results", "Result", ("effectiveDateTime", "effectivePeriod", "issued"), _named, result
    ),
    _Kind(
        "Procedure",
        "Procedures",
        "Site, outcome",
        ("performedDateTime", "performedPeriod"),
        _named,
        _procedure,
    ),
    _Kind("DiagnosticReport", "Reports", "Conclusion", ("effectiveDateTime", "issued"), _named, _report),
    _Kind(
        "Specimen", "Specimens", "Site", ("receivedTime",), lambda item: concept(item.get("type")), _tissue
    ),
    _Kind(
        "ServiceRequest",
        "Orders and referrals",
        "Intent",
        ("authoredOn",),
        _named,
        lambda item: plain(item.get("intent")),
    ),
)
