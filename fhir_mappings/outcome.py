"""What an OperationOutcome beside search results says: that the search failed, or that not everything came."""

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_mappings.nodes import IssueNode, Node

_NO_ERROR = ("information", "warning")


def is_error(outcome: Node) -> bool:
    """Whether an outcome tells of an error, or does not say how bad it is."""
    severities = [item.severity for item in _issues(outcome)]
    return not severities or any(severity not in _NO_ERROR for severity in severities)


def says_not_all(outcome: Node) -> bool:
    """Whether an outcome, of whatever severity, says that something was cut off, left out or withheld.

    Epic's plain "no results" (code 4101) says nothing of that: it found none. Nor does its standing notice that a
    response holds what the user may see (integration.md 1.8).
    """
    codes, words = _not_all()
    return any(
        _lowered(item.code) in codes or any(words.search(text) for text in _texts(item))
        for item in _issues(outcome)
    )


def _issues(outcome: Node) -> list[IssueNode]:
    given = outcome.issue if isinstance(outcome.issue, list) else [outcome.issue]
    return [item for item in given if isinstance(item, IssueNode)]


@cache
def _not_all() -> tuple[frozenset[str], re.Pattern[str]]:
    """The issue codes and the words that say so."""
    table = json.loads((files("fhir_mappings") / "outcomes.json").read_text("utf-8"))["not-all"]
    return frozenset(table["codes"]), re.compile("|".join(map(re.escape, table["words"])))


def _texts(item: IssueNode) -> Iterator[str]:
    """Everything that an issue says in words or codes of its server."""
    details = item.details if isinstance(item.details, Mapping) else {}
    codings = details.get("coding")
    listed = codings if isinstance(codings, list) else [codings]
    yield from map(_lowered, (item.code, details.get("text"), item.diagnostics))
    for coding in listed:
        if isinstance(coding, Mapping):
            yield from (_lowered(coding.get(name)) for name in ("code", "display"))


def _lowered(value: Any) -> str:
    return value.strip().lower() if isinstance(value, str) else ""
