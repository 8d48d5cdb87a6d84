"""Telling that a definition changed, so that every process sees it with its next batch.

A batch of the writer holds a project's definitions still with `hold`: in shared mode, so that batches do not wait
for each other. Whoever changes a definition ends with `changed`, which waits for the batches under way and lets no
new one begin before the change is committed. So all batches that run at one time decide by the same definitions,
which is what lets a tally be made when a limit first asks for it and be right from then on.
"""

from collections.abc import Sequence
from typing import Literal

from guerdon.kit import db

Kind = Literal[
    "rule",
    "assignment",
    "tier",
    "stack",
    "campaign",
    "collection",
    "segment",
    "category",
    "schema",
    "stacking",
    "loyalty",
]
KINDS: tuple[Kind, ...] = Kind.__args__  # type: ignore[attr-defined]

HOLD = "select pg_advisory_xact_lock_shared(hashtextextended($1, 0))"
LOCK = "select pg_advisory_xact_lock(hashtextextended($1, 0))"

RAISE = """
    with raised as (update projects set config_version = config_version + 1 where id = $1 returning config_version)
    insert into definition_changes (project_id, version, kind, id)
    select distinct $1, raised.config_version, c.kind, c.id from raised, unnest($2::text[], $3::text[]) as c (kind, id)
"""

# Whose redemptions are counted anew: what the rules are assigned to, and the campaigns of those.
RENEW = """
    with said as (select * from unnest($2::text[], $3::text[]) as c (kind, id)),
    assigned as (
        select id from said where kind = 'assignment'
        union
        select a.related_object_id from said join validation_rule_assignments a
            on a.project_id = $1 and a.rule_id = said.id where said.kind = 'rule'
    ),
    owners as (
        select id from assigned
        union
        select v.campaign_id from assigned join vouchers v on v.project_id = $1 and v.id = assigned.id
        where v.campaign_id is not null
        union
        select t.campaign_id from assigned join promotion_tiers t on t.project_id = $1 and t.id = assigned.id
    )
    insert into tally_epochs (project_id, owner, version)
    select $1, owners.id, p.config_version from owners, projects p where p.id = $1
    on conflict (project_id, owner) do update set version = excluded.version
"""


async def hold(conn: db.Conn, project_id: str) -> None:
    """Keep the definitions of a project as they are until the transaction ends. Before anything is read."""
    await db.execute(conn, HOLD, project_id)


async def changed(conn: db.Conn, project_id: str, changes: Sequence[tuple[Kind, str]]) -> None:
    """Say which definitions the transaction changed, as its last statement: from here on batches wait for its end.

    ``assignment`` names the object that a rule was assigned to or taken from; ``stacking`` the project; ``loyalty`` a program or
    a part of programs.
    """
    if not changes:
        return
    await db.execute(conn, LOCK, project_id)
    kinds, names = [kind for kind, _ in changes], [name for _, name in changes]
    await db.execute(conn, RAISE, project_id, kinds, names)
    if "rule" in kinds or "assignment" in kinds:
        await db.execute(conn, RENEW, project_id, kinds, names)
