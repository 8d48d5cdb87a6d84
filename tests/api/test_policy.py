"""The policy of a gift card campaign over HTTP: advice, bars, and what the table of rules looks like."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from guerdon.ledger.policy import Offer, breaches, cash_out, least, rules_of
from guerdon.ledger.policy_rules import POLICY_RULES

Client = Any  # tests/api/conftest.py has it

NOW = datetime.now(UTC)


async def save(client: Client, name: str, country: str, mode: str = "WARN", **fields: Any) -> Any:
    body = {
        "name": name,
        "campaign_type": "GIFT_VOUCHERS",
        "voucher": {"type": "GIFT_VOUCHER", "gift": {"amount": 5000}},
    }
    return await client.post(
        "/v1/campaigns", json=body | {"options": {"policy": {"country": country, "mode": mode}}} | fields
    )


def years(count: int) -> str:
    return (NOW + timedelta(days=366 * count)).date().isoformat()


async def test_a_card_that_ends_too_early_is_warned_of(client: Client) -> None:
    answer = await save(client, "short", "IE", expiration_date=years(1))
    assert answer.status_code == 200, answer.text
    policy = answer.json()["policy"]
    assert policy["country"] == "IE" and policy["mode"] == "WARN"
    [warning] = policy["warnings"]
    assert warning["path"] == "expiration_date" and "must be valid until" in warning["message"]
    assert (
        warning["rule"]["kind"] == "MINIMUM_VALIDITY"
        and "2019" in warning["rule"]["source"]
        and warning["rule"]["checked"]
    )
    assert {rule["kind"] for rule in policy["obligations"]} == {"ADVICE"}
    assert (await client.get("/v1/campaigns/short")).json()["policy"] == policy


async def test_it_is_barred_where_that_is_wanted(client: Client) -> None:
    refused = await save(client, "short", "IE", "BLOCK", expiration_date=years(1))
    assert refused.status_code == 400
    assert (
        refused.json()["key"] == "policy_violated"
        and refused.json()["errors"][0]["path"] == "expiration_date"
    )
    assert (await client.get("/v1/campaigns/short")).status_code == 404
    refused = await save(client, "short", "US-CA", "BLOCK", activity_duration_after_publishing="P10Y")
    assert refused.json()["errors"][0]["path"] == "activity_duration_after_publishing"
    assert (await save(client, "fixed", "IE", "BLOCK", expiration_date=years(6))).status_code == 200
    assert (
        await save(client, "lasting", "IE", "BLOCK", activity_duration_after_publishing="P5Y")
    ).status_code == 200
    endless = await save(client, "endless", "US-CA", "BLOCK")
    assert endless.status_code == 200 and endless.json()["policy"]["warnings"] == []
    assert {rule["kind"] for rule in endless.json()["policy"]["obligations"]} == {"CASH_OUT", "FEES"}


async def test_an_edit_is_checked_too(client: Client) -> None:
    await save(client, "cards", "US", "BLOCK")
    refused = await client.put("/v1/campaigns/cards", json={"expiration_date": years(2)})
    assert (refused.status_code, refused.json()["key"]) == (400, "policy_violated")
    assert "expiration_date" not in (await client.get("/v1/campaigns/cards")).json()
    free = await client.put(
        "/v1/campaigns/cards", json={"expiration_date": years(2), "options": {"policy": None}}
    )
    assert free.status_code == 200 and "policy" not in free.json() and "options" not in free.json()


async def test_a_fixed_end_is_too_short_for_those_sold_later(client: Client) -> None:
    answer = await save(client, "fixed", "AU", expiration_date=years(4))
    [warning] = answer.json()["policy"]["warnings"]
    assert "sold later" in warning["message"]


async def test_what_cannot_be_asked_for(client: Client) -> None:
    nowhere = await save(client, "x", "ZZ")
    assert nowhere.status_code == 400 and nowhere.json()["errors"][0]["path"] == "options.policy.country"
    for policy in ({"country": "ie"}, {"country": "IE", "mode": "SHOUT"}, {"mode": "WARN"}):
        body = {
            "name": "x",
            "campaign_type": "GIFT_VOUCHERS",
            "voucher": {"gift": {"amount": 5}},
            "options": {"policy": policy},
        }
        assert (await client.post("/v1/campaigns", json=body)).status_code == 400
    coupons = {
        "name": "x",
        "voucher": {"discount": {"type": "PERCENT", "percent_off": 5}},
        "options": {"policy": {"country": "IE"}},
    }
    answer = await client.post("/v1/campaigns", json=coupons)
    assert answer.status_code == 400 and answer.json()["errors"][0]["path"] == "options.policy"


def test_every_rule_says_where_it_is_written() -> None:
    for rule in POLICY_RULES:
        assert rule.says and rule.source
        assert (rule.kind == "MINIMUM_VALIDITY") == (rule.months is not None)
        assert (rule.kind == "CASH_OUT") == (rule.amount is not None) == (rule.currency is not None)
        assert rule.checked is not None or not rule.certain
        assert rule.until is None or rule.since < rule.until


@pytest.mark.parametrize(
    ("day", "balance", "owed"),
    [
        (date(2026, 3, 31), 999, True), (date(2026, 3, 31), 1_000, False), (date(2026, 4, 1), 1_499, True),
        (date(2026, 4, 1), 1_500, False), (date(2026, 4, 1), 0, False), (date(2007, 12, 31), 5, False),
    ],
)  # fmt: skip
def test_california_pays_out_by_date(day: date, balance: int, owed: bool) -> None:
    assert (cash_out("US-CA", balance, "USD", day) is not None) == owed


def test_colorado_counts_five_dollars_in_and_a_state_without_rules_has_the_country_s() -> None:
    assert cash_out("US-CO", 500, "USD", NOW.date()) is not None
    assert cash_out("US-WA", 500, "USD", NOW.date()) is None
    assert cash_out("US-WA", 499, "EUR", NOW.date()) is None
    assert {rule.place for rule in rules_of("US-NV", NOW.date())} == {"US"}
    assert not any(rule.place == "NZ" for rule in rules_of("NZ", date(2026, 3, 15)))


def test_months_are_counted_by_the_calendar_and_in_germany_from_the_year_s_end() -> None:
    [german] = [rule for rule in POLICY_RULES if rule.place == "DE"]
    assert least(german, date(2026, 1, 1)) == date(2029, 12, 31)
    zone = ZoneInfo("Europe/Berlin")
    last_moment = datetime(2029, 12, 31, 23, 59, tzinfo=zone)
    assert [breach.surely for breach in breaches("DE", Offer(last_moment), date(2026, 11, 22), zone)] == [
        False
    ]
    early = datetime(2029, 12, 30, 23, 59, tzinfo=zone)
    assert [breach.surely for breach in breaches("DE", Offer(early), date(2026, 11, 22), zone)] == [True]
    lasting = Offer(early, "P38M9D")  # a time of its own goes before the campaign's end
    assert [breach.path for breach in breaches("DE", lasting, date(2026, 11, 22), zone)] == []
