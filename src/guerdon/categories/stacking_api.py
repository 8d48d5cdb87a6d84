"""``/management/v1/projects/{project_id}/stacking-rules``."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from guerdon.categories import stacking
from guerdon.categories.stacking import StackingRulesSet
from guerdon.definitions.changes import changed
from guerdon.engine.stacking import Percent, StackingRules, UpTo5, UpTo30
from guerdon.kit.call import Call, Route
from guerdon.kit.errors import not_found
from guerdon.projects.access import own_project


class StackingRulesList(msgspec.Struct, kw_only=True):
    """The one set of stacking rules that is in force."""

    object: str = "list"
    data_ref: str = "data"
    data: list[StackingRulesSet]
    total: int


class StackingRulesIn(msgspec.Struct, kw_only=True):
    """What a request says of stacking rules. Null says nothing, but of the two limits per category: no limit."""

    redeemables_limit: UpTo30 | UnsetType | None = UNSET
    applicable_redeemables_limit: UpTo30 | UnsetType | None = UNSET
    applicable_redeemables_per_category_limit: UpTo30 | UnsetType | None = UNSET
    applicable_redeemables_category_limits: dict[str, UpTo30] | UnsetType | None = UNSET
    applicable_exclusive_redeemables_limit: UpTo5 | UnsetType | None = UNSET
    applicable_exclusive_redeemables_per_category_limit: UpTo30 | UnsetType | None = UNSET
    exclusive_categories: list[str] | UnsetType | None = UNSET
    joint_categories: list[str] | UnsetType | None = UNSET
    redeemables_application_mode: Literal["ALL", "PARTIAL"] | UnsetType | None = UNSET
    redeemables_sorting_rule: (
        Literal["REQUESTED_ORDER", "CATEGORY_HIERARCHY", "BEST_DEAL"] | UnsetType | None
    ) = UNSET
    grouped_redeemables_sorting_rule: Literal["JOINT_ALWAYS_LAST", "SORTED_TOGETHER"] | UnsetType | None = (
        UNSET
    )
    redeemables_products_application_mode: Literal["STACK", "ONCE"] | UnsetType | None = UNSET
    discount_calculation_mode: Literal["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"] | UnsetType | None = UNSET
    initial_amount_mode_categories: list[str] | UnsetType | None = UNSET
    discounted_amount_mode_categories: list[str] | UnsetType | None = UNSET
    redeemables_no_effect_rule: Literal["REDEEM_ANYWAY", "SKIP"] | UnsetType | None = UNSET
    no_effect_skip_categories: list[str] | UnsetType | None = UNSET
    no_effect_redeem_anyway_categories: list[str] | UnsetType | None = UNSET
    redeemables_rollback_order_mode: Literal["WITH_ORDER", "WITHOUT_ORDER"] | UnsetType | None = UNSET
    margin_floor_percent: Percent | UnsetType | None = UNSET
    cards_sorting_rule: (
        Literal["REQUESTED_ORDER", "SOONEST_EXPIRING", "SMALLEST_BALANCE"] | UnsetType | None
    ) = UNSET
    cards_always_last: bool | UnsetType | None = UNSET

    def said(self) -> dict[str, Any]:
        """What is said, by the names of `StackingRules`."""
        given = msgspec.structs.asdict(self)
        return {
            name: value
            for name, value in given.items()
            if value is not UNSET and (value is not None or name in NULL_IS_NO_LIMIT)
        }


NULL_IS_NO_LIMIT = frozenset(name for name in stacking.NAMES if name.endswith("_per_category_limit"))


async def list_stacking_rules(call: Call, project_id: str) -> StackingRulesList:
    """List the stacking rules in force: one set, the defaults (without an id) when none was made."""
    own_project(call, project_id)
    rules = await stacking.read(call.db, project_id) or StackingRulesSet()
    return StackingRulesList(data=[rules], total=1)


async def create_stacking_rules(call: Call, project_id: str, data: StackingRulesIn) -> StackingRulesSet:
    """Put stacking rules in the place of the defaults.

    What is absent has its default. 409 ``stacking_rules_exist`` when the project has rules of its own already.
    """
    own_project(call, project_id)
    made = await stacking.create(call.conn, project_id, StackingRules(**data.said()))
    await changed(call.conn, project_id, [("stacking", project_id)])
    return made


async def get_stacking_rules(call: Call, project_id: str, stacking_rules_id: str) -> StackingRulesSet:
    """Read the stacking rules by their id."""
    own_project(call, project_id)
    return await _known(call, stacking_rules_id)


async def update_stacking_rules(
    call: Call, project_id: str, stacking_rules_id: str, data: StackingRulesIn
) -> StackingRulesSet:
    """Change stacking rules. What is absent stays; a list is replaced by the one that is sent."""
    own_project(call, project_id)
    await stacking.lock(call.conn, project_id)
    known = await _known(call, stacking_rules_id)
    written = await stacking.change(call.conn, project_id, known, data.said())
    await changed(call.conn, project_id, [("stacking", project_id)])
    return written


async def delete_stacking_rules(call: Call, project_id: str, stacking_rules_id: str) -> None:
    """Delete the stacking rules, so that the defaults hold again."""
    own_project(call, project_id)
    await stacking.lock(call.conn, project_id)
    await _known(call, stacking_rules_id)
    await stacking.remove(call.conn, project_id)
    await changed(call.conn, project_id, [("stacking", project_id)])


async def _known(call: Call, stacking_rules_id: str) -> StackingRulesSet:
    rules = await stacking.read(call.db, call.project_id)
    if rules is None or rules.id != stacking_rules_id:
        raise not_found("stacking rules", stacking_rules_id)
    return rules


_ALL = "/management/v1/projects/{project_id}/stacking-rules"
_ONE = _ALL + "/{stacking_rules_id}"


def _route(method: str, path: str, handler: object, **more: object) -> Route:
    given = {"method": method, "path": path, "handler": handler, "tag": "Stacking rules"} | more
    return Route(**given, access="management", roles=("management",))  # type: ignore[arg-type]


ROUTES = [
    _route("GET", _ALL, list_stacking_rules),
    _route("POST", _ALL, create_stacking_rules, kind="write"),
    _route("GET", _ONE, get_stacking_rules),
    _route("PUT", _ONE, update_stacking_rules, kind="write"),
    _route("DELETE", _ONE, delete_stacking_rules, kind="write", status=204),
]
