"""Baskets and discounts of every size: currencies of 0, 2 and 3 decimals differ in magnitude only."""

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from guerdon.engine import DEFAULT_STACKING

EXAMPLES = int(os.environ.get("GUERDON_LAW_EXAMPLES", "200"))
law = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
THIRTY = replace(DEFAULT_STACKING, applicable_redeemables_limit=30)
INITIAL = replace(THIRTY, discount_calculation_mode="INITIAL_AMOUNT")

scales = st.sampled_from([1, 100, 1000, 10**9])


@st.composite
def amounts(draw: st.DrawFn, least: int = 0) -> int:
    """Minor units: round prices, odd ones, tiny ones and huge ones."""
    return max(least, draw(scales) * draw(st.integers(0, 60)) + draw(st.integers(0, 99)))


@st.composite
def baskets(draw: st.DrawFn, most: int = 8) -> list[tuple[int, int]]:
    """Lines of (unit price, quantity)."""
    return draw(st.lists(st.tuples(amounts(), st.integers(1, 12)), min_size=1, max_size=most))


@st.composite
def discounts(draw: st.DrawFn) -> dict[str, Any]:
    """Every discount but UNIT, as a caller writes it."""
    kind = draw(st.sampled_from(["AMOUNT", "AMOUNT", "PERCENT", "FIXED"]))
    effects = ["APPLY_TO_ORDER", "APPLY_TO_ITEMS"]
    raw: dict[str, Any] = {"type": kind}
    if kind == "AMOUNT":
        raw["amount_off"] = draw(amounts(least=1))
        effects += [
            "APPLY_TO_ITEMS_PROPORTIONALLY",
            "APPLY_TO_ITEMS_PROPORTIONALLY_BY_QUANTITY",
            "APPLY_TO_ITEMS_BY_QUANTITY",
        ]
    elif kind == "FIXED":
        raw["fixed_amount"] = draw(amounts())
    else:
        raw["percent_off"] = draw(st.integers(1, 10_000)) / 100
        if draw(st.booleans()):
            raw["amount_limit"] = draw(amounts(least=1))
    if kind != "FIXED" and draw(st.booleans()):
        raw["aggregated_amount_limit"] = draw(amounts(least=1))
    return raw | {"effect": draw(st.sampled_from(effects))}


@st.composite
def gifts(draw: st.DrawFn) -> dict[str, Any]:
    """Free units of things that are in the cart, in the catalog, or nowhere."""
    one = st.fixed_dictionaries(
        {
            "unit_off": st.integers(1, 5),
            "unit_type": st.sampled_from(["prod_0", "prod_1", "prod_gift", "prod_unknown"]),
            "effect": st.sampled_from(["ADD_NEW_ITEMS", "ADD_MISSING_ITEMS"]),
        }
    )
    if draw(st.booleans()):
        return {
            "type": "UNIT",
            "effect": "ADD_MANY_ITEMS",
            "units": draw(st.lists(one, min_size=1, max_size=3)),
        }
    if draw(st.integers(0, 4)) == 0:
        return {"type": "UNIT", "effect": "ADD_SAME_ITEMS", "unit_off": draw(st.integers(1, 3))}
    return {"type": "UNIT"} | draw(one)
