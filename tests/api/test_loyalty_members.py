"""Members of programs: made once, with cards, changed, switched off, thrown away."""

from typing import Any

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, V2, card, ok, program, refused


async def customer(client: Client, name: str = "ada") -> str:
    """A customer's id."""
    return (await ok(client, "POST", "/v1/customers", {"source_id": name}))["id"]


def member_of(customer_id: str, **more: Any) -> dict[str, Any]:
    """What is sent to make a customer a member."""
    return {"customer_identification": {"type": "customer_id", "customer_id": customer_id}, **more}


async def join(client: Client, program_id: str, name: str = "ada", **more: Any) -> dict[str, Any]:
    """A new member."""
    body = member_of(await customer(client, name), **more)
    return await ok(client, "POST", f"{PROGRAMS}/{program_id}/members", body)


async def test_a_member_has_a_card_of_each_definition(client: Client) -> None:
    other = (await ok(client, "POST", CARDS, card(name="Coins")))["id"]
    club = await program(client, card_definitions=[{"id": other}])
    made = await join(client, club["id"], metadata={"since": "launch"})
    assert made["id"].startswith("lmbr_") and made["status"] == "ACTIVE"
    assert [each["card"]["card_definition_id"] for each in made["cards"]] == [other]
    only = made["cards"][0]["card"]
    assert len(only["code"]) == 10 and only["id"].startswith("lcrd_")
    assert only["balance"] == {"points": 0, "pending_points": 0}
    assert only["next_expiration"] is None and only["next_activation"] is None
    assert await ok(client, "GET", f"{PROGRAMS}/{club['id']}/members/{made['id']}") == made


