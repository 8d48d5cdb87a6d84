"""Sessions: what a validation locks is there for its session and for nobody else, until it ends."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import code, post, redeem, used, validate
from .test_limits import ALICE, assign, campaign, rule


def lock(key: str | None = None, **more: Any) -> dict[str, Any]:
    """A session in a request."""
    return {"session": {"type": "LOCK", **({} if key is None else {"key": key}), **more}}


async def test_a_lock_takes_a_use_until_it_is_redeemed(client: Any) -> None:
    made = await code(client, redemption={"quantity": 1})
    held = await validate(client, made, **lock())
    key = held["session"]["key"]
    assert held["session"] == {"key": key, "type": "LOCK"}
    refused = await validate(client, made)
    assert refused["inapplicable_redeemables"][0]["result"]["error"]["key"] == "quantity_exceeded"
    assert (await redeem(client, made, status=400))["key"] == "quantity_exceeded"
    mine = await redeem(client, made, **lock(key))
    assert mine["redemptions"][0]["session"] == {"key": key, "type": "LOCK"}
    assert await used(client, made) == 1


async def test_a_session_does_not_block_itself(client: Any) -> None:
    made = await code(client, redemption={"quantity": 1})
    for _ in range(3):
        assert (await validate(client, made, **lock("mine", ttl=1, ttl_unit="HOURS")))["valid"]
    assert not (await validate(client, made, **lock("other")))["valid"]
    await redeem(client, made, **lock("mine"))


async def test_as_many_locks_as_uses_are_left(client: Any) -> None:
    made = await code(client, redemption={"quantity": 3})
    await redeem(client, made)
    assert (await validate(client, made, **lock("a")))["valid"]
    assert (await validate(client, made, **lock("b")))["valid"]
    assert not (await validate(client, made, **lock("c")))["valid"]
    free = await code(client)
    for number in range(10):
        assert (await validate(client, free, **lock(f"s{number}")))["valid"]


async def test_a_released_lock_is_gone(client: Any) -> None:
    made = await code(client, redemption={"quantity": 1})
    await validate(client, made, **lock("s"))
    answer = await client.delete(f"/v1/vouchers/{made}/sessions/s")
    assert answer.status_code == 204
    assert (await client.delete(f"/v1/vouchers/{made}/sessions/s")).status_code == 404
    await redeem(client, made)


async def test_a_lock_ends_by_itself(client: Any, pool: db.Pool) -> None:
    made = await code(client, redemption={"quantity": 1})
    await validate(client, made, **lock("s", ttl=1, ttl_unit="MICROSECONDS"))
    await redeem(client, made)


async def test_budgets_are_held_too(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client,
        {"1": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [1500]}}},
    )
    await assign(client, limit, "campaign", owner)
    assert (await validate(client, codes[0], **lock("s")))["valid"]
    assert not (await validate(client, codes[1]))["valid"]
    assert (await redeem(client, codes[1], status=400))["key"] == "redemption_rules_violated"
    await redeem(client, codes[0], **lock("s"))
    assert not (await validate(client, codes[1]))["valid"]


async def test_a_customers_own_count_is_held(client: Any) -> None:
    made = await code(client)
    limit = await rule(
        client, {"1": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [1]}}}
    )
    await assign(client, limit, "voucher", made)
    await redeem(client, await code(client), customer=ALICE)
    assert (await validate(client, made, customer=ALICE, **lock("s")))["valid"]
    assert not (await validate(client, made, customer=ALICE))["valid"]
    assert (await validate(client, made, customer={"source_id": "bob"}))["valid"]


@pytest.mark.parametrize(
    ("session", "path"),
    [
        ({"type": "OPEN"}, "session.type"),
        ({"type": "LOCK", "ttl": 0}, "session.ttl"),
        ({"type": "LOCK", "ttl": 400}, "session.ttl"),
        ({"type": "LOCK", "ttl": 1, "ttl_unit": "YEARS"}, "session.ttl_unit"),
        ({"type": "LOCK", "key": ""}, "session.key"),
    ],
)
async def test_what_is_no_session_is_refused(client: Any, session: dict[str, Any], path: str) -> None:
    made = await code(client)
    body = {"redeemables": [{"object": "voucher", "id": made}], "order": {"amount": 1}, "session": session}
    refused = await post(client, "/v1/validations", body, 400)
    assert path in str(refused["errors"])
