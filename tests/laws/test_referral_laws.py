"""What holds for referrals: one person is one, however they write themselves, and gains nothing from themselves."""

import os
import random
from typing import Any

import phonenumbers
import pytest
from api.conftest import client_for
from hypothesis import given
from hypothesis import strategies as st

from guerdon.app import App
from guerdon.kit import jobs
from guerdon.projects.bootstrap import create_project
from guerdon.referrals.identity import DOMAINS, canonical_email, canonical_phone, identities
from guerdon.worker import jobs as all_jobs

PROVING = os.environ.get("GUERDON_PROVE") == "1"

names = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=12)
tags = st.text("abcdefghijklmnopqrstuvwxyz0123456789.-_", max_size=8)
GMAIL = ("gmail.com", "googlemail.com", "GMail.COM", "GOOGLEMAIL.com.")


@st.composite
def spellings(draw: st.DrawFn) -> tuple[str, str]:
    """A Gmail user's name, and one way to write the address."""
    name = draw(names)
    written = "".join(
        (c.upper() if draw(st.booleans()) else c) + ("." if draw(st.booleans()) else "") for c in name
    )
    tag = f"+{draw(tags)}" if draw(st.booleans()) else ""
    return name, f" {written.rstrip('.')}{tag}@{draw(st.sampled_from(GMAIL))}"


@given(spellings())
def test_every_spelling_of_a_mailbox_is_one(pair: tuple[str, str]) -> None:
    name, written = pair
    assert canonical_email(written) == f"{name}@gmail.com"


@given(names, names, st.sampled_from([*DOMAINS, "example.com", "gmail.com", "yahoo.com"]))
def test_different_people_of_a_provider_differ(one: str, other: str, domain: str) -> None:
    same = canonical_email(f"{one}@{domain}") == canonical_email(f"{other}@{domain}")
    assert same == (one == other)


@given(st.text(max_size=40))
def test_a_canonical_form_is_its_own(text: str) -> None:
    """Whatever is sent: it raises nothing, and what comes out stays as it is."""
    for canonical in (canonical_email, canonical_phone):
        once = canonical(text)
        assert once is None or canonical(once) == once


@given(st.integers(2 * 10**8, 10**9 - 1), st.sampled_from([("DE", "49"), ("FR", "33"), ("AT", "43")]))
def test_every_spelling_of_a_number_is_one(number: int, country: tuple[str, str]) -> None:
    land, code = country
    wanted = f"+{code}{number}"
    written = (
        f"+{code} {number}",
        f"00{code}-{number}",
        f"0{number}",
        f" (0) {number} ",
        f"+{code} (0) {number}",
    )
    assert {canonical_phone(text, land) for text in written} == {wanted}


@pytest.mark.parametrize("land", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_country_spells_its_numbers_in_its_own_ways(land: str) -> None:
    number = phonenumbers.example_number(land)
    assert number is not None
    spellings = {phonenumbers.format_number(number, each) for each in range(4)}
    spellings |= {phonenumbers.format_out_of_country_calling_number(number, land)}
    wanted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
    assert {canonical_phone(text.removeprefix("tel:"), land) for text in spellings} == {wanted}
    assert canonical_phone(wanted) == canonical_phone("00" + wanted[1:]) == wanted


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ('"ann.lee"@gmail.com', "annlee@gmail.com"),
        ("ann\u200b.lee@gmail.com\u2060", "annlee@gmail.com"),
        ("ann@bücher.example", "Ann@xn--bcher-kva.example"),
    ],
)
def test_what_nobody_sees_makes_no_other_mailbox(one: str, other: str) -> None:
    assert canonical_email(one) == canonical_email(other) is not None


@pytest.mark.parametrize(
    ("written", "land", "wanted"),
    [
        ("+48 (0) 601 234 567", None, "+48601234567"),
        ("48601234567", None, "+48601234567"),
        ("0048 601 234 567", "Poland", "+48601234567"),
        ("٠٠٤٨٦٠١٢٣٤٥٦٧", None, "+48601234567"),
        ("+39 06 6982", None, "+39066982"),
        ("601234567", None, None),
    ],
)
def test_a_number_is_one_however_it_is_written(written: str, land: str | None, wanted: str | None) -> None:
    assert canonical_phone(written, land) == wanted


def test_nothing_known_is_nobody() -> None:
    assert identities(None, None) == identities("", "12") == identities("no address", "+1") == frozenset()


