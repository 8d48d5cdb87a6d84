"""What support reads: why a redemption was refused, told with the failure that is kept, and in answers on request."""

from typing import Any

from guerdon.kit import db

from .checkout import TEN_OFF, ask, code, post, read, redeem, roll_back, stacking, validate
from .promotions import promotion, tier
from .test_limits import assign, rule

BIG = {"1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [5000]}}}
EXPLAIN = {"options": {"explain": True}}


async def kept(client: Any, body: dict[str, Any]) -> dict[str, Any]:
    """The failure that a refused redemption leaves behind, as GET shows it: of a stack, the stack's."""
    await client.post("/v1/redemptions", json=body)
    failures = (await read(client, "/v1/redemptions?result=FAILURE&order=-created_at"))["redemptions"]
    first = next(one for one in failures if one["redemption"] is None)
    return await read(client, f"/v1/redemptions/{first['id']}?expand=explain")


def check(explained: dict[str, Any], name: str) -> dict[str, Any]:
    """The one check of a name."""
    (found,) = [one for one in explained["checks"] if one["check"] == name]
    return found


async def ruled(client: Any, rules: dict[str, Any], discount: Any = None, **body: Any) -> str:
    """A new code under a new rule."""
    made = await code(client, discount)
    await assign(client, await rule(client, rules, **body), "voucher", made)
    return made


async def shelves(client: Any) -> str:
    """A pear, which is fruit, and a soap, which is not; the collection's id."""
    for name in ("Pear", "Soap"):
        await post(client, "/v1/products", {"name": name, "source_id": name.lower()})
    pear = [{"object": "product", "id": "pear"}]
    made = await post(
        client, "/v1/product-collections", {"name": "Fruit", "type": "STATIC", "products": pear}
    )
    return made["id"]


def cart(source_id: str, quantity: int) -> dict[str, Any]:
    line = {"source_id": source_id, "related_object": "product", "quantity": quantity, "price": 1000}
    return {"items": [line]}


async def test_an_answer_explains_only_when_asked(client: Any) -> None:
    name = await ruled(client, BIG)
    refused = await redeem(client, name, amount=4000, status=400)
    assert "explain" not in str(refused)
    asked = await redeem(client, name, amount=4000, status=400, **EXPLAIN)
    (one,) = asked["inapplicable_redeemables"]
    assert one["explain"]["nearest_change"] == "add 10.00 to the order"
    failures = (await read(client, "/v1/redemptions?result=FAILURE"))["redemptions"]
    plain = [await read(client, f"/v1/redemptions/{one['id']}") for one in failures]
    assert [one.get("explain") for one in plain] == [None, None]
    whole = [await read(client, f"/v1/redemptions/{one['id']}?expand=explain") for one in failures]
    assert whole[0]["explain"] == whole[1]["explain"] == one["explain"]


async def test_a_stack_tells_of_every_one_of_its_codes(client: Any) -> None:
    first, last = await code(client), await code(client)
    second = await ruled(client, BIG)
    failure = await kept(client, ask(first, second, last, amount=5500))
    explained = failure["explain"]
    assert explained["nearest_change"] == "add 5.00 to the order"
    told = {one["id"]: one for one in explained["redeemables"]}
    assert [one["status"] for one in told.values()] == ["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
    assert told[first]["explain"]["discount"][0]["result"] == 1000
    refused = told[second]
    assert refused["key"] == "order_rules_violated"
    assert check(refused["explain"], "order_so_far") == {
        "check": "order_so_far", "asked": {"after": [first]}, "outcome": "passed",
        "seen": {"initial_amount": 5500, "total_amount": 4500},
    }  # fmt: skip
    amount = check(refused["explain"], "order.amount")
    assert (amount["seen"], amount["outcome"], amount["hint"]) == (4500, "failed", "add 5.00 to the order")
    assert amount["asked"]["rule_name"] == "a rule"
    assert told[last]["message"] == f"{second} was refused, and either all redeemables apply or none"
    (child,) = failure["related_redemptions"]["redemptions"]
    of_child = await read(client, f"/v1/redemptions/{child['id']}?expand=explain")
    assert of_child["redemption"] == failure["id"]
    assert of_child["explain"] == refused["explain"]


async def test_promotions(client: Any) -> None:
    made = await rule(client, BIG, error={"message": "Spend 50 or more"})
    tiers = (tier("ten off", validation_rules=[made]),)
    refused = (await promotion(client, "spring", *tiers))["promotion"]["tiers"][0]["id"]
    asked = {"redeemables": [{"object": "promotion_tier", "id": refused}], "order": {"amount": 100}}
    failure = await kept(client, asked)
    assert failure["failure_message"] == "Spend 50 or more"
    assert failure["explain"]["nearest_change"] == "add 49.00 to the order"
    later = await promotion(client, "later", tier("ten off"), start_date="2040-01-01")
    asked["redeemables"][0]["id"] = later["promotion"]["tiers"][0]["id"]
    failure = await kept(client, asked)
    assert failure["failure_message"] == "The promotion has not started yet"
    assert failure["explain"]["nearest_change"] == "opens 1 January 2040 00:00"


async def test_a_loser_of_the_best_deal_is_told_who_won(client: Any, pool: db.Pool) -> None:
    await stacking(
        pool, client, redeemables_sorting_rule="BEST_DEAL", applicable_redeemables_limit=1,
        redeemables_application_mode="PARTIAL",
    )  # fmt: skip
    small, great = await code(client), await code(client, {"type": "AMOUNT", "amount_off": 1200})
    answer = await validate(client, small, great, **EXPLAIN)
    (lost,) = answer["skipped_redeemables"]
    words = f"{great} takes off 12.00; no combination with {small} takes off more"
    assert lost["result"]["details"] == {"key": "not_in_best_combination", "message": words}
    best = check(lost["explain"], "stacking.best_deal")
    assert (best["asked"], best["seen"]) == (1200, 1000)
    assert lost["explain"]["discount"][0]["result"] == 1000
    assert answer["certificate"]["order"] == [great]


async def test_limits_of_stacking_name_who_has_the_place(client: Any, pool: db.Pool) -> None:
    category = await post(client, "/v1/categories", {"name": "Coupons", "hierarchy": 1})
    first, second = [await code(client, category_id=category["id"]) for _ in "12"]
    other = await code(client)
    (kept_out,) = (await validate(client, first, second, **EXPLAIN))["skipped_redeemables"]
    key = "applicable_redeemables_per_category_limit_exceeded"
    words = f"{first} applies already, and 1 of the category Coupons may apply together"
    assert kept_out["result"]["details"] == {"key": key, "message": words}
    assert check(kept_out["explain"], "stacking." + key.removesuffix("_exceeded"))["asked"] == 1
    await stacking(pool, client, exclusive_categories=[category["id"]])
    (excluded,) = (await validate(client, first, other))["skipped_redeemables"]
    assert excluded["result"]["details"]["message"].startswith(f"{first} applies and, being of an exclusive")
    await stacking(pool, client, applicable_redeemables_limit=2)
    three = [await code(client) for _ in "123"]
    (third,) = (await validate(client, *three))["skipped_redeemables"]
    words = f"{three[0]}, {three[1]} apply already, and 2 may apply together"
    assert third["result"]["details"]["message"] == words


async def test_what_changes_nothing_or_may_not_go_lower(client: Any, pool: db.Pool) -> None:
    first, second = await code(client), await code(client)
    await stacking(pool, client, margin_floor_percent=90)
    (floored,) = (await validate(client, first, second, **EXPLAIN))["skipped_redeemables"]
    words = "The order is at 90.00 and may not come below 90.00, 90% of 100.00"
    assert floored["result"]["details"] == {"key": "margin_floor_reached", "message": words}
    assert check(floored["explain"], "stacking.margin_floor_percent")["asked"] == {
        "percent": 90,
        "least": 9000,
    }
    await stacking(pool, client, redeemables_no_effect_rule="SKIP")
    failure = await kept(client, ask(first, amount=0))
    assert failure["failure_code"] == "no_effect"
    assert failure["explain"]["checks"][-1]["check"] == "stacking.redeemables_no_effect_rule"
    assert failure["explain"]["discount"][-1]["facts"] == {"cap": "order_total", "before": 1000}


async def test_limits_tell_what_is_used(client: Any) -> None:
    once = {
        "1": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [1]}},
        "2": {"name": "order.amount", "conditions": {"$more_than": [1]}},
    }
    name, anna = await ruled(client, once), {"source_id": "anna"}
    assert (await kept(client, ask(name)))["explain"]["nearest_change"] == "say who the customer is"
    answer = await validate(client, name, customer=anna, **EXPLAIN)
    per_customer = check(answer["redeemables"][0]["explain"], "redemption.count.per_customer")
    assert (per_customer["seen"], per_customer["hint"]) == (
        {"used": 0, "with_this": 1},
        "1 redemption left",
    )
    made = await redeem(client, name, customer=anna)
    explained = (await kept(client, ask(name, customer=anna)))["explain"]
    per_customer = check(explained, "redemption.count.per_customer")
    assert per_customer["seen"] == {"used": 1, "with_this": 2}
    assert check(explained, "logic")["seen"] == {"1": False, "2": True}
    assert explained["nearest_change"] == "the limit is used up"
    await roll_back(client, made["redemptions"][0]["id"])
    await redeem(client, name, customer=anna)


