"""Card definitions, and the life that all parts of loyalty programs have in common."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from guerdon.kit import clock

from .conftest import Client
from .loyalty import (
    BENEFITS,
    CARDS,
    PROGRAMS,
    REWARDS,
    RULES,
    STRUCTURES,
    by_balance,
    card,
    ok,
    per_order,
    program,
    refused,
)


async def test_a_card_definition_has_its_defaults(client: Client) -> None:
    made = await ok(client, "POST", CARDS, {"name": "Points", "type": "INDIVIDUAL"})
    assert await ok(client, "GET", f"{CARDS}/{made['id']}") == made
    assert made.pop("id").startswith("lcdef_")
    assert made.pop("created_at").endswith("Z")
    none = {"type": "NO_LIMIT", "limits": []}
    assert made == {
        "name": "Points",
        "type": "INDIVIDUAL",
        "status": "DRAFT",
        "code_config": {
            "length": 10,
            "charset": "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
            "prefix": "",
            "postfix": "",
            "pattern": "##########",
        },
        "points_expiration": {"type": "NO_EXPIRATION"},
        "pending_points": {"type": "IMMEDIATE"},
        "earning_limits": {"global": none, "transactions": none},
        "spending_limits": {"global": none, "transactions": none},
        "refunds": {
            "spent_points": {"type": "NONE", "methods": []},
            "earned_points": {"type": "NONE", "methods": []},
        },
        "balance_settings": {"allow_negative": False},
        "pay_with_points": {"type": "NO_PAYMENTS"},
        "metadata": {},
        "updated_at": None,
        "object": "card_definition",
    }


FULL: dict[str, Any] = {
    "code_config": {"pattern": "CLUB-####", "charset": "AB"},
    "points_expiration": {
        "type": "ROLLING_EXPIRATION",
        "rolling_expiration": {
            "period": {"unit": "YEAR", "value": 2},
            "rounding": {"type": "END_OF_QUARTER"},
        },
    },
    "pending_points": {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 14}}},
    "earning_limits": {
        "global": {"type": "LIMITED", "limits": [{"type": "BALANCE_BASED", "max": 5000}]},
        "transactions": {"type": "LIMITED", "limits": [{"type": "POINTS", "max": 500}]},
    },
    "spending_limits": {
        "global": {
            "type": "LIMITED",
            "limits": [
                {
                    "type": "TIME_BASED",
                    "period": {"type": "CURRENT_PERIOD", "current_period": {"unit": "MONTH"}},
                    "points": {"max": 1000},
                }
            ],
        },
        "transactions": {"type": "NO_LIMIT"},
    },
    "refunds": {
        "spent_points": {"type": "REFUNDABLE", "methods": [{"type": "RETURN_POINTS", "mode": "REFUND_ITEM"}]},
        "earned_points": {"type": "REFUNDABLE", "methods": [{"type": "REVOKE_FROM_PENDING"}]},
    },
    "pay_with_points": {"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": 0.5}},
    "metadata": {"color": "gold"},
}


async def test_a_card_definition_keeps_what_it_is_told(client: Client) -> None:
    made = await ok(client, "POST", CARDS, card(**FULL))
    assert made["points_expiration"] == FULL["points_expiration"]
    assert made["pending_points"] == FULL["pending_points"]
    assert made["earning_limits"] == FULL["earning_limits"]
    assert made["refunds"] == FULL["refunds"]
    assert made["spending_limits"]["global"] == FULL["spending_limits"]["global"]
    assert made["pay_with_points"]["exchange_ratio"] == {"formula": "0.5"}
    assert (made["code_config"]["pattern"], made["code_config"]["length"]) == ("CLUB-####", 4)


async def test_a_section_that_is_sent_replaces_the_one_there(client: Client) -> None:
    made = await ok(client, "POST", CARDS, card(**FULL))
    told = {"name": "Stars", "points_expiration": None, "metadata": {"color": "red"}}
    changed = await ok(client, "PUT", f"{CARDS}/{made['id']}", told)
    assert changed["points_expiration"] == {"type": "NO_EXPIRATION"}
    assert (changed["name"], changed["metadata"]) == ("Stars", {"color": "red"})
    assert changed["pending_points"] == made["pending_points"]
    assert changed["updated_at"] is not None
    same = await ok(client, "PUT", f"{CARDS}/{made['id']}", {"name": None})
    assert same["name"] == "Stars"


@pytest.mark.parametrize(
    ("told", "path"),
    [
        ({"points_expiration": {"type": "ROLLING_EXPIRATION"}}, "points_expiration.rolling_expiration"),
        (
            {"points_expiration": {"type": "NO_EXPIRATION", "calendar_expiration": {"expiration_dates": [{"day": 1, "month": 1}]}}},
            "points_expiration.calendar_expiration",
        ),
        (
            {"points_expiration": {"type": "CALENDAR_EXPIRATION", "calendar_expiration": {"expiration_dates": [{"day": 31, "month": 6}]}}},
            "points_expiration.calendar_expiration.expiration_dates[0].day",
        ),
        ({"balance_settings": {"allow_negative": True}} | {"points_expiration": FULL["points_expiration"]}, "balance_settings.allow_negative"),
        (
            {"refunds": {"spent_points": {"type": "NONE"}, "earned_points": {"type": "REFUNDABLE", "methods": [{"type": "REVOKE_FROM_BALANCE", "mode": "REVOKE_BELOW_ZERO"}]}}},
            "refunds.earned_points.methods[0].mode",
        ),
        (
            {"refunds": {"spent_points": {"type": "NONE"}, "earned_points": {"type": "REFUNDABLE", "methods": [{"type": "REVOKE_FROM_PENDING"}]}}},
            "refunds.earned_points.methods[0].type",
        ),
        ({"earning_limits": {"global": {"type": "LIMITED", "limits": []}, "transactions": {"type": "NO_LIMIT"}}}, "earning_limits.global.limits"),
        (
            {"spending_limits": {"global": {"type": "LIMITED", "limits": [{"type": "BALANCE_BASED", "max": 5}]}, "transactions": {"type": "NO_LIMIT"}}},
            "spending_limits.global.limits[0].type",
        ),
        ({"pay_with_points": {"type": "EXCHANGE_RATIO"}}, "pay_with_points.exchange_ratio"),
        ({"pay_with_points": {"type": "EXCHANGE_RATIO", "exchange_ratio": {"formula": "1 +"}}}, "pay_with_points.exchange_ratio.formula"),
        ({"code_config": {"charset": "A"}}, "code_config.charset"),
        ({"type": "SHARED"}, "type"),
        ({"nmae": "Points"}, ""),
        ({"name": ""}, "name"),
        ({"earning_limits": {"global": {"type": "LIMITED", "limits": [{"type": "BALANCE_BASED", "max": -1}]}, "transactions": {"type": "NO_LIMIT"}}}, "earning_limits.global.limits[0].max"),
    ],
)  # fmt: skip
async def test_what_makes_no_sense_is_refused_by_its_path(
    client: Client, told: dict[str, Any], path: str
) -> None:
    status, _, at = await refused(client, "POST", CARDS, card(**told))
    assert (status, at) == (400, path)
    assert (await ok(client, "GET", CARDS))["data"] == []


async def test_events_that_points_wait_for_must_exist(client: Client) -> None:
    waiting = {"event_types": ["ms_nowhere"], "cancel_period": {"unit": "DAY", "value": 5}}
    told = card(pending_points={"type": "EVENT_BASED", "event_based": waiting})
    assert (await refused(client, "POST", CARDS, told))[:2] == (404, "not_found")


async def test_the_states_of_a_card_definition(client: Client) -> None:
    one = f"{CARDS}/" + (await ok(client, "POST", CARDS, card(status="DRAFT")))["id"]
    assert await refused(client, "POST", f"{one}/draft") == (409, "invalid_state_transition", "")
    assert (await ok(client, "POST", f"{one}/activate"))["status"] == "ACTIVE"
    assert await refused(client, "POST", f"{one}/activate") == (409, "invalid_state_transition", "")
    assert (await ok(client, "POST", f"{one}/draft"))["status"] == "DRAFT"
    gone = await ok(client, "DELETE", one)
    assert gone["status"] == "DELETED"
    for method, path in (("GET", one), ("PUT", one), ("DELETE", one), ("POST", f"{one}/activate")):
        body = {} if method == "PUT" else None
        assert (await refused(client, method, path, body))[:2] == (404, "not_found")


async def test_what_others_name_cannot_be_deleted(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule = await ok(client, "POST", RULES, per_order(card_id))
    answer = await client.delete(f"{CARDS}/{card_id}")
    assert (answer.status_code, answer.json()["key"]) == (400, "resource_in_use")
    assert answer.json()["related_object_ids"] == [rule["id"]]
    assert answer.json()["related_object_type"] == "earning_rule"
    await ok(client, "DELETE", f"{RULES}/{rule['id']}")
    assert (await ok(client, "DELETE", f"{CARDS}/{card_id}"))["id"] == card_id


async def test_what_runs_keeps_what_it_stands_on(client: Client) -> None:
    made = await program(client)
    card_id, rule_id = made["card_definitions"][0]["id"], made["earning_rules"][0]["id"]
    assert (await refused(client, "POST", f"{CARDS}/{card_id}/draft"))[:2] == (409, "resource_locked")
    assert (await refused(client, "POST", f"{RULES}/{rule_id}/deactivate"))[:2] == (409, "resource_locked")
    await ok(client, "POST", f"{PROGRAMS}/{made['id']}/deactivate")
    assert (await ok(client, "POST", f"{RULES}/{rule_id}/deactivate"))["status"] == "INACTIVE"
    assert (await ok(client, "POST", f"{CARDS}/{card_id}/draft"))["status"] == "DRAFT"


# Lists ---------------------------------------------------------------------------------------------------------


async def all_pages(client: Client, path: str, query: str = "") -> list[list[Any]]:
    pages, cursor = [], None
    while True:
        answer = await ok(client, "GET", f"{path}?limit=2{query}" + (f"&cursor={cursor}" if cursor else ""))
        pages.append(answer["data"])
        if answer["cursor"] is None:
            return pages
        cursor = answer["cursor"]["next"]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("", ["c", "b", "a", "b", "a"]),
        ("&order=created_at", ["a", "b", "a", "b", "c"]),
        ("&order=name", ["a", "a", "b", "b", "c"]),
        ("&order=-name&order=created_at", ["c", "b", "b", "a", "a"]),
        ("&order[]=status&order[]=-name", ["c", "b", "a", "b", "a"]),
    ],
)
async def test_a_list_goes_on_by_its_cursor(client: Client, order: str, names: list[str]) -> None:
    for name, status in (("a", "DRAFT"), ("b", "DRAFT"), ("a", "ACTIVE"), ("b", "ACTIVE"), ("c", "ACTIVE")):
        await ok(client, "POST", CARDS, card(name=name, status=status))
    pages = await all_pages(client, CARDS, order)
    assert [len(page) for page in pages] == [2, 2, 1]
    assert [one["name"] for page in pages for one in page] == names
    assert len({one["id"] for page in pages for one in page}) == 5


async def test_a_cursor_remembers_order_and_filter(client: Client) -> None:
    for name in ("a", "b", "c", "d"):
        await ok(client, "POST", CARDS, card(name=name))
    query = "order=name&filters[name][conditions][$in]=['b', 'c', 'd']&limit=1"
    first = await ok(client, "GET", f"{CARDS}?{query}")
    assert [one["name"] for one in first["data"]] == ["b"]
    assert first["cursor"]["expires_at"].endswith("Z")
    cursor = first["cursor"]["next"]
    assert cursor.startswith("lcrscdef_")
    rest = await ok(client, "GET", f"{CARDS}?cursor={cursor}")
    assert [one["name"] for one in rest["data"]] == ["c", "d"]
    assert rest["cursor"] is None
    bad = (400, "invalid_or_expired_cursor", "")
    assert await refused(client, "GET", f"{CARDS}?cursor={cursor}&order=-name") == bad
    assert await refused(client, "GET", f"{RULES}?cursor={cursor}") == bad
    assert await refused(client, "GET", f"{CARDS}?cursor={cursor[:-2]}") == bad
    assert await refused(client, "GET", f"{CARDS}?cursor=lcrscdef_zz") == bad
    assert await refused(client, "GET", f"{CARDS}?cursor=1") == bad


async def test_a_cursor_older_than_a_day_is_refused(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        await ok(client, "POST", CARDS, card(name=name))
    first = (await ok(client, "GET", f"{CARDS}?limit=1"))["cursor"]
    now = clock.process_now()
    assert timedelta(hours=23) < datetime.fromisoformat(first["expires_at"]) - now <= timedelta(days=1)
    with monkeypatch.context() as later:
        later.setattr(clock, "process_now", lambda: now + timedelta(hours=23))
        assert (await ok(client, "GET", f"{CARDS}?cursor={first['next']}&limit=1"))["data"][0]["name"] == "b"
        later.setattr(clock, "process_now", lambda: now + timedelta(hours=25))
        bad = await refused(client, "GET", f"{CARDS}?cursor={first['next']}")
    assert bad == (400, "invalid_or_expired_cursor", "")


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("filters[name][conditions][$is]=b", ["b"]),
        ("filters[name][conditions][$starts_with]=a&filters[status][conditions][$is]=DRAFT", []),
        (
            "filters[name][conditions][$is]=a&filters[status][conditions][$is]=DRAFT&filters[junction]=OR",
            ["b", "a"],
        ),
        ("filters[status][conditions][$in]=ACTIVE", ["a"]),
        ("filters[created_at][conditions][$more_than]=1", []),
        ("filters[type][conditions][$is]=INDIVIDUAL", ["b", "a"]),
        ("filters[updated_at][conditions][$is_unknown]", ["b", "a"]),
    ],
)
async def test_lists_are_filtered(client: Client, query: str, found: list[str]) -> None:
    await ok(client, "POST", CARDS, card(name="a"))
    await ok(client, "POST", CARDS, card(name="b", status="DRAFT"))
    assert [one["name"] for one in (await ok(client, "GET", f"{CARDS}?{query}"))["data"]] == found


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ("order=metadata", "order"),
        ("order=name&order=-name", "order"),
        ("limit=101", "limit"),
        ("limit=0", "limit"),
        ("filters[metadata][conditions][$is]=1", "filters[metadata][conditions][$is]"),
        ("filters[created_at][conditions][$after]=soon", "filters[created_at][conditions][$after]"),
    ],
)
async def test_a_query_that_cannot_be_is_refused(client: Client, query: str, path: str) -> None:
    assert await refused(client, "GET", f"{CARDS}?{query}") == (400, "invalid_query_params", path)


async def test_what_happened_to_a_part_can_be_read(client: Client) -> None:
    made = await ok(client, "POST", CARDS, card(status="DRAFT"))
    one = f"{CARDS}/{made['id']}"
    await ok(client, "POST", f"{one}/activate")
    await ok(client, "PUT", one, {"name": "Stars"})
    told = await ok(client, "GET", f"{one}/activities")
    assert [each["type"].rpartition(".")[2] for each in told["data"]] == ["updated", "activated", "created"]
    last = told["data"][0]
    assert last["id"].startswith("lacd_")
    assert (last["type"], last["card_definition_id"]) == ("vl.card_definition.updated", made["id"])
    assert last["data"]["card_definition"]["name"] == "Stars"
    assert last["group_id"]
    found = await ok(client, "GET", f"{one}/activities?filters[id][conditions][$is]={last['id']}")
    assert found["data"] == [last]
    pages = await all_pages(client, f"{one}/activities", "&order=created_at")
    assert [each["type"].rpartition(".")[2] for page in pages for each in page] == [
        "created",
        "activated",
        "updated",
    ]
    assert (await refused(client, "GET", f"{CARDS}/lcdef_nowhere/activities"))[:2] == (404, "not_found")


async def test_a_write_that_is_repeated_happens_once(client: Client) -> None:
    headers = {"Idempotency-Key": "once"}
    first = await client.post(CARDS, json=card(), headers=headers)
    again = await client.post(CARDS, json=card(), headers=headers)
    assert (first.status_code, again.json()["id"]) == (200, first.json()["id"])
    assert len((await ok(client, "GET", CARDS))["data"]) == 1


@pytest.mark.parametrize("path", [CARDS, RULES, REWARDS, BENEFITS, STRUCTURES, PROGRAMS])
async def test_every_list_is_empty_at_first(client: Client, path: str) -> None:
    assert await ok(client, "GET", path) == {"data": [], "cursor": None, "object": "list"}


async def test_tier_structures_may_be_switched_off_and_on(client: Client) -> None:
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    one = f"{STRUCTURES}/" + (await ok(client, "POST", STRUCTURES, by_balance(card_id)))["id"]
    for verb, status in (
        ("activate", "ACTIVE"),
        ("deactivate", "INACTIVE"),
        ("activate", "ACTIVE"),
        ("draft", "DRAFT"),
    ):
        assert (await ok(client, "POST", f"{one}/{verb}"))["status"] == status
    assert await refused(client, "POST", f"{one}/deactivate") == (409, "invalid_state_transition", "")
