"""Acts that say how much they take at most see the first lots alone; what they do is what it were with all lots."""

import random
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guerdon.engine.ledger import Entry, NotEnough, claw_back, grant, lapse, spend, transfer
from guerdon.kit import clock, db
from guerdon.kit.errors import ApiError
from guerdon.ledger import book as books
from guerdon.ledger.book import FIRST, Book, entry_ids, more_ids
from guerdon.ledger.desk import Act, Moment, carry
from guerdon.ledger.verify import audit

Client = Any  # tests/api/conftest.py has it

UNIT = "camp_points"
DAY = timedelta(days=1)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
Decide = Callable[[Moment], Any]
# What the acts themselves granted was made some milliseconds later on the second card.
LOTS = """
    select id, remaining, starts_at, expires_at, least(created_at, $3) as made
    from card_lots where project_id = $1 and card_id = $2
"""


def lots(
    draw: random.Random, count: int, now: datetime
) -> list[tuple[int, datetime, datetime | None, datetime | None]]:
    """Amount, made, start and end: some have ended, some have not begun, many end together, some never do."""
    found = []
    for _ in range(count):
        ends = draw.choice([None, now - DAY, now + DAY, now + DAY * draw.randint(1, 9), now + DAY * 30])
        starts = draw.choice([None, None, None, now + DAY, LONG_AGO])
        found.append((draw.randint(1, 9), LONG_AGO + draw.randint(0, 3) * DAY, starts, ends))
    return found


async def furnish(client: Client, names: tuple[str, ...], made: list[Any], debt: int = 0) -> None:
    """The very same lots on each card, which may owe something besides."""
    book = Book()
    for name in names:
        card = book.open(name, UNIT, None)
        for number, (amount, at, starts, ends) in enumerate(made):
            ids = (entry_ids()[0][0], f"lopb_{name}_{number:04}")
            book.enter([grant(card, "POINTS_ADDITION", amount, at, ids, starts_at=starts, expires_at=ends)])
        if debt:
            ids = entry_ids()[0]
            book.enter([claw_back(card, "POINTS_CLAWBACK", (), debt, LONG_AGO, ids[0], policy="NEGATIVE")])
    async with db.transaction(client.app.state.pool) as conn:
        await books.write(conn, client.project_id, book, LONG_AGO)


def pay(name: str, amount: int) -> Decide:
    def decide(moment: Moment) -> int:
        card = moment.book.cards[name]
        try:
            moment.book.enter([spend(card, "POINTS_REDEMPTION", amount, moment.now, entry_ids()[0][0])])
        except NotEnough as few:
            raise ApiError(400, "few", "few", str(few.available)) from None
        return card.balance

    return decide


def earn(name: str, amount: int, until: datetime | None) -> Decide:
    def decide(moment: Moment) -> int:
        card = moment.book.cards[name]
        ids = (entry_ids()[0][0], f"lopb_{name}_z{card.seq:04}")
        moment.book.enter([grant(card, "POINTS_ACCRUAL", amount, moment.now, ids, expires_at=until)])
        return card.balance

    return decide


def give(name: str, to: str, amount: int) -> Decide:
    def decide(moment: Moment) -> int:
        giver, taker = moment.book.cards[name], moment.book.cards[to]
        types = ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN")
        try:
            made = transfer(giver, taker, types, amount, moment.now, more_ids(), entry_ids()[0][0])
        except NotEnough as few:
            raise ApiError(400, "few", "few", str(few.available)) from None
        moment.book.enter(made)
        return giver.balance

    return decide


def pay_and_refuse(name: str, amount: int) -> Decide:
    def decide(moment: Moment) -> int:
        pay(name, amount)(moment)
        raise ApiError(400, "no", "no", "no")

    return decide


def acts(client: Client, name: str, other: str, kinds: list[tuple[Any, ...]], *, said: bool) -> list[Act]:
    """The acts on a card, with or without saying how much they take."""
    made = []
    for kind, amount, ends in kinds:
        decide = {
            "pay": lambda a=amount: pay(name, a),
            "earn": lambda a=amount, e=ends: earn(name, a, e),
            "give": lambda a=amount: give(name, other, a),
            "refuse": lambda a=amount: pay_and_refuse(name, a),
        }[kind]()
        reach = (0 if kind == "earn" else amount) if said else None
        cards = (name, other) if kind == "give" else (name,)
        made.append(
            Act(
                project_id=client.project_id, request_id="r", path="/t", key=None, mark=b"", cards=cards,
                decide=decide, reach=reach,
            )
        )  # fmt: skip
    return made


