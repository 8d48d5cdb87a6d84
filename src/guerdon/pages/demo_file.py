"""What `guerdon demo` leaves for its next start and for the shop: keys, and the baskets to choose from.

The file is readable by its owner only, for it holds a server key.
"""

import os
from pathlib import Path

import msgspec

NAME = "demo.json"


class ShopLine(msgspec.Struct):
    """A line of a basket. `amount` is that of all its units, in cents."""

    source_id: str
    name: str
    note: str
    quantity: int
    amount: int


class ShopCode(msgspec.Struct):
    """A code of a real campaign that was sent to the basket's household; `ends` is an instant, or empty."""

    code: str
    campaign: str
    ends: str


class ShopBasket(msgspec.Struct):
    """A real basket: of which household, what is known of it, and when it was paid (local time)."""

    id: str
    household: str
    about: str
    at: str
    lines: list[ShopLine]
    codes: list[ShopCode]


class ShopOffer(msgspec.Struct):
    """A public code that the shop suggests; `group` is one of works, window, refused."""

    code: str
    title: str
    hint: str
    group: str


class ShopPromotion(msgspec.Struct):
    """A promotion tier that applies by itself. `category` says how it goes with others, `buy` is the collection to
    buy of; `daily` (redemptions) and `budget` (cents of discount) are its limits.
    """

    id: str
    name: str
    hint: str
    category: str
    buy: str = ""
    daily: int | None = None
    budget: int | None = None


class ShelfLine(msgspec.Struct):
    """An article that may be put into a basket; `price` of a unit in cents, `of` a collection it is in."""

    source_id: str
    name: str
    note: str
    price: int
    of: str


class DemoFile(msgspec.Struct):
    """The file's content. `names` says what the collections, segments and categories are called, by their ids."""

    project_id: str
    app_id: str
    app_token: str
    timezone: str
    baskets: list[ShopBasket] = []
    offers: list[ShopOffer] = []
    mistyped: str = ""
    delivery: ShopLine | None = None
    replays: int = 0
    promotions: list[ShopPromotion] = []
    names: dict[str, str] = {}
    shelf: list[ShelfLine] = []


def read(folder: Path) -> DemoFile | None:
    """The file in a data folder, or None when there is none or it is not ours."""
    try:
        return msgspec.json.decode((folder / NAME).read_bytes(), type=DemoFile)
    except (OSError, msgspec.MsgspecError):
        return None


def write(folder: Path, content: DemoFile) -> None:
    """Write it at once, or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    partial = folder / f"{NAME}.partial"
    partial.unlink(missing_ok=True)
    with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=1))
    partial.replace(folder / NAME)
