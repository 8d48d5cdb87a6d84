"""Validations: what applies, what not and why, in which order, explained, and that a redemption decides the same."""

import random
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import TEN_OFF, ask, code, everything, redeem, stacking, validate

PERCENT = {"type": "PERCENT", "percent_off": 10}
CHECKS = [
    "exists",
    "voucher_active",
    "campaign_active",
    "not_before_start",
    "not_expired",
    "redemptions_left",
    "order_has_what_the_discount_needs",
]


async def test_a_code_that_applies(client: Any) -> None:
    name = await code(client, metadata={"season": "spring"})
    answer = await validate(client, name, order={"amount": 10_000}, tracking_id="track-me")
    assert answer["valid"] is True
    assert answer["id"].startswith("valid_")
    assert answer["tracking_id"] == "track-me"
    one = answer["redeemables"][0]
    assert (one["status"], one["id"], one["object"]) == ("APPLICABLE", name, "voucher")
    assert one["applicable_to"] == {"data": [], "total": 0, "data_ref": "data", "object": "list"}
    assert one["inapplicable_to"] == one["applicable_to"]
    assert one["result"] == {"discount": TEN_OFF}
    assert one["order"] == answer["order"]
    assert answer["order"]["total_amount"] == 9_000
    assert answer["order"]["applied_discount_amount"] == answer["order"]["discount_amount"] == 1_000
    assert "inapplicable_redeemables" not in answer and "skipped_redeemables" not in answer
    assert answer["stacking_rules"]["redeemables_application_mode"] == "ALL"
    assert answer["stacking_rules"]["redeemables_limit"] == 30


async def test_an_unknown_code_is_an_answer_not_an_error(client: Any) -> None:
    answer = await validate(client, "NOBODY-KNOWS")
    assert answer["valid"] is False
    assert answer["redeemables"] == answer["inapplicable_redeemables"]
    error = answer["redeemables"][0]["result"]["error"]
    assert (error["code"], error["key"], error["resource_id"]) == (404, "not_found", "NOBODY-KNOWS")
    assert answer["redeemables"][0]["result"]["details"]["key"] == "not_found"


async def test_after_the_first_failure_the_rest_is_passed_over(client: Any) -> None:
    good, other = await code(client), await code(client)
    answer = await validate(client, good, "UNKNOWN", other)
    assert answer["valid"] is False
    assert [one["id"] for one in answer["redeemables"]] == ["UNKNOWN"]
    assert [one["id"] for one in answer["inapplicable_redeemables"]] == ["UNKNOWN"]
    (skipped,) = answer["skipped_redeemables"]
    assert (skipped["id"], skipped["status"]) == (other, "SKIPPED")
    assert skipped["result"]["details"]["key"] == "preceding_validation_failed"


async def test_partial_leaves_out_what_fails(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, redeemables_application_mode="PARTIAL")
    good, other = await code(client), await code(client)
    answer = await validate(client, good, "UNKNOWN", other)
    assert answer["valid"] is True
    assert [one["id"] for one in answer["redeemables"]] == [good, other]
    assert [one["id"] for one in answer["inapplicable_redeemables"]] == ["UNKNOWN"]
    assert answer["order"]["total_amount"] == 8_000
    nothing = await validate(client, "UNKNOWN", "NEITHER")
    assert (nothing["valid"], nothing["redeemables"]) == (False, [])
    assert len(nothing["inapplicable_redeemables"]) == 2


async def test_codes_apply_in_the_order_asked_on_what_those_before_left(client: Any) -> None:
    amount, percent = await code(client), await code(client, PERCENT)
    first = await validate(client, amount, percent)
    assert [one["order"]["total_amount"] for one in first["redeemables"]] == [9_000, 8_100]
    assert [one["order"]["applied_discount_amount"] for one in first["redeemables"]] == [1_000, 900]
    assert [one["order"]["discount_amount"] for one in first["redeemables"]] == [1_000, 1_900]
    assert first["order"]["applied_discount_amount"] == 1_900
    second = await validate(client, percent, amount)
    assert [one["order"]["total_amount"] for one in second["redeemables"]] == [9_000, 8_000]


