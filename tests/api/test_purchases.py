"""Rewards bought with points: what is taken, what is given, and what is refused with nothing changed."""

from typing import Any

import pytest

from guerdon.kit import db

from .checkout import everything
from .conftest import Client
from .loyalty import CARDS, PROGRAMS, REWARDS, card, mug, ok, program, refused
from .test_loyalty_earning import entries
from .test_loyalty_members import join

UNLIMITED = {"type": "UNLIMITED"}
DIGITAL: dict[str, dict[str, Any]] = {
    "coupon": {"type": "DISCOUNT_COUPONS", "discount_coupons": {}},
    "gift": {"type": "GIFT_VOUCHERS", "gift_vouchers": {"balance": 500}},
}


def limited(count: int) -> dict[str, Any]:
    """A stock of so many."""
    return {"type": "LIMITED", "limited": {"quantity": count}}


class Club:
    """A program with a member who has points, and rewards to buy."""

    def __init__(self, client: Client, card_id: str, program_id: str, member: dict[str, Any]) -> None:
        self.client, self.card_id, self.program_id, self.member = client, card_id, program_id, member
        self.code: str = member["cards"][0]["card"]["code"]
        self.path = f"{PROGRAMS}/{program_id}/members/{member['id']}"

    async def add(self, points: int, code: str = "", **more: Any) -> None:
        """Put points on a card."""
        path = f"/v1/loyalties/members/{code or self.code}/balance"
        await ok(self.client, "POST", path, {"points": points, **more})

    async def reward(self, stock: Any = UNLIMITED, **more: Any) -> str:
        """A reward of the program, goods for 200 points."""
        product = (await ok(self.client, "POST", "/v1/products", {"name": "A mug"}))["id"]
        return await self.offer(mug(self.card_id, product, **more), stock)

    async def digital(self, kind: str, campaign_id: str, stock: Any = UNLIMITED, **more: Any) -> str:
        """A reward of a campaign for 200 points."""
        section = DIGITAL[kind]
        name = section["type"].lower()
        told = section | {name: section[name] | {"campaign_id": campaign_id}}
        body = mug(self.card_id, "", type="DIGITAL", name=kind, digital=told, **more)
        del body["material"]
        return await self.offer(body, stock)

    async def offer(self, body: dict[str, Any], stock: Any = UNLIMITED) -> str:
        """A reward of the program."""
        reward_id = (await ok(self.client, "POST", REWARDS, body))["id"]
        await ok(
            self.client, "POST", f"{PROGRAMS}/{self.program_id}/rewards/batch",
            {"assign": [{"id": reward_id, "stock": stock}]},
        )  # fmt: skip
        return reward_id

    async def buy(self, reward_id: str, status: int = 202, **more: Any) -> Any:
        """What buying answers."""
        body = {"reward_id": reward_id, **more}
        answer = await self.client.post(f"{self.path}/rewards/purchases", json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    async def last(self) -> dict[str, Any]:
        """The latest purchase."""
        return (await ok(self.client, "GET", f"{self.path}/rewards/purchases"))["data"][0]

    async def refund(self, purchase_id: str, status: int = 202, **policies: str) -> Any:
        """What a refund answers."""
        path = f"{PROGRAMS}/{self.program_id}/rewards/purchases/{purchase_id}/refund"
        answer = await self.client.post(path, json={"policies": policies} if policies else {})
        assert answer.status_code == status, answer.text
        return answer.json()

    async def points(self) -> int:
        """What is on the card."""
        return (await ok(self.client, "GET", self.path))["cards"][0]["card"]["balance"]["points"]

    async def gone(self, reward_id: str) -> int:
        """How many of a reward are gone."""
        found = await ok(self.client, "GET", f"{PROGRAMS}/{self.program_id}/rewards?limit=100")
        return next(one["redeemed"] for one in found["data"] if one["reward_id"] == reward_id)


async def club_of(client: Client, points: int = 1000, **of_card: Any) -> Club:
    """A program of one card, and a member with points."""
    card_id = (await ok(client, "POST", CARDS, card(**of_card)))["id"]
    made = await program(client, card_definitions=[{"id": card_id}])
    club = Club(client, card_id, made["id"], await join(client, made["id"]))
    if points:
        await club.add(points)
    return club


async def campaign(client: Client, kind: str, **more: Any) -> str:
    """A campaign whose codes can be a reward."""
    coupon = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}
    voucher = {"type": "GIFT_VOUCHER", "gift": {"amount": 0}} if kind == "gift" else coupon
    body = {"name": f"Campaign of {kind}", "type": "AUTO_UPDATE", "voucher": voucher, **more}
    return (await ok(client, "POST", "/v1/campaigns", body))["id"]


