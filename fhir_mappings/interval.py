"""Numbers that are known only within limits: intervals with open or closed ends."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Interval:
    """All values from `low` to `high`; an end belongs to the interval when it is closed.

    `<1 %` is [0, 1), `3-5 %` is [3, 5], `2 %` is [2, 2]. Raises ValueError when no value fits.
    """

    low: Decimal
    high: Decimal
    low_closed: bool = True
    high_closed: bool = True

    def __post_init__(self) -> None:
        if self.low > self.high or (self.low == self.high and not (self.low_closed and self.high_closed)):
            raise ValueError(f"no value fits {self}")

    @property
    def is_point(self) -> bool:
        """Tell whether only one value fits."""
        return self.low == self.high

    def is_below(self, limit: Decimal, *, inclusive: bool) -> bool | None:
        """Whether every value is below the limit (True), none is (False), or it depends (None).

        `inclusive` counts the limit itself as below it (`<=`). This is the interval rule of clinical.md 7.1.
        """
        if self.high < limit or (self.high == limit and (inclusive or not self.high_closed)):
            return True
        if self.low > limit or (self.low == limit and not (inclusive and self.low_closed)):
            return False
        return None

    def overlaps(self, other: "Interval") -> bool:
        """Tell whether some value fits both."""
        lower, upper = sorted((self, other), key=lambda item: (item.low, not item.low_closed))
        return lower.high > upper.low or (lower.high == upper.low and lower.high_closed and upper.low_closed)

    def __str__(self) -> str:
        if self.is_point:
            return _plain(self.low)
        if self.low_closed and self.high_closed:
            return f"{_plain(self.low)}-{_plain(self.high)}"
        low = f"{'≥' if self.low_closed else '>'} {_plain(self.low)}"
        high = f"{'≤' if self.high_closed else '<'} {_plain(self.high)}"
        return f"{low}, {high}"


def point(value: Decimal | int | str) -> Interval:
    """The interval that holds one value."""
    number = Decimal(value)
    return Interval(number, number)


def highest(intervals: Iterable[Interval]) -> Interval:
    """Where the largest of several uncertain values lies: it is at least every low end and at most the highest end."""
    items = tuple(intervals)
    low = max(item.low for item in items)
    high = max(item.high for item in items)
    return Interval(
        low,
        high,
        low_closed=all(item.low_closed for item in items if item.low == low),
        high_closed=any(item.high_closed for item in items if item.high == high),
    )


def hull(intervals: Iterable[Interval]) -> Interval:
    """The smallest interval that holds all the given ones."""
    items = tuple(intervals)
    low = min(item.low for item in items)
    high = max(item.high for item in items)
    return Interval(
        low,
        high,
        low_closed=any(item.low_closed for item in items if item.low == low),
        high_closed=any(item.high_closed for item in items if item.high == high),
    )


def _plain(number: Decimal) -> str:
    text = format(number, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
