"""Members, their cards, and how they stand."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.loyalty.shapes import Activity, Id, Metadata, Shape

NewMemberStatus = Literal["ACTIVE", "INACTIVE"]


class Identification(Shape, kw_only=True):
    """Which customer is meant: the member named by `type` says so."""

    type: Literal["customer_id", "customer_source_id"]
    customer_id: Id | None = None
    customer_source_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None


class MemberIn(Shape, kw_only=True):
    """Who is to be a member."""

    customer_identification: Identification
    status: NewMemberStatus | None = None
    metadata: Metadata | None = None


class MemberChange(Shape, kw_only=True):
    """Metadata that is put over a member's; null takes all of it away."""

    metadata: Metadata | None


class Member(Struct, kw_only=True):
    """A customer in a program."""

    id: str
    customer_id: str
    program_id: str
    status: Literal["ACTIVE", "INACTIVE", "DELETED"]
    metadata: dict[str, Any]
    created_at: str
    updated_at: str | None
    object: Literal["member"] = "member"


class LifetimePoints(Struct, kw_only=True):
    """All points that ever came to a card or left it."""

    total: int
    earned: int
    added: int
    purchased: int = 0
    purchased_reversed: int = 0
    subtracted: int
    expired: int
    spent: int
    refunded: int
    returned: int
    locked: int = 0
    unlocked: int = 0


class LifetimePending(Struct, kw_only=True):
    """All points that ever waited for a card."""

    total: int
    activated: int
    canceled: int


class Lifetime(Struct, kw_only=True):
    """Sums over the life of a card."""

    points: LifetimePoints
    pending_points: LifetimePending


class Balance(Struct, kw_only=True):
    """What can be spent, and what waits."""

    points: int
    pending_points: int


class NextExpiration(Struct, kw_only=True):
    """The points that end first, and when."""

    points: int
    date: str


class NextActivation(Struct, kw_only=True):
    """The points that become active first, and when; those that wait for an event, when they are given up."""

    points: int
    type: str
    date: str | UnsetType = UNSET
    cancel_date: str | UnsetType = UNSET


class Card(Struct, kw_only=True):
    """A card with what is on it."""

    id: str
    card_definition_id: str
    card_type: Literal["INDIVIDUAL"] = "INDIVIDUAL"
    code: str | None
    lifetime_bucket: Lifetime
    balance: Balance
    next_expiration: NextExpiration | None
    next_activation: NextActivation | None
    object: Literal["card"] = "card"


class MemberCard(Struct, kw_only=True):
    """A card as its member has it."""

    member_role: Literal["OWNER", "MEMBER"]
    created_at: str
    card: Card
    object: Literal["member_card"] = "member_card"


class MemberWithCards(Member, kw_only=True):
    """A member and all cards of theirs."""

    cards: list[MemberCard]


class MemberActivity(Activity, kw_only=True):
    """Something that happened to a member."""

    member_id: str


class ProgramSimple(Struct, kw_only=True):
    """A program by its name."""

    id: str
    name: str
    status: str
    metadata: dict[str, Any]
    object: Literal["program"] = "program"


class TierNamed(Struct, kw_only=True):
    """A tier by its name."""

    id: str | None
    name: str | None


class TierPoints(Struct, kw_only=True):
    """The points that count, and the bounds of the tier; `max` is absent in the highest one."""

    current: int
    min: int
    max: int | UnsetType = UNSET


class TierHeld(Struct, kw_only=True):
    """The tier that a member has."""

    tier: TierNamed | None
    start_at: str | None
    expires_at: str | None
    points: TierPoints | None


class StructureNamed(Struct, kw_only=True):
    """A tier structure by its id."""

    id: str
    object: Literal["tier_structure"] = "tier_structure"


class TierDeferred(Struct, kw_only=True):
    """A tier that has been reached and begins later."""

    tier: TierNamed | None
    start_at: str | None
    expires_at: str | None


class TierRisk(Struct, kw_only=True):
    """What becomes of the tier unless points are earned."""

    type: Literal["TIER_DOWNGRADE", "TIER_LEFT"]
    date: str | None
    tier: TierNamed | None


class TierOpportunity(Struct, kw_only=True):
    """A tier within reach, and how many points it takes."""

    valid_until: str | None
    tier: TierNamed | None
    points: int


class TierProgress(Struct, kw_only=True):
    """How a member stands among the tiers of a program."""

    current: TierHeld | None
    tier_structure: StructureNamed | None
    deferred: list[TierDeferred]
    risks: list[TierRisk]
    opportunities: list[TierOpportunity]
    object: Literal["member_tier_progress"] = "member_tier_progress"


class MembershipCard(MemberCard, kw_only=True):
    """A card with how it lets its member stand."""

    tier_progress: TierProgress


class Membership(Struct, kw_only=True):
    """A customer's membership of one program."""

    member: Member
    program: ProgramSimple
    cards: list[MembershipCard]
    object: Literal["membership"] = "membership"


class MembershipListed(Struct, kw_only=True):
    """A membership as lists have it."""

    member: Member
    program: ProgramSimple
    cards: list[MemberCard]
    object: Literal["membership"] = "membership"


class CustomerNamed(Struct, kw_only=True):
    """A customer by its names."""

    id: str
    source_id: str | None
    object: Literal["customer"] = "customer"


class Memberships(Struct, kw_only=True):
    """All memberships of a customer."""

    customer: CustomerNamed
    memberships: list[MembershipListed]
    object: Literal["memberships_result"] = "memberships_result"


class AsyncActionAccepted(Struct, kw_only=True):
    """The async action under which to ask what became of it."""

    async_action_id: str
