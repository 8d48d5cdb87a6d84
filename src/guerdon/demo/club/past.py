"""The year's baskets as paid orders, a day at a time, and the households that paid them."""

from collections.abc import Collection
from datetime import date
from typing import Any

from guerdon.demo import offers
from guerdon.demo import store as imports
from guerdon.demo.club import store
from guerdon.demo.dataset import ZONE, Dataset, Visit
from guerdon.kit import db
from guerdon.kit.ids import new_ids


async def add_households(
    pool: db.Pool, project_id: str, dataset: Dataset, first: date, only: Collection[int] | None
) -> None:
    """Write the households that are not there yet."""
    rows = [
        imports.Customer(f"household-{id}", f"Household {id}", facts)
        for id, facts in dataset.households().items()
        if only is None or id in only
    ]
    async with db.transaction(pool) as conn:
        await imports.add_customers(conn, project_id, rows, offers.midnight(first, ZONE))


class Past:
    """Brings the orders of one day after the other, on their own dates, without their lines: what the club goes by is
    what they came to. Those of some households only, where told.
    """

    def __init__(
        self,
        project_id: str,
        dataset: Dataset,
        customer_ids: dict[str, str],
        days: tuple[date, date],
        only: Collection[int] | None,
    ) -> None:
        self.project_id = project_id
        self.customer_ids = customer_ids
        self.by_day: dict[date, list[Visit]] = {}
        for visit in dataset.visits(*days):
            if only is None or visit.household_id in only:
                self.by_day.setdefault(visit.at.date(), []).append(visit)

    async def __call__(self, conn: db.Conn, day: date) -> None:
        """Write a day's orders."""
        visits = self.by_day.get(day, [])
        ids = new_ids("order", len(visits))
        await store.add_orders(conn, [self._row(id, each) for id, each in zip(ids, visits, strict=True)])

    def _row(self, id: str, visit: Visit) -> tuple[Any, ...]:
        return (
            self.project_id, id, f"basket-{visit.id}", "PAID", self.customer_ids[f"household-{visit.household_id}"],
            visit.amount, 0, visit.discount, visit.discount, visit.amount - visit.discount, "[]",
            {"store": visit.store_id}, visit.at.replace(tzinfo=ZONE),
        )  # fmt: skip
