"""The demo's promotions: what applies by itself. Made over the API, as a shop would make them.

`making` says which requests to send, one by one, and is told each answer; whoever drives it does the sending. Their
Idempotency-Keys are always the same, so that a making that was cut off is finished by the next.
"""

from collections.abc import Generator
from typing import Any, NamedTuple

import msgspec

from guerdon.demo.offers import DELIVERY
from guerdon.pages.demo_file import ShopPromotion


class Request(NamedTuple):
    """One request to the API; `{project}` in the path stands for the project's id."""

    path: str
    body: dict[str, Any]
    key: str

    def idempotency_key(self) -> str:
        """The same for every making, and no other request's."""
        return "demo-" + self.key.replace(" ", "-")


class Made(NamedTuple):
    """The promotions as the shop shows them, and what the ids in their rules are called."""

    promotions: list[ShopPromotion]
    names: dict[str, str]


class Promotion(msgspec.Struct):
    """A tier with its campaign, to be. `rule` is a validation rule without its name; names in angle brackets in it
    and in `discount` stand for the ids of collections and segments. `buy` is the collection to buy of.
    """

    name: str
    hint: str
    category: str
    discount: dict[str, Any]
    rule: dict[str, Any]
    policy: str = "STRICT"
    buy: str = ""
    daily: int | None = None
    budget: int | None = None


def _where(junction: str = "and", **fields: list[str]) -> dict[str, Any]:
    """A filter over what the data set says of an article."""
    return {"junction": junction} | {
        f"metadata.{name}": {"conditions": {"$in": values}} for name, values in fields.items()
    }


BREAD = "Baked bread buns rolls"
MILK = "Fluid milk products"
COLLECTIONS: dict[str, dict[str, Any]] = {
    "Produce": _where(department=["Produce", "Salad bar"]),
    "Deli": _where(department=["Deli", "Chef shoppe"]),
    "Bakery": _where("or", department=["Pastry"], category=[BREAD, "Baked sweet goods"]),
    "Snacks": _where(category=["Bag snacks", "Candy packaged", "Crackers other bkd food", "Cookies cones"]),
    "Dairy": _where(category=[MILK, "Cheese", "Cheeses", "Yogurt", "Milk by products", "Eggs"]),
    "Milk": _where(category=[MILK]),
    "Bread": _where(category=[BREAD, "Bread"]),
    "Eggs": _where(category=["Eggs"]),
}
"""Product collections, each kept up to date by a filter over what the data set says of its articles."""

SEGMENTS: dict[str, dict[str, Any]] = {
    "Regulars": {
        "junction": "and",
        "summary.orders.total_count": {"conditions": {"$more_than_or_equal": [20]}},
    },
}
"""A regular came twenty times in the three months that were imported."""

CATEGORIES = {"Alone": 0, "Goods": 1, "Basket": 2, "Members": 3, "Delivery": 9}
"""Categories of promotions by their place: promotions of the first go with no others, those of the last with all."""


def _of(collection: str, **more: Any) -> dict[str, Any]:
    """What a rule says of an item: one of a collection."""
    return {"object": "products_collection", "type": "products_collection", "id": f"<{collection}>"} | more


def _at_least(collection: str, units: int) -> dict[str, Any]:
    counted = {"name": "order.items.aggregated_quantity", "conditions": {"$more_than_or_equal": [units]}}
    return {
        "name": "order.items.any",
        "conditions": {"$is": [_of(collection)]},
        "rules": {"1": counted, "logic": "1"},
    }


def _worth(cents: int, name: str = "order.amount") -> dict[str, Any]:
    return {"name": name, "conditions": {"$more_than_or_equal": [cents]}}


def _delivered() -> dict[str, Any]:
    item = {"object": "product", "type": "product_or_sku", "source_id": DELIVERY}
    return {"name": "order.items.any", "conditions": {"$is": [item]}}


