"""The criterion `no-extrahepatic-disease`: nothing outside the liver, on positive evidence (clinical.md 1.6, 7.2)."""

from dataclasses import replace
from datetime import date

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criterion import (
    decided,
    is_current,
    missing,
    outdated,
    with_gap,
)
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.stability import resection_day
from cds_service.eligibility.verdict import Answer, Flag, Nature
from fhir_mappings.facts import DiseaseExtent, ExtrahepaticDisease, Facts, OrderKind, Presence
from fhir_mappings.when import add_months

_PET = OrderKind.SOMATOSTATIN_RECEPTOR_PET


def no_extrahepatic_disease(facts: Facts, rule: Rule, on: date) -> CriterionResult:
    """No disease outside the liver, on current whole-body imaging after the resection (clinical.md 1.6, 5.3, 7.2)."""
    fact = facts.extrahepatic_disease
    if fact.value is None:
        return missing(rule, fact, "Whole-body somatostatin-receptor imaging.", _PET)
    if fact.value.presence is Presence.PRESENT:
        return _extrahepatic_present(facts, rule, fact.value)
    doubt = _unusable_imaging(facts, rule, on, fact.value) or _before_resection(facts, rule, fact.value)
    if doubt is not None:
        return doubt
    reason = f"Whole-body imaging of {fact.value.as_of} shows no disease outside the liver."
    return _absent(facts, rule, Answer.MET, reason, fact.value)


def _extrahepatic_present(facts: Facts, rule: Rule, disease: ExtrahepaticDisease) -> CriterionResult:
    """Organ metastases are permanent, nodes can be cleared; a site that is not stated is never called permanent.

    The code for peritoneal disease also covers a regional mesenteric mass (terminology.md, C7B.04): alone it is
    present with review, not a hard exclusion, and so unknown.
    """
    extents = set(disease.extents) or {DiseaseExtent.UNSPECIFIED}
    where = ", ".join(disease.sites) or ", ".join(disease.extents) or DiseaseExtent.UNSPECIFIED.value
    if extents == {DiseaseExtent.REVIEW}:
        reason = f"Disease is recorded that may lie outside the liver ({where}); peritoneum or mesenteric mass needs review."
        return decided(
            rule,
            Answer.UNKNOWN,
            reason,
            facts.extrahepatic_disease,
            value=where,
            flags=(Flag.LOW_CONFIDENCE,),
            remedy="Board review of the imaging.",
        )
    nature = rule.nature if DiseaseExtent.ORGAN in extents else Nature.ACTIONABLE
    remedy = None if DiseaseExtent.ORGAN in extents else "Board review: can it be cleared, and where is it?"
    reason = f"Disease outside the liver is on record ({where})."
    fact = facts.extrahepatic_disease
    return decided(rule, Answer.NOT_MET, reason, fact, value=where, nature=nature, remedy=remedy)


def _unusable_imaging(
    facts: Facts, rule: Rule, on: date, disease: ExtrahepaticDisease
) -> CriterionResult | None:
    """A negative study proves absence only if it saw the whole body, is dated, and is current."""
    fact = facts.extrahepatic_disease
    if rule.truth("wholeBodyImaging") and not disease.whole_body_imaging:
        reason = (
            "No disease outside the liver is on record, but not on whole-body somatostatin-receptor imaging."
        )
        return _absent_unproven(facts, rule, reason, disease)
    if disease.as_of is None:
        return _absent_unproven(
            facts, rule, "The imaging that shows no disease outside the liver is not dated.", disease
        )
    if not is_current(disease.as_of, rule.months("stalenessMonths"), on):
        result = outdated(rule, disease.as_of, on, "Whole-body imaging", fact)
        return replace(result, remedy="Repeat whole-body somatostatin-receptor imaging.", orders=(_PET,))
    return None


def _before_resection(facts: Facts, rule: Rule, disease: ExtrahepaticDisease) -> CriterionResult | None:
    """The study has to follow the resection; where none was done there is nothing to follow."""
    resection = facts.primary_resection
    if disease.as_of is None or (resection.value is not None and not resection.value.performed):
        return None
    day = resection_day(resection.value)
    if day is None:
        reason = "No disease is seen outside the liver; whether after the resection is open, as its day is not on record."
        result = _absent(facts, rule, Answer.UNKNOWN, reason, disease)
        return with_gap(replace(result, remedy="Record the day of the resection."), resection.gap)
    if disease.as_of.earliest > day.latest:
        return None
    reason = f"The whole-body imaging of {disease.as_of} does not surely follow the resection of {day}."
    return _absent_unproven(facts, rule, reason, disease)


def _absent(
    facts: Facts, rule: Rule, answer: Answer, reason: str, disease: ExtrahepaticDisease
) -> CriterionResult:
    stale_on = add_months(disease.as_of.earliest, rule.months("stalenessMonths")) if disease.as_of else None
    dated = str(disease.as_of) if disease.as_of else None
    fact = facts.extrahepatic_disease
    return decided(rule, answer, reason, fact, value="none seen", dated=dated, stale_on=stale_on)


def _absent_unproven(facts: Facts, rule: Rule, reason: str, disease: ExtrahepaticDisease) -> CriterionResult:
    result = _absent(facts, rule, Answer.UNKNOWN, reason, disease)
    return replace(result, remedy="Whole-body somatostatin-receptor imaging.", orders=(_PET,))
