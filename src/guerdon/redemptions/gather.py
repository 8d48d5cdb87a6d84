"""Gather: everything a batch decides on, read under lock in one order everywhere.

Customers, orders, redemptions, vouchers, tallies; within each by id. Nothing that gates a write was read outside.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from msgspec import Struct, field

from guerdon.customers import locked as customers
from guerdon.customers.locked import CustomerIn, Customers
from guerdon.definitions.snapshot import Snapshot
from guerdon.engine import EngineError, Order, StackingRules, Terms, price_order, resume_order
from guerdon.engine.discount import UnitOff
from guerdon.engine.entries import shown_on_lines
from guerdon.engine.ledger import Entry
from guerdon.engine.money import exponent_of
from guerdon.engine.order import Catalog, known_items
from guerdon.engine.reasons import Reason
from guerdon.engine.situation import Collection
from guerdon.kit import db
from guerdon.kit.errors import not_found
from guerdon.kit.idempotency import Stored
from guerdon.ledger import sales
from guerdon.ledger.book import Book
from guerdon.ledger.pins import Pins
from guerdon.ledger.sales import Sale
from guerdon.loyalty.payments import Standing
from guerdon.orders import locked as orders
from guerdon.orders.locked import Held
from guerdon.product_collections import members
from guerdon.products import catalog
from guerdon.redemptions import cards, counted, dry_run, pinned, published, referring, rewarded
from guerdon.redemptions.asks import RedeemAsk, RollbackAsk, engine_fault, products_of
from guerdon.redemptions.candidates import NO_RULES, Candidate, Ruled, candidates
from guerdon.redemptions.drafted import Drafted, put_codes
from guerdon.redemptions.holds import Hold
from guerdon.redemptions.memory import Memory
from guerdon.referrals.screen import Screen
from guerdon.vouchers import locked as vouchers
from guerdon.vouchers.locked import TermsCache, Voucher

PROJECT = """
    select clock_timestamp() as now, p.timezone, p.currency, p.week_start, p.config_version,
           (select jsonb_object_agg(g.api_key_id, g.misses) from code_guesses g
            where g.project_id = $1 and g.api_key_id = any($2)
              and g.minute = date_trunc('minute', clock_timestamp())) as guesses
    from projects p where p.id = $1
"""

COUNT_MISSES = """
    insert into code_guesses as g (project_id, api_key_id, minute, misses)
    select $1, t.api_key_id, date_trunc('minute', $4::timestamptz), t.misses
    from unnest($2::text[], $3::int[]) as t (api_key_id, misses)
    on conflict (project_id, api_key_id) do update
    set misses = case when g.minute >= excluded.minute then g.misses else 0 end + excluded.misses,
        minute = greatest(g.minute, excluded.minute)
    returning api_key_id, misses
"""

STORED = """
    select k.key, k.status, k.body, k.fingerprint, k.headers, k.order_of
    from unnest($2::text[]) as w (key) join idempotency_keys k on k.project_id = $1 and k.key = w.key
"""

KEPT_ORDERS = """
    select r.id, r."order" as head, coalesce(r.items, o.items) as items
    from unnest($2::text[]) as w (id) join redemptions r on r.project_id = $1 and r.id = w.id
    left join orders o on o.project_id = $1 and o.id = r.order_id
"""

REDEMPTIONS = """
    select r.id, r.object, r.parent_id, r.result, r.status, r.voucher_id, r.voucher_code, r.promotion_tier_id,
           r.campaign_id, r.channel_id, r.takes, r.session_key, r.customer_id, r.order_id, r.tracking_id, r.metadata, r.related_object_type, r.related_object_id, r.amount,
           r.given, r.returned, r.returned_amount, r.reward, r."order", r.items, r.created_at
    from unnest($2::text[]) as w (id) join redemptions r on r.project_id = $1 and r.id = w.id
    order by r.id for update of r
"""

_zones: dict[str, ZoneInfo] = {}


class Taken(Struct, gc=False):
    """A redemption under lock, for a rollback."""

    id: str
    object: str
    parent_id: str | None
    result: str
    status: str
    voucher_id: str | None
    voucher_code: str | None
    promotion_tier_id: str | None
    campaign_id: str | None
    channel_id: str | None
    takes: str | None
    session_key: str | None
    customer_id: str | None
    order_id: str | None
    tracking_id: str | None
    metadata: dict[str, Any] | None
    related_object_type: str
    related_object_id: str
    amount: int
    given: str | None
    returned: str | None
    returned_amount: int
    reward: dict[str, Any] | None
    order: str | None
    items: str | None
    created_at: datetime


class Seen(Struct):
    """What a batch sees, and how it changes while the batch decides request after request. `now` is the instant to
    decide for, `clock` the time it is.
    """

    project_id: str
    now: datetime
    clock: datetime
    zone: ZoneInfo
    week_start: int
    exponent: int
    snapshot: Snapshot
    stacking: StackingRules
    misses: dict[str, int]
    stored: dict[str, Stored]
    customers: Customers
    orders: list[Held]
    orders_by_name: dict[str, Held]
    redemptions: dict[str, Taken]
    vouchers: dict[str, Voucher]
    vouchers_by_code: dict[str, Voucher]
    catalog: Catalog
    known: Catalog = {}
    """With the metadata of products, for those requests whose rules may look at it."""
    collections: Mapping[str, Collection] = {}
    ruled: dict[str, Ruled] = {}
    segments: dict[str, frozenset[str]] = {}
    tiers: dict[str, frozenset[str]] = {}
    """The loyalty tiers of customers, where a rule asks for them."""
    tallies: dict[str, int] = {}
    holds: dict[str, list[Hold]] = {}
    book: Book = field(default_factory=Book)
    """The cards among the vouchers, and what the batch does on them."""
    spent: dict[str, list[Entry]] = {}
    """What redemptions that are to come back took from cards, and what of it was put back, in this order."""
    pins: Pins = field(default_factory=Pins)
    sales: dict[str, list[Sale]] = {}
    """The cards that orders which may come back have sold, by order."""
    paid: dict[str, list[Standing]] = {}
    """What points paid of orders that goods come back of, by order."""
    drafted: Drafted | None = None
    referring: Screen | None = None
    """Where referral codes are among the vouchers: who may have them."""

    def voucher_named(self, code_key: str, voucher_id: str) -> Voucher | None:
        """The voucher meant by a code, else by an id, unless it is in the bin."""
        voucher = self.vouchers_by_code.get(code_key) or self.vouchers.get(voucher_id)
        return voucher if voucher is not None and voucher.living else None

    def knows(self, kind: str, code_key: str, name: str) -> bool:
        """Whether there is a voucher, promotion tier or stack of this name."""
        if kind == "voucher":
            return self.voucher_named(code_key, name) is not None
        return name in (self.snapshot.tiers if kind == "promotion_tier" else self.snapshot.stacks)

    def held(self, what: str, session_key: str | None) -> int:
        """How much of something the sessions of others hold."""
        holds = self.holds.get(what)
        return sum(hold.amount for hold in holds if hold.session_key != session_key) if holds else 0

    def candidates(self, ask: RedeemAsk) -> list[Candidate]:
        """What the redeemables of a request are, as things stand in the batch."""
        if ask.found is not None:
            for one in ask.found:
                voucher = one.voucher
                if voucher is not None:
                    held = self.held(f"v:{voucher.id}", ask.session_key) if self.holds else 0
                    one.redeemable.redeemed_quantity = voucher.redeemed_quantity + held
                    if voucher.type != "DISCOUNT_VOUCHER":
                        self.equip(ask, one)
            return ask.found
        found: list[Candidate] = []
        for place, (key, asked) in enumerate(zip(ask.code_keys, ask.data.redeemables, strict=True)):
            voucher = self.voucher_named(key, asked.id) if asked.object == "voucher" else None
            ruled, held = NO_RULES, 0
            if voucher is not None:
                ruled = self.ruled.get(voucher.id, NO_RULES)
                held = self.held(f"v:{voucher.id}", ask.session_key) if self.holds else 0
            found.extend(candidates(self.snapshot, asked, place, voucher, ruled, held))
            if voucher is not None and voucher.type != "DISCOUNT_VOUCHER":
                self.equip(ask, found[-1])
            if self.referring is not None and voucher is not None and voucher.is_referral_code:
                found[-1].redeemable.refused = referring.refusal(self, ask, voucher)
        ask.found = found
        return found

    def equip(self, ask: RedeemAsk, one: Candidate) -> None:
        """Tell a card's candidate what it has to give."""
        assert one.voucher is not None
        if one.voucher.type == "LOYALTY_CARD":
            rewarded.equip(self, ask, one)
            return
        credits = None if one.asked.gift is None else one.asked.gift.credits
        cards.equip(self, one.voucher, one.redeemable, credits, ask.session_key)
        if credits is not None and ask.order is None:
            refused = (Reason.MISSING_ORDER, "An order is required for credits to pay.")
            one.redeemable.refused = one.redeemable.refused or refused

    def order_named(self, ask_id: str | None, source_id: str | None) -> Held | None:
        """The order meant by an id, else by a source id; they may not be mixed up, ids begin with ``ord_``."""
        if ask_id is not None:
            return self.orders_by_name.get(ask_id)
        return self.orders_by_name.get(f"source:{source_id}") if source_id is not None else None

    def order_for(self, ask: RedeemAsk) -> tuple[Held | None, Order | None]:
        """The order to decide on: the stored one if it exists, whatever was sent with it; else the one sent.

        Raises `ApiError` for one that does not exist or does not add up.
        """
        if ask.order is None:
            return None, None
        held = self.order_named(ask.order.id, ask.order.source_id)
        if held is not None:
            stored = resume_order(held.order)
            return held, known_items(stored, self.known) if ask.ruled else stored
        if ask.order.id is not None:
            raise not_found("order", ask.order.id)
        if ask.priced and not (ask.ruled and self.known):
            return None, ask.order
        if ask.known is None:
            try:
                ask.known = (
                    known_items(ask.order, self.known)
                    if ask.priced
                    else price_order(ask.order, self.known if ask.ruled else self.catalog)
                )
            except EngineError as error:
                raise engine_fault(error) from None
        return None, ask.known

    def hold(self, held: Held) -> None:
        """Make an order findable for the rest of the batch."""
        self.orders.append(held)
        order = held.order
        if order.id is not None:
            self.orders_by_name[order.id] = held
        if order.source_id is not None:
            self.orders_by_name[f"source:{order.source_id}"] = held


