"""A project's stacking rules as stored: one set, in the project's settings; without one the defaults hold."""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.categories import store
from guerdon.definitions import changes
from guerdon.engine.stacking import StackingRules
from guerdon.kit import clock, db
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.ids import new_id


class StackingRulesSet(StackingRules, kw_only=True, frozen=True):
    """Stacking rules with what makes them a resource; the defaults have neither id nor dates."""

    id: str | UnsetType = UNSET
    created_at: str | UnsetType = UNSET
    updated_at: str | UnsetType = UNSET


NAMES = tuple(field.name for field in msgspec.structs.fields(StackingRules))
LISTS = tuple(name for name in NAMES if name.endswith("_categories"))
LIMITS = tuple(name for name in NAMES if name.endswith("_category_limits"))
# A category can stand in one list of a pair only.
APART = (
    ("exclusive_categories", "joint_categories"),
    ("initial_amount_mode_categories", "discounted_amount_mode_categories"),
    ("no_effect_skip_categories", "no_effect_redeem_anyway_categories"),
)

READ = "select settings -> 'stacking_rules' from projects where id = $1"
WRITE = "update projects set settings = jsonb_set(settings, '{stacking_rules}', $2) where id = $1"
NOW = "select now()"
REMOVE = "update projects set settings = settings - 'stacking_rules' where id = $1"


async def lock(conn: db.Conn, project_id: str) -> None:
    """Change definitions alone from here on; before the stacking rules are read to be changed."""
    await db.execute(conn, changes.LOCK, project_id)


async def read(conn: db.Db, project_id: str) -> StackingRulesSet | None:
    """The project's own rules; None while the defaults hold."""
    stored = await db.value(conn, READ, project_id)
    return None if stored is None else msgspec.convert(stored, StackingRulesSet)


async def create(conn: db.Conn, project_id: str, rules: StackingRules) -> StackingRulesSet:
    """Put rules in the place of the defaults. Raises `ApiError` 409 when there are some, 400 for what cannot be."""
    await lock(conn, project_id)
    if await read(conn, project_id) is not None:
        raise ApiError(
            409, "stacking_rules_exist", "There are stacking rules already",
            "A project has one set of stacking rules; change that one, or delete it first.",
        )  # fmt: skip
    await check(conn, project_id, rules)
    made_at = await _now(conn)
    said = {name: getattr(rules, name) for name in NAMES}
    made = StackingRulesSet(**said, id=new_id("stacking_rules"), created_at=made_at)
    await _write(conn, project_id, made)
    return made


async def change(
    conn: db.Conn, project_id: str, known: StackingRulesSet, said: Mapping[str, Any]
) -> StackingRulesSet:
    """Change the fields that were said; the rules are locked. Raises `ApiError` 400 for what cannot be."""
    changed = msgspec.structs.replace(
        known,
        **{name: value for name, value in said.items() if name in NAMES},
        updated_at=await _now(conn),
    )
    await check(conn, project_id, changed, was=known)
    await _write(conn, project_id, changed)
    return changed


async def remove(conn: db.Conn, project_id: str) -> None:
    """Let the defaults hold again."""
    await db.execute(conn, REMOVE, project_id)


async def forget_category(conn: db.Conn, project_id: str, category_id: str, *, allowed: bool) -> bool:
    """Take a category out of the locked rules; whether it stood there.

    Raises `ApiError` 400 ``resource_in_use`` when it does and that is not `allowed`.
    """
    known = await read(conn, project_id)
    used = (
        [] if known is None else [name for name in (*LISTS, *LIMITS) if category_id in getattr(known, name)]
    )
    if known is None or not used:
        return False
    if not allowed:
        raise ApiError(
            400, "resource_in_use", "The category is in use",
            f"The stacking rules name it in {', '.join(used)}; take it out there first, or delete it with "
            "remove_from_stacking_rules=true.",
            resource_id=category_id, resource_type="category",
        )  # fmt: skip
    await _write(conn, project_id, _without(known, category_id))
    return True


async def check(conn: db.Db, project_id: str, rules: StackingRules, was: StackingRules | None = None) -> None:
    """Raise `ApiError` 400 naming each field that cannot be: unknown categories, limits and lists at odds.

    Categories that stood in the rules as they were are not asked for again.
    """
    faults = _at_odds(rules)
    named = [(f"{name}[{place}]", one) for name in LISTS for place, one in enumerate(getattr(rules, name))]
    named += [(f"{name}.{one}", one) for name in LIMITS for one in getattr(rules, name)]
    before = set() if was is None else _categories(was)
    asked = {one for _, one in named} - before
    missing = asked - await store.known(conn, project_id, sorted(asked))
    faults += [Fault(path, f"there is no category {one!r}") for path, one in named if one in missing]
    if faults:
        raise invalid_payload(*faults)


def _at_odds(rules: StackingRules) -> list[Fault]:
    faults = []
    of_category = rules.applicable_exclusive_redeemables_per_category_limit
    if of_category is not None and of_category > rules.applicable_exclusive_redeemables_limit:
        path = "applicable_exclusive_redeemables_per_category_limit"
        faults.append(Fault(path, "must not exceed applicable_exclusive_redeemables_limit"))
    for first, second in APART:
        both = set(getattr(rules, first)) & set(getattr(rules, second))
        faults += [Fault(second, f"{one!r} stands in {first} too") for one in sorted(both)]
    return faults


def _categories(rules: StackingRules) -> set[str]:
    return {one for name in (*LISTS, *LIMITS) for one in getattr(rules, name)}


def _without(rules: StackingRulesSet, category_id: str) -> StackingRulesSet:
    lists = {name: [one for one in getattr(rules, name) if one != category_id] for name in LISTS}
    limits = {
        name: {one: limit for one, limit in getattr(rules, name).items() if one != category_id}
        for name in LIMITS
    }
    return msgspec.structs.replace(rules, **lists, **limits)


async def _now(conn: db.Conn) -> str:
    return clock.iso(await db.value(conn, NOW))


async def _write(conn: db.Conn, project_id: str, rules: StackingRulesSet) -> None:
    await db.execute(conn, WRITE, project_id, msgspec.to_builtins(rules))
