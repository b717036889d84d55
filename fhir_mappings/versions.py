"""Versions and corrections: of several versions of one thing the newest counts, of identical copies one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from fhir_mappings.resource import Resource, Use, codings


def identity(raw: Mapping[str, Any]) -> tuple[tuple[str, ...], str]:
    """The identifiers of a resource and when it was last updated: they tell a correction from a second finding."""
    identifiers = raw.get("identifier")
    pairs = (
        [
            f"{item.get('system')}|{item['value']}"
            for item in identifiers
            if isinstance(item, dict) and item.get("value")
        ]
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
    return _corrected(tuple(_newest(resources)))


def _corrected(resources: Sequence[Resource]) -> Iterator[Resource]:
    """Drop what a correction with the same identifiers replaces.

    Two findings may share an accession number, so only a resource that calls itself amended or corrected replaces one.
    """
    corrections = {
        _finding(item): item for item in resources if item.data.get("status") in ("amended", "corrected")
    }
    for item in resources:
        correction = corrections.get(_finding(item)) if item.identifiers else None
        is_old = correction is not None and "" < item.updated < correction.updated
        yield replace(item, use=Use.DROP, why="replaced by a newer version") if is_old else item


def _newest(resources: Sequence[Resource]) -> Iterator[Resource]:
    groups: dict[str, list[Resource]] = {}
    for item in resources:
        groups.setdefault(item.reference, []).append(item)
    for copies in groups.values():
        if len(copies) == 1:
            yield copies[0]
            continue
        for versions in _by_server(copies):
            yield from _versions(versions)


def _by_server(copies: Sequence[Resource]) -> Iterator[Sequence[Resource]]:
    """What has one id on two servers is two things; where not more than one server is named, it is one."""
    servers = dict.fromkeys(item.server for item in copies)
    if len(servers.keys() - {""}) <= 1:
        yield copies
        return
    for server in servers:
        yield [item for item in copies if item.server == server]


def _versions(versions: Sequence[Resource]) -> Iterator[Resource]:
    """What counts of the versions of one thing: the newest, or all where one does not say when it is of."""
    distinct = [item for index, item in enumerate(versions) if item not in versions[:index]]
    newest = max(item.updated for item in distinct) if all(item.updated for item in distinct) else ""
    for item in distinct:
        is_old = item.updated < newest
        yield replace(item, use=Use.DROP, why="replaced by a newer version") if is_old else item


def _finding(item: Resource) -> object:
    """What a correction has in common with what it corrects: identifiers, codes, specimen, body site and day."""
    parts = (_named(item.data.get(name)) for name in ("code", "specimen", "bodySite"))
    return item.kind, item.identifiers, *parts, item.date


def _named(element: object) -> object:
    """What an element names: a reference, codes, or words where it has neither."""
    if isinstance(element, list):
        return tuple(map(_named, element))
    if not isinstance(element, Mapping):
        return None
    codes = tuple((coding.get("system"), coding.get("code")) for coding in codings(element))
    said = element.get("reference") or codes or element.get("text") or element.get("display")
    return said if isinstance(said, str | tuple) else None if said is None else str(said)
