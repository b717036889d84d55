"""The sample patients as a FHIR server holds them: loaded once, found by type and id, never changed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from cds_service import samples
from cds_service.errors import DataError


@dataclass(frozen=True, slots=True)
class Stored:
    """One resource: what searches ask of it, and its bytes as they were written."""

    kind: str
    id: str
    patient: str | None  # the id of the Patient it is about
    categories: frozenset[tuple[str, str]]  # system and code
    content: bytes


@dataclass(frozen=True, slots=True)
class Store:
    """All resources by type, each type in the order of the samples."""

    by_type: Mapping[str, tuple[Stored, ...]]

    def find(self, kind: str, identifier: str) -> Stored | None:
        """The resource with that id."""
        return next((item for item in self.by_type.get(kind, ()) if item.id == identifier), None)


def load(folder: Path) -> Store:
    """Read the sample Bundles of a folder. Raises DataError for one that cannot be served as it is."""
    found: dict[str, dict[str, Stored]] = {}
    for path in samples.bundles(folder):
        for item in _resources(path):
            known = found.setdefault(item.kind, {})
            if item.id in known:
                raise DataError(f"{path}: another sample has a {item.kind} with the id of one of these")
            known[item.id] = item
    return Store({kind: tuple(items.values()) for kind, items in sorted(found.items())})


def _resources(path: Path) -> list[Stored]:
    try:
        return [_stored(entry["resource"]) for entry in orjson.loads(path.read_bytes())["entry"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise DataError(f"{path}: this is no Bundle of resources") from None


def _stored(resource: dict[str, Any]) -> Stored:
    return Stored(
        kind=resource["resourceType"],
        id=resource["id"],
        patient=_patient_of(resource),
        categories=frozenset(_categories(resource.get("category"))),
        content=orjson.dumps(resource),
    )


def _patient_of(resource: dict[str, Any]) -> str | None:
    subject = resource.get("subject") or resource.get("patient") or {}
    kind, _, identifier = subject.get("reference", "").rpartition("/")
    return identifier if kind == "Patient" else None


def _categories(concepts: Any) -> Iterator[tuple[str, str]]:
    """The codes of `category`, which is one concept in a Procedure and a list elsewhere."""
    for concept in concepts if isinstance(concepts, list) else [concepts or {}]:
        for coding in concept.get("coding", ()):
            yield coding.get("system", ""), coding.get("code", "")
