"""Points as time goes by: when they wait, slide, lapse and count, on a clock that moves from day to day."""

# ruff: noqa: F811

from datetime import date, timedelta
from typing import Any

import pytest

from guerdon.kit import db
from guerdon.verify import verify

from .conftest import Client
from .loyalty import CARDS, PROGRAMS, RULES, V2, card, ok, per_order
from .moving import Clock, _with_a_clock, clock  # noqa: F401
from .test_loyalty_earning import buy, entries, event_schema, give_back, points
from .test_loyalty_members import join
from .test_loyalty_v1 import LOYALTIES, club
from .test_loyalty_v1 import join as join_older
from .test_loyalty_v1 import per_order as per_order_older

LOTS = """
    select l.granted, ((l.expires_at - interval '1 microsecond') at time zone p.timezone)::date::text as last_day
    from vouchers v join card_lots l on l.project_id = v.project_id and l.card_id = v.id
    join projects p on p.id = v.project_id
    where v.project_id = $1 and v.code = $2 and l.remaining > 0 order by l.granted, 2
"""
SLIDING = {
    "type": "SLIDING_EXPIRATION",
    "sliding_expiration": {"period": {"unit": "MONTH", "value": 3}, "earning_activity": True},
}
ROLLING = {
    "type": "ROLLING_EXPIRATION",
    "rolling_expiration": {"period": {"unit": "MONTH", "value": 1}},
}


async def lots(client: Client, code: str) -> list[tuple[int, str | None]]:
    """How many points of a card were given at once, and the last day of what is left of them."""
    records = await db.records(client.app.state.pool, LOTS, client.project_id, code)  # type: ignore[union-attr]
    return [(record["granted"], record["last_day"]) for record in records]


async def made(
    client: Client, name: str, rules: list[dict[str, Any]] | None = None, **of_card: Any
) -> dict[str, Any]:
    """A member of a program with a card definition; its rules name the card by None."""
    card_id = (await ok(client, "POST", CARDS, card(**of_card)))["id"]
    parts = []
    for rule in [per_order(card_id)] if rules is None else rules:
        for effect in rule["earnings"][0]["effects"]:
            effect.get("points", {})["card_definition_id"] = card_id
        parts.append({"id": (await ok(client, "POST", RULES, rule))["id"]})
    body = {"name": name, "status": "ACTIVE", "card_definitions": [{"id": card_id}], "earning_rules": parts}
    return await join(client, (await ok(client, "POST", PROGRAMS, body))["id"], name)


def fixed(value: int, ends: Any = None, **more: Any) -> dict[str, Any]:
    """A rule that gives so many points for an order."""
    own = {} if ends is None else {"points_expiration": ends}
    effect = {"type": "POINTS", "points": {"value": value, **own}}
    body = {"name": "Fixed", "trigger": {"event": "customer.order.paid"}, "status": "ACTIVE"}
    return body | {"earnings": [{"effects": [effect]}]} | more


async def test_a_day_that_was_named_does_not_slide(client: Client, clock: Clock, run_jobs: Any) -> None:
    await clock.live_in("Europe/Warsaw", "2027-02-10T12:00")
    member = await made(client, "ada", points_expiration=SLIDING)
    code = (await points(client, member))["code"]
    await buy(client, 1000)
    for path, sent in ((f"{LOYALTIES}/members", "points"), ("/v1/vouchers", "amount")):
        day = {"expiration_type": "CUSTOM_DATE", "expiration_date": "2027-03-01", "source_id": path}
        await ok(client, "POST", f"{path}/{code}/balance", {sent: 7, **day})
    await run_jobs()
    assert await lots(client, code) == [(7, "2027-03-01"), (7, "2027-03-01"), (10, "2027-05-10")]
    await clock.to("2027-02-20T12:00")
    await buy(client, 2000)
    await run_jobs()
    assert await lots(client, code) == [
        (7, "2027-03-01"), (7, "2027-03-01"), (10, "2027-05-20"), (20, "2027-05-20"),
    ]  # fmt: skip
    await clock.to("2027-03-01T23:59:50")
    assert (await points(client, member))["balance"]["points"] == 44
    await clock.to("2027-03-02T00:00:10")
    assert (await points(client, member))["balance"]["points"] == 30


