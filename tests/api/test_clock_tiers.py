"""Tiers as time goes by: how long they last, when they are lost, and what the night does first."""

# ruff: noqa: F811

from collections import Counter, defaultdict
from datetime import datetime
from random import Random
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.verify import verify

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, REWARDS, RULES, STRUCTURES, by_balance, card, mug, ok, per_order, tier
from .moving import Clock, _with_a_clock, clock  # noqa: F401
from .test_loyalty_earning import REVOKED, buy, entries, give_back, points
from .test_loyalty_members import join
from .test_loyalty_v1 import LOYALTIES, club
from .test_loyalty_v1 import join as join_older
from .test_loyalty_v1 import per_order as per_order_older
from .test_rewards_v1 import V1, goods

LEVELS = [{"name": "Silver", "points": {"from": 100, "to": 499}}, {"name": "Gold", "points": {"from": 500}}]


def older(by: str, ends: str, period: str | None = None, starts: str = "IMMEDIATE", **more: Any) -> Any:
    """How long tiers of the older API last."""
    said = {"qualification_type": by, "start_date": {"type": starts}}
    told = {} if period is None else {"qualification_period": period}
    return said | told | {"expiration_date": {"type": ends, "extend": "", **more}}


def rounded(kind: str, strategy: str, value: int | None = None) -> dict[str, Any]:
    """How an end is rounded."""
    told = {} if value is None else {"unit": "MONTH", "value": value}
    return {"rounding": {"type": kind, "strategy": strategy, **told}}


async def move(client: Client, code: str, amount: int) -> None:
    """Points by hand."""
    await ok(client, "POST", f"{LOYALTIES}/members/{code}/balance", {"points": amount})


async def tier_of(client: Client, code: str) -> tuple[str, str] | None:
    """The tier of a card's member, and the local day (of Warsaw) whose beginning ends it."""
    found = (await ok(client, "GET", f"{LOYALTIES}/members/{code}/tiers"))["data"]
    if not found:
        return None
    end = found[0]["expiration"].get("expiration_date")
    return found[0]["name"], "" if end is None else _day(end)


def _day(moment: str) -> str:
    # Warsaw's midnight is 22:00 or 23:00 of the day before.
    at = datetime.fromisoformat(moment)
    assert at.hour in (22, 23) and at.minute == 0, moment
    return datetime.fromtimestamp(at.timestamp() + 2 * 3600, at.tzinfo).date().isoformat()


