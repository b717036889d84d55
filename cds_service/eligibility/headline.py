"""The reason of a verdict in one short clause: what a clinician reads first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from textwrap import shorten
from types import MappingProxyType

from cds_service.eligibility.assessment import Consideration, CriterionResult
from cds_service.eligibility.verdict import Answer, Flag, Nature, Verdict
from fhir_mappings.facts import GapKind

MAX_LENGTH = 90  # leaves room for the card's own words within the 140 characters of a CDS Hooks summary
GATE = "unresectable"


def headline(
    verdict: Verdict, results: Sequence[CriterionResult], considerations: Sequence[Consideration]
) -> str:
    """One clause: the criteria that decided, in order, or how many lack data."""
    asked = without_gate(results)
    if verdict is Verdict.INCOMPLETE:
        unknown = sum(item.answer is Answer.UNKNOWN for item in asked)
        if not unknown and has_doubtful_gate(results):
            return f"all {len(asked)} criteria met; what is recorded does not settle resectability"
        return f"{unknown} of {len(asked)} criteria lack{'s' if unknown == 1 else ''} data"
    if verdict is Verdict.RESECTION_FIRST:
        return "the liver metastases are stated to be resectable"
    if verdict is Verdict.MEETS:
        return f"all {len(asked)} criteria met{_resectability(results)}"
    clauses = [clause(item) for item in decisive(verdict, asked)]
    return _joined(clauses or [item.reason for item in considerations])


def without_gate(results: Iterable[CriterionResult]) -> tuple[CriterionResult, ...]:
    """The criteria proper; `unresectable` stands beside them and is never one of those that lack data."""
    return tuple(item for item in results if item.id != GATE)


def has_doubtful_gate(results: Iterable[CriterionResult]) -> bool:
    """Whether something on record may say that the metastases can be resected; that nothing does is no doubt.

    Only "not stated" is asked and does not block (clinical.md 7.2); sources that disagree do (7.4, item 5).
    """
    return any(
        item.id == GATE
        and item.answer is Answer.UNKNOWN
        and (item.gap is None or item.gap.kind is not GapKind.NOT_RECORDED)
        for item in results
    )


def decisive(verdict: Verdict, results: Iterable[CriterionResult]) -> tuple[CriterionResult, ...]:
    """The criteria that are not met and made this verdict."""
    failed = [item for item in results if item.answer is Answer.NOT_MET]
    if verdict is Verdict.OUTSIDE:
        return tuple(item for item in failed if is_firm(item) and item.nature is Nature.PERMANENT)
    return tuple(item for item in failed if is_firm(item) is (verdict is Verdict.NOT_YET))


def is_firm(item: CriterionResult) -> bool:
    """Tell whether an answer "not met" stands, and is neither relative nor on the limit (clinical.md 7.3)."""
    return item.nature is not Nature.RELATIVE and Flag.BORDERLINE not in item.flags


def clause(item: CriterionResult) -> str:
    """What a criterion that is not met says, in a few words."""
    words = _CLAUSES.get(item.id)
    return words(item) if words else f"{item.label.lower()}: {item.value}"


def _number(years: str) -> str:
    return years.removesuffix(" years")


def _stability(item: CriterionResult) -> str:
    if item.resolves_on is None:
        return "progressive disease at the last assessment"
    return f"stability reaches {item.limit.removeprefix('≥ ')} on {item.resolves_on}"


_CLAUSES: Mapping[str, Callable[[CriterionResult], str]] = MappingProxyType(
    {
        "differentiation": lambda item: f"histology: {item.value}",
        "ki-67": lambda item: f"Ki-67 {item.value} (limit {item.limit})",
        "portal-drainage": lambda item: f"primary site {item.value} not in the portal range",
        "primary-resected": lambda item: f"primary tumour {item.value}",
        "no-extrahepatic-disease": lambda item: f"disease outside the liver ({item.value})",
        "liver-involvement": lambda item: f"liver involvement {item.value} (limit {item.limit})",
        "stability": _stability,
        "age": lambda item: f"age {_number(item.value or '')} (limit {_number(item.limit)}, relative)",
    }
)


def _resectability(results: Iterable[CriterionResult]) -> str:
    open_gate = any(item.id == GATE and item.answer is Answer.UNKNOWN for item in results)
    return "; resectability not stated" if open_gate else ""


def _joined(clauses: Sequence[str]) -> str:
    """As many clauses as fit, and how many more there are."""
    for count in range(len(clauses), 0, -1):
        rest = f" and {len(clauses) - count} more" if count < len(clauses) else ""
        text = "; ".join(clauses[:count]) + rest
        if len(text) <= MAX_LENGTH:
            return text
    return shorten(clauses[0], MAX_LENGTH, placeholder=" ...")
