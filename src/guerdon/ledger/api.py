"""The ledger over HTTP, for those who keep the shop's books. Ours: the reference has no such thing."""

import csv
import io
from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from typing import Any, Literal

from msgspec import Struct

from guerdon.kit import clock
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import invalid_query
from guerdon.ledger.accounts import CHART
from guerdon.ledger.statements import Held, Line, Scope, TooLong, Turnover, liability, name_of, statement

CSV = {"Content-Type": "text/csv"}
LONGEST_DAYS = 366


class PostingOut(Struct, kw_only=True):
    """One side of a movement: `debit` or `credit`, in minor units of `currency`, or in points where that is null."""

    date: str
    unit: str
    currency: str | None
    campaign_id: str | None
    campaign: str | None
    movement: str
    account: str
    account_name: str
    account_class: str
    debit: int
    credit: int
    entries: int


class TurnoverOut(Struct, kw_only=True):
    """What cards held (`outstanding`), or holders owed (`owed`), before and after the period."""

    unit: str
    currency: str | None
    campaign_id: str | None
    campaign: str | None
    account: str
    account_name: str
    account_class: str
    opening: int
    debit: int
    credit: int
    closing: int


class Postings(Struct, kw_only=True):
    """The books of a period. Days are those of `timezone`; debits and credits come to the same."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    start_date: str
    end_date: str
    timezone: str
    data: list[PostingOut]
    balances: list[TurnoverOut]


class LiabilityOut(Struct, kw_only=True):
    """What the cards of a campaign held, and what their holders owed; `net` is the sum of their balances."""

    unit: str
    currency: str | None
    campaign_id: str | None
    campaign: str | None
    cards: int
    outstanding: int
    owed: int
    net: int


class Liabilities(Struct, kw_only=True):
    """What was owed at an instant."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    at: str
    data: list[LiabilityOut]
    total: int


async def list_postings(
    call: Call,
    start_date: str | None = None,
    end_date: str | None = None,
    unit: str | None = None,
    campaign_id: str | None = None,
    part: str = "lines",
    format: str | None = None,
) -> Postings | Reply:
    """Read the postings of gift cards and loyalty cards, for a general ledger.

    What moved by day, unit, campaign and account: each movement as a debit and a credit. From `start_date` to
    `end_date` (both included, in the project's time zone; else this month so far). As CSV with `format=csv` or
    `Accept: text/csv`; `part=balances` gives the opening and closing balances instead of the lines.
    """
    wanted = _format(call, format)
    if part not in ("lines", "balances"):
        raise invalid_query("part", "must be lines or balances")
    zone = call.caller.zone
    today = (await clock.database_now(call.state.pool)).astimezone(zone).date()
    first, last = _days(start_date, end_date, today)
    scope = Scope(call.project_id, unit, campaign_id)
    start, end = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    try:
        found = await statement(call.state.pool, scope, call.caller.timezone, start, end)
    except TooLong:
        raise invalid_query(
            "end_date", "this period has too many movements; ask for fewer days or one campaign"
        ) from None
    lines = [_posting(line, call.caller.currency) for line in found.lines]
    balances = [_turnover(turnover, call.caller.currency) for turnover in found.turnovers]
    if wanted == "csv":
        return _table(PostingOut, lines) if part == "lines" else _table(TurnoverOut, balances)
    return Postings(
        start_date=first.isoformat(), end_date=last.isoformat(), timezone=call.caller.timezone, data=lines,
        balances=balances,
    )  # fmt: skip


async def get_liability(
    call: Call,
    at: str | None = None,
    unit: str | None = None,
    campaign_id: str | None = None,
    format: str | None = None,
) -> Liabilities | Reply:
    """Read what cards held at an instant, by unit and campaign: what the shop owes.

    `at` is an instant, or a day of the project's time zone, which means its end; else now. Value that has lapsed
    counts until the nightly run has entered that. As CSV with `format=csv` or `Accept: text/csv`.
    """
    wanted = _format(call, format)
    try:
        instant = parse_instant(at, call.caller.zone, end_of_day=True) if at else None
    except ValueError as error:
        raise invalid_query("at", str(error)) from None
    then, found = await liability(call.state.pool, Scope(call.project_id, unit, campaign_id), instant)
    rows = [
        _liability(held, call.caller.currency)
        for held in found
        if held.cards or held.outstanding or held.owed
    ]
    if wanted == "csv":
        return _table(LiabilityOut, rows)
    return Liabilities(at=iso(then), data=rows, total=len(rows))


def _format(call: Call, format: str | None) -> str:
    if format not in (None, "json", "csv"):
        raise invalid_query("format", "must be json or csv")
    accept = (call.header("Accept") or "").lower()
    return format or ("csv" if "text/csv" in accept and "json" not in accept else "json")


def _days(start: str | None, end: str | None, today: date) -> tuple[date, date]:
    last = _day("end_date", end) or today
    first = _day("start_date", start) or last.replace(day=1)
    if last < first:
        raise invalid_query("end_date", "is before start_date")
    if (last - first).days >= LONGEST_DAYS:
        raise invalid_query("end_date", f"a period has at most {LONGEST_DAYS} days")
    return first, last


def _day(name: str, text: str | None) -> date | None:
    if not text:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        raise invalid_query(name, "must be a day such as 2026-11-22") from None
    if not 1970 <= found.year <= 9000:
        raise invalid_query(name, "must be a day from 1970 on")
    return found


def _currency(unit: str, currency: str) -> str | None:
    return currency if unit == "credits" else None


def _posting(line: Line, currency: str) -> PostingOut:
    return PostingOut(
        date=line.day.isoformat(), unit=line.unit, currency=_currency(line.unit, currency),
        campaign_id=line.campaign_id, campaign=line.campaign, movement=line.movement, account=line.account,
        account_name=name_of(line.account), account_class=CHART[line.account].class_, debit=line.debit,
        credit=line.credit, entries=line.entries,
    )  # fmt: skip


def _turnover(found: Turnover, currency: str) -> TurnoverOut:
    return TurnoverOut(
        unit=found.unit, currency=_currency(found.unit, currency), campaign_id=found.campaign_id,
        campaign=found.campaign, account=found.account, account_name=name_of(found.account),
        account_class=CHART[found.account].class_, opening=found.opening, debit=found.debit, credit=found.credit,
        closing=found.closing,
    )  # fmt: skip


def _liability(held: Held, currency: str) -> LiabilityOut:
    return LiabilityOut(
        unit=held.unit, currency=_currency(held.unit, currency), campaign_id=held.campaign_id,
        campaign=held.campaign, cards=held.cards, outstanding=held.outstanding, owed=held.owed,
        net=held.outstanding - held.owed,
    )  # fmt: skip


def _table(shape: type[Struct], rows: Iterable[Struct]) -> Reply:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    names = shape.__struct_fields__
    writer.writerow(names)
    for row in rows:
        writer.writerow([_safe(getattr(row, name)) for name in names])
    return Reply(text.getvalue().encode(), headers=CSV)


def _safe(value: Any) -> Any:
    """A campaign's name must not be taken for a formula by a spreadsheet."""
    return "'" + value if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


ROUTES = [
    Route(method="GET", path="/v1/ledger/postings", handler=list_postings, tag="Ledger", csv=True),
    Route(method="GET", path="/v1/ledger/liability", handler=get_liability, tag="Ledger", csv=True),
]
