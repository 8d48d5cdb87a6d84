"""Points moved by hand, as the older API has it: added, taken away, brought from other cards; and when they lapse."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct

from guerdon.engine.expiry import ends
from guerdon.engine.ledger import Card, Entry, NotEnough, SpendOrder, TooMuch, Why, grant, spend, transfer
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.kit.paging import Field, Listing, page
from guerdon.ledger.book import Note, entry_ids, more_ids
from guerdon.ledger.transactions import Ref
from guerdon.loyalty import members_store, sheet
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.members import last_day
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.purchases_store import kept
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand
from guerdon.loyalty.v1_members import MemberCard, member_of, read, voucher_of
from guerdon.vouchers.shape import Voucher

Signed = Annotated[int, Meta(ge=-(2**53) + 1, le=2**53 - 1)]
Source = Annotated[str, Meta(max_length=500)]
Reason = Annotated[str, Meta(max_length=5000)]

SETTINGS = "select body #> '{v1,transfers}' #>> '{}' from loyalty_parts where project_id = $1 and id = $2"
BUCKETS = Listing(
    name="data",
    columns="l.id, l.card_id, l.remaining, l.expires_at, l.created_at, k.campaign_id",
    source="card_lots l join cards k on k.project_id = l.project_id and k.id = l.card_id",
    where="""l.project_id = $1 and k.project_id = $1 and l.card_id = $2 and l.remaining > 0
        and l.expires_at is not null""",
    id="l.id",
    fields={"id": Field("l.id")},
    sorts={"expires_at": "l.expires_at", "created_at": "l.created_at"},
    default_sort="expires_at",
)


ADDED = ("voucher.loyalty_card.points_aded", "customer.voucher.loyalty_card.points_added")
MOVED = ("voucher.loyalty_card.points_transferred", "customer.voucher.loyalty_card.points_transferred")
NEWS = {"POINTS_ADDITION": ADDED, "POINTS_TRANSFER_OUT": MOVED, "POINTS_TRANSFER_IN": MOVED}
"""What the voucher's and the customer's events are called, beside that of the entry."""


class PointsChange(Struct, kw_only=True):
    """What to add (positive) or take away (negative). Of what is added `expiration_type` says when it lapses: as the
    program says, on `expiration_date`, or never.
    """

    points: Signed
    expiration_type: Literal["PROGRAM_RULES", "CUSTOM_DATE", "NON_EXPIRING"] | None = None
    expiration_date: Annotated[str, Meta(max_length=64)] | None = None
    reason: Reason | None = None
    source_id: Source | None = None


class PointsBalance(Struct, kw_only=True):
    """What was moved, and what is there now; `total` is what would be, had nothing been redeemed; at least 0."""

    points: int
    total: int
    balance: int
    type: Literal["loyalty_card"] = "loyalty_card"
    object: Literal["balance"] = "balance"
    related_object: Ref
    operation_type: Literal["MANUAL"] = "MANUAL"


class TransferIn(Struct, kw_only=True):
    """Points to bring from a card, by its code."""

    code: Annotated[str, Meta(min_length=1, max_length=512)]
    points: Annotated[int, Meta(ge=1, le=2**53 - 1)]
    reason: Reason | None = None
    source_id: Source | None = None


TransfersIn = Annotated[list[TransferIn], Meta(min_length=1, max_length=100)]


class BucketRow(Struct):
    """A lot of points with its end."""

    id: str
    card_id: str
    remaining: int
    expires_at: datetime
    created_at: datetime
    campaign_id: str


class Total(Struct):
    """How many points."""

    total_points: int


class Bucket(Struct, kw_only=True):
    """Points that lapse together; `expires_at` is the last day, by the project's calendar, on which they are there."""

    id: str
    voucher_id: str
    campaign_id: str
    bucket: Total
    status: Literal["ACTIVE"] = "ACTIVE"
    expires_at: str
    created_at: str
    updated_at: str | None = None
    object: Literal["loyalty_points_bucket"] = "loyalty_points_bucket"


