"""What the codes of a resource mean here: which resources matter, and whether a code is labelled as something else."""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw, Struct

from fhir_mappings.labels import display_contradicts, words_contradict
from fhir_mappings.nodes import CodingNode, ConceptNode, ExtensionNode, Node, PartNode, StageNode
from fhir_mappings.resource import codings, meanings_of
from fhir_mappings.tumour_words import named_tumours, tumour_stems
from fhir_mappings.valueset import NOTHING, Terminology, is_other_malignancy

OTHER_MALIGNANCY = "other-malignancy"  # the codes of that value set, and the ranges of ICD-10 beside it
_MALIGNANT = frozenset({OTHER_MALIGNANCY})
LABELLED_MALIGNANCY = "labelled-malignancy"  # what only the words of a Condition say
LABELLED_TUMOUR = "labelled-tumour"  # a neuroendocrine one, which only the words of a Condition name
HOLDS_FINDINGS = (
    "contained-findings"  # what a report contains: only the second reading tells what it is about
)
LABELLED_METASTASIS = "labelled-metastasis"  # what only the words of an entry say
_TUMOUR = frozenset({LABELLED_TUMOUR})
_FINDINGS = frozenset({HOLDS_FINDINGS})
_STAGES = "tnm-"  # of a stage only the category counts: what else is coded there is no diagnosis
Meanings = Callable[[Any, Any], frozenset[str]]


def node_meanings(node: Node, meanings: Meanings) -> frozenset[str] | None:
    """The value sets of the codes of a first reading: empty for irrelevant, None when the code has an odd shape.

    Called for every resource of every chart, so the common case (a list of codings that mean nothing here) comes first.
    """
    code = node.code
    if type(code) is not ConceptNode or type(code.coding) is not list:
        if code is not None and not _is_text_only(code):
            return None
        return _beside_the_code(node, meanings, NOTHING)
    found = NOTHING
    try:
        for coding in code.coding:
            if hit := meanings(coding.system, coding.code):  # type: ignore[union-attr]
                found |= hit
    except (TypeError, AttributeError):  # a list, an object or a text where a coding or its members belong
        return None
    is_told_by_code = node.resourceType == "Observation" and (node.component is None or found)
    return found if is_told_by_code else _beside_the_code(node, meanings, found)


def _beside_the_code(node: Node, meanings: Meanings, found: frozenset[str]) -> frozenset[str] | None:
    """What other elements add to the meanings of a code; of an Observation its components, where it means nothing."""
    if node.resourceType == "Condition":
        return found | _condition_meanings(node, meanings) | _meaning_of_words(node.code)
    if node.resourceType == "Observation":
        return found or (NOTHING if node.component is None else _part_meanings(node, meanings))
    if node.resourceType != "DiagnosticReport":
        return found
    if b"Observation" in bytes(node.contained):
        found |= _FINDINGS
    if node.conclusionCode is None:
        return found
    concluded = node.conclusionCode if isinstance(node.conclusionCode, list) else [node.conclusionCode]
    if not all(isinstance(concept, ConceptNode) and concept.code is None for concept in concluded):
        return None
    return found.union(*(_concept_meanings(concept, meanings) for concept in concluded))


def _part_meanings(node: Node, meanings: Meanings) -> frozenset[str] | None:
    """The value sets of the codes of the components; None when one of them has an odd shape."""
    found = NOTHING
    for part in node.component if isinstance(node.component, list) else [node.component]:
        code = part.code if isinstance(part, PartNode) else None
        if code is not None and not isinstance(code, ConceptNode):
            return None
        found |= _concept_meanings(code, meanings)
    return found


def is_concept(code: object) -> bool:
    """Whether a code has the shape of a CodeableConcept whose codings can be looked up."""
    given = code.get("coding", []) if isinstance(code, dict) else None
    return isinstance(given, list) and all(
        isinstance(coding, dict) and all(isinstance(coding.get(name, ""), str) for name in ("system", "code"))
        for coding in given
    )


def _is_text_only(code: object) -> bool:
    return isinstance(code, ConceptNode) and code.coding is None and code.code is None


def _condition_meanings(node: Node, meanings: Meanings) -> frozenset[str]:
    found = NOTHING if node.extension is None else _extension_meanings(node, meanings)
    if node.stage is not None:
        found |= _stage_meanings(node, meanings)
    return found | _MALIGNANT if _names_other_malignancy(node.code) else found


def _meaning_of_words(code: object) -> frozenset[str]:
    """What the words of a code add: most hold no letters of a tumour, and are not decoded."""
    if not isinstance(code, ConceptNode):
        return NOTHING
    listed = code.coding if isinstance(code.coding, list) else [code.coding]
    words = [code.text, *(item.display for item in listed if isinstance(item, CodingNode))]
    joined = b"\n".join(words)
    small = joined.lower()
    if not any(stem in (small if stem.islower() else joined) for stem in tumour_stems()):
        return NOTHING
    return _TUMOUR if any(_names_tumour(bytes(label)) for label in words) else NOTHING


def _names_tumour(label: bytes) -> bool:
    return any(True for _ in named_tumours(label.decode(errors="replace").strip('"')))


def _extension_meanings(node: Node, meanings: Meanings) -> frozenset[str]:
    found = NOTHING
    extensions = node.extension if isinstance(node.extension, list) else [node.extension]
    concepts = [item.valueCodeableConcept for item in extensions if isinstance(item, ExtensionNode)]
    for concept in concepts:
        found |= _concept_meanings(concept, meanings)
    return found


def _stage_meanings(node: Node, meanings: Meanings) -> frozenset[str]:
    found = NOTHING
    for stage in node.stage if isinstance(node.stage, list) else [node.stage]:
        if isinstance(stage, StageNode):
            found |= _of_stage(_concept_meanings(stage.summary, meanings))
    return found


