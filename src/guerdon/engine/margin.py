"""The margin floor: an order never comes to less than a set share of what it was worth at first."""

from collections.abc import Sequence

from guerdon.engine.effects import Effect, Steps, note
from guerdon.engine.order import Order


def floor_of(order: Order, percent: int) -> int:
    """The least total, in minor units, that discounts may leave of ``order`` as it was before the first one.

    Rounded up, so that the share is never missed by a fraction.

    >>> floor_of(Order(amount=1001), 50)
    501
    """
    worth = order.initial_amount if order.initial_amount is not None else order.amount
    return -(-(worth or 0) * percent // 100)


def cut(effect: Effect, most: int, name: str, steps: Steps) -> Effect | None:
    """The effect with at most ``most`` minor units off; lines give way from the last back, as caps do.

    Free units are given whole or not at all: None when the effect would have to be cut among them.

    >>> cut(Effect(lines=[(0, 300), (1, 300)]), 400, "margin_floor", None).lines
    [(0, 300), (1, 100)]
    """
    if effect.units:
        return None
    before = effect.order_discount + sum(off for _, off in effect.lines)
    whole = min(effect.order_discount, most)
    if steps is not None:
        note(steps, "cap", most, cap=name, before=before)
    return Effect(order_discount=whole, lines=_within(effect.lines, most - whole))


def _within(lines: Sequence[tuple[int, int]], budget: int) -> list[tuple[int, int]]:
    kept: list[tuple[int, int]] = []
    for index, off in lines:
        off = min(off, budget)
        if off:
            kept.append((index, off))
            budget -= off
    return kept
