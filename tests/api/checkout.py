"""What tests of a checkout say over and over: make a code, validate, redeem, roll back, and look at the rows."""

import itertools
from typing import Any

from guerdon.definitions.changes import changed
from guerdon.kit import db

_numbers = itertools.count(1)

TEN_OFF = {"type": "AMOUNT", "amount_off": 1000}
TABLES = """
    select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind = 'r'
      and exists (select 1 from pg_attribute a where a.attrelid = c.oid and a.attname = 'project_id')
    order by 1
"""


async def code(client: Any, discount: dict[str, Any] | None = None, *, name: str = "", **body: Any) -> str:
    """A new code, worth 10.00 off unless `discount` says otherwise."""
    name = name or f"CODE-{next(_numbers)}"
    payload = {"type": "DISCOUNT_VOUCHER", "discount": discount or TEN_OFF, **body}
    answer = await client.post(f"/v1/vouchers/{name}", json=payload)
    assert answer.status_code == 200, answer.text
    return name


async def voucher(client: Any, name: str) -> dict[str, Any]:
    """A code as the API shows it."""
    answer = await client.get(f"/v1/vouchers/{name}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def used(client: Any, name: str) -> int:
    """How often a code was redeemed."""
    return (await voucher(client, name))["redemption"]["redeemed_quantity"]


def ask(*codes: str, amount: int | None = 10_000, **more: Any) -> dict[str, Any]:
    """The body of a validation or redemption."""
    order = {} if amount is None or "order" in more else {"order": {"amount": amount}}
    return {"redeemables": [{"object": "voucher", "id": one} for one in codes], **order, **more}


async def post(client: Any, path: str, body: Any, status: int = 200, **headers: str) -> dict[str, Any]:
    """The answer's object, after a look at its status. `Idempotency_Key` names the header with a dash."""
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = await client.post(path, json=body, headers=sent)
    assert answer.status_code == status, answer.text
    return answer.json()


async def validate(client: Any, *codes: str, status: int = 200, **more: Any) -> dict[str, Any]:
    """Validate codes on an order of 100.00, unless `order` or `amount` says otherwise."""
    return await post(client, "/v1/validations", ask(*codes, **more), status)


async def redeem(client: Any, *codes: str, status: int = 200, **more: Any) -> dict[str, Any]:
    """Redeem codes likewise."""
    return await post(client, "/v1/redemptions", ask(*codes, **more), status)


async def roll_back(client: Any, redemption_id: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    """Take one redemption back."""
    return await post(client, f"/v1/redemptions/{redemption_id}/rollback", body or {}, status)


async def roll_back_stack(client: Any, parent_id: str, body: Any = None, status: int = 200) -> dict[str, Any]:
    """Take a stack back."""
    return await post(client, f"/v1/redemptions/{parent_id}/rollbacks", body or {}, status)


async def read(client: Any, path: str) -> dict[str, Any]:
    """What stands at a path."""
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def events(pool: db.Pool, client: Any, entity_id: str) -> list[str]:
    """The types of what was said to have happened to something, sorted."""
    sql = "select type from events where project_id = $1 and entity_id = $2"
    return sorted(row["type"] for row in await db.records(pool, sql, client.project_id, entity_id))


async def stacking(pool: db.Pool, client: Any, **rules: Any) -> None:
    """Set the project's stacking rules."""
    sql = "update projects set settings = jsonb_build_object('stacking_rules', $2::jsonb) where id = $1"
    async with pool.acquire() as conn, conn.transaction():
        await db.execute(conn, sql, client.project_id, rules)
        await changed(conn, client.project_id, [("stacking", client.project_id)])


async def everything(pool: db.Pool, project_id: str) -> dict[str, tuple[int, str]]:
    """Each table's rows of a project, as their number and a digest: equal only if nothing changed."""
    found = {}
    for row in await db.records(pool, TABLES):
        table = row["relname"]
        sql = f"""
            select count(*) as rows, coalesce(md5(string_agg(t::text, '|' order by t::text)), '') as digest
            from {table} t where t.project_id = $1
        """
        record = (await db.records(pool, sql, project_id))[0]
        found[table] = (record["rows"], record["digest"])
    return found
