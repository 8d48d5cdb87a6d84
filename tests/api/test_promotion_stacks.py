"""Promotion stacks over HTTP."""

import asyncio
from typing import Any

from guerdon.kit import db

from .checkout import events, everything, post, read
from .conftest import Client
from .promotions import promotion, put, said, tier, version


async def three(client: Client) -> list[str]:
    made = await promotion(client, "spring", tier("a"), tier("b"), tier("c"))
    return [one["id"] for one in made["promotion"]["tiers"]]


async def test_a_stack_says_what_it_is(client: Client, pool: db.Pool) -> None:
    first, second, third = await three(client)
    category = await post(client, "/v1/categories", {"name": "weekend"})
    since = await version(pool, client)
    body = {"name": "best", "tiers": {"ids": [third, first]}, "category_id": category["id"]}
    made = await post(client, "/v1/promotions/spring/stacks", body)
    campaign_id = (await read(client, "/v1/campaigns/spring"))["id"]
    assert made == {
        "id": made["id"], "name": "best", "created_at": made["created_at"], "campaign_id": campaign_id,
        "tiers": {"ids": [third, first], "hierarchy_mode": "MANUAL"}, "category_id": category["id"],
        "categories": [category], "object": "promotion_stack",
    }  # fmt: skip
    path = f"/v1/promotions/spring/stacks/{made['id']}"
    assert made["id"].startswith("stack_") and await read(client, path) == made
    assert await said(pool, client, since) == {("stack", made["id"])}
    tiers = {"ids": [second], "hierarchy_mode": "MANUAL"}
    changed = await put(client, path, {"name": "other", "tiers": tiers, "category_id": None})
    assert (changed["name"], changed["tiers"], changed["category_id"]) == ("other", tiers, None)
    assert (await put(client, path, {}))["tiers"] == tiers
    assert set(await events(pool, client, made["id"])) == {
        "campaign.promotion_stack.created", "campaign.promotion_stack.updated",
    }  # fmt: skip
    listed = await read(client, "/v1/promotions/spring/stacks")
    assert (listed["data_ref"], [one["id"] for one in listed["data"]], listed["total"]) == (
        "data",
        [made["id"]],
        1,
    )
    answer = await client.delete(path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert [(await client.get(path)).status_code, (await client.delete(path)).status_code] == [404, 404]
    assert (await read(client, "/v1/promotions/spring/tiers"))["total"] == 3


async def test_wrong_stacks_change_nothing(client: Client, pool: db.Pool, stranger: Client) -> None:
    first, second, _ = await three(client)
    theirs = (await promotion(stranger, "theirs", tier()))["promotion"]["tiers"][0]["id"]
    good = {"name": "good", "tiers": {"ids": [first, second]}}
    path = f"/v1/promotions/spring/stacks/{(await post(client, '/v1/promotions/spring/stacks', good))['id']}"
    before = await everything(pool, client.project_id)
    wrong: list[tuple[Any, int, str | None]] = [
        ({"ids": [first, first]}, 400, "tiers.ids[1]"),
        ({"ids": []}, 400, "tiers.ids"),
        ({"ids": [f"promo_{number}" for number in range(31)]}, 400, "tiers.ids"),
        ({"ids": [first], "hierarchy_mode": "AUTOMATIC"}, 400, "tiers.hierarchy_mode"),
        ({"ids": [first, "promo_unknown"]}, 404, None),
        ({"ids": [theirs]}, 404, None),
    ]
    for tiers, status, place in wrong:
        for answer in (
            await post(client, "/v1/promotions/spring/stacks", {"name": "x", "tiers": tiers}, status),
            await put(client, path, {"tiers": tiers}, status),
        ):
            assert place is None or answer["errors"][0]["path"] == place
    assert (await client.post("/v1/promotions/spring/stacks", json={"name": "x"})).status_code == 400
    their_stack = await post(
        stranger, "/v1/promotions/theirs/stacks", {"name": "x", "tiers": {"ids": [theirs]}}
    )
    for sent in (client.get, client.delete):
        assert (await sent(f"/v1/promotions/spring/stacks/{their_stack['id']}")).status_code == 404
    assert await everything(pool, client.project_id) == before


async def test_stacks_of_all_campaigns(client: Client) -> None:
    first, second, third = await three(client)
    await promotion(client, "autumn")
    for campaign, name, ids in (
        ("spring", "x", [first]),
        ("spring", "y", [second]),
        ("autumn", "z", [third, first]),
    ):
        await post(client, f"/v1/promotions/{campaign}/stacks", {"name": name, "tiers": {"ids": ids}})
    listed = await read(client, "/v1/promotions/stacks?order=-name&limit=2")
    assert [one["name"] for one in listed["data"]] == ["z", "y"]
    assert (listed["total"], listed["has_more"]) == (3, True)
    listed = await read(client, "/v1/promotions/autumn/stacks")
    assert [one["name"] for one in listed["data"]] == ["z"]
    stack = listed["data"][0]["id"]
    assert (await client.get(f"/v1/promotions/spring/stacks/{stack}")).status_code == 404


async def test_no_stack_keeps_a_tier_that_goes_meanwhile(client: Client) -> None:
    await promotion(client)
    for number in range(8):
        gone = (await post(client, "/v1/promotions/spring/tiers", tier()))["id"]
        body = {"name": f"s{number}", "tiers": {"ids": [gone]}}
        made, deleted = await asyncio.gather(
            client.post("/v1/promotions/spring/stacks", json=body),
            client.delete(f"/v1/promotions/tiers/{gone}"),
        )
        assert deleted.status_code == 204 and made.status_code in (200, 404)
        stacks = (await read(client, "/v1/promotions/stacks"))["data"]
        assert all(gone not in stack["tiers"]["ids"] for stack in stacks)
