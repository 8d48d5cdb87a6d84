"""What explain tells of segments, collections and promotions, it tells by their names."""

from typing import Any

from guerdon.kit import db

from .checkout import post, stacking
from .conftest import Client
from .promotions import promotion, tier
from .test_qualifications import rule

EXPLAIN = {"options": {"explain": True}}
GOLD = {"metadata.level": {"conditions": {"$is": ["gold"]}}}


async def explained(client: Client, *tiers: str, **more: Any) -> dict[str, Any]:
    asked = [{"object": "promotion_tier", "id": one} for one in tiers]
    return await post(
        client, "/v1/validations", {"redeemables": asked, "order": {"amount": 5000}} | EXPLAIN | more
    )


def check(one: dict[str, Any], name: str) -> dict[str, Any]:
    return next(check for check in one["explain"]["checks"] if check["check"] == name)


async def test_a_segment_is_told_by_its_name(client: Client) -> None:
    gold = (await post(client, "/v1/segments", {"name": "Gold members", "type": "passive", "filter": GOLD}))[
        "id"
    ]
    iron = (await post(client, "/v1/segments", {"name": "Iron", "type": "static", "customers": []}))["id"]
    made = await promotion(client, "spring", tier("in"), tier("out"))
    inside, outside = (one["id"] for one in made["promotion"]["tiers"])
    await rule(client, inside, rules={"1": {"name": "customer.segment", "conditions": {"$in": [gold, iron]}}})
    await rule(client, outside, rules={"1": {"name": "customer.segment", "conditions": {"$is_not": [gold]}}})
    iron_ada = {"source_id": "ada", "metadata": {"level": "iron"}}
    (refused,) = (await explained(client, inside, customer=iron_ada))["inapplicable_redeemables"]
    assert refused["explain"]["nearest_change"] == "a customer in Gold members, Iron"
    asked = check(refused, "customer.segment")["asked"]
    assert asked["$in"] == [gold, iron] and asked["names"] == {gold: "Gold members", iron: "Iron"}
    gold_ada = {"source_id": "ada", "metadata": {"level": "gold"}}
    (refused,) = (await explained(client, outside, customer=gold_ada))["inapplicable_redeemables"]
    assert refused["explain"]["nearest_change"] == "a customer out of Gold members"
    (fits,) = (await explained(client, inside, customer=gold_ada))["redeemables"]
    assert check(fits, "customer.segment")["asked"]["names"][gold] == "Gold members"


async def test_a_collection_is_told_by_its_name(client: Client) -> None:
    product = (await post(client, "/v1/products", {"name": "Tea"}))["id"]
    body = {"name": "Teas", "type": "STATIC", "products": [{"id": product, "object": "product"}]}
    teas = (await post(client, "/v1/product-collections", body))["id"]
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    wanted = {"$is": [{"id": teas, "object": "products_collection"}]}
    await rule(client, tier_id, rules={"1": {"name": "order.items.any", "conditions": wanted}})
    order = {"items": [{"product_id": "prod_cup", "price": 100, "quantity": 1}]}
    (refused,) = (await explained(client, tier_id, order=order))["inapplicable_redeemables"]
    assert refused["explain"]["nearest_change"] == "1 of Teas"
    assert check(refused, "order.items.any")["asked"]["names"] == {teas: "Teas"}


async def test_promotions_in_the_way_are_told_by_their_names(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", tier("Ten off"), tier("Also ten off"))
    first, second = (one["id"] for one in made["promotion"]["tiers"])
    await stacking(pool, client, applicable_redeemables_limit=1)
    (skipped,) = (await explained(client, first, second))["skipped_redeemables"]
    words = f"Ten off ({first}) applies already, and 1 may apply together"
    assert skipped["result"]["details"]["message"] == words
    await stacking(
        pool, client, applicable_redeemables_limit=1, redeemables_sorting_rule="BEST_DEAL",
        redeemables_application_mode="PARTIAL",
    )  # fmt: skip
    (lost,) = (await explained(client, first, second))["skipped_redeemables"]
    best, other = ("Ten off", first), ("Also ten off", second)
    if lost["id"] == first:
        best, other = other, best
    words = (
        f"{best[0]} ({best[1]}) takes off 10.00; no combination with {other[0]} ({other[1]}) takes off more"
    )
    assert lost["result"]["details"]["message"] == words