async def test_a_card_is_a_voucher_of_the_older_api(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    code = made["cards"][0]["card"]["code"]
    shown = await ok(client, "GET", f"/v1/vouchers/{code}")
    assert shown["id"].partition("_")[2] == made["cards"][0]["card"]["id"].partition("_")[2]
    assert shown["campaign_id"].partition("_")[2] == club["id"].partition("_")[2]
    assert shown["type"] == "LOYALTY_CARD" and shown["holder_id"] == made["customer_id"]
    assert shown["loyalty_card"]["points"] == shown["loyalty_card"]["balance"] == 0
    assert shown["active"] is True


async def test_a_customer_is_a_member_once(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    path = f"{PROGRAMS}/{club['id']}/members"
    assert (await refused(client, "POST", path, member_of(made["customer_id"])))[:2] == (
        409,
        "member_already_exists",
    )
    assert (await refused(client, "POST", path, member_of("cust_nobody")))[:2] == (404, "not_found")
    by_type = {"customer_identification": {"type": "customer_source_id", "customer_id": "x"}}
    assert await refused(client, "POST", path, by_type) == (
        400,
        "invalid_payload",
        "customer_identification.customer_source_id",
    )
    listed = await ok(client, "GET", path)
    assert [each["id"] for each in listed["data"]] == [made["id"]] and listed["cursor"] is None


async def test_a_program_that_is_not_active_takes_nobody(client: Client) -> None:
    club = await program(client)
    await ok(client, "POST", f"{PROGRAMS}/{club['id']}/deactivate")
    body = member_of(await customer(client))
    path = f"{PROGRAMS}/{club['id']}/members"
    assert (await refused(client, "POST", path, body))[:2] == (423, "non_active_program")
    assert (await refused(client, "POST", f"{path}/batch", [body]))[:2] == (423, "non_active_program")


async def test_members_are_changed_and_switched(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"], metadata={"a": 1})
    path = f"{PROGRAMS}/{club['id']}/members/{made['id']}"
    assert (await ok(client, "PUT", path, {"metadata": {"b": 2}}))["metadata"] == {"a": 1, "b": 2}
    assert (await ok(client, "PUT", path, {"metadata": None}))["metadata"] == {}
    assert (await refused(client, "POST", f"{path}/activate"))[:2] == (400, "invalid_state_transition")
    assert (await ok(client, "POST", f"{path}/deactivate"))["status"] == "INACTIVE"
    code = made["cards"][0]["card"]["code"]
    assert (await ok(client, "GET", f"/v1/vouchers/{code}"))["active"] is False
    assert (await ok(client, "POST", f"{path}/activate"))["status"] == "ACTIVE"
    told = await ok(client, "GET", f"{path}/activities")
    types = [each["type"].removeprefix("vl.member.") for each in told["data"]]
    assert types[:4] == ["activated", "deactivated", "updated", "updated"]
    assert sorted(types[4:]) == ["card.assigned", "created"]
    assert all(each["id"].startswith("lambr_") for each in told["data"])


async def test_a_deleted_member_leaves_nothing_on_the_books(client: Client) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    path, code = f"{PROGRAMS}/{club['id']}/members/{made['id']}", made["cards"][0]["card"]["code"]
    await ok(client, "POST", f"/v1/vouchers/{code}/balance", {"amount": 40, "source_id": "s"})
    assert (await ok(client, "DELETE", path))["status"] == "DELETED"
    assert (await refused(client, "GET", path))[0] == 404
    assert (await refused(client, "GET", f"/v1/vouchers/{code}"))[0] == 404
    again = await join(client, club["id"])
    assert again["id"] != made["id"] and again["cards"][0]["card"]["balance"]["points"] == 0


async def test_memberships_of_a_customer(client: Client) -> None:
    first, second = await program(client), await program(client, name="Another club")
    made = [await join(client, club["id"]) for club in (first, second)]
    found = await ok(client, "GET", f"{V2}/memberships/{made[0]['customer_id']}")
    assert [each["program"]["id"] for each in found["memberships"]] == [first["id"], second["id"]]
    assert found["customer"] == {"id": made[0]["customer_id"], "source_id": "ada", "object": "customer"}
    same = await ok(client, "GET", f"{V2}/memberships/ada?identification_type=customer_source_id")
    assert same == found
    assert found == await ok(client, "GET", f"{V2}/memberships/{made[1]['id']}?identification_type=member_id")
    one = await ok(client, "GET", f"{PROGRAMS}/{second['id']}/memberships/{made[0]['customer_id']}")
    assert one["member"]["id"] == made[1]["id"]
    assert one["cards"][0]["tier_progress"]["current"] is None
    assert (await refused(client, "GET", f"{V2}/memberships/nobody"))[:2] == (404, "not_found")


async def test_many_members_at_once(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    there = await join(client, club["id"], "c0")
    body = [member_of(await customer(client, f"c{n}")) for n in range(5)]
    body += [member_of("cust_nobody"), body[2], {"status": "ACTIVE"}]
    answer = await client.post(f"{PROGRAMS}/{club['id']}/members/batch", json=body)
    assert answer.status_code == 202, answer.text
    await run_jobs()
    action = await ok(client, "GET", f"/v1/async-actions/{answer.json()['async_action_id']}")
    assert action["status"] == "DONE" and action["result"]["done_count"] == 4
    assert [(each["index"], each["key"]) for each in action["result"]["failed"]] == [
        (0, "member_already_exists"), (5, "not_found"), (6, "duplicate_customer_id"), (7, "invalid_payload"),
    ]  # fmt: skip
    listed = await ok(client, "GET", f"{PROGRAMS}/{club['id']}/members?limit=2&order=customer_id")
    rest = await ok(
        client, "GET", f"{PROGRAMS}/{club['id']}/members?limit=10&cursor={listed['cursor']['next']}"
    )
    names = [each["customer_id"] for each in listed["data"] + rest["data"]]
    assert names == sorted(names) and len(names) == 5 and there["customer_id"] in names


async def test_who_is_deleted_leaves(client: Client, run_jobs: Any) -> None:
    club = await program(client)
    made = await join(client, club["id"])
    code = made["cards"][0]["card"]["code"]
    await ok(client, "POST", f"/v1/vouchers/{code}/balance", {"amount": 40, "source_id": "s"})
    assert (await client.delete(f"/v1/customers/{made['customer_id']}")).status_code == 204
    await run_jobs()
    assert (await refused(client, "GET", f"{PROGRAMS}/{club['id']}/members/{made['id']}"))[0] == 404
    assert (await refused(client, "GET", f"/v1/vouchers/{code}"))[0] == 404
