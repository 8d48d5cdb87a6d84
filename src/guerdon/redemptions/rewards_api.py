"""Rewards in redemptions over HTTP: which of them a transaction of its own takes, and which the batch of the writer."""

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Raw, Struct

from guerdon.customers.locked import CustomerIn
from guerdon.kit import db
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.web import as_write
from guerdon.loyalty.v1_members import member_of
from guerdon.loyalty.v1_names import stored
from guerdon.redemptions import goods
from guerdon.redemptions.asks import redeem_ask
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.goods import Asked
from guerdon.redemptions.shapes import (
    OrderNamed,
    RedeemableIn,
    Redemption,
    RedemptionsMade,
    RewardAsked,
    RollbackIn,
    RollbacksMade,
    Validation,
    ValidationIn,
)
from guerdon.vouchers.store import code_key

KINDS = """
    select id, kind from loyalty_parts where project_id = $1 and id = any($2) and status = 'ACTIVE'
"""
HOLDER = """
    select holder_id from vouchers
    where project_id = $1 and (code_key = any($2) or id = any($3)) and type = 'LOYALTY_CARD' and deleted_at is null
    limit 1
"""


class RewardNamed(Struct, kw_only=True):
    """A reward of the card's program; `points` are for one that pays with points."""

    id: Annotated[str, Meta(min_length=1, max_length=200)] | None = None
    points: Annotated[int, Meta(ge=1, le=2**53 - 1)] | None = None


class RewardRedemptionIn(Struct, kw_only=True):
    """What a member wants, with the order where points pay for one."""

    reward: RewardNamed | None = None
    order: OrderNamed | None = None
    metadata: dict[str, Any] | None = None


class _Made(Struct):
    """What of an answer is to be told."""

    redemptions: list[Raw]


_made = msgspec.json.Decoder(_Made).decode


async def redeem_reward(call: Call, member_id: str, data: RewardRedemptionIn) -> Redemption | Reply:
    """Redeem a loyalty card for a reward.

    Goods, codes and credit are given at once; a reward that pays with points needs `reward.points` and the order. A
    refusal is 400 and is recorded as a failed redemption. Send an Idempotency-Key to make repeats safe.
    """
    return await _redeem(call, member_id, data, None)


async def redeem_reward_1(
    call: Call, campaign_id: str, member_id: str, data: RewardRedemptionIn
) -> Redemption | Reply:
    """Redeem a loyalty card of a program for a reward, as without the program."""
    return await _redeem(call, member_id, data, campaign_id)


async def _redeem(call: Call, member_id: str, data: RewardRedemptionIn, campaign: str | None) -> Reply:
    if data.reward is None or data.reward.id is None:
        raise ApiError(
            400, "missing_reward", "Missing reward", "A reward is required to redeem a loyalty card.",
            faults=[Fault("reward.id", "is required")],
        )  # fmt: skip
    if await _is_bought(call, [data.reward.id]):
        asked = Asked(
            member_id=member_id, campaign=campaign, reward_id=data.reward.id, metadata=data.metadata
        )
        return await as_write(call, goods.redeem, asked=asked)
    known = await member_of(call, member_id, campaign)
    reward = RewardAsked(id=data.reward.id, points=data.reward.points)
    wanted = ValidationIn(
        redeemables=[RedeemableIn(id=known.voucher.code, reward=reward)],
        order=data.order,
        customer=CustomerIn(id=known.member.customer_id),
        metadata=data.metadata,
    )
    key = call.idempotency_key
    mark = b"" if key is None else call.fingerprint()
    reply = await _desk(call).write(
        redeem_ask(call.caller, call.request_id, call.path, wanted, dry=False, key=key, mark=mark)
    )
    if reply.status < 300:
        reply.content = bytes(_made(reply.content).redemptions[0])
    return reply


async def bought(call: Call, data: ValidationIn) -> Asked | None:
    """What a request wants to buy for points; None where points, if any, pay for an order.

    The customer of a card whose points pay is its holder, unless the request says another. Raises `ApiError` 400
    where something is to be bought beside others.
    """
    named = [one for one in data.redeemables if one.reward is not None]
    rewards = [one.reward.id for one in named if one.reward is not None]
    if not await _is_bought(call, rewards):
        if data.customer is None:
            data.customer = await _holder(call, named)
        return None
    if len(data.redeemables) > 1:
        raise ApiError(
            400, "invalid_redeemables", "Invalid redeemables",
            "A reward that is bought with points is a request of its own; leave the others out.",
            faults=[Fault("redeemables", "a reward other than payment with points may not stand beside others")],
        )  # fmt: skip
    for name in ("at", "drafts", "session"):
        if getattr(data, name) is not None:
            why = "belongs to what is taken off orders; a reward is bought now or not"
            raise invalid_payload(Fault(name, why))
    return Asked(
        member_id=named[0].id,
        campaign=None,
        reward_id=rewards[0],
        metadata=data.metadata,
        tracking_id=data.tracking_id,
    )


async def _is_bought(call: Call, rewards: list[str]) -> bool:
    """Whether any of them is a reward that does not pay for orders."""
    found = await db.records(call.db, KINDS, call.project_id, [stored("reward", name) for name in rewards])
    return any(record["kind"] == "reward" for record in found)


async def _holder(call: Call, named: list[RedeemableIn]) -> CustomerIn | None:
    keys = [code_key(one.id, call.caller.case_sensitive_codes) for one in named]
    holder = await db.value(call.db, HOLDER, call.project_id, keys, [one.id for one in named])
    return None if holder is None else CustomerIn(id=holder)


async def redeem(call: Call, asked: Asked) -> Reply:
    """A purchase by `POST /v1/redemptions`: the list of one."""
    return await as_write(call, _redeem_listed, asked=asked)


async def _redeem_listed(call: Call, asked: Asked) -> RedemptionsMade | Reply:
    made = await goods.redeem(call, asked)
    return made if isinstance(made, Reply) else RedemptionsMade(redemptions=[made])


async def validate(call: Call, asked: Asked) -> Reply:
    """Whether it could be bought, by `POST /v1/validations`."""
    return await as_write(call, _validated, asked=asked)


async def _validated(call: Call, asked: Asked) -> Validation:
    return await goods.validate(call, asked)


async def roll_back(call: Call, redemption_id: str, data: RollbackIn, *, listed: bool) -> Reply:
    """Take a purchase back; `listed`, as the rollback of a stack is answered."""
    handler = _rolled_back if listed else goods.roll_back
    return await as_write(call, handler, redemption_id=redemption_id, data=data)


async def _rolled_back(call: Call, redemption_id: str, data: RollbackIn) -> RollbacksMade | Reply:
    made = await goods.roll_back(call, redemption_id, data)
    return made if isinstance(made, Reply) else RollbacksMade(rollbacks=[made])


def _desk(call: Call) -> Desk:
    desk = call.state.desk
    assert isinstance(desk, Desk)
    return desk


TAG = "Loyalties"
ROUTES = [
    Route(method="POST", path="/v1/loyalties/members/{member_id}/redemption", handler=redeem_reward, tag=TAG, kind="flow"),
    Route(method="POST", path="/v1/loyalties/{campaign_id}/members/{member_id}/redemption", handler=redeem_reward_1, tag=TAG, kind="flow"),
]  # fmt: skip