def _names_other_malignancy(code: object) -> bool:
    if not isinstance(code, ConceptNode) or not isinstance(code.coding, list):
        return False
    known = [item for item in code.coding if isinstance(item, CodingNode)]
    # 0 and false mean nothing as codes, and raise
    return any(is_other_malignancy(item.system, item.code) for item in known if isinstance(item.code, str))


def _concept_meanings(concept: object, meanings: Meanings) -> frozenset[str]:
    """The value sets of the codings of a concept that can be looked up."""
    coding = concept.coding if isinstance(concept, ConceptNode) else None
    found = NOTHING
    for item in coding if isinstance(coding, list) else [coding]:
        if (
            isinstance(item, CodingNode)
            and isinstance(item.system, str | None)
            and isinstance(item.code, str)
        ):
            found |= meanings(item.system, item.code)
    return found


def _of_stage(meanings: frozenset[str]) -> frozenset[str]:
    return frozenset(name for name in meanings if name.startswith(_STAGES))


def all_meanings(kind: str, data: Mapping[str, Any], terminology: Terminology) -> frozenset[str]:
    """The same as `node_meanings` for a resource that was decoded in full and mended."""
    found = meanings_of(data.get("code"), terminology)
    if kind == "Observation" and not found:
        return found.union(
            *(meanings_of(part.get("code"), terminology) for part in data.get("component") or ())
        )
    for concept in data.get("conclusionCode") or ():
        found |= meanings_of(concept, terminology)
    if kind == "Condition":
        for extension in data.get("extension") or ():
            found |= meanings_of(extension.get("valueCodeableConcept"), terminology)
        for stage in data.get("stage") or ():
            found |= _of_stage(meanings_of(stage.get("summary"), terminology))
        if any(
            is_other_malignancy(coding.get("system"), coding.get("code"))
            for coding in codings(data.get("code"))
        ):
            found |= {OTHER_MALIGNANCY}
        if any(_names_tumour(label.encode()) for label in labels(data.get("code"))):
            found |= _TUMOUR
    return found


def holding(sources: Iterable[bytes], stems: Sequence[bytes]) -> list[int]:
    """Which resources have words with one of the stems: searched as one, as most of hundreds have none.

    A stem in small letters is found in any case, one with capitals only as it stands.
    """
    texts = [_words_of(source) for source in sources]
    given = b"\0".join(texts)
    small = given.lower()
    starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
    found = set()
    for stem in stems:
        joined = small if stem == stem.lower() else given
        place = joined.find(stem)
        while place >= 0:
            index = bisect_right(starts, place) - 1
            found.add(index)
            place = joined.find(stem, starts[index + 1])
    return sorted(found)


class _Words(Struct, gc=False):
    """The elements of a resource that hold words, as bytes."""

    code: Raw = Raw(b"")
    stage: Raw = Raw(b"")
    valueString: Raw = Raw(b"")  # noqa: N815  FHIR's own name
    valueCodeableConcept: Raw = Raw(b"")  # noqa: N815  FHIR's own name
    conclusion: Raw = Raw(b"")
    conclusionCode: Raw = Raw(b"")  # noqa: N815  FHIR's own name


_WORDS = msgspec.json.Decoder(_Words)


def _words_of(source: bytes) -> bytes:
    try:
        held = _WORDS.decode(source)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return source
    found = (
        held.code,
        held.stage,
        held.valueString,
        held.valueCodeableConcept,
        held.conclusion,
        held.conclusionCode,
    )
    return b" ".join(found)


def labels(code: object) -> list[str]:
    """The words of a code, whatever shape it was sent in: its text and the displays of its codings."""
    if not isinstance(code, Mapping):
        return []
    given = code.get("coding")
    items = given if isinstance(given, list) else ()
    displays = [item.get("display") for item in items if isinstance(item, dict)]
    return [text for text in (code.get("text"), *displays) if isinstance(text, str)]


def contradicted(concept: object, terminology: Terminology) -> bool:
    """Whether the words of a concept say something else than its codes mean (terminology.md 0.6).

    A coding is held against its own display, else the text; text and foreign displays against all that is understood.
    """
    given = concept.get("text") if isinstance(concept, Mapping) else None
    text = given if isinstance(given, str) else None
    known = meanings_of(concept, terminology)
    loose = [text]
    for coding in codings(concept):
        ids = terminology.meanings(coding.get("system"), coding.get("code"))
        label = coding.get("display") or text
        if not ids:
            loose.append(label)
        elif display_contradicts(ids, label):
            return True
    return any(words_contradict(known, label) for label in loose)


def misnamed(data: Mapping[str, Any], contradicts: Callable[[object], bool]) -> bool:
    """Whether a resource is labelled as something else than its code or its sites mean."""
    sites = data.get("bodySite")
    concepts = (data.get("code"), *(sites if isinstance(sites, list) else [sites]))
    return any(map(contradicts, filter(None, concepts)))


def misanswered(
    data: Mapping[str, Any], terminology: Terminology, contradicts: Callable[[object], bool]
) -> bool:
    """Whether the words of a finding deny its question, or say something else than its coded answers.

    What it says might be the worst, so it has no value that could be read (terminology.md 0.6).
    """
    code = data.get("code") or {}
    asked = meanings_of(code, terminology)
    if any(words_contradict(asked, label) for label in labels(code)):
        return True
    parts = data.get("component") or ()
    answers = [concept for part in (data, *parts) for concept in _answers(part)]
    answers += [part.get("code") for part in parts]
    return any(map(contradicts, filter(None, answers)))


def _answers(part: Mapping[str, Any]) -> list[Any]:
    return [part.get("valueCodeableConcept"), *(part.get("interpretation") or ())]
