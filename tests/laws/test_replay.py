"""Whatever happened on cards, reading them again finds nothing; whatever is changed in their rows, it is found."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine.ledger import Card, sealed
from guerdon.ledger.replay import SUMS, CardRow, EntryRow, Finding, LotRow, Replay

from .test_ledger import START, Story, acts

Rows = tuple[CardRow, list[EntryRow], list[LotRow]]


def rows_of(story: Story, card: Card) -> Rows:
    """The rows of a card, as they would be stored."""
    kept = {
        name: getattr(card, name)
        for name in ("id", "unit", "balance", "debt", "seq", "head", "received", *SUMS)
    }
    entries = [
        EntryRow(
            **{name: getattr(entry, name) for name in EntryRow.__struct_fields__ if hasattr(entry, name)} | {
                "parts": msgspec.json.encode([(part.lot, part.amount) for part in entry.parts]).decode(),
                "unit": card.unit, "campaign_id": None,
            }
        )
        for entry in story.entries
        if entry.card_id == card.id
    ]  # fmt: skip
    lots = [
        LotRow(card_id=card.id, seal=sealed(card.id, lot), **msgspec.structs.asdict(lot))
        for lot in card.lots.values()
    ]
    return CardRow(campaign_id=None, **kept), entries, lots


def found(rows: Rows) -> list[Finding]:
    card, entries, lots = rows
    replay = Replay(card.id, card)
    for entry in entries:
        replay.entry(entry)
    for lot in lots:
        replay.lot(lot)
    return replay.close()


def told(history: list[tuple]) -> list[Rows]:
    story = Story()
    for act in history:
        story.act(act)
    return [rows_of(story, card) for card in story.cards]


@given(st.lists(acts, max_size=25))
def test_any_history_is_found_in_order(history: list[tuple]) -> None:
    for rows in told(history):
        assert found(rows) == []


CHANGES: dict[str, Any] = dict.fromkeys(
    ("at", "created_at", "starts_at", "expires_at"), timedelta(microseconds=1)
)


def change(row: Any, field: str) -> None:
    """Make a field say something else."""
    value = getattr(row, field)
    match value:
        case int():
            setattr(row, field, value + 1)
        case bytes():
            setattr(row, field, bytes([value[0] ^ 1]) + value[1:])
        case str():
            setattr(row, field, value.replace("lopb", "lopc") if field == "parts" else value + "x")
        case None:
            setattr(row, field, START if field in CHANGES else "x")
        case _:
            setattr(row, field, value + CHANGES[field])


@given(st.lists(acts, min_size=1, max_size=12), st.integers(0, 1), st.data())
def test_any_changed_field_is_found(history: list[tuple], which: int, data: st.DataObject) -> None:
    card, entries, lots = rows = told(history)[which]
    row = data.draw(st.sampled_from([card, *entries, *lots]))
    unread = {"unit", "campaign_id"} if row is card and not entries else set[str]()
    fields = [name for name in row.__struct_fields__ if name not in unread]
    change(row, data.draw(st.sampled_from([name for name in fields if not (row is card and name == "id")])))
    assert found(rows)


@given(st.lists(acts, min_size=1, max_size=12), st.integers(0, 1), st.data())
def test_a_row_that_is_gone_or_doubled_is_found(
    history: list[tuple], which: int, data: st.DataObject
) -> None:
    rows = told(history)[which]
    entries = rows[1]
    if not entries:
        return
    place = data.draw(st.integers(0, len(entries) - 1))
    if data.draw(st.booleans()):
        gone = entries.pop(place)
        says = [one for one in found(rows) if one.seq == gone.seq]
        assert any("missing" in one.says for one in says)
    else:
        entries.insert(place, entries[place])
        assert any(one.entry_id == entries[place].id for one in found(rows))
