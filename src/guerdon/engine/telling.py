"""What explain tells beside the conditions of rules: which lines a discount was for, whole bundles, who stood in
whose way. All of it is made from what was decided already, and changes nothing of it.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from guerdon.engine.bundle import BundleResult
from guerdon.engine.checks import Redeemable
from guerdon.engine.choosing import budget_key
from guerdon.engine.chosen import Chosen
from guerdon.engine.entries import Entry, ItemScope
from guerdon.engine.nearest import money
from guerdon.engine.order import Order
from guerdon.engine.reasons import Reason
from guerdon.engine.resolved import definition
from guerdon.engine.situation import Situation
from guerdon.engine.stacking import Hindrance, StackingRules
from guerdon.engine.trace import Check

ITEMS = "items_the_discount_is_for"
BUNDLES = "whole_bundles"
SO_FAR = "order_so_far"
MOST_SHOWN = 20
"""How many entries of a scope, and how many lines, one check shows."""
PLAIN = ("effect", "skip_initially", "repeat", "target", "strict")
"""Members of an entry that say nothing as long as they are the defaults."""


def items_check(
    scopes: Sequence[ItemScope], chosen: Chosen, situation: Situation, redeemable: Redeemable
) -> Check:
    """Which items the rules name, and which lines and units of the order that left to the discount."""
    asked: dict[str, Any] = {}
    included = [entry for scope in scopes for entry in scope.included]
    excluded = [entry for scope in scopes for entry in scope.excluded]
    if included:
        asked["included"] = [_shown(entry, situation) for entry in included[:MOST_SHOWN]]
    if excluded:
        asked["excluded"] = [_shown(entry, situation) for entry in excluded[:MOST_SHOWN]]
    for name, entries in (("included", included), ("excluded", excluded)):
        if len(entries) > MOST_SHOWN:
            asked[f"{name}_in_all"] = len(entries)
    lines = [{"line": target.line, "units": target.units} for target in chosen.targets[:MOST_SHOWN]]
    seen: dict[str, Any] = {"lines": lines}
    spent = _spent(chosen, situation, redeemable)
    if spent:
        seen["budgets_used"] = spent
    hint = None
    if not chosen.targets:
        covered = any(pick.covered for pick in chosen.picks)
        hint = _spent_hint(spent) if covered else _wanted_hint(included, situation)
        if chosen.refusal == "MISSING_ORDER_ITEMS":
            hint = "send the items of the order"
        elif chosen.refusal == "MISSING_CUSTOMER":
            hint = "say who the customer is"
    return Check(ITEMS, asked, seen, "passed" if chosen.targets else "failed", hint=hint)


def items_refusal(chosen: Chosen | None) -> str | None:
    """Why a discount is for nothing in the order, in a sentence; None where its reason says it."""
    if chosen is None or chosen.targets:
        return None
    match chosen.refusal:
        case "REDEMPTION_RULES_VIOLATED":
            return "As many units of these items as may be discounted already were"
        case "ORDER_RULES_VIOLATED":
            return "The order holds none of the items that this discount is for"
    return None


def _shown(entry: Entry, situation: Situation) -> dict[str, Any]:
    """The entry as it was defined, without what says nothing; a collection with its name."""
    whole = definition(entry)
    shown = {name: value for name, value in whole.items() if name not in PLAIN}
    usual = {"effect": "APPLY_TO_EVERY", "skip_initially": 0, "repeat": 1, "target": "ITEM"}
    shown |= {name: whole[name] for name, value in usual.items() if whole.get(name, value) != value}
    collection = situation.collections.get(entry.id or "")
    if entry.object == "products_collection" and collection is not None:
        shown["name"] = collection.name
    return shown


def _spent(chosen: Chosen, situation: Situation, redeemable: Redeemable) -> list[dict[str, Any]]:
    """How much of each budget of units the lines that were covered meet is used."""
    told: dict[str, dict[str, Any]] = {}
    for pick in chosen.picks:
        for budget in pick.entry.budgets:
            for line in pick.covered:
                item = chosen.items[line]
                key = budget_key(budget, pick.entry, item, situation, redeemable)
                if key is not None and len(told) < MOST_SHOWN:
                    told[key] = {"budget": budget.name, "used": situation.used.get(key, 0)} | (
                        {} if budget.limit is None else {"limit": budget.limit}
                    )
    return list(told.values())


def _spent_hint(spent: Iterable[dict[str, Any]]) -> str | None:
    return "the limit is used up" if any(one["used"] >= one.get("limit", 1) for one in spent) else None


def _wanted_hint(included: Sequence[Entry], situation: Situation) -> str | None:
    names: list[str] = []
    for entry in included[:3]:
        collection = situation.collections.get(entry.id or "")
        names.append(collection.name if collection is not None else entry.source_id or entry.id or "")
    if not names:
        return "something that is not left out"
    return "1 of " + " or ".join(names) + (" or others" if len(included) > 3 else "")


def bundle_check(found: BundleResult, situation: Situation) -> Check:
    """How many whole bundles the order holds, and what one lacks."""
    lacking: list[str] = []
    for one in found.missing:
        collection = situation.collections.get(one["id"] or "")
        name = one["id"] if collection is None else collection.name
        lacking.append(f"{one['item_quantity']} more of {name}")
    return Check(
        BUNDLES,
        {"at_least": 1, "counted_at_most": found.limit},
        {"bundles": found.quantity, "missing": found.missing},
        "passed" if found.quantity else "failed",
        hint=None if found.quantity else " and ".join(lacking[:5]) or None,
    )


def so_far_check(before: Iterable[Redeemable], first: Order | None, order: Order | None) -> Check:
    """What those before left of the order: that is what this redeemable's conditions and discount look at."""
    asked = {"after": [one.id for one in before]}
    seen = {
        "initial_amount": None if first is None else first.amount,
        "total_amount": None if order is None else order.total_amount,
    }
    return Check(SO_FAR, asked, seen, "passed")


