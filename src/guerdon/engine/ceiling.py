"""How much a stack could still take off at most: bounds for the search of the best deal, each with its proof.

All amounts are minor units. The bounds rest on three facts, which tests/laws/test_stacking.py holds the engine to:
no step raises the order's total; without UNIT discounts no step raises what is left of a line; and what a plain
discount takes off does not grow when the order's total and its lines shrink.
"""

from collections.abc import Sequence
from fractions import Fraction

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.attempt import ITEM_EFFECTS, Running, reckon, unconditional
from guerdon.engine.cart import Cart
from guerdon.engine.checks import Redeemable
from guerdon.engine.conditions import Condition, every_condition
from guerdon.engine.decision import Facts
from guerdon.engine.discount import Discount, PercentOff, UnitOff, effect_of
from guerdon.engine.effects import Effect
from guerdon.engine.entries import ItemScope
from guerdon.engine.margin import floor_of
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.order import Catalog, Order, OrderItem, find_in_catalog
from guerdon.engine.running import given_by
from guerdon.engine.units import units_named

AT_LEAST = frozenset({"$more_than", "$more_than_or_equal", "$greater_than_or_equal"})
PROPORTIONALLY = frozenset({"APPLY_TO_ITEMS_PROPORTIONALLY", "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY"})
STILL = frozenset(
    {
        "customer.segment",
        "customer.metadata",
        "customer.loyalty.tier",
        "order.initial_amount",
        "order.metadata",
        "order.items.any",
        "order.items.every",
        "order.items.none",
        "order.items.cheapest",
        "order.items.most_expensive",
        "order.items.count",
        "order.items.price_any",
        "order.items.price_each",
        "order.items.metadata_any",
        "order.items.metadata_each",
        "order.items.price",
        "order.items.quantity",
        "order.items.metadata",
        "order.items.aggregated_quantity",
        "product.id",
        "redemption.metadata",
        "redemption.api_key",
        "redemption.user.login",
    }
)
"""Facts that are the same whatever plain discounts have been applied."""


class Candidate(Struct):
    """One redeemable in the search, ``facts.redeemables[place]``; ``rank`` as by ``stacking.ranks_of``; one
    that ``floats`` may come anywhere, whatever its rank.

    ``steady``: what it takes off now bounds what it takes off after others have applied. ``alone`` is then what it
    takes off the first order, were it not for its conditions; ``ceiling`` is what another takes off at most, if that
    is known. ``rate`` (hundredths of a per cent): it takes just that share of the order's total, or ``on_lines`` of
    what is left of every line, so that several compound; else 0. ``gift``: the most that its free units are worth,
    which may be more than is left of the order. ``whole``: all it looks at is the order's total. ``falling``: refused
    once it stays refused, since its rules ask for no less than so much of the order.
    """

    place: int
    redeemable: Redeemable
    rank: int
    floats: bool = False
    steady: bool = False
    alone: int = 0
    rate: int = 0
    on_lines: bool = False
    ceiling: int | None = None
    gift: int | None = None
    whole: bool = False
    falling: bool = False


def candidate_of(facts: Facts, place: int, rank: int, first: Running, gifts: bool) -> Candidate:
    """What can be said beforehand of one redeemable; ``gifts`` tells whether any of them gives free units."""
    redeemable = facts.redeemables[place]
    candidate = Candidate(place, redeemable, rank)
    if facts.stacking.grouped_redeemables_sorting_rule == "SORTED_TOGETHER":
        candidate.floats = facts.stacking.group_of(redeemable.category) == "joint"
    discount = None if redeemable.terms is None else redeemable.terms.discount
    order = first.order
    if discount is None or order is None:
        candidate.steady = candidate.whole = not redeemable.rules
        return candidate
    rules = redeemable.rules
    if isinstance(discount, UnitOff):
        plain = not discount.is_dynamic and all(rules.bundle is None for rules in rules)
        candidate.gift = _gift(facts, discount, order) if plain else MAX_AMOUNT
        return candidate
    # A scope may make a discount one on items.
    on_items = effect_of(discount) in ITEM_EFFECTS or any(rules.scope is not None for rules in rules)
    bundled = any(rules.bundle is not None for rules in rules)
    if discount.is_dynamic or (gifts and (bundled or (on_items and _grows(facts, redeemable)))):
        return candidate
    if _shifts(discount, redeemable) or not all(_settled(rules.scope, order) for rules in rules):
        if not bundled:
            candidate.ceiling = _on_all_lines(facts, redeemable, discount, order)
        return candidate
    candidate.steady = True
    candidate.alone = unconditional(facts, redeemable, first)
    candidate.whole = not on_items and not rules
    candidate.falling = not gifts and all(
        _falls(condition) for each in rules for condition in every_condition(each.conditions)
    )
    everything = not any(rules.scope is not None for rules in rules)
    if isinstance(discount, PercentOff) and everything and not bundled:
        capped = discount.amount_limit is not None or discount.aggregated_amount_limit is not None
        if not capped and not facts.stacking.of_initial(redeemable.category):
            candidate.rate, candidate.on_lines = int(discount.percent_off * 100), on_items
    return candidate


