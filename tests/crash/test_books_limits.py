"""What limits count stays right, whatever becomes of codes, tiers, orders and rules meanwhile: a plain recount says so."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from laws.recount import miscounted, recount

from guerdon.kit import db
from guerdon.verify import verify

from .test_books import ITEMS, Shop

ALICE = {"source_id": "alice"}
BY_UNIT = {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"}


class Limited(Shop):
    """Makes campaigns and promotions under limits."""

    async def rule(self, kind: str, thing: str, limits: dict[str, int], **body: Any) -> str:
        """Put limits on something; the rule's id."""
        rules = {
            str(number): {"name": name, "conditions": {"$less_than_or_equal": [most]}}
            for number, (name, most) in enumerate(limits.items(), 1)
        }
        made = await self.post("/v1/validation-rules", {"name": "limits", "rules": rules, **body})
        given = {"related_object_type": kind, "related_object_id": thing}
        await self.post(f"/v1/validation-rules/{made['id']}/assignments", given)
        return made["id"]

    async def campaign(self, name: str, *codes: str, discount: Any = None, **body: Any) -> str:
        voucher = {
            "discount": discount or {"type": "AMOUNT", "amount_off": 1000},
            "redemption": {"quantity": None},
        }
        made = await self.post(
            "/v1/campaigns", {"name": name, "type": "AUTO_UPDATE", "voucher": voucher, **body}
        )
        for code in codes:
            await self.post(f"/v1/campaigns/{name}/vouchers/{code}")
        return made["id"]

    async def promotion(self, name: str) -> tuple[str, str]:
        tiers = [{"name": name, "action": {"discount": {"type": "PERCENT", "percent_off": 10}}}]
        body = {"name": name, "campaign_type": "PROMOTION", "promotion": {"tiers": tiers}}
        made = await self.post("/v1/campaigns", body)
        return made["id"], made["promotion"]["tiers"][0]["id"]

    async def ask(self, *things: str, status: int = 200, **more: Any) -> Any:
        redeemables = [
            {"object": "promotion_tier" if thing.startswith("promo_") else "voucher", "id": thing}
            for thing in things
        ]
        body = {"redeemables": redeemables, "order": {"items": ITEMS}, **more}
        return await self.post("/v1/redemptions", body, status)

    async def counted(self, part: str) -> list[int]:
        """What a recount comes to for tallies whose keys contain something."""
        return [used for key, used in (await recount(self.pool, self.project_id)).items() if part in key]


@pytest_asyncio.fixture
async def shop(client: Any, database_url: str) -> AsyncIterator[Limited]:
    """After each test the books agree."""
    made = Limited(client)
    yield made
    results = [result for result in await verify(database_url) if result.project_id == made.project_id]
    assert [(result.invariant, result.rows) for result in results if not result.holds] == []
    assert await miscounted(made.pool, made.project_id) == []


EVERY = {
    "campaign.redemptions.count": 50,
    "campaign.redemptions.customers_count.weekly": 50,
    "campaign.orders.amount": 10_000_000,
    "campaign.orders.amount_discounted": 1_000_000,
    "redemption.count.monthly": 50,
    "redemption.count.per_customer.daily": 50,
    "redemption.count.per_api_key": 50,
}


@pytest.mark.parametrize("early", [True, False])
async def test_stacks_and_parts_of_them_count_and_come_back(shop: Limited, early: bool) -> None:
    """Whether the limits were there before, or count what there is when they come."""
    campaign = await shop.campaign("C", "A", "B", "D")
    if early:
        await shop.rule("campaign", campaign, EVERY)
    stack = await shop.ask("A", "B", customer=ALICE)
    other = await shop.ask("B", "A", customer=ALICE)
    single = await shop.ask("D", customer=ALICE)
    await shop.give_back(single, {"amount": 300})
    if not early:
        await shop.rule("campaign", campaign, EVERY)
    await shop.ask("A", customer=ALICE)
    await shop.give_back(stack, {"amount": 700})
    assert await shop.counted("|orders|") == [4 * 11_998]
    await shop.give_back(stack)
    assert await shop.counted("|orders|") == [3 * 11_998]
    await shop.post(f"/v1/redemptions/{other['redemptions'][0]['id']}/rollback", {"amount": 1000})
    await shop.give_back(single)
    assert await shop.counted(f"{campaign}@") != []


async def test_an_orders_value_is_enough_once_for_two_codes(shop: Limited) -> None:
    campaign = await shop.campaign("ONCE", "A", "B")
    await shop.rule("campaign", campaign, {"campaign.orders.amount": 12_000})
    made = await shop.ask("A", "B")
    assert len(made["redemptions"]) == 2
    await shop.ask("A", status=400)
    await shop.give_back(made)
    await shop.ask("B")


async def test_what_was_deleted_still_comes_back(shop: Limited) -> None:
    campaign, (promotions, tier) = await shop.campaign("GONE", "A", "B"), await shop.promotion("TIERS")
    body = {"name": "second", "action": {"discount": {"type": "PERCENT", "percent_off": 5}}}
    other = (await shop.post(f"/v1/promotions/{promotions}/tiers", body))["id"]
    for owner in (campaign, promotions):
        await shop.rule(
            "campaign", owner, {"campaign.redemptions.count": 1, "campaign.orders.amount_discounted": 5_000}
        )
    made = await shop.ask("A")
    await shop.client.delete("/v1/vouchers/A?force=true")
    given = await shop.ask(tier)
    assert (await shop.client.delete(f"/v1/promotions/tiers/{tier}")).status_code == 204
    await shop.ask("B", status=400)
    await shop.ask(other, status=400)
    await shop.give_back(made)
    await shop.give_back(given)
    await shop.ask("B")
    await shop.ask(other)


