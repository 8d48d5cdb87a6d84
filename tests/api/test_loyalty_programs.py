"""Programs: what belongs to them, when they may be active, and what may change then."""

import pytest_asyncio

from .conftest import Client
from .loyalty import (
    CARDS,
    PROGRAMS,
    REWARDS,
    RULES,
    STRUCTURES,
    by_balance,
    card,
    mug,
    ok,
    per_order,
    program,
    refused,
)


@pytest_asyncio.fixture
async def card_id(client: Client) -> str:
    return (await ok(client, "POST", CARDS, card()))["id"]


@pytest_asyncio.fixture
async def product_id(client: Client) -> str:
    return (await ok(client, "POST", "/v1/products", {"name": "Mug"}))["id"]


async def test_a_program_and_what_belongs_to_it(client: Client, card_id: str, product_id: str) -> None:
    rule = await ok(client, "POST", RULES, per_order(card_id))
    reward = await ok(client, "POST", REWARDS, mug(card_id, product_id))
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id, status="ACTIVE"))
    stock = {"type": "LIMITED", "limited": {"quantity": 3}}
    body = {
        "name": "Club",
        "start_date": "2026-01-01T00:00:00Z",
        "status": "ACTIVE",
        "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rule["id"]}],
        "rewards": [{"id": reward["id"], "stock": stock}],
        "tier_structures": [{"id": structure["id"]}],
    }
    made = await ok(client, "POST", PROGRAMS, body)
    assert made["id"].startswith("lprg_")
    assert made["rewards"] == body["rewards"]
    assert made["validity_hours"] == {"type": "ANY_TIME"}
    one = f"{PROGRAMS}/{made['id']}"
    for section in ("card_definitions", "earning_rules", "rewards", "tier_structures"):
        del made[section]
    assert await ok(client, "GET", one) == made
    listed = {
        name: (await ok(client, "GET", f"{one}/{name}"))["data"]
        for name in ("card-definitions", "earning-rules", "rewards", "tier-structures")
    }
    when = listed["rewards"][0]["created_at"]
    assert listed == {
        "card-definitions": [{"card_type": "INDIVIDUAL", "card_definition_id": card_id, "created_at": when, "object": "program_card_definition"}],
        "earning-rules": [{"earning_rule_id": rule["id"], "created_at": when, "object": "program_earning_rule"}],
        "rewards": [{"reward_id": reward["id"], "stock": stock, "redeemed": 0, "created_at": when, "updated_at": None, "object": "program_reward"}],
        "tier-structures": [{"tier_structure_id": structure["id"], "created_at": when, "object": "program_tier_structure"}],
    }  # fmt: skip
    more = {"stock": {"type": "UNLIMITED"}}
    assert (await ok(client, "PUT", f"{one}/rewards/{reward['id']}", more))["stock"] == {"type": "UNLIMITED"}
    types = [each["type"] for each in (await ok(client, "GET", f"{one}/activities"))["data"]]
    assert types[0] == "vl.program.reward.updated"
    assert sorted(types[1:]) == [
        "vl.program.card_definition.assigned",
        "vl.program.created",
        "vl.program.earning_rule.assigned",
        "vl.program.reward.assigned",
        "vl.program.tier_structure.assigned",
    ]
    told = (await ok(client, "GET", f"{RULES}/{rule['id']}/activities"))["data"]
    assert told[0]["type"] == "vl.earning_rule.assigned"
    assert told[0]["data"]["program"]["id"] == made["id"]
    gone = await ok(client, "DELETE", one)
    assert gone["status"] == "DELETED"
    assert (await refused(client, "GET", f"{one}/rewards"))[0] == 404
    assert (await ok(client, "DELETE", f"{REWARDS}/{reward['id']}"))["status"] == "DELETED"
    assert (await ok(client, "POST", PROGRAMS, {"name": "Club"}))["status"] == "DRAFT"


