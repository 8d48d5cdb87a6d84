"""Rewards that were bought elsewhere than with a redemption, shown as redemptions of the card.

What members of a program of the older API get by themselves, or by the newer API, is a redemption there too. The
purchase says by which id; a job writes it down, once, and its rollback where the purchase was refunded since.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct, field
from msgspec.structs import astuple

from guerdon.customers.store import find as find_customer
from guerdon.customers.tracking import tracking_id
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.log import get_logger
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty import members_store, purchases_store
from guerdon.loyalty.compiled import Reward
from guerdon.loyalty.earn import Told
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.purchases_store import PurchaseRow
from guerdon.loyalty.v1_names import older
from guerdon.products.store import find_product, find_sku
from guerdon.redemptions import rewarded
from guerdon.redemptions.record import COLUMNS, Row
from guerdon.vouchers import locked
from guerdon.vouchers.locked import TermsCache, Voucher
from guerdon.vouchers.store import find as find_voucher

logger = get_logger()

WRITTEN = """
    select id from redemptions where project_id = $1 and id = any($2)
    union all
    select redemption_id from redemptions
    where project_id = $1 and redemption_id = any($2) and object = 'redemption_rollback' and result = 'SUCCESS'
"""


class Books(Struct):
    """What is there already, and what is to be written."""

    place: Place
    written: list[str]
    vouchers: Mapping[str, Voucher]
    members: dict[str, MemberRow | None] = field(default_factory=dict)
    rows: list[tuple[Row, datetime]] = field(default_factory=list)


async def show_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Write the redemptions of purchases, in the transaction that is open."""
    await show(conn, await held_place(conn, project_id), {n for _, p, _ in told for n in p["purchases"]})


async def show(conn: db.Conn, place: Place, purchase_ids: Collection[str]) -> None:
    """The same of these purchases; those that are written are left alone. Purchases are locked before vouchers."""
    project_id = place.project_id
    purchases = await purchases_store.lock_all(conn, project_id, purchase_ids)
    found = await locked.look(conn, project_id, [], [one.card_id for one in purchases], lock=True)
    await TermsCache().fill(conn, project_id, found)
    names = [one.redemption_id for one in purchases]
    written = [record["id"] for record in await db.records(conn, WRITTEN, project_id, names)]
    books = Books(place, written, {voucher.id: voucher for voucher in found})
    for one in purchases:
        await _show(conn, books, one)
    if not books.rows:
        return
    await db.insert(conn, "redemptions", COLUMNS, [(project_id, *astuple(row), at) for row, at in books.rows])
    await locked.take(conn, project_id, [voucher for voucher in found if voucher.uses])
    await emit(conn, project_id, [_event(row) for row, _ in books.rows])


async def _show(conn: db.Conn, books: Books, purchase: PurchaseRow) -> None:
    """One purchase: its redemption, and the rollback where it is refunded."""
    voucher, times = books.vouchers.get(purchase.card_id), books.written.count(purchase.redemption_id or "")
    refunded = purchase.status == "REFUNDED"
    if voucher is None or times > int(refunded):
        return
    row = await _row(conn, books, purchase, voucher)
    if times == 0:
        if refunded:
            row.status = "ROLLED_BACK"
        elif _used_up(voucher):
            logger.warning("a purchase goes beyond the uses of its card", purchase=purchase.id)
            return
        else:
            voucher.use(1)
        books.rows.append((row, purchase.created_at))
    if refunded:
        back = Row(
            id=new_id("rollback"),
            object="redemption_rollback",
            redemption_id=row.id,
            related_object_id=row.related_object_id,
            voucher_id=row.voucher_id,
            voucher_code=row.voucher_code,
            campaign_id=row.campaign_id,
            customer_id=row.customer_id,
            tracking_id=row.tracking_id,
            reward=row.reward,
        )
        books.rows.append((back, purchase.updated_at or books.place.now))


def _used_up(voucher: Voucher) -> bool:
    assert voucher.kept is not None
    most = voucher.kept.terms.quantity
    return most is not None and voucher.redeemed_quantity >= most


async def _row(conn: db.Conn, books: Books, purchase: PurchaseRow, voucher: Voucher) -> Row:
    place = books.place
    if purchase.member_id not in books.members:
        members = await members_store.anywhere(conn, place.project_id, purchase.member_id)
        books.members[purchase.member_id] = members
    member, program = books.members[purchase.member_id], place.program(purchase.program_id)
    reward = None if program is None else program.rewards.get(purchase.reward_id)
    customer = None if member is None else await find_customer(conn, place.project_id, member.customer_id)
    said: dict[str, Any] = {
        "id": older("reward", purchase.reward_id),
        "points": purchase.points,
        "object": "reward",
    }
    if reward is not None:
        tier_id = None if member is None else member.tier_id
        said = await kept(conn, place.project_id, reward, purchase, tier_id)
    return Row(
        id=purchase.redemption_id or "",
        related_object_id=voucher.id,
        voucher_id=voucher.id,
        voucher_code=voucher.code,
        campaign_id=voucher.campaign_id,
        customer_id=None if member is None else member.customer_id,
        tracking_id=tracking_id(None, customer),
        reward=said,
    )


def _event(row: Row) -> Event:
    what = "redemption.succeeded" if row.object == "redemption" else "redemption.rollback.succeeded"
    return Event(what, row.id, row.customer_id)


async def kept(
    conn: db.Conn, project_id: str, reward: Reward, purchase: PurchaseRow, tier_id: str | None
) -> dict[str, Any]:
    """A reward that was bought, as the redemption keeps it."""
    more: dict[str, Any] = {}
    if tier_id is not None:
        more["loyalty_tier_id"] = older("tier", tier_id)
    name = purchase.given.get("voucher_id") or purchase.given.get("card_id")
    if name is not None:
        voucher = await find_voucher(conn, project_id, name, True)
        if voucher is not None:
            more["voucher"] = {
                "id": voucher.id,
                "code": voucher.code,
                "type": voucher.type,
                "campaign_id": voucher.campaign_id,
                "object": "voucher",
            }
    product = rewarded.parameters_of(reward).get("product")
    if product is not None:
        found = await find_product(conn, project_id, product["id"])
        if found is not None:
            more["product"] = {"id": found.id, "source_id": found.source_id, "name": found.name}
        sku = product["sku_id"] and await find_sku(conn, project_id, product["sku_id"])
        if sku:
            more["sku"] = {"id": sku.id, "source_id": sku.source_id, "sku": sku.sku}
    return rewarded.given(reward, purchase.points, **more)
