"""Orders made and changed: gather what they name, let the engine reckon, write."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET
from msgspec.structs import replace

from guerdon.customers import store as customers
from guerdon.customers.upsert import CustomerUpsert
from guerdon.customers.upsert import upsert as upsert_customer
from guerdon.definitions import waiting
from guerdon.engine.fault import EngineError
from guerdon.engine.order import Catalog, Order, OrderIn, OrderItem, order_from, price_order, settle
from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.jobs import enqueue
from guerdon.kit.outbox import Event, emit
from guerdon.orders import store
from guerdon.orders.store import OrderRow
from guerdon.products import catalog, override
from guerdon.schemas.check import check, schemas_of

decode_items = msgspec.json.Decoder(list[OrderItem] | None).decode
encode = msgspec.json.Encoder(decimal_format="number").encode

# The database's clock decides when an order was made, unless the caller says it; until then it carries this.
NOT_YET = datetime.min.replace(tzinfo=UTC)


class OrderPayload(OrderIn, kw_only=True):
    """An order as a caller sends it, with its people. In a change, what is absent or ``null`` stays as it is."""

    customer: CustomerUpsert | None = None
    referrer: CustomerUpsert | None = None


class Saving(msgspec.Struct):
    """One call's surroundings."""

    conn: db.Db
    project_id: str
    zone: ZoneInfo
    request_id: str | None


class _Gathered(msgspec.Struct):
    """What an order names, stored or looked up."""

    customer_id: str | None
    referrer_id: str | None
    catalog: Catalog
    created_at: datetime | None


async def upsert(saving: Saving, said: OrderPayload) -> OrderRow:
    """The order as stored: that with the id, else that with the source id, else a new one.

    Raises `ApiError` 404 for an unknown id or customer id, 400 with the path of what does not add up.
    """
    gathered = await _gather(saving, said)
    while True:
        known = await _lock(saving, said)
        if known is not None:
            return await _change(saving, known, said, gathered)
        await _check_metadata(saving, None, said)
        made = await store.insert(saving.conn, saving.project_id, _new(said, gathered), gathered.created_at)
        if made is not None:
            await _tell(saving, made, ["created"] + ([] if made.status == "CREATED" else [made.status]))
            return made


async def change(saving: Saving, key: str, said: OrderPayload) -> OrderRow:
    """Change the order with this id or source id. Raises `ApiError` as `upsert` does."""
    found = await store.find(saving.conn, saving.project_id, key)
    if found is None:
        raise not_found("order", key)
    gathered = await _gather(saving, said)
    locked = await store.load_many(saving.conn, saving.project_id, [found.id], [], for_update=True)
    if not locked:
        raise not_found("order", key)
    return await _change(saving, locked[0], said, gathered)


async def _lock(saving: Saving, said: OrderPayload) -> OrderRow | None:
    if said.id is None and said.source_id is None:
        return None
    ids = [] if said.id is None else [said.id]
    source_ids = [] if said.id is not None or said.source_id is None else [said.source_id]
    found = await store.load_many(saving.conn, saving.project_id, ids, source_ids, for_update=True)
    if said.id is not None and not found:
        raise not_found("order", said.id)
    return found[0] if found else None


# Gather ------------------------------------------------------------------------------------------------------


async def _gather(saving: Saving, said: OrderPayload) -> _Gathered:
    """Customers before products before the order: the order in which every call locks them."""
    customer_id = await _person(saving, said.customer, said.customer_id, "customer")
    referrer_id = await _person(saving, said.referrer, said.referrer_id, "referrer")
    items = said.items or []
    await override.take_over(saving.conn, saving.project_id, items)
    named = {
        name
        for item in items
        for ref in (item, item.product, item.sku)
        if ref is not None
        for name in _names(ref)
    }
    stored = await catalog.load(saving.conn, saving.project_id, sorted(named))
    return _Gathered(customer_id, referrer_id, stored, _moment(saving, said.created_at))


def _names(ref: Any) -> Iterable[str]:
    names = (getattr(ref, name, None) for name in ("id", "source_id", "product_id", "sku_id"))
    return [name for name in names if name]


async def _person(
    saving: Saving, named: CustomerUpsert | None, person_id: str | None, path: str
) -> str | None:
    if named is not None:
        facts = {name: value for name, value in msgspec.structs.asdict(named).items() if value is not None}
        said = CustomerUpsert(**facts)
        if any(value is not UNSET for value in facts.values()):
            row = await upsert_customer(
                saving.conn, saving.project_id, said, request_id=saving.request_id, path=path
            )
            return row.id
    if person_id is None:
        return None
    found = await customers.find(saving.conn, saving.project_id, person_id)
    if found is None:
        raise not_found("customer", person_id)
    return found.id


def _moment(saving: Saving, moment: datetime | None) -> datetime | None:
    if moment is None:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=saving.zone)
    if not 1000 < moment.year < 9999:
        raise invalid_payload(Fault("created_at", "is out of range"))
    return moment


async def _check_metadata(saving: Saving, known: OrderRow | None, said: OrderPayload) -> None:
    """The order's metadata and its lines' against their schemas; what was stored before is not judged again."""
    schemas = await schemas_of(saving.conn, saving.project_id)
    if known is None:
        check(schemas, "order", said.metadata)
    elif said.metadata is not None:
        check(schemas, "order", known.metadata | said.metadata, said=said.metadata)
    for index, item in enumerate(said.items or []):
        check(schemas, "order_item", item.metadata, f"items[{index}].metadata")


# Decide ------------------------------------------------------------------------------------------------------


