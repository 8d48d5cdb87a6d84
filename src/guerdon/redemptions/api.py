"""Validations, redemptions and rollbacks over HTTP."""

from typing import Any

from msgspec import UNSET

from guerdon.kit import db
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError, Fault, invalid_payload, invalid_query, not_found
from guerdon.kit.paging import page
from guerdon.redemptions import pinned, returns_api, rewards_api, store
from guerdon.redemptions.asks import RollbackAsk, redeem_ask
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.holds import release, use_sessions
from guerdon.redemptions.shapes import (
    Redemption,
    RedemptionsListed,
    RedemptionsMade,
    RollbackIn,
    RollbacksMade,
    Validation,
    ValidationIn,
    VoucherRedemptions,
)
from guerdon.redemptions.store import Found
from guerdon.vouchers.locked import look
from guerdon.vouchers.store import code_key
from guerdon.vouchers.terms import quantity_of


async def list_redemptions(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str = "-created_at",
    starting_after_id: str | None = None,
    result: str | None = None,
    campaign: str | None = None,
    customer: str | None = None,
) -> RedemptionsListed:
    """List redemptions and rollbacks, those that failed too.

    `result` is SUCCESS, FAILURE or both with a comma between, `campaign` a name, `customer` an id or source id.
    They go together with `filters[field][conditions][$operator]`, `[created_at][before]` and `[created_at][after]`.
    """
    results = None if result is None else [one.strip().upper() for one in result.split(",")]
    if results is not None and not set(results) <= {"SUCCESS", "FAILURE"}:
        raise invalid_query("result", "must be SUCCESS, FAILURE or both with a comma between")
    found = await _page(call, store.LISTING, results, campaign, customer)
    return RedemptionsListed(
        redemptions=await store.show(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def get_redemption(call: Call, redemption_id: str, expand: str | None = None) -> Redemption:
    """Read one redemption or rollback; with `expand=explain`, with the checks that were made."""
    row = await store.read(call.db, call.project_id, redemption_id)
    if row is None:
        raise not_found("redemption", redemption_id)
    return (await store.show(call.db, call.project_id, [row], explain=expand == "explain"))[0]


async def get_voucher_redemptions(
    call: Call, code: str, limit: int = 10, page: int = 1
) -> VoucherRedemptions:
    """How often a voucher was redeemed, with its redemptions, the latest first."""
    key = code_key(code, call.caller.case_sensitive_codes)
    ids = [code] if code.startswith("v_") else []
    vouchers = await look(call.db, call.project_id, [key], ids, lock=False)
    if not vouchers or not vouchers[0].living:
        raise not_found("voucher", code)
    voucher = vouchers[0]
    found = await _page(call, store.OF_VOUCHER, voucher.id)
    counted = voucher.quantity
    if voucher.terms_id is None:
        counted = quantity_of(await db.value(call.db, TERMS_BODY, call.project_id, voucher.in_force))
    return VoucherRedemptions(
        quantity=counted,
        redeemed_quantity=voucher.redeemed_quantity,
        redemption_entries=await store.show(call.db, call.project_id, found.rows),
        total=found.total,
        url=f"/v1/vouchers/{voucher.code}/redemptions?page=1&limit=10",
    )


async def release_session(call: Call, code: str, session_key: str) -> None:
    """Let go what a session holds of a code."""
    key = code_key(code, call.caller.case_sensitive_codes)
    ids = [code] if code.startswith("v_") else []
    vouchers = await look(call.db, call.project_id, [key], ids, lock=False)
    if not vouchers or not vouchers[0].living:
        raise not_found("voucher", code)
    if not await release(call.db, call.project_id, session_key, vouchers[0].id):
        raise not_found("session", session_key)


TERMS_BODY = "select body from voucher_terms where project_id = $1 and id = $2"


async def _page(call: Call, listing: Any, *args: Any) -> Any:
    return await page(call.db, store.Row, listing, call.project_id, call.query, args=args)


async def validate(call: Call, data: ValidationIn) -> Validation | Reply:
    """Tell whether codes and promotions apply to an order, and what each takes off.

    A refusal is 200 with `valid: false`. `options.explain: true` adds every check and the origin of every number.
    """
    if any(one.reward is not None for one in data.redeemables):
        bought = await rewards_api.bought(call, data)
        if bought is not None:
            return await rewards_api.validate(call, bought)
    if data.session is None and not pinned.brings_pin(data):
        ask = redeem_ask(call.caller, call.request_id, call.path, data, dry=True, key=None, mark=b"")
        return await _desk(call).validate(ask)
    if data.at is not None or data.drafts is not None:
        raise invalid_payload(
            Fault("session", "nothing can be held for another time or of what is not saved")
        )
    if data.session is not None:
        await use_sessions(call.state.pool, call.project_id)
    key = call.idempotency_key
    mark = b"" if key is None else call.fingerprint()
    return await _desk(call).write(
        redeem_ask(call.caller, call.request_id, call.path, data, dry=True, key=key, mark=mark)
    )


async def redeem(call: Call, data: ValidationIn) -> RedemptionsMade | Reply:
    """Redeem 1 to 30 codes on an order, all or (PARTIAL) those that apply, in one transaction.

    A refusal is a 4xx and is recorded as a failed redemption. Send an Idempotency-Key to make repeats safe.
    """
    for name in ("at", "drafts"):
        if getattr(data, name) is not None:
            raise invalid_payload(
                Fault(name, "belongs to validations and qualifications, which write nothing")
            )
    if any(one.reward is not None for one in data.redeemables):
        bought = await rewards_api.bought(call, data)
        if bought is not None:
            return await rewards_api.redeem(call, bought)
    key = call.idempotency_key
    mark = b"" if key is None else call.fingerprint()
    ask = redeem_ask(call.caller, call.request_id, call.path, data, dry=False, key=key, mark=mark)
    return await _desk(call).write(ask)


async def roll_back(call: Call, redemption_id: str, data: RollbackIn | None = None) -> Redemption | Reply:
    """Take a redemption back, whole or in part.

    `amount` (minor units) or `items` name a part: exactly what belongs to it comes back, never more than was
    given, and any parts that come to the whole give the code's use back with the last one.
    """
    found = await _find(call, redemption_id)
    one = found[0]
    if one.related_object_type == "redemption":
        raise _invalid(
            "invalid_redemption",
            redemption_id,
            "is the parent of a stack: POST to /v1/redemptions/{id}/rollbacks",
        )
    if one.parent_id is not None and not _partial(data):
        raise _invalid(
            "invalid_redemption_parent",
            redemption_id,
            f"is part of the stack {one.parent_id}: roll that back",
        )
    if one.bought:
        asked = _with_query(call, data or RollbackIn())
        return await rewards_api.roll_back(call, redemption_id, asked, listed=False)
    return await _desk(call).write(_rollback_ask(call, data, found, stack=False))


async def roll_back_stack(
    call: Call, parent_redemption_id: str, data: RollbackIn | None = None
) -> RollbacksMade | Reply:
    """Take back all redemptions of a stack, whole or in part; works for a redemption of one code too."""
    found = await _find(call, parent_redemption_id)
    if found[0].parent_id is not None:
        raise _invalid(
            "invalid_redemption_parent",
            parent_redemption_id,
            f"is part of the stack {found[0].parent_id}",
        )
    if found[0].bought:
        asked = _with_query(call, data or RollbackIn())
        return await rewards_api.roll_back(call, parent_redemption_id, asked, listed=True)
    return await _desk(call).write(_rollback_ask(call, data, found, stack=True))


def _partial(data: RollbackIn | None) -> bool:
    return data is not None and (data.amount is not None or data.items is not None)


async def _find(call: Call, redemption_id: str) -> list[Found]:
    """The redemption first, then the others of its stack. Raises `ApiError` 404."""
    found = await store.find_for_rollback(call.db, call.project_id, redemption_id)
    found.sort(key=lambda one: one.id != redemption_id)
    if not found or found[0].id != redemption_id:
        raise not_found("redemption", redemption_id)
    return found


def _rollback_ask(call: Call, data: RollbackIn | None, found: list[Found], *, stack: bool) -> RollbackAsk:
    key = call.idempotency_key
    asked = found[0]
    return RollbackAsk(
        caller=call.caller,
        request_id=call.request_id,
        path=call.path,
        key=key,
        mark=b"" if key is None else call.fingerprint(),
        data=_with_query(call, data or RollbackIn()),
        asked_id=asked.id,
        parent_id=asked.parent_id or (asked.id if asked.related_object_type == "redemption" else None),
        customer_id=asked.customer_id,
        redemption_ids=[one.id for one in found],
        voucher_ids=[one.voucher_id for one in found if one.voucher_id],
        order_ids=[asked.order_id] if asked.order_id else [],
        stack=stack,
    )


def _with_query(call: Call, data: RollbackIn) -> RollbackIn:
    """The reason and the tracking id may stand in the query; the body's win."""
    if data.reason is None:
        data.reason = _query(call, "reason")
    if data.tracking_id is None:
        data.tracking_id = _query(call, "tracking_id")
    return data


def _query(call: Call, name: str) -> str | None:
    return next((value for key, value in call.query if key == name), None)


def _invalid(key: str, redemption_id: str, why: str) -> ApiError:
    message = "Invalid redemption" if key == "invalid_redemption" else "Invalid redemption parent"
    return ApiError(
        400, key, message, f"{redemption_id} {why}.", resource_id=redemption_id, resource_type="redemption"
    )


def _desk(call: Call) -> Desk:
    desk = call.state.desk
    assert isinstance(desk, Desk)
    return desk


# Keys with the role merchant may not use what takes several codes at once.
SERVER = ("server",)

ROUTES = [
    Route(method="POST", path="/v1/validations", handler=validate, tag="Validations", kind="flow", hot=True, roles=SERVER),
    Route(method="POST", path="/v1/redemptions", handler=redeem, tag="Redemptions", kind="flow", hot=True, roles=SERVER),
    Route(method="GET", path="/v1/redemptions", handler=list_redemptions, tag="Redemptions"),
    Route(method="GET", path="/v1/redemptions/{redemption_id}", handler=get_redemption, tag="Redemptions"),
    Route(method="POST", path="/v1/redemptions/{redemption_id}/rollback", handler=roll_back, tag="Redemptions", kind="flow"),
    Route(method="POST", path="/v1/redemptions/{parent_redemption_id}/rollbacks", handler=roll_back_stack, tag="Redemptions", kind="flow", roles=SERVER),
    Route(method="DELETE", path="/v1/vouchers/{code}/sessions/{session_key}", handler=release_session, tag="Vouchers", kind="write", status=204),
    Route(method="GET", path="/v1/vouchers/{code}/redemption", handler=get_voucher_redemptions, tag="Redemptions"),
    *returns_api.ROUTES,
    *rewards_api.ROUTES,
]  # fmt: skip
