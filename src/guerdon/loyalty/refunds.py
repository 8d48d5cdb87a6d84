"""Refunds of purchases: the points go back into the very lots, what was given is taken back, the stock returns.

What was used meanwhile cannot be taken back: then there is no refund, unless the caller forces one.
"""

from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.ledger import Why
from guerdon.kit import db
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.loyalty import members_store, sheet
from guerdon.loyalty import purchases_store as store
from guerdon.loyalty.compiled import Reward
from guerdon.loyalty.giving import lock_vouchers
from guerdon.loyalty.place import Place
from guerdon.loyalty.purchases import details
from guerdon.loyalty.purchases_store import PurchaseRow
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.spent import Spent, put_back, spent_of
from guerdon.loyalty.standing import restand
from guerdon.loyalty.taking_back import Code, codes_given, take_back

REASON = "Reward refund: the points of the purchase were given back"

# What the older API shows of the purchase is taken back with it.
ROLLED_BACK = """
    update redemptions set status = 'ROLLED_BACK', returned_amount = amount
    where project_id = $1 and id = $2 and status = 'SUCCEEDED'
"""
UNUSED = """
    update vouchers set redeemed_quantity = redeemed_quantity - 1
    where project_id = $1 and id = $2 and redeemed_quantity > 0
"""


class Policies(Struct, frozen=True, kw_only=True):
    """force: also what the reward does not allow, and though what was given is used. write_off: the stock stays as
    it is. pending: purchases whose goods nobody has confirmed yet may come back too.
    """

    force: bool = False
    write_off: bool = False
    pending: bool = False


class Back(Struct):
    """A refund on its way."""

    purchase: PurchaseRow
    refund: PurchaseRow
    policies: Policies
    spent: Spent | None
    codes: dict[str, Code]


async def refund(
    conn: db.Conn, place: Place, program_id: str, purchase_id: str, policies: Policies
) -> PurchaseRow:
    """The refund, written in the transaction that is open; it takes all locks itself, members first.

    Raises `ApiError` 404; 409 ``invalid_reward_transaction``, ``reward_not_refundable``, ``reward_already_used``.
    """
    known = await store.find(conn, place.project_id, purchase_id)
    if known is None or known.program_id != program_id:
        raise not_found("reward transaction", purchase_id)
    members = await members_store.lock_all(conn, place.project_id, await _members(conn, place, known))
    purchase = await store.find(conn, place.project_id, purchase_id, lock=True)
    assert purchase is not None, "purchases stay"
    _check(place, purchase, policies, {row.id for row in members if row.status != "DELETED"})
    if purchase.redemption_id is not None:  # whose use comes back: vouchers before the ledger's cards
        given = purchase.given.get("voucher_id", purchase.card_id)
        await lock_vouchers(conn, place.project_id, [purchase.card_id, given])
    codes = await codes_given(conn, place.project_id, [purchase.given])
    entries = {} if purchase.entry_id is None else {purchase.entry_id: purchase.card_id}
    lots = [lot for one in (await spent_of(conn, place.project_id, entries)).values() for lot in one.lots]
    gift = [purchase.given["card_id"]] if purchase.given.get("kind") == "GIFT" else []
    lots += [purchase.given["lot_id"]] if "lot_id" in purchase.given else []
    page = await open_sheet(conn, place, members, lots, gift)
    spent = (await spent_of(conn, place.project_id, entries)).get(purchase.entry_id or "")
    back = Back(purchase, _row(place, purchase), policies, spent, codes)
    result = await _take_back(conn, page, back)
    await _write(conn, page, back, result)
    return back.refund


async def _members(conn: db.Conn, place: Place, purchase: PurchaseRow) -> set[str]:
    """The buyer, and whoever the points went to."""
    found = {purchase.member_id}
    if purchase.given.get("kind") == "POINTS":
        cards = await members_store.cards(conn, place.project_id, [purchase.given["card_id"]])
        found |= {card.member_id for card in cards}
    return found


def _check(place: Place, purchase: PurchaseRow, policies: Policies, members: set[str]) -> None:
    allowed = ("APPROVED", "PENDING") if policies.pending else ("APPROVED",)
    if purchase.type != "PURCHASE" or purchase.status not in allowed:
        raise conflict(
            "invalid_reward_transaction", "Invalid reward transaction",
            f"It is a {purchase.type} that is {purchase.status}; an APPROVED PURCHASE can be refunded.", purchase,
        )  # fmt: skip
    if purchase.member_id not in members:
        raise conflict(
            "invalid_reward_transaction",
            "Invalid reward transaction",
            "The member has left the program.",
            purchase,
        )
    reward = _reward(place, purchase)
    if not policies.force and (reward is None or not reward.refundable):
        raise conflict(
            "reward_not_refundable", "Reward is not refundable",
            "The reward's refunds are NONE; policies.refund ALLOW gives the points back all the same.", purchase,
        )  # fmt: skip


