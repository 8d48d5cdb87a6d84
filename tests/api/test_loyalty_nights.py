"""What the night does: points and credits lapse, tiers end and begin."""

from typing import Any

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, RULES, STRUCTURES, by_balance, card, ok, per_order, program, tier
from .test_loyalty_earning import buy, club_of, entries, points
from .test_loyalty_members import join

YEAR = {
    "type": "ROLLING_EXPIRATION",
    "rolling_expiration": {"period": {"unit": "YEAR", "value": 1}, "rounding": {"type": "END_OF_YEAR"}},
}
PAST = "update card_lots set expires_at = now() - interval '1 day'"


async def test_points_lapse_at_the_midnight_after(client: Client, run_jobs: Any, tonight: Any) -> None:
    club = await club_of(client, points_expiration=YEAR)
    made = await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    on = await points(client, made)
    assert on["next_expiration"]["points"] == 10 and on["next_expiration"]["date"].endswith("-12-31")
    await tonight()
    assert (await points(client, made))["balance"]["points"] == 10
    await tonight(PAST)
    on = await points(client, made)
    assert on["balance"]["points"] == 0 and on["next_expiration"] is None
    assert on["lifetime_bucket"]["points"]["expired"] == 10
    assert await entries(client, on["code"]) == [("POINTS_ACCRUAL", 10), ("POINTS_EXPIRATION", -10)]
    await tonight()
    assert len(await entries(client, on["code"])) == 2


async def test_lapsing_credit_of_gift_cards(client: Client, tonight: Any) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 1000}}
    code = (await ok(client, "POST", "/v1/vouchers", gift))["code"]
    bonus = {
        "amount": 500,
        "source_id": "bonus",
        "expiration_type": "CUSTOM_DATE",
        "expiration_date": "2090-01-01",
    }
    await ok(client, "POST", f"/v1/vouchers/{code}/balance", bonus)
    await tonight(
        "update card_lots set expires_at = case when expires_at is null then null else now() - interval '1 day' end"
    )
    shown = await ok(client, "GET", f"/v1/vouchers/{code}")
    assert shown["gift"]["balance"] == 1000
    assert [each for each, _ in await entries(client, code)] == [
        "CREDITS_ADDITION", "CREDITS_ADDITION", "CREDITS_EXPIRATION",
    ]  # fmt: skip


async def test_gift_cards_that_ended_go_off_the_books(client: Client, tonight: Any) -> None:
    gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 1000}, "expiration_date": "2090-01-01T00:00:00Z"}
    code = (await ok(client, "POST", "/v1/vouchers", gift))["code"]
    await tonight("update voucher_terms set expires_at = now() - interval '2 days'")
    assert [each for each, _ in await entries(client, code)] == ["CREDITS_ADDITION", "CREDITS_EXPIRATION"]


async def with_tiers(client: Client, **more: Any) -> tuple[dict[str, Any], dict[str, str]]:
    """A program with two tiers, and the tiers' names by their ids."""
    club = await club_of(client, points_expiration=YEAR)
    listed = await ok(client, "GET", f"{PROGRAMS}/{club['id']}/card-definitions")
    card_id = listed["data"][0]["card_definition_id"]
    downgrade = {"downgrade": {"type": "MULTI_LEVEL"}}
    made = await ok(client, "POST", STRUCTURES, by_balance(card_id, **(downgrade | more)))
    names: dict[str, str] = {}
    for name, least in (("Silver", 10), ("Gold", 50)):
        one = await ok(client, "POST", f"{STRUCTURES}/{made['id']}/tiers", tier(name, least))
        names[one["id"]] = name
    await ok(client, "POST", f"{STRUCTURES}/{made['id']}/activate")
    body = {"name": "Tiered", "status": "ACTIVE", "card_definitions": [{"id": card_id}]}
    rules = await ok(client, "GET", f"{PROGRAMS}/{club['id']}/earning-rules")
    body["earning_rules"] = [{"id": rules["data"][0]["earning_rule_id"]}]
    body["tier_structures"] = [{"id": made["id"]}]
    return await ok(client, "POST", PROGRAMS, body), names


async def standing(client: Client, member: dict[str, Any]) -> dict[str, Any]:
    """How a member stands."""
    path = f"{PROGRAMS}/{member['program_id']}/memberships/{member['customer_id']}"
    return (await ok(client, "GET", path))["cards"][0]["tier_progress"]


