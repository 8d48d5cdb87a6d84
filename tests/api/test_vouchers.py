"""Vouchers over HTTP: making, reading, changing, listing."""

from typing import Any

import httpx
import pytest

from guerdon.projects.bootstrap import create_project

Client = Any  # tests/api/conftest.py has it

PERCENT = {"type": "PERCENT", "percent_off": 10}


async def make(client: Client, code: str, **fields) -> dict:
    answer = await client.post(f"/v1/vouchers/{code}", json={"discount": PERCENT} | fields)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def codes(client: Client, query: str) -> list[str]:
    answer = await client.get("/v1/vouchers?order=code&" + query)
    assert answer.status_code == 200, answer.text
    return [voucher["code"] for voucher in answer.json()["vouchers"]]


async def test_a_voucher_with_a_given_code_looks_as_the_reference_says(client: Client) -> None:
    made = await make(
        client,
        "SPRING 10%",
        redemption={"quantity": 5},
        start_date="2026-01-01",
        expiration_date="2026-12-31",
        validity_day_of_week=[1, 2],
        metadata={"a": 1},
        category="news",
        additional_info="hi",
        unknown_field=[1],
    )
    assert made["id"].startswith("v_")
    assert made["code"] == "SPRING 10%"
    assert made["campaign"] is None and made["campaign_id"] is None
    assert made["type"] == "DISCOUNT_VOUCHER"
    assert made["discount"] == PERCENT
    assert made["gift"] is None and made["loyalty_card"] is None
    assert made["start_date"] == "2026-01-01T00:00:00.000Z"
    assert made["expiration_date"] == "2026-12-31T23:59:59.999Z"
    assert made["validity_day_of_week"] == [1, 2]
    assert made["category"] == "news"
    assert made["active"] is True
    assert made["metadata"] == {"a": 1}
    assert made["redemption"] == {
        "quantity": 5,
        "redeemed_quantity": 0,
        "object": "list",
        "url": "/v1/vouchers/SPRING%2010%25/redemptions?page=1&limit=10",
    }
    assert made["publish"]["count"] == 0
    assert made["object"] == "voucher"
    by_code = await client.get("/v1/vouchers/SPRING%2010%25")
    by_id = await client.get(f"/v1/vouchers/{made['id']}")
    assert by_code.json() == by_id.json() == made


async def test_a_random_code_follows_its_config(client: Client) -> None:
    body = {
        "discount": {"type": "AMOUNT", "amount_off": 500},
        "code_config": {"pattern": "GO-####", "charset": "AB"},
    }
    made = (await client.post("/v1/vouchers", json=body)).json()
    assert made["code"][:3] == "GO-" and set(made["code"][3:]) <= {"A", "B"} and len(made["code"]) == 7
    plain = (await client.post("/v1/vouchers", json={"discount": PERCENT})).json()
    assert len(plain["code"]) == 10


async def test_an_exhausted_code_config_is_told(client: Client) -> None:
    body = {"discount": PERCENT, "code_config": {"pattern": "X#", "charset": "AB"}}
    seen = {(await client.post("/v1/vouchers", json=body)).json()["code"] for _ in range(2)}
    assert seen == {"XA", "XB"}
    refused = await client.post("/v1/vouchers", json=body)
    assert refused.status_code == 400 and refused.json()["key"] == "invalid_code_config"


async def test_a_taken_code_is_409_also_from_the_bin_until_it_is_erased(client: Client) -> None:
    await make(client, "ONCE")
    again = await client.post("/v1/vouchers/ONCE", json={"discount": PERCENT})
    assert again.status_code == 409 and again.json()["key"] == "duplicate_found"
    assert (await client.delete("/v1/vouchers/ONCE")).status_code == 204
    assert (await client.get("/v1/vouchers/ONCE")).status_code == 404
    assert (await client.post("/v1/vouchers/ONCE", json={"discount": PERCENT})).status_code == 409
    assert (await client.delete("/v1/vouchers/ONCE")).status_code == 404
    assert (await client.delete("/v1/vouchers/ONCE?force=true")).status_code == 204
    await make(client, "ONCE")


