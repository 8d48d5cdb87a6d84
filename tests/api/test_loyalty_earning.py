"""Points on cards after something happened."""

from typing import Any

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, RULES, card, ok, per_order, program
from .test_loyalty_members import join


async def points(client: Client, member: dict[str, Any]) -> dict[str, Any]:
    """What is on a member's first card."""
    path = f"{PROGRAMS}/{member['program_id']}/members/{member['id']}"
    return (await ok(client, "GET", path))["cards"][0]["card"]


async def buy(client: Client, amount: int, name: str = "ada", **more: Any) -> dict[str, Any]:
    """A paid order."""
    goods = [{"source_id": "thing", "quantity": amount // 10, "price": 10}]
    body = {"items": goods, "status": "PAID", "customer": {"source_id": name}, **more}
    return await ok(client, "POST", "/v1/orders", body)


async def give_back(client: Client, order: dict[str, Any], amount: int) -> None:
    """A return of goods worth so much."""
    goods = {"items": [{"index": 0, "quantity": amount // 10}]}
    await ok(client, "POST", f"/v1/orders/{order['id']}/returns", goods)


async def test_a_paid_order_earns(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    await buy(client, 4990)
    await run_jobs()
    on = await points(client, made)
    assert on["balance"] == {"points": 49, "pending_points": 0}
    assert on["lifetime_bucket"]["points"]["earned"] == on["lifetime_bucket"]["points"]["total"] == 49
    shown = await ok(client, "GET", f"/v1/vouchers/{on['code']}")
    assert shown["loyalty_card"]["points"] == shown["loyalty_card"]["balance"] == 49
    moved = await ok(client, "GET", f"/v1/vouchers/{on['code']}/transactions")
    assert [each["type"] for each in moved["data"]] == ["POINTS_ACCRUAL"]


async def entries(client: Client, code: str) -> list[tuple[str, int]]:
    """What moved on a card, the first first."""
    moved = await ok(client, "GET", f"/v1/vouchers/{code}/transactions?limit=100&order=created_at")
    return [(each["type"], _amount(each)) for each in moved["data"]]


def _amount(entry: dict[str, Any]) -> int:
    balance = entry["details"]["balance"]
    return balance["points"] if "points" in balance else balance["amount"]


async def test_what_is_told_twice_is_earned_once(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    order = await buy(client, 1000)
    await run_jobs()
    for status in ("CREATED", "PAID"):
        await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": status})
        await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 10


async def test_strangers_and_those_switched_off_earn_nothing(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    await ok(client, "POST", f"{PROGRAMS}/{club['id']}/members/{made['id']}/deactivate")
    await buy(client, 1000)
    await buy(client, 1000, "stranger")
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 0


REVOKED = {
    name: {"earned_points": {"type": "REFUNDABLE", "methods": [method]}}
    for name, method in {
        "below": {"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_BELOW_ZERO"},
        "zero": {"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_TO_ZERO"},
        "pending": {"type": "REVOKE_FROM_PENDING"},
    }.items()
}


async def club_of(client: Client, rule: dict[str, Any] | None = None, **of_card: Any) -> dict[str, Any]:
    """A program with a card definition and a rule of our own."""
    card_id = (await ok(client, "POST", CARDS, card(**of_card)))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id, **(rule or {}))))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    return await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})


async def test_what_comes_back_is_clawed_back_from_its_lots(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, refunds={"spent_points": {"type": "NONE"}, **REVOKED["zero"]})
    made = await join(client, club["id"])
    order = await buy(client, 10000)
    await run_jobs()
    for amount, left in ((2550, 74), (2450, 50), (5000, 0)):
        await give_back(client, order, amount)
        await run_jobs()
        assert (await points(client, made))["balance"]["points"] == left
    on = await points(client, made)
    assert on["lifetime_bucket"]["points"]["refunded"] == 100
    assert on["lifetime_bucket"]["points"]["subtracted"] == 0


async def test_points_stay_where_the_card_says_nothing(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    order = await buy(client, 1000)
    await run_jobs()
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 10


async def test_a_canceled_order_earns_nothing_whoever_comes_first(client: Client, run_jobs: Any) -> None:
    refunds = {"spent_points": {"type": "NONE"}, **REVOKED["zero"]}
    club = await club_of(client, refunds=refunds)
    made = await join(client, club["id"])
    order = await buy(client, 1000)
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"status": "CANCELED"})
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 0


async def test_pending_points_become_active_at_night(client: Client, run_jobs: Any, tonight: Any) -> None:
    pending = {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 14}}}
    refunds = {"spent_points": {"type": "NONE"}, **REVOKED["pending"]}
    club = await club_of(client, pending_points=pending, refunds=refunds)
    made = await join(client, club["id"])
    order = await buy(client, 1000)
    await run_jobs()
    on = await points(client, made)
    assert on["balance"] == {"points": 0, "pending_points": 10}
    assert on["next_activation"]["points"] == 10 and on["next_activation"]["type"] == "PERIOD_BASED"
    await give_back(client, order, 300)
    await run_jobs()
    assert (await points(client, made))["balance"] == {"points": 0, "pending_points": 7}
    await tonight("update loyalty_pending set activates_at = activates_at - interval '15 days'")
    on = await points(client, made)
    assert on["balance"] == {"points": 7, "pending_points": 0}
    assert on["lifetime_bucket"]["pending_points"] == {"total": 10, "activated": 7, "canceled": 3}
    assert on["lifetime_bucket"]["points"]["total"] == 7 and on["lifetime_bucket"]["points"]["earned"] == 0
    assert await entries(client, on["code"]) == [("PENDING_POINTS_ACTIVATION", 7)]


