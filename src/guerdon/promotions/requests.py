"""What callers send about promotion tiers and stacks."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.kit.errors import Fault, invalid_payload
from guerdon.vouchers.terms import Metadata, Name, Text, WindowsIn

MOST_TIERS = 1_000
"""How many tiers one request may make together with their campaign."""
MOST_IN_STACK = 30

Hierarchy = Annotated[int, Meta(ge=0, le=1_000_000)]
RuleIds = Annotated[list[Name], Meta(max_length=1)]


class ActionIn(Struct, kw_only=True):
    """What a tier gives."""

    discount: dict[str, Any] | None = None


class AssignmentIn(Struct, kw_only=True):
    """A validation rule as an answer named it; only `rule_id` is read."""

    rule_id: Name | None = None


class AssignmentsIn(Struct, kw_only=True):
    """The rules of a tier in the form in which tiers are answered, so that an answer can be sent back."""

    data: Annotated[list[AssignmentIn], Meta(max_length=1)] | None = None


class TierFields(WindowsIn, kw_only=True):
    """What new and changed tiers have in common. A tier has at most one validation rule."""

    banner: Text | UnsetType | None = UNSET
    action: ActionIn | None = None
    metadata: Metadata | None = None
    hierarchy: Hierarchy | None = None
    active: bool | None = None
    validation_rules: RuleIds | UnsetType | None = UNSET
    validation_rule_assignments: AssignmentsIn | None = None

    def rules(self) -> list[str] | None:
        """The validation rules the tier shall have; None leaves those it has."""
        if self.validation_rules is not UNSET:
            return self.validation_rules or []
        if self.validation_rule_assignments is None or self.validation_rule_assignments.data is None:
            return None
        return [one.rule_id for one in self.validation_rule_assignments.data if one.rule_id is not None]


class TierIn(TierFields, kw_only=True):
    """A tier to be. Without a `hierarchy` it comes behind the campaign's other tiers."""

    name: Name


class TierChange(TierFields, kw_only=True):
    """What is to change. Absent stays; null clears texts, dates, windows and category; metadata is merged."""

    name: Name | None = None


class PromotionIn(Struct, kw_only=True):
    """The tiers that a campaign starts with, in the order of their hierarchy."""

    tiers: Annotated[list[TierIn], Meta(max_length=MOST_TIERS)] | None = None


class StackTiersIn(Struct, kw_only=True):
    """The tiers of a stack, in the order in which they are applied."""

    ids: Annotated[list[Name], Meta(min_length=1, max_length=MOST_IN_STACK)]
    hierarchy_mode: Literal["MANUAL"] | None = None


class StackIn(Struct, kw_only=True):
    """A stack to be."""

    name: Name
    tiers: StackTiersIn
    category_id: Name | None = None


class StackChange(Struct, kw_only=True):
    """What is to change of a stack. Absent stays; a null category clears it."""

    name: Name | None = None
    tiers: StackTiersIn | None = None
    category_id: Name | UnsetType | None = UNSET


def check_stack(tiers: StackTiersIn) -> None:
    """Raise `ApiError` 400 for a tier that is listed twice."""
    seen: set[str] = set()
    for index, tier_id in enumerate(tiers.ids):
        if tier_id in seen:
            raise invalid_payload(Fault(f"tiers.ids[{index}]", "names a tier that the stack has already"))
        seen.add(tier_id)
