"""The body of a card: an assessment as GitHub-flavoured Markdown, by the template of its verdict.

Nothing of a record reaches a card unescaped: the environment passes every value that a template writes
through `text.markdown`, so a template cannot forget to.
"""

import re
from collections.abc import Iterable
from datetime import date
from functools import cache, lru_cache
from itertools import groupby
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template

from cds_service.eligibility.assessment import Assessment, CriterionResult
from cds_service.eligibility.policy import Policy, policy
from cds_service.eligibility.verdict import Answer, Flag, Verdict
from cds_service.hooks.text import markdown
from fhir_mappings.drafts import drafts
from fhir_mappings.facts import Evidence
from fhir_mappings.valueset import terminology

ANSWERS: Final = {Answer.MET: "met", Answer.NOT_MET: "not met", Answer.UNKNOWN: "unknown"}
MARKS: Final = {Answer.MET: "✓", Answer.NOT_MET: "✗", Answer.UNKNOWN: "?"}
FLAGS: Final = {
    Flag.BORDERLINE: "borderline",
    Flag.STALE: "out of date",
    Flag.CONFLICTING: "sources disagree",
    Flag.RELATIVE: "relative criterion",
    Flag.UNREADABLE: "could not be read",
    Flag.NOT_SENT: "not sent",
    Flag.LOW_CONFIDENCE: "low confidence",
    Flag.DERIVED: "derived",
}
_SENTENCE_LIMIT = 1500
_SHOWN_RESOURCES = 6
_BLANK_LINES = re.compile(r"\n{3,}")
_CODING = re.compile(r"((?:https?:|urn:)[^\s|]+)\|([^\s|]+)")


def detail(assessment: Assessment, rules: Policy, opening: str = "") -> str:
    """The body of the card; `opening` says why it is shown just now. Raises KeyError for a verdict without a card."""
    text = _templates()[assessment.verdict].render(
        a=assessment,
        occasion=opening,
        name=policy_name(assessment),
        evidence=rules.evidence,
        unmet=[c for c in assessment.criteria if c.answer is Answer.NOT_MET],
        missing=[c for c in assessment.criteria if c.answer is Answer.UNKNOWN],
        stale=_stale(assessment.criteria),
        rests_on=[(c.label, _sources(c.evidence)) for c in assessment.criteria if c.evidence],
        discarded=[(c.label, item) for c in assessment.criteria for item in c.discarded],
        in_doubt=[drafts()[kind].label for kind in assessment.orders_in_doubt],
        other_verdicts=_other_verdicts(assessment),
        shown=_SHOWN_RESOURCES,
    )
    return _BLANK_LINES.sub("\n\n", text).strip()


def policy_name(assessment: Assessment) -> str:
    """What the rule set is called in a sentence."""
    return "Milan-NET" if assessment.policy.startswith("milan-net") else assessment.policy_title


def load() -> None:
    """Compile every template, so that a mistake in one stops the start and no request pays for it."""
    _templates()


# --- what the templates are given ----------------------------------------------------------------------------


def _stale(criteria: Iterable[CriterionResult]) -> list[tuple[date, str]]:
    """The days on which studies go out of date, each with the criteria that rest on them."""
    dated = sorted((c.stale_on, c.label) for c in criteria if c.stale_on is not None)
    return [
        (day, ", ".join(label for _, label in items)) for day, items in groupby(dated, lambda item: item[0])
    ]


def _sources(evidence: Iterable[Evidence]) -> list[tuple[str, str, str]]:
    """Each resource once: its reference, what is written there, and its date."""
    found: dict[str, tuple[list[str], str]] = {}
    for item in evidence:
        texts, _ = found.setdefault(item.reference, ([], str(item.date or "")))
        text = written(item)
        if text and text not in texts:
            texts.append(text)
    return [(reference, "; ".join(texts), day) for reference, (texts, day) in found.items()]


def written(item: Evidence) -> str:
    """What stands in an element, as a reader of the chart would say it: a code by the label that we have for it."""
    if item.value is None or item.value == item.code:
        return item.display or _label(item.code or "")
    return _label(item.value) if _CODING.fullmatch(item.value) else item.value


@lru_cache(maxsize=1024)  # of codings only: nothing of a patient is remembered
def _label(coding: str) -> str:
    match = _CODING.fullmatch(coding)
    return (terminology().display(match[1], match[2]) or match[2]) if match else coding


def _other_verdicts(assessment: Assessment) -> list[tuple[str, str]]:
    """Title and verdict of the other rule sets that conclude otherwise."""
    return [
        (policy(policy_id).title, verdict.replace("-", " "))
        for policy_id, verdict in assessment.other_verdicts
        if verdict != assessment.verdict
    ]


# --- the templates -------------------------------------------------------------------------------------------


class _Escaped(str):
    """Text that has gone through `text.markdown`."""

    __slots__ = ()


def _write(value: object) -> str:
    """What a template writes for a value: escaped, unless that has been done."""
    return value if isinstance(value, _Escaped) else markdown(str(value))


def _clause(value: str) -> _Escaped:
    """A filter for wording of ours, longer than a quoted value; what follows it is the template's."""
    return _Escaped(markdown(value.rstrip(". "), _SENTENCE_LIMIT))


def _sentence(value: str) -> _Escaped:
    """A filter for a clause that ends a sentence."""
    return _Escaped(_clause(value) + "\\.")


@cache
def _templates() -> dict[Verdict, Template]:
    environment = Environment(
        loader=PackageLoader("cds_service", "templates/cards"),
        autoescape=False,  # noqa: S701  `finalize` escapes, for Markdown, where autoescape knows only HTML
        finalize=_write,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(clause=_clause, sentence=_sentence)
    environment.globals.update(answers=ANSWERS, marks=MARKS, flags=FLAGS, written=written)
    names = (verdict for verdict in Verdict if verdict is not Verdict.NOT_APPLICABLE)
    return {verdict: environment.get_template(f"{verdict.value}.md") for verdict in names}
