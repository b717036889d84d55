"""What the codes of a resource mean here: which resources matter, and whether a code is labelled as something else."""

from collections.abc import Callable, Mapping
from typing import Any

from fhir_mappings.nodes import CodingNode, ConceptNode, ExtensionNode, Node
from fhir_mappings.resource import codings, meanings_of
from fhir_mappings.valueset import NOTHING, Terminology, display_contradicts, is_other_malignancy

OTHER_MALIGNANCY = "other-malignancy"  # the codes of that value set, and the ranges of ICD-10 beside it
_MALIGNANT = frozenset({OTHER_MALIGNANCY})
LABELLED_MALIGNANCY = "labelled-malignancy"  # what only the words of a Condition say
Meanings = Callable[[Any, Any], frozenset[str]]


def node_meanings(node: Node, meanings: Meanings) -> frozenset[str] | None:
    """The value sets of the codes of a first reading: empty for irrelevant, None when the code has an odd shape.

    Called for every resource of every chart, so the common case (a list of codings that mean nothing here) comes first.
    """
    code = node.code
    if type(code) is not ConceptNode or type(code.coding) is not list:
        if code is not None and not _is_text_only(code):
            return None
        return _condition_meanings(node, meanings) if node.resourceType == "Condition" else NOTHING
    found = NOTHING
    try:
        for coding in code.coding:
            if hit := meanings(coding.system, coding.code):  # type: ignore[union-attr]
                found |= hit
    except (TypeError, AttributeError):  # a list, an object or a text where a coding or its members belong
        return None
    return found if node.resourceType != "Condition" else found | _condition_meanings(node, meanings)


def is_concept(code: object) -> bool:
    """Whether a code has the shape of a CodeableConcept whose codings can be looked up."""
    given = code.get("coding", []) if isinstance(code, dict) else None
    return isinstance(given, list) and all(
        isinstance(coding, dict) and all(isinstance(coding.get(name, ""), str) for name in ("system", "code"))
        for coding in given
    )


def _is_text_only(code: object) -> bool:
    return isinstance(code, ConceptNode) and code.coding is None


def _condition_meanings(node: Node, meanings: Meanings) -> frozenset[str]:
    found = NOTHING if node.extension is None else _extension_meanings(node, meanings)
    return found | _MALIGNANT if _names_other_malignancy(node.code) else found


def _extension_meanings(node: Node, meanings: Meanings) -> frozenset[str]:
    found: frozenset[str] = frozenset()
    extensions = node.extension if isinstance(node.extension, list) else [node.extension]
    concepts = [item.valueCodeableConcept for item in extensions if isinstance(item, ExtensionNode)]
    for concept in concepts:
        coding = concept.coding if isinstance(concept, ConceptNode) else None
        for item in coding if isinstance(coding, list) else [coding]:
            if (
                isinstance(item, CodingNode)
                and isinstance(item.system, str | None)
                and isinstance(item.code, str)
            ):
                found |= meanings(item.system, item.code)
    return found


def _names_other_malignancy(code: object) -> bool:
    if not isinstance(code, ConceptNode) or not isinstance(code.coding, list):
        return False
    known = [item for item in code.coding if isinstance(item, CodingNode)]
    # 0 and false mean nothing as codes, and raise
    return any(is_other_malignancy(item.system, item.code) for item in known if isinstance(item.code, str))


def all_meanings(kind: str, data: Mapping[str, Any], terminology: Terminology) -> frozenset[str]:
    """The same as `node_meanings` for a resource that was decoded in full and mended."""
    found = meanings_of(data.get("code"), terminology)
    if kind == "Condition":
        for extension in data.get("extension") or ():
            found |= meanings_of(extension.get("valueCodeableConcept"), terminology)
        if any(
            is_other_malignancy(coding.get("system"), coding.get("code"))
            for coding in codings(data.get("code"))
        ):
            found |= {OTHER_MALIGNANCY}
    return found


def labels(code: Mapping[str, Any]) -> list[str]:
    """The words of a code: its text and the displays of its codings."""
    given = code.get("coding")
    items = given if isinstance(given, list) else ()
    displays = [item.get("display") for item in items if isinstance(item, dict)]
    return [text for text in (code.get("text"), *displays) if isinstance(text, str)]


def contradicted(code: object, terminology: Terminology) -> bool:
    """Whether a coding that matters is labelled as something else than it means (terminology.md 0.6)."""
    text = code.get("text") if isinstance(code, Mapping) else None
    for coding in codings(code):
        ids = terminology.meanings(coding.get("system"), coding.get("code"))
        label = coding.get("display") or text
        if ids and isinstance(label, str) and display_contradicts(ids, label):
            return True
    return False
