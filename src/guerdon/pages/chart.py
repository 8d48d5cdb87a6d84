"""Figures of the club as lines and bars: only where things are; how they look is the style sheet's.

Two drawings lie above each other and share their days: what was outstanding as an area, and below it what came and
went, by months or, where the time is short, by weeks.
"""

from collections.abc import Iterator, Sequence
from datetime import date

from msgspec import Struct

from guerdon.pages.club import Day

LEFT, RIGHT, TOP = 46, 8, 14
AREA, GAP, FLOWS, FOOT = 190, 34, 150, 24
STEPS = (1, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
LABEL = 44
WEEKLY = 120
"""Up to so many days are told by weeks."""


class Tick(Struct):
    """A line across at a number of points, with what is written beside it."""

    y: float
    text: str


class Mark(Struct):
    """A place along the days, with what is written under it."""

    x: float
    text: str


class Bar(Struct):
    """Points of one kind in a time; `kind` is earned, spent or lapsed."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    title: str


class Drawing(Struct):
    """All of it, in units of a view box of `width` by `height`."""

    width: int
    height: int
    left: int
    right: int
    floor: float
    zero: float
    area: str
    line: str
    ticks: list[Tick]
    flows: list[Tick]
    marks: list[Mark]
    bars: list[Bar]


class Span(Struct):
    """Days in a row and what they come to."""

    first: int
    days: int
    name: str
    earned: int = 0
    spent: int = 0
    lapsed: int = 0


def drawing(days: Sequence[Day], width: int) -> Drawing:
    """The drawing of at least one day."""
    across = width - LEFT - RIGHT
    step = across / len(days)
    top = ceiling(max(day.outstanding for day in days))
    floor = TOP + AREA
    points = [
        (LEFT + step * (number + 0.5), floor - AREA * day.outstanding / top)
        for number, day in enumerate(days)
    ]
    line = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    spans = list(spans_of(days))
    most = ceiling(max(max(span.earned, span.spent + span.lapsed) for span in spans))
    least = max((span.spent + span.lapsed for span in spans), default=0)
    high = FLOWS * most / (most + least)
    zero = floor + GAP + high
    every = max(1, round(len(spans) * LABEL / across + 0.4))
    named = [Mark(round(LEFT + step * span.first, 1), span.name) for span in spans[::every]]
    return Drawing(
        width=width,
        height=TOP + AREA + GAP + FLOWS + FOOT,
        left=LEFT,
        right=width - RIGHT,
        floor=floor,
        zero=round(zero, 1),
        area=f"{points[0][0]:.1f},{floor} {line} {points[-1][0]:.1f},{floor}",
        line=line,
        ticks=[Tick(round(floor - AREA * part / 2, 1), short(top * part / 2)) for part in (0, 1, 2)],
        flows=[Tick(round(zero - high, 1), "+" + short(most)), Tick(round(zero, 1), "0")],
        marks=[mark for mark in named if mark.x + LABEL <= width],
        bars=[bar for span in spans for bar in _bars(span, step, zero, high / most)],
    )


def _bars(span: Span, step: float, zero: float, scale: float) -> Iterator[Bar]:
    x, width = LEFT + step * span.first, step * span.days
    inset = min(6.0, width * 0.14)
    below = zero
    for kind in ("earned", "spent", "lapsed"):
        number = getattr(span, kind)
        if number <= 0:
            continue
        height = number * scale
        y = zero - height if kind == "earned" else below
        below += 0 if kind == "earned" else height
        title = f"{span.name}: {number:,} {kind}"
        yield Bar(
            kind, round(x + inset, 1), round(y, 1), round(width - 2 * inset, 1), round(height, 1), title
        )


def spans_of(days: Sequence[Day]) -> Iterator[Span]:
    """The months of the days, or their weeks where they are few."""
    weekly = len(days) <= WEEKLY
    span: Span | None = None
    for number, day in enumerate(days):
        begins = number % 7 == 0 if weekly else day.day.day == 1
        if span is None or begins:
            if span is not None:
                yield span
            span = Span(number, 0, called(day.day, weekly))
        span.days += 1
        span.earned += day.earned
        span.spent += day.spent
        span.lapsed += day.lapsed
    if span is not None:
        yield span


def called(day: date, weekly: bool) -> str:
    """How a time is called that begins on a day.

    >>> called(date(2017, 3, 1), False), called(date(2017, 3, 5), True)
    ('Mar', '5 Mar')
    """
    return f"{day.day} {day:%b}" if weekly else f"{day:%b}"


def ceiling(number: int) -> int:
    """The next round number.

    >>> [ceiling(n) for n in (0, 7, 31, 240_000, 251_000)]
    [1, 8, 40, 250000, 300000]
    """
    size = 1
    while size * 10 < number:
        size *= 10
    return max(1, next(round(step * size) for step in STEPS if step * size >= number or step == STEPS[-1]))


def short(number: float) -> str:
    """A number as a scale has it.

    >>> short(0), short(1500), short(250_000), short(1_250_000)
    ('0', '1.5k', '250k', '1.25m')
    """
    for size, letter in ((1_000_000, "m"), (1_000, "k")):
        if number >= size:
            return f"{number / size:.2f}".rstrip("0").rstrip(".") + letter
    return f"{number:.0f}"
