"""A page of what qualifies: the newest first, stopping when it is full, or everything in the order of the deal."""

import asyncio
import heapq
from collections.abc import AsyncIterator, Iterable, Sequence

from msgspec import Struct, field

from guerdon.kit.errors import Fault, invalid_payload
from guerdon.qualifications import store
from guerdon.qualifications.filters import Filters
from guerdon.qualifications.judge import Verdict, judge
from guerdon.qualifications.look import (
    Look,
    Offer,
    campaigns,
    codes,
    facts_of,
    know,
    offer_of,
    stacks,
    tiers,
    usable,
)
from guerdon.qualifications.places import LATEST, MOST, After, Place, cursor, passed_of, where
from guerdon.qualifications.scenarios import Scenario
from guerdon.qualifications.streams import CHUNK, CODES, Streams, streams
from guerdon.vouchers.locked import look as look_up

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
    """What qualifies, and what does not as far as that is told. `looked_at` is how many codes and campaigns were
    looked at when there were more than are looked at in one request.
    """

    listed: list[Verdict] = field(default_factory=list)
    refused: list[Verdict] = field(default_factory=list)
    more: str | None = None
    looked_at: int | None = None


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
        mine = await usable(at, (v for v in at.seen.vouchers.values() if v.living))
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
    if wanted.scenario.campaigns:
        whole = sorted(name for name in names or () if name.startswith("camp_"))
        read = await store.campaigns_named(at.conn, at.seen.project_id, at.customer_id, whole)
        waiting += [(one.place, one) for one in await campaigns(at, read)]
    if not (wanted.scenario.standalone or wanted.scenario.own):
        return waiting
    ids = sorted(name for name in names or () if name.startswith("v_"))
    found = await look_up(at.conn, at.seen.project_id, sorted(keys or ()), ids, lock=False)
    known = {voucher.id: voucher for voucher in found} | at.seen.vouchers
    living = await usable(at, (voucher for voucher in known.values() if voucher.living))
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
    read = streams(at, wanted.scenario, wanted.filters, first, CODES) if follow else Streams([])
    early: list[Waiting] = []  # read already, but others may stand before it
    while True:
        early += [(one.place, one) for one in await read.next()]
        horizon = read.horizon
        ready = [one for one in early if horizon is None or one[0] >= horizon]
        early = [one for one in early if horizon is not None and one[0] < horizon]
        while waiting and (horizon is None or waiting[-1][0] > horizon):
            ready.append(waiting.pop())
        ready.sort(key=_waits, reverse=True)
        for start in range(0, len(ready), CHUNK):
            yield _put_together(at, ready[start : start + CHUNK])
        if read.bounded:
            made.looked_at = read.count
            return
        if not (read.more or waiting):
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
    read = streams(at, wanted.scenario, wanted.filters, LATEST, CODES) if follow else Streams([])
    for stream in read.each:
        while stream.more:
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
