"""What validations, redemptions and rollbacks look like on the wire."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.customers.locked import CustomerIn, Seen
from guerdon.engine import Check, OrderIn, StackingRules, Step
from guerdon.engine.decision import Certificate
from guerdon.ledger.pins import GivenPin
from guerdon.redemptions.drafts import Drafts
from guerdon.redemptions.holds import SessionIn

Code = Annotated[str, Meta(min_length=1, max_length=512)]
TrackingId = Annotated[str, Meta(max_length=512)]


class CreditsIn(Struct):
    """How much of a gift card to use, in minor units; without it, as much as the order takes. `pin` of a card that has
    one.
    """

    credits: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    pin: GivenPin | None = None


class RewardAsked(Struct):
    """What the points of a loyalty card are for: a reward of its program, and how many points pay with it."""

    id: Code
    points: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class RedeemableIn(Struct):
    """One thing asked for: a voucher by its code or id, a promotion tier or a promotion stack by its id."""

    id: Code
    object: Literal["voucher", "promotion_tier", "promotion_stack"] = "voucher"
    gift: CreditsIn | None = None
    reward: RewardAsked | None = None


class Options(Struct):
    """`expand` names what answers show in full; `explain` asks for every check and every number's origin."""

    expand: list[Literal["order", "redemption", "redeemable", "category", "validation_rules"]] | None = None
    explain: bool = False


class OrderNamed(OrderIn, kw_only=True):
    """An order with the customer it is for."""

    customer: CustomerIn | None = None
    referrer: CustomerIn | None = None


class ValidationIn(Struct):
    """What a checkout asks: do these codes apply to this order of this customer, and what do they give?

    `session` of a validation holds what applies, of a redemption names what was held. `at` and `drafts` are for
    validations alone: the instant to decide for, and campaigns and rules that are not saved.
    """

    redeemables: Annotated[list[RedeemableIn], Meta(min_length=1, max_length=30)]
    order: OrderNamed | None = None
    customer: CustomerIn | None = None
    tracking_id: TrackingId | None = None
    metadata: dict[str, Any] | None = None
    options: Options | None = None
    session: SessionIn | None = None
    at: Annotated[str, Meta(max_length=40)] | None = None
    drafts: Drafts | None = None


class RollbackItem(Struct):
    """Units of one line of the order, named by its index, or by a product, SKU or source id that names one line."""

    index: Annotated[int, Meta(ge=0, le=499)] | None = None
    product_id: Code | None = None
    sku_id: Code | None = None
    source_id: Code | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None


class RollbackIn(Struct):
    """Why, and how much: everything unless `amount` (minor units) or `items` names a part."""

    reason: Annotated[str, Meta(max_length=2000)] | None = None
    tracking_id: TrackingId | None = None
    customer: CustomerIn | None = None
    order: OrderNamed | None = None
    metadata: dict[str, Any] | None = None
    amount: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None
    items: Annotated[list[RollbackItem], Meta(min_length=1, max_length=500)] | None = None


class ErrorOut(Struct, omit_defaults=True):
    """Why a redeemable does not apply, in the shape of an error."""

    code: int
    key: str
    message: str
    details: str
    request_id: str
    resource_id: str | None = None
    resource_type: str | None = None
    error: dict[str, str] | None = None


class Details(Struct):
    """A refusal in short."""

    key: str
    message: str


class Explanation(Struct, omit_defaults=True):
    """`checks` in the order they were made; `discount` how the number came about; `nearest_change` what would make
    a refused redeemable apply. Kept with the failure of several redeemables: what became of each.
    """

    checks: list[Check]
    discount: list[Step]
    nearest_change: str | UnsetType = UNSET
    redeemables: "list[Told] | UnsetType" = UNSET


class Told(Struct, omit_defaults=True):
    """What became of one of several redeemables, and why."""

    id: str
    object: str
    status: Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
    explain: Explanation
    key: str | UnsetType = UNSET
    message: str | UnsetType = UNSET


