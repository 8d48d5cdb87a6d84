"""What is sent as `drafts`: definitions that are not saved, in the shapes in which they would be."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.campaigns.requests import CampaignVoucherIn, OptionsIn
from guerdon.product_collections.edit import Products
from guerdon.promotions.requests import TierFields
from guerdon.validation_rules.api import RuleMembers
from guerdon.vouchers.requests import VoucherFields
from guerdon.vouchers.terms import Metadata, Name, WindowsIn

MOST = 100
"""How many drafts of a kind one request may bring."""

# Tallies are named after these: their separators stay out of them.
DraftId = Annotated[str, Meta(min_length=1, max_length=200, pattern=r"^[^|@]*$")]
RuleIds = Annotated[list[Name], Meta(max_length=1)]
OwnRuleIds = Annotated[list[Name], Meta(max_length=10)]


class RuleDraft(RuleMembers, kw_only=True):
    """A validation rule under any id, or in the place of the saved one of that id."""

    id: Name
    name: Name | None = None


class TierDraft(TierFields, kw_only=True):
    """A promotion tier: a new one under any id (its name, if there is none), or changes to the saved one of that id."""

    id: DraftId | None = None
    name: Name | None = None
    campaign_id: Name | None = None


class PromotionDraft(Struct, kw_only=True):
    """Tiers of the campaign they stand in."""

    tiers: Annotated[list[TierDraft], Meta(max_length=MOST)] | None = None


class CampaignDraft(WindowsIn, kw_only=True):
    """A campaign: a new one under any id (its name, if there is none), or changes to the saved one of that id.

    `voucher.code` of a new one is a code that can be asked for.
    """

    id: DraftId | None = None
    name: DraftId | None = None
    campaign_type: Literal["DISCOUNT_COUPONS", "PROMOTION"] | None = None
    voucher: CampaignVoucherIn | None = None
    promotion: PromotionDraft | None = None
    active: bool | None = None
    validation_rules: RuleIds | UnsetType | None = UNSET
    options: OptionsIn | None = None
    metadata: Metadata | None = None


class VoucherDraft(VoucherFields, kw_only=True):
    """A code that nobody has used yet, or changes to the saved one of that code."""

    code: Name
    campaign_id: Name | None = None
    validation_rules: OwnRuleIds | UnsetType | None = UNSET


class CollectionDraft(Struct, kw_only=True):
    """A product collection with its `products`, or the `filter` that finds them."""

    id: Name
    name: Name | None = None
    products: Products | None = None
    filter: dict[str, Any] | None = None


class SegmentDraft(Struct, kw_only=True):
    """A segment and the filter that finds its customers."""

    id: Name
    name: Name | None = None
    filter: dict[str, Any]


class Drafts(Struct, kw_only=True, forbid_unknown_fields=True):
    """Everything a validation or qualification shall take as if it were saved. `stacking_rules` are put over the
    saved ones, field by field.
    """

    validation_rules: Annotated[list[RuleDraft], Meta(max_length=MOST)] | None = None
    promotion_tiers: Annotated[list[TierDraft], Meta(max_length=MOST)] | None = None
    campaigns: Annotated[list[CampaignDraft], Meta(max_length=MOST)] | None = None
    vouchers: Annotated[list[VoucherDraft], Meta(max_length=MOST)] | None = None
    product_collections: Annotated[list[CollectionDraft], Meta(max_length=MOST)] | None = None
    segments: Annotated[list[SegmentDraft], Meta(max_length=MOST)] | None = None
    stacking_rules: dict[str, Any] | None = None
