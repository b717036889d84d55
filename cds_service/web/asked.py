"""What a form asks of one patient under one policy, and in which order: what is unknown comes first."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.evaluation import evaluate
from cds_service.eligibility.policy import Policy
from cds_service.eligibility.verdict import Answer
from cds_service.web.recorded import Values, recorded_values
from fhir_mappings.facts import Evidence, Fact, Facts, GapKind, Presence
from fhir_mappings.questions import Question, questions

_CRITERIA: Mapping[str, tuple[str, ...]] = {  # the first that the policy has is what an answer decides
    "differentiation": ("differentiation",),
    "ki67_percent": ("ki-67", "differentiation"),
    "primary_site": ("portal-drainage",),
    "primary_resection": ("primary-resected",),
    "extrahepatic_disease": ("no-extrahepatic-disease",),
    "liver_involvement_percent": ("liver-involvement",),
    "disease_response": ("stability",),
    "liver_resectability": ("unresectable",),
    "liver_metastases": (),
    "carcinoid_heart_disease": (),
}
_FIRST = (Answer.UNKNOWN, Answer.NOT_MET, Answer.MET)
_NO_CRITERION = {
    "liver_metastases": "The criteria are about liver metastases of a neuroendocrine tumour.",
    "carcinoid_heart_disease": "Where there is carcinoid heart disease, cardiology comes first.",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """One question to one patient: why it is asked, what the record says, and how far that settles it."""

    fact: str
    question: Question
    criterion: CriterionResult | None
    answer: Answer
    why: str
    recorded: tuple[Values, ...]
    evidence: tuple[Evidence, ...]
    missing: str  # the sentence of the gap, where the record says nothing

    @property
    def is_open(self) -> bool:
        """Whether an answer is wanted; what is decided stays folded up."""
        return self.answer is Answer.UNKNOWN


def asked(policy: Policy, facts: Facts, on: date) -> list[Asked]:
    """The questions, those of unknown criteria first, then of unmet ones, then what is settled."""
    results = {item.id: item for item in evaluate(facts, policy, on)}
    items = [_asked(fact, facts, results) for fact in questions() if _is_relevant(fact, facts)]
    return sorted(items, key=lambda item: _FIRST.index(item.answer))


def _is_relevant(fact: str, facts: Facts) -> bool:
    """Carcinoid heart disease is asked for where there is a syndrome, or something speaks of it (clinical.md 1.7)."""
    if fact != "carcinoid_heart_disease":
        return True
    heart, syndrome = facts.carcinoid_heart_disease, facts.carcinoid_syndrome
    is_doubted = heart.gap is not None and heart.gap.kind is GapKind.INDETERMINATE
    return heart.value is not None or is_doubted or syndrome.value is Presence.PRESENT


def _asked(name: str, facts: Facts, results: Mapping[str, CriterionResult]) -> Asked:
    fact: Fact[Any] = getattr(facts, name)
    result = next((results[key] for key in _CRITERIA[name] if key in results), None)
    return Asked(
        fact=name,
        question=questions()[name],
        criterion=result,
        answer=_state(fact, result),
        why=_why(name, result),
        recorded=tuple(recorded_values(name, fact.value)),
        evidence=fact.evidence,
        missing=fact.gap.reason if fact.gap is not None else "",
    )


def _state(fact: Fact[Any], result: CriterionResult | None) -> Answer:
    """That of the criterion; without one, whether anything is on record."""
    if result is not None:
        return result.answer
    return Answer.MET if fact.value is not None else Answer.UNKNOWN


def _why(name: str, result: CriterionResult | None) -> str:
    if result is None:
        return _NO_CRITERION[name]
    return f"{result.label}. Limit: {result.limit}. {result.reason}"
