"""The offers of the demo: codes made by hand, one for each thing worth showing, and terms for the real campaigns."""

import secrets
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from guerdon.demo.dataset import Campaign

ALPHABET = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
BANANAS = "product-1082185"
DELIVERY = "5h1pp1ng"
"""Source id of the article that stands for delivery; `prod_5h1pp1ng` is its name in discounts."""
DELIVERY_PRICE = 490


class Offer(msgspec.Struct):
    """A campaign with one public code. `hint` is what the shop says about it; `group` where it shows it."""

    code: str
    title: str
    hint: str
    group: str
    discount: dict[str, Any]
    quantity: int | None = None
    start: datetime | None = None
    end: datetime | None = None
    days: list[int] | None = None
    hours: dict[str, Any] | None = None
    active: bool = True

    def terms(self) -> dict[str, Any]:
        """The body of its terms, with the members that are set."""
        return terms_body(self.discount, self.quantity, self.start, self.end, self.days, self.hours)


def terms_body(
    discount: dict[str, Any],
    quantity: int | None,
    start: datetime | None,
    end: datetime | None,
    days: list[int] | None = None,
    hours: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """What `voucher_terms.body` holds."""
    body: dict[str, Any] = {"discount": discount, "redemption": {"quantity": quantity}}
    if start is not None:
        body["start_date"] = start.isoformat()
    if end is not None:
        body["expiration_date"] = end.isoformat()
    if days is not None:
        body["validity_day_of_week"] = days
    if hours is not None:
        body["validity_hours"] = hours
    return body


def public_offers(now: datetime) -> list[Offer]:
    """The codes anybody may type. `now` tells which have ended and which are still to come."""
    return [
        Offer("HARVEST10", "Harvest week", "10 % off, at most $5", "works",
              {"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER", "amount_limit": 500}),
        Offer("FIVER", "Five off", "$5 off the order", "works",
              {"type": "AMOUNT", "amount_off": 500, "effect": "APPLY_TO_ORDER"}),
        Offer("EVERYLINE", "A quarter each", "25 ¢ off every line", "works",
              {"type": "AMOUNT", "amount_off": 25, "effect": "APPLY_TO_ITEMS"}),
        Offer("SHARE3", "Shared three", "$3 shared out over the lines", "works",
              {"type": "AMOUNT", "amount_off": 300, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}),
        Offer("FLAT20", "Basket for twenty", "The whole order for $20", "works",
              {"type": "FIXED", "fixed_amount": 2000, "effect": "APPLY_TO_ORDER"}),
        Offer("FREERIDE", "Free delivery", "Delivery is on us", "works",
              {"type": "UNIT", "unit_off": 1, "unit_type": "prod_5h1pp1ng", "effect": "ADD_MISSING_ITEMS"}),
        Offer("BANANAS", "Bananas, free", "One more bunch of bananas, free", "works",
              {"type": "UNIT", "unit_off": 1, "unit_type": BANANAS, "effect": "ADD_NEW_ITEMS"}),
        Offer("HAPPYHOUR", "Happy hour", "20 % off from 16:00 to 18:00", "window",
              {"type": "PERCENT", "percent_off": 20, "effect": "APPLY_TO_ORDER"},
              hours={"daily": [{"start_time": "16:00", "expiration_time": "18:00"}]}),
        Offer("WEEKEND15", "Weekend", "15 % off on Saturday and Sunday", "window",
              {"type": "PERCENT", "percent_off": 15, "effect": "APPLY_TO_ORDER", "amount_limit": 1500},
              start=now - timedelta(days=60), days=[0, 6]),
        Offer("MIDWEEK", "Midweek", "$4 off from Tuesday to Thursday", "window",
              {"type": "AMOUNT", "amount_off": 400, "effect": "APPLY_TO_ORDER"},
              start=now - timedelta(days=60), days=[2, 3, 4]),
        Offer("FIRSTONE", "First come", "50 % off, but only once", "refused",
              {"type": "PERCENT", "percent_off": 50, "effect": "APPLY_TO_ORDER"}, quantity=1),
        Offer("SUMMER25", "Summer sale", "25 % off, until last month", "refused",
              {"type": "PERCENT", "percent_off": 25, "effect": "APPLY_TO_ORDER"},
              start=now - timedelta(days=120), end=now - timedelta(days=30)),
        Offer("NEXTYEAR", "Not yet", "30 % off, from next year on", "refused",
              {"type": "PERCENT", "percent_off": 30, "effect": "APPLY_TO_ORDER"},
              start=datetime(now.year + 1, 1, 1, tzinfo=now.tzinfo)),
        Offer("PAUSED", "Switched off", "$10 off, but switched off", "refused",
              {"type": "AMOUNT", "amount_off": 1000, "effect": "APPLY_TO_ORDER"}, active=False),
    ]  # fmt: skip


MISTYPED = "HARVSET10"
"""What a customer types who meant HARVEST10."""


def campaign_terms(campaign: Campaign, zone: ZoneInfo, moved: timedelta) -> dict[str, Any]:
    """Terms for a real campaign: its own dates, moved; a discount that befits its kind."""
    discounts: dict[str, tuple[dict[str, Any], int]] = {
        "A": ({"type": "PERCENT", "percent_off": 10, "effect": "APPLY_TO_ORDER", "amount_limit": 1000}, 16),
        "B": ({"type": "AMOUNT", "amount_off": 200, "effect": "APPLY_TO_ORDER"}, 3),
        "C": ({"type": "AMOUNT", "amount_off": 150, "effect": "APPLY_TO_ITEMS_PROPORTIONALLY"}, 5),
    }
    discount, quantity = discounts[campaign.kind]
    return terms_body(
        discount,
        quantity,
        midnight(campaign.start + moved, zone),
        midnight(campaign.end + moved + timedelta(days=1), zone),
    )


def campaign_name(campaign: Campaign) -> str:
    """``Campaign 18 · Hair care products``."""
    return f"Campaign {campaign.id} · {campaign.about}"


def new_code(campaign_id: int) -> str:
    """``C18-7KQ4MZ8PXH``: ten characters of chance after the campaign's number."""
    return f"C{campaign_id}-" + "".join(secrets.choice(ALPHABET) for _ in range(10))


def midnight(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a local day."""
    return datetime.combine(day, time(), zone)
