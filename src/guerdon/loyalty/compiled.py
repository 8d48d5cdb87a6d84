"""Programs as the engine wants them, made of a snapshot's definitions once and kept with it.

Whoever earns, spends or looks at tiers takes them from here, and so reads no definition of its own. A body that the
older API wrote stands whole under ``v1`` and is read by that face's rules.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import ceil
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from guerdon.definitions.snapshot import Defined, Snapshot
from guerdon.engine.codes import CodeConfig, parse_code_config
from guerdon.engine.durations import Span
from guerdon.engine.earning import EarningProgram, compile_program, set_off
from guerdon.engine.earning_cards import parse_card_rules, parse_happy_hours
from guerdon.engine.earning_parse import for_earning, parse_earning_rule
from guerdon.engine.earning_parse_v1 import parse_card_rules_v1, parse_earning_rule_v1
from guerdon.engine.earning_points import mapped_cost
from guerdon.engine.earning_rule import CardRules, EarningRule, Happening
from guerdon.engine.expiry import Sliding
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.periods import Period, Unit
from guerdon.engine.rule import RuleSet
from guerdon.engine.terms import Terms
from guerdon.engine.tier import Tier, TierStructure
from guerdon.engine.tier_parse import parse_tier, parse_tier_structure, parse_tier_v1, parse_tiers_expiration
from guerdon.kit.log import get_logger
from guerdon.loyalty.checks import cost_rules, terms_of

logger = get_logger()

SpentRefund = Literal["REFUND_ALL", "REFUND_ITEM", "REFUND_AMOUNT"]
EarnedRefund = Literal["REVOKE_FROM_PENDING", "REVOKE_TO_ZERO", "REVOKE_BELOW_ZERO", "REVOKE_INTO_DEBT"]
CLAWBACKS: dict[str, EarnedRefund] = {
    "DEBT": "REVOKE_INTO_DEBT",
    "FLOOR": "REVOKE_TO_ZERO",
    "NEGATIVE": "REVOKE_BELOW_ZERO",
}
"""What becomes of points of goods that come back, as cards of the older API say it in ``clawback``."""


class CardPolicy(Struct, frozen=True, kw_only=True):
    """What a card's definition says: `earning` is what the engine asks when points are earned.

    Spending: `most_spent` in all, `most_in_period` in each of the calendar's `period`, `most_at_once`; None: no
    limit. Refunds: None: none. `exchange` is the formula of what a point is worth in minor units; None: no payments.
    `begins` is what a new card has on it.
    """

    id: str
    name: str
    active: bool
    earning: CardRules
    codes: CodeConfig
    most_spent: int | None = None
    most_in_period: int | None = None
    period: Unit | None = None
    most_at_once: int | None = None
    spent_refund: SpentRefund | None = None
    earned_refund: EarnedRefund | None = None
    allow_negative: bool = False
    exchange: str | None = None
    begins: int = 0


class Cost(Struct, frozen=True, kw_only=True):
    """A price: so many points of the card of a definition, for whom the rules hold."""

    id: str
    spending_id: str
    card: str
    points: int
    rules: RuleSet | None = None


class Coin(Struct, frozen=True, kw_only=True):
    """Payment of orders with points, as the older API has it: `points` are worth `cash` of the currency's major unit.
    `older` is what it was made with.
    """

    id: str
    name: str
    cash: Decimal
    points: int
    older: Mapping[str, Any]
    assignment_id: str

    def worth(self, points: int, exponent: int) -> int:
        """So many points in minor units, rounded down.

        >>> Coin(id="", name="", cash=Decimal("0.5"), points=3, older={}, assignment_id="").worth(10, 2)
        166
        """
        each = Fraction(self.cash) * 10**exponent / self.points
        return min(int(points * each), MAX_AMOUNT)

    def cost(self, amount: int, exponent: int) -> int:
        """The fewest points that are worth so many minor units.

        >>> Coin(id="", name="", cash=Decimal("0.5"), points=3, older={}, assignment_id="").cost(166, 2)
        10
        """
        each = Fraction(self.cash) * 10**exponent / self.points
        return ceil(amount / each)


class Reward(Struct, frozen=True, kw_only=True):
    """A reward in a program. `goods` is its material or digital section; `assignment` what v1 says of it there.
    `older` is what the older API made it with; its `stock` is for all programs together.
    """

    id: str
    name: str
    type: str
    active: bool
    terms: Terms
    goods: Mapping[str, Any]
    costs: tuple[Cost, ...]
    refundable: bool = False
    cooldown: Span | None = None
    most_purchases: int | None = None
    period: Unit | None = None
    assignment: Mapping[str, Any] = {}
    assignment_id: str = ""
    older: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] = {}

    @property
    def stock(self) -> int | None:
        """How many there are for all programs together (None: each program says)."""
        return None if self.older is None else self.older.get("stock")


class Program(Struct, frozen=True, kw_only=True):
    """A program with all its parts. `tier_card` is the definition whose points its tiers go by. `coins` are ways to
    pay with points. `sliding` are the rules, of cards and of what earning rules give, by which points slide.
    """

    id: str
    name: str
    status: str
    terms: Terms
    settings: Mapping[str, Any]
    metadata: Mapping[str, Any]
    cards: Mapping[str, CardPolicy]
    earning: EarningProgram
    rewards: Mapping[str, Reward]
    tiers: TierStructure | None = None
    tier_card: str | None = None
    coins: Mapping[str, Coin] = {}
    sliding: tuple[Sliding, ...] = ()

    @property
    def older(self) -> bool:
        """Whether it is a campaign of the older API."""
        return "v1" in self.settings

    @property
    def auto(self) -> Reward | None:
        """The reward that members are given by themselves as soon as they have the points for it."""
        return next(
            (one for one in self.rewards.values() if one.assignment.get("auto_redeem") and one.costs), None
        )

    def price(self, reward: Reward, cost: Cost, tier_id: str | None) -> int:
        """The points of one of a reward's prices for the members of a tier."""
        tier = None if self.tiers is None else self.tiers.tier(tier_id)
        return mapped_cost(cost.points, None if tier is None else tier.rewards.get(reward.id))

    @property
    def active(self) -> bool:
        """Whether it takes part in anything; its dates are another matter."""
        return self.status == "ACTIVE"


