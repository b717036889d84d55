"""What an operation was to achieve: by its intent extension (mCODE, MII), its category, its reasons (terminology.md 2 e)."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from fhir_mappings.chart import Chart
from fhir_mappings.facts import Evidence, Intent
from fhir_mappings.relevance import labels
from fhir_mappings.resource import Resource, Use

Concept = Mapping[str, Any]
_NOT_CURATIVE = frozenset({"intent-palliative", "palliative-care", "hospice-care"})
_IS_INTENT = re.compile(r"-intent(ion)?$")
_WORST = (Intent.PALLIATIVE, Intent.UNREAD, Intent.NOT_STATED, Intent.CURATIVE)


@dataclass(frozen=True, slots=True)
class StatedIntent:
    """An intent and the element of the operation that states it."""

    intent: Intent
    element: str = ""


def is_diagnostic(chart: Chart, operation: Resource) -> bool:
    """Whether an operation was done for a diagnosis only."""
    return any("intent-diagnostic" in chart.meanings(concept) for concept in _extensions(operation))


def intent_of(chart: Chart, operation: Resource) -> StatedIntent:
    """The intent of an operation. Another aim than cure outweighs everything; none that is stated changes nothing.

    One that is stated and that nobody here can read may be any, so it is kept apart from none.
    """
    for element, concept in _concepts(chart, operation):
        if chart.meanings(concept) & _NOT_CURATIVE or any(map(_palliative().search, labels(concept))):
            return StatedIntent(Intent.PALLIATIVE, element)
    stated = [chart.meanings(concept) for concept in _extensions(operation)]
    stated = [said for said in stated if "presence-unknown" not in said]  # "unknown" is none
    if any("intent-curative" not in said for said in stated):
        return StatedIntent(Intent.UNREAD, "extension")
    return StatedIntent(Intent.CURATIVE, "extension") if stated else StatedIntent(Intent.NOT_STATED)


def overall_intent(chart: Chart, operations: Sequence[Resource]) -> tuple[Intent, tuple[Evidence, ...]]:
    """The least favourable intent of all operations on the primaries, and where it is stated (clinical.md 1.5)."""
    found = [(item, intent_of(chart, item)) for item in operations]
    worst = min((stated.intent for _, stated in found), key=_WORST.index)
    evidence = tuple(
        item.evidence(stated.element, str(worst))
        for item, stated in found
        if stated.intent is worst and stated.element
    )
    return worst, evidence


def _concepts(chart: Chart, operation: Resource) -> Iterator[tuple[str, Concept]]:
    """Whatever may say what an operation was for, with its element."""
    data = operation.data
    yield from (("extension", concept) for concept in _extensions(operation))
    yield from (("category", concept) for concept in (data.get("category"),) if concept)
    yield from (("reasonCode", concept) for concept in data.get("reasonCode") or ())
    named = (chart.by_reference(reference) for reference in data.get("reasonReference") or ())
    reasons = (item for item in named if item is not None and _stands(item))
    yield from (("reasonReference", item.data.get("code") or {}) for item in reasons)
    yield "code", data.get("code") or {}


def _stands(reason: Resource) -> bool:
    """Whether a reason is neither refuted nor withdrawn; one that has ended since was still the reason."""
    return reason.use is not Use.DROP and not reason.is_negated


def _extensions(operation: Resource) -> Iterator[Concept]:
    """The values of the intent extensions as concepts; one that holds no value states none."""
    for extension in operation.data.get("extension") or ():
        if not _IS_INTENT.search(str(extension.get("url"))):
            continue
        for name, value in extension.items():
            if name.startswith("value"):
                yield _concept(value)


def _concept(value: Any) -> Concept:
    """A value of any type as a concept: a coding becomes one, and a plain text or code its words."""
    if not isinstance(value, dict):
        return {"text": str(value)}
    return value if "coding" in value or "text" in value else {"coding": [value]}


@cache
def _palliative() -> re.Pattern[str]:
    """The words of another aim than cure."""
    words = json.loads((files("fhir_mappings") / "valuesets" / "intent-keywords.json").read_text("utf-8"))
    return re.compile("|".join(map(re.escape, words["palliative"])), re.IGNORECASE)
