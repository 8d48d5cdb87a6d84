"""What rewards and benefits give: codes and gift cards of campaigns, and points. Goods are handed over in the shop.

Locks in the order of the house: `campaigns_of` before members, `lay_out` between members and the ledger's cards,
`hand_over` on the sheet. Nothing is given unless the sheet is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct, field

from guerdon.engine.expiry import ends
from guerdon.engine.ledger import Entry, TooMuch, Why, grant
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.kit.dates import parse_instant
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event
from guerdon.ledger import book as books
from guerdon.ledger.book import entry_ids
from guerdon.loyalty.members_store import CardRow
from guerdon.loyalty.place import Place, shown_card, suffix
from guerdon.loyalty.sheet import Sheet
from guerdon.vouchers import given, store
from guerdon.vouchers.codes import long_enough, mint, read_config
from guerdon.vouchers.given import PublicationRow, Suitable
from guerdon.vouchers.value import is_on_sale, kind_of, open_cards

DRAWS = 20
CHANNEL = "LOYALTY"

CAMPAIGNS = """
    select c.id, c.name, c.type, c.campaign_type, c.terms_id, c.voucher, c.activity_duration_after_publishing as duration,
           t.body, c.active
    from campaigns c join voucher_terms t on t.project_id = $1 and t.id = c.terms_id
    where c.project_id = $1 and c.id = any($2) and c.deleted_at is null order by c.id
"""
LOCK_CAMPAIGNS = """
    select id from campaigns where project_id = $1 and id = any($2) and type = 'AUTO_UPDATE' order by id for no key update
"""

# The first card of a campaign that each customer holds.
HELD = """
    select w.customer_id, w.campaign_id, v.id, v.code
    from unnest($2::text[], $3::text[]) as w (customer_id, campaign_id)
    cross join lateral (
        select v.id, v.code from vouchers v
        left join campaigns c on c.project_id = $1 and c.id = v.campaign_id
        left join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, c.terms_id)
        where v.project_id = $1 and v.holder_id = w.customer_id and v.campaign_id = w.campaign_id and v.active
          and v.deleted_at is null and v.type = 'GIFT_VOUCHER' and (t.expires_at is null or t.expires_at > $4)
        order by v.created_at, v.id limit 1
    ) v
"""
LOCK_VOUCHERS = """
    select id, active from vouchers where project_id = $1 and id = any($2) order by id for no key update
"""


class Goods(Struct, frozen=True):
    """What is given. GOODS are a product or SKU, which nothing here hands over; `amount` are minor units or points,
    `card` is the definition of the card that points are for.
    """

    kind: Literal["GOODS", "COUPON", "GIFT", "POINTS"]
    campaign_id: str = ""
    amount: int = 0
    card: str = ""


class Campaign(Struct):
    """A campaign whose codes are given."""

    id: str
    name: str
    type: str
    campaign_type: str
    terms_id: str
    voucher: dict[str, Any]
    duration: str | None
    body: dict[str, Any]
    active: bool


class Held(Struct):
    """A gift card that a customer has."""

    id: str
    code: str


class Counter(Struct):
    """What lies ready, under lock: codes by campaign, gift cards by campaign and customer. `off` are cards that are
    switched off.
    """

    campaigns: dict[str, Campaign] = field(default_factory=dict)
    codes: dict[str, list[Suitable]] = field(default_factory=dict)
    cards: dict[tuple[str, str], Held] = field(default_factory=dict)
    off: set[str] = field(default_factory=set)

    @property
    def accounts(self) -> set[str]:
        """The ledger's cards that may be needed."""
        ready = (one.id for codes in self.codes.values() for one in codes)
        return {*ready, *(card.id for card in self.cards.values())}


class Given(Struct, kw_only=True):
    """What was given: the voucher or card with the lot that was put on it. `published`: a code given just now."""

    kind: str
    voucher_id: str | None = None
    code: str | None = None
    card_id: str | None = None
    definition_id: str | None = None
    lot_id: str | None = None
    entry_id: str | None = None
    amount: int = 0
    balance: int = 0
    published: bool = False