async def test_points_go_by_the_rule_they_were_given_under(
    client: Client, clock: Clock, run_jobs: Any
) -> None:
    """A rule's own end goes before the card's, when the points are given and when they slide."""
    await clock.live_in("Europe/Warsaw", "2027-02-10T12:00")
    slides = await made(client, "ada", [fixed(10), fixed(3, ROLLING)], points_expiration=SLIDING)
    rolls = await made(client, "bob", [fixed(10), fixed(3, SLIDING)], points_expiration=ROLLING)
    for name in ("ada", "bob"):
        await buy(client, 1000, name)
    await run_jobs()
    code, other = [(await points(client, one))["code"] for one in (slides, rolls)]
    assert await lots(client, code) == [(3, "2027-03-10"), (10, "2027-05-10")]
    assert await lots(client, other) == [(3, "2027-05-10"), (10, "2027-03-10")]
    await clock.to("2027-02-20T12:00")
    for one in ("ada", "bob"):
        await buy(client, 1000, one)
    await run_jobs()
    assert await lots(client, code) == [
        (3, "2027-03-10"), (3, "2027-03-20"), (10, "2027-05-20"), (10, "2027-05-20"),
    ]  # fmt: skip
    assert await lots(client, other) == [
        (3, "2027-05-20"), (3, "2027-05-20"), (10, "2027-03-10"), (10, "2027-03-20"),
    ]  # fmt: skip


async def test_pending_points_slide_by_their_own_rule(client: Client, clock: Clock, run_jobs: Any) -> None:
    await clock.live_in("Europe/Warsaw", "2027-02-10T12:00")
    waits = {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "DAY", "value": 2}}}
    member = await made(client, "ada", [fixed(3, ROLLING)], points_expiration=SLIDING, pending_points=waits)
    code = (await points(client, member))["code"]
    await buy(client, 1000)
    await run_jobs()
    await clock.to("2027-02-12T00:00:10")
    assert await lots(client, code) == [(3, "2027-03-12")]
    await buy(client, 1000)
    await run_jobs()
    assert await lots(client, code) == [(3, "2027-03-12")]


async def test_two_years_to_the_quarter_end(client: Client, clock: Clock, run_jobs: Any) -> None:
    """The reference's example: points of January to March 2019 are gone after 31 March 2021."""
    await clock.live_in("America/New_York", "2019-01-15T10:00")
    ends = {"period": {"unit": "YEAR", "value": 2}, "rounding": {"type": "END_OF_QUARTER"}}
    ends = {"type": "ROLLING_EXPIRATION", "rolling_expiration": ends}
    member = await made(client, "ada", points_expiration=ends)
    code = (await points(client, member))["code"]
    for at, amount in (
        ("2019-01-15T10:00", 1000), ("2019-03-31T23:59:30", 2000), ("2019-04-01T00:00:30", 4000),
    ):  # fmt: skip
        await clock.to(at)
        await buy(client, amount)
        await run_jobs()
    assert await lots(client, code) == [(10, "2021-03-31"), (20, "2021-03-31"), (40, "2021-06-30")]
    await clock.to("2021-03-31T23:59:50")
    assert (await points(client, member))["balance"]["points"] == 70
    await clock.to("2021-04-01T00:00:10")
    assert (await points(client, member))["balance"]["points"] == 40


