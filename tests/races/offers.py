"""What races of limits are about: rules, campaigns, tiers, and requests that ask for them."""

from typing import Any

from laws.recount import miscounted

from guerdon.kit import db
from guerdon.verify import verify

from .shop import CLIENTS, Shop
from .together import Response, request

TEN_OFF = {"type": "AMOUNT", "amount_off": 1000}
USED = "select coalesce(sum(used), 0)::bigint from tallies where project_id = $1 and key like $2"


class Offers:
    """Makes what can be asked for, asks for it together, and holds what came of it against the books."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def post(self, path: str, body: Any, status: int = 200, method: str = "POST") -> Any:
        """An answer's content, after a look at its status."""
        answer = self.shop.ask(method, path, body)
        assert answer.status == status, answer.body
        return answer.json() if answer.body else None

    def rule(self, name: str, most: int) -> str:
        """A rule that lets no more than so much be used; its id."""
        return self.rules({"1": {"name": name, "conditions": {"$less_than_or_equal": [most]}}})

    def rules(self, rules: Any, **body: Any) -> str:
        """Any rule; its id."""
        return self.post("/v1/validation-rules", {"name": self.shop.name("rule"), "rules": rules, **body})[
            "id"
        ]

    def assign(self, rule: str, kind: str, thing: str) -> None:
        """Put a rule on something."""
        body = {"related_object_type": kind, "related_object_id": thing}
        self.post(f"/v1/validation-rules/{rule}/assignments", body)

    def assignment(self, rule: str, kind: str, thing: str) -> bytes:
        """The bytes of doing so."""
        body = {"related_object_type": kind, "related_object_id": thing}
        return request("POST", f"/v1/validation-rules/{rule}/assignments", self.shop.headers, body)

    def campaign(self, codes: int = 1, discount: Any = None, **body: Any) -> tuple[str, list[str]]:
        """A campaign of 10.00 off, and codes of it without a limit of their own."""
        voucher = {
            "type": "DISCOUNT_VOUCHER",
            "discount": discount or TEN_OFF,
            "redemption": {"quantity": None},
        }
        made = self.post(
            "/v1/campaigns",
            {"name": self.shop.name("campaign"), "campaign_type": "DISCOUNT_COUPONS", "type": "STATIC",
             "voucher": voucher, **body},
        )  # fmt: skip
        names = [self.shop.name("LIMIT") for _ in range(codes)]
        for name in names:
            self.post(f"/v1/campaigns/{made['id']}/vouchers/{name}", {})
        return made["id"], names

    def tier(self) -> tuple[str, str]:
        """A campaign of promotions and its one tier of 10.00 off."""
        tiers = [{"name": self.shop.name("tier"), "action": {"discount": TEN_OFF}}]
        body = {
            "name": self.shop.name("promotions"),
            "campaign_type": "PROMOTION",
            "promotion": {"tiers": tiers},
        }
        made = self.post("/v1/campaigns", body)
        return made["id"], made["promotion"]["tiers"][0]["id"]

    def ask(self, *things: str, path: str = "/v1/redemptions", headers: Any = None, **more: Any) -> bytes:
        """The bytes of a request for codes and tiers, on an order of 100.00 unless another is given."""
        kinds = ["promotion_tier" if thing.startswith("promo_") else "voucher" for thing in things]
        redeemables = [{"object": kind, "id": thing} for kind, thing in zip(kinds, things, strict=True)]
        body = {"redeemables": redeemables, "order": {"amount": 10_000}, **more}
        return request("POST", path, headers or self.shop.headers, body)

    def redeem(self, *things: str, **more: Any) -> str:
        """Redeem alone; the redemption's id."""
        [answer] = self.release([self.ask(*things, **more)])
        assert answer.status == 200, answer.body
        return answer.json()["redemptions"][0]["id"]

    def change(self, rule: str, name: str, most: int) -> bytes:
        """The bytes of changing how much a rule lets be used."""
        rules = {"1": {"name": name, "conditions": {"$less_than_or_equal": [most]}}}
        return request("PUT", f"/v1/validation-rules/{rule}", self.shop.headers, {"rules": rules})

    def lock(self, *things: str, session: str, **more: Any) -> bytes:
        """The bytes of a validation that holds what it found."""
        return self.ask(*things, path="/v1/validations", session={"type": "LOCK", "key": session}, **more)

    def release(self, asked: list[bytes]) -> list[Response]:
        """All at once. Whatever comes, it is an answer and not a failure of the servers."""
        answers = self.shop.clients.release(asked)
        assert {answer.status for answer in answers} <= {200, 204, 400}, [
            answer.body for answer in answers if answer.status not in (200, 204, 400)
        ]
        return answers

    def race(self, *things: str, **more: Any) -> list[Response]:
        """The same request from everybody at once."""
        return self.release([self.ask(*things, **more)] * CLIENTS)

    async def used(self, part: str) -> int:
        """The sum of tallies whose keys contain something."""
        return await db.value(self.shop.pool, USED, self.shop.project_id, f"%{part}%")

    async def audit(self, dsn: str) -> None:
        """The books agree, by `guerdon verify` and by counting again."""
        results = await verify(dsn)
        assert [(result.invariant, result.rows) for result in results if not result.holds] == []
        assert await miscounted(self.shop.pool, self.shop.project_id) == []


def won(answers: list[Response]) -> list[Response]:
    """Those that succeeded."""
    return [answer for answer in answers if answer.status == 200]


def off(answers: list[Response]) -> list[int]:
    """What each of those that succeeded took off, the most first."""
    made = [answer.json()["order"] for answer in won(answers)]
    return sorted((order["total_applied_discount_amount"] for order in made), reverse=True)
