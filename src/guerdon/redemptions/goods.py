"""Rewards that are bought with a loyalty card: goods, codes, credit. Each is a transaction of its own.

What is bought, what it costs and what is given is decided by loyalty/purchases.py; here it becomes a redemption of the
card, as the older API shows it. A rollback is the purchase's refund.
"""

from typing import Any

from msgspec import UNSET, Struct
from msgspec.structs import astuple, replace

from guerdon.customers.store import find as find_customer
from guerdon.customers.tracking import tracking_id
from guerdon.definitions import store as definitions
from guerdon.engine.checks import Redeemable, first_refusal
from guerdon.kit import db
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import ApiError, Fault
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.loyalty import purchases_store
from guerdon.loyalty.place import Place, held_place
from guerdon.loyalty.purchases import Bought, Wanted, buy
from guerdon.loyalty.refunds import Policies, refund
from guerdon.loyalty.v1_members import MemberCard, member_of
from guerdon.loyalty.v1_names import older, stored
from guerdon.products.api import product_shape, sku_shape
from guerdon.products.store import find_product, find_sku
from guerdon.redemptions import bought, store
from guerdon.redemptions.answers import EMPTY_LIST
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.record import COLUMNS, Row
from guerdon.redemptions.shapes import (
    ErrorOut,
    RedeemableOut,
    Redemption,
    RollbackIn,
    Validation,
)
from guerdon.schemas.check import checked
from guerdon.vouchers import locked
from guerdon.vouchers.locked import TermsCache, Voucher
from guerdon.vouchers.store import find as find_voucher
from guerdon.vouchers.store import with_rules

KEYS = {
    "insufficient_card_balance": "loyalty_card_points_exceeded",
    "zero_card_balance": "loyalty_card_points_exceeded",
    "invalid_reward_transaction": "already_rolled_back",
}
"""What the newer API refuses for, as the older one says it; other keys are the same."""


class Asked(Struct, kw_only=True):
    """Who wants what: the card by its code or id, of a program if one is named."""

    member_id: str
    campaign: str | None
    reward_id: str
    metadata: dict[str, Any] | None = None
    tracking_id: str | None = None


async def redeem(call: Call, asked: Asked) -> Redemption | Reply:
    """The redemption of a card for a reward, in the transaction that is open.

    Raises `ApiError` 404, 400 ``invalid_customer``. A refusal is recorded, and answered 400.
    """
    place = await held_place(call.conn, call.project_id)
    known = await member_of(call, asked.member_id, asked.campaign)
    await checked(call.conn, call.project_id, "redemption", asked.metadata)
    row = await _row(call, known, asked)
    wanted = _wanted(known, asked, redemption_id=row.id)
    done = await _buy(call, place, known, wanted)
    if isinstance(done, ApiError):
        return await _refuse(call, place, row, done)
    program = place.program(known.member.program_id)
    assert program is not None, "it was bought there"
    reward = program.rewards[done.row.reward_id]
    row.reward = await bought.kept(call.conn, place.project_id, reward, done.row, known.member.tier_id)
    await _write(call, place, row)
    event = Event("redemption.succeeded", row.id, row.customer_id)
    await emit(call.conn, call.project_id, [event], call.request_id)
    answer = await _shown(call, row.id)
    answer.reward = answer.reward | await _in_full(call, row.reward)
    return answer


async def _buy(call: Call, place: Place, known: MemberCard, wanted: Wanted) -> Bought | ApiError:
    """The purchase; what it began is undone where it is refused, since the refusal is recorded."""
    refused: ApiError | None = None
    try:
        async with call.conn.transaction():
            (done,) = await buy(call.conn, place, [wanted])
            refused = done if isinstance(done, ApiError) else await _use(call, place, known)
            if refused is not None:
                raise refused
            return done
    except ApiError as error:
        if error is not refused:
            raise
        return error


def _wanted(known: MemberCard, asked: Asked, redemption_id: str | None = None) -> Wanted:
    return Wanted(
        program_id=known.member.program_id,
        member_id=known.member.id,
        reward_id=stored("reward", asked.reward_id),
        redemption_id=redemption_id,
    )


