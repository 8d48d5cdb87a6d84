"""Campaigns of promotions over HTTP, and what campaigns of every kind have: settings, categories, rules."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, events, everything, post, read
from .conftest import Client
from .promotions import names, promotion, put, said, tier, version


async def test_a_campaign_comes_with_its_tiers_in_their_order(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", tier("first"), tier("second", hierarchy=7), tier("third"))
    assert made["campaign_type"] == "PROMOTION" and "voucher" not in made and made["vouchers_count"] == 0
    shown = made["promotion"]
    assert (shown["object"], shown["data_ref"], shown["total"], shown["has_more"]) == (
        "list",
        "tiers",
        3,
        False,
    )
    assert [(one["name"], one["hierarchy"]) for one in shown["tiers"]] == [
        ("first", 1),
        ("second", 7),
        ("third", 8),
    ]
    assert await read(client, "/v1/campaigns/spring") == made
    assert (await read(client, "/v1/campaigns?campaign_type=PROMOTION"))["campaigns"] == [made]
    assert (await read(client, "/v1/campaigns?campaign_type=DISCOUNT_COUPONS"))["total"] == 0
    assert await events(pool, client, made["id"]) == ["campaign.created"]
    for one in shown["tiers"]:
        assert await events(pool, client, one["id"]) == ["campaign.promotion_tier.created"]


async def test_what_makes_a_promotion_is_inferred(client: Client) -> None:
    made = await post(client, "/v1/campaigns", {"name": "inferred", "promotion": {"tiers": None}})
    assert (made["campaign_type"], made["promotion"]["tiers"]) == ("PROMOTION", [])
    bare = await post(client, "/v1/campaigns", {"name": "bare", "campaign_type": "PROMOTION"})
    assert bare["promotion"]["total"] == 0


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}}, "voucher"),
        ({"vouchers_count": 3}, "vouchers_count"),
        ({"type": "STANDALONE"}, "type"),
        ({"campaign_type": "DISCOUNT_COUPONS"}, "promotion"),
        ({"promotion": {"tiers": [tier(), {"name": "bare"}]}}, "promotion.tiers[1].action.discount"),
        ({"promotion": {"tiers": [tier(start_date="soon")]}}, "promotion.tiers[0].start_date"),
        (
            {"promotion": {"tiers": [tier(action={"discount": {"type": "AMOUNT"}})]}},
            "promotion.tiers[0].action.discount.amount_off",
        ),
        ({"promotion": {"tiers": [tier(name="")]}}, "promotion.tiers[0].name"),
        ({"options": {"limit_policy": "GENEROUS"}}, "options.limit_policy"),
    ],
)
async def test_a_wrong_campaign_is_400_and_leaves_nothing(
    client: Client, pool: db.Pool, fields: dict[str, Any], path: str
) -> None:
    before = await everything(pool, client.project_id)
    body = {"name": "wrong", "campaign_type": "PROMOTION", "promotion": {"tiers": []}} | fields
    answer = await post(client, "/v1/campaigns", body, 400)
    assert answer["errors"][0]["path"] == path
    assert await everything(pool, client.project_id) == before


async def test_a_campaign_of_promotions_has_no_codes(client: Client, pool: db.Pool) -> None:
    made = await promotion(client)
    before = await everything(pool, client.project_id)
    for path in ("/vouchers", "/vouchers?vouchers_count=5", "/vouchers/MINE", "/import"):
        answer = await client.post(f"/v1/campaigns/spring{path}", json=[] if path == "/import" else {})
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_campaign"), path
    for change in (
        {"voucher": {"discount": TEN_OFF}},
        {"discount": TEN_OFF},
        {"redemption": {"quantity": 2}},
    ):
        assert (await put(client, "/v1/campaigns/spring", change, 400))["errors"][0]["path"] == next(
            iter(change)
        )
    changed = await put(client, "/v1/campaigns/spring", {"promotion": {"tiers": []}}, 400)
    assert changed["errors"][0]["path"] == "promotion"
    assert await everything(pool, client.project_id) == before
    assert await read(client, "/v1/campaigns/spring") == made


async def test_campaigns_say_what_changes(client: Client, pool: db.Pool) -> None:
    since = await version(pool, client)
    made = await promotion(client, "spring", tier())
    tier_id = made["promotion"]["tiers"][0]["id"]
    campaign = ("campaign", made["id"])
    assert {campaign, ("tier", tier_id)} <= await said(pool, client, since)
    for path in ("disable", "enable"):
        since = await version(pool, client)
        await post(client, f"/v1/campaigns/spring/{path}", None)
        assert await said(pool, client, since) == {campaign}
    since = await version(pool, client)
    await put(client, "/v1/campaigns/spring", {"expiration_date": "2090-01-01"})
    assert campaign in await said(pool, client, since)
    since = await version(pool, client)
    assert (await client.delete("/v1/campaigns/spring")).status_code == 202
    assert campaign in await said(pool, client, since)


async def test_a_campaigns_windows_show_in_its_tiers(client: Client) -> None:
    made = await promotion(
        client, "spring", tier(), start_date="2026-01-01T00:00:00Z", validity_day_of_week=[1, 2]
    )
    tier_id = made["promotion"]["tiers"][0]["id"]
    assert made["start_date"] == "2026-01-01T00:00:00.000Z"
    expected = {
        "id": made["id"], "start_date": "2026-01-01T00:00:00.000Z", "expiration_date": None,
        "validity_day_of_week": [1, 2], "active": True, "category_id": None, "object": "campaign",
    }  # fmt: skip
    assert (await read(client, f"/v1/promotions/tiers/{tier_id}"))["campaign"] == expected
    await put(client, "/v1/campaigns/spring", {"expiration_date": "2090-01-01T00:00:00Z"})
    await post(client, "/v1/campaigns/spring/disable", None)
    shown = (await read(client, f"/v1/promotions/tiers/{tier_id}"))["campaign"]
    assert shown == expected | {"expiration_date": "2090-01-01T00:00:00.000Z", "active": False}


async def test_a_deleted_campaign_takes_its_tiers_along(
    client: Client, pool: db.Pool, run_jobs: Callable[[], Awaitable[None]]
) -> None:
    made = await promotion(client, "spring", tier())
    kept = await promotion(client, "other", tier("kept"))
    gone_id, kept_id = (one["promotion"]["tiers"][0]["id"] for one in (made, kept))
    own = await post(client, "/v1/promotions/spring/stacks", {"name": "own", "tiers": {"ids": [gone_id]}})
    both = {"name": "both", "tiers": {"ids": [kept_id, gone_id]}}
    mixed = await post(client, "/v1/promotions/other/stacks", both)
    await client.delete("/v1/campaigns/spring")
    await run_jobs()
    for path in (f"/tiers/{gone_id}", "/spring/tiers", "/spring/stacks", f"/{made['id']}/stacks/{own['id']}"):
        assert (await client.get("/v1/promotions" + path)).status_code == 404, path
    assert await names(client) == ["kept"]
    assert [one["name"] for one in (await read(client, "/v1/promotions/stacks"))["data"]] == ["both"]
    since = await version(pool, client)
    await client.delete(f"/v1/campaigns/{made['id']}?force=true")
    await run_jobs()
    assert {("tier", gone_id), ("stack", own["id"]), ("stack", mixed["id"])} <= await said(
        pool, client, since
    )
    assert (
        await db.value(pool, "select count(*) from promotion_tiers where project_id = $1", client.project_id)
        == 1
    )
    stack = await read(client, f"/v1/promotions/other/stacks/{mixed['id']}")
    assert stack["tiers"]["ids"] == [kept_id]


# Campaigns of every kind: settings and categories ------------------------------------------------------------


async def test_the_policy_at_the_limit_is_a_setting(client: Client) -> None:
    made = await promotion(client, "spring", options={"limit_policy": "PARTIAL"})
    assert made["options"] == {"limit_policy": "PARTIAL"}
    codes = {"name": "codes", "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}}
    assert "options" not in await post(client, "/v1/campaigns", codes)
    for name in ("spring", "codes"):
        path = f"/v1/campaigns/{name}"
        changed = await put(client, path, {"options": {"limit_policy": "LAST_IN_FULL"}})
        assert changed["options"] == {"limit_policy": "LAST_IN_FULL"}
        assert (await put(client, path, {"description": "x", "options": None}))["options"] == changed[
            "options"
        ]
        assert "options" not in await put(client, path, {"options": {"limit_policy": None}})
        await put(client, path, {"options": {"limit_policy": "MOST"}}, 400)


async def test_categories_are_those_there_are(client: Client, pool: db.Pool) -> None:
    category = await post(client, "/v1/categories", {"name": "weekend", "hierarchy": 3})
    named = await promotion(client, "named", tier(category="weekend"), category="weekend")
    by_id = await promotion(client, "by id", tier(category_id=category["id"]), category_id=category["id"])
    for made in (named, by_id, named["promotion"]["tiers"][0], by_id["promotion"]["tiers"][0]):
        assert (made["category"], made["category_id"]) == ("weekend", category["id"])
        assert made["categories"] == [category]
    listed = await read(
        client, f"/v1/promotions/tiers?filters[category_id][conditions][$is]={category['id']}"
    )
    assert listed["total"] == 2
    await put(client, f"/v1/categories/{category['id']}", {"name": "weekends"})
    assert (await read(client, "/v1/campaigns/by id"))["category"] == "weekends"
    label = await promotion(client, "label", tier(), category="only a label")
    assert (label["category"], label["category_id"], label["categories"]) == ("only a label", None, [])
    cleared = await put(client, "/v1/campaigns/named", {"category_id": None})
    assert "category" not in cleared and (cleared["category_id"], cleared["categories"]) == (None, [])
    before = await everything(pool, client.project_id)
    tier_id = by_id["promotion"]["tiers"][0]["id"]
    unknown = {"category_id": "cat_unknown"}
    await put(client, "/v1/campaigns/named", unknown, 404)
    await put(client, f"/v1/promotions/tiers/{tier_id}", unknown, 404)
    await post(client, "/v1/promotions/named/tiers", tier(**unknown), 404)
    stack = {"name": "x", "tiers": {"ids": [tier_id]}}
    await post(client, "/v1/promotions/named/stacks", stack | unknown, 404)
    assert await everything(pool, client.project_id) == before


async def test_metadata_keeps_to_its_schema(client: Client) -> None:
    for name in ("campaign", "promotion_tier"):
        properties = {"level": {"type": "number", "optional": True}}
        await post(client, f"/v1/metadata-schemas/{name}", {"properties": properties})
    made = await promotion(client, "spring", tier(metadata={"level": 1}), metadata={"level": 2})
    path = f"/v1/promotions/tiers/{made['promotion']['tiers'][0]['id']}"
    wrong = {"metadata": {"level": "high"}}
    for answer in (
        await put(client, "/v1/campaigns/spring", wrong, 400),
        await put(client, path, wrong, 400),
        await post(client, "/v1/promotions/spring/tiers", tier(**wrong), 400),
        await post(client, "/v1/campaigns", {"name": "x", "campaign_type": "PROMOTION"} | wrong, 400),
    ):
        assert answer["key"] == "metadata_validation_failed"
        assert answer["errors"][0]["path"] == "metadata.level"
    assert (await put(client, path, {"metadata": {"level": 5}}))["metadata"] == {"level": 5}


# Rules -------------------------------------------------------------------------------------------------------


async def rule(client: Client, name: str) -> str:
    rules = {"1": {"name": "order.amount", "conditions": {"$more_than": [5000]}}, "logic": "1"}
    made = await post(client, "/v1/validation-rules", {"name": name, "type": "expression", "rules": rules})
    return made["id"]


def shown(assignments: dict[str, Any]) -> list[str]:
    """The rules in a list of assignments."""
    assert assignments["total"] == len(assignments["data"])
    return [one["rule_id"] for one in assignments["data"]]


async def test_campaigns_and_tiers_come_with_their_rules(client: Client, pool: db.Pool) -> None:
    first, second = await rule(client, "first"), await rule(client, "second")
    made = await promotion(client, "spring", tier(validation_rules=[first]), validation_rules=[second])
    own = made["promotion"]["tiers"][0]
    assert shown(made["validation_rules_assignments"]) == [second]
    assert shown(own["validation_rule_assignments"]) == [first]
    one = own["validation_rule_assignments"]["data"][0]
    assert (one["related_object_id"], one["related_object_type"]) == (own["id"], "promotion_tier")
    path, since = f"/v1/promotions/tiers/{own['id']}", await version(pool, client)
    kept = await put(client, path, {"validation_rules": [first]})
    assert kept["validation_rule_assignments"] == own["validation_rule_assignments"]
    changed = await put(client, path, {"validation_rules": [second]})
    assert shown(changed["validation_rule_assignments"]) == [second]
    assert {("assignment", own["id"]), ("tier", own["id"])} <= await said(pool, client, since)
    assert shown((await put(client, path, {"name": "x"}))["validation_rule_assignments"]) == [second]
    as_answered = {"validation_rule_assignments": own["validation_rule_assignments"]}
    assert shown((await put(client, path, as_answered))["validation_rule_assignments"]) == [first]
    assert shown((await put(client, path, {"validation_rules": []}))["validation_rule_assignments"]) == []
    added = await post(client, "/v1/promotions/spring/tiers", tier(**as_answered))
    assert shown(added["validation_rule_assignments"]) == [first]
    cleared = await put(client, "/v1/campaigns/spring", {"validation_rules": None})
    assert shown(cleared["validation_rules_assignments"]) == []
    await client.delete(f"/v1/promotions/tiers/{added['id']}")
    left = "select count(*) from validation_rule_assignments where project_id = $1"
    assert await db.value(pool, left, client.project_id) == 0


async def test_a_campaign_of_codes_has_rules_too(client: Client) -> None:
    first = await rule(client, "first")
    codes = {"name": "codes", "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}}
    made = await post(client, "/v1/campaigns", codes | {"validation_rules": [first]})
    assert shown(made["validation_rules_assignments"]) == [first]
    listed = (await read(client, "/v1/campaigns"))["campaigns"]
    assert [shown(one["validation_rules_assignments"]) for one in listed] == [[first]]


async def test_rules_that_there_are_not(client: Client, pool: db.Pool) -> None:
    made = await promotion(client, "spring", tier())
    before = await everything(pool, client.project_id)
    path = f"/v1/promotions/tiers/{made['promotion']['tiers'][0]['id']}"
    unknown = {"validation_rules": ["val_unknown"]}
    await put(client, path, unknown, 404)
    await put(client, "/v1/campaigns/spring", unknown, 404)
    await post(client, "/v1/promotions/spring/tiers", tier(**unknown), 404)
    await post(client, "/v1/campaigns", {"name": "x", "campaign_type": "PROMOTION"} | unknown, 404)
    assert await everything(pool, client.project_id) == before