class Buckets(Struct, kw_only=True):
    """A page of points that lapse, the soonest first."""

    object: str = "list"
    data_ref: str = "data"
    data: list[Bucket]
    total: int
    has_more: bool


async def change_balance(
    call: Call, member_id: str, campaign: str | None, data: PointsChange
) -> PointsBalance:
    """Move points by hand; tiers are decided anew in the same transaction.

    Raises `ApiError` 404, 400 ``invalid_customer``, ``invalid_amount``, ``invalid_expiration_date``.
    """
    if data.points == 0:
        raise _invalid_amount("points", "is 0: nothing would move")
    meant = await member_of(call, member_id, campaign)
    place, page_ = await _open(call, [meant])
    program = place.program(meant.card.program_id)
    account = page_.account(page_.cards[meant.card.id])
    try:
        if data.points > 0:
            end = _end(call, place, program, meant, data)
            entry = grant(
                account, "POINTS_ADDITION", data.points, place.now, entry_ids()[0], expires_at=end,
                why=Why(),
            )  # fmt: skip
            if data.expiration_date is not None and program is not None and program.sliding:
                page_.book.end_apart(entry)
        else:
            if data.expiration_type is not None or data.expiration_date is not None:
                raise invalid_payload(Fault("expiration_type", "belongs to what is added"))
            order = page_.book.order_of(meant.card.id)
            page_.book.check_free(account, -data.points, place.now)
            entry = spend(account, "POINTS_REMOVAL", -data.points, place.now, entry_ids()[0][0], order=order)
    except NotEnough as few:
        raise _invalid_amount(
            "points", f"takes {few.asked} from a card that has {few.available} to take from"
        ) from None
    except TooMuch:
        raise _invalid_amount("points", "makes the balance larger than a number can be") from None
    page_.book.enter([entry], Note("", data.source_id, data.reason, "API"))
    _tell(page_, entry)
    await _close(call, page_, [meant])
    return PointsBalance(
        points=data.points,
        total=max(0, entry.total),
        balance=account.balance,
        related_object=Ref(meant.card.id, type="voucher"),
    )


def _end(
    call: Call, place: Place, program: Program | None, meant: MemberCard, data: PointsChange
) -> datetime | None:
    """When what is added lapses."""
    if data.expiration_date is not None and data.expiration_type not in (None, "CUSTOM_DATE"):
        raise invalid_payload(Fault("expiration_date", "belongs to CUSTOM_DATE"))
    if data.expiration_type == "NON_EXPIRING":
        return None
    if data.expiration_date is None and data.expiration_type != "CUSTOM_DATE":
        policy = None if program is None else program.cards.get(meant.card.definition_id)
        return None if policy is None else ends(policy.earning.expiry, place.now, place.zone)
    try:
        end = parse_instant(data.expiration_date or "", call.caller.zone, end_of_day=True)
    except ValueError as error:
        raise invalid_payload(Fault("expiration_date", str(error)), key="invalid_expiration_date") from None
    if end <= place.now:
        raise invalid_payload(Fault("expiration_date", "has passed already"), key="invalid_expiration_date")
    return end


async def bring(call: Call, campaign: str, member_id: str, data: Sequence[TransferIn]) -> Voucher:
    """Move points from other cards of the program onto a member's, all or none; they lapse when they would have.

    Where the program's cards say ``transfers: RESTART``, their time begins anew by the program's rules.
    Raises `ApiError` 404, 400 ``invalid_customer``, ``loyalty_card_points_exceeded``.
    """
    taker = await member_of(call, member_id, campaign)
    givers = [await member_of(call, each.code, campaign) for each in data]
    for index, giver in enumerate(givers):
        if giver.card.id == taker.card.id:
            raise invalid_payload(Fault(f"[{index}].code", "is the card that the points are for"))
    place, page_ = await _open(call, [taker, *givers])
    settings = await db.value(call.conn, SETTINGS, call.project_id, taker.card.definition_id)
    restart = None
    if settings == "RESTART":
        program = place.program(taker.card.program_id)
        policy = None if program is None else program.cards.get(taker.card.definition_id)
        restart = None if policy is None else (ends(policy.earning.expiry, place.now, place.zone),)
    for index, (each, giver) in enumerate(zip(data, givers, strict=True)):
        _bring(page_, place, (giver.card.id, taker.card.id), each, restart, index)
    await _close(call, page_, [taker, *givers])
    return await read(call, taker.voucher.id, campaign)