def _new(said: OrderPayload, gathered: _Gathered) -> OrderRow:
    try:
        priced = price_order(order_from(said), gathered.catalog)
    except EngineError as error:
        raise _fault(error) from None
    empty = OrderRow(
        id=new_id("order"),
        source_id=said.source_id,
        status=said.status or "CREATED",
        customer_id=gathered.customer_id,
        referrer_id=gathered.referrer_id,
        amount=None,
        initial_amount=None,
        discount_amount=None,
        items_discount_amount=None,
        total_discount_amount=None,
        total_amount=None,
        items="[]",
        metadata=said.metadata or {},
        redemptions={},
        created_at=NOT_YET,
        updated_at=None,
    )
    return _with_totals(empty, priced, _finished(priced.items or [], []))


def _changed(known: OrderRow, said: OrderPayload, gathered: _Gathered) -> OrderRow:
    merged = replace(
        known,
        status=said.status or known.status,
        customer_id=gathered.customer_id or known.customer_id,
        referrer_id=gathered.referrer_id or known.referrer_id,
        metadata=known.metadata | (said.metadata or {}),
        created_at=gathered.created_at or known.created_at,
    )
    if said.items is None and said.amount is None and said.discount_amount is None:
        return merged
    before = decode_items(known.items) or []
    discount = known.discount_amount if said.discount_amount is None else said.discount_amount
    try:
        if said.items is None:
            amount = known.amount if said.amount is None else said.amount
            order = Order(items=before, initial_amount=known.initial_amount, discount_amount=discount or 0)
            return _with_totals(merged, settle(order, amount), before)
        order = order_from(said)
        order.discount_amount = discount or 0
        priced = price_order(order, gathered.catalog)
        return _with_totals(merged, priced, _finished(priced.items or [], before))
    except EngineError as error:
        raise _fault(error) from None


def _finished(items: list[OrderItem], before: list[OrderItem]) -> list[OrderItem]:
    """The lines as they are stored: with ids, of which a line that stays keeps its own; requests left out."""
    for index, item in enumerate(items):
        old = before[index] if index < len(before) else None
        if item.id is None:
            same = old is not None and _identity(old) == _identity(item)
            item.id = old.id if same and old is not None and old.id else new_id("order_line")
        for ref in (item.product, item.sku):
            if ref is not None:
                ref.override = None
    return items


def _identity(item: OrderItem) -> tuple[str | None, str | None, str | None]:
    return item.source_id, item.product_id, item.sku_id


def _with_totals(row: OrderRow, order: Order, items: list[OrderItem]) -> OrderRow:
    return replace(
        row,
        amount=order.amount,
        initial_amount=order.initial_amount,
        discount_amount=order.discount_amount,
        items_discount_amount=order.items_discount_amount,
        total_discount_amount=order.total_discount_amount,
        total_amount=order.total_amount,
        items=encode(items).decode(),
    )


def _fault(error: EngineError) -> ApiError:
    return invalid_payload(Fault(error.path.removeprefix("order."), error.message), key=error.key)


# Record ------------------------------------------------------------------------------------------------------


async def _change(saving: Saving, known: OrderRow, said: OrderPayload, gathered: _Gathered) -> OrderRow:
    merged = _changed(known, said, gathered)
    if merged == known:
        return known
    await _check_metadata(saving, known, said)
    await _check_sold(saving, known, merged)
    written = await store.update(saving.conn, saving.project_id, merged)
    await _tell(saving, written, ["updated"] + ([] if merged.status == known.status else [merged.status]))
    worth = written.amount if written.status in ("PAID", "FULFILLED") else None
    for referral_id in await store.referrals(saving.conn, saving.project_id, written.id, worth):
        await enqueue(saving.conn, saving.project_id, "referrals.look", {"referral_id": referral_id})
    if merged.status == "PAID" == known.status and written.customer_id not in (None, known.customer_id):
        await waiting.tell(saving.conn, saving.project_id, [{"order_id": written.id}])
    if merged.status == "CANCELED" != known.status and await store.sold_cards(
        saving.conn, saving.project_id, written.id
    ):
        await enqueue(saving.conn, saving.project_id, "cards.void", {"order_id": written.id})
    return written


async def _check_sold(saving: Saving, known: OrderRow, merged: OrderRow) -> None:
    """Raise `ApiError` 400 where a line that sold gift cards would become another: a return of it, which takes them
    back, is about the line.
    """
    if merged.items == known.items or merged.status == "CANCELED":
        return
    before, after = (msgspec.json.decode(row.items or "[]") for row in (known, merged))
    for line, cards in (await store.sold_lines(saving.conn, saving.project_id, known.id)).items():
        if line is None:
            continue
        same = line < len(after) and all(
            after[line].get(name) == before[line].get(name) for name in ("source_id", "product_id", "sku_id")
        )
        if not same or after[line].get("quantity", 1) < cards:
            details = f"Line {line} sold gift cards ({cards}) and stays; a return takes them back with it."
            raise ApiError(
                400,
                "invalid_order",
                "Invalid order",
                details,
                faults=[Fault(f"items[{line}]", "sold gift cards")],
            )


async def _tell(saving: Saving, order: OrderRow, news: list[str]) -> None:
    """``order.created`` or ``order.updated``, and what became of the status."""
    events = [
        Event(f"order.{what.lower()}", order.id, order.customer_id) for what in news if what != "CREATED"
    ]
    await emit(saving.conn, saving.project_id, events, saving.request_id)
    if "PAID" in news and order.customer_id is not None:
        await waiting.tell(saving.conn, saving.project_id, [{"order_id": order.id}])
    elif order.status in ("PAID", "PROCESSING", "FULFILLED", "CANCELED") and "updated" in news:
        await waiting.tell_again(saving.conn, saving.project_id, [order.id])