@pytest.mark.parametrize(
    ("rule", "earned", "last_day"),
    [
        ({"period_value": 0}, "2027-03-10T12:00", "2027-03-10"),
        ({"period_value": 0, "rounding_type": "END_OF_MONTH"}, "2027-03-10T12:00", "2027-03-31"),
        ({"period_value": 1}, "2028-01-31T23:30", "2028-02-29"),
        ({"period_value": 6, "rounding_type": "END_OF_HALF_YEAR"}, "2029-01-15T12:00", "2029-12-31"),
        ({"period_value": 24, "rounding_type": "END_OF_QUARTER"}, "2030-03-31T23:59:30", "2032-03-31"),
        ({"period_value": 24, "rounding_type": "END_OF_QUARTER"}, "2031-04-01T00:00:10", "2033-06-30"),
        ({"period_value": 2, "rounding_type": "PARTICULAR_MONTH", "rounding_value": 3}, "2033-02-10T12:00", "2034-03-31"),
        ({"period_value": 12, "rounding_type": "END_OF_YEAR"}, "2036-12-31T23:59:30", "2037-12-31"),
        ({"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 2, "fixed_day": 29}, "2038-02-28T12:00", "2038-02-28"),
        ({"period_type": "FIXED_DAY_OF_YEAR", "fixed_month": 3, "fixed_day": 31}, "2039-04-01T12:00", "2040-03-31"),
    ],
)  # fmt: skip
async def test_ends_of_the_older_api(
    client: Client, clock: Clock, run_jobs: Any, rule: dict[str, Any], earned: str, last_day: str
) -> None:
    await clock.live_in("Pacific/Apia", earned)
    campaign = await club(
        client, per_order_older(), card={"points": 0, "expiration_rules": {"period_type": "MONTH"} | rule}
    )
    member = await join_older(client, campaign["id"])
    await buy(client, 1000)
    await run_jobs()
    shown = (await ok(client, "GET", f"{LOYALTIES}/members/{member['code']}"))["loyalty_card"]
    assert (shown["next_expiration_date"], shown["next_expiration_points"]) == (last_day, 10)


async def test_points_wait_for_a_month_a_date_and_an_event(
    client: Client, clock: Clock, manager: Any, run_jobs: Any
) -> None:
    await clock.live_in("Europe/Warsaw", "2027-01-31T15:00")
    visit = await event_schema(manager, "visit")
    event = {"event_types": [visit], "cancel_period": {"unit": "DAY", "value": 10}}
    kinds = {
        "month": {"type": "PERIOD_BASED", "period_based": {"period": {"unit": "MONTH", "value": 1}}},
        "date": {"type": "FIXED_DATES", "fixed_dates": {"dates": [{"day": 15, "month": 2}]}},
        "woken": {"type": "EVENT_BASED", "event_based": event},
        "given up": {"type": "EVENT_BASED", "event_based": event},
    }
    members = {}
    for name, kind in kinds.items():
        members[name] = await made(client, name, points_expiration=ROLLING, pending_points=kind)
        await buy(client, 1000, name)
    await run_jobs()
    codes = {name: (await points(client, one))["code"] for name, one in members.items()}

    async def there() -> dict[str, Any]:
        found = {name: await lots(client, code) for name, code in codes.items()}
        return {name: held[0][1] for name, held in found.items() if held}

    await clock.to("2027-02-05T17:00")
    await ok(client, "POST", "/v1/events", {"event": "visit", "customer": {"source_id": "woken"}})
    await run_jobs()
    assert await there() == {"woken": "2027-03-05"}
    await clock.to("2027-02-14T23:59:50")
    assert await there() == {"woken": "2027-03-05"}
    await clock.to("2027-02-15T00:00:10")
    assert await there() == {"woken": "2027-03-05", "date": "2027-03-15"}
    await clock.to("2027-02-28T00:00:10")
    assert await there() == {"woken": "2027-03-05", "date": "2027-03-15", "month": "2027-03-28"}
    given_up = (await points(client, members["given up"]))["lifetime_bucket"]["pending_points"]
    assert given_up == {"total": 10, "activated": 0, "canceled": 10}


@pytest.mark.parametrize(
    ("zone", "eve", "day"),
    [
        ("Africa/Cairo", "2027-04-29", "2027-04-30"),  # the clocks go from 0:00 to 1:00
        ("America/Havana", "2028-03-11", "2028-03-12"),  # likewise
        ("America/Santiago", "2029-09-01", "2029-09-02"),  # likewise
        ("Asia/Kolkata", "2030-03-30", "2030-03-31"),
        ("Pacific/Apia", "2031-03-30", "2031-03-31"),
    ],
)
async def test_a_day_lasts_to_its_midnight_where_there_is_none(
    client: Client, clock: Clock, run_jobs: Any, zone: str, eve: str, day: str
) -> None:
    await clock.live_in(zone, f"{eve}T12:00")
    ends = {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 1}}}
    member = await made(client, "ada", points_expiration=ends)
    await buy(client, 1000)
    await run_jobs()
    seen = []
    for at in (f"{eve}T23:59:50", f"{day}T01:00:05", f"{day}T23:59:50"):
        await clock.to(at)
        seen.append((await points(client, member))["balance"]["points"])
    after = date.fromisoformat(day) + timedelta(days=1)
    await clock.to(f"{after}T00:00:10")
    assert (*seen, (await points(client, member))["balance"]["points"]) == (10, 10, 10, 0)


