"""How primary sites, operations and node stations relate: data of `valuesets/site-relations.json`, asked by readers."""

import json
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.resources import files

_ANY = "*"


@cache
def _relations() -> Mapping[str, Mapping[str, frozenset[str]]]:
    text = (files("fhir_mappings") / "valuesets" / "site-relations.json").read_text("utf-8")
    return {
        name: {key: frozenset(values) for key, values in table.items()}
        for name, table in json.loads(text).items()
        if name != "description"
    }


def most_specific(sites: Iterable[str]) -> tuple[str, ...]:
    """The sites without those that merely name a broader region of another one; in alphabetical order."""
    given = set(sites)
    contains = _relations()["contains"]
    return tuple(sorted(site for site in given if given.isdisjoint(contains.get(site, frozenset()))))


def removes(resection: str) -> frozenset[str]:
    """The sites that a resection (id of its value set) removes."""
    return _relations()["removes"].get(resection, frozenset())


def is_en_bloc(resection: str) -> bool:
    """Whether a resection (id of its value set) removes several organs as one, whichever body site is named."""
    return resection in _relations()["en-bloc"]["operations"]


def is_regional(station: str, sites: Iterable[str]) -> bool:
    """Whether a node station (id of its value set) is regional for every one of the primary sites."""
    regional = _relations()["regional"].get(station, frozenset())
    given = set(sites)
    return _ANY in regional or (bool(given) and given <= regional)


def is_distant(station: str, sites: Iterable[str]) -> bool:
    """Whether a node station is surely distant for one of the primary sites."""
    return not _relations()["distant"].get(station, frozenset()).isdisjoint(sites)


def is_for_review(station: str, sites: Iterable[str]) -> bool:
    """Whether a board has to judge a node station for one of the primary sites."""
    return not _relations()["review"].get(station, frozenset()).isdisjoint(sites)


def has_digestive_net_chapter(sites: Iterable[str]) -> bool:
    """Whether there are primary sites, and TNM stages all of them as neuroendocrine tumours of the digestive tract."""
    given = set(sites)
    return bool(given) and given <= _relations()["chapters"]["digestive-net"]


def overlap(sites: Iterable[str], others: Iterable[str]) -> frozenset[str]:
    """The sites of the first that are among the others, name a part of one of them, or a broader region of one."""
    contains = _relations()["contains"]
    second = set(others)
    wider = second.union(*(contains.get(site, frozenset()) for site in second))
    return frozenset(
        site for site in sites if site in wider or not contains.get(site, frozenset()).isdisjoint(second)
    )
