"""Tiers, waiting points and whole programs by the paths of the older API."""

from typing import Any

from .conftest import Client
from .loyalty import PROGRAMS, STRUCTURES, ok, refused
from .test_loyalty_earning import buy
from .test_loyalty_v1 import LOYALTIES, club, join, per_order


def suffixed(prefix: str, name: str) -> str:
    """The same thing's id with another prefix."""
    return prefix + name.partition("_")[2]


async def test_tiers_are_reached_and_change_what_rules_give(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    (rule,) = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/earning-rules"))["data"]
    path = f"{LOYALTIES}/{made['id']}/tiers"
    wanted = [
        {"name": "Silver", "points": {"from": 10, "to": 99}},
        {
            "name": "Gold",
            "points": {"from": 100},
            "earning_rules": {rule["id"]: {"type": "MULTIPLY", "multiplier": 3}},
            "metadata": {"colour": "yellow"},
        },
    ]
    silver, gold = await ok(client, "POST", path, wanted)
    assert silver["id"].startswith("ltr_") and silver["config"] == {"points": {"from": 10, "to": 99}}
    assert gold["earning_rules"] == wanted[1]["earning_rules"] and gold["metadata"] == {"colour": "yellow"}
    assert (await ok(client, "GET", path))["data"] == [silver, gold]
    assert await ok(client, "GET", f"{path}/{gold['id']}") == gold
    mapped = await ok(client, "GET", f"{path}/{gold['id']}/earning-rules")
    assert [one["id"] for one in mapped["data"]] == [rule["id"]]
    assert (await ok(client, "GET", f"{path}/{silver['id']}/earning-rules"))["data"] == []
    card = await join(client, made["id"])
    member = f"{LOYALTIES}/members/{card['code']}"
    assert (await ok(client, "GET", f"{member}/tiers"))["data"] == []
    await ok(client, "POST", f"{member}/balance", {"points": 100})
    (tier,) = (await ok(client, "GET", f"{member}/tiers"))["data"]
    holder = await ok(client, "GET", f"/v1/customers/{card['holder_id']}")
    assert holder["loyalty"] == {
        "points": 100,
        "referred_customers": 0,
        "campaigns": {"club": {"points": 100, "loyalty_tier": "Gold", "referred_customers": 0}},
    }
    assert holder["summary"]["redemptions"]["loyalty_card"] == {"redeemed_points": 0, "points_to_go": 100}
    assert tier["id"] == gold["id"] and tier["expiration"]["customer_id"] == card["holder_id"]
    await buy(client, 1000)
    await run_jobs()
    assert (await ok(client, "GET", member))["loyalty_card"]["balance"] == 130
    structure = await ok(client, "GET", f"{STRUCTURES}/{suffixed('lts_', made['id'])}")
    assert structure["type"] == "POINT_BALANCE"
    newer = await ok(client, "GET", f"{STRUCTURES}/{structure['id']}/tiers")
    assert {one["name"]: one["qualification_rules"]["points"] for one in newer["data"]} == {
        "Silver": {"min_value": 10, "max_value": 99},
        "Gold": {"min_value": 100},
    }
    (entry,) = (await ok(client, "GET", f"{member}/transactions?limit=1"))["data"]
    assert entry["details"]["earning_rule"]["id"] == rule["id"]


async def test_what_no_tier_can_be_is_refused(client: Client) -> None:
    made = await club(client)
    path = f"{LOYALTIES}/{made['id']}/tiers"
    await ok(client, "POST", path, [{"name": "A", "points": {"from": 0, "to": 50}}])
    for tier, at in (
        ({"name": "B", "points": {"from": 20, "to": 70}}, "[0].points"),
        ({"name": "B", "points": {"from": 60, "to": 55}}, "[0].points.to"),
        ({"name": "B", "points": {"from": 60}, "earning_rules": {"ern_x": {"type": "MULTIPLY", "multiplier": 2}}},
         "[0].earning_rules"),
    ):  # fmt: skip
        assert (await refused(client, "POST", path, [tier]))[::2] == (400, at), tier
    assert (await ok(client, "GET", path))["total"] == 1
    assert (await refused(client, "GET", f"{path}/ltr_none"))[0] == 404


async def test_points_wait_and_are_activated_changed_and_given_up(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order(pending_points={"period_type": "DAY", "period_value": 14}))
    card = await join(client, made["id"])
    orders = [await buy(client, amount) for amount in (1000, 2000)]
    await run_jobs()
    member = f"{LOYALTIES}/members/{card['code']}"
    shown = (await ok(client, "GET", member))["loyalty_card"]
    assert (shown["balance"], shown["pending_points"]) == (0, 30)
    listed = await ok(client, "GET", f"{member}/pending-points?order=created_at")
    by_order = {one["order_id"]: one for one in listed["data"]}
    first, second = (by_order[order["id"]] for order in orders)
    assert (first["points"], first["voucher_id"], first["campaign_id"]) == (10, card["id"], made["id"])
    assert first["details"]["order"]["id"] == orders[0]["id"] and first["activates_at"] is not None
    for path in (
        f"{LOYALTIES}/{made['id']}/pending-points",
        f"{LOYALTIES}/{made['id']}/members/{card['code']}/pending-points",
    ):
        assert (await ok(client, "GET", f"{path}?order=created_at"))["data"] == listed["data"]
    one = f"{member}/pending-points/{first['id']}"
    changed = await ok(client, "POST", f"{one}/balance", {"points": 5})
    assert (changed["points"], changed["total"]) == (5, 15)
    assert (await refused(client, "POST", f"{one}/balance", {"points": -16}))[:2] == (400, "invalid_amount")
    got = await ok(client, "POST", f"{one}/activate")
    assert (got["points"], got["balance"], got["total"]) == (15, 15, 15)
    assert (await refused(client, "POST", f"{one}/activate"))[:2] == (400, "invalid_pending_points_state")
    answer = await client.request("POST", f"{member}/pending-points/{second['id']}/cancel")
    assert answer.status_code == 204
    shown = (await ok(client, "GET", member))["loyalty_card"]
    assert (shown["balance"], shown["pending_points"]) == (15, 0)
    assert (await ok(client, "GET", f"{member}/pending-points"))["data"] == []
    assert (await refused(client, "POST", f"{member}/pending-points/lopp_none/cancel"))[0] == 404


async def test_a_program_is_changed_switched_off_and_deleted(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    program = f"{PROGRAMS}/{suffixed('lprg_', made['id'])}"
    assert (await ok(client, "GET", LOYALTIES))["total"] == 1
    assert await ok(client, "GET", f"{LOYALTIES}/club") == made
    levels = {
        "qualification_type": "POINTS_IN_PERIOD", "qualification_period": "YEAR",
        "start_date": {"type": "IMMEDIATE"}, "expiration_date": {"type": "END_OF_NEXT_PERIOD"},
    }  # fmt: skip
    rules = {"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 3, "fixed_day": 31}
    change = {
        "loyalty_tiers_expiration": levels,
        "voucher": {"loyalty_card": {"points": 0, "expiration_rules": rules}},
    }
    changed = await ok(client, "PUT", f"{LOYALTIES}/{made['id']}", change)
    assert changed["loyalty_tiers_expiration"] == levels
    assert changed["voucher"]["loyalty_card"]["expiration_rules"] == rules
    definition = await ok(client, "GET", f"/v2/loyalties/card-definitions/{suffixed('lcdef_', made['id'])}")
    assert definition["points_expiration"]["calendar_expiration"]["expiration_dates"] == [
        {"day": 31, "month": 3}
    ]
    structure = await ok(client, "GET", f"{STRUCTURES}/{suffixed('lts_', made['id'])}")
    assert structure["type"] == "POINT_EARNED" and structure["point_earned"]["period"] == {
        "unit": "YEAR",
        "value": 1,
    }
    for path, body in ((f"{STRUCTURES}/{structure['id']}", {"name": "x"}), (program, {"name": "x"})):
        assert (await refused(client, "PUT", path, body))[:2] == (423, "resource_locked")
    card = await join(client, made["id"])
    await ok(client, "POST", f"/v1/campaigns/{made['id']}/disable")
    assert (await ok(client, "GET", program))["status"] == "INACTIVE"
    await ok(client, "POST", f"/v1/campaigns/{made['id']}/enable")
    assert (await ok(client, "GET", program))["status"] == "ACTIVE"
    answer = await client.request("DELETE", f"{LOYALTIES}/{made['id']}")
    assert answer.status_code == 200 and answer.json()["async_action_id"].startswith("aa_")
    await run_jobs()
    assert (await refused(client, "GET", program))[0] == 404
    assert (await refused(client, "GET", f"{LOYALTIES}/{made['id']}/members"))[0] == 404
    assert (await refused(client, "GET", f"{LOYALTIES}/members/{card['code']}"))[0] == 404
    path = f"/v2/loyalties/customers/{card['holder_id']}/memberships"
    answer = await client.get(path)
    assert answer.status_code == 404 or answer.json()["data"] == []


async def test_publications_and_newer_members_are_members_too(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order(), card={"points": 25}, auto_join=True)
    program = f"{PROGRAMS}/{suffixed('lprg_', made['id'])}"
    body = {"campaign": {"name": "club"}, "customer": {"source_id": "ada"}}
    given = await ok(client, "POST", "/v1/publications", body)
    code = given["voucher"]["code"]
    assert (await join(client, made["id"]))["code"] == code
    assert (await ok(client, "POST", "/v1/publications", body))["voucher"]["code"] == code
    bob = await ok(client, "POST", "/v1/customers", {"source_id": "bob"})
    named = {"customer_identification": {"type": "customer_id", "customer_id": bob["id"]}}
    member = await ok(client, "POST", f"{program}/members", named)
    card = await ok(client, "GET", f"{LOYALTIES}/members/{member['cards'][0]['card']['code']}")
    assert card["loyalty_card"]["balance"] == 25 and card["campaign_id"] == made["id"]
    assert (await join(client, made["id"], "bob"))["code"] == card["code"]
    await buy(client, 1000, "eve")
    await run_jobs()
    listed = await ok(client, "GET", f"{LOYALTIES}/{made['id']}/members?limit=10")
    assert listed["data_ref"] == "vouchers"
    held = {one["code"]: one["loyalty_card"]["balance"] for one in listed["vouchers"]}
    assert len(held) == 3 and sorted(held.values()) == [25, 25, 35]
    for narrowed in (f"code={code}", "customer=ada", f"customer={given['customer_id']}"):
        found = await ok(client, "GET", f"{LOYALTIES}/{made['id']}/members?{narrowed}")
        assert [one["code"] for one in found["vouchers"]] == [code]
    assert (await ok(client, "GET", f"{LOYALTIES}/{made['id']}"))["vouchers_count"] == 3
    spare = await ok(client, "POST", f"/v1/campaigns/{made['id']}/vouchers", {})
    path = f"{LOYALTIES}/members/{spare['code']}/balance"
    assert (await refused(client, "POST", path, {"points": 1}))[:2] == (400, "invalid_customer")
    assert (await join(client, made["id"], "dan", voucher=spare["code"]))["code"] == spare["code"]
    assert (await ok(client, "POST", path, {"points": 1}))["balance"] == 26


async def test_what_an_order_would_earn_is_estimated(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    path = f"{LOYALTIES}/{made['id']}/qualifications"
    goods = [{"source_id": "thing", "quantity": 2, "price": 2500}]
    body = {"customer": {"source_id": "ada"}, "order": {"items": goods}}
    assert (await refused(client, "POST", path, body))[:2] == (400, "campaign_not_allow_auto_join")
    card = await join(client, made["id"])
    told = await ok(client, "POST", path, body)
    assert told == {
        "campaign": {"id": made["id"], "name": "club", "object": "campaign"},
        "points_estimation": 50,
    }
    await run_jobs()
    assert (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}"))["loyalty_card"]["balance"] == 0
    await ok(client, "PUT", f"{LOYALTIES}/{made['id']}", {"auto_join": True})
    assert (await ok(client, "POST", path, body | {"customer": {"source_id": "new"}}))[
        "points_estimation"
    ] == 50
    await ok(client, "POST", f"/v1/campaigns/{made['id']}/disable")
    assert (await refused(client, "POST", path, body))[:2] == (400, "campaign_not_active")


async def test_rules_ask_for_tiers(client: Client) -> None:
    made = await club(client)
    (gold,) = await ok(
        client, "POST", f"{LOYALTIES}/{made['id']}/tiers", [{"name": "Gold", "points": {"from": 10}}]
    )
    rules = {"1": {"name": "customer.loyalty.tier", "conditions": {"$is": [gold["id"]]}}}
    rule = await ok(client, "POST", "/v1/validation-rules", {"name": "gold only", "rules": rules})
    discount = {"type": "AMOUNT", "amount_off": 100}
    await ok(client, "POST", "/v1/vouchers/GOLD", {"discount": discount, "validation_rules": [rule["id"]]})
    tier = {"name": "Gold", "action": {"discount": discount}, "validation_rules": [rule["id"]]}
    await ok(client, "POST", "/v1/campaigns", {"name": "Promotion", "promotion": {"tiers": [tier]}})
    card = await join(client, made["id"])
    who = {"customer": {"source_id": "ada"}, "order": {"amount": 1000}}

    async def valid() -> tuple[bool, int]:
        seen = await ok(
            client, "POST", "/v1/validations", {"redeemables": [{"object": "voucher", "id": "GOLD"}], **who}
        )
        found = await ok(client, "POST", "/v1/qualifications", {"scenario": "ALL", **who})
        tiers = [one for one in found["redeemables"]["data"] if one["object"] == "promotion_tier"]
        return seen["valid"], len(tiers)

    assert await valid() == (False, 0)
    await ok(client, "POST", f"{LOYALTIES}/members/{card['code']}/balance", {"points": 10})
    assert await valid() == (True, 1)
    for field, conditions, inside in (
        ("loyalty.points", {"$more_than": [9]}, True),
        ("loyalty.points", {"$more_than": [10]}, False),
        ("loyalty.campaigns.club.loyalty_tier", {"$is": ["Gold"]}, True),
        ("loyalty.campaigns.club.points", {"$is": [11]}, False),
    ):
        asked = {
            "name": field,
            "type": "passive",
            "filter": {"junction": "and", field: {"conditions": conditions}},
        }
        made = await ok(client, "POST", "/v1/segments", asked)
        found = (await ok(client, "GET", f"/v1/customers/{card['holder_id']}/segments"))["data"]
        assert (made["id"] in {one["id"] for one in found}) is inside, (field, conditions)