def beside(
    applied: Sequence[Redeemable], hindered: Redeemable, by: Hindrance, stacking: StackingRules
) -> str:
    """Beside whom a redeemable may not stand, in a sentence."""
    category = hindered.category
    if by.reason is Reason.EXCLUSION_RULES_NOT_MET:
        who = [one for one in applied if stacking.group_of(one.category) == "exclusive"]
        return (
            f"{_names(who)} {_verb(who, 'applies', 'apply')} and, being of an exclusive category, "
            "with redeemables of joint categories alone"
        )
    who, where = list(applied), ""
    if by.reason is Reason.EXCLUSIVE_LIMIT_EXCEEDED:
        who, where = (
            [one for one in applied if stacking.group_of(one.category) == "exclusive"],
            " of exclusive categories",
        )
    elif by.reason is not Reason.APPLICABLE_LIMIT_EXCEEDED and category is not None:
        who = [one for one in applied if one.category is not None and one.category.id == category.id]
        where = f" of the category {category.name}"
    return f"{_names(who)} {_verb(who, 'applies', 'apply')} already, and {by.asked}{where} may apply together"


def better(best: Sequence[Redeemable], lost: Redeemable, total: int, exponent: int, proved: bool) -> str:
    """What a redeemable lost to that is not of the best combination."""
    names = _names(best) + (" together" if len(best) > 1 else "")
    off = money(total, exponent)
    end = f"no combination with {called(lost)} takes off more" if proved else "no better one was found"
    return f"{names} {_verb(best, 'takes', 'take')} off {off}; {end}"


def floored(first: Order, order: Order, percent: int, least: int, exponent: int) -> tuple[str, Check]:
    """That the order has come down to its margin floor."""
    total = order.total_amount or 0
    worth = first.amount if first.initial_amount is None else first.initial_amount
    told = (
        f"The order is at {money(total, exponent)} and may not come below {money(least, exponent)}, "
        f"{percent}% of {money(worth or 0, exponent)}"
    )
    return told, Check(
        "stacking.margin_floor_percent",
        {"percent": percent, "least": least},
        {"total_amount": total},
        "failed",
    )


def _names(who: Sequence[Redeemable]) -> str:
    return ", ".join(called(one) for one in who[:10]) + (", …" if len(who) > 10 else "")


def called(one: Redeemable) -> str:
    """What people know a redeemable by: its code, or a promotion's name with its id."""
    return f"{one.name} ({one.id})" if one.object == "promotion_tier" and one.name else one.id


def _verb(who: Sequence[Redeemable], one: str, many: str) -> str:
    return one if len(who) == 1 else many
