"""PINs of gift cards: kept as salted hashes, and guessed at most five times in a quarter of an hour.

Tries are counted in the database under a lock on the name that was tried, a card's id or a code that nobody has, so
that several processes together allow no more than one would, and a wrong PIN is answered as a wrong card is.
"""

import hashlib
import hmac
import secrets
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Annotated, Final

from msgspec import Meta, Struct, field

from guerdon.kit import db
from guerdon.kit.errors import ApiError

GivenPin = Annotated[str, Meta(min_length=1, max_length=64)]
NewPin = Annotated[str, Meta(pattern="^[0-9]{4,12}$", description="4 to 12 digits")]

DIGITS: Final = 6
MISSES: Final = 5
SPAN: Final = timedelta(minutes=15)
ROUNDS: Final = 5_000
NOBODY: Final = b"\0" * 32

KEEP = """
    insert into card_pins (project_id, card_id, salt, hash) values ($1, $2, $3, $4)
    on conflict (project_id, card_id) do update set salt = excluded.salt, hash = excluded.hash
"""
DROP = "delete from card_pins where project_id = $1 and card_id = $2"
MARK = "update cards set pinned = $3 where project_id = $1 and id = $2"

KNOWN = """
    select p.card_id, p.salt, p.hash from unnest($2::text[]) as w (id)
    join card_pins p on p.project_id = $1 and p.card_id = w.id
"""
BEGIN = """
    insert into card_pin_tries (project_id, name) select $1, w.name from unnest($2::text[]) as w (name)
    order by w.name on conflict do nothing
"""
LOCK = """
    select t.name, t.misses, t.since, t.locked_until from unnest($2::text[]) as w (name)
    join card_pin_tries t on t.project_id = $1 and t.name = w.name
    order by t.name for update of t
"""
WRITE = """
    update card_pin_tries t set misses = w.misses, since = w.since, locked_until = w.locked_until
    from unnest($2::text[], $3::int[], $4::timestamptz[], $5::timestamptz[]) as w (name, misses, since, locked_until)
    where t.project_id = $1 and t.name = w.name
"""


class Pin(Struct, frozen=True):
    """A PIN as kept."""

    salt: bytes
    hash: bytes


class Tries(Struct):
    """Wrong PINs under a name: so many since then; and until when it is locked."""

    name: str
    misses: int
    since: datetime
    locked_until: datetime | None
    changed: bool = False


class Pins(Struct):
    """What a transaction knows of PINs, and the tries that it has under lock, by name."""

    known: dict[str, Pin] = field(default_factory=dict)
    tries: dict[str, Tries] = field(default_factory=dict)

    def check(self, name: str, given: str | None, now: datetime) -> None:
        """Raise `ApiError` unless `given` opens what `name` names: 400, or 429 while it is locked."""
        pin = self.known.get(name)
        if given is None:
            raise invalid_pin("The card has a PIN; send it as gift.pin.")
        tries = self.tries[name]
        if tries.locked_until is not None:
            if now < tries.locked_until:
                raise locked(tries.locked_until - now)
            tries.locked_until, tries.misses, tries.changed = None, 0, True
        if now >= tries.since + SPAN:
            tries.misses = 0
        kept = Pin(NOBODY, NOBODY) if pin is None else pin
        if hmac.compare_digest(hashed(given, kept.salt), kept.hash) and pin is not None:
            tries.changed, tries.misses = tries.changed or tries.misses > 0, 0
            return
        tries.since = now if not tries.misses else tries.since
        tries.misses, tries.changed = tries.misses + 1, True
        if tries.misses >= MISSES:
            tries.locked_until, tries.misses = now + SPAN, 0
        raise invalid_pin("The card and the PIN do not belong together.")


def invalid_pin(details: str) -> ApiError:
    """400: the PIN is wrong or missing, or there is no such card."""
    return ApiError(400, "invalid_pin", "Invalid PIN", details)


def locked(left: timedelta) -> ApiError:
    """429 until the lock ends."""
    seconds = max(1, -int(-min(left, SPAN).total_seconds() // 1))
    return ApiError(
        429, "too_many_wrong_pins", "Too many wrong PINs",
        f"{MISSES} wrong PINs came for this card; it may be asked for again in {seconds} seconds.",
        headers={"Retry-After": str(seconds)},
    )  # fmt: skip


def hashed(pin: str, salt: bytes) -> bytes:
    """The hash of a PIN."""
    return hashlib.pbkdf2_hmac("sha256", pin.encode("utf-8", "replace"), salt, ROUNDS)


def drawn() -> str:
    """A random PIN."""
    return "".join(secrets.choice("0123456789") for _ in range(DIGITS))


async def keep(conn: db.Conn, project_id: str, card_id: str, pin: str | None) -> None:
    """Give a card a PIN instead of the one it has, or none. Its row is locked."""
    if pin is None:
        await db.execute(conn, DROP, project_id, card_id)
    else:
        salt = secrets.token_bytes(16)
        await db.execute(conn, KEEP, project_id, card_id, salt, hashed(pin, salt))
    await db.execute(conn, MARK, project_id, card_id, pin is not None)


async def load(conn: db.Db, project_id: str, names: Collection[str]) -> Pins:
    """The PINs behind names that a PIN came with, and the tries made under them, locked. After the cards."""
    pins = Pins()
    if not names:
        return pins
    wanted = sorted(set(names))
    for record in await db.records(conn, KNOWN, project_id, wanted):
        pins.known[record["card_id"]] = Pin(record["salt"], record["hash"])
    await db.execute(conn, BEGIN, project_id, wanted)
    for record in await db.records(conn, LOCK, project_id, wanted):
        pins.tries[record["name"]] = Tries(**record)
    return pins


async def write(conn: db.Conn, project_id: str, pins: Pins) -> None:
    """Write the tries that were made."""
    made = [tries for _, tries in sorted(pins.tries.items()) if tries.changed]
    if made:
        columns = zip(*((t.name, t.misses, t.since, t.locked_until) for t in made), strict=True)
        await db.execute(conn, WRITE, project_id, *(list(column) for column in columns))
