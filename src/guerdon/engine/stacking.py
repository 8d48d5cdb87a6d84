"""How several redeemables of one request work together. One set a project; every field is echoed."""

from typing import Annotated, Literal

from msgspec import Meta, Struct, field

UpTo30 = Annotated[int, Meta(ge=1, le=30)]
UpTo5 = Annotated[int, Meta(ge=1, le=5)]


class StackingRules(Struct, kw_only=True, frozen=True):
    """Limits and modes. In force: both redeemable limits, the application mode, the percent base and the
    no-effect rule; what concerns categories is kept and echoed.
    """

    redeemables_limit: UpTo30 = 30
    applicable_redeemables_limit: UpTo30 = 5
    applicable_redeemables_per_category_limit: UpTo30 | None = 1
    applicable_redeemables_category_limits: dict[str, UpTo30] = field(default_factory=dict)
    applicable_exclusive_redeemables_limit: UpTo5 = 1
    applicable_exclusive_redeemables_per_category_limit: UpTo30 | None = 1
    exclusive_categories: list[str] = field(default_factory=list)
    joint_categories: list[str] = field(default_factory=list)
    redeemables_application_mode: Literal["ALL", "PARTIAL"] = "ALL"
    redeemables_sorting_rule: Literal["REQUESTED_ORDER", "CATEGORY_HIERARCHY"] = "REQUESTED_ORDER"
    grouped_redeemables_sorting_rule: Literal["JOINT_ALWAYS_LAST"] = "JOINT_ALWAYS_LAST"
    redeemables_products_application_mode: Literal["STACK", "ONCE"] = "STACK"
    discount_calculation_mode: Literal["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"] = "DISCOUNTED_AMOUNT"
    initial_amount_mode_categories: list[str] = field(default_factory=list)
    discounted_amount_mode_categories: list[str] = field(default_factory=list)
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"] = "REDEEM_ANYWAY"
    no_effect_skip_categories: list[str] = field(default_factory=list)
    no_effect_redeem_anyway_categories: list[str] = field(default_factory=list)
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"] = "WITH_ORDER"


DEFAULT_STACKING = StackingRules()
