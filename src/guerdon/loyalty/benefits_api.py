"""Benefits that members were given, over HTTP, in v2 of the API."""

import msgspec

from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.kit.filters import Field
from guerdon.loyalty import programs
from guerdon.loyalty.benefits import COLUMNS, BenefitRow
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.faces import listed
from guerdon.loyalty.members import found
from guerdon.loyalty.shapes_programs import CursorList
from guerdon.loyalty.shapes_purchases import BenefitDetails, BenefitTransaction

GIVEN = CursorListing(
    prefix="lcrsbtx_",
    columns=COLUMNS,
    source="loyalty_benefits b",
    where="b.project_id = $1 and b.program_id = $2 and b.member_id = $3",
    id="b.id",
    fields={"benefit_id": Field("b.benefit_id"), "created_at": Field("b.created_at", "date")},
    sorts={"created_at": ("b.created_at", True)},
)


def shown(row: BenefitRow) -> BenefitTransaction:
    """A benefit that was given, as answered."""
    return BenefitTransaction(
        id=row.id,
        benefit_id=row.benefit_id,
        program_id=row.program_id,
        member_id=row.member_id,
        earning_rule_id=row.rule_id,
        details=msgspec.convert(row.details, BenefitDetails),
        status=row.status,  # type: ignore[arg-type]
        created_at=clock.iso(row.created_at),
        updated_at=None if row.updated_at is None else clock.iso(row.updated_at),
    )


async def list_member_benefit_transactions(
    call: Call,
    program_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[BenefitTransaction]:
    """List the benefits that earning rules gave a member.

    `order` is created_at or -created_at; `filters[field][conditions][$operator]` on benefit_id and created_at narrows
    the list.
    """
    await programs.found(call.db, call.project_id, program_id)
    await found(call.db, call.project_id, program_id, member_id)
    return await listed(call, BenefitRow, GIVEN, shown, (program_id, member_id))


ROUTES = [
    Route(
        method="GET",
        path="/v2/loyalties/programs/{program_id}/members/{member_id}/benefits/transactions",
        handler=list_member_benefit_transactions,
        tag="Loyalty purchases",
    ),
]
