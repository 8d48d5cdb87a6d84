"""The lines of an order while discounts put units in and take units out."""

from guerdon.engine.money import half_up
from guerdon.engine.order import Catalog, Order, OrderItem, ProductRef, SkuRef, find_in_catalog


class Row:
    """A line while units are being added to it: the item as it was, and what has changed since."""

    __slots__ = ("added", "added_amount", "index", "item", "new", "off", "units")

    def __init__(self, index: int, item: OrderItem, new: bool) -> None:
        self.index, self.item, self.new = index, item, new
        self.added = self.added_amount = self.units = self.off = 0

    def worth(self, count: int) -> int:
        """What ``count`` units of the line cost, in minor units; 0 when no price is known."""
        item = self.item
        if item.price is not None:
            return item.price * count
        if item.amount is None or not item.quantity:
            return 0
        return half_up(item.amount * count, item.quantity)

    def add(self, count: int) -> None:
        self.added += count
        self.added_amount += self.worth(count)

    def give(self, count: int) -> int:
        """Make up to ``count`` more units of the line free; answers how many."""
        item = self.item
        free = item.quantity + self.added - item.discount_quantity - self.units
        given = max(0, min(count, free))
        left = (item.amount or 0) + self.added_amount - item.discount_amount - self.off
        self.units += given
        self.off += min(self.worth(given), left)
        return given


class Cart:
    """The lines of an order, and those being added after them; found by any name of their product or SKU."""

    def __init__(self, order: Order, catalog: Catalog) -> None:
        self.catalog = catalog
        self.rows: list[Row] = []
        self.named: dict[str, list[Row]] = {}
        for index, item in enumerate(order.items or ()):
            self._keep(Row(index, item, new=False))

    def _keep(self, row: Row) -> None:
        self.rows.append(row)
        for name in names_of(row.item):
            self.named.setdefault(name, []).append(row)

    def append(self, item: OrderItem, count: int) -> None:
        """A new line of so many free units."""
        row = Row(len(self.rows), item, new=True)
        row.add(count)
        row.give(count)
        self._keep(row)

    def matching(self, unit_type: str) -> list[Row]:
        """The lines of a product or SKU, by its id or source id, in their order."""
        found = self.named.get(unit_type, [])
        stored = find_in_catalog(self.catalog, unit_type)
        if stored is not None and stored.id != unit_type:
            rows = {row.index: row for row in (*found, *self.named.get(stored.id, ()))}
            found = [rows[index] for index in sorted(rows)]
        return found[:]


def names_of(item: OrderItem) -> set[str]:
    """Every id and source id under which the line's product or SKU may be meant."""
    product, sku, source_id = item.product, item.sku, item.source_id
    names = {item.product_id, item.sku_id, source_id}
    if source_id is not None:
        # Delivery is often sent under its bare source id.
        names.add(f"prod_{source_id}")
    if product is not None:
        names |= {product.id, product.source_id}
    if sku is not None:
        names |= {sku.id, sku.source_id}
    return {name for name in names if name is not None}


def copy_of(row: Row) -> OrderItem:
    """A line of none yet of what another line holds, at its price."""
    item = row.item
    return OrderItem(
        source_id=item.source_id,
        related_object=item.related_object,
        product_id=item.product_id,
        sku_id=item.sku_id,
        initial_quantity=0,
        initial_amount=0 if item.amount is not None else None,
        price=row.worth(1) if item.amount is not None else None,
        product=item.product,
        sku=item.sku,
    )


def new_item(unit_type: str, rows: list[Row], catalog: Catalog) -> OrderItem:
    """A line of none yet of a product or SKU: as stored, else like the lines of it in the cart, else only named."""
    stored = find_in_catalog(catalog, unit_type)
    if stored is None:
        if rows:
            return copy_of(rows[0])
        if unit_type.startswith("sku_"):
            return OrderItem(sku_id=unit_type, initial_quantity=0)
        return OrderItem(product_id=unit_type, initial_quantity=0)
    product = stored if stored.object == "product" else catalog.get(stored.product_id or "")
    price = stored.price
    if price is None and product is not None:
        price = product.price
    item = OrderItem(initial_quantity=0, initial_amount=0 if price is not None else None, price=price)
    if stored.object == "sku":
        item.sku_id = stored.id
        item.sku = SkuRef(id=stored.id, source_id=stored.source_id, sku=stored.name, price=stored.price)
        item.product_id = stored.product_id
    if product is not None:
        item.product_id = product.id
        item.product = ProductRef(
            id=product.id, source_id=product.source_id, name=product.name, price=product.price
        )
    return item
