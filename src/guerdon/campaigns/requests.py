"""What callers send about campaigns."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.engine.durations import parse_duration
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.promotions.requests import PromotionIn
from guerdon.referrals.program import Program
from guerdon.vouchers.terms import LimitIn, Metadata, Name, Text, WindowsIn
from guerdon.vouchers.value import GiftIn, PointsIn

CAMPAIGN_TYPES = ("DISCOUNT_COUPONS", "GIFT_VOUCHERS", "LOYALTY_PROGRAM", "PROMOTION", "REFERRAL_PROGRAM")
AVAILABLE_TYPES = ("DISCOUNT_COUPONS", "GIFT_VOUCHERS", "LOYALTY_PROGRAM", "PROMOTION", "REFERRAL_PROGRAM")
VOUCHER_TYPES = {
    "DISCOUNT_COUPONS": "DISCOUNT_VOUCHER",
    "GIFT_VOUCHERS": "GIFT_VOUCHER",
    "LOYALTY_PROGRAM": "LOYALTY_CARD",
    "REFERRAL_PROGRAM": "DISCOUNT_VOUCHER",
}
MOST_CODES = 20_000_000

RuleIds = Annotated[list[Name], Meta(max_length=1)]
Duration = Annotated[str, Meta(max_length=64, description="ISO 8601, such as P24D")]


class CampaignVoucherIn(Struct, kw_only=True):
    """What every code of the campaign promises, and how codes look. `code` is the one code of a STANDALONE campaign."""

    type: Annotated[str, Meta(max_length=64)] | None = None
    discount: dict[str, Any] | None = None
    gift: GiftIn | None = None
    loyalty_card: PointsIn | None = None
    redemption: LimitIn | None = None
    code_config: dict[str, Any] | None = None
    code: Annotated[str, Meta(max_length=512)] | None = None
    is_referral_code: bool | None = None


class PolicyIn(Struct, kw_only=True):
    """The place where gift cards are sold, such as IE or US-CA, and whether its law warns or blocks when saved."""

    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}(-[A-Z0-9]{1,3})?$")]
    mode: Literal["WARN", "BLOCK"] = "WARN"


class OptionsIn(Struct, kw_only=True):
    """Settings of a campaign. `limit_policy` says what the redemption gets that reaches a budget: nothing (STRICT), all
    (LAST_IN_FULL) or what is left (PARTIAL). Null is the default, STRICT. `policy` checks gift cards against the law.

    Of gift cards: `cards` ON_SALE makes them with nothing on them until a purchase activates them, `spend_order` says
    which credit goes first, `refund_less_spent` (true unless told otherwise) that what was spent of a card lessens the refund of its purchase.
    """

    policy: PolicyIn | UnsetType | None = UNSET
    limit_policy: Literal["STRICT", "LAST_IN_FULL", "PARTIAL"] | UnsetType | None = UNSET
    cards: Literal["ON_SALE"] | UnsetType | None = UNSET
    spend_order: Literal["SOONEST_EXPIRING", "OLDEST", "SMALLEST"] | UnsetType | None = UNSET
    refund_less_spent: bool | UnsetType | None = UNSET

    def on_sale(self) -> bool:
        """Whether cards have nothing on them until they are sold."""
        return self.cards == "ON_SALE"


class CampaignIn(WindowsIn, kw_only=True):
    """A campaign to be, with `vouchers_count` codes made for it."""

    name: Name
    campaign_type: Annotated[str, Meta(max_length=64)] | None = None
    type: Literal["AUTO_UPDATE", "STATIC", "STANDALONE"] | None = "AUTO_UPDATE"
    description: Text | None = None
    voucher: CampaignVoucherIn | None = None
    promotion: PromotionIn | None = None
    referral_program: Program | None = None
    loyalty_tiers_expiration: dict[str, Any] | None = None
    vouchers_count: Annotated[int, Meta(ge=0, le=MOST_CODES)] | None = None
    active: bool | None = None
    join_once: bool | None = None
    auto_join: bool | None = None
    use_voucher_metadata_schema: bool | None = None
    activity_duration_after_publishing: Duration | None = None
    validation_rules: RuleIds | None = None
    metadata: Metadata | None = None
    access_settings: dict[str, Any] | None = None
    options: OptionsIn | None = None


class CampaignChange(WindowsIn, kw_only=True):
    """What is to change. Absent stays; null clears; metadata is merged, `unset_metadata_fields` names keys to drop."""

    type: Literal["AUTO_UPDATE", "STATIC", "STANDALONE"] | None = None
    description: Text | UnsetType | None = UNSET
    discount: dict[str, Any] | None = None
    redemption: LimitIn | None = None
    voucher: CampaignVoucherIn | None = None
    promotion: dict[str, Any] | None = None
    referral_program: Program | None = None
    loyalty_tiers_expiration: dict[str, Any] | None = None
    validation_rules: RuleIds | UnsetType | None = UNSET
    options: OptionsIn | None = None
    join_once: bool | None = None
    auto_join: bool | None = None
    activity_duration_after_publishing: Duration | UnsetType | None = UNSET
    metadata: Metadata | None = None
    unset_metadata_fields: list[str] | None = None


def campaign_type_of(data: CampaignIn) -> str:
    """The type of a campaign to be; absent, it is inferred. Raises `ApiError` 400 for one that is not there."""
    wanted = data.campaign_type or _inferred(data)
    if wanted not in CAMPAIGN_TYPES:
        raise invalid_payload(Fault("campaign_type", "must be one of " + ", ".join(CAMPAIGN_TYPES)))
    if wanted not in AVAILABLE_TYPES:
        raise ApiError(
            400,
            "invalid_campaign",
            "Invalid campaign",
            f"Campaigns of type {wanted} are not available yet; {' and '.join(AVAILABLE_TYPES)} are.",
            faults=[Fault("campaign_type", f"{wanted} is not available yet")],
        )
    return wanted


def check_promotion(data: CampaignIn, campaign_type: str) -> None:
    """Raise `ApiError` 400 where promotions and codes are mixed."""
    if campaign_type != "PROMOTION":
        if data.promotion is not None:
            raise invalid_payload(Fault("promotion", "belongs to campaigns of type PROMOTION only"))
        return
    if data.voucher is not None:
        raise invalid_payload(Fault("voucher", "a PROMOTION campaign has tiers instead of codes"))
    if data.vouchers_count:
        raise invalid_payload(Fault("vouchers_count", "a PROMOTION campaign has tiers instead of codes"))
    if data.type == "STANDALONE":
        raise invalid_payload(Fault("type", "STANDALONE belongs to campaigns of codes"))


def check_referrals(data: CampaignIn, campaign_type: str) -> None:
    """Raise `ApiError` 400 where referral codes and others are mixed."""
    said = None if data.voucher is None else data.voucher.is_referral_code
    if campaign_type != "REFERRAL_PROGRAM":
        if data.referral_program is not None:
            raise invalid_payload(
                Fault("referral_program", "belongs to campaigns of type REFERRAL_PROGRAM only")
            )
        if said:
            raise invalid_payload(Fault("voucher.is_referral_code", "goes with REFERRAL_PROGRAM only"))
        return
    if said is False:
        raise invalid_payload(Fault("voucher.is_referral_code", "is true in a REFERRAL_PROGRAM"))
    if data.type == "STANDALONE":
        raise invalid_payload(Fault("type", "every referrer has a code of their own: not STANDALONE"))


def check_loyalty(data: CampaignIn, campaign_type: str) -> None:
    """Raise `ApiError` 400 where loyalty programs and other campaigns are mixed."""
    if campaign_type != "LOYALTY_PROGRAM":
        if data.loyalty_tiers_expiration is not None:
            where = "loyalty_tiers_expiration"
            raise invalid_payload(Fault(where, "belongs to campaigns of type LOYALTY_PROGRAM only"))
        if data.auto_join:
            raise invalid_payload(Fault("auto_join", "belongs to campaigns of type LOYALTY_PROGRAM only"))
    elif data.type == "STANDALONE":
        raise invalid_payload(Fault("type", "every member has a card of their own: not STANDALONE"))


def check_cards(campaign_type: str, options: OptionsIn, on_sale: bool | None = None) -> None:
    """Raise `ApiError` 400 for settings of gift cards elsewhere. `on_sale` is how the cards of a saved campaign are
    made, which stays so.
    """
    for name in ("cards", "spend_order", "refund_less_spent"):
        given = getattr(options, name)
        kinds = ("GIFT_VOUCHERS", "LOYALTY_PROGRAM") if name == "spend_order" else ("GIFT_VOUCHERS",)
        if given not in (UNSET, None) and campaign_type not in kinds:
            raise invalid_payload(
                Fault(f"options.{name}", "belongs to campaigns of cards"), key="invalid_campaign"
            )
    if on_sale is not None and options.cards is not UNSET and options.on_sale() is not on_sale:
        raise invalid_payload(
            Fault("options.cards", "how cards are made stays as it is"), key="invalid_campaign"
        )


def check_duration(text: str | UnsetType | None) -> None:
    """Raise `ApiError` 400 for what is no ISO 8601 duration."""
    if isinstance(text, str):
        try:
            parse_duration(text)
        except ValueError as error:
            raise invalid_payload(Fault("activity_duration_after_publishing", str(error))) from None


def _inferred(data: CampaignIn) -> str:
    voucher = data.voucher or CampaignVoucherIn()
    if data.promotion is not None:
        return "PROMOTION"
    if voucher.is_referral_code or data.referral_program is not None:
        return "REFERRAL_PROGRAM"
    if voucher.type == "GIFT_VOUCHER" or voucher.gift is not None:
        return "GIFT_VOUCHERS"
    if voucher.type == "LOYALTY_CARD" or voucher.loyalty_card is not None:
        return "LOYALTY_PROGRAM"
    return "DISCOUNT_COUPONS"
