"""Assessment to card: one function for each verdict that has a card; its text is the template of that name."""

from collections.abc import Callable
from typing import Final
from uuid import UUID, uuid5

import orjson

from cds_service.eligibility.assessment import Assessment
from cds_service.eligibility.policy import Policy
from cds_service.eligibility.rendering import as_json
from cds_service.eligibility.verdict import Verdict
from cds_service.hooks.detail import detail, policy_name
from cds_service.hooks.dialects import links
from cds_service.hooks.occasions import Manner
from cds_service.hooks.suggestions import suggestions
from cds_service.hooks.text import plain
from cds_service.tenants import Tenant
from fhir_mappings.facts import Facts, OrderKind

SUMMARY_LIMIT: Final = 139  # "fewer than 140 characters" (CDS Hooks 2.0.1, Card Attributes)
TOPICS: Final = "urn:milan-net:codesystem:card-topics"
OVERRIDES: Final = "urn:milan-net:codesystem:override-reasons"
EXTENSION: Final = "org.milan-net.assessment"
GUIDELINE_URL: Final = "https://doi.org/10.1111/ajt.13831"  # Mazzaferro 2016
USUAL: Final = Manner()
_NAMESPACE = UUID("6f0c7a1e-5f43-5d8c-9b0e-7d6f0d3c2a11")

# clinical.md 9 (j): the reasons for which clinicians set such advice aside.
OVERRIDE_REASONS: Final = [
    {"code": code, "system": OVERRIDES, "display": display}
    for code, display in (
        ("discussed", "Already discussed at a multidisciplinary board"),
        ("declined", "The patient declines"),
        ("resectable", "The liver metastases can be resected"),
        ("comorbidity", "Comorbidity"),
        ("data-wrong", "The recorded data are wrong or out of date"),
        ("other", "Other reason"),
    )
]


def meets(assessment: Assessment, name: str) -> str:
    """Everything that is recorded meets the criteria."""
    text = f"Meets recorded {name} criteria: consider referral for liver-transplant evaluation"
    in_doubt = OrderKind.TRANSPLANT_REFERRAL in assessment.orders_in_doubt
    return f"{text} (not known whether one is active)" if in_doubt else text


def outside(assessment: Assessment, name: str) -> str:
    """A criterion is not met, and time or treatment will not change that."""
    return f"Outside {name} criteria: {assessment.headline}"


def not_yet(assessment: Assessment, _: str) -> str:
    """What is not met can change with time or treatment."""
    return f"Not yet: {assessment.headline}"


def borderline(assessment: Assessment, name: str) -> str:
    """A value stands on the limit, or something beside the criteria needs a discussion."""
    return f"Borderline for {name} criteria: {assessment.headline}: individual discussion"


def resection_first(assessment: Assessment, _: str) -> str:
    """The liver metastases can be resected."""
    return f"Resection first: {assessment.headline}"


def incomplete(assessment: Assessment, _: str) -> str:
    """Nothing speaks against it, but not everything is known."""
    return f"Possible candidate: {assessment.headline}"


CARDS: Final[dict[Verdict, Callable[[Assessment, str], str]]] = {
    Verdict.MEETS: meets,
    Verdict.OUTSIDE: outside,
    Verdict.NOT_YET: not_yet,
    Verdict.BORDERLINE: borderline,
    Verdict.RESECTION_FIRST: resection_first,
    Verdict.INCOMPLETE: incomplete,
}


def cards(  # noqa: PLR0913  a card says what, on which grounds, to whom and how
    assessment: Assessment,
    facts: Facts,
    rules: Policy,
    *,
    hook_instance: str,
    tenant: Tenant,
    how: Manner = USUAL,
    app_context: str | None = None,
) -> list[dict[str, object]]:
    """The card for an assessment, or none: where the criteria do not concern the patient, that is an answer.

    The same call with the same record gives the same card, uuids included: a retry adds nothing. `app_context` is the
    id that was made for its links, where the tenant wants one.
    """
    summarise = CARDS.get(assessment.verdict)
    if summarise is None:
        return []
    shown = orjson.dumps(as_json(assessment))
    uuid = uuid5(_NAMESPACE, f"{hook_instance.lower()} {assessment.patient} {how.topic}{shown.decode()}")
    card: dict[str, object] = {
        "uuid": str(uuid),
        "summary": plain(summarise(assessment, policy_name(assessment)), SUMMARY_LIMIT),
        "detail": detail(assessment, rules, how.opening),
        "indicator": how.indicator.value,
        "source": _source(assessment),
        "overrideReasons": OVERRIDE_REASONS,
        "extension": {EXTENSION: orjson.Fragment(shown)},
    }
    if own_links := links(tenant, app_context):
        card["links"] = own_links
    offered = suggestions(assessment, facts, uuid, tenant, how.ordered)
    return [card | {"suggestions": offered, "selectionBehavior": "any"} if offered else card]


def _source(assessment: Assessment) -> dict[str, object]:
    return {
        "label": plain(assessment.policy_title, SUMMARY_LIMIT),
        "url": GUIDELINE_URL,
        "topic": topic(assessment.verdict),
    }


def topic(verdict: Verdict) -> dict[str, str]:
    """The kind of advice, never a patient: Epic remembers a clinician's override under its code."""
    return {
        "system": TOPICS,
        "code": "milanNet" + verdict.value.title().replace("-", ""),
        "display": f"Milan-NET criteria: {verdict.value.replace('-', ' ')}",
    }