def _rule(*conditions: dict[str, Any], included: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    rules: dict[str, Any] = {str(place): one for place, one in enumerate(conditions, 1)}
    rules["logic"] = " and ".join(rules)
    rule: dict[str, Any] = {"rules": rules}
    return rule if included is None else rule | {"applicable_to": {"included": included}}


def _limit(name: str, most: int) -> dict[str, Any]:
    return {"name": name, "conditions": {"$less_than_or_equal": [most]}}


def _set_of(*collections: str) -> dict[str, Any]:
    one = {"name": "order.items.aggregated_quantity", "conditions": {"$is": [1]}}
    parts = {
        str(place): {"name": "order.items.any", "conditions": {"$is": [_of(each)]}, "rules": {"1": one}}
        for place, each in enumerate(collections, 1)
    }
    return {"bundle_rules": parts | {"limit": 2}}


PERCENT_OF_ITEMS = {"type": "PERCENT", "effect": "APPLY_TO_ITEMS"}
DELI_A_DAY = 25
BREAD_BUDGET = 10_000

PROMOTIONS = [
    Promotion(
        "Solo fifteen", "15 % off from $60, with no other promotion", "Alone",
        {"type": "PERCENT", "percent_off": 15, "effect": "APPLY_TO_ORDER", "amount_limit": 1000},
        _rule(_worth(6000, "order.initial_amount")),
    ),
    Promotion(
        "Greens", "10 % off produce, from 3 of it on", "Goods", PERCENT_OF_ITEMS | {"percent_off": 10},
        _rule(_at_least("Produce", 3), included=[_of("Produce")]), buy="Produce",
    ),
    Promotion(
        "Third snack free", "The cheapest of three snacks is free", "Goods",
        PERCENT_OF_ITEMS | {"percent_off": 100},
        _rule(
            _at_least("Snacks", 3),
            included=[_of("Snacks", effect="APPLY_TO_CHEAPEST", target="UNIT", quantity_limit=1)],
        ),
        buy="Snacks",
    ),
    Promotion(
        "Fresh bread", "20 % off the bakery, while the budget lasts", "Goods",
        PERCENT_OF_ITEMS | {"percent_off": 20},
        _rule(
            _at_least("Bakery", 1), _limit("campaign.orders.amount_discounted", BREAD_BUDGET),
            included=[_of("Bakery")],
        ),
        policy="PARTIAL", buy="Bakery", budget=BREAD_BUDGET,
    ),
    Promotion(
        "Deli counter", f"$1.50 off with something from the deli, for {DELI_A_DAY} baskets a day", "Goods",
        {"type": "AMOUNT", "amount_off": 150, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
        _rule(_at_least("Deli", 1), _limit("redemption.count.daily", DELI_A_DAY), included=[_of("Deli")]),
        buy="Deli", daily=DELI_A_DAY,
    ),
    Promotion(
        "Breakfast", "$1 off milk, bread and eggs together, twice at most", "Goods",
        {"type": "AMOUNT", "amount_off": 100, "effect": "APPLY_TO_ORDER"},
        _set_of("Milk", "Bread", "Eggs"), buy="Eggs",
    ),
    Promotion(
        "Five off fifty", "$5 off from $50", "Basket",
        {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ORDER"}, _rule(_worth(5000)),
    ),
    Promotion(
        "The more, the less", "25 ¢ off for every unit from 8 units on, at most $4", "Basket",
        {"type": "AMOUNT", "amount_off": 200, "effect": "APPLY_TO_ORDER",
         "amount_off_formula": "MIN(0.25 * ORDER_UNITS_QUANTITY; 4)"},
        _rule({"name": "order.items.count", "conditions": {"$more_than_or_equal": [8]}}),
    ),
    Promotion(
        "Regulars", "5 % for who came 20 times in three months, at most $3", "Members",
        {"type": "PERCENT", "percent_off": 5, "effect": "APPLY_TO_ORDER", "amount_limit": 300},
        _rule({"name": "customer.segment", "conditions": {"$is": ["<Regulars>"]}}),
    ),
    Promotion(
        "Family fridge", "20 ¢ off every unit of dairy, for households with children", "Members",
        {"type": "AMOUNT", "amount_off": 20, "effect": "APPLY_TO_ITEMS_BY_QUANTITY"},
        _rule(
            {"name": "customer.metadata", "property": "kids_count", "conditions": {"$in": ["1", "2", "3+"]}},
            _at_least("Dairy", 1), included=[_of("Dairy")],
        ),
        buy="Dairy",
    ),
    Promotion(
        "Delivered free", "Delivery costs nothing from $35", "Delivery",
        {"type": "UNIT", "unit_off": 1, "unit_type": "prod_5h1pp1ng", "effect": "ADD_MISSING_ITEMS"},
        _rule(_delivered(), _worth(3500, "order.initial_amount")),
    ),
]  # fmt: skip


def making() -> Generator[Request, dict[str, Any], Made]:
    """Collections, segments, categories, stacking rules, rules and campaigns: the requests that make them.

    Yields what to send and takes the answer's JSON.
    """
    ids: dict[str, str] = {}
    for name, filter in COLLECTIONS.items():
        body = {"name": name, "type": "AUTO_UPDATE", "filter": filter}
        ids[name] = (yield Request("/v1/product-collections", body, f"collection-{name}"))["id"]
    for name, filter in SEGMENTS.items():
        body = {"name": name, "type": "passive", "filter": filter}
        ids[name] = (yield Request("/v1/segments", body, f"segment-{name}"))["id"]
    categories: dict[str, str] = {}
    for name, place in CATEGORIES.items():
        body = {"name": name, "hierarchy": place}
        categories[name] = (yield Request("/v1/categories", body, f"category-{name}"))["id"]
    yield Request(
        "/management/v1/projects/{project}/stacking-rules", stacking_rules(categories), "stacking-rules"
    )
    made: list[ShopPromotion] = []
    for one in PROMOTIONS:
        rule = _filled(one.rule, ids) | {"name": one.name}
        rule_id = (yield Request("/v1/validation-rules", rule, f"rule-{one.name}"))["id"]
        answer = yield Request("/v1/campaigns", _campaign(one, categories, rule_id), f"campaign-{one.name}")
        tier = answer["promotion"]["tiers"][0]["id"]
        made.append(ShopPromotion(tier, one.name, one.hint, one.category, one.buy, one.daily, one.budget))
    names = {id: name for name, id in (ids | categories).items()}
    return Made(made, names)


def stacking_rules(categories: dict[str, str]) -> dict[str, Any]:
    """How the shop's promotions and codes go together. `categories` are ids by name."""
    return {
        "applicable_redeemables_limit": 10,
        "applicable_redeemables_per_category_limit": None,
        "applicable_redeemables_category_limits": {categories["Basket"]: 1},
        "exclusive_categories": [categories["Alone"]],
        "joint_categories": [categories["Delivery"]],
        "redeemables_application_mode": "PARTIAL",
        "redeemables_sorting_rule": "CATEGORY_HIERARCHY",
        "redeemables_no_effect_rule": "SKIP",
    }


def _campaign(one: Promotion, categories: dict[str, str], rule_id: str) -> dict[str, Any]:
    tier = {
        "name": one.name,
        "banner": one.hint,
        "action": {"discount": one.discount},
        "category_id": categories[one.category],
        "validation_rules": [rule_id],
    }
    return {
        "name": one.name,
        "campaign_type": "PROMOTION",
        "description": one.hint,
        "options": {"limit_policy": one.policy},
        "metadata": {"demo": "promotion"},
        "promotion": {"tiers": [tier]},
    }


def _filled(rule: dict[str, Any], ids: dict[str, str]) -> dict[str, Any]:
    """The rule with ids in the place of names."""
    text = msgspec.json.encode(rule).decode()
    for name, id in ids.items():
        text = text.replace(f"<{name}>", id)
    return msgspec.json.decode(text)