# 600 points on 10 February; 450 are taken off on the 20th (BALANCE), or 150 earned on 10 April (POINTS_IN_PERIOD).
BALANCE, EARNED = ("BALANCE", "2028-02-20T12:00", -450), ("POINTS_IN_PERIOD", "2028-04-10T12:00", 150)
STORIES: list[tuple[str, tuple[str, str, int], Any, list[tuple[str, Any]]]] = [
    ("drop", BALANCE, older("BALANCE", "BALANCE_DROP"), [("02-11", ("Gold", "")), ("02-21", ("Silver", ""))]),
    ("three months", BALANCE, older("BALANCE", "CUSTOM", extend="P3M"),
     [("02-21", ("Gold", "2028-05-11")), ("05-11", ("Silver", "2028-08-12")), ("08-12", ("Silver", "2028-11-12"))]),
    ("quarter's end", BALANCE, older("BALANCE", "CUSTOM", extend="P3M", **rounded("QUARTER", "END")),
     [("02-21", ("Gold", "2028-07-01")), ("07-01", ("Silver", "2029-01-01"))]),
    ("quarter's start", BALANCE, older("BALANCE", "CUSTOM", extend="P3M", **rounded("QUARTER", "START")),
     [("02-21", ("Gold", "2028-04-01")), ("04-01", ("Silver", "2028-07-01"))]),
    ("end of January", BALANCE, older("BALANCE", "CUSTOM", extend="P1M", **rounded("CUSTOM", "END", 0)),
     [("02-21", ("Gold", "2029-02-01")), ("12-31", ("Gold", "2029-02-01"))]),
    ("start of July", BALANCE, older("BALANCE", "CUSTOM", extend="P1M", **rounded("CUSTOM", "START", 6)),
     [("06-30", ("Gold", "2028-07-01")), ("07-01", ("Silver", "2029-07-01"))]),
    ("half-year", BALANCE, older("BALANCE", "END_OF_PERIOD", "HALF_YEAR"),
     [("06-30", ("Gold", "2028-07-01")), ("07-01", ("Silver", "2029-01-01"))]),
    ("from next month", BALANCE, older("BALANCE", "END_OF_NEXT_PERIOD", "MONTH", "NEXT_PERIOD"),
     [("02-11", None), ("02-29", None), ("03-01", ("Silver", "2028-05-01"))]),
    ("period", EARNED, older("POINTS_IN_PERIOD", "END_OF_PERIOD", "QUARTER"),
     [("03-31", ("Gold", "2028-04-01")), ("04-01", None), ("04-11", ("Silver", "2028-07-01")), ("07-01", None)]),
    ("next period", EARNED, older("POINTS_IN_PERIOD", "END_OF_NEXT_PERIOD", "QUARTER"),
     [("04-11", ("Gold", "2028-07-01")), ("07-01", ("Silver", "2028-10-01")), ("10-01", None)]),
    ("period and a month", EARNED, older("POINTS_IN_PERIOD", "END_OF_PERIOD", "QUARTER", extend="P1M"),
     [("04-30", ("Gold", "2028-05-01")), ("05-01", ("Silver", "2028-07-31")), ("07-31", None)]),
    ("from next period", EARNED, older("POINTS_IN_PERIOD", "END_OF_PERIOD", "QUARTER", "NEXT_PERIOD"),
     [("03-31", None), ("04-01", ("Gold", "2028-07-01")), ("07-01", ("Silver", "2028-10-01")), ("10-01", None)]),
    ("from next to next and 15 days", EARNED,
     older("POINTS_IN_PERIOD", "END_OF_NEXT_PERIOD", "QUARTER", "NEXT_PERIOD", extend="P15D"),
     [("03-31", None), ("04-01", ("Gold", "2028-10-16")), ("10-15", ("Gold", "2028-10-16")), ("10-16", ("Silver", "2029-01-16"))]),
]  # fmt: skip


@pytest.mark.parametrize(("story", "lasting", "nights"), [one[1:] for one in STORIES], ids=[s[0] for s in STORIES])  # fmt: skip
async def test_how_long_tiers_last(
    client: Client,
    clock: Clock,
    run_jobs: Any,
    story: tuple[str, str, int],
    lasting: Any,
    nights: list[tuple[str, Any]],
) -> None:
    await clock.live_in("Europe/Warsaw", "2028-02-10T12:00")
    made = await club(client, per_order_older(), loyalty_tiers_expiration=lasting)
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", LEVELS)
    code = (await join_older(client, made["id"]))["code"]
    await move(client, code, 600)
    _, at, amount = story
    seen = []
    for night, _ in nights:
        if at and at < f"2028-{night}":
            await clock.to(at)
            await move(client, code, amount)
            await run_jobs()
            at = ""
        await clock.to(f"2028-{night}T00:00:10")
        seen.append((night, await tier_of(client, code)))
    assert seen == nights