async def test_goods_are_bought_once(client: Client) -> None:
    club = await club_of(client)
    reward = await club.reward(limited(2))
    made = await club.buy(reward)
    assert made["status"] == "TRANSACTION_CREATED"
    told = made["transaction"]
    assert (told["status"], told["type"], told["object"]) == ("PENDING", "PURCHASE", "reward_transaction")
    assert told["details"] == {
        "reason": "Points spent on reward", "rejection": None, "metadata": {}, "points": {"total": 200}, "result": None,
    }  # fmt: skip
    last = await club.last()
    assert last["id"] == told["id"] and last["status"] == "APPROVED"
    assert last["details"]["result"]["reward"] == {"id": reward, "type": "MATERIAL"}
    assert last["details"]["result"]["material"]["product"]["id"].startswith("prod_")
    assert last["card_transaction_id"] == told["card_transaction_id"]
    assert await club.points() == 800 and await club.gone(reward) == 1
    assert await entries(client, club.code) == [("POINTS_ADDITION", 1000), ("POINTS_REDEMPTION", -200)]


async def test_a_dry_run_changes_nothing(client: Client, pool: db.Pool) -> None:
    club = await club_of(client)
    rewards = [
        await club.reward(limited(1)),
        await club.digital("coupon", await campaign(client, "coupon")),
        await club.digital("gift", await campaign(client, "gift")),
    ]
    before = await everything(pool, client.project_id)
    for reward in rewards:
        told = await club.buy(reward, 200, mode="DRY_RUN")
        assert told["status"] == "DRY_RUN" and told["transaction"]["status"] == "SIMULATED"
        assert "id" not in told["transaction"] and told["transaction"]["details"]["points"] == {"total": 200}
    assert await everything(pool, client.project_id) == before


async def test_a_code_of_a_campaign_becomes_the_members(client: Client) -> None:
    club = await club_of(client)
    reward = await club.digital("coupon", await campaign(client, "coupon"))
    await club.buy(reward)
    told = (await club.last())["details"]["result"]
    (coupon,) = told["digital"]["discount_coupons"]
    assert told["digital"]["type"] == "DISCOUNT_COUPONS" and told["material"] is None
    shown = await ok(client, "GET", f"/v1/vouchers/{coupon['code']}")
    assert shown["id"] == coupon["id"] and shown["holder_id"] == club.member["customer_id"]
    given = await ok(client, "GET", f"/v1/publications?customer={club.member['customer_id']}")
    assert [one["vouchers_id"] for one in given["publications"]] == [[coupon["id"]]]
    assert given["publications"][0]["channel"] == "LOYALTY"


async def test_codes_that_are_there_are_given_first_and_none_twice(client: Client) -> None:
    club = await club_of(client)
    there = await campaign(client, "coupon", type="STATIC", vouchers_count=0)
    for code in ("ONE", "TWO"):
        await ok(client, "POST", f"/v1/campaigns/{there}/vouchers/{code}", {})
    reward = await club.digital("coupon", there)
    for _ in range(2):
        await club.buy(reward)
    assert (await club.buy(reward, 423))["key"] == "reward_out_of_stock"
    bought = (await ok(client, "GET", f"{club.path}/rewards/purchases"))["data"]
    codes = [one["details"]["result"]["digital"]["discount_coupons"][0]["code"] for one in bought]
    assert sorted(codes) == ["ONE", "TWO"]
    assert await club.points() == 600


async def test_credit_goes_onto_the_gift_card_that_is_there(client: Client) -> None:
    club = await club_of(client)
    reward = await club.digital("gift", await campaign(client, "gift"))
    for balance in (500, 1000):
        await club.buy(reward)
        (gift,) = (await club.last())["details"]["result"]["digital"]["gift_vouchers"]
        assert (gift["amount"], gift["balance"]) == (500, balance)
        shown = await ok(client, "GET", f"/v1/vouchers/{gift['code']}")
        assert shown["gift"]["balance"] == balance and shown["holder_id"] == club.member["customer_id"]
    assert (
        len((await ok(client, "GET", f"/v1/publications?customer={shown['holder_id']}"))["publications"]) == 1
    )


