"""Transactions of points say what they came of: the event and the rule, what waited, the reward, the other card."""

from datetime import date, timedelta
from typing import Any

from guerdon.kit import db
from guerdon.kit.job_worker import tick
from guerdon.segments.jobs import PERIODIC

from .conftest import Client
from .loyalty import ok
from .test_custom_events import schema
from .test_loyalty_earning import buy
from .test_loyalty_v1 import LOYALTIES, club, join, per_order
from .test_rewards_v1 import coin, give, goods
from .test_rewards_v1_redeemed import REDEMPTIONS, asked


async def moved(client: Client, card: dict[str, Any]) -> list[dict[str, Any]]:
    """The transactions of a card, the oldest first, the same by both paths."""
    path = f"{LOYALTIES}/members/{card['code']}/transactions?order=created_at"
    listed = (await ok(client, "GET", path))["data"]
    of_all = (await ok(client, "GET", f"{LOYALTIES}/{card['campaign_id']}/transactions?limit=100"))["data"]
    assert {one["id"]: one for one in listed}.items() <= {one["id"]: one for one in of_all}.items()
    return listed


async def about(client: Client, card: dict[str, Any], event: dict[str, str]) -> dict[str, Any]:
    """The event that a transaction names, as the customer's activity has it."""
    found = (await ok(client, "GET", f"/v1/customers/{card['holder_id']}/activity?limit=100"))["data"]
    (one,) = [each for each in found if each["id"] == event["id"]]
    return one


async def test_what_gave_points_is_named(client: Client, manager: Any, run_jobs: Any) -> None:
    made = await schema(manager, "read", pages={"type": "number"})
    segment = await ok(
        client, "POST", "/v1/segments",
        {"name": "readers", "type": "auto-update", "filter": {
            "junction": "and", "metadata.reads": {"conditions": {"$is": [True]}}}},
    )  # fmt: skip
    campaign = await club(
        client, per_order(),
        {"event": "read", "custom_event": {"schema_id": made["id"]}, "loyalty": {"type": "FIXED", "points": 2}},
        {"event": "customer.segment.entered", "segment": {"id": segment["id"]}, "loyalty": {"type": "FIXED", "points": 3}},
        {"event": "customer.loyalty.tier.joined", "loyalty_tier": {"id": "__ANY__"}, "loyalty": {"type": "FIXED", "points": 4}},
    )  # fmt: skip
    card = await join(client, campaign["id"])
    order = await buy(client, 1000)
    await run_jobs()
    sent = {"event": "read", "customer": {"source_id": "ada"}, "metadata": {"pages": 1}}
    told = await ok(client, "POST", "/v1/events", sent)
    await run_jobs()
    await ok(client, "PUT", f"/v1/customers/{card['holder_id']}", {"metadata": {"reads": True}})
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, "delete from jobs where kind like 'segments.%'")
    await tick(pool, PERIODIC)
    await run_jobs()
    rules = (await ok(client, "GET", f"{LOYALTIES}/{campaign['id']}/earning-rules"))["data"]
    (tier,) = await ok(
        client, "POST", f"{LOYALTIES}/{campaign['id']}/tiers",
        [{"name": "Gold", "points": {"from": 20}, "earning_rules": {
            one["id"]: {"type": "MULTIPLY", "multiplier": 2} for one in rules if one["event"] == "order.paid"}}],
    )  # fmt: skip
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 20})
    await run_jobs()
    await run_jobs()
    await buy(client, 1000, source_id="second")
    await run_jobs()
    first, read, entered, by_hand, joined, second = [one["details"] for one in await moved(client, card)]
    assert first["order"] == {"id": order["id"], "source_id": None}
    assert first["event"]["type"] == "customer.order.paid" and "holder_loyalty_tier" not in first
    assert (await about(client, card, first["event"]))["type"] == "customer.order.paid"
    assert read["custom_event"] == {"id": told["id"], "type": "read"}
    assert read["event_schema"] == {"id": made["id"], "name": "read"}
    assert (await about(client, card, read["event"]))["type"] == "customer.custom_event"
    assert entered["segment"] == {"id": segment["id"], "name": "readers"}
    assert entered["event"]["type"] == "customer.segment.entered" and "custom_event" not in entered
    assert set(by_hand) == {"balance"}
    assert joined["event"]["type"] == "customer.loyalty.tier.joined"
    gold = {"id": tier["id"], "name": "Gold"}
    assert joined["holder_loyalty_tier"] == gold and "loyalty_tier" not in joined
    assert second["holder_loyalty_tier"] == second["loyalty_tier"] == gold
    assert second["order"]["source_id"] == "second" and second["balance"]["points"] == 20


async def test_what_waited_is_told_once_it_is_there(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order(pending_points={"period_type": "DAY", "period_value": 14}))
    card = await join(client, made["id"])
    order = await buy(client, 1000)
    await run_jobs()
    path = f"{LOYALTIES}/members/{card['code']}/pending-points"
    (waiting,) = (await ok(client, "GET", path))["data"]
    assert waiting["details"]["event"] == {
        "type": "customer.order.paid", "category": "ACTION", "entity_id": card["holder_id"],
    }  # fmt: skip
    assert "holder_loyalty_tier" not in waiting["details"]
    await ok(client, "POST", f"{path}/{waiting['id']}/activate")
    (entry,) = await moved(client, card)
    assert entry["type"] == "PENDING_POINTS_ACTIVATION"
    told = entry["details"]["pending_points"]
    assert {name: told[name] for name in told if name != "details"} == {
        name: waiting[name] for name in told if name != "details"
    }
    assert (told["points"], told["order_id"], told["voucher_id"]) == (10, order["id"], card["id"])
    assert set(told["details"]) == {"event", "earning_rule", "order"}
    assert told["details"]["earning_rule"] == waiting["details"]["earning_rule"]


