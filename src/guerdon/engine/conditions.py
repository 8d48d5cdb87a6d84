"""What one condition of a rule set is: which fact it asks of, with which operators, and whether it holds.

The facts of the customer, the order and the redemption are here; those of the order's lines are in
conditions_items.py, those that count what is used up in conditions_limits.py.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct, field

from guerdon.engine.logic import Logic
from guerdon.engine.operators import MISSING, OPERATORS, Test, compiled
from guerdon.engine.order import Order
from guerdon.engine.reasons import Reason
from guerdon.engine.situation import Situation

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable

Group = Literal["customer", "order", "redemption"]
Value = Literal["number", "name", "flag", "anything", "limit", "items", "nothing"]


class Result(Struct):
    """What a redemption comes to, for the rules that look at that: the order after it, its discount."""

    order: Order | None = None
    off: int = 0


class Scene(Struct):
    """What conditions look at."""

    redeemable: "Redeemable"
    situation: Situation
    result: Result | None = None


Fails = Callable[[Scene], Reason | None]
Look = Callable[[Scene], Any]


Judged = tuple[Fails, Look]


class Condition(Struct, kw_only=True, eq=False):
    """One rule of a set, as data. ``conditions`` are its operators with their operands, all of which must hold, and
    so must ``logic`` over its nested ``rules``. ``judged`` are the functions that judge and show it (judging.py).
    """

    key: str
    name: str
    property: str | None = None
    conditions: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    rules: "dict[str, Condition]" = field(default_factory=dict)
    logic: Logic | None = None
    error: str | None = None
    judged: Judged | None = None


EQUAL = ("$is", "$is_not", "$in", "$not_in")
ORDERED = (
    "$less_than",
    "$less_than_or_equal",
    "$more_than",
    "$more_than_or_equal",
    "$greater_than_or_equal",
)
TEXTS = ("$starts_with", "$ends_with", "$contains")
ALLOWED: dict[Value, frozenset[str]] = {
    "number": frozenset(EQUAL + ORDERED),
    "limit": frozenset((*ORDERED, "$is", "$in")),
    "name": frozenset(EQUAL + TEXTS),
    "flag": frozenset(("$is", "$is_not")),
    "anything": frozenset(OPERATORS) - {"$from"},
    "items": frozenset((*EQUAL, "$from")),
    "nothing": frozenset(EQUAL + ORDERED),
}


class Fact(Struct, frozen=True, kw_only=True):
    """A name that a rule may have. ``within`` says of which rules it may be a sub-rule, ``quantifier`` that it
    picks lines; ``property`` that one is needed; ``after`` that the result must be known first.
    """

    name: str
    group: Group
    value: Value
    words: str
    property: bool = False
    after: bool = False
    within: Literal["items", "product", "sku", ""] = ""
    quantifier: bool = False
    read: Callable[[Scene, str | None], Any] | None = None


def group_reason(group: Group) -> Reason:
    """What a rule of this group says when it does not hold."""
    match group:
        case "customer":
            return Reason.CUSTOMER_RULES_VIOLATED
        case "order":
            return Reason.ORDER_RULES_VIOLATED
        case "redemption":
            return Reason.REDEMPTION_RULES_VIOLATED


def looked_up(metadata: Mapping[str, Any] | None, property: str | None) -> Any:
    """A property of metadata, or MISSING; ``a.b`` is the property ``a.b`` or else ``b`` of the object ``a``.

    >>> looked_up({"shop": {"city": "Graz"}}, "shop.city")
    'Graz'
    """
    if not metadata or property is None:
        return MISSING
    if property in metadata:
        return _or_missing(metadata[property])
    first, dot, rest = property.partition(".")
    inner = metadata.get(first) if dot else None
    return _or_missing(inner.get(rest)) if isinstance(inner, Mapping) else MISSING


def _or_missing(value: Any) -> Any:
    return MISSING if value is None else value


def _segments(scene: Scene, _property: str | None) -> Any:
    customer = scene.situation.customer
    return Reason.MISSING_CUSTOMER if customer is None else customer.segments


def _tiers(scene: Scene, _property: str | None) -> Any:
    customer = scene.situation.customer
    return Reason.MISSING_CUSTOMER if customer is None else customer.loyalty_tiers


def _customer_metadata(scene: Scene, property: str | None) -> Any:
    customer = scene.situation.customer
    return Reason.MISSING_CUSTOMER if customer is None else looked_up(customer.metadata, property)


def _order_metadata(scene: Scene, property: str | None) -> Any:
    order = scene.situation.order
    return Reason.MISSING_ORDER if order is None else looked_up(order.metadata, property)


def _redemption_metadata(scene: Scene, property: str | None) -> Any:
    return looked_up(scene.situation.metadata, property)


def amount_left(order: Order | None) -> int | Reason:
    """What is to be paid of an order as it stands, or which fact is missing."""
    if order is None:
        return Reason.MISSING_ORDER
    total = order.total_amount if order.total_amount is not None else order.amount
    return Reason.MISSING_AMOUNT if total is None else total


def _amount(scene: Scene, _property: str | None) -> Any:
    order = scene.situation.order
    if order is not None and (total := order.total_amount) is not None:
        return total
    return amount_left(order)


def _total_amount(scene: Scene, _property: str | None) -> Any:
    result = scene.result
    return amount_left(scene.situation.order if result is None or result.order is None else result.order)


def _initial_amount(scene: Scene, _property: str | None) -> Any:
    order = scene.situation.initial or scene.situation.order
    if order is None:
        return Reason.MISSING_ORDER
    amount = order.initial_amount if order.initial_amount is not None else order.amount
    return Reason.MISSING_AMOUNT if amount is None else amount


def _api_key(scene: Scene, _property: str | None) -> Any:
    return _or_missing(scene.situation.api_key)


def _user(scene: Scene, _property: str | None) -> Any:
    return _or_missing(scene.situation.user)


def _credits_spent(scene: Scene, _property: str | None) -> Any:
    """Credits this redemption spends; no spending passes any bound on it (None)."""
    card = scene.redeemable.card
    return None if card is None or card.unit != "credits" or scene.result is None else scene.result.off


def _points_spent(scene: Scene, _property: str | None) -> Any:
    """Points this redemption spends; no spending passes any bound on it (None)."""
    card = scene.redeemable.card
    return None if card is None or card.unit != "points" else card.asked


def _by_holder(scene: Scene, _property: str | None) -> Any:
    customer = scene.situation.customer
    if customer is None:
        return Reason.MISSING_CUSTOMER
    return scene.redeemable.holder_id is not None and scene.redeemable.holder_id == customer.id


def _no_event(_scene: Scene, _property: str | None) -> Any:
    return Reason.REDEMPTION_RULES_VIOLATED


_FACTS = (
    Fact(
        name="customer.segment",
        group="customer",
        value="name",
        words="segments the customer is in",
        read=_segments,
    ),
    Fact(
        name="customer.metadata",
        group="customer",
        value="anything",
        words="metadata of the customer",
        property=True,
        read=_customer_metadata,
    ),
    Fact(
        name="customer.loyalty.tier",
        group="customer",
        value="name",
        words="loyalty tiers the customer is in",
        read=_tiers,
    ),
    Fact(
        name="order.amount",
        group="order",
        value="number",
        words="what is to be paid before this discount, after those before it",
        read=_amount,
    ),
    Fact(
        name="order.total_amount",
        group="order",
        value="number",
        words="what is to be paid after this discount",
        after=True,
        read=_total_amount,
    ),
    Fact(
        name="order.initial_amount",
        group="order",
        value="number",
        words="the order's amount before any discount",
        read=_initial_amount,
    ),
    Fact(
        name="order.metadata",
        group="order",
        value="anything",
        words="metadata of the order",
        property=True,
        read=_order_metadata,
    ),
    Fact(
        name="redemption.metadata",
        group="redemption",
        value="anything",
        words="metadata of the redemption",
        property=True,
        read=_redemption_metadata,
    ),
    Fact(
        name="redemption.api_key",
        group="redemption",
        value="name",
        words="the app id of the key that redeems",
        read=_api_key,
    ),
    Fact(
        name="redemption.user.login",
        group="redemption",
        value="name",
        words="the login of the user who redeems",
        read=_user,
    ),
    Fact(
        name="redemption.gift.amount",
        group="redemption",
        value="number",
        words="gift credits this redemption spends; holds when it spends none",
        after=True,
        read=_credits_spent,
    ),
    Fact(
        name="redemption.reward.pay_with_points.points_used",
        group="redemption",
        value="number",
        words="points this redemption spends; holds when it spends none",
        read=_points_spent,
    ),
    Fact(
        name="publication.redeemable_by_linked_customer",
        group="redemption",
        value="flag",
        words="`true`: only the customer the code was published to may redeem it",
        read=_by_holder,
    ),
    Fact(
        name="custom_event.metadata",
        group="redemption",
        value="anything",
        words="metadata of the custom event; a redemption has none, and the rule does not hold",
        property=True,
        read=_no_event,
    ),
)
FACTS: dict[str, Fact] = {fact.name: fact for fact in _FACTS}


def compile_fact(
    fact: Fact, property: str | None, operators: Mapping[str, tuple[Any, ...]], nested: Fails | None
) -> tuple[Fails, Look]:
    """Functions that judge and show a fact of the customer, the order or the redemption."""
    read = fact.read
    assert read is not None
    if fact.name == "publication.redeemable_by_linked_customer":
        return _compile_holder(fact, operators, nested)
    tests = tuple(compiled(operator, operands) for operator, operands in operators.items())
    violated = group_reason(fact.group)

    def fails(scene: Scene) -> Reason | None:
        value = read(scene, property)
        if value is None:
            return None
        if type(value) is Reason:
            return value
        situation = scene.situation
        for test in tests:
            if not test(value, situation.now, situation.zone):
                return violated
        return None if nested is None else nested(scene)

    return fails, lambda scene: shown(read(scene, property))


def _compile_holder(
    fact: Fact, operators: Mapping[str, tuple[Any, ...]], nested: Fails | None
) -> tuple[Fails, Look]:
    """Only a rule that asks for the holder asks for anything: `$is [false]` leaves the code to everybody."""
    asked = any(
        (operator == "$is") == (True in operands or "true" in operands)
        for operator, operands in operators.items()
    )
    violated = group_reason(fact.group)

    def fails(scene: Scene) -> Reason | None:
        value = _by_holder(scene, None) if asked else True
        if value is not True:
            return violated if value is False else value
        return None if nested is None else nested(scene)

    return fails, lambda scene: shown(_by_holder(scene, None))


def shown(value: Any) -> Any:
    """A value as the trace shows it: plain JSON."""
    if value is MISSING or type(value) is Reason:
        return None
    return sorted(value) if type(value) is frozenset else value


def tests_of(operators: Mapping[str, tuple[Any, ...]]) -> tuple[Test, ...]:
    """The tests of a rule's operators."""
    return tuple(compiled(operator, operands) for operator, operands in operators.items())


def every_condition(rules: Mapping[str, Condition]) -> Iterator[Condition]:
    """The conditions and all that are nested in them."""
    for condition in rules.values():
        yield condition
        yield from every_condition(condition.rules)
