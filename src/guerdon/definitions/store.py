"""Reading definitions: all of a project, or those that changed. Every reader takes ids, or None for all."""

from typing import LiteralString

from guerdon.kit import db

Ids = list[str] | None

VERSION = "select config_version from projects where id = $1"

CHANGES = """
    select p.config_version, c.kind, c.id from projects p
    left join definition_changes c on c.project_id = p.id and c.version > $2
    where p.id = $1
"""

OLDEST = "select min(version) from definition_changes where project_id = $1"


async def version(conn: db.Db, project_id: str) -> int:
    """The project's config_version."""
    return await db.value(conn, VERSION, project_id)


async def changes(conn: db.Db, project_id: str, since: int | None) -> tuple[int, dict[str, list[str]] | None]:
    """The version now, and the ids that changed since another one by kind; None when that is not known any more."""
    if since is None:
        return await version(conn, project_id), None
    oldest = await db.value(conn, OLDEST, project_id)
    if oldest is None or oldest > since + 1:
        return await version(conn, project_id), None
    found: dict[str, list[str]] = {}
    now = since
    for record in await db.records(conn, CHANGES, project_id, since):
        now = record["config_version"]
        if record["kind"] is not None:
            found.setdefault(record["kind"], []).append(record["id"])
    return now, {kind: list(dict.fromkeys(ids)) for kind, ids in found.items()}


async def _read(
    conn: db.Db, sql: LiteralString, some: LiteralString, project_id: str, ids: Ids
) -> list[db.Record]:
    if ids is None:
        return await db.records(conn, sql, project_id)
    return await db.records(conn, sql + some, project_id, ids)


COLLECTIONS = "select id, name, filter, products from product_collections where project_id = $1"
SEGMENTS = "select id, name, type, filter from segments where project_id = $1"
CATEGORIES = "select id, name, hierarchy, created_at, updated_at from categories where project_id = $1"
SCHEMAS = (
    "select id, related_object, properties, allow_defined_only from metadata_schemas where project_id = $1"
)
STACKING = "select id, settings from projects where id = $1"
RULES = "select id, name, body from validation_rules where project_id = $1"
ASSIGNMENTS = """
    select related_object_id as id, array_agg(rule_id order by created_at, id) as rules
    from validation_rule_assignments
    where project_id = $1 and related_object_type in ('campaign', 'promotion_tier', 'reward_assignment')
"""
CAMPAIGNS = """
    select c.id, c.name, c.active, c.category_id, c.options, c.metadata, c.created_at, t.body
    from campaigns c join voucher_terms t on t.project_id = c.project_id and t.id = c.terms_id
    where c.project_id = $1 and c.campaign_type = 'PROMOTION' and c.deleted_at is null
"""
TIERS = """
    select id, campaign_id, name, banner, hierarchy, active, category_id, body, metadata, created_at, updated_at
    from promotion_tiers where project_id = $1
"""
STACKS = (
    "select id, campaign_id, name, tiers, category_id, created_at from promotion_stacks where project_id = $1"
)

# Programs with what belongs to them, parts, and structures with their tiers.
LOYALTY = """
    select id, kind, name, status, body from (
        select p.id, 'program' as kind, p.name::text, p.status, jsonb_build_object(
            'start_date', p.start_date, 'end_date', p.end_date, 'validity_hours', p.validity_hours,
            'settings', p.settings, 'metadata', p.metadata, 'parts', coalesce((
                select jsonb_agg(jsonb_build_object('id', a.part_id, 'kind', a.kind, 'body', a.body,
                    'assignment_id', a.id)
                    order by a.created_at, a.part_id)
                from loyalty_assignments a where a.project_id = p.project_id and a.program_id = p.id
            ), '[]')
        ) as body
        from loyalty_programs p where p.project_id = $1 and p.status <> 'DELETED'
        union all
        select t.id, t.kind, t.name, t.status, t.body || jsonb_build_object('type', t.type, 'metadata', t.metadata) || case t.kind
            when 'tier_structure' then jsonb_build_object('tiers', coalesce((
                select jsonb_agg(l.body || jsonb_build_object('id', l.id, 'name', l.name) order by l.created_at, l.id)
                from loyalty_tiers l where l.project_id = t.project_id and l.structure_id = t.id
            ), '[]'))
            else '{}' end
        from loyalty_parts t where t.project_id = $1 and t.status <> 'DELETED'
    ) defined where true
"""

# Those of campaigns and tiers; a code brings its own.
EPOCHS = r"""
    select owner, version from tally_epochs
    where project_id = $1 and version > $2 and (owner like 'camp\_%' or owner like 'promo\_%')
"""
VOUCHER_RULES = """
    select v.campaign_id as id, array_agg(distinct a.rule_id) as rules
    from validation_rule_assignments a join vouchers v on v.project_id = $1 and v.id = a.related_object_id
    where a.project_id = $1 and a.rule_id = any($2) and a.related_object_type = 'voucher' and v.campaign_id is not null
    group by v.campaign_id
"""

SOME: LiteralString = " and id = any($2)"
SOME_CAMPAIGNS: LiteralString = " and c.id = any($2)"
SOME_ASSIGNMENTS: LiteralString = " and related_object_id = any($2)"
BY_OBJECT: LiteralString = " group by related_object_id"


async def collections(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Product collections."""
    return await _read(conn, COLLECTIONS, SOME, project_id, ids)


async def segments(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Segments without their members."""
    return await _read(conn, SEGMENTS, SOME, project_id, ids)


async def categories(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Categories."""
    return await _read(conn, CATEGORIES, SOME, project_id, ids)


async def schemas(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Metadata schemas."""
    return await _read(conn, SCHEMAS, SOME, project_id, ids)


async def stacking(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """The project's settings, where its stacking rules stand."""
    return await db.records(conn, STACKING, project_id)


async def rules(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Validation rules."""
    return await _read(conn, RULES, SOME, project_id, ids)


async def assignments(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Which rules campaigns and tiers have, the oldest assignment first."""
    if ids is None:
        return await db.records(conn, ASSIGNMENTS + BY_OBJECT, project_id)
    return await db.records(conn, ASSIGNMENTS + SOME_ASSIGNMENTS + BY_OBJECT, project_id, ids)


async def campaigns(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Campaigns of promotions with the body of their terms."""
    return await _read(conn, CAMPAIGNS, SOME_CAMPAIGNS, project_id, ids)


async def tiers(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Promotion tiers."""
    return await _read(conn, TIERS, SOME, project_id, ids)


async def stacks(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Promotion stacks."""
    return await _read(conn, STACKS, SOME, project_id, ids)


async def epochs(conn: db.Db, project_id: str, since: int) -> dict[str, int]:
    """Since which version campaigns and tiers are counted as they are: those for whom that is later than `since`."""
    return {r["owner"]: r["version"] for r in await db.records(conn, EPOCHS, project_id, since)}


async def voucher_rules(conn: db.Db, project_id: str, rule_ids: list[str]) -> list[db.Record]:
    """By campaign, which of these rules are assigned to single codes of it."""
    return await db.records(conn, VOUCHER_RULES, project_id, rule_ids)


async def loyalty(conn: db.Db, project_id: str, ids: Ids) -> list[db.Record]:
    """Loyalty programs and the parts they are made of, as they are stored."""
    return await _read(conn, LOYALTY, SOME, project_id, ids)