async def _row(call: Call, known: MemberCard, asked: Asked) -> Row:
    voucher = known.voucher
    customer = await find_customer(call.conn, call.project_id, known.member.customer_id)
    return Row(
        id=new_id("redemption"),
        related_object_id=voucher.id,
        voucher_id=voucher.id,
        voucher_code=voucher.code,
        campaign_id=voucher.campaign_id,
        customer_id=known.member.customer_id,
        tracking_id=tracking_id(asked.tracking_id, customer),
        metadata=asked.metadata,
        channel_id=call.caller.app_id,
    )


async def _use(call: Call, place: Place, known: MemberCard) -> ApiError | None:
    """Count the use of the card, which keeps its terms from now on; or why it cannot be used."""
    voucher = await _card(call, known, lock=True)
    refused = _unusable(place, voucher)
    if refused is None:
        voucher.use(1)
        await locked.take(call.conn, call.project_id, [voucher])
    return refused


async def _card(call: Call, known: MemberCard, *, lock: bool) -> Voucher:
    (voucher,) = await locked.look(call.conn, call.project_id, [], [known.voucher.id], lock=lock)
    await TermsCache().fill(call.conn, call.project_id, [voucher])
    return voucher


def _unusable(place: Place, voucher: Voucher) -> ApiError | None:
    """Why a card cannot be redeemed now, whatever for."""
    assert voucher.kept is not None
    redeemable = Redeemable(
        id=voucher.code, key=voucher.id, terms=voucher.kept.terms, active=voucher.active,
        campaign_active=voucher.campaign_active, redeemed_quantity=voucher.redeemed_quantity,
    )  # fmt: skip
    found = first_refusal(redeemable, place.now, place.zone, None)
    if found is None:
        return None
    reason, details = found
    return ApiError(
        reason.code, reason.key, reason.message, details or reason.message,
        resource_id=voucher.id, resource_type="voucher",
    )  # fmt: skip


async def _in_full(call: Call, reward: dict[str, Any]) -> dict[str, Any]:
    """What the answer to the purchase itself shows in full."""
    told: dict[str, Any] = {}
    if reward["voucher"] is not None:
        row = await find_voucher(call.conn, call.project_id, reward["voucher"]["id"], True)
        if row is not None:
            told["voucher"] = (await with_rules(call.conn, call.project_id, [row.answer()]))[0]
    if reward["product"] is not None:
        product = await find_product(call.conn, call.project_id, reward["product"]["id"])
        told["product"] = None if product is None else product_shape(product)
    if reward["sku"] is not None:
        sku = await find_sku(call.conn, call.project_id, reward["sku"]["id"])
        told["sku"] = None if sku is None else sku_shape(sku)
    return told


async def _write(call: Call, place: Place, row: Row) -> None:
    values = [(call.project_id, *astuple(row), place.now)]
    await db.insert(call.conn, "redemptions", COLUMNS, values)


async def _shown(call: Call, redemption_id: str) -> Redemption:
    row = await store.read(call.conn, call.project_id, redemption_id)
    assert row is not None, "it was written just now"
    return (await store.show(call.conn, call.project_id, [row]))[0]


def refusal_of(error: ApiError) -> ApiError:
    """What the newer API refuses with 409 or 423, as the older one does: 400."""
    if error.status not in (409, 423):
        return error
    return ApiError(
        400, KEYS.get(error.key or "", error.key), error.message, error.details,
        resource_id=error.resource_id, resource_type=error.resource_type,
    )  # fmt: skip


async def _refuse(call: Call, place: Place, row: Row, refused: ApiError) -> Reply:
    """Record that nothing was given, and why."""
    error = refusal_of(refused)
    row.id, row.result, row.status = new_id("failed_redemption"), "FAILURE", "FAILED"
    row.failure_code, row.failure_message = error.key, error.details
    await _write(call, place, row)
    event = Event("redemption.failed", row.id, row.customer_id)
    await emit(call.conn, call.project_id, [event], call.request_id)
    error.resource_id, error.resource_type = row.id, "redemption"
    return Reply(error.body(call.request_id, call.path), error.status)