async def test_an_active_program_needs_a_card_and_a_rule(client: Client, card_id: str) -> None:
    assert (await refused(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE"}))[:2] == (
        423,
        "missing_active_card_definition",
    )
    one = f"{PROGRAMS}/" + (await ok(client, "POST", PROGRAMS, {"name": "Club"}))["id"]
    await ok(client, "POST", f"{one}/card-definitions/batch", {"assign": [{"id": card_id}]})
    assert (await refused(client, "POST", f"{one}/activate"))[:2] == (423, "missing_active_earning_rule")
    rule = await ok(client, "POST", RULES, per_order(card_id))
    done = await ok(client, "POST", f"{one}/earning-rules/batch", {"assign": [{"id": rule["id"]}]})
    assert (done["assigned"][0]["earning_rule_id"], done["unassigned"]) == (rule["id"], None)
    assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"
    assert await refused(client, "POST", f"{one}/activate") == (400, "invalid_state_transition", "")
    assert (await ok(client, "POST", f"{one}/deactivate"))["status"] == "INACTIVE"
    assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"


async def test_what_an_active_program_keeps(client: Client, card_id: str) -> None:
    made = await program(client)
    one, rule_id = f"{PROGRAMS}/{made['id']}", made["earning_rules"][0]["id"]
    cards = f"{one}/card-definitions/batch"
    assert (await refused(client, "POST", cards, {"assign": [{"id": card_id}]}))[:2] == (
        423,
        "non_draft_program",
    )
    rules = f"{one}/earning-rules/batch"
    last = await refused(client, "POST", rules, {"unassign": [{"id": rule_id}]})
    assert last[:2] == (423, "missing_active_earning_rule")
    other = await ok(client, "POST", RULES, per_order(card_id))
    done = await ok(client, "POST", rules, {"unassign": [{"id": rule_id}], "assign": [{"id": other["id"]}]})
    assert [done[name][0]["earning_rule_id"] for name in ("assigned", "unassigned")] == [other["id"], rule_id]
    assert (await ok(client, "PUT", one, {"name": "Guild", "metadata": {"a": 1}}))["name"] == "Guild"
    bound = await refused(client, "PUT", one, {"end_date": "2030-01-01T00:00:00Z"})
    assert bound == (400, "invalid_payload", "end_date")


async def test_a_batch_is_done_whole_or_not_at_all(client: Client, card_id: str, product_id: str) -> None:
    one = f"{PROGRAMS}/" + (await ok(client, "POST", PROGRAMS, {"name": "Club"}))["id"]
    reward = await ok(client, "POST", REWARDS, mug(card_id, product_id))
    stock = {"type": "UNLIMITED"}
    both = {"assign": [{"id": reward["id"], "stock": stock}, {"id": "lrew_nowhere", "stock": stock}]}
    assert (await refused(client, "POST", f"{one}/rewards/batch", both))[:2] == (404, "not_found")
    assert (await ok(client, "GET", f"{one}/rewards"))["data"] == []
    twice = {"assign": [{"id": reward["id"], "stock": stock}] * 2}
    assert (await refused(client, "POST", f"{one}/rewards/batch", twice))[:2] == (400, "invalid_payload")
    without = {"assign": [{"id": reward["id"], "stock": {"type": "LIMITED"}}]}
    assert await refused(client, "POST", f"{one}/rewards/batch", without) == (
        400,
        "invalid_payload",
        "assign[0].stock.limited",
    )
    await ok(client, "POST", f"{one}/rewards/batch", {"assign": twice["assign"][:1]})
    again = await refused(client, "POST", f"{one}/rewards/batch", {"assign": twice["assign"][:1]})
    assert again[:2] == (409, "duplicate_found")
    assert (await refused(client, "POST", f"{REWARDS}/{reward['id']}/draft"))[:2] == (409, "resource_locked")
    gone = await ok(client, "POST", f"{one}/rewards/batch", {"unassign": [{"id": reward["id"]}]})
    assert gone["unassigned"][0]["reward_id"] == reward["id"]
    assert (await refused(client, "POST", f"{one}/rewards/batch", {"unassign": [{"id": reward["id"]}]}))[
        0
    ] == 404


async def test_a_program_has_one_tier_structure(client: Client, card_id: str) -> None:
    one = f"{PROGRAMS}/" + (await ok(client, "POST", PROGRAMS, {"name": "Club"}))["id"]
    first = await ok(client, "POST", STRUCTURES, by_balance(card_id, status="ACTIVE"))
    second = await ok(client, "POST", STRUCTURES, by_balance(card_id))
    where = f"{one}/tier-structures/batch"
    draft = await refused(client, "POST", where, {"assign": [{"id": second["id"]}]})
    assert draft[:2] == (423, "resource_locked")
    await ok(client, "POST", f"{STRUCTURES}/{second['id']}/activate")
    await ok(client, "POST", where, {"assign": [{"id": first["id"]}]})
    assert (await refused(client, "POST", where, {"assign": [{"id": second["id"]}]}))[:2] == (
        400,
        "invalid_payload",
    )
    both = {"assign": [{"id": second["id"]}], "unassign": [{"id": first["id"]}]}
    assert (await ok(client, "POST", where, both))["assigned"][0]["tier_structure_id"] == second["id"]


async def test_names_of_programs_are_their_own(client: Client) -> None:
    await ok(client, "POST", PROGRAMS, {"name": "Club"})
    assert (await refused(client, "POST", PROGRAMS, {"name": "Club"}))[:2] == (409, "duplicate_found")
    other = await ok(client, "POST", PROGRAMS, {"name": "Guild"})
    taken = await refused(client, "PUT", f"{PROGRAMS}/{other['id']}", {"name": "Club"})
    assert taken[:2] == (409, "duplicate_found")
