"""Refunds of rewards: points into the very lots, what was given taken back, nothing gained by it."""

from typing import Any

from guerdon.kit import db

from .checkout import everything, redeem
from .conftest import Client
from .loyalty import ok
from .test_loyalty_earning import entries
from .test_purchases import Club, campaign, club_of, limited

REFUNDABLE = {"type": "REFUNDABLE"}

LOTS = """
    select l.remaining from card_lots l join vouchers v on v.project_id = $1 and v.id = l.card_id
    where l.project_id = $1 and v.code = $2 order by l.created_at, l.id
"""


async def lots(pool: db.Pool, club: Club) -> list[int]:
    """What is in the lots of the card, the oldest first."""
    records = await db.records(pool, LOTS, club.client.project_id, club.code)
    return [record["remaining"] for record in records]


async def test_points_come_back_into_their_lots(client: Client, pool: db.Pool) -> None:
    club = await club_of(client, points=0)
    await club.add(150, expiration_type="NON_EXPIRING")
    await club.add(120, expiration_type="CUSTOM_DATE", expiration_date="2099-01-01")
    reward = await club.reward(limited(1), refunds=REFUNDABLE)
    bought = (await club.buy(reward))["transaction"]
    assert await lots(pool, club) == [70, 0]
    told = await club.refund(bought["id"])
    assert told["status"] == "APPROVED" and told["transaction"]["type"] == "REFUND"
    details = told["transaction"]["details"]
    assert details["points"] == {"total": 200}
    assert details["purchase"] == {
        "card_transaction": {"id": bought["card_transaction_id"]},
        "reward_transaction": {"id": bought["id"]},
    }
    assert await lots(pool, club) == [150, 120]
    assert await club.gone(reward) == 0
    last = await club.last()
    assert last["status"] == "REFUNDED"
    assert [type for type, _ in await entries(client, club.code)][2:] == [
        "POINTS_REDEMPTION",
        "POINTS_REFUND",
    ]


async def test_a_refund_happens_once(client: Client, pool: db.Pool) -> None:
    club = await club_of(client)
    bought = (await club.buy(await club.reward(refunds=REFUNDABLE)))["transaction"]
    refund = (await club.refund(bought["id"]))["transaction"]
    before = await everything(pool, client.project_id)
    for name in (bought["id"], refund["id"]):
        assert (await club.refund(name, 409))["key"] == "invalid_reward_transaction"
    assert (await club.refund("lrtx_none", 404))["key"] == "not_found"
    assert await everything(pool, client.project_id) == before
    assert await club.points() == 1000


async def test_a_refund_is_as_the_reward_says_unless_it_is_forced(client: Client) -> None:
    club = await club_of(client)
    reward = await club.reward(limited(3))
    bought = (await club.buy(reward))["transaction"]
    assert (await club.refund(bought["id"], 409))["key"] == "reward_not_refundable"
    assert await club.points() == 800
    await club.refund(bought["id"], refund="ALLOW", stock="WRITE_OFF")
    assert await club.points() == 1000 and await club.gone(reward) == 1


async def test_a_code_is_deleted_if_nobody_used_it(client: Client) -> None:
    club = await club_of(client)
    reward = await club.digital("coupon", await campaign(client, "coupon"), refunds=REFUNDABLE)
    bought = (await club.buy(reward))["transaction"]
    (coupon,) = (await club.last())["details"]["result"]["digital"]["discount_coupons"]
    told = (await club.refund(bought["id"]))["transaction"]["details"]["result"]["digital"]
    assert told["discount_coupons"] == [coupon | {"result": "DELETED"}]
    assert (await client.get(f"/v1/vouchers/{coupon['code']}")).status_code == 404
    assert await club.points() == 1000


async def test_nothing_is_had_twice(client: Client) -> None:
    club = await club_of(client)
    coupons = await club.digital("coupon", await campaign(client, "coupon"), refunds=REFUNDABLE)
    bought = (await club.buy(coupons))["transaction"]
    (coupon,) = (await club.last())["details"]["result"]["digital"]["discount_coupons"]
    await redeem(client, coupon["code"])
    assert (await club.refund(bought["id"], 409))["key"] == "reward_already_used"
    assert await club.points() == 800
    told = (await club.refund(bought["id"], refund="ALLOW"))["transaction"]["details"]["result"]["digital"]
    assert told["discount_coupons"][0]["result"] == "SKIPPED"
    assert await club.points() == 1000


async def gift_of(club: Club) -> dict[str, Any]:
    """The gift card of the latest purchase."""
    (gift,) = (await club.last())["details"]["result"]["digital"]["gift_vouchers"]
    return gift


async def test_credit_is_taken_off_the_card_it_went_onto(client: Client) -> None:
    club = await club_of(client)
    reward = await club.digital("gift", await campaign(client, "gift"), refunds=REFUNDABLE)
    await club.buy(reward)
    second = (await club.buy(reward))["transaction"]
    gift = await gift_of(club)
    told = (await club.refund(second["id"]))["transaction"]["details"]["result"]["digital"]["gift_vouchers"]
    assert told == [gift | {"amount": 500, "balance": 500, "result": "CREDITS_SUBTRACTED"}]
    assert (await ok(client, "GET", f"/v1/vouchers/{gift['code']}"))["gift"]["balance"] == 500


async def test_credit_that_is_spent_cannot_be_given_back(client: Client) -> None:
    club = await club_of(client)
    reward = await club.digital("gift", await campaign(client, "gift"), refunds=REFUNDABLE)
    bought = (await club.buy(reward))["transaction"]
    gift = await gift_of(club)
    await redeem(client, gift["code"], amount=100)
    assert (await club.refund(bought["id"], 409))["key"] == "reward_already_used"
    told = (await club.refund(bought["id"], refund="ALLOW"))["transaction"]["details"]["result"]["digital"]
    assert told["gift_vouchers"][0] | {"amount": 400, "balance": 0} == told["gift_vouchers"][0]


async def test_points_whose_time_is_over_lapse_again(client: Client, pool: db.Pool, run_jobs: Any) -> None:
    club = await club_of(client, points=0)
    await club.add(200, expiration_type="CUSTOM_DATE", expiration_date="2099-01-01")
    await club.add(5, expiration_type="NON_EXPIRING")
    bought = (await club.buy(await club.reward(refunds=REFUNDABLE)))["transaction"]
    over = "update card_lots set expires_at = now() where project_id = $1 and expires_at is not null"
    await db.execute(pool, over, client.project_id)
    await club.refund(bought["id"])
    await run_jobs()
    assert await club.points() == 5
    assert [type for type, _ in await entries(client, club.code)][-2:] == [
        "POINTS_REFUND",
        "POINTS_EXPIRATION",
    ]
