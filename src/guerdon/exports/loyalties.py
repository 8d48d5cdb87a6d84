"""What moved on loyalty cards, and which points lapse when, under the paths of v1 loyalties."""

from guerdon.exports.asked import Scope
from guerdon.exports.begin import Export, PartIn, begin, parameters_of
from guerdon.exports.store import Owner, campaign
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.ledger.transactions import OF_CAMPAIGN, OF_CARD, Transactions, transactions
from guerdon.vouchers.cards import card_of
from guerdon.vouchers.store import VoucherWithTerms


async def _program(call: Call, name: str) -> Owner:
    found = await campaign(call.db, call.project_id, name)
    if found is None or found.campaign_type != "LOYALTY_PROGRAM":
        raise not_found("loyalty program", name)
    return found


async def _member(call: Call, name: str, program: str | None = None) -> VoucherWithTerms:
    """A loyalty card by its code or id, which a program may have to own."""
    owner = None if program is None else await _program(call, program)
    card = await card_of(call, name)
    if card.type != "LOYALTY_CARD" or (owner is not None and card.campaign_id != owner.id):
        raise not_found("loyalty card", name)
    return card


async def list_loyalty_campaign_transactions(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Transactions:
    """List what moved on all cards of a loyalty program, newest first unless `order` says otherwise."""
    program = await _program(call, campaign_id)
    zone = call.caller.timezone
    return await transactions(call.db, call.project_id, OF_CAMPAIGN, program.id, call.query, zone)


async def list_loyalty_card_transactions(
    call: Call,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Transactions:
    """List what moved on a loyalty card, by its code or id."""
    card = await _member(call, member_id)
    return await transactions(call.db, call.project_id, OF_CARD, card.id, call.query, call.caller.timezone)


async def list_loyalty_card_transactions_1(
    call: Call,
    campaign_id: str,
    member_id: str,
    limit: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Transactions:
    """List what moved on a loyalty card of a program."""
    card = await _member(call, member_id, campaign_id)
    return await transactions(call.db, call.project_id, OF_CARD, card.id, call.query, call.caller.timezone)


async def export_loyalty_campaign_transactions(
    call: Call, campaign_id: str, data: PartIn | None = None
) -> Export:
    """Start an export of what moved on all cards of a loyalty program."""
    program = await _program(call, campaign_id)
    scope = Scope("campaign_id", program.id, campaign_id)
    return await begin(call, "voucher_transactions", parameters_of(data), scope)


async def export_loyalty_card_transactions(call: Call, member_id: str, data: PartIn | None = None) -> Export:
    """Start an export of what moved on a loyalty card, by its code or id."""
    card = await _member(call, member_id)
    return await begin(
        call, "voucher_transactions", parameters_of(data), Scope("voucher_id", card.id, member_id)
    )


async def export_loyalty_card_transactions_1(
    call: Call, campaign_id: str, member_id: str, data: PartIn | None = None
) -> Export:
    """Start an export of what moved on a loyalty card of a program."""
    card = await _member(call, member_id, campaign_id)
    return await begin(
        call, "voucher_transactions", parameters_of(data), Scope("voucher_id", card.id, member_id)
    )


async def export_points_expiration(call: Call, campaign_id: str, data: PartIn | None = None) -> Export:
    """Start an export of the points of a loyalty program that lapse, and when."""
    program = await _program(call, campaign_id)
    scope = Scope("campaign_id", program.id, campaign_id)
    return await begin(call, "points_expiration", parameters_of(data), scope)


TAG = "Loyalties"
PROGRAM = "/v1/loyalties/{campaign_id}"
MEMBER = "/v1/loyalties/members/{member_id}/transactions"
MEMBER_OF = PROGRAM + "/members/{member_id}/transactions"

ROUTES = [
    Route(
        method="GET", path=PROGRAM + "/transactions", handler=list_loyalty_campaign_transactions, tag=TAG,
    ),
    Route(
        method="POST", path=PROGRAM + "/transactions/export", handler=export_loyalty_campaign_transactions, tag=TAG,
        kind="write",
    ),
    Route(
        method="POST", path=PROGRAM + "/points-expiration/export", handler=export_points_expiration, tag=TAG,
        kind="write",
    ),
    Route(method="GET", path=MEMBER, handler=list_loyalty_card_transactions, tag=TAG),
    Route(
        method="POST", path=MEMBER + "/export", handler=export_loyalty_card_transactions, tag=TAG, kind="write",
    ),
    Route(method="GET", path=MEMBER_OF, handler=list_loyalty_card_transactions_1, tag=TAG),
    Route(
        method="POST", path=MEMBER_OF + "/export", handler=export_loyalty_card_transactions_1, tag=TAG, kind="write",
    ),
]  # fmt: skip