async def test_tiers_come_with_points_and_go_with_them(client: Client, run_jobs: Any, tonight: Any) -> None:
    club, names = await with_tiers(client)
    made = await join(client, club["id"])
    for amount, name in ((1000, "Silver"), (4000, "Gold")):
        await buy(client, amount)
        await run_jobs()
        now = await standing(client, made)
        assert now["current"]["tier"]["name"] == name and now["current"]["tier"]["id"] in names
    code = (await points(client, made))["code"]
    await ok(client, "POST", f"/v1/vouchers/{code}/balance", {"amount": -20, "source_id": "gone"})
    await run_jobs()
    now = await standing(client, made)
    assert now["current"]["tier"]["name"] == "Silver"
    assert now["opportunities"][0]["points"] == 20
    await tonight(PAST)
    assert (await standing(client, made))["current"] is None
    types = await client.get(f"/v1/customers/{made['customer_id']}/activities?limit=100")
    told = [each["type"] for each in types.json()["data"] if "tier" in each["type"]]
    assert told == [
        "customer.loyalty.tier.left",
        "customer.loyalty.tier.downgraded",
        "customer.loyalty.tier.upgraded",
        "customer.loyalty.tier.joined",
    ]


async def test_tiers_that_end_by_the_calendar(client: Client, run_jobs: Any, tonight: Any) -> None:
    fixed = {"type": "FIXED_DURATION", "fixed_duration": {"period": {"unit": "YEAR", "value": 1}}}
    club, _ = await with_tiers(client, expiration=fixed)
    made = await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    code = (await points(client, made))["code"]
    await ok(client, "POST", f"/v1/vouchers/{code}/balance", {"amount": -10, "source_id": "gone"})
    await run_jobs()
    assert (await standing(client, made))["current"]["tier"]["name"] == "Silver"
    await tonight(
        "update loyalty_members set tier_check_at = now() - interval '1 day',"
        " tier = tier || jsonb_build_object('ends_at', now() - interval '1 day')"
    )
    assert (await standing(client, made))["current"] is None


async def test_a_night_is_run_once(client: Client, run_jobs: Any, tonight: Any) -> None:
    await program(client)
    await tonight()
    pool = client.app.state.pool  # type: ignore[union-attr]
    from guerdon.kit import db
    from guerdon.loyalty.night import enqueue_nights

    count = "select count(*) from jobs where project_id = $1 and kind = 'night.run'"
    assert await db.value(pool, count, client.project_id) == 1
    await db.execute(pool, "delete from jobs where project_id = $1", client.project_id)
    await enqueue_nights(pool)
    assert await db.value(pool, count, client.project_id) == 0


async def test_tiers_by_points_in_a_period_go_back_with_returns(client: Client, run_jobs: Any) -> None:
    from .test_loyalty_earning import REVOKED, give_back

    club = await club_of(client, refunds={"spent_points": {"type": "NONE"}, **REVOKED["zero"]})
    listed = await ok(client, "GET", f"{PROGRAMS}/{club['id']}/card-definitions")
    card_id = listed["data"][0]["card_definition_id"]
    earned = {"card_definition_id": card_id, "period": {"unit": "YEAR", "value": 1}, "type": "IMMEDIATELY"}
    structure = {
        "name": "Yearly",
        "type": "POINT_EARNED",
        "point_earned": earned,
        "downgrade": {"type": "MULTI_LEVEL"},
    }
    made = await ok(client, "POST", STRUCTURES, structure)
    await ok(client, "POST", f"{STRUCTURES}/{made['id']}/tiers", tier("Silver", 10))
    await ok(client, "POST", f"{STRUCTURES}/{made['id']}/activate")
    rules = await ok(client, "GET", f"{PROGRAMS}/{club['id']}/earning-rules")
    parts = {
        "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rules["data"][0]["earning_rule_id"]}],
        "tier_structures": [{"id": made["id"]}],
    }
    tiered = await ok(client, "POST", PROGRAMS, {"name": "Yearly", "status": "ACTIVE", **parts})
    member = await join(client, tiered["id"])
    order = await buy(client, 2000)
    await run_jobs()
    now = (await standing(client, member))["current"]
    assert now["tier"]["name"] == "Silver" and now["points"]["current"] == 20
    await give_back(client, order, 500)
    await run_jobs()
    assert (await standing(client, member))["current"]["points"]["current"] == 15


async def test_points_slide_with_what_the_member_does(client: Client, run_jobs: Any, tonight: Any) -> None:
    sliding = {"period": {"unit": "MONTH", "value": 6}, "earning_activity": True}
    club = await club_of(
        client, points_expiration={"type": "SLIDING_EXPIRATION", "sliding_expiration": sliding}
    )
    made = await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    first = (await points(client, made))["next_expiration"]
    await tonight("update card_lots set expires_at = now() + interval '5 days'")
    assert (await points(client, made))["next_expiration"]["date"] < first["date"]
    await buy(client, 1000)
    await run_jobs()
    assert (await points(client, made))["next_expiration"] == {"points": 20, "date": first["date"]}
    pool = client.app.state.pool  # type: ignore[union-attr]
    unsealed = "select count(*) from card_lots l where project_id = $1 and seal is distinct from lot_seal(l)"
    assert await pool.fetchval(unsealed, client.project_id) == 0, "what ends later is sealed anew"


