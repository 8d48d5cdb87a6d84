"""Programs as the engine gets them: made of the snapshot, and made anew when a part of them changes."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from guerdon.definitions.snapshot import Snapshots
from guerdon.engine.checks import Redeemable
from guerdon.engine.earning import earn
from guerdon.engine.earning_rule import Member, OrderPaid, SegmentEntered
from guerdon.engine.order import Order
from guerdon.engine.rule import check_rules
from guerdon.engine.situation import Situation
from guerdon.engine.tier import MemberPoints, Standing
from guerdon.engine.tiering import tier_at
from guerdon.loyalty import compiled

from .conftest import Client
from .loyalty import (
    CARDS,
    PROGRAMS,
    REWARDS,
    RULES,
    STRUCTURES,
    by_balance,
    card,
    mug,
    ok,
    per_order,
    program,
    tier,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def paid(amount: int) -> Situation:
    return Situation(now=NOW, zone=ZoneInfo("UTC"), order=Order(amount=amount))


async def points(client: Client, snapshots: Snapshots, program_id: str, amount: int) -> int:
    """What a member of a program earns by an order."""
    assert client.app.state is not None
    found = compiled.program(await snapshots.current(client.app.state.pool, client.project_id), program_id)
    assert found is not None
    member = Member(id="lmbr_1", balances=dict.fromkeys(found.cards, 0))
    return earn(found.earning, OrderPaid(), member, paid(amount)).points()


async def test_what_is_defined_is_what_is_earned(client: Client) -> None:
    made, snapshots = await program(client), Snapshots()
    assert await points(client, snapshots, made["id"], 4990) == 49
    rule = f"{RULES}/{made['earning_rules'][0]['id']}"
    earnings = (await ok(client, "GET", rule))["earnings"]
    earnings[0]["effects"][0]["points_proportional"]["order"]["total_amount"]["value"] = 3
    await ok(client, "PUT", rule, {"earnings": earnings})
    assert await points(client, snapshots, made["id"], 4990) == 147
    happy = {"multiplier": 2, "earning_rules": [made["earning_rules"][0]["id"]], "validity_day_of_week": [0]}
    changed = await ok(client, "PUT", f"{PROGRAMS}/{made['id']}", {"happy_hours": [happy]})
    assert changed["happy_hours"] == [happy]
    assert await points(client, snapshots, made["id"], 4990) == 294  # a Sunday
    await ok(client, "PUT", f"{PROGRAMS}/{made['id']}", {"happy_hours": None})
    assert await points(client, snapshots, made["id"], 4990) == 147
    other = await ok(client, "POST", RULES, per_order(made["card_definitions"][0]["id"]))
    batch = {"assign": [{"id": other["id"]}]}
    await ok(client, "POST", f"{PROGRAMS}/{made['id']}/earning-rules/batch", batch)
    assert await points(client, snapshots, made["id"], 4990) == 196
    await ok(client, "POST", f"{RULES}/{other['id']}/deactivate")
    assert await points(client, snapshots, made["id"], 4990) == 147


async def test_only_active_programs_wait(client: Client) -> None:
    made = await program(client)
    assert client.app.state is not None
    pool, snapshots = client.app.state.pool, Snapshots()
    snapshot = await snapshots.current(pool, client.project_id)
    assert [each.id for each in compiled.waiting_for(snapshot, OrderPaid())] == [made["id"]]
    assert compiled.waiting_for(snapshot, SegmentEntered("seg_1")) == ()
    await ok(client, "POST", f"{PROGRAMS}/{made['id']}/deactivate")
    snapshot = await snapshots.current(pool, client.project_id)
    assert compiled.waiting_for(snapshot, OrderPaid()) == ()
    await ok(client, "DELETE", f"{PROGRAMS}/{made['id']}")
    snapshot = await snapshots.current(pool, client.project_id)
    assert compiled.programs(snapshot) == ()
    assert compiled.program(snapshot, made["id"]) is None


async def compiled_of(client: Client, program_id: str) -> compiled.Program:
    assert client.app.state is not None
    snapshot = await Snapshots().current(client.app.state.pool, client.project_id)
    found = compiled.program(snapshot, program_id)
    assert found is not None
    return found


LIMITED = {
    "global": {"type": "LIMITED", "limits": [{"type": "SPENDING_BASED", "max": 900}]},
    "transactions": {"type": "LIMITED", "limits": [{"type": "POINTS", "max": 300}]},
}
REFUNDS = {
    "spent_points": {"type": "REFUNDABLE", "methods": [{"type": "RETURN_POINTS", "mode": "REFUND_ALL"}]},
    "earned_points": {
        "type": "REFUNDABLE",
        "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_BELOW_ZERO"}],
    },
}


async def test_what_a_card_says_of_spending_and_returns(client: Client) -> None:
    told = card(
        spending_limits=LIMITED,
        refunds=REFUNDS,
        balance_settings={"allow_negative": True},
        pay_with_points={"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": "2"}},
    )
    card_id = (await ok(client, "POST", CARDS, told))["id"]
    made = await ok(client, "POST", PROGRAMS, {"name": "Club", "card_definitions": [{"id": card_id}]})
    policy = (await compiled_of(client, made["id"])).cards[card_id]
    assert (policy.most_spent, policy.most_at_once, policy.exchange) == (900, 300, "2")
    assert policy.allow_negative
    assert (policy.spent_refund, policy.earned_refund) == ("REFUND_ALL", "REVOKE_BELOW_ZERO")


YEARLY = {"type": "CURRENT_PERIOD", "current_period": {"unit": "YEAR"}}
OFTEN = {
    "cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "DAY", "value": 3}}},
    "frequency": {
        "type": "LIMITED",
        "limits": [{"type": "TIME_BASED", "period": YEARLY, "triggers": {"max": 2}}],
    },
}


async def test_what_a_reward_costs_and_how_often(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    product = await ok(client, "POST", "/v1/products", {"name": "Mug"})
    goods = mug(card_id, product["id"], purchase_limits=OFTEN, refunds={"type": "REFUNDABLE"})
    vip = {"name": "member.metadata", "property": "vip", "conditions": {"$is": [True]}}
    goods["costs"][0]["rules"] = {"1": vip, "logic": "1"}
    reward = await ok(client, "POST", REWARDS, goods)
    body = {"name": "Club", "rewards": [{"id": reward["id"], "stock": {"type": "UNLIMITED"}}]}
    made = await ok(client, "POST", PROGRAMS, body)
    kept = (await compiled_of(client, made["id"])).rewards[reward["id"]]
    assert (kept.most_purchases, kept.period, kept.refundable, kept.active) == (2, "YEAR", True, True)
    assert (kept.costs[0].points, kept.costs[0].card) == (200, card_id)
    rules = kept.costs[0].rules
    assert rules is not None
    for metadata, refused in (({"vip": True}, False), ({}, True)):
        asking = Situation(now=NOW, zone=ZoneInfo("UTC"), metadata=metadata)
        found = check_rules(rules, Redeemable(id="lmbr_1", key="lmbr_1"), asking, None, None)
        assert (found is not None) == refused
    assert kept.cooldown is not None
    assert kept.cooldown.days == 3


async def test_the_tiers_of_a_program(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id, status="ACTIVE"))
    where = f"{STRUCTURES}/{structure['id']}/tiers"
    gold = await ok(client, "POST", where, tier("Gold", 500))
    await ok(client, "POST", where, tier("Silver", 100))
    made = await ok(client, "POST", PROGRAMS, {"name": "Club", "tier_structures": [{"id": structure["id"]}]})
    found = await compiled_of(client, made["id"])
    tiers = compiled.structure_of(found, 0)
    assert tiers is not None
    assert (found.tier_card, tiers.week_start) == (card_id, 0)
    assert [each.name for each in tiers.tiers] == ["Silver", "Gold"]
    ruling = tier_at(tiers, Standing(), MemberPoints(balance=550), NOW, ZoneInfo("UTC"))
    assert ruling.standing.tier_id == gold["id"]