class RedeemableOut(Struct, omit_defaults=True):
    """What became of one redeemable; `order` is the running order after it."""

    status: Literal["APPLICABLE", "INAPPLICABLE", "SKIPPED"]
    id: str
    object: str
    order: msgspec.Raw | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    result: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    name: str | UnsetType = UNSET
    campaign_name: str | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    categories: list[Any] | UnsetType = UNSET
    explain: Explanation | UnsetType = UNSET


class Validation(Struct, omit_defaults=True):
    """The answer to a validation. A refusal of the business is 200 with `valid: false`."""

    id: str
    valid: bool
    redeemables: list[RedeemableOut]
    stacking_rules: StackingRules
    order: msgspec.Raw | UnsetType = UNSET
    skipped_redeemables: list[RedeemableOut] | UnsetType = UNSET
    inapplicable_redeemables: list[RedeemableOut] | UnsetType = UNSET
    tracking_id: str | UnsetType = UNSET
    session: dict[str, Any] | UnsetType = UNSET
    certificate: Certificate | UnsetType = UNSET


class Channel(Struct):
    """Through what it came."""

    channel_type: str
    channel_id: str | None


class Related(Struct, omit_defaults=True):
    """A redemption or rollback that belongs to another one."""

    id: str
    date: str
    amount: int | None = None
    rollback_order_mode: str | None = None


class RelatedRedemptions(Struct, omit_defaults=True):
    """The other side: what took this back, or what this stack is made of."""

    rollbacks: list[Related] = []
    redemptions: list[Related] = []


class Redemption(Struct):
    """A redemption, or the record of one that failed. `redemption` names the stack it is part of."""

    id: str
    date: str
    customer_id: str | None
    tracking_id: str | None
    metadata: dict[str, Any] | None
    redemption: str | None
    result: Literal["SUCCESS", "FAILURE"]
    status: Literal["SUCCEEDED", "FAILED", "ROLLED_BACK"]
    order: msgspec.Raw | None
    channel: Channel
    customer: Seen | None
    related_object_type: str
    related_object_id: str
    object: str = "redemption"
    discount_amount: int | UnsetType = UNSET
    returned_amount: int | UnsetType = UNSET
    amount: int | UnsetType = UNSET
    gift: dict[str, int] | UnsetType = UNSET
    loyalty_card: dict[str, int] | UnsetType = UNSET
    reward: Any = UNSET
    voucher: Any = UNSET
    promotion_tier: Any = UNSET
    session: dict[str, Any] | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    failure_code: str | UnsetType = UNSET
    failure_message: str | UnsetType = UNSET
    related_redemptions: RelatedRedemptions | UnsetType = UNSET
    explain: Any = UNSET


class RedemptionsMade(Struct, omit_defaults=True):
    """The answer to a redemption; `parent_redemption` when more than one code was redeemed."""

    redemptions: list[Redemption]
    parent_redemption: Redemption | UnsetType = UNSET
    order: msgspec.Raw | UnsetType | None = UNSET
    inapplicable_redeemables: list[RedeemableOut] | UnsetType = UNSET
    skipped_redeemables: list[RedeemableOut] | UnsetType = UNSET
    certificate: Certificate | UnsetType = UNSET


class RollbacksMade(Struct, omit_defaults=True):
    """The answer to the rollback of a stack."""

    rollbacks: list[Redemption]
    parent_rollback: Redemption | UnsetType = UNSET
    order: msgspec.Raw | UnsetType | None = UNSET


class RedemptionsListed(Struct):
    """A page of redemptions and rollbacks, those that failed too. `more_starting_after` is the id to go on behind."""

    redemptions: list[Redemption]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET
    object: str = "list"
    data_ref: str = "redemptions"


class VoucherRedemptions(Struct):
    """How often a voucher was redeemed, and its latest redemptions."""

    quantity: int | None
    redeemed_quantity: int
    redemption_entries: list[Redemption]
    total: int
    url: str
    object: str = "list"
    data_ref: str = "redemption_entries"
