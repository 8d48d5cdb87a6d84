"""When a window opens next, and where local days begin and end."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from guerdon.engine.durations import instant_of, move, parse_duration
from guerdon.engine.terms import Terms
from guerdon.engine.window import frame_around, frames_before, in_hours, span_of

_LOOK_AHEAD = 400
"""How many windows are tried before we say that none opens; a frame a day and a day a week need seven."""
_DAYS_AHEAD = 16
"""Two weeks and a day: next week's window too may be lost to a change of the clocks."""


_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip


def told_opening(opens: datetime, now: datetime, zone: ZoneInfo) -> str:
    """When something opens, as people of the zone say it: on a day of the coming week, or on a date.

    >>> told_opening(datetime(2026, 11, 28, 8, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC), ZoneInfo("Europe/Warsaw"))
    'opens Saturday 09:00'
    """
    local = opens.astimezone(zone)
    ahead = (local.date() - now.astimezone(zone).date()).days
    if 0 <= ahead < len(_WEEKDAYS):
        day = "today" if ahead == 0 else _WEEKDAYS[local.weekday()]
    else:
        day = f"{local.day} {_MONTHS[local.month - 1]} {local.year}"
    return f"opens {day} {local.hour:02}:{local.minute:02}"


def next_opening(terms: Terms, now: datetime, zone: ZoneInfo) -> datetime | None:
    """The first instant (UTC), from ``now`` on, at which the terms hold; None if that never comes."""
    instant = now if terms.start_date is None else max(now, terms.start_date)
    instant = instant.astimezone(UTC)
    for _ in range(_LOOK_AHEAD):
        if terms.expiration_date is not None and instant >= terms.expiration_date:
            return None
        try:
            later = _next_frame(terms, instant, zone) or _next_hours(terms, instant, zone)
        except OverflowError:
            return None
        if later is None:
            return instant
        instant = later
    return None


def _next_frame(terms: Terms, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """When the next frame opens, if none is open."""
    frame, start = terms.validity_timeframe, terms.start_date
    if frame is None or start is None or instant < frame_around(frame, start, instant, zone)[1]:
        return None
    interval = parse_duration(frame.interval)
    return move(start, interval.times(frames_before(interval, start, instant, zone) + 1), zone)


def _next_hours(terms: Terms, instant: datetime, zone: ZoneInfo) -> datetime | None:
    """When day and hour next fit, if they do not."""
    if _fits(terms, instant, zone):
        return None
    today = instant.astimezone(zone).date()
    for ahead in range(_DAYS_AHEAD):
        borders = sorted(_borders(terms, today + timedelta(days=ahead), zone))
        for border in borders:
            if border > instant and _fits(terms, border, zone):
                return border
    raise OverflowError("no day of the week fits")


def _fits(terms: Terms, instant: datetime, zone: ZoneInfo) -> bool:
    local = instant.astimezone(zone)
    weekday = local.isoweekday() % 7
    if terms.validity_day_of_week and weekday not in terms.validity_day_of_week:
        return False
    hours = terms.validity_hours
    return hours is None or in_hours(hours, weekday, local.hour * 60 + local.minute)


def _borders(terms: Terms, day: date, zone: ZoneInfo) -> Iterator[datetime]:
    """Every instant of a local day at which a window may open: midnight, starts, a change of the clocks."""
    minutes = {0}
    if terms.validity_hours is not None:
        minutes.update(span_of(daily)[0] for daily in terms.validity_hours.daily)
    for minute in minutes:
        wall = datetime.combine(day, time(minute // 60, minute % 60))
        yield instant_of(wall, zone, 0)
        yield instant_of(wall, zone, 1)
    change = clock_change(day, zone)
    if change is not None:
        yield change


def clock_change(day: date, zone: ZoneInfo) -> datetime | None:
    """The instant (UTC) at which the clocks change within a local day, or None.

    >>> clock_change(date(2026, 3, 29), ZoneInfo("Europe/Berlin")).isoformat()
    '2026-03-29T01:00:00+00:00'
    """
    midnight = datetime.combine(day, time())
    low = instant_of(midnight, zone) - timedelta(hours=3)
    high = instant_of(midnight + timedelta(days=1), zone)
    before = low.astimezone(zone).utcoffset()
    if before == high.astimezone(zone).utcoffset():
        return None
    while high - low > timedelta(seconds=1):
        middle = (low + (high - low) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def end_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The instant (UTC) a local day is over: what a date without a time means as an end."""
    return start_of_day(day + timedelta(days=1), zone)


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """The first instant (UTC) of a local day, which need not be midnight.

    >>> start_of_day(date(2018, 11, 4), ZoneInfo("America/Sao_Paulo")).isoformat()
    '2018-11-04T03:00:00+00:00'
    """
    return instant_of(datetime.combine(day, time()), zone)
