"""Rollbacks: whole, stacked and in part; what is restored, what is refused, and that records stay as they were."""

import asyncio
import random
from typing import Any

import pytest

from guerdon.kit import db

from .checkout import (
    code,
    events,
    everything,
    post,
    read,
    redeem,
    roll_back,
    roll_back_stack,
    stacking,
    used,
    voucher,
)

PERCENT = {"type": "PERCENT", "percent_off": 10}
BASKET = {
    "items": [
        {"source_id": "shirt", "quantity": 3, "price": 1_000},
        {"source_id": "socks", "quantity": 2, "price": 500},
    ]
}


async def one(client: Any, name: str, **more: Any) -> dict[str, Any]:
    """Redeem one code; the redemption."""
    return (await redeem(client, name, **more))["redemptions"][0]


async def test_a_plain_redemption_comes_back_whole(client: Any, pool: db.Pool) -> None:
    name = await code(client, redemption={"quantity": 1})
    made = await one(
        client, name, customer={"source_id": "alice"}, order={"source_id": "cart", "amount": 10_000}
    )
    body = {"reason": "ripped", "tracking_id": "track-back", "metadata": {"till": 7}}
    back = await roll_back(client, made["id"], body)
    assert back["id"].startswith("rr_") and back["object"] == "redemption_rollback"
    assert (back["amount"], back["redemption"], back["reason"]) == (-1_000, made["id"], "ripped")
    assert (back["result"], back["status"]) == ("SUCCESS", "SUCCEEDED")
    assert (back["tracking_id"], back["metadata"]) == ("track-back", {"till": 7})
    assert (
        back["customer"]["source_id"] == "alice" and back["voucher"]["redemption"]["redeemed_quantity"] == 0
    )
    assert (back["order"]["status"], back["order"]["total_amount"]) == ("CANCELED", 10_000)
    assert "discount_amount" not in back["order"]
    assert await used(client, name) == 0
    assert await read(client, f"/v1/redemptions/{back['id']}") == back
    now = await read(client, f"/v1/redemptions/{made['id']}")
    assert (now["status"], now["returned_amount"]) == ("ROLLED_BACK", 1_000)
    assert now["related_redemptions"]["rollbacks"] == [
        {"id": back["id"], "date": back["date"], "amount": -1_000}
    ]
    assert now["order"] == made["order"], "what was shown with the redemption stays"
    stored = await read(client, "/v1/orders/cart")
    assert (stored["status"], stored["total_amount"]) == ("CANCELED", 10_000)
    assert stored["redemptions"][made["id"]]["rollback_id"] == back["id"]
    assert await events(pool, client, back["id"]) == ["redemption.rollback.succeeded"]
    assert "order.canceled" in await events(pool, client, stored["id"])
    await redeem(client, name)


async def test_reason_and_tracking_id_may_stand_in_the_query(client: Any) -> None:
    made = await one(client, await code(client))
    answer = await client.post(f"/v1/redemptions/{made['id']}/rollback?reason=late&tracking_id=t-1")
    assert answer.status_code == 200, answer.text
    assert (answer.json()["reason"], answer.json()["tracking_id"]) == ("late", "t-1")


async def test_without_an_order(client: Any) -> None:
    name = await code(client)
    made = await one(client, name, amount=None)
    back = await roll_back(client, made["id"])
    assert (back["order"], back["amount"]) == (None, 0)
    assert await used(client, name) == 0


async def test_a_second_time_is_refused_and_recorded(client: Any, pool: db.Pool) -> None:
    made = await one(client, await code(client))
    await roll_back(client, made["id"])
    again = await roll_back(client, made["id"], status=400)
    assert (again["key"], again["resource_id"]) == ("already_rolled_back", made["id"])
    (kept,) = (await read(client, "/v1/redemptions?filters[result][conditions][$is]=FAILURE"))["redemptions"]
    assert kept["id"].startswith("rrf_") and kept["object"] == "redemption_rollback"
    assert (kept["failure_code"], kept["redemption"]) == ("already_rolled_back", made["id"])
    assert await events(pool, client, kept["id"]) == ["redemption.rollback.failed"]
    related = (await read(client, f"/v1/redemptions/{made['id']}"))["related_redemptions"]["rollbacks"]
    assert len(related) == 1


