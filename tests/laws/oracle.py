"""The same promises reckoned another way: exact fractions, one list of what is still to be paid.

Written from the description of the effects, without a look at how the engine does it.
"""

from fractions import Fraction
from math import floor
from typing import Any

Line = tuple[int, int]  # unit price, quantity


def nearest(value: Fraction) -> int:
    """Half up."""
    return floor(value + Fraction(1, 2))


def split(total: int, weights: list[int]) -> list[int]:
    """Largest remainder: hand out one unit at a time to who is furthest behind, the later one first."""
    exact = [
        Fraction(total * weight, sum(weights)) if sum(weights) else Fraction(total, len(weights))
        for weight in weights
    ]
    parts = [floor(value) for value in exact]
    behind = sorted(range(len(parts)), key=lambda i: (exact[i] - parts[i], i))
    while sum(parts) < total:
        parts[behind.pop()] += 1
    return parts


def fill(total: int, weights: list[int], limits: list[int]) -> list[int]:
    """Split round after round; a full vessel drops out."""
    parts = [0] * len(limits)
    while total > 0:
        live = [i for i in range(len(limits)) if parts[i] < limits[i]]
        if not live:
            break
        poured = split(total, [weights[i] for i in live])
        for i, drop in zip(live, poured, strict=True):
            kept = min(drop, limits[i] - parts[i])
            parts[i] += kept
            total -= kept
    return parts


class Bill:
    """What is still to be paid: on every line, and how much the whole has been lowered."""

    def __init__(self, lines: list[Line]) -> None:
        self.quantities = [quantity for _, quantity in lines]
        self.open = [price * quantity for price, quantity in lines]
        self.lowered = 0

    @property
    def total(self) -> int:
        return sum(self.open) - self.lowered

    def take(self, discount: dict[str, Any]) -> tuple[int, list[int]]:
        """Apply a discount; what it took off the whole, and off each line."""
        whole, lines = self._wanted(discount)
        limit = discount.get("aggregated_amount_limit")
        if whole is not None:
            for cap in (discount.get("amount_limit"), limit, self.total):
                if cap is not None and whole > cap:
                    whole = cap
            self.lowered += whole
            return whole, [0] * len(self.open)
        left = self.total if limit is None else min(limit, self.total)
        for index, wanted in enumerate(lines):
            lines[index] = taken = min(wanted, left)
            left -= taken
            self.open[index] -= taken
        return 0, lines

    def _wanted(self, discount: dict[str, Any]) -> tuple[int | None, list[int]]:
        effect, opened = discount.get("effect", "APPLY_TO_ORDER"), self.open
        match discount["type"], effect:
            case "PERCENT", "APPLY_TO_ORDER":
                return nearest(self.total * Fraction(str(discount["percent_off"])) / 100), []
            case "PERCENT", _:
                parts = [nearest(value * Fraction(str(discount["percent_off"])) / 100) for value in opened]
                return None, [min(part, discount.get("amount_limit", part)) for part in parts]
            case "FIXED", "APPLY_TO_ORDER":
                return max(0, self.total - discount["fixed_amount"]), []
            case "FIXED", _:
                fixed = discount["fixed_amount"]
                return None, [max(0, v - fixed * q) for v, q in zip(opened, self.quantities, strict=True)]
        off = discount["amount_off"]
        pot = min(off, discount.get("aggregated_amount_limit", off), self.total)
        match effect:
            case "APPLY_TO_ORDER":
                return off, []
            case "APPLY_TO_ITEMS":
                return None, [min(off, value) for value in opened]
            case "APPLY_TO_ITEMS_BY_QUANTITY":
                return None, [min(off * q, v) for v, q in zip(opened, self.quantities, strict=True)]
            case "APPLY_TO_ITEMS_PROPORTIONALLY":
                return None, split(pot, opened) if sum(opened) else [0] * len(opened)
            case _:
                return None, fill(pot, self.quantities, opened)
