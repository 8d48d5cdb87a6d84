"""Publications under sixteen callers at one moment, two servers: no code twice, none left while somebody is refused."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from guerdon.kit import db
from guerdon.kit.ids import new_ids
from guerdon.verify import verify

from .shop import CLIENTS, Shop
from .test_races import keys, note, statuses
from .together import Response, request

pytestmark = pytest.mark.sized

FILL = """
    insert into vouchers (project_id, id, code, code_key, campaign_id)
    select $1, t.id, t.id, t.id, $2 from unnest($3::text[]) as t (id)
"""
BOOKS = """
    select v.id, v.published_count, v.holder_id, v.terms_id,
           (select count(*) from publication_vouchers pv where pv.project_id = $1 and pv.voucher_id = v.id) as given
    from vouchers v where v.project_id = $1 and v.campaign_id = $2
"""
NONE_LEFT = "no_voucher_suitable_for_publication"


async def campaign(shop: Shop, codes: int, **more: Any) -> str:
    """A campaign with so many codes; its id."""
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 1000}}
    made = shop.ask("POST", "/v1/campaigns", {
        "name": shop.name("GIVEN"), "type": "STATIC", "voucher": voucher, "vouchers_count": 0, **more,
    }).json()  # fmt: skip
    await db.execute(shop.pool, FILL, shop.project_id, made["id"], new_ids("voucher", codes))
    return made["id"]


def ask(shop: Shop, source: dict[str, Any], customer: str = "", query: str = "", **more: Any) -> bytes:
    """The bytes of a publication to a customer that is new unless named."""
    body = {"customer": {"source_id": customer or shop.name("customer")}, **source, **more}
    return request("POST", f"/v1/publications{query}", shop.headers, body)


def given(answers: list[Response]) -> list[str]:
    """The ids of all codes that were given."""
    return [one for answer in answers if answer.status == 200 for one in answer.json()["vouchers_id"]]


@pytest_asyncio.fixture(autouse=True)
async def verified(shop: Shop, durable_database_url: str) -> AsyncIterator[None]:
    """After each race `guerdon verify` has nothing to say of the publications."""
    yield
    results = await verify(durable_database_url)
    broken = [one.invariant for one in results if one.invariant.startswith("publication") and not one.holds]
    assert broken == []


async def audit(shop: Shop, campaign_id: str, told: list[str]) -> None:
    """What was answered is what is kept: each code once, with a holder and its terms."""
    rows = await db.records(shop.pool, BOOKS, shop.project_id, campaign_id)
    kept = {row["id"] for row in rows if row["published_count"]}
    assert sorted(told) == sorted(kept), "a code was told twice, or kept and not told"
    for row in rows:
        count = 1 if row["id"] in kept else 0
        assert (row["published_count"], row["given"]) == (count, count)
        assert (row["holder_id"] is not None) == (row["terms_id"] is not None) == bool(count)


async def test_a_campaign_is_drained(shop: Shop, few_rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(few_rounds):
        source = await campaign(shop, 100)
        answers: list[Response] = []
        for _ in range(7):
            asked = [ask(shop, {"campaign": {"name": source}}) for _ in range(CLIENTS)]
            answers += shop.clients.release(asked)
        assert statuses(answers) == {200: 100, 400: 7 * CLIENTS - 100}
        assert keys(answers) == {NONE_LEFT}
        await audit(shop, source, given(answers))
        total += statuses(answers)
    note(table, few_rounds, total)


async def test_nobody_is_refused_what_others_leave(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    """Half ask for more than there will be: what they had in hand is there for the others."""
    total: Counter[int] = Counter()
    for _ in range(rounds):
        wanted = [(1, 2, CLIENTS, CLIENTS)[number % 4] for number in range(CLIENTS)]
        source = await campaign(shop, sum(count for count in wanted if count < CLIENTS))
        asked = [ask(shop, {"campaign": {"name": source, "count": count}}) for count in wanted]
        answers = shop.clients.release(asked)
        assert [answer.status for answer in answers] == [200 if count < CLIENTS else 400 for count in wanted]
        assert keys(answers) == {NONE_LEFT}
        await audit(shop, source, given(answers))
        total += statuses(answers)
    note(table, rounds, total)


async def test_all_or_none_of_several(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        source = await campaign(shop, 20)
        answers = shop.clients.release(
            [ask(shop, {"campaign": {"name": source, "count": 3}}) for _ in range(CLIENTS)]
        )
        assert statuses(answers) == {200: 6, 400: CLIENTS - 6}
        await audit(shop, source, given(answers))
        total += statuses(answers)
    note(table, rounds, total)


async def test_one_customer_joins_once(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    """The customer is made by the racing requests themselves."""
    total: Counter[int] = Counter()
    for _ in range(rounds):
        source, customer = await campaign(shop, 5), shop.name("joiner")
        answers = shop.clients.release(
            [ask(shop, {"campaign": {"name": source}}, customer, "?join_once=true") for _ in range(CLIENTS)]
        )
        assert statuses(answers) == {200: CLIENTS}
        assert len({answer.json()["id"] for answer in answers}) == 1
        await audit(shop, source, list(set(given(answers))))
        total += statuses(answers)
    note(table, rounds, total)


@pytest.mark.parametrize("what", ["code", "source_id"])
async def test_what_can_be_given_once(shop: Shop, rounds: int, table: dict[str, Any], what: str) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        source, code = await campaign(shop, 20), shop.code()
        name = shop.name("crm")
        asked = [
            ask(shop, {"voucher": code})
            if what == "code"
            else ask(shop, {"campaign": {"name": source}}, source_id=name)
            for _ in range(CLIENTS)
        ]
        answers = shop.clients.release(asked)
        assert statuses(answers) == {200: 1, 400: CLIENTS - 1}
        assert keys(answers) == {"voucher_already_published" if what == "code" else "duplicate_source_id"}
        await audit(shop, source, [] if what == "code" else given(answers))
        total += statuses(answers)
    note(table, rounds, total)


async def test_an_auto_update_campaign_never_says_no(shop: Shop, rounds: int, table: dict[str, Any]) -> None:
    total: Counter[int] = Counter()
    for _ in range(rounds):
        source = await campaign(shop, 5, type="AUTO_UPDATE")
        answers = shop.clients.release(
            [ask(shop, {"campaign": {"name": source, "count": 2}}) for _ in range(CLIENTS)]
        )
        assert statuses(answers) == {200: CLIENTS}
        await audit(shop, source, given(answers))
        total += statuses(answers)
    note(table, rounds, total)
