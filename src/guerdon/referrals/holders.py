"""Who holds a referral code: its referrer, and the referees that were named for it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field

from guerdon.customers.store import CustomerRow
from guerdon.customers.upsert import CustomerUpsert, upsert
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.filters import Field
from guerdon.kit.ids import new_ids
from guerdon.kit.paging import Listing
from guerdon.referrals import screen
from guerdon.referrals.screen import Person
from guerdon.vouchers.store import VoucherWithTerms
from guerdon.vouchers.store import find as find_voucher

MOST = 100

CAMPAIGN = "select id from campaigns where project_id = $1 and (id = $2 or name = $2) and deleted_at is null"

LOCK_CODE = "select holder_id from vouchers where project_id = $1 and id = $2 for update"

ADD = """
    insert into referral_holders (project_id, id, voucher_id, campaign_id, customer_id, role, consent, metadata)
    select $1, w.id, $2, $3, w.customer_id, 'REFEREE', w.consent, $7
    from unnest($4::text[], $5::text[], $6::boolean[]) as w (id, customer_id, consent)
    on conflict do nothing
    returning id, created_at
"""

FIND = """
    select id, role from referral_holders where project_id = $1 and voucher_id = $2 and id = $3 for update
"""

REMOVE = "delete from referral_holders where project_id = $1 and id = $2"

LISTING = Listing(
    name="data",
    columns="h.id, h.voucher_id, h.campaign_id, h.customer_id, h.role, h.metadata, h.created_at",
    source="referral_holders h",
    where="h.project_id = $1 and h.voucher_id = $2",
    id="h.id",
    fields={
        "id": Field("h.id"),
        "created_at": Field("h.created_at", "date"),
        "holder_role": Field("h.role"),
        "customer_id": Field("h.customer_id"),
    },
    metadata="h.metadata",
    sorts={"created_at": "h.created_at", "id": "h.id"},
)


class HolderIn(CustomerUpsert, kw_only=True):
    """A referee: a customer to make or to change. `consent`: they agreed to be contacted. Without it nothing goes out
    that would reach somebody new.
    """

    consent: bool = False


class HoldersIn(Struct, kw_only=True):
    """Referees to add, all or none."""

    holders: Annotated[list[HolderIn], Meta(min_length=1, max_length=MOST)]
    metadata: dict[str, Any] | None = None


class HolderRow(Struct, kw_only=True):
    """A row of `referral_holders`."""

    id: str
    voucher_id: str
    campaign_id: str
    customer_id: str
    role: Any
    metadata: dict[str, Any]
    created_at: datetime


class Holder(Struct, kw_only=True):
    """A customer's part in a referral code."""

    id: str
    created_at: str
    redeemable_id: str
    redeemable_object: Literal["voucher"] = "voucher"
    customer_id: str
    holder_role: Literal["REFERRER", "REFEREE"]
    campaign_id: str
    campaign_type: Literal["REFERRAL_PROGRAM"] = "REFERRAL_PROGRAM"
    voucher_type: Literal["DISCOUNT_VOUCHER"] = "DISCOUNT_VOUCHER"
    metadata: dict[str, Any] | UnsetType = UNSET
    object: Literal["redeemable_holder"] = "redeemable_holder"


class Holders(Struct):
    """Holders as they were added."""

    holders: list[Holder]


class HolderList(Struct, kw_only=True):
    """A page of holders. `more_starting_after` is the id to go on behind."""

    object: Literal["list"] = "list"
    data_ref: Literal["data"] = "data"
    data: list[Holder]
    total: int = field(default=0)
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


def shown(row: HolderRow) -> Holder:
    """A holder as answered."""
    return Holder(
        id=row.id, created_at=iso(row.created_at), redeemable_id=row.voucher_id, customer_id=row.customer_id,
        holder_role=row.role, campaign_id=row.campaign_id, metadata=row.metadata or UNSET,
    )  # fmt: skip


async def code_named(call: Call, campaign: str | None, member: str) -> VoucherWithTerms:
    """A referral code by its code or id. Raises `ApiError` 404, for one of another campaign too."""
    wanted = None
    if campaign is not None:
        wanted = await db.value(call.db, CAMPAIGN, call.project_id, campaign)
        if wanted is None:
            raise not_found("campaign", campaign)
    found = await find_voucher(call.db, call.project_id, member, call.caller.case_sensitive_codes)
    if found is None or not found.is_referral_code or wanted not in (None, found.campaign_id):
        raise not_found("voucher", member)
    return found


