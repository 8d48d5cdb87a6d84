"""How a voucher looks in answers, and how its row and its terms become that.

`build` runs for every redemption answered, so it is kept to a few microseconds.
"""

from datetime import datetime
from typing import Any, Literal, LiteralString
from urllib.parse import quote

from msgspec import UNSET, Struct, UnsetType

from guerdon.kit.clock import iso
from guerdon.vouchers.value import GiftOut, Held, PointsOut, promised

COLUMNS: LiteralString = """
    v.id, v.code, v.type, v.campaign_id, v.terms_id, v.active, v.quantity, v.redeemed_quantity,
    v.published_count, v.category, v.category_id, v.additional_info, v.holder_id, v.is_referral_code,
    v.metadata, v.created_at, v.updated_at
"""


class VoucherRow(Struct, kw_only=True, gc=False):
    """The columns of `vouchers` that an answer needs: `COLUMNS`, in any order.

    `terms_id` None means that the campaign's terms are in force; `quantity` counts for pinned vouchers only.
    """

    id: str
    code: str
    type: str
    campaign_id: str | None
    terms_id: str | None
    active: bool
    quantity: int | None
    redeemed_quantity: int
    published_count: int
    category: str | None
    category_id: str | None
    additional_info: str | None
    holder_id: str | None
    is_referral_code: bool
    metadata: dict[str, Any]
    created_at: datetime
    updated_at: datetime | None


class RedemptionCount(Struct, kw_only=True, gc=False):
    """How often a voucher may be redeemed (None = unlimited) and was."""

    quantity: int | None
    redeemed_quantity: int
    redeemed_amount: int | UnsetType = UNSET
    redeemed_points: int | UnsetType = UNSET
    object: Literal["list"] = "list"
    url: str


class PublicationCount(Struct, kw_only=True, gc=False):
    """How often a voucher was handed out."""

    object: Literal["list"] = "list"
    count: int
    url: str


class RuleAssignments(Struct, kw_only=True, frozen=True):
    """The validation rules of a thing."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: tuple[dict[str, Any], ...] = ()
    total: int = 0


class Voucher(Struct, kw_only=True, gc=False):
    """A voucher as answered. `discount`, windows and limits are those of its terms."""

    id: str
    code: str
    campaign: str | None
    campaign_id: str | None
    category: str | None
    category_id: str | None
    categories: list[dict[str, Any]] = []
    type: str
    discount: dict[str, Any] | None
    gift: GiftOut | None = None
    loyalty_card: PointsOut | None = None
    start_date: str | None
    expiration_date: str | None
    validity_timeframe: dict[str, Any] | None
    validity_day_of_week: list[int] | None
    validity_hours: dict[str, Any] | UnsetType = UNSET
    active: bool
    additional_info: str | None
    metadata: dict[str, Any]
    is_referral_code: bool
    created_at: str
    updated_at: str | None
    holder_id: str | UnsetType = UNSET
    validation_rules_assignments: RuleAssignments = RuleAssignments()
    redemption: RedemptionCount
    publish: PublicationCount
    object: Literal["voucher"] = "voucher"

    def show(self, held: Held) -> None:
        """Put in what the card holds."""
        if self.type == "GIFT_VOUCHER":
            assert self.gift is not None
            self.gift = held.gift({"gift": {"effect": self.gift.effect}})
            self.redemption.redeemed_amount = held.redeemed
        else:
            self.loyalty_card = held.points()
            self.redemption.redeemed_points = held.redeemed


def build(row: VoucherRow, body: dict[str, Any], campaign: str | None) -> Voucher:
    """A voucher's answer.

    `body` is the body of the `voucher_terms` row in force (the voucher's own, else its campaign's);
    `campaign` is the campaign's name. Neither is changed.
    """
    read = body.get
    url = "/v1/vouchers/" + (
        row.code if row.code.isalnum() and row.code.isascii() else quote(row.code, safe="")
    )
    return Voucher(
        id=row.id,
        code=row.code,
        campaign=campaign,
        campaign_id=row.campaign_id,
        category=row.category or read("category"),
        category_id=row.category_id or read("category_id"),
        type=row.type,
        discount=read("discount"),
        gift=promised(body) if row.type == "GIFT_VOUCHER" else None,
        loyalty_card=PointsOut(0, 0) if row.type == "LOYALTY_CARD" else None,
        start_date=read("start_date"),
        expiration_date=read("expiration_date"),
        validity_timeframe=read("validity_timeframe"),
        validity_day_of_week=read("validity_day_of_week"),
        validity_hours=read("validity_hours") or UNSET,
        active=row.active,
        additional_info=row.additional_info,
        metadata=row.metadata,
        is_referral_code=row.is_referral_code,
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
        holder_id=row.holder_id or UNSET,
        redemption=RedemptionCount(
            quantity=(read("redemption") or {}).get("quantity") if row.terms_id is None else row.quantity,
            redeemed_quantity=row.redeemed_quantity,
            url=url + "/redemptions?page=1&limit=10",
        ),
        publish=PublicationCount(count=row.published_count, url=url + "/publications?page=1&limit=10"),
    )
