"""The checklist for a CDS service (cds-hooks.md 10), item by item: what it asks for, and that a test stands for it.

A test says its item in its name, `test_item_09_...`; each item has one home, a file in tests/conformance/.
"""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
HOME = HERE / "conformance"
_NUMBERED = re.compile(r"test_item((?:_(?:and_)?\d\d)+)_[a-z]")
_NOTES = (HERE.parent / "docs" / "cds-hooks.md").read_text("utf-8")
ITEMS = {
    1: "discovery answers 200 with a JSON object that holds the array services",
    2: "every service has hook, description, id and title",
    3: "every listed service exists; an unknown one is 404, GET on one is 405",
    4: "no member is null or empty, in discovery and on cards",
    5: "prefetch templates are relative and use only tokens of their hook",
    6: "prefetch stays within the restricted subset of queries",
    7: "versions are shown only when the 3.0 switch is on; templates keep their order",
    8: "the requirements name FHIR R4, and no two hooks share an id",
    9: "a call with only hook, hookInstance and context is no 5xx",
    10: "a missing or mistyped member is 400, told in JSON",
    11: "a hook that is not the service's is 400",
    12: "a wrong fhirAuthorization is 400, and nobody is called",
    13: "unknown members are ignored",
    14: "what is no readable JSON object is 4xx JSON, never 500 or HTML",
    15: "a complete prefetch needs no call to the FHIR server",
    16: "an absent key is fetched with the bearer token, to the same answer",
    17: "a required key that cannot be had is 412, told in an OperationOutcome",
    18: "null and an empty Bundle are no data",
    19: "an OperationOutcome is never a negative finding",
    20: "of a Bundle in pages all are used, or it is told; a page elsewhere is not asked for",
    21: "resources of another patient, or entered in error, are not used",
    22: "shapes of older FHIR versions are survived",
    23: "an answer takes about 500 ms, and queries are bounded in time",
    24: "the same body gets the same answer, and nothing of another call",
    25: "an answer is an object with cards, exactly empty if there is no advice",
    26: "each card has a summary of 1 to 139 characters, an indicator and a label",
    27: "detail is Markdown in which text of a chart is no markup",
    28: "suggestions say how to select, and at most one is recommended where one is chosen",
    29: "actions have a type, a description and a whole R4 resource with an id",
    30: "override reasons have code, system, display and nothing else",
    31: "links have label, absolute url and type; appContext only for an app; none opens itself",
    32: "cards and suggestions carry lower-case uuids, unique, which feedback accepts",
    33: "the addresses of a source are absolute and speak of the guideline",
    34: "the topic has code and system",
    35: "neither systemActions nor actionSelectionBehavior is ever sent",
    36: "an answer is strict JSON in UTF-8 and fits the schema",
    37: "feedback takes several entries, repeats, and reasons or none",
    38: "feedback without what is mandatory is 400; extra members are ignored",
    39: "an unknown service is 404, an unknown card fails nothing, a comment is not logged",
    40: "https in production, TLS 1.2 or later",
    41: "who is not known is 401 without a body, on every endpoint; OPTIONS stays open",
    42: "forbidden algorithms, a wrong type, key id or use are 401",
    43: "the signature counts, issuer and key address are on the list, no other is asked",
    44: "aud is the address of this very endpoint",
    45: "exp and iat are required and bounded",
    46: "jti is required, and a token works once, in every process",
    47: "the tenant claim is held against the list, where there is one",
    48: "neither token is ever logged",
    49: "the token of the specification verifies but for its times, and is 401",
    50: "only listed FHIR servers are ever called",
    51: "preflights and every status carry the same CORS headers",
    52: "what the sandbox does, end to end",
    53: "a trailing slash breaks nothing",
    54: "what can be assessed in part is a card that says what is missing",
    55: "HL7's fixtures get HL7's verdict, or one with a reason",
    56: "all Inferno checks of section 8.1",
}


def _functions(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef):
                yield path, node.name


@cache
def homes() -> dict[int, set[Path]]:
    """The files in which each item is tested."""
    found: dict[int, set[Path]] = defaultdict(set)
    for path, name in _functions(HERE):
        if match := _NUMBERED.match(name):
            for number in re.findall(r"\d\d", match[1]):
                found[int(number)].add(path)
    return found


def test_the_checklist_has_56_items() -> None:
    assert list(ITEMS) == list(range(1, 57))


@pytest.mark.parametrize("number", ITEMS)
def test_every_item_has_a_test_and_one_home(number: int) -> None:
    assert [path.parent for path in homes().get(number, ())] == [HOME], ITEMS[number]


def test_the_notes_hold_the_same_list() -> None:
    section = _NOTES.split("\n## 10 ", 1)[1].split("\n## ", 1)[0]
    listed = re.findall(r"^(\d+)\. (.*)\.$", section, re.MULTILINE)
    assert {int(number): text for number, text in listed} == ITEMS


def test_every_choice_that_the_standard_leaves_has_a_test() -> None:
    section = _NOTES.split("\n## 12 ", 1)[1].split("\n## ", 1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")][2:]
    known = {name for _, name in _functions(HERE)}
    assert len(rows) > 30
    for cells in rows:
        named = re.findall(r"`(test_\w+)`", cells[-1])
        assert named, cells[0]
        assert set(named) <= known, cells[0]


def test_no_test_speaks_of_an_item_that_is_not_on_the_list() -> None:
    assert set(homes()) <= set(ITEMS)


def test_a_number_in_the_name_of_a_test_is_that_of_an_item() -> None:
    stray = [name for _, name in _functions(HERE) if re.match(r"test_(item_)?\d", name)]
    assert [name for name in stray if not _NUMBERED.match(name)] == []
