"""Members as the older API shows them: by their cards, which are vouchers."""

from collections.abc import Sequence
from typing import LiteralString

from msgspec import UNSET, Struct, UnsetType
from msgspec.structs import replace

from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.paging import page
from guerdon.loyalty import members_store
from guerdon.loyalty.members_store import CardRow, MemberRow
from guerdon.loyalty.v1_names import OLDER, stored
from guerdon.vouchers import store
from guerdon.vouchers.cards import card_of
from guerdon.vouchers.listing import LISTING
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.store import VoucherWithTerms

PROGRAM = """
    select id, name, status, settings from loyalty_programs
    where project_id = $1 and (id = $2 or name = $3) and settings ? 'v1' and status <> 'DELETED'
    order by id = $2 desc limit 1
"""
PUBLISHED: LiteralString = """
    and v.campaign_id = $2 and v.holder_id is not null and ($3::text is null or v.code_key = $3)
    and ($4::text is null or v.holder_id in (
        select who.id from customers who where who.project_id = $1 and $4 in (who.id, who.source_id)))
"""


class ProgramRef(Struct):
    """A program that is a campaign of the older API."""

    id: str
    name: str
    status: str
    settings: dict[str, object]

    @property
    def campaign_id(self) -> str:
        """The campaign's id."""
        return OLDER["campaign"] + self.id.partition("_")[2]


class Members(Struct, kw_only=True):
    """A page of members. `total` counts the whole list."""

    object: str = "list"
    data_ref: str = "vouchers"
    vouchers: list[Voucher]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class MemberCard(Struct):
    """A member with the card that is meant."""

    voucher: VoucherWithTerms
    card: CardRow
    member: MemberRow


async def program_of(call: Call, name: str) -> ProgramRef:
    """The program of a campaign, by the campaign's id or name. Raises `ApiError` 404."""
    wanted = stored("program", name) if name.startswith(OLDER["campaign"]) else ""
    found = await db.row(call.db, ProgramRef, PROGRAM, call.project_id, wanted, name)
    if found is None:
        raise not_found("loyalty program", name)
    return found


async def voucher_of(call: Call, member_id: str, campaign: str | None) -> VoucherWithTerms:
    """A loyalty card by its code or id, which a campaign may have to own. Raises `ApiError` 404."""
    program = None if campaign is None else await program_of(call, campaign)
    found = await card_of(call, member_id)
    if found.type != "LOYALTY_CARD" or (program is not None and found.campaign_id != program.campaign_id):
        raise not_found("loyalty card", member_id)
    return found


async def member_of(call: Call, member_id: str, campaign: str | None) -> MemberCard:
    """A member by the card. Raises `ApiError` 404, 400 ``invalid_customer`` for a card that nobody holds."""
    voucher = await voucher_of(call, member_id, campaign)
    cards = await members_store.cards(call.db, call.project_id, [voucher.id])
    member = await members_store.anywhere(call.db, call.project_id, cards[0].member_id) if cards else None
    if member is None:
        raise ApiError(
            400, "invalid_customer", "Invalid customer",
            "Customer must be a holder of a loyalty card; publish it first.",
            resource_id=voucher.id, resource_type="voucher",
        )  # fmt: skip
    return MemberCard(voucher, cards[0], member)


async def shown(conn: db.Db, project_id: str, rows: Sequence[VoucherWithTerms]) -> list[Voucher]:
    """Cards with what is on them and what waits for them."""
    answers = await store.with_rules(conn, project_id, [row.answer() for row in rows])
    waiting = {
        card.id: card.pending for card in await members_store.cards(conn, project_id, [r.id for r in rows])
    }
    for answer in answers:
        if answer.loyalty_card is not None:
            answer.loyalty_card.pending_points = waiting.get(answer.id, 0)
    return answers


async def read(call: Call, member_id: str, campaign: str | None = None) -> Voucher:
    """One member. Raises `ApiError` 404."""
    return (await shown(call.db, call.project_id, [await voucher_of(call, member_id, campaign)]))[0]


async def listed(call: Call, campaign: str, customer: str | None, code: str | None) -> Members:
    """A campaign's members. Raises `ApiError` 404, 400 for a query that cannot be."""
    program = await program_of(call, campaign)
    key = None if code is None else store.code_key(code, call.caller.case_sensitive_codes)
    found = await page(
        call.db,
        VoucherWithTerms,
        replace(LISTING, where=LISTING.where + PUBLISHED),
        call.project_id,
        call.query,
        args=(program.campaign_id, key, customer),
        zone=call.caller.timezone,
    )
    return Members(
        vouchers=await shown(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )
