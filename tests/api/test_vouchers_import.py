"""Imports: files of any size stream in, a job works through them, a report says what became of each row."""

import csv
import io
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from guerdon.kit import csv_files, jobs
from guerdon.vouchers import jobs as voucher_jobs

Client = Any  # tests/api/conftest.py has it

PERCENT = {"type": "PERCENT", "percent_off": 10}
HEADER = (
    "Code,Voucher Type,Value,Discount Type,Category,Start Date,Expiration Date,Redemption Limit,Redeemed Quantity,"
    "Redeemed Amount,Active,Additional Info,Season\n"
)


async def read(client: Client, path: str) -> dict[str, Any]:
    answer = await client.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def send_csv(client: Client, path: str, text: str | bytes, **fields: str) -> str:
    answer = await client.post(path, files={"file": ("codes.csv", text, "text/csv")}, data=fields)
    assert answer.status_code == 202, answer.text
    return answer.json()["async_action_id"]


async def send_json(client: Client, path: str, items: Any) -> str:
    answer = await client.post(path, json=items)
    assert answer.status_code == 202, answer.text
    return answer.json()["async_action_id"]


async def result(client: Client, action: str) -> dict[str, Any]:
    return (await read(client, f"/v1/async-actions/{action}"))["result"]


async def report(client: Client, action: str) -> list[dict[str, str]]:
    answer = await client.get(f"/v1/async-actions/{action}/report")
    assert answer.status_code == 200, answer.text
    return list(csv.DictReader(io.StringIO(answer.text)))


async def make_campaign(client: Client, name: str) -> dict[str, Any]:
    voucher = {"type": "DISCOUNT_VOUCHER", "discount": PERCENT, "redemption": {"quantity": 1}}
    answer = await client.post("/v1/campaigns", json={"name": name, "type": "STATIC", "voucher": voucher})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_csv_makes_vouchers(client: Client, run_jobs: Any) -> None:
    rows = (
        'AMT,DISCOUNT_VOUCHER,1500,AMOUNT,news,2026-01-01,2026-12-31,5,2,,true,"quoted, ""text""\nand more",Fall\n'
        "PCT,DISCOUNT_VOUCHER,12.5,PERCENT,,,,,,,FALSE,,\n"
        "BAD1,DISCOUNT_VOUCHER,1.5,AMOUNT,,,,,,,,,\n"
        "BAD2,GIFT_VOUCHER,,,,,,,,,,,\n"
        "BAD3,DISCOUNT_VOUCHER,15,AMOUNT,,someday,,,,,,,\n"
        "BAD4,DISCOUNT_VOUCHER,15,AMOUNT,,,,1,2,,,,\n"
        ",DISCOUNT_VOUCHER,15,AMOUNT,,,,,,,,,\n"
        "FIX,,900,fixed,,,,,,,,,\n"
    )
    action = await send_csv(client, "/v1/vouchers/importCSV", "\ufeff" + HEADER + rows)
    assert (await read(client, f"/v1/async-actions/{action}"))["type"] == "VOUCHERS.IMPORT_CSV"
    await run_jobs()
    outcome = await result(client, action)
    assert (outcome["done_count"], outcome["failed_count"]) == (3, 5)
    lines = await report(client, action)
    assert [(line["row"], line["code"], line["status"]) for line in lines] == [
        ("1", "AMT", "created"), ("2", "PCT", "created"), ("3", "BAD1", "failed"), ("4", "BAD2", "failed"),
        ("5", "BAD3", "failed"), ("6", "BAD4", "failed"), ("7", "", "failed"), ("8", "FIX", "created"),
    ]  # fmt: skip
    for line, word in zip(
        [line for line in lines if line["status"] == "failed"],
        ("whole number", "a gift card needs its amount", "start_date", "redemption.quantity", "code"),
        strict=True,
    ):
        assert word in line["error"], line
    assert [failure["row"] for failure in outcome["failed"]] == [3, 4, 5, 6, 7]
    amount = await read(client, "/v1/vouchers/AMT")
    assert amount["discount"] == {"type": "AMOUNT", "amount_off": 1500}
    assert (amount["redemption"]["quantity"], amount["redemption"]["redeemed_quantity"]) == (5, 2)
    assert (amount["category"], amount["start_date"]) == ("news", "2026-01-01T00:00:00.000Z")
    assert amount["additional_info"] == 'quoted, "text"\nand more'
    assert amount["metadata"] == {"Season": "Fall"} and amount["campaign"] is None
    percent = await read(client, "/v1/vouchers/PCT")
    assert percent["active"] is False and percent["discount"]["percent_off"] == 12.5
    assert percent["redemption"]["quantity"] is None and percent["metadata"] == {}
    assert (await read(client, "/v1/vouchers/FIX"))["discount"] == {"type": "FIXED", "fixed_amount": 900}


