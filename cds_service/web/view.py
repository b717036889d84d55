"""What an assessment page shows: a reading as rows, dates and sentences. Every number and day is the assessment's."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import date
from itertools import groupby
from typing import Any, TypeVar, cast

from flask import render_template

from cds_service.eligibility.assessment import Assessment, Caveat, Consideration, CriterionResult, Difference
from cds_service.eligibility.headline import GATE
from cds_service.eligibility.policy import Citation, Policy, policy
from cds_service.eligibility.verdict import Answer
from cds_service.hooks.cards import CARDS
from cds_service.hooks.detail import ANSWERS, FLAGS, MARKS, policy_name
from cds_service.hooks.text import one_line
from cds_service.web.drawing import NARROW, WIDE, Drawing, draw
from cds_service.web.evidence import Evidences, Source
from cds_service.web.literature import Literature, literature
from cds_service.web.patient import Banner, banner
from cds_service.web.reading import Reading
from cds_service.web.timeline import MEANINGS, Timeline, timeline
from fhir_mappings.bundle import PartState
from fhir_mappings.drafts import drafts
from fhir_mappings.facts import OrderKind

T = TypeVar("T")

VERIFICATIONS: Mapping[str, str] = {
    "verified": "read at the source, mostly in its abstract or a restatement",
    "from-memory": "from memory, not looked up",
    "judgement": "a judgement of this project, not a published rule",
}
_STATES = {
    PartState.NOT_SENT: "not sent",
    PartState.FAILED: "could not be fetched",
    PartState.TRUNCATED: "sent in part only",
}


@dataclass(frozen=True, slots=True)
class Link:
    """An address and what it is called."""

    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Actions:
    """What the place that shows a page offers beside it; what it does not offer is not shown.

    `form` is the address of the form for missing data. `other_day` answers `GET ?on=DATE` with the page of that day;
    `hidden` are further parameters that it needs. `closed` names the parts of the record that the place may not read.
    `leave` is where a form with `hidden_on_leaving` ends the session. `notice` stands above everything, also on paper;
    `added` names what is read together with the record and stands nowhere in it.
    """

    back: Link | None = None
    form: str | None = None
    other_day: str | None = None
    hidden: tuple[tuple[str, str], ...] = ()
    links: tuple[Link, ...] = ()
    closed: tuple[str, ...] = ()
    leave: str | None = None
    hidden_on_leaving: tuple[tuple[str, str], ...] = ()
    notice: str = ""
    added: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One criterion: its answer, what other rule sets answer, and the resources behind it."""

    result: CriterionResult
    citation: Citation
    sources: tuple[Source, ...]
    discarded: tuple[Source, ...]
    differences: tuple[Difference, ...]
    orders: tuple[str, ...]
    is_gate: bool

    @property
    def is_attested(self) -> bool:
        """Whether anything that the answer rests on was typed by the user."""
        return any(item.attested for item in self.sources)


@dataclass(frozen=True, slots=True)
class Beside:
    """Something beside the criteria: a sentence and the resources behind it."""

    reason: str
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Date:
    """A day on which something changes by itself, and what."""

    day: date
    text: str


@dataclass(frozen=True, slots=True)
class Other:
    """What another rule set concludes for the same patient, and the criteria that it answers otherwise."""

    title: str
    verdict: str
    is_same: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class View:
    """Everything that the page of one reading shows."""

    banner: Banner
    assessment: Assessment
    policy: Policy
    summary: str
    rows: tuple[Row, ...]
    considerations: tuple[Beside, ...]
    caveats: tuple[Beside, ...]
    dates: tuple[Date, ...]
    others: tuple[Other, ...]
    drafts: tuple[str, ...]
    drafts_in_doubt: tuple[str, ...]
    orders_placed: tuple[Source, ...]
    orders_set_aside: tuple[Source, ...]
    unsent: tuple[tuple[str, str], ...]
    timeline: Timeline
    drawings: tuple[tuple[str, Drawing], ...]
    literature: Literature
    attested: tuple[str, ...]

    @property
    def remedies(self) -> tuple[Row, ...]:
        """What would answer or turn a criterion: those that are not met first, then the unknown ones."""
        ranks = {Answer.NOT_MET: 0, Answer.UNKNOWN: 1}
        found = (row for row in self.rows if row.result.remedy and row.result.answer in ranks)
        return tuple(sorted(found, key=lambda row: ranks[row.result.answer]))

    @property
    def has_gaps(self) -> bool:
        """Whether any criterion is unknown."""
        return any(row.result.answer is Answer.UNKNOWN for row in self.rows)


