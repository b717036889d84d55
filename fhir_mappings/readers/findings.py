"""Findings that stand elsewhere than in a Condition: the conclusions of a report, and observations of a finding."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Evidence
from fhir_mappings.inputs import FINDING_CODES, METASTASIS, NET_HISTOLOGY
from fhir_mappings.readers.presence import stated_presence
from fhir_mappings.resource import Resource, Use, codings

_DENIALS = frozenset({"presence-absent", "no-evidence-of-disease"})
_BOTH = "says that it is there and that it is not"
_NEITHER = "says neither present nor absent"


@dataclass(frozen=True, slots=True)
class CodedFinding:
    """One concept that a report or an observation says is there, or is not (terminology.md 2 l).

    `resource` is a candidate where it says neither: what is not denied may be there.
    """

    resource: Resource
    concept: object
    element: str
    is_denied: bool = False

    @property
    def evidence(self) -> Evidence:
        """Where it stands, with the coding of the finding itself."""
        return self.resource.evidence(self.element, coding=next(iter(codings(self.concept)), None))


@once
def coded_findings(chart: Chart) -> tuple[CodedFinding, ...]:
    """Every coded finding of reports and observations that count, in the order of their references."""
    return tuple(
        finding for item in chart.resources if item.use is not Use.DROP for finding in _findings(chart, item)
    )


def _findings(chart: Chart, item: Resource) -> Iterator[CodedFinding]:
    if item.kind == "DiagnosticReport":
        for index, concept in enumerate(item.data.get("conclusionCode") or ()):
            yield _asserted(chart, item, concept, f"conclusionCode[{index}]")
    elif item.kind == "Observation" and item.meanings & FINDING_CODES:
        yield from _values(chart, item)
    elif item.kind == "Observation" and item.meanings & (METASTASIS | NET_HISTOLOGY):
        yield from _answered(chart, item)


def _values(chart: Chart, item: Resource) -> Iterator[CodedFinding]:
    """What was found, as the value of a question for findings or of its components."""
    if item.coded_value is not None:
        yield _asserted(chart, item, item.coded_value, "valueCodeableConcept")
    for index, part in enumerate(item.data.get("component") or ()):
        if (concept := part.get("valueCodeableConcept")) and not part.get("dataAbsentReason"):
            yield _asserted(chart, item, concept, f"component[{index}].valueCodeableConcept")


def _asserted(chart: Chart, item: Resource, concept: object, element: str) -> CodedFinding:
    meanings = chart.meanings(concept)
    is_denied = bool(meanings & _DENIALS)
    if is_denied and meanings - _DENIALS:
        return CodedFinding(_doubted(item, _BOTH), concept, element)
    return CodedFinding(item, concept, element, is_denied)


def _answered(chart: Chart, item: Resource) -> Iterator[CodedFinding]:
    """An observation whose code is the finding: its value says whether it is there."""
    if item.is_absent:
        return
    answer = stated_presence(chart, item)
    held = item if answer is not None else _doubted(item, _NEITHER)
    yield CodedFinding(held, item.data.get("code"), "code", answer is False)


def _doubted(item: Resource, why: str) -> Resource:
    return replace(item, use=Use.CANDIDATE, why=item.why or why)
