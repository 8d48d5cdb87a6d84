"""The import: households, articles, offers and three months of baskets, in chunks that are a transaction each.

What a chunk wrote and the mark that says so are one transaction, so an import that was cut off goes on where it
was, and a finished one is not done again.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime, timedelta
from typing import Any, TypeVar

import msgspec

from guerdon.demo import offers, store
from guerdon.demo.dataset import HISTORY_DAYS, REPLAY_DAY, ZONE, Basket, Dataset, Line, Product, weeks_since
from guerdon.engine.order import OrderItem, ProductRef
from guerdon.kit import db
from guerdon.kit.ids import new_ids

CHUNK = 1000
DELIVERY = store.Product(offers.DELIVERY, "Delivery", offers.DELIVERY_PRICE, {"department": "Service"})

Report = Callable[[str, int, int], None]
"""Called with a step's name, how many of its rows are done, and how many there are."""
T = TypeVar("T")


class Import:
    """One run of it: reads the data set once, writes what the mark says is missing."""

    def __init__(self, pool: db.Pool, project_id: str, dataset: Dataset, today: date, report: Report) -> None:
        self.pool = pool
        self.project_id = project_id
        self.dataset = dataset
        self.report = report
        self.mark = store.Mark(moved_to=REPLAY_DAY + weeks_since(today))

    async def run(self) -> bool:
        """Do what is left to do; whether there was anything."""
        found = await store.read_mark(self.pool, self.project_id)
        if found is not None:
            self.mark = found
        if self.mark.complete:
            return False
        await self._customers()
        products = self.dataset.products()
        first, last = REPLAY_DAY - timedelta(days=HISTORY_DAYS), REPLAY_DAY - timedelta(days=1)
        baskets = list(self.dataset.baskets(first, last))
        today = list(self.dataset.baskets(REPLAY_DAY, REPLAY_DAY))
        await self._products(products, baskets + today)
        customer_ids = await store.ids_of_customers(self.pool, self.project_id)
        await self._campaigns(customer_ids)
        await self._orders(baskets, products, customer_ids)
        self.mark.complete = True
        await store.write_mark(self.pool, self.project_id, self.mark)
        return True

    @property
    def moved(self) -> timedelta:
        """From the data set's dates to ours."""
        return self.mark.moved_to - REPLAY_DAY

    async def _customers(self) -> None:
        at = offers.midnight(self.mark.moved_to - timedelta(days=HISTORY_DAYS + 1), ZONE)
        rows = [
            store.Customer(f"household-{id}", f"Household {id}", facts)
            for id, facts in self.dataset.households().items()
        ]

        async def write(conn: db.Conn, chunk: Sequence[store.Customer]) -> None:
            await store.add_customers(conn, self.project_id, chunk, at)

        await self._step("Households", rows, write)

    async def _products(self, products: dict[int, Product], baskets: list[Basket]) -> None:
        at = offers.midnight(self.mark.moved_to - timedelta(days=HISTORY_DAYS + 1), ZONE)
        prices = last_prices(baskets)
        rows = [_product_row(id, products.get(id), prices[id]) for id in sorted(prices)]

        async def write(conn: db.Conn, chunk: Sequence[store.Product]) -> None:
            await store.add_products(conn, self.project_id, chunk, at)

        await self._step("Articles", [DELIVERY, *rows], write)

    async def _campaigns(self, customer_ids: dict[str, str]) -> None:
        now = offers.midnight(self.mark.moved_to, ZONE)
        rows = [public_campaign(offer) for offer in offers.public_offers(now)]
        rows += [_real_campaign(each, customer_ids, self.moved) for each in self.dataset.campaigns()]

        async def write(conn: db.Conn, chunk: Sequence[store.Campaign]) -> None:
            await store.add_campaigns(conn, self.project_id, chunk)

        await self._step("Campaigns", rows, write, chunk=10)

    async def _orders(
        self, baskets: list[Basket], products: dict[int, Product], customer_ids: dict[str, str]
    ) -> None:
        product_ids = await store.ids_of_products(self.pool, self.project_id)
        refs = {
            id: ProductRef(id=product_ids.get(f"product-{id}"), source_id=f"product-{id}", name=product.name)
            for id, product in products.items()
        }

        async def write(conn: db.Conn, chunk: Sequence[Basket]) -> None:
            rows = [_order(basket, refs, customer_ids, self.moved) for basket in chunk]
            await store.add_orders(conn, self.project_id, rows)

        await self._step("Baskets", baskets, write)

    async def _step(self, name: str, rows: Sequence[T], write: Any, chunk: int = CHUNK) -> None:
        done = self.mark.done.get(name, 0)
        self.report(name, done, len(rows))
        while done < len(rows):
            part = rows[done : done + chunk]
            done += len(part)
            self.mark.done[name] = done
            async with db.transaction(self.pool) as conn:
                await write(conn, part)
                await store.write_mark(conn, self.project_id, self.mark)
            self.report(name, done, len(rows))


