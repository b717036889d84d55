"""The course of a disease from its dated assessments: when it last progressed, and since when it has been stable.

Every day may be known only in part and some readings are unsure, so each landmark is kept as the earliest and the
latest day that it can be. Whoever decides asks whether the same answer holds for both (clinical.md 5.2, step 13).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from fhir_mappings.facts import Response, ResponseAssessment
from fhir_mappings.when import PartialDate, add_months


@dataclass(frozen=True, slots=True)
class Landmark:
    """A day of the course, from the earliest to the latest that it can be."""

    earliest: date
    latest: date

    def later_of(self, day: PartialDate) -> "Landmark":
        """The later of two days, each known only in part."""
        return Landmark(max(self.earliest, day.earliest), max(self.latest, day.latest))

    def plus(self, months: int) -> "Landmark":
        """The landmark some calendar months on."""
        return Landmark(add_months(self.earliest, months), add_months(self.latest, months))

    def __str__(self) -> str:
        same = self.earliest == self.latest
        return str(self.earliest) if same else f"{self.earliest} to {self.latest}"


@dataclass(frozen=True, slots=True)
class Course:
    """The assessments up to the day of evaluation, sorted by what they are sure to say.

    `good` is everything that is no progression. `unsure` ones are preliminary, or were read both ways on one day.
    """

    progressions: tuple[PartialDate, ...]
    good: tuple[PartialDate, ...]
    unsure: tuple[ResponseAssessment, ...]

    @property
    def doubts(self) -> tuple[PartialDate, ...]:
        """The days of unsure readings that could be a progression."""
        days = {item.date for item in self.unsure if _may_be_progression(item)}
        return tuple(sorted(days, key=lambda day: (day.earliest, day.latest, day.text)))

    @property
    def run_start(self) -> Landmark:
        """The last progression, which is the new baseline; without one the first assessment (step 3).

        Needs at least one sure assessment. Doubts can only move it to a later day.
        """
        if self.progressions:
            earliest = max(day.earliest for day in self.progressions)
            latest = max(day.latest for day in self.progressions)
        else:
            earliest = min(day.earliest for day in (*self.good, *(item.date for item in self.unsure)))
            latest = min(day.latest for day in self.good)
        return Landmark(earliest, max((latest, *(day.latest for day in self.doubts))))

    @property
    def last_progression(self) -> PartialDate | None:
        """The last sure progression."""
        return max(self.progressions, key=lambda day: (day.latest, day.earliest, day.text), default=None)

    @property
    def ends_in_progression(self) -> bool:
        """Tell whether the last assessment is surely a progression (step 7)."""
        better = (*self.good, *(item.date for item in self.unsure if not _is_progression(item)))
        last = max((day.earliest for day in self.progressions), default=None)
        return last is not None and all(day.latest < last for day in better)

    def last_good_after(self, day: date) -> PartialDate | None:
        """The last assessment that is no progression and surely lies after a day (step 5)."""
        after = (item for item in self.good if item.earliest > day)
        return max(after, key=lambda item: (item.earliest, item.latest, item.text), default=None)


def read_course(assessments: Sequence[ResponseAssessment], on: date) -> Course:
    """Sort the assessments; what lies after the day of evaluation is dropped (step 1)."""
    past = [item for item in assessments if item.date.earliest <= on]
    disputed = _disputed_days(past)
    unsure = [item for item in past if not item.confirmed or _is_disputed(item, disputed)]
    firm = [item for item in past if item.confirmed and not _is_disputed(item, disputed)]
    return Course(
        progressions=tuple(item.date for item in firm if _is_progression(item)),
        good=tuple(item.date for item in firm if not _is_progression(item)),
        unsure=tuple(unsure),
    )


def _disputed_days(assessments: Iterable[ResponseAssessment]) -> frozenset[date]:
    """Days with progression by one reader and stability by another: nobody here decides who is right (step 11)."""
    days: dict[bool, set[date]] = {True: set(), False: set()}
    for item in assessments:
        if item.confirmed and item.date.is_exact:
            days[_is_progression(item)].add(item.date.earliest)
    return frozenset(days[True] & days[False])


def _is_disputed(item: ResponseAssessment, days: frozenset[date]) -> bool:
    return item.response is Response.CONFLICTING or (item.date.is_exact and item.date.earliest in days)


def _is_progression(item: ResponseAssessment) -> bool:
    return item.response is Response.PROGRESSION


def _may_be_progression(item: ResponseAssessment) -> bool:
    """A preliminary progression, or a day with two opinions; a preliminary "stable" is no doubt."""
    return item.confirmed or item.response in (Response.PROGRESSION, Response.CONFLICTING)