def goods_of(section: Mapping[str, Any]) -> Goods:
    """What a material or digital section of a reward or benefit gives."""
    match section.get("type"):
        case "DISCOUNT_COUPONS":
            return Goods("COUPON", section["discount_coupons"]["campaign_id"])
        case "GIFT_VOUCHERS":
            told = section["gift_vouchers"]
            return Goods("GIFT", told["campaign_id"], int(told["balance"]))
        case "LOYALTY_CARD_POINTS":
            told = section["loyalty_card_points"]
            return Goods("POINTS", amount=int(told["points"]), card=told["card_definition_id"])
        case _:
            return Goods("GOODS")


def program_of(place: Place, goods: Goods, own: str) -> str:
    """The program whose card the points are for: the `own` one if it has such cards, else the one of that name."""
    program = place.program(own)
    if program is not None and goods.card in program.cards:
        return own
    return "lprg_" + suffix(goods.card)


async def campaigns_of(conn: db.Conn, place: Place, wanted: Iterable[Goods]) -> dict[str, Campaign]:
    """The campaigns that codes come from; those that make codes when needed are locked. Before members."""
    names = sorted({goods.campaign_id for goods in wanted if goods.campaign_id})
    if not names:
        return {}
    await db.execute(conn, LOCK_CAMPAIGNS, place.project_id, names)
    return {row.id: row for row in await db.rows(conn, Campaign, CAMPAIGNS, place.project_id, names)}


async def lay_out(
    conn: db.Conn,
    place: Place,
    campaigns: dict[str, Campaign],
    wanted: Sequence[tuple[Goods, str]],
    paying: Iterable[str] = (),
) -> Counter:
    """Choose codes and find gift cards for goods and the customers they are for; vouchers of cards that pay are
    locked too. After members, before the ledger's cards.
    """
    counter = Counter(campaigns)
    gifts = sorted({(who, goods.campaign_id) for goods, who in wanted if goods.kind == "GIFT"})
    if gifts:
        customers, names = zip(*gifts, strict=True)
        found = await db.records(conn, HELD, place.project_id, list(customers), list(names), place.now)
        counter.cards = {(r["campaign_id"], r["customer_id"]): Held(r["id"], r["code"]) for r in found}
    needed: dict[str, int] = {}
    for goods, who in wanted:
        if goods.campaign_id and (goods.campaign_id, who) not in counter.cards:
            needed[goods.campaign_id] = needed.get(goods.campaign_id, 0) + 1
    counter.off = await lock_vouchers(
        conn, place.project_id, {*paying, *(held.id for held in counter.cards.values())}
    )
    for name, count in sorted(needed.items()):
        campaign = campaigns.get(name)
        if campaign is not None and _usable(campaign, place):
            counter.codes[name] = await _ready(conn, place, campaign, count)
    return counter


async def lock_vouchers(conn: db.Conn, project_id: str, ids: Iterable[str]) -> set[str]:
    """Lock vouchers, after members and before the ledger's cards; those of them that are switched off."""
    names = sorted(set(ids))
    records = await db.records(conn, LOCK_VOUCHERS, project_id, names) if names else []
    return {record["id"] for record in records if not record["active"]}


def _usable(campaign: Campaign, place: Place) -> bool:
    end = campaign.body.get("expiration_date")
    if end is not None and campaign.duration is None and parse_instant(end) <= place.now:
        return False
    return campaign.active and not is_on_sale(campaign.body)


async def _ready(conn: db.Conn, place: Place, campaign: Campaign, count: int) -> list[Suitable]:
    if campaign.type == "STANDALONE":
        return await given.pick_generic(conn, place.project_id, campaign.id, campaign.terms_id)
    ended_too = campaign.duration is not None

    async def pick(wait: bool) -> list[Suitable]:
        return await given.pick(
            conn, place.project_id, campaign.id, campaign.terms_id, count, ended_too=ended_too, wait=wait
        )

    found = await pick(wait=False)
    # Others may roll back: a single buyer is not refused while a code may still turn out free.
    return found or (await pick(wait=True) if count == 1 and campaign.type != "AUTO_UPDATE" else [])


