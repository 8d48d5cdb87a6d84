"""A page of what qualifies: the newest first, stopping when it is full, or everything in the order of the deal."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterable, Sequence

from msgspec import Struct, field

from guerdon.kit.errors import Fault, invalid_payload
from guerdon.qualifications import store
from guerdon.qualifications.filters import Filters
from guerdon.qualifications.judge import Verdict, judge
from guerdon.qualifications.look import Look, Offer, codes, facts_of, know, offer_of, stacks, tiers, usable
from guerdon.qualifications.places import LATEST, MOST, After, Place, cursor, passed_of, where
from guerdon.qualifications.scenarios import Scenario
from guerdon.redemptions.drafted import join_campaigns
from guerdon.vouchers.locked import Voucher
from guerdon.vouchers.locked import look as look_up

CHUNK = 100
"""So many offers are found out about at once."""
CODES = 5_000
"""So many codes one request looks at; a newest-first page that needs more goes on with its cursor."""
TIERS = 10_000
"""So many promotions are reckoned for the best deal."""
EXPLAINED = 50
"""Of so many that do not qualify the reasons are told."""
BREATH = 25


class Wanted(Struct):
    """What is asked of a page."""

    scenario: Scenario
    filters: Filters
    limit: int
    sorting: str
    after: After | None
    explain: bool


class Page(Struct):
    """What qualifies, and what does not as far as that is told. `looked_at` is how many codes were looked at when
    there were more than are looked at in one request.
    """

    listed: list[Verdict] = field(default_factory=list)
    refused: list[Verdict] = field(default_factory=list)
    more: str | None = None
    looked_at: int | None = None


class Stream:
    """Codes, the newest first, as far as a request looks."""

    def __init__(self, at: Look, wanted: Wanted, before: Place, most: int = CODES) -> None:
        # What of these the customer holds is found among the customer's own.
        self._standalone = wanted.scenario.standalone and wanted.filters.may_hold({"holder_role": None})
        holder = at.customer_id if wanted.scenario.own else None
        possible = wanted.filters.may_hold({"resource_type": "voucher"})
        self._at, self._holder, self._most = at, holder, most
        self.before = before
        self.count = 0
        self.more = possible and (self._standalone or holder is not None)
        self.bounded = False

    async def next(self) -> list[Offer]:
        """The next codes; `more` says whether there may be others."""
        at = self._at
        found = await store.codes(
            at.conn, at.seen.project_id, self._holder, self.before, CHUNK, standalone=self._standalone
        )
        self.more = len(found) == CHUNK
        if found:
            self.before = (found[-1].created_at, found[-1].id)
        self.count += len(found)
        if self.more and self.count >= self._most:
            self.more, self.bounded = False, True
        return await codes(at, _without_drafted(at, found))


def _without_drafted(at: Look, found: list[Voucher]) -> list[Voucher]:
    """Codes with drafts over them are looked at from the start; those of drafted campaigns need their drafts."""
    drafted = at.seen.drafted
    if drafted is None:
        return found
    kept = [voucher for voucher in found if voucher.code_key not in drafted.codes]
    join_campaigns(drafted, kept)
    return kept


async def page(at: Look, wanted: Wanted) -> Page:
    """The page asked for. Raises `ApiError` 400 for a cursor that leads nowhere."""
    if wanted.sorting == "DEFAULT":
        return await _newest(at, wanted)
    return await _by_deal(at, wanted)


Waiting = tuple[Place, Offer | None]
"""Something to be looked at in its turn; a tier, whose place has its id, is put together then."""


async def _first(at: Look, wanted: Wanted) -> tuple[list[Waiting], bool]:
    """What is not read newest first: tiers or stacks, or what filters name; and whether codes follow."""
    scenario, filters = wanted.scenario, wanted.filters
    if scenario.stacks:
        return [(one.place, one) for one in stacks(at)], False
    names, keys = filters.named("resource_id"), filters.named("code")
    if names is not None or keys is not None:
        return await _named(at, wanted, names, keys), False
    waiting: list[Waiting] = []
    if scenario.tiers and filters.may_hold({"resource_type": "promotion_tier"}):
        found = await tiers(at, scenario)
        waiting = _tiers(at, [*found, *_ruled_out(at, found)] if wanted.explain else found)
    if at.seen.drafted is not None:
        mine = [v for v in at.seen.vouchers.values() if v.living and usable(at, v)]
        waiting += [(one.place, one) for one in await codes(at, mine)]
    return waiting, True


def _tiers(at: Look, ids: Iterable[str]) -> list[Waiting]:
    known = at.snapshot.tiers
    return [((known[name].created_at, name), None) for name in ids if name in known]


def _ruled_out(at: Look, found: Iterable[str]) -> list[str]:
    """The newest tiers that the index knows cannot apply, to be told why not."""
    known, campaigns = set(found), at.snapshot.campaigns
    others = (
        tier
        for tier in at.snapshot.tiers.values()
        if tier.active and tier.id not in known and (c := campaigns.get(tier.campaign_id)) and c.active
    )
    return [
        tier.id for tier in heapq.nlargest(EXPLAINED, others, key=lambda tier: (tier.created_at, tier.id))
    ]


def _put_together(at: Look, waiting: Iterable[Waiting]) -> list[Offer]:
    made = (offer or offer_of(at, place[1]) for place, offer in waiting)
    return [offer for offer in made if offer is not None]


async def _named(
    at: Look, wanted: Wanted, names: frozenset[str] | None, keys: frozenset[str] | None
) -> list[Waiting]:
    """What filters name is looked at even if it is switched off, or the index knows that it cannot apply."""
    waiting = _tiers(at, sorted(names or ())) if wanted.scenario.tiers else []
    if not (wanted.scenario.standalone or wanted.scenario.own):
        return waiting
    ids = sorted(name for name in names or () if name.startswith("v_"))
    found = await look_up(at.conn, at.seen.project_id, sorted(keys or ()), ids, lock=False)
    known = {voucher.id: voucher for voucher in found} | at.seen.vouchers
    living = [voucher for voucher in known.values() if voucher.living and usable(at, voucher)]
    if not wanted.scenario.standalone:
        living = [voucher for voucher in living if voucher.holder_id is not None]
    return waiting + [(one.place, one) for one in await codes(at, living)]


async def _newest(at: Look, wanted: Wanted) -> Page:
    after, made = wanted.after, Page()
    places: list[Place] = []  # of all that were passed at the instant of the last one
    walk = _batches(at, wanted, made)
    skip = after.passed if after is not None else 0
    async for batch in walk:
        kept: list[Offer] = []
        for offer in batch:
            if skip and after is not None and offer.place[0] == after.instant:
                skip -= 1
                continue
            kept.append(offer)
        await know(at, [offer for offer in kept if wanted.filters.hold(facts_of(at, offer))])
        for count, offer in enumerate(kept, 1):
            verdict = _verdict(at, wanted, offer, made)
            places.append(offer.place)
            if verdict is not None and len(made.listed) == wanted.limit:
                made.more, made.looked_at = _cursor(places, after, made.listed[-1].offer.place), None
                return made
            if verdict is not None:
                made.listed.append(verdict)
            if count % BREATH == 0:
                await asyncio.sleep(0)
    if made.looked_at is not None and places:
        made.more = _cursor(places, after, places[-1])
    return made


def _cursor(places: Sequence[Place], after: After | None, last: Place) -> str:
    """Behind the last one listed: a plain date, unless more was made at that instant."""
    end = len(places) - 1 - places[::-1].index(last)
    before = 0
    if after is not None and after.instant == last[0]:
        before = after.passed if after.id is None else MOST
    passed = passed_of(places[: end + 1], before)
    alone = passed == 1 and end + 1 < len(places) and places[end + 1][0] != last[0]
    return cursor(last, 0 if alone else passed)


def _verdict(at: Look, wanted: Wanted, offer: Offer, made: Page) -> Verdict | None:
    """The verdict on an offer that qualifies; of one that does not, the reasons are noted if they are asked for."""
    if not wanted.filters.hold(facts_of(at, offer)):
        return None
    verdict = judge(at, wanted.scenario, offer)
    if verdict is not None and verdict.holds:
        return verdict
    if verdict is not None and wanted.explain and len(made.refused) < EXPLAINED:
        told = judge(at, wanted.scenario, offer, explain=True)
        made.refused.append(told or verdict)
    return None


async def _batches(at: Look, wanted: Wanted, made: Page) -> AsyncIterator[list[Offer]]:
    """All offers behind the cursor, the newest first, so many at a time."""
    first = LATEST if wanted.after is None else wanted.after.first
    others, follow = await _first(at, wanted)
    waiting = sorted((one for one in others if one[0] < first), key=_waits)
    stream = Stream(at, wanted, first)
    stream.more = stream.more and follow
    while True:
        found = await stream.next() if stream.more else []
        horizon = stream.before if stream.more or stream.bounded else None
        ready: list[Waiting] = [(one.place, one) for one in found]
        while waiting and (horizon is None or waiting[-1][0] > horizon):
            ready.append(waiting.pop())
        ready.sort(key=_waits, reverse=True)
        for start in range(0, len(ready), CHUNK):
            yield _put_together(at, ready[start : start + CHUNK])
        if stream.bounded:
            made.looked_at = stream.count
            return
        if not stream.more and not waiting:
            return


def _waits(waiting: Waiting) -> Place:
    return waiting[0]


async def _by_deal(at: Look, wanted: Wanted) -> Page:
    made = Page()
    waiting, follow = await _first(at, wanted)
    if len(waiting) > TIERS:
        waiting.sort(key=_waits, reverse=True)
        del waiting[TIERS:]
        made.looked_at = TIERS
    offers = _put_together(at, waiting)
    stream = Stream(at, wanted, LATEST)
    while follow and stream.more:
        offers += await stream.next()
    if stream.bounded:
        made.looked_at = (made.looked_at or 0) + stream.count
    found: list[Verdict] = []
    for start in range(0, len(offers), CHUNK):
        batch = offers[start : start + CHUNK]
        await know(at, [offer for offer in batch if wanted.filters.hold(facts_of(at, offer))])
        for count, offer in enumerate(batch, 1):
            verdict = _verdict(at, wanted, offer, made)
            if verdict is not None:
                found.append(verdict)
            if count % BREATH == 0:
                await asyncio.sleep(0)
    best = wanted.sorting == "BEST_DEAL"
    found.sort(key=lambda one: one.offer.place, reverse=True)
    found.sort(key=lambda one: -one.off if best else one.off)
    places = [one.offer.place for one in found]
    start = _start(places, wanted.after)
    made.listed = found[start : start + wanted.limit]
    if start + wanted.limit < len(found):
        upto = places[: start + wanted.limit]
        same = sum(instant == upto[-1][0] for instant, _ in places)
        passed = sum(instant == upto[-1][0] for instant, _ in upto)
        made.more = cursor(upto[-1], passed if same > 1 else 0)
    return made


def _start(places: Sequence[Place], after: After | None) -> int:
    if after is None:
        return 0
    start = where(places, after)
    if start is None:
        raise invalid_payload(Fault("options.starting_after", "names nothing that qualifies now"))
    return start
