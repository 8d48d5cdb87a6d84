"""Customers named in a batch: looked up, made and brought up to date as sets."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from guerdon.kit import db
from guerdon.kit.ids import new_id

Text = Annotated[str, Meta(max_length=512)]

LOOK = """
    select c.id, c.source_id, c.name, c.email, c.phone, c.metadata, c.birthdate
    from unnest($2::text[]) as w (id) join customers c on c.project_id = $1 and c.id = w.id
    union all
    select c.id, c.source_id, c.name, c.email, c.phone, c.metadata, c.birthdate
    from unnest($3::text[]) as w (name) join customers c on c.project_id = $1 and c.source_id = w.name
"""

LOCK = """
    select id, source_id, name, email, phone, metadata
    from customers where project_id = $1 and id = any($2) order by id for update
"""

FORGET = "delete from customers where project_id = $1 and id = any($2)"

INSERT = """
    insert into customers (project_id, id, source_id, name, email, phone, description, birthdate, address, metadata)
    select $1, * from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::date[],
        $9::jsonb[], $10::jsonb[])
    on conflict (project_id, source_id) do nothing
"""

UPDATE = """
    update customers c
    set name = coalesce(t.name, c.name), email = coalesce(t.email, c.email), phone = coalesce(t.phone, c.phone),
        description = coalesce(t.description, c.description), birthdate = coalesce(t.birthdate, c.birthdate),
        address = coalesce(t.address, c.address), metadata = c.metadata || coalesce(t.metadata, '{}'),
        updated_at = now()
    from unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::date[], $8::jsonb[], $9::jsonb[])
        as t (id, name, email, phone, description, birthdate, address, metadata)
    where c.project_id = $1 and c.id = t.id
