"""Free units: what UNIT discounts put into the cart and take off its price."""

from typing import Literal

from guerdon.engine.cart import Cart, Row, copy_of, new_item
from guerdon.engine.chosen import Chosen
from guerdon.engine.discount import Discount, UnitOff, effect_of
from guerdon.engine.effects import Effect, Steps, note
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import Catalog, Order
from guerdon.engine.reasons import Reason
from guerdon.engine.replacing import replace_items


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

    ``chosen`` says of what there are copies when the effect is ADD_SAME_ITEMS, and what is replaced when it is
    REPLACE_ITEMS (bundles have multiplied these units already); other effects name what they give.
    """
    if discount.effect == "REPLACE_ITEMS":
        return replace_items(discount, order, catalog, steps, chosen)
    cart = Cart(order, catalog)
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
    cart: Cart, unit_type: str, count: int, effect: Literal["ADD_MISSING_ITEMS", "ADD_NEW_ITEMS"]
) -> None:
    rows = cart.matching(unit_type)
    if effect == "ADD_NEW_ITEMS" or not rows:
        cart.append(new_item(unit_type, rows, cart.catalog), count)
        return
    have = sum(row.item.quantity + row.added for row in rows)
    if have < count:
        rows[0].add(count - have)
    left = count
    for row in rows:
        left -= row.give(left)


def _rows_meant(cart: Cart, unit_type: str | None, chosen: Chosen | None) -> list[Row]:
    """The lines to copy: those chosen, and of these only ``unit_type`` when it names a product or SKU."""
    if chosen is None:
        return cart.rows[:] if unit_type is None else cart.matching(unit_type)
    rows = [cart.rows[target.line] for target in chosen.targets]
    if unit_type is None or unit_type.startswith("pc_"):
        return rows
    named = cart.matching(unit_type)
    return [row for row in rows if row in named]


def _add_same(cart: Cart, rows: list[Row], count: int) -> None:
    """Free copies of what is in the cart already, one new line for each different thing."""
    seen: set[tuple[str | None, ...]] = set()
    for row in rows:
        item = row.item
        identity = (item.product_id, item.sku_id, item.source_id, item.related_object)
        if identity in seen or identity == (None, None, None, None):
            continue
        seen.add(identity)
        cart.append(copy_of(row), count)


def _effect(cart: Cart, order: Order, steps: Steps) -> Effect | Reason:
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
