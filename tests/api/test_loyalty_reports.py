"""Reports say what the entries say."""

import random
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.kit import db
from guerdon.loyalty.days import ALL_DAYS, fold
from guerdon.loyalty.earn import earn_at
from guerdon.loyalty.place import held_place

from . import test_rewards_v1_redeemed as redeemed
from .conftest import Client
from .loyalty import CARDS, PROGRAMS, RULES, STRUCTURES, card, ok, per_order, program, refused, tier
from .test_loyalty_cards import WAITS, moved, of_card
from .test_loyalty_earning import buy, club_of, points
from .test_loyalty_members import join
from .test_purchases_payments import at_most, payer_of, worth

KINDS = ("earning-rules", "points-earnings", "spending", "tiers")
ENTRIES = (
    "select card_id, type, amount, created_at from card_entries where project_id = $1 order by created_at"
)


def today(zone: str = "UTC") -> str:
    return str(datetime.now(ZoneInfo(zone)).date())


async def report(
    client: Client, club: str, kind: str, start: str, end: str, resolution: str = "day", more: str = ""
) -> list[dict[str, Any]]:
    """The lines of a program's report."""
    path = f"{PROGRAMS}/{club}/reports/{kind}/daily"
    query = f"?start_date={start}&end_date={end}&resolution={resolution}{more}"
    return (await ok(client, "GET", path + query))["data"]


async def summary(client: Client, club: str, kind: str, more: str = "") -> list[dict[str, Any]]:
    """The lines of a program's report over all its time."""
    return (await ok(client, "GET", f"{PROGRAMS}/{club}/reports/{kind}/summary{more}"))["data"]


async def folded(client: Client) -> int:
    """Have the sums folded."""
    return await fold(client.app.state.pool, client.project_id)  # type: ignore[union-attr]


async def test_what_rules_gave(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    for amount in (1000, 500):
        await buy(client, amount)
    await run_jobs()
    rule_id = (await ok(client, "GET", f"{PROGRAMS}/{club['id']}/earning-rules"))["data"][0][
        "earning_rule_id"
    ]
    now = today()
    for times in range(2):  # before the sums are folded, and after
        (earned,) = await report(client, club["id"], "points-earnings", now, now)
        assert earned["date"] == now and earned["earning_rule_id"] == rule_id
        assert (earned["success_count"], earned["points"], earned["pending_points"]) == (2, 15, 0)
        (rule,) = await report(client, club["id"], "earning-rules", now, now)
        assert rule["success_count"] == 2 and rule["failures_count"] == 0
        (total,) = await summary(client, club["id"], "points-earnings")
        assert (total["points"], total["earning_item_id"]) == (15, earned["earning_item_id"])
        (all_of,) = await summary(client, club["id"], "earning-rules")
        assert all_of["success_count"] == 2
        assert bool(await folded(client)) == (times == 0)
    await buy(client, 300)
    await run_jobs()
    assert (await summary(client, club["id"], "points-earnings"))[0]["points"] == 18
    assert (await report(client, club["id"], "points-earnings", now, now, "month"))[0]["points"] == 18
    path = f"{PROGRAMS}/{club['id']}/members/{made['id']}/earning-rules/{rule_id}/reports/daily"
    (mine,) = (await ok(client, "GET", f"{path}?start_date={now}&end_date={now}&resolution=day"))["data"]
    assert mine == {"date": now, "count": 3, "object": "earning_rule_daily_report"}
    assert await report(client, club["id"], "tiers", now, now) == []
    for kind in KINDS:
        assert all(line["object"].endswith("_report") for line in await summary(client, club["id"], kind))


async def test_rules_that_rest_are_counted(client: Client, run_jobs: Any) -> None:
    often = {
        "cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "DAY", "value": 1}}},
        "frequency": {"type": "NO_LIMIT", "limits": []},
    }
    club = await club_of(client, {"trigger_limits": often})
    await join(client, club["id"])
    for _ in range(3):
        await buy(client, 1000)
        await run_jobs()
    (rule,) = await summary(client, club["id"], "earning-rules")
    assert rule["success_count"] == 1 and rule["failures_count"] == 2
    assert rule["failures_breakdown"] == {"cooldown": 2, "frequency": 0}


async def test_what_moved_on_a_card(client: Client, run_jobs: Any) -> None:
    refunds = {
        "spent_points": {"type": "NONE"},
        "earned_points": {
            "type": "REFUNDABLE",
            "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_TO_ZERO"}],
        },
    }
    club = await club_of(client, refunds=refunds)
    made = await join(client, club["id"])
    path, now = await of_card(client, made), today()
    order = await buy(client, 5000)
    await run_jobs()
    for amount in (100, -30):
        await ok(client, "POST", f"{path}/points", {"points": amount})
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await run_jobs()
    (line,) = (
        await ok(client, "GET", f"{path}/reports/daily?start_date={now}&end_date={now}&resolution=day")
    )["data"]
    told = {name: count for name, count in line.items() if count and name.startswith("points_")}
    assert told == {
        "points_total": 70, "points_earned": 50, "points_added": 100, "points_subtracted": 30, "points_refunded": 50,
    }  # fmt: skip
    assert (await points(client, made))["balance"]["points"] == 70


