"""A project and its server keys: what has to be there before the first request can be answered."""

from zoneinfo import available_timezones

import msgspec

from guerdon.kit import db
from guerdon.kit.auth import hash_token, new_credentials
from guerdon.kit.errors import Fault, invalid_payload, not_found
from guerdon.kit.ids import new_id


class Credentials(msgspec.Struct, frozen=True):
    """A project's id and one of its server keys. The token is shown this once; only its hash is kept."""

    project_id: str
    app_id: str
    app_token: str


class ManagementCredentials(msgspec.Struct, frozen=True):
    """A key that changes how a project works; it does not open the shop's operations. Shown this once, too."""

    management_id: str
    management_token: str


INSERT_PROJECT = """
    insert into projects (id, name, timezone, currency, case_sensitive_codes) values ($1, $2, $3, $4, $5)
"""

INSERT_KEY = """
    insert into api_keys (id, project_id, app_id, token_hash, name, role) values ($1, $2, $3, $4, $5, $6)
"""

PROJECT_EXISTS = "select exists (select 1 from projects where id = $1)"

REVOKE_KEY = "update api_keys set active = false where project_id = $1 and app_id = $2 and active"


async def create_project(
    conn: db.Db,
    name: str,
    timezone: str = "UTC",
    currency: str = "USD",
    case_sensitive_codes: bool = True,
) -> Credentials:
    """A new project with its first server key.

    `timezone` is an IANA name; days and hours of the project's offers are meant in it. Raises `ApiError` 400.
    """
    _check(name, timezone, currency)
    project_id = new_id("project")
    await db.execute(conn, INSERT_PROJECT, project_id, name, timezone, currency, case_sensitive_codes)
    return await _insert_key(conn, project_id, "first key", "server")


async def add_key(
    conn: db.Db, project_id: str, name: str = "server key", role: str = "server"
) -> Credentials:
    """One more key, with role ``server``, ``merchant`` or ``management``. Raises `ApiError` 404 for an unknown project."""
    if not await db.value(conn, PROJECT_EXISTS, project_id):
        raise not_found("project", project_id)
    return await _insert_key(conn, project_id, name, role)


async def add_management_key(
    conn: db.Db, project_id: str, name: str = "management key"
) -> ManagementCredentials:
    """A key for ``/management/v1/`` of this project alone. Raises `ApiError` 404 for an unknown project."""
    made = await add_key(conn, project_id, name, "management")
    return ManagementCredentials(made.app_id, made.app_token)


async def revoke_key(conn: db.Db, project_id: str, app_id: str) -> bool:
    """Take a key out of use; whether it was in use. A process may trust it for `auth.TRUST_SECONDS` more."""
    return await db.execute(conn, REVOKE_KEY, project_id, app_id) == 1


async def _insert_key(conn: db.Db, project_id: str, name: str, role: str) -> Credentials:
    app_id, token = new_credentials()
    await db.execute(conn, INSERT_KEY, new_id("api_key"), project_id, app_id, hash_token(token), name, role)
    return Credentials(project_id, app_id, token)


def _check(name: str, timezone: str, currency: str) -> None:
    faults = []
    if not 1 <= len(name) <= 255 or "\x00" in name:
        faults.append(Fault("name", "must have 1 to 255 characters"))
    if timezone not in available_timezones():
        faults.append(Fault("timezone", f"{timezone[:50]!r} is no IANA time zone such as Europe/Warsaw"))
    if not (len(currency) == 3 and currency.isascii() and currency.isalpha() and currency.isupper()):
        faults.append(Fault("currency", "must be three capital letters such as EUR"))
    if faults:
        raise invalid_payload(*faults)
