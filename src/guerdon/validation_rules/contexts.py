"""What a rule set can be made for. The context is kept and shown; it restricts nothing here."""

_DISCOUNTED = (
    "discount.apply_to_order",
    "discount.apply_to_items",
    "discount.apply_to_items_proportionally",
    "discount.apply_to_items_proportionally_by_quantity",
    "discount.apply_to_items_by_quantity",
    "discount.fixed.apply_to_items",
    "discount.percent.apply_to_items",
)
_GIVEN = ("gift.apply_to_order", "gift.apply_to_items")

_WITH_DISCOUNTS = (
    "campaign.discount_coupons",
    "campaign.referral_program",
    "campaign.promotion",
    "voucher.discount_voucher",
)
_WITH_GIFTS = ("campaign.gift_vouchers", "voucher.gift_voucher")

_EARNING = (
    "order.paid",
    "custom_event",
    "customer.segment.entered",
    "customer.tier.joined",
    "customer.tier.left",
    "customer.tier.upgraded",
    "customer.tier.downgraded",
    "customer.tier.prolonged",
)
_DISTRIBUTION = ("custom_event", "order.paid", "order.created", "order.canceled", "order.updated")

CONTEXTS = frozenset(
    [
        "global",
        "campaign.loyalty_program",
        "voucher.loyalty_card",
        "reward_assignment.pay_with_points",
        *_WITH_DISCOUNTS,
        *_WITH_GIFTS,
        *(f"{start}.{end}" for start in _WITH_DISCOUNTS for end in _DISCOUNTED),
        *(f"{start}.{end}" for start in _WITH_GIFTS for end in _GIVEN),
        *(f"earning_rule.{end}" for end in _EARNING),
        *(f"distribution.{end}" for end in _DISTRIBUTION),
    ]
)
