"""Whom a question is about, and what answers to questions have in common."""

from collections.abc import Iterable, Mapping
from typing import Any

from msgspec import Struct

from guerdon.customers.store import CustomerRow
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.loyalty import members_store
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.dry_run import with_metadata
from guerdon.loyalty.members import customer_named
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.place import Place, place_of, running, shown_card
from guerdon.loyalty.shapes_examine import (
    ExaminedCard,
    ExaminedCustomer,
    ExaminedIdentification,
    ExaminedMember,
    ExaminedProgram,
)

PARTS = "select id, name, type, body, metadata from loyalty_parts where project_id = $1 and id = any($2)"


class Membership(Struct):
    """A member of a program that runs now."""

    member: MemberRow
    program: Program


class Whom(Struct):
    """The customer, and the memberships that are asked about."""

    place: Place
    customer: CustomerRow
    memberships: list[Membership]


async def whom(call: Call, said: ExaminedIdentification) -> Whom:
    """Who is meant, with the active memberships of programs that run. Raises `ApiError` 400, 404."""
    name = getattr(said, said.type)
    if name is None:
        raise invalid_payload(Fault(f"customer_identification.{said.type}", "is required"))
    for other in ("customer_id", "customer_source_id", "member_id"):
        if other != said.type and getattr(said, other) is not None:
            raise invalid_payload(
                Fault(f"customer_identification.{other}", f"does not belong to {said.type}")
            )
    customer = await customer_named(call, str(name), said.type)
    place = await place_of(call.db, call.project_id)
    rows = await members_store.of_customer(call.db, call.project_id, customer.id)
    found: list[Membership] = []
    for row in rows:
        program = place.program(row.program_id)
        meant = said.type != "member_id" or row.id == name
        if (
            meant
            and row.status == "ACTIVE"
            and program is not None
            and running(program, place.now, place.zone)
        ):
            found.append(Membership(row, program))
    return Whom(place, customer, found)


def overridden(membership: Membership, metadata: Mapping[str, Any] | None) -> Membership:
    """The same with metadata put over the member's."""
    return Membership(with_metadata(membership.member, metadata), membership.program)


async def cards_of(conn: db.Db, place: Place, member: MemberRow) -> list[tuple[CardRow, ExaminedCard]]:
    """A member's cards, the oldest first."""
    rows = await members_store.cards_of(conn, place.project_id, [member.id])
    on_them = await members_store.shown(conn, place.project_id, [row.id for row in rows])
    there = sorted((row for row in rows if row.id in on_them), key=lambda row: (row.created_at, row.id))
    return [
        (
            row,
            ExaminedCard(
                id=shown_card(row.id), card_definition_id=row.definition_id, code=on_them[row.id].code
            ),
        )
        for row in there
    ]


async def parts(conn: db.Db, project_id: str, ids: Iterable[str]) -> dict[str, db.Record]:
    """Parts of programs by their ids."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    return {record["id"]: record for record in await db.records(conn, PARTS, project_id, wanted)}


def customer(row: CustomerRow) -> ExaminedCustomer:
    """A customer as stored."""
    return ExaminedCustomer(id=row.id, source_id=row.source_id, metadata=row.metadata)


def member(row: MemberRow) -> ExaminedMember:
    """A member."""
    return ExaminedMember(
        id=row.id, customer_id=row.customer_id, program_id=row.program_id, metadata=row.metadata
    )


def program(found: Program) -> ExaminedProgram:
    """A program."""
    return ExaminedProgram(id=found.id, name=found.name, metadata=dict(found.metadata))
