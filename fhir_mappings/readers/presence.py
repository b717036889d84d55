"""Whether an observation that asks "is it there?" says yes or no."""

from fhir_mappings.chart import Chart
from fhir_mappings.resource import Resource, codings

_YES = frozenset({"presence-present"})
_NO = frozenset({"presence-absent", "no-evidence-of-disease"})


def stated_presence(chart: Chart, item: Resource) -> bool | None:
    """Yes, no, or neither: by the coded value, the flag, or, where there is no value, the interpretation.

    Contradicting codings say neither (terminology.md 2 k).
    """
    if item.is_absent:
        return None
    flag = item.data.get("valueBoolean")
    if isinstance(flag, bool):
        return flag
    concept = item.coded_value
    if concept is not None:
        return _yes_or_no(chart.meanings(concept), _YES, _NO)
    if any(name.startswith("value") for name in item.data):
        return None
    meanings = frozenset().union(*(chart.meanings(part) for part in item.data.get("interpretation") or ()))
    return _yes_or_no(
        meanings, frozenset({"interpretation-positive"}), frozenset({"interpretation-negative"})
    )


def has_value(item: Resource) -> bool:
    """Whether an observation says anything at all, readable or not."""
    return not item.is_absent and any(
        name.startswith("value") or name == "interpretation" for name in item.data
    )


UNKNOWN_ANSWER = "its answer is a code that is not known here"
_OPEN = frozenset({"presence-unknown", "interpretation-indeterminate"})


def is_unknown_answer(chart: Chart, concept: object) -> bool:
    """Whether a coded answer has no meaning here, and so may be the worst; a code for "unknown" is none."""
    return bool(codings(concept)) and not chart.meanings(concept) & _OPEN


def _yes_or_no(meanings: frozenset[str], yes: frozenset[str], no: frozenset[str]) -> bool | None:
    says_yes, says_no = bool(meanings & yes), bool(meanings & no)
    return None if says_yes is says_no else says_yes
