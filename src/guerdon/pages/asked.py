"""What a visitor of the shop asks for, and the request to the API that it becomes."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.pages.demo_file import DemoFile, ShopBasket, ShopLine

Visit = Annotated[str, Meta(pattern="^[A-Za-z0-9-]{8,64}$")]
Codes = Annotated[list[Annotated[str, Meta(min_length=1, max_length=512)]], Meta(max_length=15)]
Promotions = Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=15)]
Quantity = Annotated[int, Meta(ge=0, le=99)]


class Goods(Struct, kw_only=True):
    """A basket as the visitor changed it; `visit` is one time through the till, and names its order.

    `quantities` are of the basket's lines, in their order; without them they are as they were. `extras` are of
    articles from the shelf, by source id.
    """

    basket: str
    visit: Visit
    quantities: Annotated[list[Quantity], Meta(max_length=500)] | None = None
    extras: dict[str, Quantity] = {}


class Asked(Goods, kw_only=True):
    """Goods with codes and promotions."""

    codes: Codes = []
    promotions: Promotions = []


def request_of(file: DemoFile, data: Asked) -> dict[str, Any]:
    """What a shop would send to validate or redeem. Raises `ApiError` 400, 404."""
    known = {one.id for one in file.promotions}
    unknown = next((id for id in data.promotions if id not in known), None)
    if unknown is not None:
        raise not_found("promotion_tier", unknown)
    if not data.codes and not data.promotions:
        raise invalid_payload(Fault("codes", "are missing, and promotions are too"))
    tiers = [{"object": "promotion_tier", "id": id} for id in data.promotions]
    codes = [{"object": "voucher", "id": code} for code in data.codes]
    return {"redeemables": tiers + codes, **cart_of(file, data), "options": {"explain": True}}


def cart_of(file: DemoFile, data: Goods) -> dict[str, Any]:
    """The order and the customer. Raises `ApiError` 404 for a basket that there is not, 400 for an empty one."""
    basket = next((b for b in file.baskets if b.id == data.basket), None)
    if basket is None:
        raise not_found("basket", data.basket)
    lines = lines_of(file, basket, data)
    if not lines:
        raise invalid_payload(Fault("quantities", "leave nothing in the basket"))
    if file.delivery:
        lines.append(file.delivery)
    items = [
        {
            "source_id": line.source_id,
            "related_object": "product",
            "quantity": line.quantity,
            "amount": line.amount,
            "product": {"source_id": line.source_id, "name": line.name},
        }
        for line in lines
    ]
    return {
        "order": {"source_id": f"shop-{data.visit}", "items": items},
        "customer": {"source_id": basket.household},
    }


def lines_of(file: DemoFile, basket: ShopBasket, data: Goods) -> list[ShopLine]:
    """The lines of a changed basket, those from the shelf behind its own."""
    quantities = data.quantities
    if quantities is None:
        quantities = [line.quantity for line in basket.lines]
    if len(quantities) != len(basket.lines):
        raise invalid_payload(Fault("quantities", f"must be {len(basket.lines)}, one for each line"))
    lines = [_of(line, count) for line, count in zip(basket.lines, quantities, strict=True) if count]
    shelf = {line.source_id: line for line in file.shelf}
    for source_id, count in data.extras.items():
        article = shelf.get(source_id)
        if article is None:
            raise invalid_payload(Fault("extras", f"name {source_id!r}, which is not on the shelf"))
        if count:
            lines.append(ShopLine(source_id, article.name, article.note, count, article.price * count))
    return lines


def _of(line: ShopLine, quantity: int) -> ShopLine:
    """So many units of a line, at what a unit of it cost; halves of a cent are rounded up."""
    if quantity == line.quantity:
        return line
    amount = (2 * line.amount * quantity + line.quantity) // (2 * line.quantity)
    return ShopLine(line.source_id, line.name, line.note, quantity, amount)
