"""docs/configuration.md has every key that can be configured, each with its default."""

import re
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from cds_service.eligibility.verdict import Verdict
from cds_service.settings import PREFIX, Settings
from cds_service.tenants import FeedbackRules, Link, OrderCode, Smart, Tenant, Trust
from fhir_mappings.facts import OrderKind
from fhir_mappings.record import PARTS

_TEXT = (Path(__file__).resolve().parents[1] / "docs" / "configuration.md").read_text("utf-8")
_HEADINGS = {
    Settings: "## 1 ",
    Tenant: "## 2 ",
    Trust: "## 3 ",
    Smart: "## 4 ",
    FeedbackRules: "## 5 ",
    OrderCode: "## 6 ",
    Link: "## 7 ",
}
_ROW = re.compile(r"\| `(?P<key>\w+)` \| (?P<default>[^|]+) \| (?P<meaning>[^|]+) \|")


def section(part: type[BaseModel]) -> str:
    """The text under the heading of a part of the configuration."""
    return _TEXT.split(f"\n{_HEADINGS[part]}", 1)[1].split("\n## ", 1)[0]


def rows(part: type[BaseModel]) -> dict[str, str]:
    """The default that the table of a part gives for each key."""
    found = [match for match in map(_ROW.fullmatch, section(part).splitlines()) if match is not None]
    return {match["key"]: match["default"] for match in found}


def key(part: type[BaseModel], name: str) -> str:
    return f"{PREFIX}{name.upper()}" if part is Settings else name


def written(default: Any) -> str:
    """A default as it would be written."""
    if isinstance(default, SecretStr):
        return default.get_secret_value()
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return orjson.dumps(default).decode().replace(",", ", ")
    return str(default)


@pytest.mark.parametrize("part", _HEADINGS)
def test_every_key_stands_in_its_table_and_no_other(part: type[BaseModel]) -> None:
    assert set(rows(part)) == {key(part, name) for name in part.model_fields}


@pytest.mark.parametrize(
    ("part", "name", "field"),
    [(part, name, field) for part in _HEADINGS for name, field in part.model_fields.items()],
)
def test_the_default_of_every_key_is_the_one_in_force(
    part: type[BaseModel], name: str, field: FieldInfo
) -> None:
    told = rows(part)[key(part, name)]
    is_asked_for = field.is_required() or (part is Tenant and name == "trust")  # open only in open mode
    assert (told == "has to be given") is is_asked_for
    if isinstance(field.default, bool | int | str | SecretStr):
        assert written(field.default) in told.replace('"', "")
    if field.default == ("RS384", "ES384"):
        assert written(field.default) in told


def test_every_word_that_can_be_chosen_is_named() -> None:
    for part, name in ((Tenant, "dialect"), (Trust, "algorithms"), (Smart, "write_back"), (Link, "type")):
        words = re.findall(r"'(\w+)'", str(part.model_fields[name].annotation))
        assert words
        assert all(f"`{word}`" in section(part) for word in words)
    assert all(f"`{verdict}`" in section(Tenant) for verdict in Verdict)
    assert all(f"`{part}`" in section(Tenant) for part in PARTS)
    assert all(f"`{kind}`" in section(OrderCode) for kind in OrderKind)
