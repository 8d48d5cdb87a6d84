"""Earning: what happened and to whom in, points and benefits out, with the reason of every rule that gives none.

>>> from datetime import UTC
>>> from decimal import Decimal
>>> from zoneinfo import ZoneInfo
>>> from guerdon.engine.order import Order
>>> rule = EarningRule(
...     id="ern_1", trigger=OrderPaid(),
...     earnings=(Earning(effects=(Effect(
...         card="gold", gives=Proportional(of="order.total_amount", every=1000, points=Decimal(3))),)),),
... )
>>> program = compile_program([rule], [CardRules(id="gold")])
>>> now = Situation(now=datetime(2026, 11, 22, tzinfo=UTC), zone=ZoneInfo("UTC"), order=Order(amount=4990))
>>> earn(program, OrderPaid(), Member(id="lmbr_1", balances={"gold": 0}), now).points()
12
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.checks import Redeemable
from guerdon.engine.durations import move
from guerdon.engine.earning_points import Basket, Reckoning, happy_for, happy_now, reckon
from guerdon.engine.earning_rule import (
    BenefitOf,
    CardRules,
    CustomEvent,
    Earned,
    Earning,
    EarningReason,
    EarningRule,
    Earnings,
    Effect,
    Granted,
    Happening,
    HappyHours,
    Member,
    OrderPaid,
    Proportional,
    RuleOutcome,
    SegmentEntered,
    TierChanged,
)
from guerdon.engine.earning_telling import tell_points, tell_rest, tell_tier, tell_tries
from guerdon.engine.entries import Entry
from guerdon.engine.expiry import Expiry, ends
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.pending import Activation, Pending, activation
from guerdon.engine.periods import local_day, name_of
from guerdon.engine.reasons import Reason
from guerdon.engine.rule import check_rules
from guerdon.engine.situation import Situation
from guerdon.engine.tally import key_of
from guerdon.engine.trace import Check
from guerdon.engine.window import check_times

_OF_TIMES = {
    Reason.VOUCHER_NOT_ACTIVE: EarningReason.NOT_STARTED,
    Reason.VOUCHER_EXPIRED: EarningReason.ENDED,
    Reason.VOUCHER_NOT_ACTIVE_NOW: EarningReason.NOT_NOW,
}


class EarningProgram(Struct, frozen=True, kw_only=True):
    """Rules ready to be asked: by what sets them off, in the order of their ids, and the cards they give to.

    ``segments`` and ``collections`` are the ids that its conditions and item lists ask about: whoever gathers the
    situation looks them up, and the customer's tiers if it ``asks_tiers``. ``rests`` are the rules of which it must be
    known when they last gave.
    """

    id: str = ""
    rules: Mapping[str, tuple[EarningRule, ...]]
    cards: Mapping[str, CardRules]
    happy_hours: tuple[HappyHours, ...] = ()
    segments: frozenset[str] = frozenset()
    collections: frozenset[str] = frozenset()
    rests: frozenset[str] = frozenset()
    asks_tiers: bool = False


def compile_program(
    rules: Iterable[EarningRule],
    cards: Iterable[CardRules],
    happy_hours: Iterable[HappyHours] = (),
    id: str = "",
) -> EarningProgram:
    """A program out of its parts, once a snapshot. The order they come in does not matter."""
    by_trigger: dict[str, list[EarningRule]] = {}
    all_rules = sorted(rules, key=lambda rule: rule.id)
    for rule in all_rules:
        by_trigger.setdefault(_waits_for(rule.trigger), []).append(rule)
    rule_sets = [asked for rule in all_rules for earning in rule.earnings for asked in earning.rules]
    listed = (entry for rule in all_rules for entry in _items_of(rule))
    named = (entry.id for entry in listed if entry.object == "products_collection" and entry.id)
    return EarningProgram(
        id=id,
        rules={key: tuple(found) for key, found in by_trigger.items()},
        cards={card.id: card for card in cards},
        happy_hours=tuple(happy_hours),
        segments=frozenset().union(*(asked.segments for asked in rule_sets)),
        collections=frozenset(named).union(*(asked.collections for asked in rule_sets)),
        rests=frozenset(rule.id for rule in all_rules if rule.cooldown is not None),
        asks_tiers=any(asked.asks_tiers for asked in rule_sets),
    )


def _items_of(rule: EarningRule) -> Iterator[Entry]:
    for earning in rule.earnings:
        for effect in earning.effects:
            if isinstance(effect.gives, Proportional):
                yield from effect.gives.items


def _waits_for(trigger: Happening) -> str:
    """Under which name a rule is kept."""
    match trigger:
        case OrderPaid():
            return "order.paid"
        case SegmentEntered(segment_id):
            return f"segment:{segment_id}"
        case CustomEvent(schema_id, name):
            return f"event:{schema_id}" if schema_id is not None else f"named:{name}"
        case TierChanged(event, tier_id):
            return f"tier:{event}:{tier_id or ''}"
        case _:
            assert_never(trigger)


def set_off(program: EarningProgram, happening: Happening) -> Sequence[EarningRule]:
    """The rules that wait for what happened, in the order of their ids."""
    match happening:
        case CustomEvent(schema_id, name):
            names = (f"event:{schema_id}", f"named:{name}")
        case TierChanged(event, tier_id):
            names = (f"tier:{event}:{tier_id or ''}", f"tier:{event}:") if tier_id else (f"tier:{event}:",)
        case _:
            names = (_waits_for(happening),)
    found = [rule for name in names for rule in program.rules.get(name, ())]
    return found if len(names) == 1 else sorted(found, key=lambda rule: rule.id)


def earning_tallies(
    program: EarningProgram, happening: Happening, member_id: str, situation: Situation
) -> list[str]:
    """The keys of the tallies that :func:`earn` will look up; they must be read, and locked, before."""
    desk = _Desk(program, Member(id=member_id), situation, explain=False)
    keys: dict[str, None] = {}
    for rule in set_off(program, happening):
        if rule.frequency is not None:
            keys[desk.tries_key(rule)] = None
        for key in desk.rule_caps(rule):
            keys[key] = None
        for earning in rule.earnings:
            for effect in earning.effects:
                card = program.cards.get(effect.card)
                if card is not None and card.most_in_period is not None:
                    keys[desk.card_key(card)] = None
    return list(keys)


def points_tallies(
    program: EarningProgram, rule_id: str, card_id: str, member_id: str, situation: Situation
) -> list[str]:
    """The tallies that points of a rule count in: to be lessened when they are taken back."""
    desk = _Desk(program, Member(id=member_id), situation, explain=False)
    rules = (rule for rules in program.rules.values() for rule in rules if rule.id == rule_id)
    keys = {key for rule in rules for key in desk.rule_caps(rule)}
    card = program.cards.get(card_id)
    if card is not None and card.most_in_period is not None:
        keys.add(desk.card_key(card))
    return sorted(keys)


def earn(
    program: EarningProgram,
    happening: Happening,
    member: Member,
    situation: Situation,
    explain: bool = False,
) -> Earnings:
    """What the member gets. ``situation`` has the customer, the finished order, and in ``used`` the tallies.

    Rules are asked in the order of their ids, each seeing what those before it took. Nothing given is changed.
    """
    if isinstance(happening, CustomEvent):
        situation = replace(situation, metadata=happening.metadata)
    desk = _Desk(program, member, situation, explain)
    for rule in set_off(program, happening):
        desk.ask(rule)
    return desk.answer


class _Desk:
    """The work on one happening: asks rules, keeps to limits, remembers what was taken."""

    def __init__(self, program: EarningProgram, member: Member, situation: Situation, explain: bool) -> None:
        self.program, self.member, self.situation = program, member, situation
        self.now, self.zone = situation.now, situation.zone
        self.today = local_day(situation.now, situation.zone)
        self.explain = explain
        self.basket = Basket(situation)
        self.redeemable = Redeemable(
            id=member.id, key=member.id, campaign_id=program.id or None, metadata=member.metadata
        )
        self.answer = Earnings()
        self.balances = dict(member.balances)
        self.happy = happy_now(program.happy_hours, self.now, self.zone) if program.happy_hours else ()
        # What rules have in common is worked out once, known by its identity, which the program holds on to.
        self.times: dict[int, EarningReason | None] = {}
        self.endings: dict[tuple[int, int], tuple[Activation, datetime | None]] = {}
        self.card_keys: dict[str, str] = {}

    def ask(self, rule: EarningRule) -> None:
        """Ask one rule, and take what it gives."""
        trace: list[Check] | None = [] if self.explain else None
        refused = self._refused(rule, trace)
        if refused is not None:
            self.answer.outcomes.append(RuleOutcome(rule_id=rule.id, reason=refused, checks=trace or []))
            return
        before = len(self.answer.earned), len(self.answer.granted)
        for earning in rule.earnings:
            self._ask_earning(rule, earning, trace or ())
        if before != (len(self.answer.earned), len(self.answer.granted)):
            self.answer.triggered.append(rule.id)
            if rule.frequency is not None:
                self._take(self.tries_key(rule), 1)

    def _refused(self, rule: EarningRule, trace: list[Check] | None) -> EarningReason | None:
        if not rule.active:
            return EarningReason.SWITCHED_OFF
        untimely = self._untimely(rule, trace)
        if untimely is not None:
            return untimely
        if rule.cooldown is not None:
            last = self.member.last.get(rule.id)
            until = None if last is None else move(last, rule.cooldown, self.zone)
            rests = until is not None and self.now < until
            if trace is not None:
                tell_rest(trace, rule.cooldown, last, until, self.now)
            if rests:
                return EarningReason.COOLDOWN
        if rule.frequency is not None:
            tries = self._used(self.tries_key(rule))
            if trace is not None:
                tell_tries(trace, rule.frequency, tries)
            if tries >= rule.frequency.most:
                return EarningReason.FREQUENCY
        return None

    def _untimely(self, rule: EarningRule, trace: list[Check] | None) -> EarningReason | None:
        known = id(rule.terms)
        if trace is not None or known not in self.times:
            reason = check_times(rule.terms, self.now, self.zone, trace)
            self.times[known] = None if reason is None else _OF_TIMES[reason]
        return self.times[known]

    def _ask_earning(self, rule: EarningRule, earning: Earning, before: Sequence[Check]) -> None:
        trace: list[Check] | None = list(before) if self.explain else None
        reason, error = self._unmet(earning, trace)
        if reason is not None:
            self.answer.outcomes.append(
                RuleOutcome(
                    rule_id=rule.id, earning_id=earning.id, reason=reason, error=error, checks=trace or []
                )
            )
            return
        for index, effect in enumerate(earning.effects):
            outcome = RuleOutcome(
                rule_id=rule.id,
                earning_id=earning.id,
                effect=index,
                card=effect.card,
                checks=list(trace or ()),
            )
            self.answer.outcomes.append(outcome)
            if isinstance(effect.gives, BenefitOf):
                self.answer.granted.append(
                    Granted(rule_id=rule.id, earning_id=earning.id, benefit_id=effect.gives.id)
                )
            else:
                self._give(rule, earning, effect, outcome)

    def _unmet(self, earning: Earning, trace: list[Check] | None) -> tuple[EarningReason | None, str | None]:
        if earning.tiers is not None:
            if trace is not None:
                tell_tier(trace, earning.tiers, self.member.tier)
            if self.member.tier not in earning.tiers:
                return EarningReason.TIER, None
        for rule_set in earning.rules:
            refusal = check_rules(rule_set, self.redeemable, self.situation, None, trace)
            if refusal is not None:
                return EarningReason.RULES, refusal[1]
        return None, None

    def _give(self, rule: EarningRule, earning: Earning, effect: Effect, outcome: RuleOutcome) -> None:
        gives, card = effect.gives, self.program.cards.get(effect.card)
        assert not isinstance(gives, BenefitOf)
        if card is None or card.id not in self.balances:
            outcome.reason = EarningReason.NO_CARD
            return
        happy = happy_for(self.happy, rule.id) if self.happy else None
        found = reckon(gives, self.basket, self.redeemable, self.member.mapped.get(rule.id), happy)
        caps = self.rule_caps(rule) if rule.caps else {}
        points, outcome.reason = self._within(caps, card, found)
        outcome.points = points
        if self.explain:
            tell_points(outcome.checks, gives, found, points)
        if not points:
            return
        self._count(caps, card, points)
        expiry = effect.expiry or card.expiry
        waits, end = self._ending(effect.pending or card.pending, expiry)
        self.answer.earned.append(
            Earned(
                rule_id=rule.id,
                earning_id=earning.id,
                effect=outcome.effect or 0,
                card=card.id,
                points=points,
                reckoned=found.points,
                expiry=expiry,
                ends_at=end,
                activation=waits,
            )
        )

    def _ending(self, pending: Pending, expiry: Expiry) -> tuple[Activation, datetime | None]:
        """When points of these rules become active, and when they end as far as that is known."""
        key = (id(pending), id(expiry))
        known = self.endings.get(key)
        if known is None:
            waits = activation(pending, self.now, self.zone)
            unknown = waits.pending and waits.at is None
            end = None if unknown else ends(expiry, self.now, self.zone, waits.at)
            known = self.endings[key] = (waits, end)
        return known

    def _within(
        self, caps: Mapping[str, int], card: CardRules, found: Reckoning
    ) -> tuple[int, EarningReason | None]:
        """The points that limits leave, and why they are none."""
        points, order = found.points, self.situation.order
        if not points:
            return 0, EarningReason.NO_POINTS
        if card.least_amount is not None and order is not None:
            total = order.amount if order.total_amount is None else order.total_amount
            if (total or 0) < card.least_amount:
                return 0, EarningReason.LEAST_AMOUNT
        if card.most_at_once is not None and points > card.most_at_once:
            return 0, EarningReason.AT_ONCE
        for key, most in caps.items():
            points = min(points, max(0, most - self._used(key)))
        if not points:
            return 0, EarningReason.RULE_CAP
        if card.most_in_period is not None:
            points = min(points, max(0, card.most_in_period - self._used(self.card_key(card))))
        most = MAX_AMOUNT if card.most_balance is None else card.most_balance
        points = min(points, max(0, most - self.balances[card.id]))
        return points, None if points else EarningReason.CARD_CAP

    def _count(self, caps: Mapping[str, int], card: CardRules, points: int) -> None:
        for key in caps:
            self._take(key, points)
        if card.most_in_period is not None:
            self._take(self.card_key(card), points)
        self.balances[card.id] += points

    def _used(self, key: str) -> int:
        return self.situation.used.get(key, 0) + self.answer.takes.get(key, 0)

    def _take(self, key: str, amount: int) -> None:
        self.answer.takes[key] = self.answer.takes.get(key, 0) + amount

    def _span(self, unit: str | None) -> str:
        if unit is None:
            return "all"
        return name_of(unit, self.today, self.situation.week_start)  # type: ignore[arg-type]

    def tries_key(self, rule: EarningRule) -> str:
        """The tally of how often the member set a rule off."""
        assert rule.frequency is not None
        return key_of(rule.id, "triggers", self._span(rule.frequency.unit), self.member.id)

    def rule_caps(self, rule: EarningRule) -> dict[str, int]:
        """The tallies of points that a rule gave, with how many it may give; of two for the same the smaller."""
        caps: dict[str, int] = {}
        for cap in rule.caps:
            by = self.member.id if cap.per_member else None
            key = key_of(rule.id, "points", self._span(cap.unit), by)
            caps[key] = min(cap.most, caps.get(key, cap.most))
        return caps

    def card_key(self, card: CardRules) -> str:
        """The tally of points that the member's card was given."""
        key = self.card_keys.get(card.id)
        if key is None:
            key = self.card_keys[card.id] = key_of(card.id, "earned", self._span(card.period), self.member.id)
        return key


def ends_when_active(earned: Earned, activated_at: datetime, situation: Situation) -> datetime | None:
    """When points end that became active only now: their end counts from here."""
    return ends(earned.expiry, activated_at, situation.zone)