def drawn(draw: random.Random, now: datetime) -> list[tuple[Any, ...]]:
    """A batch; in some, more is asked for than there is."""
    most = draw.choice([5, 20, 200, 5000])
    found = []
    for _ in range(draw.randint(1, 12)):
        kind = draw.choice(["pay", "pay", "earn", "give", "refuse"])
        found.append(
            (kind, draw.randint(1, most), draw.choice([None, now + DAY / 2, now + DAY * 3, now + DAY * 90]))
        )
    return found


async def moved(client: Client, entries: list[Entry], name: str) -> list[Any]:
    """What entries say, with lots by their dates: of equal ones it does not matter which is taken."""
    dates = {row["id"]: (row["expires_at"], row["made"]) for row in await lots_of(client, name)}
    found = []
    for entry in entries:
        if entry.card_id == name:
            parts: dict[Any, int] = {}
            for part in entry.parts:
                key = dates.get(part.lot, part.lot)
                parts[key] = parts.get(key, 0) + part.amount
            found.append((entry.type, entry.amount, entry.balance, list(parts.items())))
    return found


async def lots_of(client: Client, name: str) -> list[db.Record]:
    return await db.records(client.app.state.pool, LOTS, client.project_id, name, LONG_AGO + 300 * DAY)


def answers(replies: list[Any]) -> list[str]:
    """What each act was answered; a refusal says how much there was."""
    return [str(r.details if isinstance(r, ApiError) else r.content) for r in replies]


@pytest.mark.parametrize("seed", range(12))
async def test_the_first_lots_are_as_good_as_all(client: Client, seed: int) -> None:
    draw = random.Random(seed)
    pool = client.app.state.pool
    now = await clock.database_now(pool)
    made = lots(draw, draw.choice([3, 40, 400]), now)
    await furnish(client, ("v_a", "v_b"), made, debt=draw.choice([0, 0, 30]))
    await furnish(client, ("v_x", "v_y"), [])
    for _ in range(8):
        kinds = drawn(draw, now)
        async with db.transaction(pool) as conn:
            short = await carry(conn, client.project_id, acts(client, "v_a", "v_x", kinds, said=True))
        async with db.transaction(pool) as conn:
            long = await carry(conn, client.project_id, acts(client, "v_b", "v_y", kinds, said=False))
        assert answers(short.replies) == answers(long.replies)
        assert await moved(client, short.entries, "v_a") == await moved(client, long.entries, "v_b")
    ours, theirs = [
        Counter((row["expires_at"], row["made"], row["starts_at"]) for row in await lots_of(client, name) for _ in range(row["remaining"]))
        for name in ("v_a", "v_b")
    ]  # fmt: skip
    assert ours == theirs and len(ours)
    async with pool.acquire() as conn, conn.transaction(isolation="repeatable_read"):
        assert [finding async for finding in audit(conn, client.project_id)] == []


async def test_a_card_of_many_lots_reads_a_few(client: Client) -> None:
    now = await clock.database_now(client.app.state.pool)
    await furnish(client, ("v_a",), [(10, LONG_AGO, None, now + DAY)] * 1000)
    seen: list[int] = []

    def look(moment: Moment) -> int:
        seen.append(len(moment.book.cards["v_a"].lots))
        return pay("v_a", 15)(moment)

    for reach in (15, 15 * FIRST, None):
        act = acts(client, "v_a", "", [("pay", 1, None)], said=True)[0]
        act.decide, act.reach = look, reach
        async with db.transaction(client.app.state.pool) as conn:
            assert not isinstance((await carry(conn, client.project_id, [act])).replies[0], Exception)
    assert seen[0] == FIRST and FIRST < seen[1] < 1000 and 990 < seen[2] <= 1000


async def test_more_than_was_said_is_not_to_be_had(client: Client) -> None:
    await furnish(client, ("v_a",), [(10, LONG_AGO, None, None)] * 3)
    act = acts(client, "v_a", "", [("pay", 20, None)], said=True)[0]
    act.reach = 19
    with pytest.raises(AssertionError):
        async with db.transaction(client.app.state.pool) as conn:
            await carry(conn, client.project_id, [act])
    act.decide = lambda moment: lapse(moment.book.cards["v_a"], "POINTS_EXPIRATION", moment.now, "lte_x")
    with pytest.raises(AssertionError):
        async with db.transaction(client.app.state.pool) as conn:
            await carry(conn, client.project_id, [act])
