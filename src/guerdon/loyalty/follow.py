"""What follows after points moved elsewhere: tiers are decided anew, what slides lasts longer, what ended lapses."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from guerdon.engine.expiry import SPENDING
from guerdon.engine.ledger import Entry, Lot, lapse
from guerdon.kit import db, outbox
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.loyalty import members_store, pending, sheet
from guerdon.loyalty.earn import Told, slide
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.sheet import Sheet, open_sheet
from guerdon.loyalty.standing import restand

PAID = "select id, amount from redemptions where project_id = $1 and id = any($2)"


async def follow_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Members whose cards were moved stand where they should."""
    place = await held_place(conn, project_id)
    wanted = {name for _, payload, _ in told for name in payload["cards"]}
    spent = {name for _, payload, _ in told for name in payload["spent"]}
    cards = await members_store.cards(conn, project_id, wanted)
    members = await members_store.lock_all(conn, project_id, {card.member_id for card in cards})
    page = await open_sheet(conn, place, members)
    for card in page.cards.values():
        program = place.program(card.program_id)
        if card.id in spent and program is not None:
            slide(page, program, card.member_id, SPENDING)
    await _count_spending(conn, page, told)
    await sheet.write(conn, page)
    await restand(conn, page, page.members.keys())
    await sheet.close(conn, page)


async def _count_spending(conn: db.Conn, page: Sheet, told: Sequence[Told]) -> None:
    """Points that redemptions paid orders with, and what those came to."""
    uses = [(payload["at"], *use) for _, payload, _ in told for use in payload.get("uses", ())]
    ids = sorted({redemption_id for *_, redemption_id in uses if redemption_id is not None})
    amounts = (
        {r["id"]: r["amount"] for r in await db.records(conn, PAID, page.place.project_id, ids)}
        if ids
        else {}
    )
    for at, card_id, points, redemption_id in uses:
        if card_id in page.cards:
            amount = amounts.get(redemption_id) or 0
            page.days.spend(
                page.place, page.cards[card_id], points, datetime.fromisoformat(at), amount=amount
            )


async def wake_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """Custom events that pending points wait for, or that make points and tiers last longer, happened."""
    place = await held_place(conn, project_id)
    customers = {payload["customer_id"] for _, payload, _ in told}
    found = [
        row for name in sorted(customers) for row in await members_store.of_customer(conn, project_id, name)
    ]
    members = await members_store.lock_all(conn, project_id, {row.id for row in found})
    page = await open_sheet(conn, place, members)
    done = pending.Settled([], [])
    for _, payload, at in told:
        of = [member for member in members if member.customer_id == payload["customer_id"]]
        cards = [card.id for member in of for card in page.by_member.get(member.id, {}).values()]
        for member in of:
            program = place.program(member.program_id)
            if program is not None:
                slide(page, program, member.id, payload["schema_id"])
        ids = await pending.waking(conn, project_id, cards, payload["schema_id"])
        rows = [
            row
            for row in await pending.lock(conn, project_id, ids)
            if row.id not in {r.id for r in done.rows}
        ]
        settled = pending.settle(page, rows, "activate", at)
        done.rows.extend(settled.rows)
        done.made.extend(settled.made)
    await sheet.write(conn, page)
    await pending.write(conn, page, done)
    await restand(conn, page, page.moved)
    await sheet.close(conn, page)


async def lapse_all(conn: db.Conn, project_id: str, told: Sequence[Told]) -> None:
    """What came back into lots that had ended goes again."""
    place = await held_place(conn, project_id)
    await lapse_cards(conn, place, {name for _, payload, _ in told for name in payload["cards"]})


async def lapse_cards(
    conn: db.Conn, place: Place, card_ids: Collection[str], over: Collection[str] = ()
) -> int:
    """Take what has ended off cards of any kind, whole cards for those that are `over`; how many lost something."""
    cards = await members_store.cards(conn, place.project_id, card_ids)
    loyal = {card.id for card in cards}
    lost = 0
    if cards:
        members = await members_store.lock_all(conn, place.project_id, {card.member_id for card in cards})
        page = await open_sheet(conn, place, members)
        lost += _lapse_points(page, loyal)
        await sheet.write(conn, page)
        await restand(conn, page, page.moved, "EXPIRATION")
        await sheet.close(conn, page)
    others = set(card_ids) - loyal
    return lost + (await _lapse_credits(conn, place, others, over) if others else 0)


def _lapse_points(page: Sheet, card_ids: Collection[str]) -> int:
    lost = 0
    for name in sorted(card_ids):
        card = page.cards.get(name)
        entry = None
        if card is not None:
            entry = lapse(page.account(card), "POINTS_EXPIRATION", page.place.now, new_id("card_entry"))
        if card is not None and entry is not None:
            page.book.enter([entry])
            page.moved.add(card.member_id)
            page.told(card, entry)
            lost += 1
    return lost


async def _lapse_credits(
    conn: db.Conn, place: Place, card_ids: Collection[str], over: Collection[str]
) -> int:
    book = await books.load(conn, place.project_id, card_ids, lock=True)
    events: list[Event] = []
    for name, card in sorted(book.cards.items()):
        if name in over:
            for lot in card.lots.values():
                _end(lot, place)
        kind = "CREDITS_EXPIRATION" if card.unit == "credits" else "POINTS_EXPIRATION"
        entry = lapse(card, kind, place.now, new_id("card_entry"))
        if entry is not None:
            book.enter([entry])
            events.append(Event("voucher.gift.transaction.created", name, None, _told(entry)))
    lost = len(book.entries)
    await books.write(conn, place.project_id, book, place.now, follow=False)
    await outbox.emit(conn, place.project_id, events)
    return lost


def _end(lot: Lot, place: Place) -> None:
    """The card has ended, and what is on it with it."""
    if lot.expires_at is None or lot.expires_at > place.now:
        lot.expires_at = place.now


def _told(entry: Entry) -> dict[str, Any]:
    return {"transaction_id": entry.id, "type": entry.type, "amount": entry.amount, "balance": entry.balance}
