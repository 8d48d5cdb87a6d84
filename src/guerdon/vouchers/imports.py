"""Importing vouchers over HTTP: files stream in, a job works through them, a report says what became of each row."""

from typing import Any

from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import not_found
from guerdon.vouchers import import_sets
from guerdon.vouchers.jobs import KIND
from guerdon.vouchers.requests import ImportAccepted
from guerdon.vouchers.uploads import accept_csv, accept_json

REPORT_HEADER = b"row,code,status,error\n"


def import_payload(call: Call, campaign_id: str | None = None) -> dict[str, Any]:
    """What the job must know beside the file."""
    return {
        "zone": call.caller.timezone,
        "case_sensitive": call.caller.case_sensitive_codes,
        "campaign_id": campaign_id,
    }


async def import_vouchers(call: Call) -> ImportAccepted | Reply:
    """Import vouchers from JSON.

    The body is an array of vouchers with their codes, of any length. A code that is there already is changed. The
    async action's result counts the rows; `GET /v1/async-actions/{id}/report` says what became of each.
    """
    return await accept_json(call, KIND, "VOUCHERS.IMPORT", import_payload(call), 202)


async def import_vouchers_csv(call: Call) -> ImportAccepted | Reply:
    """Import vouchers from CSV.

    Form field `file`: UTF-8, comma separated, with a line of column names: Code, Voucher Type, Value (whole minor
    units, or per cent), Discount Type, Discount Effect, Category, Start Date, Expiration Date, Redemption Limit,
    Redeemed Quantity, Active, Additional Info. Other columns become metadata. `webhooks_enable=true` makes an
    event of every voucher.
    """
    return await accept_csv(call, KIND, "VOUCHERS.IMPORT_CSV", import_payload(call), 202)


async def get_import_report(call: Call, async_action_id: str) -> Reply:
    """Read what became of each row of an import, as CSV; what is done so far while it runs."""
    if not await import_sets.is_import(call.db, call.project_id, async_action_id, KIND):
        raise not_found("async_action", async_action_id)
    parts = await import_sets.read_report(call.db, call.project_id, async_action_id)
    return Reply(REPORT_HEADER + b"".join(parts))


ROUTES = [
    Route(
        method="POST", path="/v1/vouchers/import", handler=import_vouchers, tag="Vouchers", kind="flow", status=202,
        streams=True,
    ),
    Route(
        method="POST", path="/v1/vouchers/importCSV", handler=import_vouchers_csv, tag="Vouchers", kind="flow",
        status=202, streams=True,
    ),
    Route(
        method="GET", path="/v1/async-actions/{async_action_id}/report", handler=get_import_report,
        tag="Async Actions", media_type="text/csv",
    ),
]  # fmt: skip
