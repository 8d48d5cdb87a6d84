"""A referral program: how a campaign's referrals are converted, what both sides get, and when it is theirs."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from guerdon.engine.durations import parse_duration
from guerdon.kit import db
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event

Name = Annotated[str, Meta(min_length=1, max_length=512)]
Amount = Annotated[int, Meta(ge=1, le=2**53 - 1)]
Written = Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,14}$")]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
CAMPAIGN_TYPES = {"GIFT_VOUCHER": "GIFT_VOUCHERS", "LOYALTY_CARD": "LOYALTY_PROGRAM"}
MOST_TIERS = 20

FIND_PARENT = """
    select id, name, campaign_type, type from campaigns
    where project_id = $1 and (id = $2 or name = $2) and deleted_at is null order by id = $2 desc limit 1
"""

FIND_EVENT = """
    select id, name from custom_event_schemas where project_id = $1 and (id = $2 or name = $2)
    order by id = $2 desc limit 1
"""

FIND_SEGMENT = "select id, name from segments where project_id = $1 and id = $2"


class Parent(Struct, kw_only=True):
    """The campaign whose cards a reward is put on, by id or name."""

    id: Name | None = None
    name: Name | None = None
    object: Literal["CAMPAIGN"] = "CAMPAIGN"


class Reward(Struct, kw_only=True):
    """What is given: credits in minor units, or points, onto the customer's card of a campaign. Who has none gets one.

    The official SDK writes and wants the amount as a text of digits; it is answered as it was sent.
    """

    type: Literal["GIFT_VOUCHER", "LOYALTY_CARD"]
    amount: Amount | Written
    related_object_parent: Parent


class Converting(Struct, kw_only=True):
    """A custom event, by id or name."""

    id: Name | None = None
    name: Name | None = None


class SegmentRef(Struct, kw_only=True):
    """A segment."""

    id: Name
    name: Name | UnsetType = UNSET


class Tier(Struct, kw_only=True):
    """What a referrer gets: for every referral that holds, or once there are `minimum` of them. With a `segment` only
    who is in it at that moment.
    """

    id: Name | UnsetType = UNSET
    name: Name | UnsetType = UNSET
    minimum: Count | UnsetType | None = UNSET
    segment: SegmentRef | UnsetType | None = UNSET
    reward: Reward


class Caps(Struct, kw_only=True):
    """How many rewards one referrer can have of the campaign, in all and in a calendar month of the project's zone."""

    total: Count | None = None
    per_month: Count | None = None


class Program(Struct, kw_only=True):
    """`hold` is how long after the order was paid (without an order: after the conversion) rewards are held.

    `partial_return`: of an order part of whose goods came back PROPORTIONAL leaves that share of the rewards, KEEP all,
    LOSE nothing. `disposable_addresses` of referees are flagged, or refused.
    """

    conversion_event_type: Literal["redemption", "custom_event"] = "redemption"
    custom_event: Converting | UnsetType | None = UNSET
    referee_reward: Reward | UnsetType | None = UNSET
    referrer_tiers: Annotated[list[Tier], Meta(max_length=MOST_TIERS)] = []
    hold: Annotated[str, Meta(max_length=64)] | UnsetType | None = UNSET
    partial_return: Literal["PROPORTIONAL", "KEEP", "LOSE"] = "PROPORTIONAL"
    caps: Caps | UnsetType | None = UNSET
    disposable_addresses: Literal["FLAG", "REFUSE"] = "FLAG"

    @property
    def by_event(self) -> str | None:
        """The name of the custom event that converts, None where redemptions do."""
        event = self.custom_event
        if self.conversion_event_type != "custom_event" or not isinstance(event, Converting):
            return None
        return event.name


def stored(body: dict[str, Any] | None) -> Program:
    """A program as it was kept."""
    return msgspec.convert(body or {}, Program)


