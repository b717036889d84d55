"""Days that may be known only to the month or the year: FHIR dates as intervals, and calendar arithmetic."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2})(?:T\S+)?)?)?")


@dataclass(frozen=True, slots=True)
class PartialDate:
    """The calendar days that a FHIR `date`, `dateTime` or `Period` can mean, from `earliest` to `latest`.

    A `dateTime` counts as the day that is written, in the time zone that is written: that is the day the
    clinician saw on the calendar. `text` is the value as recorded.
    """

    earliest: date
    latest: date
    text: str

    @property
    def is_exact(self) -> bool:
        """Tell whether only one day fits."""
        return self.earliest == self.latest

    def __str__(self) -> str:
        return self.earliest.isoformat() if self.earliest == self.latest else self.text


def parse_date(text: object) -> PartialDate | None:
    """Read a FHIR date (`2026`, `2026-11`, `2026-11-23`, `2026-11-23T10:00:00Z`); None if it is not one."""
    match = _DATE.fullmatch(text.strip()) if isinstance(text, str) else None
    if match is None:
        return None
    year, month, day = match.groups()
    try:
        return _days(int(year), int(month) if month else None, int(day) if day else None, match[0][:10])
    except ValueError:  # the 31st of June, the 13th month, the year 0000
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
    return PartialDate(start.earliest, end.latest, f"{start.text}/{end.text}")


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