async def test_once_of_many_at_the_same_time(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    made = await one(client, name)
    paths = [f"/v1/redemptions/{made['id']}/rollback", f"/v1/redemptions/{made['id']}/rollbacks"] * 5
    answers = await asyncio.gather(*(client.post(path, json={}) for path in paths))
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
    assert await used(client, name) == 0


async def test_what_failed_or_is_a_rollback_cannot_be_taken_back(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    made = await one(client, name)
    await redeem(client, name, status=400)
    (failed,) = (await read(client, "/v1/redemptions?filters[result][conditions][$is]=FAILURE"))[
        "redemptions"
    ]
    assert (await roll_back(client, failed["id"], status=400))["key"] == "invalid_redemption"
    back = await roll_back(client, made["id"])
    assert (await roll_back(client, back["id"], status=404))["key"] == "not_found"
    assert (await roll_back(client, "r_unknown", status=404))["resource_id"] == "r_unknown"


async def test_customer_and_order_must_be_those_of_the_redemption(client: Any, pool: db.Pool) -> None:
    await post(client, "/v1/customers", {"source_id": "mallory"})
    await post(client, "/v1/orders", {"source_id": "other", "amount": 1})
    made = await one(
        client,
        await code(client),
        customer={"source_id": "bob"},
        order={"source_id": "cart", "amount": 9_000},
    )
    before = await everything(pool, client.project_id)
    for customer in (
        {"source_id": "mallory"},
        {"source_id": "nobody", "name": "New"},
        {"id": "cust_unknown"},
    ):
        refused = await roll_back(client, made["id"], {"customer": customer}, status=400)
        assert (refused["key"], refused["errors"][0]["path"]) == ("invalid_customer", "customer")
    for order in ({"source_id": "other"}, {"source_id": "nothing"}, {"id": "ord_unknown"}):
        refused = await roll_back(client, made["id"], {"order": order}, status=400)
        assert (refused["key"], refused["errors"][0]["path"]) == ("invalid_order", "order")
    assert await everything(pool, client.project_id) == before
    body = {"customer": {"source_id": "bob"}, "order": {"source_id": "cart"}}
    assert (await roll_back(client, made["id"], body))["status"] == "SUCCEEDED"


# Stacks -------------------------------------------------------------------------------------------------------


async def stack(client: Any, **more: Any) -> tuple[list[str], dict[str, Any]]:
    """Two codes redeemed together: 10.00 off, then 10 %."""
    codes = [await code(client, redemption={"quantity": 1}), await code(client, PERCENT)]
    return codes, await redeem(client, *codes, **more)


async def test_a_stack_comes_back_whole(client: Any, pool: db.Pool) -> None:
    codes, made = await stack(client, order={"source_id": "cart", "amount": 10_000})
    parent, children = made["parent_redemption"], made["redemptions"]
    back = await roll_back_stack(client, parent["id"], {"reason": "all of it"})
    assert [r["redemption"] for r in back["rollbacks"]] == [child["id"] for child in children]
    assert [r["amount"] for r in back["rollbacks"]] == [-1_000, -900]
    top = back["parent_rollback"]
    assert (top["redemption"], top["amount"], top["reason"]) == (parent["id"], -1_900, "all of it")
    assert [r["id"] for r in top["related_redemptions"]["rollbacks"]] == [r["id"] for r in back["rollbacks"]]
    assert (back["order"]["status"], back["order"]["total_amount"]) == ("CANCELED", 10_000)
    assert [await used(client, name) for name in codes] == [0, 0]
    for redemption in (parent, *children):
        now = await read(client, f"/v1/redemptions/{redemption['id']}")
        assert now["status"] == "ROLLED_BACK"
        assert now["returned_amount"] == redemption["discount_amount"]
        assert now["order"] == redemption["order"]
    for rollback in (top, *back["rollbacks"]):
        assert await events(pool, client, rollback["id"]) == ["redemption.rollback.succeeded"]
    mention = (await read(client, "/v1/orders/cart"))["redemptions"][parent["id"]]
    assert mention["rollback_id"] == top["id"]
    assert mention["rollback_stacked"] == [r["id"] for r in back["rollbacks"]]
    again = await roll_back_stack(client, parent["id"], status=400)
    assert again["key"] == "already_rolled_back"


async def test_a_parent_and_a_child_have_ways_of_their_own(client: Any) -> None:
    _, made = await stack(client)
    parent, child = made["parent_redemption"], made["redemptions"][0]
    assert (await roll_back(client, parent["id"], status=400))["key"] == "invalid_redemption"
    refused = await roll_back(client, child["id"], status=400)
    assert (refused["key"], refused["resource_id"]) == ("invalid_redemption_parent", child["id"])
    assert (await roll_back_stack(client, child["id"], status=400))["key"] == "invalid_redemption_parent"


async def test_the_stacks_way_takes_back_a_plain_one_too(client: Any) -> None:
    name = await code(client)
    made = await one(client, name)
    back = await roll_back_stack(client, made["id"])
    assert [r["redemption"] for r in back["rollbacks"]] == [made["id"]]
    assert "parent_rollback" not in back and back["order"]["status"] == "CANCELED"
    assert await used(client, name) == 0


async def test_the_order_stays_as_it_is_where_the_project_says_so(client: Any, pool: db.Pool) -> None:
    await stacking(pool, client, redeemables_rollback_order_mode="WITHOUT_ORDER")
    name = await code(client)
    made = await one(client, name, order={"source_id": "cart", "amount": 10_000})
    before = await read(client, "/v1/orders/cart")
    back = await roll_back(client, made["id"])
    assert (back["order"]["status"], back["order"]["total_amount"]) == ("PAID", 9_000)
    assert await read(client, "/v1/orders/cart") == before
    assert await used(client, name) == 0


async def test_two_redemptions_on_one_order_come_back_one_by_one(client: Any) -> None:
    amount, percent = await code(client), await code(client, PERCENT)
    first = await one(client, amount, order={"source_id": "cart", **BASKET})
    second = await one(client, percent, order={"source_id": "cart"})
    assert second["order"]["total_amount"] == 2_700
    back = await roll_back(client, first["id"])
    assert (back["order"]["total_amount"], back["order"]["discount_amount"]) == (3_700, 300)
    back = await roll_back(client, second["id"])
    assert (back["order"]["total_amount"], back["order"]["status"]) == (4_000, "CANCELED")
    assert (await read(client, f"/v1/redemptions/{first['id']}"))["order"] == first["order"]


# In part ------------------------------------------------------------------------------------------------------


async def test_by_amount(client: Any) -> None:
    name = await code(client, redemption={"quantity": 1})
    made = await one(client, name, order={"source_id": "cart", **BASKET})
    part = await roll_back(client, made["id"], {"amount": 300})
    assert (part["amount"], part["order"]["total_amount"], part["order"]["status"]) == (-300, 3_300, "PAID")
    assert await used(client, name) == 1
    now = await read(client, f"/v1/redemptions/{made['id']}")
    assert (now["status"], now["returned_amount"]) == ("SUCCEEDED", 300)
    refused = await roll_back(client, made["id"], {"amount": 701}, status=400)
    assert (refused["key"], refused["errors"][0]["path"]) == ("invalid_rollback_params", "amount")
    last = await roll_back(client, made["id"], {"amount": 700})
    assert (last["order"]["total_amount"], last["order"]["status"]) == (4_000, "CANCELED")
    assert await used(client, name) == 0
    assert (await roll_back(client, made["id"], {"amount": 1}, status=400))["key"] == "already_rolled_back"


async def test_by_items(client: Any) -> None:
    percent = await code(client, PERCENT | {"effect": "APPLY_TO_ITEMS"})
    made = await one(client, percent, order={"source_id": "cart", **BASKET})
    assert made["discount_amount"] == 400
    part = await roll_back(client, made["id"], {"items": [{"source_id": "shirt", "quantity": 1}]})
    assert (part["amount"], part["order"]["items"][0]["discount_amount"]) == (-100, 200)
    part = await roll_back(client, made["id"], {"items": [{"index": 1}]})
    assert (part["amount"], part["order"]["total_amount"]) == (-100, 3_800)
    rest = await roll_back(client, made["id"])
    assert (rest["amount"], rest["order"]["status"]) == (-200, "CANCELED")
    assert await used(client, percent) == 0


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"amount": 1_001}, "amount"),
        ({"amount": 1, "items": [{"index": 0}]}, "amount"),
        ({"items": [{"index": 2}]}, "items[0].index"),
        ({"items": [{"index": 0}, {"source_id": "hat"}]}, "items[1]"),
        ({"items": [{}]}, "items[0]"),
        ({"items": [{"index": 0, "quantity": 4}]}, "items[0].quantity"),
        ({"items": [{"index": 0}, {"index": 0}]}, "items[1]"),
    ],
)
async def test_parts_that_cannot_be(client: Any, pool: db.Pool, body: Any, path: str) -> None:
    made = await one(client, await code(client), order=BASKET)
    before = await everything(pool, client.project_id)
    refused = await roll_back(client, made["id"], body, status=400)
    assert (refused["key"], refused["errors"][0]["path"]) == ("invalid_rollback_params", path)
    assert await everything(pool, client.project_id) == before


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"amount": 0}, "amount"),
        ({"amount": -5}, "amount"),
        ({"amount": "all"}, "amount"),
        ({"items": []}, "items"),
        ({"items": [{"index": -1}]}, "items[0].index"),
        ({"items": [{"index": 0, "quantity": 0}]}, "items[0].quantity"),
        ({"reason": 5}, "reason"),
    ],
)
async def test_parts_that_are_no_parts(client: Any, body: Any, path: str) -> None:
    made = await one(client, await code(client), order=BASKET)
    refused = await roll_back(client, made["id"], body, status=400)
    assert (refused["key"], refused["errors"][0]["path"]) == ("invalid_payload", path)