@pytest.mark.parametrize(
    ("fields", "key", "path"),
    [
        ({}, "invalid_payload", "discount"),
        ({"discount": {"type": "PERCENT", "percent_off": 101}}, "invalid_payload", "discount.percent_off"),
        ({"discount": {"type": "AMOUNT", "amount_off": -1}}, "invalid_payload", "discount.amount_off"),
        ({"discount": {"type": "NOPE"}}, "invalid_payload", "discount.type"),
        ({"discount": PERCENT, "type": "GIFT_VOUCHER"}, "invalid_payload", "discount"),
        ({"type": "GIFT_VOUCHER"}, "invalid_gift", "gift"),
        ({"discount": PERCENT, "gift": {"amount": 100}}, "invalid_payload", "gift"),
        ({"discount": PERCENT, "redemption": {"quantity": 0}}, "invalid_payload", "redemption.quantity"),
        ({"discount": PERCENT, "redemption": {"quantity": "2"}}, "invalid_payload", "redemption.quantity"),
        ({"discount": PERCENT, "start_date": "soon"}, "invalid_payload", "start_date"),
        (
            {"discount": PERCENT, "start_date": "2026-02-01", "expiration_date": "2026-01-01"},
            "invalid_expiration_date",
            "expiration_date",
        ),
        ({"discount": PERCENT, "validity_day_of_week": [7]}, "invalid_payload", "validity_day_of_week[0]"),
        (
            {"discount": PERCENT, "validity_timeframe": {"interval": "P2D", "duration": "P1D"}},
            "invalid_payload",
            "validity_timeframe",
        ),
        (
            {"discount": PERCENT, "validity_hours": {"daily": [{"start_time": "25:00"}]}},
            "invalid_payload",
            "validity_hours.daily[0].start_time",
        ),
        ({"discount": PERCENT, "code_config": {"length": 0}}, "invalid_code_config", "code_config.length"),
        ({"discount": PERCENT, "metadata": 5}, "invalid_payload", "metadata"),
    ],
)
async def test_a_wrong_definition_is_400_with_its_path_and_changes_nothing(
    client: Client, fields: dict, key: str, path: str
) -> None:
    answer = await client.post("/v1/vouchers/WRONG", json=fields)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["key"], answer.json()["errors"][0]["path"]) == (key, path)
    assert (await client.get("/v1/vouchers/WRONG")).status_code == 404


async def test_explicit_nulls_are_as_if_absent(client: Client) -> None:
    fields = dict.fromkeys(
        ("start_date", "expiration_date", "validity_timeframe", "validity_day_of_week", "validity_hours", "category",
         "category_id", "redemption", "active", "additional_info", "metadata", "campaign", "code_config", "gift"),
    )  # fmt: skip
    made = await make(client, "NULLS", **fields)
    assert made["redemption"]["quantity"] is None and made["active"] is True and made["metadata"] == {}


async def test_an_update_changes_what_is_sent_and_null_clears(client: Client) -> None:
    await make(client, "EDIT", start_date="2026-01-01", category="a", metadata={"a": 1, "b": 1})
    changed = await client.put(
        "/v1/vouchers/EDIT",
        json={
            "start_date": None,
            "expiration_date": "2027-01-01T10:00:00+01:00",
            "discount": {"type": "PERCENT", "percent_off": 12.5},
            "metadata": {"b": 2},
            "additional_info": "new",
            "redemption": {"quantity": 3},
            "active": False,
        },
    )
    assert changed.status_code == 200, changed.text
    voucher = changed.json()
    assert voucher["start_date"] is None
    assert voucher["expiration_date"] == "2027-01-01T09:00:00.000Z"
    assert voucher["discount"] == {"type": "PERCENT", "percent_off": 12.5}
    assert voucher["metadata"] == {"a": 1, "b": 2}
    assert voucher["redemption"]["quantity"] == 3
    assert (voucher["category"], voucher["additional_info"], voucher["active"]) == ("a", "new", False)
    assert voucher["updated_at"] is not None
    assert (await client.get("/v1/vouchers/EDIT")).json() == voucher


