"""Assessments written by hand, so that what is shown can be tested without what decides."""

from dataclasses import fields, replace
from datetime import date
from typing import Any

from cds_service.eligibility.assessment import Assessment, Caveat, Consideration, CriterionResult, Difference
from cds_service.eligibility.policy import DEFAULT_POLICY, policy
from cds_service.eligibility.verdict import Answer, Flag, Nature, Verdict
from cds_service.tenants import Tenant
from fhir_mappings.facts import (
    Discarded,
    Evidence,
    Fact,
    Facts,
    Gap,
    GapKind,
    Issue,
    Mending,
    OrderKind,
    Presence,
)
from fhir_mappings.when import parse_date

RULES = policy(DEFAULT_POLICY)
TENANT = Tenant(id="st-elsewhere")
ON = date(2026, 11, 23)
WITH_CARD = [verdict for verdict in Verdict if verdict is not Verdict.NOT_APPLICABLE]


def evidence(text: str = "12 %") -> Evidence:
    return Evidence("Observation/ki67", "valueQuantity", parse_date("2026-10-20"), display=text, value=text)


def criterion(answer: Answer = Answer.NOT_MET, text: str = "12 %", **changes: Any) -> CriterionResult:
    result = CriterionResult(
        id="ki-67",
        label="Ki-67",
        answer=answer,
        nature=Nature.PERMANENT,
        reason=f"The highest value is {text}",
        limit="< 10 %",
        value=text,
        dated="2026-10-20",
        flags=(Flag.BORDERLINE, Flag.NOT_SENT),
        evidence=(evidence(text),),
        discarded=(Discarded(evidence(text), f"older than {text}"),),
        stale_on=date(2027, 4, 20),
        remedy=f"Ask for {text}",
    )
    return replace(result, **changes)


def assessment(
    verdict: Verdict = Verdict.OUTSIDE, text: str = "Ki-67 12 % (limit < 10 %)", **changes: Any
) -> Assessment:
    """An assessment in which every part of a card has something to say, all of it `text`."""
    result = Assessment(
        patient="Patient/p1",
        policy=RULES.id,
        policy_version=RULES.version,
        policy_title=RULES.title,
        policy_citation=RULES.citation.text,
        evaluated_on=ON,
        verdict=verdict,
        headline=text,
        criteria=tuple(criterion(answer, text) for answer in Answer),
        considerations=(Consideration("other-malignancy", text, (evidence(text),)),),
        caveats=(Caveat("hereditary-syndrome", text, (evidence(text),)),),
        resolves_on=date(2027, 1, 1),
        ages_out_on=date(2042, 5, 4),
        warnings=(text,),
        differences=(Difference("optn", "OPTN", "ki-67", "Ki-67", Answer.MET, "< 20 %", text),),
        other_verdicts=(("optn-nlrb-net", Verdict.MEETS),),
        orders=tuple(OrderKind),
        not_assessed=(text,),
        issues=(Issue("Condition/broken", text, ("differentiation",)),),
        mendings=(Mending("Condition/bent", "category", text),),
    )
    return replace(result, **changes)


def facts() -> Facts:
    """Facts of a patient with a NET and liver metastases, each from a Condition, and nothing else."""
    gaps: dict[str, Any] = {
        field.name: Fact(gap=Gap(GapKind.NOT_RECORDED, "not recorded"))
        for field in fields(Facts)
        if field.name not in ("patient", "issues", "mendings", "foreign", "unread_parts")
    }
    gaps["neuroendocrine_tumour"] = Fact(Presence.PRESENT, (Evidence("Condition/net", "code"),))
    gaps["liver_metastases"] = Fact(
        gap=Gap(GapKind.INDETERMINATE, "not used here"),
        evidence=(Evidence("Condition/liver", "code"), Evidence("Observation/m", "code")),
    )
    return Facts(patient="Patient/p1", **gaps)
