"""The best deal among plain discounts, proved: over all sets of up to twelve, each in its best order.

What is about the order's total goes before what is about lines: neither changes what the other looks at, but less is
left of the total. So of a set the former leave the least total by themselves, which a table over sets tells, and only
the order of the latter has to be searched for: from the last one back. What is left of every line by the others is at
least what they would leave of that line if each line had its own order, and that too a table over sets tells.
"""

from collections.abc import Callable, Sequence

from msgspec import Struct, field

from guerdon.engine.lanes import WHOLE, Lanes
from guerdon.engine.plain_steps import PlainStep

Least = Callable[[int, int], int]
Key = tuple[int, list[int]]
OVERHEAD = 1000
"""What looking at one set or order costs beside its steps, in nanoseconds."""


class Plain(Struct):
    """The question: who there is, which sets of them may go together (bits by place in ``steps``, of which those
    about the order come first), how far the total may fall, and how much work it may cost, in nanoseconds.
    """

    steps: Sequence[PlainStep]
    sets: Sequence[int]
    total: int
    room: int
    lanes: Lanes
    lines: int
    work: int


class Answer(Struct):
    """The stack found, by ``PlainStep.place`` in the order applied, what it takes off, and the most that any does."""

    places: list[int] = field(default_factory=list)
    total: int = 0
    bound: int = 0
    tried: int = 0


class _Table(Struct):
    """What each set leaves at least; and who came last where one order leaves just that, else -1."""

    least: dict[int, int]
    last: dict[int, int]


def best_of_plain(plain: Plain) -> Answer | None:
    """The best stack and its proof; None if the tables alone are too much work. ``bound`` is above ``total`` only
    when the work has been used up.
    """
    search = _Sets(plain)
    return search.answer() if search.affordable() else None


