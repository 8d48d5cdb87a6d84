"""Purchases of rewards, payments of orders and benefits, as v2 has them."""

from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from guerdon.loyalty.shapes import Id, Positive, Shape

Mode = Literal["TRANSACTION", "DRY_RUN"]


class PurchaseIn(Shape, kw_only=True):
    """Which reward; DRY_RUN says what would be."""

    reward_id: Id
    mode: Mode | None = None


class PurchaseDetails(Struct, kw_only=True):
    """What was paid, what was given (null before), and why it was refused (null if it was not).

    `purchase` of a refund names what it refunds.
    """

    reason: str
    rejection: dict[str, Any] | None = None
    metadata: dict[str, Any]
    points: dict[str, Any] | None
    result: dict[str, Any] | None
    purchase: dict[str, Any] | UnsetType = UNSET


class RewardTransaction(Struct, kw_only=True):
    """A purchase or its refund. A dry run has neither id nor date."""

    id: str | UnsetType = UNSET
    card_id: str
    card_transaction_id: str | None
    program_id: str
    member_id: str
    reward_id: str
    status: Literal["PENDING", "PROCESSING", "APPROVED", "REJECTED", "SIMULATED", "REFUNDED"]
    type: Literal["PURCHASE", "REFUND"]
    details: PurchaseDetails
    created_at: str | UnsetType = UNSET
    updated_at: str | None
    object: Literal["reward_transaction"] = "reward_transaction"


class PurchaseDone(Struct, kw_only=True):
    """A purchase that is under way."""

    transaction: RewardTransaction
    status: Literal["TRANSACTION_CREATED"] = "TRANSACTION_CREATED"
    message: str = "Reward purchase transaction created"


class PurchaseSimulated(Struct, kw_only=True):
    """A purchase as it would be."""

    transaction: RewardTransaction
    status: Literal["DRY_RUN"] = "DRY_RUN"
    message: str = "A dry run: this is what would happen, and nothing was written."


class RefundPolicies(Shape, kw_only=True):
    """ALLOW refunds what the reward does not, or what was used already; WRITE_OFF leaves the stock as it is."""

    refund: Literal["DEFAULT", "ALLOW"] | None = None
    stock: Literal["DEFAULT", "WRITE_OFF"] | None = None


class RefundIn(Shape, kw_only=True):
    """How to refund."""

    policies: RefundPolicies | None = None


class RefundDone(Struct, kw_only=True):
    """A refund."""

    transaction: RewardTransaction
    status: Literal["APPROVED"] = "APPROVED"
    message: str = "Reward refund transaction created: the points are back on the member's card"


class OrderNamed(Shape, kw_only=True):
    """An order that is there, by one of its names."""

    id: Id | None = None
    source_id: Id | None = None


class MostOf(Shape, kw_only=True):
    """No more than that."""

    max: Positive


class PaymentLimit(Shape, kw_only=True):
    """How much to pay: all that the card has, so many points at most, or so much of the order (minor units) at most."""

    type: Literal["CARD_BALANCE", "POINTS_LIMIT", "AMOUNT_LIMIT"]
    points_limit: MostOf | None = None
    amount_limit: MostOf | None = None


class PaymentIn(Shape, kw_only=True):
    """Which card pays for which order; DRY_RUN says what would be."""

    card_id: Id
    order: OrderNamed
    payment_limit: PaymentLimit | None = None
    mode: Mode | None = None


class PaymentDetails(Struct, kw_only=True):
    """What was paid, and why it was refused (null if it was not)."""

    reason: str
    rejection: dict[str, Any] | None = None
    metadata: dict[str, Any]
    payment: dict[str, Any]


class OrderTransaction(Struct, kw_only=True):
    """A payment of an order with points. A dry run has neither id nor date."""

    id: str | UnsetType = UNSET
    program_id: str
    member_id: str
    card_id: str
    card_definition_id: str
    card_transaction_id: str | None
    order_id: str
    status: Literal["PENDING", "PROCESSING", "APPROVED", "REJECTED", "SIMULATED"]
    type: Literal["PAY_WITH_POINTS"] = "PAY_WITH_POINTS"
    details: PaymentDetails
    created_at: str | UnsetType = UNSET
    updated_at: str | None
    object: Literal["order_transaction"] = "order_transaction"


class PaymentDone(Struct, kw_only=True):
    """A payment that is under way."""

    transaction: OrderTransaction
    status: Literal["TRANSACTION_CREATED"] = "TRANSACTION_CREATED"
    message: str = "Pay with points transaction created"


class PaymentSimulated(Struct, kw_only=True):
    """A payment as it would be."""

    transaction: OrderTransaction
    status: Literal["DRY_RUN"] = "DRY_RUN"
    message: str = "A dry run: this is what would happen, and nothing was written."


class BenefitDetails(Struct, kw_only=True):
    """What was given (null before), and why it could not be (null if it was)."""

    reason: str
    rejection: dict[str, Any] | None = None
    metadata: dict[str, Any]
    result: dict[str, Any] | None


class BenefitTransaction(Struct, kw_only=True):
    """A benefit that a rule gave."""

    id: str
    benefit_id: str
    program_id: str
    member_id: str
    earning_rule_id: str
    type: Literal["FULFILLMENT"] = "FULFILLMENT"
    details: BenefitDetails
    status: Literal["PENDING", "APPROVED", "REJECTED"]
    created_at: str
    updated_at: str | None
    object: Literal["benefit_transaction"] = "benefit_transaction"