async def gather(
    conn: db.Db,
    project_id: str,
    redeems: Sequence[RedeemAsk],
    rollbacks: Sequence[RollbackAsk],
    memory: Memory,
    *,
    lock: bool,
    also: Iterable[str] = (),
) -> Seen:
    """Read all that the requests of a batch need; with `lock`, so that nobody changes it before the commit.

    `also` are tallies beyond those that can be told beforehand.

    A request about another instant, or with drafts, is a batch of its own, without `lock`.
    """
    seen = await _project(conn, project_id, {ask.caller.key_id for ask in redeems}, memory)
    for ask in redeems:
        if ask.hypothetical:
            assert len(redeems) == 1 and not rollbacks and not lock
            await dry_run.overlay(conn, seen, ask.data.at, ask.data.drafts, ask.caller.case_sensitive_codes)
    if lock:
        keys = [ask.key for ask in (*redeems, *rollbacks) if ask.key is not None]
        if keys:
            seen.stored = await _stored(conn, project_id, keys)
    await _customers(conn, seen, redeems, rollbacks, lock)
    await _orders(conn, seen, redeems, rollbacks, lock)
    if rollbacks:
        ids = list({i for ask in rollbacks for i in ask.redemption_ids})
        for record in await db.records(conn, REDEMPTIONS, project_id, ids):
            seen.redemptions[record["id"]] = Taken(**record)
    if rollbacks:
        seen.sales = await sales.of_orders(conn, project_id, {i for ask in rollbacks for i in ask.order_ids})
    await _vouchers(conn, seen, redeems, rollbacks, memory.terms, lock)
    await cards.gather(conn, seen, redeems, rollbacks, lock=lock)
    await referring.gather(conn, seen, redeems)
    if lock:
        await pinned.gather(conn, seen, redeems)
    if seen.drafted is not None:
        put_codes(seen)
    counted.mark(seen, redeems)
    await _catalog(conn, seen, redeems)
    await counted.gather(conn, seen, redeems, rollbacks, lock=lock, also=also)
    for ask in redeems:
        if ask.ruled:
            known = seen.customers.find(ask.customer)
            await published.fill(conn, project_id, seen.candidates(ask), known and known.id)
    await _count_unknown(conn, seen, redeems)
    return seen