def _falls(condition: Condition) -> bool:
    """Whether the condition, where it does not hold, does not hold on any order that is worth less either."""
    if condition.name == "order.amount":
        return condition.conditions.keys() <= AT_LEAST
    return condition.name in STILL and not condition.rules


def _grows(facts: Facts, redeemable: Redeemable) -> bool:
    """Whether a discount on lines may take off more once there are free units: as units count or lines are chosen.

    What is left to pay of a line does not grow by free units, unless one thing is exchanged for another.
    """
    discounts = [each.terms and each.terms.discount for each in facts.redeemables]
    if any(isinstance(each, UnitOff) and each.effect == "REPLACE_ITEMS" for each in discounts):
        return True
    discount = redeemable.terms and redeemable.terms.discount
    by_unit = discount is not None and effect_of(discount) == "APPLY_TO_ITEMS_BY_QUANTITY"
    return by_unit or any(rules.scope is not None for rules in redeemable.rules)


def _shifts(discount: Discount, redeemable: Redeemable) -> bool:
    """Whether the discount may take off more once there is less: of an amount that is split by what is left of lines,
    those within their limits get more when others, that are cut to theirs, have shrunk.
    """
    if effect_of(discount) not in PROPORTIONALLY:
        return False
    entries = [
        entry for rules in redeemable.rules if rules.scope is not None for entry in rules.scope.included
    ]
    return any(
        entry.amount_limit is not None or entry.aggregated_amount_limit is not None for entry in entries
    )


def _settled(scope: ItemScope | None, order: Order) -> bool:
    """Whether the lines and units meant are the same on every running order that has no new units.

    Lines are picked by price, which discounts do not change; among equal prices what is left of them decides.
    """
    if scope is None:
        return True
    if any(entry.formulas or entry.budgets for entry in scope.included):
        return False
    if all(entry.effect == "APPLY_TO_EVERY" for entry in scope.included):
        return True
    items = order.items or ()
    prices = {
        Fraction(item.amount or 0, item.quantity or 1) if item.price is None else item.price for item in items
    }
    return len(prices) == len(items)


def _on_all_lines(facts: Facts, redeemable: Redeemable, discount: Discount, order: Order) -> int | None:
    """What the discount takes off if it is for all lines, which bounds it for some; None if scopes set prices."""
    scopes = [rules.scope for rules in redeemable.rules if rules.scope is not None]
    if any(entry.price is not None or entry.formulas for scope in scopes for entry in scope.included):
        return None
    if isinstance(discount, UnitOff) or discount.effect == "APPLY_TO_ORDER":
        return None
    if discount.effect is None:
        discount = replace(discount, effect="APPLY_TO_ITEMS")
    base = order if facts.stacking.of_initial(redeemable.category) else None
    effect = reckon(discount, order, base, facts.catalog)
    # A part of a line's worth is rounded, by less than one unit a line.
    return given_by(effect).total + len(order.items or ()) if isinstance(effect, Effect) else None


def _gift(facts: Facts, discount: UnitOff, order: Order) -> int:
    """The most that the free units are worth: the number of each thing times the dearest that could be meant by it."""
    others = [each.terms and each.terms.discount for each in facts.redeemables]
    gifts = [other for other in others if isinstance(other, UnitOff)]
    named = [name for gift in gifts for name in units_named(gift)]
    effect = effect_of(discount)
    if not any(gift.effect in ("ADD_SAME_ITEMS", "REPLACE_ITEMS") for gift in gifts):
        cart = Cart(order, facts.catalog)
        if discount.units is not None:
            return sum(unit.unit_off * _dearest(cart, unit.unit_type, named) for unit in discount.units)
        return (discount.unit_off or 0) * _dearest(cart, discount.unit_type or "", named)
    worths = [_worth_of_one(item) for item in order.items or ()]
    worths += [
        price for name in named for price in _stored(facts.catalog, name).values() if price is not None
    ]
    dearest = max(worths, default=0)
    if discount.units is not None:
        return sum(unit.unit_off for unit in discount.units) * dearest
    things = len(worths) if effect == "ADD_SAME_ITEMS" else 1
    if effect == "REPLACE_ITEMS":
        # A bonus is less than what comes for every unit of the cart; others may put more units in.
        things = sum(item.quantity for item in order.items or ()) if len(gifts) == 1 else MAX_AMOUNT
    return (discount.unit_off or 0) * things * dearest


