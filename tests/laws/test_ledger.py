"""What holds for stored value whatever is done with it."""

from datetime import UTC, datetime, timedelta
from itertools import count

from hypothesis import given
from hypothesis import strategies as st

from guerdon.engine.ledger import (
    COUNTERS,
    DEBT,
    GENESIS,
    Card,
    Entry,
    NotEnough,
    Part,
    Why,
    chained,
    claw_back,
    give_back,
    grant,
    lapse,
    left_of,
    spend,
    transfer,
)

START = datetime(2026, 11, 22, tzinfo=UTC)

amounts = st.integers(1, 1000)
days = st.integers(0, 60)
acts = st.one_of(
    st.tuples(st.just("grant"), st.integers(0, 1), amounts, st.one_of(st.none(), days), st.one_of(st.none(), days)),
    st.tuples(st.just("spend"), st.integers(0, 1), amounts, st.sampled_from(["SOONEST_EXPIRING", "OLDEST", "SMALLEST"])),
    st.tuples(st.just("give back"), st.integers(0, 30), amounts),
    st.tuples(st.just("claw back"), st.integers(0, 30), amounts, st.sampled_from(["NEGATIVE", "DEBT", "FLOOR"])),
    st.tuples(st.just("transfer"), st.integers(0, 1), amounts),
    st.tuples(st.just("lapse"), st.integers(0, 1)),
    st.tuples(st.just("wait"), st.integers(1, 20)),
)  # fmt: skip


class Story:
    """Two cards and all that was entered on them."""

    def __init__(self) -> None:
        self.cards = [Card(id="v_0", unit="credits"), Card(id="v_1", unit="credits")]
        self.entries: list[Entry] = []
        self.now = START
        self.names = count()

    def ids(self) -> tuple[str, str]:
        return f"vtx_{next(self.names)}", f"lopb_{next(self.names)}"

    def act(self, act: tuple) -> None:
        match act:
            case ("grant", which, amount, starts, ends):
                starts_at = None if starts is None else self.now + timedelta(days=starts)
                expires_at = None if ends is None else self.now + timedelta(days=ends)
                ids = self.ids()
                entry = grant(
                    self.cards[which],
                    "CREDITS_ADDITION",
                    amount,
                    self.now,
                    ids,
                    starts_at=starts_at,
                    expires_at=expires_at,
                )
                self.entries.append(entry)
            case ("spend", which, amount, order):
                card = self.cards[which]
                before = card.available(self.now)
                try:
                    made = spend(card, "CREDITS_REDEMPTION", amount, self.now, self.ids()[0], order=order)
                except NotEnough as refused:
                    seen = (refused.available, card.available(self.now))
                else:
                    self.entries.append(made)
                    seen = (amount, card.available(self.now) + amount)
                assert seen == (amount if before >= amount else before, before)
            case ("give back", which, amount):
                self.give_back(which, amount)
            case ("claw back", which, amount, policy):
                granted = [entry for entry in self.entries if COUNTERS[entry.type] == "issued"]
                if granted:
                    entry = granted[which % len(granted)]
                    card = self.cards[int(entry.card_id[-1])]
                    lot = entry.parts[0].lot
                    made = claw_back(
                        card, "CREDITS_REMOVAL", [lot], amount, self.now, self.ids()[0], policy=policy
                    )
                    if made is not None:
                        self.entries.append(made)
                    if policy != "FLOOR":
                        assert made is not None and made.amount == -amount
            case ("transfer", which, amount):
                self.transfer(which, amount)
            case ("lapse", which):
                entry = lapse(self.cards[which], "CREDITS_EXPIRATION", self.now, self.ids()[0])
                if entry is not None:
                    self.entries.append(entry)
            case ("wait", passed):
                self.now += timedelta(days=passed)

    def give_back(self, which: int, amount: int) -> None:
        spent = [entry for entry in self.entries if entry.type == "CREDITS_REDEMPTION"]
        if not spent:
            return
        entry = spent[which % len(spent)]
        before = [e.parts for e in self.entries if e.related_id == entry.id]
        left = left_of(entry.parts, before)
        whole = -sum(part.amount for part in left)
        if whole:
            card = self.cards[int(entry.card_id[-1])]
            self.entries.append(
                give_back(
                    card,
                    "CREDITS_REFUND",
                    left,
                    min(amount, whole),
                    self.now,
                    self.ids()[0],
                    Why(related_id=entry.id),
                )
            )

    def transfer(self, which: int, amount: int) -> None:
        giver, taker = self.cards[which], self.cards[1 - which]
        sums = giver.balance + taker.balance
        ids = [self.ids() for _ in giver.lots]
        ends = {lot.id: (lot.starts_at, lot.expires_at) for lot in giver.lots.values()}
        try:
            made = transfer(
                giver,
                taker,
                ("POINTS_TRANSFER_OUT", "POINTS_TRANSFER_IN"),
                amount,
                self.now,
                ids,
                self.ids()[0],
            )
        except NotEnough:
            return
        self.entries.extend(made)
        assert giver.balance + taker.balance == sums and sum(entry.amount for entry in made) == 0
        for lot in taker.lots.values():
            if lot.parent in ends and lot.entry_id in {entry.id for entry in made}:
                assert (lot.starts_at, lot.expires_at) == ends[lot.parent]

    def check(self) -> None:
        """The books add up."""
        for card in self.cards:
            own = [entry for entry in self.entries if entry.card_id == card.id]
            assert card.balance == sum(entry.amount for entry in own)
            assert card.balance == sum(lot.remaining for lot in card.lots.values()) - card.debt
            assert card.debt >= 0 and all(0 <= lot.remaining <= lot.granted for lot in card.lots.values())
            parts: dict[str, int] = {}
            for entry in own:
                assert entry.amount == sum(part.amount for part in entry.parts)
                for part in entry.parts:
                    parts[part.lot] = parts.get(part.lot, 0) + part.amount
            assert parts.pop(DEBT, 0) == -card.debt
            for lot in card.lots.values():
                assert parts.pop(lot.id, 0) == lot.remaining
            assert not parts
            assert card.balance == (
                card.issued - card.redeemed + card.refunded - card.expired - card.removed + card.transferred
                - card.cashed_out
            )  # fmt: skip
            head = GENESIS
            for number, entry in enumerate(own, 1):
                assert entry.seq == number and entry.hash == chained(entry, head)
                head = entry.hash
            assert head == card.head