async def test_a_percentage_may_be_taken_of_the_first_amount(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, discount_calculation_mode="INITIAL_AMOUNT")
    answer = await validate(client, await code(client), await code(client, PERCENT))
    assert answer["order"]["total_amount"] == 8_000
    assert answer["stacking_rules"]["discount_calculation_mode"] == "INITIAL_AMOUNT"


async def test_more_than_may_apply_together_are_passed_over(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, applicable_redeemables_limit=2)
    codes = [await code(client) for _ in range(4)]
    answer = await validate(client, *codes)
    assert answer["valid"] is True
    assert [one["id"] for one in answer["redeemables"]] == codes[:2]
    keys = {one["result"]["details"]["key"] for one in answer["skipped_redeemables"]}
    assert keys == {"applicable_redeemables_limit_exceeded"}
    assert [one["id"] for one in answer["skipped_redeemables"]] == codes[2:]


async def test_thirty_redeemables_and_a_lower_limit_of_the_project(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, applicable_redeemables_limit=30)
    codes = [await code(client, {"type": "AMOUNT", "amount_off": 100}) for _ in range(30)]
    answer = await validate(client, *codes)
    assert answer["order"]["total_amount"] == 7_000
    assert len(answer["redeemables"]) == 30
    await stacking(pool, client, redeemables_limit=3)
    refused = await validate(client, *codes[:4], status=400)
    assert refused["key"] == "invalid_redeemables"


async def test_a_code_without_effect_applies_or_is_passed_over(client: Any, pool: db.Pool) -> None:
    name = await code(client, {"type": "FIXED", "fixed_amount": 20_000})
    assert (await validate(client, name))["valid"] is True
    await stacking(pool, client, redeemables_no_effect_rule="SKIP")
    answer = await validate(client, name)
    assert answer["valid"] is False
    assert answer["skipped_redeemables"][0]["result"]["details"]["key"] == "no_effect"


async def test_a_voucher_may_be_named_by_its_id(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    voucher_id = (await client.get(f"/v1/vouchers/{name}")).json()["id"]
    answer = await validate(client, voucher_id)
    assert answer["valid"] is True and answer["redeemables"][0]["id"] == voucher_id


async def test_one_voucher_named_twice_is_refused(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    voucher_id = (await client.get(f"/v1/vouchers/{name}")).json()["id"]
    for twice in ([name, name], [name, voucher_id], [voucher_id, name]):
        for path in ("/v1/validations", "/v1/redemptions"):
            answer = await client.post(path, json=ask(*twice))
            assert answer.status_code == 400, answer.text
            assert answer.json()["key"] == "duplicated_redeemables"
            assert answer.json()["errors"][0]["path"] == "redeemables[1].id"


async def test_a_project_that_does_not_tell_case_apart(client: Any, pool: db.Pool) -> None:
    sql = "update projects set case_sensitive_codes = false where id = $1"
    await db.execute(pool, sql, client.project_id)
    client.app.front.keys._known.clear()
    name = await code(client, name="Grüße-STRASSE")
    answer = await validate(client, "grüße-strasse")
    assert answer["valid"] is True and answer["redeemables"][0]["id"] == "grüße-strasse"
    assert (await validate(client, "GRÜSSE-straße"))["valid"] is True  # as codes are kept: by case folding
    twice = await validate(client, name, name.lower(), status=400)
    assert twice["key"] == "duplicated_redeemables"
    made = await redeem(client, "GRÜßE-strasse")
    assert made["redemptions"][0]["voucher"]["code"] == name


async def test_case_counts_where_it_is_told_apart(client: Any) -> None:
    await code(client, name="CaseCounts")
    assert (await validate(client, "casecounts"))["valid"] is False


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ({"start_date": "2999-01-01T00:00:00Z"}, "voucher_not_active"),
        ({"expiration_date": "2001-01-01T00:00:00Z"}, "voucher_expired"),
        (
            {
                "start_date": "2020-01-01T00:00:00Z",
                "validity_timeframe": {"interval": "P20000D", "duration": "PT1H"},
            },
            "voucher_not_active_now",
        ),
        ({"active": False}, "voucher_disabled"),
    ],
)
async def test_windows_that_are_shut(client: Any, body: dict[str, Any], key: str) -> None:
    name = await code(client, **body)
    answer = await validate(client, name)
    assert answer["redeemables"][0]["result"]["error"]["key"] == key
    assert (await redeem(client, name, status=400))["key"] == key