async def test_each_project_has_its_own_midnight(client: Client, stranger: Client) -> None:
    from guerdon.kit import db
    from guerdon.loyalty.night import enqueue_nights

    pool = client.app.state.pool  # type: ignore[union-attr]
    zones = {client.project_id: "Pacific/Kiritimati", stranger.project_id: "Pacific/Pago_Pago"}
    for project_id, zone in zones.items():
        await db.execute(pool, "update projects set timezone = $2 where id = $1", project_id, zone)
    await enqueue_nights(pool)
    await enqueue_nights(pool)
    nights = [
        await db.value(
            pool,
            "select array_agg(payload ->> 'night') from jobs where project_id = $1 and kind = 'night.run'",
            name,
        )
        for name in zones
    ]
    assert [len(each) for each in nights] == [1, 1]
    assert nights[0][0] > nights[1][0]  # 25 hours apart


async def test_a_missed_night_is_made_up_for(client: Client, run_jobs: Any, tonight: Any) -> None:
    from guerdon.kit import db
    from guerdon.loyalty.night import enqueue_nights

    club = await club_of(client, points_expiration=YEAR)
    made = await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    await tonight()
    pool = client.app.state.pool  # type: ignore[union-attr]
    await db.execute(
        pool,
        "update nights set night = night - 4, cutoff = cutoff - interval '4 days' where project_id = $1",
        client.project_id,
    )
    await db.execute(
        pool,
        "update card_lots set expires_at = now() - interval '3 days' where project_id = $1",
        client.project_id,
    )
    await db.execute(pool, "delete from jobs where project_id = $1 and kind = 'night.run'", client.project_id)
    await enqueue_nights(pool)
    await run_jobs()
    on = await points(client, made)
    assert await entries(client, on["code"]) == [("POINTS_ACCRUAL", 10), ("POINTS_EXPIRATION", -10)]


async def test_what_waits_for_an_event_is_given_up(
    client: Client, manager: Any, run_jobs: Any, tonight: Any
) -> None:
    from .test_loyalty_earning import event_schema

    review = await event_schema(manager, "review")
    waits = {"event_types": [review], "cancel_period": {"unit": "DAY", "value": 30}}
    club = await club_of(client, pending_points={"type": "EVENT_BASED", "event_based": waits})
    made = await join(client, club["id"])
    await buy(client, 1000)
    await run_jobs()
    assert (await points(client, made))["balance"] == {"points": 0, "pending_points": 10}
    await tonight("update loyalty_pending set cancels_at = now() - interval '1 day'")
    on = await points(client, made)
    assert on["balance"] == {"points": 0, "pending_points": 0}
    assert on["lifetime_bucket"]["pending_points"] == {"total": 10, "activated": 0, "canceled": 10}


async def test_tiers_for_segments_follow_who_enters_and_leaves(client: Client, run_jobs: Any) -> None:
    from .test_segments import look

    pool = client.app.state.pool  # type: ignore[union-attr]
    vip = {"junction": "and", "metadata.level": {"conditions": {"$is": ["vip"]}}}
    segment = await ok(client, "POST", "/v1/segments", {"name": "VIP", "type": "auto-update", "filter": vip})
    await run_jobs()
    card_id = (await ok(client, "POST", CARDS, card()))["id"]
    rule = (await ok(client, "POST", RULES, per_order(card_id)))["id"]
    structure = await ok(client, "POST", STRUCTURES, by_balance(card_id, downgrade={"type": "MULTI_LEVEL"}))
    path = f"{STRUCTURES}/{structure['id']}"
    points_and = {"type": "POINTS_AND_SEGMENT", "points": {"min_value": 50}, "segment": {"id": segment["id"]}}
    await ok(client, "POST", f"{path}/tiers", tier("Member", 10))
    await ok(client, "POST", f"{path}/tiers", {"name": "VIP", "qualification_rules": points_and})
    await ok(client, "POST", f"{path}/activate")
    body = {
        "name": "Circle", "status": "ACTIVE", "card_definitions": [{"id": card_id}],
        "earning_rules": [{"id": rule}], "tier_structures": [{"id": structure["id"]}],
    }  # fmt: skip
    made = await join(client, (await ok(client, "POST", PROGRAMS, body))["id"])
    await join(client, made["program_id"], "bob")
    for name in ("ada", "bob"):
        await buy(client, 6000, name)
    await run_jobs()
    for level, name in (("none", "Member"), ("vip", "VIP"), ("none", "Member")):
        await ok(client, "POST", "/v1/customers", {"source_id": "ada", "metadata": {"level": level}})
        await look(pool, "segments.follow", run_jobs)
        await run_jobs()
        assert (await standing(client, made))["current"]["tier"]["name"] == name
