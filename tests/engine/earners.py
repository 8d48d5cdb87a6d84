"""Small earning rules, members and situations for the tests of loyalty."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.engine.earning import compile_program, earn
from guerdon.engine.earning_parse_v1 import parse_earning_rule_v1
from guerdon.engine.earning_rule import (
    CardRules,
    Earning,
    EarningRule,
    Earnings,
    Effect,
    Fixed,
    Happening,
    Member,
    OrderPaid,
    Proportional,
)
from guerdon.engine.order import Order
from guerdon.engine.situation import Person, Situation

from .build import cart

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)  # a Sunday
WARSAW = ZoneInfo("Europe/Warsaw")
GOLD = "lcdef_gold"


def at(order: Order | None = None, now: datetime = NOW, **more: Any) -> Situation:
    """A situation with an order of 49.90 unless another is given."""
    customer = more.pop("customer", Person(id="cust_1"))
    return Situation(
        now=now, zone=WARSAW, order=cart((4990, 1)) if order is None else order, customer=customer, **more
    )


def rule(id: str = "ern_1", gives: Any = None, trigger: Happening | None = None, **more: Any) -> EarningRule:
    """A rule of one effect: 10 points for a paid order, unless said otherwise."""
    effect = {name: more.pop(name) for name in ("expiry", "pending") if name in more}
    earning = {name: more.pop(name) for name in ("rules", "tiers") if name in more}
    return EarningRule(
        id=id,
        trigger=trigger or OrderPaid(),
        earnings=(Earning(effects=(Effect(card=GOLD, gives=gives or Fixed(10), **effect),), **earning),),
        **more,
    )


def every(of: str, each: int, points: Any = 1, **more: Any) -> Proportional:
    """So many points for every so much."""
    return Proportional(of=of, every=each, points=Decimal(points), **more)  # type: ignore[arg-type]


def member(balance: int = 0, **more: Any) -> Member:
    """A member with one card."""
    return Member(id="lmbr_1", balances={GOLD: balance}, **more)


def run(
    *rules: EarningRule,
    happening: Happening | None = None,
    who: Member | None = None,
    situation: Situation | None = None,
    card: CardRules | None = None,
    happy: tuple[Any, ...] = (),
) -> Earnings:
    """What the member gets; an explanation must not make a difference."""
    program = compile_program(rules, [card or CardRules(id=GOLD)], happy)
    asked = happening or OrderPaid(), who or member(), situation or at()
    plain, told = earn(program, *asked), earn(program, *asked, explain=True)
    assert (plain.earned, plain.granted, plain.takes, plain.triggered) == (
        told.earned,
        told.granted,
        told.takes,
        told.triggered,
    )
    assert [(each.reason, each.points) for each in plain.outcomes] == [
        (each.reason, each.points) for each in told.outcomes
    ]
    return told


def points(*rules: EarningRule, **more: Any) -> int:
    """How many points the member gets."""
    return run(*rules, **more).points()


def v1(loyalty: dict[str, Any], event: str = "order.paid", **more: Any) -> EarningRule:
    """A rule as v1 of the API writes it."""
    return parse_earning_rule_v1({"event": event, "loyalty": loyalty, **more}, "ern_1", GOLD)
