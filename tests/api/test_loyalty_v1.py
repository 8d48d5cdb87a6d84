"""Loyalty by the paths of the older API, over the rows of the newer one."""

import asyncio
from typing import Any

from .conftest import Client
from .loyalty import PROGRAMS, ok, refused
from .test_loyalty_earning import buy

LOYALTIES = "/v1/loyalties"


def per_order(**more: Any) -> dict[str, Any]:
    """A point for every 100 that an order costs."""
    amount = {"every": 100, "points": 1}
    gives = {"type": "PROPORTIONAL", "calculation_type": "ORDER_AMOUNT", "order": {"amount": amount}}
    return {"event": "order.paid", "loyalty": gives, "source": {"banner": "A point for every 1.00"}, **more}


async def club(client: Client, *rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A loyalty program with earning rules."""
    card = more.pop("card", {"points": 0})
    body = {"name": "club", "voucher": {"type": "LOYALTY_CARD", "loyalty_card": card}, **more}
    made = await ok(client, "POST", LOYALTIES, body)
    if rules:
        await ok(client, "POST", f"{LOYALTIES}/{made['id']}/earning-rules", list(rules))
    return made


async def join(client: Client, campaign: str, name: str = "ada", **more: Any) -> dict[str, Any]:
    """A new member's card."""
    body = {"customer": {"source_id": name}, **more}
    return await ok(client, "POST", f"{LOYALTIES}/{campaign}/members", body)


async def test_a_campaign_earns_and_both_faces_say_the_same(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    assert made["campaign_type"] == "LOYALTY_PROGRAM" and made["join_once"] is True
    card = await join(client, made["id"])
    assert card["type"] == "LOYALTY_CARD" and card["campaign_id"] == made["id"]
    assert card["loyalty_card"]["balance"] == 0 and card["holder_id"].startswith("cust_")
    order = await buy(client, 4990)
    await run_jobs()
    shown = await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}")
    assert shown["loyalty_card"]["points"] == shown["loyalty_card"]["balance"] == 49
    assert await ok(client, "GET", f"{LOYALTIES}/{made['id']}/members/{card['code']}") == shown
    moved = (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}/transactions"))["data"]
    assert [(one["type"], one["details"]["balance"]["points"]) for one in moved] == [("POINTS_ACCRUAL", 49)]
    assert moved[0]["details"]["order"]["id"] == order["id"]
    suffix = made["id"].partition("_")[2]
    program = await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}")
    assert (program["name"], program["status"]) == ("club", "ACTIVE")
    members = (await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}/members"))["data"]
    assert [one["customer_id"] for one in members] == [card["holder_id"]]
    member = await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}/members/{members[0]['id']}")
    on = member["cards"][0]["card"]
    assert on["balance"] == {"points": 49, "pending_points": 0} and on["code"] == card["code"]
    assert on["card_definition_id"] == f"lcdef_{suffix}"


def _suffixed(prefix: str, name: str) -> str:
    return prefix + name.partition("_")[2]