async def test_nights_that_were_missed_are_made_up_for(client: Client, clock: Clock, run_jobs: Any) -> None:
    await clock.live_in("Europe/Warsaw", "2027-03-01T12:00")
    ends = {"type": "ROLLING_EXPIRATION", "rolling_expiration": {"period": {"unit": "DAY", "value": 3}}}
    member = await made(client, "ada", points_expiration=ends)
    for day in range(1, 5):
        await clock.set(f"2027-03-0{day}T12:00")
        await buy(client, 1000)
        await run_jobs()
    await clock.to("2027-03-07T09:00")
    code = (await points(client, member))["code"]
    assert (await entries(client, code))[4:] == [("POINTS_EXPIRATION", -30)]
    await clock.to("2027-03-08T00:00:05")
    assert (await points(client, member))["balance"]["points"] == 0


CURRENT = {"type": "CURRENT_PERIOD"}


def at_most(unit: str, most: int) -> dict[str, Any]:
    """A card's limit on what is earned in a period."""
    period = CURRENT | {"current_period": {"unit": unit}}
    limit = {"type": "TIME_BASED", "period": period, "points": {"max": most}}
    return {"global": {"type": "LIMITED", "limits": [limit]}, "transactions": {"type": "NO_LIMIT"}}


def once_a(unit: str) -> dict[str, Any]:
    """A rule's limit on how often it gives something in a period."""
    period = CURRENT | {"current_period": {"unit": unit}}
    limit = {"type": "TIME_BASED", "period": period, "triggers": {"max": 1}}
    return {"cooldown": {"type": "NO_COOLDOWN"}, "frequency": {"type": "LIMITED", "limits": [limit]}}


ONE_DAY = {
    "cooldown": {"type": "FIXED_COOLDOWN", "fixed_cooldown": {"period": {"unit": "DAY", "value": 1}}},
    "frequency": {"type": "NO_LIMIT"},
}
NIGHT = {"type": "DAILY", "daily": [{"start_time": "02:00", "end_time": "03:00", "days_of_week": [0]}]}


