"""A COMMIT whose answer got lost: one effect, and a true answer, whichever way the network lost it."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import httpx
import pytest
import pytest_asyncio

from guerdon.app import create_app
from guerdon.kit import db
from guerdon.projects.bootstrap import create_project
from guerdon.redemptions.batch import write_batch
from guerdon.settings import Settings

from .proxy import Loss, Proxy

LOSSES: list[Loss] = ["question", "answer", "late"]
_numbers = itertools.count()


class Shop:
    """An application behind a proxy, a client of it, and a pool that sees the database directly."""

    def __init__(self, proxy: Proxy, client: httpx.AsyncClient, pool: db.Pool, project_id: str) -> None:
        self.proxy = proxy
        self.client = client
        self.pool = pool
        self.project_id = project_id

    async def code(self, quantity: int = 1) -> str:
        """A new code worth 10.00 off."""
        code = f"DOUBT-{next(_numbers)}"
        body = {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "AMOUNT", "amount_off": 1000},
            "redemption": {"quantity": quantity},
        }
        made = await self.client.post(f"/v1/vouchers/{code}", json=body)
        assert made.status_code == 200, made.text
        return code

    async def redeem(self, code: str, ask: str, **headers: str) -> httpx.Response:
        """Redeem, with `ask` in the metadata so that its rows can be found."""
        body: dict[str, Any] = {
            "redeemables": [{"object": "voucher", "id": code}],
            "order": {"amount": 10_000},
            "metadata": {"ask": ask},
        }
        return await self.client.post("/v1/redemptions", json=body, headers=headers)

    async def rows(self, ask: str) -> list[tuple[str, str, int]]:
        """Id, result and number of events of what an ask left."""
        sql = """
            select r.id, r.result, (select count(*) from events e where e.project_id = $1 and e.entity_id = r.id)
            from redemptions r where r.project_id = $1 and r.metadata ->> 'ask' = $2
        """
        return [tuple(row) for row in await self.pool.fetch(sql, self.project_id, ask)]

    async def used(self, code: str) -> int:
        """What the code's own row says."""
        sql = "select redeemed_quantity from vouchers where project_id = $1 and code = $2"
        return await self.pool.fetchval(sql, self.project_id, code)


@pytest_asyncio.fixture(scope="module")
async def shop(durable_database_url: str) -> AsyncIterator[Shop]:
    pool = await db.open_pool(durable_database_url, size=3)
    async with Proxy(durable_database_url) as proxy:
        app = create_app(Settings(database_url=proxy.dsn, pool_size=4))
        await app.start()
        made = await create_project(pool, "doubt")
        head = {"X-App-Id": made.app_id, "X-App-Token": made.app_token}
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://doubt", headers=head, timeout=60
        ) as one:
            yield Shop(proxy, one, pool, made.project_id)
        await app.stop()
    await pool.close()


def new_ask() -> str:
    return f"ask-{next(_numbers)}"


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_redemption_happens_once_and_is_told_truly(shop: Shop, loss: Loss, keyed: bool) -> None:
    code, ask = await shop.code(), new_ask()
    head = {"Idempotency-Key": ask} if keyed else {}
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answer = await shop.redeem(code, ask, **head)
    assert shop.proxy.lost == lost + 1
    assert answer.status_code == 200, answer.text
    assert await shop.rows(ask) == [(answer.json()["redemptions"][0]["id"], "SUCCESS", 1)]
    assert await shop.used(code) == 1
    if keyed:
        again = await shop.redeem(code, ask, **head)
        assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
        assert len(await shop.rows(ask)) == 1


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_whole_batch_happens_once(shop: Shop, loss: Loss) -> None:
    """Ten requests at once are a batch of one and a batch of nine; one of the two commits is lost."""
    code = await shop.code(quantity=7)
    asks = [new_ask() for _ in range(10)]
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answers = await asyncio.gather(
        *(shop.redeem(code, ask, **({"Idempotency-Key": ask} if n % 2 else {})) for n, ask in enumerate(asks))
    )
    assert shop.proxy.lost == lost + 1
    assert sorted(answer.status_code for answer in answers) == [200] * 7 + [400] * 3
    assert await shop.used(code) == 7
    for ask, answer in zip(asks, answers, strict=True):
        result = "SUCCESS" if answer.status_code == 200 else "FAILURE"
        assert [row[1:] for row in await shop.rows(ask)] == [(result, 1)]


