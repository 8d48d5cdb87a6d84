"""``POST /v1/loyalties/{campaignId}/members``: a card published is a member made."""

from guerdon.kit.call import Call, Reply, Route
from guerdon.loyalty.v1_members import program_of, read
from guerdon.publications.publish import publish
from guerdon.publications.requests import CampaignAsked, PublicationIn
from guerdon.publications.shape import Publication
from guerdon.vouchers.shape import Voucher


async def add_member(call: Call, campaign_id: str, data: PublicationIn) -> Voucher | Reply:
    """Give a customer a card of a loyalty program, and so make them a member.

    `voucher` may name a card that was made before; else one is picked or made. Who is a member already gets the card
    they have.
    """
    program = await program_of(call, campaign_id)
    if data.voucher is None:
        data.campaign = CampaignAsked(id=program.campaign_id, count=1)
    else:
        await read(call, data.voucher, campaign_id)
    made = await publish(call, data, join_once=True)
    if not isinstance(made, Publication):
        return made
    return await read(call, made.vouchers_id[0])


ROUTES = [
    Route(
        method="POST",
        path="/v1/loyalties/{campaign_id}/members",
        handler=add_member,
        tag="Loyalties",
        kind="write",
    ),
]
