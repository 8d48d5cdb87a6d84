"""Whole amounts of money: rounding once, half up, and splits whose parts always add up.

Every amount is an ``int`` in the currency's minor unit (cents, yen, fils); the engine never asks which.

>>> half_up(11499 * 10, 100)
1150
>>> share(300, [3300, 3400])
[148, 152]
"""

from collections.abc import Sequence
from typing import NewType

Amount = NewType("Amount", int)

MAX_AMOUNT = 2**53 - 1
"""The largest amount that every JSON reader can hold exactly."""


def half_up(numerator: int, denominator: int) -> int:
    """The whole number nearest to ``numerator / denominator``; a half goes up. Both are non-negative.

    >>> half_up(15105, 10), half_up(-0, 7), half_up(14, 10)
    (1511, 0, 1)
    """
    return (2 * numerator + denominator) // (2 * denominator)


def share(total: int, weights: Sequence[int]) -> list[int]:
    """Split ``total`` (minor units, ≥ 0) in proportion to ``weights`` (≥ 0), by largest remainder.

    Every part is within one unit of its exact share and the parts sum to ``total``. Equal remainders are
    served from the end of the list, so that the last line takes the odd cent. All-zero weights are equal.

    >>> share(100, [1, 1, 1])
    [33, 33, 34]
    >>> share(5, [0, 7])
    [0, 5]
    """
    whole = sum(weights)
    if not whole:
        assert not total or weights, "nothing to share among"
        weights, whole = [1] * len(weights), len(weights)
    if not total:
        return [0] * len(weights)
    parts: list[int] = []
    remainders: list[tuple[int, int]] = []
    for index, weight in enumerate(weights):
        part, remainder = divmod(total * weight, whole)
        parts.append(part)
        remainders.append((remainder, index))
    missing = total - sum(parts)
    if missing:
        remainders.sort(reverse=True)
        for _, index in remainders[:missing]:
            parts[index] += 1
    assert sum(parts) == total
    return parts


def share_within(total: int, weights: Sequence[int], limits: Sequence[int]) -> list[int]:
    """Split like :func:`share`, but no part above its limit; what a full part cannot take goes to the others.

    ``total`` above the sum of the limits is cut to it. Zero-weight parts are served only when nothing else
    has room left.

    >>> share_within(900, [1, 1, 1], [100, 1000, 1000])
    [100, 400, 400]
    """
    left = min(total, sum(limits))
    parts = [0] * len(limits)
    room = [index for index, limit in enumerate(limits) if limit]
    while left:
        offered = share(left, [weights[index] for index in room])
        for index, offer in zip(room, offered, strict=True):
            taken = min(offer, limits[index] - parts[index])
            parts[index] += taken
            left -= taken
        room = [index for index in room if parts[index] < limits[index]]
    return parts


# How many decimals currencies have that do not have two (ISO 4217).
_EXPONENTS = {
    **dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "UYI",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    ),
    **dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3),
}


def exponent_of(currency: str) -> int:
    """How many decimals a currency's major unit has.

    >>> exponent_of("EUR"), exponent_of("JPY"), exponent_of("KWD")
    (2, 0, 3)
    """
    return _EXPONENTS.get(currency.upper(), 2)