@pytest.mark.parametrize("part", [None, 300])
@pytest.mark.parametrize("loss", LOSSES)
async def test_a_rollback_happens_once(shop: Shop, loss: Loss, part: int | None) -> None:
    code, ask = await shop.code(), new_ask()
    redemption_id = (await shop.redeem(code, "")).json()["redemptions"][0]["id"]
    shop.proxy.lose, lost = loss, shop.proxy.lost
    body = {"metadata": {"ask": ask}} | ({"amount": part} if part else {})
    answer = await shop.client.post(f"/v1/redemptions/{redemption_id}/rollback", json=body)
    assert shop.proxy.lost == lost + 1
    assert answer.status_code == 200, answer.text
    assert await shop.rows(ask) == [(answer.json()["id"], "SUCCESS", 1)]
    assert await shop.used(code) == (1 if part else 0)
    sql = "select returned_amount from redemptions where project_id = $1 and id = $2"
    assert await shop.pool.fetchval(sql, shop.project_id, redemption_id) == (part or 1000)


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_refusal_is_recorded_once(shop: Shop, loss: Loss) -> None:
    code, ask = await shop.code(), new_ask()
    await shop.redeem(code, "")
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answer = await shop.redeem(code, ask)
    assert shop.proxy.lost == lost + 1
    assert (answer.status_code, answer.json()["key"]) == (400, "quantity_exceeded")
    assert [row[1:] for row in await shop.rows(ask)] == [("FAILURE", 1)]


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_refusal_without_a_code_is_recorded_once(shop: Shop, loss: Loss) -> None:
    """Nothing that both tries would lock: the one has to know of the other all the same."""
    ask = new_ask()
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answer = await shop.redeem("NO-SUCH-CODE", ask, **{"Idempotency-Key": ask})
    assert shop.proxy.lost == lost + 1
    assert answer.status_code == 404, answer.text
    assert [row[1:] for row in await shop.rows(ask)] == [("FAILURE", 1)]


async def test_a_database_that_stays_away_is_a_503_and_the_key_finds_what_happened(shop: Shop) -> None:
    code, ask = await shop.code(), new_ask()
    shop.proxy.lose, shop.proxy.refusing = "answer", True
    answer = await shop.redeem(code, ask, **{"Idempotency-Key": ask})
    shop.proxy.refusing = False
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "1")
    again = await shop.redeem(code, ask, **{"Idempotency-Key": ask})
    assert (again.status_code, again.headers.get("Idempotent-Replayed")) == (200, "true")
    assert await shop.rows(ask) == [(again.json()["redemptions"][0]["id"], "SUCCESS", 1)]


@pytest.mark.parametrize("loss", LOSSES)
async def test_another_write_is_a_503_and_happens_once_by_its_key(shop: Shop, loss: Loss) -> None:
    name = new_ask()
    head = {"Idempotency-Key": name}
    shop.proxy.lose = loss
    first = await shop.client.post("/v1/customers", json={"name": name}, headers=head)
    second = await shop.client.post("/v1/customers", json={"name": name}, headers=head)
    assert (first.status_code, second.status_code) == (503, 200)
    sql = "select count(*) from customers where project_id = $1 and name = $2"
    assert await shop.pool.fetchval(sql, shop.project_id, name) == 1


async def gift_card(shop: Shop) -> str:
    """A new gift card with 100.00 on it."""
    code = f"DOUBT-GIFT-{next(_numbers)}"
    made = await shop.client.post(
        f"/v1/vouchers/{code}", json={"type": "GIFT_VOUCHER", "gift": {"amount": 10_000}}
    )
    assert made.status_code == 200, made.text
    return code


async def moved(shop: Shop, code: str) -> list[tuple[str, int, int, str | None]]:
    """Type, amount, balance and note of what moved on a card since it was made."""
    sql = """
        select e.type, e.amount, e.balance, n.source_id
        from card_entries e join vouchers v on v.project_id = $1 and v.id = e.card_id and v.code = $2
        left join card_notes n on n.project_id = $1 and n.entry_id = e.id
        where e.project_id = $1 and e.seq > 1 order by e.seq
    """
    return [tuple(row) for row in await shop.pool.fetch(sql, shop.project_id, code)]


