"""Members of programs over HTTP, in v2 of the API."""

from typing import Any, Literal, LiteralString

import msgspec
from msgspec.structs import asdict

from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.filters import Field
from guerdon.loyalty import members, programs
from guerdon.loyalty import members_store as store
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.faces import activity, listed
from guerdon.loyalty.listing import activities
from guerdon.loyalty.members import check_active, found
from guerdon.loyalty.members_batch import BATCH, MAX_BATCH_BYTES
from guerdon.loyalty.members_store import COLUMNS, MemberRow
from guerdon.loyalty.place import place_of
from guerdon.loyalty.progress import NOTHING, progress_of
from guerdon.loyalty.shapes_members import (
    AsyncActionAccepted,
    CustomerNamed,
    Member,
    MemberActivity,
    MemberCard,
    MemberChange,
    MemberIn,
    Membership,
    MembershipCard,
    MembershipListed,
    Memberships,
    MemberWithCards,
    ProgramSimple,
)
from guerdon.loyalty.shapes_programs import CursorList
from guerdon.loyalty.store import EventRow
from guerdon.vouchers.uploads import accept_json

Named = Literal["customer_id", "customer_source_id", "member_id"]

MEMBERS = CursorListing(
    prefix="lcrsmbr_",
    columns=COLUMNS,
    source="loyalty_members m",
    where="m.project_id = $1 and m.program_id = $2 and m.status <> 'DELETED'",
    id="m.id",
    fields={
        "id": Field("m.id"),
        "status": Field("m.status"),
        "customer_id": Field("m.customer_id"),
        "created_at": Field("m.created_at", "date"),
    },
    sorts={
        "created_at": ("m.created_at", True),
        "status": ("m.status", False),
        "customer_id": ("m.customer_id", False),
    },
)
ACTIVITIES = activities("lambr_", "lcrsambr_")


async def create_program_member(call: Call, program_id: str, data: MemberIn) -> MemberWithCards:
    """Make a customer a member of a program.

    Cards of all its card definitions come with that. 409 for whoever is a member already, 423 for a program that is
    not active.
    """
    return await members.create(call, await programs.found(call.db, call.project_id, program_id), data)


