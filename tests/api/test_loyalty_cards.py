"""What moves on a member's card in v2, by hand and by itself."""

from datetime import UTC, datetime
from typing import Any

import pytest

from guerdon.kit import db

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, RULES, card, ok, per_order, program, refused
from .test_loyalty_earning import buy, club_of, points
from .test_loyalty_members import join

ROLLING = {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 30}}}
WAITS = {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 14}}}


async def of_card(client: Client, member: dict[str, Any]) -> str:
    """The path of a member's first card."""
    path = f"{PROGRAMS}/{member['program_id']}/members/{member['id']}"
    return f"{path}/cards/{(await points(client, member))['id']}"


async def moved(client: Client, path: str, query: str = "") -> list[tuple[str, int]]:
    """The transactions of a card, the first first."""
    answer = await ok(client, "GET", f"{path}/transactions?limit=100&order=created_at{query}")
    return [
        (
            each["type"],
            each["details"].get("points", each["details"].get("bucket", {}).get("points"))["total"],
        )
        for each in answer["data"]
    ]


async def test_points_are_added_and_taken_away(client: Client) -> None:
    club = await club_of(client, points_expiration=ROLLING)
    made = await join(client, club["id"])
    path = await of_card(client, made)
    more = await ok(client, "POST", f"{path}/points", {"points": 100, "reason": "Sorry"})
    assert more["status"] == "TRANSACTION_CREATED"
    assert more["transaction"]["type"] == "ADMIN_CREDIT" and more["transaction"]["status"] == "PENDING"
    assert more["transaction"]["details"]["reason"] == "Sorry"
    assert more["transaction"]["details"]["points"]["expiration_date"] is not None
    less = await ok(client, "POST", f"{path}/points", {"points": -30})
    assert less["transaction"]["details"] == {
        "reason": None, "rejection": None, "metadata": {}, "points": {"total": -30},
    }  # fmt: skip
    none = await ok(client, "POST", f"{path}/points", {"points": 0})
    assert none["transaction"] is None and none["status"] == "NO_CHANGE"
    assert (await points(client, made))["balance"]["points"] == 70
    assert await moved(client, path) == [("ADMIN_CREDIT", 100), ("ADMIN_DEBIT", -30)]
    listed = await ok(client, "GET", f"{path}/transactions")
    assert listed["data"][1] == more["transaction"] | {"status": "APPROVED"}
    one = more["transaction"]["id"]
    assert await moved(client, path, f"&filters[id][conditions][$is]={one}") == [("ADMIN_CREDIT", 100)]


async def test_no_more_is_taken_than_there_is(client: Client) -> None:
    club = await club_of(client)
    path = await of_card(client, await join(client, club["id"]))
    assert await refused(client, "POST", f"{path}/points", {"points": -1}) == (423, "zero_card_balance", "")
    await ok(client, "POST", f"{path}/points", {"points": 10})
    taken = await refused(client, "POST", f"{path}/points", {"points": -11})
    assert taken == (423, "insufficient_card_balance", "")
    assert await moved(client, path) == [("ADMIN_CREDIT", 10)]


async def test_a_balance_falls_below_nothing_where_it_may(client: Client) -> None:
    club = await club_of(client, balance_settings={"allow_negative": True})
    made = await join(client, club["id"])
    path = await of_card(client, made)
    await ok(client, "POST", f"{path}/points", {"points": 10})
    await ok(client, "POST", f"{path}/points", {"points": -25})
    assert (await points(client, made))["balance"]["points"] == -15
    await ok(client, "POST", f"{path}/points", {"points": 20})
    assert (await points(client, made))["balance"]["points"] == 5


@pytest.mark.parametrize(
    ("state", "key"),
    [
        ("program", "non_active_program"),
        ("dates", "program_outside_validity_window"),
        ("member", "non_active_member"),
    ],
)
async def test_nothing_moves_where_program_or_member_are_off(client: Client, state: str, key: str) -> None:
    later = {"start_date": "2999-01-01T00:00:00Z"} if state == "dates" else {}
    club = await program(client, **later)
    made = await join(client, club["id"])
    path = await of_card(client, made)
    if state == "program":
        await ok(client, "POST", f"{PROGRAMS}/{club['id']}/deactivate")
    elif state == "member":
        await ok(client, "POST", f"{PROGRAMS}/{club['id']}/members/{made['id']}/deactivate")
    assert (await refused(client, "POST", f"{path}/points", {"points": 5}))[:2] == (423, key)
    assert await moved(client, path) == []


