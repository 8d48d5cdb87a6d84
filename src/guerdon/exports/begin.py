"""Starting exports, and how they are answered."""

import secrets
from typing import Any, Literal

import msgspec
from msgspec import Struct

from guerdon.exports import store
from guerdon.exports.asked import Parameters, Scope, check
from guerdon.exports.jobs import KIND
from guerdon.exports.store import ExportRow
from guerdon.kit import clock, jobs
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, not_found
from guerdon.kit.ids import new_id

WITH_CARDS = ("GIFT_VOUCHERS", "LOYALTY_PROGRAM")

Status = Literal["SCHEDULED", "IN_PROGRESS", "DONE", "ERROR"]


class PartIn(Struct, kw_only=True):
    """What to export of something that the path names."""

    parameters: Parameters | None = None


class ExportFile(Struct):
    """Where the CSV is; whoever has this address can read it, for 30 days."""

    url: str


class Export(Struct, kw_only=True):
    """An export. `progress` is in percent of its rows."""

    id: str
    object: Literal["export"] = "export"
    created_at: str
    status: Status
    channel: str
    exported_object: str
    parameters: dict[str, Any]
    result: ExportFile | None
    user_id: str | None = None
    progress: int


async def begin(call: Call, exported: str, parameters: Parameters, scope: Scope | None) -> Export:
    """Write down what is wanted, with the job that will write it. Raises `ApiError` 400."""
    check(exported, parameters, scope, call.caller.timezone)
    row = ExportRow(
        id=new_id("export"), exported_object=exported, parameters=msgspec.to_builtins(parameters),
        scope=None if scope is None else msgspec.to_builtins(scope), status="SCHEDULED", channel="API",
        token=secrets.token_hex(24), zone=call.caller.timezone, job_id="", total=None, row_count=0,
        created_at=clock.process_now(), kept=False,
    )  # fmt: skip
    payload = {"export_id": row.id}
    row.job_id = await jobs.enqueue(call.conn, call.project_id, KIND, payload, request_id=call.request_id)
    return shown(call, await store.insert(call.conn, call.project_id, row))


def parameters_of(data: PartIn | None) -> Parameters:
    """What a body says, which may be left out."""
    return (data.parameters if data is not None else None) or Parameters()


async def campaign_of(call: Call, name: str) -> store.Owner:
    """A campaign with cards, by id or name. Raises `ApiError` 404, 403 for one without."""
    campaign = await store.campaign(call.db, call.project_id, name)
    if campaign is None:
        raise not_found("campaign", name)
    if campaign.campaign_type not in WITH_CARDS:
        raise ApiError(
            403,
            "forbidden",
            "Forbidden",
            f"{name} is no campaign of gift cards or loyalty cards; only those have transactions.",
            resource_id=campaign.id,
            resource_type="campaign",
        )
    return campaign


def shown(call: Call, row: ExportRow) -> Export:
    """An export as answered."""
    parameters = dict(row.parameters)
    if row.scope is not None:
        narrowed = {row.scope["field"]: {"conditions": {"$in": [row.scope["shown"]]}}}
        parameters["filters"] = (parameters.get("filters") or {}) | narrowed
    result = ExportFile(_address(call, row)) if row.kept else None
    share = 100 if row.status == "DONE" else min(99, row.row_count * 100 // max(row.total or 1, 1))
    return Export(
        id=row.id, created_at=iso(row.created_at), status=msgspec.convert(row.status, Status), channel=row.channel,
        exported_object=row.exported_object, parameters=parameters, result=result, progress=share,
    )  # fmt: skip


def token_of(project_id: str, row: ExportRow) -> str:
    """What opens the file without a key; it names the project to look in."""
    return f"{project_id}.{row.token}"


def _address(call: Call, row: ExportRow) -> str:
    scheme = "https" if (call.header("X-Forwarded-Proto") or "").lower() == "https" else "http"
    host = call.header("Host") or "localhost"
    return f"{scheme}://{host}/download/v1/exports/{row.id}?token={token_of(call.project_id, row)}"
