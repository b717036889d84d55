"""Where the parts of a timeline stand on paper: plain numbers for an SVG of a given width, the same every time."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from cds_service.web.timeline import Event, Lane, Milestone, Shape, Timeline, Validity, Window
from fhir_mappings.when import add_months

WIDE, NARROW = 780, 340
_GUTTER_FROM = 600  # from this width on the names of the lanes stand beside them, not above
_GUTTER, _MARGIN = 158, 12
_MARK_HEIGHT, _ROW, _NAME = 22, 14, 15
_CHARACTER = 6.3  # of the average glyph at 11 units
_GAP = 8
_ROWS_OF_LABELS = 4
_YEARS_BACK, _YEARS_AHEAD = 5, 2  # what lies further off stands at the edge, with its date
_TICKS = (1, 2, 3, 6, 12, 24, 60)
_TICK_ROOM = 62


@dataclass(frozen=True, slots=True)
class Label:
    """A text and where it stands; `anchor` is SVG's text-anchor."""

    x: float
    y: float
    text: str
    anchor: str = "middle"
    tone: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """The symbol of an event. A day known in part is a bar from `left` to `right` with the symbol in its middle."""

    x: float
    y: float
    shape: Shape
    left: float
    right: float
    firm: bool
    attested: bool
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A stretch of time in a lane; `kind` is how it is drawn."""

    kind: str  # "valid", "expired", "window", "uncertain", "documented", "elapsed", "reached"
    left: float
    right: float
    y: float


@dataclass(frozen=True, slots=True)
class Line:
    """A day that goes through all lanes."""

    x: float
    kind: str
    top: float


@dataclass(frozen=True, slots=True)
class Band:
    """A lane: its name and the line below it."""

    name: Label
    bottom: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that an SVG of this size holds, in its own units."""

    width: int
    height: float
    left: float
    right: float
    top: float
    bands: tuple[Band, ...]
    bars: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    lines: tuple[Line, ...]
    ticks: tuple[Label, ...]
    labels: tuple[Label, ...]


@dataclass(frozen=True, slots=True)
class _Scale:
    """Days to units; a day outside stands on the edge."""

    first: date
    last: date
    left: float
    right: float

    def x(self, day: date) -> float:
        share = (day - self.first).days / max((self.last - self.first).days, 1)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def holds(self, day: date) -> bool:
        return self.first <= day <= self.last


def draw(found: Timeline, width: int = WIDE) -> Drawing:
    """Lay a timeline out on a given width."""
    left = float(_GUTTER if width >= _GUTTER_FROM else _MARGIN)
    scale = _Scale(*_span(found), left, float(width - _MARGIN))
    flags = _stacked([_flag(scale, item) for item in found.milestones], scale, _ROW)
    top = 4 + _ROW * (1 + max((round(item.y / _ROW) for item in flags), default=0))
    lanes = list(_lanes(found, scale, top))
    bottom = lanes[-1].bottom if lanes else top
    return Drawing(
        width=width,
        height=bottom + _ROW + 6,
        left=scale.left,
        right=scale.right,
        top=top,
        bands=tuple(Band(lane.name, lane.bottom) for lane in lanes),
        bars=tuple(bar for lane in lanes for bar in lane.bars),
        marks=tuple(mark for lane in lanes for mark in lane.marks),
        lines=tuple(
            Line(scale.x(item.day), item.kind, flag.y + 3)
            for item, flag in zip(found.milestones, flags, strict=True)
        ),
        ticks=tuple(_ticks(scale, bottom + _ROW)),
        labels=(*flags, *(label for lane in lanes for label in lane.labels)),
    )


# --- time -------------------------------------------------------------------------------------------------------------


