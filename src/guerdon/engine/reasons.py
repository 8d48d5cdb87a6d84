"""Why the engine says no: every refusal with its HTTP code, its stable key and our words for it."""

from enum import Enum


class Reason(Enum):
    """In order of precedence: when several would hold, the one that stands first is given.

    >>> Reason.VOUCHER_EXPIRED.key, Reason.NOT_FOUND.code
    ('voucher_expired', 404)
    """

    NOT_FOUND = (404, "not_found", "There is no such redeemable in this project")
    VOUCHER_DISABLED = (400, "voucher_disabled", "The voucher is switched off")
    CAMPAIGN_DISABLED = (400, "voucher_disabled", "The campaign of this voucher is switched off")
    VOUCHER_NOT_ACTIVE = (400, "voucher_not_active", "The voucher has not started yet")
    VOUCHER_EXPIRED = (400, "voucher_expired", "The voucher has expired")
    VOUCHER_NOT_ACTIVE_NOW = (400, "voucher_not_active_now", "The voucher is not valid at this time")
    QUANTITY_EXCEEDED = (400, "quantity_exceeded", "The voucher has been used as often as it may be")
    GIFT_AMOUNT_EXCEEDED = (
        400,
        "gift_amount_exceeded",
        "The gift card has less on it than is asked for",
    )
    MISSING_REWARD = (400, "missing_reward", "A loyalty card is redeemed for a reward, and none is named")
    NO_REWARD = (404, "not_found", "There is no such reward in the program of this card")
    NOT_HELD = (400, "invalid_customer", "Points are spent by the customer who holds the card")
    POINTS_EXCEEDED = (
        400,
        "loyalty_card_points_exceeded",
        "The card has fewer points on it than are asked for",
    )
    NOT_PUBLISHED = (
        400,
        "not_published",
        "A referral code has to be published to its referrer before others can redeem it",
    )
    REFERRER_NOT_PERMITTED = (
        400,
        "referrer_not_permitted_to_redeem",
        "A referral code is for others than its referrer",
    )
    DISPOSABLE_ADDRESS = (
        400,
        "disposable_address",
        "The customer's address is of a provider of mailboxes for minutes",
    )
    PROMOTION_DISABLED = (400, "promotion_inactive", "The promotion is switched off")
    PROMOTION_CAMPAIGN_DISABLED = (
        400,
        "promotion_inactive",
        "The campaign of this promotion is switched off",
    )
    PROMOTION_NOT_STARTED = (400, "promotion_inactive", "The promotion has not started yet")
    PROMOTION_EXPIRED = (400, "promotion_inactive", "The promotion has ended")
    PROMOTION_NOT_ACTIVE_NOW = (
        400,
        "promotion_not_active_now",
        "The promotion is not valid at this time",
    )
    MISSING_CUSTOMER = (400, "missing_customer", "The rules of this redeemable need to know the customer")
    CUSTOMER_RULES_VIOLATED = (
        400,
        "customer_rules_violated",
        "The customer does not meet the rules of this redeemable",
    )
    ORDER_RULES_VIOLATED = (
        400,
        "order_rules_violated",
        "The order does not meet the rules of this redeemable",
    )
    REDEMPTION_RULES_VIOLATED = (
        400,
        "redemption_rules_violated",
        "The redemption does not meet the rules of this redeemable",
    )
    MISSING_ORDER = (400, "missing_order", "This discount needs an order")
    MISSING_ORDER_ITEMS = (400, "missing_order_items", "This discount needs the items of the order")
    MISSING_ORDER_ITEMS_AMOUNT = (
        400,
        "missing_order_items_amount",
        "This discount needs order items whose amount is known",
    )
    MISSING_AMOUNT = (400, "missing_amount", "This discount needs the amount of the order")
    AMOUNT_TOO_LARGE = (400, "invalid_amount", "The order would be worth more than can be counted exactly")
    EXCLUSION_RULES_NOT_MET = (
        400,
        "exclusion_rules_not_met",
        "A redeemable of an exclusive category applies, beside which this one may not",
    )
    APPLICABLE_LIMIT_EXCEEDED = (
        400,
        "applicable_redeemables_limit_exceeded",
        "As many redeemables as may apply together already do",
    )
    EXCLUSIVE_LIMIT_EXCEEDED = (
        400,
        "applicable_exclusive_redeemables_limit_exceeded",
        "As many redeemables of exclusive categories as may apply together already do",
    )
    EXCLUSIVE_PER_CATEGORY_LIMIT_EXCEEDED = (
        400,
        "applicable_exclusive_redeemables_per_category_limit_exceeded",
        "As many redeemables of this exclusive category as may apply together already do",
    )
    PER_CATEGORY_LIMIT_EXCEEDED = (
        400,
        "applicable_redeemables_per_category_limit_exceeded",
        "As many redeemables of this category as may apply together already do",
    )
    PRECEDING_VALIDATION_FAILED = (
        400,
        "preceding_validation_failed",
        "A redeemable before this one could not be applied",
    )
    MARGIN_FLOOR_REACHED = (
        400,
        "margin_floor_reached",
        "The order is already at the least share of its worth that it may come to",
    )
    NOT_IN_BEST_COMBINATION = (
        400,
        "not_in_best_combination",
        "The customer saves at least as much without it",
    )
    NO_EFFECT = (400, "no_effect", "The redeemable would not change the order")

    def __init__(self, code: int, key: str, message: str) -> None:
        self.code = code
        self.key = key
        self.message = message