def program(snapshot: Snapshot, program_id: str) -> Program | None:
    """A program by its id, None for none."""
    made = snapshot.loyalty_made.get(program_id)
    if made is None:
        defined = snapshot.loyalty.get(program_id)
        if defined is None or defined.kind != "program":
            return None
        made = snapshot.loyalty_made[program_id] = _program(snapshot, defined)
    return made


def programs(snapshot: Snapshot) -> tuple[Program, ...]:
    """All programs, in the order of their ids."""
    made = snapshot.loyalty_made.get("programs")
    if made is None:
        ids = sorted(each.id for each in snapshot.loyalty.values() if each.kind == "program")
        made = snapshot.loyalty_made["programs"] = tuple(
            found for each in ids if (found := program(snapshot, each)) is not None
        )
    return made


def waiting_for(snapshot: Snapshot, happening: Happening) -> tuple[Program, ...]:
    """The active programs in which something waits for what happened."""
    return tuple(each for each in programs(snapshot) if each.active and set_off(each.earning, happening))


def structure_of(program: Program, week_start: int) -> TierStructure | None:
    """A program's tiers for a project whose weeks begin on a day (0 = Sunday)."""
    if program.tiers is None or program.tiers.week_start == week_start:
        return program.tiers
    return replace(program.tiers, week_start=week_start)


def _program(snapshot: Snapshot, defined: Defined) -> Program:
    body = defined.body
    of_kind: dict[str, list[tuple[Defined, Mapping[str, Any]]]] = {}
    for each in body["parts"]:
        part = snapshot.loyalty.get(each["id"])
        if part is not None:
            of_kind.setdefault(part.kind, []).append((part, each))
    cards = {part.id: card_policy(part) for part, _ in of_kind.get("card_definition", ())}
    found = [_rule(snapshot, part, next(iter(cards), "")) for part, _ in of_kind.get("earning_rule", ())]
    rules = [rule for rule in found if rule is not None]
    structure = next((part for part, _ in of_kind.get("tier_structure", ())), None)
    happy = [
        parse_happy_hours(each, f"happy_hours[{index}]")
        for index, each in enumerate(body["settings"].get("happy_hours") or ())
    ]
    return Program(
        id=defined.id,
        name=defined.name,
        status=defined.status,
        terms=terms_of(body),
        settings=body["settings"],
        metadata=body["metadata"],
        cards=cards,
        earning=compile_program(
            rules,
            [card.earning for card in cards.values()],
            happy,
            defined.id,
        ),
        rewards={
            part.id: reward(part, each["body"], each["assignment_id"] or "", next(iter(cards), ""))
            for part, each in of_kind.get("reward", ())
        },
        coins={part.id: coin(part, each["assignment_id"]) for part, each in of_kind.get("coin", ())},
        tiers=None if structure is None else tier_structure(structure),
        tier_card=None if structure is None else _tier_card(structure, next(iter(cards), None)),
        sliding=_sliding(cards, rules),
    )


def _sliding(cards: Mapping[str, CardPolicy], rules: Sequence[EarningRule]) -> tuple[Sliding, ...]:
    effects = [effect for rule in rules for earning in rule.earnings for effect in earning.effects]
    ends = [*(card.earning.expiry for card in cards.values()), *(effect.expiry for effect in effects)]
    return tuple(end for end in ends if isinstance(end, Sliding))