def has(counter: Counter, goods: Goods, customer_id: str, place: Place) -> bool:
    """Whether there is something to give."""
    if not goods.campaign_id or (goods.campaign_id, customer_id) in counter.cards:
        return True
    if counter.codes.get(goods.campaign_id):
        return True
    campaign = counter.campaigns.get(goods.campaign_id)
    return campaign is not None and campaign.type == "AUTO_UPDATE" and _usable(campaign, place)


async def hand_over(
    conn: db.Conn,
    page: Sheet,
    counter: Counter,
    goods: Goods,
    customer_id: str,
    card: CardRow | None,
    cause: str,
) -> Given | None:
    """Give it; `card` is the loyalty card that points are for. None where nothing is there, or no room for it."""
    match goods.kind:
        case "GOODS":
            return Given(kind="GOODS")
        case "POINTS":
            return None if card is None else _points(page, goods, card, cause)
        case _:
            return await _of_campaign(conn, page, counter, goods, customer_id, cause)


def _points(page: Sheet, goods: Goods, card: CardRow, cause: str) -> Given | None:
    if not goods.amount:
        return Given(kind="POINTS", card_id=card.id, definition_id=card.definition_id)
    program = page.place.program(card.program_id)
    policy = None if program is None else program.cards.get(card.definition_id)
    end = None if policy is None else ends(policy.earning.expiry, page.place.now, page.place.zone)
    try:
        entry = page.put(card, "POINTS_ADDITION", goods.amount, end, Why(cause_id=cause))
    except TooMuch:
        return None
    data = {"transaction_id": entry.id, "points": entry.amount, "balance": entry.balance}
    page.events.append(Event("voucher.loyalty_card.points_aded", card.id, None, data))
    customer = page.customer(card)
    page.events.append(Event("customer.voucher.loyalty_card.points_added", card.id, customer, data))
    return Given(
        kind="POINTS", card_id=card.id, definition_id=card.definition_id, lot_id=entry.parts[0].lot,
        entry_id=entry.id, amount=goods.amount, balance=entry.balance,
    )  # fmt: skip


async def _of_campaign(
    conn: db.Conn, page: Sheet, counter: Counter, goods: Goods, customer_id: str, cause: str
) -> Given | None:
    held = counter.cards.get((goods.campaign_id, customer_id)) if goods.kind == "GIFT" else None
    published = held is None
    if held is None:
        code = await _code(conn, page.place, counter, goods.campaign_id)
        if code is None:
            return None
        await _publish(conn, page, counter.campaigns[goods.campaign_id], code, customer_id)
        held = Held(code.id, code.code)
        if goods.kind == "GIFT":
            counter.cards[goods.campaign_id, customer_id] = held
    done = Given(kind=goods.kind, voucher_id=held.id, code=held.code, published=published)
    if goods.kind == "GIFT":
        entry = await _credit(conn, page, goods, held.id, customer_id, cause)
        if entry is None and goods.amount:
            return None
        done.card_id, done.amount = held.id, goods.amount
        done.balance = page.book.cards[held.id].balance
        if entry is not None:
            done.entry_id, done.lot_id = entry.id, entry.parts[0].lot
    return done


async def _credit(
    conn: db.Conn, page: Sheet, goods: Goods, card_id: str, customer_id: str, cause: str
) -> Entry | None:
    if card_id not in page.book.cards:  # made just now: nobody else knows of it
        await books.add(conn, page.place.project_id, page.book, [card_id], lock=True)
    card = page.book.cards[card_id]
    if not goods.amount:
        return None
    try:
        entry = grant(
            card, "CREDITS_ADDITION", goods.amount, page.place.now, entry_ids()[0], why=Why(cause_id=cause)
        )
    except TooMuch:
        return None
    page.book.enter([entry])
    data = {
        "transaction_id": entry.id,
        "amount": entry.amount,
        "balance": entry.balance,
        "voucher": {"id": card_id},
    }
    page.events.append(Event("voucher.gift.transaction.created", card_id, None, data))
    page.events.append(Event("voucher.gift.balance_aded", card_id, None, data))
    page.events.append(Event("customer.voucher.gift.balance_added", card_id, customer_id, data))
    return entry


