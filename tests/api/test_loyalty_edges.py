"""Where loyalty meets the rest: deleted cards, sessions, tiers in its own rules, who referred an order."""

from typing import Any

from guerdon.kit import db

from . import test_referrals as referrals
from .conftest import Client
from .loyalty import CARDS, PROGRAMS, card, ok, program, refused
from .test_gift_cards import card as gift_card
from .test_gift_cards import cart, gift
from .test_loyalty_cards import of_card
from .test_loyalty_earning import buy, points
from .test_loyalty_members import join as join_newer
from .test_loyalty_v1 import LOYALTIES, club, join, per_order

HOLD = """
    insert into session_holds (project_id, session_key, held, redeemable_id, amount, expires_at)
    select $1, 's', 'c:' || $2::text, $2::text, $3::bigint, now() + interval '1 hour'
"""


async def test_transactions_name_the_rule(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    member = await join(client, made["id"])
    await buy(client, 1000)
    await run_jobs()
    for path in (
        f"{LOYALTIES}/members/{member['code']}",
        f"/v1/vouchers/{member['code']}",
        f"{LOYALTIES}/{made['id']}",
    ):
        (entry,) = (await ok(client, "GET", f"{path}/transactions"))["data"]
        rule = entry["details"]["earning_rule"]
        assert rule["id"].startswith("ern_") and rule["source"] == {"banner": "A point for every 1.00"}


async def test_an_earning_rule_may_ask_for_a_tier(client: Client, run_jobs: Any) -> None:
    made = await club(client)
    (gold,) = await ok(
        client, "POST", f"{LOYALTIES}/{made['id']}/tiers", [{"name": "Gold", "points": {"from": 10}}]
    )
    rules = {"1": {"name": "customer.loyalty.tier", "conditions": {"$is": [gold["id"]]}}}
    rule = await ok(client, "POST", "/v1/validation-rules", {"name": "gold only", "rules": rules})
    await ok(
        client, "POST", f"{LOYALTIES}/{made['id']}/earning-rules", [per_order(validation_rule_id=rule["id"])]
    )
    member = await join(client, made["id"])
    path = f"{LOYALTIES}/members/{member['code']}"

    async def balance() -> int:
        return (await ok(client, "GET", path))["loyalty_card"]["balance"]

    await buy(client, 1000)
    await run_jobs()
    assert await balance() == 0
    await ok(client, "POST", f"{path}/balance", {"points": 10})
    await buy(client, 1000)
    await run_jobs()
    assert await balance() == 20


async def test_an_order_knows_who_referred_it(client: Client) -> None:
    made = await referrals.program(client)
    code = await referrals.code_of(client, made["id"], "ann")
    redeemed = (await referrals.redeem(client, code, "bob", order={"source_id": "first"})).json()
    ann = (await client.get("/v1/customers/ann")).json()["id"]
    order = await ok(client, "GET", f"/v1/orders/{redeemed['order']['id']}")
    assert order["referrer_id"] == ann
    await ok(
        client, "POST", "/v1/orders", {"source_id": "second", "amount": 500, "referrer": {"source_id": "eve"}}
    )
    said = (await referrals.redeem(client, code, "carl", order={"source_id": "second"})).json()
    eve = (await client.get("/v1/customers/eve")).json()["id"]
    assert (await ok(client, "GET", f"/v1/orders/{said['order']['id']}"))["referrer_id"] == eve, (
        "as it was said"
    )


async def test_with_the_card_goes_its_member(client: Client, run_jobs: Any) -> None:
    made = await club(client, per_order())
    for force in ("", "?force=true"):
        member = await join(client, made["id"])
        await ok(client, "POST", f"{LOYALTIES}/members/{member['code']}/balance", {"points": 10})
        assert (await client.delete(f"/v1/vouchers/{member['code']}{force}")).status_code == 204
        await run_jobs()
        memberships = await ok(client, "GET", f"/v2/loyalties/memberships/{member['holder_id']}")
        assert memberships["memberships"] == []
        await buy(client, 1000)
        await run_jobs()
    again = await join(client, made["id"])
    assert again["loyalty_card"]["balance"] == 0 and again["code"] != member["code"]


async def test_one_of_several_cards_is_not_deleted_alone(client: Client) -> None:
    parts = [{"id": (await ok(client, "POST", CARDS, card(name=name)))["id"]} for name in ("Points", "Coins")]
    made = await join_newer(client, (await program(client, card_definitions=parts))["id"])
    code = made["cards"][0]["card"]["code"]
    for force in ("", "?force=true"):
        assert (await refused(client, "DELETE", f"/v1/vouchers/{code}{force}"))[:2] == (
            400,
            "resource_in_use",
        )
    await ok(client, "DELETE", f"{PROGRAMS}/{made['program_id']}/members/{made['id']}")
    assert (await client.get(f"/v1/vouchers/{code}")).status_code == 404


async def test_what_a_session_holds_of_a_gift_card_is_not_taken_by_hand(client: Client) -> None:
    await gift_card(client, "HELD", 10_000)
    asked = {
        "redeemables": [{"object": "voucher", "id": "HELD"}],
        "order": cart(),
        "session": {"type": "LOCK"},
    }
    assert (await client.post("/v1/validations", json=asked)).json()["valid"] is True
    for path, body in (("balance", {"amount": -4_001}), ("cash-out", {"amount": 4_001})):
        assert (await refused(client, "POST", f"/v1/vouchers/HELD/{path}", body))[:2] == (
            400,
            "invalid_amount",
        )
    await ok(client, "POST", "/v1/vouchers/HELD/balance", {"amount": -1_000})
    await ok(client, "POST", "/v1/vouchers/HELD/balance", {"amount": 500})
    await ok(client, "POST", "/v1/vouchers/HELD/balance", {"amount": -3_500})
    assert (await refused(client, "POST", "/v1/vouchers/HELD/balance", {"amount": -1}))[:2] == (
        400,
        "invalid_amount",
    )
    assert (await gift(client, "HELD"))["balance"] == 6_000


async def test_what_a_session_holds_of_points_is_not_taken_by_hand(client: Client) -> None:
    made = await club(client)
    member = await join(client, made["id"])
    other = await join(client, made["id"], "bob")
    path = f"{LOYALTIES}/members/{member['code']}"
    await ok(client, "POST", f"{path}/balance", {"points": 100})
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, HOLD, client.project_id, member["id"], 60)
    assert (await refused(client, "POST", f"{path}/balance", {"points": -41}))[:2] == (400, "invalid_amount")
    taken = [{"code": member["code"], "points": 41, "source_id": "x"}]
    bring = f"{LOYALTIES}/{made['id']}/members/{other['code']}/transfers"
    assert (await refused(client, "POST", bring, taken))[:2] == (400, "loyalty_card_points_exceeded")
    await ok(client, "POST", f"{path}/balance", {"points": -40})


async def test_what_a_session_holds_is_not_taken_in_the_newer_face(client: Client) -> None:
    made = await join_newer(client, (await program(client))["id"])
    path = await of_card(client, made)
    await ok(client, "POST", f"{path}/points", {"points": 100})
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, HOLD, client.project_id, "v_" + path.rpartition("lcrd_")[2], 60)
    assert (await refused(client, "POST", f"{path}/points", {"points": -41}))[:2] == (
        423,
        "insufficient_card_balance",
    )
    await ok(client, "POST", f"{path}/points", {"points": -40})
    assert (await points(client, made))["balance"]["points"] == 60
