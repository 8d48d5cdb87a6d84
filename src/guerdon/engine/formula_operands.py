"""What the operands of formulas stand for: facts out of the situation, money in major units."""

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from guerdon.engine.formula_tree import Value
from guerdon.engine.formula_values import ARITHMETIC, Stop, Work, value_of, weight

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable
    from guerdon.engine.order import Order, OrderItem
    from guerdon.engine.situation import Situation


class Sight:
    """What one evaluation sees; it remembers what it has read, so that each thing is looked for once."""

    __slots__ = ("bundles", "item", "known", "redeemable", "situation", "work")

    def __init__(
        self,
        situation: "Situation",
        redeemable: "Redeemable | None",
        item: "OrderItem | None",
        bundles: int | None,
        work: Work,
    ) -> None:
        self.situation = situation
        self.redeemable = redeemable
        self.item = item
        self.bundles = bundles
        self.work = work
        self.known: dict[tuple[str, str], Any] = {}

    def seen(self, name: str) -> dict[tuple[str, str], Any]:
        """Where to remember an operand: what belongs to a line is not for other lines."""
        return self.known if name.startswith("ORDER_ITEM_") else self.work.known

    def today(self) -> date:
        """The day in the project's time zone."""
        return self.situation.now.astimezone(self.situation.zone).date()

    def order(self, name: str) -> "Order":
        """The running order."""
        if self.situation.order is None:
            raise Stop("missing", f"there is no order for {name}")
        return self.situation.order

    def line(self, name: str) -> "OrderItem":
        """The line a name speaks of: the one looked at, or the cheapest or most expensive one."""
        if name.startswith("CHEAPEST_"):
            return self._extreme(name, highest=False)
        if name.startswith("MOST_EXPENSIVE_"):
            return self._extreme(name, highest=True)
        if self.item is None:
            raise Stop("missing", f"{name} has a value for a line of an order only")
        return self.item

    def money(self, minor: int | None, name: str) -> Decimal:
        """Minor units as major units."""
        if minor is None:
            raise Stop("missing", f"{name} is not known")
        return ARITHMETIC.scaleb(Decimal(minor), -self.situation.exponent)

    def _extreme(self, name: str, highest: bool) -> "OrderItem":
        place = "most expensive" if highest else "cheapest", ""
        picked: OrderItem | None = self.work.known.get(place)
        if picked is None:
            items = self.order(name).items or []
            self.work.spend(len(items))
            picked = _extreme(items, highest)
            if picked is None:
                raise Stop("missing", f"no line of the order has a price for {name}")
            self.work.known[place] = picked
        return picked


def _extreme(items: "list[OrderItem]", highest: bool) -> "OrderItem | None":
    """By unit price, then the lowest subtotal, then the first."""
    best: OrderItem | None = None
    best_price: Any = 0
    for item in items:
        price = item.price if item.price is not None else unit_price(item)
        if price is None:
            continue
        if best is None or (price > best_price if highest else price < best_price):
            best, best_price = item, price
        elif price == best_price and (item.subtotal_amount or 0) < (best.subtotal_amount or 0):
            best = item
    return best


def unit_price(item: "OrderItem") -> Decimal | None:
    """What a unit of the line costs, in minor units: its price, or its amount shared out."""
    if item.price is not None:
        return Decimal(item.price)
    if item.amount is None or not item.quantity:
        return None
    return ARITHMETIC.divide(Decimal(item.amount), Decimal(item.quantity))


def _units(sight: Sight, name: str) -> Decimal:
    items = sight.order(name).items or []
    sight.work.spend(len(items))
    return Decimal(sum(item.quantity for item in items))


def _line_price(sight: Sight, name: str) -> Decimal:
    price = unit_price(sight.line(name))
    if price is None:
        raise Stop("missing", f"{name} is not known")
    return ARITHMETIC.scaleb(price, -sight.situation.exponent)


def _birthdate(sight: Sight, name: str) -> date:
    customer = sight.situation.customer
    if customer is None or customer.birthdate is None:
        raise Stop("missing", f"{name} is not known")
    return customer.birthdate


def _redeemable(sight: Sight, name: str) -> "Redeemable":
    wanted = "promotion_tier" if name.startswith("PROMOTION_TIER_") else "voucher"
    if sight.redeemable is None or sight.redeemable.object != wanted:
        raise Stop("missing", f"{name} belongs to a {wanted.replace('_', ' ')}, and this is none")
    return sight.redeemable


def _term(field: str) -> Callable[[Sight, str], Value]:
    def look(sight: Sight, name: str) -> Value:
        terms = _redeemable(sight, name).terms
        found = None if terms is None else getattr(terms, field)
        if found is None:
            raise Stop("missing", f"{name} is not set")
        return Decimal(found) if isinstance(found, int) else found

    return look