async def test_a_second_import_changes_what_is_there(client: Client, run_jobs: Any) -> None:
    await send_json(
        client,
        "/v1/vouchers/import",
        [
            {"code": "SAME", "discount": PERCENT, "metadata": {"a": 1}, "redemption": {"quantity": 3}},
            {"code": "BINNED", "discount": PERCENT},
        ],
    )
    await run_jobs()
    await client.delete("/v1/vouchers/BINNED")
    action = await send_json(
        client,
        "/v1/vouchers/import",
        [
            {
                "code": "SAME",
                "expiration_date": "2030-01-01T00:00:00Z",
                "metadata": {"b": 2},
                "active": False,
            },
            {"code": "BINNED", "discount": PERCENT},
            {"code": "SAME", "discount": {"type": "AMOUNT", "amount_off": 1}},
            {"code": "SAME", "additional_info": "last"},
        ],
    )
    await run_jobs()
    assert [line["status"] for line in await report(client, action)] == [
        "updated",
        "failed",
        "failed",
        "updated",
    ]
    voucher = await read(client, "/v1/vouchers/SAME")
    assert voucher["metadata"] == {"a": 1, "b": 2} and voucher["active"] is False
    assert voucher["expiration_date"] == "2030-01-01T00:00:00.000Z" and voucher["additional_info"] == "last"
    assert voucher["discount"] == PERCENT and voucher["redemption"]["quantity"] == 3


async def test_json_rows_are_checked_one_by_one(client: Client, run_jobs: Any) -> None:
    body = (
        b'[{"code": "OK", "type": "DISCOUNT_VOUCHER", "discount": {"type": "AMOUNT", "amount_off": 3000}},'
        b' {"code": "TWICE", "code": "TWICE2"}, {"code": 5}, {"discount": {}}, {"code": "NO-DISCOUNT"},'
        b' {"code": "NUL", "discount": {"type": "AMOUNT", "amount_off": 1}, "metadata": {"x": "\\u0000"}},'
        b' {"code": "HUGE", "discount": {"type": "AMOUNT", "amount_off": 99999999999999999999}}]'
    )
    answer = await client.post(
        "/v1/vouchers/import", content=body, headers={"Content-Type": "application/json"}
    )
    await run_jobs()
    lines = await report(client, answer.json()["async_action_id"])
    assert [line["status"] for line in lines] == ["created"] + ["failed"] * 6
    assert all(line["error"] for line in lines[1:])
    assert (await read(client, "/v1/vouchers"))["total"] == 1


