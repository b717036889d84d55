"""Versions and corrections: of several versions of one thing the newest counts, of identical copies one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fhir_mappings.resource import Resource, Use, codings


def identity(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The identifiers of a resource and when it was last updated: they tell a correction from a second finding."""
    identifiers = raw.get("identifier")
    pairs = (
        [f"{item.get('system')}|{item.get('value')}" for item in identifiers if isinstance(item, dict)]
        if isinstance(identifiers, list)
        else []
    )
    meta = raw.get("meta")
    return tuple(sorted(pairs)), _instant(meta.get("lastUpdated") if isinstance(meta, dict) else None)


def _instant(text: object) -> str:
    """An instant in UTC and of one length, so that texts compare as times do; empty when it is none."""
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
        if found is None:
            return ""
        found = found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return ""
    return found.isoformat(timespec="microseconds")


def latest_versions(resources: Sequence[Resource]) -> Iterator[Resource]:
    """Keep one of identical copies, and the newest of several versions; where none is the newest, keep all."""
    by_reference = _newest(resources, lambda item: item.reference)
    return _newest(tuple(by_reference), _same_thing)


def _newest(resources: Sequence[Resource], same: Callable[[Resource], object]) -> Iterator[Resource]:
    groups: dict[object, list[Resource]] = {}
    for item in resources:
        groups.setdefault(same(item), []).append(item)
    for versions in groups.values():
        distinct = [item for index, item in enumerate(versions) if item not in versions[:index]]
        newest = max(item.updated for item in distinct)
        for item in distinct:
            is_old = item.updated < newest
            yield replace(item, use=Use.DROP, why="replaced by a newer version") if is_old else item


def _same_thing(item: Resource) -> object:
    if not item.identifiers or item.kind not in ("Observation", "DiagnosticReport"):
        return item.reference
    specimen = item.data.get("specimen")
    text = specimen.get("reference") if isinstance(specimen, Mapping) else None
    codes = tuple((coding.get("system"), coding.get("code")) for coding in codings(item.data.get("code")))
    return item.kind, item.identifiers, codes, text, item.date
