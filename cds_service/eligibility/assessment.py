"""One assessment: the answers of all criteria on one day under one policy, what follows from them, and why."""

import json
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from cds_service.eligibility.verdict import Answer, Flag, Nature, Verdict
from fhir_mappings.facts import Discarded, Evidence, Gap, Issue, Mending, OrderKind


@dataclass(frozen=True, slots=True)
class CriterionResult:
    """What one criterion answers for this patient.

    `reason` is a sentence for a clinician. `value` and `limit` are short texts for a table ("12 %", "< 10 %").
    `nature` says how a criterion that is not met can change. `resolves_on` is the day on which a time-resolving one
    can be met; `stale_on` the day its imaging went or goes stale. `remedy` says what would answer an unknown or turn
    a not-met one, and `orders` which draft orders would do so.
    """

    id: str
    label: str
    answer: Answer
    nature: Nature
    reason: str
    limit: str
    value: str | None = None
    dated: str | None = None
    flags: tuple[Flag, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    discarded: tuple[Discarded, ...] = ()
    gap: Gap | None = None
    resolves_on: date | None = None
    stale_on: date | None = None
    remedy: str | None = None
    orders: tuple[OrderKind, ...] = ()
    citation: str = ""


@dataclass(frozen=True, slots=True)
class Consideration:
    """Something beside the criteria that forbids a plain referral advice: it calls for an individual discussion."""

    id: str  # "other-malignancy", "carcinoid-heart-disease", "pregnancy"
    reason: str
    evidence: tuple[Evidence, ...] = ()
    orders: tuple[OrderKind, ...] = ()


@dataclass(frozen=True, slots=True)
class Caveat:
    """Something beside the criteria that a clinician has to see and that changes no answer (clinical.md 6)."""

    id: str  # "hereditary-syndrome", "general-comorbidity"
    reason: str
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Difference:
    """A criterion that another policy answers otherwise for this patient."""

    policy: str
    policy_title: str
    criterion: str
    label: str
    answer: Answer
    limit: str
    reason: str


@dataclass(frozen=True, slots=True)
class Assessment:
    """The whole answer for one patient: card, page, audit line and table row are renderings of this one object.

    `headline` is the reason of the verdict in one short clause ("Ki-67 12 % (limit < 10 %)"). `criteria` holds the
    eight criteria and the gate `unresectable`, in the policy's order. `warnings` are sentences about time windows.
    """

    patient: str
    policy: str
    policy_version: str
    policy_title: str
    policy_citation: str
    evaluated_on: date
    verdict: Verdict
    headline: str
    criteria: tuple[CriterionResult, ...] = ()
    considerations: tuple[Consideration, ...] = ()
    caveats: tuple[Caveat, ...] = ()
    resolves_on: date | None = None
    ages_out_on: date | None = None
    ages_out_exactly: bool = (
        True  # False where the date of birth is partial: then it is the earliest such day
    )
    warnings: tuple[str, ...] = ()
    differences: tuple[Difference, ...] = ()
    other_verdicts: tuple[tuple[str, str], ...] = ()  # (policy id, verdict) of the other policies
    orders: tuple[OrderKind, ...] = ()  # draft orders worth suggesting, those already placed left out
    orders_in_doubt: tuple[
        OrderKind, ...
    ] = ()  # those of which it is not known whether one is already placed
    orders_placed: tuple[Discarded, ...] = ()  # orders on record for the sake of which a draft is not offered
    orders_set_aside: tuple[Discarded, ...] = ()  # orders on record that do not count as placed
    issues: tuple[Issue, ...] = ()
    mendings: tuple[Mending, ...] = ()
    foreign: tuple[str, ...] = ()  # references of what names another patient and was left out
    not_assessed: tuple[str, ...] = ()  # a clause for each part of the record that did not arrive whole
    gate: str | None = None  # what made it not-applicable: "deceased", "under-age", "no-net", "listed", ...

    @property
    def fingerprint(self) -> str:
        """What is said here, as 64 hexadecimal digits: the same until the facts, or what follows from them, change.

        The day, references and their order do not count. An answer that time changes does: imaging that went stale, or
        a wait that is over, is worth a second look.
        """
        said = (
            (self.policy, self.policy_version, self.verdict, self.gate),
            # which doubt makes it incomplete: that of the diagnosis stands in no criterion
            self.headline if self.verdict is Verdict.INCOMPLETE else None,
            sorted(_said(item) for item in self.criteria),
            sorted((item.id, item.reason) for item in self.considerations),
            sorted((item.id, item.reason) for item in self.caveats),
        )
        return sha256(json.dumps(said).encode()).hexdigest()


def _said(item: CriterionResult) -> tuple[str, ...]:
    # A birthday changes the age and no fact; whether the limit is passed stands in the answer.
    value = "" if item.id == "age" else item.value or ""
    said = (item.id, item.answer, value, str(item.resolves_on or ""), *sorted(item.flags))
    return said if item.answer is not Answer.UNKNOWN else said + _doubts(item)


def _doubts(item: CriterionResult) -> tuple[str, ...]:
    """What keeps an answer unknown: a new hint of the worst, as a preliminary finding, is another doubt."""
    hints = (
        f"{found.evidence.code}|{found.evidence.value}|{found.evidence.date}" for found in item.discarded
    )
    return (str(item.gap.kind) if item.gap else "", *sorted(set(hints)))
