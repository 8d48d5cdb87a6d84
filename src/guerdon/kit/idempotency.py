"""Idempotency-Key: a request repeated with the same key has its effect once and gets the same answer.

The row is written in the transaction of the effect, so that no crash can part them. While that transaction runs
the row's unique key makes a duplicate wait, in whatever process it arrived.
"""

import hashlib
from typing import Any

import msgspec

from guerdon.kit import db
from guerdon.kit.errors import ApiError, Fault, invalid_payload

WAIT_SECONDS = 5


class Stored(msgspec.Struct, frozen=True):
    """An answer that was given: `body` is the bytes that left."""

    status: int
    body: bytes
    fingerprint: bytes
    headers: dict[str, str] | None = None


FIND = """
    select status, body, fingerprint, headers from idempotency_keys where project_id = $1 and key = $2
"""

CLAIM = """
    insert into idempotency_keys (project_id, key, fingerprint, status, body) values ($1, $2, $3, 0, '')
    on conflict (project_id, key) do nothing
"""

FINISH = """
    update idempotency_keys set status = $3, headers = $4, body = $5 where project_id = $1 and key = $2
"""


FIND_ALL = """
    select k.key, k.status, k.body, k.fingerprint, k.headers
    from unnest($2::text[]) as w (key) join idempotency_keys k on k.project_id = $1 and k.key = w.key
"""

KEPT_COLUMNS = ("project_id", "key", "fingerprint", "status", "headers", "body", "order_of")


class Kept(msgspec.Struct, gc=False):
    """An answer to keep; `order_of` names the redemption that keeps the order which the body leaves out."""

    key: str
    mark: bytes
    status: int
    headers: dict[str, str] | None
    body: bytes
    order_of: str | None = None


async def find_all(conn: db.Db, project_id: str, keys: list[str]) -> dict[str, Stored]:
    """The answers given before under some keys, for a batch."""
    if not keys:
        return {}
    return {
        r["key"]: Stored(r["status"], r["body"], r["fingerprint"], r["headers"])
        for r in await db.records(conn, FIND_ALL, project_id, keys)
    }


async def keep_all(conn: db.Conn, project_id: str, kept: list[Kept]) -> None:
    """Keep a batch's answers: a plain insert, so that a duplicate committed elsewhere undoes the batch."""
    if kept:
        rows = [
            (project_id, k.key, k.mark, k.status, k.headers, k.body, k.order_of)
            for k in sorted(kept, key=lambda k: k.key)
        ]
        await db.insert(conn, "idempotency_keys", KEPT_COLUMNS, rows)


def check_key(key: str) -> str:
    """The key as it is, or `ApiError` 400."""
    if 1 <= len(key) <= 255 and key.isascii() and key.isprintable() and " " not in key:
        return key
    raise invalid_payload(
        Fault("Idempotency-Key", "must be 1 to 255 visible ASCII characters"), key="invalid_idempotency_key"
    )


def _number(text: str) -> int | float:
    number = float(text)
    return int(number) if number.is_integer() else number


_decode = msgspec.json.Decoder(float_hook=_number).decode


def fingerprint(method: str, path: str, query: list[tuple[str, str]], body: bytes) -> bytes:
    """What makes two requests the same: method, path, sorted query and the body.

    As in RFC 8785, white space, the order of keys, escapes and how a number is spelt make no difference.
    """
    canonical = b""
    if body:
        try:
            canonical = msgspec.json.encode(_decode(body), order="sorted")
        except msgspec.DecodeError:
            canonical = body
    head = msgspec.json.encode([method, path, sorted(query)])
    return hashlib.blake2b(head + canonical, digest_size=16).digest()


async def claim(conn: db.Conn, project_id: str, key: str, mark: bytes) -> Stored | None:
    """Take a key for this transaction; the stored answer if it was taken before.

    Raises `ApiError` 409 when its first request is still running after WAIT_SECONDS, 422 when that one differed.
    """
    await conn.execute(f"set local lock_timeout = '{WAIT_SECONDS}s'")
    try:
        if await db.execute(conn, CLAIM, project_id, key, mark):
            return None
    except db.LockTimeout:
        raise in_use() from None
    stored = await db.row(conn, Stored, FIND, project_id, key)
    if stored is None:  # its first request failed and rolled back while we looked
        raise in_use()
    return check_same(stored, mark)


async def finish(
    conn: db.Conn, project_id: str, key: str, status: int, headers: dict[str, str] | None, body: bytes
) -> None:
    """Keep the answer of the request that claimed the key."""
    await db.execute(conn, FINISH, project_id, key, status, headers, body)


def check_same(stored: Stored, mark: bytes) -> Stored:
    """The stored answer, or `ApiError` 422 when the key came with another request."""
    if stored.fingerprint != mark:
        raise ApiError(
            422,
            "idempotency_key_reused",
            "Idempotency key reused",
            "This Idempotency-Key came before with another request; use a new key for a new request.",
        )
    return stored


def in_use() -> ApiError:
    """409 with Retry-After."""
    return ApiError(
        409,
        "idempotency_key_in_use",
        "Idempotency key in use",
        "A request with this Idempotency-Key is still being worked on; try again in a second.",
        headers={"Retry-After": "1"},
    )


def storable(status: int) -> bool:
    """Whether an answer decided after work began is kept: all but those that a repeat may better."""
    return status < 500 and status not in {401, 403, 413, 415, 429}


def replay_headers(stored: Stored) -> dict[str, Any]:
    """The headers of a repeated answer."""
    return (stored.headers or {}) | {"Idempotent-Replayed": "true"}
