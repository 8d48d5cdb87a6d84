"""Purchases of rewards over HTTP, in v2 of the API: made, listed and refunded."""

from typing import LiteralString

import msgspec
from msgspec import UNSET

from guerdon.kit import clock
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError
from guerdon.kit.filters import Field
from guerdon.loyalty import programs
from guerdon.loyalty import purchases_store as store
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.faces import listed
from guerdon.loyalty.members import found
from guerdon.loyalty.place import held_place, shown_card, suffix
from guerdon.loyalty.purchases import REASON, Wanted, buy, details, show
from guerdon.loyalty.purchases_store import COLUMNS, PurchaseRow
from guerdon.loyalty.refunds import Policies, refund
from guerdon.loyalty.shapes_programs import CursorList
from guerdon.loyalty.shapes_purchases import (
    PurchaseDetails,
    PurchaseDone,
    PurchaseIn,
    PurchaseSimulated,
    RefundDone,
    RefundIn,
    RefundPolicies,
    RewardTransaction,
)

PURCHASES = CursorListing(
    prefix="lcrstrx_",
    columns=COLUMNS,
    source="loyalty_purchases p",
    where="p.project_id = $1 and p.program_id = $2 and p.member_id = $3 and p.type = 'PURCHASE'",
    id="p.id",
    fields={
        "id": Field("p.id"),
        "reward_id": Field("p.reward_id"),
        "created_at": Field("p.created_at", "date"),
    },
    sorts={"created_at": ("p.created_at", True)},
)


def shown_entry(entry_id: str | None) -> str | None:
    """How v2 calls an entry on a card."""
    return None if entry_id is None else "lctx_" + suffix(entry_id)


def shown(row: PurchaseRow) -> RewardTransaction:
    """A purchase or refund as answered."""
    return RewardTransaction(
        id=row.id,
        card_id=shown_card(row.card_id),
        card_transaction_id=shown_entry(row.entry_id),
        program_id=row.program_id,
        member_id=row.member_id,
        reward_id=row.reward_id,
        status=row.status,  # type: ignore[arg-type]
        type=row.type,  # type: ignore[arg-type]
        details=msgspec.convert(row.details, PurchaseDetails),
        created_at=clock.iso(row.created_at),
        updated_at=None if row.updated_at is None else clock.iso(row.updated_at),
    )


async def purchase_member_reward(
    call: Call, program_id: str, member_id: str, data: PurchaseIn
) -> PurchaseSimulated | Reply:
    """Buy a reward for a member with points.

    Points, stock and what is given are decided and written at once; the answer (202) shows the purchase as it began,
    the list what came of it. With mode DRY_RUN (200) nothing is written. 423 says what forbids the purchase, and
    nothing has changed then.
    """
    place = await held_place(call.conn, call.project_id)
    wanted = Wanted(program_id=program_id, member_id=member_id, reward_id=data.reward_id)
    dry = data.mode == "DRY_RUN"
    (bought,) = await buy(call.conn, place, [wanted], dry=dry)
    if isinstance(bought, ApiError):
        raise bought
    told = shown(bought.row)
    told.details = msgspec.convert(details(REASON, bought.row.points), PurchaseDetails)
    told.updated_at = None
    if dry:
        told.id, told.created_at, told.status = UNSET, UNSET, "SIMULATED"
        return PurchaseSimulated(transaction=told)
    told.status = "PENDING"
    return Reply(PurchaseDone(transaction=told), 202)


async def list_member_reward_purchases(
    call: Call,
    program_id: str,
    member_id: str,
    limit: int = 10,
    order: str = "-created_at",
    cursor: str | None = None,
) -> CursorList[RewardTransaction]:
    """List what a member bought with points.

    `order` is created_at or -created_at; `filters[field][conditions][$operator]` on id, reward_id and created_at
    narrows the list.
    """
    await programs.found(call.db, call.project_id, program_id)
    await found(call.db, call.project_id, program_id, member_id)
    return await listed(call, PurchaseRow, PURCHASES, shown, (program_id, member_id))


async def refund_reward_purchase(
    call: Call, program_id: str, reward_transaction_id: str, data: RefundIn | None = None
) -> RefundDone:
    """Refund a purchase: the points go back where they came from.

    What was given is taken back: a code is deleted, credits and points are taken off their card. Where it was used
    meanwhile, and where the reward's refunds are NONE, that is refused (409), unless `policies.refund` is ALLOW. Points
    whose time is over lapse again.
    """
    await programs.found(call.db, call.project_id, program_id)
    said = (data or RefundIn()).policies or RefundPolicies()
    policies = Policies(force=said.refund == "ALLOW", write_off=said.stock == "WRITE_OFF")
    place = await held_place(call.conn, call.project_id)
    row = await refund(call.conn, place, program_id, reward_transaction_id, policies)
    told = shown(row)
    bought = await store.find(call.conn, call.project_id, reward_transaction_id)
    await show(call.conn, call.project_id, [] if bought is None else [bought])
    entry = None if bought is None else shown_entry(bought.entry_id)
    told.details.purchase = {
        "card_transaction": None if entry is None else {"id": entry},
        "reward_transaction": {"id": reward_transaction_id},
    }
    return RefundDone(transaction=told)


OF_PROGRAM: LiteralString = "/v2/loyalties/programs/{program_id}"
BOUGHT: LiteralString = OF_PROGRAM + "/members/{member_id}/rewards/purchases"
REFUND: LiteralString = OF_PROGRAM + "/rewards/purchases/{reward_transaction_id}/refund"
TAG = "Loyalty purchases"

ROUTES = [
    Route(
        method="POST", path=BOUGHT, handler=purchase_member_reward, tag=TAG, kind="write", also={202: PurchaseDone}
    ),
    Route(method="GET", path=BOUGHT, handler=list_member_reward_purchases, tag=TAG),
    Route(method="POST", path=REFUND, handler=refund_reward_purchase, tag=TAG, kind="write", status=202),
]  # fmt: skip