MONTH = {"type": "FIXED_DURATION", "fixed_duration": {"period": {"unit": "MONTH", "value": 1}}}
FALLS: list[tuple[str, dict[str, Any], list[tuple[str, str | None]]]] = [
    ("one at a time", {"downgrade": {"type": "SINGLE_LEVEL"}},
     [("02-03", "Silver"), ("02-04", "Bronze"), ("02-05", None)]),
    ("with grace", {"downgrade": {"type": "MULTI_LEVEL", "grace_period": {"unit": "MONTH", "value": 1, "round_up": True}}},
     [("02-04", "Gold"), ("03-31", "Gold"), ("04-01", None)]),
    ("a month", {"expiration": MONTH, "downgrade": {"type": "SINGLE_LEVEL"}},
     [("02-28", "Gold"), ("03-01", "Silver"), ("04-01", "Silver"), ("04-02", "Bronze"), ("05-03", None)]),
    ("a month and grace", {"expiration": MONTH, "downgrade": {"type": "MULTI_LEVEL", "grace_period": {"unit": "DAY", "value": 5}}},
     [("03-01", "Gold"), ("03-05", "Gold"), ("03-06", None)]),
    ("dates", {"expiration": {"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"calendar_dates": [
        {"day": 31, "month": 3}, {"day": 30, "month": 6}]}}, "downgrade": {"type": "MULTI_LEVEL"}},
     [("03-31", "Gold"), ("04-01", None)]),
    ("never", {}, [("02-04", "Gold"), ("12-31", "Gold")]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "nights"), [one[1:] for one in FALLS], ids=[one[0] for one in FALLS])
async def test_how_tiers_are_lost(
    client: Client, clock: Clock, run_jobs: Any, how: dict[str, Any], nights: list[tuple[str, str | None]]
) -> None:
    """Gold on 31 January; the night to 3 February all points are gone but 5."""
    await clock.live_in("Europe/Warsaw", "2027-01-31T12:00")
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    structure = (await ok(client, "POST", STRUCTURES, by_balance(card_id, **how)))["id"]
    for name, least in (("Bronze", 10), ("Silver", 100), ("Gold", 500)):
        await ok(client, "POST", f"{STRUCTURES}/{structure}/tiers", tier(name, least))
    await ok(client, "POST", f"{STRUCTURES}/{structure}/activate")
    body = {
        "name": "Tiered", "status": "ACTIVE", "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rule}], "tier_structures": [{"id": structure}],
    }  # fmt: skip
    member = await join(client, (await ok(client, "POST", PROGRAMS, body))["id"])
    await buy(client, 60_000)
    await run_jobs()
    await clock.to("2027-02-03T00:00:10")
    await move(client, (await points(client, member))["code"], -595)
    await run_jobs()
    path = f"{PROGRAMS}/{member['program_id']}/memberships/{member['customer_id']}"
    seen, lost = [], ""
    for night, _ in nights:
        await clock.to(f"2027-{night}T00:00:20")
        progress = (await ok(client, "GET", path))["cards"][0]["tier_progress"]
        name = progress["current"] and progress["current"]["tier"]["name"]
        if seen and name != seen[-1][1]:
            assert lost.startswith(f"2027-{night}"), "as was foretold"
        lost = _day(progress["risks"][0]["date"]) if progress["risks"] else ""
        assert not lost or (name and lost > f"2027-{night}")
        seen.append((night, name))
    assert seen == nights


async def test_tiers_are_decided_before_points_lapse(client: Client, clock: Clock, run_jobs: Any) -> None:
    """Points and tier end with the same day: the points count once more, and go then."""
    await clock.live_in("America/New_York", "2027-12-30T12:00")
    made = await club(
        client, per_order_older(), loyalty_tiers_expiration=older("BALANCE", "CUSTOM", extend="P1D")
    )
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", LEVELS)
    code = (await join_older(client, made["id"]))["code"]
    day = {"expiration_type": "CUSTOM_DATE", "expiration_date": "2027-12-31"}
    await ok(client, "POST", f"{LOYALTIES}/members/{code}/balance", {"points": 100, **day})
    await clock.to("2028-01-01T00:00:10")
    assert await entries(client, code) == [("POINTS_ADDITION", 100), ("POINTS_EXPIRATION", -100)]
    (now,) = (await ok(client, "GET", f"{LOYALTIES}/members/{code}/tiers"))["data"]
    assert (now["name"], now["expiration"]["expiration_date"]) == ("Silver", "2028-01-02T05:00:00.000Z")
    await clock.to("2028-01-02T00:00:10")
    assert (await ok(client, "GET", f"{LOYALTIES}/members/{code}/tiers"))["data"] == []