def assessment_page(reading: Reading, *, actions: Actions) -> str:
    """The page of a reading as HTML. Needs an application context in which `pages` is registered."""
    return render_template(
        "web/assessment.html",
        page=view(reading),
        actions=actions,
        answers=ANSWERS,
        marks=MARKS,
        flags=FLAGS,
        meanings=MEANINGS,
        verifications=VERIFICATIONS,
    )


def view(reading: Reading) -> View:
    """What the page of a reading shows."""
    assessment = visible(reading.assessment)
    evidences = Evidences(reading.record, reading.attested)
    course = timeline(reading)
    return View(
        banner=banner(reading),
        assessment=assessment,
        policy=reading.policy,
        summary=_summary(assessment),
        rows=tuple(_row(item, assessment, reading.policy, evidences) for item in assessment.criteria),
        considerations=tuple(_beside(item, evidences) for item in assessment.considerations),
        caveats=tuple(_beside(item, evidences) for item in assessment.caveats),
        dates=tuple(sorted(_dates(assessment), key=lambda item: (item.day, item.text))),
        others=tuple(_other(name, verdict, assessment) for name, verdict in assessment.other_verdicts),
        drafts=_labels(assessment.orders),
        drafts_in_doubt=_labels(assessment.orders_in_doubt),
        orders_placed=evidences.discarded(assessment.orders_placed),
        orders_set_aside=evidences.discarded(assessment.orders_set_aside),
        unsent=_unsent(reading.record.parts),
        timeline=course,
        drawings=(("wide", draw(course, WIDE)), ("narrow", draw(course, NARROW))),
        literature=literature(),
        attested=tuple(sorted(reading.attested)),
    )


def visible(value: T) -> T:
    """A value with every text in it as one line of characters that can be seen: none can turn the page around."""
    if type(value) is str:
        return cast("T", one_line(str(value)))
    if isinstance(value, tuple):
        return cast("T", tuple(visible(item) for item in value))
    if is_dataclass(value) and not isinstance(value, type):
        texts: dict[str, Any] = {
            field.name: visible(getattr(value, field.name)) for field in fields(value) if field.init
        }
        return cast("T", replace(value, **texts))
    return value


def _summary(assessment: Assessment) -> str:
    """The sentence of the card; without a card, why the criteria are not asked."""
    words = CARDS.get(assessment.verdict)
    return words(assessment, policy_name(assessment)) if words else f"Not assessed: {assessment.headline}"


def _row(item: CriterionResult, assessment: Assessment, rules: Policy, evidences: Evidences) -> Row:
    return Row(
        result=item,
        citation=rules.rule(item.id).citation,
        sources=evidences.used(item.evidence),
        discarded=evidences.discarded(item.discarded),
        differences=tuple(found for found in assessment.differences if found.criterion == item.id),
        orders=_labels(item.orders),
        is_gate=item.id == GATE,
    )


def _beside(item: Consideration | Caveat, evidences: Evidences) -> Beside:
    return Beside(item.reason, evidences.used(item.evidence))


def _dates(assessment: Assessment) -> Iterator[Date]:
    """The end of a wait, of the use of a study and of an age limit."""
    if assessment.resolves_on is not None:
        yield Date(assessment.resolves_on, "Time-bound criteria can be met from this day.")
    dated = sorted((item.stale_on, item.label) for item in assessment.criteria if item.stale_on is not None)
    for day, found in groupby(dated, lambda pair: pair[0]):
        last = "was" if day < assessment.evaluated_on else "is"
        yield Date(
            day, f"Last day on which the imaging {last} current: {', '.join(label for _, label in found)}."
        )
    if assessment.ages_out_on is not None:
        when = "" if assessment.ages_out_exactly else " at the earliest"
        yield Date(assessment.ages_out_on, f"The age limit, which is relative, is passed{when}.")


def _other(name: str, verdict: str, assessment: Assessment) -> Other:
    return Other(
        title=policy(name).title,
        verdict=verdict.replace("-", " "),
        is_same=verdict == assessment.verdict,
        differences=tuple(item for item in assessment.differences if item.policy == name),
    )


def _labels(orders: Iterable[OrderKind]) -> tuple[str, ...]:
    return tuple(drafts()[kind].label for kind in orders)


def _unsent(parts: Mapping[str, PartState]) -> tuple[tuple[str, str], ...]:
    return tuple((kind, _STATES[state]) for kind, state in sorted(parts.items()) if state in _STATES)
