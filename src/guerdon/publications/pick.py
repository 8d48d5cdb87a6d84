"""Choosing the codes to give, under lock: nobody else can take them until the transaction ends."""

from datetime import datetime

from msgspec import Struct

from guerdon.campaigns.shape import CampaignRow
from guerdon.kit.call import Call
from guerdon.kit.dates import parse_instant
from guerdon.publications import store
from guerdon.publications.store import Locked
from guerdon.vouchers import given
from guerdon.vouchers.codes import read_config
from guerdon.vouchers.given import Suitable
from guerdon.vouchers.issue import add_to_campaign
from guerdon.vouchers.requests import VoucherFields
from guerdon.vouchers.terms import quantity_of
from guerdon.vouchers.value import is_on_sale


class _TooFew(Exception):
    """Lets go the locks on codes that are not enough."""


class Refused(Struct, frozen=True):
    """Why nothing is given."""

    key: str
    message: str
    details: str


class Asked(Struct):
    """One request's choice: of which campaign, at which instant, for whom.

    `holds`: a code that the customer holds already will do.
    """

    call: Call
    campaign: CampaignRow | None
    now: datetime
    customer_id: str
    holds: bool

    async def named(self, voucher_id: str) -> list[Suitable] | Refused:
        """The code that was named, or why it cannot be given."""
        found = await store.lock(self.call.db, self.call.project_id, voucher_id)
        if found is None:
            return _cannot("It was deleted this moment.")
        return self._why_not(found) or [found]

    def _why_not(self, found: Locked) -> Refused | None:
        loyal = self.campaign is not None and self.campaign.campaign_type == "LOYALTY_PROGRAM"
        mine = self.holds and found.holder_id == self.customer_id and (loyal or found.published_count == 0)
        if not (found.generic or mine) and (found.published_count > 0 or found.holder_id is not None):
            return Refused(
                "voucher_already_published",
                "Voucher already published",
                f"The code {found.code!r} was given to a customer already.",
            )
        if not found.active:
            return _cannot(f"The code {found.code!r} is switched off.")
        limit = quantity_of(found.body)
        if limit is not None and found.redeemed_quantity >= limit:
            return _cannot(f"The code {found.code!r} is used up.")
        if self._ended(found.body, found.generic):
            return _cannot(f"The code {found.code!r} has expired.")
        return None

    async def some(self, count: int) -> list[Suitable] | Refused:
        """Codes of the campaign in its order, all of the `count` or none; AUTO_UPDATE makes what is missing."""
        campaign = self.campaign
        assert campaign is not None, "without a code a campaign was named"
        standalone = campaign.type == "STANDALONE"
        if is_on_sale(campaign.body):
            # Those that nobody bought cannot pay, and the others are their buyers'.
            return _nothing(
                f"Cards of the campaign {campaign.name!r} are sold; publish a sold one by its code."
            )
        if self._ended(campaign.body, standalone):
            return _nothing(f"The campaign {campaign.name!r} has ended.")
        db, project_id = self.call.db, self.call.project_id
        if standalone:
            if count > 1:
                return _nothing(f"The campaign {campaign.name!r} has one code for everybody.")
            found = await given.pick_generic(db, project_id, campaign.id, campaign.terms_id)
        else:
            found = await self._free(campaign, count)
        if len(found) < count and campaign.type == "AUTO_UPDATE":
            found += [await self._mint(campaign) for _ in range(count - len(found))]
        if len(found) < count:
            return _nothing(
                f"The campaign {campaign.name!r} has {len(found)} codes left that were not published, used or "
                f"switched off; {count} were asked for."
            )
        return found

    async def _free(self, campaign: CampaignRow, count: int) -> list[Suitable]:
        """First those that nobody else holds; when they are too few, whatever the others leave.

        Others may roll back: nobody is refused while a code may still turn out free. Before waiting our own locks
        are let go, so that those who wait, all in the campaign's order, never wait for each other in a circle.
        """
        call = self.call
        ended_too = campaign.activity_duration_after_publishing is not None

        async def pick(wait: bool) -> list[Suitable]:
            return await given.pick(
                call.db,
                call.project_id,
                campaign.id,
                campaign.terms_id,
                count,
                ended_too=ended_too,
                wait=wait,
            )

        if campaign.type == "AUTO_UPDATE":
            return await pick(wait=False)  # what others hold is made anew
        if count == 1:
            return await pick(wait=False) or await pick(wait=True)
        try:
            async with call.conn.transaction():
                found = await pick(wait=False)
                if len(found) < count:
                    raise _TooFew
                return found
        except _TooFew:
            return await pick(wait=True)

    async def _mint(self, campaign: CampaignRow) -> Suitable:
        config = read_config(campaign.voucher.get("code_config"))
        made = await add_to_campaign(self.call, campaign.id, campaign.body, VoucherFields(), None, config)
        return Suitable(
            id=made.id,
            code=made.code,
            generic=False,
            in_force=campaign.terms_id,
            quantity=None,
            body=campaign.body,
        )

    def _ended(self, body: dict[str, str], generic: bool) -> bool:
        """Whether terms are over; where a code's time begins with its publication that does not matter."""
        campaign = self.campaign
        if campaign is not None and campaign.activity_duration_after_publishing is not None and not generic:
            return False
        end = body.get("expiration_date")
        return end is not None and parse_instant(end) <= self.now


def _cannot(details: str) -> Refused:
    return Refused("voucher_cannot_be_published", "Voucher cannot be published", details)


def _nothing(details: str) -> Refused:
    return Refused("no_voucher_suitable_for_publication", "No voucher suitable for publication", details)
