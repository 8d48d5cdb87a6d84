"""``/v1/categories``."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from guerdon.categories import stacking, stacking_api, store
from guerdon.categories.store import CategoryRow
from guerdon.definitions.changes import changed
from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.kit.ids import new_id

Name = Annotated[str, Meta(min_length=1, max_length=255)]
Hierarchy = Annotated[int, Meta(ge=0, le=1000)]
FIRST = 1


class CategoryIn(msgspec.Struct, kw_only=True):
    """A new category. The lowest `hierarchy` goes first."""

    name: Name
    hierarchy: Hierarchy | None = FIRST


class CategoryChange(msgspec.Struct, kw_only=True):
    """What is to change of a category; the rest stays."""

    name: Name | None = None
    hierarchy: Hierarchy | None = None


class Category(msgspec.Struct, kw_only=True):
    """A category."""

    id: str
    name: str
    hierarchy: int
    created_at: str
    updated_at: str | UnsetType = UNSET
    object: str = "category"


class CategoryList(msgspec.Struct, kw_only=True):
    """All categories."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Category]
    total: int


def shape(row: CategoryRow) -> Category:
    """The row as it leaves the API."""
    return Category(
        id=row.id,
        name=row.name,
        hierarchy=row.hierarchy,
        created_at=clock.iso(row.created_at),
        updated_at=clock.iso(row.updated_at) if row.updated_at else UNSET,
    )


async def list_categories(call: Call) -> CategoryList:
    """List all categories, in the order in which they go."""
    rows = await store.all_of(call.db, call.project_id)
    return CategoryList(data=[shape(row) for row in rows], total=len(rows))


async def create_category(call: Call, data: CategoryIn) -> Category:
    """Create a category."""
    hierarchy = FIRST if data.hierarchy is None else data.hierarchy
    row = await store.insert(call.db, call.project_id, new_id("category"), data.name, hierarchy)
    await changed(call.conn, call.project_id, [("category", row.id)])
    return shape(row)


async def get_category(call: Call, category_id: str) -> Category:
    """Read a category."""
    row = await store.find(call.db, call.project_id, category_id)
    if row is None:
        raise not_found("category", category_id)
    return shape(row)


async def update_category(call: Call, category_id: str, data: CategoryChange) -> Category:
    """Change a category's name or place. What is absent stays."""
    row = await store.update(call.db, call.project_id, category_id, data.name, data.hierarchy)
    if row is None:
        raise not_found("category", category_id)
    await changed(call.conn, call.project_id, [("category", row.id)])
    return shape(row)


async def delete_category(call: Call, category_id: str, remove_from_stacking_rules: bool = False) -> None:
    """Delete a category.

    While the stacking rules name it that is refused (400 ``resource_in_use``), unless
    `remove_from_stacking_rules` says to take it out of them too. Offers that have the category go on without one.
    """
    conn = call.conn
    await stacking.lock(conn, call.project_id)
    if await store.find(conn, call.project_id, category_id) is None:
        raise not_found("category", category_id)
    touched = await stacking.forget_category(
        conn, call.project_id, category_id, allowed=remove_from_stacking_rules
    )
    await store.delete(conn, call.project_id, category_id)
    changes = [("category", category_id), ("stacking", call.project_id)]
    await changed(conn, call.project_id, changes if touched else changes[:1])  # type: ignore[arg-type]


_CATEGORY = "/v1/categories/{category_id}"

ROUTES = [
    Route(method="GET", path="/v1/categories", handler=list_categories, tag="Categories"),
    Route(method="POST", path="/v1/categories", handler=create_category, tag="Categories", kind="write"),
    Route(method="GET", path=_CATEGORY, handler=get_category, tag="Categories"),
    Route(method="PUT", path=_CATEGORY, handler=update_category, tag="Categories", kind="write"),
    Route(
        method="DELETE", path=_CATEGORY, handler=delete_category, tag="Categories", kind="write", status=204
    ),
    *stacking_api.ROUTES,
]