async def test_codes_are_imported_into_a_campaign(client: Client, run_jobs: Any) -> None:
    campaign = await make_campaign(client, "imported")
    await client.post("/v1/vouchers/ELSEWHERE", json={"discount": PERCENT})
    items = [
        {"code": "PLAIN"},
        {
            "code": "OWN",
            "redemption": {"quantity": 18},
            "metadata": {"season": "Fall"},
            "additional_info": "x",
        },
        {"code": "EQUAL", "redemption": {"quantity": 1}},
        {"code": "ELSEWHERE"},
    ]
    action = await send_json(client, "/v1/campaigns/imported/import", items)
    assert (await read(client, f"/v1/async-actions/{action}"))["type"] == "CAMPAIGN.VOUCHERS_IMPORT"
    await run_jobs()
    assert (await result(client, action))["done_count"] == 3
    assert (await read(client, f"/v1/campaigns/{campaign['id']}"))["vouchers_count"] == 3
    await client.put("/v1/campaigns/imported", json={"redemption": {"quantity": 4}})
    quantities = {
        code: (await read(client, f"/v1/vouchers/{code}"))["redemption"]["quantity"]
        for code in ("PLAIN", "OWN", "EQUAL")
    }
    assert quantities == {"PLAIN": 4, "OWN": 18, "EQUAL": 4}
    action = await send_csv(
        client, "/v1/campaigns/imported/importCSV", "Code,Active,color\nCSV1,false,red\nPLAIN,,blue\n"
    )
    await run_jobs()
    assert [line["status"] for line in await report(client, action)] == ["created", "updated"]
    one = await read(client, "/v1/vouchers/CSV1")
    assert (one["campaign"], one["active"], one["metadata"]) == ("imported", False, {"color": "red"})
    assert (await read(client, f"/v1/campaigns/{campaign['id']}"))["vouchers_count"] == 4


async def test_a_campaign_deleted_meanwhile_fails_every_row(client: Client, run_jobs: Any) -> None:
    await make_campaign(client, "gone")
    action = await send_json(client, "/v1/campaigns/gone/import", [{"code": "A"}, {"code": "B"}])
    await client.delete("/v1/campaigns/gone")
    await run_jobs()
    assert (await result(client, action))["failed_count"] == 2
    assert (await client.post("/v1/vouchers/A", json={"discount": PERCENT})).status_code == 200


async def test_events_come_when_asked_for(client: Client, run_jobs: Any) -> None:
    count = "select count(*) from events where project_id = $1"
    await send_csv(client, "/v1/vouchers/importCSV", "Code,Value,Discount Type\nE1,5,AMOUNT\n")
    await run_jobs()
    assert await client.app.state.pool.fetchval(count, client.project_id) == 0
    await send_csv(
        client, "/v1/vouchers/importCSV", "Code,Value,Discount Type\nE2,5,AMOUNT\n", webhooks_enable="true"
    )
    await run_jobs()
    assert await client.app.state.pool.fetchval(count, client.project_id) == 1


