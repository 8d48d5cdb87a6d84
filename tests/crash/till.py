"""Tills: clients that buy while things are killed, and keep a log of all that they were told.

Every ask carries its own id in the metadata, so that whatever it left in the books can be counted. One sent with
an Idempotency-Key is sent again until it is answered. One sent without is given up when its answer gets lost:
nobody can know what became of it, but it must not have happened twice.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import httpx
from msgspec import Struct, field

from .limits import BUDGETED, CUSTOMERS

PATIENCE_SECONDS = 60.0
TIMEOUT_SECONDS = 3.0
TILLS = 16
HOT = ("HOT-1", "HOT-2", "HOT-3")
PLENTY = "PLENTY"
CARDS = ("CARD-1", "CARD-2", "CARD-3", "CARD-4")


TELLING = ("code", "redemption", "rollback", "balance", "return", "order")
"""What is asked for with metadata. Of the other kinds an acknowledged answer says the id of what was done."""


class Ask(Struct):
    """One thing that was asked for, and every answer to it. `lost` says that it was given up."""

    id: str
    kind: Literal[
        "code", "redemption", "rollback", "balance", "return",
        "order", "cancellation", "purchase", "refund", "payment", "pending",
    ]  # fmt: skip
    path: str
    body: dict[str, Any]
    keyed: bool
    answers: list[tuple[int, bytes]] = field(default_factory=list)
    lost: bool = False
    made: list[str] = field(default_factory=list)
    tries: int = 0
    method: str = "POST"

    @property
    def won(self) -> bool:
        """Whether it was acknowledged with a success."""
        return bool(self.answers) and self.answers[0][0] in (200, 202)


class Bought(Struct):
    """An acknowledged redemption: what it gave in cents, whether it is a stack, and its order."""

    id: str
    amount: int
    stack: bool
    order: str


class Log:
    """What all tills know together."""

    def __init__(self) -> None:
        self.asks: list[Ask] = []
        self.bought: list[Bought] = []
        self.redemptions = 0
        self.tier = ""
        self.last_won = time.monotonic()

    def note(self, ask: Ask, answer: httpx.Response) -> None:
        """An answer came."""
        ask.answers.append((answer.status_code, answer.content))
        if not ask.won or len(ask.answers) > 1:
            return
        self.last_won = time.monotonic()
        content = answer.json()
        if ask.kind == "redemption":
            self.redemptions += 1
            ask.made = [one["id"] for one in content["redemptions"]]
            whole = content.get("parent_redemption", content["redemptions"][0])
            ask.made += [whole["id"]] if len(ask.made) > 1 else []
            amount = sum(
                one["order"].get("total_applied_discount_amount", 0) for one in content["redemptions"]
            )
            self.bought.append(Bought(whole["id"], amount, len(ask.made) > 1, content["order"]["id"]))
        elif ask.kind == "rollback":
            ask.made = (
                [one["id"] for one in content["rollbacks"]] if "rollbacks" in content else [content["id"]]
            )
        elif ask.kind in ("purchase", "refund", "payment"):
            ask.made = [content["transaction"]["id"]]
        elif ask.kind == "order":
            ask.made = [content["id"]]


class Till:
    """One client on connections of its own."""

    def __init__(
        self, number: int, address: str, headers: dict[str, str], log: Log, chance: random.Random
    ) -> None:
        self.number = number
        self.log = log
        self.chance = chance
        self.count = 0
        self.client = httpx.AsyncClient(base_url=address, headers=headers, timeout=TIMEOUT_SECONDS)

    async def work(self, over: asyncio.Event) -> None:
        """Buy, and take back, until it is over; what was begun is brought to its end."""
        acts = self.acts()
        while not over.is_set():
            [act] = self.chance.choices(list(acts), list(acts.values()))
            await act()
        await self.client.aclose()

    def acts(self) -> dict[Callable[[], Awaitable[None]], int]:
        """What it does, and how often in comparison."""
        return {
            self._single: 22, self._hot: 22, self._stack: 9, self._take_back: 17, self._limited: 11,
            self._promotion: 7, self._pay: 10, self._move: 6, self._send_back: 6,
        }  # fmt: skip

    async def _single(self) -> None:
        """A single-use code, and two customers who want it at once."""
        code = await self.new_code(quantity=1)
        await asyncio.gather(self.redeem([code], keyed=True), self.redeem([code], keyed=self.either()))

    async def _hot(self) -> None:
        await self.redeem([self.chance.choice(HOT)], keyed=self.either())

    async def _stack(self) -> None:
        code = await self.new_code(quantity=2)
        await self.redeem([code, PLENTY], keyed=self.either())

    async def _limited(self) -> None:
        """Codes of a campaign with a budget, for somebody who may have a few of them; sometimes both at once."""
        codes = self.chance.sample(BUDGETED, self.chance.choice((1, 1, 2)))
        await self.redeem(codes, self.either(), self.chance.choice(CUSTOMERS))

    async def _promotion(self) -> None:
        await self.redeem([self.log.tier], self.either(), self.chance.choice(CUSTOMERS))

    async def _take_back(self) -> None:
        """A redemption of anybody's, in part or as a whole; two tills may well choose the same."""
        if not self.log.bought:
            return
        bought = self.chance.choice(self.log.bought[-200:])
        body = {} if self.either() else {"amount": self.chance.randint(1, max(1, bought.amount))}
        end = "rollbacks" if bought.stack else "rollback"
        await self.send("rollback", f"/v1/redemptions/{bought.id}/{end}", body, self.either())

    async def _pay(self) -> None:
        """With one gift card or two, all they have or a part, sometimes beside a code."""
        cards = self.chance.sample(CARDS, self.chance.choice((1, 1, 2)))
        more = [PLENTY] if self.chance.random() < 0.3 else []
        credits = self.chance.choice((None, 500, 1_500))
        await self.redeem([*more, *cards], self.either(), credits=credits)

    async def _move(self) -> None:
        """Credits onto a card, which may lapse far away, or off it."""
        body: dict[str, Any] = {"amount": self.chance.choice((5_000, 9_999, -700))}
        if body["amount"] > 0 and self.either():
            body["expiration_date"] = "2090-01-01"
        await self.send("balance", f"/v1/vouchers/{self.chance.choice(CARDS)}/balance", body, self.either())

    async def _send_back(self) -> None:
        """A unit of an order of anybody's; two tills may well send the same."""
        if self.log.bought:
            bought = self.chance.choice(self.log.bought[-200:])
            body = {"items": [{"index": self.chance.randint(0, 2), "quantity": 1}]}
            await self.send("return", f"/v1/orders/{bought.order}/returns", body, self.either())

    async def new_card(self, code: str) -> None:
        """Make a gift card of 200.00."""
        body = {"type": "GIFT_VOUCHER", "gift": {"amount": 20_000}}
        made = await self.send("code", f"/v1/vouchers/{code}", body, keyed=True)
        assert made.won, made.answers

    def either(self) -> bool:
        """One or the other, by chance."""
        return self.chance.random() < 0.5

    async def new_code(self, quantity: int | None, code: str | None = None) -> str:
        """Make a code worth 10.00 off."""
        code = code or f"T{self.number}-{self.count}"
        body: dict[str, Any] = {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "AMOUNT", "amount_off": 1000},
        }
        body["redemption"] = {"quantity": quantity}
        made = await self.send("code", f"/v1/vouchers/{code}", body, keyed=True)
        assert made.won, made.answers
        return code

    async def redeem(
        self,
        codes: list[str],
        keyed: bool,
        customer: dict[str, str] | None = None,
        credits: int | None = None,
    ) -> Ask:
        """Redeem codes (or the tier) on a new order of 66.66; of gift cards, so many `credits`."""
        kinds = ["promotion_tier" if code == self.log.tier else "voucher" for code in codes]
        redeemables: list[dict[str, Any]] = [
            {"object": kind, "id": code} for kind, code in zip(kinds, codes, strict=True)
        ]
        for one in redeemables:
            if one["id"] in CARDS and credits is not None:
                one["gift"] = {"credits": credits}
        items = [{"product_id": f"p{n}", "quantity": n + 1, "amount": 1111 * (n + 1)} for n in range(3)]
        body: dict[str, Any] = {"redeemables": redeemables, "order": {"items": items}}
        if customer is not None:
            body["customer"] = customer
        return await self.send("redemption", "/v1/redemptions", body, keyed)

    async def send(
        self, kind: Any, path: str, body: dict[str, Any], keyed: bool, method: str = "POST"
    ) -> Ask:
        """Ask until there is an answer, or, without a key, until it is unknown what happened."""
        self.count += 1
        ask = Ask(f"{self.number}.{self.count}", kind, path, body, keyed, method=method)
        if kind in TELLING:
            body["metadata"] = {"ask": ask.id}
        if kind == "balance":
            body["source_id"] = ask.id
        self.log.asks.append(ask)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not await self.try_once(ask):
            assert time.monotonic() < deadline, f"{ask.kind} {ask.id} is not answered"
            await asyncio.sleep(0.05)
        return ask

    async def try_once(self, ask: Ask) -> bool:
        """Send it; whether that was the last time."""
        head = {"Idempotency-Key": f"key-{ask.id}"} if ask.keyed else {}
        ask.tries += 1
        try:
            answer = await self.client.request(ask.method, ask.path, json=ask.body, headers=head)
        except httpx.ConnectError:
            return False  # it was never sent
        except httpx.TransportError:
            ask.lost = not ask.keyed
            return ask.lost
        if answer.status_code == 503 or (answer.status_code == 409 and "in_use" in answer.text):
            ask.lost = not ask.keyed
            return ask.lost
        self.log.note(ask, answer)
        return True
