"""Large shops are read when the server starts, not when the first customer asks."""

import gc

from guerdon.engine.index_access import FAMILIES
from guerdon.kit import db
from guerdon.kit.log import get_logger
from guerdon.qualifications.index import promotions
from guerdon.redemptions.memory import Memory

logger = get_logger()

# What is smaller is read quickly enough with the first request.
LARGE = """
    select project_id from promotion_tiers group by project_id having count(*) > 1000 order by count(*) desc limit 20
"""


async def warm(pool: db.Pool, memory: Memory) -> None:
    """Read the definitions of large projects and build their index, in steps; requests go on beside it."""
    try:
        async with pool.acquire() as conn:
            for record in await db.records(conn, LARGE):
                snapshot = await memory.snapshots.current(conn, record["project_id"])
                await promotions(snapshot, FAMILIES)
                gc.freeze()  # it lives on: a full collection would walk all of it, and requests would wait
    except Exception as error:  # the first request will do it then
        logger.warning("promotions were not read ahead", error=repr(error))