def card_policy(part: Defined) -> CardPolicy:
    """A card definition. Raises `EngineError` for one that cannot be read."""
    body = part.body
    told: dict[str, Any] = {"id": part.id, "name": part.name, "active": part.status == "ACTIVE"}
    if "v1" in body:
        return CardPolicy(
            **told,
            earning=parse_card_rules_v1(body["v1"], part.id),
            codes=parse_code_config(body["v1"].get("code_config")),
            earned_refund=CLAWBACKS[body["v1"].get("clawback") or "DEBT"],
            begins=body["v1"].get("points") or 0,
        )
    for limit in body["spending_limits"]["global"]["limits"]:
        if limit["type"] == "TIME_BASED":
            told["most_in_period"] = limit["points"]["max"]
            told["period"] = limit["period"]["current_period"]["unit"]
        else:
            told["most_spent"] = limit["max"]
    for limit in body["spending_limits"]["transactions"]["limits"]:
        told["most_at_once"] = limit["max"]
    for method in body["refunds"]["spent_points"]["methods"]:
        told["spent_refund"] = method["mode"]
    for method in body["refunds"]["earned_points"]["methods"]:
        told["earned_refund"] = method.get("mode") or method["type"]
    ratio = body["pay_with_points"].get("exchange_ratio")
    return CardPolicy(
        **told,
        earning=parse_card_rules(body, part.id),
        codes=parse_code_config(body["code_config"]),
        allow_negative=body["balance_settings"]["allow_negative"],
        exchange=None if ratio is None else ratio["formula"],
    )


def _rule(snapshot: Snapshot, part: Defined, card: str) -> EarningRule | None:
    """A rule; one that cannot be read stops itself and nothing else."""
    try:
        if "v1" not in part.body:
            return parse_earning_rule(part.body | {"name": part.name}, part.id, part.status == "ACTIVE")
        named = part.body["v1"].get("validation_rule_id")
        owned = snapshot.rules_of(part.id)
        sets = owned if named is None or named not in snapshot.rules else (*owned, snapshot.rules[named])
        rules = tuple(for_earning(each) for each in sets)
        return parse_earning_rule_v1(part.body["v1"], part.id, card, rules, part.status == "ACTIVE")
    except Exception as error:  # checked before it was stored: one bad row must not stop the shop
        logger.error("earning rule cannot be read", id=part.id, error=repr(error))
        return None


def coin(part: Defined, assignment_id: str) -> Coin:
    """A way to pay with points."""
    rate = part.body["v1"]["parameters"]["coin"]
    return Coin(
        id=part.id,
        name=part.name,
        cash=Decimal(rate["exchange_ratio"]),
        points=rate["points_ratio"],
        older=part.body["v1"],
        assignment_id=assignment_id,
    )


def reward(part: Defined, assignment: Mapping[str, Any], assignment_id: str = "", card: str = "") -> Reward:
    """A reward as a program has it: the price that the older API gave it there is of the program's first card.

    Raises `EngineError` for one that cannot be read.
    """
    body = part.body
    costs = tuple(_cost(each, f"costs[{index}]") for index, each in enumerate(body.get("costs") or ()))
    if assignment.get("points") is not None:
        costs = (Cost(id=assignment_id, spending_id=assignment_id, card=card, points=assignment["points"]),)
    told: dict[str, Any] = {}
    limits = body.get("purchase_limits") or {}
    rest = (limits.get("cooldown") or {}).get("fixed_cooldown")
    if rest is not None:
        unit, value = rest["period"]["unit"], rest["period"]["value"]
        told["cooldown"] = Span(0, 0, 3600 * value) if unit == "HOUR" else Period(unit, value).span
    for limit in (limits.get("frequency") or {}).get("limits") or ():
        told["most_purchases"] = limit["triggers"]["max"]
        told["period"] = limit["period"]["current_period"]["unit"]
    return Reward(
        id=part.id,
        name=part.name,
        type=body["type"],
        active=part.status == "ACTIVE",
        terms=terms_of(body),
        goods=body.get("material") or body.get("digital") or {},
        costs=costs,
        refundable=(body.get("refunds") or {}).get("type") == "REFUNDABLE",
        assignment=assignment,
        assignment_id=assignment_id,
        older=body.get("v1"),
        metadata=body.get("metadata") or {},
        **told,
    )


def _cost(body: Mapping[str, Any], path: str) -> Cost:
    spending, rules = body["spending"][0], body.get("rules")
    return Cost(
        id=body["id"],
        spending_id=spending["id"],
        card=spending["card_definition_id"],
        points=spending["points"],
        rules=None if rules is None else cost_rules(rules, f"{path}.rules"),
    )


def tier_structure(part: Defined) -> TierStructure:
    """A structure with its tiers. Raises `EngineError` for one that cannot be read."""
    tiers = [_tier(each) for each in part.body["tiers"]]
    if "v1" in part.body:
        return parse_tiers_expiration(part.body["v1"], tiers, part.id)
    return parse_tier_structure(part.body, tiers, part.id)


def _tier(body: Mapping[str, Any]) -> Tier:
    return parse_tier_v1(body["v1"], body["id"]) if "v1" in body else parse_tier(body, body["id"])


def _tier_card(part: Defined, card: str | None) -> str | None:
    section = part.body.get("point_balance") or part.body.get("point_earned")
    return card if section is None else section["card_definition_id"]
