"""How the categories of offers are shown."""

from guerdon.categories import store
from guerdon.categories.api import Category, shape
from guerdon.kit import db


async def categories_of(
    conn: db.Db, project_id: str, ids: set[str | None]
) -> dict[str | None, list[Category]]:
    """How categories are shown beside what has them, by id; an id that is gone is shown as no category."""
    wanted = ids - {None}
    if not wanted:
        return {}
    rows = await store.all_of(conn, project_id)
    return {row.id: [shape(row)] for row in rows if row.id in wanted}
