"""Free units: what UNIT discounts put into the cart and take off its price."""

from typing import Literal

from guerdon.engine.chosen import Chosen
from guerdon.engine.discount import Discount, UnitOff, effect_of
from guerdon.engine.effects import Effect, Steps, note
from guerdon.engine.money import MAX_AMOUNT, half_up
from guerdon.engine.order import Catalog, Order, OrderItem, ProductRef, SkuRef, find_in_catalog
from guerdon.engine.reasons import Reason


class _Row:
    """A line while units are being added to it: the item as it was, and what has changed since."""

    __slots__ = ("added", "added_amount", "index", "item", "new", "off", "units")

    def __init__(self, index: int, item: OrderItem, new: bool) -> None:
        self.index, self.item, self.new = index, item, new
        self.added = self.added_amount = self.units = self.off = 0

    def worth(self, count: int) -> int:
        """What ``count`` units of the line cost, in minor units; 0 when no price is known."""
        item = self.item
        if item.price is not None:
            return item.price * count
        if item.amount is None or not item.quantity:
            return 0
        return half_up(item.amount * count, item.quantity)

    def add(self, count: int) -> None:
        self.added += count
        self.added_amount += self.worth(count)

    def give(self, count: int) -> int:
        """Make up to ``count`` more units of the line free; answers how many."""
        item = self.item
        free = item.quantity + self.added - item.discount_quantity - self.units
        given = max(0, min(count, free))
        left = (item.amount or 0) + self.added_amount - item.discount_amount - self.off
        self.units += given
        self.off += min(self.worth(given), left)
        return given


class _Cart:
    """The lines of an order, and those being added after them; found by any name of their product or SKU."""

    def __init__(self, order: Order, catalog: Catalog) -> None:
        self.catalog = catalog
        self.rows: list[_Row] = []
        self.named: dict[str, list[_Row]] = {}
        for index, item in enumerate(order.items or ()):
            self._keep(_Row(index, item, new=False))

    def _keep(self, row: _Row) -> None:
        self.rows.append(row)
        for name in names_of(row.item):
            self.named.setdefault(name, []).append(row)

    def append(self, item: OrderItem, count: int) -> None:
        """A new line of so many free units."""
        row = _Row(len(self.rows), item, new=True)
        row.add(count)
        row.give(count)
        self._keep(row)

    def matching(self, unit_type: str) -> list[_Row]:
        """The lines of a product or SKU, by its id or source id, in their order."""
        found = self.named.get(unit_type, [])
        stored = find_in_catalog(self.catalog, unit_type)
        if stored is not None and stored.id != unit_type:
            rows = {row.index: row for row in (*found, *self.named.get(stored.id, ()))}
            found = [rows[index] for index in sorted(rows)]
        return found[:]


def names_of(item: OrderItem) -> set[str]:
    """Every id and source id under which the line's product or SKU may be meant."""
    product, sku, source_id = item.product, item.sku, item.source_id
    names = {item.product_id, item.sku_id, source_id}
    if source_id is not None:
        # Delivery is often sent under its bare source id.
        names.add(f"prod_{source_id}")
    if product is not None:
        names |= {product.id, product.source_id}
    if sku is not None:
        names |= {sku.id, sku.source_id}
    return {name for name in names if name is not None}


def units_named(discount: Discount) -> list[str]:
    """The products and SKUs, by id or source id, that a discount needs to know: what it gives away."""
    if not isinstance(discount, UnitOff):
        return []
    named = [] if discount.unit_type is None else [discount.unit_type]
    return named + [unit.unit_type for unit in discount.units or ()]


def units_off(
    discount: UnitOff,
    order: Order,
    catalog: Catalog,
    steps: Steps,
    chosen: Chosen | None = None,
    bundles: int = 1,
) -> Effect | Reason:
    """Free units by the discount's effect, once for each bundle. Unknown things are added without a price.

    ``chosen`` says of what there are copies when the effect is ADD_SAME_ITEMS; other effects name what they give.
    """
    cart = _Cart(order, catalog)
    if effect_of(discount) == "ADD_SAME_ITEMS":
        if not cart.rows:
            return Reason.MISSING_ORDER_ITEMS
        if chosen is not None and not chosen.targets:
            return Reason[chosen.refusal or "ORDER_RULES_VIOLATED"]
        _add_same(cart, _rows_meant(cart, discount.unit_type, chosen), (discount.unit_off or 0) * bundles)
    elif discount.units is not None:
        for unit in discount.units:
            _add(cart, unit.unit_type, unit.unit_off * bundles, unit.effect)
    else:
        effect = "ADD_NEW_ITEMS" if discount.effect == "ADD_NEW_ITEMS" else "ADD_MISSING_ITEMS"
        _add(cart, discount.unit_type or "", (discount.unit_off or 0) * bundles, effect)
    return _effect(cart, order, steps)


