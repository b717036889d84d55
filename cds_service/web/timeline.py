"""What happened when, and what time will change: the events, windows and milestones of one patient, without a pixel."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from cds_service.eligibility.assessment import CriterionResult
from cds_service.eligibility.course import Course, read_course
from cds_service.eligibility.criterion import percent
from cds_service.eligibility.policy import Policy
from cds_service.eligibility.stability import counted_from, resection_day
from cds_service.web.reading import Reading
from fhir_mappings.facts import (
    Evidence,
    Facts,
    Ki67Reading,
    Presence,
    PrimaryResection,
    ResidualStatus,
    Response,
    ResponseAssessment,
)
from fhir_mappings.when import PartialDate, add_months, parse_date


class Lane(StrEnum):
    """The rows of the timeline, from top to bottom; each is named as a clinician reads it."""

    SURGERY = "Resection of the primary"
    RESPONSE = "Response"
    KI67 = "Ki-67"
    EXTRAHEPATIC = "Outside the liver"
    INVOLVEMENT = "Liver involvement"
    WINDOW = "Stability"


class Shape(StrEnum):
    """The symbol of an event: kinds differ by shape, and never by colour alone."""

    RESECTION = "square"
    STABLE = "circle"
    RESPONSE = "triangle"
    PROGRESSION = "cross"
    DISPUTED = "question"
    KI67 = "diamond"
    IMAGING = "hexagon"


MEANINGS = {
    Shape.RESECTION: "resection",
    Shape.STABLE: "stable disease (SD)",
    Shape.RESPONSE: "response (CR, PR)",
    Shape.PROGRESSION: "progression (PD)",
    Shape.DISPUTED: "readings disagree",
    Shape.KI67: "Ki-67",
    Shape.IMAGING: "imaging",
}
_SHAPES = {
    Response.COMPLETE: (Shape.RESPONSE, "CR"),
    Response.PARTIAL: (Shape.RESPONSE, "PR"),
    Response.RESPONSE: (Shape.RESPONSE, "response"),
    Response.STABLE: (Shape.STABLE, "SD"),
    Response.PROGRESSION: (Shape.PROGRESSION, "PD"),
    Response.CONFLICTING: (Shape.DISPUTED, "SD and PD"),
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened on a day, which may be known only in part. `firm` is false for a preliminary reading."""

    lane: Lane
    shape: Shape
    label: str  # beside the symbol: "SD", "12 %"
    text: str  # in the table: "stable disease"
    day: PartialDate
    firm: bool = True
    attested: bool = False


@dataclass(frozen=True, slots=True)
class Validity:
    """For how long a study may be used: current up to and including `until`."""

    lane: Lane
    start: date
    until: date


@dataclass(frozen=True, slots=True)
class Window:
    """The months of stability that are asked for, and how far they are filled.

    They count from `start`, which lies between `earliest` and `start` where a day is known in part. Up to
    `documented` an assessment proves them; from there to the day of evaluation time has passed without proof.
    """

    months: int
    earliest: date
    start: date
    end: date
    documented: date | None


