"""Whatever the shop: a qualification lists exactly what a validation accepts, with the same totals."""

import os
import random
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import code, post, stacking
from .conftest import Client
from .promotions import promotion, tier
from .test_qualifications import a_customer, bulk, hold, rule

PRODUCTS = ["prod_tea", "prod_cup", "prod_pot", "tea-1"]
ROUNDS = 3


def discount(chance: random.Random) -> dict[str, Any]:
    """One of many kinds, some of which an order may not have what they need for."""
    effect = chance.choice(["APPLY_TO_ORDER", "APPLY_TO_ITEMS"])
    match chance.randrange(5):
        case 0:
            return {"type": "AMOUNT", "amount_off": chance.randrange(1, 4000), "effect": effect}
        case 1:
            return {"type": "PERCENT", "percent_off": chance.randrange(1, 100), "effect": effect}
        case 2:
            return {"type": "FIXED", "fixed_amount": chance.randrange(0, 3000), "effect": effect}
        case 3:
            formula = chance.choice(["ORDER_AMOUNT / 10", "IF(ORDER_AMOUNT > 3000; 500; 100)"])
            return {"type": "AMOUNT", "amount_off_formula": formula, "effect": "APPLY_TO_ORDER"}
    return {"type": "UNIT", "unit_off": 1, "unit_type": "tea-1", "effect": "ADD_MISSING_ITEMS"}


def condition(chance: random.Random, segment: str) -> dict[str, Any]:
    """A condition that holds about every other time."""
    some = chance.sample(PRODUCTS, 2)
    operator = chance.choice(["$is", "$is_not"])
    return chance.choice(
        [
            {"name": "order.amount", "conditions": {"$more_than": [chance.randrange(1000, 9000)]}},
            {"name": "order.total_amount", "conditions": {"$less_than": [chance.randrange(1000, 9000)]}},
            {"name": "order.items.any", "conditions": {"$is": [{"id": one} for one in some]}},
            {"name": "order.items.count", "conditions": {"$more_than_or_equal": [chance.randrange(1, 6)]}},
            {"name": "product.id", "conditions": {"$is": some}},
            {"name": "customer.segment", "conditions": {operator: [segment]}},
            {"name": "customer.metadata", "property": "city", "conditions": {operator: ["Graz"]}},
            {"name": "order.metadata", "property": "store", "conditions": {operator: ["406"]}},
            {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [1]}},
            {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [1]}},
            {"name": "campaign.orders.amount_discounted", "conditions": {"$less_than_or_equal": [1500]}},
        ]
    )


Things = list[tuple[str, str]]


async def furnish(client: Client, pool: db.Pool, chance: random.Random) -> tuple[Things, list[str], str]:
    """A shop; everything in it as (object, id), its rules, and its segment."""
    await post(client, "/v1/products", {"source_id": "tea-1", "name": "Tea", "price": 450})
    anna = await a_customer(client, "anna", metadata={"city": "Graz"})
    segment = (await post(client, "/v1/segments", {"name": "s", "customers": ["anna"]}))["id"]
    things: list[tuple[str, str]] = []
    owners: list[str] = []
    made_rules: list[str] = []
    for number in range(2):
        window = {"expiration_date": "2020-01-01"} if chance.random() < 0.1 else {}
        tiers = [
            tier(
                f"{number}-{n}", action={"discount": discount(chance)}, active=chance.random() < 0.9, **window
            )
            for n in range(6)
        ]
        made = await promotion(client, f"campaign {number}", *tiers)
        found = [one["id"] for one in made["promotion"]["tiers"]]
        things += [("promotion_tier", one) for one in found]
        owners += [*found, made["id"]]
    for _ in range(8):
        more = {"redemption": {"quantity": 1}} if chance.random() < 0.3 else {}
        name = await code(client, discount(chance), active=chance.random() < 0.9, **more)
        things.append(("voucher", name))
        owners.append(name)
    await bulk(client, "bulk", "HELD-1", "HELD-2")
    for name in ("HELD-1", "HELD-2"):
        await hold(pool, client, name, anna)
        things.append(("voucher", name))
    for owner in owners:
        if chance.random() < 0.5:
            rules = {str(n): condition(chance, segment) for n in range(1, chance.randrange(2, 4))}
            if len(rules) > 1 and chance.random() < 0.5:
                rules["logic"] = "1 or 2"
            scope: dict[str, Any] = {}
            if chance.random() < 0.3:
                scope = {
                    "applicable_to": {"included": [{"object": "product", "id": chance.choice(PRODUCTS)}]}
                }
            made_rules.append(await rule(client, owner, rules=rules, **scope))
    return things, made_rules, segment


