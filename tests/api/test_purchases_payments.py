"""Orders paid with points: as much as may be, and given back as the card says."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import everything
from .conftest import Client
from .loyalty import CARDS, PROGRAMS, card, ok, program
from .test_loyalty_earning import buy, entries, give_back
from .test_loyalty_members import join
from .test_purchases import LIMITS, Club, club_of


def worth(formula: str | int | float = 1, mode: str | None = "REFUND_AMOUNT", **more: Any) -> dict[str, Any]:
    """What a card definition says whose points pay."""
    methods = [] if mode is None else [{"type": "RETURN_POINTS", "mode": mode}]
    spent = {"type": "REFUNDABLE" if methods else "NONE", "methods": methods}
    return {
        "pay_with_points": {"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": formula}},
        "refunds": {"spent_points": spent, "earned_points": {"type": "NONE"}},
        **more,
    }


class Payer(Club):
    """A member who pays with points."""

    async def pay(self, order: dict[str, Any], status: int = 202, **more: Any) -> Any:
        """What a payment answers."""
        card_id = self.member["cards"][0]["card"]["id"]
        body = {"card_id": card_id, "order": {"id": order["id"]}, **more}
        answer = await self.client.post(f"{self.path}/orders/payments", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def payments(self) -> list[dict[str, Any]]:
        """The payments, the latest first."""
        return (await ok(self.client, "GET", f"{self.path}/orders/payments"))["data"]


async def payer_of(client: Client, points: int = 1000, **of_card: Any) -> Payer:
    """A member with points on a card that pays."""
    made = await club_of(client, points, **of_card)
    return Payer(client, made.card_id, made.program_id, made.member)


def at_most(points: int | None = None, amount: int | None = None) -> dict[str, Any]:
    """A payment limit."""
    if points is not None:
        return {"type": "POINTS_LIMIT", "points_limit": {"max": points}}
    return {"type": "AMOUNT_LIMIT", "amount_limit": {"max": amount}}


async def test_points_pay_for_an_order(client: Client, pool: db.Pool) -> None:
    payer = await payer_of(client, **worth())
    order = await buy(client, 600, "bob")
    before = await everything(pool, client.project_id)
    told = await payer.pay(order, 200, mode="DRY_RUN", payment_limit=at_most(points=150))
    assert told["status"] == "DRY_RUN" and told["transaction"]["status"] == "SIMULATED"
    assert told["transaction"]["details"]["payment"] == {
        "amount": 150,
        "points_spent": 150,
        "exchange_ratio": 1,
    }
    assert (
        told["transaction"]["details"]["metadata"] == {"points_limit": 150}
        and "id" not in told["transaction"]
    )
    assert await everything(pool, client.project_id) == before
    made = (await payer.pay(order, payment_limit=at_most(amount=600)))["transaction"]
    assert (
        made["status"] == "PENDING" and made["type"] == "PAY_WITH_POINTS" and made["id"].startswith("lotx_")
    )
    (paid,) = await payer.payments()
    assert paid["status"] == "APPROVED" and paid["card_transaction_id"].startswith("lctx_")
    assert paid["details"]["payment"] == {"amount": 600, "points_spent": 600, "exchange_ratio": 1}
    assert await payer.points() == 400
    assert await entries(client, payer.code) == [("POINTS_ADDITION", 1000), ("POINTS_REDEMPTION", -600)]


@pytest.mark.parametrize(
    ("formula", "limit", "points", "amount"),
    [
        (
            "0.3",
            None,
            997,
            299,
        ),  # 1000 points are worth 300; 299.1 cannot be paid, and 997 points are enough for 299
        ("0.3", at_most(points=10), 10, 3),
        ("0.3", at_most(amount=4), 14, 4),
        ("IF(ORDER_AMOUNT > 1;2;1)", at_most(amount=9), 5, 9),
    ],
)
async def test_no_point_more_than_the_amount_takes(
    client: Client, formula: str, limit: dict[str, Any] | None, points: int, amount: int
) -> None:
    payer = await payer_of(client, 999 if limit is None else 1000, **worth(formula))
    order = await buy(client, 600, "bob")
    await payer.pay(order, **({} if limit is None else {"payment_limit": limit}))
    (paid,) = await payer.payments()
    payment = paid["details"]["payment"]
    assert (paid["status"], payment["points_spent"], payment["amount"]) == ("APPROVED", points, amount)


async def test_more_than_is_to_be_paid_is_rejected(client: Client) -> None:
    payer = await payer_of(client, **worth())
    order = await buy(client, 600, "bob")
    assert (await payer.pay(order))["transaction"]["status"] == "PENDING"
    (paid,) = await payer.payments()
    assert paid["status"] == "REJECTED" and paid["card_transaction_id"] is None
    assert paid["details"]["rejection"] == {"reason": "PAYMENT_EXCEEDS_ORDER_TOTAL_AMOUNT"}
    await payer.pay(order, payment_limit=at_most(amount=400))
    await payer.pay(order, payment_limit=at_most(amount=201))
    await payer.pay(order, payment_limit=at_most(amount=200))
    assert [one["status"] for one in await payer.payments()] == [
        "APPROVED",
        "REJECTED",
        "APPROVED",
        "REJECTED",
    ]
    assert await payer.points() == 400


@pytest.mark.parametrize(
    ("limit", "reason", "told"),
    [
        ("at once", "TRANSACTION_SPENDING_LIMIT_EXCEEDED", {"type": "POINTS", "limit": 199}),
        (
            "in all",
            "GLOBAL_SPENDING_LIMIT_EXCEEDED",
            {"type": "SPENDING_BASED", "limit": 399, "spendings": 500},
        ),
        ("a month", "GLOBAL_SPENDING_LIMIT_EXCEEDED", {"type": "TIME_BASED", "limit": 399, "spendings": 500}),
    ],
)
async def test_the_cards_limits_hold(client: Client, limit: str, reason: str, told: dict[str, Any]) -> None:
    payer = await payer_of(client, **worth(spending_limits=LIMITS[limit]))
    await payer.pay(await buy(client, 600, "bob"), payment_limit=at_most(points=500))
    (paid,) = await payer.payments()
    assert paid["status"] == "REJECTED" and paid["details"]["rejection"] == {
        "reason": reason,
        "details": told,
    }
    assert await payer.points() == 1000


async def test_what_forbids_a_payment(client: Client, pool: db.Pool) -> None:
    payer = await payer_of(client, 0, **worth())
    order = await buy(client, 600, "bob")
    assert (await payer.pay(order, 423))["key"] == "zero_card_balance"
    assert (await payer.pay({"id": "ord_none"}, 404))["key"] == "not_found"
    assert (await payer.pay(order, 404, card_id="lcrd_none"))["key"] == "not_found"
    assert (await payer.pay({"id": None}, 400))["key"] == "invalid_payload"
    for limit in ({"type": "POINTS_LIMIT"}, {"type": "CARD_BALANCE", "points_limit": {"max": 1}}):
        assert (await payer.pay(order, 400, payment_limit=limit))["key"] == "invalid_payload"
    await payer.add(1)
    await ok(client, "POST", f"{payer.path}/deactivate")
    assert (await payer.pay(order, 423))["key"] == "non_active_member"
    plain = (await ok(client, "POST", CARDS, card(name="Plain")))["id"]
    made = await program(client, name="Plain", card_definitions=[{"id": plain}])
    other = Payer(client, plain, made["id"], await join(client, made["id"], "bob"))
    await other.add(5)
    assert (await other.pay(order, 423))["key"] == "pay_with_points_not_enabled"
    assert (
        await db.value(pool, "select count(*) from loyalty_payments where project_id = $1", client.project_id)
        == 0
    )
    path = f"{PROGRAMS}/{payer.program_id}/members/{other.member['id']}/orders/payments"
    assert (await client.get(path)).status_code == 404


async def order_paid(client: Client, payer: Payer) -> dict[str, Any]:
    """An order of 1000, paid with 333 points."""
    order = await buy(client, 1000, "bob")
    await payer.pay(order, payment_limit=at_most(points=333))
    assert await payer.points() == 667
    return order


@pytest.mark.parametrize(
    ("mode", "left"),
    [
        ("REFUND_AMOUNT", [667 + 99, 667 + 166, 1000]),
        ("REFUND_ITEM", [667 + 99, 667 + 166, 1000]),
        ("REFUND_ALL", [667, 667, 1000]),
        (None, [667, 667, 667]),
    ],
)
async def test_points_come_back_with_the_goods(
    client: Client, run_jobs: Any, mode: str | None, left: list[int]
) -> None:
    payer = await payer_of(client, **worth(mode=mode))
    order = await order_paid(client, payer)
    for amount, points in zip((300, 200, 500), left, strict=True):
        await give_back(client, order, amount)
        await run_jobs()
        assert await payer.points() == points


async def test_a_canceled_order_gives_all_points_back_once(client: Client, run_jobs: Any) -> None:
    payer = await payer_of(client, **worth(mode="REFUND_ALL"))
    order = await order_paid(client, payer)
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await run_jobs()
    assert await payer.points() == 1000
    await run_jobs()
    assert [amount for _, amount in await entries(client, payer.code)] == [1000, -333, 333]
    await payer.pay(order)
    assert (await payer.payments())[0]["status"] == "REJECTED"


@pytest.mark.parametrize(
    ("mode", "money", "points"),
    [
        ("REFUND_AMOUNT", [16, 17, 17], [1, 1, 1]),
        ("REFUND_ALL", [50, 0, 0], [0, 0, 3]),
        (None, [50, 0, 0], [0, 0, 0]),
    ],
)
async def test_what_points_paid_is_not_owed_in_money(
    client: Client, mode: str | None, money: list[int], points: list[int], run_jobs: Any
) -> None:
    """Three things of 1.00 in all 3.00, of which 3 points pay 2.50: the returns come to 0.50, not to 3.00."""
    payer = await payer_of(client, 3, **worth("83.5", mode))
    item = {"source_id": "thing", "related_object": "product", "price": 100, "quantity": 3}
    order = await ok(
        client, "POST", "/v1/orders", {"items": [item], "status": "PAID", "customer": {"source_id": "bob"}}
    )
    await payer.pay(order)
    (paid,) = await payer.payments()
    assert paid["details"]["payment"]["amount"] == 250
    found = []
    for _ in money:
        before = await payer.points()
        body = {"items": [{"index": 0, "quantity": 1}]}
        told = await ok(client, "POST", f"/v1/orders/{order['id']}/returns", body)
        await run_jobs()
        assert told["refund"] + told["by_points"] == 100
        found.append((told["refund"], await payer.points() - before))
    assert found == list(zip(money, points, strict=True))
    listed = await ok(client, "GET", f"/v1/orders/{order['id']}/returns")
    assert [one["by_points"] for one in listed["data"]] == [100 - one for one in money]
