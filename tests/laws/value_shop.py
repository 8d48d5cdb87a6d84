"""A shop in which value is turned into other value in every way there is, and what its customers have of it.

Everything goes over HTTP. What a customer could gain is reckoned from what the shop handed out, not from how the
product keeps it: cash paid for orders that stand, credit, points at the shop's own rate, and nothing else.
"""

import random
from collections.abc import Callable
from typing import Any

from api.conftest import RESEAL, Client

from guerdon.kit import db, jobs
from guerdon.ledger.verify import audit
from guerdon.loyalty.night import enqueue_nights
from guerdon.verify import INVARIANTS
from guerdon.worker import jobs as all_jobs

RATE = 5
"""What a point is worth in credit, at the shop's dearest way to turn it."""

YEAR = {"period_type": "MONTH", "period_value": 12}
HELD = """
    select coalesce(sum(balance + cashed_out) filter (where unit = 'credits'), 0)::bigint as credit,
           coalesce(sum(balance) filter (where unit <> 'credits'), 0)::bigint as points
    from cards where project_id = $1
"""
PAID = """
    (o.status in ('PAID', 'FULFILLED') or (o.status = 'CREATED' and exists (
        select from events e where e.project_id = $1 and e.entity_id = o.id and e.type = 'order.paid')))
"""
SPENT_ON_GOODS = f"""
    select coalesce(sum(r.amount - r.returned_amount), 0)::bigint
    from redemptions r
    join orders o on o.project_id = $1 and o.id = r.order_id and {PAID}
    join cards c on c.project_id = $1 and c.id = r.voucher_id and c.unit = 'credits'
    where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS'
"""
POINTS_PAID = f"""
    select coalesce(sum(r.amount - r.returned_amount), 0)::bigint
    from redemptions r
    join orders o on o.project_id = $1 and o.id = r.order_id and {PAID}
    join cards c on c.project_id = $1 and c.id = r.voucher_id and c.unit <> 'credits'
    where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS'
"""
MUGS = """
    select coalesce(sum(r.amount - r.returned_amount), 0)::bigint
    from redemptions r join loyalty_purchases p on p.project_id = $1 and p.redemption_id = r.id and p.type = 'PURCHASE'
    where r.project_id = $1 and r.object = 'redemption' and r.result = 'SUCCESS' and p.reward_id = $2
"""
STANDING = f"""
    select coalesce(sum(total_amount), 0)::bigint as cash, coalesce(sum(total_amount / 100), 0)::bigint as hundreds
    from orders o where o.project_id = $1 and {PAID}
"""
SOLD = f"""
    select coalesce(sum(s.amount), 0)::bigint
    from card_sales s join orders o on o.project_id = $1 and o.id = s.order_id
    where s.project_id = $1 and s.voided_at is null and {PAID}
"""
LESS_REFUNDED = """
    select coalesce((select sum(withheld) from order_returns where project_id = $1), 0)::bigint
         + coalesce((
               select sum(s.amount - s.removed)
               from card_sales s
               where s.project_id = $1 and s.voided_at is not null
                 and not exists (select from order_returns b where b.project_id = $1 and b.order_id = s.order_id)
           ), 0)::bigint
"""
REFERRED = f"""
    select coalesce(sum(w.amount), 0)::bigint
    from referral_rewards w join referrals r on r.project_id = $1 and r.id = w.referral_id
    join orders o on o.project_id = $1 and o.id = r.order_id and {PAID}
    where w.project_id = $1
"""
BOOKS = """
    select c.id from cards c
    left join (select card_id, sum(amount)::bigint as moved from card_entries where project_id = $1 group by 1) e
        on e.card_id = c.id
    left join (select card_id, sum(remaining)::bigint as there from card_lots where project_id = $1 group by 1) l
        on l.card_id = c.id
    where c.project_id = $1
      and (c.balance <> coalesce(e.moved, 0) or c.balance + c.debt <> coalesce(l.there, 0))
"""
BETWEEN_UNITS = """
    select unit, sum(balance - issued + redeemed - refunded + expired + removed - transferred + cashed_out)::bigint as off,
           sum(transferred)::bigint as moved
    from cards where project_id = $1 group by unit
"""
LAPSE = """
    update card_lots set expires_at = now() - interval '1 minute'
    where project_id = $1 and expires_at is not null and remaining > 0
"""
LEDGER_RULES = [
    one for one in INVARIANTS if one.name.split("-")[0] in ("ledger", "referral", "loyalty", "card")
]


