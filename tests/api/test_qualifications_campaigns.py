"""Campaigns of codes in qualifications, and the older calls about codes and about campaigns."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, code, post, redeem
from .conftest import Client
from .promotions import TEN_PER_CENT, promotion, tier
from .test_qualifications import CART, a_customer, bulk, hold, ids, least, qualify, rule

GRAZ = {"1": {"name": "customer.metadata", "property": "city", "conditions": {"$is": ["Graz"]}}}
ANNA = {"source_id": "anna", "metadata": {"city": "Graz"}}


def names(answer: dict[str, Any]) -> list[str]:
    return [one.get("code") or one["name"] for one in answer["data"]]


async def campaign(client: Client, name: str, **more: Any) -> str:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
    made = await post(
        client, "/v1/campaigns", {"name": name, "type": "AUTO_UPDATE", "voucher": voucher} | more
    )
    return made["id"]


async def test_campaigns_are_listed_where_the_cart_as_a_whole_is_not_asked_about(client: Client) -> None:
    lone = await code(client)
    open_to_all = await campaign(client, "open", metadata={"colour": "red"})
    for_graz = await campaign(client, "graz")
    category = await post(client, "/v1/categories", {"name": "Tea"})
    grouped = await campaign(client, "grouped", category_id=category["id"])
    off = await campaign(client, "off", active=False)
    await promotion(client, "spring", tier("a", active=False))
    await rule(client, for_graz, rules=GRAZ | {"2": least(90_000)["1"]})
    answer = await qualify(client, "AUDIENCE_ONLY", customer=ANNA)
    assert ids(answer) == [grouped, for_graz, open_to_all, lone]
    shown = {one["id"]: one for one in answer["redeemables"]["data"]}
    assert shown[open_to_all]["object"] == "campaign" and shown[lone]["object"] == "voucher"
    assert shown[open_to_all]["order"]["total_amount"] == 4000
    assigned = shown[for_graz]["validation_rules_assignments"]["data"]
    assert [(one["validation_status"], one["validation_omitted_rules"]) for one in assigned] == [
        ("PARTIALLY_VALID", ["2"])
    ]
    somebody = await qualify(client, "AUDIENCE_ONLY", customer={"source_id": "bob"})
    assert ids(somebody) == [grouped, open_to_all, lone]
    assert ids(await qualify(client, customer=ANNA)) == [lone]
    assert ids(await qualify(client, "CUSTOMER_WALLET", customer=ANNA)) == []
    expand = {"expand": ["redeemable", "category"], "limit": 3, "sorting_rule": "BEST_DEAL"}
    best = (await qualify(client, "AUDIENCE_ONLY", customer=ANNA, options=expand))["redeemables"]
    full = {one["id"]: one for one in best["data"]}
    assert (full[open_to_all]["name"], full[open_to_all]["metadata"]) == ("open", {"colour": "red"})
    assert not {"campaign_id", "campaign_name"} & full[open_to_all].keys()
    assert [one["name"] for one in full[grouped]["categories"]] == ["Tea"]
    assert best["has_more"] is True
    named = {"explain": True, "filters": {"resource_id": {"conditions": {"$is": [off]}}}}
    told = (await qualify(client, "AUDIENCE_ONLY", options=named))["inapplicable"]
    assert [(one["id"], one["object"], one["key"]) for one in told] == [(off, "campaign", "voucher_disabled")]


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({"resource_type": {"conditions": {"$is": ["campaign"]}}}, ["b", "a"]),
        ({"resource_type": {"conditions": {"$is": ["voucher"]}}}, []),
        ({"campaign_id": {"conditions": {"$is": ["{a}"]}}}, ["a"]),
        ({"resource_id": {"conditions": {"$in": ["{a}", "{b}"]}}}, ["b", "a"]),
        ({"campaign_type": {"conditions": {"$is": ["DISCOUNT_COUPONS"]}}}, ["b", "a"]),
        ({"voucher_type": {"conditions": {"$is_not": ["DISCOUNT_VOUCHER"]}}}, []),
        ({"code": {"conditions": {"$has_value": [True]}}}, []),
        ({"holder_role": {"conditions": {"$is": ["OWNER"]}}}, []),
    ],
)
async def test_campaigns_are_filtered(client: Client, filters: dict[str, Any], found: list[str]) -> None:
    made = {name: await campaign(client, name) for name in ("a", "b")}
    for field in filters.values():
        for operator, values in field["conditions"].items():
            field["conditions"] = {operator: [v.format(**made) if isinstance(v, str) else v for v in values]}
    listed = ids(await qualify(client, "AUDIENCE_ONLY", options={"filters": filters}))
    assert listed == [made[name] for name in found]


async def test_codes_and_campaigns_are_walked_together(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guerdon.qualifications import pages, streams

    monkeypatch.setattr(streams, "CHUNK", 2)
    made: list[str] = []
    for number in range(12):
        made.append(await (campaign(client, f"c{number}") if number % 3 else code(client)))
    whole = await qualify(client, "AUDIENCE_ONLY", options={"limit": 50})
    assert ids(whole) == made[::-1] and whole["redeemables"]["has_more"] is False
    monkeypatch.setattr(pages, "CODES", 4)
    walked: list[str] = []
    after = None
    for _ in range(20):
        options = {"limit": 5, "starting_after": after}
        answer = (await qualify(client, "AUDIENCE_ONLY", options=options))["redeemables"]
        walked += [one["id"] for one in answer["data"]]
        after = answer.get("more_starting_after")
        if not answer["has_more"]:
            break
    assert walked == made[::-1]


async def test_campaigns_for_products(client: Client) -> None:
    gives, other = await campaign(client, "gives"), await campaign(client, "other")
    tea = {"included": [{"object": "product", "id": "prod_tea"}]}
    cup = {"included": [{"object": "product", "id": "prod_cup"}]}
    await rule(client, gives, applicable_to=tea, rules={})
    await rule(client, other, applicable_to=cup, rules={})
    await campaign(client, "plain")
    for scenario in (
        "PRODUCTS",
        "PRODUCTS_DISCOUNT",
        "PRODUCTS_BY_CUSTOMER",
        "PRODUCTS_DISCOUNT_BY_CUSTOMER",
    ):
        answer = await qualify(client, scenario, order=CART, customer=ANNA)
        assert ids(answer) == [gives]
        one = answer["redeemables"]["data"][0]
        assert [entry["id"] for entry in one["applicable_to"]["data"]] == ["prod_tea"]


async def test_codes_for_anybody_in_the_older_shape(client: Client, pool: db.Pool) -> None:
    ten, tenth = await code(client), await code(client, TEN_PER_CENT)
    dear = await code(client)
    await rule(client, dear, rules=least(90_000))
    await bulk(client, "bulk", "BULK")
    held = await code(client)
    await hold(pool, client, held, await a_customer(client, "bob"))
    await promotion(client, "spring", tier("a"))
    body = {"order": CART, "customer": {"source_id": "anna"}}
    answer = await post(client, "/v1/vouchers/qualification", body)
    assert names(answer) == [tenth, ten]
    assert (answer["object"], answer["data_ref"], answer["total"]) == ("list", "data", 2)
    assert answer["id"].startswith("qfl_") and answer["tracking_id"].startswith("track_")
    assert answer["created_at"].endswith("Z")
    one = answer["data"][0]
    assert (one["object"], one["discount"]["percent_off"], one["applicable_to"]["total"]) == (
        "voucher",
        10,
        0,
    )
    assert names(await post(client, "/v1/vouchers/qualification?limit=1", body)) == [tenth]
    oldest = await post(client, "/v1/vouchers/qualification?limit=1&order=created_at", body)
    assert names(oldest) == [ten]
    by_code = await post(client, "/v1/vouchers/qualification?order=-code", body)
    assert names(by_code) == sorted([ten, tenth], reverse=True)
    audience = await post(client, "/v1/vouchers/qualification?audienceRulesOnly=true", body)
    assert names(audience) == [dear, tenth, ten]
    assert audience["data"][0]["validation_rules_assignments"]["total"] == 1
    await redeem(client, ten)
    assert names(await post(client, "/v1/vouchers/qualification", {})) == [tenth, ten]


async def test_campaigns_of_codes_in_the_older_shape(client: Client) -> None:
    a, b = await campaign(client, "a"), await campaign(client, "b")
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "code": "GENERIC"}
    await post(client, "/v1/campaigns", {"name": "one", "type": "STANDALONE", "voucher": voucher})
    await promotion(client, "spring", tier("a"))
    rule_id = await rule(client, a, rules=least(90_000))
    path, body = "/v1/campaigns/qualification", {"order": {"amount": 5000}, "customer": {"source_id": "anna"}}
    answer = await post(client, path, body)
    assert names(answer) == ["b"] and answer["data"][0]["id"] == b
    assert answer["data"][0]["voucher"]["discount"] == TEN_OFF
    assert (answer["object"], answer["total"]) == ("list", 1)
    assert names(await post(client, path + "?audienceRulesOnly=true", body)) == ["b", "a"]
    assert (await client.put(f"/v1/validation-rules/{rule_id}", json={"rules": least(1)})).status_code == 200
    assert names(await post(client, path, body)) == ["b", "a"]
    for order, found in (
        ("campaign", ["a", "b"]),
        ("-campaign", ["b", "a"]),
        ("created_at", ["a", "b"]),
        ("category", ["b", "a"]),
        ("-updated_at", ["b", "a"]),
        ("type", ["b", "a"]),
    ):
        assert names(await post(client, f"{path}?order={order}", body)) == found
    assert names(await post(client, path + "?limit=1&order=campaign", body)) == ["a"]


async def test_a_campaign_whose_budget_is_spent_is_not_listed(client: Client) -> None:
    spent = await bulk(client, "bulk", "FIRST", "SECOND")
    once = {"name": "campaign.redemptions.customers_count", "conditions": {"$less_than_or_equal": [1]}}
    await rule(client, spent, rules={"1": once})
    path, body = "/v1/campaigns/qualification", {"order": {"amount": 5000}, "customer": {"source_id": "anna"}}
    assert names(await post(client, path, body)) == ["bulk"]
    await redeem(client, "FIRST", customer={"source_id": "anna"})
    assert names(await post(client, path, body)) == []
    assert names(await post(client, path, body | {"customer": {"source_id": "bob"}})) == ["bulk"]


@pytest.mark.parametrize("path", ["/v1/vouchers/qualification", "/v1/campaigns/qualification"])
@pytest.mark.parametrize(
    "query", ["limit=0", "limit=51", "limit=x", "order=price", "audienceRulesOnly=maybe"]
)
async def test_the_older_calls_say_what_is_wrong(client: Client, path: str, query: str) -> None:
    problem = await post(client, f"{path}?{query}", {"order": {"amount": 5000}}, 400)
    assert query.split("=")[0] in problem["details"]


async def test_a_customer_who_is_not_there_is_told(client: Client) -> None:
    for path in ("/v1/vouchers/qualification", "/v1/campaigns/qualification"):
        await post(client, path, {"customer": {"id": "cust_nobody"}, "order": {"amount": 1}}, 404)
        await post(client, path, {"order": {"amount": -1}}, 400)