class _Sets:
    """The search over sets, and in each over orders of those about lines."""

    def __init__(self, plain: Plain) -> None:
        self.plain, self.work = plain, plain.work
        self.steps = plain.steps
        self.of_order = (1 << sum(step.about == "order" for step in plain.steps)) - 1
        self.one_rank = len({step.rank for step in plain.steps if not step.floats}) < 2
        self.lines = plain.lanes.total(plain.lines)
        self.best = Answer()
        self.best_key: Key = (0, [])
        self.open = self.tried = 0

    def affordable(self) -> bool:
        """Whether the tables cost no more than half of the work."""
        cost = 0
        for mask in self.plain.sets:
            cost += OVERHEAD
            if mask & self.of_order == 0 or mask & self.of_order == mask:
                cost += sum(self.steps[place].cost for place in _places(mask))
        self.work -= cost
        return self.work >= cost

    def answer(self) -> Answer:
        """Try the sets, the most promising first, until none can be better than the best."""
        plain, own = self.plain, self.of_order
        by_total = [mask for mask in plain.sets if mask & own == mask]
        by_lines = [mask for mask in plain.sets if mask & own == 0]
        self.totals = self.table(by_total, plain.total, min)
        self.packed = self.table(by_lines, plain.lines, plain.lanes.least)
        self.left = self.least_left(by_lines)
        gone = {mask: plain.total - total for mask, total in self.totals.least.items()}
        bounds = [
            (min(gone[mask & own] + self.lines - self.left[mask & ~own], plain.room), mask)
            for mask in plain.sets
        ]
        top = max(bounds)
        self.try_set(top[1], self.key(top[1]))
        tries = [(-bound, self.key(mask), mask) for bound, mask in bounds if bound >= self.best.total]
        for bound, key, mask in sorted(tries):
            if -bound < self.best.total:
                break
            if mask == top[1] or not self.better(-bound, key):
                continue
            if self.work <= 0:
                self.open = max(self.open, -bound)
                break
            self.try_set(mask, key)
        self.best.bound, self.best.tried = max(self.best.total, self.open), self.tried
        return self.best

    def key(self, mask: int) -> Key:
        """By which one of two sets that take off the same is preferred: the smaller one, then as requested."""
        places = sorted(self.steps[place].place for place in _places(mask))
        return len(places), places

    def better(self, total: int, key: Key) -> bool:
        """Whether such a stack is better than the best so far."""
        best = self.best.total
        return total > best or (total == best and key < self.best_key)

    def lasts(self, mask: int) -> list[int]:
        """Who of the set may come last: those of the highest rank, and whoever may come anywhere."""
        there = _places(mask)
        if self.one_rank:
            return there
        top = max((self.steps[place].rank for place in there if not self.steps[place].floats), default=0)
        return [place for place in there if self.steps[place].floats or self.steps[place].rank == top]

    def table(self, masks: Sequence[int], first: int, least: Least) -> _Table:
        """What every set leaves at least: whoever comes last finds at least what the others leave at least."""
        table = _Table({0: first}, {0: 0})
        for mask in sorted(masks):
            if not mask:
                continue
            places = self.lasts(mask)
            found = [self.steps[place].leave(table.least[mask ^ 1 << place]) for place in places]
            lowest = found[0]
            for left in found[1:]:
                lowest = least(lowest, left)
            table.least[mask], table.last[mask] = lowest, -1
            for left, place in zip(found, places, strict=True):
                if left == lowest and table.last[mask ^ 1 << place] >= 0:
                    table.last[mask] = place
                    break
        return table

    def least_left(self, masks: Sequence[int]) -> dict[int, int]:
        """What every set leaves of the lines together at least: steps have a share or an amount."""
        total, least = self.plain.lanes.total, self.packed.least
        left = {0: self.lines}
        for mask in sorted(masks):
            if mask:
                together = min(self.after(place, left[mask ^ 1 << place]) for place in self.lasts(mask))
                left[mask] = max(total(least[mask]), together)
        return left

    def after(self, place: int, left: int) -> int:
        """What one leaves at least of lines of which so much is left together."""
        step = self.steps[place]
        least = 0 if step.most is None else left - step.most
        if step.rate is not None:
            share = (2 * left * step.rate + self.plain.lanes.count * WHOLE) // (2 * WHOLE)
            least = max(least, left - share)
        return least

    def way(self, table: _Table, mask: int) -> list[int]:
        """The order that leaves what the table says, where one does."""
        places: list[int] = []
        while mask:
            places.append(table.last[mask])
            mask ^= 1 << places[-1]
        return places[::-1]

    def try_set(self, mask: int, key: Key) -> None:
        """Find the best order of the set, if it is better than the best so far."""
        of_lines = mask & ~self.of_order
        before = self.plain.total - self.totals.least[mask & self.of_order] + self.lines
        self.tried += 1
        self.work -= OVERHEAD
        if self.packed.last[of_lines] >= 0:
            left = self.plain.lanes.total(self.packed.least[of_lines])
            self.take(mask, key, before - left, self.way(self.packed, of_lines))
        else:
            self.back(mask, key, of_lines, before, ())

    def back(self, mask: int, key: Key, others: int, before: int, after: tuple[int, ...]) -> None:
        """Try who of the ``others`` comes just before ``after``; ``before`` is what goes off if no line is left."""
        steps = self.steps
        later = OVERHEAD + sum(steps[place].cost for place in after)
        tries: list[tuple[int, int]] = []
        for place in self.lasts(others):
            self.work -= steps[place].cost + later
            left = self.left_by(others ^ 1 << place, (place, *after))
            tries.append((min(before - left, self.plain.room), -place))
        self.tried += len(tries)
        for bound, place in sorted(tries, reverse=True):
            if not self.better(bound, key):
                break
            further, rest = (-place, *after), others ^ 1 << -place
            if self.packed.last[rest] >= 0:
                places = [*self.way(self.packed, rest), *further]
                self.take(mask, key, bound, places)
                self.polish(mask, key, before, places)
            elif self.work <= 0:
                self.open = max(self.open, bound)
                break
            else:
                self.back(mask, key, rest, before, further)

    def left_by(self, others: int, after: Sequence[int]) -> int:
        """What is left of the lines at least when ``after`` come, in this order, after the others."""
        packed, least = self.packed.least[others], self.left[others]
        for place in after:
            packed = self.steps[place].leave(packed)
            least = self.after(place, least)
        return max(least, self.plain.lanes.total(packed))

    def take(self, mask: int, key: Key, total: int, of_lines: Sequence[int]) -> None:
        """Keep the stack if it is better than the best so far."""
        total = min(total, self.plain.room)
        if self.better(total, key):
            places = [*self.way(self.totals, mask & self.of_order), *of_lines]
            self.best = Answer([self.steps[place].place for place in places], total)
            self.best_key = key

    def polish(self, mask: int, key: Key, before: int, places: list[int]) -> None:
        """Move one at a time while that helps: a good start leaves the less to be looked at."""
        best, better = self.best.total, True
        while better and self.work > 0:
            better = False
            for moved in _moves(places):
                if self.ranked(moved):
                    packed = self.plain.lines
                    for place in moved:
                        packed = self.steps[place].leave(packed)
                        self.work -= self.steps[place].cost
                    self.take(mask, key, before - self.plain.lanes.total(packed), moved)
                if self.best.total > best:
                    best, better, places = self.best.total, True, moved
                    break

    def ranked(self, places: Sequence[int]) -> bool:
        ranks = [self.steps[place].rank for place in places if not self.steps[place].floats]
        return ranks == sorted(ranks)


def _places(mask: int) -> list[int]:
    places: list[int] = []
    while mask:
        places.append((mask & -mask).bit_length() - 1)
        mask &= mask - 1
    return places


def _moves(places: list[int]) -> list[list[int]]:
    """The orders that differ by one that stands elsewhere."""
    moves: list[list[int]] = []
    for start, place in enumerate(places):
        rest = [*places[:start], *places[start + 1 :]]
        moves += [[*rest[:end], place, *rest[end:]] for end in range(len(places)) if end != start]
    return moves