async def _project(conn: db.Db, project_id: str, key_ids: set[str], memory: Memory) -> Seen:
    record = (await db.records(conn, PROJECT, project_id, list(key_ids)))[0]
    timezone = record["timezone"]
    zone = _zones.get(timezone)
    if zone is None:
        zone = _zones[timezone] = ZoneInfo(timezone)
    snapshot = await memory.snapshots.at(conn, project_id, record["config_version"])
    return Seen(
        project_id=project_id,
        now=record["now"],
        clock=record["now"],
        zone=zone,
        week_start=record["week_start"],
        exponent=exponent_of(record["currency"]),
        snapshot=snapshot,
        collections=snapshot.collections,
        stacking=snapshot.stacking,
        misses=record["guesses"] or {},
        stored={},
        customers=Customers(),
        orders=[],
        orders_by_name={},
        redemptions={},
        vouchers={},
        vouchers_by_code={},
        catalog={},
    )


async def _stored(conn: db.Db, project_id: str, keys: list[str]) -> dict[str, Stored]:
    """The answers given before under these keys, with the orders that were kept apart put in again."""
    records = await db.records(conn, STORED, project_id, keys)
    names = [record["order_of"] for record in records if record["order_of"] is not None]
    kept: dict[str, bytes] = {}
    for r in await db.records(conn, KEPT_ORDERS, project_id, names) if names else ():
        kept[r["id"]] = orders.whole_json(r["head"].encode(), r["items"] and r["items"].encode())
    return {
        r["key"]: Stored(
            r["status"],
            r["body"] if r["order_of"] is None else r["body"].replace(b"\x00", kept[r["order_of"]]),
            r["fingerprint"],
            r["headers"],
        )
        for r in records
    }


async def _customers(
    conn: db.Db, seen: Seen, redeems: Sequence[RedeemAsk], rollbacks: Sequence[RollbackAsk], lock: bool
) -> None:
    named: list[CustomerIn] = []
    for ask in redeems:
        if ask.key is None or ask.key not in seen.stored:  # a repeat changes nothing
            named.extend(ask.named())
    compared = [customer for ask in rollbacks for customer in ask.named()]
    if lock and named:
        seen.customers = await customers.settle(conn, seen.project_id, named, compared)
    elif named or compared:
        seen.customers = await customers.look(conn, seen.project_id, [*named, *compared])


async def _orders(
    conn: db.Db, seen: Seen, redeems: Sequence[RedeemAsk], rollbacks: Sequence[RollbackAsk], lock: bool
) -> None:
    ids = [i for ask in rollbacks for i in ask.order_ids]
    source_ids: list[str] = []
    for ask in redeems:
        if ask.order is None:
            continue
        if ask.order.id is not None:
            ids.append(ask.order.id)
        elif ask.order.source_id is not None:
            source_ids.append(ask.order.source_id)
    if ids or source_ids:
        for order in await orders.look(conn, seen.project_id, ids, source_ids, lock=lock):
            seen.hold(Held(order))