@pytest.mark.parametrize("keyed", [False, True])
@pytest.mark.parametrize("loss", LOSSES)
async def test_credit_moves_once_and_is_told_truly(shop: Shop, loss: Loss, keyed: bool) -> None:
    """The desk of the ledger has a connection and a doubt of its own."""
    code, ask = await gift_card(shop), new_ask()
    head = {"Idempotency-Key": ask} if keyed else {}
    path, body = f"/v1/vouchers/{code}/balance", {"amount": -300, "source_id": ask}
    assert (await shop.client.post(path, json={"amount": 1})).status_code == 200  # it has a connection by now
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answer = await shop.client.post(path, json=body, headers=head)
    assert shop.proxy.lost == lost + 1
    assert answer.status_code == 200, answer.text
    assert answer.json()["balance"] == 9_701
    assert (await moved(shop, code))[1:] == [("CREDITS_REMOVAL", -300, 9_701, ask)]
    if keyed:
        again = await shop.client.post(path, json=body, headers=head)
        assert (again.content, again.headers["Idempotent-Replayed"]) == (answer.content, "true")
        assert len(await moved(shop, code)) == 2


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_whole_batch_of_the_ledger_moves_once(shop: Shop, loss: Loss) -> None:
    """Of ten that take 30.00 each from 100.00 three get it, whichever commit is lost."""
    code = await gift_card(shop)
    asks = [new_ask() for _ in range(10)]
    shop.proxy.lose, lost = loss, shop.proxy.lost
    answers = await asyncio.gather(
        *(
            shop.client.post(
                f"/v1/vouchers/{code}/balance",
                json={"amount": -3_000, "source_id": ask},
                headers={"Idempotency-Key": ask} if number % 2 else {},
            )
            for number, ask in enumerate(asks)
        )
    )
    assert shop.proxy.lost == lost + 1
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [400] * 7
    won = {ask for ask, answer in zip(asks, answers, strict=True) if answer.status_code == 200}
    assert {note for *_, note in await moved(shop, code)} == won and len(await moved(shop, code)) == 3


async def test_a_refusal_of_the_ledger_is_kept_once(shop: Shop) -> None:
    """Nothing is written but the kept answer: what the doubt goes by then is that."""
    code, ask = await gift_card(shop), new_ask()
    head, body = {"Idempotency-Key": ask}, {"amount": -99_999}
    for loss in LOSSES:
        shop.proxy.lose = loss
        answer = await shop.client.post(f"/v1/vouchers/{code}/balance", json=body, headers=head)
        shop.proxy.lose = None
        assert (answer.status_code, answer.json()["key"]) == (400, "invalid_amount")
    assert await moved(shop, code) == []


@pytest.mark.parametrize("loss", LOSSES)
async def test_a_doubt_outlives_further_trouble(
    shop: Shop, loss: Loss, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The further tries of a batch of several end in deadlocks: it is cut up, and everybody is asked once."""
    troubles = 0

    async def trouble(*args: Any) -> list[Any]:
        nonlocal troubles
        *_, asks, _, _, doubt = args
        if len(asks) > 1 and doubt is None and not troubles:
            shop.proxy.lose = loss
        elif len(asks) > 1 and doubt is not None:
            troubles += 1
            raise asyncpg.DeadlockDetectedError("made up")
        return await write_batch(*args)

    monkeypatch.setattr("guerdon.redemptions.desk.write_batch", trouble)
    while not troubles:  # one came alone before the others, or the COMMIT of another connection was lost
        code = await shop.code(quantity=20)
        asks = [new_ask() for _ in range(6)]
        answers = await asyncio.gather(*(shop.redeem(code, ask) for ask in asks))
        assert await shop.used(code) == 6
        for ask, answer in zip(asks, answers, strict=True):
            assert await shop.rows(ask) == [(answer.json()["redemptions"][0]["id"], "SUCCESS", 1)]
    assert troubles == 2
