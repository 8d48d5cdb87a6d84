"""Qualifications: what is listed is what a validation accepts, page by page, scenario by scenario."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, ask, code, post, read, redeem, stacking, validate
from .conftest import Client
from .promotions import TEN_PER_CENT, promotion, tier

CART = {"items": [{"product_id": "prod_tea", "price": 2500, "quantity": 2}]}


async def rule(client: Client, *owners: str, **body: Any) -> str:
    """A rule with one condition under each key, assigned to these."""
    made = await post(client, "/v1/validation-rules", {"name": "rule", **body})
    for owner in owners:
        kind = "promotion_tier" if owner.startswith("promo_") else "voucher"
        kind = "campaign" if owner.startswith("camp_") else kind
        where = f"/v1/validation-rules/{made['id']}/assignments"
        await post(client, where, {"related_object_id": owner, "related_object_type": kind})
    return made["id"]


def least(amount: int) -> dict[str, Any]:
    """Conditions that ask for an order of more than this."""
    return {"1": {"name": "order.amount", "conditions": {"$more_than": [amount]}}}


async def qualify(client: Client, scenario: str = "ALL", status: int = 200, **more: Any) -> dict[str, Any]:
    """The answer; options stand in `options`, an order of 50.00 unless there is another."""
    body = {"scenario": scenario, "order": {"amount": 5000}} | more
    return await post(client, "/v1/qualifications", body, status)


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["id"] for one in answer["redeemables"]["data"]]


async def hold(pool: db.Pool, client: Client, name: str, customer_id: str | None) -> None:
    """Put a code into a customer's hand."""
    sql = "update vouchers set holder_id = $3 where project_id = $1 and code = $2"
    assert await db.execute(pool, sql, client.project_id, name, customer_id) == 1


async def a_customer(client: Client, name: str, **more: Any) -> str:
    return (await post(client, "/v1/customers", {"source_id": name, **more}))["id"]


async def bulk(client: Client, name: str, *codes: str) -> str:
    """A campaign of codes."""
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
    made = await post(client, "/v1/campaigns", {"name": name, "type": "STATIC", "voucher": voucher})
    for one in codes:
        await post(client, f"/v1/campaigns/{made['id']}/vouchers/{one}", {})
    return made["id"]


async def test_everything_that_can_be_used_is_listed_the_newest_first(client: Client, pool: db.Pool) -> None:
    old = await code(client)
    made = await promotion(client, "spring", tier("ten off", banner="10 off"), tier("never", active=False))
    new = await code(client, TEN_PER_CENT)
    await code(client, active=False)
    await bulk(client, "bulk", "BULK-1")
    answer = await qualify(client)
    first = made["promotion"]["tiers"][0]["id"]
    assert ids(answer) == [new, first, old]
    listed = answer["redeemables"]
    assert (listed["object"], listed["data_ref"], listed["total"], listed["has_more"]) == (
        "list",
        "data",
        3,
        False,
    )
    assert "more_starting_after" not in listed and "looked_at" not in listed
    assert [one["object"] for one in listed["data"]] == ["voucher", "promotion_tier", "voucher"]
    assert [one["order"]["total_amount"] for one in listed["data"]] == [4500, 4000, 4000]
    assert listed["data"][0]["result"]["discount"]["percent_off"] == 10
    assert answer["order"]["amount"] == 5000 and "total_applied_discount_amount" in listed["data"][0]["order"]
    assert answer["stacking_rules"]["redeemables_limit"] == 30


async def test_rules_and_changes_of_them_count_at_once(client: Client) -> None:
    made = await promotion(client, "spring", tier("a"), tier("b"))
    a, b = (one["id"] for one in made["promotion"]["tiers"])
    assert sorted(ids(await qualify(client))) == sorted([a, b])
    rule_id = await rule(client, a, rules=least(6000))
    assert ids(await qualify(client)) == [b]
    assert (
        await client.put(f"/v1/validation-rules/{rule_id}", json={"rules": least(100)})
    ).status_code == 200
    assert sorted(ids(await qualify(client))) == sorted([a, b])
    over_all = await rule(client, made["id"], rules=least(6000))
    assert ids(await qualify(client)) == []
    assert (await client.put(f"/v1/validation-rules/{over_all}", json={"rules": least(1)})).status_code == 200
    assert len(ids(await qualify(client))) == 2
    assert (await client.delete(f"/v1/validation-rules/{over_all}")).status_code == 204
    await post(client, f"/v1/promotions/tiers/{b}/disable", {})
    assert ids(await qualify(client)) == [a]
    await post(client, f"/v1/campaigns/{made['id']}/disable", {})
    assert ids(await qualify(client)) == []
    await post(client, f"/v1/campaigns/{made['id']}/enable", {})
    assert ids(await qualify(client)) == [a]


