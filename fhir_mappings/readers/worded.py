"""Metastases that only words name: labels of unknown codes, sentences of a report, expressions that no list holds."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from fhir_mappings.chart import Chart, once
from fhir_mappings.facts import Evidence
from fhir_mappings.inputs import FINDING_CODES, METASTASIS
from fhir_mappings.metastasis_words import NamedMetastasis, joined, named_by_code, named_in, says_no, stems
from fhir_mappings.relevance import LABELLED_METASTASIS, is_concept, labels
from fhir_mappings.resource import Json, Resource, Use, meanings_of
from fhir_mappings.valueset import NOTHING, normalise_system, terminology

ONLY_WORDS = "only the words of an entry say so"
SHOWN = 120  # characters of a sentence on a card
_SNOMED = "http://snomed.info/sct"
_EXPRESSION = re.compile(r"[:=+|]")
_PART = re.compile(r"\d{6,18}")
_LIVER = frozenset({"body-site-liver", "metastasis-site-liver", "liver-metastasis", "liver-metastasis-net"})


@dataclass(frozen=True, slots=True)
class WordedMetastasis:
    """A metastasis that is named in words only: it proves nothing, takes certainty away, and is shown."""

    resource: Resource
    element: str
    named: NamedMetastasis

    @property
    def evidence(self) -> Evidence:
        """Where the words stand, and what they are."""
        return self.resource.evidence(self.element, self.named.words[:SHOWN])


@once
def worded_metastases(chart: Chart) -> tuple[WordedMetastasis, ...]:
    """Every metastasis that words name, and no code that is understood (terminology.md 2 l)."""
    found: list[WordedMetastasis] = []
    for kind, read in _READ.items():
        unknown = chart.labelled(kind, LABELLED_METASTASIS, _reads_like(read), stems())
        for item in (*understood(chart, kind), *unknown):
            found += (WordedMetastasis(item, element, named) for element, named in read(item.data))
    told = {(item.resource.reference, item.element, item.named.words): item for item in found}
    return tuple(told[key] for key in sorted(told))


def understood(chart: Chart, kind: str) -> list[Resource]:
    """The resources whose code means something, and whose words may say more."""
    return [
        item
        for item in chart.resources
        if item.kind == kind
        and item.use is not Use.DROP
        and (kind != "Observation" or item.meanings & FINDING_CODES)
    ]


_Named = Iterator[tuple[str, NamedMetastasis]]
_Read = Callable[[Json], _Named]


def _reads_like(read: _Read) -> Callable[[Json], bool]:
    return lambda raw: any(True for _ in read(raw))


def _objects(value: object) -> list[Json]:
    """The objects of an element, whatever shape it was sent in: this is read before anything is validated."""
    given = value if isinstance(value, list) else [value]
    return [item for item in given if isinstance(item, Mapping)]


def _labels(value: object) -> list[str]:
    return [label for concept in _objects(value) for label in labels(concept)]


def _meanings(value: object) -> frozenset[str]:
    concepts = [concept for concept in _objects(value) if is_concept(concept)]
    return NOTHING.union(*(meanings_of(concept, terminology()) for concept in concepts))


def _of_condition(data: Json) -> _Named:
    for coding in (
        item for concept in _objects(data.get("code")) for item in _objects(concept.get("coding"))
    ):
        named = named_by_code(coding.get("system"), coding.get("code")) or _expressed(coding)
        if named is not None:
            yield "code", named
    sites = _labels(data.get("bodySite"))
    for label in _labels(data.get("code")):
        yield from (("code", named) for named in named_in(joined([label], sites)))
    for index, stage in enumerate(_objects(data.get("stage"))):
        for label in _labels(stage.get("summary")):
            yield from ((f"stage[{index}].summary", named) for named in named_in(label))


def _expressed(coding: Json) -> NamedMetastasis | None:
    """A post-coordinated expression: its parts are looked up, as the whole stands in no list."""
    system, code = coding.get("system"), coding.get("code")
    if not isinstance(system, str) or not isinstance(code, str) or not _EXPRESSION.search(code):
        return None
    if normalise_system(system) != _SNOMED:
        return None
    meanings = _meanings({"coding": [{"system": _SNOMED, "code": part} for part in _PART.findall(code)]})
    if not meanings & METASTASIS:
        return next(named_in(re.sub(r"[\d|:=+,{}()]+", " ", code)), None)
    in_liver = bool(meanings & _LIVER)
    elsewhere = any(name.startswith(("extrahepatic-", "nodes-")) for name in meanings)
    return NamedMetastasis(code, in_liver, elsewhere or not in_liver)


def _of_observation(data: Json) -> _Named:
    """The label of an unknown question with its answer; of a question for findings the answer alone."""
    if data.get("dataAbsentReason") or _is_denied(data):
        return
    element = next((name for name in ("valueString", "valueCodeableConcept") if name in data), "code")
    text = data.get("valueString")
    answers = [text] if isinstance(text, str) else _labels(data.get("valueCodeableConcept"))
    questions = [] if _meanings(data.get("code")) & FINDING_CODES else _labels(data.get("code"))
    for answer in [answer for answer in answers if not says_no(answer)] if answers else [""]:
        yield from ((element, named) for named in named_in(joined(questions, [answer])))


_DENIALS = frozenset({"presence-absent", "no-evidence-of-disease", "interpretation-negative"})


def _is_denied(data: Json) -> bool:
    """Whether the value says no; none of them is none."""
    counts = [quantity.get("value") for quantity in _objects(data.get("valueQuantity"))]
    if 0 in (*counts, data.get("valueInteger")) or data.get("valueBoolean") is False:
        return True
    answers = _meanings(data.get("valueCodeableConcept")) | _meanings(data.get("interpretation"))
    return bool(answers & _DENIALS)


def _of_report(data: Json) -> _Named:
    conclusion = data.get("conclusion")
    for named in named_in(conclusion) if isinstance(conclusion, str) else ():
        yield "conclusion", named
    for index, concept in enumerate(_objects(data.get("conclusionCode"))):
        for label in () if _meanings(concept) else labels(concept):
            yield from ((f"conclusionCode[{index}]", named) for named in named_in(label))


_READ: Mapping[str, _Read] = {
    "Condition": _of_condition,
    "Observation": _of_observation,
    "DiagnosticReport": _of_report,
}
