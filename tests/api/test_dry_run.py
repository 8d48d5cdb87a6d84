"""Dry runs: another instant, and definitions that are not saved. Nothing of it is written."""

import asyncio
import copy
import random
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, ask, code, everything, post, redeem, stacking, validate
from .promotions import promotion, tier
from .test_limits import assign, rule

HALF = {"type": "PERCENT", "percent_off": 50}
TIER = {"object": "promotion_tier", "id": "black-friday"}
BIG = {"1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [5000]}}}


def drafted(*redeemables: dict[str, Any] | str, amount: int = 10_000, **more: Any) -> dict[str, Any]:
    """The body of a validation of redeemables, codes if they are texts."""
    named = [{"object": "voucher", "id": one} if isinstance(one, str) else one for one in redeemables]
    return {"redeemables": named, "order": {"amount": amount}, **more}


async def tried(client: Any, *redeemables: dict[str, Any] | str, **more: Any) -> dict[str, Any]:
    return await post(client, "/v1/validations", drafted(*redeemables, **more))


def taken_off(answer: dict[str, Any]) -> int | None:
    """What the order saves; None when nothing applies."""
    return answer["order"].get("total_applied_discount_amount") if answer["valid"] else None


def key_of(answer: dict[str, Any]) -> str:
    """Why the first redeemable was refused."""
    return answer["redeemables"][0]["result"]["error"]["key"]


async def refused(client: Any, drafts: dict[str, Any], *redeemables: Any) -> tuple[str, list[str]]:
    """The key of the error and the paths it names."""
    answer = await post(client, "/v1/validations", drafted(*(redeemables or ["ANY"]), drafts=drafts), 400)
    return answer.get("key", ""), [error["path"] for error in answer["errors"]]


async def test_another_instant_decides_about_windows(client: Any, pool: db.Pool) -> None:
    """Paris turns the day an hour before UTC does."""
    await db.execute(pool, "update projects set timezone = 'Europe/Paris' where id = $1", client.project_id)
    name = await code(client, start_date="2030-11-29", expiration_date="2030-11-30")
    assert key_of(await tried(client, name)) == "voucher_not_active"
    assert (await tried(client, name, at="2030-11-29"))["valid"]
    assert (await tried(client, name, at="2030-11-28T23:00:00Z"))["valid"]
    assert key_of(await tried(client, name, at="2030-11-28T22:59:59Z")) == "voucher_not_active"
    assert (await tried(client, name, at="2030-11-30T20:00:00Z"))["valid"]
    assert key_of(await tried(client, name, at="2030-12-01")) == "voucher_expired"


async def test_a_day_of_another_instant_has_its_own_limits(client: Any) -> None:
    name = await code(client)
    daily = await rule(
        client, {"1": {"name": "redemption.count.daily", "conditions": {"$less_than_or_equal": [1]}}}
    )
    await assign(client, daily, "voucher", name)
    await redeem(client, name)
    assert key_of(await tried(client, name)) == "redemption_rules_violated"
    assert (await tried(client, name, at="2999-06-01"))["valid"]
    assert (await tried(client, name, at="2020-06-01"))["valid"]


@pytest.mark.parametrize("at", ["yesterday", "", "2030-13-01", "9999-12-31", "0001-01-01", "1969-12-01", 5])
async def test_an_instant_that_is_none(client: Any, at: Any) -> None:
    answer = await post(client, "/v1/validations", drafted("ANY", at=at), 400)
    assert [error["path"] for error in answer["errors"]] == ["at"]


async def test_redemptions_and_sessions_take_neither(client: Any) -> None:
    name = await code(client)
    for more in ({"at": "2030-01-01"}, {"drafts": {}}):
        answer = await post(client, "/v1/redemptions", drafted(name, **more), 400)
        assert [error["path"] for error in answer["errors"]] == [*more]
        answer = await post(client, "/v1/validations", drafted(name, **more, session={"type": "LOCK"}), 400)
        assert [error["path"] for error in answer["errors"]] == ["session"]


async def test_a_tier_with_a_rule_that_is_not_saved(client: Any) -> None:
    drafts = {
        "validation_rules": [{"id": "big orders", "rules": BIG}],
        "promotion_tiers": [
            {"id": "black-friday", "action": {"discount": HALF}, "validation_rules": ["big orders"]}
        ],
    }
    assert taken_off(await tried(client, TIER, amount=5000, drafts=drafts)) == 2500
    small = await tried(client, TIER, amount=4900, drafts=drafts, options={"explain": True})
    assert key_of(small) == "order_rules_violated"
    assert small["redeemables"][0]["explain"]["nearest_change"] == "add 1.00 to the order"
    assert key_of(await tried(client, TIER)) == "not_found"


async def test_a_saved_rule_is_replaced_for_this_request_alone(client: Any) -> None:
    name = await code(client)
    saved = await rule(
        client, {"1": {"name": "order.amount", "conditions": {"$more_than_or_equal": [20_000]}}}
    )
    await assign(client, saved, "voucher", name)
    assert key_of(await tried(client, name)) == "order_rules_violated"
    drafts = {"validation_rules": [{"id": saved, "name": "softer", "rules": BIG}]}
    assert (await tried(client, name, drafts=drafts))["valid"]
    assert key_of(await tried(client, name)) == "order_rules_violated"


async def test_a_saved_tier_is_changed_and_keeps_the_rest(client: Any) -> None:
    made = await promotion(client, "spring", tier("ten off"), start_date="2040-01-01")
    saved = made["promotion"]["tiers"][0]["id"]
    asked = {"object": "promotion_tier", "id": saved}
    drafts: dict[str, Any] = {
        "promotion_tiers": [{"id": saved, "action": {"discount": TEN_OFF | {"amount_off": 300}}}]
    }
    answer = await tried(client, asked, drafts=drafts)
    assert key_of(answer) == "promotion_inactive"
    assert taken_off(await tried(client, asked, drafts=drafts, at="2040-01-02")) == 300
    drafts["campaigns"] = [{"id": made["id"], "start_date": None}]
    assert taken_off(await tried(client, asked, drafts=drafts)) == 300
    drafts["campaigns"][0]["active"] = False
    assert key_of(await tried(client, asked, drafts=drafts)) == "promotion_inactive"
    assert taken_off(await tried(client, asked, at="2040-01-02")) == 1000


async def test_a_campaign_of_promotions_with_rules_and_windows(client: Any) -> None:
    campaign = {
        "id": "bf", "start_date": "2030-11-29", "expiration_date": "2030-11-29", "validation_rules": ["big"],
        "promotion": {"tiers": [{"id": "black-friday", "action": {"discount": HALF}}]},
    }  # fmt: skip
    drafts = {"validation_rules": [{"id": "big", "rules": BIG}], "campaigns": [campaign]}
    assert key_of(await tried(client, TIER, drafts=drafts)) == "promotion_inactive"
    assert taken_off(await tried(client, TIER, drafts=drafts, at="2030-11-29")) == 5000
    small = await tried(client, TIER, amount=100, drafts=drafts, at="2030-11-29")
    assert key_of(small) == "order_rules_violated"


async def test_a_campaign_with_one_code(client: Any) -> None:
    campaign = {
        "name": "BF",
        "voucher": {"code": "BF50", "discount": HALF, "redemption": {"quantity": 1}},
        "validation_rules": ["big"],
    }
    drafts = {"validation_rules": [{"id": "big", "rules": BIG}], "campaigns": [campaign]}
    answer = await tried(client, "BF50", drafts=drafts)
    assert taken_off(answer) == 5000
    assert answer["redeemables"][0]["result"]["discount"]["percent_off"] == 50
    assert key_of(await tried(client, "BF50", amount=100, drafts=drafts)) == "order_rules_violated"
    assert key_of(await tried(client, "BF50")) == "not_found"


async def test_a_saved_campaign_of_codes_reaches_those_that_follow_it(client: Any) -> None:
    made = await post(
        client,
        "/v1/campaigns",
        {"name": "coupons", "type": "STATIC", "voucher": {"discount": TEN_OFF, "redemption": {"quantity": None}}},
    )  # fmt: skip
    for name in ("FOLLOWS", "OWN"):
        answer = await client.post(f"/v1/campaigns/{made['id']}/vouchers/{name}", json={})
        assert answer.status_code == 200, answer.text
    await redeem(client, "OWN")
    drafts = {"campaigns": [{"id": made["id"], "voucher": {"discount": TEN_OFF | {"amount_off": 200}}}]}
    assert taken_off(await tried(client, "FOLLOWS", drafts=drafts)) == 200
    assert taken_off(await tried(client, "OWN", drafts=drafts)) == 1000
    off = {"campaigns": [{"id": made["id"], "active": False}]}
    assert key_of(await tried(client, "OWN", drafts=off)) == "voucher_disabled"
    joined = {"vouchers": [{"code": "JOINS", "campaign_id": made["id"]}]} | drafts
    assert taken_off(await tried(client, "JOINS", drafts=joined)) == 200


async def test_codes(client: Any) -> None:
    saved = await code(client, redemption={"quantity": 1})
    await redeem(client, saved)
    drafts = {
        "vouchers": [
            {"code": "FRESH", "discount": HALF, "redemption": {"quantity": 2}, "validation_rules": ["big"]},
            {"code": saved, "redemption": {"quantity": 5}},
        ],
        "validation_rules": [{"id": "big", "rules": BIG}],
    }
    assert taken_off(await tried(client, "FRESH", drafts=drafts)) == 5000
    assert key_of(await tried(client, "FRESH", amount=100, drafts=drafts)) == "order_rules_violated"
    assert key_of(await tried(client, saved)) == "quantity_exceeded"
    assert taken_off(await tried(client, saved, drafts=drafts)) == 1000
    drafts["vouchers"][1] |= {"active": False}
    assert key_of(await tried(client, saved, drafts=drafts)) == "voucher_disabled"


async def test_a_drafted_limit_counts_what_there_is(client: Any) -> None:
    name = await code(client)
    for _ in range(3):
        await redeem(client, name, customer={"source_id": "regular"})
    once = {"1": {"name": "redemption.count.per_customer", "conditions": {"$less_than_or_equal": [3]}}}
    drafts = {
        "validation_rules": [{"id": "thrice", "rules": once}],
        "vouchers": [{"code": name, "validation_rules": ["thrice"]}],
    }
    answer = await tried(
        client, name, drafts=drafts, customer={"source_id": "regular"}, options={"explain": True}
    )
    assert key_of(answer) == "redemption_rules_violated"
    checks = {check["check"]: check for check in answer["redeemables"][0]["explain"]["checks"]}
    assert checks["redemption.count.per_customer"]["seen"] == {"used": 3, "with_this": 4}
    assert (await tried(client, name, drafts=drafts, customer={"source_id": "someone else"}))["valid"]


async def test_collections_and_segments(client: Any) -> None:
    await post(client, "/v1/products", {"name": "Pear", "source_id": "pear", "metadata": {"kind": "fruit"}})
    await post(client, "/v1/products", {"name": "Soap", "source_id": "soap"})
    fruit = {
        "filter": {"junction": "and", "metadata.kind": {"conditions": {"$is": ["fruit"]}}},
    }
    entry = {"object": "products_collection", "id": "fruit", "effect": "APPLY_TO_EVERY"}
    regulars = {"junction": "and", "metadata.visits": {"conditions": {"$more_than": [5]}}}
    rules = [
        {
            "id": "fruit for regulars",
            "rules": {"1": {"name": "customer.segment", "conditions": {"$is": ["regulars"]}}},
            "applicable_to": {"included": [entry]},
        }
    ]
    drafts = {
        "segments": [{"id": "regulars", "filter": regulars}],
        "product_collections": [{"id": "fruit", **fruit}],
        "validation_rules": rules,
        "vouchers": [{"code": "FRUITY", "discount": HALF, "validation_rules": ["fruit for regulars"]}],
    }
    items = [
        {"source_id": name, "related_object": "product", "quantity": 1, "price": 1000}
        for name in ("pear", "soap")
    ]
    whole = {"order": {"items": items}, "customer": {"source_id": "anna", "metadata": {"visits": 6}}}
    answer = await post(
        client, "/v1/validations", ask("FRUITY", drafts=drafts, options={"explain": True}, **whole)
    )
    assert taken_off(answer) == 500
    drafts["product_collections"] = [{"id": "fruit", "products": [{"id": "soap"}, {"id": "pear"}]}]
    assert taken_off(await post(client, "/v1/validations", ask("FRUITY", drafts=drafts, **whole))) == 1000
    whole["customer"]["metadata"] = {"visits": 5}
    refusal = await post(client, "/v1/validations", ask("FRUITY", drafts=drafts, **whole))
    assert key_of(refusal) == "customer_rules_violated"


async def test_stacking_rules_go_over_the_saved_ones(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, redeemables_limit=2)
    first, second = await code(client), await code(client)
    answer = await tried(
        client, first, second, drafts={"stacking_rules": {"applicable_redeemables_limit": 1}}
    )
    assert [one["id"] for one in answer["skipped_redeemables"]] == [second]
    assert answer["stacking_rules"]["applicable_redeemables_limit"] == 1
    assert answer["stacking_rules"]["redeemables_limit"] == 2
    assert taken_off(await tried(client, first, second)) == 2000


async def test_what_is_wrong_is_told_by_its_path(client: Any) -> None:
    bad_rule = {"1": {"name": "order.amount", "conditions": {"$more_than": ["x"]}}}
    assert await refused(client, {"validation_rules": [{"id": "r", "rules": bad_rule}]}) == (
        "invalid_validation_rules",
        ["drafts.validation_rules[0].rules.1.conditions.$more_than[0]"],
    )
    tiers = [{"id": "t", "action": {"discount": {"type": "PERCENT", "percent_off": 101}}}]
    assert (await refused(client, {"promotion_tiers": tiers}))[1] == [
        "drafts.promotion_tiers[0].action.discount.percent_off"
    ]
    named = [{"id": "t", "action": {"discount": HALF}, "validation_rules": ["nobody"]}]
    assert (await refused(client, {"promotion_tiers": named}))[1] == [
        "drafts.promotion_tiers[0].validation_rules[0]"
    ]
    assert (await refused(client, {"campaigns": [{"id": "c", "promotion": {"tiers": tiers}}]}))[1] == [
        "drafts.campaigns[0].promotion.tiers[0].action.discount.percent_off"
    ]
    windows = {"start_date": "2030-01-02", "expiration_date": "2030-01-01"}
    ((path,),) = [(await refused(client, {"vouchers": [{"code": "A", "discount": HALF} | windows]}))[1]]
    assert path.startswith("drafts.vouchers[0].")
    assert (await refused(client, {"vouchers": [{"code": "A"}]}))[1] == ["drafts.vouchers[0].discount"]
    assert (await refused(client, {"stacking_rules": {"redeemables_limit": 31}}))[1] == [
        "drafts.stacking_rules.redeemables_limit"
    ]
    assert (await refused(client, {"stacking_rules": {"joint_categories": ["gone"]}}))[1] == [
        "drafts.stacking_rules.joint_categories[0]"
    ]
    assert (await refused(client, {"segments": [{"id": "s", "filter": {"shoe_size": {}}}]}))[1][0].startswith(
        "drafts.segments[0].filter"
    )
    assert (await refused(client, {"product_collections": [{"id": "p", "products": [{"id": "no"}]}]}))[1] == [
        "drafts.product_collections[0].products[0].id"
    ]
    assert (await refused(client, {"rules": []}))[1] == ["drafts"]
    assert (await refused(client, {"vouchers": [{"code": "A", "discount": HALF}] * 2}))[1] == [
        "drafts.vouchers[1].code"
    ]
    crowd = [{"id": f"t{n}", "action": {"discount": HALF}} for n in range(60)]
    many = {"promotion_tiers": crowd, "campaigns": [{"id": "c", "promotion": {"tiers": crowd}}]}
    assert (await refused(client, many))[1] == ["drafts.promotion_tiers[40]"]
    assert (await refused(client, {"vouchers": [{"code": str(n)} for n in range(101)]}))[1] == [
        "drafts.vouchers"
    ]


async def test_nothing_is_written_and_neighbours_see_nothing(client: Any, pool: db.Pool) -> None:
    """Drafts with limits over a campaign, formulas and all else, asked together with plain requests."""
    made = await promotion(client, "spring", tier("ten off"))
    name = await code(client)
    await redeem(client, name, customer={"source_id": "known"})
    limit = {"1": {"name": "campaign.redemptions.count.daily", "conditions": {"$less_than_or_equal": [1]}}}
    drafts = {
        "validation_rules": [{"id": "daily", "rules": limit}],
        "campaigns": [
            {"id": made["id"], "validation_rules": ["daily"]},
            {"id": "bf", "promotion": {"tiers": [{"id": "black-friday", "action": {"discount": HALF}}]}},
        ],
        "vouchers": [{"code": name, "active": False}],
        "stacking_rules": {"redeemables_application_mode": "PARTIAL"},
    }
    saved = {"object": "promotion_tier", "id": made["promotion"]["tiers"][0]["id"]}
    before = await everything(pool, client.project_id)
    answers = await asyncio.gather(
        *(
            tried(client, saved, TIER, name, drafts=drafts, at="2031-01-01", customer={"source_id": "new"})
            if turn % 2
            else tried(client, name)
            for turn in range(10)
        )
    )
    for answer in answers[1::2]:
        assert [one["id"] for one in answer["redeemables"]] == [saved["id"], "black-friday"]
        assert [one["id"] for one in answer["inapplicable_redeemables"]] == [name]
    for answer in answers[::2]:
        assert taken_off(answer) == 1000
        assert answer["stacking_rules"]["redeemables_application_mode"] == "ALL"
    assert await everything(pool, client.project_id) == before


async def test_a_mistake_in_drafts_is_its_request_s_alone(client: Any) -> None:
    name = await code(client)
    wrong = drafted(name, drafts={"vouchers": [{"code": "X"}]})
    answers = await asyncio.gather(
        post(client, "/v1/validations", wrong, 400), *(validate(client, name) for _ in range(3))
    )
    assert [answer["valid"] for answer in answers[1:]] == [True] * 3


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every place of a JSON value: what holds it, and its key there."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [place for key in keys for place in [(value, key), *places(value[key])]]


async def test_drafts_that_nobody_sends_on_purpose(client: Any, pool: db.Pool) -> None:
    """Whatever stands in them, the answer is a validation, or an error with the place."""
    limit = {"1": {"name": "campaign.redemptions.count.daily", "conditions": {"$less_than": [5]}}}
    whole = {
        "validation_rules": [
            {"id": "r", "rules": limit, "applicable_to": {"included": [{"object": "product", "id": "p"}]}}
        ],
        "promotion_tiers": [{"id": "t", "action": {"discount": HALF}, "hierarchy": 3, "metadata": {"a": 1}}],
        "campaigns": [
            {
                "id": "c",
                "promotion": {"tiers": [{"id": "u", "action": {"discount": HALF}}]},
                "validation_rules": ["r"],
            },
            {"id": "d", "voucher": {"code": "DD", "discount": HALF}, "start_date": "2026-01-01"},
        ],
        "vouchers": [{"code": "NEW", "discount": HALF, "campaign_id": "d", "validation_rules": ["r"]}],
        "product_collections": [{"id": "p", "filter": {"name": {"conditions": {"$is": ["a"]}}}}],
        "segments": [{"id": "s", "filter": {"metadata.x": {"conditions": {"$is": ["a"]}}}}],
        "stacking_rules": {"redeemables_limit": 20},
    }
    odd = [None, True, -1, 0, 2**53 - 1, 0.1, 1e308, [], {}, [[]], "", "|", "@", "a" * 600, "2026-02-30", "'"]
    before = await everything(pool, client.project_id)
    asked = [{"object": "promotion_tier", "id": "t"}, {"object": "promotion_tier", "id": "u"}]
    seen: set[int] = set()
    for seed in range(200):
        dice = random.Random(seed)
        drafts = copy.deepcopy(whole)
        for _ in range(dice.randint(0, 2)):
            holder, key = dice.choice(places(drafts))
            holder[key] = copy.deepcopy(dice.choice(odd))
        answer = await client.post("/v1/validations", json=drafted(*asked, drafts=drafts))
        seen.add(answer.status_code)
        assert answer.status_code in (200, 400), (seed, answer.text)
        if answer.status_code == 400:
            told = answer.json()
            paths = [error["path"] for error in told.get("errors", ())]
            assert told["key"] == "invalid_redeemables" or all(p.startswith("drafts") for p in paths), told
    assert seen == {200, 400}
    assert await everything(pool, client.project_id) == before
