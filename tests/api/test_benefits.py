"""Benefits that earning rules give beside points: once, as far as there are any, and taken back with the order."""

from typing import Any

import pytest

from guerdon.kit import db
from guerdon.verify import verify

from .checkout import redeem
from .conftest import Client
from .loyalty import BENEFITS, CARDS, PROGRAMS, RULES, V2, card, ok
from .test_loyalty_earning import buy, give_back, points
from .test_loyalty_members import join
from .test_purchases import campaign, limited, product

REVOKED = {
    "spent_points": {"type": "NONE"},
    "earned_points": {
        "type": "REFUNDABLE",
        "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_TO_ZERO"}],
    },
}


class Gifts:
    """A program whose rule gives a benefit for every paid order, and a member."""

    def __init__(self, client: Client, benefit_id: str, rule_id: str, member: dict[str, Any]) -> None:
        self.client, self.benefit_id, self.rule_id, self.member = client, benefit_id, rule_id, member
        self.path = f"{PROGRAMS}/{member['program_id']}/members/{member['id']}"

    async def given(self) -> list[dict[str, Any]]:
        """The benefits that were given, the latest first."""
        return (await ok(self.client, "GET", f"{self.path}/benefits/transactions"))["data"]

    async def points(self) -> int:
        """What is on the card."""
        return (await points(self.client, self.member))["balance"]["points"]


async def gifts(client: Client, what: str, *, trigger: Any = None, **more: Any) -> Gifts:
    """A rule that gives a benefit of a kind."""
    card_id = (await ok(client, "POST", CARDS, card(refunds=REVOKED)))["id"]
    proportional = {
        "calculation_type": "POST_DISCOUNT_ORDER_AMOUNT", "card_definition_id": card_id,
        "order": {"total_amount": {"every": 100, "value": 2}},
    }  # fmt: skip
    body: dict[str, Any] = {"name": what, "status": "ACTIVE"} | more
    if what == "points":
        body |= {"type": "POINTS", "points": {"value": 70, "card_definition_id": card_id}}
    elif what == "proportional":
        body |= {"type": "POINTS_PROPORTIONAL", "points_proportional": proportional}
    elif what == "goods":
        goods = {"type": "PRODUCT", "product": {"id": await product(client)}}
        body |= {"type": "MATERIAL", "material": goods}
    else:
        named = {"campaign_id": await campaign(client, what)}
        section = {"type": "DISCOUNT_COUPONS", "discount_coupons": named}
        if what == "gift":
            section = {"type": "GIFT_VOUCHERS", "gift_vouchers": named | {"balance": 500}}
        body |= {"type": "DIGITAL", "digital": section}
    benefit = await ok(client, "POST", BENEFITS, body)
    effect = {"type": "BENEFIT", "benefit": {"id": benefit["id"]}}
    rule = {
        "name": "Something more", "status": "ACTIVE", "trigger": trigger or {"event": "customer.order.paid"},
        "earnings": [{"effects": [effect]}],
    }  # fmt: skip
    rule_id = (await ok(client, "POST", RULES, rule))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    return Gifts(client, benefit["id"], rule_id, await join(client, club["id"]))


@pytest.mark.parametrize("what", ["points", "proportional", "goods", "coupon", "gift"])
async def test_a_benefit_is_given_once(client: Client, run_jobs: Any, what: str) -> None:
    shop = await gifts(client, what)
    order = await buy(client, 3000)
    await run_jobs()
    for status in ("CREATED", "PAID"):
        await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": status})
        await run_jobs()
    (given,) = await shop.given()
    assert (given["status"], given["type"], given["object"]) == (
        "APPROVED",
        "FULFILLMENT",
        "benefit_transaction",
    )
    assert (given["benefit_id"], given["earning_rule_id"]) == (shop.benefit_id, shop.rule_id)
    assert given["id"].startswith("lbtx_") and given["details"]["rejection"] is None
    result = given["details"]["result"]
    on_card = {"points": 70, "proportional": 60}.get(what, 0)
    assert await shop.points() == on_card
    match what:
        case "goods":
            assert result["material"]["type"] == "PRODUCT"
        case "coupon":
            code = result["digital"]["discount_coupons"][0]["code"]
            assert (await ok(client, "GET", f"/v1/vouchers/{code}"))["holder_id"] == shop.member[
                "customer_id"
            ]
        case "gift":
            gift = result["digital"]["gift_vouchers"][0]
            assert (await ok(client, "GET", f"/v1/vouchers/{gift['code']}"))["gift"]["balance"] == 500
        case _:
            assert result["points"]["points"] == on_card


