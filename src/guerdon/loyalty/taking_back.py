"""Taking back what rewards and benefits gave: codes are deleted, credits and points go off their card."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from msgspec import Struct

from guerdon.engine.ledger import Why, claw_back
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.loyalty.sheet import Sheet
from guerdon.vouchers import store

CODES = """
    select v.id, v.code, v.campaign_id, v.generic, v.redeemed_quantity, v.deleted_at is not null as gone
    from vouchers v where v.project_id = $1 and v.id = any($2) order by v.id for update
"""


class Code(Struct):
    """A code that was given."""

    id: str
    code: str
    campaign_id: str | None
    generic: bool
    redeemed_quantity: int
    gone: bool


class Taken(Struct):
    """What came back of what was given: how much, and whether some of it was `used` meanwhile."""

    amount: int = 0
    deleted: bool = False
    used: bool = False


Policy = Literal["LOT", "FLOOR", "DEBT", "NEGATIVE"]
"""What becomes of credits and points that are spent: nothing, for LOT; else as the ledger's `claw_back` has it."""


async def codes_given(conn: db.Conn, project_id: str, givens: Iterable[Mapping[str, Any]]) -> dict[str, Code]:
    """The codes among what was given, locked; after members, before the ledger's cards."""
    ids = sorted({given["voucher_id"] for given in givens if given.get("kind") == "COUPON"})
    rows = await db.rows(conn, Code, CODES, project_id, ids) if ids else []
    return {row.id: row for row in rows}


async def take_back(
    conn: db.Conn,
    page: Sheet,
    codes: Mapping[str, Code],
    given_: Mapping[str, Any],
    cause: str,
    *,
    policy: Policy = "LOT",
    amount: int | None = None,
) -> Taken:
    """Take back what was given (a row's `given`), or so much of it: a code is deleted, the rest goes off its card."""
    match given_.get("kind"):
        case "COUPON":
            return await _code_back(conn, page, codes.get(given_["voucher_id"]))
        case "GIFT" | "POINTS":
            wanted = given_.get("amount", 0) if amount is None else amount
            return _claw(page, given_, cause, policy, wanted)
        case _:
            return Taken()


async def _code_back(conn: db.Conn, page: Sheet, code: Code | None) -> Taken:
    if code is None or code.redeemed_quantity:
        return Taken(used=code is not None)
    if code.gone or code.generic:
        return Taken()
    project_id = page.place.project_id
    await store.remove(conn, project_id, code.id, force=False)
    if code.campaign_id is not None:
        await store.count_in_campaign(conn, project_id, code.campaign_id, -1)
    data = {"code": code.code, "campaign_id": code.campaign_id}
    page.events.append(Event("voucher.deleted", code.id, data=data))
    return Taken(deleted=True)


def _claw(page: Sheet, given_: Mapping[str, Any], cause: str, policy: Policy, wanted: int) -> Taken:
    """Take it off its card: what is left of its lot, and for the rest as is policy."""
    card = page.book.cards.get(given_["card_id"])
    lot = None if card is None else card.lots.get(given_.get("lot_id", ""))
    left = 0 if lot is None else min(lot.remaining, wanted)
    if card is None or lot is None or not wanted or (policy == "LOT" and not left):
        return Taken(used=left < wanted)
    row = page.cards.get(card.id)
    entry = claw_back(
        card, "CREDITS_REMOVAL" if row is None else "POINTS_CLAWBACK", [lot.id],
        left if policy == "LOT" else wanted, page.place.now, new_id("card_entry"),
        policy="FLOOR" if policy == "LOT" else policy, why=Why(related_id=lot.entry_id, cause_id=cause),
    )  # fmt: skip
    if entry is None:
        return Taken(used=True)
    page.book.enter([entry])
    if row is not None:
        page.told(row, entry)
        page.moved.add(row.member_id)
    else:
        data = {
            "transaction_id": entry.id,
            "type": entry.type,
            "amount": entry.amount,
            "balance": entry.balance,
        }
        page.events.append(Event("voucher.gift.transaction.created", card.id, None, data))
    return Taken(amount=-entry.amount, used=left < wanted)
