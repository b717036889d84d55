"""The table of sites, operations and node stations speaks only of value sets that exist, and of all of them."""

import json
from pathlib import Path

import pytest

import fhir_mappings
from fhir_mappings.site_relations import (
    has_digestive_net_chapter,
    is_regional,
    most_specific,
    overlap,
    removes,
)
from fhir_mappings.valueset import terminology

IDS = terminology().value_set_ids()
TABLE = json.loads(
    (Path(fhir_mappings.__file__).parent / "valuesets" / "site-relations.json").read_text("utf-8")
)
SITES = {name.removeprefix("site-") for name in IDS if name.startswith("site-")}


def test_every_site_of_the_table_is_a_value_set() -> None:
    tables = [TABLE[name] for name in ("contains", "removes", "regional", "distant", "review", "chapters")]
    listed = {name for table in tables for names in table.values() for name in names}
    assert listed | set(TABLE["contains"]) <= SITES | {"*"}


def test_every_resection_removes_something_and_nothing_else_does() -> None:
    resections = {name for name in IDS if name.startswith("resection-")} - {"resection-type-code"}
    assert set(TABLE["removes"]) == resections
    assert set(TABLE["en-bloc"]["operations"]) <= resections


def test_every_node_station_of_the_table_is_a_value_set() -> None:
    assert {name for table in ("regional", "distant", "review") for name in TABLE[table]} <= IDS


def test_no_station_is_regional_and_distant_for_one_primary() -> None:
    for station, sites in TABLE["distant"].items():
        assert not set(sites) & set(TABLE["regional"].get(station, ()))


def test_a_region_beside_its_part_is_no_second_site() -> None:
    assert most_specific(["small-intestine", "ileum"]) == ("ileum",)
    assert most_specific(["ileum", "pancreas"]) == ("ileum", "pancreas")
    assert overlap(["ileum"], ["small-intestine"]) == {"ileum"}
    assert overlap(["small-intestine"], ["ileum"]) == {"small-intestine"}
    assert overlap(["ileum"], ["jejunum"]) == frozenset()


@pytest.mark.parametrize(
    ("sites", "expected"), [((), False), (("ileum",), True), (("ileum", "lung"), False), (("thymus",), False)]
)
def test_only_digestive_primaries_have_the_letters(sites: tuple[str, ...], expected: bool) -> None:
    assert has_digestive_net_chapter(sites) is expected


def test_nodes_of_an_unknown_primary_are_not_regional_and_named_regional_ones_always_are() -> None:
    assert not is_regional("nodes-mesenteric", ())
    assert is_regional("nodes-regional", ())
    assert removes("procedure-biopsy") == frozenset()