async def test_the_type_of_a_discount_stays(client: Client) -> None:
    await make(client, "TYPE")
    answer = await client.put("/v1/vouchers/TYPE", json={"discount": {"type": "AMOUNT", "amount_off": 1}})
    assert answer.status_code == 400 and answer.json()["key"] == "invalid_voucher"
    assert (await client.get("/v1/vouchers/TYPE")).json()["discount"] == PERCENT


async def test_enable_and_disable(client: Client) -> None:
    await make(client, "SWITCH")
    assert (await client.post("/v1/vouchers/SWITCH/disable")).json()["active"] is False
    assert (await client.get("/v1/vouchers/SWITCH")).json()["active"] is False
    assert (await client.post("/v1/vouchers/SWITCH/enable")).json()["active"] is True


async def test_another_projects_voucher_does_not_exist(client: Client, stranger: Client) -> None:
    made = await make(client, "MINE")
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable")):
        for name in ("MINE", made["id"]):
            json = {} if method == "PUT" else None
            foreign = await stranger.request(method, f"/v1/vouchers/{name}{path}", json=json)
            nowhere = await stranger.request(method, f"/v1/vouchers/{'Z' * len(name)}{path}", json=json)
            assert foreign.status_code == nowhere.status_code == 404
            assert foreign.json()["key"] == nowhere.json()["key"] == "not_found"
    await make(stranger, "MINE")


async def test_events_tell_of_each_change(client: Client) -> None:
    made = await make(client, "TOLD")
    await client.put("/v1/vouchers/TOLD", json={"additional_info": "x"})
    await client.post("/v1/vouchers/TOLD/disable")
    await client.post("/v1/vouchers/TOLD/enable")
    await client.delete("/v1/vouchers/TOLD")
    rows = await client.app.state.pool.fetch(
        "select type from events where project_id = $1 and entity_id = $2 order by created_at, id",
        client.project_id,
        made["id"],
    )
    assert [row["type"] for row in rows] == [
        "voucher.created",
        "voucher.updated",
        "voucher.disabled",
        "voucher.enabled",
        "voucher.deleted",
    ]


async def test_the_same_idempotency_key_makes_one_voucher(client: Client) -> None:
    send = {"json": {"discount": PERCENT}, "headers": {"Idempotency-Key": "k1"}}
    first, second = await client.post("/v1/vouchers", **send), await client.post("/v1/vouchers", **send)
    assert first.content == second.content and second.headers["Idempotent-Replayed"] == "true"
    assert (await client.get("/v1/vouchers")).json()["total"] == 1