def last_prices(baskets: list[Basket]) -> dict[int, int]:
    """What a unit of each article cost when it was last sold, in cents, rounded."""
    prices: dict[int, int] = {}
    for basket in baskets:
        for line in basket.lines:
            prices[line.product_id] = (2 * line.amount + line.quantity) // (2 * line.quantity)
    return prices


def item_of(line: Line, ref: ProductRef | None, id: str | None = None) -> OrderItem:
    """A basket's line as an order item. A price is given only where it makes up the amount exactly."""
    return OrderItem(
        id=id,
        source_id=f"product-{line.product_id}",
        related_object="product",
        product_id=ref.id if ref else None,
        quantity=line.quantity,
        amount=line.amount,
        price=line.amount // line.quantity if line.amount % line.quantity == 0 else None,
        discount_amount=line.discount,
        subtotal_amount=line.amount - line.discount,
        product=ref,
    )


def _order(
    basket: Basket, refs: dict[int, ProductRef], customer_ids: dict[str, str], moved: timedelta
) -> store.Order:
    ids = new_ids("order_line", len(basket.lines))
    items = [item_of(line, refs.get(line.product_id), id) for line, id in zip(basket.lines, ids, strict=True)]
    return store.Order(
        source_id=f"basket-{basket.id}",
        customer_id=customer_ids.get(f"household-{basket.household_id}"),
        amount=sum(line.amount for line in basket.lines),
        discount=sum(line.discount for line in basket.lines),
        items=msgspec.json.encode(items).decode(),
        metadata={"store": basket.store_id},
        created_at=moved_to_zone(basket.at, moved),
    )


def moved_to_zone(at: datetime, moved: timedelta) -> datetime:
    """A till's local time of 2017 as an instant of ours, on the same day of the week and hour."""
    return (at + moved).replace(tzinfo=ZONE)


def _product_row(id: int, product: Product | None, price: int) -> store.Product:
    if product is None:
        return store.Product(f"product-{id}", "Groceries", price, {})
    facts = {
        "category": product.category, "department": product.department, "brand": product.brand, "size": product.size,
    }  # fmt: skip
    return store.Product(f"product-{id}", product.name, price, {k: v for k, v in facts.items() if v})


def public_campaign(offer: offers.Offer) -> store.Campaign:
    """An offer as the campaign to insert."""
    return store.Campaign(
        name=offer.title,
        type="STANDALONE",
        description=offer.hint,
        terms=offer.terms(),
        start=offer.start,
        end=offer.end,
        metadata={"demo": offer.group},
        codes=[store.Code(offer.code, active=offer.active)],
    )


def _real_campaign(each: Any, customer_ids: dict[str, str], moved: timedelta) -> store.Campaign:
    terms = offers.campaign_terms(each, ZONE, moved)
    codes = [
        store.Code(
            offers.new_code(each.id),
            customer_ids.get(f"household-{household}"),
            metadata={"household": household},
        )
        for household in each.households
    ]
    return store.Campaign(
        name=offers.campaign_name(each),
        type="STATIC",
        description=f"Sent to {len(codes)} households",
        terms=terms,
        start=offers.midnight(each.start + moved, ZONE),
        end=offers.midnight(each.end + moved + timedelta(days=1), ZONE),
        metadata={"demo": "real", "type": each.kind},
        codes=codes,
    )