async def test_days_of_the_week_are_those_of_the_project(client: Any, pool: db.Pool) -> None:
    zone = "Pacific/Kiritimati"
    await db.execute(pool, "update projects set timezone = $2 where id = $1", client.project_id, zone)
    client.app.front.keys._known.clear()
    today = await db.value(pool, "select extract(dow from now() at time zone $1)::int", zone)
    on, off = [today, (today + 1) % 7], [(today + 3) % 7]  # two days, should midnight pass just now
    assert (await validate(client, await code(client, validity_day_of_week=on)))["valid"] is True
    answer = await validate(client, await code(client, validity_day_of_week=off))
    assert answer["redeemables"][0]["result"]["error"]["key"] == "voucher_not_active_now"


async def test_hours_of_the_day_are_those_of_the_project(client: Any, pool: db.Pool) -> None:
    zone = "Asia/Kathmandu"
    await db.execute(pool, "update projects set timezone = $2 where id = $1", client.project_id, zone)
    client.app.front.keys._known.clear()
    hour = await db.value(pool, "select extract(hour from now() at time zone $1)::int", zone)
    start, end = f"{(hour + 3) % 24:02}:00", f"{(hour + 6) % 24:02}:00"
    later = {"daily": [{"start_time": start, "expiration_time": end}]}
    around = {"daily": [{"start_time": end, "expiration_time": start}]}
    answer = await validate(client, await code(client, validity_hours=later), options={"explain": True})
    one = answer["redeemables"][0]
    assert one["result"]["error"]["key"] == "voucher_not_active_now"
    assert one["explain"]["checks"][-1]["opens_at"], "when it opens next"
    assert (await validate(client, await code(client, validity_hours=around)))["valid"] is True


async def test_a_campaign_switched_off_takes_its_codes_along(client: Any) -> None:
    campaign = {
        "name": "Switch",
        "type": "STATIC",
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF},
    }
    assert (await client.post("/v1/campaigns", json=campaign)).status_code == 200
    assert (await client.post("/v1/campaigns/Switch/vouchers/SWITCHED", json={})).status_code == 200
    assert (await validate(client, "SWITCHED"))["valid"] is True
    assert (await client.post("/v1/campaigns/Switch/disable")).status_code == 200
    answer = await validate(client, "SWITCHED", options={"explain": True})
    one = answer["redeemables"][0]
    assert one["result"]["error"]["key"] == "voucher_disabled"
    assert one["explain"]["checks"][-1] == {
        "check": "campaign_active", "asked": True, "seen": False, "outcome": "failed",
    }  # fmt: skip
    assert (await client.post("/v1/campaigns/Switch/enable")).status_code == 200
    assert (await validate(client, "SWITCHED"))["valid"] is True


