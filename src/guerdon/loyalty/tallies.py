"""Tallies of what rules gave: locked and read, and added to. A new one begins with nothing."""

from collections.abc import Collection, Mapping

from guerdon.engine.tally import until
from guerdon.kit import db

LOCK = """
    select t.key, t.used from unnest($2::text[]) as w (key) join tallies t on t.project_id = $1 and t.key = w.key
    order by t.key for update of t
"""
INSERT = """
    insert into tallies (project_id, key, used, until)
    select $1, * from unnest($2::text[], $3::bigint[], $4::date[]) as t (key, used, until) order by key
    on conflict (project_id, key) do nothing
"""
UPDATE = """
    update tallies t set used = greatest(t.used + w.change, 0)
    from unnest($2::text[], $3::bigint[]) as w (key, change) where t.project_id = $1 and t.key = w.key
"""


async def lock(conn: db.Conn, project_id: str, keys: Collection[str]) -> dict[str, int]:
    """How much of each is used; nobody else takes from them until the transaction ends."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    found = await _read(conn, project_id, wanted)
    missing = [key for key in wanted if key not in found]
    if missing:
        ends = [until(key.split("|")[2]) for key in missing]
        await db.execute(conn, INSERT, project_id, missing, [0] * len(missing), ends)
        found |= await _read(conn, project_id, missing)
    return found


async def _read(conn: db.Conn, project_id: str, keys: list[str]) -> dict[str, int]:
    return {record["key"]: record["used"] for record in await db.records(conn, LOCK, project_id, keys)}


async def write(conn: db.Conn, project_id: str, changes: Mapping[str, int]) -> None:
    """Add to tallies that are locked."""
    moved = sorted((key, change) for key, change in changes.items() if change)
    if moved:
        await db.execute(conn, UPDATE, project_id, [key for key, _ in moved], [change for _, change in moved])
