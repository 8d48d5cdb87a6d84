"""The import itself: part by part, each in one transaction with the job's cursor, the campaign's count and the
part's report, so that a kill costs nothing and nothing is done twice."""

import csv
import io
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET

from guerdon.categories import store as categories
from guerdon.categories.store import CategoryRow
from guerdon.kit import db
from guerdon.kit.clock import database_now
from guerdon.kit.csv_files import rows_of
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.ids import new_ids
from guerdon.kit.jobs import JobHandler, Work
from guerdon.kit.outbox import Event, emit
from guerdon.ledger import sales
from guerdon.schemas.check import check, schemas_of
from guerdon.schemas.values import Schemas
from guerdon.vouchers import import_sets
from guerdon.vouchers.category import settled
from guerdon.vouchers.import_rows import ImportItem, Line, lines_of_csv, lines_of_json
from guerdon.vouchers.sale import void
from guerdon.vouchers.store import code_key, count_in_campaign
from guerdon.vouchers.terms import merge, quantity_of
from guerdon.vouchers.value import (
    ended,
    has_ended,
    is_on_sale,
    kind_of,
    no_pin,
    open_cards,
    type_of,
    value_of,
)

KIND = "voucher.import"
SHOWN_FAILURES = 100
"""How many failed rows the async action's result names; the report has them all."""

_BODY = msgspec.json.Encoder(order="deterministic")


class Import(msgspec.Struct, kw_only=True):
    """What is to be imported how. `zone` is where dates without a time zone are meant."""

    format: str
    zone: str
    case_sensitive: bool
    campaign_id: str | None = None
    fields: dict[str, str] = {}

    def tells(self) -> bool:
        """Whether each new code makes an event; many do not want a million."""
        return self.fields.get("webhooks_enable", "").lower() == "true"


class Cursor(msgspec.Struct, kw_only=True):
    """How far the import has come. `header` is that of the CSV file."""

    part: int = 0
    rows: int = 0
    done: int = 0
    failed: int = 0
    header: list[str] = []
    failures: list[dict[str, Any]] = []


async def import_vouchers(work: Work) -> dict[str, Any]:
    """Make or change the vouchers of a file; every row ends as created, updated or failed."""
    asked, cursor = msgspec.convert(work.job.payload, Import), msgspec.convert(work.job.cursor, Cursor)
    last = await import_sets.last_part(work.pool, work.job.project_id, work.job.id)
    while await _step(work, asked, cursor, last):
        pass
    return {
        "done_count": cursor.done,
        "failed_count": cursor.failed,
        "failed": cursor.failures,
        "reports": [f"/v1/async-actions/{work.job.id}/report"],
    }