async def unsettle(
    client: Client, chance: random.Random, things: Things, rules: list[str], segment: str
) -> None:
    """Switch a tier or two, and change some rules."""
    for kind, name in chance.sample(things, 4):
        if kind == "promotion_tier":
            await post(client, f"/v1/promotions/tiers/{name}/{chance.choice(['enable', 'disable'])}", {})
    for name in chance.sample(rules, min(2, len(rules))):
        body = {"rules": {"1": condition(chance, segment)}}
        assert (await client.put(f"/v1/validation-rules/{name}", json=body)).status_code == 200


def cart(chance: random.Random) -> dict[str, Any]:
    """Somebody's order, or nobody's."""
    items = [
        {"product_id": one, "price": chance.randrange(100, 4000), "quantity": chance.randrange(1, 4)}
        for one in chance.sample(PRODUCTS[:3], chance.randrange(1, 4))
    ]
    if chance.random() < 0.4:
        items.append({"source_id": "tea-1", "quantity": 2})
    order = {"items": items, "metadata": {"store": chance.choice(["406", "407"])}}
    body: dict[str, Any] = {"order": {"amount": 4000} if chance.random() < 0.15 else order}
    customer = chance.choice(
        [None, {"source_id": "anna"}, {"source_id": "new", "metadata": {"city": "Graz"}}]
    )
    return body if customer is None else body | {"customer": customer}


@pytest.mark.sized
@pytest.mark.parametrize("seed", range(100 if os.environ.get("GUERDON_PROVE") == "1" else 6))
async def test_what_is_listed_is_what_validates(client: Client, pool: db.Pool, seed: int) -> None:
    chance = random.Random(seed)
    things, rules, segment = await furnish(client, pool, chance)
    if seed % 2:
        await stacking(pool, client, redeemables_no_effect_rule="SKIP", margin_floor_percent=40)
    listed_ever = 0
    for number in range(ROUNDS):
        if number:
            await unsettle(client, chance, things, rules, segment)
        body = cart(chance)
        options = {"limit": 50, "sorting_rule": chance.choice(["DEFAULT", "BEST_DEAL"])}
        answer = await post(client, "/v1/qualifications", body | {"options": options})
        listed = {(one["object"], one["id"]): one for one in answer["redeemables"]["data"]}
        listed_ever += len(listed)
        for kind, name in things:
            asked = body | {"redeemables": [{"object": kind, "id": name}]}
            valid = await post(client, "/v1/validations", asked)
            mine = body.get("customer", {}).get("source_id") == "anna"
            usable = not name.startswith("HELD") or mine
            assert ((kind, name) in listed) is (valid["valid"] and usable), (name, valid)
            if (kind, name) in listed:
                shown, said = listed[kind, name]["order"], valid["redeemables"][0]["order"]
                for total in ("total_amount", "total_discount_amount", "total_applied_discount_amount"):
                    assert shown.get(total) == said.get(total), (name, total)
        taken = chance.choice(list(listed)) if listed else None
        if taken is not None:  # so that limits fill up
            asked = body | {"redeemables": [{"object": taken[0], "id": taken[1]}]}
            await post(client, "/v1/redemptions", asked)
    assert listed_ever > 0


@pytest.mark.sized
@pytest.mark.parametrize("seed", range(40 if os.environ.get("GUERDON_PROVE") == "1" else 3))
async def test_a_campaign_is_listed_when_an_unused_code_of_it_validates(client: Client, seed: int) -> None:
    chance = random.Random(seed)
    await post(client, "/v1/products", {"source_id": "tea-1", "name": "Tea", "price": 450})
    await a_customer(client, "anna", metadata={"city": "Graz"})
    segment = (await post(client, "/v1/segments", {"name": "s", "customers": ["anna"]}))["id"]
    campaigns: list[str] = []
    for number in range(10):
        voucher = {"type": "DISCOUNT_VOUCHER", "discount": discount(chance)}
        body = {"name": f"c{number}", "type": "AUTO_UPDATE", "voucher": voucher}
        made = (await post(client, "/v1/campaigns", body))["id"]
        campaigns.append(made)
        if chance.random() < 0.8:
            rules = {str(n): condition(chance, segment) for n in range(1, chance.randrange(2, 4))}
            await rule(client, made, rules=rules)
    verdicts: set[bool] = set()
    for number in range(ROUNDS):
        body, fresh = cart(chance), {}
        for made in campaigns:
            name = f"{made}-{number}"
            fresh[made] = name
            await post(client, f"/v1/campaigns/{made}/vouchers/{name}", {})
        found = {one["id"] for one in (await post(client, "/v1/campaigns/qualification", body))["data"]}
        for made, name in fresh.items():
            valid = (await post(client, "/v1/validations", body | {"redeemables": [{"id": name}]}))["valid"]
            assert (made in found) is valid, made
            verdicts.add(valid)
        if found:  # so that limits fill up
            asked = body | {"redeemables": [{"id": fresh[min(found)]}]}
            await post(client, "/v1/redemptions", asked)
    assert verdicts == {True, False}