async def list_program_members(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[Member]:
    """List the members of a program.

    `order` is of created_at, status and customer_id, with a dash before a name to reverse it;
    `filters[field][conditions][$operator]` on id, status, customer_id and created_at narrows the list.
    """
    await programs.found(call.db, call.project_id, program_id)
    return await listed(call, MemberRow, MEMBERS, members.shown, (program_id,))


async def create_program_members(call: Call, program_id: str) -> AsyncActionAccepted | Reply:
    """Make many customers members of a program, later.

    The body is an array of what makes one member, 10 MB at most. The async action's result says what became of those
    that cannot be members; they do not hold up the others.
    """
    check_active(await programs.found(call.db, call.project_id, program_id))
    return await accept_json(
        call, BATCH, "LOYALTY.MEMBERS_CREATE", {"program_id": program_id}, 202, MAX_BATCH_BYTES
    )


async def get_program_member(call: Call, program_id: str, member_id: str) -> MemberWithCards:
    """Read a member with the cards."""
    row = await found(call.db, call.project_id, program_id, member_id)
    ((member, cards),) = await members.with_cards(call.db, call.project_id, [row], call.caller.zone)
    return MemberWithCards(**asdict(member), cards=cards)


async def update_program_member(call: Call, program_id: str, member_id: str, data: MemberChange) -> Member:
    """Change a member's metadata: what is sent is put over it, null takes all of it away."""
    return await members.change(call, program_id, member_id, data)


async def delete_program_member(call: Call, program_id: str, member_id: str) -> Member:
    """Delete a member, and answer what it was.

    The cards go with it, and what is on them.
    """
    return await members.remove(call, program_id, member_id)


async def activate_program_member(call: Call, program_id: str, member_id: str) -> Member:
    """Switch a member on again, with the cards."""
    return await members.move(call, program_id, member_id, active=True)


async def deactivate_program_member(call: Call, program_id: str, member_id: str) -> Member:
    """Switch a member off: nothing is earned or spent until it is switched on again."""
    return await members.move(call, program_id, member_id, active=False)


async def list_program_member_activities(
    call: Call,
    program_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[MemberActivity]:
    """List what happened to a member, the latest first."""
    await found(call.db, call.project_id, program_id, member_id)

    def shown(row: EventRow) -> MemberActivity:
        return msgspec.convert(activity(row, "lambr_") | {"member_id": member_id}, MemberActivity)

    return await listed(call, EventRow, ACTIVITIES, shown, (member_id,))


async def list_customer_memberships(
    call: Call, customer_id: str, identification_type: Named = "customer_id"
) -> Memberships:
    """List the programs that a customer is a member of, with the cards there.

    `identification_type` says how the customer is named: customer_id, customer_source_id or member_id.
    """
    customer = await members.customer_named(call, customer_id, identification_type)
    rows = await store.of_customer(call.db, call.project_id, customer.id)
    place = await place_of(call.db, call.project_id)
    answers: list[MembershipListed] = []
    shown = await members.with_cards(call.db, call.project_id, rows, call.caller.zone)
    for row, (member, cards) in zip(rows, shown, strict=True):
        program = place.program(row.program_id)
        if program is not None:
            named = ProgramSimple(
                id=program.id, name=program.name, status=program.status, metadata=dict(program.metadata)
            )
            answers.append(MembershipListed(member=member, program=named, cards=cards))
    return Memberships(
        customer=CustomerNamed(id=customer.id, source_id=customer.source_id), memberships=answers
    )


async def get_program_membership(
    call: Call, program_id: str, customer_id: str, identification_type: Named = "customer_id"
) -> Membership:
    """Read a customer's membership of one program, with how the cards let them stand among its tiers."""
    customer = await members.customer_named(call, customer_id, identification_type)
    program_row = await programs.found(call.db, call.project_id, program_id)
    rows = await store.of_customer(call.db, call.project_id, customer.id)
    row = next((row for row in rows if row.program_id == program_id), None)
    place = await place_of(call.db, call.project_id)
    program = place.program(program_id)
    if row is None or program is None:
        raise members.not_found("member", customer_id)
    ((member, cards),) = await members.with_cards(call.db, call.project_id, [row], call.caller.zone)
    standing, card_id = await progress_of(call.db, place, row, program)
    return Membership(
        member=member,
        program=ProgramSimple(
            id=program_row.id, name=program_row.name, status=program_row.status, metadata=program_row.metadata
        ),
        cards=[_membership_card(card, standing if _is(card, card_id) else NOTHING) for card in cards],
    )


def _is(card: MemberCard, card_id: str | None) -> bool:
    return card_id is not None and card.card.id.partition("_")[2] == card_id.partition("_")[2]


def _membership_card(card: MemberCard, standing: Any) -> MembershipCard:
    return MembershipCard(
        member_role=card.member_role, created_at=card.created_at, card=card.card, tier_progress=standing
    )


OF_PROGRAM: LiteralString = "/v2/loyalties/programs/{program_id}"
ONE: LiteralString = OF_PROGRAM + "/members/{member_id}"
TAG = "Loyalty members"

ROUTES = [
    Route(method="POST", path=f"{OF_PROGRAM}/members", handler=create_program_member, tag=TAG, kind="write"),
    Route(method="GET", path=f"{OF_PROGRAM}/members", handler=list_program_members, tag=TAG),
    Route(method="POST", path=f"{OF_PROGRAM}/members/batch", handler=create_program_members, tag=TAG, kind="flow", status=202, streams=True),
    Route(method="GET", path=ONE, handler=get_program_member, tag=TAG),
    Route(method="PUT", path=ONE, handler=update_program_member, tag=TAG, kind="write"),
    Route(method="DELETE", path=ONE, handler=delete_program_member, tag=TAG, kind="write"),
    Route(method="POST", path=f"{ONE}/activate", handler=activate_program_member, tag=TAG, kind="write"),
    Route(method="POST", path=f"{ONE}/deactivate", handler=deactivate_program_member, tag=TAG, kind="write"),
    Route(method="GET", path=f"{ONE}/activities", handler=list_program_member_activities, tag=TAG),
    Route(method="GET", path="/v2/loyalties/memberships/{customer_id}", handler=list_customer_memberships, tag=TAG),
    Route(method="GET", path=f"{OF_PROGRAM}/memberships/{{customer_id}}", handler=get_program_membership, tag=TAG),
]  # fmt: skip
