"""What would be earned and what may be had, without doing anything."""

from typing import Any

from guerdon.kit import db

from .checkout import post
from .conftest import Client
from .loyalty import BENEFITS, CARDS, PROGRAMS, REWARDS, RULES, card, mug, ok, per_order, program, refused
from .test_loyalty_cards import of_card
from .test_loyalty_earning import buy, points
from .test_loyalty_members import join

EARNING, HAD = "/v2/loyalties/examine/earning-rules", "/v2/loyalties/examine/rewards"
WRITTEN = """
    select (select count(*) from loyalty_earnings where project_id = $1)
         + (select count(*) from card_entries where project_id = $1)
         + (select count(*) from events where project_id = $1)
         + (select count(*) from tallies where project_id = $1)
         + (select count(*) from loyalty_days where project_id = $1)
"""


def asking(member: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"customer_identification": {"type": "member_id", "member_id": member["id"]}, **more}


def paid(**order: Any) -> dict[str, Any]:
    """That an order was paid."""
    trigger = {"type": "SPECIFIC", "specific": {"event": "customer.order.paid"}}
    return {"trigger": trigger, "customer_order_paid": {"order": order}}


async def test_what_an_order_would_earn_is_what_it_earns(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    pool = client.app.state.pool  # type: ignore[union-attr]
    before = await db.value(pool, WRITTEN, client.project_id)
    said = await ok(client, "POST", EARNING, asking(made, **paid(amount=4990, initial_amount=6000)))
    assert await db.value(pool, WRITTEN, client.project_id) == before
    assert said["event"] == "customer.order.paid"
    assert said["customer"]["source_id"] == "ada" and said["customer"]["id"] == made["customer_id"]
    (membership,) = said["memberships"]
    assert membership["member"]["id"] == made["id"] and membership["program"]["name"] == "Club"
    (estimated,) = membership["cards"]
    assert estimated["points_estimation"] == 49
    (rule,) = said["earning_rules"]
    assert estimated["earning_rules"][0]["earning_rule"]["id"] == rule["id"]
    assert rule["name"] == "A point for every 1.00"
    await buy(client, 4990)
    await run_jobs()
    assert (await points(client, made))["balance"]["points"] == 49
    strings = await ok(client, "POST", EARNING, asking(made, **paid(amount="4990", discount_amount="10")))
    assert strings["memberships"][0]["cards"] == membership["cards"]


async def test_lines_and_metadata_of_the_question_count(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rules = {
        "logic": "1",
        "1": {"name": "customer.metadata", "property": "tier", "conditions": {"$is": ["gold"]}},
    }
    rule = per_order(card_id)
    rule["earnings"][0]["rules"] = rules
    rule_id = (await ok(client, "POST", RULES, rule))["id"]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    made = await join(client, club["id"])
    lines = {"items": [{"price": 1000, "quantity": 3}]}
    without = await ok(client, "POST", EARNING, asking(made, **paid(**lines)))
    assert without["memberships"][0]["cards"] == [] and without["earning_rules"] == []
    question = paid(**lines)
    question["customer_order_paid"]["customer"] = {"metadata": {"tier": "gold"}}
    gold = await ok(client, "POST", EARNING, asking(made, **question))
    assert gold["memberships"][0]["cards"][0]["points_estimation"] == 30
    stored = await ok(client, "GET", f"/v1/customers/{made['customer_id']}")
    assert "tier" not in stored["metadata"]


async def test_all_triggers_at_once(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    segment = await post(
        client, "/v1/segments",
        {"type": "auto-update", "name": "VIP", "filter": {"junction": "and", "metadata.vip": {"conditions": {"$is": [True]}}}},
    )  # fmt: skip
    fixed = {"type": "POINTS", "points": {"value": 150, "card_definition_id": card_id}}
    entered = {
        "name": "Entered", "status": "ACTIVE", "earnings": [{"effects": [fixed]}],
        "trigger": {"event": "customer.segment.entered", "segment": {"id": segment["id"]}},
    }  # fmt: skip
    benefit = await ok(
        client, "POST", BENEFITS,
        {"name": "Bonus", "type": "POINTS", "status": "ACTIVE", "points": {"value": 1, "card_definition_id": card_id}},
    )  # fmt: skip
    gives = {"type": "BENEFIT", "benefit": {"id": benefit["id"]}}
    with_benefit = per_order(card_id, name="Bonus for orders", earnings=[{"effects": [gives]}])
    ids = [
        (await ok(client, "POST", RULES, rule))["id"] for rule in (per_order(card_id), entered, with_benefit)
    ]
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": name} for name in ids]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    made = await join(client, club["id"])
    question = {"trigger": {"type": "ALL"}, "customer_order_paid": {"order": {"amount": 1000}}}
    said = await ok(client, "POST", EARNING, asking(made, **question))
    assert said["event"] is None
    (estimated,) = said["memberships"][0]["cards"]
    assert estimated["points_estimation"] == 160
    assert {each["earning_rule"]["id"]: each["points_estimation"] for each in estimated["earning_rules"]} == {
        ids[0]: 10, ids[1]: 150,
    }  # fmt: skip
    (benefited,) = said["memberships"][0]["benefits"]
    assert benefited["benefit"]["id"] == benefit["id"]
    assert [each["earning_rule"]["id"] for each in benefited["earning_rules"]] == [ids[2]]
    assert {each["id"] for each in said["earning_rules"]} == set(ids)
    trigger = {"type": "SPECIFIC", "specific": {"event": "customer.segment.entered"}}
    for vip, estimations in ((False, []), (True, [150])):
        entering = {"trigger": trigger, "customer_segment_entered": {"customer": {"metadata": {"vip": vip}}}}
        said = await ok(client, "POST", EARNING, asking(made, **entering))
        assert [each["points_estimation"] for each in said["memberships"][0]["cards"]] == estimations


async def test_questions_that_make_no_sense(client: Client) -> None:
    made = await join(client, (await program(client))["id"])
    specific = {"type": "SPECIFIC", "specific": {"event": "customer.order.paid"}}
    for body, path in (
        ({"trigger": {"type": "SPECIFIC"}}, "trigger.specific"),
        ({"trigger": specific}, "customer_order_paid"),
        (
            {"trigger": specific, "customer_order_paid": {}, "customer_segment_entered": {}},
            "customer_segment_entered",
        ),
        ({"trigger": {"type": "ALL"}, "customer_custom_event": {"type": "ALL"}}, "customer_custom_event.all"),
        (paid(amount=5, initial_amount=4), "customer_order_paid.order.amount"),
    ):
        assert await refused(client, "POST", EARNING, asking(made, **body)) == (400, "invalid_payload", path)
    two = {"type": "member_id", "member_id": made["id"], "customer_id": made["customer_id"]}
    both = {"customer_identification": two, "trigger": {"type": "ALL"}}
    assert (await refused(client, "POST", EARNING, both))[2] == "customer_identification.customer_id"
    nobody = {
        "customer_identification": {"type": "customer_id", "customer_id": "cust_no"},
        "trigger": {"type": "ALL"},
    }
    for path in (EARNING, HAD):
        body = nobody if path == EARNING else {"customer_identification": nobody["customer_identification"]}
        assert (await refused(client, "POST", path, body))[:2] == (404, "not_found")


async def test_rewards_that_may_be_had(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    product = (await post(client, "/v1/products", {"name": "Mug"}))["id"]
    ids = [
        (await ok(client, "POST", REWARDS, mug(card_id, product, name=name)))["id"] for name in ("Mug", "Cup")
    ]
    stocks = [{"type": "LIMITED", "limited": {"quantity": 0}}, {"type": "UNLIMITED"}]
    parts = {
        "card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}],
        "rewards": [{"id": name, "stock": stock} for name, stock in zip(ids, stocks, strict=True)],
    }  # fmt: skip
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts})
    made = await join(client, club["id"])
    path = await of_card(client, made)
    await ok(client, "POST", f"{path}/points", {"points": 150})
    who = {"customer_identification": {"type": "customer_source_id", "customer_source_id": "ada"}}
    said = await ok(client, "POST", HAD, who)
    (on_card,) = said["memberships"][0]["cards"]
    by_id = {each["reward"]["id"]: each for each in on_card["rewards"]}
    assert by_id[ids[1]]["status"] == "UNAVAILABLE" and by_id[ids[1]]["cost"]["points"] == 200
    short = {"required": 200, "available": 150, "missing": 50}
    assert [(each["reason"], each["details"]) for each in by_id[ids[1]]["unavailability_reasons"]] == [
        ("insufficient_balance", short)
    ]
    assert [each["reason"] for each in by_id[ids[0]]["unavailability_reasons"]] == [
        "reward_out_of_stock", "insufficient_balance",
    ]  # fmt: skip
    await ok(client, "POST", f"{path}/points", {"points": 50})
    said = await ok(client, "POST", HAD, who)
    by_id = {each["reward"]["id"]: each for each in said["memberships"][0]["cards"][0]["rewards"]}
    assert by_id[ids[1]]["status"] == "AVAILABLE" and "unavailability_reasons" not in by_id[ids[1]]
    assert {each["id"]: each["name"] for each in said["rewards"]} == dict(
        zip(ids, ("Mug", "Cup"), strict=True)
    )