@given(st.lists(acts, max_size=25))
def test_entries_add_up_to_balances_at_every_step_of_any_history(history: list[tuple]) -> None:
    story = Story()
    for act in history:
        story.act(act)
        story.check()


@given(st.lists(acts, max_size=12), st.integers(0, 1), amounts, st.lists(amounts, min_size=1, max_size=4))
def test_giving_back_in_any_pieces_restores_every_lot(
    history: list[tuple], which: int, amount: int, pieces: list[int]
) -> None:
    story = Story()
    for act in history:
        story.act(act)
    card = story.cards[which]
    before = (card.balance, card.debt, {lot.id: lot.remaining for lot in card.lots.values()})
    made = len(story.entries)
    story.act(("spend", which, amount, "SOONEST_EXPIRING"))
    if len(story.entries) == made:
        return
    spent = story.entries[-1]
    back: list[tuple[Part, ...]] = []

    for piece in [*pieces, amount]:
        left = left_of(spent.parts, back)
        whole = -sum(part.amount for part in left)
        if whole:
            entry = give_back(
                card, "CREDITS_REFUND", left, min(piece, whole), story.now, story.ids()[0], Why(spent.id)
            )
            story.entries.append(entry)
            back.append(entry.parts)
            story.check()
    assert (card.balance, card.debt, {lot.id: lot.remaining for lot in card.lots.values()}) == before


@given(
    st.lists(acts, min_size=1, max_size=15),
    st.integers(0, 40),
    st.sampled_from(["amount", "balance", "type", "at"]),
)
def test_an_entry_that_was_edited_breaks_the_chain(history: list[tuple], which: int, field: str) -> None:
    story = Story()
    for act in history:
        story.act(act)
    if not story.entries:
        return
    entry = story.entries[which % len(story.entries)]
    match field:
        case "at":
            entry.at += timedelta(microseconds=1)
        case "type":
            entry.type = "POINTS_ACCRUAL" if entry.type != "POINTS_ACCRUAL" else "POINTS_ADDITION"
        case _:
            setattr(entry, field, getattr(entry, field) + 1)
    own = [one for one in story.entries if one.card_id == entry.card_id]
    place = own.index(entry)
    assert chained(entry, own[place - 1].hash if place else GENESIS) != entry.hash