@pytest.mark.parametrize(
    ("limits", "rule", "times"),
    [
        # On the 28th the day has 23 hours.
        (at_most("DAY", 15), {}, {"2027-03-27T23:59": 10, "2027-03-28T00:01": 10, "2027-03-28T23:59": 5, "2027-03-29T00:01": 10}),
        # Weeks begin with Monday, the 29th.
        (at_most("WEEK", 15), {}, {"2027-03-27T12:00": 10, "2027-03-28T23:59": 5, "2027-03-29T00:01": 10}),
        (at_most("MONTH", 15), {}, {"2027-03-31T12:00": 10, "2027-03-31T23:59": 5, "2027-04-01T00:01": 10}),
        (at_most("QUARTER", 15), {}, {"2027-06-30T23:59": 10, "2027-07-01T00:01": 10, "2027-09-30T23:59": 5, "2027-10-01T00:01": 10}),
        (at_most("YEAR", 15), {}, {"2027-01-01T00:01": 10, "2027-12-31T23:59": 5, "2028-01-01T00:01": 10}),
        (None, {"trigger_limits": once_a("DAY")}, {"2027-03-27T12:00": 10, "2027-03-27T23:59": 0, "2027-03-28T00:01": 10}),
        # A day after 12:00 is 12:00 again, though 23 hours later.
        (None, {"trigger_limits": ONE_DAY}, {"2027-03-27T12:00": 10, "2027-03-28T11:59": 0, "2027-03-28T12:01": 10}),
        # There is no 2:30 on one Sunday, and there are two on another.
        (None, {"validity_hours": NIGHT}, {
            "2027-03-28T01:59:50+01:00": 0, "2027-03-28T03:00:10+02:00": 0, "2027-10-31T01:59:50+02:00": 0,
            "2027-10-31T02:30+02:00": 10, "2027-10-31T02:30+01:00": 10, "2027-10-31T03:00:10+01:00": 0,
        }),
    ],
    ids=["day", "week", "month", "quarter", "year", "once a day", "cooldown", "happy hour"],
)  # fmt: skip
async def test_limits_over_the_turn_of_a_period(
    client: Client, clock: Clock, run_jobs: Any, limits: Any, rule: dict[str, Any], times: dict[str, int]
) -> None:
    """What an order earns at these times; the question before says the same."""
    await clock.live_in("Europe/Warsaw", "2026-12-31T12:00")
    member = await made(
        client, "ada", [fixed(10, **rule)], **({} if limits is None else {"earning_limits": limits})
    )
    question = {
        "trigger": {"type": "SPECIFIC", "specific": {"event": "customer.order.paid"}},
        "customer_identification": {"type": "customer_source_id", "customer_source_id": "ada"},
        "customer_order_paid": {"order": {"amount": 1000}},
    }
    earned, asked, before = {}, {}, 0
    for at in times:
        await clock.set(at)
        (told,) = (await ok(client, "POST", f"{V2}/examine/earning-rules", question))["memberships"]
        asked[at] = sum(each["points_estimation"] for each in told["cards"])
        await buy(client, 1000)
        await run_jobs()
        now = (await points(client, member))["balance"]["points"]
        earned[at], before = now - before, now
    assert earned == asked == times


@pytest.mark.parametrize("policy", ["FLOOR", "DEBT"])
@pytest.mark.parametrize("parts", [[1000], [500, 500], [300, 300, 400]])
@pytest.mark.parametrize(("used", "left"), [(0, 50), (4, 46)])
async def test_what_lapsed_is_not_taken_from_other_points(
    client: Client, clock: Clock, run_jobs: Any, policy: str, parts: list[int], used: int, left: int
) -> None:
    """10 points lapsed but for those used; when the goods come back, what was used is all that is to be taken."""
    await clock.live_in("Europe/Warsaw", "2027-01-15T15:00")
    campaign = await club(
        client,
        per_order_older(),
        card={
            "points": 0,
            "clawback": policy,
            "expiration_rules": {"period_type": "MONTH", "period_value": 1},
        },
    )
    code = (await join_older(client, campaign["id"]))["code"]
    order = await buy(client, 1000)
    await run_jobs()
    if used:
        await ok(client, "POST", f"{LOYALTIES}/members/{code}/balance", {"points": -used})
    await clock.to("2027-02-16T00:00:10")
    await buy(client, 5000)
    await run_jobs()
    for amount in parts:
        await give_back(client, order, amount)
        await run_jobs()
    shown = (await ok(client, "GET", f"{LOYALTIES}/members/{code}"))["loyalty_card"]
    assert shown["balance"] == left


async def test_the_books_hold_after_all_that(client: Client, database_url: str) -> None:
    """Of everything that the tests of this file did, at all its times."""
    assert [result.invariant for result in await verify(database_url) if not result.holds] == []
