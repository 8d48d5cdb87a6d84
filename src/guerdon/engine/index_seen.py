"""A situation as an index looks at it: tokens for what is there, and numbers.

A token is a text such as ``item:prod_1``, ``in:pc_1`` (a product collection with a line in it), ``segment:seg_1``
or ``customer.metadata:country=PL``. Values are written as operators compare them, so that 5, "5" and 5.0 are one.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from guerdon.engine.checks import Redeemable
from guerdon.engine.conditions import Scene, amount_left
from guerdon.engine.conditions_items import known_of
from guerdon.engine.entries import product_names, readers, sku_names
from guerdon.engine.index_members import Members
from guerdon.engine.index_postings import ORDERLESS, Seen
from guerdon.engine.operators import elements, text_of
from guerdon.engine.order import Order, OrderItem
from guerdon.engine.situation import Situation

NOW = "now"
UNITS = "order.units"
DEAREST = "order.dearest"
CHEAPEST = "order.cheapest"
LINE_METADATA = "line.metadata"
_START = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)


def second_of(instant: datetime) -> int:
    """Whole seconds since 1970, rounded down.

    >>> second_of(datetime(1970, 1, 2, tzinfo=UTC))
    86400
    """
    return (instant - _START) // _SECOND


def value_token(name: str, key: str, value: Any) -> str | None:
    """The token of a value under a name and key; None when the value is nothing that can be compared."""
    text = text_of(value)
    return None if text is None else f"{name}:{key}={text}"


def look(situation: Situation, wanted: Iterable[str], members: Members) -> Seen:
    """The situation's tokens and numbers; of collections only the wanted ones are looked into."""
    tokens: set[str] = set()
    measures = {NOW: second_of(situation.now)}
    members.learn(wanted, situation.collections)
    order, customer = situation.order, situation.customer
    if order is None:
        tokens.add(ORDERLESS)
    else:
        _look_at_amounts(order, situation, measures)
        _values("order.metadata", order.metadata, tokens)
        if order.items is not None:
            _look_at_items(order.items, members, tokens, measures)
            _look_into_filters(order.items, members, situation, tokens)
    if customer is not None:
        _value("customer.segment", "", customer.segments, tokens)
        _value("customer.loyalty.tier", "", customer.loyalty_tiers, tokens)
        _values("customer.metadata", customer.metadata, tokens)
    _values("redemption.metadata", situation.metadata, tokens)
    _value("redemption.api_key", "", situation.api_key, tokens)
    _value("redemption.user.login", "", situation.user, tokens)
    return Seen(tokens, measures)


def _look_at_items(
    items: Iterable[OrderItem], members: Members, tokens: set[str], measures: dict[str, int]
) -> None:
    prices: list[int] = []
    units = 0
    for item in items:
        units += item.quantity
        for name in {*product_names(item), *sku_names(item)}:
            if name is not None:
                tokens.add(f"item:{name}")
                for id in members.naming(name):
                    tokens.add(f"in:{id}")
        _price(item.price, prices)
        for thing in (item, item.product, item.sku):
            if thing is not None:
                _values(LINE_METADATA, thing.metadata, tokens)
                _price(thing.price, prices)
    measures[UNITS] = units
    if prices:
        measures[DEAREST] = max(prices)
        measures[CHEAPEST] = min(prices)


def _price(price: int | None, prices: list[int]) -> None:
    if price is not None:
        prices.append(price)


def _look_into_filters(
    items: list[OrderItem], members: Members, situation: Situation, tokens: set[str]
) -> None:
    """A filter that may take a line is held against the lines once: conditions find the answers again."""
    asked = members.asking(read for item in items for read in readers(item))
    if asked:
        scene = Scene(Redeemable(id=""), situation)
        known = known_of(scene, items)
        for id in asked:
            if known.members(id, scene):
                tokens.add(f"in:{id}")


def _look_at_amounts(order: Order, situation: Situation, measures: dict[str, int]) -> None:
    amount = amount_left(order)
    if isinstance(amount, int):
        measures["order.amount"] = amount
    first = situation.initial or order
    before = first.initial_amount if first.initial_amount is not None else first.amount
    if before is not None:
        measures["order.initial_amount"] = before


def _values(name: str, metadata: Mapping[str, Any] | None, tokens: set[str]) -> None:
    """Tokens of all that metadata holds; ``a.b`` is ``b`` of the object ``a``, as conditions look it up."""
    if not metadata:
        return
    for key, value in metadata.items():
        if isinstance(value, Mapping):
            for inner, below in value.items():
                _value(name, f"{key}.{inner}", below, tokens)
        else:
            _value(name, key, value, tokens)


def _value(name: str, key: str, value: Any, tokens: set[str]) -> None:
    for each in elements(value):
        token = value_token(name, key, each)
        if token is not None:
            tokens.add(token)
