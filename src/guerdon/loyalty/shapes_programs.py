"""Programs, what belongs to them, and pages of lists that go on by a cursor."""

from typing import Annotated, Any, Generic, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import (
    Activity,
    Id,
    Instant,
    Metadata,
    Name,
    NewStatus,
    Shape,
    Stock,
    ValidityHours,
    whole,
)

T = TypeVar("T")
MAX_BATCH = 100


class Cursor(Struct, kw_only=True):
    """Where the list goes on, and until when that may be asked for."""

    next: str
    expires_at: str


class CursorList(Struct, Generic[T], kw_only=True):
    """A page of a list; `cursor` is null on the last one."""

    data: list[T]
    cursor: Cursor | None
    object: Literal["list"] = "list"


class NewReward(Shape, kw_only=True):
    """A reward for a program, and how many of it there are."""

    id: Id
    stock: Stock


class Named(Shape, kw_only=True):
    """A part by its id."""

    id: Id


NamedParts = Annotated[list[Named], Meta(max_length=MAX_BATCH)]
NamedRewards = Annotated[list[NewReward], Meta(max_length=MAX_BATCH)]


class Batch(Shape, kw_only=True):
    """Parts to take from a program, and then parts to give to it: all of it or nothing."""

    assign: NamedParts | None = None
    unassign: NamedParts | None = None


class RewardBatch(Shape, kw_only=True):
    """Rewards to take from a program, and then rewards to give to it with their stock: all of it or nothing."""

    assign: NamedRewards | None = None
    unassign: NamedParts | None = None


class StockChange(Shape, kw_only=True):
    """How many of a reward there are from now on; those redeemed stay redeemed."""

    stock: Stock


class HappyHours(Shape, kw_only=True):
    """Times in which points are multiplied: those of some earning rules, or of all. Windows are as campaigns have them.

    Where several hold at a time, the largest multiplier does.
    """

    name: Name | None = None
    multiplier: Annotated[float, Meta(ge=0, le=1000)]
    earning_rules: Annotated[list[Id], Meta(min_length=1, max_length=100)] | None = None
    start_date: Instant | None = None
    expiration_date: Instant | None = None
    validity_timeframe: dict[str, Any] | None = None
    validity_day_of_week: list[int] | None = None
    validity_hours: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        self.multiplier = whole(self.multiplier)


HappyHoursList = Annotated[list[HappyHours], Meta(max_length=20)]


class ProgramIn(Shape, kw_only=True):
    """A program to be, and the parts it begins with. `happy_hours` are Guerdon's own."""

    name: Name
    start_date: Instant | None = None
    end_date: Instant | None = None
    validity_hours: ValidityHours | None = None
    status: NewStatus | None = None
    metadata: Metadata | None = None
    happy_hours: HappyHoursList | None = None
    card_definitions: NamedParts | None = None
    earning_rules: NamedParts | None = None
    rewards: NamedRewards | None = None
    tier_structures: NamedParts | None = None


class ProgramChange(Shape, kw_only=True):
    """What is to change of a program; absent stays."""

    name: Name | None = None
    start_date: Instant | UnsetType | None = UNSET
    end_date: Instant | UnsetType | None = UNSET
    validity_hours: ValidityHours | UnsetType | None = UNSET
    metadata: Metadata | UnsetType | None = UNSET
    happy_hours: HappyHoursList | UnsetType | None = UNSET


class Program(Struct, kw_only=True):
    """A loyalty program."""

    id: str
    name: str
    status: Literal["DRAFT", "ACTIVE", "INACTIVE", "DELETED"]
    start_date: str | None
    end_date: str | None
    validity_hours: ValidityHours
    happy_hours: list[HappyHours] | UnsetType = UNSET
    metadata: Metadata
    created_at: str
    updated_at: str | None
    object: Literal["program"] = "program"


class Assigned(Struct, kw_only=True):
    """A part that a new program began with."""

    id: str
    stock: Stock | UnsetType = UNSET


class ProgramCreated(Program, kw_only=True):
    """A new program with what it began with."""

    card_definitions: list[Assigned] | None
    earning_rules: list[Assigned] | None
    rewards: list[Assigned] | None
    tier_structures: list[Assigned] | None


class ProgramCard(Struct, kw_only=True):
    """A card definition of a program."""

    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    card_definition_id: str
    created_at: str
    object: Literal["program_card_definition"] = "program_card_definition"


class ProgramRule(Struct, kw_only=True):
    """An earning rule of a program."""

    earning_rule_id: str
    created_at: str
    object: Literal["program_earning_rule"] = "program_earning_rule"


class ProgramTiers(Struct, kw_only=True):
    """The tier structure of a program."""

    tier_structure_id: str
    created_at: str
    object: Literal["program_tier_structure"] = "program_tier_structure"


class ProgramReward(Struct, kw_only=True):
    """A reward of a program, how many there are of it, and how many are gone."""

    reward_id: str
    stock: Stock
    redeemed: int
    created_at: str
    updated_at: str | None
    object: Literal["program_reward"] = "program_reward"


class BatchDone(Struct, Generic[T], kw_only=True):
    """What a batch did."""

    assigned: list[T] | None
    unassigned: list[T] | None


class ProgramActivity(Activity, kw_only=True):
    """Something that happened to a program."""

    program_id: str
