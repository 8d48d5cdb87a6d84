"""Rule sets looked at in part: the conditions about some things only, the others taken to hold.

Logic knows `and` and `or` alone, so what holds with all conditions holds with some of them too.
"""

from collections.abc import Collection, Iterable
from typing import Literal

from msgspec.structs import replace

from guerdon.engine.conditions import Condition, every_condition
from guerdon.engine.conditions_items import cover_of
from guerdon.engine.discount import Discount, UnitOff
from guerdon.engine.entries import covers, matches_item, product_names, sku_names
from guerdon.engine.index_access import ANY_OF, LINES, family_of
from guerdon.engine.judging import NAMES
from guerdon.engine.logic import Joined, Key, Logic, keys_of
from guerdon.engine.order import OrderItem
from guerdon.engine.rule import RuleSet
from guerdon.engine.situation import Situation
from guerdon.engine.tally import LIMITS


def is_among(name: str, groups: Collection[str]) -> bool:
    """Whether a condition of this name is about one of the groups: customer, order, items, redemption.

    Items are a part of the order that can be named alone. What counts redemptions belongs to the redemption.

    >>> is_among("product.id", {"order"}), is_among("order.amount", {"items"})
    (True, False)
    """
    family = family_of(name)
    if family not in ("customer", "order", "items"):
        family = "redemption"
    return family in groups or (family == "items" and "order" in groups)


def partial(rule_set: RuleSet, groups: Collection[str]) -> tuple[RuleSet, list[str]]:
    """The rule set with the conditions of these groups alone, and the keys of those that were left out; of one that is
    nested, such as ``1.2``, the keys on the way to it. What is nested in one that is left out is left out with it.

    Which items it is meant for, and its bundle, stay only where items are asked about.
    """
    named = list(dict.fromkeys(keys_of(rule_set.logic)))
    gone = [key for key in named if not is_among(rule_set.conditions[key].name, groups)]
    omitted = list(gone)
    narrow = {
        key: _narrowed(rule_set.conditions[key], groups, key, omitted) for key in named if key not in gone
    }
    scoped = "items" in groups or "order" in groups
    if not omitted and (scoped or (rule_set.scope is None and rule_set.bundle is None)):
        return rule_set, []
    logic = None if rule_set.logic is None else _without(rule_set.logic, frozenset(gone))
    left = frozenset(keys_of(logic))
    kept = {key: condition for key, condition in narrow.items() if key in left}
    asked = list(every_condition(kept))
    return replace(
        rule_set,
        conditions=kept,
        logic=logic,
        only=kept[logic.key] if isinstance(logic, Key) else None,
        scope=rule_set.scope if scoped else None,
        bundle=rule_set.bundle if scoped else None,
        after=rule_set.after and any(NAMES[condition.name].after for condition in asked),
        limits=frozenset(condition.name for condition in asked if condition.name in LIMITS),
        segments=_segments(asked),
        asks_customer=rule_set.asks_customer and "customer" in groups,
        budgets=tuple(kept[one.key] for one in rule_set.budgets if one.key in kept),
    ), omitted


def _narrowed(condition: Condition, groups: Collection[str], place: str, omitted: list[str]) -> Condition:
    """The condition without what is nested in it about other things; itself where there is nothing of the kind."""
    rules: dict[str, Condition] = {}
    gone: set[str] = set()
    for key in dict.fromkeys(keys_of(condition.logic)):
        sub = condition.rules[key]
        if is_among(sub.name, groups):
            rules[key] = _narrowed(sub, groups, f"{place}.{key}", omitted)
        else:
            gone.add(key)
            omitted.append(f"{place}.{key}")
    if condition.logic is None or all(rules.get(key) is sub for key, sub in condition.rules.items()):
        return condition
    logic = _without(condition.logic, gone)
    left = frozenset(keys_of(logic))
    kept = {key: sub for key, sub in rules.items() if key in left}
    return replace(condition, rules=kept, logic=logic, judged=None)


def _without(logic: Logic, omitted: Collection[str]) -> Logic | None:
    """The expression with the omitted rules taken to hold; None when it holds then."""
    if isinstance(logic, Key):
        return None if logic.key in omitted else logic
    parts = [_without(part, omitted) for part in logic.parts]
    left = tuple(part for part in parts if part is not None)
    if not left or (logic.word == "or" and len(left) < len(parts)):
        return None
    return left[0] if len(left) == 1 else Joined(logic.word, left)


def _segments(asked: Iterable[Condition]) -> frozenset[str]:
    return frozenset(
        operand
        for condition in asked
        if condition.name == "customer.segment"
        for operands in condition.conditions.values()
        for operand in operands
    )


def names_cart(
    rule_sets: Iterable[RuleSet], discount: Discount | None, situation: Situation, *, discounted: bool
) -> bool:
    """Whether something in the cart is named by the items that a discount is for, or is what it gives; unless
    ``discounted`` is asked alone, also by a condition on items or by a bundle.
    """
    items = (situation.order.items if situation.order is not None else None) or ()
    for rule_set in rule_sets:
        entries = list(rule_set.scope.included) if rule_set.scope is not None else []
        if not discounted and rule_set.bundle is not None:
            entries += [part.entry for part in rule_set.bundle.parts]
        if any(covers(entry, item, situation) for entry in entries for item in items):
            return True
        if not discounted and any(_names(one, situation) for one in every_condition(rule_set.conditions)):
            return True
    if not isinstance(discount, UnitOff):
        return False
    given = {discount.unit_type, *(one.unit_type for one in discount.units or ())} - {None}
    return any(not given.isdisjoint((*product_names(item), *sku_names(item))) for item in items)


def _names(condition: Condition, situation: Situation) -> bool:
    """Whether a condition on lines names something in the cart."""
    if condition.name not in LINES:
        return False
    only: Literal["product", "sku", ""] = ""
    if condition.name == "product.id":
        only = "product"
    elif condition.name == "sku.id":
        only = "sku"
    items = (situation.order.items if situation.order is not None else None) or ()
    for operator in ANY_OF:
        cover = cover_of(condition.conditions.get(operator, ()), only)
        for item in items:
            if not (cover.products | cover.skus).isdisjoint((*product_names(item), *sku_names(item))):
                return True
            if any(_holds(id, item, situation) for id in cover.collections):
                return True
    return False


def _holds(collection: str, item: OrderItem, situation: Situation) -> bool:
    now, zone = situation.now, situation.zone
    return matches_item("products_collection", collection, None, item, situation.collections, now, zone)
