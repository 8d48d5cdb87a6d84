"""Making members: each customer once, with a card by each card definition of the program.

In the books the points of a card are reckoned by its definition: cards of one definition may exchange them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from msgspec import Struct

from guerdon.engine.ledger import grant
from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.ids import new_id, new_ids
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import book as books
from guerdon.ledger.book import Book, entry_ids
from guerdon.loyalty import members_store as store
from guerdon.loyalty.compiled import CardPolicy, Program
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place, campaign_id, shown_card, suffix
from guerdon.vouchers.codes import check_room, mint
from guerdon.vouchers.store import code_key

DRAWS = 20


class NewMember(Struct, kw_only=True):
    """Who is to be a member."""

    customer_id: str
    status: str = "ACTIVE"
    metadata: dict[str, Any] = {}


async def enrol(
    conn: db.Conn, place: Place, program: Program, new: Sequence[NewMember], request_id: str | None = None
) -> list[MemberRow]:
    """The members made, with their cards; customers who are members already are left out."""
    by_customer = {one.customer_id: one for one in new}
    if not by_customer:
        return []
    ids = new_ids("member", len(by_customer))
    rows = [
        (member_id, one.customer_id, one.status, one.metadata)
        for member_id, one in zip(ids, by_customer.values(), strict=True)
    ]
    if program.settings.get("v1"):  # the campaign before its members, as those do who publish its codes
        await store.of_campaign(conn, place.project_id, campaign_id(program.id), 0)
    made = await store.insert(conn, place.project_id, program.id, rows)
    if not made:
        return []
    cards = [
        card for policy in program.cards.values() for card in await _issue(conn, place, program, policy, made)
    ]
    events = [_created(program, member) for member in made]
    for card in cards:
        about = {"card": {"id": shown_card(card.id), "card_definition_id": card.definition_id}}
        told = about | {"member": {"id": card.member_id}}
        events.append(Event("vl.card.created", shown_card(card.id), None, about))
        events.append(Event("vl.card.assigned", shown_card(card.id), None, told))
        events.append(Event("vl.member.card.assigned", card.member_id, None, told))
    await emit(conn, place.project_id, events, request_id)
    return made


class _Card(Struct):
    id: str
    member_id: str
    definition_id: str


async def _issue(
    conn: db.Conn, place: Place, program: Program, policy: CardPolicy, members: Sequence[MemberRow]
) -> list[_Card]:
    """A card of one definition for each member: its voucher, its account, its row."""
    camp = campaign_id(program.id)
    terms_id = await store.of_campaign(conn, place.project_id, camp, len(members))
    if terms_id is None:
        terms_id = "terms_" + suffix(policy.id)
        await db.execute(conn, store.TERMS, place.project_id, terms_id, {"loyalty_card": {"points": 0}})
    check_room(policy.codes, len(members), "code_config", case_sensitive=place.case_sensitive)
    cards = [_Card(new_id("voucher"), member.id, policy.id) for member in members]
    holders = {card.id: member.customer_id for card, member in zip(cards, members, strict=True)}
    missing = [card.id for card in cards]
    for _ in range(DRAWS):
        codes = mint(policy.codes, len(missing))
        keys = [code_key(code, place.case_sensitive) for code in codes]
        taken = await db.records(
            conn, store.VOUCHERS, place.project_id, camp, missing, codes, keys, [terms_id] * len(missing),
            [holders[card_id] for card_id in missing],
        )  # fmt: skip
        there = {record["id"] for record in taken}
        missing = [card_id for card_id in missing if card_id not in there]
        if not missing:
            break
    else:
        raise _no_room()
    book = Book()
    for card in cards:
        account = book.open(card.id, policy.id, camp)
        if policy.begins:
            book.enter([grant(account, "POINTS_ADDITION", policy.begins, place.now, entry_ids()[0])])
    await books.write(conn, place.project_id, book, place.now)
    await db.insert(
        conn, "loyalty_cards", store.INSERT_COLUMNS,
        [(place.project_id, card.id, card.member_id, program.id, policy.id) for card in cards],
    )  # fmt: skip
    return cards


def _no_room() -> ApiError:
    return invalid_payload(
        Fault("code_config", "nearly all codes it can make are taken"),
        key="invalid_code_config",
        message="Invalid code config",
    )


def _created(program: Program, member: MemberRow) -> Event:
    about = {"member": told_member(member), "program": {"id": program.id, "name": program.name}}
    return Event("vl.member.created", member.id, member.customer_id, about)


def told_member(member: MemberRow) -> Mapping[str, Any]:
    """A member as events tell of one."""
    return {
        "id": member.id,
        "customer_id": member.customer_id,
        "program_id": member.program_id,
        "status": member.status,
    }
