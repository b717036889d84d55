"""What stands beside the criteria: what asks for a discussion first, and caveats that change no answer (clinical.md 6)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cds_service.eligibility.assessment import Caveat, Consideration
from fhir_mappings.facts import Evidence, Fact, Facts, GapKind, OrderKind, Presence


@dataclass(frozen=True, slots=True)
class _Topic:
    """A fact beside the criteria: what is said where it is on record, and where that is in doubt."""

    fact: str
    recorded: str
    doubted: str
    orders: tuple[OrderKind, ...] = ()
    doubts: frozenset[GapKind] = frozenset({GapKind.INDETERMINATE})

    @property
    def id(self) -> str:
        return self.fact.replace("_", "-")


_DISCUSSED = (
    _Topic(
        "other_malignancy",
        "other active malignancy on record",
        "another malignancy is in doubt",
        doubts=frozenset({GapKind.CONFLICTING}),  # indeterminate: it may be the NET itself
    ),
    _Topic(
        "carcinoid_heart_disease",
        "carcinoid heart disease on record: cardiology first",
        "carcinoid heart disease is in doubt: cardiology first",
        orders=(OrderKind.ECHOCARDIOGRAM,),
    ),
    _Topic(
        "end_of_life_care",
        "palliative care on record: the aims of care first",
        "hospice or palliative care is in doubt: the aims of care first",
    ),
    _Topic(
        "transplant_refusal",
        "a decision against a liver transplantation is on record",
        "a decision against a liver transplantation is in doubt",
    ),
    _Topic(
        "pregnancy",
        "pregnancy on record: specialist care first",
        "a pregnancy is in doubt: to be settled first",
    ),
)
_CAVEATS = (
    _Topic(
        "hereditary_syndrome",
        "A hereditary tumour syndrome (MEN 1, von Hippel-Lindau) is on record: there may be several primaries; "
        "what it means for a transplantation is for specialists to say.",
        "A hereditary tumour syndrome (MEN 1, von Hippel-Lindau) is in doubt: there may be several primaries.",
    ),
    _Topic(
        "general_comorbidity",
        "Comorbidity that a transplant centre weighs is on record; nothing here is computed from it.",
        "Comorbidity that a transplant centre weighs is in doubt; nothing here is computed from it.",
    ),
)
UNSEEN = tuple(topic.fact for topic in _DISCUSSED)
"""The facts that would change the advice: a clinician is told where they exist and were not seen."""


def considerations(facts: Facts) -> tuple[Consideration, ...]:
    """What forbids a plain referral advice and calls for an individual discussion (clinical.md 6, 1.7)."""
    found = []
    for topic in _DISCUSSED:
        if said := _said(facts, topic):
            found.append(Consideration(topic.id, *said, topic.orders))
        if topic.fact == "other_malignancy":
            found += _doubtful_transplant(facts)
    return tuple(found)


def caveats(facts: Facts) -> tuple[Caveat, ...]:
    """What a clinician has to see and no rule decides on: its effect is not known, or not for a rule to compute."""
    return tuple(Caveat(topic.id, *said) for topic in _CAVEATS if (said := _said(facts, topic)))


def _doubtful_transplant(facts: Facts) -> Iterator[Consideration]:
    gap = facts.transplant_status.gap
    if gap is not None and gap.kind in (GapKind.INDETERMINATE, GapKind.CONFLICTING):
        doubted = _set_aside(facts.transplant_status)
        yield Consideration("transplant-status", "the transplant status is in doubt", doubted)


def _said(facts: Facts, topic: _Topic) -> tuple[str, tuple[Evidence, ...]] | None:
    """The sentence for a topic and what it rests on; none where nothing speaks of it."""
    fact: Fact[Any] = getattr(facts, topic.fact)
    if fact.value is not None and fact.value is not Presence.ABSENT:
        return topic.recorded, fact.evidence
    return (topic.doubted, _set_aside(fact)) if _is_doubted(facts, topic) else None


def _is_doubted(facts: Facts, topic: _Topic) -> bool:
    """Whether an entry is unconfirmed, or could not be read and speaks of just this."""
    gap = getattr(facts, topic.fact).gap
    if gap is None or gap.kind in topic.doubts:
        return gap is not None
    named = [issue.facts for issue in facts.issues if topic.fact in issue.facts]
    return gap.kind is GapKind.UNREADABLE and any("neuroendocrine_tumour" not in names for names in named)


def _set_aside(fact: Fact[Any]) -> tuple[Evidence, ...]:
    return tuple(item.evidence for item in fact.discarded)
