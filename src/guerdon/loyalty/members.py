"""Members made, changed, switched on and off and thrown away, and how they are shown."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from msgspec import UNSET
from msgspec.structs import asdict, replace

from guerdon.customers.store import CustomerRow
from guerdon.customers.store import find as find_customer
from guerdon.engine.ledger import Why
from guerdon.engine.periods import local_day
from guerdon.kit import clock, db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, Fault, invalid_payload, not_found
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import book as books
from guerdon.ledger.closing import emptied
from guerdon.loyalty import members_store as store
from guerdon.loyalty import shapes_members as shapes
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.earn import Told
from guerdon.loyalty.enrol import NewMember, enrol, told_member
from guerdon.loyalty.members_store import CardRow, MemberRow, ShownRow
from guerdon.loyalty.place import Place, held_place, shown_card
from guerdon.loyalty.programs_store import ProgramRow
from guerdon.loyalty.shapes_members import Member, MemberChange, MemberIn
from guerdon.loyalty.sheet import PendingMove, write_moves
from guerdon.schemas.check import checked


def shown(row: MemberRow) -> Member:
    """A member without cards."""
    return Member(
        id=row.id,
        customer_id=row.customer_id,
        program_id=row.program_id,
        status=row.status,  # type: ignore[arg-type]
        metadata=row.metadata,
        created_at=clock.iso(row.created_at),
        updated_at=None if row.updated_at is None else clock.iso(row.updated_at),
    )


async def with_cards(
    conn: db.Db, project_id: str, rows: Sequence[MemberRow], zone: ZoneInfo
) -> list[tuple[Member, list[shapes.MemberCard]]]:
    """Members with what is on their cards."""
    cards = await store.cards_of(conn, project_id, [row.id for row in rows])
    on_them = await store.shown(conn, project_id, [card.id for card in cards])
    by_member: dict[str, list[shapes.MemberCard]] = {}
    there = [card for card in cards if card.id in on_them]  # a card may have been erased as a voucher
    for card in sorted(there, key=lambda card: (card.created_at, card.id)):
        by_member.setdefault(card.member_id, []).append(shown_member_card(card, on_them[card.id], zone))
    return [(shown(row), by_member.get(row.id, [])) for row in rows]


def shown_member_card(card: CardRow, row: ShownRow, zone: ZoneInfo) -> shapes.MemberCard:
    """A card of a member."""
    return shapes.MemberCard(
        member_role=card.role,  # type: ignore[arg-type]
        created_at=clock.iso(card.created_at),
        card=shown_points(card, row, zone),
    )


def shown_points(card: CardRow, row: ShownRow, zone: ZoneInfo) -> shapes.Card:
    """A card with what is on it; what lapsed counts as expired before the night takes it off."""
    came, went = row.received, row.received - row.transferred
    points = shapes.LifetimePoints(
        total=row.issued + came,
        earned=card.earned,
        added=row.issued - card.earned - card.activated + came,
        subtracted=row.removed - card.revoked + went,
        expired=row.expired + row.lapsed,
        spent=row.redeemed,
        refunded=card.revoked,
        returned=row.refunded,
    )
    ends = activates = None
    if row.next_at is not None and row.next_points:
        ends = shapes.NextExpiration(points=row.next_points, date=last_day(row.next_at, zone))
    if row.waits is not None and row.waiting:
        activates = shapes.NextActivation(
            points=row.waiting,
            type=row.waits,
            date=UNSET if row.activates_at is None else str(local_day(row.activates_at, zone)),
            cancel_date=UNSET if row.cancels_at is None else str(local_day(row.cancels_at, zone)),
        )
    return shapes.Card(
        id=shown_card(row.id),
        card_definition_id=card.definition_id,
        code=row.code,
        lifetime_bucket=shapes.Lifetime(
            points=points,
            pending_points=shapes.LifetimePending(
                total=card.ever_pending, activated=card.activated, canceled=card.canceled
            ),
        ),
        balance=shapes.Balance(points=row.balance - row.lapsed, pending_points=card.pending),
        next_expiration=ends,
        next_activation=activates,
    )


def last_day(end: datetime, zone: ZoneInfo) -> str:
    """The last day on which points can be spent that end at an instant."""
    return str(local_day(end - timedelta(microseconds=1), zone))


async def create(call: Call, program: ProgramRow, data: MemberIn) -> shapes.MemberWithCards:
    """The new member.

    Raises `ApiError` 400, 404 for an unknown customer, 409 ``member_already_exists``, 423 ``non_active_program``.
    """
    check_active(program)
    customer = await identified(call.db, call.project_id, data)
    await checked(call.db, call.project_id, "vl_member", data.metadata)
    place = await held_place(call.conn, call.project_id)
    made = await enrol(
        call.conn,
        place,
        compiled_of(place, program.id),
        [NewMember(customer_id=customer.id, status=data.status or "ACTIVE", metadata=data.metadata or {})],
        call.request_id,
    )
    if not made:
        raise member_exists(customer.id)
    ((member, cards),) = await with_cards(call.db, call.project_id, made, call.caller.zone)
    return shapes.MemberWithCards(**asdict(member), cards=cards)


def check_active(program: ProgramRow) -> None:
    """Raise `ApiError` 423 for a program that is not active."""
    if program.status != "ACTIVE":
        raise ApiError(
            423, "non_active_program", "Program is not active",
            f"The program is {program.status}; it takes members while it is ACTIVE.",
            resource_id=program.id, resource_type="program",
        )  # fmt: skip


def compiled_of(place: Place, program_id: str) -> Program:
    """The program as the engine wants it. Raises `ApiError` 404."""
    program = place.program(program_id)
    if program is None:
        raise not_found("program", program_id)
    return program


def member_exists(customer_id: str) -> ApiError:
    """409 for somebody who is a member already."""
    return ApiError(
        409, "member_already_exists", "Member already exists",
        f"The customer {customer_id} is a member of the program already.",
        resource_id=customer_id, resource_type="customer",
    )  # fmt: skip


async def identified(conn: db.Db, project_id: str, data: MemberIn) -> CustomerRow:
    """The customer that is meant. Raises `ApiError` 400, 404."""
    said = data.customer_identification
    name = said.customer_id if said.type == "customer_id" else said.customer_source_id
    if name is None:
        raise invalid_payload(Fault(f"customer_identification.{said.type}", "is required"))
    found = await find_customer(conn, project_id, name)
    if found is None or (found.id if said.type == "customer_id" else found.source_id) != name:
        raise not_found("customer", name)
    return found


async def found(
    conn: db.Db, project_id: str, program_id: str, member_id: str, *, lock: bool = False
) -> MemberRow:
    """A member. Raises `ApiError` 404."""
    row = await store.find(conn, project_id, program_id, member_id, lock=lock)
    if row is None:
        raise not_found("member", member_id)
    return row


async def change(call: Call, program_id: str, member_id: str, data: MemberChange) -> Member:
    """The member with other metadata. Raises `ApiError` 404, 400."""
    row = await found(call.conn, call.project_id, program_id, member_id, lock=True)
    metadata = {} if data.metadata is None else row.metadata | data.metadata
    await checked(call.db, call.project_id, "vl_member", metadata)
    written = await store.update(call.conn, call.project_id, replace(row, metadata=metadata))
    await _tell(call, "updated", written)
    return shown(written)


async def move(call: Call, program_id: str, member_id: str, active: bool) -> Member:
    """The member switched on or off, cards included. Raises `ApiError` 404, 400 ``invalid_state_transition``."""
    row = await found(call.conn, call.project_id, program_id, member_id, lock=True)
    status = "ACTIVE" if active else "INACTIVE"
    if row.status == status:
        raise ApiError(
            400, "invalid_state_transition", "Invalid state transition",
            f"The member is {status} already.", resource_id=member_id, resource_type="member",
        )  # fmt: skip
    written = await store.update(call.conn, call.project_id, replace(row, status=status))
    await store.switch_cards(call.conn, call.project_id, member_id, active)
    await _tell(call, "activated" if active else "deactivated", written)
    return shown(written)


async def remove(call: Call, program_id: str, member_id: str) -> Member:
    """The member deleted: cards go into the bin, what is on them off the books. Raises `ApiError` 404."""
    place = await held_place(call.conn, call.project_id)
    await store.hold_campaigns(call.conn, call.project_id, [member_id])
    row = await found(call.conn, call.project_id, program_id, member_id, lock=True)
    written = await depart(call.conn, place, row)
    await _tell(call, "deleted", written)
    return shown(written)


async def leave_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Customers who were deleted, and members whose card was, are members no more."""
    place = await held_place(conn, project_id)
    leaving = {payload["member_id"] for _, payload, _ in told if "member_id" in payload}
    for customer_id in sorted({payload["customer_id"] for _, payload, _ in told if "customer_id" in payload}):
        leaving |= {row.id for row in await store.of_customer(conn, project_id, customer_id)}
    await store.hold_campaigns(conn, project_id, leaving)
    for row in await store.lock_all(conn, project_id, leaving):
        if row.status != "DELETED":
            written = await depart(conn, place, row)
            event = Event("vl.member.deleted", row.id, row.customer_id, {"member": told_member(written)})
            await emit(conn, project_id, [event])


