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
        is_old = correction is not None and correction is not item and item.updated < correction.updated
        yield replace(item, use=Use.DROP, why="replaced by a newer version") if is_old else item


def _newest(resources: Sequence[Resource]) -> Iterator[Resource]:
    groups: dict[str, list[Resource]] = {}
    for item in resources:
        groups.setdefault(item.reference, []).append(item)
    for versions in groups.values():
        if len(versions) == 1:
            yield versions[0]
            continue
        distinct = [item for index, item in enumerate(versions) if item not in versions[:index]]
        newest = max(item.updated for item in distinct)
        for item in distinct:
            is_old = item.updated < newest
            yield replace(item, use=Use.DROP, why="replaced by a newer version") if is_old else item


def _finding(item: Resource) -> object:
    """What a correction has in common with what it corrects: identifiers, codes, specimen and day."""
    specimen = item.data.get("specimen")
    text = specimen.get("reference") if isinstance(specimen, Mapping) else None
    codes = tuple((coding.get("system"), coding.get("code")) for coding in codings(item.data.get("code")))
    return item.kind, item.identifiers, codes, text, item.date