async def test_the_list_filters(client: Client) -> None:
    await make(client, "A1", metadata={"city": "Oslo", "n": 3}, category="x")
    await make(client, "A2", expiration_date="2020-01-01", active=False)
    await make(client, "B1", start_date="2090-01-01")
    await make(client, "B2", metadata={"city": "Rome"}, redemption={"quantity": 2})
    conditions = {
        "filters[code][conditions][$is]=A1": ["A1"],
        "filters[code][conditions][$in][0]=A1&filters[code][conditions][$in][1]=B1": ["A1", "B1"],
        "filters[code][conditions][$starts_with]=B": ["B1", "B2"],
        "filters[active][conditions][$active]=true": ["A1", "B2"],
        "filters[active][conditions][$active]=false": ["A2", "B1"],
        "filters[active][conditions][%24expired]=true": ["A2"],
        "filters[active][conditions][$enabled]=true": ["A1", "B1", "B2"],
        "filters[active][conditions][$disabled]=true": ["A2"],
        "filters[active][conditions][$is]=true": ["A1", "B2"],
        "filters[expiration_date][conditions][$before]=2021-01-01": ["A2"],
        "filters[expiration_date][conditions][$is_unknown]=true": ["A1", "B1", "B2"],
        "filters[redemption.redeemed_quantity][conditions][$less_than]=1": ["A1", "A2", "B1", "B2"],
        "filters[redemption.quantity][conditions][$is]=2": ["B2"],
        "filters[metadata.city][conditions][$is]=Oslo": ["A1"],
        "filters[metadata.n][conditions][$more_than]=2": ["A1"],
        "filters[is_referral_code][conditions][$is]=true": [],
        "filters[campaign_ids][conditions][$has_value]=true": [],
        "filters[junction]=OR&filters[code][conditions][$is]=A2&filters[metadata.city][conditions][$is]=Rome": ["A2", "B2"],
        "category=x": ["A1"],
        "code=B1": ["B1"],
        "campaign=none": [],
        "campaign_id=none": [],
        "customer=none": [],
        "[created_at][after]=2090-01-01": [],
        "created_at[before]=2090-01-01": ["A1", "A2", "B1", "B2"],
    }  # fmt: skip
    for query, expected in conditions.items():
        assert await codes(client, query) == expected, query


async def test_the_list_pages_both_ways(client: Client) -> None:
    for number in range(5):
        await make(client, f"P{number}")
    first = (await client.get("/v1/vouchers?limit=2&order=code")).json()
    assert (first["object"], first["data_ref"], first["total"], first["has_more"]) == (
        "list",
        "vouchers",
        5,
        True,
    )
    assert [v["code"] for v in first["vouchers"]] == ["P0", "P1"]
    third = (await client.get("/v1/vouchers?limit=2&page=3&order=code")).json()
    assert [v["code"] for v in third["vouchers"]] == ["P4"] and third["has_more"] is False
    after = first["more_starting_after"]
    walked = (await client.get(f"/v1/vouchers?limit=3&order=code&starting_after_id={after}")).json()
    assert [v["code"] for v in walked["vouchers"]] == ["P2", "P3", "P4"]
    newest = (await client.get("/v1/vouchers?limit=1")).json()
    assert newest["vouchers"][0]["code"] == "P4"
    by_ids = (await client.get(f"/v1/vouchers?ids={first['vouchers'][0]['id']},{after}&order=-code")).json()
    assert [v["code"] for v in by_ids["vouchers"]] == ["P1", "P0"]


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=101", "page=0", "page=101", "order=value", "filters[x][conditions][$is]=1",
     "filters[active][conditions][$more_than]=1", "filters[active][conditions][$active]=maybe", "limit=x"],
)  # fmt: skip
async def test_a_wrong_list_query_is_400(client: Client, query: str) -> None:
    answer = await client.get("/v1/vouchers?" + query)
    assert answer.status_code == 400 and answer.json()["key"] == "invalid_query_params"


async def test_codes_of_a_case_insensitive_project(app: Any) -> None:
    loose = await create_project(app.state.pool, "loose", case_sensitive_codes=False)
    headers = {"X-App-Id": loose.app_id, "X-App-Token": loose.app_token}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://guerdon.test", headers=headers
    ) as client:
        await make(client, "Spring")
        assert (await client.get("/v1/vouchers/sPRING")).json()["code"] == "Spring"
        assert (await client.post("/v1/vouchers/SPRING", json={"discount": PERCENT})).status_code == 409
        assert await codes(client, "code=SPRING") == ["Spring"]
        assert await codes(client, "filters[code][conditions][$is]=SPRING") == ["Spring"]


async def test_codes_are_case_sensitive_otherwise(client: Client) -> None:
    await make(client, "Spring")
    await make(client, "SPRING")
    assert (await client.get("/v1/vouchers/spring")).status_code == 404
