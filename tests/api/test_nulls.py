"""SDKs send null for what their caller left out: the same as nothing, unless null itself says something."""

from typing import Any

import pytest
from msgspec.structs import fields

from guerdon.categories.stacking_api import StackingRulesIn
from guerdon.engine.stacking import DEFAULT_STACKING, StackingRules

from .checkout import code, post
from .test_stacking_rules import in_force

TIER = {"name": "One", "action": {"discount": {"type": "AMOUNT", "amount_off": 100}}}
NAMES = [field.name for field in fields(StackingRules)]
NONE_IS_NO_LIMIT = {
    "applicable_redeemables_per_category_limit",
    "applicable_exclusive_redeemables_per_category_limit",
}


async def test_a_campaign_without_a_type_is_auto_update(client: Any) -> None:
    body = {"campaign_type": "PROMOTION", "promotion": {"tiers": [TIER]}}
    left_out = await post(client, "/v1/campaigns", {"name": "Left out", **body})
    nothing = await post(client, "/v1/campaigns", {"name": "Nothing", "type": None, **body})
    assert (left_out["type"], nothing["type"]) == ("AUTO_UPDATE", "AUTO_UPDATE")


async def test_a_category_without_a_hierarchy_has_the_first_place(client: Any) -> None:
    made = await post(client, "/v1/categories", {"name": "Any", "hierarchy": None})
    assert made["hierarchy"] == 1


async def test_a_rule_is_assigned_to_a_voucher_unless_said_otherwise(client: Any) -> None:
    rule = await post(client, "/v1/validation-rules", {"name": "Any", "rules": {}})
    target = {"related_object_id": await code(client), "related_object_type": None}
    made = await post(client, f"/v1/validation-rules/{rule['id']}/assignments", target)
    assert made["related_object_type"] == "voucher"


async def test_a_rule_keeps_its_name(client: Any) -> None:
    rule = await post(client, "/v1/validation-rules", {"name": "Kept", "rules": {}})
    changed = await client.put(f"/v1/validation-rules/{rule['id']}", json={"name": None})
    assert (changed.status_code, changed.json()["name"]) == (200, "Kept")


async def test_a_schema_keeps_its_definitions(client: Any, manager: Any) -> None:
    size = {"type": "number", "eq": None, "lt": 5}
    made = await manager.post(
        "/metadata-schemas",
        json={"related_object": "customer", "properties": {"size": size}, "allow_defined_only": None},
    )
    assert made.status_code == 200, made.text
    nothing = {"properties": None, "allow_defined_only": True}
    changed = await manager.put(f"/metadata-schemas/{made.json()['id']}", json=nothing)
    assert changed.status_code == 200, changed.text
    assert (changed.json()["allow_defined_only"], changed.json()["properties"]["size"]["lt"]) == (True, 5)
    assert (await client.put("/v1/metadata-schemas/customer", json={"properties": None})).status_code == 200
    empty = {"related_object": "order", "properties": None}
    assert (await manager.post("/metadata-schemas", json=empty)).json()["properties"] == {}


async def test_stacking_rules_are_the_defaults_where_nothing_is_said(manager: Any) -> None:
    made = await manager.post("/stacking-rules", json=dict.fromkeys(NAMES))
    assert made.status_code == 200, made.text
    expected = {name: None if name in NONE_IS_NO_LIMIT else getattr(DEFAULT_STACKING, name) for name in NAMES}
    assert {name: made.json()[name] for name in NAMES} == expected


async def test_stacking_rules_keep_what_is_not_changed(manager: Any) -> None:
    made = await manager.post("/stacking-rules", json={"redeemables_limit": 9, "margin_floor_percent": 20})
    nothing = dict.fromkeys(NAMES) | {"applicable_redeemables_limit": 3}
    changed = await manager.put(f"/stacking-rules/{made.json()['id']}", json=nothing)
    assert changed.status_code == 200, changed.text
    rules = await in_force(manager)
    limits = rules["redeemables_limit"], rules["applicable_redeemables_limit"], rules["margin_floor_percent"]
    assert limits == (9, 3, 20)
    assert [rules[name] for name in sorted(NONE_IS_NO_LIMIT)] == [None, None]


def test_a_request_may_say_whatever_stacking_rules_have() -> None:
    assert [field.name for field in fields(StackingRulesIn)] == NAMES


@pytest.mark.parametrize("limit", [0, 31, "5"])
async def test_what_is_said_is_checked(manager: Any, limit: object) -> None:
    refused = await manager.post("/stacking-rules", json={"redeemables_limit": limit})
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["path"] == "redeemables_limit"