async def test_the_nearest_change_is_of_the_rules_that_refuse(client: Any) -> None:
    """Neither what is left of a limit that holds, nor a branch that was not needed, is in the way."""
    daily = {
        "1": {"name": "redemption.count.daily", "conditions": {"$less_than_or_equal": [5]}},
        "2": {"name": "order.amount", "conditions": {"$more_than": [90_000]}},
        "logic": "1 or 2",
    }
    name = await ruled(client, daily)
    odd = await rule(client, {"1": {"name": "redemption.api_key", "conditions": {"$is": ["till"]}}})
    await assign(client, odd, "voucher", name)
    explained = (await kept(client, ask(name)))["explain"]
    assert explained["checks"][-1]["check"] == "redemption.api_key"
    assert explained["checks"][-1]["outcome"] == "failed"
    assert "nearest_change" not in explained
    both = {
        "1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [20_000]}},
        "2": {"name": "customer.metadata", "property": "level", "conditions": {"$is": ["gold"]}},
        "3": {"name": "order.metadata", "property": "gift", "conditions": {"$is": ["yes"]}},
        "logic": "1 and (2 or 3)",
    }
    asked = ask(await ruled(client, both), customer={"source_id": "anna"})
    explained = (await kept(client, asked))["explain"]
    assert explained["nearest_change"] == "add 100.00 to the order and level is gold, or gift is yes"


