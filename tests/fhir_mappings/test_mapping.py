"""Facts, readers and inputs are one list, readers ask only for what they declare, and modules stand in one order."""

import ast
import gc
import json
import random
import re
from collections.abc import Iterator, Mapping
from copy import deepcopy
from dataclasses import fields
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fhir_mappings
from fhir_mappings.chart import Chart, Found
from fhir_mappings.facts import Facts
from fhir_mappings.inputs import inputs
from fhir_mappings.mapping import FACT_NAMES, READERS, _nothing_recorded, read_facts
from fhir_mappings.record import PARTS, PatientRecord, read_file
from fhir_mappings.relevance import LABELLED_MALIGNANCY, LABELLED_METASTASIS, LABELLED_TUMOUR
from fhir_mappings.valueset import terminology

ON = date(2026, 11, 23)
PACKAGE = Path(fhir_mappings.__file__).parent
SAMPLES = sorted((Path(__file__).parents[2] / "sample_bundles").glob("*.json"))
LARGE = "19-chart-of-2000-resources"
BOTH = ("inputs.py", *(f"readers/{path.name}" for path in sorted((PACKAGE / "readers").glob("*.py"))))


def record_of(bundle: Mapping[str, Any]) -> PatientRecord:
    [record] = read_file(json.dumps(bundle).encode())
    return record


def empty_record() -> PatientRecord:
    return record_of(
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "p1"}}]}
    )


def test_a_record_is_freed_as_soon_as_its_facts_are_read():
    record = record_of(json.loads(SAMPLES[0].read_bytes()))
    read_facts(record, ON)
    gc.collect()
    gc.disable()
    try:
        read_facts(record, ON)
        assert gc.collect() == 0, "something that a chart holds refers back to it"
    finally:
        gc.enable()


# --- one list, three views --------------------------------------------------------------------------------------------


def test_every_fact_has_a_reader_and_an_input_of_its_name_in_the_same_order():
    facts = tuple(
        field.name for field in fields(Facts) if str(field.type).startswith("fhir_mappings.facts.Fact[")
    )
    assert facts == FACT_NAMES == tuple(READERS) == tuple(inputs())


LABELLED = {
    LABELLED_MALIGNANCY,
    LABELLED_METASTASIS,
    LABELLED_TUMOUR,
}  # meanings of words, which no value set lists


@pytest.mark.parametrize("name", inputs())
def test_an_input_names_what_exists(name: str):
    given = inputs()[name]
    assert set(given.kinds) <= set(PARTS.values())
    assert given.value_sets <= terminology().value_set_ids() | LABELLED
    assert bool(given.value_sets) is (given.kinds != ("Patient",))
    assert given.label
    assert given.label[0].isupper()


def strings_in(path: Path) -> Iterator[str]:
    """Every text in a module but its docstrings and the flags of notes."""
    nodes = list(ast.walk(ast.parse(path.read_text("utf-8"))))
    others = {id(node.value) for node in nodes if isinstance(node, ast.Expr)}
    others |= {
        id(node.args[0])
        for node in nodes
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Note"
    }
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in others:
            yield node.value


FLAGS = frozenset({"primary-tissue-only", "residual-conflict"})
"""Flags of notes that do not stand in the call of Note itself."""


def looks_like_a_value_set(text: str) -> bool:
    """Whether a text has the form of an id and starts, up to its first hyphen, as the id of some value set does."""
    heads = {name.split("-")[0] for name in terminology().value_set_ids()}
    return (
        re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", text) is not None and text.split("-", maxsplit=1)[0] in heads
    )


@pytest.mark.parametrize("module", BOTH)
def test_every_value_set_that_a_reader_names_exists(module: str):
    named = {text for text in strings_in(PACKAGE / module) if looks_like_a_value_set(text)}
    assert named <= terminology().value_set_ids() | {LABELLED_MALIGNANCY} | FLAGS


def test_the_search_for_value_sets_in_readers_finds_some():
    found = {text for module in BOTH for text in strings_in(PACKAGE / module) if looks_like_a_value_set(text)}
    assert len(found) > 50


# --- readers ask only for what they declare ---------------------------------------------------------------------------


class Asked(Chart):
    """A chart that writes down what it is asked for."""

    questions: set[tuple[str, str]]

    def find(self, value_sets: Any, *kinds: str) -> Found:
        wanted = frozenset(value_sets)
        self.__dict__.setdefault("questions", set()).update((name, kind) for name in wanted for kind in kinds)
        return super().find(wanted, *kinds)


@cache
def sample_records() -> tuple[PatientRecord, ...]:
    paths = [path for path in SAMPLES if path.stem != LARGE]
    return (empty_record(), *(record for path in paths for record in read_file(path.read_bytes())))