async def test_a_part_of_a_stack_is_shared_and_the_parts_add_up(client: Any) -> None:
    codes, made = await stack(client, order=BASKET)
    parent, (first, second) = made["parent_redemption"], made["redemptions"]
    assert parent["discount_amount"] == 1_300
    part = await roll_back_stack(client, parent["id"], {"amount": 650})
    assert [r["amount"] for r in part["rollbacks"]] == [-500, -150]
    assert (part["parent_rollback"]["amount"], part["order"]["total_amount"]) == (-650, 3_350)
    part = await roll_back_stack(client, parent["id"], {"items": [{"source_id": "socks"}]})
    taken = -part["parent_rollback"]["amount"]
    assert 0 < taken < 650 and part["order"]["status"] == "PAID"
    rest = await roll_back_stack(client, parent["id"])
    assert -rest["parent_rollback"]["amount"] == 650 - taken
    assert (rest["order"]["status"], rest["order"]["total_amount"]) == ("CANCELED", 4_000)
    for redemption in (parent, first, second):
        now = await read(client, f"/v1/redemptions/{redemption['id']}")
        assert (now["status"], now["returned_amount"]) == ("ROLLED_BACK", redemption["discount_amount"])
    assert [await used(client, name) for name in codes] == [0, 0]


async def test_a_part_of_one_code_of_a_stack_counts_for_the_stack(client: Any) -> None:
    codes, made = await stack(client, order=BASKET)
    parent, (first, second) = made["parent_redemption"], made["redemptions"]
    await roll_back(client, first["id"], {"amount": 1_000})
    assert [await used(client, name) for name in codes] == [0, 1]
    now = await read(client, f"/v1/redemptions/{parent['id']}")
    assert (now["status"], now["returned_amount"]) == ("SUCCEEDED", 1_000)
    assert (await read(client, f"/v1/orders/{made['order']['id']}"))["status"] == "PAID"
    await roll_back(client, second["id"], {"amount": 300})
    now = await read(client, f"/v1/redemptions/{parent['id']}")
    assert (now["status"], now["returned_amount"]) == ("ROLLED_BACK", 1_300)
    assert (await read(client, f"/v1/orders/{made['order']['id']}"))["status"] == "CANCELED"
    assert (await roll_back_stack(client, parent["id"], status=400))["key"] == "already_rolled_back"