async def _vouchers(
    conn: db.Db,
    seen: Seen,
    redeems: Sequence[RedeemAsk],
    rollbacks: Sequence[RollbackAsk],
    terms: TermsCache,
    lock: bool,
) -> None:
    keys = list(
        {key for ask in redeems for key in ask.code_keys}.union(seen.drafted.codes if seen.drafted else ())
    )
    ids = [i for ask in redeems for i in ask.voucher_ids] + [i for ask in rollbacks for i in ask.voucher_ids]
    ids += [sale.card_id for sold in seen.sales.values() for sale in sold]
    if not keys and not ids:
        return
    found = await vouchers.look(conn, seen.project_id, keys, ids, lock=lock)
    await terms.fill(conn, seen.project_id, found)
    for voucher in found:
        seen.vouchers[voucher.id] = voucher
        seen.vouchers_by_code[voucher.code_key] = voucher


async def _count_unknown(conn: db.Db, seen: Seen, redeems: Sequence[RedeemAsk]) -> None:
    """Count the unknown codes before anything is said of them.

    The row of a key gives every process and lane its own stretch of the count, so that together they answer no
    more guesses than one would.
    """
    unknown: dict[str, int] = {}
    for ask in redeems:
        if ask.key is not None and ask.key in seen.stored:
            continue
        for code_key, redeemable in zip(ask.code_keys, ask.data.redeemables, strict=True):
            if not seen.knows(redeemable.object, code_key, redeemable.id):
                unknown[ask.caller.key_id] = unknown.get(ask.caller.key_id, 0) + 1
    if unknown:
        keys = sorted(unknown)
        counts = [unknown[key] for key in keys]
        for record in await db.records(conn, COUNT_MISSES, seen.project_id, keys, counts, seen.clock):
            seen.misses[record["api_key_id"]] = record["misses"] - unknown[record["api_key_id"]]


async def _catalog(conn: db.Db, seen: Seen, redeems: Sequence[RedeemAsk]) -> None:
    """What is stored about products: for prices that were not sent, for units that are given, and for rules."""
    names: set[str] = set()
    asked: set[str] = set()
    for ask in redeems:
        names.update(ask.products)
        if ask.ruled and ask.order is not None:
            held = seen.order_named(ask.order.id, ask.order.source_id)
            asked.update(products_of(ask.order if held is None else held.order))
        if any(one.object != "voucher" for one in ask.data.redeemables):
            for candidate in seen.candidates(ask):
                names.update(units_of(candidate.redeemable.terms))
    for voucher in seen.vouchers.values():
        names.update(units_of(voucher.kept.terms if voucher.kept else None))
    if names:
        seen.catalog = await catalog.load(conn, seen.project_id, names)
    seen.known = seen.catalog  # units that are given need it though no line does
    if asked:
        seen.known = await catalog.load(conn, seen.project_id, names | asked, details=True)
        await _collections(conn, seen, redeems)


async def _collections(conn: db.Db, seen: Seen, redeems: Sequence[RedeemAsk]) -> None:
    """Collections whose filters look at what lines do not tell are asked of the catalog."""
    rules = {
        rule for ask in redeems if ask.ruled for one in seen.candidates(ask) for rule in one.redeemable.rules
    }
    await look_into_collections(conn, seen, {name for rule in rules for name in rule.collections})


async def look_into_collections(conn: db.Db, seen: Seen, ids: Iterable[str]) -> None:
    """Have the catalog say which of the known products are in those of the collections that lines cannot tell."""
    wanted = [seen.snapshot.collections.get(name) for name in ids]
    unseen = [c for c in wanted if c is not None and c.filter is not None and not shown_on_lines(c.filter)]
    if unseen:
        names = {name for one in seen.known.values() for name in (one.id, one.source_id) if name is not None}
        found = await members.resolved(conn, seen.project_id, unseen, names, seen.zone.key)
        seen.collections = {**seen.collections, **found}


def units_of(terms: Terms | None) -> set[str]:
    """The products and SKUs that a discount gives units of."""
    discount = None if terms is None else terms.discount
    if not isinstance(discount, UnitOff):
        return set()
    return {u for u in (discount.unit_type, *(x.unit_type for x in discount.units or ())) if u}