async def test_earning_rules_are_made_changed_and_switched(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    path = f"{LOYALTIES}/{made['id']}/earning-rules"
    (rule,) = (await ok(client, "GET", path))["data"]
    assert rule["id"].startswith("ern_") and rule["active"] and rule["validation_rule_id"] is None
    assert rule["source"] == {
        "banner": "A point for every 1.00", "object_id": made["id"], "object_type": "campaign",
    }  # fmt: skip
    assert await ok(client, "GET", f"{path}/{rule['id']}") == rule
    card = await join(client, made["id"])
    assert (await ok(client, "POST", f"{path}/{rule['id']}/disable"))["active"] is False
    await buy(client, 1000)
    await run_jobs()
    assert (await ok(client, "POST", f"{path}/{rule['id']}/enable"))["active"] is True
    fixed = {"loyalty": {"type": "FIXED", "points": 7}, "metadata": {"a": 1}}
    changed = await ok(client, "PUT", f"{path}/{rule['id']}", fixed)
    assert changed["loyalty"] == fixed["loyalty"] and changed["metadata"] == {"a": 1}
    assert changed["source"] == rule["source"]
    await buy(client, 1000)
    await run_jobs()
    assert (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}"))["loyalty_card"]["balance"] == 7
    newer = await ok(client, "GET", f"/v2/loyalties/earning-rules/{_suffixed('lern_', rule['id'])}")
    assert newer["trigger"] == {"event": "customer.order.paid"}
    assert newer["earnings"][0]["effects"][0]["points"]["value"] == 7
    there = f"/v2/loyalties/earning-rules/{newer['id']}"
    assert (await refused(client, "PUT", there, {"name": "x"}))[:2] == (423, "resource_locked")
    answer = await client.request("DELETE", f"{path}/{rule['id']}")
    assert answer.status_code == 204
    assert (await refused(client, "GET", f"{path}/{rule['id']}"))[0] == 404
    assert (await ok(client, "GET", path))["total"] == 0


async def test_what_no_rule_can_be_is_refused(client: Client) -> None:
    made = await club(client)
    path = f"{LOYALTIES}/{made['id']}/earning-rules"
    for rule, at in (
        ({}, "[0].loyalty"),
        ({"loyalty": {"type": "FIXED"}}, "[0].loyalty.points"),
        (
            per_order(pending_points={"period_type": "DAY", "period_value": 91}),
            "[0].pending_points.period_value",
        ),
        (per_order(validation_rule_id="val_nowhere"), "[0].validation_rule_id"),
        ({"event": "no.such", "loyalty": {"type": "FIXED", "points": 1}}, "[0].event"),
        (per_order(expiration_date="soon"), "[0].expiration_date"),
    ):
        assert await refused(client, "POST", path, [rule]) == (400, "invalid_payload", at), rule
    bad = {
        "name": "bad",
        "voucher": {"loyalty_card": {"points": 0, "expiration_rules": {"period_type": "DAY"}}},
    }
    assert (await refused(client, "POST", LOYALTIES, bad))[
        2
    ] == "voucher.loyalty_card.expiration_rules.period_type"
    tiers = {"name": "bad", "loyalty_tiers_expiration": {"qualification_type": "LUCK"}}
    assert (await refused(client, "POST", LOYALTIES, tiers))[
        2
    ] == "loyalty_tiers_expiration.qualification_type"
    await ok(client, "POST", PROGRAMS, {"name": "taken"})
    assert (await refused(client, "POST", LOYALTIES, {"name": "taken"}))[0] == 409


async def test_points_are_added_taken_away_and_lapse(client: Client) -> None:
    rules = {"period_type": "MONTH", "period_value": 12, "rounding_type": "END_OF_YEAR"}
    made = await club(client, card={"points": 10, "expiration_rules": rules})
    assert made["voucher"]["loyalty_card"] == {"points": 10, "expiration_rules": rules}
    card = await join(client, made["id"])
    assert card["loyalty_card"]["points"] == 10
    path = f"{LOYALTIES}/members/{card['code']}"
    added = await ok(client, "POST", f"{path}/balance", {"points": 90, "reason": "sorry", "source_id": "s-1"})
    assert (added["points"], added["balance"], added["type"]) == (90, 100, "loyalty_card")
    await ok(client, "POST", f"{path}/balance", {"points": 5, "expiration_type": "NON_EXPIRING"})
    dated = {"points": 3, "expiration_type": "CUSTOM_DATE", "expiration_date": "2090-05-31"}
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/members/{card['code']}/balance", dated)
    taken = await ok(client, "POST", f"{path}/balance", {"points": -50})
    assert (taken["points"], taken["balance"]) == (-50, 58)
    listed = await ok(client, "GET", f"{LOYALTIES}/{made['id']}/members/{card['code']}/points-expiration")
    assert [one["bucket"]["total_points"] for one in listed["data"]] == [40, 3]
    assert listed["data"][0]["expires_at"][5:10] in ("12-31", "01-01") and listed["total"] == 2
    shown = await ok(client, "GET", path)
    assert shown["loyalty_card"]["next_expiration_points"] == 40
    moved = (await ok(client, "GET", f"{path}/transactions?order=created_at"))["data"]
    assert [(one["type"], one["reason"], one["source_id"]) for one in moved][1] == (
        "POINTS_ADDITION",
        "sorry",
        "s-1",
    )
    for body, key in (
        ({"points": 0}, "invalid_amount"),
        ({"points": -59}, "invalid_amount"),
        (dated | {"expiration_date": "2001-01-01"}, "invalid_expiration_date"),
    ):
        assert (await refused(client, "POST", f"{path}/balance", body))[:2] == (400, key)
    assert (await ok(client, "GET", path))["loyalty_card"]["balance"] == 58
    activity = (await ok(client, "GET", f"{path}/activity"))["data"]
    assert [one["type"] for one in activity] == ["customer.voucher.loyalty_card.points_added"] * 3
    told = activity[0]["data"]["data"]
    assert told["balance"]["balance"] == 108
    assert (told["voucher"]["code"], told["campaign"]["id"]) == (card["code"], made["id"])
    assert told["customer"]["source_id"] == "ada"
    assert told["transaction"] == next(one for one in moved if one["id"] == told["transaction_id"])


async def test_points_are_brought_from_other_cards(client: Client) -> None:
    made = await club(client)
    ada, bob, eve = [await join(client, made["id"], name) for name in ("ada", "bob", "eve")]
    dated = {"points": 30, "expiration_type": "CUSTOM_DATE", "expiration_date": "2090-05-31"}
    await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", dated)
    await ok(client, "POST", f"{LOYALTIES}/members/{bob['code']}/balance", {"points": 20})
    path = f"{LOYALTIES}/{made['id']}/members/{eve['code']}"
    gifts = [
        {"code": ada["code"], "points": 25, "source_id": "t-1", "reason": "present"},
        {"code": bob["code"], "points": 20, "source_id": "t-2"},
    ]
    got = await ok(client, "POST", f"{path}/transfers", gifts)
    assert got["loyalty_card"]["balance"] == 45 and got["code"] == eve["code"]
    (bucket,) = (await ok(client, "GET", f"{path}/points-expiration"))["data"]
    assert bucket["bucket"]["total_points"] == 25 and bucket["expires_at"].startswith("2090-05-31")
    moved = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/transactions?limit=50"))["data"]
    by_id = {one["id"]: one for one in moved if one["type"].startswith("POINTS_TRANSFER_")}
    told = ("source_id", "reason", "source")
    for one in by_id.values():
        other = by_id[one["related_transaction_id"]]
        assert other["related_transaction_id"] == one["id"] and other["type"] != one["type"]
        assert [one[name] for name in told] == [other[name] for name in told]
    assert sorted((one["source_id"], one["reason"]) for one in by_id.values()) == (
        [("t-1", "present")] * 2 + [("t-2", None)] * 2
    )
    assert {name: got["loyalty_card"][name] for name in ("points", "subtracted_points")} == {
        "points": 45,
        "subtracted_points": 0,
    }
    gave = (await ok(client, "GET", f"{LOYALTIES}/members/{ada['code']}"))["loyalty_card"]
    assert (gave["points"], gave["subtracted_points"], gave["balance"]) == (30, 25, 5)
    too_many = [
        {"code": ada["code"], "points": 5, "source_id": "x"},
        {"code": bob["code"], "points": 1, "source_id": "y"},
    ]
    assert (await refused(client, "POST", f"{path}/transfers", too_many))[:2] == (
        400,
        "loyalty_card_points_exceeded",
    )
    assert (await ok(client, "GET", f"{LOYALTIES}/members/{ada['code']}"))["loyalty_card"]["balance"] == 5
    own = [{"code": eve["code"], "points": 1, "source_id": "z"}]
    assert (await refused(client, "POST", f"{path}/transfers", own))[2] == "[0].code"


async def test_transfers_may_begin_anew(client: Client) -> None:
    made = await club(client, card={"points": 0, "transfers": "RESTART"})
    ada, bob = [await join(client, made["id"], name) for name in ("ada", "bob")]
    dated = {"points": 30, "expiration_type": "CUSTOM_DATE", "expiration_date": "2090-05-31"}
    await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", dated)
    path = f"{LOYALTIES}/{made['id']}/members/{bob['code']}"
    gift = [{"code": ada["code"], "points": 30, "source_id": "t"}]
    assert (await ok(client, "POST", f"{path}/transfers", gift))["loyalty_card"]["balance"] == 30
    assert (await ok(client, "GET", f"{path}/points-expiration"))["data"] == []


async def test_who_joins_many_times_at_once_has_one_card(client: Client) -> None:
    made = await club(client, vouchers_count=3)
    cards = await asyncio.gather(*(join(client, made["id"]) for _ in range(8)))
    assert len({card["code"] for card in cards}) == 1
    assert (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/members"))["total"] == 1
    suffix = made["id"].partition("_")[2]
    assert len((await ok(client, "GET", f"{PROGRAMS}/lprg_{suffix}/members"))["data"]) == 1


async def test_the_newer_face_makes_no_rules_for_tiers(client: Client) -> None:
    made = await club(
        client, {"event": "customer.loyalty.tier.joined", "loyalty": {"type": "FIXED", "points": 5}}
    )
    (rule,) = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/earning-rules"))["data"]
    shown = await ok(client, "GET", f"/v2/loyalties/earning-rules/l{rule['id']}")
    assert shown["trigger"] == {"event": "customer.loyalty.tier.joined"}
    points = {"type": "POINTS", "points": {"value": 5, "card_definition_id": f"lcdef_{made['id'][5:]}"}}
    body = {"name": "x", "trigger": shown["trigger"], "earnings": [{"effects": [points]}]}
    assert await refused(client, "POST", "/v2/loyalties/earning-rules", body) == (
        400,
        "invalid_payload",
        "trigger.event",
    )
    items = [{"object": "product", "id": "prod_x"}]
    every = {"every": 100, "points": 2, "applicable_to": items}
    lines = {
        "type": "PROPORTIONAL",
        "calculation_type": "ORDER_ITEMS_AMOUNT",
        "order_items": {"amount": every},
    }
    (other,) = await ok(
        client, "POST", f"{LOYALTIES}/{made['id']}/earning-rules", [{"event": "order.paid", "loyalty": lines}]
    )
    newer = await ok(client, "GET", f"/v2/loyalties/earning-rules/l{other['id']}")
    counted = newer["earnings"][0]["effects"][0]["points_proportional"]
    assert counted["calculation_type"] == "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT"
    assert counted["order_items"]["amount"]["applicable_to"] == [
        {"type": "product", "product": {"id": "prod_x"}}
    ]
    assert {one["id"] for one in (await ok(client, "GET", "/v2/loyalties/earning-rules"))["data"]} == {
        shown["id"],
        newer["id"],
    }
