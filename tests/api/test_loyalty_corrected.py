"""A paid order that changes afterwards: points are those of the order as it stands, and of whose it is."""

from typing import Any

from .checkout import ask, code, post
from .conftest import Client
from .loyalty import ok
from .test_loyalty_earning import REVOKED, buy, club_of, points
from .test_loyalty_members import join


async def test_a_code_redeemed_on_an_order_that_was_paid_takes_its_points_back(
    client: Client, run_jobs: Any
) -> None:
    club = await club_of(client, refunds={"spent_points": {"type": "NONE"}, **REVOKED["zero"]})
    made = await join(client, club["id"])
    order = await buy(client, 5000)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 50
    name = await code(client)
    done = await post(client, "/v1/redemptions", ask(name, order={"id": order["id"]}))
    assert done["order"]["total_amount"] == 4000
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 40
    await post(client, f"/v1/redemptions/{done['redemptions'][0]['id']}/rollback", {"amount": 500})
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 40, "more than was decided is never given"


async def test_points_go_with_an_order_to_the_customer_whose_it_is(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, refunds={"spent_points": {"type": "NONE"}, **REVOKED["zero"]})
    ada, bob = await join(client, club["id"]), await join(client, club["id"], "bob")
    order, other = await buy(client, 5000), await buy(client, 3000)
    await run_jobs()
    await ok(client, "PUT", f"/v1/orders/{order['id']}", {"customer": {"source_id": "bob"}})
    name = await code(client)
    body = ask(name, order={"id": other["id"]}, customer={"source_id": "bob"})
    assert (await post(client, "/v1/redemptions", body))["order"]["total_amount"] == 2000
    await run_jobs()
    assert (await points(client, ada))["balance"]["points"] == 0
    assert (await points(client, bob))["balance"]["points"] == 70
