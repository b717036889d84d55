"""The criteria of the primary tumour: where it drains, and whether it was resected (clinical.md 1.4, 1.5)."""

from dataclasses import replace
from datetime import date

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.criterion import decided, hides, missing
from cds_service.eligibility.policy import Rule
from cds_service.eligibility.stability import resection_day
from cds_service.eligibility.verdict import Answer
from fhir_mappings.facts import Facts, OrderKind, PortalClass, PrimaryResection, PrimarySite, ResidualStatus

_PET = OrderKind.SOMATOSTATIN_RECEPTOR_PET


def portal_drainage(facts: Facts, rule: Rule, on: date) -> CriterionResult:  # noqa: ARG001 - all criteria are called alike
    """Every primary site drains into the portal vein, as this policy reads the published range (clinical.md 1.4)."""
    fact = facts.primary_site
    if fact.value is None:
        return missing(rule, fact, "Find the primary tumour.", _PET)
    classes = dict(zip(fact.value.sites, _classes(fact.value, rule), strict=True))
    answer = _portal_answer(tuple(classes.values()))
    decisive = [_site_name(site) for site, found in classes.items() if _portal_answer((found,)) is answer]
    named = ", ".join(decisive)
    result = decided(rule, answer, _portal_reason(answer, named), fact, value=named)
    if answer is not Answer.UNKNOWN:
        return result
    remedy = "State where the primary tumour began; a site at the edge of the published range needs a board's review."
    return replace(result, remedy=remedy, orders=(_PET,) if PortalClass.UNKNOWN in classes.values() else ())


def _classes(site: PrimarySite, rule: Rule) -> tuple[PortalClass, ...]:
    """The class of each site in this policy: its own decision, else the one the site came with."""
    own = dict(zip(site.sites, site.classes, strict=False)) if site.classes else {}
    is_mixed = len(site.sites) > 1 and any(name in rule.overrides for name in site.sites)
    # The worst class of several sites may be that of one which this policy classes otherwise: then nothing is known.
    other = (
        PortalClass.UNKNOWN if is_mixed and site.portal_class is not PortalClass.PORTAL else site.portal_class
    )
    return tuple(
        rule.overrides[name].portal_class if name in rule.overrides else own.get(name, other)
        for name in site.sites
    )


def _portal_answer(classes: tuple[PortalClass, ...]) -> Answer:
    if PortalClass.NOT_PORTAL in classes:
        return Answer.NOT_MET
    return Answer.MET if set(classes) == {PortalClass.PORTAL} else Answer.UNKNOWN


def _portal_reason(answer: Answer, sites: str) -> str:
    return {
        Answer.MET: f"The primary site ({sites}) drains into the portal vein.",
        Answer.NOT_MET: f"The primary site ({sites}) lies outside the portal range of these criteria.",
        Answer.UNKNOWN: f"The primary site ({sites}) does not settle whether it drains into the portal vein.",
    }[answer]


def _site_name(site: str) -> str:
    return site.replace("-", " ") if site != "unknown" else "not known"


# --- resection of the primary -----------------------------------------------------------------------------------------


def primary_resected(facts: Facts, rule: Rule, on: date) -> CriterionResult:  # noqa: ARG001 - all criteria are called alike
    """A curative resection, at an operation of its own, on a known day, of every primary (clinical.md 1.5)."""
    fact = facts.primary_resection
    if fact.value is None:
        return missing(rule, fact, "Record the operation and its margins, or have resection considered.")
    refusal = _resection_refusal(fact.value, rule)
    if refusal is not None:
        value, reason = refusal
        orders = (OrderKind.SURGICAL_REFERRAL,)
        remedy = "Surgical consultation."
        return decided(rule, Answer.NOT_MET, reason, fact, value=value, remedy=remedy, orders=orders)
    if hides(facts.primary_site):
        return missing(rule, facts.primary_site, "State every primary site.")
    doubt = _resection_doubt(fact.value, facts.primary_site.value, rule)
    if doubt is not None:
        reason, remedy = doubt
        return decided(rule, Answer.UNKNOWN, reason, fact, value=_resection_text(fact.value), remedy=remedy)
    reason = f"The primary tumour was resected on {resection_day(fact.value)} ({fact.value.residual})."
    return decided(rule, Answer.MET, reason, fact, value=_resection_text(fact.value))


def _resection_refusal(resection: PrimaryResection, rule: Rule) -> tuple[str, str] | None:
    """Why the primary surely counts as not resected: a short value and a sentence."""
    if not resection.performed:
        return "not resected", "The primary tumour has not been resected."
    if resection.with_transplant:
        return "resected with the transplantation", "The resection was not separate from the transplantation."
    if resection.residual in rule.words("refused"):
        return (
            f"{resection.residual} resection",
            f"The resection left macroscopic tumour ({resection.residual}).",
        )
    return None


def _resection_doubt(
    resection: PrimaryResection, site: PrimarySite | None, rule: Rule
) -> tuple[str, str] | None:
    """What leaves open whether the resection was a curative one: a sentence and a remedy."""
    if resection.leaves_open_what_was_removed:
        return f"The intent of the resection is {resection.intent}.", "Ask surgery whether it was curative."
    if resection.local_excision:
        return "The primary was removed by local excision only.", "Ask surgery whether this was curative."
    if resection.residual not in rule.words("accepted"):
        return f"The resection margin is {resection.residual}.", "State the resection margin (R0, R1, R2)."
    if resection_day(resection) is None:
        return "The day of the resection is not on record.", "Record the day of the resection."
    left = _not_covered(resection, site)
    if left:
        return (
            f"It is not on record that every primary was resected ({left}).",
            "State which primaries were resected.",
        )
    return None


def _not_covered(resection: PrimaryResection, site: PrimarySite | None) -> str:
    """Of several primaries, those that no resection names: each has to pass (clinical.md 1.4, 7.4)."""
    if site is None or len(site.sites) < 2:  # noqa: PLR2004 - several
        return ""
    return ", ".join(_site_name(name) for name in site.sites if name not in resection.sites)


def _resection_text(resection: PrimaryResection) -> str:
    day = resection_day(resection)
    margin = (
        "margin not stated" if resection.residual is ResidualStatus.NOT_STATED else str(resection.residual)
    )
    return f"{margin}, {day}" if day else margin
