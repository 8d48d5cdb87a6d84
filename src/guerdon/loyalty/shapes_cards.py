"""Card definitions: what a card's points do, from being earned to being spent, given back and lost."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from guerdon.loyalty.shapes import (
    Activity,
    CurrentPeriod,
    Id,
    Metadata,
    Name,
    NewStatus,
    Period,
    PointsExpiration,
    Positive,
    Shape,
    YearDays,
)

LENGTH = 10
CHARSET = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
DEFAULTS: dict[str, Any] = {
    "code_config": {},
    "points_expiration": {"type": "NO_EXPIRATION"},
    "pending_points": {"type": "IMMEDIATE"},
    "earning_limits": {"global": {"type": "NO_LIMIT"}, "transactions": {"type": "NO_LIMIT"}},
    "spending_limits": {"global": {"type": "NO_LIMIT"}, "transactions": {"type": "NO_LIMIT"}},
    "refunds": {"spent_points": {"type": "NONE"}, "earned_points": {"type": "NONE"}},
    "balance_settings": {"allow_negative": False},
    "pay_with_points": {"type": "NO_PAYMENTS"},
}


class CodeConfig(Shape, kw_only=True):
    """How cards' codes look; each # of the pattern becomes a random character."""

    length: Annotated[int, Meta(ge=1, le=128)] | None = None
    charset: str | None = None
    prefix: str | None = None
    postfix: str | None = None
    pattern: str | None = None

    def __post_init__(self) -> None:
        self.pattern = self.pattern or "#" * (self.length or LENGTH)
        self.length = self.pattern.count("#")
        self.charset = self.charset or CHARSET
        self.prefix, self.postfix = self.prefix or "", self.postfix or ""


class PeriodBased(Shape, kw_only=True):
    """Active a period after they were earned."""

    period: Period


class FixedDates(Shape, kw_only=True):
    """Active on the next of some days of the year."""

    dates: YearDays


class EventBased(Shape, kw_only=True):
    """Active when one of these custom events (their schemas) comes; given up after the period if none does."""

    event_types: Annotated[list[Id], Meta(min_length=1, max_length=10)]
    cancel_period: Period


class PendingPoints(Shape, kw_only=True):
    """When earned points may be spent."""

    type: Literal["IMMEDIATE", "PERIOD_BASED", "FIXED_DATES", "EVENT_BASED"]
    period_based: PeriodBased | None = None
    fixed_dates: FixedDates | None = None
    event_based: EventBased | None = None


class MostPoints(Shape, kw_only=True):
    """How many points at most."""

    max: Positive


class GlobalLimit(Shape, kw_only=True):
    """BALANCE_BASED (earning) or SPENDING_BASED: `max` in all; TIME_BASED: `points.max` in a period."""

    type: Literal["BALANCE_BASED", "SPENDING_BASED", "TIME_BASED"]
    max: Positive | None = None
    period: CurrentPeriod | None = None
    points: MostPoints | None = None


class GlobalLimits(Shape, kw_only=True):
    """Over all transactions together; of what is earned, what goes beyond is cut."""

    type: Literal["NO_LIMIT", "LIMITED"]
    limits: Annotated[list[GlobalLimit], Meta(max_length=1)] | None = None

    def __post_init__(self) -> None:
        self.limits = self.limits or []


class TransactionLimit(Shape, kw_only=True):
    """POINTS: `max` at once; SPENDING (earning): an order of `min_amount` at least."""

    type: Literal["POINTS", "SPENDING"]
    max: Positive | None = None
    min_amount: Positive | None = None


class TransactionLimits(Shape, kw_only=True):
    """Of a single transaction; one that goes beyond is refused whole."""

    type: Literal["NO_LIMIT", "LIMITED"]
    limits: Annotated[list[TransactionLimit], Meta(max_length=2)] | None = None

    def __post_init__(self) -> None:
        self.limits = self.limits or []


class PointLimits(Shape, kw_only=True):
    """Limits over all transactions, and of each."""

    all_together: GlobalLimits = field(name="global")
    transactions: TransactionLimits


class SpentMethod(Shape, kw_only=True):
    """How spent points come back."""

    type: Literal["RETURN_POINTS"]
    mode: Literal["REFUND_ALL", "REFUND_ITEM", "REFUND_AMOUNT"]


class SpentPoints(Shape, kw_only=True):
    """Whether points come back when what they paid for does."""

    type: Literal["NONE", "REFUNDABLE"]
    methods: Annotated[list[SpentMethod], Meta(max_length=1)] | None = None

    def __post_init__(self) -> None:
        self.methods = self.methods or []


class EarnedMethod(Shape, kw_only=True):
    """Where earned points are taken back from, and whether the balance may go below zero for it."""

    type: Literal["REVOKE_FROM_PENDING", "REVOKE_FROM_BALANCE"]
    mode: Literal["REVOKE_TO_ZERO", "REVOKE_BELOW_ZERO"] | None = None


class EarnedPoints(Shape, kw_only=True):
    """Whether points are taken back when what earned them is returned."""

    type: Literal["NONE", "REFUNDABLE"]
    methods: Annotated[list[EarnedMethod], Meta(max_length=1)] | None = None

    def __post_init__(self) -> None:
        self.methods = self.methods or []


class Refunds(Shape, kw_only=True):
    """What returns do to points."""

    spent_points: SpentPoints
    earned_points: EarnedPoints


class BalanceSettings(Shape, kw_only=True):
    """Whether a card may owe points."""

    allow_negative: bool


class ExchangeRatio(Shape, kw_only=True):
    """What a point is worth in minor units: a number or a formula."""

    formula: str | int | float

    def __post_init__(self) -> None:
        self.formula = str(self.formula)


class PayWithPoints(Shape, kw_only=True):
    """Whether orders may be paid with points."""

    type: Literal["NO_PAYMENTS", "EXCHANGE_RATIO"]
    exchange_ratio: ExchangeRatio | None = None


class _Sections(Shape, kw_only=True):
    code_config: CodeConfig | UnsetType | None = UNSET
    points_expiration: PointsExpiration | UnsetType | None = UNSET
    pending_points: PendingPoints | UnsetType | None = UNSET
    earning_limits: PointLimits | UnsetType | None = UNSET
    spending_limits: PointLimits | UnsetType | None = UNSET
    refunds: Refunds | UnsetType | None = UNSET
    balance_settings: BalanceSettings | UnsetType | None = UNSET
    pay_with_points: PayWithPoints | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET


class CardDefinitionIn(_Sections, kw_only=True):
    """A card definition to be. Only name and type are needed."""

    name: Name
    type: Literal["INDIVIDUAL"]
    status: NewStatus | None = None


class CardDefinitionChange(_Sections, kw_only=True):
    """What is to change of a card definition: a section that is sent replaces the one there; null is its default."""

    name: Name | None = None


class CardDefinition(Struct, kw_only=True):
    """A card definition: members of a program hold one card of each of its definitions."""

    id: str
    name: str
    type: Literal["INDIVIDUAL"]
    status: Literal["DRAFT", "ACTIVE", "DELETED"]
    code_config: CodeConfig
    points_expiration: PointsExpiration
    pending_points: PendingPoints
    earning_limits: PointLimits
    spending_limits: PointLimits
    refunds: Refunds
    balance_settings: BalanceSettings
    pay_with_points: PayWithPoints
    metadata: Metadata
    created_at: str
    updated_at: str | None
    object: Literal["card_definition"] = "card_definition"


class CardDefinitionActivity(Activity, kw_only=True):
    """Something that happened to a card definition."""

    card_definition_id: str
