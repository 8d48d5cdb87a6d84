"""A member's way through the tiers, as v2 lists it."""

from datetime import datetime
from typing import Any

from msgspec import Struct

from guerdon.kit.clock import iso
from guerdon.kit.filters import Field
from guerdon.loyalty.card_transactions import transaction_id
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.place import shown_card
from guerdon.loyalty.shapes_cards_moved import TierDetails, TierOrigin, TierTransaction

TRANSACTIONS = CursorListing(
    prefix="lcrsttx_",
    columns=(
        "t.id, t.program_id, t.member_id, t.card_id, t.structure_id, t.type, t.tier_from, t.tier_to, t.points, t.origin,"
        " t.starts_at, t.expires_at, t.status, t.created_at, t.updated_at, c.definition_id"
    ),
    source=(
        "loyalty_tier_changes t join loyalty_cards c on c.project_id = t.project_id and c.id = t.card_id"
    ),
    where="t.project_id = $1 and c.project_id = $1 and t.member_id = $2",
    id="t.id",
    fields={
        "card_id": Field("'lcrd_' || substr(t.card_id, strpos(t.card_id, '_') + 1)"),
        "created_at": Field("t.created_at", "date"),
    },
    sorts={"created_at": ("t.created_at", True)},
)
AT_NIGHT = ("TIME", "EXPIRATION")


class TierChangeRow(Struct, kw_only=True):
    """A row of `loyalty_tier_changes`, with the definition of its card."""

    id: str
    program_id: str
    member_id: str
    card_id: str
    structure_id: str
    type: str
    tier_from: str | None
    tier_to: str | None
    points: int | None
    origin: dict[str, Any] | None
    starts_at: datetime | None
    expires_at: datetime | None
    status: str
    created_at: datetime
    updated_at: datetime | None
    definition_id: str


def shown(row: TierChangeRow) -> TierTransaction:
    """A step of the way."""
    origin = None
    if row.origin is not None:
        at_night = row.origin["type"] in AT_NIGHT
        origin = TierOrigin(
            type="daily_task_operations" if at_night else "card_operations",
            card_transaction_ids=[
                transaction_id(each) for each in row.origin.get("card_transaction_ids", ())
            ],
        )
    return TierTransaction(
        id=row.id,
        card_id=shown_card(row.card_id),
        program_id=row.program_id,
        member_id=row.member_id,
        card_definition_id=row.definition_id,
        tier_structure_id=row.structure_id,
        tier_id=row.tier_to or row.tier_from,
        type=row.type,  # type: ignore[arg-type]
        details=TierDetails(
            points=row.points,
            tier_from=row.tier_from,
            tier_to=row.tier_to,
            origin=origin,
            start_at=None if row.starts_at is None else iso(row.starts_at),
            expires_at=None if row.expires_at is None else iso(row.expires_at),
        ),
        status=row.status,  # type: ignore[arg-type]
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
    )
