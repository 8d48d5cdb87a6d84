"""Taking a custom event in."""

from typing import Annotated, Any

from msgspec import Meta, Struct

from guerdon.custom_events import store
from guerdon.custom_events.store import CustomEvent, SchemaRow
from guerdon.customers.store import CustomerRow
from guerdon.customers.upsert import CustomerUpsert, upsert
from guerdon.definitions import waiting
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.referrals.convert import convert
from guerdon.schemas.check import check, schemas_of
from guerdon.schemas.values import Schema
from guerdon.vouchers.store import VoucherWithTerms
from guerdon.vouchers.store import find as find_voucher

Code = Annotated[str, Meta(min_length=1, max_length=512)]


class ReferralIn(Struct, kw_only=True):
    """The code by which the customer was referred."""

    code: Code | None = None
    referrer_id: Code | None = None


class LoyaltyIn(Struct, kw_only=True):
    """The card that the event is for."""

    code: Code | None = None


class CustomEventIn(Struct, kw_only=True):
    """What a customer did. `event` is the name of a custom event schema."""

    event: Annotated[str, Meta(min_length=1, max_length=300)]
    customer: CustomerUpsert
    metadata: dict[str, Any] | None = None
    referral: ReferralIn | None = None
    loyalty: LoyaltyIn | None = None


async def track(call: Call, data: CustomEventIn) -> tuple[CustomEvent, CustomerRow]:
    """Record the event; the customer is created or changed.

    Raises `ApiError` 400 for an event without a schema (``invalid_payload``), metadata that does not fit
    (``metadata_validation_failed``) and a customer without a name (``missing_customer``); 404 for unknown codes.
    """
    conn, project_id = call.db, call.project_id
    if data.customer.id is None and data.customer.source_id is None:
        raise invalid_payload(
            Fault("customer", "needs the id or source_id of who did it"),
            key="missing_customer",
            message="Missing customer",
        )
    schema = await _check(call, data)
    customer = await upsert(conn, project_id, data.customer, request_id=call.request_id, path="customer")
    event = CustomEvent(
        id=new_id("custom_event"),
        name=data.event,
        customer_id=customer.id,
        referral=await _referral(call, data.referral),
        loyalty=await _loyalty(call, data.loyalty),
        metadata=data.metadata or {},
    )
    await store.insert(conn, project_id, event)
    shown = {"id": event.id, "object": "event", "type": event.name, "metadata": event.metadata}
    told = {
        "event": shown,
        "event_schema": {"id": schema.id, "name": schema.name},
        "referral": event.referral,
        "loyalty": event.loyalty,
    }
    news = Event("customer.custom_event", event.id, customer.id, told)
    await emit(conn, project_id, [news], call.request_id)
    if event.referral is not None:
        await convert(call, event.referral["id"], event.name, customer, event.id)
    about: dict[str, Any] = {"customer_id": customer.id, "event_id": event.id, "metadata": event.metadata}
    about |= {"schema_id": schema.id, "name": schema.name}
    if event.loyalty is not None:
        about["member_id"] = await store.member(conn, project_id, event.loyalty["id"], customer.id)
    await waiting.tell(conn, project_id, [about])
    return event, customer


async def _check(call: Call, data: CustomEventIn) -> SchemaRow:
    schema = await store.by_name(call.db, call.project_id, data.event)
    if schema is None:
        known = ", ".join(await store.names(call.db, call.project_id))
        raise invalid_payload(
            Fault("event", f"there is no custom event of this name; there are: {known or 'none yet'}")
        )
    kinds = await schemas_of(call.db, call.project_id)
    check({**kinds, schema.id: Schema(schema.properties)}, schema.id, data.metadata)
    return schema


async def _referral(call: Call, said: ReferralIn | None) -> dict[str, Any] | None:
    if said is None or said.code is None:
        return None
    voucher = await _named(call, said.code)
    return {**_short(voucher), "referrer_id": said.referrer_id or voucher.holder_id}


async def _loyalty(call: Call, said: LoyaltyIn | None) -> dict[str, Any] | None:
    return None if said is None or said.code is None else _short(await _named(call, said.code))


async def _named(call: Call, code: str) -> VoucherWithTerms:
    found = await find_voucher(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if found is None:
        raise not_found("voucher", code)
    return found


def _short(voucher: VoucherWithTerms) -> dict[str, Any]:
    return {"code": voucher.code, "id": voucher.id}