def _dearest(cart: Cart, name: str, named: Sequence[str]) -> int:
    """The most that a unit of what ``name`` means may cost, whatever the discounts that name things put in before.

    A line that is put in is as stored, or like a line of the same name. So it is meant by another name only if both
    mean a line there is, or one thing stored; and prices come from those that hang together like that.
    """
    meant: dict[str, set[str]] = {}
    prices: dict[str, int] = {}
    for each in {name, *named}:
        stored = _stored(cart.catalog, each)
        prices |= {f"stored {id}": price for id, price in stored.items() if price is not None}
        rows = cart.matching(each)
        prices |= {f"line {row.index}": _worth_of_one(row.item) for row in rows}
        meant[each] = {
            f"stored {each}",
            *(f"stored {id}" for id in stored),
            *(f"line {row.index}" for row in rows),
        }
    known = meant[name]
    while wider := {thing for each in meant.values() if each & known for thing in each} - known:
        known = known | wider
    return max((prices[thing] for thing in known if thing in prices), default=0)


def _stored(catalog: Catalog, name: str) -> dict[str, int | None]:
    """The thing stored under that name and its product, with their prices."""
    stored = find_in_catalog(catalog, name)
    if stored is None:
        return {}
    product = catalog.get(stored.product_id or "")
    found = {stored.id: stored.price}
    if stored.product_id is not None:
        found[stored.product_id] = None if product is None else product.price
    return found


def _worth_of_one(item: OrderItem) -> int:
    if item.price is not None:
        return item.price
    return -(-(item.amount or 0) // max(1, item.quantity)) + 1


def room_of(facts: Facts, order: Order) -> int:
    """How far the total of the running order may still fall."""
    percent = facts.stacking.margin_floor_percent
    first = facts.order
    floor = floor_of(first, percent) if percent and first is not None else 0
    return max(0, (order.total_amount or 0) - floor)


def most(left: Sequence[tuple[Candidate, int]], slots: int, order: Order, room: int) -> int:
    """The most that ``slots`` of the candidates left can take off ``order``, whichever they are, in any order.

    ``left`` has each candidate with what bounds it from here on; ``room`` is how far the total may fall.

    Shares compound. Let ℓ be the total and p₁ … pⱼ the shares still to come: together they take at most
    ℓ · (1 − (1 − p₁) … (1 − pⱼ)) + j/2. For the first of them takes o ≤ p·ℓ + ½, and by induction the others at most
    (ℓ − o)(1 − Π) + (j − 1)/2, where Π is the product over the others; the sum is ℓ(1 − Π) + oΠ + (j − 1)/2 ≤
    ℓ(1 − (1 − p)Π) + j/2. Anything else that is taken in between only makes ℓ smaller. The same holds for shares of
    every line and the sum of the lines, with half a unit a line. So the j largest shares of the total, the k
    largest of the lines and the m largest amounts bound all stacks of j, k and m, and the best split of the slots
    bounds them all. Free units are not paid out of the total and come on top of ``room``.
    """
    items = order.items or ()
    lines = sum(item.subtotal_amount or 0 for item in items)
    whole: list[int] = []
    by_line: list[int] = []
    amounts: list[int] = []
    gifts: list[int] = []
    for candidate, bound in left:
        if candidate.gift is not None:
            gifts.append(bound)
        elif bound and candidate.rate:
            (by_line if candidate.on_lines else whole).append(candidate.rate)
        elif bound:
            amounts.append(bound)
    gifts.sort(reverse=True)
    of_total = _compounded(whole, slots, order.total_amount or 0, 1)
    of_lines = _compounded(by_line, slots, lines, len(items))
    sums = _summed(amounts, slots)
    best = 0
    for j, first in enumerate(of_total):
        for k, second in enumerate(of_lines[: slots - j + 1]):
            best = max(best, first + second + sums[min(slots - j - k, len(sums) - 1)])
    return min(best, room) + sum(gifts[:slots])


def _compounded(rates: list[int], slots: int, total: int, rounded: int) -> list[int]:
    """What none, the largest, the two largest … of the shares take at most, each rounded so many times."""
    rates.sort(reverse=True)
    kept, scale = total, 1
    off = [0]
    for count, rate in enumerate(rates[:slots], 1):
        kept, scale = kept * (10_000 - rate), scale * 10_000
        off.append((2 * (total * scale - kept) + count * rounded * scale) // (2 * scale))
    return off


def _summed(amounts: list[int], slots: int) -> list[int]:
    amounts.sort(reverse=True)
    sums = [0]
    for amount in amounts[:slots]:
        sums.append(sums[-1] + amount)
    return sums


def bounded(candidate: Candidate, gain: int | None, total: int) -> int:
    """The most that the candidate takes off from here on; ``gain`` is what it takes off here, None if refused.

    A plain discount never takes more than is left of the order.
    """
    if candidate.gift is not None:
        return candidate.gift
    if not candidate.steady:
        return total if candidate.ceiling is None else min(candidate.ceiling, total)
    if gain is None:
        return 0 if candidate.falling else min(candidate.alone, total)
    return gain
