"""What tests of promotions say over and over: make campaigns with tiers, and look at what was said to have changed."""

from typing import Any

from guerdon.kit import db

from .checkout import TEN_OFF, post, read
from .conftest import Client

TEN_PER_CENT = {"type": "PERCENT", "percent_off": 10}
FOREVER = {"total_amount": 0, "total_discount_amount": 0}


def tier(name: str = "ten off", **more: Any) -> dict[str, Any]:
    """The body of a new tier."""
    return {"name": name, "action": {"discount": TEN_OFF}} | more


async def promotion(
    client: Client, name: str = "spring", *tiers: dict[str, Any], **more: Any
) -> dict[str, Any]:
    """A new campaign of promotions."""
    body = {"name": name, "campaign_type": "PROMOTION", "promotion": {"tiers": list(tiers)}} | more
    return await post(client, "/v1/campaigns", body)


async def put(client: Client, path: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = await client.put(path, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()


async def version(pool: db.Pool, client: Client) -> int:
    return await db.value(pool, "select config_version from projects where id = $1", client.project_id)


async def said(pool: db.Pool, client: Client, since: int) -> set[tuple[str, str]]:
    """What was said to have changed since a version."""
    sql = "select kind, id from definition_changes where project_id = $1 and version > $2"
    return {(row["kind"], row["id"]) for row in await db.records(pool, sql, client.project_id, since)}


async def names(client: Client, query: str = "", path: str = "/v1/promotions/tiers") -> list[str]:
    return [one["name"] for one in (await read(client, path + query))["tiers"]]
