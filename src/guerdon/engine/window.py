"""When something is valid: dates, recurring frames, days of the week, hours; all in the project's time zone.

Every span is half-open: it holds at its first instant and no longer at its last. Days and hours go by what a
clock on the wall shows, so an hour that a clock change repeats counts twice, a skipped one never comes.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from guerdon.engine.durations import Span, move, parse_duration
from guerdon.engine.fault import EngineError
from guerdon.engine.reasons import Reason
from guerdon.engine.terms import DailyHours, Terms, ValidityHours, ValidityTimeframe
from guerdon.engine.trace import Trace, note_check

DAY_MINUTES = 1440
FIRST_YEAR, LAST_YEAR = 1900, 2999
_SECOND = timedelta(seconds=1)


def check_times(terms: Terms, now: datetime, zone: ZoneInfo, trace: Trace = None) -> Reason | None:
    """Why the terms do not hold at ``now`` (aware), or None. Fills ``trace`` when there is one."""
    start, end = terms.start_date, terms.expiration_date
    if start is not None:
        early = now < start
        if trace is not None:
            note_check(trace, "start_date", iso(start), iso(now), not early)
        if early:
            return Reason.VOUCHER_NOT_ACTIVE
    if end is not None:
        late = now >= end
        if trace is not None:
            note_check(trace, "expiration_date", iso(end), iso(now), not late)
        if late:
            return Reason.VOUCHER_EXPIRED
    recurring = terms.validity_timeframe or terms.validity_day_of_week or terms.validity_hours
    if recurring and not _recurs(terms, now, zone, trace):
        return Reason.VOUCHER_NOT_ACTIVE_NOW
    return None


def _recurs(terms: Terms, now: datetime, zone: ZoneInfo, trace: Trace) -> bool:
    """Whether the recurring windows are all open."""
    frame, days, hours = terms.validity_timeframe, terms.validity_day_of_week, terms.validity_hours
    if frame is not None and terms.start_date is not None:
        opened, closes = frame_around(frame, terms.start_date, now, zone)
        if trace is not None:
            seen = {"now": iso(now), "opened_at": iso(opened), "closes_at": iso(closes)}
            asked = {"interval": frame.interval, "duration": frame.duration}
            note_check(trace, "validity_timeframe", asked, seen, now < closes)
        if now >= closes:
            return False
    if not days and hours is None:
        return True
    local = now.astimezone(zone)
    weekday, minute = local.isoweekday() % 7, local.hour * 60 + local.minute
    if days:
        if trace is not None:
            note_check(trace, "validity_day_of_week", days, weekday, weekday in days)
        if weekday not in days:
            return False
    if hours is None:
        return True
    open_now = in_hours(hours, weekday, minute)
    if trace is not None:
        seen = {"day_of_week": weekday, "time": f"{local:%H:%M}", "time_zone": zone.key}
        note_check(trace, "validity_hours", [_shown(daily) for daily in hours.daily], seen, open_now)
    return open_now


def frame_around(
    frame: ValidityTimeframe, start: datetime, now: datetime, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    """The last frame that opened at or before ``now``: when it opened and when it closes (UTC)."""
    interval, duration = parse_duration(frame.interval), parse_duration(frame.duration)
    count = frames_before(interval, start, now, zone)
    return (
        move(start, interval.times(count), zone),
        move(start, interval.times(count).plus(duration), zone),
    )


def frames_before(interval: Span, start: datetime, now: datetime, zone: ZoneInfo) -> int:
    """How many whole intervals have passed since ``start``."""
    count = max(0, (now - start) // _SECOND // interval.about())
    # Months and clock changes make the guess slip by one or two.
    while count and move(start, interval.times(count), zone) > now:
        count -= 1
    while move(start, interval.times(count + 1), zone) <= now:
        count += 1
    return count


def in_hours(hours: ValidityHours, weekday: int, minute: int) -> bool:
    """Whether a span holds at a minute (0–1439) of a local day (0 = Sunday).

    >>> night = ValidityHours([DailyHours("22:00", "02:00", [6])])
    >>> in_hours(night, 6, 23 * 60), in_hours(night, 0, 60), in_hours(night, 0, 120)
    (True, True, False)
    """
    for daily in hours.daily:
        first, last = span_of(daily)
        days = daily.days_of_week
        if first <= minute < last and (not days or weekday in days):
            return True
        if minute < last - DAY_MINUTES and (not days or (weekday - 1) % 7 in days):
            return True
    return False


def span_of(daily: DailyHours) -> tuple[int, int]:
    """First minute and the minute after the last, counted from midnight of the day it starts on.

    >>> span_of(DailyHours("22:00", "02:00")), span_of(DailyHours("09:30"))
    ((1320, 1560), (570, 1440))
    """
    first = minute_of(daily.start_time or "00:00")
    if not daily.expiration_time:
        return first, DAY_MINUTES
    last = minute_of(daily.expiration_time)
    return first, last if last > first else last + DAY_MINUTES


@lru_cache(maxsize=2048)
def minute_of(text: str) -> int:
    """Minutes after midnight of an ``HH:mm``. Raises ValueError on any other text.

    >>> minute_of("09:30")
    570
    """
    if len(text) == 5 and text[2] == ":" and text.isascii() and (text[:2] + text[3:]).isdigit():
        hour, minute = int(text[:2]), int(text[3:])
        if hour < 24 and minute < 60:
            return hour * 60 + minute
    raise ValueError("must be a time of day from 00:00 to 23:59")


def iso(instant: datetime) -> str:
    """An instant as the API writes it: UTC, milliseconds, ``Z``."""
    return instant.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _shown(daily: DailyHours) -> dict[str, Any]:
    return {
        "start_time": daily.start_time,
        "expiration_time": daily.expiration_time,
        "days_of_week": daily.days_of_week,
    }


def check_windows(definition: Terms | Mapping[str, Any], path: str = "") -> None:
    """Raise :class:`EngineError` with the path of what makes no sense in the terms' dates and windows.

    A mapping is the stored body of the terms: plain values, dates as ISO texts with an offset.
    """
    terms = definition if isinstance(definition, Terms) else _terms_of(definition, path)
    start, end = terms.start_date, terms.expiration_date
    for name, moment in (("start_date", start), ("expiration_date", end)):
        if moment is not None and moment.tzinfo is None:
            raise EngineError(path + name, "must say its offset from UTC")
        if moment is not None and moment.year < FIRST_YEAR:
            raise EngineError(path + name, f"must be in the year {FIRST_YEAR} or later")
    # Frames are counted on from the start, which must not lead out of the calendar; an end may be "never".
    if start is not None and start.year > LAST_YEAR:
        raise EngineError(path + "start_date", f"must be in the year {LAST_YEAR} or earlier")
    if start is not None and end is not None and start >= end:
        raise EngineError(
            path + "expiration_date", "must be later than start_date", "invalid_expiration_date"
        )
    frame, days, hours = terms.validity_timeframe, terms.validity_day_of_week, terms.validity_hours
    if frame is not None:
        if start is None:
            raise EngineError(path + "validity_timeframe", "needs a start_date to count from")
        for name, text in (("interval", frame.interval), ("duration", frame.duration)):
            try:
                parse_duration(text)
            except ValueError as error:
                raise EngineError(f"{path}validity_timeframe.{name}", str(error)) from None
    if days is not None:
        _check_days(days, path + "validity_day_of_week")
    if hours is not None:
        if frame is not None or days:
            raise EngineError(path + "validity_hours", "excludes validity_timeframe and validity_day_of_week")
        _check_hours(hours, path + "validity_hours.daily")


def _terms_of(body: Mapping[str, Any], path: str) -> Terms:
    named = ("start_date", "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours")
    try:
        return msgspec.convert({name: body[name] for name in named if name in body}, Terms)
    except msgspec.ValidationError as error:
        message, _, place = str(error).partition(" - at `$.")
        raise EngineError(path + place.rstrip("`"), message) from None


def _check_days(days: list[int], path: str) -> None:
    if not days or len(set(days)) != len(days) or not all(0 <= day <= 6 for day in days):
        raise EngineError(path, "must list different days from 0 (Sunday) to 6 (Saturday)")


def _check_hours(hours: ValidityHours, path: str) -> None:
    if not 1 <= len(hours.daily) <= 100:
        raise EngineError(path, "must list 1 to 100 spans")
    taken: list[tuple[int, int, int]] = []
    for index, daily in enumerate(hours.daily):
        here = f"{path}[{index}]"
        for name, text in (("start_time", daily.start_time), ("expiration_time", daily.expiration_time)):
            try:
                minute_of(text or "00:00")
            except ValueError as error:
                raise EngineError(f"{here}.{name}", str(error)) from None
        if daily.days_of_week is not None:
            _check_days(daily.days_of_week, f"{here}.days_of_week")
        taken += [(*piece, index) for piece in _week_pieces(daily)]
    taken.sort()
    for (_, last, _), (first, _, index) in pairwise(taken):
        if first < last:
            raise EngineError(f"{path}[{index}]", "overlaps another span")


def _week_pieces(daily: DailyHours) -> Iterator[tuple[int, int]]:
    """The span on the week's line of minutes, cut where the week ends."""
    week = 7 * DAY_MINUTES
    first, last = span_of(daily)
    for day in daily.days_of_week or range(7):
        begin, end = day * DAY_MINUTES + first, day * DAY_MINUTES + last
        yield begin, min(end, week)
        if end > week:
            yield 0, end - week
