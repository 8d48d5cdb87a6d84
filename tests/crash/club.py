"""A loyalty program under a crash test: points bought with, paid with, waiting; rewards with a stock and with codes.

Half of the members are `sure`: their tills send a key with everything, so that nothing of theirs is left unknown and
their balances can be reckoned from what the tills were told alone.
"""

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
from msgspec import Struct, field

from .till import Ask, Till

V2 = "/v2/loyalties"
PRICE = 100
EARNED = 10
WORTH = 2_000
MEMBERS = 8
BEGINNING = 1_000
WAITS = {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 14}}}
POINTS_BACK = {"type": "REFUNDABLE", "methods": [{"type": "RETURN_POINTS", "mode": "REFUND_AMOUNT"}]}


class Member(Struct):
    """A member: the card that pays, by id and code, and the one whose points wait first."""

    id: str
    customer: str
    card: str
    code: str
    later: str
    sure: bool


class Club(Struct):
    """A program as `furnish` makes it, and what its tills did with it: ids of paid orders, and of purchases with their
    buyers."""

    stock: int = 0
    path: str = ""
    definition: str = ""
    later: str = ""
    mug: str = ""
    coupon: str = ""
    coupons: str = ""
    members: list[Member] = field(default_factory=list)
    orders: list[str] = field(default_factory=list)
    bought: list[tuple[str, Member]] = field(default_factory=list)

    def purchases(self, member: Member) -> str:
        """Where a member buys."""
        return f"{self.path}/members/{member.id}/rewards/purchases"

    def payments(self, member: Member) -> str:
        """Where a member pays."""
        return f"{self.path}/members/{member.id}/orders/payments"

    def refunds(self, purchase: str) -> str:
        """Where a purchase is refunded."""
        return f"{self.path}/rewards/purchases/{purchase}/refund"

    def cards(self, member: Member) -> str:
        """Where the points of a member's second card wait."""
        return f"{self.path}/members/{member.id}/cards/{member.later}/pending-points"


