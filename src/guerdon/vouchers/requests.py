"""What callers send about vouchers."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.kit.errors import Fault, invalid_payload
from guerdon.vouchers.terms import LimitIn, Metadata, Name, Text, WindowsIn

NOT_YET = "is not available yet; discount vouchers (DISCOUNT_VOUCHER) are"
TYPES = ("DISCOUNT_VOUCHER", "GIFT_VOUCHER", "LOYALTY_CARD")


class VoucherFields(WindowsIn, kw_only=True):
    """What new and changed vouchers have in common."""

    type: Annotated[str, Meta(max_length=64)] | None = None
    discount: dict[str, Any] | None = None
    gift: dict[str, Any] | None = None
    loyalty_card: dict[str, Any] | None = None
    redemption: LimitIn | UnsetType | None = UNSET
    active: bool | None = None
    additional_info: Text | UnsetType | None = UNSET
    metadata: Metadata | None = None

    def says_terms(self) -> bool:
        """Whether anything is said of what the voucher promises, so that it needs terms of its own."""
        named = [getattr(self, name) for name in WindowsIn.__struct_fields__]
        if isinstance(self.redemption, LimitIn):
            named.append(self.redemption.quantity)
        return self.discount is not None or any(value is not UNSET for value in named)


class VoucherIn(VoucherFields, kw_only=True):
    """A voucher to be. Its code is the path's, `code`, or a random one made by `code_config`."""

    code: Annotated[str, Meta(max_length=512)] | None = None
    code_config: dict[str, Any] | None = None
    campaign: Name | None = None
    campaign_id: Name | None = None
    validation_rules: list[str] | None = None


class VoucherChange(VoucherFields, kw_only=True):
    """What is to change. Absent stays; null clears dates, windows, category and limit; metadata is merged."""


class VoucherInCampaign(VoucherFields, kw_only=True):
    """A code to be of a campaign, where it differs from the campaign."""

    code_config: dict[str, Any] | None = None


class ImportAccepted(Struct):
    """The async action that does the work; GET /v1/async-actions/{id} tells how far it is."""

    async_action_id: str


def check_kind(data: VoucherFields) -> None:
    """Raise `ApiError` 400 for vouchers of a kind that is not there."""
    if data.type is not None and data.type not in TYPES:
        raise invalid_payload(Fault("type", "must be one of " + ", ".join(TYPES)))
    if data.type not in (None, "DISCOUNT_VOUCHER"):
        raise invalid_payload(Fault("type", f"{data.type} {NOT_YET}"))
    for name in ("gift", "loyalty_card"):
        if getattr(data, name) is not None:
            raise invalid_payload(Fault(name, NOT_YET))
