"""Giving codes to a customer: gather under lock, decide, write; what cannot be given is refused and recorded."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from guerdon.campaigns import store as campaigns
from guerdon.campaigns.shape import CampaignRow
from guerdon.customers.store import CustomerRow
from guerdon.customers.tracking import tracking_id
from guerdon.customers.upsert import upsert
from guerdon.kit.call import Call, Reply
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty.v1_adopt import adopt
from guerdon.publications import pick, store
from guerdon.publications.requests import PublicationIn, check, check_count
from guerdon.publications.shape import Publication, answer
from guerdon.referrals.record import hold
from guerdon.schemas.check import checked
from guerdon.vouchers import given
from guerdon.vouchers.given import PublicationRow, Suitable
from guerdon.vouchers.store import VoucherWithTerms
from guerdon.vouchers.store import find as find_voucher


class Source(Struct):
    """Where codes are to come from: a campaign, or one code, of a campaign or of none."""

    campaign: CampaignRow | None
    voucher: VoucherWithTerms | None


async def publish(call: Call, data: PublicationIn, *, join_once: bool) -> Publication | Reply:
    """Give the codes asked for, all or none.

    Raises `ApiError` for mistakes: 400 ``missing_vouchers``, ``missing_customer``, ``too_many_vouchers_requested``,
    ``duplicate_source_id``, 404. A refusal is a recorded failure, answered 400.
    """
    said = check(data, once=join_once)
    source = await _source(call, data)
    once = join_once or (source.campaign is not None and source.campaign.join_once)
    check_count(data, once=once)
    await checked(call.db, call.project_id, "publication", data.metadata)
    customer = await upsert(call.db, call.project_id, said, request_id=call.request_id, path="customer")
    wanted = source.voucher and source.voucher.id
    if once:
        held = await _held(call, source, customer.id)
        if held is not None and held.publication_id is not None:
            row = await store.find(call.db, call.project_id, held.publication_id)
            assert row is not None, "a publication stays"
            return await answer(call.db, call.project_id, row, customer)
        wanted = held.id if held is not None else wanted
    before = await store.before(call.db, call.project_id, data.source_id)
    if before.publication_id is not None:
        raise _duplicate(data.source_id or "")
    asked = pick.Asked(call, source.campaign, before.now, customer.id, holds=once)
    chosen = await (asked.named(wanted) if wanted is not None else asked.some(data.count))
    row = _row(data, source, customer, before.now)
    if isinstance(chosen, pick.Refused):
        return await _refuse(call, row, chosen, source)
    return await _give(call, row, source.campaign, customer, chosen)


async def _source(call: Call, data: PublicationIn) -> Source:
    if data.voucher is None:
        named = data.named_campaign
        assert named is not None, "the payload was checked"
        return Source(await _campaign(call, named), None)
    found = await find_voucher(call.db, call.project_id, data.voucher, call.caller.case_sensitive_codes)
    if found is None:
        raise not_found("voucher", data.voucher)
    return Source(None if found.campaign_id is None else await _campaign(call, found.campaign_id), found)


async def _campaign(call: Call, named: str) -> CampaignRow:
    found = await campaigns.find(call.db, call.project_id, named)
    if found is None:
        raise not_found("campaign", named)
    if found.campaign_type == "PROMOTION":
        details = (
            "A PROMOTION campaign has tiers instead of codes, so there is nothing to give to a customer."
        )
        raise ApiError(400, "invalid_campaign", "Invalid campaign", details)
    return found


async def _held(call: Call, source: Source, customer_id: str) -> store.Held | None:
    """What the customer has already of what is asked for. Its row is ours, so nobody gives it another meanwhile."""
    campaign, voucher = source.campaign, source.voucher
    if campaign is not None and campaign.type != "STANDALONE":
        return await store.held(call.db, call.project_id, campaign.id, customer_id)
    if voucher is None:
        assert campaign is not None
        found = await given.pick_generic(call.db, call.project_id, campaign.id, campaign.terms_id)
        voucher_id = found[0].id if found else None
    else:
        voucher_id = voucher.id
    if voucher_id is None:
        return None
    before = await store.given_before(call.db, call.project_id, customer_id, voucher_id)
    return None if before is None else store.Held(voucher_id, before)


def _duplicate(source_id: str) -> ApiError:
    return invalid_payload(
        Fault(
            "source_id",
            f"{source_id!r} is that of a publication made before; GET /v1/publications?source_id= shows it",
        ),
        key="duplicate_source_id",
        message="Duplicate source_id",
    )


def _row(data: PublicationIn, source: Source, customer: CustomerRow, now: datetime) -> PublicationRow:
    return PublicationRow(
        id=new_id("publication"),
        customer_id=customer.id,
        campaign_id=None if source.campaign is None else source.campaign.id,
        source_id=data.source_id,
        tracking_id=tracking_id(None, customer),
        channel=data.channel or "API",
        metadata=data.metadata or {},
        result="SUCCESS",
        voucher_ids=[],
        voucher_codes=[],
        created_at=now,
    )


async def _refuse(call: Call, row: PublicationRow, refused: pick.Refused, source: Source) -> Reply:
    """Record that nothing was given, and why; what was said of the customer stays."""
    row.result, row.failure_code, row.failure_message = "FAILURE", refused.key, refused.details
    if source.voucher is not None:
        row.voucher_ids, row.voucher_codes = [source.voucher.id], [source.voucher.code]
    await given.record(call.db, call.project_id, row)
    event = Event("customer.publication.failed", row.id, row.customer_id, _told(row, source.campaign))
    await emit(call.db, call.project_id, [event], call.request_id)
    error = ApiError(
        400, refused.key, refused.message, refused.details,
        resource_id=row.id, resource_type="publication",
    )  # fmt: skip
    return Reply(error.body(call.request_id, call.path), 400)


async def _give(
    call: Call,
    row: PublicationRow,
    campaign: CampaignRow | None,
    customer: CustomerRow,
    codes: Sequence[Suitable],
) -> Publication:
    row.voucher_ids, row.voucher_codes = [one.id for one in codes], [one.code for one in codes]
    if not await given.record(call.db, call.project_id, row):
        assert row.source_id is not None
        raise _duplicate(row.source_id)
    duration = None if campaign is None else campaign.activity_duration_after_publishing
    terms = await given.terms_of(call.db, call.project_id, codes, duration, row.created_at, call.caller.zone)
    await given.give(call.db, call.project_id, row.customer_id, codes, terms)
    if campaign is not None and campaign.campaign_type == "REFERRAL_PROGRAM":
        for one in codes:
            await hold(
                call.conn, call.project_id, one.id, campaign.id, row.customer_id, "REFERRER", row.created_at
            )
    if campaign is not None and campaign.campaign_type == "LOYALTY_PROGRAM":
        cards = row.voucher_ids
        await adopt(call.conn, call.project_id, campaign.id, row.customer_id, cards, call.request_id)
    told = _told(row, campaign)
    events = [
        Event("publication.succeeded", row.id, None, told),
        Event("customer.publication.succeeded", row.id, row.customer_id, told),
        *(Event("voucher.published", one.id, None, {"publication_id": row.id}) for one in codes),
    ]
    await emit(call.db, call.project_id, events, call.request_id)
    return await answer(call.db, call.project_id, row, customer)


def _told(row: PublicationRow, campaign: CampaignRow | None) -> dict[str, Any]:
    """What the events tell, in the members that activities have."""
    publication: dict[str, Any] = {
        "id": row.id,
        "object": "publication",
        "result": row.result,
        "channel": row.channel,
        "source_id": row.source_id,
        "vouchers": row.voucher_codes,
        "vouchers_id": row.voucher_ids,
        "created_at": iso(row.created_at),
    }
    if row.failure_code is not None:
        publication |= {"failure_code": row.failure_code, "failure_message": row.failure_message}
    told = {"publication": publication}
    if campaign is not None:
        told["campaign"] = {"id": campaign.id, "name": campaign.name, "object": "campaign"}
    return told
