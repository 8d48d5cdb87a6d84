"""Custom events that convert referrals, and by which codes."""

from typing import Any

import pytest

from .test_referrals import code_of, gift_campaign, program, redeem, referrals, reward

Client = Any  # tests/api/conftest.py has it


async def by_event(client: Client, manager: Any) -> tuple[dict[str, Any], str]:
    """A program that waits for the event ``signed_up``, and a referrer's code."""
    await manager.post("/custom-event-schemas", json={"name": "signed_up", "schema": {"properties": {}}})
    credit = await gift_campaign(client)
    made = await program(
        client, conversion_event_type="custom_event", custom_event={"name": "signed_up"},
        referrer_tiers=[{"reward": reward(credit, 500)}],
    )  # fmt: skip
    return made, await code_of(client, made["id"], "ann")


async def sign_up(client: Client, code: str, source_id: str) -> Any:
    body = {"event": "signed_up", "referral": {"code": code}, "customer": {"source_id": source_id}}
    return await client.post("/v1/events", json=body)


async def end(client: Client, campaign: str, code: str, how: str) -> None:
    match how:
        case "voucher":
            answer = await client.post(f"/v1/vouchers/{code}/disable")
        case "campaign":
            answer = await client.post(f"/v1/campaigns/{campaign}/disable")
        case "over":
            answer = await client.put(
                f"/v1/vouchers/{code}", json={"expiration_date": "2020-01-01T00:00:00Z"}
            )
        case _:
            answer = await client.put(f"/v1/vouchers/{code}", json={"start_date": "2990-01-01T00:00:00Z"})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("how", "key"),
    [
        ("voucher", "voucher_disabled"), ("campaign", "voucher_disabled"), ("over", "voucher_expired"),
        ("not yet", "voucher_not_active"),
    ],
)  # fmt: skip
async def test_a_code_that_is_of_no_use_refers_nobody_new(
    client: Client, manager: Any, how: str, key: str
) -> None:
    made, code = await by_event(client, manager)
    assert (await redeem(client, code, "bob")).status_code == 200
    assert (await sign_up(client, code, "cem")).status_code == 200
    await end(client, made["id"], code, how)
    refused = await sign_up(client, code, "dan")
    assert (refused.status_code, refused.json()["key"]) == (400, key)
    assert (await client.get("/v1/customers/dan")).status_code == 404
    for friend in ("bob", "cem"):
        assert (await sign_up(client, code, friend)).status_code == 200, "who was referred before stays so"
    assert [one["status"] for one in await referrals(client)] == ["HELD", "HELD"]