async def test_a_used_up_code(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    await redeem(client, name)
    answer = await validate(client, name)
    assert answer["redeemables"][0]["result"]["error"]["key"] == "quantity_exceeded"


async def test_a_deleted_code_is_gone(client: Any) -> None:
    name = await code(client)
    assert (await client.delete(f"/v1/vouchers/{name}")).status_code == 204
    assert (await validate(client, name))["redeemables"][0]["result"]["error"]["key"] == "not_found"


async def test_explain_shows_every_check_in_order_and_where_the_number_comes_from(client: Any) -> None:
    name = await code(client, PERCENT, redemption={"quantity": 5})
    answer = await validate(client, name, options={"explain": True})
    explain = answer["redeemables"][0]["explain"]
    names = [check["check"] for check in explain["checks"]]
    assert [name for name in names if name in CHECKS] == [name for name in CHECKS if name in names]
    assert {"exists", "voucher_active", "campaign_active", "redemptions_left"} <= set(names)
    assert all(check["outcome"] == "passed" for check in explain["checks"])
    left = next(check for check in explain["checks"] if check["check"] == "redemptions_left")
    assert (left["asked"], left["seen"]) == (5, 0)
    assert explain["discount"], "the origin of the number"
    assert "1000" in str(explain["discount"])
    silent = await validate(client, name)
    assert "explain" not in silent["redeemables"][0]


async def test_explain_of_a_refusal_ends_with_the_check_that_failed(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    await redeem(client, name)
    checks = (await validate(client, name, options={"explain": True}))["redeemables"][0]["explain"]["checks"]
    assert [check["outcome"] for check in checks] == ["passed"] * (len(checks) - 1) + ["failed"]
    assert (checks[-1]["check"], checks[-1]["asked"], checks[-1]["seen"]) == ("redemptions_left", 1, 1)


async def test_expand(client: Any) -> None:
    name = await code(client, metadata={"season": "spring"})
    answer = await validate(client, name, options={"expand": ["redeemable", "category"]})
    one = answer["redeemables"][0]
    assert one["metadata"] == {"season": "spring"} and one["categories"] == []
    assert "order" not in one
    assert "order" in (await validate(client, name, options={"expand": ["order"]}))["redeemables"][0]


async def test_expand_names_the_campaign(client: Any) -> None:
    campaign = {
        "name": "Named",
        "type": "STATIC",
        "voucher": {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF},
    }
    made = (await client.post("/v1/campaigns", json=campaign)).json()
    await client.post("/v1/campaigns/Named/vouchers/NAMED-1", json={})
    one = (await validate(client, "NAMED-1", options={"expand": ["redeemable"]}))["redeemables"][0]
    assert (one["campaign_name"], one["campaign_id"]) == ("Named", made["id"])


async def test_what_is_null_or_unknown_does_not_matter(client: Any) -> None:
    name = await code(client)
    more = {
        "customer": None,
        "metadata": None,
        "session": None,
        "options": None,
        "tracking_id": None,
        "new": 1,
    }
    assert (await validate(client, name, order={"amount": 5_000, "currency": "EUR"}, **more))["valid"] is True


async def test_a_code_needs_no_order_unless_its_discount_does(client: Any) -> None:
    answer = await validate(client, await code(client), amount=None)
    assert answer["valid"] is True
    assert "order" not in answer


async def test_what_a_discount_needs_of_an_order(client: Any) -> None:
    to_items = await code(client, TEN_OFF | {"effect": "APPLY_TO_ITEMS"})
    answer = await validate(client, to_items)
    assert answer["redeemables"][0]["result"]["error"]["key"] == "missing_order_items"
    answer = await validate(client, await code(client), order={"items": [{"product_id": "prod_unknown"}]})
    assert answer["redeemables"][0]["result"]["error"]["key"] == "missing_amount"


async def test_a_validation_changes_nothing(client: Any, pool: db.Pool) -> None:
    name = await code(client)
    before = await everything(pool, client.project_id)
    answer = await validate(
        client, name, customer={"source_id": "new-one", "name": "New"}, order={"source_id": "o", "amount": 9_000},
        metadata={"a": 1},
    )  # fmt: skip
    assert answer["valid"] is True and answer["tracking_id"].startswith("track_")
    assert await everything(pool, client.project_id) == before


@pytest.mark.parametrize("path", ["/v1/validations", "/v1/redemptions"])
@pytest.mark.parametrize(
    "people",
    [
        {"customer": {"id": "cust_unknown"}},
        {"order": {"amount": 10_000, "customer": {"id": "cust_unknown"}}},
        {"order": {"amount": 10_000, "customer_id": "cust_unknown"}},
    ],
)
async def test_a_customer_id_that_is_unknown(client: Any, pool: db.Pool, path: str, people: Any) -> None:
    name = await code(client)
    before = await everything(pool, client.project_id)
    answer = await client.post(path, json=ask(name, **people))
    assert answer.status_code == 404
    body = answer.json()
    assert (body["key"], body["resource_type"], body["resource_id"]) == (
        "not_found",
        "customer",
        "cust_unknown",
    )
    assert await everything(pool, client.project_id) == before


async def test_a_stored_order_is_used_whatever_is_sent_with_it(client: Any) -> None:
    stored = (await client.post("/v1/orders", json={"source_id": "kept", "amount": 20_000})).json()
    name = await code(client, PERCENT)
    for named in ({"id": stored["id"]}, {"source_id": "kept"}):
        answer = await validate(client, name, order=named | {"amount": 1, "items": [{"price": 1}]})
        assert answer["order"]["amount"] == 20_000
        assert answer["order"]["total_amount"] == 18_000
        assert answer["order"]["id"] == stored["id"]
    answer = await client.post("/v1/validations", json=ask(name, order={"id": "ord_unknown"}))
    assert answer.status_code == 404 and answer.json()["resource_type"] == "order"


def _discount(dice: random.Random) -> dict[str, Any]:
    match dice.randrange(7):
        case 0:
            return {"type": "AMOUNT", "amount_off": dice.randint(1, 9_000)}
        case 1:
            effect = dice.choice(
                ["APPLY_TO_ITEMS", "APPLY_TO_ITEMS_PROPORTIONALLY", "APPLY_TO_ITEMS_BY_QUANTITY"]
            )
            return {"type": "AMOUNT", "amount_off": dice.randint(1, 3_000), "effect": effect}
        case 2:
            return {"type": "PERCENT", "percent_off": dice.choice([1, 3.5, 10, 33.33, 100])}
        case 3:
            return {"type": "PERCENT", "percent_off": 25, "effect": "APPLY_TO_ITEMS", "amount_limit": 500}
        case 4:
            return {"type": "FIXED", "fixed_amount": dice.randint(0, 12_000)}
        case 5:
            return {
                "type": "UNIT",
                "unit_off": dice.randint(1, 3),
                "unit_type": "gift",
                "effect": "ADD_NEW_ITEMS",
            }
        case _:
            return {"type": "UNIT", "unit_off": 1, "unit_type": "gift", "effect": "ADD_MISSING_ITEMS"}


def _order(dice: random.Random) -> dict[str, Any]:
    if dice.random() < 0.2:
        return {"amount": dice.randint(0, 20_000)}
    lines = [
        {"source_id": f"p{n}", "quantity": dice.randint(1, 4), "price": dice.randint(0, 4_000)}
        for n in range(dice.randint(1, 5))
    ]
    return {"items": lines}


async def test_a_redemption_decides_as_the_validation_did(client: Any, pool: db.Pool) -> None:
    """The law: over random stacks, what a validation says is what the redemption right after it does."""
    dice = random.Random(20_261_127)
    await client.post("/v1/products", json={"source_id": "gift", "name": "Gift", "price": 700})
    codes = [
        await code(
            client,
            _discount(dice),
            redemption={"quantity": dice.choice([1, 2, 50])},
            active=dice.random() < 0.9,
        )
        for _ in range(24)
    ]
    redeemed = refused = 0
    for round_ in range(80):
        mode = "PARTIAL" if round_ % 2 else "ALL"
        rules = {"redeemables_application_mode": mode, "applicable_redeemables_limit": dice.choice([2, 5])}
        if dice.random() < 0.3:
            rules["discount_calculation_mode"] = "INITIAL_AMOUNT"
        if dice.random() < 0.3:
            rules["redeemables_no_effect_rule"] = "SKIP"
        await stacking(pool, client, **rules)
        body = ask(*dice.sample(codes, dice.randint(1, 4)), order=_order(dice), options={"explain": True})
        said = (await client.post("/v1/validations", json=body)).json()
        answer = await client.post("/v1/redemptions", json=body)
        assert (answer.status_code == 200) is said["valid"], (said, answer.text)
        if said["valid"]:
            redeemed += 1
            _same(said, answer.json())
        else:
            refused += 1
            failed = [one["id"] for one in said.get("inapplicable_redeemables", [])]
            assert [o["id"] for o in answer.json().get("inapplicable_redeemables", [])] == failed
    assert redeemed > 20 and refused > 5


def _same(said: dict[str, Any], done: dict[str, Any]) -> None:
    money = ("amount", "total_amount", "discount_amount", "items_discount_amount", "total_discount_amount")
    assert [done["order"].get(name) for name in money] == [said["order"].get(name) for name in money]
    assert done["order"].get("items") == said["order"].get("items")
    applied = said["redeemables"]
    assert len(done["redemptions"]) == len(applied)
    for one, redemption in zip(applied, done["redemptions"], strict=True):
        assert redemption["discount_amount"] == one["order"].get("total_applied_discount_amount", 0)
        assert redemption["explain"] == one["explain"]
        if len(applied) > 1:
            assert redemption["order"].get("items") == one["order"].get("items")
            assert redemption["order"]["total_amount"] == one["order"]["total_amount"]
    for name in ("inapplicable_redeemables", "skipped_redeemables"):
        assert [o["id"] for o in done.get(name, [])] == [o["id"] for o in said.get(name, [])]
