"""The one card that a path of v2 names, and whether anything may be moved on it."""

from msgspec import Struct

from guerdon.engine.expiry import NoExpiration
from guerdon.kit.call import Call
from guerdon.kit.errors import not_found
from guerdon.loyalty import members_store, programs
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.members import found as found_member
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place, held_place, shown_card, stored_card
from guerdon.loyalty.programs_store import ProgramRow
from guerdon.loyalty.purchases_store import kept
from guerdon.loyalty.quote import member_refusal, program_refusal
from guerdon.loyalty.shapes_cards_moved import ExpirationType
from guerdon.loyalty.sheet import Sheet, open_sheet


class Named(Struct):
    """A card with its member and its program."""

    program: ProgramRow
    member: MemberRow
    card: CardRow


async def named(call: Call, program_id: str, member_id: str, card_id: str) -> Named:
    """The card. Raises `ApiError` 404 for the first of the three that is not there."""
    program = await programs.found(call.db, call.project_id, program_id)
    member = await found_member(call.db, call.project_id, program_id, member_id)
    rows = await members_store.cards(call.db, call.project_id, [stored_card(card_id)])
    there = [row for row in rows if row.member_id == member_id and shown_card(row.id) == card_id]
    if not there:
        raise not_found("card", card_id)
    return Named(program, member, there[0])


class Acting(Struct):
    """A sheet with a card on which something may be moved now."""

    named: Named
    place: Place
    program: Program
    sheet: Sheet
    card: CardRow


async def acting(call: Call, program_id: str, member_id: str, card_id: str) -> Acting:
    """The card with its member under lock.

    Raises `ApiError` 404, 423 ``non_active_program``, ``program_outside_validity_window``, ``non_active_member``.
    """
    place = await held_place(call.conn, call.project_id)
    meant = await named(call, program_id, member_id, card_id)
    (member,) = await members_store.lock_all(call.conn, call.project_id, [member_id])
    program = check_acting(place, meant.program, member)
    sheet = await open_sheet(call.conn, place, [member])
    sheet.book.kept = await kept(call.conn, call.project_id, sheet.cards, place.now)
    return Acting(meant, place, program, sheet, sheet.cards[meant.card.id])


def check_acting(place: Place, row: ProgramRow, member: MemberRow) -> Program:
    """The program, if points of the member may be moved in it now. Raises `ApiError` 404, 423."""
    program = place.program(row.id)
    if program is None:
        raise not_found("program", row.id)
    if member.status == "DELETED":
        raise not_found("member", member.id)
    refused = program_refusal(program, place) or member_refusal(member)
    if refused is not None:
        raise refused
    return program


def expiration_type(program: Program | None, card: CardRow) -> ExpirationType:
    """How points of a card end, as its definition says; those that end though it says they do not have a rule's end."""
    policy = None if program is None else program.cards.get(card.definition_id)
    if policy is None or isinstance(policy.earning.expiry, NoExpiration):
        return "ROLLING_EXPIRATION"
    return type(policy.earning.expiry).__struct_config__.tag  # type: ignore[return-value]
