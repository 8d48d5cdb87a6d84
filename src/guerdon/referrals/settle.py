"""Looking at a referral: what it earns, whether that is held still, and whether it has to come back.

A look may be taken at any time and as often as anybody likes: it brings the referral up to what is true, in one
transaction under the locks of both customers and of the referral, in this order. So rewards are given exactly once,
and caps are exact, however many workers look.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec import Struct

from guerdon.engine.durations import move, parse_duration
from guerdon.kit import db
from guerdon.kit.ids import new_id
from guerdon.referrals import store
from guerdon.referrals.books import Change, carry
from guerdon.referrals.identity import identities, is_disposable
from guerdon.referrals.program import Program, Reward, SegmentRef, Tier, stored
from guerdon.referrals.store import Known, Referral, RewardRow, Surroundings
from guerdon.segments.members import memberships
from guerdon.segments.store import compiled
from guerdon.segments.store import find as find_segment

PAID = ("PAID", "FULFILLED")
REFEREE = "referee"


class CannotIssue(Exception):
    """There is no card to be had, for a reason that may pass."""


class NoCampaign(Exception):
    """The campaign whose card is wanted was deleted: there never will be one."""


class Giving(Protocol):
    """What cards need that is above this slice."""

    async def issue(
        self, conn: db.Conn, project_id: str, customer_id: str, campaign_id: str, *, once: bool
    ) -> str:
        """Give a customer a card of a campaign, with `once` the one they have; its id. Raises `CannotIssue`,
        `NoCampaign`.
        """
        ...

    async def lapses(self, conn: db.Conn, project_id: str, card_id: str) -> datetime | None:
        """When points that are put on a card now lapse; None for never, and for gift cards."""
        ...


class Looking(Struct):
    """One look at one referral, everything under lock."""

    conn: db.Conn
    project_id: str
    row: Referral
    people: dict[str, Known]
    around: Surroundings
    program: Program
    giving: Giving

    @property
    def now(self) -> datetime:
        """The instant that is decided for."""
        return self.around.now

    async def run(self) -> datetime | None:
        """Bring it up to what is true; when to look again, None if something has to happen first."""
        row, around = self.row, self.around
        if around.order_status == "CANCELED" or around.redemption_status == "ROLLED_BACK":
            await self._undo("UNDONE", "canceled")
            return None
        if row.status == "REFERRED":
            return None
        if row.status == "EARNED":
            await self._take_shares_back()
            return None
        if row.decided_at is None:
            await self._decide()
        why = await self._refusal()
        if why is not None:
            await self._undo("REFUSED", why)
            return None
        if around.has_order and around.order_status not in PAID:
            await store.update(self.conn, self.project_id, row, self.now)
            return None
        if row.due_at is None and around.program is None:  # deleted for good, and with it how long to hold
            await self._undo("REFUSED", "campaign_deleted")
            return None
        if row.due_at is None:
            row.due_at = self._due()
            row.worth = around.order_amount if row.worth is None else row.worth
        if row.due_at > self.now:
            await store.update(self.conn, self.project_id, row, self.now)
            return row.due_at
        await self._release()
        return None

    def _due(self) -> datetime:
        hold = self.program.hold
        if not isinstance(hold, str):
            return self.now
        return move(self.now, parse_duration(hold), ZoneInfo(self.around.timezone))

    # What it earns ---------------------------------------------------------------------------------------------

    async def _refusal(self) -> str | None:
        """Why it is no referral after all, as far as its people are known now."""
        referrer, referee = self.people.get(self.row.referrer_id), self.people.get(self.row.referee_id)
        theirs = frozenset() if referee is None else _identities(referee)
        if referrer is not None and theirs & _identities(referrer):
            return "self_referral"
        if not await store.claim(self.conn, self.project_id, self.row, _marks(self.project_id, theirs)):
            return "referred_before"
        return None

    async def _decide(self) -> None:
        """Note what both sides are to get, as far as that is told by this referral alone."""
        row = self.row
        row.decided_at = self.now
        referee = self.people.get(row.referee_id)
        if referee is not None and is_disposable(referee.email):
            row.flags = [*row.flags, "disposable_address"]
        reward = self.program.referee_reward
        if isinstance(reward, Reward):
            await self._promise(REFEREE, row.referee_id, reward, None)
        for tier in self.program.referrer_tiers:
            if isinstance(tier.minimum, int) or not await self._belongs(tier):
                continue
            await self._promise(str(tier.id), row.referrer_id, tier.reward, None)
        await store.update(self.conn, self.project_id, row, self.now)

    async def _promise(
        self, tier: str, customer_id: str, reward: Reward, minimum: int | None
    ) -> RewardRow | None:
        """A reward that is held, or capped; None where a cap leaves nothing to note."""
        day = self.now.astimezone(ZoneInfo(self.around.timezone)).date()
        made = RewardRow(
            id=new_id("referral_reward"), referral_id=self.row.id, tier=tier, referrer_id=self.row.referrer_id,
            customer_id=customer_id, minimum=minimum, type=reward.type,
            parent_id=reward.related_object_parent.id or "", amount=int(reward.amount), status="HELD",
            month=day.replace(day=1),
        )  # fmt: skip
        if tier != REFEREE and await self._capped(made):
            if minimum is not None:
                return None
            made.status, made.reason = "CAPPED", "cap"
        await store.insert_reward(self.conn, self.project_id, self.row.campaign_id, made, self.now)
        return made

    async def _capped(self, reward: RewardRow) -> bool:
        caps = self.program.caps
        if not caps:
            return False
        total, in_month = await store.counted(self.conn, self.project_id, self.row, reward.month)
        over = caps.total is not None and total >= caps.total
        return over or (caps.per_month is not None and in_month >= caps.per_month)

    async def _belongs(self, tier: Tier) -> bool:
        if not isinstance(tier.segment, SegmentRef):
            return True
        found = await find_segment(self.conn, self.project_id, tier.segment.id)
        if found is None:
            return False
        segment = compiled(found)
        who = self.row.referrer_id
        members = await memberships(self.conn, self.project_id, [who], {segment.id: segment})
        return segment.id in members[who]

    # Giving ----------------------------------------------------------------------------------------------------

    async def _release(self) -> None:
        self.row.status = "EARNED"
        await store.update(self.conn, self.project_id, self.row, self.now)
        rewards = await store.rewards_of(self.conn, self.project_id, self.row.id)
        for one in rewards:
            await self._uncap(one)
        held = [one for one in rewards if one.status == "HELD"]
        changes = [await self._grant(one, self._share(one)) for one in held]
        have = {one.tier for one in await store.minimum_rewards(self.conn, self.project_id, self.row)}
        count = await store.earned(self.conn, self.project_id, self.row)
        for tier in self.program.referrer_tiers:
            if not isinstance(tier.minimum, int) or count < tier.minimum or str(tier.id) in have:
                continue
            if await self._belongs(tier):
                made = await self._promise(str(tier.id), self.row.referrer_id, tier.reward, tier.minimum)
                if made is not None:
                    changes.append(await self._grant(made, made.amount))
        await self._carry(changes)

    async def _uncap(self, reward: RewardRow) -> None:
        """Give a capped reward the place that another, canceled while this one waited, has left."""
        if reward.status == "CAPPED" and not await self._capped(reward):
            reward.status, reward.reason = "HELD", None
            await store.update_reward(self.conn, self.project_id, reward, self.now)

    async def _grant(self, reward: RewardRow, amount: int) -> Change:
        if reward.customer_id not in self.people:
            reward.status, reward.reason = "CANCELED", "customer_deleted"
            return Change(reward, 0)
        if not amount:
            reward.status, reward.reason = "CANCELED", "returned"
            return Change(reward, 0)
        try:
            reward.card_id = await self._card(reward)
        except NoCampaign:
            reward.status, reward.reason = "CANCELED", "campaign_deleted"
            return Change(reward, 0)
        reward.status, reward.granted = "RELEASED", amount
        if reward.type == "GIFT_VOUCHER":
            return Change(reward, amount)
        return Change(reward, amount, await self.giving.lapses(self.conn, self.project_id, reward.card_id))

    async def _card(self, reward: RewardRow) -> str:
        """The card that a reward goes onto: one that can be used, which for points is the member's."""
        customer_id, campaign_id = reward.customer_id, reward.parent_id
        held = await store.card_of(self.conn, self.project_id, customer_id, campaign_id)
        if held is not None:
            return held
        loyal = reward.type == "LOYALTY_CARD"
        issued = await self.giving.issue(self.conn, self.project_id, customer_id, campaign_id, once=loyal)
        if loyal:
            return issued
        held = await store.card_of(self.conn, self.project_id, customer_id, campaign_id)
        if held is None:
            raise CannotIssue(
                "the only card that the customer may have of the campaign is over or switched off"
            )
        return held

    def _share(self, reward: RewardRow) -> int:
        """What of a reward the goods that stay are worth."""
        worth, stays = self.row.worth, self.around.order_amount
        if not worth or stays is None or stays >= worth or reward.minimum is not None:
            return reward.amount
        match self.program.partial_return:
            case "KEEP":
                return reward.amount
            case "LOSE":
                return 0
        return reward.amount * stays // worth

    # Taking back -----------------------------------------------------------------------------------------------

    async def _take_shares_back(self) -> None:
        rewards = await store.rewards_of(self.conn, self.project_id, self.row.id)
        changes = [
            _claw(one, one.stands - self._share(one), "returned")
            for one in rewards
            if one.status == "RELEASED" and one.stands > self._share(one)
        ]
        await self._carry(changes)

    async def _undo(self, status: str, reason: str) -> None:
        row = self.row
        row.status, row.reason, row.due_at = status, reason, None
        await store.update(self.conn, self.project_id, row, self.now)
        await store.let_go(self.conn, self.project_id, row.id)
        changes: list[Change] = []
        for one in await store.rewards_of(self.conn, self.project_id, row.id):
            if one.status == "HELD":
                one.status, one.reason = "CANCELED", reason
                changes.append(Change(one, 0))
            elif one.status == "RELEASED" and one.minimum is None:
                changes.append(_claw(one, one.stands, reason))
        count = await store.earned(self.conn, self.project_id, row)
        for one in await store.minimum_rewards(self.conn, self.project_id, row):
            if one.minimum is not None and count < one.minimum:
                changes.append(_claw(one, one.stands, reason))
        await self._carry(changes)

    async def _carry(self, changes: Sequence[Change]) -> None:
        await carry(self.conn, self.project_id, self.row, changes, self.now)


def _claw(reward: RewardRow, amount: int, reason: str) -> Change:
    reward.reason = reason
    if amount == reward.stands:
        reward.status = "CLAWED_BACK"
    return Change(reward, -amount)


def _identities(person: Known) -> frozenset[str]:
    return identities(person.email, person.phone, person.country)


def _marks(project_id: str, names: frozenset[str]) -> list[bytes]:
    """What is kept of identities: enough to know them again, not to write to anybody."""
    return [hashlib.sha256(f"{project_id}\n{name}".encode()).digest() for name in names]


async def look(conn: db.Conn, project_id: str, referral_id: str, giving: Giving) -> datetime | None:
    """Take one look at a referral, in the caller's transaction; when to look again, if the clock is all that it
    waits for. Raises `CannotIssue`.
    """
    before = await store.find(conn, project_id, referral_id)
    if before is None:
        return None
    people = await store.lock_people(conn, project_id, {before.referrer_id, before.referee_id})
    row = await store.find(conn, project_id, referral_id, lock=True)
    if row is None or row.status in ("UNDONE", "REFUSED"):
        return None
    around = await store.surroundings(conn, project_id, row)
    return await Looking(conn, project_id, row, people, around, stored(around.program), giving).run()
