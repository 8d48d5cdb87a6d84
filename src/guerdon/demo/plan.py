"""Who tries which codes on the replayed day. Decided by the basket's number, so every replay is the same."""

import hashlib
from datetime import datetime
from typing import Any

import msgspec

from guerdon.demo import offers
from guerdon.demo.dataset import Basket, Product
from guerdon.demo.store import HeldCode


class Visit(msgspec.Struct):
    """A basket on its way through the till, with the codes its household tries (none for many)."""

    name: str
    codes: list[str]
    order: dict[str, Any]


def plan_day(
    day: list[Basket], products: dict[int, Product], held: list[HeldCode], at: datetime, run: int
) -> list[Visit]:
    """All visits of the day: own campaign codes, public ones, stacks of both, and the usual mistakes.

    `run` counts the replays: each makes orders of its own.
    """
    codes: dict[str, list[HeldCode]] = {}
    for code in held:
        codes.setdefault(code.holder, []).append(code)
    visits = []
    for basket in day:
        holder = f"household-{basket.household_id}"
        mine = codes.get(holder, [])
        running = [c.code for c in mine if _running(c, at)]
        ended = [c.code for c in mine if c.expires_at is not None and c.expires_at <= at]
        name = f"basket-{basket.id}" if run == 1 else f"basket-{basket.id}-{run}"
        tried = _codes(_draw(basket.id), running, ended)
        visits.append(Visit(name, tried, _order(name, basket, products, holder)))
    return visits


def _codes(draw: int, running: list[str], ended: list[str]) -> list[str]:
    """A draw from 0 to 99 decides; the shares are made up, the codes, dates and baskets are not."""
    public = ("HARVEST10", "FIVER", "EVERYLINE", "SHARE3", "WEEKEND15")[draw % 5]
    if draw < 30 and running:
        return [running[draw % len(running)]]
    if draw < 36 and running:
        return [running[0], public]
    if draw < 41 and ended:
        return [ended[-1]]
    wrong = {41: "SUMMER25", 42: offers.MISTYPED, 43: "FIRSTONE", 44: "FIRSTONE", 45: "MIDWEEK", 46: "HAPPYHOUR",
             47: "PAUSED", 48: "NEXTYEAR", 49: "harvest10"}  # fmt: skip
    if draw in wrong:
        return [wrong[draw]]
    if draw < 75:
        return [public]
    return []


def _draw(basket_id: int) -> int:
    return int.from_bytes(hashlib.blake2b(str(basket_id).encode(), digest_size=4).digest(), "big") % 100


def _running(code: HeldCode, at: datetime) -> bool:
    return (code.starts_at is None or code.starts_at <= at) and (
        code.expires_at is None or at < code.expires_at
    )


def _order(name: str, basket: Basket, products: dict[int, Product], holder: str) -> dict[str, Any]:
    items = []
    for line in basket.lines:
        product = products.get(line.product_id)
        source_id = f"product-{line.product_id}"
        item: dict[str, Any] = {
            "source_id": source_id,
            "related_object": "product",
            "quantity": line.quantity,
            "amount": line.amount,
            "product": {"source_id": source_id, "name": product.name if product else "Groceries"},
        }
        if line.discount:
            item["discount_amount"] = line.discount
        items.append(item)
    return {
        "source_id": name,
        "customer": {"source_id": holder},
        "items": items,
        "metadata": {"store": basket.store_id},
    }
