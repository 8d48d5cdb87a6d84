"""What moves on a card in v2: transactions, points that end, points that wait."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import Activity, Shape

TransactionType = Literal[
    "ADMIN_CREDIT",
    "ADMIN_DEBIT",
    "ADMIN_POINTS_EXPIRATION",
    "POINTS_EARNED",
    "POINTS_SPENT_ON_REWARD",
    "POINTS_PURCHASED",
    "POINTS_PURCHASE_REVERSED",
    "POINTS_SPENT_ON_ORDER",
    "POINTS_REFUNDED",
    "POINTS_RETURNED",
    "POINTS_EXPIRED",
    "PENDING_POINTS_ADDED",
    "PENDING_POINTS_ACTIVATED",
    "PENDING_POINTS_CANCELED",
]
ExpirationType = Literal["NO_EXPIRATION", "ROLLING_EXPIRATION", "CALENDAR_EXPIRATION", "SLIDING_EXPIRATION"]


class PointsAdjustment(Shape, kw_only=True):
    """How many points to add or, below zero, to take away, and why."""

    points: Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
    reason: Annotated[str, Meta(max_length=255)] | None = None


class Moved(Struct, kw_only=True):
    """The points that a transaction moved. `date` and `type` are there for points that wait."""

    total: int
    expiration_date: str | UnsetType | None = UNSET
    expiration_type: ExpirationType | UnsetType | None = UNSET
    date: str | UnsetType | None = UNSET
    type: str | UnsetType = UNSET


class Total(Struct):
    """How many points."""

    total: int


class BucketMoved(Struct, kw_only=True):
    """Points that ended together."""

    id: str
    points: Total
    expiration_date: str
    expiration_type: ExpirationType


class Ref(Struct):
    """A thing by its id."""

    id: str


class Origin(Struct):
    """The purchase that something was taken back of."""

    card_transaction: Ref | None
    reward_transaction: Ref | None


class TransactionDetails(Struct, kw_only=True):
    """What belongs to a transaction of its type."""

    reason: str | None
    rejection: None = None
    metadata: dict[str, Any]
    points: Moved | UnsetType = UNSET
    bucket: BucketMoved | UnsetType = UNSET
    buckets: list[BucketMoved] | UnsetType = UNSET
    date: str | UnsetType = UNSET
    reward: Ref | UnsetType | None = UNSET
    reward_transaction: Ref | UnsetType | None = UNSET
    card_transaction: Ref | UnsetType | None = UNSET
    purchase: Origin | UnsetType | None = UNSET
    order: Ref | UnsetType | None = UNSET
    order_transaction: Ref | UnsetType | None = UNSET
    target_card: Ref | UnsetType | None = UNSET
    purchase_transaction: Ref | UnsetType | None = UNSET


class CardTransaction(Struct, kw_only=True):
    """A movement on a card. Who makes one is answered PENDING, as of all transactions; it is APPROVED right after."""

    id: str
    card_id: str
    program_id: str
    member_id: str
    card_definition_id: str
    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    type: TransactionType
    details: TransactionDetails
    status: Literal["PENDING", "APPROVED"] = "APPROVED"
    created_at: str
    updated_at: str | None = None
    object: Literal["card_transaction"] = "card_transaction"


class PointsMoved(Struct, kw_only=True):
    """The transaction that was made; null if there was nothing to do."""

    transaction: CardTransaction | None
    status: Literal["TRANSACTION_CREATED", "NO_CHANGE"]
    message: str


class EndingPoints(Struct, kw_only=True):
    """Points of a card that end on the same day."""

    id: str
    card_id: str
    customer_id: str
    card_definition_id: str
    program_id: str
    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    member_id: str
    points: Total
    expiration_date: str
    expiration_type: ExpirationType
    status: Literal["ACTIVE"] = "ACTIVE"
    created_at: str
    updated_at: str | None = None
    object: Literal["card_points_bucket"] = "card_points_bucket"


class PendingPoints(Struct, kw_only=True):
    """Points that wait. `date` is the day on which they become active; of those that wait for an event, the day on
    which they are given up, null if there is none.
    """

    id: str
    card_id: str
    card_definition_id: str
    program_id: str
    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    member_id: str
    points: Total
    date: str | None
    type: Literal["PERIOD_BASED", "FIXED_DATES", "EVENT_BASED"]
    status: Literal["PENDING"] = "PENDING"
    created_at: str
    updated_at: str | None
    object: Literal["card_pending_points_bucket"] = "card_pending_points_bucket"


class CardActivity(Activity, kw_only=True):
    """Something that happened to a card."""

    card_id: str


class TierOrigin(Struct, kw_only=True):
    """What moved a member to another tier, and the transactions that did."""

    type: Literal["card_operations", "daily_task_operations"]
    card_transaction_ids: list[str]


class TierDetails(Struct, kw_only=True):
    """How a member came from one tier to another."""

    points: int | None
    tier_from: str | None
    tier_to: str | None
    origin: TierOrigin | None
    rejection: None = None
    start_at: str | None
    expires_at: str | None


class TierTransaction(Struct, kw_only=True):
    """A step of a member's way through the tiers."""

    id: str
    card_id: str
    program_id: str
    member_id: str
    card_definition_id: str
    tier_structure_id: str
    tier_id: str | None
    type: Literal["UPGRADED", "DOWNGRADED", "JOINED", "LEFT", "PROLONGED"]
    details: TierDetails
    status: Literal["PENDING", "APPROVED", "REJECTED"]
    created_at: str
    updated_at: str | None
    object: Literal["tier_transaction"] = "tier_transaction"