class Shop:
    """One project with two customers, their gift cards and points, and a memory of what the shop gave for nothing."""

    NAMES = ("ann", "bob")

    def __init__(self, client: Client, seed: int) -> None:
        self.client, self.chance = client, random.Random(seed)
        assert client.app.state is not None
        self.pool: db.Pool = client.app.state.pool
        self.project_id = client.project_id
        self.gifts: list[str] = []
        self.members: dict[str, str] = {}
        self.referral_codes: dict[str, str] = {}
        self.orders: list[dict[str, Any]] = []
        self.redemptions: list[str] = []
        self.sold: list[str] = []
        self.bought: list[tuple[str, str]] = []
        self.issued_credit = 0
        self.issued_points = 0
        self.story: list[str] = []
        self.asked = 0
        self.worth = ""

    # Setting up ------------------------------------------------------------------------------------------------

    async def open(self) -> None:
        """What the shop offers."""
        points = {"points": 0, "clawback": self.chance.choice(["DEBT", "NEGATIVE"]), "expiration_rules": YEAR}
        club = {"name": "Club", "voucher": {"type": "LOYALTY_CARD", "loyalty_card": points}}
        self.club = f"/v1/loyalties/{(await self.say('POST', '/v1/loyalties', club))['id']}"
        gives = {"type": "PROPORTIONAL", "calculation_type": "ORDER_TOTAL_AMOUNT"}
        gives |= {"order": {"total_amount": {"every": 100, "points": 1}}}
        rule = {"event": "order.paid", "loyalty": gives, "source": {"banner": "A point for every 1.00"}}
        [made] = await self.say("POST", f"{self.club}/earning-rules", [rule])
        gold = {"name": "Gold", "points": {"from": 60}}
        gold["earning_rules"] = {made["id"]: {"type": "MULTIPLY", "multiplier": 2}}
        await self.say("POST", f"{self.club}/tiers", [gold])
        await self._campaigns()
        for name in self.NAMES:
            await self.arrive(name)

    async def _campaigns(self) -> None:
        product = (await self.say("POST", "/v1/products", {"name": "Mug", "price": 900}))["id"]
        coin = {"name": "Pay", "parameters": {"coin": {"exchange_ratio": 1, "points_ratio": 100 // RATE}}}
        mug = {"name": "Mug", "stock": 3, "parameters": {"product": {"id": product}}}
        self.coin = (await self.say("POST", "/v1/rewards", coin))["id"]
        self.mug = (await self.say("POST", "/v1/rewards", mug))["id"]
        gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 2_000}}
        said = {"name": "Sold", "campaign_type": "GIFT_VOUCHERS", "voucher": gift}
        said["options"] = {"cards": "ON_SALE", "refund_less_spent": True}
        self.on_sale = (await self.say("POST", "/v1/campaigns", said))["id"]
        empty = {"name": "Thanks", "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}}
        thanks = (await self.say("POST", "/v1/campaigns", empty))["id"]
        credit = {"name": "Credit", "parameters": {"campaign": {"id": thanks, "balance": 20 * RATE}}}
        self.credit = (await self.say("POST", "/v1/rewards", credit))["id"]
        priced = {"reward": self.credit, "parameters": {"loyalty": {"points": 20}}}
        dear = {"reward": self.mug, "parameters": {"loyalty": {"points": 15}}}
        await self.say("POST", f"{self.club}/rewards", [{"reward": self.coin}, priced, dear])
        reward = {"type": "GIFT_VOUCHER", "amount": 300, "related_object_parent": {"id": thanks}}
        friends = {
            "name": "Friends", "campaign_type": "REFERRAL_PROGRAM", "vouchers_count": 0,
            "referral_program": {"referee_reward": reward, "referrer_tiers": [{"reward": reward}]},
            "voucher": {"type": "DISCOUNT_VOUCHER", "is_referral_code": True, "redemption": {"quantity": None},
                        "discount": {"type": "PERCENT", "percent_off": 10}},
        }  # fmt: skip
        self.friends = (await self.say("POST", "/v1/campaigns", friends))["id"]

    async def arrive(self, name: str) -> None:
        """A customer with a membership, a referral code and a gift card."""
        await self.say("POST", "/v1/customers", {"source_id": name, "email": f"{name}@example.com"})
        made = await self.say("POST", f"{self.club}/members", {"customer": {"source_id": name}})
        self.members[name] = made["code"]
        given = {"campaign": {"id": self.friends, "count": 1}, "customer": {"source_id": name}}
        self.referral_codes[name] = (await self.say("POST", "/v1/publications", given))["voucher"]["code"]
        body = {"type": "GIFT_VOUCHER", "gift": {"amount": 1_000}}
        self.gifts.append((await self.say("POST", "/v1/vouchers", body))["code"])
        self.issued_credit += 1_000

    # What may be done ------------------------------------------------------------------------------------------

    def acts(self) -> dict[str, Callable[[], Any]]:
        """All ways to turn value into other value, by name."""
        return {
            "issue": self.issue, "earn": self.earn, "spend": self.spend, "buy a card": self.buy_a_card,
            "give points": self.give_points, "transfer": self.transfer, "roll back": self.roll_back,
            "return": self.send_back, "cancel": self.cancel, "pay again": self.pay_again, "expire": self.expire,
            "refer": self.refer, "cash out": self.cash_out, "pay with points": self.pay_with_points,
            "points for a mug": self.points_for_a_mug, "points for credit": self.points_for_credit,
        }  # fmt: skip

    async def act(self, name: str) -> None:
        """Do one of them, which may be refused, or have a customer forgotten."""
        self.story.append(name)
        await (self.acts() | {"erase": self.erase})[name]()

    async def erase(self) -> None:
        """A customer is forgotten for good, and somebody else comes."""
        name = self.someone()
        await self.say("POST", f"/v1/customers/{name}/permanent-deletion")
        del self.members[name], self.referral_codes[name]
        await self.arrive(f"customer {len(self.story)}")

    async def issue(self) -> None:
        """Credit for nothing, some of which lapses."""
        amount = self.chance.randrange(1, 600)
        body: dict[str, Any] = {"amount": amount}
        if self.chance.random() < 0.5:
            body |= {"expiration_type": "CUSTOM_DATE", "expiration_date": "2090-01-01"}
        if await self.try_to("POST", f"/v1/vouchers/{self.chance.choice(self.gifts)}/balance", body):
            self.issued_credit += amount

    async def give_points(self) -> None:
        """Points for nothing, or fewer of them."""
        code = self.members[self.someone()]
        amount = self.chance.choice([self.chance.randrange(1, 80), -self.chance.randrange(1, 40)])
        body: dict[str, Any] = {"points": amount}
        if amount > 0 and self.chance.random() < 0.5:
            body |= {"expiration_type": "CUSTOM_DATE", "expiration_date": "2090-01-01"}
        if await self.try_to("POST", f"/v1/loyalties/members/{code}/balance", body):
            self.issued_points += amount

    async def earn(self) -> None:
        """Goods for money."""
        body = {"items": self.goods(), "status": self.status(), "customer": {"source_id": self.someone()}}
        if made := await self.try_to("POST", "/v1/orders", body):
            self.orders.append(made)

    async def spend(self) -> None:
        """Goods for credit, the rest in money."""
        cards = self.chance.sample(self.gifts, k=min(len(self.gifts), self.chance.randint(1, 2)))
        await self.redeem([{"object": "voucher", "id": one, "gift": {"credits": self.chance.randrange(1, 900)}} for one in cards])  # fmt: skip

    async def pay_with_points(self) -> None:
        """Goods for points, the rest in money."""
        reward = {"id": self.coin, "points": self.chance.randrange(1, 60)}
        await self.redeem([{"object": "voucher", "id": self.members[self.someone()], "reward": reward}])

    async def points_for_a_mug(self) -> None:
        """Goods for points alone."""
        await self.take_reward(self.mug)

    async def points_for_credit(self) -> None:
        """Credit for points."""
        if made := await self.take_reward(self.credit):
            code = made["reward"]["voucher"]["code"]
            self.gifts += [] if code in self.gifts else [code]

    async def take_reward(self, reward: str) -> Any:
        """Have a member's points buy something."""
        path = f"/v1/loyalties/members/{self.members[self.someone()]}/redemption"
        made = await self.try_to("POST", path, {"reward": {"id": reward}})
        self.redemptions += [made["id"]] if made else []
        return made

    async def refer(self) -> None:
        """Goods by a friend's code."""
        await self.redeem([{"object": "voucher", "id": self.referral_codes[self.someone()]}])

    async def redeem(self, named: list[dict[str, Any]]) -> None:
        """Redeem, at times on an order that is there already."""
        order: dict[str, Any] = {"items": self.goods(), "status": self.status()}
        if self.orders and self.chance.random() < 0.3:
            order = {"id": self.chance.choice(self.orders)["id"]}
        body = {"redeemables": named, "order": order, "customer": {"source_id": self.someone()}}
        if made := await self.try_to("POST", "/v1/redemptions", body):
            self.redemptions += [one["id"] for one in made["redemptions"]]
            self.orders.append(made["order"])

    async def buy_a_card(self) -> None:
        """A gift card as goods, paid with another one at times."""
        order = {"items": [{"source_id": "a card", "related_object": "product", "price": 2_000, "quantity": 1}], "status": "PAID"}  # fmt: skip
        made = await self.try_to("POST", "/v1/orders", order | {"customer": {"source_id": self.someone()}})
        if not made:
            return
        self.orders.append(made)
        code = f"SOLD-{len(self.story)}-{len(self.sold)}"
        await self.say("POST", f"/v1/campaigns/{self.on_sale}/vouchers/{code}", {})
        if self.chance.random() < 0.5:
            paid = {"object": "voucher", "id": self.chance.choice(self.gifts), "gift": {"credits": 700}}
            told = await self.try_to(
                "POST", "/v1/redemptions", {"redeemables": [paid], "order": {"id": made["id"]}}
            )
            self.redemptions += [one["id"] for one in told["redemptions"]] if told else []
        sale = {"order": {"id": made["id"], "item": {"index": 0}}}
        if await self.try_to("POST", f"/v1/vouchers/{code}/activation", sale):
            self.sold.append(code)
            self.gifts.append(code)

    async def transfer(self) -> None:
        """Points from one customer's card to the other's."""
        there, here = self.chance.sample(list(self.members.values()), k=2)
        body = [{"code": there, "points": self.chance.randrange(1, 60), "source_id": f"t{len(self.story)}"}]
        await self.try_to("POST", f"{self.club}/members/{here}/transfers", body)

    async def roll_back(self) -> None:
        """A redemption, the whole of it or a part."""
        if self.redemptions:
            body = {} if self.chance.random() < 0.5 else {"amount": self.chance.randrange(1, 500)}
            await self.try_to(
                "POST", f"/v1/redemptions/{self.chance.choice(self.redemptions)}/rollback", body
            )

    async def send_back(self) -> None:
        """Goods, by the piece or by what they are worth."""
        if self.orders:
            body: dict[str, Any] = {"items": [{"index": 0, "quantity": 1}]}
            if self.chance.random() < 0.4:
                body = {"amount": self.chance.randrange(1, 1_500)}
            await self.try_to("POST", f"/v1/orders/{self.chance.choice(self.orders)['id']}/returns", body)

    async def cancel(self) -> None:
        """A whole order."""
        await self.set_status("CANCELED")

    async def pay_again(self) -> None:
        """Say of an order that it is paid, or is not after all."""
        await self.set_status(self.chance.choice(["PAID", "PAID", "CREATED", "FULFILLED"]))

    async def set_status(self, status: str) -> None:
        """What the shop says of an order."""
        if self.orders:
            await self.try_to(
                "PUT", f"/v1/orders/{self.chance.choice(self.orders)['id']}", {"status": status}
            )

    async def cash_out(self) -> None:
        """Money for credit."""
        await self.try_to("POST", f"/v1/vouchers/{self.chance.choice(self.gifts)}/cash-out", {"amount": self.chance.randrange(1, 400)})  # fmt: skip

    async def expire(self) -> None:
        """All that lapses has lapsed, and the night looks after it."""
        await db.execute(self.pool, LAPSE, self.project_id)
        await db.execute(self.pool, RESEAL, self.project_id)
        await db.execute(self.pool, "delete from nights where project_id = $1", self.project_id)
        await db.execute(
            self.pool, "delete from jobs where project_id = $1 and kind = 'night.run'", self.project_id
        )
        await enqueue_nights(self.pool)
        await self.work()

    # Its parts -------------------------------------------------------------------------------------------------

    def someone(self) -> str:
        """One of the customers."""
        return self.chance.choice(list(self.members))

    def status(self) -> str:
        """Paid, mostly."""
        return self.chance.choice(["PAID", "PAID", "PAID", "CREATED"])

    def goods(self) -> list[dict[str, Any]]:
        """What is in the basket."""
        price, count = self.chance.randrange(50, 3_000), self.chance.randint(1, 3)
        return [{"source_id": "thing", "related_object": "product", "price": price, "quantity": count}]

    async def say(self, method: str, path: str, body: Any = None) -> Any:
        """The answer of a call that must succeed."""
        answer = await self.client.request(method, path, **({} if body is None else {"json": body}))
        assert answer.status_code in (200, 202), (path, answer.text)
        return answer.json()

    async def try_to(self, method: str, path: str, body: Any) -> Any:
        """The answer, or None where it was refused. Nothing makes a 5xx."""
        self.asked += 1
        answer = await self.client.request(method, path, json=body)
        assert answer.status_code < 500, (method, path, body, answer.text)
        self.story.append(f"  {method} {path} {body} -> {answer.status_code}")
        return (answer.json() if answer.content else True) if answer.status_code < 300 else None

    async def work(self) -> None:
        """Work off the jobs."""
        await jobs.run_due(self.pool, all_jobs())

    # What has to hold ------------------------------------------------------------------------------------------

    async def gained(self) -> int:
        """By how much customers have more than what they paid for and were given: above zero is a hole.

        Goods are worth what they cost, so they cancel out against what was paid for them in money and in credit.
        What was spent of a card that was bought with an order that came back lessens the refund, where the product says
        so; of an order that is called off the shop has to keep it. A paid order entitles to two points for every hundred, and who refers a friend who paid to the reward.
        """
        [held] = await db.records(self.pool, HELD, self.project_id)
        [standing] = await db.records(self.pool, STANDING, self.project_id)
        on_goods = await db.value(self.pool, SPENT_ON_GOODS, self.project_id)
        on_goods += await db.value(self.pool, POINTS_PAID, self.project_id)
        in_points = await db.value(self.pool, MUGS, self.project_id, "l" + self.mug)
        sold = await db.value(self.pool, SOLD, self.project_id)
        less = await db.value(self.pool, LESS_REFUNDED, self.project_id)
        referred = await db.value(self.pool, REFERRED, self.project_id)
        has = held["credit"] + on_goods + RATE * (held["points"] + in_points)
        may = (
            self.issued_credit
            + sold
            + less
            + referred
            + RATE * (self.issued_points + 2 * standing["hundreds"])
        )
        self.worth = f"{held=} {standing=} {on_goods=} {in_points=} {sold=} {less=} {referred=} issued {self.issued_credit} {self.issued_points}"
        return has - may

    async def books(self) -> list[Any]:
        """What does not add up: entries, lots and balances of every card, and every rule of `verify` about value."""
        found: list[Any] = []
        async with self.pool.acquire() as conn, conn.transaction(isolation="repeatable_read", readonly=True):
            found += [one async for one in audit(conn, self.project_id)]
            found += [("books", dict(row)) for row in await db.records(conn, BOOKS, self.project_id)]
            for row in await db.records(conn, BETWEEN_UNITS, self.project_id):
                found += [("units", dict(row))] if row["off"] or row["moved"] else []
            for rule in LEDGER_RULES:
                found += [(rule.name, dict(row)) for row in await conn.fetch(rule.sql, self.project_id)]
        return found

    def told(self) -> str:
        """The story so far, for who has to find out."""
        return "\n".join([*self.story, self.worth])