@pytest.mark.parametrize("tiers", [False, True])
async def test_rewards_are_taken_of_what_became_active_and_before_points_lapse(
    client: Client, clock: Clock, run_jobs: Any, tiers: bool
) -> None:
    """60 points end tonight and 50 become active: 100 pay for the reward. The tier that ends tonight has 10 left."""
    await clock.live_in("America/New_York", "2027-12-20T12:00")
    lasting = {"loyalty_tiers_expiration": older("BALANCE", "CUSTOM", extend="P11D")} if tiers else {}
    waits = {"period_type": "DAY", "period_value": 12}
    made = await club(client, per_order_older(pending_points=waits), **lasting)
    if tiers:
        levels = [{"name": "Silver", "points": {"from": 50}}]
        await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", levels)
    code = (await join_older(client, made["id"]))["code"]
    offer = {"campaign": made["id"], "parameters": {"loyalty": {"points": 100, "auto_redeem": True}}}
    await ok(client, "POST", f"{V1}/{(await goods(client))['id']}/assignments", offer)
    day = {"expiration_type": "CUSTOM_DATE", "expiration_date": "2027-12-31"}
    await ok(client, "POST", f"{LOYALTIES}/members/{code}/balance", {"points": 60, **day})
    await buy(client, 5000)
    await run_jobs()
    await clock.to("2027-12-31T23:59:50")
    assert len((await ok(client, "GET", f"{LOYALTIES}/members/{code}/tiers"))["data"]) == tiers
    await clock.to("2028-01-01T00:00:10")
    assert await entries(client, code) == [
        ("POINTS_ADDITION", 60), ("PENDING_POINTS_ACTIVATION", 50), ("POINTS_REDEMPTION", -100),
    ]  # fmt: skip
    assert (await ok(client, "GET", f"{LOYALTIES}/members/{code}/tiers"))["data"] == []


ENTRIES = """
    select e.type, e.amount, (e.created_at at time zone p.timezone)::date::text as day
    from card_entries e join projects p on p.id = e.project_id
    where e.project_id = $1 and e.card_id = $2 order by e.seq
"""
TOLD = {
    "POINTS_ACCRUAL": "points_earned", "POINTS_ADDITION": "points_added", "POINTS_EXPIRATION": "points_expired",
    "POINTS_REDEMPTION": "points_spent", "POINTS_REMOVAL": "points_subtracted",
}  # fmt: skip
HOURS = ["00:20", "01:30", "03:30", "11:00", "22:30", "23:59:40"]


async def lived(client: Client, clock: Clock, run_jobs: Any, member: dict[str, Any], reward_id: str) -> None:
    """18 days around the day of 23 hours, with their nights. What is told late in the evening is done after midnight."""
    code, drawn = (await points(client, member))["code"], Random(7)
    path = f"{PROGRAMS}/{member['program_id']}/members/{member['id']}/rewards/purchases"
    orders = []
    for day in [f"2027-03-{day}" for day in range(20, 32)] + [f"2027-04-0{day}" for day in range(1, 7)]:
        await clock.to(f"{day}T00:00:15")
        for hour in sorted(drawn.sample(HOURS, 3)):
            await clock.set(f"{day}T{hour}")
            there = (await points(client, member))["balance"]["points"]
            match drawn.choice("eeerba+"):
                case "e":
                    orders.append(await buy(client, drawn.randrange(500, 3000, 100)))
                case "r" if there >= 15:
                    assert (await client.post(path, json={"reward_id": reward_id})).status_code == 202
                case "b" if orders:
                    await give_back(client, orders.pop(), 100)
                case "a" if there >= 3:
                    await move(client, code, -3)
                case "+":
                    await move(client, code, 8)
                case _:
                    pass
            if hour != HOURS[-1]:
                await run_jobs()
    await clock.to("2027-04-08T00:00:30")