async def test_a_stock_is_kept_to(client: Client, run_jobs: Any) -> None:
    shop = await gifts(client, "points", stock=limited(2))
    for _ in range(3):
        await buy(client, 1000)
    await run_jobs()
    given = await shop.given()
    assert sorted(one["status"] for one in given) == ["APPROVED", "APPROVED", "REJECTED"]
    (refused,) = [one for one in given if one["status"] == "REJECTED"]
    assert (
        refused["details"]["rejection"]["reason"] == "OUT_OF_STOCK" and refused["details"]["result"] is None
    )
    assert await shop.points() == 140


async def test_a_stock_is_shown_as_what_is_left(client: Client, run_jobs: Any) -> None:
    shop = await gifts(client, "points", stock=limited(1))
    path, question = f"{BENEFITS}/{shop.benefit_id}", {
        "trigger": {"type": "SPECIFIC", "specific": {"event": "customer.order.paid"}},
        "customer_identification": {"type": "customer_source_id", "customer_source_id": "ada"},
        "customer_order_paid": {"order": {"amount": 1000}},
    }  # fmt: skip

    async def examined() -> list[str]:
        (one,) = (await ok(client, "POST", f"{V2}/examine/earning-rules", question))["memberships"]
        return [each["benefit"]["id"] for each in one["benefits"]]

    assert await examined() == [shop.benefit_id]
    await buy(client, 1000)
    await run_jobs()
    assert (await ok(client, "GET", path))["stock"] == limited(0)
    assert await examined() == []
    (listed,) = (await ok(client, "GET", BENEFITS))["data"]
    assert listed["stock"] == limited(0)
    # What is sent is what is left from then on, whatever was given before.
    assert (await ok(client, "PUT", path, {"stock": limited(1)}))["stock"] == limited(1)
    assert (await ok(client, "PUT", path, {"name": "Renamed"}))["stock"] == limited(1)
    for _ in range(2):
        await buy(client, 1000)
    await run_jobs()
    assert sorted(one["status"] for one in await shop.given()) == ["APPROVED", "APPROVED", "REJECTED"]


async def test_codes_that_are_not_there_are_not_given(client: Client, run_jobs: Any) -> None:
    shop = await gifts(client, "coupon")
    named = (await ok(client, "GET", f"{BENEFITS}/{shop.benefit_id}"))["digital"]["discount_coupons"][
        "campaign_id"
    ]
    await ok(client, "POST", f"/v1/campaigns/{named}/disable")
    await buy(client, 1000)
    await run_jobs()
    assert [one["details"]["rejection"]["reason"] for one in await shop.given()] == ["OUT_OF_STOCK"]


@pytest.mark.parametrize(("what", "left"), [("points", [35, 0]), ("proportional", [30, 0])])
async def test_points_go_with_the_goods(
    client: Client, run_jobs: Any, what: str, left: list[int], database_url: str
) -> None:
    shop = await gifts(client, what)
    order = await buy(client, 3000)
    await run_jobs()
    for points_left in left:
        await give_back(client, order, 1500)
        await run_jobs()
        assert await shop.points() == points_left
    assert [result.invariant for result in await verify(database_url) if not result.holds] == []


async def test_codes_and_credits_go_with_the_whole_order(client: Client, run_jobs: Any) -> None:
    coupons = await gifts(client, "coupon")
    order = await buy(client, 3000)
    await run_jobs()
    code = (await coupons.given())[0]["details"]["result"]["digital"]["discount_coupons"][0]["code"]
    await give_back(client, order, 1500)
    await run_jobs()
    assert (await client.get(f"/v1/vouchers/{code}")).status_code == 200
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await run_jobs()
    assert (await client.get(f"/v1/vouchers/{code}")).status_code == 404


async def test_credit_that_was_spent_is_owed(client: Client, run_jobs: Any) -> None:
    shop = await gifts(client, "gift")
    order = await buy(client, 3000)
    await run_jobs()
    code = (await shop.given())[0]["details"]["result"]["digital"]["gift_vouchers"][0]["code"]
    await redeem(client, code, amount=200)
    for _ in range(2):
        await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
        await run_jobs()
    assert (await ok(client, "GET", f"/v1/vouchers/{code}"))["gift"]["balance"] == -200


async def test_the_list_is_narrowed(client: Client, run_jobs: Any, pool: db.Pool) -> None:
    shop = await gifts(client, "points")
    await buy(client, 1000)
    await run_jobs()
    path = f"{shop.path}/benefits/transactions?filters[benefit_id][conditions][$is]="
    assert len((await ok(client, "GET", path + shop.benefit_id))["data"]) == 1
    assert (await ok(client, "GET", path + "lben_none"))["data"] == []
    assert (await client.get(f"{V2}/programs/lprg_none/members/x/benefits/transactions")).status_code == 404
