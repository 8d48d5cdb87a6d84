"""What a customer would earn in each program, had something happened now."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from msgspec import Struct

from guerdon.engine.earning_rule import CustomEvent, Earnings, Happening, OrderPaid, SegmentEntered
from guerdon.engine.order import Order, OrderIn
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.loyalty import examined
from guerdon.loyalty.benefits import exhausted
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.dry_run import would_be_in, would_earn
from guerdon.loyalty.earn import Case
from guerdon.loyalty.examined import Membership, Whom, overridden, whom
from guerdon.loyalty.happened import Happened
from guerdon.loyalty.shapes_examine import (
    BenefitEstimation,
    BenefitNamed,
    BenefitRule,
    CardEstimation,
    Context,
    CustomEvents,
    EarningOpportunity,
    EarningQuestion,
    EarningsExamined,
    EventContext,
    ExaminedOrder,
    ExaminedTrigger,
    OrderContext,
    RuleDetail,
    RuleEstimation,
    RuleNamed,
    TriggerEvent,
)
from guerdon.loyalty.v1_estimate import priced

CONTEXTS: Mapping[
    TriggerEvent, Literal["customer_order_paid", "customer_segment_entered", "customer_custom_event"]
] = {
    "customer.order.paid": "customer_order_paid",
    "customer.segment.entered": "customer_segment_entered",
    "customer.custom_event": "customer_custom_event",
}


class Question(Struct):
    """Something that is to have happened, with the metadata to go by."""

    happening: Happening
    order: Order | None = None
    customer: Mapping[str, Any] | None = None
    member: Mapping[str, Any] | None = None


Given = dict[str, dict[str, int]]
"""Points by card definition and rule."""


async def examine(call: Call, data: EarningQuestion) -> EarningsExamined:
    """What would be earned. Raises `ApiError` 400, 404."""
    event = _event(data)
    order = await _order(call, data.customer_order_paid)
    found = await whom(call, data.customer_identification)
    answers: list[EarningOpportunity] = []
    rules: set[str] = set()
    for membership in found.memberships:
        given: Given = {}
        benefits: dict[str, dict[str, None]] = {}
        for question in await _questions(call, found, membership, data, event, order):
            _add(given, benefits, await _ask(call, found, membership, question))
        gone = await exhausted(call.db, found.place, benefits)
        benefits = {name: by for name, by in benefits.items() if name not in gone}
        answers.append(await _shown(call, found, membership, given, benefits))
        rules.update(*given.values(), *benefits.values())
    parts = await examined.parts(call.db, call.project_id, rules)
    return EarningsExamined(
        event=event,
        customer=examined.customer(found.customer),
        earning_rules=[
            RuleDetail(id=part["id"], name=part["name"], metadata=part["metadata"]) for part in parts.values()
        ],
        memberships=answers,
    )


def _event(data: EarningQuestion) -> TriggerEvent | None:
    """The kind of event that is asked about, None for all; with what belongs to it there, and nothing else."""
    trigger: ExaminedTrigger = data.trigger
    if trigger.type == "ALL":
        if trigger.specific is not None:
            raise invalid_payload(Fault("trigger.specific", "does not belong to ALL"))
    elif trigger.specific is None:
        raise invalid_payload(Fault("trigger.specific", "is required"))
    event = None if trigger.specific is None else trigger.specific.event
    for name, field in CONTEXTS.items():
        there = getattr(data, field) is not None
        if event is not None and there != (name == event):
            raise invalid_payload(
                Fault(field, f"does not belong to {event}" if there else f"is required for {event}")
            )
    said: CustomEvents | None = data.customer_custom_event
    if said is not None:
        needed, other = ("all", "specific") if said.type == "ALL" else ("specific", "all")
        if getattr(said, needed) is None:
            raise invalid_payload(Fault(f"customer_custom_event.{needed}", "is required"))
        if getattr(said, other) is not None:
            raise invalid_payload(Fault(f"customer_custom_event.{other}", f"does not belong to {said.type}"))
    return event


async def _order(call: Call, context: OrderContext | None) -> Order:
    """The order, its totals those that were sent, or else those of its lines."""
    said = ExaminedOrder() if context is None or context.order is None else context.order
    amount, off = _number(said.amount), _number(said.discount_amount)
    before = _number(said.initial_amount)
    if before is None and amount is not None:
        before = amount + (off or 0)
    order = await priced(call, OrderIn(amount=before, items=said.items, metadata=said.metadata))
    if amount is None and off is not None and order.amount is not None:
        amount = max(0, order.amount - off)
    if amount is not None:
        if order.amount is not None and amount > order.amount:
            raise invalid_payload(
                Fault("customer_order_paid.order.amount", "is more than it was before discounts")
            )
        order.total_amount = amount
        order.total_discount_amount = (order.amount or amount) - amount
    return order


def _number(said: int | str | None) -> int | None:
    return None if said is None else int(said)


async def _questions(
    call: Call,
    found: Whom,
    membership: Membership,
    data: EarningQuestion,
    event: TriggerEvent | None,
    order: Order,
) -> list[Question]:
    """What is to have happened to a member: of each kind that is asked about, all that rules wait for."""
    program = membership.program
    asked: list[Question] = []
    if event in (None, "customer.order.paid"):
        asked.append(_with(Question(OrderPaid(), order), data.customer_order_paid))
    if event in (None, "customer.segment.entered"):
        context = data.customer_segment_entered
        segments = {t.segment_id for t in _triggers(program) if isinstance(t, SegmentEntered)}
        if event is not None:  # those that the customer would be in by what is said
            override = None if context is None or context.customer is None else context.customer.metadata
            names = frozenset(segments)
            segments = set(await would_be_in(call.db, found.place, found.customer.id, names, override or {}))
        asked += [_with(Question(SegmentEntered(name)), context) for name in sorted(segments)]
    if event in (None, "customer.custom_event"):
        asked += _custom_events(program, data.customer_custom_event)
    return asked


def _triggers(program: Program) -> Iterator[Happening]:
    for rules in program.earning.rules.values():
        yield from (rule.trigger for rule in rules)


def _custom_events(program: Program, said: CustomEvents | None) -> list[Question]:
    if said is not None and said.specific is not None:
        context: EventContext = said.specific
        happening = CustomEvent(context.custom_event.schema_id, None, context.custom_event.metadata or {})
        return [_with(Question(happening), context)]
    everything = None if said is None else said.all
    about = None if everything is None else everything.custom_event
    metadata = {} if about is None else about.metadata or {}
    names = sorted(
        {(t.schema_id, t.name) for t in _triggers(program) if isinstance(t, CustomEvent)},
        key=lambda each: (each[0] or "", each[1] or ""),
    )
    # A rule that names its event by the name alone is found by that, one that names its schema by the schema.
    return [_with(Question(CustomEvent(schema_id, name, metadata)), everything) for schema_id, name in names]


def _with(question: Question, context: Context | None) -> Question:
    if context is not None:
        question.customer = None if context.customer is None else context.customer.metadata
        question.member = None if context.member is None else context.member.metadata
    return question


async def _ask(call: Call, found: Whom, membership: Membership, question: Question) -> Earnings:
    asked = overridden(membership, question.member)
    happened = Happened(
        cause_id="", at=found.place.now, payload={}, happening=question.happening, order=question.order,
        customer_id=found.customer.id,
    )  # fmt: skip
    case = Case(happened, asked.program, asked.member)
    return await would_earn(call.db, found.place, case, question.customer)


def _add(given: Given, benefits: dict[str, dict[str, None]], answer: Earnings) -> None:
    for each in answer.earned:
        rules = given.setdefault(each.card, {})
        rules[each.rule_id] = rules.get(each.rule_id, 0) + each.points
    for each in answer.granted:
        benefits.setdefault(each.benefit_id, {})[each.rule_id] = None


async def _shown(
    call: Call, found: Whom, membership: Membership, given: Given, benefits: dict[str, dict[str, None]]
) -> EarningOpportunity:
    cards = await examined.cards_of(call.db, found.place, membership.member)
    parts = await examined.parts(call.db, call.project_id, benefits)
    return EarningOpportunity(
        member=examined.member(membership.member),
        program=examined.program(membership.program),
        cards=[
            CardEstimation(
                card=card,
                points_estimation=sum(given[row.definition_id].values()),
                earning_rules=[
                    RuleEstimation(earning_rule=RuleNamed(id=rule_id), points_estimation=points)
                    for rule_id, points in given[row.definition_id].items()
                ],
            )
            for row, card in cards
            if row.definition_id in given
        ],
        benefits=[
            BenefitEstimation(
                benefit=BenefitNamed(id=part["id"], name=part["name"], type=part["type"]),
                earning_rules=[BenefitRule(earning_rule=RuleNamed(id=rule_id)) for rule_id in benefits[name]],
            )
            for name, part in parts.items()
        ],
    )
