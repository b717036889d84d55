"""Days that may be known only to the month or the year: FHIR dates as intervals, and calendar arithmetic."""

import re
from calendar import monthrange
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(T\S+)?)?)?")
_LAST_CLOCK = timezone(timedelta(hours=-12))  # where a day ends last
_YEARS = range(
    1905, 2200
)  # others stand for "no day": 0001, 1753, 1900, 9999 are what databases and forms put there


@dataclass(frozen=True, slots=True)
class PartialDate:
    """The calendar days that a FHIR `date`, `dateTime` or `Period` can mean, from `earliest` to `latest`.

    A `dateTime` counts as the day that is written, in the time zone that is written: that is the day the
    clinician saw on the calendar. `text` is the value as recorded. `soonest` is the day of a moment on the clock that
    is furthest behind; None without a time zone.
    """

    earliest: date
    latest: date
    text: str
    soonest: date | None = field(default=None, compare=False, repr=False)

    @property
    def is_exact(self) -> bool:
        """Tell whether only one day fits."""
        return self.earliest == self.latest

    def may_lie_by(self, on: date) -> bool:
        """Whether it may have come by the end of a day: a moment does so where any place's clock says so."""
        return self.earliest <= on or (self.soonest is not None and self.soonest <= on)

    def on_any_clock(self) -> "PartialDate":
        """The same moment, from its day on the clock that is furthest behind."""
        return self if self.soonest is None else replace(self, earliest=min(self.soonest, self.earliest))

    def __str__(self) -> str:
        return self.earliest.isoformat() if self.earliest == self.latest else self.text


def parse_date(text: object) -> PartialDate | None:
    """Read a FHIR date (`2026`, `2026-11`, `2026-11-23`, `2026-11-23T10:00:00Z`); None if it is not one."""
    match = _DATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day, time = match.groups()
    try:
        found = _days(int(year), int(month) if month else None, int(day) if day else None, match[0][:10])
    except ValueError:  # the 31st of June, the 13th month, the year 0000
        return None
    return found if time is None else replace(found, soonest=_soonest(match[0]))


def recorded_date(text: object) -> PartialDate | None:
    """A date of a record: a year in which nothing can have been recorded of anyone alive stands for no day at all."""
    found = parse_date(text)
    return found if found is not None and found.earliest.year in _YEARS else None


def _soonest(text: str) -> date | None:
    """The day of a moment at UTC-12; None without a time zone, as then the clock is the clinician's."""
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(_LAST_CLOCK).date() if moment.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _days(year: int, month: int | None, day: int | None, text: str) -> PartialDate:
    if month is None:
        return PartialDate(date(year, 1, 1), date(year, 12, 31), text)
    if day is None:
        return PartialDate(date(year, month, 1), date(year, month, monthrange(year, month)[1]), text)
    exact = date(year, month, day)
    return PartialDate(exact, exact, text)


def span(start: PartialDate | None, end: PartialDate | None) -> PartialDate | None:
    """The days that a FHIR Period covers; a period with one end missing counts as the end that is known."""
    if start is None or end is None:
        return start or end
    if end.latest < start.earliest:  # written the wrong way round: nothing can be concluded
        return None
    return PartialDate(start.earliest, end.latest, f"{start.text}/{end.text}", start.soonest)


def surely_before(day: PartialDate | None, other: PartialDate | None) -> bool:
    """Whether every day that fits the one lies before every day that fits the other; an unknown day never does."""
    return day is not None and other is not None and day.latest < other.earliest


def add_months(day: date, months: int) -> date:
    """The same day `months` calendar months on, or the last day of that month: 31 August + 6 = 28 February.

    Six months are calendar months, never 180 days (clinical.md 5.2).
    """
    index = day.year * 12 + day.month - 1 + months
    year, month = divmod(index, 12)
    if not date.min.year <= year <= date.max.year:  # a period that ends in 9999 has no end
        return date.max if months > 0 else date.min
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def birthday(birth: date, years: int) -> date:
    """The day on which someone born on `birth` completes `years`; 29 February counts on 1 March (clinical.md 7.1)."""
    try:
        return birth.replace(year=birth.year + years)
    except ValueError:
        return date(birth.year + years, 3, 1)


def completed_years(birth: date, on: date) -> int:
    """Age in completed years on a day."""
    years = on.year - birth.year
    return years if birthday(birth, years) <= on else years - 1