async def test_any_parts_restore_exactly(client: Any) -> None:
    """The law: however it is cut, parts sum to what was given, and the order stands as it did before."""
    dice = random.Random(20_261_128)
    for _ in range(12):
        basket = {"items": [
            {"source_id": f"p{n}", "quantity": dice.randint(1, 5), "price": dice.randint(1, 999)}
            for n in range(dice.randint(1, 4))
        ]}  # fmt: skip
        discount = dice.choice([
            {"type": "AMOUNT", "amount_off": dice.randint(1, 2_000)},
            {"type": "PERCENT", "percent_off": 33.33, "effect": "APPLY_TO_ITEMS"},
            {"type": "AMOUNT", "amount_off": 77, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"},
        ])  # fmt: skip
        name = await code(client, discount)
        made = await one(client, name, order=basket)
        left, total = made["discount_amount"], made["order"]["amount"]
        while left:
            amount = dice.randint(1, left)
            back = await roll_back(client, made["id"], {"amount": amount})
            left -= amount
            assert back["amount"] == -amount
            assert back["order"]["total_amount"] == total - left
            assert sum(i.get("discount_amount", 0) for i in back["order"]["items"]) == back["order"].get(
                "items_discount_amount", 0
            )
        assert (back["order"]["status"], back["order"]["total_amount"]) == ("CANCELED", total)
        assert await used(client, name) == 0


async def test_free_goods_leave_again(client: Any) -> None:
    await post(client, "/v1/products", {"source_id": "mug", "name": "Mug", "price": 700})
    gift = {"type": "UNIT", "unit_off": 2, "unit_type": "mug", "effect": "ADD_NEW_ITEMS"}
    made = await one(client, await code(client, gift), order={"items": [{"source_id": "tea", "price": 300}]})
    back = await roll_back(client, made["id"])
    assert (back["amount"], back["order"]["amount"], back["order"]["total_amount"]) == (-1_400, 300, 300)
    assert "items_discount_amount" not in back["order"]


# When the order changes -----------------------------------------------------------------------------------------


async def test_a_redemption_shows_the_order_it_was_made_with_whatever_becomes_of_it(client: Any) -> None:
    headers = {"Idempotency-Key": "keep-the-answer"}
    body = {"redeemables": [{"id": await code(client)}], "order": {"source_id": "cart", **BASKET}}
    answer = await client.post("/v1/redemptions", json=body, headers=headers)
    made = answer.json()["redemptions"][0]
    parent = (await stack(client, order={"source_id": "cart"}))[1]["parent_redemption"]
    changed = {"items": [{"source_id": "hat", "quantity": 1, "price": 9_900}], "status": "FULFILLED"}
    assert (await client.put("/v1/orders/cart", json=changed)).status_code == 200
    assert await read(client, f"/v1/redemptions/{made['id']}") == made
    assert (await read(client, f"/v1/redemptions/{parent['id']}"))["order"] == parent["order"]
    await post(
        client, "/v1/orders", {"source_id": "cart", "items": [{"source_id": "scarf", "price": 5_000}] * 2}
    )
    assert await read(client, f"/v1/redemptions/{made['id']}") == made
    assert (await read(client, f"/v1/redemptions/{parent['id']}"))["order"] == parent["order"]
    replay = await client.post("/v1/redemptions", json=body, headers=headers)
    assert (replay.content, replay.headers["Idempotent-Replayed"]) == (answer.content, "true")


async def test_a_rollback_after_the_order_changed_gives_back_what_was_given(client: Any) -> None:
    name = await code(client, PERCENT | {"effect": "APPLY_TO_ITEMS"}, redemption={"quantity": 1})
    made = await one(client, name, order={"source_id": "cart", **BASKET})
    changed = {"items": [{"source_id": "hat", "quantity": 1, "price": 9_900}]}
    assert (await client.put("/v1/orders/cart", json=changed)).status_code == 200
    back = await roll_back(client, made["id"])
    assert back["amount"] == -400
    assert (back["order"]["total_amount"], back["order"]["status"]) == (9_900, "CANCELED")
    assert await used(client, name) == 0
    assert (await read(client, f"/v1/redemptions/{made['id']}"))["order"] == made["order"]


async def test_a_part_by_items_means_the_lines_at_the_time_of_the_redemption(client: Any) -> None:
    name = await code(client, PERCENT | {"effect": "APPLY_TO_ITEMS"})
    made = await one(client, name, order={"source_id": "cart", **BASKET})
    changed = {"items": [{"source_id": "hat", "quantity": 1, "price": 9_900}]}
    assert (await client.put("/v1/orders/cart", json=changed)).status_code == 200
    back = await roll_back(client, made["id"], {"items": [{"source_id": "socks"}]})
    assert (back["amount"], back["order"]["total_amount"]) == (-100, 9_900)
    refused = await roll_back(client, made["id"], {"items": [{"source_id": "hat"}]}, status=400)
    assert refused["errors"][0]["path"] == "items[0]"


async def test_a_code_that_was_deleted_meanwhile(client: Any) -> None:
    kept, gone = await code(client), await code(client)
    first, second = await one(client, kept), await one(client, gone)
    assert (await client.delete(f"/v1/vouchers/{kept}")).status_code == 204
    assert (await client.delete(f"/v1/vouchers/{gone}?force=true")).status_code == 204
    assert (await roll_back(client, first["id"]))["status"] == "SUCCEEDED"
    assert (await roll_back(client, second["id"]))["status"] == "SUCCEEDED"


async def test_the_limit_holds_across_rollbacks(client: Any) -> None:
    name = await code(client, redemption={"quantity": 2})
    for _ in range(3):
        first, second = await one(client, name), await one(client, name)
        assert (await redeem(client, name, status=400))["key"] == "quantity_exceeded"
        await roll_back(client, first["id"])
        await roll_back(client, second["id"])
    shown = (await voucher(client, name))["redemption"]
    assert (shown["quantity"], shown["redeemed_quantity"]) == (2, 0)
