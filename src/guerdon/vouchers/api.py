"""Vouchers over HTTP."""

from typing import Any, LiteralString, cast

import msgspec
from msgspec import Struct

from guerdon.kit.call import Call, Route
from guerdon.kit.errors import invalid_query, not_found
from guerdon.kit.filters import listed
from guerdon.kit.paging import page as read_page
from guerdon.vouchers import cards, edit, imports, store
from guerdon.vouchers.issue import issue
from guerdon.vouchers.listing import LISTING
from guerdon.vouchers.requests import VoucherChange, VoucherIn
from guerdon.vouchers.shape import Voucher


class Vouchers(Struct, kw_only=True):
    """A page of vouchers. `total` counts the whole list; `more_starting_after` is the id to go on behind."""

    object: str = "list"
    data_ref: str = "vouchers"
    vouchers: list[Voucher]
    total: int
    has_more: bool
    more_starting_after: str | None


# Shortcuts of the list beside filters[…]: what stands before and after the value's place.
SHORTCUTS: dict[str, tuple[LiteralString, LiteralString]] = {
    "campaign_id": ("v.campaign_id = ", ""),
    "campaign": ("v.campaign_id = (select named.id from campaigns named where named.project_id = $1 and named.name = ", ")"),
    "category": ("coalesce(v.category, t.body ->> 'category') = ", ""),
    "code": ("v.code_key = ", ""),
    "customer": (
        "v.holder_id in (select holder.id from customers holder where holder.project_id = $1 and ",
        " in (holder.id, holder.source_id))",
    ),
    "ids": ("v.id = any(", "::text[])"),
}  # fmt: skip


async def list_vouchers(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
    campaign: str | None = None,
    campaign_id: str | None = None,
    category: str | None = None,
    code: str | None = None,
    customer: str | None = None,
) -> Vouchers:
    """List vouchers.

    Newest first unless `order` says otherwise (`created_at`, `updated_at`, `code`; `-` reverses). Walk it by
    `page` or by `starting_after_id`. Shortcuts narrow the list and go together with `filters[field][conditions]
    [$operator][0]=value` and `[created_at][before|after]`; `filters[active][conditions][$active]=true` knows
    `$active`, `$expired`, `$enabled` and `$disabled`.
    """
    where, args = LISTING.where, []
    for name, value in _shortcuts(call):
        before, after = SHORTCUTS[name]
        args.append(value)
        where += " and " + before + cast(LiteralString, f"${len(args) + 1}") + after
    listing = msgspec.structs.replace(LISTING, where=where)
    query = call.query
    if not call.caller.case_sensitive_codes:
        query = [
            (key, value.casefold() if key.startswith("filters[code]") else value) for key, value in query
        ]
    found = await read_page(
        call.db,
        store.VoucherWithTerms,
        listing,
        call.project_id,
        query,
        args=tuple(args),
        zone=call.caller.timezone,
    )
    return Vouchers(
        vouchers=await store.with_rules(call.db, call.project_id, [row.answer() for row in found.rows]),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


def _shortcuts(call: Call) -> list[tuple[str, Any]]:
    ids: list[str] = []
    given: dict[str, Any] = {}
    for key, value in call.query:
        if key in ("ids", "ids[]") or (key.startswith("ids[") and key.endswith("]")):
            ids += listed(value) if value.startswith("[") else value.split(",")
        elif key in SHORTCUTS and value:
            given[key] = store.code_key(value, call.caller.case_sensitive_codes) if key == "code" else value
    if len(ids) > 1000:
        raise invalid_query("ids", "at most 1000 ids")
    return [*given.items(), *([("ids", ids)] if ids else [])]


async def get_voucher(call: Call, code: str) -> Voucher:
    """Read a voucher by its code or id."""
    found = await store.find(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if found is None:
        raise not_found("voucher", code)
    return (await store.with_rules(call.db, call.project_id, [found.answer()]))[0]


async def generate_voucher(call: Call, data: VoucherIn) -> Voucher:
    """Make a voucher with a random code.

    `code_config` says how the code looks; `code` chooses it instead. `campaign_id` of a STANDALONE campaign adds
    the code there.
    """
    return await issue(call, data, data.code)


async def create_voucher(call: Call, code: str, data: VoucherIn) -> Voucher:
    """Make a voucher under the code in the path."""
    return await issue(call, data, code)


async def update_voucher(call: Call, code: str, data: VoucherChange) -> Voucher:
    """Change a voucher.

    Dates, windows, limit, category and the discount's numbers may change, its type may not. A code of a campaign
    that is changed so keeps its own terms from then on.
    """
    return await edit.change(call, code, data)


async def enable_voucher(call: Call, code: str) -> Voucher:
    """Switch a voucher on."""
    return await edit.switch(call, code, True)


async def disable_voucher(call: Call, code: str) -> Voucher:
    """Switch a voucher off."""
    return await edit.switch(call, code, False)


async def delete_voucher(call: Call, code: str, force: bool = False) -> None:
    """Delete a voucher.

    It goes into the bin, where its code stays taken; `force` deletes it for good and frees the code.
    """
    await edit.remove(call, code, force)


ROUTES = [
    Route(method="GET", path="/v1/vouchers", handler=list_vouchers, tag="Vouchers"),
    Route(method="POST", path="/v1/vouchers", handler=generate_voucher, tag="Vouchers", kind="write"),
    Route(method="GET", path="/v1/vouchers/{code}", handler=get_voucher, tag="Vouchers"),
    Route(method="POST", path="/v1/vouchers/{code}", handler=create_voucher, tag="Vouchers", kind="write"),
    Route(method="PUT", path="/v1/vouchers/{code}", handler=update_voucher, tag="Vouchers", kind="write"),
    Route(
        method="DELETE",
        path="/v1/vouchers/{code}",
        handler=delete_voucher,
        tag="Vouchers",
        kind="write",
        status=204,
    ),
    Route(
        method="POST", path="/v1/vouchers/{code}/enable", handler=enable_voucher, tag="Vouchers", kind="write"
    ),
    Route(
        method="POST",
        path="/v1/vouchers/{code}/disable",
        handler=disable_voucher,
        tag="Vouchers",
        kind="write",
    ),
    *cards.ROUTES,
    *imports.ROUTES,
]