async def _code(conn: db.Conn, place: Place, counter: Counter, campaign_id: str) -> Suitable | None:
    ready, campaign = counter.codes.get(campaign_id), counter.campaigns.get(campaign_id)
    if ready:
        return ready[0] if ready[0].generic else ready.pop(0)
    if campaign is None or campaign.type != "AUTO_UPDATE" or not _usable(campaign, place):
        return None
    return await _mint(conn, place, campaign)


async def _mint(conn: db.Conn, place: Place, campaign: Campaign) -> Suitable | None:
    """One more code of a campaign that makes them when they are needed."""
    kind = kind_of(campaign.body)
    config = long_enough(read_config(campaign.voucher.get("code_config")), kind)
    new = store.NewVoucher(id=new_id("voucher"), code="", type=kind, campaign_id=campaign.id)
    for _ in range(DRAWS):
        new.code = mint(config, 1)[0]
        if await store.insert(conn, place.project_id, new, place.case_sensitive):
            break
    else:
        return None
    await open_cards(conn, place.project_id, campaign.id, [(new.id, campaign.body)])
    await store.count_in_campaign(conn, place.project_id, campaign.id, 1)
    return Suitable(
        id=new.id, code=new.code, generic=False, in_force=campaign.terms_id, quantity=None, body=campaign.body
    )


async def _publish(conn: db.Conn, page: Sheet, campaign: Campaign, code: Suitable, customer_id: str) -> None:
    """Make a code the customer's."""
    place = page.place
    row = PublicationRow(
        id=new_id("publication"), customer_id=customer_id, campaign_id=campaign.id, source_id=None,
        tracking_id=None, channel=CHANNEL, metadata={}, result="SUCCESS", voucher_ids=[code.id],
        voucher_codes=[code.code], created_at=place.now,
    )  # fmt: skip
    await given.record(conn, place.project_id, row)
    terms = await given.terms_of(conn, place.project_id, [code], campaign.duration, place.now, place.zone)
    await given.give(conn, place.project_id, customer_id, [code], terms)
    told = {
        "publication": {
            "id": row.id, "object": "publication", "result": row.result, "channel": row.channel, "source_id": None,
            "vouchers": row.voucher_codes, "vouchers_id": row.voucher_ids, "created_at": iso(place.now),
        },
        "campaign": {"id": campaign.id, "name": campaign.name, "object": "campaign"},
    }  # fmt: skip
    page.events += [
        Event("publication.succeeded", row.id, None, told),
        Event("customer.publication.succeeded", row.id, customer_id, told),
        Event("voucher.published", code.id, None, {"publication_id": row.id}),
    ]


def kept(given_: Given) -> dict[str, Any]:
    """What a row keeps of what was given, so that it can be taken back."""
    names = ("kind", "voucher_id", "card_id", "lot_id", "amount", "published")
    return {name: value for name in names if (value := getattr(given_, name))}


def result_of(given_: Given, section: Mapping[str, Any]) -> dict[str, Any]:
    """What was given, as transactions of v2 show it: the material or the digital part."""
    match given_.kind:
        case "GOODS":
            return {"material": dict(section), "digital": None}
        case "COUPON":
            told: dict[str, Any] = {"discount_coupons": [{"id": given_.voucher_id, "code": given_.code}]}
        case "GIFT":
            one = {
                "id": given_.voucher_id,
                "code": given_.code,
                "amount": given_.amount,
                "balance": given_.balance,
            }
            told = {"gift_vouchers": [one]}
        case _:
            assert given_.card_id is not None
            points = {
                "points": given_.amount,
                "card_definition_id": given_.definition_id,
                "card_id": shown_card(given_.card_id),
            }
            told = {"loyalty_card_points": points}
    return {"material": None, "digital": {"type": section["type"]} | told}
