"""Conditions that count what is used up: redemptions, order value and discounts, of a campaign or one redeemable.

What is compared is how much is used already plus what this redemption adds, so that `$less_than_or_equal [1]`
allows one redemption.
"""

from collections.abc import Mapping
from typing import Any

from guerdon.engine.conditions import Condition, Fact, Fails, Look, Scene, amount_left, group_reason, tests_of
from guerdon.engine.operators import number_of
from guerdon.engine.reasons import Reason
from guerdon.engine.tally import LIMITS, Tally, key_asked

_COUNTED = {"n": "redemptions", "orders": "order value", "off": "discount"}
_SPAN = {"all": "in all", "day": "a day", "week": "a week", "month": "a month"}
_BY = {
    "anybody": "",
    "customer": " of this customer",
    "api_key": " with this API key",
    "user": " of this user",
}
UPPER = ("$less_than", "$less_than_or_equal", "$is", "$in")


def _words(tally: Tally) -> str:
    owner = "the campaign" if tally.scope == "campaign" else "this code or promotion"
    return f"{_COUNTED[tally.measure]} of {owner}{_BY[tally.by]} {_SPAN[tally.span]}, this one counted"


FACTS: dict[str, Fact] = {
    name: Fact(
        name=name,
        group="redemption",
        value="limit",
        words=_words(tally),
        after=tally.measure in ("orders", "off"),
    )
    for name, tally in LIMITS.items()
}


def used_already(name: str, scene: Scene) -> int | Reason | None:
    """How much is used by other orders, or that nobody is there to count by: a missing customer, or None for a key or a user."""
    tally = LIMITS[name]
    if tally.by == "customer" and scene.situation.customer is None:
        return Reason.MISSING_CUSTOMER
    key = key_asked(name, scene.redeemable, scene.situation)
    if key is None:
        return None if tally.by != "anybody" else 0
    situation = scene.situation
    return situation.used.get(key, 0) - situation.valued.get(key, 0)


def taken_now(name: str, scene: Scene) -> int | Reason:
    """How much this redemption adds: 1, the order's amount before discounts, or the discount."""
    match LIMITS[name].measure:
        case "n":
            return 1
        case "off":
            return 0 if scene.result is None else scene.result.off
    order = scene.situation.initial or scene.situation.order
    if order is None:
        return Reason.MISSING_ORDER
    return order.amount if order.amount is not None else amount_left(order)


def compile_limit(
    fact: Fact, operators: Mapping[str, tuple[Any, ...]], nested: Fails | None
) -> tuple[Fails, Look]:
    """Functions that judge and show a limit."""
    tests, violated, name = tests_of(operators), group_reason(fact.group), fact.name
    lenient = LIMITS[name].measure != "n"

    def fails(scene: Scene) -> Reason | None:
        used = used_already(name, scene)
        if used is not None:
            if type(used) is Reason:
                return used
            own = taken_now(name, scene)
            if type(own) is Reason:
                return own
            policy = scene.redeemable.limit_policy
            # Where the last one may go beyond the budget, or gets only the rest, one unit left is enough.
            own = 1 if lenient and policy == "LAST_IN_FULL" else own
            own = (
                1 if lenient and policy == "PARTIAL" and (own == 0 or name.endswith("orders.amount")) else own
            )
            situation = scene.situation
            for test in tests:
                if not test(used + own, situation.now, situation.zone):  # type: ignore[operator]
                    return violated
        return None if nested is None else nested(scene)

    return fails, lambda scene: _shown(name, scene)


def _shown(name: str, scene: Scene) -> Any:
    used, own = used_already(name, scene), taken_now(name, scene)
    if not isinstance(used, int) or not isinstance(own, int):
        return None
    return {"used": used, "with_this": used + own}


def most_of(condition: Condition) -> int | None:
    """The most a limit allows, or None when it has no upper bound."""
    bounds: list[int] = []
    for operator, operands in condition.conditions.items():
        numbers = [int(number) for operand in operands if (number := number_of(operand)) is not None]
        if operator in UPPER and numbers:
            bounds.append(max(numbers) - (operator == "$less_than"))
    return min(bounds, default=None)


def left_of(condition: Condition, scene: Scene) -> int | None:
    """How much of a limit is left before this redemption, at least 0; None when it does not bound."""
    most, used = most_of(condition), used_already(condition.name, scene)
    return max(0, most - used) if most is not None and isinstance(used, int) else None