async def test_limits_and_budgets_count(client: Client) -> None:
    single = await code(client, redemption={"quantity": 1})
    assert ids(await qualify(client)) == [single]
    await redeem(client, single)
    assert ids(await qualify(client)) == []
    made = await promotion(client, "spring", tier("once"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    condition = {"name": "campaign.redemptions.count", "conditions": {"$less_than_or_equal": [1]}}
    await rule(client, tier_id, rules={"1": condition})
    assert ids(await qualify(client)) == [tier_id]
    body = {"redeemables": [{"object": "promotion_tier", "id": tier_id}], "order": {"amount": 5000}}
    await post(client, "/v1/redemptions", body)
    assert ids(await qualify(client)) == []


async def test_what_sessions_of_others_hold_is_not_listed(client: Client) -> None:
    name = await code(client, redemption={"quantity": 1})
    await validate(client, name, session={"type": "LOCK", "key": "mine"})
    assert ids(await qualify(client)) == []
    assert ids(await qualify(client, session={"type": "LOCK", "key": "mine"})) == [name]


async def test_a_nested_rule_about_something_else_is_left_out_too(client: Client) -> None:
    name = await code(client)
    nested = {
        "1": least(9000)["1"],
        "2": {"name": "customer.metadata", "property": "old", "conditions": {"$is": [1]}},
    }
    gold = {
        "name": "customer.metadata",
        "property": "level",
        "conditions": {"$is": ["gold"]},
        "rules": nested,
    }
    await rule(client, name, rules={"1": gold | {"rules": nested | {"logic": "1 and 2"}}})
    who = {"source_id": "ada", "metadata": {"level": "gold", "old": 1}}
    assert ids(await qualify(client, customer=who)) == []
    listed = (await qualify(client, "AUDIENCE_ONLY", customer=who))["redeemables"]["data"]
    assert [one["id"] for one in listed] == [name]
    shown = listed[0]["validation_rules_assignments"]["data"][0]
    assert (shown["validation_status"], shown["validation_omitted_rules"]) == ("PARTIALLY_VALID", ["1.1"])
    other = who | {"metadata": {"level": "gold", "old": 2}}
    assert ids(await qualify(client, "AUDIENCE_ONLY", customer=other)) == []


async def test_with_a_session_gift_cards_say_how_much_sessions_hold(client: Client) -> None:
    await post(client, "/v1/vouchers/PRESENT", {"type": "GIFT_VOUCHER", "gift": {"amount": 9000}})
    assert ids(await qualify(client)) == [], "whoever has its code has what is on it"
    who = {"source_id": "ada"}
    await post(client, "/v1/publications", {"voucher": "PRESENT", "customer": who})
    mine, theirs = ({"type": "LOCK", "key": key} for key in ("mine", "theirs"))

    async def card(**more: Any) -> dict[str, Any]:
        return (await qualify(client, customer=who, **more))["redeemables"]["data"][0]["result"]["gift"]

    assert await card(session=mine) == {"balance": 9000, "credits": 5000, "locked_credits": 0}
    await validate(client, "PRESENT", amount=3000, session=mine)
    await validate(client, "PRESENT", amount=2000, session=theirs)
    assert await card() == {"balance": 4000, "credits": 4000}
    assert await card(session=mine) == {"balance": 7000, "credits": 5000, "locked_credits": 5000}
    assert await card(session={"type": "LOCK"}) == {"balance": 4000, "credits": 4000, "locked_credits": 5000}


async def test_the_code_of_a_standalone_campaign_is_for_anybody(client: Client) -> None:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF, "code": "GENERIC"}
    made = await post(client, "/v1/campaigns", {"name": "generic", "type": "STANDALONE", "voucher": voucher})
    await post(client, "/v1/vouchers", voucher | {"code": "SECOND", "campaign_id": made["id"]})
    assert sorted(ids(await qualify(client))) == ["GENERIC", "SECOND"]
    named = {"filters": {"code": {"conditions": {"$is": ["GENERIC"]}}}, "expand": ["redeemable"]}
    found = (await qualify(client, options=named))["redeemables"]["data"]
    assert [(one["id"], one["campaign_name"]) for one in found] == [("GENERIC", "generic")]
    await post(client, f"/v1/campaigns/{made['id']}/disable", {})
    assert ids(await qualify(client)) == []


async def test_a_customers_own_codes_and_those_of_others(client: Client, pool: db.Pool) -> None:
    anna, bert = await a_customer(client, "anna"), await a_customer(client, "bert")
    await bulk(client, "bulk", "ANNAS", "BERTS", "NOBODYS")
    anyone, annas_own = await code(client), await code(client)
    await hold(pool, client, "ANNAS", anna)
    await hold(pool, client, "BERTS", bert)
    await hold(pool, client, annas_own, anna)
    assert sorted(ids(await qualify(client, customer={"id": anna}))) == sorted(["ANNAS", anyone, annas_own])
    assert ids(await qualify(client)) == [anyone]
    assert sorted(ids(await qualify(client, customer={"source_id": "bert"}))) == sorted(["BERTS", anyone])
    wallet = await qualify(client, "CUSTOMER_WALLET", customer={"id": anna})
    assert sorted(ids(wallet)) == sorted(["ANNAS", annas_own])
    assert ids(await qualify(client, "CUSTOMER_WALLET")) == []
    await qualify(client, status=404, customer={"id": "cust_unknown"})
    assert ids(await qualify(client, customer={"source_id": "carl"})) == [anyone]


async def test_pages_by_cursor(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", *(tier(f"tier {n}") for n in range(4)))
    codes = [await code(client) for _ in range(7)]
    await code(client, active=False)
    # Made in one instant, as by an import.
    sql = "update vouchers set created_at = '2026-01-01T10:00:00.123456Z' where project_id = $1 and code = any($2)"
    await db.execute(pool, sql, client.project_id, codes[:5])
    everything = ids(await qualify(client, options={"limit": 50}))
    assert len(everything) == 11 and set(codes) < set(everything)
    assert {one["id"] for one in made["promotion"]["tiers"]} < set(everything)
    for sorting in ("DEFAULT", "BEST_DEAL", "LEAST_DEAL"):
        for limit in (1, 2, 3, 4):
            found: list[str] = []
            after = None
            for _ in range(20):
                options = {"limit": limit, "starting_after": after, "sorting_rule": sorting}
                answer = (await qualify(client, options=options))["redeemables"]
                found += [one["id"] for one in answer["data"]]
                after = answer.get("more_starting_after")
                assert answer["has_more"] is (after is not None)
                if after is None:
                    break
                assert answer["total"] == limit and after[:10].count("-") == 2
            assert found == everything, (sorting, limit)


async def test_a_plain_date_is_a_cursor_too(client: Client) -> None:
    names = [await code(client) for _ in range(3)]
    first = (await qualify(client, options={"limit": 1}))["redeemables"]
    assert [one["id"] for one in first["data"]] == [names[2]]
    after = first["data"][0]["created_at"]
    assert after == first["more_starting_after"]
    assert ids(await qualify(client, options={"starting_after": after})) == [names[1], names[0]]
    assert ids(await qualify(client, options={"starting_after": after[:10]})) == []
    best = {"starting_after": after, "sorting_rule": "BEST_DEAL"}
    assert ids(await qualify(client, options=best)) == [names[1], names[0]]
    assert ids(await qualify(client, options=best | {"starting_after": after[:23] + "Z"})) == [
        names[1],
        names[0],
    ]
    lost = await qualify(client, status=400, options=best | {"starting_after": "2001-01-01"})
    assert lost["errors"][0]["path"] == "options.starting_after"
    assert (await qualify(client, status=400, options={"starting_after": "soon"}))["errors"][0]["path"] == (
        "options.starting_after"
    )


async def test_the_best_deal_first(client: Client) -> None:
    small = await code(client, {"type": "AMOUNT", "amount_off": 100})
    large = await code(client, {"type": "AMOUNT", "amount_off": 3000})
    middle = await code(client, {"type": "AMOUNT", "amount_off": 700})
    best = await qualify(client, options={"sorting_rule": "BEST_DEAL"})
    assert ids(best) == [large, middle, small]
    assert ids(await qualify(client, options={"sorting_rule": "LEAST_DEAL"})) == [small, middle, large]
    assert "looked_at" not in best["redeemables"]


@pytest.mark.parametrize("sorting", ["DEFAULT", "BEST_DEAL"])
async def test_what_is_not_looked_at_is_said(
    client: Client, monkeypatch: pytest.MonkeyPatch, sorting: str
) -> None:
    from guerdon.qualifications import pages, streams

    monkeypatch.setattr(pages, "CHUNK", 2)
    monkeypatch.setattr(pages, "CODES", 4)
    monkeypatch.setattr(streams, "CHUNK", 2)
    names = [await code(client, {"type": "AMOUNT", "amount_off": 100}) for _ in range(9)]
    await rule(client, *names[1:], rules=least(100_000))
    answer = (await qualify(client, options={"sorting_rule": sorting}))["redeemables"]
    assert (answer["data"], answer["looked_at"]) == ([], 4)
    if sorting == "BEST_DEAL":
        assert answer["has_more"] is False
        return
    for _ in range(3):
        options = {"starting_after": answer["more_starting_after"]}
        answer = (await qualify(client, options=options))["redeemables"]
        if not answer["has_more"]:
            break
    assert [one["id"] for one in answer["data"]] == [names[0]]


async def test_audience_only_asks_about_the_customer_alone(client: Client) -> None:
    made = await promotion(client, "spring", tier("a"), tier("b"), tier("c"))
    a, b, c = (one["id"] for one in made["promotion"]["tiers"])
    city = {"name": "customer.metadata", "property": "city", "conditions": {"$is": ["Graz"]}}
    amount = {"name": "order.amount", "conditions": {"$more_than": [90_000]}}
    await rule(client, a, rules={"1": city, "2": amount})
    await rule(client, b, rules={"1": city})
    rule_id = await rule(client, c, rules={"1": amount, "2": city, "logic": "1 or 2"})
    anna = {"source_id": "anna", "metadata": {"city": "Graz"}}
    answer = await qualify(client, "AUDIENCE_ONLY", customer=anna)
    assert sorted(ids(answer)) == sorted([a, b, c])
    shown = {one["id"]: one for one in answer["redeemables"]["data"]}
    assert shown[a]["order"]["total_amount"] == 4000
    assert "validation_rules_assignments" not in shown[b]
    assigned = shown[c]["validation_rules_assignments"]["data"]
    assert [
        (one["rule_id"], one["validation_status"], one["validation_omitted_rules"]) for one in assigned
    ] == [(rule_id, "PARTIALLY_VALID", ["1"])]
    assert ids(await qualify(client, "AUDIENCE_ONLY", customer=anna | {"metadata": {"city": "Wien"}})) == [c]
    assert ids(await qualify(client, "AUDIENCE_ONLY")) == [c]
    assert sorted(ids(await qualify(client, customer=anna))) == sorted([b, c])


async def test_products_and_what_is_for_them(client: Client) -> None:
    made = await promotion(client, "spring", *(tier(n) for n in "abcde"))
    asks, gives, other, plain, mine = (one["id"] for one in made["promotion"]["tiers"])
    tea = {"name": "product.id", "conditions": {"$is": ["prod_tea"]}}
    high = {"name": "order.amount", "conditions": {"$more_than": [90_000]}}
    city = {"name": "customer.metadata", "property": "city", "conditions": {"$is": ["Graz"]}}
    await rule(client, asks, rules={"1": tea, "2": high})
    await rule(client, gives, applicable_to={"included": [{"object": "product", "id": "prod_tea"}]}, rules={})
    await rule(client, other, rules={"1": tea | {"conditions": {"$is": ["prod_cup"]}}})
    await rule(client, plain, rules={"1": high})
    await rule(client, mine, rules={"1": tea, "2": city})
    anna = {"source_id": "anna", "metadata": {"city": "Wien"}}
    more = {"order": CART, "customer": anna}
    assert sorted(ids(await qualify(client, "PRODUCTS", **more))) == sorted([asks, gives, mine])
    assert ids(await qualify(client, "PRODUCTS_DISCOUNT", **more)) == [gives]
    assert sorted(ids(await qualify(client, "PRODUCTS_BY_CUSTOMER", **more))) == sorted([asks, gives])
    assert ids(await qualify(client, "PRODUCTS_DISCOUNT_BY_CUSTOMER", **more)) == [gives]
    bare = {"items": [{"product_id": "prod_tea"}]}
    assert sorted(ids(await qualify(client, "PRODUCTS", order=bare))) == sorted([asks, gives, mine])


async def test_stacks_with_their_tiers(client: Client) -> None:
    made = await promotion(client, "spring", tier("a"), tier("b"))
    a, b = (one["id"] for one in made["promotion"]["tiers"])
    where = f"/v1/promotions/{made['id']}/stacks"
    stack = await post(client, where, {"name": "both", "tiers": {"ids": [b, a]}})
    answer = await qualify(client, "PROMOTION_STACKS", options={"expand": ["redeemable"]})
    assert ids(answer) == [stack["id"]]
    one = answer["redeemables"]["data"][0]
    assert (one["object"], one["name"], one["campaign_id"]) == ("promotion_stack", "both", made["id"])
    assert [part["id"] for part in one["redeemables"]] == [b, a]
    assert (one["order"]["total_amount"], one["redeemables"][0]["order"]["total_amount"]) == (3000, 4000)
    await rule(client, a, rules=least(90_000))
    assert ids(await qualify(client, "PROMOTION_STACKS")) == []
    told = (await qualify(client, "PROMOTION_STACKS", options={"explain": True}))["inapplicable"]
    assert [(one["id"], one["key"]) for one in told] == [(stack["id"], "order_rules_violated")]


async def test_what_answers_show_when_asked(client: Client) -> None:
    category = await post(client, "/v1/categories", {"name": "Seasonal"})
    made = await promotion(
        client, "spring", tier("a", metadata={"x": 1}, banner="A!", category_id=category["id"])
    )
    tier_id = made["promotion"]["tiers"][0]["id"]
    rule_id = await rule(client, tier_id, rules=least(10))
    bare = (await qualify(client))["redeemables"]["data"][0]
    assert bare.keys() == {
        "id", "object", "created_at", "result", "order", "applicable_to", "inapplicable_to"
    }  # fmt: skip
    options = {"expand": ["redeemable", "category", "validation_rules"]}
    full = (await qualify(client, options=options))["redeemables"]["data"][0]
    assert (full["name"], full["banner"], full["campaign_name"], full["metadata"]) == (
        "a", "A!", "spring", {"x": 1}
    )  # fmt: skip
    assert [one["name"] for one in full["categories"]] == ["Seasonal"]
    assert [one["rule_id"] for one in full["validation_rules_assignments"]["data"]] == [rule_id]
    assert full["validation_rules_assignments"]["data"][0]["validation_status"] == "VALID"


async def test_filters(client: Client, pool: db.Pool) -> None:
    anna = await a_customer(client, "anna")
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    campaign = await bulk(client, "bulk", "HELD")
    await hold(pool, client, "HELD", anna)
    name = await code(client)
    voucher_id = (await read(client, f"/v1/vouchers/{name}"))["id"]

    async def found(**filters: Any) -> set[str]:
        options = {"filters": {k: v if k == "junction" else {"conditions": v} for k, v in filters.items()}}
        return set(ids(await qualify(client, customer={"id": anna}, options=options)))

    assert await found() == {tier_id, "HELD", name}
    assert await found(resource_type={"$is": ["voucher"]}) == {"HELD", name}
    assert await found(resource_type={"$is_not": ["voucher"]}) == {tier_id}
    assert await found(campaign_id={"$in": [campaign, made["id"]]}) == {"HELD", tier_id}
    assert await found(campaign_type={"$is": ["PROMOTION"]}) == {tier_id}
    assert await found(campaign_type={"$is": "DISCOUNT_COUPONS"}) == {"HELD"}
    assert await found(campaign_id={"$is_unknown": True}) == {name}
    assert await found(campaign_id={"$has_value": True}) == {"HELD", tier_id}
    assert await found(holder_role={"$is": ["OWNER"]}) == {"HELD"}
    assert await found(code={"$is": [name]}) == {name}
    assert await found(code={"$not_in": [name]}) == {tier_id, "HELD"}
    assert await found(resource_id={"$in": [tier_id, voucher_id]}) == {tier_id, name}
    assert await found(voucher_type={"$is": ["DISCOUNT_VOUCHER"]}) == {"HELD", name}
    either = {"junction": "OR", "code": {"$is": [name]}, "campaign_type": {"$is": ["PROMOTION"]}}
    assert await found(**either) == {name, tier_id}
    assert await found(category_id={"$is": ["cat_none"]}) == set()


@pytest.mark.parametrize(
    ("filters", "path"),
    [
        ({"price": {"conditions": {"$is": ["5"]}}}, "options.filters.price"),
        ({"code": {"conditions": {"$like": ["5"]}}}, "options.filters.code.conditions.$like"),
        ({"code": {"conditions": {"$is": [5]}}}, "options.filters.code.conditions.$is[0]"),
        ({"code": ["A"]}, "options.filters.code"),
        ({"junction": "xor"}, "options.filters.junction"),
        (
            {"resource_type": {"conditions": {"$in": ["voucher", "card"]}}},
            "options.filters.resource_type.conditions.$in[1]",
        ),
    ],
)
async def test_filters_that_are_none(client: Client, filters: Any, path: str) -> None:
    answer = await qualify(client, status=400, options={"filters": filters})
    assert (answer["key"], answer["errors"][0]["path"]) == ("invalid_payload", path)


async def test_why_something_does_not_qualify(client: Client) -> None:
    name = await code(client)
    made = await promotion(client, "spring", tier("a"), tier("off", active=False))
    a, off = (one["id"] for one in made["promotion"]["tiers"])
    await rule(client, name, a, rules=least(6000))
    answer = await qualify(client, options={"explain": True})
    why = [(one["id"], one["key"]) for one in answer["inapplicable"]]
    assert why == [(a, "order_rules_violated"), (name, "order_rules_violated")]
    assert "10.01" in answer["inapplicable"][0]["nearest_change"]
    assert any(check["outcome"] == "failed" for check in answer["inapplicable"][0]["checks"])
    options = {"explain": True, "filters": {"resource_id": {"conditions": {"$in": [a, off]}}}}
    told = {one["id"]: one["key"] for one in (await qualify(client, options=options))["inapplicable"]}
    assert told == {a: "order_rules_violated", off: "promotion_inactive"}
    good = await qualify(client, order={"amount": 7000}, options={"explain": True})
    assert good["inapplicable"] == []
    assert all(one["explain"]["checks"] for one in good["redeemables"]["data"])


async def test_another_instant_and_what_is_not_saved(client: Client) -> None:
    later = await code(client, start_date="2030-01-01T00:00:00Z")
    assert ids(await qualify(client)) == []
    assert ids(await qualify(client, at="2030-02-01")) == [later]
    made = await promotion(client, "spring", tier("a"))
    tier_id = made["promotion"]["tiers"][0]["id"]
    drafts = {
        "validation_rules": [{"id": "draft-rule", "rules": least(6000)}],
        "promotion_tiers": [
            {"id": tier_id, "validation_rules": ["draft-rule"]},
            {"id": "new-tier", "campaign_id": made["id"], "action": {"discount": TEN_PER_CENT}},
        ],
        "vouchers": [{"code": "DRAFT", "discount": TEN_OFF}],
    }
    assert set(ids(await qualify(client, drafts=drafts))) == {"new-tier", "DRAFT"}
    assert set(ids(await qualify(client, drafts=drafts, order={"amount": 9000}))) == {
        "new-tier",
        "DRAFT",
        tier_id,
    }
    assert ids(await qualify(client)) == [tier_id]


async def test_nothing_is_written(client: Client, pool: db.Pool) -> None:
    from .checkout import everything

    await code(client)
    before = await everything(pool, client.project_id)
    await qualify(
        client, customer={"source_id": "new", "name": "New"}, order={"source_id": "o-1", "amount": 5}
    )
    assert await everything(pool, client.project_id) == before


async def test_bad_bodies(client: Client) -> None:
    for body, path in (
        ({"scenario": "SOME"}, "scenario"),
        ({"options": {"limit": 51}}, "options.limit"),
        ({"options": {"limit": 0}}, "options.limit"),
        ({"options": {"sorting_rule": "CHEAPEST"}}, "options.sorting_rule"),
        ({"order": {"amount": -1}}, "order.amount"),
    ):
        answer = await post(client, "/v1/qualifications", body, 400)
        assert answer["errors"][0]["path"] == path
    assert (await post(client, "/v1/qualifications", {}))["redeemables"]["data"] == []


async def test_all_or_none_of_a_partial_project(client: Client, pool: db.Pool) -> None:
    """Whatever the stacking rules, each candidate is judged by itself."""
    await stacking(pool, client, redeemables_application_mode="PARTIAL", redeemables_no_effect_rule="SKIP")
    free, good = await code(client, {"type": "PERCENT", "percent_off": 10}), await code(client)
    assert ids(await qualify(client, order={"amount": 0})) == []
    assert sorted(ids(await qualify(client))) == sorted([free, good])
    both = await post(client, "/v1/validations", ask(free, good, amount=5000))
    assert both["valid"]