@dataclass(frozen=True, slots=True)
class Milestone:
    """A day that divides: of evaluation, of the end of a wait, of an age limit."""

    kind: str  # "evaluated", "resolves", "ages-out"
    label: str
    day: date


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything that has a day. `undated` says in words what has none."""

    on: date
    events: tuple[Event, ...] = ()
    validities: tuple[Validity, ...] = ()
    window: Window | None = None
    milestones: tuple[Milestone, ...] = ()
    undated: tuple[str, ...] = ()

    @property
    def lanes(self) -> tuple[Lane, ...]:
        """The rows in which something stands."""
        used = {event.lane for event in self.events} | {item.lane for item in self.validities}
        return tuple(lane for lane in Lane if lane in used or (lane is Lane.WINDOW and self.window))

    @property
    def empty(self) -> tuple[Lane, ...]:
        """The rows of which nothing dated is on record: no news is no good news."""
        return tuple(lane for lane in Lane if lane not in (*self.lanes, Lane.WINDOW))

    @property
    def shapes(self) -> tuple[Shape, ...]:
        """The symbols that are used, for the legend."""
        used = {item.shape for item in self.events}
        return tuple(shape for shape in Shape if shape in used)


def timeline(reading: Reading) -> Timeline:
    """The timeline of a reading; a part of the record that says nothing leaves its lane empty."""
    facts, assessment = reading.facts, reading.assessment
    found = [*_resections(facts), *_responses(facts), *_ki67(facts), *_imaging(facts)]
    on = assessment.evaluated_on
    dated = [_event(item, item.day, reading.attested, on) for item in found if item.day is not None]
    return Timeline(
        on=on,
        events=tuple(sorted(set(dated), key=_in_time)),
        validities=tuple(_validities(assessment.criteria)),
        window=_window(facts, reading.policy, on),
        milestones=tuple(_milestones(reading)),
        undated=tuple(dict.fromkeys(f"{item.lane}: {item.text}" for item in found if item.day is None)),
    )


def _in_time(event: Event) -> tuple[date, date, str, str]:
    return (event.day.earliest, event.day.latest, event.lane, event.label)


# --- events -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Found:
    lane: Lane
    shape: Shape
    label: str
    text: str
    day: PartialDate | None
    references: tuple[str, ...]
    firm: bool = True


def _event(item: _Found, day: PartialDate, attested: frozenset[str], on: date) -> Event:
    typed = any(reference in attested for reference in item.references)
    is_ahead = day.earliest > on
    text = f"{item.text}, after the day of evaluation" if is_ahead else item.text
    return Event(item.lane, item.shape, item.label, text, day, item.firm and not is_ahead, typed)


def _references(evidence: Iterable[Evidence]) -> tuple[str, ...]:
    return tuple(item.reference for item in evidence)


def _resections(facts: Facts) -> Iterator[_Found]:
    fact = facts.primary_resection
    if fact.value is None or not fact.value.performed:
        return
    residual = fact.value.residual
    label = "margin not stated" if residual is ResidualStatus.NOT_STATED else str(residual)
    for day in dict.fromkeys(_days(fact.value)):
        text = f"resection of the primary, {label}"
        yield _Found(Lane.SURGERY, Shape.RESECTION, label, text, day, _references(fact.evidence))


def _days(resection: PrimaryResection) -> tuple[PartialDate | None, ...]:
    """The first and the last resection, where several primaries were removed."""
    return (resection.date, resection.last_date) if resection.last_date else (resection.date,)


def _responses(facts: Facts) -> Iterator[_Found]:
    course = facts.disease_response.value
    for item in course.assessments if course else ():
        yield _response(item)


def _response(item: ResponseAssessment) -> _Found:
    shape, label = _SHAPES[item.response]
    doubt = "" if item.confirmed else " (preliminary)"
    return _Found(
        Lane.RESPONSE, shape, label, f"{item.response}{doubt}", item.date, (item.reference,), item.confirmed
    )


def _ki67(facts: Facts) -> Iterator[_Found]:
    value = facts.ki67_percent.value
    for item in value.readings if value else ():
        yield _count(item)


def _count(item: Ki67Reading) -> _Found:
    label = percent(item.percent)
    text = f"Ki-67 {label}, tissue: {item.tissue}"
    return _Found(Lane.KI67, Shape.KI67, label, text, item.date, (item.reference,))


def _imaging(facts: Facts) -> Iterator[_Found]:
    outside, liver = facts.extrahepatic_disease, facts.liver_involvement_percent
    if outside.value is not None:
        said = "none" if outside.value.presence is Presence.ABSENT else "present"
        text = f"disease outside the liver: {said}{' seen' if said == 'none' else ''}"
        references = _references(outside.evidence)
        yield _Found(Lane.EXTRAHEPATIC, Shape.IMAGING, said, text, outside.value.as_of, references)
    if liver.value is not None:
        label = percent(liver.value.percent)
        text = f"liver involvement {label} ({liver.value.method})"
        references = _references(liver.evidence)
        yield _Found(Lane.INVOLVEMENT, Shape.IMAGING, label, text, liver.value.date, references)


# --- what time changes ------------------------------------------------------------------------------------------------

_LANES = {
    "stability": Lane.RESPONSE,
    "no-extrahepatic-disease": Lane.EXTRAHEPATIC,
    "liver-involvement": Lane.INVOLVEMENT,
}


def _validities(criteria: Iterable[CriterionResult]) -> Iterator[Validity]:
    """How long each study may be used, as the criteria say; from the earliest day that it can be of."""
    for item in criteria:
        day = parse_date(item.dated)
        if item.id in _LANES and item.stale_on is not None and day is not None:
            yield Validity(_LANES[item.id], min(day.earliest, item.stale_on), item.stale_on)


def _window(facts: Facts, policy: Policy, on: date) -> Window | None:
    """The months of stability; none where they cannot be counted (clinical.md 5.2, steps 4 and 7)."""
    rule = next((rule for rule in policy.rules if rule.criterion == "stability"), None)
    value = facts.disease_response.value
    course = read_course(value.assessments, on) if value else None
    if rule is None or course is None or not (course.good or course.progressions):
        return None
    resection = resection_day(facts.primary_resection.value)
    if resection is None and not course.ends_in_progression:
        return None
    start, months = counted_from(course, resection), rule.months("months")
    return Window(
        months, start.earliest, start.latest, add_months(start.latest, months), _proof(course, start.latest)
    )


def _proof(course: Course, start: date) -> date | None:
    last = course.last_good_after(start)
    return last.earliest if last is not None else None


def _milestones(reading: Reading) -> Iterator[Milestone]:
    assessment = reading.assessment
    yield Milestone("evaluated", "evaluated", assessment.evaluated_on)
    if assessment.resolves_on is not None:
        yield Milestone("resolves", "can be met from", assessment.resolves_on)
    if assessment.ages_out_on is not None:
        label = "age limit passed" if assessment.ages_out_exactly else "age limit passed at the earliest"
        yield Milestone("ages-out", label, assessment.ages_out_on)
