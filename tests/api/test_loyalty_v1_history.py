"""A drawn history of two cards by the older API's paths: whatever happened, what a card shows adds up as it is written
down (`balance` = `points` - `expired_points` - `subtracted_points` - `redeemed_points`), and no figure but a balance that
owes is below nothing.
"""

import random
from typing import Any

import pytest

from guerdon.verify import verify

from .conftest import Client
from .loyalty import PROGRAMS, ok, refused
from .test_exports_loyalties import table
from .test_loyalty_earning import buy, give_back
from .test_loyalty_history import LAPSE
from .test_loyalty_v1 import LOYALTIES, club, join, per_order
from .test_rewards_v1 import coin, give, goods
from .test_rewards_v1_redeemed import REDEMPTIONS, asked

STEPS = 40
ACTS = [
    "buy",
    "buy",
    "return",
    "add",
    "take",
    "transfer",
    "transfer",
    "pay",
    "pay",
    "goods",
    "roll back",
    "lapse",
]


class Story:
    """Two cards of a program, and what was done with them."""

    def __init__(
        self, client: Client, draw: random.Random, campaign: str, cards: list[dict[str, Any]]
    ) -> None:
        self.client, self.draw, self.campaign, self.cards = client, draw, campaign, cards
        self.orders: list[tuple[dict[str, Any], int]] = []
        self.redemptions: list[str] = []
        self.before: list[dict[str, int]] = [{}, {}]

    async def check(self) -> None:
        """What each card shows, and that what it ever got, lost and let lapse only grows."""
        for place, card in enumerate(self.cards):
            shown = await ok(self.client, "GET", f"{LOYALTIES}/members/{card['code']}")
            on, used = shown["loyalty_card"], shown["redemption"]["redeemed_points"]
            assert on["balance"] == on["points"] - on["expired_points"] - on["subtracted_points"] - used, on
            figures = {name: on[name] for name in ("points", "expired_points", "subtracted_points")}
            for name, figure in figures.items():
                assert figure >= self.before[place].get(name, 0), (name, on)
            assert used >= 0 and on["pending_points"] >= 0
            self.before[place] = figures

    async def check_newer(self) -> None:
        """The other face reckons with the same figures."""
        path = f"{PROGRAMS}/lprg_{self.campaign.partition('_')[2]}/members"
        for member in (await ok(self.client, "GET", path))["data"]:
            on = (await ok(self.client, "GET", f"{path}/{member['id']}"))["cards"][0]["card"]
            all_ = on["lifetime_bucket"]["points"]
            assert min(all_.values()) >= 0, all_
            less = all_["subtracted"] + all_["expired"] + all_["spent"] + all_["refunded"]
            assert on["balance"]["points"] == all_["total"] - less + all_["returned"]
            older = (await ok(self.client, "GET", f"{LOYALTIES}/members/{on['code']}"))["loyalty_card"]
            assert (older["balance"], older["points"]) == (on["balance"]["points"], all_["total"])

    async def act(self, what: str, tonight: Any) -> None:
        """One step; those that cannot be are passed over."""
        client, draw = self.client, self.draw
        card, other = draw.sample(self.cards, 2)
        path = f"{LOYALTIES}/members/{card['code']}"
        there = max(0, (await ok(client, "GET", path))["loyalty_card"]["balance"])
        some = draw.randrange(1, there + 1) if there else 0
        match what:
            case "buy":
                name = "ada" if card is self.cards[0] else "bob"
                order = await buy(client, draw.randrange(10, 400) * 10, name)
                self.orders.append((order, order["total_amount"]))
            case "return" if self.orders:
                order, worth = self.orders.pop(draw.randrange(len(self.orders)))
                amount = draw.randrange(10, worth + 10, 10)
                await give_back(client, order, amount)
                if worth - amount:
                    self.orders.append((order, worth - amount))
            case "add":
                dated = {"expiration_type": "CUSTOM_DATE", "expiration_date": "2090-01-01"}
                await ok(client, "POST", f"{path}/balance", {"points": draw.randrange(1, 50)} | dated)
            case "take" if some:
                await ok(client, "POST", f"{path}/balance", {"points": -some})
            case "transfer" if some:
                gift = [{"code": card["code"], "points": some, "source_id": "gift"}]
                to = f"{LOYALTIES}/{self.campaign}/members/{other['code']}/transfers"
                await ok(client, "POST", to, gift)
            case "pay" if some:
                body = asked(card, {"id": self.pay}, some, amount=100_000)
                self.redemptions.append((await ok(client, "POST", REDEMPTIONS, body))["redemptions"][0]["id"])
            case "goods" if there >= 5:
                body = {"reward": {"id": self.mug}}
                self.redemptions.append((await ok(client, "POST", f"{path}/redemption", body))["id"])
            case "roll back" if self.redemptions:
                name = self.redemptions.pop(draw.randrange(len(self.redemptions)))
                await ok(client, "POST", f"{REDEMPTIONS}/{name}/rollback")
            case "lapse" if draw.random() < 0.4:
                await tonight(LAPSE)

    async def offer(self) -> None:
        """Rewards: points that pay, and goods for 5."""
        self.pay = (await coin(self.client, 1, 10))["id"]
        await give(self.client, self.campaign, self.pay)
        self.mug = (await goods(self.client))["id"]
        await give(self.client, self.campaign, self.mug, 5)