async def test_items_that_are_not_there(client: Any) -> None:
    fruit = await shelves(client)
    budget = "product_customer_campaign_quantity_limit"
    entry = {"object": "products_collection", "id": fruit, budget: 2}
    half = {"type": "PERCENT", "percent_off": 50}
    name = await ruled(client, {}, half, applicable_to={"included": [entry]})
    anna = {"source_id": "anna"}
    failure = await kept(client, ask(name, order=cart("soap", 1), customer=anna))
    assert failure["failure_message"] == "The order holds none of the items that this discount is for"
    meant = check(failure["explain"], "items_the_discount_is_for")
    assert (meant["asked"]["included"][0]["name"], meant["seen"]["lines"]) == ("Fruit", [])
    assert failure["explain"]["nearest_change"] == "1 of Fruit"
    taken = (await validate(client, name, order=cart("pear", 3), customer=anna, **EXPLAIN))["redeemables"][0]
    meant = check(taken["explain"], "items_the_discount_is_for")
    assert meant["seen"] == {
        "lines": [{"line": 0, "units": 2}],
        "budgets_used": [{"budget": budget, "used": 0, "limit": 2}],
    }
    await redeem(client, name, order=cart("pear", 3), customer=anna)
    failure = await kept(client, ask(name, order=cart("pear", 3), customer=anna))
    assert failure["failure_code"] == "redemption_rules_violated"
    assert check(failure["explain"], "items_the_discount_is_for")["seen"]["budgets_used"][0]["used"] == 2
    assert failure["explain"]["nearest_change"] == "the limit is used up"
    failure = await kept(client, ask(name, customer=anna))
    assert failure["explain"]["nearest_change"] == "send the items of the order"


async def test_conditions_on_items_and_bundles_tell_how_many_are_missing(client: Any) -> None:
    fruit = await shelves(client)
    named = {"$is": [{"object": "products_collection", "id": fruit}]}

    def of_fruit(name: str, operator: str) -> dict[str, Any]:
        inner = {"1": {"name": name, "conditions": {operator: [3]}}, "logic": "1"}
        return {"1": {"name": "order.items.any", "conditions": named, "rules": inner}, "logic": "1"}

    three = await ruled(client, of_fruit("order.items.quantity", "$more_than_or_equal"))
    for quantity, source_id, lacking in ((2, "pear", 1), (2, "soap", 3)):
        explained = (await kept(client, ask(three, order=cart(source_id, quantity))))["explain"]
        assert explained["nearest_change"] == f"{lacking} more of Fruit"
    bundle = of_fruit("order.items.aggregated_quantity", "$is")
    whole = await ruled(client, {}, {"type": "PERCENT", "percent_off": 50}, bundle_rules=bundle)
    explained = (await kept(client, ask(whole, order=cart("pear", 2))))["explain"]
    missing = check(explained, "whole_bundles")
    assert (missing["seen"]["bundles"], missing["seen"]["missing"][0]["item_quantity"]) == (0, 1)
    assert explained["nearest_change"] == "1 more of Fruit"


async def test_formulas_that_fall_back_tell_why(client: Any) -> None:
    formula = 'ORDER_AMOUNT / ORDER_METADATA("size")'
    name = await code(client, {"type": "AMOUNT", "amount_off": 700, "amount_off_formula": formula})
    fell = (await validate(client, name, **EXPLAIN))["redeemables"][0]["explain"]["discount"][0]
    assert (fell["step"], fell["result"]) == ("formula_fallback", 700)
    assert "size" in fell["facts"]["why"]
    sized = {"amount": 10_000, "metadata": {"size": 20}}
    came = (await validate(client, name, order=sized, **EXPLAIN))["redeemables"][0]["explain"]["discount"][0]
    assert (came["step"], came["result"], came["facts"]["comes_to"]) == ("formula", 500, "5")