ADDS_DETAIL = frozenset({"acquired-absence", "liver-resection", "procedure-liver"})
"""What never says whether the primary was resected: not reading it leaves the fact as it is."""


@pytest.mark.parametrize("name", READERS)
def test_a_reader_asks_only_for_what_its_fact_or_one_that_it_builds_on_declares(name: str):
    asked: set[tuple[str, str]] = set()
    built_on = {name}
    for record in sample_records():
        chart = Asked(record, ON, terminology(), inputs())
        READERS[name](chart)
        asked |= chart.__dict__.get("questions", set())
        built_on |= {getattr(key, "__name__", "") for key in chart.memo} & set(READERS)
    declared = [inputs()[fact] for fact in built_on]
    value_sets = frozenset().union(*(given.value_sets | given.details for given in declared)) | ADDS_DETAIL
    assert {value_set for value_set, _ in asked} - value_sets == set()
    kinds = {kind for given in declared for kind in given.kinds}
    details = ADDS_DETAIL.union(*(given.details for given in declared))
    assert {kind for value_set, kind in asked if value_set not in details} - kinds == set()


# --- the short way is the long way ------------------------------------------------------------------------------------


@pytest.mark.parametrize("on", [date(1970, 1, 1), ON, date.max])
def test_the_answer_for_a_silent_chart_is_what_the_readers_would_say(on: date):
    chart = Chart(empty_record(), on, terminology(), inputs())
    assert chart.is_silent
    assert {name: READERS[name](chart) for name in _nothing_recorded()} == _nothing_recorded()
    assert set(READERS) - set(_nothing_recorded()) == {
        name for name, given in inputs().items() if given.kinds == ("Patient",)
    }


def test_nothing_on_record_is_a_gap_for_every_fact_but_the_orders():
    facts = read_facts(empty_record(), ON)
    values = {name for name in FACT_NAMES if getattr(facts, name).value is not None}
    assert values == {"open_orders"}
    assert facts.open_orders.value == ()
    assert (facts.issues, facts.mendings) == ((), ())


def test_the_patient_of_a_silent_chart_is_read_all_the_same():
    patient = {"resourceType": "Patient", "id": "p1", "birthDate": "1970-05", "deceasedBoolean": True}
    facts = read_facts(record_of(patient), ON)
    assert str(facts.birth_date.value) == "1970-05"
    assert facts.deceased.value is True


# --- samples ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_the_order_of_the_entries_changes_no_fact(path: Path):
    bundle = json.loads(path.read_bytes())
    expected = read_facts(record_of(bundle), ON)
    for seed in range(1 if path.stem == LARGE else 3):
        shuffled = {**bundle, "entry": random.Random(seed).sample(bundle["entry"], len(bundle["entry"]))}  # noqa: S311  no secret
        assert read_facts(record_of(shuffled), ON) == expected
    assert read_facts(record_of({**bundle, "entry": bundle["entry"][::-1]}), ON) == expected


NODES = [
    json.loads(path.read_bytes()) for path in SAMPLES if path.stem[:2] in ("01", "17", "25", "26", "27", "31")
]
ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from(
        [
            0,
            1,
            -1,
            1e300,
            "",
            " ",
            "x",
            "2026-01",
            "9999-12-31",
            "%",
            "Condition/c",
            "29593-1",
            '{"value": 5}',
        ]
    ),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["coding", "code", "system", "value", "reference", "text", "start", "end"]),
            inner,
            max_size=2,
        )
    ),
    max_leaves=4,
)


def paths_in(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield path
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from paths_in(item, (*path, key))


PATHS = [
    (index, path)
    for index, bundle in enumerate(NODES)
    for path in paths_in(bundle["entry"], ("entry",))
    if len(path) > 3 and "resource" in path and path[-1] not in ("resourceType", "id")
]


def bent(index: int, path: tuple[str | int, ...], value: Any) -> Any:
    bundle = deepcopy(NODES[index])
    target = bundle
    for key in path[:-1]:
        target = target[key]
    target[path[-1]] = value
    return bundle


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(PATHS), ODD)
def test_no_value_anywhere_in_a_chart_is_an_error(place: tuple[int, tuple[str | int, ...]], value: Any):
    facts = [read_facts(record, ON) for record in read_file(json.dumps(bent(*place, value)).encode())]
    assert all(isinstance(item, Facts) for item in facts)


@pytest.mark.parametrize(
    "value", [None, 0, "x", [], {}, [[]], "9999-12-31", '{"coding": [{"code": "x"}]}'], ids=repr
)
def test_no_element_of_a_sample_may_be_bent_into_an_error(value: Any):
    short = {tuple(key for key in path if not isinstance(key, int)): (index, path) for index, path in PATHS}
    for index, path in short.values():
        for record in read_file(json.dumps(bent(index, path, value)).encode()):
            assert isinstance(read_facts(record, ON), Facts), path
