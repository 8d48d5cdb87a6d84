"""In which tiers customers are, for rules that ask."""

from collections.abc import Sequence

from guerdon.kit import db
from guerdon.loyalty.v1_names import older

TIERS = """
    select m.customer_id, m.tier_id from loyalty_members m
    join loyalty_programs p on p.project_id = $1 and p.id = m.program_id and p.status <> 'DELETED'
    where m.project_id = $1 and m.customer_id = any($2) and m.status = 'ACTIVE' and m.tier_id is not null
"""


async def tiers_of(conn: db.Db, project_id: str, customer_ids: Sequence[str]) -> dict[str, frozenset[str]]:
    """The tiers of each of the customers that is in any, by both of their ids."""
    found: dict[str, frozenset[str]] = {}
    for record in await db.records(conn, TIERS, project_id, list(customer_ids)):
        names = {record["tier_id"], older("tier", record["tier_id"])}
        found[record["customer_id"]] = found.get(record["customer_id"], frozenset()) | names
    return found