def _reward(place: Place, purchase: PurchaseRow) -> Reward | None:
    program = place.program(purchase.program_id)
    return None if program is None else program.rewards.get(purchase.reward_id)


def _row(place: Place, purchase: PurchaseRow) -> PurchaseRow:
    return replace(
        purchase,
        id=new_id("reward_purchase"),
        type="REFUND",
        status="APPROVED",
        entry_id=None,
        purchase_id=purchase.id,
        details=details(REASON, purchase.points),
        given={},
        created_at=place.now,
        updated_at=place.now,
    )


async def _take_back(conn: db.Conn, page: Sheet, back: Back) -> dict[str, Any] | None:
    """Take back what was given; the purchase's result with what became of it."""
    given, result = back.purchase.given, back.purchase.details.get("result")
    taken = await take_back(conn, page, back.codes, given, back.refund.id)
    if taken.used and not back.policies.force:
        raise conflict(
            "reward_already_used", "Reward was used already",
            "What was given is used, so it cannot be taken back; policies.refund ALLOW gives the points back all"
            " the same.", back.purchase,
        )  # fmt: skip
    digital = (result or {}).get("digital")
    if not result or not digital:
        return result
    told: dict[str, Any] = {}
    match given["kind"]:
        case "COUPON":
            outcome = {"result": "DELETED" if taken.deleted else "SKIPPED"}
            told["discount_coupons"] = [one | outcome for one in digital["discount_coupons"]]
        case "GIFT":
            card = page.book.cards.get(given["card_id"])
            outcome = {
                "amount": taken.amount,
                "balance": 0 if card is None else card.balance,
                "result": "CREDITS_SUBTRACTED" if taken.amount else "SKIPPED",
            }
            told["gift_vouchers"] = [one | outcome for one in digital["gift_vouchers"]]
        case _:
            told["loyalty_card_points"] = digital["loyalty_card_points"] | {"points": taken.amount}
    return result | {"digital": digital | told}


async def _write(conn: db.Conn, page: Sheet, back: Back, result: dict[str, Any] | None) -> None:
    purchase, row, project_id = back.purchase, back.refund, page.place.project_id
    points = 0 if back.spent is None else back.spent.points
    row.points = points
    card = page.cards.get(purchase.card_id)
    if back.spent is not None and points and card is not None:
        why = Why(related_id=purchase.entry_id, redemption_id=purchase.redemption_id, cause_id=row.id)
        row.entry_id = put_back(page, card, back.spent, points, why).id
    row.details |= {"points": {"total": points}, "result": result}
    purchase.status, purchase.updated_at = "REFUNDED", page.place.now
    await sheet.write(conn, page)
    if not back.policies.write_off:
        pair = (purchase.program_id, purchase.reward_id)
        part = page.place.snapshot.loyalty.get(purchase.reward_id)  # which the program may not have any more
        shared = [purchase.reward_id] if part is not None and "v1" in part.body else []
        stock = await store.lock_stock(conn, project_id, [pair], shared)
        stock.take(*pair, count=-1)
        await store.write_stock(conn, project_id, stock)
    await store.settle(conn, project_id, purchase)
    await store.insert(conn, project_id, [row])
    if purchase.redemption_id is not None:
        shown = await db.execute(conn, ROLLED_BACK, project_id, purchase.redemption_id)
        if shown:  # else nothing was counted yet
            await db.execute(conn, UNUSED, project_id, purchase.card_id)
    about = {"id": row.id, "purchase_id": purchase.id, "points": points, "reward": {"id": purchase.reward_id}}
    customer = page.members[purchase.member_id].customer_id
    page.events.append(Event("customer.reward_redemptions.rolledback", row.id, customer, about))
    await restand(conn, page, page.moved, "RETURN")
    await sheet.close(conn, page)


def conflict(key: str, message: str, details: str, purchase: PurchaseRow) -> ApiError:
    """409, of a purchase."""
    return ApiError(409, key, message, details, resource_id=purchase.id, resource_type="reward_transaction")