async def test_days_are_those_of_the_projects_calendar(client: Client, run_jobs: Any) -> None:
    """Dates alone, as the reference has them: in Warsaw a day begins before midnight of UTC."""
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, "update projects set timezone = 'Europe/Warsaw' where id = $1", client.project_id)
    made = await club(client, per_order(pending_points={"period_type": "DAY", "period_value": 14}))
    tier = {"name": "Gold", "points": {"from": 1}}
    (gold,) = await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", [tier])
    card = await join(client, made["id"])
    path = f"{LOYALTIES}/{made['id']}/members/{card['code']}"
    dated = {"points": 5, "expiration_type": "CUSTOM_DATE", "expiration_date": "2090-05-31"}
    await ok(client, "POST", f"{path}/balance", dated)
    await buy(client, 1000)
    await run_jobs()
    (ending,) = (await ok(client, "GET", f"{path}/points-expiration"))["data"]
    shown = (await ok(client, "GET", path))["loyalty_card"]
    assert ending["expires_at"] == shown["next_expiration_date"] == "2090-05-31"
    (waiting,) = (await ok(client, "GET", f"{path}/pending-points"))["data"]
    today = date.fromisoformat(str(await db.value(pool, "select (now() at time zone 'Europe/Warsaw')::date")))
    assert date.fromisoformat(waiting["activates_at"]) - today == timedelta(days=14)
    assert waiting["details"]["holder_loyalty_tier"] == {"id": gold["id"], "name": "Gold"}
    assert "loyalty_tier" not in waiting["details"]


async def test_what_took_points_is_named(client: Client) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 1000})
    pay, mug = await coin(client), await goods(client)
    await give(client, made["id"], pay["id"])
    await give(client, made["id"], mug["id"], 300)
    paid = (await ok(client, "POST", REDEMPTIONS, asked(card, pay, 100, amount=1000)))["redemptions"][0]
    path = f"{LOYALTIES}/members/{card['code']}/redemption"
    bought = await ok(client, "POST", path, {"reward": {"id": mug["id"]}})
    for one in (paid, bought):
        await ok(client, "POST", f"{REDEMPTIONS}/{one['id']}/rollback")
    _, *used = await moved(client, card)
    assert [one["type"] for one in used] == ["POINTS_REDEMPTION"] * 2 + ["POINTS_REFUND"] * 2
    assert [one["details"]["reward"] for one in used] == [
        {"id": reward["id"], "name": reward["name"]} for reward in (pay, mug, pay, mug)
    ]


async def test_the_other_card_of_a_transfer_is_told(client: Client) -> None:
    made = await club(client)
    ada, bob = [await join(client, made["id"], name) for name in ("ada", "bob")]
    await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", {"points": 30})
    gift = [{"code": ada["code"], "points": 20, "source_id": "t"}]
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/members/{bob['code']}/transfers", gift)
    out, come = (await moved(client, ada))[-1], (await moved(client, bob))[-1]
    for one, side, other, points in (
        (out, "destination_voucher", bob, {"points": 20, "balance": 20}),
        (come, "source_voucher", ada, {"points": 30, "balance": 10}),
    ):
        told = one["details"][side]
        assert (told["id"], told["code"], told["campaign_id"]) == (other["id"], other["code"], made["id"])
        assert told["loyalty_card"] == points and told["campaign"] == "club"
    newest = await ok(client, "GET", f"/v1/vouchers/{ada['code']}/transactions?limit=1")
    assert newest["data"] == [out]


async def test_a_cards_activity_is_told_by_the_names_of_its_api(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    tiers = [{"name": "Silver", "points": {"from": 5, "to": 15}}, {"name": "Gold", "points": {"from": 16}}]
    silver, gold = await ok(client, "POST", f"{LOYALTIES}/{made['id']}/tiers", tiers)
    card = await join(client, made["id"])
    for source_id in ("one", "two"):
        await buy(client, 1000, source_id=source_id)
        await run_jobs()
    await run_jobs()
    path = f"{LOYALTIES}/members/{card['code']}/activity?limit=50"
    told = {one["type"]: one["data"]["data"] for one in (await ok(client, "GET", path))["data"]}
    (rule,) = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/earning-rules"))["data"]
    joined, up = told["customer.loyalty.tier.joined"], told["customer.loyalty.tier.upgraded"]
    assert joined["loyalty_tier"]["id"] == up["loyalty_tier_from"]["id"] == silver["id"]
    assert up["loyalty_tier_to"] == {"id": gold["id"], "name": "Gold"}
    assert told["customer.rewarded.loyalty_points"]["earning_rule_id"] == rule["id"]
    added = told["customer.voucher.loyalty_card.points_added"]
    assert added["transaction"]["details"]["earning_rule"]["id"] == rule["id"] == added["cause_id"]
    for one in told.values():
        assert one["campaign"] == {"id": made["id"], "name": "club", "object": "campaign"}
        assert (one["voucher"]["id"], one["voucher"]["code"]) == (card["id"], card["code"])
        assert one["customer"]["id"] == card["holder_id"]
