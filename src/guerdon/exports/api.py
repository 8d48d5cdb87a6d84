"""Exports over HTTP: ask for one, look how it is, download it."""

import hmac
from collections.abc import AsyncIterator
from typing import Literal

from msgspec import Struct

from guerdon.exports import loyalties, store
from guerdon.exports.asked import Parameters, Scope
from guerdon.exports.begin import Export, PartIn, begin, campaign_of, parameters_of, shown, token_of
from guerdon.exports.store import ExportRow
from guerdon.kit import db
from guerdon.kit.auth import SERVER, Keys
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.paging import page as read_page
from guerdon.ledger.transactions import OF_CAMPAIGN, Transactions, transactions
from guerdon.vouchers.cards import card_of


class ExportIn(Struct, kw_only=True):
    """What to export: voucher, redemption, publication, customer, order, points_expiration, voucher_transactions,
    product or sku. Without `fields` a few are chosen.
    """

    exported_object: str
    parameters: Parameters | None = None


class Exports(Struct, kw_only=True):
    """A page of exports, newest first."""

    object: Literal["list"] = "list"
    data_ref: Literal["exports"] = "exports"
    exports: list[Export]
    total: int
    has_more: bool
    more_starting_after: str | None


async def create_export(call: Call, data: ExportIn) -> Export:
    """Start an export.

    A job writes the CSV; `GET /v1/exports/{exportId}` says when it is there and where. What comes after this
    request is not in it. Times in it are UTC.
    """
    return await begin(call, data.exported_object, data.parameters or Parameters(), None)


async def export_orders(call: Call, data: PartIn | None = None) -> Export:
    """Start an export of orders."""
    return await begin(call, "order", parameters_of(data), None)


async def export_card_transactions(call: Call, code: str, data: PartIn | None = None) -> Export:
    """Start an export of what moved on a gift card or loyalty card."""
    card = await card_of(call, code)
    return await begin(call, "voucher_transactions", parameters_of(data), Scope("voucher_id", card.id, code))


async def export_campaign_transactions(call: Call, campaign_id: str, data: PartIn | None = None) -> Export:
    """Start an export of what moved on all cards of a campaign."""
    campaign = await campaign_of(call, campaign_id)
    scope = Scope("campaign_id", campaign.id, campaign_id)
    return await begin(call, "voucher_transactions", parameters_of(data), scope)


async def list_campaign_transactions(
    call: Call,
    campaign_id: str,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Transactions:
    """List what moved on all cards of a campaign, newest first unless `order` says otherwise."""
    campaign = await campaign_of(call, campaign_id)
    return await transactions(
        call.db, call.project_id, OF_CAMPAIGN, campaign.id, call.query, call.caller.timezone
    )


async def list_exports(
    call: Call,
    limit: int | None = None,
    page: int | None = None,
    order: str | None = None,
    starting_after_id: str | None = None,
) -> Exports:
    """List exports, newest first unless `order` says otherwise (`created_at`, `status`; `-` reverses)."""
    found = await read_page(
        call.db, ExportRow, store.LISTING, call.project_id, call.query, zone=call.caller.timezone
    )
    return Exports(
        exports=[shown(call, row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after,
    )


async def get_export(call: Call, export_id: str, token: str | None = None) -> Export | Reply:
    """Read how an export is; with `token`, or where only text is accepted, its file."""
    row = await _find(call.db, call.project_id, export_id)
    accept = (call.header("Accept") or "").lower()
    if token is None and ("json" in accept or "text/" not in accept):
        return shown(call, row)
    if token is not None and not _opens(token, call.project_id, row):
        raise _unauthorized()
    return await _file(call, call.project_id, row)


async def delete_export(call: Call, export_id: str) -> None:
    """Delete an export with its file; one that is being written is called off."""
    row = await store.lock(call.conn, call.project_id, export_id)
    if row is None:
        raise not_found("export", export_id)
    await store.delete(call.conn, call.project_id, row)


async def download_export(call: Call, export_id: str, token: str | None = None) -> Reply:
    """Download the CSV: by the `token` of the export's address, or with a server key."""
    if token is None:
        key_id, secret = call.header(SERVER.id_header), call.header(SERVER.token_header)
        if key_id is None or secret is None:
            raise _unauthorized()
        project_id = (await Keys(call.state.pool).caller(key_id, secret, SERVER)).project_id
        return await _file(call, project_id, await _find(call.db, project_id, export_id))
    project_id = token.partition(".")[0]
    row = await store.find(call.db, project_id, export_id)
    if row is None or not _opens(token, project_id, row):
        raise _unauthorized()
    return await _file(call, project_id, row)


def _opens(token: str, project_id: str, row: ExportRow) -> bool:
    """Whether it is the token of an export, told in constant time; bytes, since texts have to be ASCII for that."""
    return hmac.compare_digest(token.encode(), token_of(project_id, row).encode())


async def _find(conn: db.Db, project_id: str, export_id: str) -> ExportRow:
    row = await store.find(conn, project_id, export_id)
    if row is None:
        raise not_found("export", export_id)
    return row


async def _file(call: Call, project_id: str, row: ExportRow) -> Reply:
    first = await store.part(call.state.pool, project_id, row.id, 0) if row.kept else None
    if first is None:
        raise not_found("file of the export", row.id)
    accept = (call.header("Accept") or "*/*").lower()
    headers = {
        # SDKs know no other type than the reference's, and say so by what they accept
        "Content-Type": "text/csv" if "csv" in accept or "*/*" in accept else "text/plain",
        "Content-Disposition": f'attachment; filename="{row.exported_object}-{row.id}.csv"',
        "Cache-Control": "private, no-store",
    }
    return Reply(_parts(call.state.pool, project_id, row.id, first), headers=headers)


async def _parts(pool: db.Pool, project_id: str, export_id: str, first: bytes) -> AsyncIterator[bytes]:
    """The file from its parts; no connection waits for a slow reader."""
    content: bytes | None = first
    number = 0
    while content is not None:
        yield content
        number += 1
        content = await store.part(pool, project_id, export_id, number)


def _unauthorized() -> ApiError:
    return ApiError(401, "unauthorized", "Unauthorized", "The token does not open this export.")


TAG = "Exports"
ONE = "/v1/exports/{export_id}"
OF_CAMPAIGNS = "/v1/campaigns/{campaign_id}/transactions"

ROUTES = [
    Route(method="GET", path="/v1/exports", handler=list_exports, tag=TAG),
    Route(method="POST", path="/v1/exports", handler=create_export, tag=TAG, kind="write"),
    Route(method="GET", path=ONE, handler=get_export, tag=TAG, csv=True),
    Route(method="DELETE", path=ONE, handler=delete_export, tag=TAG, kind="write", status=204),
    Route(
        method="GET", path="/download" + ONE, handler=download_export, tag=TAG, access="public", media_type="text/csv",
    ),
    Route(method="POST", path="/v1/orders/export", handler=export_orders, tag="Orders", kind="write"),
    Route(
        method="POST", path="/v1/vouchers/{code}/transactions/export", handler=export_card_transactions,
        tag="Vouchers", kind="write",
    ),
    Route(method="GET", path=OF_CAMPAIGNS, handler=list_campaign_transactions, tag="Campaigns"),
    Route(
        method="POST", path=OF_CAMPAIGNS + "/export", handler=export_campaign_transactions, tag="Campaigns",
        kind="write",
    ),
    *loyalties.ROUTES,
]  # fmt: skip
