"""Searches on the demonstration's endpoint: parameters to a page of a searchset, in an order that never changes.

A filter that is not known is refused, never left out: the answer would hold more than was asked for. What only asks
for another form of the answer is left aside, as FHIR allows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final
from urllib.parse import urlencode

import orjson

from cds_service.demo.store import Store, Stored
from cds_service.errors import BadRequestError

PAGE: Final = 200  # resources on a page: a small chart is one page of each type, the large sample is ten
LARGEST_PAGE: Final = 1000
_FORM_ONLY: Final = frozenset({"_format", "_pretty", "_sort", "_total", "_summary", "_elements"})
_COUNT: Final = "_count"
_OFFSET: Final = "_offset"  # ours, in `next` links
_DIGITS: Final = 7  # of the largest number that is read

Parameters = Sequence[tuple[str, str]]
Test = Callable[[Stored], bool]


@dataclass(frozen=True, slots=True)
class Search:
    """What is asked for: the filters as they were given, and which page."""

    kind: str
    filters: Parameters
    count: int
    offset: int


def parameters_of(kind: str) -> tuple[str, ...]:
    """The filters that a search for a type takes; FHIR R4 has no `patient` on Patient and no `category` on all."""
    if kind == "Patient":
        return ("_id",)
    by_category = kind not in ("Specimen", "Encounter")
    return ("_id", "patient", "subject", *(("category",) if by_category else ()))


def read_search(kind: str, given: Parameters) -> Search:
    """Take the parameters of a search apart. Raises BadRequestError for one that cannot be obeyed."""
    known = parameters_of(kind)
    unknown = [name for name, _ in given if name not in (*known, _COUNT, _OFFSET, *_FORM_ONLY)]
    if unknown:
        raise BadRequestError(f"A search for {kind} takes {', '.join((*known, _COUNT))} and no other filter.")
    filters = tuple((name, value) for name, value in given if name in known)
    last = dict(given)
    count = min(_number(last, _COUNT, PAGE), LARGEST_PAGE)
    return Search(kind, filters, count, _number(last, _OFFSET, 0))


def _number(given: Mapping[str, str], name: str, default: int) -> int:
    text = given.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and len(text) <= _DIGITS):
        raise BadRequestError(f"{name} must be a whole number.", name)
    return int(text)


def searchset(store: Store, search: Search, base: str) -> bytes:
    """The page that a search asks for, as a Bundle with the addresses of a server at `base`."""
    tests = [_test(name, value, base) for name, value in search.filters]
    matches = [item for item in store.by_type.get(search.kind, ()) if all(test(item) for test in tests)]
    page = matches[search.offset : search.offset + search.count]
    bundle: dict[str, object] = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": len(matches),
        "link": _links(search, base, len(matches)),
    }
    if page:
        bundle["entry"] = [_entry(item, base) for item in page]
    return orjson.dumps(bundle)


def _entry(item: Stored, base: str) -> dict[str, object]:
    return {
        "fullUrl": f"{base}/{item.kind}/{item.id}",
        "resource": orjson.Fragment(item.content),
        "search": {"mode": "match"},
    }


def _links(search: Search, base: str, total: int) -> list[dict[str, str]]:
    """This page and the next; a search that asks for no resources (`_count=0`) has no next."""
    following = search.offset + search.count
    pages = [("self", search.offset)]
    if search.count and following < total:
        pages.append(("next", following))
    return [{"relation": relation, "url": _address(search, base, offset)} for relation, offset in pages]


def _address(search: Search, base: str, offset: int) -> str:
    page = [(_COUNT, str(search.count)), *([(_OFFSET, str(offset))] if offset else [])]
    return f"{base}/{search.kind}?{urlencode([*search.filters, *page])}"


# --- filters ----------------------------------------------------------------------------------------------------------


def _test(name: str, value: str, base: str) -> Test:
    """One parameter: any of its values, between commas, may match; of repeated parameters all have to."""
    wanted = frozenset(filter(None, value.split(",")))
    if name == "category":
        return partial(_has_category, wanted)
    if name == "_id":
        return partial(_has_id, wanted)
    return partial(_is_about, frozenset(_patient(text, base) for text in wanted))


def _patient(reference: str, base: str) -> str:
    """The id in `x`, `Patient/x` or this server's address of it."""
    return reference.removeprefix(f"{base}/").removeprefix("Patient/")


def _has_id(wanted: frozenset[str], item: Stored) -> bool:
    return item.id in wanted


def _is_about(wanted: frozenset[str], item: Stored) -> bool:
    return item.patient in wanted


def _has_category(wanted: frozenset[str], item: Stored) -> bool:
    """A token: `code` of any system, or `system|code`."""
    return any(code in wanted or f"{system}|{code}" in wanted for system, code in item.categories)