@pytest.mark.parametrize("clawback", ["DEBT", "FLOOR", "NEGATIVE"])
async def test_what_a_card_shows_adds_up(
    client: Client, run_jobs: Any, tonight: Any, database_url: str, clawback: str
) -> None:
    draw = random.Random(clawback)
    made = await club(client, per_order(), card={"points": 3, "clawback": clawback})
    cards = [await join(client, made["id"], name) for name in ("ada", "bob")]
    story = Story(client, draw, made["id"], cards)
    await story.offer()
    await story.check()
    for step in range(STEPS):
        await story.act(draw.choice(ACTS), tonight)
        await run_jobs()
        await story.check()
        if not step % 5:
            await story.check_newer()
    assert [result for result in await verify(database_url) if not result.holds] == []


async def test_points_that_came_from_another_card_are_points_that_came(client: Client) -> None:
    made = await club(client)
    ada, bob = [await join(client, made["id"], name) for name in ("ada", "bob")]
    await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", {"points": 5})
    path = f"{LOYALTIES}/{made['id']}/members/{{}}/transfers"
    for giver, taker in ((ada, bob), (bob, ada), (ada, bob)):
        gift = [{"code": giver["code"], "points": 5, "source_id": "t", "reason": "birthday"}]
        await ok(client, "POST", path.format(taker["code"]), gift)
    figures = {}
    for name, card in (("ada", ada), ("bob", bob)):
        on = (await ok(client, "GET", f"{LOYALTIES}/members/{card['code']}"))["loyalty_card"]
        figures[name] = (on["points"], on["subtracted_points"], on["balance"])
    assert figures == {"ada": (10, 10, 0), "bob": (10, 5, 5)}
    gift = [{"code": bob["code"], "points": 6, "source_id": "t"}]
    told = await refused(client, "POST", path.format(ada["code"]), gift)
    assert told == (400, "loyalty_card_points_exceeded", "[0].points")


async def test_a_transfer_of_many_lots_is_told_from_both_sides(client: Client, run_jobs: Any) -> None:
    """What comes keeps when it lapses, so it comes in as many entries; each names the one that went, and that one the
    first of them. All tell what was said of the transfer, by either API and in the export."""
    made = await club(client)
    ada, bob = [await join(client, made["id"], name) for name in ("ada", "bob")]
    for date in ("2090-05-31", "2091-05-31"):
        dated = {"points": 10, "expiration_type": "CUSTOM_DATE", "expiration_date": date}
        await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", dated)
    gift = [{"code": ada["code"], "points": 15, "source_id": "tr-1", "reason": "birthday"}]
    await ok(client, "POST", f"{LOYALTIES}/{made['id']}/members/{bob['code']}/transfers", gift)
    out = (await ok(client, "GET", f"{LOYALTIES}/members/{ada['code']}/transactions"))["data"][0]
    ins = (await ok(client, "GET", f"{LOYALTIES}/members/{bob['code']}/transactions?order=created_at"))[
        "data"
    ]
    assert [one["details"]["balance"]["points"] for one in (out, *ins)] == [-15, 10, 5]
    assert out["related_transaction_id"] == ins[0]["id"]
    assert {one["related_transaction_id"] for one in ins} == {out["id"]}
    for one in (out, *ins):
        assert (one["source_id"], one["reason"], one["source"]) == ("tr-1", "birthday", "API")
    fields = ["id", "type", "source_id", "reason", "source", "related_transaction_id"]
    path = f"{LOYALTIES}/{made['id']}/transactions/export"
    rows = await table(client, run_jobs, path, fields=fields)
    told = {row["ID"]: list(row.values())[2:] for row in rows if "Transfer" in row["Type"].title()}
    assert told == {
        one["id"]: ["tr-1", "birthday", "API", one["related_transaction_id"]] for one in (out, *ins)
    }
    suffix = made["id"].partition("_")[2]
    for card, count in ((ada, 1), (bob, 2)):
        path = f"/v2/loyalties/programs/lprg_{suffix}/members"
        members = (await ok(client, "GET", path))["data"]
        member = next(one for one in members if one["customer_id"] == card["holder_id"])
        there = f"{path}/{member['id']}/cards/lcrd_{card['id'].partition('_')[2]}/transactions"
        newer = (await ok(client, "GET", there))["data"]
        assert [one["details"]["reason"] for one in newer if one["details"]["reason"]] == ["birthday"] * count


@pytest.mark.parametrize("forgotten", ["ada", "bob"])
async def test_who_is_forgotten_is_forgotten_on_the_other_card_too(client: Client, forgotten: str) -> None:
    made = await club(client)
    ada, bob, eve = [await join(client, made["id"], name) for name in ("ada", "bob", "eve")]
    for date in ("2090-05-31", "2091-05-31"):
        dated = {"points": 10, "expiration_type": "CUSTOM_DATE", "expiration_date": date}
        await ok(client, "POST", f"{LOYALTIES}/members/{ada['code']}/balance", dated)
    for taker, points in ((bob, 15), (eve, 5)):
        gift = [{"code": ada["code"], "points": points, "source_id": "t", "reason": "Ada to you"}]
        await ok(client, "POST", f"{LOYALTIES}/{made['id']}/members/{taker['code']}/transfers", gift)
    await ok(client, "POST", f"/v1/customers/{forgotten}/permanent-deletion")
    moved = (await ok(client, "GET", f"{LOYALTIES}/{made['id']}/transactions?limit=50"))["data"]
    told = {(one["source_id"], one["reason"]) for one in moved if one["voucher_id"] in (ada["id"], bob["id"])}
    to_eve = [one["reason"] for one in moved if one["voucher_id"] == eve["id"]]
    if forgotten == "ada":
        assert told == {(None, None)} and to_eve == [None]
    else:
        assert told == {(None, None), ("t", "Ada to you")} and to_eve == ["Ada to you"]
        assert len([one for one in moved if one["voucher_id"] == ada["id"] and one["reason"]]) == 1
