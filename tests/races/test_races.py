"""Sixteen callers at one moment, two servers: limits hold, and nobody is refused who had a right."""

from collections import Counter
from typing import Any

import pytest

from .shop import CLIENTS, Shop
from .together import Response, request, together

pytestmark = pytest.mark.sized


def statuses(answers: list[Response]) -> Counter[int]:
    return Counter(answer.status for answer in answers)


def keys(answers: list[Response]) -> set[str]:
    return {answer.json()["key"] for answer in answers if answer.status != 200}


def note(table: dict[str, Any], rounds: int, total: Counter[int]) -> None:
    table |= {"rounds": rounds, "requests": total.total()} | {f"{k}:": v for k, v in sorted(total.items())}


async def test_a_single_use_code_is_used_once(shop: Shop, many_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(many_rounds):
        code = shop.code(quantity=1)
        answers = shop.clients.release([shop.redemption([code])] * CLIENTS)
        assert statuses(answers) == {200: 1, 400: CLIENTS - 1}
        assert keys(answers) == {"quantity_exceeded"}
        assert (
            await shop.used(code),
            await shop.recorded(code),
            await shop.recorded(code, result="FAILURE"),
        ) == ((1, 1, CLIENTS - 1))
        assert (
            await shop.told("redemption.succeeded", code),
            await shop.told("redemption.failed", code),
        ) == ((1, CLIENTS - 1))
        total += statuses(answers)
    note(table, many_rounds, total)


async def test_a_limit_is_used_up_and_not_passed(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=5)
        answers = shop.clients.release([shop.redemption([code])] * CLIENTS)
        assert statuses(answers) == {200: 5, 400: CLIENTS - 5}
        assert (await shop.used(code), await shop.recorded(code)) == (5, 5)
        total += statuses(answers)
    note(table, rounds, total)


async def test_a_stack_takes_both_codes_or_none(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    """Half name the codes in the other order: locks taken in the order of the request would deadlock."""
    total: Counter[int] = Counter()
    for _ in range(rounds):
        scarce, plenty = shop.code(quantity=3), shop.code(quantity=9)
        stacks = [[scarce, plenty], [plenty, scarce]]
        answers = shop.clients.release([shop.redemption(stacks[number % 2]) for number in range(CLIENTS)])
        assert statuses(answers) == {200: 3, 400: CLIENTS - 3}
        assert [await shop.used(code) for code in (scarce, plenty)] == [3, 3]
        assert [await shop.recorded(code) for code in (scarce, plenty)] == [3, 3]
        total += statuses(answers)
    note(table, rounds, total)


async def test_codes_and_their_stacks_share_one_limit(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        first, second = shop.code(quantity=4), shop.code(quantity=4)
        asked = [[first], [second], [first, second], [second, first]]
        answers = shop.clients.release([shop.redemption(asked[number % 4]) for number in range(CLIENTS)])
        assert set(statuses(answers)) <= {200, 400}
        won = [asked[number % 4] for number, answer in enumerate(answers) if answer.status == 200]
        for code in (first, second):
            uses = sum(code in codes for codes in won)
            assert uses == await shop.used(code) == await shop.recorded(code) <= 4
        assert 4 in [await shop.used(first), await shop.used(second)]
        total += statuses(answers)
    note(table, rounds, total)


async def test_a_redemption_is_rolled_back_once(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=2)
        shop.redeem(code)
        [redemption_id] = shop.redeem(code)
        answers = shop.clients.release([shop.rollback(redemption_id)] * CLIENTS)
        assert statuses(answers) == {200: 1, 400: CLIENTS - 1}
        assert keys(answers) == {"already_rolled_back"}
        assert (await shop.used(code), await shop.recorded(code, "redemption_rollback")) == (1, 1)
        total += statuses(answers)
    note(table, rounds, total)


async def test_a_redemption_without_an_order_is_rolled_back_once(
    shop: Shop, rounds: int, table: dict[str, Any]
) -> None:
    """There is no order whose lock would stand in for the redemption's."""
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=3)
        body = {"redeemables": [{"object": "voucher", "id": code}]}
        made = [shop.ask("POST", "/v1/redemptions", body).json()["redemptions"][0]["id"] for _ in range(3)]
        answers = shop.clients.release([shop.rollback(made[0])] * CLIENTS)
        assert statuses(answers) == {200: 1, 400: CLIENTS - 1}
        assert (await shop.used(code), await shop.recorded(code, "redemption_rollback")) == (2, 1)
        total += statuses(answers)
    note(table, rounds, total)


async def test_partial_rollbacks_never_return_more_than_was_given(
    shop: Shop, rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=1)
        [redemption_id] = shop.redeem(code)
        answers = shop.clients.release([shop.rollback(redemption_id, {"amount": 150})] * CLIENTS)
        assert statuses(answers) == {200: 6, 400: CLIENTS - 6}  # 6 × 1.50 of 10.00; a seventh would pass it
        sql = "select returned_amount from redemptions where project_id = $1 and id = $2"
        assert await shop.pool.fetchval(sql, shop.project_id, redemption_id) == 900
        total += statuses(answers)
    note(table, rounds, total)


async def test_whole_and_partial_rollbacks_race_to_exactly_what_was_given(
    shop: Shop, rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=1)
        [redemption_id] = shop.redeem(code)
        asked = [
            shop.rollback(redemption_id, {"amount": 150} if number % 2 else {}) for number in range(CLIENTS)
        ]
        answers = shop.clients.release(asked)
        assert set(statuses(answers)) == {200, 400}
        assert sum(answer.status == 200 for answer in answers[::2]) == 1
        sql = "select returned_amount, status from redemptions where project_id = $1 and id = $2"
        assert tuple(await shop.pool.fetchrow(sql, shop.project_id, redemption_id) or ()) == (
            1000,
            "ROLLED_BACK",
        )
        assert await shop.used(code) == 0
        total += statuses(answers)
    note(table, rounds, total)


async def test_redeeming_and_rolling_back_keep_count(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code = shop.code(quantity=4)
        given = [shop.redeem(code)[0] for _ in range(4)]
        asked = [shop.rollback(one) for one in given] + [shop.redemption([code])] * (CLIENTS - 4)
        answers = shop.clients.release(asked)
        assert statuses(answers[:4]) == {200: 4}
        assert set(statuses(answers[4:])) <= {200, 400}
        won = statuses(answers[4:])[200]
        assert await shop.used(code) == await shop.recorded(code) - 4 == won <= 4
        total += statuses(answers)
    note(table, rounds, total)


async def test_one_key_is_one_effect_and_one_answer(
    shop: Shop, many_rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(many_rounds):
        code, key = shop.code(quantity=100), {"Idempotency-Key": shop.name("key")}
        answers = shop.clients.release([shop.redemption([code], **key)] * CLIENTS)
        assert statuses(answers) == {200: CLIENTS}
        assert len({answer.body for answer in answers}) == 1
        replayed = Counter(answer.headers.get("idempotent-replayed") for answer in answers)
        assert replayed == {None: 1, "true": CLIENTS - 1}
        assert (await shop.used(code), await shop.recorded(code)) == (1, 1)
        assert await shop.told("redemption.succeeded", code) == 1
        other = shop.ask(
            "POST", "/v1/redemptions", {"redeemables": [{"object": "voucher", "id": code}]}, **key
        )
        assert (other.status, other.json()["key"]) == (422, "idempotency_key_reused")
        total += statuses(answers)
    note(table, many_rounds, total)


async def test_one_key_refuses_once_too(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        code, key = shop.code(quantity=1), {"Idempotency-Key": shop.name("key")}
        shop.redeem(code)
        answers = shop.clients.release([shop.redemption([code], **key)] * CLIENTS)
        assert statuses(answers) == {400: CLIENTS}
        assert len({answer.body for answer in answers}) == 1
        assert await shop.recorded(code, result="FAILURE") == 1
        total += statuses(answers)
    note(table, rounds, total)


async def test_a_write_outside_the_batches_happens_once_by_its_key(
    shop: Shop, rounds: int, table: dict[str, Any]
) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        name = shop.name("customer")
        head = shop.headers | {"Idempotency-Key": shop.name("key")}
        answers = shop.clients.release([request("POST", "/v1/customers", head, {"name": name})] * CLIENTS)
        assert statuses(answers) == {200: CLIENTS}
        assert len({answer.body for answer in answers}) == 1
        sql = "select count(*) from customers where project_id = $1 and name = $2"
        assert await shop.pool.fetchval(sql, shop.project_id, name) == 1
        total += statuses(answers)
    note(table, rounds, total)


async def test_a_code_is_made_once(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        body = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}
        asked = [request("POST", f"/v1/vouchers/{shop.name('NEW')}", shop.headers, body)] * CLIENTS
        answers = shop.clients.release(asked)
        assert statuses(answers) == {200: 1, 409: CLIENTS - 1}
        total += statuses(answers)
    note(table, rounds, total)


def test_new_connections_race_as_well(shop: Shop) -> None:
    code = shop.code(quantity=1)
    answers = together(shop.host, shop.ports, [shop.redemption([code])] * CLIENTS)
    assert statuses(answers) == {200: 1, 400: CLIENTS - 1}


async def test_a_repeat_is_answered_the_same_after_all_that_came_since(shop: Shop) -> None:
    items = [{"product_id": "prod_unknown", "quantity": 2, "price": 4_000}, {"quantity": 1, "amount": 2_000}]
    for order in ({"amount": 10_000}, {"items": items}, {"source_id": shop.name("order"), "items": items}):
        code, key = shop.code(quantity=1), {"Idempotency-Key": shop.name("key")}
        body = {"redeemables": [{"object": "voucher", "id": code}], "order": order}
        first = shop.ask("POST", "/v1/redemptions", body, **key)
        assert first.status == 200, first.body
        made = first.json()
        changes = {"status": "FULFILLED", "metadata": {"later": True}, "items": items[:1]}
        assert shop.ask("PUT", f"/v1/orders/{made['order']['id']}", changes).status == 200
        assert shop.ask("POST", f"/v1/redemptions/{made['redemptions'][0]['id']}/rollback").status == 200
        again = shop.ask("POST", "/v1/redemptions", body, **key)
        assert (again.status, again.headers.get("idempotent-replayed")) == (200, "true")
        assert again.body == first.body
        assert await shop.recorded(code) == 1
