"""A checkout as a whole: drawn shops with rules, limits, promotions and stacking, over the real application.

What a validation says a redemption then does, no total is negative, and afterwards the books and every tally agree
with a plain recount, whatever was redeemed and taken back.
"""

import os
from typing import Any

from api.checkout import post, stacking
from api.conftest import Client, client_for
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st
from msgspec import Struct, field

from guerdon.app import App
from guerdon.engine.tally import LIMITS
from guerdon.kit import db
from guerdon.projects.bootstrap import create_project
from guerdon.verify import INVARIANTS
from laws.recount import miscounted

from .draw import discounts, gifts

EXAMPLES = 1_000 if os.environ.get("GUERDON_PROVE") == "1" else 25
PRODUCTS = ["prod_0", "prod_1", "prod_2"]
CODES = ["A1", "A2", "B1", "B2", "LONE"]
NAMES = sorted(name for name in LIMITS if not name.endswith("per_user"))
BUDGETS = ["product_campaign_quantity_limit", "product_customer_campaign_quantity_limit", "quantity_limit"]


class Plan(Struct):
    """A shop, and what happens in it. Rules are (their body, the place of what they are put on)."""

    stacking: dict[str, Any]
    discounts: list[dict[str, Any]]
    policies: list[str]
    rules: list[tuple[dict[str, Any], int]]
    quantity: int
    steps: list[dict[str, Any]]


class Run(Struct):
    """A plan being carried out."""

    client: Client
    things: list[tuple[str, str]] = field(default_factory=list)
    tiers: list[str] = field(default_factory=list)
    made: list[tuple[str, bool, int]] = field(default_factory=list)


@st.composite
def conditions(draw: st.DrawFn) -> dict[str, Any]:
    """A limit that is soon reached, or a look at the order."""
    if draw(st.integers(0, 3)) == 0:
        name = draw(st.sampled_from(["order.amount", "order.total_amount", "order.items.count"]))
        operator = draw(st.sampled_from(["$more_than", "$less_than"]))
        return {
            "name": name,
            "conditions": {operator: [draw(st.integers(0, 4 if "items" in name else 9_000))]},
        }
    name = draw(st.sampled_from(NAMES))
    most = draw(st.integers(0, 20_000) if LIMITS[name].measure != "n" else st.integers(1, 4))
    return {"name": name, "conditions": {"$less_than_or_equal": [most]}}


@st.composite
def rules(draw: st.DrawFn) -> dict[str, Any]:
    """Up to two conditions, and perhaps the products that a discount is for."""
    some = draw(st.lists(conditions(), max_size=2))
    body: dict[str, Any] = {"rules": {str(number): one for number, one in enumerate(some, 1)}}
    if len(some) == 2:
        body["rules"]["logic"] = draw(st.sampled_from(["1 and 2", "1 or 2"]))
    if draw(st.integers(0, 2)) == 0:
        entry = {"object": "product", "id": draw(st.sampled_from(PRODUCTS))}
        if draw(st.booleans()):
            entry[draw(st.sampled_from(BUDGETS))] = draw(st.integers(1, 5))
        body["applicable_to"] = {"included": [entry]}
    return body


@st.composite
def checkouts(draw: st.DrawFn) -> dict[str, Any]:
    """Codes and promotions (by their place) for somebody's basket."""
    return {
        "codes": draw(st.lists(st.sampled_from([*CODES, "NOBODY"]), unique=True, max_size=3)),
        "tiers": draw(st.lists(st.integers(0, 1), unique=True, max_size=2)),
        "customer": draw(st.sampled_from([None, "alice", "bob"])),
        "lines": draw(
            st.lists(
                st.tuples(st.sampled_from(PRODUCTS), st.integers(0, 3_000), st.integers(1, 4)), max_size=3
            )
        ),
        "session": draw(st.sampled_from([None, None, None, "one", "other"])),
    }


@st.composite
def rollbacks(draw: st.DrawFn) -> dict[str, Any]:
    """Which redemption, and how much of it in thousandths; None for all of it."""
    return {"back": draw(st.integers(0, 50)), "part": draw(st.one_of(st.none(), st.integers(1, 1000)))}


SETTINGS = {
    "applicable_redeemables_limit": st.integers(1, 5),
    "redeemables_application_mode": st.sampled_from(["ALL", "PARTIAL"]),
    "redeemables_sorting_rule": st.sampled_from(["REQUESTED_ORDER", "REQUESTED_ORDER", "BEST_DEAL"]),
    "redeemables_products_application_mode": st.sampled_from(["STACK", "ONCE"]),
    "discount_calculation_mode": st.sampled_from(["DISCOUNTED_AMOUNT", "INITIAL_AMOUNT"]),
    "redeemables_no_effect_rule": st.sampled_from(["REDEEM_ANYWAY", "SKIP"]),
    "redeemables_rollback_order_mode": st.sampled_from(["WITH_ORDER", "WITHOUT_ORDER"]),
    "margin_floor_percent": st.sampled_from([0, 0, 40]),
}

plans = st.builds(
    Plan,
    stacking=st.fixed_dictionaries(SETTINGS),
    discounts=st.lists(st.one_of(discounts(), discounts(), gifts()), min_size=5, max_size=5),
    policies=st.lists(st.sampled_from(["STRICT", "LAST_IN_FULL", "PARTIAL"]), min_size=3, max_size=3),
    rules=st.lists(st.tuples(rules(), st.integers(0, 10)), max_size=4),
    quantity=st.integers(1, 4),
    steps=st.lists(st.one_of(checkouts(), checkouts(), rollbacks()), min_size=2, max_size=12),
)


