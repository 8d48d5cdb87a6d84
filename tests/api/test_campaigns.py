"""Campaigns over HTTP: making, reading, changing with the documented reach, deleting, their codes."""

from typing import Any

import pytest

from guerdon.campaigns import jobs as campaign_jobs

Client = Any  # tests/api/conftest.py has it

PERCENT = {"type": "PERCENT", "percent_off": 10}
VOUCHER = {"type": "DISCOUNT_VOUCHER", "discount": PERCENT, "redemption": {"quantity": 2}}


async def make(client: Client, name: str, **fields: Any) -> dict[str, Any]:
    body = {"name": name, "campaign_type": "DISCOUNT_COUPONS", "type": "STATIC", "voucher": VOUCHER} | fields
    answer = await client.post("/v1/campaigns", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def read(client: Client, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def pin(client: Client, code: str) -> None:
    """What the first redemption does to a code."""
    touched = await client.app.state.pool.execute(
        "update vouchers v set redeemed_quantity = 1, terms_id = c.terms_id, quantity = 2 from campaigns c"
        " where c.project_id = v.project_id and c.id = v.campaign_id and v.project_id = $1 and v.code = $2",
        client.project_id,
        code,
    )
    assert touched == "UPDATE 1"


async def test_a_campaign_looks_as_the_reference_says(client: Client) -> None:
    made = await make(
        client,
        "Spring sale",
        start_date="2026-03-01T00:00:00Z",
        expiration_date="2026-05-31",
        validity_timeframe={"interval": "P2D", "duration": "P1D"},
        metadata={"region": "north"},
        category="seasonal",
        activity_duration_after_publishing="P24D",
        voucher=VOUCHER | {"code_config": {"pattern": "SPR-#####"}},
    )
    assert made["id"].startswith("camp_")
    assert (made["name"], made["campaign_type"], made["type"]) == (
        "Spring sale",
        "DISCOUNT_COUPONS",
        "STATIC",
    )
    voucher = made["voucher"]
    assert voucher["discount"] == PERCENT and voucher["redemption"] == {"quantity": 2}
    assert voucher["code_config"]["pattern"] == "SPR-#####" and voucher["is_referral_code"] is False
    assert made["start_date"] == voucher["start_date"] == "2026-03-01T00:00:00.000Z"
    assert made["expiration_date"] == "2026-05-31T23:59:59.999Z"
    assert made["validity_timeframe"] == {"interval": "P2D", "duration": "P1D"}
    assert (made["category"], made["category_id"], made["categories"]) == ("seasonal", None, [])
    assert (made["creation_status"], made["vouchers_generation_status"]) == ("DONE", "DONE")
    assert (made["vouchers_count"], made["active"], made["protected"]) == (0, True, False)
    assert (made["auto_join"], made["join_once"], made["use_voucher_metadata_schema"]) == (
        False,
        False,
        False,
    )
    assert made["activity_duration_after_publishing"] == "P24D" and made["object"] == "campaign"
    assert "description" not in made and "updated_at" not in made
    assert await read(client, "/v1/campaigns/Spring%20sale") == made
    assert await read(client, f"/v1/campaigns/{made['id']}") == made


async def test_one_code_is_made_at_once_many_by_a_job(client: Client, run_jobs: Any) -> None:
    one = await make(client, "one", vouchers_count=1)
    assert (one["vouchers_count"], one["creation_status"]) == (1, "DONE")
    many = await make(client, "many", vouchers_count=250)
    assert (many["vouchers_count"], many["creation_status"]) == (0, "IN_PROGRESS")
    actions = (await read(client, "/v1/async-actions"))["async_actions"]
    assert [action["type"] for action in actions] == ["CAMPAIGN.VOUCHERS_GENERATE"]
    await run_jobs()
    many = await read(client, "/v1/campaigns/many")
    assert (many["vouchers_count"], many["creation_status"]) == (250, "DONE")
    action = await read(client, f"/v1/async-actions/{actions[0]['id']}")
    assert (action["status"], action["progress"], action["result"]["done_count"]) == ("DONE", 100, 250)
    listed = await read(client, "/v1/vouchers?limit=1&campaign=many")
    assert listed["total"] == 250
    for query, total in {
        f"filters[campaign_ids][conditions][$is]={many['id']}": 250,
        f"filters[campaign_ids][conditions][$in][0]={many['id']}&filters[campaign_ids][conditions][$in][1]={one['id']}": 251,
        f"filters[campaign_ids][conditions][$is_not]={many['id']}": 1,
        "filters[campaign][conditions][$is]=one": 1,
        f"campaign_id={one['id']}": 1,
    }.items():
        assert (await read(client, "/v1/vouchers?" + query))["total"] == total, query
    voucher = listed["vouchers"][0]
    assert (voucher["campaign"], voucher["campaign_id"], voucher["discount"]) == ("many", many["id"], PERCENT)
    assert voucher["redemption"]["quantity"] == 2 and len(voucher["code"]) == 10


async def test_generation_ends_with_the_asked_number_in_a_crowded_code_space(
    client: Client, run_jobs: Any
) -> None:
    config = {"pattern": "##", "charset": "0123456789"}
    await make(client, "crowded", vouchers_count=90, voucher=VOUCHER | {"code_config": config})
    await run_jobs()
    assert (await read(client, "/v1/campaigns/crowded"))["vouchers_count"] == 90


async def test_a_code_space_that_fills_up_meanwhile_fails_the_generation(
    client: Client, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(campaign_jobs, "VAIN_STEPS", 3)
    config = {"pattern": "##", "charset": "0123456789"}
    await make(client, "first", vouchers_count=90, voucher=VOUCHER | {"code_config": config})
    await make(client, "second", vouchers_count=90, voucher=VOUCHER | {"code_config": config})
    await run_jobs()
    counts = [await read(client, f"/v1/campaigns/{name}") for name in ("first", "second")]
    assert sum(campaign["vouchers_count"] for campaign in counts) == 100
    assert sorted(campaign["creation_status"] for campaign in counts) == ["DONE", "FAILED"]


async def test_a_killed_generation_goes_on_where_it_was(
    client: Client, run_jobs: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(campaign_jobs, "BATCH", 100)
    original, calls = campaign_jobs.mint, []

    def die_in_the_third_step(*args: Any) -> list[str]:
        calls.append(args)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return original(*args)

    monkeypatch.setattr(campaign_jobs, "mint", die_in_the_third_step)
    await make(client, "killed", vouchers_count=450)
    await run_jobs()
    assert (await read(client, "/v1/campaigns/killed"))["vouchers_count"] == 200
    await client.app.state.pool.execute(
        "update jobs set run_at = now() where project_id = $1 and status = 'READY'", client.project_id
    )
    await run_jobs()
    campaign = await read(client, "/v1/campaigns/killed")
    assert (campaign["vouchers_count"], campaign["creation_status"]) == (450, "DONE")
    assert (await read(client, "/v1/vouchers?campaign=killed"))["total"] == 450


async def test_a_standalone_campaign_has_one_generic_code(client: Client) -> None:
    made = await make(
        client, "generic", type="STANDALONE", voucher=VOUCHER | {"code": "ALL10"}, join_once=True
    )
    assert (made["vouchers_count"], made["join_once"], made["voucher"]["code"]) == (1, False, "ALL10")
    assert (await read(client, "/v1/vouchers/ALL10"))["campaign_id"] == made["id"]
    more = await client.post("/v1/campaigns/generic/vouchers")
    assert more.status_code == 400 and more.json()["key"] == "invalid_campaign"
    added = await client.post("/v1/vouchers", json={"campaign_id": made["id"], "code": "ALSO10"})
    assert added.status_code == 200 and added.json()["discount"] == PERCENT
    assert (await read(client, "/v1/campaigns/generic"))["vouchers_count"] == 2
    taken = await client.post(
        "/v1/campaigns",
        json={"name": "generic 2", "type": "STANDALONE", "voucher": VOUCHER | {"code": "ALL10"}},
    )
    assert taken.status_code == 409
    assert (await client.get("/v1/campaigns/generic%202")).status_code == 404


async def test_other_campaigns_refuse_codes_through_vouchers(client: Client) -> None:
    made = await make(client, "static")
    answer = await client.post("/v1/vouchers", json={"campaign": "static", "discount": PERCENT})
    assert answer.status_code == 400 and answer.json()["key"] == "invalid_campaign"
    assert made["id"] in answer.json()["details"]
    assert (await client.post("/v1/vouchers", json={"campaign": "nope"})).status_code == 404


@pytest.mark.parametrize("body", [None, b"", b"5", b"{}", b'{"metadata": null}'])
async def test_codes_are_added_with_whatever_body(client: Client, body: bytes | None) -> None:
    await make(client, "adding")
    answer = await client.post(
        "/v1/campaigns/adding/vouchers", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 200, answer.text
    assert answer.json()["campaign"] == "adding"
    assert (await read(client, "/v1/campaigns/adding"))["vouchers_count"] == 1


async def test_many_codes_are_added_by_a_job_with_their_differences(client: Client, run_jobs: Any) -> None:
    await make(client, "bulk")
    answer = await client.post(
        "/v1/campaigns/bulk/vouchers?vouchers_count=30",
        json={"redemption": {"quantity": 7}, "metadata": {"wave": 2}, "code_config": {"prefix": "W2-"}},
    )
    assert answer.status_code == 202 and answer.json()["async_action_id"].startswith("aa_")
    await run_jobs()
    vouchers = (await read(client, "/v1/vouchers?campaign=bulk&limit=30"))["vouchers"]
    assert len(vouchers) == 30
    for voucher in vouchers:
        assert voucher["code"].startswith("W2-") and voucher["metadata"] == {"wave": 2}
        assert voucher["redemption"]["quantity"] == 7
    assert (await read(client, "/v1/campaigns/bulk"))["voucher"]["redemption"] == {"quantity": 2}


async def test_a_chosen_code_is_added(client: Client) -> None:
    await make(client, "chosen")
    added = await client.post("/v1/campaigns/chosen/vouchers/MY-CODE", json={"additional_info": "mine"})
    assert (added.status_code, added.json()["code"], added.json()["additional_info"]) == (
        200,
        "MY-CODE",
        "mine",
    )
    assert (await client.post("/v1/campaigns/chosen/vouchers/MY-CODE")).status_code == 409
    assert (await client.post("/v1/campaigns/nope/vouchers/MY-2")).status_code == 404
    assert (await read(client, "/v1/campaigns/chosen"))["vouchers_count"] == 1


async def test_an_edit_reaches_the_codes_that_are_untouched(client: Client) -> None:
    await make(client, "reach")
    for code in ("FRESH", "USED", "OWN"):
        assert (await client.post(f"/v1/campaigns/reach/vouchers/{code}")).status_code == 200
    await pin(client, "USED")
    await client.put("/v1/vouchers/OWN", json={"start_date": "2026-01-01"})
    edit = {
        "expiration_date": "2030-01-01T00:00:00Z",
        "discount": {"type": "PERCENT", "percent_off": 20},
        "redemption": {"quantity": 9},
        "category": "late",
        "metadata": {"a": 1, "b": 2},
        "description": "now with more",
        "type": "AUTO_UPDATE",
        "name": "ignored",
    }
    changed = await client.put("/v1/campaigns/reach", json=edit)
    assert changed.status_code == 200, changed.text
    campaign = changed.json()
    assert (campaign["name"], campaign["type"], campaign["description"]) == (
        "reach",
        "AUTO_UPDATE",
        "now with more",
    )
    assert campaign["expiration_date"] == "2030-01-01T00:00:00.000Z" and "updated_at" in campaign
    assert campaign["voucher"]["discount"]["percent_off"] == 20
    fresh = await read(client, "/v1/vouchers/FRESH")
    assert (fresh["discount"]["percent_off"], fresh["redemption"]["quantity"], fresh["category"]) == (
        20,
        9,
        "late",
    )
    assert fresh["expiration_date"] == "2030-01-01T00:00:00.000Z"
    for code in ("USED", "OWN"):
        kept = await read(client, f"/v1/vouchers/{code}")
        assert kept["discount"] == PERCENT and kept["redemption"]["quantity"] == 2
        assert kept["expiration_date"] is None and kept["category"] is None
    cleared = await client.put(
        "/v1/campaigns/reach",
        json={"expiration_date": None, "unset_metadata_fields": ["a"], "metadata": {"c": 3}},
    )
    assert "expiration_date" not in cleared.json() and cleared.json()["metadata"] == {"b": 2, "c": 3}
    assert (await read(client, "/v1/vouchers/FRESH"))["expiration_date"] is None


@pytest.mark.parametrize(
    ("edit", "key"),
    [
        ({"discount": {"type": "AMOUNT", "amount_off": 1}}, "invalid_voucher"),
        ({"type": "STANDALONE"}, "invalid_campaign"),
        ({"voucher": {"code_config": {"length": 20}}}, "invalid_campaign"),
        ({"expiration_date": "never"}, "invalid_payload"),
        ({"activity_duration_after_publishing": "24 days"}, "invalid_payload"),
    ],
)
async def test_a_wrong_edit_is_400_and_changes_nothing(
    client: Client, edit: dict[str, Any], key: str
) -> None:
    before = await make(client, "fixed")
    answer = await client.put("/v1/campaigns/fixed", json=edit | {"description": "x"})
    assert answer.status_code == 400 and answer.json()["key"] == key
    assert await read(client, "/v1/campaigns/fixed") == before


@pytest.mark.parametrize(
    ("fields", "key", "path"),
    [
        ({"name": ""}, "invalid_payload", "name"),
        ({"campaign_type": "LOYALTY_PROGRAM"}, "invalid_payload", "voucher.type"),
        ({"campaign_type": "GIFT_VOUCHERS"}, "invalid_payload", "voucher.type"),
        ({"options": {"cards": "ON_SALE"}}, "invalid_campaign", "options.cards"),
        ({"campaign_type": "NOPE"}, "invalid_payload", "campaign_type"),
        ({"campaign_type": None, "promotion": {}}, "invalid_payload", "voucher"),
        ({"promotion": {}}, "invalid_payload", "promotion"),
        ({"voucher": {"type": "DISCOUNT_VOUCHER"}}, "invalid_payload", "voucher.discount"),
        ({"voucher": {"discount": {"type": "AMOUNT"}}}, "invalid_payload", "voucher.discount.amount_off"),
        ({"vouchers_count": -1}, "invalid_payload", "vouchers_count"),
        ({"vouchers_count": 10**12}, "invalid_payload", "vouchers_count"),
        (
            {
                "vouchers_count": 95,
                "voucher": VOUCHER | {"code_config": {"pattern": "##", "charset": "0123456789"}},
            },
            "invalid_code_config",
            "voucher.code_config",
        ),
        ({"voucher": VOUCHER | {"code": "X"}}, "invalid_payload", "voucher.code"),
        ({"type": "STANDALONE", "vouchers_count": 2}, "invalid_payload", "vouchers_count"),
        ({"validation_rules": ["val_1", "val_2"]}, "invalid_payload", "validation_rules"),
        ({"options": {"limit_policy": "MOST"}}, "invalid_payload", "options.limit_policy"),
    ],
)
async def test_a_wrong_campaign_is_400_with_its_path(
    client: Client, fields: dict[str, Any], key: str, path: str
) -> None:
    body = {
        "name": "wrong",
        "campaign_type": "DISCOUNT_COUPONS",
        "type": "STATIC",
        "voucher": VOUCHER,
    } | fields
    answer = await client.post("/v1/campaigns", json=body)
    assert answer.status_code == 400, answer.text
    assert (answer.json()["key"], answer.json()["errors"][0]["path"]) == (key, path)
    assert (await read(client, "/v1/campaigns"))["total"] == 0


async def test_a_taken_name_is_409(client: Client) -> None:
    await make(client, "twice")
    body = {"name": "twice", "voucher": VOUCHER}
    answer = await client.post("/v1/campaigns", json=body)
    assert answer.status_code == 409 and answer.json()["key"] == "duplicate_found"


async def test_enable_and_disable(client: Client) -> None:
    made = await make(client, "switched")
    assert (await client.post("/v1/campaigns/switched/disable")).json()["active"] is False
    assert (await client.post(f"/v1/campaigns/{made['id']}/enable")).json()["active"] is True
    assert (await client.post("/v1/campaigns/nope/enable")).status_code == 404


async def test_deleting_hides_at_once_and_keeps_the_names(client: Client, run_jobs: Any) -> None:
    made = await make(client, "binned")
    await client.post("/v1/campaigns/binned/vouchers/KEPT")
    answer = await client.delete("/v1/campaigns/binned")
    assert answer.status_code == 202 and answer.json()["async_action_id"].startswith("aa_")
    for _ in range(2):  # before the job and after it
        assert (await client.get(f"/v1/campaigns/{made['id']}")).status_code == 404
        assert (await client.get("/v1/vouchers/KEPT")).status_code == 404
        assert (await read(client, "/v1/vouchers"))["total"] == 0
        assert (await read(client, "/v1/campaigns"))["total"] == 0
        assert (await client.post("/v1/vouchers/KEPT", json={"discount": PERCENT})).status_code == 409
        assert (
            await client.post("/v1/campaigns", json={"name": "binned", "voucher": VOUCHER})
        ).status_code == 409
        await run_jobs()
    erased = await client.delete(f"/v1/campaigns/{made['id']}?force=true")
    assert erased.status_code == 202
    await run_jobs()
    await make(client, "binned")
    assert (await client.post("/v1/vouchers/KEPT", json={"discount": PERCENT})).status_code == 200


async def test_deletion_goes_through_all_codes_in_batches(
    client: Client, run_jobs: Any, monkeypatch: Any
) -> None:
    monkeypatch.setattr(campaign_jobs, "BATCH", 30)
    made = await make(client, "batches", vouchers_count=100)
    await run_jobs()
    action = (await client.delete("/v1/campaigns/batches?force=true")).json()["async_action_id"]
    await run_jobs()
    done = await read(client, f"/v1/async-actions/{action}")
    assert (done["status"], done["type"], done["result"]["done_count"]) == (
        "DONE",
        "CAMPAIGN.VOUCHERS_DELETE",
        100,
    )
    left = await client.app.state.pool.fetchval(
        "select count(*) from vouchers where project_id = $1 and campaign_id = $2",
        client.project_id,
        made["id"],
    )
    assert left == 0


async def test_a_campaign_deleted_while_codes_are_made_gets_no_more(client: Client, run_jobs: Any) -> None:
    made = await make(client, "doomed", vouchers_count=100)
    await client.delete("/v1/campaigns/doomed")
    await run_jobs()
    count = await client.app.state.pool.fetchval(
        "select count(*) from vouchers where project_id = $1 and campaign_id = $2",
        client.project_id,
        made["id"],
    )
    assert count == 0


async def test_a_summary_counts(client: Client) -> None:
    made = await make(client, "summed", vouchers_count=1)
    summary = await read(client, "/v1/campaigns/summed/summary?start_date=2020-01-01&end_date=2090-01-01")
    assert summary["object"] == "campaign_summary" and summary["campaign"]["id"] == made["id"]
    assert (summary["vouchers_created"], summary["redemptions"], summary["orders_amount"]) == (1, 0, 0)
    old = await read(client, "/v1/campaigns/summed/summary?end_date=2020-01-01")
    assert old["vouchers_created"] == 0
    assert (await client.get("/v1/campaigns/summed/summary?end_date=x")).status_code == 400
    assert (await client.get("/v1/campaigns/nope/summary")).status_code == 404


async def test_the_list_filters_and_pages(client: Client) -> None:
    await make(client, "a", metadata={"k": "v"}, start_date="2026-01-01", category="one")
    await make(client, "b", type="AUTO_UPDATE", validity_day_of_week=[1], start_date="2027-01-01")
    await make(client, "c", active=False, vouchers_count=5)
    for query, expected in {
        "filters[campaigns][conditions][$is]=a": ["a"],
        "filters[campaigns][conditions][$starts_with]=b": ["b"],
        "filters[type][conditions][$is]=AUTO_UPDATE": ["b"],
        "filters[active][conditions][$is]=false": ["c"],
        "filters[status][conditions][$is]=IN_PROGRESS": ["c"],
        "filters[campaign_status][conditions][$in][0]=DONE": ["a", "b"],
        "filters[categories][conditions][$is]=one": ["a"],
        "filters[start_date][conditions][$after]=2026-06-01": ["b"],
        "filters[expiration_date][conditions][$has_value]=true": [],
        "filters[validity_day_of_week][conditions][$has_value]=true": ["b"],
        "filters[voucher_type][conditions][$is]=DISCOUNT_VOUCHER": ["a", "b", "c"],
        "filters[is_referral_code][conditions][$is]=true": [],
        "filters[metadata.k][conditions][$is]=v": ["a"],
        "filters[created_date][conditions][$after]=2090-01-01": [],
        "campaign_status=DONE": ["a", "b"],
        "campaign_type=PROMOTION": [],
        "campaign_type=DISCOUNT_COUPONS&limit=2&page=2": ["c"],
        "is_referral_code=false": ["a", "b", "c"],
    }.items():
        found = await read(client, "/v1/campaigns?order=name&" + query)
        assert [campaign["name"] for campaign in found["campaigns"]] == expected, query
    assert (await read(client, "/v1/campaigns?limit=1"))["data_ref"] == "campaigns"
    wrong = await client.get("/v1/campaigns?campaign_type=X")
    assert wrong.status_code == 400 and wrong.json()["errors"][0]["path"] == "campaign_type"


async def test_another_projects_campaign_does_not_exist(client: Client, stranger: Client) -> None:
    made = await make(client, "secret")
    for method, path in (
        ("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/enable"), ("POST", "/disable"), ("GET", "/summary"),
        ("POST", "/vouchers"), ("POST", "/vouchers/X"), ("POST", "/import"),
    ):  # fmt: skip
        for name in ("secret", made["id"]):
            body = {} if method == "PUT" else [{"code": "X"}] if path == "/import" else None
            answer = await stranger.request(method, f"/v1/campaigns/{name}{path}", json=body)
            assert (answer.status_code, answer.json()["key"]) == (404, "not_found"), (method, path)
    assert (await read(client, "/v1/campaigns/secret"))["vouchers_count"] == 0


async def test_events_tell_of_each_change(client: Client, run_jobs: Any) -> None:
    made = await make(client, "told", vouchers_count=3)
    await run_jobs()
    await client.put("/v1/campaigns/told", json={"description": "x"})
    await client.post("/v1/campaigns/told/disable")
    await client.post("/v1/campaigns/told/enable")
    await client.post("/v1/campaigns/told/vouchers")
    await client.delete("/v1/campaigns/told")
    rows = await client.app.state.pool.fetch(
        "select type from events where project_id = $1 and entity_id = $2", client.project_id, made["id"]
    )
    assert sorted(row["type"] for row in rows) == sorted(
        ["campaign.created", "campaign.vouchers.generation.started", "campaign.vouchers.generation.completed",
         "campaign.updated", "campaign.disabled", "campaign.enabled", "campaign.vouchers.aded", "campaign.deleted"]
    )  # fmt: skip