def _add(
    cart: _Cart, unit_type: str, count: int, effect: Literal["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"]
) -> None:
    rows = cart.matching(unit_type)
    if effect == "ADD_NEW_ITEMS" or not rows:
        cart.append(_new_item(unit_type, rows, cart.catalog), count)
        return
    have = sum(row.item.quantity + row.added for row in rows)
    if have < count:
        rows[0].add(count - have)
    left = count
    for row in rows:
        left -= row.give(left)


def _rows_meant(cart: _Cart, unit_type: str | None, chosen: Chosen | None) -> list[_Row]:
    """The lines to copy: those chosen, and of these only ``unit_type`` when it names a product or SKU."""
    if chosen is None:
        return cart.rows[:] if unit_type is None else cart.matching(unit_type)
    rows = [cart.rows[target.line] for target in chosen.targets]
    if unit_type is None or unit_type.startswith("pc_"):
        return rows
    named = cart.matching(unit_type)
    return [row for row in rows if row in named]


def _add_same(cart: _Cart, rows: list[_Row], count: int) -> None:
    """Free copies of what is in the cart already, one new line for each different thing."""
    seen: set[tuple[str | None, ...]] = set()
    for row in rows:
        item = row.item
        identity = (item.product_id, item.sku_id, item.source_id, item.related_object)
        if identity in seen or identity == (None, None, None, None):
            continue
        seen.add(identity)
        cart.append(_copy_of(row), count)


def _copy_of(row: _Row) -> OrderItem:
    item = row.item
    return OrderItem(
        source_id=item.source_id,
        related_object=item.related_object,
        product_id=item.product_id,
        sku_id=item.sku_id,
        initial_quantity=0,
        initial_amount=0 if item.amount is not None else None,
        price=row.worth(1) if item.amount is not None else None,
        product=item.product,
        sku=item.sku,
    )


def _new_item(unit_type: str, rows: list[_Row], catalog: Catalog) -> OrderItem:
    stored = find_in_catalog(catalog, unit_type)
    if stored is None:
        if rows:
            return _copy_of(rows[0])
        if unit_type.startswith("sku_"):
            return OrderItem(sku_id=unit_type, initial_quantity=0)
        return OrderItem(product_id=unit_type, initial_quantity=0)
    product = stored if stored.object == "product" else catalog.get(stored.product_id or "")
    price = stored.price
    if price is None and product is not None:
        price = product.price
    item = OrderItem(initial_quantity=0, initial_amount=0 if price is not None else None, price=price)
    if stored.object == "sku":
        item.sku_id = stored.id
        item.sku = SkuRef(id=stored.id, source_id=stored.source_id, sku=stored.name, price=stored.price)
        item.product_id = stored.product_id
    if product is not None:
        item.product_id = product.id
        item.product = ProductRef(
            id=product.id, source_id=product.source_id, name=product.name, price=product.price
        )
    return item


def _effect(cart: _Cart, order: Order, steps: Steps) -> Effect | Reason:
    added_amount = sum(row.added_amount for row in cart.rows)
    if (order.amount or 0) + added_amount > MAX_AMOUNT:
        return Reason.AMOUNT_TOO_LARGE
    # New units always carry their own worth; what is left of the order bounds the rest.
    room = (order.total_amount or 0) + added_amount - sum(row.off for row in cart.rows if row.new)
    effect = Effect(units={}, added=[], new_items=[])
    assert effect.units is not None and effect.added is not None and effect.new_items is not None
    for row in cart.rows:
        if not (row.added or row.units):
            continue
        if not row.new:
            row.off = min(row.off, room)
            room -= row.off
        if row.off:
            effect.lines.append((row.index, row.off))
        effect.units[row.index] = row.units
        if row.added:
            effect.added.append((row.index, row.added, row.added_amount))
        if row.new:
            effect.new_items.append(row.item)
        if steps is not None:
            note(
                steps, "free_units", row.off, row.index, added=row.added, free=row.units, price=row.item.price
            )
    return effect
