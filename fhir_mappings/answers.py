"""What stands against a finding's own value: its components, its reason for having none, its interpretation, its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

from fhir_mappings.labels import says_unusable
from fhir_mappings.resource import Json, Use, clinical_date, meanings_of, standing
from fhir_mappings.valueset import NOTHING, Terminology

ELSEWHERE = "its answers stand in components, which are not read"
CONTAINED = "it contains findings of its own, which are not read"
_ABSENT = "it has a value and says that it has none"
_APART = "its components do not say what it says itself"
_OPPOSITE = "its interpretation does not fit its value"
_UNUSABLE = "its words say that its value does not count"

LABEL_ONLY = frozenset({"mislabelled-code"})  # asks nothing by itself: a reader looks at its label
_KI67 = frozenset({"ki67-code", "ki67-code-breast", "ki67-ordinal-code", "ki67-naaccr-code"})
_STAIN = "immunohistochemistry-code"
_FINDING = frozenset({"finding-code"})
_NO = frozenset({"presence-absent", "no-evidence-of-disease", "margin-negative"})
_YES = frozenset({"presence-present"})
_NOT_NO = frozenset({"interpretation-positive", "interpretation-indeterminate"})
_NOT_YES = frozenset({"interpretation-negative", "interpretation-indeterminate"})
_TELLS_NOTHING = frozenset(
    {"presence-unknown", "residual-rx", "response-not-evaluable", "grade-gx", "site-unknown"}
)


def counts(kind: str, data: Json, on: date) -> bool:
    """Whether a resource may say anything on a day: not dropped for its status, and not dated later."""
    day = clinical_date(kind, data)
    return standing(kind, data, on)[0] is not Use.DROP and not (day is not None and day.earliest > on)


def value_problem(data: Json, meanings: frozenset[str], terminology: Terminology) -> str | None:
    """Why the value of a finding cannot be taken as it stands: something beside it says otherwise."""
    holders = (data, *_parts(data))
    if any(_is_said_to_be_absent(holder, terminology) for holder in holders):
        return _ABSENT
    if any(_is_interpreted_otherwise(holder, terminology) for holder in holders):
        return _OPPOSITE
    if any(says_unusable(label) for holder in holders for label in _words_beside(holder)):
        return _UNUSABLE
    return _APART if any(_unread_parts(data, meanings, meanings, terminology)) else None


def asked_in_components(data: Json, asked: frozenset[str], terminology: Terminology) -> frozenset[str]:
    """The questions of all components, in whatever shape they were sent: for what cannot be read as a whole."""
    return NOTHING.union(*(_asked(part, terminology) for part in _parts(data))) & asked


def in_components(
    data: Json, own: frozenset[str], asked: frozenset[str], terminology: Terminology
) -> frozenset[str]:
    """The questions that only components answer, and where nobody reads the answer."""
    return NOTHING.union(*_unread_parts(data, own, asked, terminology)) - own


def in_contained(report: Json, asked: frozenset[str], terminology: Terminology, on: date) -> frozenset[str]:
    """The questions that the contained findings of a report answer."""
    given = report.get("contained")
    items = (item for item in (given if isinstance(given, list) else [given]) if isinstance(item, Mapping))
    found = NOTHING
    for item in items:
        if item.get("resourceType") == "Observation" and counts("Observation", item, on):
            says = _answers(item) or item.get("interpretation") or _parts(item)
            own = _asked(item, terminology) & asked if says else NOTHING
            found |= own | in_components(item, NOTHING, asked, terminology)
    return found


def _asked(holder: Json, terminology: Terminology) -> frozenset[str]:
    """The value sets of the code of a finding or component, in whatever shape it was sent."""
    try:
        return meanings_of(holder.get("code"), terminology)
    except (TypeError, AttributeError):  # a list, an object or a number where a system or a code belongs
        return NOTHING


def _parts(data: Json) -> list[Json]:
    given = data.get("component")
    items = given if isinstance(given, list) else [given]
    return [item for item in items if isinstance(item, Mapping)]


def _answers(holder: Json) -> dict[str, Any]:
    """What a finding or component says, readable or not."""
    return {name: value for name, value in holder.items() if name.startswith("value") and value is not None}


def _unread_parts(
    data: Json, own: frozenset[str], asked: frozenset[str], terminology: Terminology
) -> Iterator[frozenset[str]]:
    """The questions among `asked` that each component answers: those that no reader asks it, and that add anything."""
    for part in _parts(data):
        questions = _asked(part, terminology)
        says = _answers(part) or part.get("interpretation")
        if not says or questions.isdisjoint(asked) or _is_read(data, own, part, questions, terminology):
            continue
        if questions.isdisjoint(own) or not _agree(data, part, terminology):
            yield questions & asked


def _is_read(
    data: Json, own: frozenset[str], part: Json, questions: frozenset[str], terminology: Terminology
) -> bool:
    """Whether the readers of findings and of Ki-67 look at a component, and count it beside the value."""
    if own & _FINDING:
        return questions <= _FINDING
    if questions.isdisjoint(_KI67):
        return False
    if _STAIN in own:  # read where a component names the marker, and where it has no value itself
        marked = any(_names_ki67(item, terminology) for item in _parts(data))
        return marked and "valueQuantity" in part and (not _answers(data) or _agree(data, part, terminology))
    return bool(own & {"ki67-code", "ki67-code-breast"}) and "ki67-ordinal-code" not in own


def _names_ki67(part: Json, terminology: Terminology) -> bool:
    return "gene-mki67" in meanings_of(part.get("valueCodeableConcept"), terminology)


def _agree(one: Json, other: Json, terminology: Terminology) -> bool:
    """Whether two values are the same, or mean the same."""
    first, second = _answers(one), _answers(other)
    if first == second:
        return bool(first)
    if first.keys() != second.keys() or first.keys() != {"valueCodeableConcept"}:
        return False
    meant = [meanings_of(said["valueCodeableConcept"], terminology) for said in (first, second)]
    return meant[0] == meant[1] != NOTHING


def _is_said_to_be_absent(holder: Json, terminology: Terminology) -> bool:
    """Whether something has a value beside the reason why it has none; a code for "unknown" is such a reason itself."""
    said = _answers(holder)
    if not said or not holder.get("dataAbsentReason"):
        return False
    meant = meanings_of(said.get("valueCodeableConcept"), terminology)
    return not meant or not meant <= _TELLS_NOTHING


def _is_interpreted_otherwise(holder: Json, terminology: Terminology) -> bool:
    """Whether a "no" is interpreted as positive or open, or a "yes" as negative or open."""
    flag = holder.get("valueBoolean")
    said = meanings_of(holder.get("valueCodeableConcept"), terminology)
    meant = NOTHING.union(
        *(meanings_of(concept, terminology) for concept in holder.get("interpretation") or ())
    )
    return bool(
        ((flag is False or said & _NO) and meant & _NOT_NO)
        or ((flag is True or said & _YES) and meant & _NOT_YES)
    )


def _words_beside(holder: Json) -> Iterator[str]:
    """The labels of a question and of the interpretations of its answer."""
    for concept in (holder.get("code"), *(holder.get("interpretation") or ())):
        if isinstance(concept, Mapping):
            given = (concept.get("text"), *(item.get("display") for item in concept.get("coding") or ()))
            yield from (text for text in given if isinstance(text, str))