async def test_pending_points_in_reports(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, pending_points=WAITS)
    path, now = await of_card(client, await join(client, club["id"])), today()
    for amount in (1000, 700):
        await buy(client, amount)
        await run_jobs()
    by_points = {
        each["points"]["total"]: each["id"]
        for each in (await ok(client, "GET", f"{path}/pending-points"))["data"]
    }
    await ok(client, "POST", f"{path}/pending-points/{by_points[10]}/activate")
    await ok(client, "POST", f"{path}/pending-points/{by_points[7]}/cancel")
    (line,) = (
        await ok(client, "GET", f"{path}/reports/daily?start_date={now}&end_date={now}&resolution=week")
    )["data"]
    assert line["points_total"] == 10 and line["points_earned"] == 0
    assert line["pending_points_total"] == 0
    assert (line["pending_points_activated"], line["pending_points_canceled"]) == (10, 7)
    (earned,) = await summary(client, club["id"], "points-earnings")
    assert (earned["points"], earned["pending_points"]) == (0, 17)


async def test_ways_into_tiers(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    levels = {
        "name": "Levels", "type": "POINT_BALANCE", "status": "ACTIVE",
        "point_balance": {"card_definition_id": card_id},
    }  # fmt: skip
    structure = (await ok(client, "POST", STRUCTURES, levels))["id"]
    ids = [
        (await ok(client, "POST", f"{STRUCTURES}/{structure}/tiers", tier(name, least)))["id"]
        for name, least in (("Silver", 10), ("Gold", 50))
    ]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    club = await ok(
        client, "POST", PROGRAMS,
        {"name": "Club", "status": "ACTIVE", "tier_structures": [{"id": structure}], **parts},
    )  # fmt: skip
    for name in ("ada", "bob"):
        path = await of_card(client, await join(client, club["id"], name))
        for amount in (10, 50):
            await ok(client, "POST", f"{path}/points", {"points": amount})
    lines = {line["tier_id"]: line for line in await report(client, club["id"], "tiers", today(), today())}
    assert (lines[ids[0]]["joins"], lines[ids[1]]["upgrades"]) == (2, 2)
    everything = await summary(client, club["id"], "tiers")
    assert [line["id"] for line in everything] == sorted((line["id"] for line in everything), reverse=True)
    assert len(await summary(client, club["id"], "tiers", "?limit=1")) == 1
    (gold,) = await summary(client, club["id"], "tiers", f"?filters[tier_id][conditions][$is]={ids[1]}")
    assert gold["upgrades"] == 2 and gold["tier_structure_id"] == structure


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("start_date=2026-01-01&end_date=2025-12-31&resolution=day", "end_date"),
        ("start_date=2026-01-01&end_date=2026-04-02&resolution=day", "end_date"),
        ("start_date=2026-01-01&end_date=2026-03-27&resolution=week", "end_date"),
        ("start_date=2026-01-01&end_date=2027-01-02&resolution=month", "end_date"),
        ("start_date=2026-01-01&end_date=2027-01-02&resolution=quarter", "end_date"),
        ("start_date=2026-1-1&end_date=2026-01-02&resolution=day", "start_date"),
        ("start_date=2026-02-30&end_date=2026-03-02&resolution=day", "start_date"),
        ("start_date=0001-01-01&end_date=0001-01-02&resolution=day", "start_date"),
        ("start_date=9999-12-30&end_date=9999-12-31&resolution=day", "start_date"),
        ("start_date=2026-01-01&end_date=2026-01-02&resolution=year", "resolution"),
        ("start_date=2026-01-01&resolution=day", "end_date"),
    ],
)
async def test_dates_that_cannot_be(client: Client, query: str, path: str) -> None:
    club = await program(client)
    card_path = await of_card(client, await join(client, club["id"]))
    for where in (f"{PROGRAMS}/{club['id']}/reports/spending/daily", f"{card_path}/reports/daily"):
        status, _, named = await refused(client, "GET", f"{where}?{query}")
        assert (status, named) == (400, path)


