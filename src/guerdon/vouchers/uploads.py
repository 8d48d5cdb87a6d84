"""Receiving a file of any size: cut into parts while it streams in, kept on disk until it is whole, then written
with its job in one transaction. No database connection waits for a slow caller."""

import hashlib
import tempfile
from collections.abc import Awaitable, Callable
from typing import IO, Any

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header

from guerdon.kit import db, idempotency, jobs
from guerdon.kit.call import Call, Reply
from guerdon.kit.csv_files import CsvCutter, Cutter, JsonCutter
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.web import too_large

INSERT_PART = "insert into job_files (project_id, job_id, part, content) values ($1, $2, $3, $4)"

FIELD_BYTES = 1024


class Upload:
    """A received file: its parts lie one after the other in a temporary file."""

    def __init__(self, limit: int) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._lengths: list[int] = []
        self._limit = limit
        self._received = 0
        self._hash = hashlib.blake2b(digest_size=16)
        self.fields: dict[str, str] = {}

    def count(self, chunk: bytes) -> None:
        """Add to the size of what came. Raises `ApiError` 413."""
        self._received += len(chunk)
        if self._received > self._limit:
            raise too_large(self._limit)

    def keep(self, part: bytes) -> None:
        """Add a part."""
        self._file.write(part)
        self._lengths.append(len(part))
        self._hash.update(part)

    def mark(self) -> bytes:
        """What tells this file, with the fields that came beside it, from others."""
        return self._hash.digest() + repr(sorted(self.fields.items())).encode()

    async def write(self, conn: db.Db, project_id: str, job_id: str) -> None:
        """Write all parts as the files of a job."""
        self._file.seek(0)
        for number, length in enumerate(self._lengths):
            await db.execute(conn, INSERT_PART, project_id, job_id, number, self._file.read(length))

    def close(self) -> None:
        """Give the disk space back."""
        self._file.close()


async def accept_json(
    call: Call, kind: str, action_type: str, payload: dict[str, Any], status: int, limit: int | None = None
) -> Reply:
    """Take a JSON array as a job, of at most so many bytes. Raises `ApiError` 400, 413, 415."""
    _check_content_type(call, "application/json")
    return await _accept(call, kind, action_type, payload | {"format": "json"}, status, _json_body, limit)


async def accept_csv(call: Call, kind: str, action_type: str, payload: dict[str, Any], status: int) -> Reply:
    """Take the form field ``file`` as a job. Raises `ApiError` 400, 413, 415."""
    _check_content_type(call, "multipart/form-data")
    return await _accept(call, kind, action_type, payload | {"format": "csv"}, status, _form_body)


async def _accept(
    call: Call,
    kind: str,
    action_type: str,
    payload: dict[str, Any],
    status: int,
    read: Callable[[Call, Upload], Awaitable[None]],
    limit: int | None = None,
) -> Reply:
    key = call.idempotency_key
    upload = Upload(limit or call.state.settings.import_limit)
    try:
        await read(call, upload)
        call.body = upload.mark()
        async with db.transaction(call.state.pool) as conn:
            if key is not None:
                stored = await idempotency.claim(conn, call.project_id, key, call.fingerprint())
                if stored is not None:
                    return Reply(stored.body, stored.status, idempotency.replay_headers(stored))
            payload = payload | {"fields": upload.fields}
            job_id = await jobs.enqueue(
                conn, call.project_id, kind, payload, action_type=action_type, request_id=call.request_id
            )
            await upload.write(conn, call.project_id, job_id)
            content = msgspec.json.encode({"async_action_id": job_id})
            if key is not None:
                await idempotency.finish(conn, call.project_id, key, status, None, content)
        return Reply(content, status)
    finally:
        upload.close()


async def _json_body(call: Call, upload: Upload) -> None:
    cutter = JsonCutter()
    async for chunk in call.chunks():
        upload.count(chunk)
        _keep(upload, cutter, chunk)
    _keep(upload, cutter, None)


def _keep(upload: Upload, cutter: Cutter, chunk: bytes | None) -> None:
    for part in cutter.close() if chunk is None else cutter.feed(chunk):
        upload.keep(part)


async def _form_body(call: Call, upload: Upload) -> None:
    _, options = parse_options_header(call.header("content-type") or "")
    boundary = options.get("boundary")
    if not boundary:
        raise invalid_payload(Fault("Content-Type", "names no boundary"))
    form = _Form(upload)
    parser = PushMultipartParser(boundary, max_segment_count=20)
    try:
        async for chunk in call.chunks():
            upload.count(chunk)
            form.take(parser, chunk)
        parser.close()
    except MultipartError as error:
        raise invalid_payload(Fault("", f"the form cannot be read: {str(error)[:200]}")) from None
    if not form.seen:
        raise invalid_payload(Fault("file", "the form must have a field file that holds the CSV"))


class _Form:
    """A form as it streams in: the field ``file`` goes to the cutter, small fields are kept as text."""

    def __init__(self, upload: Upload) -> None:
        self.upload = upload
        self.seen = False
        self._segment: MultipartSegment | None = None
        self._cutter = CsvCutter("code")
        self._text = b""

    def take(self, parser: PushMultipartParser, chunk: bytes) -> None:
        """Read on."""
        for event in parser.parse(chunk):
            if isinstance(event, MultipartSegment):
                self._segment, self._text = event, b""
                if event.name == "file" and self.seen:
                    raise invalid_payload(Fault("file", "stands twice in the form"))
            elif event is None:
                self._end()
            else:
                self._body(bytes(event))

    def _body(self, data: bytes) -> None:
        assert self._segment is not None
        if self._segment.name == "file":
            _keep(self.upload, self._cutter, data)
            return
        self._text += data
        if len(self._text) > FIELD_BYTES:
            raise invalid_payload(Fault(self._segment.name[:100], f"may have {FIELD_BYTES} bytes"))

    def _end(self) -> None:
        assert self._segment is not None
        if self._segment.name == "file":
            self.seen = True
            _keep(self.upload, self._cutter, None)
        else:
            self.upload.fields[self._segment.name[:100]] = self._text.decode("utf-8", "replace")


def _check_content_type(call: Call, wanted: str) -> None:
    kind = (call.header("content-type") or wanted).split(";")[0].strip().lower()
    if kind != wanted:
        raise ApiError(
            415, "unsupported_media_type", "Unsupported media type", f"Send this with Content-Type: {wanted}."
        )