class Cheat:
    """One person with several accounts at a shop that rewards both sides, and everything they can try."""

    ACCOUNTS = (
        {"source_id": "a", "email": "Max.Power@gmail.com"},
        {"source_id": "b", "email": "maxpower+b@googlemail.com"},
        {"source_id": "c", "email": "max.p.o.w.e.r@gmail.com", "phone": "+49 30 901820"},
        {"source_id": "d", "email": "MAXPOWER+@gmail.com", "phone": "0049 30 901820"},
    )

    def __init__(self, client: Any, chance: random.Random) -> None:
        self.client, self.chance = client, chance
        self.campaign = ""
        self.codes: list[str] = []
        self.orders: list[str] = []
        self.redemptions: list[str] = []

    async def open(self) -> None:
        """The shop: credit for the referrer and the referee at once."""
        gift = {"type": "GIFT_VOUCHER", "gift": {"amount": 0}}
        credit = await self.post("/v1/campaigns", {"name": "Credit", "voucher": gift})
        reward = {"type": "GIFT_VOUCHER", "amount": 500, "related_object_parent": {"id": credit["id"]}}
        said = {
            "referee_reward": reward,
            "referrer_tiers": [{"reward": reward}, {"minimum": 2, "reward": reward}],
        }
        discount = {"discount": {"type": "PERCENT", "percent_off": 10}}
        body = {"name": "Friends", "referral_program": said, "voucher": discount}
        self.campaign = (await self.post("/v1/campaigns", body))["id"]
        for account in self.ACCOUNTS:
            await self.post("/v1/customers", account)

    async def post(self, path: str, body: Any) -> Any:
        return (await self.client.post(path, json=body)).json()

    async def act(self) -> None:
        """Try something."""
        match self.chance.choice(
            ["code", "code", "redeem", "redeem", "redeem", "cancel", "return", "roll back"]
        ):
            case "code":
                body = {"campaign": {"id": self.campaign, "count": 1}, "customer": self.account()}
                made = await self.post("/v1/publications", body)
                self.codes.append(made["voucher"]["code"])
            case "redeem" if self.codes:
                asked = {"redeemables": [{"object": "voucher", "id": self.chance.choice(self.codes)}]}
                status = self.chance.choice(["PAID", "CREATED"])
                order = {"order": {"amount": 5_000, "status": status}}
                made = await self.post("/v1/redemptions", asked | order | {"customer": self.account()})
                if "redemptions" in made:
                    self.redemptions.append(made["redemptions"][0]["id"])
                    self.orders.append(made["order"]["id"])
            case "cancel" if self.orders:
                status = self.chance.choice(["PAID", "CANCELED"])
                await self.client.put(
                    f"/v1/orders/{self.chance.choice(self.orders)}", json={"status": status}
                )
            case "return" if self.orders:
                await self.post(f"/v1/orders/{self.chance.choice(self.orders)}/returns", {"amount": 2_500})
            case "roll back" if self.redemptions:
                await self.post(f"/v1/redemptions/{self.chance.choice(self.redemptions)}/rollback", {})

    def account(self) -> dict[str, str]:
        return {"source_id": self.chance.choice(self.ACCOUNTS)["source_id"]}


CREDIT = "select coalesce(sum(balance), 0) from cards where project_id = $1"
STANDING = "select coalesce(sum(granted - clawed), 0) from referral_rewards where project_id = $1"


@pytest.mark.parametrize("seed", range(200 if PROVING else 8))
async def test_accounts_of_one_person_gain_nothing(app: App, seed: int) -> None:
    assert app.state is not None
    pool = app.state.pool
    chance = random.Random(seed)
    async with client_for(app, await create_project(pool, f"cheat {seed}")) as client:
        cheat = Cheat(client, chance)
        await cheat.open()
        for _ in range(chance.randint(4, 12)):
            await cheat.act()
            if chance.random() < 0.5:
                await jobs.run_due(pool, all_jobs())
        await jobs.run_due(pool, all_jobs())
        assert await pool.fetchval(CREDIT, client.project_id) == 0


@pytest.mark.parametrize("seed", range(100 if PROVING else 4))
async def test_rewards_are_what_is_on_cards_and_go_with_the_goods(app: App, seed: int) -> None:
    """Strangers refer each other: the books agree at any moment, and with the last order canceled nothing is left."""
    assert app.state is not None
    pool = app.state.pool
    chance = random.Random(seed)
    async with client_for(app, await create_project(pool, f"friends {seed}")) as client:
        friends = Cheat(client, chance)
        friends.ACCOUNTS = tuple({"source_id": f"s{n}", "email": f"s{n}@example.com"} for n in range(6))  # type: ignore[assignment]
        await friends.open()
        for _ in range(20):
            await friends.act()
            await jobs.run_due(pool, all_jobs())
            credit = await pool.fetchval(CREDIT, client.project_id)
            assert credit == await pool.fetchval(STANDING, client.project_id) >= 0
        for order in friends.orders:
            await client.put(f"/v1/orders/{order}", json={"status": "CANCELED"})
        await jobs.run_due(pool, all_jobs())
        assert await pool.fetchval(CREDIT, client.project_id) == 0