async def depart(conn: db.Conn, place: Place, row: MemberRow) -> MemberRow:
    """Take a member, whose row is locked, out of the program: cards, what is on them, and what waits for them."""
    binned = await store.bin_cards(conn, place.project_id, row.id)
    book = await books.load(conn, place.project_id, binned, lock=True)
    book.enter(emptied(card, place.now, Why(cause_id=row.id)) for card in book.cards.values())
    await books.write(conn, place.project_id, book, place.now, follow=False)
    gone = await db.records(conn, CANCEL_PENDING, place.project_id, row.id)
    moves = [PendingMove(r["card_id"], r["id"], "CANCELED", r["points"], False) for r in gone if r["points"]]
    await write_moves(conn, place.project_id, moves, place.now)
    await db.execute(conn, FORGET_PENDING, place.project_id, row.id)
    return await store.update(conn, place.project_id, replace(row, status="DELETED"))


CANCEL_PENDING = """
    update loyalty_pending set status = 'DELETED', updated_at = now()
    where project_id = $1 and status = 'PENDING'
      and card_id in (select id from loyalty_cards where project_id = $1 and member_id = $2)
    returning id, card_id, points
"""
FORGET_PENDING = """
    update loyalty_cards set canceled = canceled + pending, pending = 0
    where project_id = $1 and member_id = $2 and pending > 0
"""


async def _tell(call: Call, what: str, row: MemberRow) -> None:
    event = Event(f"vl.member.{what}", row.id, row.customer_id, {"member": told_member(row)})
    await emit(call.db, call.project_id, [event], call.request_id)


async def customer_named(call: Call, name: str, by: str) -> CustomerRow:
    """The customer behind an id, a source id or a member's id. Raises `ApiError` 404."""
    if by == "member_id":
        member = await store.anywhere(call.db, call.project_id, name)
        if member is None:
            raise not_found("member", name)
        customer = await find_customer(call.db, call.project_id, member.customer_id)
    else:
        customer = await find_customer(call.db, call.project_id, name)
        if customer is not None and (customer.id if by == "customer_id" else customer.source_id) != name:
            customer = None
    if customer is None:
        raise not_found("customer", name)
    return customer
