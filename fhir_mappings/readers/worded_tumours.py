"""Neuroendocrine tumours that only words name: the label of a Condition, a finding's answer, a report's conclusion."""

from collections.abc import Iterator
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Evidence
from fhir_mappings.inputs import METASTATIC_NET, NET_HISTOLOGY
from fhir_mappings.readers.worded import SHOWN, understood
from fhir_mappings.relevance import LABELLED_TUMOUR, labels
from fhir_mappings.resource import Json, Resource
from fhir_mappings.tumour_words import named_tumours, tumour_stems

_CODED = NET_HISTOLOGY | METASTATIC_NET | {"history-of-net"}


@dataclass(frozen=True, slots=True)
class WordedTumour:
    """A tumour that is named in words only: it proves nothing, and may not be passed over."""

    resource: Resource
    element: str
    words: str

    @property
    def evidence(self) -> Evidence:
        """Where the words stand, and what they are."""
        return self.resource.evidence(self.element, self.words[:SHOWN])


@once
def worded_tumours(chart: Chart) -> tuple[WordedTumour, ...]:
    """Every tumour that words name where no code of that resource does (terminology.md 2 l).

    A chart of which no code means anything here is told by the words of its Conditions alone.
    """
    labelled = chart.find({LABELLED_TUMOUR}, "Condition")
    found = [item for item in (*labelled.usable, *labelled.candidates) if item.meanings.isdisjoint(_CODED)]
    found += [item for kind in ("Observation", "DiagnosticReport") for item in _said_in(chart, kind)]
    return tuple(
        WordedTumour(item, element, words)
        for item in found
        if not item.is_negated
        for element, words in _named(item.kind, item.data)
    )


def _said_in(chart: Chart, kind: str) -> list[Resource]:
    unknown = chart.labelled(
        kind, LABELLED_TUMOUR, lambda raw: any(True for _ in _named(kind, raw)), tumour_stems()
    )
    return [*understood(chart, kind), *unknown]


def _named(kind: str, data: Json) -> Iterator[tuple[str, str]]:
    """The element and the words of each naming; of a question only the answer counts, as markers are asked for, too."""
    for element, text in _texts(kind, data):
        yield from ((element, words) for words in named_tumours(text))


def _texts(kind: str, data: Json) -> Iterator[tuple[str, str]]:
    if kind == "Condition":
        yield from (("code", label) for label in labels(data.get("code")))
    if kind == "Observation" and not data.get("dataAbsentReason"):
        yield from _plain("valueString", data)
        yield from (("valueCodeableConcept", label) for label in labels(data.get("valueCodeableConcept")))
    if kind == "DiagnosticReport":
        yield from _plain("conclusion", data)
        concluded = data.get("conclusionCode")
        for index, concept in enumerate(concluded if isinstance(concluded, list) else [concluded]):
            yield from ((f"conclusionCode[{index}]", label) for label in labels(concept))


def _plain(element: str, data: Json) -> Iterator[tuple[str, str]]:
    text = data.get(element)
    if isinstance(text, str):
        yield element, text