"""


class CustomerIn(msgspec.Struct):
    """A customer as named in an order, a validation or a redemption: by id, else by source id."""

    id: Annotated[str, Meta(max_length=100)] | None = None
    source_id: Annotated[str, Meta(min_length=1, max_length=512)] | None = None
    name: Text | None = None
    email: Text | None = None
    phone: Text | None = None
    description: Text | None = None
    birthdate: date | None = None
    address: dict[str, Any] | None = None
    metadata: dict[str, Any] | None = None

    def says_more(self) -> bool:
        """Whether there is anything to write besides who it is."""
        return bool(
            self.name
            or self.email
            or self.phone
            or self.description
            or self.birthdate
            or self.address
            or self.metadata
        )


class Seen(msgspec.Struct):
    """A customer as answers of validations and redemptions show it."""

    id: str
    source_id: str | None
    name: str | None
    email: str | None
    phone: str | None
    metadata: dict[str, Any]
    object: str = "customer"


class Customers:
    """The customers of a batch by id and by source id, and what the batch comes to say of them.

    `new` are those that were made for this batch, with what they were made of, until somebody takes them up: a
    request that turns out a mistake must leave nothing behind.
    """

    def __init__(self) -> None:
        self.by_id: dict[str, Seen] = {}
        self.by_source_id: dict[str, Seen] = {}
        self.new: dict[str, CustomerIn] = {}
        self.said: dict[str, CustomerIn] = {}
        self.birthdates: dict[str, date] = {}
        """Of those who have told; rules may ask, answers do not show them."""

    def put(self, seen: Seen) -> None:
        """Make a customer findable."""
        self.by_id[seen.id] = seen
        if seen.source_id is not None:
            self.by_source_id[seen.source_id] = seen

    def find(self, customer: CustomerIn | None) -> Seen | None:
        """The stored customer that is meant; the id wins over the source id."""
        if customer is None:
            return None
        return self.by_id.get(customer.id) if customer.id else self.by_source_id.get(customer.source_id or "")

    def take_up(self, customer: CustomerIn | None) -> tuple[Seen | None, str | None]:
        """The customer as it stands with what is said of it now, and the news: ``created``, ``updated`` or none."""
        seen = self.find(customer)
        if seen is None or customer is None:
            return None, None
        made_of = self.new.pop(seen.id, None)
        news = None if made_of is None else "created"
        if customer is made_of or not customer.says_more() or _same(seen, customer):
            return seen, news
        before = self.said.get(seen.id)
        self.said[seen.id] = customer if before is None else _merged(before, customer)
        self.put(_with(seen, customer))
        return self.by_id[seen.id], news or "updated"


async def look(conn: db.Db, project_id: str, named: Sequence[CustomerIn]) -> Customers:
    """The stored customers among those named."""
    found = Customers()
    ids = [c.id for c in named if c.id]
    source_ids = [c.source_id for c in named if c.source_id and not c.id]
    for record in await db.records(conn, LOOK, project_id, ids, source_ids):
        *shown, birthdate = record
        found.put(Seen(*shown))
        if birthdate is not None:
            found.birthdates[record["id"]] = birthdate
    return found


async def settle(
    conn: db.Db, project_id: str, named: Sequence[CustomerIn], compared: Sequence[CustomerIn] = ()
) -> Customers:
    """The same, after making those named that are new and locking those that may be changed; `compared` are only
    looked up. `write` has to follow.

    Customers named by an id that does not exist stay unknown: ids are ours to give.
    """
    everybody = [*named, *compared]
    found = await look(conn, project_id, everybody)
    new: dict[str, CustomerIn] = {}
    changed: set[str] = set()
    for customer in named:
        seen = found.find(customer)
        if seen is None and not customer.id and customer.source_id:
            new.setdefault(customer.source_id, customer)
        elif seen is not None and customer.says_more() and not _same(seen, customer):
            changed.add(seen.id)
    if new:
        made = await _insert(conn, project_id, [new[key] for key in sorted(new)])
        found = await look(conn, project_id, everybody)
        found.new = {key: customer for key, customer in made.items() if key in found.by_id}
    if changed:
        for record in await db.records(conn, LOCK, project_id, list(changed)):
            found.put(Seen(**record))
    return found


async def write(conn: db.Db, project_id: str, customers: Customers) -> None:
    """Write what the batch said of its customers, and take those out again that nobody took up."""
    if customers.new:
        await db.execute(conn, FORGET, project_id, list(customers.new))
    if customers.said:
        await _update(conn, project_id, sorted(customers.said.items()))


def _with(seen: Seen, customer: CustomerIn) -> Seen:
    """A customer after what is said of it."""
    return Seen(
        id=seen.id,
        source_id=seen.source_id,
        name=seen.name if customer.name is None else customer.name,
        email=seen.email if customer.email is None else customer.email,
        phone=seen.phone if customer.phone is None else customer.phone,
        metadata=seen.metadata | (customer.metadata or {}),
    )


def _merged(before: CustomerIn, after: CustomerIn) -> CustomerIn:
    """What two requests say of one customer, the later one over the earlier."""
    merged = msgspec.structs.replace(before)
    for name in ("name", "email", "phone", "description", "birthdate", "address"):
        if getattr(after, name) is not None:
            setattr(merged, name, getattr(after, name))
    merged.metadata = (before.metadata or {}) | (after.metadata or {})
    return merged


def _same(seen: Seen, customer: CustomerIn) -> bool:
    if customer.description or customer.birthdate or customer.address:
        return False
    return (
        customer.name in (None, seen.name)
        and customer.email in (None, seen.email)
        and customer.phone in (None, seen.phone)
        and all(seen.metadata.get(key) == value for key, value in (customer.metadata or {}).items())
    )


async def _insert(conn: db.Db, project_id: str, customers: list[CustomerIn]) -> dict[str, CustomerIn]:
    ids = [new_id("customer") for _ in customers]
    await db.execute(
        conn, INSERT, project_id, ids,
        [c.source_id for c in customers], [c.name for c in customers], [c.email for c in customers],
        [c.phone for c in customers], [c.description for c in customers], [c.birthdate for c in customers],
        [c.address for c in customers], [c.metadata or "{}" for c in customers],
    )  # fmt: skip
    return dict(zip(ids, customers, strict=True))


async def _update(conn: db.Db, project_id: str, customers: list[tuple[str, CustomerIn]]) -> None:
    said = [c for _, c in customers]
    await db.execute(
        conn, UPDATE, project_id, [key for key, _ in customers],
        [c.name for c in said], [c.email for c in said], [c.phone for c in said], [c.description for c in said],
        [c.birthdate for c in said], [c.address for c in said], [c.metadata for c in said],
    )  # fmt: skip