async def test_what_was_redeemed_yesterday_comes_back_to_yesterday(shop: Limited) -> None:
    campaign = await shop.campaign("DAYS", "A")
    made = await shop.ask("A", customer=ALICE)
    older = "update redemptions set created_at = created_at - interval '1 day' where project_id = $1"
    await db.execute(shop.pool, older, shop.project_id)
    await shop.rule(
        "campaign", campaign, {"campaign.redemptions.count.daily": 2, "redemption.count.daily": 2}
    )
    await shop.ask("A", customer=ALICE)
    await shop.give_back(made)
    await shop.ask("A", customer=ALICE)
    await shop.ask("A", status=400)


async def test_units_come_back_with_the_last_part(shop: Limited) -> None:
    campaign = await shop.campaign("UNITS", "A", discount=BY_UNIT)
    budget = {"object": "product", "source_id": "shirt", "product_campaign_quantity_limit": 4}
    await shop.rule("campaign", campaign, {}, applicable_to={"included": [budget]})
    made = [await shop.ask("A") for _ in range(2)]
    assert [one["order"]["total_discount_amount"] for one in made] == [300, 100]
    await shop.ask("A", status=400)
    await shop.give_back(made[0], {"amount": 299})
    await shop.ask("A", status=400)
    await shop.give_back(made[0])
    assert await shop.counted("|units:") == [1]
    assert (await shop.ask("A"))["order"]["total_discount_amount"] == 300


async def test_an_order_made_by_a_neighbour_of_the_batch(shop: Limited) -> None:
    """All but the first only name the order; what is locked for them is found out once there is one."""
    campaign = await shop.campaign("BATCH", "A", discount=BY_UNIT)
    budget = {"object": "product", "source_id": "shirt", "product_campaign_quantity_limit": 4}
    await shop.rule("campaign", campaign, {}, applicable_to={"included": [budget]})
    named = {"source_id": "neighbours"}
    orders = [named | {"items": ITEMS}, *[named] * 5]
    bodies = [{"redeemables": [{"object": "voucher", "id": "A"}], "order": order} for order in orders]
    answers = await asyncio.gather(*(shop.client.post("/v1/redemptions", json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {200, 400}
    assert await shop.counted("|units:") == [4]


async def test_a_gift_may_have_a_budget_of_another_code(shop: Limited) -> None:
    """The scarf is not in the order that was sent, so its tally is found out when the first code has given it."""
    scarf = await shop.post("/v1/products", {"name": "scarf", "source_id": "scarf", "price": 900})
    things = {"type": "STATIC", "name": "things", "products": [{"id": scarf["id"], "object": "product"}]}
    collection = await shop.post("/v1/product-collections", things)
    await shop.code("GIVES", {"type": "UNIT", "unit_off": 1, "unit_type": "scarf", "effect": "ADD_NEW_ITEMS"})
    campaign = await shop.campaign("SCARVES", "A", discount=BY_UNIT)
    budget = {"object": "products_collection", "id": collection["id"]}
    budget["product_in_collection_campaign_quantity_limit"] = 1
    await shop.rule("campaign", campaign, {}, applicable_to={"included": [budget]})
    made = await shop.ask("GIVES", "A")
    assert await shop.counted("|units:") == [1]
    redeemables = [{"object": "voucher", "id": code} for code in ("GIVES", "A")]
    told = await shop.post("/v1/validations", {"redeemables": redeemables, "order": {"items": ITEMS}})
    assert not told["valid"]
    await shop.ask("GIVES", "A", status=400)
    await shop.give_back(made)
    await shop.ask("GIVES", "A")


async def test_a_rule_waits_for_the_batch_under_way(shop: Limited) -> None:
    """A batch that began without a limit ends without it; the limit then finds what it redeemed."""
    campaign = await shop.campaign("WAITS", "A", "B")
    async with shop.pool.acquire() as conn, conn.transaction():
        await db.execute(conn, "set local role none")  # the application's role does not see who waits
        lock = "select 1 from vouchers where project_id = $1 and code = 'A' for update"
        await db.execute(conn, lock, shop.project_id)
        redeemed = asyncio.create_task(shop.ask("A"))
        await _waiting(conn, 1, redeemed)
        limited = asyncio.create_task(shop.rule("campaign", campaign, {"campaign.redemptions.count": 1}))
        await _waiting(conn, 2, limited)
        assert not limited.done()
    await redeemed
    await limited
    await shop.ask("B", status=400)


async def _waiting(conn: db.Db, count: int, task: asyncio.Task[Any]) -> None:
    """Until so many connections wait for a lock, or the task is done."""
    sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    while not task.done() and await db.value(conn, sql) < count:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


async def test_tiers_are_no_unknown_codes(shop: Limited) -> None:
    _, tier = await shop.promotion("KNOWN")
    for _ in range(3):
        await shop.ask(tier)
    sql = "select coalesce(sum(misses), 0)::bigint from code_guesses where project_id = $1"
    assert await db.value(shop.pool, sql, shop.project_id) == 0
    await shop.ask("promo_nobody", status=404)
    assert await db.value(shop.pool, sql, shop.project_id) == 1
