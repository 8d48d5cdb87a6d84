"""What the bodies of several parts have in common: periods, hours, points in proportion, goods, stock.

What is not said is left out of answers; what makes no sense together is refused where parts are checked.
"""

from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

MAX_NUMBER = 9_007_199_254_740_991

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Label = Annotated[str, Meta(max_length=200)]
Id = Annotated[str, Meta(min_length=1, max_length=100)]
Instant = Annotated[datetime, Meta(tz=True)]
Positive = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
Rate = Annotated[float, Meta(ge=0, le=MAX_NUMBER)]
NotNegative = Annotated[int, Meta(ge=0, le=MAX_NUMBER)]
Metadata = dict[str, Any]
NewStatus = Literal["DRAFT", "ACTIVE"]


class Shape(Struct, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A member of a body: a field that nobody knows is a mistake, and nulls are left out of answers."""


def whole(number: float) -> float:
    """A whole number as one, so that 5 is answered with 5."""
    return int(number) if number == int(number) else number


class Period(Shape, kw_only=True):
    """So many days, weeks, months or years (hours, where something rests)."""

    unit: Literal["HOUR", "DAY", "WEEK", "MONTH", "YEAR"]
    value: Annotated[int, Meta(ge=1, le=1000)]


class YearDay(Shape, kw_only=True):
    """A day of every year."""

    day: Annotated[int, Meta(ge=1, le=31)]
    month: Annotated[int, Meta(ge=1, le=12)]


YearDays = Annotated[list[YearDay], Meta(min_length=1, max_length=20)]


class DailyHours(Shape, kw_only=True):
    """Hours of some days of the week, 0 being Sunday; times as HH:mm of the project's time zone."""

    days_of_week: Annotated[list[Annotated[int, Meta(ge=0, le=6)]], Meta(min_length=1, max_length=7)]
    start_time: str
    end_time: str


class ValidityHours(Shape, kw_only=True):
    """Always, or at some hours of the week only."""

    type: Literal["DAILY", "ANY_TIME"]
    daily: Annotated[list[DailyHours], Meta(min_length=1, max_length=100)] | None = None


ANY_TIME: dict[str, Any] = {"type": "ANY_TIME"}


class ExpiryRounding(Shape, kw_only=True):
    """Up to the end of a month, quarter, half-year, year or a certain month (`value`, 1 being January)."""

    type: Literal[
        "END_OF_MONTH", "END_OF_QUARTER", "END_OF_HALF_YEAR", "END_OF_YEAR", "END_OF_PARTICULAR_MONTH"
    ]
    value: Annotated[int, Meta(ge=1, le=12)] | None = None


class RollingExpiration(Shape, kw_only=True):
    """A period after the points were earned."""

    period: Period
    rounding: ExpiryRounding | None = None


class CalendarExpiration(Shape, kw_only=True):
    """On the next of some days of the year."""

    expiration_dates: YearDays


class SlidingExpiration(Shape, kw_only=True):
    """A period after the last activity of the kinds named; `custom_activity_types` are custom events' schemas."""

    period: Period | None = None
    earning_activity: bool | None = None
    spending_activity: bool | None = None
    custom_activity: bool | None = None
    custom_activity_types: Annotated[list[Id], Meta(max_length=10)] | None = None

    def __post_init__(self) -> None:
        self.earning_activity = bool(self.earning_activity)
        self.spending_activity = bool(self.spending_activity)
        self.custom_activity = bool(self.custom_activity)
        self.custom_activity_types = self.custom_activity_types or []


class PointsExpiration(Shape, kw_only=True):
    """When points lapse."""

    type: Literal["NO_EXPIRATION", "ROLLING_EXPIRATION", "CALENDAR_EXPIRATION", "SLIDING_EXPIRATION"]
    rolling_expiration: RollingExpiration | None = None
    calendar_expiration: CalendarExpiration | None = None
    sliding_expiration: SlidingExpiration | None = None


class PeriodUnit(Shape, kw_only=True):
    """The calendar's day, week, month, quarter or year."""

    unit: Literal["DAY", "WEEK", "MONTH", "QUARTER", "YEAR"]


class CurrentPeriod(Shape, kw_only=True):
    """What is counted anew in each of the calendar's periods."""

    type: Literal["CURRENT_PERIOD"]
    current_period: PeriodUnit | None = None


class FixedCooldown(Shape, kw_only=True):
    """How long it rests."""

    period: Period


class Cooldown(Shape, kw_only=True):
    """Whether something rests after it happened."""

    type: Literal["NO_COOLDOWN", "FIXED_COOLDOWN"]
    fixed_cooldown: FixedCooldown | None = None


class Triggers(Shape, kw_only=True):
    """How often at most."""

    max: Annotated[int, Meta(ge=1, le=10_000)]


class FrequencyLimit(Shape, kw_only=True):
    """How often in a period of the calendar."""

    type: Literal["TIME_BASED"]
    period: CurrentPeriod
    triggers: Triggers


class Frequency(Shape, kw_only=True):
    """Whether it may happen only so often."""

    type: Literal["NO_LIMIT", "LIMITED"]
    limits: Annotated[list[FrequencyLimit], Meta(max_length=1)] | None = None

    def __post_init__(self) -> None:
        self.limits = self.limits or []


class Limits(Shape, kw_only=True):
    """How often a member may, and how long it rests."""

    cooldown: Cooldown | None = None
    frequency: Frequency | None = None

    def __post_init__(self) -> None:
        self.cooldown = self.cooldown or Cooldown(type="NO_COOLDOWN")
        self.frequency = self.frequency or Frequency(type="NO_LIMIT")


class Reference(Shape, kw_only=True):
    """Something by its id."""

    id: Id


class Every(Shape, kw_only=True):
    """`value` points for every whole `every`; a formula may stand for the points."""

    every: Positive
    value: Rate
    points_formula: str | None = None

    def __post_init__(self) -> None:
        self.value = whole(self.value)


class EveryOfMetadata(Every, kw_only=True):
    """The same for a number in metadata."""

    property: Annotated[str, Meta(min_length=1, max_length=300)]


class AppliesTo(Shape, kw_only=True):
    """A product, a SKU or a collection of products."""

    type: Literal["product", "sku", "products_collection"]
    product: Reference | None = None
    sku: Reference | None = None
    products_collection: Reference | None = None


class EveryOfItems(Every, kw_only=True):
    """The same for the lines of an order that hold certain products."""

    applicable_to: Annotated[list[AppliesTo], Meta(min_length=1, max_length=100)]


class OfOrder(Shape, kw_only=True):
    """By the order as a whole."""

    amount: Every | None = None
    total_amount: Every | None = None
    metadata: EveryOfMetadata | None = None


class OfItems(Shape, kw_only=True):
    """By the order's lines."""

    amount: EveryOfItems | None = None
    subtotal_amount: EveryOfItems | None = None
    quantity: EveryOfItems | None = None


class OfMetadata(Shape, kw_only=True):
    """By a number in the customer's or the custom event's metadata."""

    metadata: EveryOfMetadata


class Points(Shape, kw_only=True):
    """So many points, onto the card of a definition."""

    value: NotNegative
    card_definition_id: Id


class PointsProportional(Shape, kw_only=True):
    """Points in proportion to something, onto the card of a definition."""

    calculation_type: Literal[
        "PRE_DISCOUNT_ORDER_AMOUNT",
        "POST_DISCOUNT_ORDER_AMOUNT",
        "PRE_DISCOUNT_ORDER_ITEMS_AMOUNT",
        "POST_DISCOUNT_ORDER_ITEMS_AMOUNT",
        "ORDER_ITEMS_QUANTITY",
        "ORDER_METADATA_VALUE",
        "CUSTOMER_METADATA_VALUE",
        "CUSTOM_EVENT_METADATA_VALUE",
    ]
    card_definition_id: Id
    order: OfOrder | None = None
    order_items: OfItems | None = None
    customer: OfMetadata | None = None
    custom_event: OfMetadata | None = None


class SkuReference(Shape, kw_only=True):
    """A SKU with its product."""

    product_id: Id
    id: Id


class Material(Shape, kw_only=True):
    """Goods."""

    type: Literal["PRODUCT", "SKU"]
    product: Reference | None = None
    sku: SkuReference | None = None


class Coupons(Shape, kw_only=True):
    """A code of a campaign."""

    campaign_id: Id


class GiftVouchers(Shape, kw_only=True):
    """A gift card of a campaign, with so much on it (minor units)."""

    campaign_id: Id
    balance: NotNegative


class Limited(Shape, kw_only=True):
    """How many there are."""

    quantity: NotNegative


class Stock(Shape, kw_only=True):
    """As many as you like, or so many."""

    type: Literal["UNLIMITED", "LIMITED"]
    limited: Limited | None = None


Rules = dict[str, Any]
"""``{"1": {…}, "2": {…}, "logic": "1 and 2"}``: rules as validation rules have them, and how they are joined."""


class Activity(Struct, kw_only=True):
    """Something that happened; `group_id` is the id of the request that made it happen."""

    id: str
    type: str
    data: dict[str, Any]
    created_at: str
    group_id: str | UnsetType = UNSET