async def a_member(client: Client) -> tuple[dict[str, Any], str]:
    """A member of a program with tiers, whose points end after five days, and what they can be spent on."""
    five = {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 5}}}
    refunds = {"spent_points": {"type": "NONE"}, **REVOKED["zero"]}
    card_id = (await ok(client, "POST", CARDS, card(points_expiration=five, refunds=refunds)))["id"]
    rule = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    product = (await ok(client, "POST", "/v1/products", {"name": "Mug"}))["id"]
    costs = [{"spending": [{"points": 15, "card_definition_id": card_id}]}]
    reward = (await ok(client, "POST", REWARDS, mug(card_id, product, costs=costs)))["id"]
    down = {"downgrade": {"type": "MULTI_LEVEL"}}
    structure = (await ok(client, "POST", STRUCTURES, by_balance(card_id, **down)))["id"]
    for name, least in (("Silver", 20), ("Gold", 60)):
        await ok(client, "POST", f"{STRUCTURES}/{structure}/tiers", tier(name, least))
    await ok(client, "POST", f"{STRUCTURES}/{structure}/activate")
    body = {
        "name": "Reported", "status": "ACTIVE", "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rule}], "tier_structures": [{"id": structure}],
        "rewards": [{"id": reward, "stock": {"type": "UNLIMITED"}}],
    }  # fmt: skip
    return await join(client, (await ok(client, "POST", PROGRAMS, body))["id"]), reward


async def test_reports_are_the_entries_of_their_days(client: Client, clock: Clock, run_jobs: Any) -> None:
    await clock.live_in("Europe/Warsaw", "2027-03-20T00:00:05")
    member, reward = await a_member(client)
    await lived(client, clock, run_jobs, member, reward)

    card_id = (await points(client, member))["id"]
    records = await db.records(clock.pool, ENTRIES, client.project_id, card_id.replace("lcrd_", "v_"))
    booked: dict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        booked[record["day"]][record["type"]] += record["amount"]
    assert {"POINTS_ACCRUAL", "POINTS_EXPIRATION", "POINTS_REDEMPTION"} <= {r["type"] for r in records}
    program, days = (
        f"{PROGRAMS}/{member['program_id']}",
        "?start_date=2027-03-20&end_date=2027-04-08&resolution=day",
    )

    async def report(path: str) -> list[dict[str, Any]]:
        return (await ok(client, "GET", f"{program}/{path}/daily{days}"))["data"]

    of_card = {one["date"]: one for one in await report(f"members/{member['id']}/cards/{card_id}/reports")}
    for day in booked.keys() | of_card.keys():
        told = of_card.get(day, defaultdict(int))
        assert told["points_total"] == sum(booked[day].values()), day
        for type, name in TOLD.items():
            assert told[name] == abs(booked[day][type]), (day, name)
    earned: Counter[str] = Counter()
    for one in await report("reports/points-earnings"):
        earned[one["date"]] += one["points"]
    assert +earned == +Counter({day: sums["POINTS_ACCRUAL"] for day, sums in booked.items()})
    spent = Counter({one["date"]: one["points"] for one in await report("reports/spending")})
    assert +spent == +Counter({day: -sums["POINTS_REDEMPTION"] for day, sums in booked.items()})
    (total,) = (await ok(client, "GET", f"{program}/reports/spending/summary"))["data"]
    assert total["points"] == spent.total()

    changes: Counter[tuple[str, str]] = Counter()
    for one in (await ok(client, "GET", f"{program}/members/{member['id']}/tiers/transactions?limit=100"))[
        "data"
    ]:
        at = datetime.fromisoformat(one["created_at"]).astimezone(clock.zone)
        changes[at.date().isoformat(), one["type"]] += 1
    kinds = {"joins": "JOINED", "upgrades": "UPGRADED", "downgrades": "DOWNGRADED", "lefts": "LEFT"}
    reported: Counter[tuple[str, str]] = Counter()
    for one in await report("reports/tiers"):
        for name, kind in kinds.items():
            reported[one["date"], kind] += one[name]
    assert +reported == changes and changes


async def test_the_books_hold_after_all_that(client: Client, database_url: str) -> None:
    """Of everything that the tests of this file did, at all its times."""
    assert [result.invariant for result in await verify(database_url) if not result.holds] == []
