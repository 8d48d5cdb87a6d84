"""The best deal: which redeemables in which order take off the most, among all that may go together.

A few plain discounts are settled by sets (engine/plain_deal.py). All else is a search in depth with bounds
(engine/ceiling.py). It begins with a good stack, found by taking the best next step and then trying small changes; after
that whatever cannot beat the best stack so far is left out. Two stacks of the same redeemables that leave the same order
behind are looked at once. Work is counted in steps, not in time, so that a decision is the same on every machine.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from guerdon.engine.attempt import Running, attempt, onward
from guerdon.engine.ceiling import Candidate, bounded, candidate_of, most, room_of
from guerdon.engine.checks import first_refusal
from guerdon.engine.decision import Certificate, Decision, Facts, Outcome
from guerdon.engine.discount import UnitOff
from guerdon.engine.plain_deal import best_of_plain
from guerdon.engine.plain_question import Question, question_of
from guerdon.engine.reasons import Reason
from guerdon.engine.settled import settled
from guerdon.engine.stacking import Company, ranked, ranks_of
from guerdon.engine.telling import better
from guerdon.engine.trace import Check
from guerdon.engine.walk import Walked, left_behind, passed_over, start, walk

RULE = "BEST_DEAL"
FEW = 12
"""Up to so many candidates every combination is tried, in the order requested, whatever it costs: 4,095 steps at most."""
WORK = 30_000
"""What more candidates may cost, in units of about a microsecond. See :func:`_cost`."""
WORK_FOR_FEW = 320_000
"""What the other orders of few candidates may cost."""
PLAIN_WORK = 120_000_000
"""What the best of a few plain discounts may cost, in nanoseconds."""


Bounds = dict[int, int]
"""For the redeemable at each place, the most it can take off from some stack on, in minor units."""


class _Node(Struct):
    """A stack of redeemables that apply in this order: what they leave, and what they take off."""

    running: Running
    company: Company
    places: tuple[int, ...] = ()
    mask: int = 0
    rank: int = 0
    total: int = 0


class _Search:
    """The best stack so far, and how much has been tried."""

    def __init__(self, facts: Facts, places: Sequence[int]) -> None:
        self.facts = facts = settled(replace(facts, explain=False))
        self.stacking = facts.stacking
        self.slots = facts.stacking.applicable_redeemables_limit
        discounts = [redeemable.terms and redeemable.terms.discount for redeemable in facts.redeemables]
        gifts = any(isinstance(discount, UnitOff) for discount in discounts)
        ranks = ranks_of(facts.redeemables, facts.stacking)
        first = start(facts)
        self.candidates = [candidate_of(self.facts, place, ranks[place], first, gifts) for place in places]
        self.by_place = {candidate.place: candidate for candidate in self.candidates}
        self.whole = all(candidate.whole for candidate in self.candidates)
        if self.whole and facts.order is not None:
            # Nobody looks at the lines: without them every step is several times as fast.
            situation = replace(facts.situation, order=replace(facts.order, items=None))
            self.facts = replace(self.facts, situation=situation)
        self.root = _Node(start(self.facts), Company())
        self.alone: dict[int, Outcome] = {}
        self.gifts = gifts
        self.best = self.root
        self.seen: dict[object, int] = {}
        self.work = WORK_FOR_FEW if len(self.candidates) <= FEW else WORK
        order = self.facts.order
        lines = 0 if order is None else len(order.items or ())
        self.cost = {c.place: _cost(lines, c) for c in self.candidates}
        self.tried = 0
        self.open = 0
        self.first = self.children(self.root)

    def step(self, node: _Node, candidate: Candidate) -> _Node | None:
        """The stack with one more on top, None if it does not apply there or changes nothing."""
        self.tried += 1
        self.work -= self.cost[candidate.place]
        outcome = attempt(self.facts, candidate.redeemable, node.running, checked=True)
        if node is self.root:
            self.alone[candidate.place] = outcome
        given = outcome.given
        if outcome.status != "APPLICABLE" or given is None or not (given.total or given.added):
            return None
        return _Node(
            onward(self.facts, node.running, outcome),
            node.company.with_(candidate.redeemable, self.stacking),
            (*node.places, candidate.place),
            node.mask | 1 << candidate.place,
            node.rank if candidate.floats else candidate.rank,
            node.total + given.total,
        )

    def admitted(self, node: _Node) -> list[Candidate]:
        """Who may still come after this stack; whoever may not will not later either."""
        return [
            candidate
            for candidate in self.candidates
            if not node.mask >> candidate.place & 1 and self.fits(node, candidate)
        ]

    def fits(self, node: _Node, candidate: Candidate) -> bool:
        """Whether the candidate may come after this stack, by its category and by the limits."""
        late = candidate.floats or candidate.rank >= node.rank
        return late and node.company.keeps_out(candidate.redeemable, self.stacking) is None

    def offer(self, node: _Node) -> None:
        """Keep the stack if it is better: more off, then fewer redeemables, then those requested first."""
        if _merit(node) < _merit(self.best):
            self.best = node

    def beaten(self, node: _Node, ceiling: int) -> bool:
        """Whether no stack that goes on from here, to at most ``ceiling``, can be better than the best."""
        best = self.best
        if ceiling != best.total:
            return ceiling < best.total
        if node.total == best.total or len(node.places) + 1 > len(best.places):
            return True
        lacking = len(best.places) - len(node.places)
        rest = [c.place for c in self.candidates if not node.mask >> c.place & 1]
        return sorted((*node.places, *sorted(rest)[:lacking])) >= sorted(best.places)

    def repeated(self, node: _Node) -> bool:
        """Whether the same redeemables have left the same order, or a cheaper one if only its total matters."""
        key: object = node.mask if self.whole else (node.mask, _state(node.running, self.gifts))
        before = self.seen.get(key)
        if before is not None and before >= node.total:
            return True
        self.seen[key] = node.total
        return False

    def children(self, node: _Node, before: Bounds | None = None) -> tuple[list[_Node], Bounds]:
        """The stacks of one more, and for each who may still come what bounds it from here on.

        ``before`` are such bounds of a stack that this one goes on from; who cannot be on a better one by them is
        not tried.
        """
        total = _total(node)
        grown: list[_Node] = []
        bounds: Bounds = {}
        others = 0 if before is None else self.ceiling(node, before, spared=1)
        for candidate in self.admitted(node):
            place = candidate.place
            if before is not None and others + before.get(place, total) < self.best.total:
                bounds[place] = before.get(place, total)
                continue
            child = self.step(node, candidate)
            gain = None if child is None else child.total - node.total
            bounds[place] = bounded(candidate, gain, total)
            if child is not None:
                grown.append(child)
        grown.sort(key=lambda child: (-child.total, child.places[-1]))
        return grown, bounds

    def ceiling(self, node: _Node, bounds: Bounds, spared: int = 0) -> int:
        """The most that a stack which goes on from here takes off, with so many slots left empty."""
        order = node.running.order
        slots = self.slots - len(node.places) - spared
        if order is None or slots <= 0:
            return node.total
        left = [
            (candidate, bounds[candidate.place])
            for candidate in self.candidates
            if candidate.place in bounds and not node.mask >> candidate.place & 1
        ]
        return node.total + most(left, slots, order, room_of(self.facts, order))

    def explore(self, node: _Node, before: Bounds | None = None) -> None:
        """Try every stack that goes on from this one and may be better than the best."""
        grown, bounds = self.first if node is self.root else self.children(node, before)
        for child in grown:
            self.offer(child)
        if self.beaten(node, self.ceiling(node, bounds)):
            return
        for child in grown:
            ceiling = self.ceiling(child, bounds)
            if self.beaten(child, ceiling) or self.repeated(child):
                continue
            if self.work <= 0:
                self.open = max(self.open, ceiling)
            else:
                self.explore(child, bounds)

    def combine(self, node: _Node, later: Sequence[Candidate], bounds: Bounds) -> None:
        """Try every combination of those who come ``later`` on top of this stack, in the order requested, whatever the
        work: but where ``bounds`` tell that none of them can be better than the best.
        """
        if not later or self.beaten(node, self.ceiling(node, bounds)):
            return
        total = _total(node)
        grown: list[tuple[int, _Node]] = []
        closer: Bounds = {}
        for index, candidate in enumerate(later, 1):
            if not self.fits(node, candidate):
                continue
            child = self.step(node, candidate)
            closer[candidate.place] = bounded(
                candidate, None if child is None else child.total - node.total, total
            )
            if child is not None:
                self.offer(child)
                grown.append((index, child))
        for index, child in grown:
            rest = later[index:]
            self.combine(child, rest, {c.place: closer[c.place] for c in rest if c.place in closer})

    def begin(self) -> None:
        """First stacks: by what everybody takes off alone, with and without exclusive ones; then step by step."""
        grown, _ = self.first
        by_gain = sorted(grown, key=lambda child: (child.rank, -child.total, child.places))
        self.stack([child.places[0] for child in by_gain])
        self.stack([child.places[0] for child in by_gain if not child.company.exclusive])
        while grown and self.work > 0:
            node = grown[0]
            if len(node.places) >= self.slots:
                return
            grown, _ = self.children(node)
            for child in grown:
                self.offer(child)

    def stack(self, places: Sequence[int]) -> None:
        """Offer the stack of these in this order, without those that cannot be on it."""
        node = self.root
        for place in places:
            candidate = self.by_place[place]
            if self.fits(node, candidate):
                node = self.step(node, candidate) or node
        self.offer(node)

    def improve(self, spare: int) -> None:
        """Small changes to the best stack while they help: one replaced, one put in, two exchanged."""
        better = True
        while better and self.work > spare:
            better = False
            for places in _variants(self.best.places, self.candidates, self.slots):
                if self.work <= spare:
                    return
                before = self.best
                self.replay(places)
                if self.best is not before:
                    better = True
                    break

    def replay(self, places: Sequence[int]) -> None:
        """Offer the stack of these, if they may go together in this order."""
        node = self.root
        for place in places:
            candidate = self.by_place[place]
            grown = self.step(node, candidate) if self.fits(node, candidate) else None
            if grown is None:
                return
            node = grown
        self.offer(node)


def _cost(lines: int, candidate: Candidate) -> int:
    cost = 12 + lines
    for rule_set in candidate.redeemable.rules:
        cost += 10 + lines // 2 if rule_set.scope is None else 60 + 2 * lines
    discount = candidate.redeemable.terms and candidate.redeemable.terms.discount
    if discount is not None and discount.is_dynamic:
        cost += 50 + 5 * lines
    return cost if candidate.gift is None else cost + 30 + 2 * lines


def _total(node: _Node) -> int:
    order = node.running.order
    return 0 if order is None else order.total_amount or 0


def _merit(node: _Node) -> tuple[int, int, list[int]]:
    return -node.total, len(node.places), sorted(node.places)


def _state(running: Running, gifts: bool) -> object:
    """All that later steps look at."""
    order = running.order
    if order is None:
        return None
    items = order.items or ()
    lines: tuple[object, ...] = tuple([item.discount_amount for item in items])
    if gifts:
        lines += tuple([(item.quantity, item.discount_quantity, item.amount) for item in items])
    used = tuple(sorted(running.used.items())) if running.used else ()
    return order.amount, order.discount_amount, lines, used, running.taken


def _variants(places: tuple[int, ...], candidates: Sequence[Candidate], slots: int) -> list[tuple[int, ...]]:
    """The stacks that differ from this one by one change."""
    others = [candidate.place for candidate in candidates if candidate.place not in places]
    count = len(places)
    variants = [
        (*places[:i], places[j], *places[i + 1 : j], places[i], *places[j + 1 :])
        for i in range(count)
        for j in range(i + 1, count)
    ]
    if count < slots:
        variants += [(*places[:i], other, *places[i:]) for other in others for i in range(count, -1, -1)]
    variants += [(*places[:i], other, *places[i + 1 :]) for other in others for i in range(count - 1, -1, -1)]
    return variants


def best_deal(facts: Facts) -> Decision:
    """The decision that gives the customer the most. What does not belong to it is SKIPPED and told why."""
    first = ranked(facts.redeemables, facts.stacking)
    dead = [place for place in first if _dead(facts, place)]
    all_or_none = facts.stacking.redeemables_application_mode == "ALL"
    if dead and all_or_none:
        return _failed(facts, first, dead)
    search = _Search(facts, [place for place in first if place not in dead])
    if facts.order is not None:
        _run(search)
    refused = [
        place
        for place, outcome in search.alone.items()
        if outcome.status == "INAPPLICABLE" and place not in search.best.places
    ]
    if refused and all_or_none:
        return _failed(facts, first, refused)
    places = _in_order(facts, search)
    if not places:
        # Nobody takes anything off: then there is nothing to choose, and nobody is passed over for it.
        walked = walk(facts, first)
        outcomes = [walked.outcomes[place] for place in range(len(first))]
        return Decision(walked.valid, outcomes, walked.order, first, _certificate(facts, search, ()))
    walked = walk(facts, places)
    return _told(facts, search, walked, places, first)


def _run(search: _Search) -> None:
    few, bound = len(search.candidates) <= FEW, None
    for child in search.first[0]:
        search.offer(child)
    question = question_of(search.facts, search.candidates, search.alone, PLAIN_WORK) if few else None
    if question is not None and question.exact:
        bound = _answered(search, question)
        if bound == search.best.total:
            return
        if bound is not None:
            search.work = WORK
    budget = search.work
    search.begin()
    search.improve(max(budget - WORK, budget * 2 // 3))
    search.explore(search.root)
    if question is not None and not question.exact and search.open > search.best.total:
        bound = _answered(search, question)
    if bound is not None:
        search.open = min(search.open, bound)
    if few and search.open > search.best.total:
        search.combine(search.root, search.candidates, search.first[1])


def _answered(search: _Search, question: Question) -> int | None:
    """Offer the best stack of plain discounts, and tell what no stack is above, if that is known."""
    answer = best_of_plain(question.plain)
    if answer is None:
        return None
    search.tried += answer.tried
    search.stack(answer.places)
    return answer.bound


def _dead(facts: Facts, place: int) -> bool:
    """Whether the redeemable is refused whatever the order."""
    return first_refusal(facts.redeemables[place], facts.now, facts.zone, None) is not None


def _in_order(facts: Facts, search: _Search) -> tuple[int, ...]:
    """The best stack, in the order requested if that is as good, and with gifts that nobody can price at its end."""
    places = search.best.places
    quiet = search.facts
    plain = tuple(place for place in ranked(facts.redeemables, facts.stacking) if place in places)
    if plain != places and _off(quiet, walk(quiet, plain), plain) == search.best.total:
        places = plain
    for place, outcome in search.alone.items():
        given = outcome.given
        if place in places or given is None or given.total or not given.added:
            continue
        ranks = ranks_of(facts.redeemables, facts.stacking)
        wider = tuple(sorted((*places, place), key=lambda place: ranks[place]))
        if _off(quiet, walk(quiet, wider), wider) == search.best.total:
            places = wider
    return places


def _off(facts: Facts, walked: Walked, places: Sequence[int]) -> int:
    """What the stack takes off if all of it applies, else -1."""
    outcomes = [walked.outcomes[place] for place in places]
    if any(outcome.status != "APPLICABLE" for outcome in outcomes):
        return -1
    return sum(outcome.given.total for outcome in outcomes if outcome.given is not None)


def _certificate(facts: Facts, search: _Search, places: Sequence[int]) -> Certificate:
    total = search.best.total
    bound = max(total, search.open)
    exact = bound == total or len(search.candidates) <= FEW
    names = [facts.redeemables[place].id for place in places]
    return Certificate(RULE, total, bound, exact, search.tried, names)


def _told(
    facts: Facts, search: _Search, walked: Walked, places: Sequence[int], first: Sequence[int]
) -> Decision:
    """The decision, with what became of those that do not belong to the best stack."""
    outcomes, total = walked.outcomes, search.best.total
    best = [facts.redeemables[place] for place in places]
    for place in first:
        if place in outcomes:
            continue
        redeemable, alone = facts.redeemables[place], search.alone.get(place)
        if alone is None or alone.status != "APPLICABLE":
            outcomes[place] = attempt(facts, redeemable, start(facts))
            continue
        outcome = outcomes[place] = Outcome(redeemable, "SKIPPED", Reason.NOT_IN_BEST_COMBINATION)
        off = alone.given.total if alone.given is not None else 0
        exponent = facts.situation.exponent
        outcome.details = better(best, redeemable, total, exponent, search.open <= total)
        if facts.explain:
            passed_over(facts, outcome, start(facts), Check("stacking.best_deal", total, off, "failed"))
    sequence = [*places, *(place for place in first if place not in places)]
    told = [outcomes[place] for place in range(len(first))]
    return Decision(walked.valid, told, walked.order, sequence, _certificate(facts, search, places))


def _failed(facts: Facts, first: Sequence[int], refused: Sequence[int]) -> Decision:
    """The decision when all should apply and some do not: the first of them is told, all others are passed over."""
    failing = next(place for place in first if place in refused)
    failed = facts.redeemables[failing]
    outcomes = [left_behind(facts, redeemable, start(facts), failed) for redeemable in facts.redeemables]
    outcomes[failing] = attempt(facts, facts.redeemables[failing], start(facts))
    sequence = [failing, *(place for place in first if place != failing)]
    return Decision(False, outcomes, facts.order, sequence)
