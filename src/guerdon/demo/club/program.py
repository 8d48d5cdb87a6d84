"""What the club is: the requests that make it, as a shop would send them. `making` is told each answer.

A point for every whole dollar, a quarter more for Silver and half as much again for Gold, twice as many on Sunday
mornings; Silver from 350 points in a quarter, Gold from 900, each kept for half a year. Points last a quarter after
the one they were earned in.
"""

from collections.abc import Generator
from typing import Any

import msgspec

from guerdon.demo.promotions import Request
from guerdon.pages.club import Club

V2 = "/v2/loyalties"
NAME = "The corner club"
TIERS: dict[str, int] = {"Green": 1, "Silver": 350, "Gold": 900}
"""Names of the tiers, and how many points earned in a quarter they begin at."""
WORTH = 2
"""What a point is worth, in cents: 250 of them buy 5.00 off."""

EXPIRY = {
    "type": "ROLLING_EXPIRATION",
    "rolling_expiration": {"period": {"unit": "MONTH", "value": 3}, "rounding": {"type": "END_OF_QUARTER"}},
}
REFUNDS = {
    "spent_points": {"type": "NONE"},
    "earned_points": {
        "type": "REFUNDABLE",
        "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_TO_ZERO"}],
    },
}
SUNDAYS = {
    "name": "Sunday mornings",
    "multiplier": 2,
    "validity_hours": {"daily": [{"start_time": "08:00", "expiration_time": "12:00", "days_of_week": [0]}]},
}
KEPT = {"type": "FIXED_DURATION", "fixed_duration": {"period": {"unit": "MONTH", "value": 6}}}


class Reward(msgspec.Struct, frozen=True):
    """Something that points buy. `stock` is how many there are of it, None for any number."""

    name: str
    points: int
    stock: int | None
    kind: str


REWARDS = (
    Reward("Cotton tote bag", 150, 400, "material"),
    Reward("$5 off the next basket", 250, None, "coupon"),
    Reward("$15 on a gift card", 700, None, "gift"),
)


Making = Generator[Request, dict[str, Any], Club]


def making() -> Making:
    """Make the club; the requests come one by one, and each is sent its answer."""
    card = yield from _made(
        "card-definitions",
        {"name": "Points", "type": "INDIVIDUAL", "points_expiration": EXPIRY, "refunds": REFUNDS},
    )
    tiers, structure = yield from _tiers(card)
    rule = yield from _made("earning-rules", _rule(card, structure, tiers))
    rewards = yield from _rewards(card)
    stocks = [{"id": rewards[one.name], "stock": _stock(one.stock)} for one in REWARDS]
    body = {
        "name": NAME,
        "card_definitions": [{"id": card}],
        "earning_rules": [{"id": rule}],
        "tier_structures": [{"id": structure}],
        "rewards": stocks,
        "happy_hours": [SUNDAYS],
    }
    program = yield from _made("programs", body)
    return Club(program, card, NAME, WORTH, list(tiers), tiers, rewards)


def _made(path: str, body: dict[str, Any]) -> Generator[Request, dict[str, Any], str]:
    answer = yield Request(f"{V2}/{path}", {"status": "ACTIVE"} | body, f"club {path} {body['name']}")
    return answer["id"]


def _tiers(card: str) -> Generator[Request, dict[str, Any], tuple[dict[str, str], str]]:
    earned = {"card_definition_id": card, "type": "IMMEDIATELY", "period": {"unit": "MONTH", "value": 3}}
    body = {
        "name": "Levels",
        "type": "POINT_EARNED",
        "point_earned": earned,
        "expiration": KEPT,
        "downgrade": {"type": "MULTI_LEVEL"},
        "status": "DRAFT",
    }
    structure = yield from _made("tier-structures", body)
    tiers: dict[str, str] = {}
    for name, least in TIERS.items():
        tier = {"name": name, "qualification_rules": {"type": "POINTS", "points": {"min_value": least}}}
        path = f"{V2}/tier-structures/{structure}/tiers"
        tiers[name] = (yield Request(path, tier, f"club tier {name}"))["id"]
    yield Request(f"{V2}/tier-structures/{structure}/activate", {}, "club tiers active")
    return tiers, structure


def _rule(card: str, structure: str, tiers: dict[str, str]) -> dict[str, Any]:
    def each(cents: int, *of: str) -> dict[str, Any]:
        points = {
            "calculation_type": "POST_DISCOUNT_ORDER_AMOUNT",
            "card_definition_id": card,
            "order": {"total_amount": {"every": cents, "value": 1}},
        }
        earning: dict[str, Any] = {
            "effects": [{"type": "POINTS_PROPORTIONAL", "points_proportional": points}]
        }
        if of:
            among = [{"tier_structure_id": structure, "tier_ids": [tiers[name] for name in of]}]
            earning["tier_rules"] = {"type": "ANY_OF", "any_of": among}
        return earning

    earnings = [each(100), each(400, "Silver"), each(200, "Gold")]
    return {
        "name": "A point for every dollar",
        "trigger": {"event": "customer.order.paid"},
        "earnings": earnings,
    }


def _rewards(card: str) -> Generator[Request, dict[str, Any], dict[str, str]]:
    given = {
        "material": (yield from _goods()),
        "coupon": (yield from _coupons()),
        "gift": (yield from _gifts()),
    }
    made: dict[str, str] = {}
    for reward in REWARDS:
        cost = {"spending": [{"points": reward.points, "card_definition_id": card}]}
        body = {"name": reward.name, "costs": [cost]} | given[reward.kind]
        made[reward.name] = yield from _made("rewards", body)
    return made


def _goods() -> Generator[Request, dict[str, Any], dict[str, Any]]:
    body = {"name": REWARDS[0].name, "source_id": "reward-tote", "price": 299}
    product = yield Request("/v1/products", body, "club tote")
    return {"type": "MATERIAL", "material": {"type": "PRODUCT", "product": {"id": product["id"]}}}


def _coupons() -> Generator[Request, dict[str, Any], dict[str, Any]]:
    body = {
        "name": "Five dollars for points",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "AUTO_UPDATE",
        "voucher": {
            "type": "DISCOUNT_VOUCHER",
            "discount": {"type": "AMOUNT", "amount_off": 500},
            "redemption": {"quantity": 1},
            "code_config": {"pattern": "CLUB-########"},
        },
    }
    campaign = yield Request("/v1/campaigns", body, "club coupons")
    digital = {"type": "DISCOUNT_COUPONS", "discount_coupons": {"campaign_id": campaign["id"]}}
    return {"type": "DIGITAL", "digital": digital}


def _gifts() -> Generator[Request, dict[str, Any], dict[str, Any]]:
    body = {
        "name": "Gift cards for points",
        "campaign_type": "GIFT_VOUCHERS",
        "type": "AUTO_UPDATE",
        "voucher": {
            "type": "GIFT_VOUCHER",
            "gift": {"amount": 0},
            "code_config": {"pattern": "GIFT-########"},
        },
    }
    campaign = yield Request("/v1/campaigns", body, "club gift cards")
    digital = {"type": "GIFT_VOUCHERS", "gift_vouchers": {"campaign_id": campaign["id"], "balance": 1500}}
    return {"type": "DIGITAL", "digital": digital}


def _stock(quantity: int | None) -> dict[str, Any]:
    if quantity is None:
        return {"type": "UNLIMITED"}
    return {"type": "LIMITED", "limited": {"quantity": quantity}}