def _bring(
    page_: Sheet,
    place: Place,
    cards: tuple[str, str],
    said: TransferIn,
    restart: tuple[datetime | None] | None,
    index: int,
) -> None:
    giver, taker = (page_.account(page_.cards[name]) for name in cards)
    types = ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN")
    order = page_.book.order_of(giver.id)
    try:
        page_.book.check_free(giver, said.points, place.now)
        if restart is None:
            entries = transfer(
                giver, taker, types, said.points, place.now, more_ids(), new_id("card_entry"), order=order
            )
        else:
            entries = _anew(giver, taker, said.points, place.now, restart[0], order)
    except NotEnough as few:
        raise ApiError(
            400, "loyalty_card_points_exceeded", "loyalty card points exceeded",
            f"The card has {few.available} points to move, {few.asked} were asked for.",
            faults=[Fault(f"[{index}].points", f"more than the {few.available} that there are")],
        ) from None  # fmt: skip
    except TooMuch:
        raise _invalid_amount(f"[{index}].points", "makes the balance larger than a number can be") from None
    page_.book.enter(entries, Note("", said.source_id, said.reason, "API"))
    for entry in entries:
        _tell(page_, entry)


def _anew(
    giver: Card, taker: Card, points: int, now: datetime, end: datetime | None, order: SpendOrder
) -> list[Entry]:
    ids = entry_ids()[0]
    out = spend(
        giver,
        "POINTS_TRANSFER_OUT",
        points,
        now,
        new_id("card_entry"),
        order=order,
        why=Why(related_id=ids[0]),
    )
    back = grant(taker, "POINTS_TRANSFER_IN", points, now, ids, expires_at=end, why=Why(related_id=out.id))
    return [out, back]


async def expiring(call: Call, campaign: str, member_id: str) -> Buckets:
    """What lapses of a member's points, the soonest first. Raises `ApiError` 404, 400 for a query that cannot be."""
    voucher = await voucher_of(call, member_id, campaign)
    zone = call.caller.timezone
    found = await page(
        call.db, BucketRow, BUCKETS, call.project_id, call.query, args=(voucher.id,), zone=zone
    )
    return Buckets(
        data=[
            Bucket(
                id=row.id, voucher_id=row.card_id, campaign_id=row.campaign_id, bucket=Total(row.remaining),
                expires_at=last_day(row.expires_at, call.caller.zone), created_at=iso(row.created_at),
            )
            for row in found.rows
        ],
        total=found.total,
        has_more=found.has_more,
    )  # fmt: skip


async def _open(call: Call, meant: Sequence[MemberCard]) -> tuple[Place, Sheet]:
    """A sheet of members, locked in their order."""
    place = await held_place(call.conn, call.project_id)
    ids = {one.member.id for one in meant}
    members = await members_store.lock_all(call.conn, call.project_id, ids)
    page_ = await open_sheet(call.conn, place, members)
    page_.book.kept = await kept(call.conn, call.project_id, page_.cards, place.now)
    return place, page_


async def _close(call: Call, page_: Sheet, meant: Sequence[MemberCard]) -> None:
    await sheet.write(call.conn, page_)
    await restand(call.conn, page_, {one.member.id for one in meant})
    await sheet.close(call.conn, page_)


def _tell(page_: Sheet, entry: Entry) -> None:
    card = page_.cards[entry.card_id]
    page_.told(card, entry)
    for place, name in enumerate(NEWS.get(entry.type, ())):
        data = {"transaction_id": entry.id, "points": entry.amount, "balance": entry.balance}
        page_.events.append(Event(name, card.id, page_.customer(card) if place else None, data))


def _invalid_amount(path: str, why: str) -> ApiError:
    return invalid_payload(Fault(path, why), key="invalid_amount", message="Invalid amount")
