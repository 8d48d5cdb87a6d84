"""Who calls: server keys (`X-App-Id`, `X-App-Token`) and management keys (`X-Management-Id`, `X-Management-Token`),
looked up by id and compared by hash in constant time. Both are rows of `api_keys`; a key's role says where it fits.
"""

import hashlib
import hmac
import secrets
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from guerdon.kit import clock, db
from guerdon.kit.errors import ApiError

# How long a revoked key may go on working, and how long a changed project setting may go unseen.
TRUST_SECONDS = 1.0


class Door(msgspec.Struct, frozen=True):
    """A part of the API and the headers in which its keys come."""

    path: str
    id_header: str
    token_header: str


SERVER = Door("/v1/", "X-App-Id", "X-App-Token")
LOYALTY = Door("/v2/", "X-App-Id", "X-App-Token")
MANAGEMENT = Door("/management/v1/", "X-Management-Id", "X-Management-Token")
DOORS = (SERVER, LOYALTY, MANAGEMENT)


class Caller(msgspec.Struct, frozen=True):
    """The key a request came with, and its project."""

    project_id: str
    key_id: str
    key_name: str
    app_id: str
    role: str
    timezone: str
    currency: str
    case_sensitive_codes: bool
    settings: dict[str, Any]
    token_hash: bytes
    config_version: int

    @property
    def zone(self) -> ZoneInfo:
        """The project's time zone, in which days and hours are meant."""
        return ZoneInfo(self.timezone)


CALLER_BY_APP_ID = """
    select k.project_id, k.id as key_id, k.name as key_name, k.app_id, k.role, k.token_hash,
           p.timezone, p.currency, p.case_sensitive_codes, p.settings, p.config_version
    from api_keys k join projects p on p.id = k.project_id
    where k.app_id = $1 and k.active
"""


def hash_token(token: str) -> bytes:
    """What is kept of a token. It has 256 random bits, so a plain hash is enough."""
    return hashlib.sha256(token.encode()).digest()


def new_credentials() -> tuple[str, str]:
    """A new app id and its token."""
    return secrets.token_hex(16), secrets.token_urlsafe(32)


class Keys:
    """Looks callers up, and remembers each for TRUST_SECONDS."""

    def __init__(self, pool: db.Pool) -> None:
        self._pool = pool
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, app_id: str | None, token: str | None, door: Door = SERVER) -> Caller:
        """The caller behind the two header values of a door.

        Raises `ApiError` 401 for missing, unknown, revoked or wrong keys, in the same words.
        """
        if not app_id or not token:
            raise unauthorized(f"Send both {door.id_header} and {door.token_header}.")
        found = self._known.get(app_id)
        if found is None or clock.monotonic() - found[0] > TRUST_SECONDS:
            found = await self._look_up(app_id)
        if found is None or not hmac.compare_digest(found[1].token_hash, hash_token(token)):
            raise unauthorized(
                f"This pair of {door.id_header} and {door.token_header} is not known; check both, and the host."
            )
        return found[1]

    async def _look_up(self, app_id: str) -> tuple[float, Caller] | None:
        self._known.pop(app_id, None)
        if len(app_id) > 200 or "\x00" in app_id:
            return None
        caller = await db.row(self._pool, Caller, CALLER_BY_APP_ID, app_id)
        if caller is None:
            return None
        if len(self._known) >= 10_000:
            self._known.clear()
        self._known[app_id] = (clock.monotonic(), caller)
        return self._known[app_id]


def check_role(caller: Caller, roles: tuple[str, ...]) -> None:
    """Raise `ApiError` 403 when the caller's key has none of these roles."""
    if caller.role not in roles:
        raise ApiError(
            403, "missing_required_permission", "Missing permission",
            f"A key with the role {caller.role!r} may not do this; use one with the role {' or '.join(roles)}.",
        )  # fmt: skip


def unauthorized(details: str) -> ApiError:
    """401."""
    return ApiError(401, "unauthorized", "Unauthorized", details)
