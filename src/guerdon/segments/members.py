"""Who is in which segment, told from the facts at the moment of asking, so that nothing can be stale.

However many customers and segments: one read of the lists for static segments, one of the profiles for those with
a filter, and only where a filter asks for them the summaries (two reads) and the events (one).
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct

from guerdon.customers import summary
from guerdon.customers.locked import CustomerIn
from guerdon.customers.store import CustomerRow
from guerdon.customers.summary import LoyaltySummary, Summary
from guerdon.definitions.snapshot import Segment
from guerdon.engine.filter import matches
from guerdon.engine.operators import MISSING
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.segments import store

COUNT, LAST = ".count", ".last_occurrence"

PROFILES = """
    select c.id, c.source_id, c.name, c.email, c.phone, c.description, c.birthdate, c.address, c.metadata,
        c.created_at, c.updated_at
    from unnest($2::text[]) as w (id) join customers c on c.project_id = $1 and c.id = w.id
"""

EVENTS = """
    select customer_id, type, count(*) as count, max(created_at) as last_at
    from events
    where project_id = $1 and customer_id = any($2) and type = any($3)
    group by customer_id, type
"""

MOMENT = "select clock_timestamp() as now, timezone from projects where id = $1"


class Facts(Struct):
    """What is known of one customer; `events` are how many of a type there were, and when the last."""

    profile: CustomerRow
    summary: Summary | None = None
    loyalty: LoyaltySummary | None = None
    events: Mapping[str, tuple[int, datetime]] = {}


async def memberships(
    conn: db.Db,
    project_id: str,
    customer_ids: Sequence[str],
    segments: Mapping[str, Segment],
    *,
    now: datetime | None = None,
    zone: ZoneInfo | None = None,
    said: Mapping[str, CustomerIn] | None = None,
) -> dict[str, frozenset[str]]:
    """The ids of those segments that each customer is in; nobody's when there is no such customer.

    `said` is what a request says of customers and has yet to be written, by their ids. `now` and `zone` are the
    database's time and the project's zone unless given.
    """
    found: dict[str, set[str]] = {customer_id: set() for customer_id in customer_ids}
    listed = [segment.id for segment in segments.values() if segment.type == "static"]
    filtered = [segment for segment in segments.values() if segment.type != "static"]
    if found and listed:
        seen = await store.seen(conn, project_id, list(found), listed)
        for segment_id, members in seen.items():
            for customer_id in members:
                found[customer_id].add(segment_id)
    if found and filtered:
        if now is None or zone is None:
            now, zone = await moment(conn, project_id, now)
        for facts in await gather(conn, project_id, list(found), filtered, said or {}):
            found[facts.profile.id] |= judged(facts, filtered, now, zone)
    return {customer_id: frozenset(its) for customer_id, its in found.items()}


def would_belong(
    customer: CustomerIn, segments: Mapping[str, Segment], now: datetime, zone: ZoneInfo
) -> frozenset[str]:
    """The segments that somebody would be in who is not stored: nothing bought, nothing happened, new as of now.

    With an id that no filter can name, as storing them would give: what is foretold is what a redemption sees.
    """
    nobody = CustomerRow(
        new_id("customer"), customer.source_id, None, None, None, None, None, None, {}, now, None
    )
    facts = Facts(_with(nobody, customer), Summary(), LoyaltySummary())
    return frozenset(judged(facts, segments.values(), now, zone))


def judged(facts: Facts, segments: Any, now: datetime, zone: ZoneInfo) -> set[str]:
    """The ids of those segments whose filter a customer's facts pass."""

    def read(field: str) -> Any:
        return _reader(field)(facts)

    return {s.id for s in segments if s.filter is not None and matches(s.filter, read, now, zone)}


async def moment(conn: db.Db, project_id: str, now: datetime | None = None) -> tuple[datetime, ZoneInfo]:
    """The database's time, or the one given, and the project's zone."""
    found = (await db.records(conn, MOMENT, project_id))[0]
    return now or found["now"], ZoneInfo(found["timezone"])