async def add(call: Call, code: VoucherWithTerms, data: HoldersIn) -> list[Holder]:
    """Add referees. Raises `ApiError` 400 `not_published`, 409 for somebody named twice or holding it already."""
    _named_once(data.holders)
    people = await _people(call, data.holders)
    referrer = await db.value(call.db, LOCK_CODE, call.project_id, code.id)
    if referrer is None:
        raise ApiError(
            400, "not_published", "Voucher is not published",
            "A referral code has referees once it was published to its referrer.",
        )  # fmt: skip
    if len({person.id for person in people}) < len(people):
        raise _twice(len(people) - 1, "is the same customer as one before")
    await _not_the_referrer(call, code, people)
    ids = sorted(new_ids("holder", len(people)))
    made = await db.records(
        call.db, ADD, call.project_id, code.id, code.campaign_id, ids, [person.id for person in people],
        [holder.consent for holder in data.holders], data.metadata or {},
    )  # fmt: skip
    if len(made) < len(people):
        raise _duplication()
    at = {row["id"]: row["created_at"] for row in made}
    return [
        shown(
            HolderRow(
                id=holder_id, voucher_id=code.id, campaign_id=code.campaign_id or "", customer_id=person.id,
                role="REFEREE", metadata=data.metadata or {}, created_at=at[holder_id],
            )
        )
        for holder_id, person in zip(ids, people, strict=True)
    ]  # fmt: skip


async def remove(call: Call, code: VoucherWithTerms, holder_id: str) -> None:
    """Take a referee off a code. Raises `ApiError` 403 for the referrer, 404."""
    found = await db.records(call.db, FIND, call.project_id, code.id, holder_id)
    if not found:
        raise not_found("redeemable_holder", holder_id)
    if found[0]["role"] == "REFERRER":
        raise ApiError(403, "forbidden", "Forbidden", "A code keeps the referrer that it was published to.")
    await db.execute(call.db, REMOVE, call.project_id, holder_id)


async def _people(call: Call, holders: Sequence[HolderIn]) -> list[CustomerRow]:
    """The customers, made or changed in the order of their names, so that calls do not wait for each other in a circle."""
    order = sorted(
        range(len(holders)), key=lambda place: (holders[place].id or "", holders[place].source_id or "")
    )
    found: dict[int, CustomerRow] = {}
    for place in order:
        one = holders[place]
        found[place] = await upsert(
            call.db,
            call.project_id,
            one,
            request_id=call.request_id,
            path=f"holders[{place}]",
            quiet=not one.consent,
        )
    return [found[place] for place in range(len(holders))]


def _named_once(holders: Sequence[HolderIn]) -> None:
    seen: set[tuple[str, str]] = set()
    for place, one in enumerate(holders):
        if one.id is None and one.source_id is None:
            raise invalid_payload(Fault(f"holders[{place}]", "needs an id or a source_id"))
        for name in ("id", "source_id"):
            value = getattr(one, name)
            if value is None:
                continue
            if (name, value) in seen:
                raise _twice(place, f"has the {name} of one before", value)
            seen.add((name, value))


async def _not_the_referrer(call: Call, code: VoucherWithTerms, people: Sequence[CustomerRow]) -> None:
    known = await screen.gather(call.db, call.project_id, [code.id], [person.id for person in people])
    for place, one in enumerate(people):
        country = (one.address or {}).get("country")
        refused = known.refusal(code.id, code.code, Person(one.id, (one.email,), (one.phone,), country))
        if refused is None:
            continue
        reason, details = refused
        if one.id == code.holder_id:
            raise _duplication()
        raise invalid_payload(Fault(f"holders[{place}]", details), key=reason.key, message=reason.message)


def _twice(place: int, why: str, name: str = "") -> ApiError:
    return ApiError(
        409, "duplicate_found", "A customer is named twice", f"holders[{place}] {why}.",
        faults=[Fault(f"holders[{place}]", why)], resource_id=name or None, resource_type="customer",
    )  # fmt: skip


def _duplication() -> ApiError:
    return ApiError(
        409, "holder_assignement_duplication", "Held already",
        "One of these customers is a referrer or referee of this code already; nobody was added.",
    )  # fmt: skip
