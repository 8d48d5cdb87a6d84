"""Which baskets of the day the shop shows: a dozen of different households, of a size that fits a till's slip."""

from collections import Counter
from datetime import datetime, timedelta
from itertools import islice

from guerdon.demo import offers
from guerdon.demo.dataset import Basket, Dataset, Line, Product
from guerdon.demo.importing import last_prices
from guerdon.demo.names import WELL_NAMED, reads_well
from guerdon.demo.promotions import COLLECTIONS, PROMOTIONS
from guerdon.demo.store import HeldCode
from guerdon.pages.demo_file import ShelfLine, ShopBasket, ShopCode, ShopLine, ShopOffer

BASKETS = 12
LINES = range(4, 12)
AMOUNTS = range(1_000, 8_000)
OF_EACH = 2
PRICES = range(50, 700)
DELIVERY = ShopLine(offers.DELIVERY, "Delivery", "to the door", 1, offers.DELIVERY_PRICE)


def shop_baskets(
    dataset: Dataset, day: list[Basket], held: list[HeldCode], moved: timedelta, at: datetime
) -> list[ShopBasket]:
    """A dozen baskets, small and large, in the order of the day, most of them of households that a running campaign was sent to."""
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
    spread.sort(key=lambda basket: sum(line.amount - line.discount for line in basket.lines))
    chosen = [
        spread[index * (len(spread) - 1) // (BASKETS - 1)] for index in range(min(BASKETS, len(spread)))
    ]
    chosen.sort(key=lambda basket: basket.at)
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


def shelf(dataset: Dataset, day: list[Basket]) -> list[ShelfLine]:
    """What may be put into a basket: of each collection that promotions want bought, what sold best that day."""
    products, sold = dataset.products(), Counter[int]()
    for basket in day:
        sold.update(line.product_id for line in basket.lines)
    prices = last_prices(day)
    found: list[ShelfLine] = []
    for name in dict.fromkeys(one.buy for one in PROMOTIONS if one.buy):
        fit = (
            id for id, _ in sold.most_common()
            if id in products and _in(name, products[id]) and _shelved(products[id], prices[id], found)
        )  # fmt: skip
        for id in islice(fit, OF_EACH):
            product = products[id]
            found.append(ShelfLine(f"product-{id}", product.name, product.size, prices[id], name))
    return found


def _shelved(product: Product, price: int, found: list[ShelfLine]) -> bool:
    """Whether the shelf may have it: something with a plain name and an everyday price that is not there yet."""
    return product.name in WELL_NAMED and price in PRICES and all(product.name != line.name for line in found)


def _in(collection: str, product: Product) -> bool:
    """Whether an article is in a collection, as its filter says."""
    filter = COLLECTIONS[collection]
    held = [
        getattr(product, name.removeprefix("metadata.")) in test["conditions"]["$in"]
        for name, test in filter.items()
        if name != "junction"
    ]
    return any(held) if filter["junction"] == "or" else all(held)


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