async def test_points_go_onto_another_card(client: Client) -> None:
    stars = (await ok(client, "POST", CARDS, card(name="Stars")))["id"]
    points = (await ok(client, "POST", CARDS, card()))["id"]
    made = await program(client, card_definitions=[{"id": points}, {"id": stars}])
    club = Club(client, points, made["id"], await join(client, made["id"]))
    codes = {each["card"]["card_definition_id"]: each["card"]["code"] for each in club.member["cards"]}
    await club.add(300, codes[points])
    section = {
        "type": "LOYALTY_CARD_POINTS",
        "loyalty_card_points": {"points": 7, "card_definition_id": stars},
    }
    body = mug(points, "", type="DIGITAL", digital=section)
    del body["material"]
    await club.buy(await club.offer(body))
    given = (await club.last())["details"]["result"]["digital"]["loyalty_card_points"]
    assert (given["points"], given["card_definition_id"]) == (7, stars)
    cards = {
        each["card"]["card_definition_id"]: each["card"]["balance"]["points"]
        for each in (await ok(client, "GET", club.path))["cards"]
    }
    assert cards == {points: 100, stars: 7}


LIMITS = {
    "at once": {"global": {"type": "NO_LIMIT"}, "transactions": {"type": "LIMITED", "limits": [{"type": "POINTS", "max": 199}]}},
    "in all": {"global": {"type": "LIMITED", "limits": [{"type": "SPENDING_BASED", "max": 399}]}, "transactions": {"type": "NO_LIMIT"}},
    "a month": {
        "global": {
            "type": "LIMITED",
            "limits": [
                {
                    "type": "TIME_BASED", "points": {"max": 399},
                    "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "MONTH"}},
                }
            ],
        },
        "transactions": {"type": "NO_LIMIT"},
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("limit", "may", "key"),
    [
        ("at once", 0, "transaction_spending_limit_exceeded"),
        ("in all", 1, "global_spending_limit_exceeded"),
        ("a month", 1, "global_spending_limit_exceeded"),
    ],
)
async def test_cards_spend_within_their_limits(client: Client, limit: str, may: int, key: str) -> None:
    club = await club_of(client, spending_limits=LIMITS[limit])
    reward = await club.reward(refunds={"type": "REFUNDABLE"})
    for _ in range(may):
        await club.buy(reward)
    assert (await club.buy(reward, 423))["key"] == key
    assert await club.points() == 1000 - 200 * may
    if may:
        await club.refund((await club.last())["id"])
        await club.buy(reward)


def often(most: int) -> dict[str, Any]:
    """So many purchases a day."""
    period = {"type": "CURRENT_PERIOD", "current_period": {"unit": "DAY"}}
    return {
        "frequency": {
            "type": "LIMITED",
            "limits": [{"type": "TIME_BASED", "triggers": {"max": most}, "period": period}],
        }
    }


COOLDOWN = {"cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "DAY", "value": 1}}}}


async def test_members_buy_as_often_as_the_reward_says(client: Client, pool: db.Pool) -> None:
    club = await club_of(client)
    twice = await club.reward(name="Twice", purchase_limits=often(2))
    rests = await club.reward(name="Rests", purchase_limits=COOLDOWN)
    for _ in range(2):
        await club.buy(twice)
    assert (await club.buy(twice, 423))["key"] == "reward_purchase_limit_exceeded"
    await club.buy(rests)
    assert (await club.buy(rests, 423))["key"] == "reward_cooldown"
    earlier = (
        "update loyalty_purchases set created_at = created_at - interval '25 hours' where project_id = $1"
    )
    await db.execute(pool, earlier, client.project_id)
    await club.buy(rests)
    await club.buy(twice)
    assert await club.points() == 0


async def test_prices_are_looked_at_from_the_first_on(client: Client) -> None:
    club = await club_of(client)
    vip = {
        "rules": {
            "1": {"name": "member.metadata", "property": "vip", "conditions": {"$is": [True]}},
            "logic": "1",
        }
    }
    costs = [
        vip | {"spending": [{"points": 50, "card_definition_id": club.card_id}]},
        {"spending": [{"points": 300, "card_definition_id": club.card_id}]},
    ]
    reward = await club.reward(costs=costs)
    await club.buy(reward)
    assert await club.points() == 700
    await ok(client, "PUT", club.path, {"metadata": {"vip": True}})
    await club.buy(reward)
    assert await club.points() == 650
    only = await club.reward(name="Only", costs=[costs[0]])
    await ok(client, "PUT", club.path, {"metadata": None})
    assert (await club.buy(only, 423))["key"] == "no_matching_reward_cost"


async def test_refusals_change_nothing(client: Client, pool: db.Pool) -> None:
    club = await club_of(client, points=100)
    few, none = await club.reward(), await club.reward(limited(0), name="None")
    off = await club.reward(name="Off")
    await ok(client, "POST", f"{REWARDS}/{off}/deactivate")
    late = await club.reward(name="Late", start_date="2020-01-01T00:00:00Z", end_date="2021-01-01T00:00:00Z")
    elsewhere = (
        await ok(client, "POST", REWARDS, mug(club.card_id, await product(client), name="Elsewhere"))
    )["id"]
    before = await everything(pool, client.project_id)
    for reward, status, key in (
        (few, 423, "insufficient_card_balance"), (none, 423, "reward_out_of_stock"), (off, 423, "non_active_reward"),
        (late, 423, "reward_outside_validity_window"), (elsewhere, 404, "not_found"), ("lrew_none", 404, "not_found"),
    ):  # fmt: skip
        for mode in ("TRANSACTION", "DRY_RUN"):
            assert (await club.buy(reward, status, mode=mode))["key"] == key
    path = f"{PROGRAMS}/{club.program_id}/members/lmbr_nobody/rewards/purchases"
    assert (await refused(client, "POST", path, {"reward_id": few}))[:2] == (404, "not_found")
    path = f"{PROGRAMS}/lprg_none/members/{club.member['id']}/rewards/purchases"
    assert (await refused(client, "POST", path, {"reward_id": few}))[:2] == (404, "not_found")
    assert (await refused(client, "POST", f"{club.path}/rewards/purchases", {}))[:2] == (
        400,
        "invalid_payload",
    )
    assert await everything(pool, client.project_id) == before


async def product(client: Client) -> str:
    """A product's id."""
    return (await ok(client, "POST", "/v1/products", {"name": "A cup"}))["id"]


async def test_who_is_switched_off_buys_nothing(client: Client) -> None:
    club = await club_of(client)
    reward = await club.reward()
    await ok(client, "POST", f"{club.path}/deactivate")
    assert (await club.buy(reward, 423))["key"] == "non_active_member"
    await ok(client, "POST", f"{club.path}/activate")
    await ok(client, "POST", f"{PROGRAMS}/{club.program_id}/deactivate")
    assert (await club.buy(reward, 423))["key"] == "non_active_program"
    await ok(client, "POST", f"{PROGRAMS}/{club.program_id}/activate")
    over = await program(client, name="Over", end_date="2021-01-01T00:00:00Z")
    past = Club(client, club.card_id, over["id"], await join(client, over["id"]))
    assert (await past.buy(await past.reward(), 423))["key"] == "program_outside_validity_window"


async def test_a_retry_buys_once(client: Client) -> None:
    club = await club_of(client)
    reward = await club.reward()
    path, body = f"{club.path}/rewards/purchases", {"reward_id": reward}
    answers = [await client.post(path, json=body, headers={"Idempotency-Key": "once"}) for _ in range(3)]
    assert [each.status_code for each in answers] == [202] * 3
    assert len({each.json()["transaction"]["id"] for each in answers}) == 1
    assert await club.points() == 800


async def test_what_a_session_keeps_is_not_to_be_had(client: Client, pool: db.Pool) -> None:
    club = await club_of(client, points=300)
    reward = await club.reward()
    card_id = "v_" + club.member["cards"][0]["card"]["id"].partition("_")[2]
    hold = """
        insert into session_holds (project_id, session_key, held, redeemable_id, amount, expires_at)
        values ($1, 'basket', 'c:' || $2, $2, 101, now() + interval '1 hour')
    """
    await db.execute(pool, hold, client.project_id, card_id)
    assert (await club.buy(reward, 423))["key"] == "insufficient_card_balance"
    await db.execute(pool, "delete from session_holds where project_id = $1", client.project_id)
    await club.buy(reward)


async def test_the_list_is_narrowed_and_goes_on(client: Client) -> None:
    club = await club_of(client)
    mugs, cups = await club.reward(), await club.reward(name="Cup")
    for reward in (mugs, cups, mugs):
        await club.buy(reward)
    path = f"{club.path}/rewards/purchases"
    of_mugs = await ok(client, "GET", f"{path}?filters[reward_id][conditions][$is]={mugs}")
    assert [one["reward_id"] for one in of_mugs["data"]] == [mugs, mugs]
    first = await ok(client, "GET", f"{path}?limit=2&order=created_at")
    rest = await ok(client, "GET", f"{path}?limit=2&order=created_at&cursor={first['cursor']['next']}")
    assert [one["reward_id"] for one in first["data"] + rest["data"]] == [mugs, cups, mugs]
    assert first["cursor"]["next"].startswith("lcrstrx_") and rest["cursor"] is None
