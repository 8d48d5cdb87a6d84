"""What qualifications look like on the wire."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from guerdon.customers.locked import CustomerIn
from guerdon.engine import StackingRules
from guerdon.redemptions.drafts import Drafts
from guerdon.redemptions.holds import SessionIn
from guerdon.redemptions.shapes import Explanation, OrderNamed, TrackingId

MOST_LISTED = 50


class OptionsIn(Struct, kw_only=True):
    """`starting_after` is the `more_starting_after` of the page before, or a date. `explain` tells of every candidate
    that does not qualify why, and the nearest change that would help.
    """

    limit: Annotated[int, Meta(ge=1, le=MOST_LISTED)] | None = None
    starting_after: Annotated[str, Meta(max_length=300)] | None = None
    filters: dict[str, Any] | None = None
    expand: list[Literal["redeemable", "category", "validation_rules"]] | None = None
    sorting_rule: Literal["DEFAULT", "BEST_DEAL", "LEAST_DEAL"] | None = None
    explain: bool = False


class QualificationIn(Struct, kw_only=True):
    """Who asks, for which cart, and what is wanted. `at` and `drafts` as in validations."""

    customer: CustomerIn | None = None
    order: OrderNamed | None = None
    tracking_id: TrackingId | None = None
    scenario: (
        Literal[
            "ALL",
            "CUSTOMER_WALLET",
            "AUDIENCE_ONLY",
            "PRODUCTS",
            "PRODUCTS_DISCOUNT",
            "PROMOTION_STACKS",
            "PRODUCTS_BY_CUSTOMER",
            "PRODUCTS_DISCOUNT_BY_CUSTOMER",
        ]
        | None
    ) = None
    options: OptionsIn | None = None
    session: SessionIn | None = None
    metadata: dict[str, Any] | None = None
    at: Annotated[str, Meta(max_length=40)] | None = None
    drafts: Drafts | None = None


class Assignments(Struct):
    """The validation rules of a redeemable, and which of their conditions were left out."""

    data: list[dict[str, Any]]
    total: int
    object: str = "list"
    data_ref: str = "data"


class Qualified(Struct, omit_defaults=True, kw_only=True):
    """A redeemable that qualifies; `order` is the order with its discount. A stack has its tiers in `redeemables`."""

    id: str
    object: str
    created_at: str
    result: dict[str, Any] | UnsetType = UNSET
    order: Raw | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    metadata: dict[str, Any] | UnsetType = UNSET
    categories: list[Any] | UnsetType = UNSET
    banner: str | UnsetType = UNSET
    name: str | UnsetType = UNSET
    campaign_name: str | UnsetType = UNSET
    campaign_id: str | UnsetType = UNSET
    validation_rules_assignments: Assignments | UnsetType = UNSET
    explain: Explanation | UnsetType = UNSET
    redeemables: "list[Qualified] | UnsetType" = UNSET


class Refused(Struct, kw_only=True):
    """A candidate that does not qualify: the reason, every check, and the nearest change that would help."""

    id: str
    object: str
    key: str
    message: str
    checks: list[Any]
    nearest_change: str | None


class Redeemables(Struct, kw_only=True):
    """A page. `total` counts what is on it. `looked_at` is there when there was more to look at than one request
    looks at: so many were, the newest ones.
    """

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[Qualified]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET
    looked_at: int | UnsetType = UNSET


class Qualification(Struct, omit_defaults=True, kw_only=True):
    """The answer to a qualification; `order` is the order as sent."""

    redeemables: Redeemables
    stacking_rules: StackingRules
    tracking_id: str | UnsetType = UNSET
    order: Raw | UnsetType = UNSET
    inapplicable: list[Refused] | UnsetType = UNSET