async def test_messages_of_failures_are_sentences(client: Any) -> None:
    expired = await code(client, expiration_date="2020-01-01")
    used = await code(client, TEN_OFF, redemption={"quantity": 1})
    await redeem(client, used)
    for name, words in (
        (expired, "The voucher has expired"),
        (used, "The voucher has been used as often as it may be"),
        ("NOBODY", "This project has no voucher 'NOBODY'"),
    ):
        assert (await kept(client, ask(name)))["failure_message"] == words
        refused = (await validate(client, name))["redeemables"][0]
        assert refused["result"]["details"]["message"] == words


async def test_metadata_of_redemptions_is_checked_and_no_refusal(client: Any, manager: Any) -> None:
    name = await code(client)
    schema = {
        "related_object": "redemption",
        "properties": {
            "till": {"type": "number", "optional": False},
            "note": {"type": "string", "optional": True},
        },
    }
    answer = await manager.post("/metadata-schemas", json=schema)
    assert answer.status_code == 200, answer.text
    for metadata, path in (
        (None, "metadata.till"),
        ({"till": "one"}, "metadata.till"),
        ({"till": 1, "note": 5}, "metadata.note"),
    ):
        refused = await redeem(client, name, status=400, metadata=metadata)
        assert refused["key"] == "metadata_validation_failed"
        assert [error["path"] for error in refused["errors"]] == [path]
    assert (await read(client, "/v1/redemptions?result=FAILURE"))["total"] == 0
    assert (await validate(client, name))["valid"], "what is required may still come with the redemption"
    refused = await validate(client, name, status=400, metadata={"note": 5})
    assert [error["path"] for error in refused["errors"]] == ["metadata.note"]
    await redeem(client, name, metadata={"till": 1})


async def test_metadata_of_customers_and_orders_is_checked_wherever_it_is_written(
    client: Any, manager: Any
) -> None:
    name = await code(client)
    for related_object in ("customer", "order", "order_item"):
        properties = {"size": {"type": "number", "optional": related_object != "customer"}}
        answer = await manager.post(
            "/metadata-schemas", json={"related_object": related_object, "properties": properties}
        )
        assert answer.status_code == 200, answer.text
    item = {"product_id": "pear", "quantity": 1, "price": 1000}
    anna = {"source_id": "anna", "metadata": {"size": 3}}
    for customer, order, path in (
        ({"source_id": "anna"}, {"amount": 1}, "customer.metadata.size"),
        (anna | {"metadata": {"size": "3"}}, {"amount": 1}, "customer.metadata.size"),
        (anna, {"amount": 1, "metadata": {"size": "3"}}, "order.metadata.size"),
        (anna, {"items": [item | {"metadata": {"size": []}}]}, "order.items[0].metadata.size"),
    ):
        refused = await redeem(client, name, status=400, customer=customer, order=order)
        assert [error["path"] for error in refused["errors"]] == [path]
    assert (await read(client, "/v1/customers"))["total"] == 0
    assert (await read(client, "/v1/redemptions?result=FAILURE"))["total"] == 0
    await redeem(client, name, customer=anna, order={"amount": 1, "metadata": {"size": 3}})
    await redeem(client, name, customer={"source_id": "anna"})


async def test_metadata_and_categories_of_codes(client: Any, manager: Any) -> None:
    schema = {"related_object": "voucher", "properties": {"till": {"type": "number", "optional": False}}}
    assert (await manager.post("/metadata-schemas", json=schema)).status_code == 200
    body = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
    refused = await post(client, "/v1/vouchers/A", body, 400)
    assert [error["path"] for error in refused["errors"]] == ["metadata.till"]
    category = await post(client, "/v1/categories", {"name": "Coupons", "hierarchy": 1})
    whole = body | {"metadata": {"till": 1}, "category_id": category["id"]}
    assert (await post(client, "/v1/vouchers/A", whole | {"category_id": "cat_no"}, 404))[
        "key"
    ] == "not_found"
    made = await post(client, "/v1/vouchers/A", whole)
    assert (made["category"], made["categories"]) == ("Coupons", [category])
    assert (await read(client, "/v1/vouchers"))["vouchers"][0]["categories"] == [category]
    answer = await client.put("/v1/vouchers/A", json={"metadata": {"till": "one"}})
    assert (answer.status_code, answer.json()["key"]) == (400, "metadata_validation_failed")
    assert (await client.put("/v1/vouchers/A", json={"metadata": {"note": 5}})).status_code == 200