def _bundles(sight: Sight, name: str) -> Decimal:
    if sight.bundles is None:
        raise Stop("missing", f"{name} needs a validation rule with a bundle")
    return Decimal(sight.bundles)


OPERANDS: dict[str, Callable[[Sight, str], Value]] = {
    "ORDER_AMOUNT": lambda sight, name: sight.money(sight.order(name).amount, name),
    "ORDER_ITEMS_QUANTITY": lambda sight, name: Decimal(len(sight.order(name).items or ())),
    "ORDER_UNITS_QUANTITY": _units,
    "ORDER.BUNDLE.QUANTITY": _bundles,
    "ORDER_BUNDLE_QUANTITY": _bundles,
    "VOUCHER_REDEMPTION_QUANTITY": _term("quantity"),
    "VOUCHER_REDEEMED_QUANTITY": lambda sight, name: Decimal(_redeemable(sight, name).redeemed_quantity),
    "VOUCHER_PUBLISH_COUNT": lambda sight, name: Decimal(_redeemable(sight, name).published_count),
    "VOUCHER_START_DATE": _term("start_date"),
    "VOUCHER_EXPIRATION_DATE": _term("expiration_date"),
    "PROMOTION_TIER_START_DATE": _term("start_date"),
    "PROMOTION_TIER_EXPIRATION_DATE": _term("expiration_date"),
    "CUSTOMER_BIRTHDATE": _birthdate,
    "TODAY": lambda sight, name: sight.today(),
    "NOW": lambda sight, name: sight.situation.now,
}
"""Every operand without an attribute: its name gives a function of what is seen."""

_LINES = ("ORDER_ITEM", "CHEAPEST_ORDER_ITEM", "MOST_EXPENSIVE_ORDER_ITEM")
for _prefix in _LINES:
    OPERANDS[f"{_prefix}_PRICE"] = _line_price
    OPERANDS[f"{_prefix}_AMOUNT"] = lambda sight, name: sight.money(sight.line(name).amount, name)
    OPERANDS[f"{_prefix}_SUBTOTAL"] = lambda sight, name: sight.money(sight.line(name).subtotal_amount, name)
    OPERANDS[f"{_prefix}_UNITS_QUANTITY"] = lambda sight, name: Decimal(sight.line(name).quantity)

_Attributes = Mapping[str, Any] | None


def _of_redeemable(sight: Sight, name: str) -> _Attributes:
    if name == "REDEEMABLE_METADATA":
        return None if sight.redeemable is None else sight.redeemable.metadata
    return _redeemable(sight, name).metadata


def _of_publication(sight: Sight, name: str) -> _Attributes:
    return None if sight.redeemable is None else sight.redeemable.publication_metadata


def _of_customer(sight: Sight, name: str) -> _Attributes:
    customer = sight.situation.customer
    return None if customer is None else customer.metadata


def _of_product(sight: Sight, name: str) -> _Attributes:
    product = sight.line(name).product
    return None if product is None else product.metadata


def _of_sku(sight: Sight, name: str) -> _Attributes:
    sku = sight.line(name).sku
    return None if sku is None else sku.metadata


METADATA: dict[str, Callable[[Sight, str], _Attributes]] = {
    "ORDER_METADATA": lambda sight, name: sight.order(name).metadata,
    "CUSTOMER_METADATA": _of_customer,
    "REDEMPTION_METADATA": lambda sight, name: sight.situation.metadata,
    "PUBLICATION_METADATA": _of_publication,
    "REDEEMABLE_METADATA": _of_redeemable,
    "VOUCHER_METADATA": _of_redeemable,
    "PROMOTION_TIER_METADATA": _of_redeemable,
}
"""Every operand with an attribute: its name gives what the attributes are looked for in."""

for _prefix in _LINES:
    METADATA[f"{_prefix}_METADATA"] = lambda sight, name: sight.line(name).metadata
    METADATA[f"{_prefix}_PRODUCT_METADATA"] = _of_product
    METADATA[f"{_prefix}_SKU_METADATA"] = _of_sku


def attribute(sight: Sight, name: str, key: str) -> Value:
    """The value of one attribute. An attribute that is null is missing."""
    seen = sight.seen(name)
    if (known := seen.get((name, key))) is not None:
        return known
    found = METADATA[name](sight, name)
    raw = None if found is None else found.get(key)
    if raw is None:
        raise Stop("missing", f'missing metadata "{_brief(key)}" for {name}')
    # Paid for before it is looked through, since what fails is not remembered.
    sight.work.spend(weight(raw))
    value = seen[name, key] = value_of(raw, f'{name}("{_brief(key)}")')
    return value


def operand(sight: Sight, name: str) -> Value:
    """The value of an operand, looked for once."""
    seen = sight.seen(name)
    known = seen.get((name, ""))
    if known is None:
        known = seen[name, ""] = OPERANDS[name](sight, name)
    return known


def _brief(key: str) -> str:
    return key if len(key) <= 60 else f"{key[:60]}…"
