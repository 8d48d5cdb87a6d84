"""Points that were spent, given back: into the very lots they came from, the last taken first."""

from collections.abc import Mapping, Sequence

import msgspec
from msgspec import Struct

from guerdon.engine.ledger import Entry, Part, Why, give_back, left_of
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.loyalty.members_store import CardRow
from guerdon.loyalty.sheet import Sheet

# Those that answer an entry stand behind it on the same card.
ENTRIES = """
    select w.entry_id, e.id, e.parts from unnest($2::text[], $3::text[]) as w (card_id, entry_id)
    join card_entries o on o.project_id = $1 and o.card_id = w.card_id and o.id = w.entry_id
    join card_entries e on e.project_id = $1 and e.card_id = w.card_id and e.seq >= o.seq
        and (e.id = o.id or e.related_id = o.id)
    order by e.card_id, e.seq
"""

_READ = msgspec.json.Decoder(list[tuple[str, int]])


class Spent(Struct):
    """What an entry took, and what of it has not come back yet."""

    parts: tuple[Part, ...]
    left: list[Part]

    @property
    def points(self) -> int:
        """How many points have not come back."""
        return -sum(part.amount for part in self.left)

    @property
    def lots(self) -> list[str]:
        """The lots they came from."""
        return [part.lot for part in self.parts]


async def spent_of(conn: db.Db, project_id: str, entries: Mapping[str, str]) -> dict[str, Spent]:
    """What entries took, by their ids; `entries` has the card of each. Under the card's lock it stays true."""
    if not entries:
        return {}
    taken: dict[str, tuple[Part, ...]] = {}
    back: dict[str, list[Sequence[Part]]] = {}
    records = await db.records(conn, ENTRIES, project_id, list(entries.values()), list(entries))
    for record in records:
        parts = tuple(Part(lot, amount) for lot, amount in _READ.decode(record["parts"]))
        if record["id"] == record["entry_id"]:
            taken[record["id"]] = parts
        else:
            back.setdefault(record["entry_id"], []).append(parts)
    return {name: Spent(parts, left_of(parts, back.get(name, ()))) for name, parts in taken.items()}


def put_back(page: Sheet, card: CardRow, spent: Spent, points: int, why: Why) -> Entry:
    """Put points back on a card of the sheet. What comes into a lot that has ended lapses again, by a job."""
    account, now = page.account(card), page.place.now
    entry = give_back(account, "POINTS_REFUND", spent.left, points, now, new_id("card_entry"), why)
    spent.left = left_of(spent.left, [entry.parts])
    page.book.enter([entry])
    page.told(card, entry)
    page.moved.add(card.member_id)
    lots = (account.lots.get(part.lot) for part in entry.parts)
    if any(lot is not None and lot.expires_at is not None and lot.expires_at <= now for lot in lots):
        page.late.add(card.id)
    return entry