async def test_a_long_file_is_worked_through_in_parts_and_after_a_kill(
    client: Client, run_jobs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_files, "PART_BYTES", 2_000)

    async def slowly() -> AsyncIterator[bytes]:
        text = (
            "[" + ", ".join(json.dumps({"code": f"L{n:04}", "discount": PERCENT}) for n in range(600)) + "]"
        )
        for start in range(0, len(text), 700):
            yield text[start : start + 700].encode()

    answer = await client.post(
        "/v1/vouchers/import", content=slowly(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 202
    action = answer.json()["async_action_id"]
    original, seen = voucher_jobs.Step.run, []

    async def die_in_the_fourth_part(step: Any, lines: Any) -> Any:
        seen.append(len(lines))
        statuses = await original(step, lines)
        if len(seen) == 4:
            raise RuntimeError("killed after the rows were written, before the commit")
        return statuses

    monkeypatch.setattr(voucher_jobs.Step, "run", die_in_the_fourth_part)
    await run_jobs()
    assert (await read(client, "/v1/vouchers?limit=1"))["total"] == sum(seen[:3])
    await client.app.state.pool.execute("update jobs set run_at = now() where status = 'READY'")
    await run_jobs()
    assert await result(client, action) == {
        "done_count": 600, "failed_count": 0, "failed": [], "reports": [f"/v1/async-actions/{action}/report"],
    }  # fmt: skip
    lines = await report(client, action)
    assert [line["row"] for line in lines] == [str(n) for n in range(1, 601)]
    assert {line["status"] for line in lines} == {"created"}
    assert (await read(client, "/v1/vouchers?limit=1"))["total"] == 600


async def test_an_import_that_is_called_off_stops(client: Client, run_jobs: Any) -> None:
    action = await send_json(client, "/v1/vouchers/import", [{"code": "NEVER", "discount": PERCENT}])
    await client.app.state.pool.execute(
        "update jobs set cancel = true where project_id = $1", client.project_id
    )
    await run_jobs()
    assert (await read(client, f"/v1/async-actions/{action}"))["status"] == "FAILED"
    assert (await client.get("/v1/vouchers/NEVER")).status_code == 404


async def test_the_same_idempotency_key_imports_once(client: Client, run_jobs: Any) -> None:
    async def send(code: str) -> Any:
        file = {"file": ("x.csv", f"Code,Value,Discount Type\n{code},5,AMOUNT\n")}
        return await client.post(
            "/v1/vouchers/importCSV", files=file, headers={"Idempotency-Key": "import-1"}
        )

    first, again, other = await send("I1"), await send("I1"), await send("I2")
    assert first.content == again.content and again.headers["Idempotent-Replayed"] == "true"
    assert other.status_code == 422
    assert len((await read(client, "/v1/async-actions"))["async_actions"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"5",
        b'[{"code": "A"}',
        b'[{"code": "A"} {"code": "B"}]',
        b"[1]",
        b'[{"code": "A"}] x',
        b'[{"a": "',
    ],
)
async def test_what_is_no_array_of_objects_is_400(client: Client, body: bytes) -> None:
    answer = await client.post(
        "/v1/vouchers/import", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400, answer.text
    assert answer.json()["key"] == "invalid_payload"
    assert (await read(client, "/v1/async-actions"))["async_actions"] == []


@pytest.mark.parametrize(
    "text", [b"", b"Name,Value\nx,1\n", b"Code\n\xff\xfe\n", b'Code\n"open\n', b"Code\na\x00b\n"]
)
async def test_what_is_no_csv_is_400(client: Client, text: bytes) -> None:
    answer = await client.post("/v1/vouchers/importCSV", files={"file": ("x.csv", text)})
    assert answer.status_code == 400, answer.text
    assert answer.json()["errors"][0]["path"] == "file"


async def test_forms_that_are_wrong_are_told(client: Client) -> None:
    missing = await client.post("/v1/vouchers/importCSV", files={"other": ("x.csv", b"Code\nA\n")})
    assert missing.status_code == 400 and missing.json()["errors"][0]["path"] == "file"
    no_form = await client.post(
        "/v1/vouchers/importCSV", content=b"Code\nA\n", headers={"Content-Type": "text/csv"}
    )
    assert no_form.status_code == 415
    broken = await client.post(
        "/v1/vouchers/importCSV", content=b"xx", headers={"Content-Type": "multipart/form-data; boundary=b"}
    )
    assert broken.status_code == 400
    no_boundary = await client.post(
        "/v1/vouchers/importCSV", content=b"xx", headers={"Content-Type": "multipart/form-data"}
    )
    assert no_boundary.status_code == 400


async def test_reports_of_others_and_of_other_jobs_are_404(client: Client, stranger: Client) -> None:
    action = await send_json(client, "/v1/vouchers/import", [{"code": "A", "discount": PERCENT}])
    assert (await stranger.get(f"/v1/async-actions/{action}/report")).status_code == 404
    async with client.app.state.pool.acquire() as conn:
        other = await jobs.enqueue(conn, client.project_id, "x", {}, action_type="X")
    assert (await client.get(f"/v1/async-actions/{other}/report")).status_code == 404


async def test_a_code_that_ends_like_an_import_is_a_code(client: Client) -> None:
    made = await client.post("/v1/vouchers/SPRINGimport", json={"discount": PERCENT})
    assert made.status_code == 200 and made.json()["code"] == "SPRINGimport"
