"""What a return looks like on the wire."""

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Raw, Struct, UnsetType

from guerdon.redemptions.shapes import Code

Worth = Annotated[int, Meta(ge=1, le=2**53 - 1)]


class ReturnItem(Struct):
    """What comes back of one line, named by its index, or by a product, SKU or source id that names one line: units,
    or an amount of what they were worth before discounts, in minor units (a price put right afterwards).
    """

    index: Annotated[int, Meta(ge=0, le=499)] | None = None
    product_id: Code | None = None
    sku_id: Code | None = None
    source_id: Code | None = None
    quantity: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    amount: Worth | None = None


class ReturnIn(Struct):
    """Goods that come back. `amount` instead of `items` is for orders that are known by their amount alone."""

    items: Annotated[list[ReturnItem], Meta(min_length=1, max_length=500)] | None = None
    amount: Worth | None = None
    reason: Annotated[str, Meta(max_length=2000)] | None = None
    metadata: dict[str, Any] | None = None


class CardRef(Struct):
    """A card by its id and code."""

    id: str
    code: str


class GivenBack(Struct, omit_defaults=True):
    """What one redemption gave back, in minor units: discount, or `credits` that are on their card again, or what the
    `points` were worth that are. Of credits `withheld` were taken off again.
    """

    redemption_id: str
    object: str
    related_object_id: str
    amount: int
    credits: bool = False
    points: int = 0
    withheld: int = 0
    rollback_id: str | None = None


class CardTaken(Struct):
    """A gift card that the goods had sold: what was taken off it, and what had been spent of it, in minor units."""

    voucher: CardRef
    removed: int
    spent: int


class ReturnedItem(Struct):
    """What came back of a line of the order."""

    index: int
    quantity: int
    amount: int


class OrderReturn(Struct, kw_only=True):
    """A return. `refund` is what is owed in money: what was paid before less what would have been paid for the goods
    that stay, less what points had paid of it (`by_points`), less what is `withheld` since it was spent of cards that come back; what the refund does not cover of that is
    withheld from credits in `given_back`. `method` tells how that was found:
    DECIDED_AGAIN on those goods, or IN_PROPORTION.
    """

    id: str
    object: Literal["order_return"] = "order_return"
    order_id: str
    refund: int
    paid_before: int
    paid_after: int
    method: str
    items: list[ReturnedItem]
    given_back: list[GivenBack]
    cards: list[CardTaken] = []
    withheld: int = 0
    by_points: int = 0
    reason: str | None
    metadata: dict[str, Any]
    created_at: str
    order: Raw | UnsetType = UNSET


class OrderReturns(Struct, kw_only=True):
    """The returns of an order, the first one first."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[OrderReturn]
    total: int