@settings(
    max_examples=EXAMPLES, deadline=None, database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)  # fmt: skip
@given(plans)
async def test_a_validation_is_true_and_the_books_agree(app: App, plan: Plan) -> None:
    assert app.state is not None
    pool = app.state.pool
    async with client_for(app, await create_project(pool, "drawn shop")) as client:
        run = Run(client)
        await _set_up(run, plan, pool)
        for step in plan.steps:
            if "back" in step:
                await _take_back(run, step)
            else:
                await _check_out(run, step)
        await _audit(pool, client.project_id)
        event(f"{min(len(run.made), 5)} checkouts succeeded")


async def _set_up(run: Run, plan: Plan, pool: db.Pool) -> None:
    client = run.client
    await stacking(pool, client, **plan.stacking)
    for place, name in enumerate("AB"):
        voucher = {"discount": plan.discounts[place], "redemption": {"quantity": None}}
        body = {"name": name, "type": "AUTO_UPDATE", "voucher": voucher}
        made = await post(client, "/v1/campaigns", body | {"options": {"limit_policy": plan.policies[place]}})
        run.things.append(("campaign", made["id"]))
        for code in CODES[2 * place : 2 * place + 2]:
            await post(client, f"/v1/campaigns/{name}/vouchers/{code}", {})
            run.things.append(("voucher", code))
    lone = {
        "type": "DISCOUNT_VOUCHER",
        "discount": plan.discounts[2],
        "redemption": {"quantity": plan.quantity},
    }
    await post(client, "/v1/vouchers/LONE", lone)
    tiers = [{"name": f"t{n}", "action": {"discount": plan.discounts[3 + n]}} for n in range(2)]
    promotion: dict[str, Any] = {"campaign_type": "PROMOTION", "promotion": {"tiers": tiers}}
    promotion |= {"name": "P", "options": {"limit_policy": plan.policies[2]}}
    made = await post(client, "/v1/campaigns", promotion)
    run.tiers = [tier["id"] for tier in made["promotion"]["tiers"]]
    run.things += [("campaign", made["id"]), ("voucher", "LONE")]
    run.things += [("promotion_tier", tier) for tier in run.tiers]
    for body, place in plan.rules:
        rule = await post(client, "/v1/validation-rules", {"name": "drawn", **body})
        kind, thing = run.things[place % len(run.things)]
        given = {"related_object_type": kind, "related_object_id": thing}
        await post(client, f"/v1/validation-rules/{rule['id']}/assignments", given)


async def _check_out(run: Run, step: dict[str, Any]) -> None:
    redeemables = [{"object": "voucher", "id": code} for code in step["codes"]]
    redeemables += [{"object": "promotion_tier", "id": run.tiers[place]} for place in step["tiers"]]
    if not redeemables:
        return
    items = [{"product_id": name, "price": price, "quantity": count} for name, price, count in step["lines"]]
    body: dict[str, Any] = {
        "redeemables": redeemables,
        "order": {"items": items} if items else {"amount": 7_000},
    }
    if step["customer"]:
        body["customer"] = {"source_id": step["customer"]}
    if step["session"]:
        body["session"] = {"type": "LOCK", "key": step["session"], "ttl": 1, "ttl_unit": "HOURS"}
    said = await run.client.post("/v1/validations", json=body)
    done = await run.client.post("/v1/redemptions", json=body)
    if said.status_code != 200:
        assert done.status_code == said.status_code < 500
        return
    promised = said.json()
    assert promised["valid"] is (done.status_code == 200), (promised, done.text)
    if not promised["valid"]:
        assert 400 <= done.status_code < 500
        return
    made = done.json()
    _same(promised, made)
    whole = made.get("parent_redemption", made["redemptions"][0])["id"]
    total = sum(one["order"].get("total_applied_discount_amount", 0) for one in made["redemptions"])
    run.made.append((whole, "parent_redemption" in made, total))


def _same(promised: dict[str, Any], made: dict[str, Any]) -> None:
    """What was redeemed is what was promised, and no total is negative."""
    asked = [(one["object"], one["id"]) for one in promised["redeemables"] if one["status"] == "APPLICABLE"]
    done = [(one["related_object_type"], _name(one)) for one in made["redemptions"]]
    assert asked == done
    for name in ("amount", "total_discount_amount", "total_amount"):
        assert promised["order"].get(name) == made["order"].get(name)
        assert (made["order"].get(name) or 0) >= 0
    for one in made["redemptions"]:
        assert one["order"]["total_amount"] >= 0 and one["order"].get("total_applied_discount_amount", 0) >= 0
    for item in made["order"].get("items", ()):
        assert item.get("subtotal_amount", 0) >= 0


def _name(one: dict[str, Any]) -> str:
    return one["voucher"]["code"] if one["related_object_type"] == "voucher" else one["related_object_id"]


async def _take_back(run: Run, step: dict[str, Any]) -> None:
    if not run.made:
        return
    name, stack, total = run.made[step["back"] % len(run.made)]
    body = {} if step["part"] is None else {"amount": max(1, total * step["part"] // 1000)}
    end = "rollbacks" if stack else "rollback"
    answer = await run.client.post(f"/v1/redemptions/{name}/{end}", json=body)
    assert answer.status_code in (200, 400), answer.text


async def _audit(pool: db.Pool, project_id: str) -> None:
    async with pool.acquire() as conn:
        for invariant in INVARIANTS:
            rows = await db.records(conn, invariant.sql, project_id)
            assert [(invariant.name, dict(row)) for row in rows] == []
    assert await miscounted(pool, project_id) == []