def per_event(card_id: str, schema_id: str, points: int, **more: Any) -> dict[str, Any]:
    """An active rule: points for a custom event."""
    effect = {"type": "POINTS", "points": {"card_definition_id": card_id, "value": points}}
    return {
        "name": "For an event",
        "trigger": {"event": "customer.custom_event", "custom_event": {"schema_id": schema_id}},
        "earnings": [{"effects": [effect]}],
        "status": "ACTIVE",
        **more,
    }


async def event_schema(manager: Any, name: str) -> str:
    """A custom event's schema."""
    answer = await manager.post("/custom-event-schemas", json={"name": name})
    assert answer.status_code == 200, answer.text
    return answer.json()["id"]


async def test_custom_events_earn_and_wake_what_waits(client: Client, manager: Any, run_jobs: Any) -> None:
    visit, review = await event_schema(manager, "visit"), await event_schema(manager, "review")
    waits = {"event_types": [review], "cancel_period": {"unit": "DAY", "value": 30}}
    card_id = (
        await ok(client, "POST", CARDS, card(pending_points={"type": "EVENT_BASED", "event_based": waits}))
    )["id"]
    rule_id = (await ok(client, "POST", RULES, per_event(card_id, visit, 5)))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    made = await join(client, club["id"])
    for _ in range(2):
        await ok(client, "POST", "/v1/events", {"event": "visit", "customer": {"source_id": "ada"}})
    await run_jobs()
    on = await points(client, made)
    assert on["balance"] == {"points": 0, "pending_points": 10}
    assert on["next_activation"]["points"] == 5 and "cancel_date" in on["next_activation"]
    await ok(client, "POST", "/v1/events", {"event": "review", "customer": {"source_id": "ada"}})
    await run_jobs()
    on = await points(client, made)
    assert on["balance"] == {"points": 10, "pending_points": 0} and on["next_activation"] is None


async def test_limits_cut_and_are_shared_by_orders_of_a_batch(client: Client, run_jobs: Any) -> None:
    limits = {
        "global": {"type": "LIMITED", "limits": [{"type": "BALANCE_BASED", "max": 25}]},
        "transactions": {"type": "NO_LIMIT", "limits": []},
    }
    club = await club_of(client, earning_limits=limits)
    made = await join(client, club["id"])
    for _ in range(4):
        await buy(client, 1000)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 25


async def test_a_redemption_that_pays_earns(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    off = {"type": "AMOUNT", "amount_off": 200}
    code = (await ok(client, "POST", "/v1/vouchers", {"type": "DISCOUNT_VOUCHER", "discount": off}))["code"]
    body = {
        "redeemables": [{"object": "voucher", "id": code}],
        "customer": {"source_id": "ada"},
        "order": {"amount": 1000},
    }
    await ok(client, "POST", "/v1/redemptions", body)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 8


async def test_what_is_clawed_back_may_be_earned_again(client: Client, run_jobs: Any) -> None:
    limits = {
        "global": {
            "type": "LIMITED",
            "limits": [
                {
                    "type": "TIME_BASED",
                    "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "YEAR"}},
                    "points": {"max": 25},
                }
            ],
        },
        "transactions": {"type": "NO_LIMIT", "limits": []},
    }
    refunds = {"spent_points": {"type": "NONE"}, **REVOKED["zero"]}
    club = await club_of(client, earning_limits=limits, refunds=refunds)
    made = await join(client, club["id"])
    order = await buy(client, 3000)
    await buy(client, 1000)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 25
    await give_back(client, order, 2000)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 10
    await buy(client, 5000)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 25


async def test_entering_a_segment_earns(client: Client, run_jobs: Any) -> None:
    rich = {"junction": "and", "metadata.rich": {"conditions": {"$is": [True]}}}
    schema = {"name": "Rich", "type": "auto-update", "filter": rich}
    segment = await ok(client, "POST", "/v1/segments", schema)
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    effect = {"type": "POINTS", "points": {"card_definition_id": card_id, "value": 50}}
    rule = {
        "name": "Welcome",
        "trigger": {"event": "customer.segment.entered", "segment": {"id": segment["id"]}},
        "earnings": [{"effects": [effect]}],
        "status": "ACTIVE",
    }
    rule_id = (await ok(client, "POST", RULES, rule))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    made = await join(client, club["id"])
    await run_jobs()
    await ok(client, "POST", "/v1/customers", {"source_id": "ada", "metadata": {"rich": True}})
    from guerdon.kit import db
    from guerdon.kit.job_worker import tick
    from guerdon.segments.jobs import PERIODIC

    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(pool, "delete from jobs where kind like 'segments.%'")
    await tick(pool, PERIODIC)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 50


async def test_an_order_earns_once_it_is_known_whose_it_is(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    order = await ok(client, "POST", "/v1/orders", {"amount": 1000, "status": "PAID"})
    await run_jobs()
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"customer": {"source_id": "ada"}})
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 10