async def test_a_card_of_somebody_else_is_not_there(client: Client) -> None:
    club = await club_of(client)
    ada = await join(client, club["id"])
    bob = await join(client, club["id"], "bob")
    path = await of_card(client, bob)
    wrong = path.replace(bob["id"], ada["id"])
    for verb, tail, body in (
        ("POST", "/points", {"points": 5}), ("GET", "/transactions", None), ("GET", "/activities", None),
        ("GET", "/expiring-points", None), ("GET", "/pending-points", None),
    ):  # fmt: skip
        assert (await refused(client, verb, wrong + tail, body))[:2] == (404, "not_found")


async def test_points_that_end_together_are_one_bucket(client: Client) -> None:
    club = await club_of(client, points_expiration=ROLLING)
    made = await join(client, club["id"])
    path = await of_card(client, made)
    for amount in (10, 15):
        await ok(client, "POST", f"{path}/points", {"points": amount})
    await ok(client, "POST", f"{path}/points", {"points": -5})
    (bucket,) = (await ok(client, "GET", f"{path}/expiring-points"))["data"]
    assert bucket["points"] == {"total": 20} and bucket["expiration_type"] == "ROLLING_EXPIRATION"
    shown = await points(client, made)
    assert bucket["expiration_date"] == shown["next_expiration"]["date"]
    gone = await ok(client, "POST", f"{path}/expiring-points/{bucket['id']}/expire")
    assert gone["transaction"]["type"] == "ADMIN_POINTS_EXPIRATION"
    assert gone["transaction"]["details"]["bucket"] == {
        key: bucket[key] for key in ("id", "points", "expiration_date", "expiration_type")
    }
    on = await points(client, made)
    assert on["balance"]["points"] == 0 and on["lifetime_bucket"]["points"]["expired"] == 20
    again = await refused(client, "POST", f"{path}/expiring-points/{bucket['id']}/expire")
    assert again == (423, "invalid_points_bucket_status", "")
    other = bucket["id"][:-8] + "20300101"
    assert (await refused(client, "POST", f"{path}/expiring-points/{other}/expire"))[:2] == (404, "not_found")


async def test_points_that_end_at_night_name_their_buckets(client: Client, tonight: Any) -> None:
    club = await club_of(client, points_expiration=ROLLING)
    made = await join(client, club["id"])
    path = await of_card(client, made)
    await ok(client, "POST", f"{path}/points", {"points": 10})
    await tonight("update card_lots set expires_at = expires_at - interval '31 days'")
    (_, expired) = (await ok(client, "GET", f"{path}/transactions?order=created_at"))["data"]
    assert expired["type"] == "POINTS_EXPIRED" and expired["details"]["points"]["total"] == -10
    assert [each["points"]["total"] for each in expired["details"]["buckets"]] == [10]
    assert expired["details"]["date"] == expired["details"]["buckets"][0]["expiration_date"]


async def test_pending_points_are_activated_and_given_up(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, pending_points=WAITS)
    made = await join(client, club["id"])
    path = await of_card(client, made)
    first = await buy(client, 1000)
    await run_jobs()
    await buy(client, 700)
    await run_jobs()
    waiting = (await ok(client, "GET", f"{path}/pending-points"))["data"]
    assert sorted(each["points"]["total"] for each in waiting) == [7, 10]
    assert {each["type"] for each in waiting} == {"PERIOD_BASED"}
    by_points = {each["points"]["total"]: each for each in waiting}
    active = await ok(client, "POST", f"{path}/pending-points/{by_points[10]['id']}/activate")
    assert active["transaction"]["type"] == "PENDING_POINTS_ACTIVATED"
    told = active["transaction"]["details"]
    assert told["points"] == {"total": 10, "date": by_points[10]["date"], "type": "PERIOD_BASED"}
    assert told["reason"] == "Manual points activation"
    assert told["metadata"]["order_id"] == first["id"]
    gone = await ok(client, "POST", f"{path}/pending-points/{by_points[7]['id']}/cancel")
    assert gone["transaction"]["type"] == "PENDING_POINTS_CANCELED"
    assert gone["transaction"]["details"]["reason"] == "Manual points cancellation"
    assert (await points(client, made))["balance"] == {"points": 10, "pending_points": 0}
    for bucket in waiting:
        for verb in ("activate", "cancel"):
            again = await refused(client, "POST", f"{path}/pending-points/{bucket['id']}/{verb}")
            assert again == (423, "invalid_pending_points_bucket_status", "")
    assert (await moved(client, path))[-2:] == [
        ("PENDING_POINTS_ACTIVATED", 10),
        ("PENDING_POINTS_CANCELED", 7),
    ]
    assert sorted((await moved(client, path))[:2]) == [
        ("PENDING_POINTS_ADDED", 7),
        ("PENDING_POINTS_ADDED", 10),
    ]
    listed = (await ok(client, "GET", f"{path}/transactions"))["data"]
    assert [each["id"] for each in listed[:2]] == [gone["transaction"]["id"], active["transaction"]["id"]]
    added = listed[-1]["details"]
    assert added["reason"].startswith("Club / ") and added["metadata"]["earning_rule_id"].startswith("lern_")


