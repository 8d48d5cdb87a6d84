"""Tallies held against a plain count of the redemptions there are, which knows nothing of how they are kept."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from guerdon.kit import db

REDEMPTIONS = """
    select id, parent_id, voucher_id, promotion_tier_id, campaign_id, customer_id, channel_id, amount, returned_amount,
           takes, (r."order" ->> 'amount')::bigint as worth, created_at
    from redemptions r where project_id = $1 and object = 'redemption' and status = 'SUCCEEDED'
      and coalesce(voucher_id, promotion_tier_id) is not null
    order by id
"""
TALLIES = "select key, used from tallies where project_id = $1 order by key"
EPOCHS = "select owner, version from tally_epochs where project_id = $1"
CAMPAIGNS = """
    select id, campaign_id from vouchers where project_id = $1
    union all select id, campaign_id from promotion_tiers where project_id = $1
"""
PROJECT = "select timezone, week_start from projects where id = $1"


async def miscounted(conn: db.Db, project_id: str) -> list[tuple[str, int, int]]:
    """The tallies in force that are wrong: key, what it says, what there is. An empty list is what one wants."""
    counted = await recount(conn, project_id)
    rows = await db.records(conn, TALLIES, project_id)
    return [
        (r["key"], r["used"], counted[r["key"]])
        for r in rows
        if r["used"] != counted.get(r["key"], r["used"])
    ]


async def recount(conn: db.Db, project_id: str) -> dict[str, int]:
    """What the tallies in force ought to say, by their keys."""
    [project] = await db.records(conn, PROJECT, project_id)
    zone = ZoneInfo(project["timezone"])
    redemptions = [dict(r) for r in await db.records(conn, REDEMPTIONS, project_id)]
    epochs = {r["owner"]: r["version"] for r in await db.records(conn, EPOCHS, project_id)}
    campaigns = {r["id"]: r["campaign_id"] for r in await db.records(conn, CAMPAIGNS, project_id)}
    mine: dict[str | None, list[dict[str, Any]]] = {}
    first: dict[tuple[str, str], str] = {}
    for one in redemptions:
        if one["parent_id"] is not None:
            first.setdefault((one["parent_id"], one["campaign_id"]), one["id"])
        for owner in {one["voucher_id"], one["promotion_tier_id"], one["campaign_id"]}:
            mine.setdefault(owner, []).append(one)
        one["when"] = set(_spans(one["created_at"].astimezone(zone), project["week_start"]))
        one["takes"] = _object(one["takes"])
        one["value"] = _value(one, first)
    units: dict[str, int] = {}
    for one in redemptions:
        for key, count in one["takes"].get("units", {}).items():
            units[key] = units.get(key, 0) + count
    counted: dict[str, int] = {}
    for row in await db.records(conn, TALLIES, project_id):
        key = row["key"]
        owner, measure, span, *by = key.split("|", 3)
        if measure.startswith("units:"):
            counted[key] = units.get(key, 0)
            continue
        owner, epoch = owner.split("@")
        campaign = owner if owner.startswith("camp_") else campaigns.get(owner)
        if int(epoch) != max(epochs.get(owner, 0), epochs.get(campaign or "", 0)):
            continue  # the rules changed since: nobody reads this one any more
        whose = by[0] if by else None
        counted[key] = sum(_worth(one, measure) for one in mine.get(owner, ()) if _counts(one, span, whose))
    return counted


def _counts(one: dict[str, Any], span: str, by: str | None) -> bool:
    return span in one["when"] and (by is None or by in (one["customer_id"], f"api_key:{one['channel_id']}"))


def _worth(one: dict[str, Any], measure: str) -> int:
    if measure == "n":
        return 1
    return one["value"] if measure == "orders" else one["amount"] - one["returned_amount"]


def _value(one: dict[str, Any], first: dict[tuple[str, str], str]) -> int:
    """The value of its order, which counts with the first redemption of a campaign in a stack."""
    if "orders" in one["takes"]:
        return one["takes"]["orders"]
    return (
        one["worth"] or 0 if first.get((one["parent_id"], one["campaign_id"]), one["id"]) == one["id"] else 0
    )


def _object(text: Any) -> dict[str, Any]:
    return json.loads(text) if isinstance(text, str) else text or {}


def _spans(at: datetime, week_start: int) -> Iterator[str]:
    first = at.date() - timedelta(days=(at.isoweekday() - week_start) % 7)
    yield from ("all", f"d{at.date()}", f"w{first}", f"m{at.date():%Y-%m}")
