"""Putting rewards on cards and taking them back, through the ledger."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from guerdon.engine.ledger import Card, Entry, Why, claw_back, grant
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import book as books
from guerdon.ledger.book import Note, entry_ids
from guerdon.referrals import store
from guerdon.referrals.store import Referral, RewardRow


class Change(Struct):
    """A reward as it is to be written, and what moves on its card: positive is given, until `ends`, negative taken back."""

    reward: RewardRow
    amount: int
    ends: datetime | None = None


async def carry(
    conn: db.Conn, project_id: str, referral: Referral, changes: Sequence[Change], now: datetime
) -> None:
    """Write rewards, and the entries on their cards.

    What was spent of a reward that is taken back is owed by the card; what has lapsed of it was nobody's use.
    """
    moving = [one for one in changes if one.amount]
    cards = {one.reward.card_id for one in moving if one.reward.card_id is not None}
    lots = {one.reward.lot_id for one in moving if one.reward.lot_id is not None}
    book = await books.load(conn, project_id, cards, lock=True, lots=lots)
    back = [one for one in moving if one.amount < 0]
    lapsed = await store.lapsed(conn, project_id, cards, lots if back else ())
    for one in back:
        one.amount = -max(0, min(-one.amount, one.reward.stands - lapsed.get(one.reward.lot_id or "", 0)))
        one.reward.clawed -= one.amount
    events: list[Event] = []
    for one in moving:
        card = book.cards.get(one.reward.card_id or "")
        if card is None:  # deleted for good, and what was on it with it
            continue
        entry = _move(card, one, referral, now)
        if entry is not None:
            book.enter([entry], Note("", reason="referral", source="AUTOMATION"))
            events += _told(card, entry, one.reward, referral)
    await books.write(conn, project_id, book, now)
    for one in changes:
        await store.update_reward(conn, project_id, one.reward, now)
    await emit(conn, project_id, events)


def _move(card: Card, change: Change, referral: Referral, now: datetime) -> Entry | None:
    why = Why(order_id=referral.order_id, cause_id=change.reward.id)
    credits = card.unit == "credits"
    if change.amount > 0:
        ids = entry_ids()[0]
        change.reward.lot_id = ids[1]
        kind = "CREDITS_ADDITION" if credits else "POINTS_ADDITION"
        return grant(card, kind, change.amount, now, ids, expires_at=change.ends, why=why)
    kind = "CREDITS_REMOVAL" if credits else "POINTS_CLAWBACK"
    lots = [change.reward.lot_id or ""]
    return claw_back(card, kind, lots, -change.amount, now, new_id("card_entry"), policy="DEBT", why=why)


def _told(card: Card, entry: Entry, reward: RewardRow, referral: Referral) -> list[Event]:
    data: dict[str, Any] = {
        "transaction_id": entry.id,
        "amount": entry.amount,
        "balance": card.balance,
        "referral": {"id": referral.id, "referrer_id": referral.referrer_id},
        "referral_tier": {"id": reward.tier, "campaign_id": referral.campaign_id},
        "campaign": {"id": referral.campaign_id, "object": "campaign"},
        "voucher": {"id": card.id, "object": "voucher"},
    }
    credits = card.unit == "credits"
    kind = "voucher.gift" if credits else "voucher.loyalty_card"
    events = [Event(f"{kind}.transaction.created", card.id, data=data)]
    if entry.amount > 0:
        added = "balance_aded" if credits else "points_aded"
        shown = "voucher.gift.balance_added" if credits else "voucher.loyalty_card.points_added"
        rewarded = "customer.rewarded" if credits else "customer.rewarded.loyalty_points"
        events += [
            Event(f"{kind}.{added}", card.id, data=data),
            Event(f"customer.{shown}", card.id, reward.customer_id, data),
            Event(rewarded, reward.id, reward.customer_id, data),
        ]
    return events