async def gather(
    conn: db.Db,
    project_id: str,
    customer_ids: Sequence[str],
    segments: Sequence[Segment],
    said: Mapping[str, CustomerIn],
) -> list[Facts]:
    """What the filters of these segments may look at, for those of the customers that there are."""
    rows = await db.rows(conn, CustomerRow, PROFILES, project_id, list(customer_ids))
    found = {row.id: Facts(_with(row, said[row.id]) if row.id in said else row) for row in rows}
    filters = [segment.filter for segment in segments if segment.filter is not None]
    if found and any(filter.asks("summary.") for filter in filters):
        for customer_id, so_far in (await summary.load(conn, project_id, list(found))).items():
            found[customer_id].summary = so_far
    if found and any(filter.asks("loyalty.") for filter in filters):
        for customer_id, all_told in (await summary.tell(conn, project_id, list(found))).items():
            found[customer_id].loyalty = all_told.loyalty
    types = {_event(clause.field) for filter in filters for clause in filter.clauses} - {None}
    if found and types:
        happened: dict[str, dict[str, tuple[int, datetime]]] = {}
        for r in await db.records(conn, EVENTS, project_id, list(found), list(types)):
            happened.setdefault(r["customer_id"], {})[r["type"]] = (r["count"], r["last_at"])
        for customer_id, events in happened.items():
            found[customer_id].events = events
    return list(found.values())


def _with(row: CustomerRow, said: CustomerIn) -> CustomerRow:
    names = ("name", "email", "phone", "description", "birthdate", "address")
    given = {name: getattr(said, name) for name in names if getattr(said, name) is not None}
    return msgspec.structs.replace(row, **given, metadata=row.metadata | (said.metadata or {}))


def _event(field: str) -> str | None:
    """The type of event that a field is about."""
    if not field.startswith("events."):
        return None
    return field.removeprefix("events.").removesuffix(COUNT).removesuffix(LAST)


@functools.lru_cache(4096)
def _reader(field: str) -> Callable[[Facts], Any]:
    """How a field's value is got from the facts, decided once a name."""
    start, _, rest = field.partition(".")
    match start:
        case "metadata":
            return lambda facts: _known(_inside(facts.profile.metadata, rest))
        case "address":
            return lambda facts: _known((facts.profile.address or {}).get(rest))
        case "summary":
            steps = rest.split(".")
            return lambda facts: _summed(facts.summary, steps)
        case "loyalty":
            return lambda facts: _of_loyalty(facts.loyalty, rest)
        case "events":
            return _of_event(field)
        case "created_at" | "updated_at" | "birthdate" | "birthday":
            name = "birthdate" if start == "birthday" else start
            return lambda facts: _known(getattr(facts.profile, name))
        case "id" | "source_id" | "name" | "email" | "phone" | "description":
            return lambda facts: _known(getattr(facts.profile, start))
    return lambda _: MISSING


def _of_event(field: str) -> Callable[[Facts], Any]:
    type = _event(field) or ""
    if field.endswith(COUNT):
        return lambda facts: facts.events[type][0] if type in facts.events else 0
    return lambda facts: _known(facts.events[type][1]) if type in facts.events else MISSING


def _inside(metadata: Mapping[str, Any], name: str) -> Any:
    """A value by its key, or by the keys on the way to it."""
    if name in metadata:
        return metadata[name]
    value: Any = metadata
    for step in name.split("."):
        value = value.get(step) if isinstance(value, Mapping) else None
    return value


def _summed(so_far: Summary | None, steps: Sequence[str]) -> Any:
    value: Any = so_far
    for step in steps:
        value = getattr(value, step, None)
    return _known(value)


def _of_loyalty(told: LoyaltySummary | None, rest: str) -> Any:
    """``points``, ``referred_customers``, or one of ``campaigns.<name>.…``; no points where there is no program."""
    if told is None:
        return MISSING
    if rest == "points":
        return told.points if any("points" in one for one in told.campaigns.values()) else MISSING
    if rest == "referred_customers":
        return told.referred_customers
    name, _, what = rest.removeprefix("campaigns.").rpartition(".")
    return _known(told.campaigns.get(name, {}).get(what))


def _known(value: Any) -> Any:
    return MISSING if value is None or value is UNSET else value
