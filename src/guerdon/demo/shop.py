"""Which baskets of the day the shop shows: a dozen of different households, of a size that fits a till's slip."""

from datetime import datetime, timedelta

from guerdon.demo import offers
from guerdon.demo.dataset import Basket, Dataset, Line, Product
from guerdon.demo.names import WELL_NAMED, reads_well
from guerdon.demo.store import HeldCode
from guerdon.pages.demo_file import ShopBasket, ShopCode, ShopLine, ShopOffer

BASKETS = 12
LINES = range(4, 12)
AMOUNTS = range(1_000, 8_000)
DELIVERY = ShopLine(offers.DELIVERY, "Delivery", "to the door", 1, offers.DELIVERY_PRICE)


def shop_baskets(
    dataset: Dataset, day: list[Basket], held: list[HeldCode], moved: timedelta, at: datetime
) -> list[ShopBasket]:
    """A dozen baskets over the day, most of them of households that a running campaign was sent to."""
    households, products = dataset.households(), dataset.products()
    codes: dict[str, list[HeldCode]] = {}
    for code in held:
        codes.setdefault(code.holder, []).append(code)
    fit: dict[int, Basket] = {}
    for basket in day:
        facts = households.get(basket.household_id)
        if facts and _fits(basket, products):
            fit.setdefault(basket.household_id, basket)
    invited = [basket for basket in fit.values() if f"household-{basket.household_id}" in codes]
    spread = invited if len(invited) >= BASKETS else list(fit.values())
    chosen = [spread[index * len(spread) // BASKETS] for index in range(min(BASKETS, len(spread)))]
    return [
        ShopBasket(
            id=str(basket.id),
            household=f"household-{basket.household_id}",
            about=about(households[basket.household_id]),
            at=(basket.at + moved).isoformat(timespec="minutes"),
            lines=[_line(line, products[line.product_id]) for line in basket.lines],
            codes=household_codes(codes.get(f"household-{basket.household_id}", []), at),
        )
        for basket in chosen
    ]


def shop_offers(now: datetime) -> list[ShopOffer]:
    """The public codes to suggest."""
    return [ShopOffer(o.code, o.title, o.hint, o.group) for o in offers.public_offers(now)]


def household_codes(held: list[HeldCode], at: datetime) -> list[ShopCode]:
    """Up to two codes that work on that day, and the last one that does not any more."""
    running = [c for c in held if _runs(c, at)]
    ended = [c for c in held if c.expires_at is not None and c.expires_at <= at]
    return [
        ShopCode(c.code, c.campaign, c.expires_at.isoformat() if c.expires_at else "")
        for c in running[:2] + ended[-1:]
    ]


def _runs(code: HeldCode, at: datetime) -> bool:
    return (code.starts_at is None or code.starts_at <= at) and (
        code.expires_at is None or at < code.expires_at
    )


def about(facts: dict[str, str]) -> str:
    """What is known of a household, in a few words.

    >>> about({"age": "35-44", "household_comp": "2 Adults Kids", "home_ownership": "Renter"})
    '35–44, 2 adults and kids'
    """
    words = []
    if "age" in facts:
        words.append(facts["age"].replace("-", "–"))
    if "household_comp" in facts:
        together = facts["household_comp"].lower().replace(" no kids", "").replace(" kids", " and kids")
        words.append(together)
    return ", ".join(words)


def _fits(basket: Basket, products: dict[int, Product]) -> bool:
    names = [products[line.product_id].name for line in basket.lines if line.product_id in products]
    total = sum(line.amount - line.discount for line in basket.lines)
    return (
        len(basket.lines) in LINES
        and len(names) == len(basket.lines)
        and all(reads_well(name) for name in names)
        and sum(name in WELL_NAMED for name in names) >= len(names) - 3
        and len(set(names)) >= len(names) - 2
        and total in AMOUNTS
    )


def _line(line: Line, product: Product) -> ShopLine:
    brand = "own brand" if product.brand == "Private" else ""
    return ShopLine(
        source_id=f"product-{line.product_id}",
        name=product.name,
        note=" · ".join(part for part in (product.size, brand) if part),
        quantity=line.quantity,
        amount=line.amount - line.discount,
    )
