"""Limits set by rules: how often and for how much, in all and in a day, by anybody and by one customer."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.verify import verify

from .checkout import code, post, read, redeem, roll_back, validate


async def rule(client: Any, rules: dict[str, Any], **body: Any) -> str:
    """A validation rule; its id."""
    made = await post(client, "/v1/validation-rules", {"name": "a rule", "rules": rules, **body})
    return made["id"]


async def assign(client: Any, rule_id: str, kind: str, thing: str) -> dict[str, Any]:
    """Put a rule on something."""
    body = {"related_object_type": kind, "related_object_id": thing}
    return await post(client, f"/v1/validation-rules/{rule_id}/assignments", body)


async def limited(client: Any, name: str, most: int, operator: str = "$less_than_or_equal") -> str:
    """A code with a limit of its own."""
    made = await code(client)
    limit = await rule(client, {"1": {"name": name, "conditions": {operator: [most]}}})
    await assign(client, limit, "voucher", made)
    return made


async def campaign(client: Any, **body: Any) -> tuple[str, list[str]]:
    """A campaign of 10.00 off with three codes."""
    made = await post(
        client,
        "/v1/campaigns",
        {
            "name": f"campaign {body}",
            "campaign_type": "DISCOUNT_COUPONS",
            "type": "STATIC",
            "voucher": {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 1000}, "redemption": {"quantity": None}},
            **body,
        },
    )  # fmt: skip
    codes = []
    for number in range(3):
        answer = await client.post(f"/v1/campaigns/{made['id']}/vouchers/L{number}{made['id'][-5:]}", json={})
        assert answer.status_code == 200, answer.text
        codes.append(answer.json()["code"])
    return made["id"], codes


@pytest.fixture(autouse=True)
async def verified(client: Any, database_url: str) -> AsyncIterator[None]:
    """After each of these tests the books agree."""
    yield
    results = await verify(database_url)
    assert [result.rows for result in results if not result.holds] == []


ALICE, BOB = {"source_id": "alice"}, {"source_id": "bob"}


@pytest.mark.parametrize(("operator", "most", "times"), [("$less_than_or_equal", 2, 2), ("$less_than", 3, 2)])
async def test_a_code_is_redeemed_as_often_in_a_day_as_its_rule_says(
    client: Any, operator: str, most: int, times: int
) -> None:
    made = await limited(client, "redemption.count.daily", most, operator)
    for _ in range(times):
        assert (await validate(client, made))["valid"]
        await redeem(client, made)
    assert not (await validate(client, made))["valid"]
    refused = await redeem(client, made, status=400)
    assert refused["key"] == "redemption_rules_violated"


async def test_each_customer_has_a_count_of_their_own(client: Any) -> None:
    made = await limited(client, "redemption.count.per_customer", 1)
    await redeem(client, made, customer=ALICE)
    assert not (await validate(client, made, customer=ALICE))["valid"]
    assert (await validate(client, made, customer=BOB))["valid"]
    await redeem(client, made, customer=BOB)
    refused = await redeem(client, made, customer=ALICE, status=400)
    assert refused["key"] == "redemption_rules_violated"
    nobody = await redeem(client, made, status=400)
    assert nobody["key"] == "missing_customer"


async def test_a_campaign_counts_all_its_codes(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client, {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [2]}}}
    )
    await assign(client, limit, "campaign", owner)
    first = await redeem(client, codes[0])
    await redeem(client, codes[1])
    assert (await redeem(client, codes[2], status=400))["key"] == "redemption_rules_violated"
    await roll_back(client, first["redemptions"][0]["id"])
    await redeem(client, codes[2])
    assert (await redeem(client, codes[0], status=400))["key"] == "redemption_rules_violated"


async def test_what_was_redeemed_before_the_limit_counts(client: Any) -> None:
    owner, codes = await campaign(client)
    await redeem(client, codes[0])
    early = await redeem(client, codes[0], customer=ALICE)
    limit = await rule(
        client, {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [3]}}}
    )
    await assign(client, limit, "campaign", owner)
    await redeem(client, codes[1])
    assert not (await validate(client, codes[1]))["valid"]
    await roll_back(client, early["redemptions"][0]["id"])
    await redeem(client, codes[1])
    assert (await redeem(client, codes[1], status=400))["key"] == "redemption_rules_violated"


async def test_a_limit_that_was_gone_for_a_while_knows_what_happened_meanwhile(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client, {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [3]}}}
    )
    given = await assign(client, limit, "campaign", owner)
    await redeem(client, codes[0])
    answer = await client.delete(f"/v1/validation-rules/{limit}/assignments/{given['id']}")
    assert answer.status_code == 204
    await redeem(client, codes[0])
    await redeem(client, codes[1])
    await assign(client, limit, "campaign", owner)
    assert not (await validate(client, codes[2]))["valid"]


async def test_one_codes_rule_may_limit_its_whole_campaign(client: Any) -> None:
    _, codes = await campaign(client)
    limit = await rule(
        client, {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [2]}}}
    )
    await assign(client, limit, "voucher", codes[0])
    await redeem(client, codes[1])
    await redeem(client, codes[2])
    await redeem(client, codes[1])
    assert (await redeem(client, codes[0], status=400))["key"] == "redemption_rules_violated"


@pytest.mark.parametrize(
    ("policy", "given"),
    [
        ("STRICT", [1000, 1000, None]),
        ("LAST_IN_FULL", [1000, 1000, 1000, None]),
        ("PARTIAL", [1000, 1000, 500, None]),
    ],
)
async def test_a_budget_of_discounts_ends_as_its_policy_says(
    client: Any, pool: db.Pool, policy: str, given: list[int | None]
) -> None:
    owner, codes = await campaign(client, options={"limit_policy": policy})
    limit = await rule(
        client,
        {"1": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [2500]}}},
    )
    await assign(client, limit, "campaign", owner)
    for off in given:
        if off is None:
            assert not (await validate(client, codes[0]))["valid"]
            assert (await redeem(client, codes[0], status=400))["key"] == "redemption_rules_violated"
            continue
        asked = await validate(client, codes[0])
        assert asked["order"]["total_discount_amount"] == off
        made = await redeem(client, codes[0])
        assert made["order"]["total_discount_amount"] == off
    rows = await db.records(pool, "select key, used from tallies where project_id = $1", client.project_id)
    assert [row["used"] for row in rows] == [sum(off or 0 for off in given)]


async def test_a_part_of_a_discount_that_comes_back_is_in_the_budget_again(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client,
        {"1": {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [1300]}}},
    )
    await assign(client, limit, "campaign", owner)
    made = await redeem(client, codes[0])
    assert not (await validate(client, codes[1]))["valid"]
    await roll_back(client, made["redemptions"][0]["id"], {"amount": 699})
    assert not (await validate(client, codes[1]))["valid"]
    await roll_back(client, made["redemptions"][0]["id"], {"amount": 1})
    assert (await validate(client, codes[1]))["valid"]


async def test_the_value_of_orders_is_counted_once_an_order(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client, {"1": {"name": "campaign.orders.amount", "conditions": {"$less_than_or_equal": [25_000]}}}
    )
    await assign(client, limit, "campaign", owner)
    await redeem(client, codes[0], codes[1])
    await redeem(client, codes[0])
    assert not (await validate(client, codes[2]))["valid"]
    assert (await validate(client, codes[2], amount=5_000))["valid"]


async def test_two_codes_of_one_request_share_a_limit(client: Any) -> None:
    owner, codes = await campaign(client)
    limit = await rule(
        client, {"1": {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [1]}}}
    )
    await assign(client, limit, "campaign", owner)
    both = await validate(client, codes[0], codes[1])
    assert not both["valid"]
    assert [one["id"] for one in both["inapplicable_redeemables"]] == [codes[1]]


async def test_why_a_limit_refused_is_kept_with_the_failure(client: Any) -> None:
    made = await limited(client, "redemption.count.daily", 1)
    await redeem(client, made)
    await redeem(client, made, status=400)
    listed = await read(client, "/v1/redemptions?result=FAILURE")
    failed = await read(client, f"/v1/redemptions/{listed['redemptions'][0]['id']}?expand=explain")
    check = next(one for one in failed["explain"]["checks"] if one["outcome"] == "failed")
    assert "redemption.count.daily" in str(check)