def _span(found: Timeline) -> tuple[date, date]:
    """From the first to the last day that is drawn, with some air, and the day of evaluation always within."""
    floor, ceiling = add_months(found.on, -12 * _YEARS_BACK), add_months(found.on, 12 * _YEARS_AHEAD)
    days = [min(max(day, floor), ceiling) for day in (found.on, *_days(found))]
    air = timedelta(days=max((max(days) - min(days)).days // 16, 20))
    return max(min(days), date.min + air) - air, min(max(days), date.max - air) + air


def _days(found: Timeline) -> Iterator[date]:
    for event in found.events:
        yield from (event.day.earliest, event.day.latest)
    yield from (item.until for item in found.validities)
    if found.window is not None:
        yield from (found.window.earliest, found.window.end)
    horizon = add_months(found.on, 12 * _YEARS_AHEAD)
    yield from (item.day for item in found.milestones if item.day <= horizon)


def _ticks(scale: _Scale, y: float) -> Iterator[Label]:
    months = (scale.last.year - scale.first.year) * 12 + scale.last.month - scale.first.month
    room = max(int((scale.right - scale.left) // _TICK_ROOM), 1)
    step = next((step for step in _TICKS if months <= step * room), _TICKS[-1])
    index = scale.first.year * 12 + scale.first.month - 1
    first = -(-(index + 1) // step) * step
    for at in range(first, index + months + 1, step):
        day = date(at // 12, at % 12 + 1, 1)
        if scale.holds(day):
            yield Label(scale.x(day), y, f"{day:%Y-%m}" if step < _TICKS[4] else f"{day:%Y}")


# --- labels -----------------------------------------------------------------------------------------------------------


def _flag(scale: _Scale, item: Milestone) -> Label:
    arrow = " →" if item.day > scale.last else ""
    return Label(scale.x(item.day), 0, f"{item.label} {item.day}{arrow}", tone=item.kind)


def _stacked(labels: Iterable[Label], scale: _Scale, first: float) -> list[Label]:
    """Each label in the first row below `first` where it covers no other, pushed inside the edges."""
    taken: list[list[tuple[float, float]]] = []
    placed = []
    for label in labels:
        inside = _inside(label, scale)
        ends = _ends(inside)
        row = next((row for row, used in enumerate(taken) if _is_free(used, ends)), len(taken))
        taken += [[]] if row == len(taken) else []
        taken[row].append(ends)
        placed.append(Label(inside.x, first + row * _ROW, label.text, inside.anchor, label.tone))
    return placed


def _inside(label: Label, scale: _Scale) -> Label:
    start, end = _ends(label)
    if start < scale.left:
        return Label(scale.left, label.y, label.text, "start", label.tone)
    if end - _GAP > scale.right:
        return Label(scale.right, label.y, label.text, "end", label.tone)
    return label


def _ends(label: Label) -> tuple[float, float]:
    length = len(label.text) * _CHARACTER + _GAP
    start = {"start": label.x, "middle": label.x - length / 2, "end": label.x - length}[label.anchor]
    return start, start + length


def _is_free(used: Iterable[tuple[float, float]], ends: tuple[float, float]) -> bool:
    return all(ends[1] <= start or ends[0] >= end for start, end in used)


# --- lanes ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _LaneDrawing:
    name: Label
    marks: tuple[Mark, ...]
    bars: tuple[Bar, ...]
    labels: tuple[Label, ...]
    bottom: float


def _lanes(found: Timeline, scale: _Scale, top: float) -> Iterator[_LaneDrawing]:
    y = top
    for lane in found.lanes:
        drawn = _lane(found, lane, scale, y)
        y = drawn.bottom
        yield drawn


def _lane(found: Timeline, lane: Lane, scale: _Scale, top: float) -> _LaneDrawing:
    beside = scale.left >= _GUTTER
    middle = top + _MARK_HEIGHT / 2 + (0 if beside else _NAME)
    events = [item for item in found.events if item.lane is lane]
    valid = [item for item in found.validities if item.lane is lane]
    window = found.window if lane is Lane.WINDOW else None
    texts = [*(_dated(scale, item) for item in events), *(_until(scale, item, found.on) for item in valid)]
    texts += _of_window(scale, window) if window else []
    labels = _stacked(sorted(texts, key=lambda item: item.x), scale, middle + _MARK_HEIGHT / 2 + 8)
    limit = middle + _MARK_HEIGHT / 2 + 8 + _ROW * _ROWS_OF_LABELS
    kept = tuple(item for item in labels if item.y < limit)
    below = max((item.y for item in kept), default=middle + 4)
    return _LaneDrawing(
        name=Label(0 if beside else scale.left, middle + 4 if beside else top + 13, lane, "start"),
        marks=tuple(_mark(scale, item, middle) for item in events),
        bars=(
            *(_validity(scale, item, found.on, middle) for item in valid),
            *(_window_bars(scale, window, found.on, middle) if window else ()),
        ),
        labels=kept,
        bottom=below + 7,
    )


def _dated(scale: _Scale, item: Event) -> Label:
    arrow = "← " if item.day.latest < scale.first else ""
    typed = "✎ " if item.attested else ""
    return Label(_middle(scale, item), 0, f"{arrow}{typed}{item.label} {item.day}")


def _middle(scale: _Scale, item: Event) -> float:
    return round((scale.x(item.day.earliest) + scale.x(item.day.latest)) / 2, 1)


def _mark(scale: _Scale, item: Event, y: float) -> Mark:
    left, right = scale.x(item.day.earliest), scale.x(item.day.latest)
    typed = ", typed by the user" if item.attested else ""
    title = f"{item.text}, {item.day}{typed}"
    return Mark(_middle(scale, item), y, item.shape, left, right, item.firm, item.attested, title)


def _until(scale: _Scale, item: Validity, on: date) -> Label:
    said = "until" if on <= item.until else "stale after"
    return Label(scale.x(item.until), 0, f"{said} {item.until}", "end", "until")


def _validity(scale: _Scale, item: Validity, on: date, y: float) -> Bar:
    kind = "valid" if on <= item.until else "expired"
    return Bar(kind, scale.x(item.start), scale.x(item.until), y)


def _window_bars(scale: _Scale, window: Window, on: date, y: float) -> Sequence[Bar]:
    start, end, now = scale.x(window.start), scale.x(window.end), scale.x(on)
    proof = scale.x(window.documented) if window.documented is not None else start
    bars = [Bar("window", start, end, y)]
    if window.earliest < window.start:
        bars.append(Bar("uncertain", scale.x(window.earliest), start, y))
    if proof > start:
        bars.append(Bar("documented", start, proof, y))
    if min(now, end) > proof:
        bars.append(Bar("elapsed", proof, min(now, end), y))
    return [*bars, Bar("reached", end, end, y)]


def _of_window(scale: _Scale, window: Window) -> list[Label]:
    since = f"counted from {window.start}" + (" at the latest" if window.earliest < window.start else "")
    return [
        Label(scale.x(window.start), 0, since),
        Label(scale.x(window.end), 0, f"{window.months} months: {window.end}"),
    ]
