"""The books that the real writer writes are sound, and the database refuses unsound ones by itself."""

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import pytest

from guerdon.verify import verify

TEN_OFF = {"type": "AMOUNT", "amount_off": 1000}
ITEMS = [
    {"product_id": "shirt", "quantity": 3, "price": 3333},
    {"product_id": "hat", "quantity": 1, "price": 1999},
]
RunJobs = Callable[[], Awaitable[None]]


class Shop:
    """Short words for what a shop does; each answer must be a success unless said otherwise."""

    def __init__(self, client: Any) -> None:
        self.client = client
        self.pool = client.app.state.pool
        self.project_id = client.project_id

    async def post(self, path: str, body: Any = None, status: int = 200, **headers: str) -> Any:
        answer = await self.client.post(path, json=body or {}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def code(self, code: str, discount: dict[str, Any] = TEN_OFF, quantity: int | None = None) -> None:
        body = {"type": "DISCOUNT_VOUCHER", "discount": discount, "redemption": {"quantity": quantity}}
        await self.post(f"/v1/vouchers/{code}", body)

    async def redeem(self, *codes: str, status: int = 200, order: Any = None, **headers: str) -> Any:
        body = {
            "redeemables": [{"object": "voucher", "id": code} for code in codes],
            "order": order or {"items": ITEMS},
        }
        return await self.post("/v1/redemptions", body, status, **headers)

    async def give_back(self, made: Any, body: Any = None) -> Any:
        if "parent_redemption" in made:
            return await self.post(f"/v1/redemptions/{made['parent_redemption']['id']}/rollbacks", body)
        return await self.post(f"/v1/redemptions/{made['redemptions'][0]['id']}/rollback", body)

    async def row(self, code: str) -> Any:
        sql = "select terms_id, quantity, redeemed_quantity, redeemed_before from vouchers where project_id = $1 and code = $2"
        return await self.pool.fetchrow(sql, self.project_id, code)


@pytest.fixture
def shop(client: Any) -> Shop:
    return Shop(client)


async def test_what_the_writer_writes_is_sound(shop: Shop, run_jobs: RunJobs, database_url: str) -> None:
    await _trade(shop)
    await _campaigns(shop, run_jobs)
    await _imports(shop, run_jobs)
    kinds = await shop.pool.fetch(
        "select distinct object, result, status, parent_id is not null from redemptions where project_id = $1",
        shop.project_id,
    )
    assert len(kinds) == 8, (
        kinds
    )  # alone and stacked: succeeded, rolled back, rollbacks; refused ones of both
    results = [result for result in await verify(database_url) if result.project_id == shop.project_id]
    assert [(result.invariant, result.rows) for result in results if not result.holds] == []
    assert len(results) > 10


async def _trade(shop: Shop) -> None:
    """Single codes and stacks: redeemed, refused, taken back in part and as a whole."""
    await shop.code("ONE", quantity=2)
    await shop.code("MANY", {"type": "PERCENT", "percent_off": 12.5})
    await shop.code("ITEMS", {"type": "PERCENT", "percent_off": 33.3, "effect": "APPLY_TO_ITEMS"})
    await shop.code("GIFT", {"type": "UNIT", "unit_off": 1, "unit_type": "hat", "effect": "ADD_NEW_ITEMS"})
    first = await shop.redeem("ONE", **{"Idempotency-Key": "books-1"})
    await shop.redeem("ONE", **{"Idempotency-Key": "books-1"})
    await shop.give_back(first, {"amount": 333})
    await shop.give_back(first)
    stack = await shop.redeem("ONE", "ITEMS", "MANY", "GIFT", **{"Idempotency-Key": "books-2"})
    await shop.give_back(stack, {"items": [{"index": 0, "quantity": 2}]})
    await shop.give_back(stack)
    parted = await shop.redeem("MANY", "ITEMS")
    await shop.post(f"/v1/redemptions/{parted['redemptions'][1]['id']}/rollback", {"amount": 77})
    await shop.redeem("ONE")
    await shop.redeem("ONE")
    await shop.redeem("ONE", status=400)
    await shop.redeem("MANY", "ONE", status=400, **{"Idempotency-Key": "books-3"})
    open_order = await shop.redeem("MANY", order={"source_id": "twice", "items": ITEMS})
    await shop.redeem("ITEMS", order={"source_id": "twice"})
    await shop.give_back(open_order, {"items": [{"index": 1}]})
    await shop.client.put(f"/v1/orders/{open_order['order']['id']}", json={"items": ITEMS[:1]})


async def _campaigns(shop: Shop, run_jobs: RunJobs) -> None:
    """Codes that follow their campaign, one that was redeemed before it changed, and some that go."""
    voucher = {"discount": TEN_OFF, "redemption": {"quantity": 2}}
    await shop.post(
        "/v1/campaigns", {"name": "C", "type": "AUTO_UPDATE", "vouchers_count": 5, "voucher": voucher}
    )
    await run_jobs()
    for code in ("A", "B", "D"):
        await shop.post(f"/v1/campaigns/C/vouchers/{code}")
    await shop.redeem("A")
    await shop.client.put("/v1/campaigns/C", json={"voucher": {"discount": TEN_OFF | {"amount_off": 500}}})
    await shop.redeem("A")
    await shop.redeem("B")
    await shop.client.delete("/v1/vouchers/B")
    await shop.client.delete("/v1/vouchers/D?force=true")


async def _imports(shop: Shop, run_jobs: RunJobs) -> None:
    """A code that was used elsewhere before it came here, and is used on."""
    voucher = {"code": "OLD", "type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "active": True}
    voucher["redemption"] = {"quantity": 5, "redeemed_quantity": 3}
    await shop.post("/v1/vouchers/import", [voucher], 202)
    await run_jobs()
    await shop.redeem("OLD")
    assert (await shop.row("OLD"))["redeemed_quantity"] == 4


async def test_a_code_keeps_the_terms_and_the_limit_it_was_first_used_under(
    shop: Shop, run_jobs: RunJobs
) -> None:
    voucher = {"discount": TEN_OFF, "redemption": {"quantity": 2}}
    await shop.post("/v1/campaigns", {"name": "P", "type": "AUTO_UPDATE", "voucher": voucher})
    await shop.post("/v1/campaigns/P/vouchers/USED")
    await shop.post("/v1/campaigns/P/vouchers/UNUSED")
    made = await shop.redeem("USED")
    await shop.give_back(made)
    assert (await shop.row("USED"))["quantity"] == 2
    assert (await shop.row("UNUSED"))["terms_id"] is None
    change = {"voucher": {"discount": TEN_OFF | {"amount_off": 700}, "redemption": {"quantity": 1}}}
    assert (await shop.client.put("/v1/campaigns/P", json=change)).status_code == 200
    old, new = await shop.redeem("USED"), await shop.redeem("UNUSED")
    assert [made["order"]["total_discount_amount"] for made in (old, new)] == [1000, 700]
    await shop.redeem("USED")
    assert [tuple(await shop.row(code))[1:3] for code in ("USED", "UNUSED")] == [(2, 2), (1, 1)]
    await shop.redeem("UNUSED", status=400)


async def test_a_code_that_was_deleted_cannot_be_redeemed(shop: Shop) -> None:
    await shop.code("GONE")
    await shop.client.delete("/v1/vouchers/GONE")
    assert (await shop.redeem("GONE", status=404))["key"] == "not_found"


async def test_what_a_redemption_showed_stays_when_its_order_goes_on(shop: Shop) -> None:
    """The items are kept once, with the order, until the order changes; then its redemptions get their own copy."""
    await shop.code("FIRST", {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ITEMS"})
    await shop.code("SECOND", {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ITEMS"})
    order, key = {"source_id": "goes on", "items": ITEMS}, {"Idempotency-Key": "goes-on"}
    made = await shop.redeem("FIRST", order=order, **key)
    later = await shop.redeem("SECOND", order={"source_id": "goes on"})
    assert later["order"]["items"] != made["order"]["items"]
    shown = (await shop.client.get(f"/v1/redemptions/{made['redemptions'][0]['id']}")).json()
    assert shown["order"]["items"] == made["order"]["items"]
    assert await shop.redeem("FIRST", order=order, **key) == made


UNSOUND = [
    "update vouchers set redeemed_quantity = quantity + 1 where project_id = $1 and code = 'LAST'",
    "update vouchers set redeemed_quantity = -1 where project_id = $1 and code = 'LAST'",
    "update vouchers set terms_id = null where project_id = $1 and code = 'LAST'",
    "update redemptions set returned_amount = amount + 1 where project_id = $1 and result = 'SUCCESS'",
    "update redemptions set returned_amount = -1 where project_id = $1 and result = 'SUCCESS'",
    "update orders set total_amount = total_amount + 1 where project_id = $1",
    "update orders set total_amount = -1, total_discount_amount = amount + 1 where project_id = $1",
]


@pytest.mark.parametrize("sql", UNSOUND)
async def test_the_database_refuses_by_itself(shop: Shop, sql: str) -> None:
    """The last line, should the code ever be wrong."""
    await shop.code("LAST", quantity=1)
    await shop.redeem("LAST")
    with pytest.raises(asyncpg.CheckViolationError):
        await shop.pool.execute(sql, shop.project_id)