async def test_a_report_of_another_program_has_none_of_it(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    card_id = (await ok(client, "POST", CARDS, card(name="Other")))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    other = await ok(client, "POST", PROGRAMS, {"name": "Other", "status": "ACTIVE", **parts})
    for kind in KINDS:
        assert await summary(client, other["id"], kind) == []
        assert await report(client, other["id"], kind, today(), today()) == []


# Days with a change of the clock among them, and a zone on the other side of the date line.
ZONES = [
    ("Europe/Warsaw", date(2026, 3, 27)), ("America/New_York", date(2026, 10, 30)), ("Pacific/Apia", date(2026, 2, 27)),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "first"), ZONES)
async def test_the_days_of_a_report_are_those_of_the_entries(client: Client, zone: str, first: date) -> None:
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, "update projects set timezone = $2 where id = $1", client.project_id, zone)
    club = await club_of(client, pending_points={"type": "IMMEDIATE"})
    made = await join(client, club["id"])
    path = await of_card(client, made)
    draw = random.Random(f"{zone} {first}")
    start = datetime(first.year, first.month, first.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    instants = [start + timedelta(minutes=draw.randrange(6 * 24 * 60)) for _ in range(20)]
    # Around each midnight too.
    for day in range(1, 6):
        local = first + timedelta(days=day)
        midnight = datetime(local.year, local.month, local.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
        instants += [midnight - timedelta(microseconds=1), midnight]
    for at in sorted(instants):
        order = await buy(client, draw.randrange(100, 5000, 10))
        async with db.transaction(pool) as conn:
            await db.execute(conn, "delete from jobs where project_id = $1", client.project_id)
            place = await held_place(conn, client.project_id)
            place.now = at
            await earn_at(conn, place, [("job_x", {"order_id": order["id"]}, at)])
        if draw.random() < 0.2:
            await folded(client)
    expected: Counter[str] = Counter()
    for record in await db.records(pool, ENTRIES, client.project_id):
        expected[str(record["created_at"].astimezone(ZoneInfo(zone)).date())] += record["amount"]
    end = str(first + timedelta(days=8))
    lines = await report(client, club["id"], "points-earnings", str(first), end)
    assert {line["date"]: line["points"] for line in lines} == dict(expected)
    of_card_lines = (
        await ok(client, "GET", f"{path}/reports/daily?start_date={first}&end_date={end}&resolution=day")
    )["data"]
    assert len(of_card_lines) == 9
    assert {line["date"]: line["points_earned"] for line in of_card_lines if line["points_earned"]} == dict(
        expected
    )
    for resolution in ("week", "month", "quarter"):
        sums = await report(client, club["id"], "points-earnings", str(first), end, resolution)
        assert sum(line["points"] for line in sums) == sum(expected.values())
    (total,) = await summary(client, club["id"], "points-earnings")
    assert total["points"] == sum(expected.values()) == (await points(client, made))["balance"]["points"]


async def test_folding_keeps_every_sum(client: Client) -> None:
    club = await program(client)
    pool = client.app.state.pool  # type: ignore[union-attr]
    put = """
        insert into loyalty_days (project_id, program_id, kind, day, part_id, id, counts)
        select $1, $2, 'rule', date '2026-01-01' + n % 3, 'lern_' || n % 7, 'x' || n, array[n, 1, 0, 0, 2]
        from generate_series(1, 12000) n
    """
    await db.execute(pool, put, client.project_id, club["id"])
    read = "select sum(counts[1]) as first, sum(counts[2]) as second, sum(counts[5]) as last from loyalty_days where project_id = $1 and "
    before = tuple((await db.records(pool, read + "day <> $2", client.project_id, ALL_DAYS))[0])
    assert await folded(client) == 12000
    for where in ("day = $2", "day <> $2"):
        assert tuple((await db.records(pool, read + where, client.project_id, ALL_DAYS))[0]) == before
    rows = "select count(*) from loyalty_days where project_id = $1"
    assert await db.value(pool, rows, client.project_id) == 3 * 7 + 7
    assert await folded(client) == 0


async def test_points_spent_in_each_way(client: Client, run_jobs: Any) -> None:
    payer = await payer_of(client, **worth(2))
    reward_id = await payer.reward()
    await payer.buy(reward_id)
    await payer.pay(await buy(client, 600, "bob"), payment_limit=at_most(points=100))
    await run_jobs()
    now = today()
    spent = {
        "success": 2, "success_on_reward": 1, "success_on_order": 1, "points": 300, "points_on_rewards": 200,
        "points_on_order": 100, "amount_on_order": 200,
    }  # fmt: skip
    (line,) = await report(client, payer.program_id, "spending", now, now)
    assert {name: line[name] for name in spent} == spent
    assert line["card_definition_id"] == payer.card_id and line["date"] == now
    await folded(client)
    other = "?filters[card_definition_id][conditions][$is_not]=" + payer.card_id
    assert await summary(client, payer.program_id, "spending", other) == []
    (total,) = await summary(client, payer.program_id, "spending")
    assert {name: total[name] for name in spent} == spent
    path = await of_card(client, payer.member)
    kinds = [kind for kind, _ in await moved(client, path)]
    assert kinds == ["ADMIN_CREDIT", "POINTS_SPENT_ON_REWARD", "POINTS_SPENT_ON_ORDER"]
    _, on_reward, on_order = (await ok(client, "GET", f"{path}/transactions?order=created_at"))["data"]
    assert on_reward["details"]["reward"] == {"id": reward_id}
    assert on_reward["details"]["reward_transaction"] == {"id": (await payer.last())["id"]}
    assert on_order["details"]["order_transaction"] == {"id": (await payer.payments())[0]["id"]}
    (of_day,) = (
        await ok(client, "GET", f"{path}/reports/daily?start_date={now}&end_date={now}&resolution=day")
    )["data"]
    assert of_day["points_spent"] == 300


async def test_points_that_a_redemption_paid_with(client: Client, run_jobs: Any) -> None:
    made, member, pay = await redeemed.shop(client, cash=1, ratio=50)
    await ok(client, "POST", redeemed.REDEMPTIONS, redeemed.asked(member, pay, 300, amount=1000))
    await run_jobs()
    program_id = "lprg_" + made["id"].partition("_")[2]
    (total,) = await summary(client, program_id, "spending")
    assert (total["success_on_order"], total["points_on_order"], total["amount_on_order"]) == (1, 300, 600)