async def test_points_whose_time_has_come_are_left_to_the_night(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, pending_points=WAITS)
    path = await of_card(client, await join(client, club["id"]))
    await buy(client, 1000)
    await run_jobs()
    (bucket,) = (await ok(client, "GET", f"{path}/pending-points"))["data"]
    pool = client.app.state.pool  # type: ignore[union-attr]
    due = "update loyalty_pending set activates_at = now() - interval '1 hour' where project_id = $1"
    await db.execute(pool, due, client.project_id)
    answer = await refused(client, "POST", f"{path}/pending-points/{bucket['id']}/activate")
    assert answer == (423, "invalid_pending_points_bucket_status", "")


async def test_pages_of_transactions_hold_everything_once(client: Client, run_jobs: Any) -> None:
    club = await club_of(client, pending_points=WAITS)
    path = await of_card(client, await join(client, club["id"]))
    for amount in range(1, 8):
        await ok(client, "POST", f"{path}/points", {"points": amount})
        await buy(client, 100 * amount)
    await run_jobs()
    for order in ("created_at", "-created_at"):
        seen: list[str] = []
        cursor = ""
        while True:
            answer = await ok(client, "GET", f"{path}/transactions?limit=3&order={order}{cursor}")
            seen += [each["id"] for each in answer["data"]]
            if answer["cursor"] is None:
                break
            cursor = f"&cursor={answer['cursor']['next']}"
        assert len(seen) == len(set(seen)) == 14


async def test_what_happened_to_a_card_itself(client: Client) -> None:
    club = await club_of(client)
    path = await of_card(client, await join(client, club["id"]))
    data = (await ok(client, "GET", f"{path}/activities"))["data"]
    assert {each["type"] for each in data} == {"vl.card.created", "vl.card.assigned"}
    assert all(each["id"].startswith("lacrd_") and each["card_id"] in path for each in data)
    one = (await ok(client, "GET", f"{path}/activities?filters[type][conditions][$is]=vl.card.created"))[
        "data"
    ]
    assert len(one) == 1


async def test_the_way_through_the_tiers(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule_id = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    levels = {
        "name": "Levels", "type": "POINT_BALANCE", "status": "ACTIVE",
        "point_balance": {"card_definition_id": card_id},
    }  # fmt: skip
    structure = await ok(client, "POST", "/v2/loyalties/tier-structures", levels)
    tiers = f"/v2/loyalties/tier-structures/{structure['id']}/tiers"
    ids = [
        (await ok(client, "POST", tiers, {"name": name, "qualification_rules": {"type": "POINTS", "points": {"min_value": least}}}))["id"]
        for name, least in (("Silver", 10), ("Gold", 50))
    ]  # fmt: skip
    parts = {"card_definitions": [{"id": card_id}], "earning_rules": [{"id": rule_id}]}
    levels_of = {"tier_structures": [{"id": structure["id"]}]}
    club = await ok(client, "POST", PROGRAMS, {"name": "Club", "status": "ACTIVE", **parts, **levels_of})
    made = await join(client, club["id"])
    path = await of_card(client, made)
    up = [await ok(client, "POST", f"{path}/points", {"points": amount}) for amount in (10, 50)]
    way = f"{PROGRAMS}/{club['id']}/members/{made['id']}/tiers/transactions"
    data = (await ok(client, "GET", f"{way}?order=created_at"))["data"]
    steps = [(each["type"], each["tier_id"]) for each in data]
    assert steps == [("JOINED", ids[0]), ("UPGRADED", ids[1])]
    assert data[0]["details"]["origin"] == {
        "type": "card_operations", "card_transaction_ids": [up[0]["transaction"]["id"]],
    }  # fmt: skip
    assert data[1]["details"]["tier_from"] == ids[0] and data[1]["details"]["tier_to"] == ids[1]
    assert data[0]["card_definition_id"] == card_id and data[0]["card_id"] in path
    mine = await ok(client, "GET", f"{way}?filters[card_id][conditions][$is]={data[0]['card_id']}")
    assert len(mine["data"]) == len(data)
    assert datetime.fromisoformat(data[0]["created_at"]) <= datetime.now(UTC)
