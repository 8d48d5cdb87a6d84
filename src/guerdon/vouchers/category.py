"""Which category an offer has: said by id, or by the name of one that there is."""

from collections.abc import Sequence
from typing import Any

from msgspec import UNSET

from guerdon.categories import store
from guerdon.categories.store import CategoryRow
from guerdon.kit import db
from guerdon.kit.errors import not_found
from guerdon.vouchers.terms import WindowsIn


async def settle(conn: db.Db, project_id: str, given: WindowsIn, body: dict[str, Any]) -> dict[str, Any]:
    """The body of terms with a category's name and id that belong together.

    An id wins over a name; a name that no category has is kept as a label; null of one takes the other with it.
    Raises `ApiError` 404 for an id that there is not.
    """
    if given.category_id is UNSET and given.category is UNSET:
        return body
    return settled(given, body, await store.all_of(conn, project_id))


def settled(given: WindowsIn, body: dict[str, Any], categories: Sequence[CategoryRow]) -> dict[str, Any]:
    """The same, with the project's categories at hand."""
    if given.category_id is UNSET and given.category is UNSET:
        return body
    rest = {name: value for name, value in body.items() if name not in ("category", "category_id")}
    wanted = given.category_id or None
    if isinstance(wanted, str):
        found = next((row for row in categories if row.id == wanted), None)
        if found is None:
            raise not_found("category", wanted)
        return rest | {"category": found.name, "category_id": found.id}
    if isinstance(given.category, str):
        found = next((row for row in categories if row.name == given.category), None)
        return rest | {"category": given.category} | ({} if found is None else {"category_id": found.id})
    return rest
