"""Every citation of the evidence notes leads somewhere: `clinical.md 7.4` is a heading or a numbered item in docs/."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import cds_service
import fhir_mappings

_ROOT = Path(__file__).resolve().parent.parent
_DOCS = _ROOT / "docs"
_NAMES = ("clinical", "terminology", "cds-hooks", "integration")
_CITING = (".py", ".json", ".md", ".html")

_SECTION = r"\d+(?:\.\d+)*(?: [a-k]\b)?"
_STEP = r"(?:step|item) \d+|\([a-k]\)"
_LIST = re.compile(rf"(?P<section>{_SECTION})|(?P<letter>\b[a-k]\b)|(?P<step>{_STEP})")
_LINK = re.compile(r"\]\([^)]*\)")
_CITATION = re.compile(
    rf"\b(?P<name>{'|'.join(_NAMES)})\.md,?\s+(?:sections?\s+)?"
    rf"(?P<list>{_SECTION}(?:(?:,?\s*(?:and\s+)?|\s)(?:{_SECTION}|{_STEP}|[a-k]\b))*)"
)
_HEADING = re.compile(rf"#{{2,3}} (?P<section>{_SECTION})(?:\s|$)")
_ITEM = re.compile(r"(?P<number>\d+)\. ")
_LETTERED = re.compile(r"\((?P<letter>[a-k])\)")


def sections(text: str) -> set[str]:
    """The sections of a document: its headings, and the items below them (`5.2, step 8` is `5.2.8`, (j) of 9 is `9(j)`)."""
    found: set[str] = set()
    current = ""
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            current = heading["section"]
            found.add(current)
        elif item := _ITEM.match(line):
            found.add(f"{current}.{item['number']}")
        found.update(f"{current}({letter})" for letter in _LETTERED.findall(line))
    return found


def citations(text: str) -> Iterator[tuple[str, str]]:
    """Every cited document and section of a text; "2 g, h" cites two sections, "5.2, step 13" a section and its item."""
    for citation in _CITATION.finditer(_LINK.sub("", re.sub(r"\n\s*(?:#\s*)?", " ", text))):
        section = ""
        for part in _LIST.finditer(citation["list"]):
            if part["section"]:
                section = part["section"]
                yield citation["name"], section
            elif part["letter"]:
                yield citation["name"], f"{section.split()[0]} {part['letter']}"
            else:
                step = part["step"]
                yield citation["name"], section + (step if step[0] == "(" else f".{step.split()[1]}")


@cache
def _sections_of(name: str) -> frozenset[str]:
    return frozenset(sections((_DOCS / f"{name}.md").read_text("utf-8")))


def _packages() -> list[Path]:
    return [Path(next(iter(package.__path__))) for package in (cds_service, fhir_mappings)]


def _texts() -> Iterator[Path]:
    """Every text of ours that may cite; records that were fetched for tests lie in hidden folders."""
    for root in (*_packages(), _DOCS, _ROOT / "sample_bundles", _ROOT / "tests"):
        for path in sorted(root.rglob("*")):
            is_hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
            if path.suffix in _CITING and path.is_file() and not is_hidden and path != Path(__file__):
                yield path
    yield _ROOT / "README.md"


def _cited(path: Path) -> list[tuple[str, str]]:
    return list(citations(path.read_text("utf-8", errors="replace")))


def test_every_citation_leads_to_a_section() -> None:
    lost = [
        f"{path.name}: {name}.md {section}"
        for path in _texts()
        for name, section in _cited(path)
        if section not in _sections_of(name)
    ]
    assert lost == []


def test_the_code_does_cite() -> None:
    cited = {name for package in _packages() for path in package.rglob("*.py") for name, _ in _cited(path)}
    assert cited >= {"clinical", "terminology"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(clinical.md 7.4)", ["7.4"]),
        ("terminology.md 0.9, 2 g, h).", ["0.9", "2 g", "2 h"]),
        ("clinical.md 5.2, step 13", ["5.2", "5.2.13"]),
        ("# clinical.md 9 (j): the", ["9", "9(j)"]),
        ("cds-hooks.md 9.5 and 9.6", ["9.5", "9.6"]),
        ("[docs/clinical.md](docs/clinical.md), section 11", ["11"]),
        ("terminology.md 2 e. `regional`", ["2 e"]),
        ("clinical.md 3) and every", ["3"]),
        ("clinical.md\n    # 7.2, and", ["7.2"]),
        ("the file clinical.md holds 3 tables", []),
    ],
)
def test_a_citation_is_read_as_it_is_written(text: str, expected: list[str]) -> None:
    assert [section for _, section in citations(text)] == expected


def test_sections_are_headings_and_their_items() -> None:
    text = "## 5 Course\n### 5.2 Steps\n1. first\n13. last\n### 2 d Disease\n## Notes\n## 9 Card (j) reasons"
    assert sections(text) == {"5", "5.2", "5.2.1", "5.2.13", "2 d", "9", "9(j)"}


@pytest.mark.parametrize("name", _NAMES)
def test_the_notes_hold_no_path_of_a_machine(name: str) -> None:
    text = (_DOCS / f"{name}.md").read_text("utf-8")
    assert re.findall(r"(?<![\w.}])/(?:home|work|tmp|root|Users)/", text) == []


def test_every_note_stands_in_the_table() -> None:
    table = (_DOCS / "README.md").read_text("utf-8")
    assert all(
        f"[{path.name}]({path.name})" in table for path in _DOCS.glob("*.md") if path.name != "README.md"
    )


@pytest.mark.skipif(not (_ROOT / "NOTICE").exists(), reason="the wheel is tested away from the checkout")
@pytest.mark.parametrize("path", sorted(_DOCS.glob("*.md")), ids=lambda path: path.name)
def test_links_between_files_lead_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:)([^)#]+)", path.read_text("utf-8"))
    assert [target for target in targets if not (path.parent / target).exists()] == []