async def _step(work: Work, asked: Import, cursor: Cursor, last: int) -> bool:
    job = work.job
    async with work.step() as conn:
        part = await import_sets.read_part(conn, job.project_id, job.id, cursor.part)
        if part is None:
            return False
        if asked.format == "json":
            lines = list(lines_of_json(part, cursor.rows + 1))
        else:
            part = _without_header(part, cursor)
            lines = list(lines_of_csv(part, cursor.header, cursor.rows + 1))
        statuses = await Step(conn, job.project_id, asked).run(lines)
        await import_sets.end_part(conn, job.project_id, job.id, cursor.part, _report(lines, statuses))
        _advance(cursor, lines)
        progress = min(99, cursor.part * 100 // (last + 1))
        await work.checkpoint(conn, cursor=msgspec.to_builtins(cursor), progress=progress)
    return True


def _without_header(part: bytes, cursor: Cursor) -> bytes:
    if cursor.part > 0:
        return part
    cursor.header = next(rows_of(part))
    text = io.StringIO(part.decode("utf-8"), newline="")
    reader = csv.reader(text)
    while not next(reader):  # empty lines before the header
        pass
    return "".join(text).encode()


def _advance(cursor: Cursor, lines: list[Line]) -> None:
    failed = [line for line in lines if line.error]
    cursor.part += 1
    cursor.rows += len(lines)
    cursor.failed += len(failed)
    cursor.done += len(lines) - len(failed)
    room = SHOWN_FAILURES - len(cursor.failures)
    cursor.failures += [{"row": line.row, "code": line.code, "error": line.error} for line in failed[:room]]


def _report(lines: list[Line], statuses: dict[int, str]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    for line in lines:
        writer.writerow([line.row, line.code, "failed" if line.error else statuses[line.row], line.error])
    return text.getvalue().encode("utf-8", "replace")


class Step:
    """One part's rows, in one transaction."""

    def __init__(self, conn: db.Conn, project_id: str, asked: Import) -> None:
        self.conn = conn
        self.project_id = project_id
        self.asked = asked
        self.zone = ZoneInfo(asked.zone)
        self.statuses: dict[int, str] = {}
        self.terms: dict[bytes, str] = {}
        self.schemas: Schemas = {}
        self.categories: list[CategoryRow] = []
        self.unsold: dict[str, str] = {}
        self.now = datetime.max.replace(tzinfo=UTC)

    async def run(self, lines: list[Line]) -> dict[int, str]:
        """Carry the rows out; sets the error of those that fail, and answers what became of the others."""
        ground = None
        self.now = await database_now(self.conn)
        self.schemas = await schemas_of(self.conn, self.project_id)
        if any(line.item is not None and _says_category(line.item) for line in lines):
            self.categories = await categories.all_of(self.conn, self.project_id)
        if self.asked.campaign_id is not None:
            ground = await import_sets.ground(self.conn, self.project_id, self.asked.campaign_id)
            if ground is None:
                for line in lines:
                    line.error = line.error or "the campaign was deleted meanwhile"
                return self.statuses
        group: dict[str, Line] = {}
        for line in lines:
            if line.item is None:
                continue
            key = code_key(line.item.code, self.asked.case_sensitive)
            if key in group:  # the later line changes what the earlier one made
                await self._group(group, ground)
                group = {}
            group[key] = line
        await self._group(group, ground)
        return self.statuses

    async def _group(self, group: dict[str, Line], ground: import_sets.Ground | None) -> None:
        existing = await import_sets.find_many(self.conn, self.project_id, list(group))
        on_sale = [row.id for row in existing.values() if is_on_sale(row.body)]
        self.unsold = await sales.unsold(self.conn, self.project_id, on_sale)
        bodies: dict[str, dict[str, Any]] = {}
        for key, line in group.items():
            try:
                assert line.item is not None
                bodies[key] = self._body(line.item, existing.get(key), ground)
            except ApiError as error:
                line.error = error.details or error.message
        await self._write_terms(bodies, existing, ground)
        fresh = {key: group[key] for key in bodies if key not in existing}
        old = {key: group[key] for key in bodies if key in existing}
        await self._insert(fresh, bodies, ground)
        await self._update(old, bodies, existing)

    def _body(
        self, item: ImportItem, old: import_sets.Existing | None, ground: import_sets.Ground | None
    ) -> dict[str, Any]:
        """The terms that a row comes to. Raises `ApiError` for what cannot be."""
        if old is not None and old.gone:
            raise _failed("code", "is taken by a voucher in the bin")
        if old is not None and ground is not None and old.campaign_id != self.asked.campaign_id:
            raise _failed("code", "is taken by a voucher outside this campaign")
        base = old.body if old is not None else ground.body if ground is not None else {}
        kind = type_of(kind_of(base) if base else item.type, item.gift, item.loyalty_card, item.discount)
        if base and item.type not in (None, kind):
            raise _failed("type", f"is {kind} and stays so")
        if kind == "DISCOUNT_VOUCHER" and "discount" not in base and item.discount is None:
            raise _failed("discount", "a discount voucher needs its discount")
        if kind == "LOYALTY_CARD" and ground is None and old is None:
            raise _failed("type", "a loyalty card belongs to a loyalty program")
        body = merge(base, item, self.zone, discount=item.discount, limit=item.redemption)
        if old is None and (not base or item.gift is not None or item.loyalty_card is not None):
            body |= value_of(kind, item.gift, item.loyalty_card, on_sale=is_on_sale(base))
        if old is None and kind != "DISCOUNT_VOUCHER" and has_ended(body, self.now):
            raise ended()
        no_pin(item.gift, "")
        why = (
            self.unsold.get(old.id) if old is not None else sales.WHY["AWAITED"] if is_on_sale(body) else None
        )
        if item.active and why is not None:
            raise _failed("active", why)
        body = settled(item, body, self.categories)
        said = item.metadata or {}
        metadata = said if old is None else old.metadata | said
        check(self.schemas, "voucher", metadata, said=None if old is None else said)
        used, limit = old.redeemed_quantity if old is not None else item.redeemed(), quantity_of(body)
        if limit is not None and used > limit:
            raise _failed("redemption.quantity", f"is less than the {used} times that it was redeemed")
        return body

    async def _write_terms(
        self,
        bodies: dict[str, dict[str, Any]],
        existing: dict[str, import_sets.Existing],
        ground: import_sets.Ground | None,
    ) -> None:
        """Rows with the same terms share one row of terms: it never changes."""
        if ground is not None:
            self.terms[_BODY.encode(ground.body)] = ground.id
        for row in existing.values():
            if row.terms_id is not None:
                self.terms.setdefault(_BODY.encode(row.body), row.terms_id)
        wanted = [_BODY.encode(body) for body in bodies.values()]
        new = [text for text in dict.fromkeys(wanted) if text not in self.terms]
        ids = await import_sets.insert_terms(self.conn, self.project_id, [text.decode() for text in new])
        self.terms.update(zip(new, ids, strict=True))

    async def _insert(
        self, lines: dict[str, Line], bodies: dict[str, dict[str, Any]], ground: import_sets.Ground | None
    ) -> None:
        rows: list[import_sets.New] = []
        for (key, line), voucher_id in zip(lines.items(), new_ids("voucher", len(lines)), strict=True):
            item = line.item
            assert item is not None
            body = bodies[key]
            follows = ground is not None and body == ground.body and not item.redeemed()
            rows.append(
                import_sets.New(
                    id=voucher_id,
                    code=item.code,
                    type=kind_of(body),
                    code_key=key,
                    terms_id=None if follows else self.terms[_BODY.encode(body)],
                    quantity=None if follows else quantity_of(body),
                    redeemed_quantity=item.redeemed(),
                    active=item.active is not False and not is_on_sale(body),
                    additional_info=item.additional_info or None,
                    metadata=item.metadata or {},
                )
            )
        written = await import_sets.insert(self.conn, self.project_id, self.asked.campaign_id, rows)
        fresh = ((row.id, bodies[row.code_key]) for row in rows if row.id in written)
        await open_cards(self.conn, self.project_id, self.asked.campaign_id, fresh)
        for row in rows:
            line = lines[row.code_key]
            if row.id in written:
                self.statuses[line.row] = "created"
            else:
                line.error = "code: was taken by another request meanwhile"
        if self.asked.campaign_id is not None and written:
            await count_in_campaign(self.conn, self.project_id, self.asked.campaign_id, len(written))
        if self.asked.tells():
            events = [Event("voucher.created", voucher_id) for voucher_id in sorted(written)]
            await emit(self.conn, self.project_id, events)

    async def _update(
        self,
        lines: dict[str, Line],
        bodies: dict[str, dict[str, Any]],
        existing: dict[str, import_sets.Existing],
    ) -> None:
        rows: list[import_sets.Existing] = []
        for key, line in lines.items():
            row, item, body = existing[key], line.item, bodies[key]
            assert item is not None
            if body != row.body:
                row.terms_id, row.quantity = self.terms[_BODY.encode(body)], quantity_of(body)
                if _says_category(item):
                    row.category = row.category_id = None
            if item.active is not None:
                row.active = item.active
            if item.additional_info is not UNSET:
                row.additional_info = item.additional_info
            row.metadata = row.metadata | (item.metadata or {})
            rows.append(row)
            self.statuses[line.row] = "updated"
        await import_sets.update(self.conn, self.project_id, rows)
        if self.asked.tells():
            events = [Event("voucher.updated", row.id) for row in rows]
            await emit(self.conn, self.project_id, events)


def _says_category(item: ImportItem) -> bool:
    return item.category is not UNSET or item.category_id is not UNSET


def _failed(path: str, message: str) -> ApiError:
    return invalid_payload(Fault(path, message))


JOBS: dict[str, JobHandler] = {KIND: import_vouchers, "cards.void": void}
