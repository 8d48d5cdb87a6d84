"""How answers show which items a discount is for: ``applicable_to`` and ``inapplicable_to``."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guerdon.engine.entries import MONEY_LIMITS, SHOWN, UNIT_LIMITS, Entry
from guerdon.engine.order import OrderItem

if TYPE_CHECKING:
    from guerdon.engine.chosen import Pick

MAX_LISTED_UNITS = 1000
"""Orders with more units than this are answered without the list of their units."""


def resolved(
    picks: Iterable["Pick"], items: Sequence[OrderItem], counts: Mapping[int, int] | None
) -> list[dict[str, Any]]:
    """Each entry as it was defined (``strict: false``), a collection followed by its concrete products and SKUs in
    the order (``strict: true``). Lines are given by index in the order of choice, units by their numbers.

    ``counts`` are the units discounted of each line; None leaves all lines in.
    """
    listed = sum(item.quantity for item in items) <= MAX_LISTED_UNITS
    answers: list[dict[str, Any]] = []
    for pick in picks:
        entry = pick.entry
        lines: list[tuple[int, range]] = []
        for line, units in pick.lines:
            if counts is None:
                lines.append((line, units))
            elif line in counts:
                lines.append((line, units[: counts[line]]))
        terms = _terms(entry)
        if entry.object == "products_collection" or not (entry.id or entry.source_id):
            if entry.id:
                answers.append({**_names(entry), "strict": False, **terms})
            for name, own in _by_thing(lines, items).items():
                answers.append({**dict(name), "strict": True, **terms, **_where(own, listed)})
        else:
            names = _names(entry) | _found_id(entry, lines, items)
            answers.append({**names, "strict": entry.strict, **terms, **_where(lines, listed)})
    return answers


def definition(entry: Entry) -> dict[str, Any]:
    """The entry as a caller may send it."""
    return {**_names(entry), "strict": entry.strict, **_terms(entry)}


def _names(entry: Entry) -> dict[str, Any]:
    named: dict[str, Any] = {"object": entry.object}
    for name in SHOWN:
        value = getattr(entry, name)
        if value is not None:
            named[name] = value
    named.setdefault("id", entry.source_id)
    return named


def _found_id(entry: Entry, lines: list[tuple[int, range]], items: Sequence[OrderItem]) -> dict[str, Any]:
    """The id of what was named by its source id alone, where a line of the order tells it."""
    if entry.id is not None or not lines:
        return {}
    thing = thing_of(items[lines[0][0]])
    id = thing.get("id") if thing["object"] == entry.object else thing.get(f"{entry.object}_id")
    return {"id": id} if id else {}


def _terms(entry: Entry) -> dict[str, Any]:
    terms: dict[str, Any] = {}
    for name in (*MONEY_LIMITS, *UNIT_LIMITS):
        value = getattr(entry, name)
        if value is not None:
            terms[name] = value
        if name in entry.formulas:
            terms[f"{name}_formula"] = entry.formulas[name]
    terms["effect"] = entry.effect
    for budget in entry.budgets:
        if budget.limit is not None:
            terms[budget.name] = budget.limit
        if budget.formula is not None:
            terms[f"{budget.name}_formula"] = budget.formula
    terms["skip_initially"], terms["repeat"], terms["target"] = (
        entry.skip_initially,
        entry.repeat,
        entry.target,
    )
    return terms


def _by_thing(
    lines: list[tuple[int, range]], items: Sequence[OrderItem]
) -> dict[tuple[tuple[str, Any], ...], list[tuple[int, range]]]:
    """The lines by the concrete product or SKU they hold."""
    things: dict[tuple[tuple[str, Any], ...], list[tuple[int, range]]] = {}
    for line, units in lines:
        things.setdefault(tuple(thing_of(items[line]).items()), []).append((line, units))
    return things


def thing_of(item: OrderItem) -> dict[str, Any]:
    """What a line holds: its SKU, or else its product, by whatever ids are known."""
    product_id = item.product_id or (item.product and item.product.id)
    product_source = item.product and item.product.source_id
    sku_id = item.sku_id or (item.sku and item.sku.id)
    sku_source = item.sku and item.sku.source_id
    if sku_id or sku_source or item.related_object == "sku":
        known = {
            "id": sku_id or sku_source or item.source_id,
            "source_id": sku_source or item.source_id,
            "product_id": product_id,
            "product_source_id": product_source,
        }
        return {"object": "sku"} | {name: value for name, value in known.items() if value is not None}
    known = {
        "id": product_id or product_source or item.source_id,
        "source_id": product_source or item.source_id,
    }
    return {"object": "product"} | {name: value for name, value in known.items() if value is not None}


def _where(lines: list[tuple[int, range]], listed: bool) -> dict[str, Any]:
    units: list[dict[str, Any]] = [
        {"index": line, "units": list(numbers)} if listed else {"index": line, "units_limit_exceeded": True}
        for line, numbers in lines
    ]
    return {"order_item_indices": [line for line, _ in lines], "order_item_units": units}