async def settled(
    conn: db.Db, project_id: str, said: Program, before: dict[str, Any] | None = None
) -> tuple[dict[str, Any], list[Event]]:
    """The program to keep, with the ids and names of all that it mentions, and what became of its tiers.

    Raises `ApiError` 400 with the path of what does not exist or cannot be meant. How referrals are converted stays
    as it was (`before`).
    """
    was = None if before is None else stored(before)
    if isinstance(said.hold, str):
        try:
            parse_duration(said.hold)
        except ValueError as error:
            raise invalid_payload(Fault("referral_program.hold", str(error))) from None
    await _settle_event(conn, project_id, said)
    if was is not None and (was.conversion_event_type, was.by_event) != (
        said.conversion_event_type,
        said.by_event,
    ):
        raise invalid_payload(
            Fault("referral_program.conversion_event_type", "cannot be changed once there is a campaign"),
            key="invalid_campaign",
        )
    if isinstance(said.referee_reward, Reward):
        await _settle_reward(conn, project_id, said.referee_reward, "referral_program.referee_reward")
    known = {tier.id for tier in was.referrer_tiers} if was is not None else set()
    for place, tier in enumerate(said.referrer_tiers):
        await _settle_tier(conn, project_id, tier, known, f"referral_program.referrer_tiers[{place}]")
    ids = [tier.id for tier in said.referrer_tiers]
    if len(set(ids)) < len(ids):
        raise invalid_payload(Fault("referral_program.referrer_tiers", "a tier is named twice"))
    return msgspec.to_builtins(said), _news(was, said)


def _news(was: Program | None, now: Program) -> list[Event]:
    before = {tier.id: tier for tier in was.referrer_tiers} if was is not None else {}
    after = {tier.id: tier for tier in now.referrer_tiers}
    news = [Event("campaign.referral_tier.created", str(name)) for name in after if name not in before]
    news += [
        Event("campaign.referral_tier.updated", str(name))
        for name, tier in after.items()
        if name in before and before[name] != tier
    ]
    return news + [Event("campaign.referral_tier.deleted", str(name)) for name in before if name not in after]


async def _settle_event(conn: db.Db, project_id: str, said: Program) -> None:
    if said.conversion_event_type == "redemption":
        said.custom_event = UNSET
        return
    event = said.custom_event
    named = (event.id or event.name) if isinstance(event, Converting) else None
    found = await db.records(conn, FIND_EVENT, project_id, named) if named else []
    if not found:
        why = "names no custom event of this project" if named else "is missing"
        raise invalid_payload(Fault("referral_program.custom_event", why))
    said.custom_event = Converting(id=found[0]["id"], name=found[0]["name"])


async def _settle_tier(conn: db.Db, project_id: str, tier: Tier, known: set[Any], path: str) -> None:
    if tier.id is UNSET:
        tier.id = new_id("referral_tier")
    elif tier.id not in known:
        raise invalid_payload(Fault(f"{path}.id", "is no tier of this campaign; leave it out to make one"))
    if tier.minimum is None:
        tier.minimum = UNSET
    if isinstance(tier.segment, SegmentRef):
        found = await db.records(conn, FIND_SEGMENT, project_id, tier.segment.id)
        if not found:
            raise invalid_payload(Fault(f"{path}.segment.id", "is no segment of this project"))
        tier.segment.name = found[0]["name"]
    else:
        tier.segment = UNSET
    await _settle_reward(conn, project_id, tier.reward, f"{path}.reward")


async def _settle_reward(conn: db.Db, project_id: str, reward: Reward, path: str) -> None:
    parent = reward.related_object_parent
    named = parent.id or parent.name
    found = await db.records(conn, FIND_PARENT, project_id, named) if named else []
    if not found:
        raise invalid_payload(
            Fault(f"{path}.related_object_parent", "names no campaign of this project"),
            key="invalid_campaign",
        )
    wanted = CAMPAIGN_TYPES[reward.type]
    if found[0]["campaign_type"] != wanted:
        raise invalid_payload(
            Fault(f"{path}.related_object_parent", f"is not of type {wanted}"), key="invalid_campaign"
        )
    if found[0]["type"] == "STANDALONE":
        raise invalid_payload(
            Fault(f"{path}.related_object_parent", "has one code for everybody, and a reward goes onto a card of one's own"),
            key="invalid_campaign",
        )  # fmt: skip
    parent.id, parent.name = found[0]["id"], found[0]["name"]
