"""What can be chosen in the demonstration's EHR: orders, and problems for the problem list."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class Choice(msgspec.Struct, frozen=True):
    """One order or problem of the catalogue; the page gives it an id, a status and the patient."""

    id: str
    label: str
    resource: Mapping[str, Any]


class Catalogue(msgspec.Struct, frozen=True):
    """All of them."""

    orders: tuple[Choice, ...]
    problems: tuple[Choice, ...]


@cache
def catalogue() -> Catalogue:
    """The catalogue as it is shipped."""
    text = (files("cds_service") / "web" / "demo_orders.json").read_bytes()
    return msgspec.json.decode(text, type=Catalogue)
