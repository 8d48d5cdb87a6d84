"""What an accountant asks of the ledger: what moved between accounts from day to day, and what is owed at an instant.

Balances in the past are the cards' of now less what was entered since: what cards hold is what their entries come
to, which `guerdon verify` proves.
"""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import date, datetime, timedelta
from typing import LiteralString

from msgspec import Struct

from guerdon.engine.ledger import COUNTERS
from guerdon.kit import clock, db
from guerdon.ledger.accounts import CHART, OUTSTANDING, OWED

MOST_MOVEMENTS = 50_000

# Of an entry's amount, what paid a debt (positive) or made one (negative): the rest is in lots.
OF_DEBT: LiteralString = """
    case when e.parts::text like '%"debt"%' then (
        select coalesce(sum((p ->> 1)::bigint), 0) from json_array_elements(e.parts) p where p ->> 0 = 'debt'
    ) else 0 end
"""

MOVEMENTS: LiteralString = f"""
    select (e.created_at at time zone $2)::date as day, e.unit, e.campaign_id, e.type, count(*) as entries,
           sum(e.amount)::bigint as amount, sum({OF_DEBT})::bigint as debt
    from card_entries e
    where e.project_id = $1 and e.created_at >= $3 and e.created_at < $4
      and ($5::text is null or e.unit = $5) and ($6::text is null or e.campaign_id = $6)
    group by 1, 2, 3, 4
    order by 1, 2, 3 nulls first, 4
    limit $7
"""

BALANCES: LiteralString = f"""
    with held as (
        select c.unit, c.campaign_id, count(*) filter (where c.opened_at < $2) as cards, sum(c.balance) as balance,
               sum(c.debt) as debt
        from cards c
        where c.project_id = $1 and ($3::text is null or c.unit = $3) and ($4::text is null or c.campaign_id = $4)
        group by 1, 2
    ), since as (
        select e.unit, e.campaign_id, sum(e.amount) as amount, sum({OF_DEBT}) as debt
        from card_entries e
        where e.project_id = $1 and e.created_at >= $2
          and ($3::text is null or e.unit = $3) and ($4::text is null or e.campaign_id = $4)
        group by 1, 2
    )
    select h.unit, h.campaign_id, m.name as campaign, h.cards,
           (h.balance + h.debt - coalesce(s.amount - s.debt, 0))::bigint as outstanding,
           (h.debt + coalesce(s.debt, 0))::bigint as owed
    from held h
    left join since s on s.unit = h.unit and s.campaign_id is not distinct from h.campaign_id
    left join campaigns m on m.project_id = $1 and m.id = h.campaign_id
    order by 1, 2 nulls first
"""


class Scope(Struct, frozen=True):
    """What is asked about: everything, one unit, one campaign."""

    project_id: str
    unit: str | None = None
    campaign_id: str | None = None


class Held(Struct, frozen=True):
    """What the cards of a unit and campaign held at an instant, and what their holders owed."""

    unit: str
    campaign_id: str | None
    campaign: str | None
    cards: int
    outstanding: int
    owed: int


class Movement(Struct, frozen=True):
    """What entries of one type on one day come to, signed as cards see it; `debt` is the part that is not in lots."""

    day: date
    unit: str
    campaign_id: str | None
    type: str
    entries: int
    amount: int
    debt: int


class Line(Struct, frozen=True, kw_only=True):
    """One side of a movement between two accounts. Exactly one of `debit` and `credit` is not zero."""

    day: date
    unit: str
    campaign_id: str | None
    campaign: str | None
    movement: str
    account: str
    debit: int
    credit: int
    entries: int


class Turnover(Struct, frozen=True, kw_only=True):
    """What an account of cards held before and after a period, and what went through it."""

    unit: str
    campaign_id: str | None
    campaign: str | None
    account: str
    opening: int
    debit: int
    credit: int
    closing: int


class Statement(Struct, frozen=True):
    """The books of a period."""

    lines: list[Line]
    turnovers: list[Turnover]


class TooLong(Exception):
    """The period has more movements than one answer holds."""


async def liability(pool: db.Pool, scope: Scope, at: datetime | None) -> tuple[datetime, list[Held]]:
    """What was outstanding at an instant, that included, and which: None is now."""
    async with _snapshot(pool) as conn:
        at = at or await clock.database_now(conn)
        return at, await _held(conn, scope, at + timedelta(microseconds=1))


async def statement(pool: db.Pool, scope: Scope, zone: str, start: datetime, end: datetime) -> Statement:
    """The postings from `start` up to `end`, by the days of a time zone. Raises `TooLong`."""
    async with _snapshot(pool) as conn:
        movements = await db.rows(
            conn, Movement, MOVEMENTS,
            scope.project_id, zone, start, end, scope.unit, scope.campaign_id, MOST_MOVEMENTS + 1,
        )  # fmt: skip
        if len(movements) > MOST_MOVEMENTS:
            raise TooLong
        after = await _held(conn, scope, end)
    names = {held.campaign_id: held.campaign for held in after}
    lines = [line for movement in movements for line in posted(movement, names.get(movement.campaign_id))]
    return Statement(lines, list(_turnovers(after, lines)))


def posted(movement: Movement, campaign: str | None) -> list[Line]:
    """The lines of a movement: what one account is debited the others are credited.

    >>> from datetime import date
    >>> sold = Movement(date(2026, 11, 22), "credits", None, "CREDITS_ADDITION", 1, 500, 0)
    >>> [(line.account, line.debit, line.credit) for line in posted(sold, None)]
    [('issued', 500, 0), ('outstanding', 0, 500)]
    """
    sides = [
        (COUNTERS[movement.type], movement.amount),
        (OUTSTANDING, movement.debt - movement.amount),
        (OWED, -movement.debt),
    ]
    assert sum(amount for _, amount in sides) == 0
    return [
        Line(
            day=movement.day, unit=movement.unit, campaign_id=movement.campaign_id, campaign=campaign,
            movement=movement.type, account=account, debit=max(amount, 0), credit=max(-amount, 0),
            entries=movement.entries,
        )
        for account, amount in sorted(sides, key=lambda side: side[1] < 0)
        if amount
    ]  # fmt: skip


def _turnovers(after: list[Held], lines: Iterable[Line]) -> Iterable[Turnover]:
    """From what is there at the end back to what was there before the lines."""
    debits: dict[tuple[str, str | None, str], int] = {}
    credits: dict[tuple[str, str | None, str], int] = {}
    for line in lines:
        key = (line.unit, line.campaign_id, line.account)
        debits[key] = debits.get(key, 0) + line.debit
        credits[key] = credits.get(key, 0) + line.credit
    for held in after:
        for account in (OUTSTANDING, OWED):
            key = (held.unit, held.campaign_id, account)
            debit, credit, closing = debits.get(key, 0), credits.get(key, 0), getattr(held, account)
            grown = credit - debit if account == OUTSTANDING else debit - credit
            if closing or debit or credit:
                yield Turnover(
                    unit=held.unit, campaign_id=held.campaign_id, campaign=held.campaign, account=account,
                    opening=closing - grown, debit=debit, credit=credit, closing=closing,
                )  # fmt: skip


def name_of(account: str) -> str:
    """What an accountant calls it."""
    return CHART[account].name


async def _held(conn: db.Conn, scope: Scope, at: datetime) -> list[Held]:
    return await db.rows(conn, Held, BALANCES, scope.project_id, at, scope.unit, scope.campaign_id)


@asynccontextmanager
async def _snapshot(pool: db.Pool) -> AsyncIterator[db.Conn]:
    """So that what moved and what is there agree to the last entry."""
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
        yield conn
