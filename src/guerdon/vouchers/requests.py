"""What callers send about vouchers."""

from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.vouchers.terms import LimitIn, Metadata, Name, Text, WindowsIn
from guerdon.vouchers.value import GiftIn, PointsIn


class VoucherFields(WindowsIn, kw_only=True):
    """What new and changed vouchers have in common."""

    type: Annotated[str, Meta(max_length=64)] | None = None
    discount: dict[str, Any] | None = None
    gift: GiftIn | None = None
    loyalty_card: PointsIn | None = None
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
