"""Where a page ends: the cursor that the next one goes on from.

A cursor is a date, since clients read it as one: the instant at which the last redeemable was made. Where several
were made at that instant, its offset from UTC tells how many of them were passed: `+00:03` three. When there are
more of them than an offset can tell, the id of the last one stands behind the date.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import Fault, invalid_payload

Place = tuple[datetime, str]
"""When a redeemable was made, and its id: their order, the latest first, is the order of pages."""

PATH = "options.starting_after"
MOST = 23 * 60 + 59
LATEST: Place = (datetime(9999, 12, 31, tzinfo=UTC), "")
_OFFSET = re.compile(r"\+(\d\d):(\d\d)$")


class After(Struct, frozen=True):
    """Go on behind this instant; behind the first `passed` of what was made at it, or behind `id`."""

    instant: datetime
    passed: int = 0
    id: str | None = None

    @property
    def first(self) -> Place:
        """Everything wanted stands behind this place; what was passed has yet to be left out."""
        if self.id is not None:
            return self.instant, self.id
        return (self.instant, "\U0010ffff") if self.passed else (self.instant, "")


def parse_after(text: str | None, zone: ZoneInfo | str) -> After | None:
    """A cursor, or a plain date. Raises `ApiError` 400."""
    if not text:
        return None
    date, _, id = text.partition("~")
    try:
        instant = parse_instant(date, zone)
    except ValueError as error:
        raise invalid_payload(Fault(PATH, str(error))) from None
    if id:
        return After(instant, id=id)
    offset = _OFFSET.search(date)
    return After(instant, passed=0 if offset is None else int(offset[1]) * 60 + int(offset[2]))


def precise(instant: datetime) -> str:
    """A date with its microseconds.

    >>> precise(datetime(2026, 11, 22, 10, tzinfo=UTC))
    '2026-11-22T10:00:00.000000Z'
    """
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "Z"


def cursor(last: Place, passed: int) -> str:
    """The cursor behind a place; `passed` is how many of that instant were passed, if there may be more of it.

    >>> cursor((datetime(2026, 11, 22, 10, tzinfo=UTC), "v_1"), 3)
    '2026-11-22T10:03:00.000000+00:03'
    """
    instant, id = last
    if not passed:
        return precise(instant)
    if passed > MOST:
        return f"{precise(instant)}~{id}"
    shown = instant.astimezone(timezone(timedelta(minutes=passed)))
    return shown.strftime("%Y-%m-%dT%H:%M:%S.%f") + f"+{passed // 60:02d}:{passed % 60:02d}"


def passed_of(places: Sequence[Place], before: int) -> int:
    """How many up to the last of these places share its instant, and those `before` of it."""
    last = places[-1][0]
    count = 0
    for instant, _ in reversed(places):
        if instant != last:
            return count
        count += 1
    return count + before


def where(places: Sequence[Place], after: After) -> int | None:
    """Behind how many of these places, which are in any order, a cursor stands; None when it names none of them."""
    passed = 0
    at = None
    for number, (instant, id) in enumerate(places, 1):
        if instant != after.instant and not _is_rounded(after.instant, instant):
            continue
        passed += 1
        at = number
        if id == after.id or (after.passed and passed == after.passed):
            return number
    return at


def _is_rounded(asked: datetime, instant: datetime) -> bool:
    """A date whose microseconds a client has dropped."""
    return (
        asked.microsecond % 1000 == 0
        and instant.replace(microsecond=instant.microsecond // 1000 * 1000) == asked
    )