async def furnish(client: httpx.AsyncClient, club: Club, stock: int) -> None:
    """Make the program, its members with points, and two rewards: `stock` mugs, and codes without an end."""
    club.stock = stock
    card = {"name": "Points", "type": "INDIVIDUAL", "status": "ACTIVE"}
    refunds = {"spent_points": POINTS_BACK, "earned_points": {"type": "NONE"}}
    pays = {"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": 1}}
    club.definition = await _made(
        client, f"{V2}/card-definitions", card | {"pay_with_points": pays, "refunds": refunds}
    )
    club.later = await _made(
        client, f"{V2}/card-definitions", card | {"name": "Later", "pending_points": WAITS}
    )
    points = {"type": "POINTS", "points": {"value": EARNED, "card_definition_id": club.later}}
    rule = {"name": "Paid", "status": "ACTIVE", "trigger": {"event": "customer.order.paid"}}
    rule_id = await _made(client, f"{V2}/earning-rules", rule | {"earnings": [{"effects": [points]}]})
    body = {
        "name": "Club", "status": "ACTIVE", "earning_rules": [{"id": rule_id}],
        "card_definitions": [{"id": club.definition}, {"id": club.later}],
    }  # fmt: skip
    club.path = f"{V2}/programs/{await _made(client, f'{V2}/programs', body)}"
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": {"type": "PERCENT", "percent_off": 10}}
    campaign = {"name": "coupons", "type": "AUTO_UPDATE", "voucher": voucher}
    club.coupons = await _made(client, "/v1/campaigns", campaign)
    coupon = {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": club.coupons}}
    product = await _made(client, "/v1/products", {"name": "A mug"})
    goods = {"type": "PRODUCT", "product": {"id": product}}
    club.mug = await _reward(client, club, {"type": "MATERIAL", "material": goods}, stock)
    club.coupon = await _reward(client, club, {"type": "DIGITAL", "digital": coupon}, None)
    for number in range(MEMBERS):
        club.members.append(await join(client, club, f"member {number}", sure=number % 2 == 0))


async def join(client: httpx.AsyncClient, club: Club, name: str, *, sure: bool) -> Member:
    """A new member with the points to begin with."""
    customer = await _made(client, "/v1/customers", {"source_id": name})
    named = {"customer_identification": {"type": "customer_id", "customer_id": customer}}
    made = await _post(client, f"{club.path}/members", named)
    cards = {one["card"]["card_definition_id"]: one["card"] for one in made["cards"]}
    first = cards[club.definition]
    await _post(client, f"/v1/loyalties/members/{first['code']}/balance", {"points": BEGINNING})
    return Member(made["id"], customer, first["id"], first["code"], cards[club.later]["id"], sure)


async def _reward(client: httpx.AsyncClient, club: Club, what: dict[str, Any], stock: int | None) -> str:
    body = {"name": what["type"], "status": "ACTIVE", "refunds": {"type": "REFUNDABLE"}, **what}
    body["costs"] = [{"spending": [{"points": PRICE, "card_definition_id": club.definition}]}]
    made = await _made(client, f"{V2}/rewards", body)
    kept = {"type": "UNLIMITED"} if stock is None else {"type": "LIMITED", "limited": {"quantity": stock}}
    await _post(client, f"{club.path}/rewards/batch", {"assign": [{"id": made, "stock": kept}]})
    return made


async def _post(client: httpx.AsyncClient, path: str, body: Any) -> Any:
    answer = await client.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def _made(client: httpx.AsyncClient, path: str, body: Any) -> str:
    return (await _post(client, path, body))["id"]


class ClubTill(Till):
    """A till that members of the club come to as well."""

    club: Club

    def acts(self) -> dict[Callable[[], Awaitable[None]], int]:
        """What it does, and how often in comparison."""
        return super().acts() | {
            self._buy: 14, self._refund: 8, self._top_up: 7, self._earn: 7, self._pay_order: 9, self._cancel: 3,
            self._settle: 5,
        }  # fmt: skip

    def _member(self) -> Member:
        return self.chance.choice(self.club.members)

    def _key(self, member: Member) -> bool:
        return member.sure or self.either()

    async def _buy(self) -> None:
        """A mug or a code; sometimes two clients of the member at once, for what may be the last of the points."""
        member = self._member()
        await self.buy(member, self.chance.choice((self.club.mug, self.club.coupon)))

    async def buy(self, member: Member, reward: str) -> Ask:
        """Buy a reward for 100 points."""
        body = {"reward_id": reward}
        ask = await self.send("purchase", self.club.purchases(member), body, self._key(member))
        if ask.won:
            self.club.bought.append((ask.made[0], member))
        return ask

    async def _refund(self) -> None:
        """A purchase of anybody's; two tills may well choose the same."""
        if self.club.bought:
            purchase, member = self.chance.choice(self.club.bought[-100:])
            await self.send("refund", self.club.refunds(purchase), {}, self._key(member))

    async def _top_up(self) -> None:
        member = self._member()
        body = {"points": self.chance.choice((70, 250, 400))}
        await self.send("balance", f"/v1/loyalties/members/{member.code}/balance", body, self._key(member))

    async def _earn(self) -> None:
        """A paid order, for which points are to wait on the member's second card."""
        body = {"status": "PAID", "amount": WORTH, "customer": {"id": self._member().customer}}
        ask = await self.send("order", "/v1/orders", body, self.either())
        if ask.won:
            self.club.orders += ask.made

    async def _pay_order(self) -> None:
        """Some of an order of anybody's; together they may pay no more than all of it."""
        if not self.club.orders:
            return
        member = self._member()
        most = self.chance.choice((30, 150, 900))
        body = {
            "card_id": member.card, "order": {"id": self.chance.choice(self.club.orders[-20:])},
            "payment_limit": {"type": "POINTS_LIMIT", "points_limit": {"max": most}},
        }  # fmt: skip
        await self.send("payment", self.club.payments(member), body, self._key(member))

    async def _cancel(self) -> None:
        """An order; what points paid of it comes back."""
        if self.club.orders:
            path = f"/v1/orders/{self.chance.choice(self.club.orders[-20:])}"
            await self.send("cancellation", path, {"status": "CANCELED"}, self.either(), method="PUT")

    async def _settle(self) -> None:
        """Points that wait on a card of anybody's, made active or given up; two tills may well choose the same."""
        cards = self.club.cards(self._member())
        with contextlib.suppress(httpx.TransportError):
            answer = await self.client.get(cards)
            if answer.status_code == 200 and (found := answer.json()["data"]):
                verb = self.chance.choice(("activate", "cancel"))
                path = f"{cards}/{self.chance.choice(found)['id']}/{verb}"
                await self.send("pending", path, {}, self.either())
