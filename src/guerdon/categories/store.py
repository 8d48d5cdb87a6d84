"""The categories' rows. What carries a category keeps its id when the category goes; it then has none."""

from datetime import datetime

import msgspec

from guerdon.kit import db
from guerdon.kit.errors import not_found


class CategoryRow(msgspec.Struct):
    """A row of `categories`; a lower `hierarchy` goes first."""

    id: str
    name: str
    hierarchy: int
    created_at: datetime
    updated_at: datetime | None


ALL = """
    select id, name, hierarchy, created_at, updated_at
    from categories where project_id = $1 order by hierarchy, created_at, id
"""

FIND = "select id, name, hierarchy, created_at, updated_at from categories where project_id = $1 and id = $2"

INSERT = """
    insert into categories (project_id, id, name, hierarchy) values ($1, $2, $3, $4)
    returning id, name, hierarchy, created_at, updated_at
"""

UPDATE = """
    update categories set name = coalesce($3, name), hierarchy = coalesce($4, hierarchy), updated_at = now()
    where project_id = $1 and id = $2
    returning id, name, hierarchy, created_at, updated_at
"""

DELETE = "delete from categories where project_id = $1 and id = $2"

KNOWN = "select id from categories where project_id = $1 and id = any($2)"


async def all_of(conn: db.Db, project_id: str) -> list[CategoryRow]:
    """All categories, in the order in which they go."""
    return await db.rows(conn, CategoryRow, ALL, project_id)


async def find(conn: db.Db, project_id: str, category_id: str) -> CategoryRow | None:
    """A category."""
    return await db.row(conn, CategoryRow, FIND, project_id, category_id)


async def insert(conn: db.Db, project_id: str, category_id: str, name: str, hierarchy: int) -> CategoryRow:
    """The new category as stored."""
    made = await db.row(conn, CategoryRow, INSERT, project_id, category_id, name, hierarchy)
    assert made is not None
    return made


async def update(
    conn: db.Db, project_id: str, category_id: str, name: str | None, hierarchy: int | None
) -> CategoryRow | None:
    """The category as it is now; None leaves a field as it was. None when there is no such category."""
    return await db.row(conn, CategoryRow, UPDATE, project_id, category_id, name, hierarchy)


async def delete(conn: db.Db, project_id: str, category_id: str) -> bool:
    """Whether there was such a category; it is gone now."""
    return await db.execute(conn, DELETE, project_id, category_id) == 1


async def known(conn: db.Db, project_id: str, category_ids: list[str]) -> set[str]:
    """Those of the ids that are categories."""
    if not category_ids:
        return set()
    return {record["id"] for record in await db.records(conn, KNOWN, project_id, category_ids)}


async def check_category(conn: db.Db, project_id: str, category_id: str | None) -> None:
    """For whoever stores a category's id. Raises `ApiError` 404 when there is no such category; None is none."""
    if category_id is not None and await find(conn, project_id, category_id) is None:
        raise not_found("category", category_id)