async def validate(call: Call, asked: Asked) -> Validation:
    """What a redemption would take, with nothing written. Raises `ApiError` 404, 400 ``invalid_customer``."""
    place = await held_place(call.conn, call.project_id)
    known = await member_of(call, asked.member_id, asked.campaign)
    (done,) = await buy(call.conn, place, [_wanted(known, asked)], dry=True)
    if not isinstance(done, ApiError):
        done = _unusable(place, await _card(call, known, lock=False)) or done
    version = await definitions.version(call.conn, call.project_id)
    desk = call.state.desk
    assert isinstance(desk, Desk)
    snapshot = await desk.memory.snapshots.at(call.conn, call.project_id, version)
    one = RedeemableOut("APPLICABLE", asked.member_id, "voucher")
    if isinstance(done, ApiError):
        error = refusal_of(done)
        key, details = error.key or "", error.details or error.message
        one.status = "INAPPLICABLE"
        told = ErrorOut(
            error.status,
            key,
            error.message,
            details,
            call.request_id,
            known.voucher.id,
            "voucher",
        )
        one.result = {"error": told, "details": {"key": key, "message": details}}
    else:
        reward = {"id": older("reward", done.row.reward_id), "points": done.row.points}
        program = place.program(known.member.program_id)
        if program is not None:
            reward["assignment_id"] = program.rewards[done.row.reward_id].assignment_id
        one.result = {"loyalty_card": {"points": done.row.points}, "reward": reward}
        one.applicable_to = one.inapplicable_to = EMPTY_LIST
    valid = one.status == "APPLICABLE"
    return Validation(
        id=new_id("validation"), valid=valid, redeemables=[one], stacking_rules=snapshot.stacking,
        inapplicable_redeemables=UNSET if valid else [one],
    )  # fmt: skip


async def roll_back(call: Call, redemption_id: str, data: RollbackIn) -> Redemption | Reply:
    """Take a purchase back: the points into the very lots, what was given off again, the stock.

    Raises `ApiError` 404, 400 for parts of it. What was used cannot come back: recorded, and answered 400.
    """
    if data.amount is not None or data.items is not None:
        path = "items" if data.amount is None else "amount"
        raise ApiError(
            400, "invalid_rollback_params", "Invalid rollback params", f"{path}: a reward comes back as a whole",
            faults=[Fault(path, "a reward comes back as a whole")],
        )  # fmt: skip
    place = await held_place(call.conn, call.project_id)
    (purchase,) = await purchases_store.of_redemptions(call.conn, call.project_id, [redemption_id])
    before = await store.read(call.conn, call.project_id, redemption_id)
    assert before is not None and before.reward is not None, "the caller has found it"
    row = Row(
        id=new_id("rollback"),
        object="redemption_rollback",
        redemption_id=redemption_id,
        reason=data.reason,
        related_object_id=before.related_object_id,
        voucher_id=before.voucher_id,
        voucher_code=before.voucher_code,
        campaign_id=before.campaign_id,
        customer_id=before.customer_id,
        tracking_id=data.tracking_id or before.tracking_id,
        metadata=data.metadata,
        channel_id=call.caller.app_id,
        reward=before.reward,
    )
    try:
        async with call.conn.transaction():
            done = await refund(call.conn, place, purchase.program_id, purchase.id, Policies())
    except ApiError as error:
        if error.status != 409:
            raise
        return await _not_back(call, place, row, error)
    row.reward = before.reward | {"points": done.points}
    await _write(call, place, row)
    event = Event("redemption.rollback.succeeded", row.id, row.customer_id)
    await emit(call.conn, call.project_id, [event], call.request_id)
    return await _shown(call, row.id)


async def _not_back(call: Call, place: Place, row: Row, refused: ApiError) -> Reply:
    error = refusal_of(refused)
    failed = replace(row, id=new_id("failed_rollback"), result="FAILURE", status="FAILED", reward=None)
    failed.failure_code, failed.failure_message = error.key, error.details
    await _write(call, place, failed)
    event = Event("redemption.rollback.failed", failed.id, failed.customer_id)
    await emit(call.conn, call.project_id, [event], call.request_id)
    error.resource_id, error.resource_type = row.redemption_id, "redemption"
    return Reply(error.body(call.request_id, call.path), error.status)
