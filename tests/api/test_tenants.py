"""Projects are apart (G-10): every operation with every kind of id, asked with another project's, answers as it does
for an id that exists nowhere; and with keys that are missing, wrong or revoked it answers nothing.

The matrix is made from the routes: a route or a parameter that has no place in the tables below fails the test.
"""

import inspect
import re
from typing import Any

import httpx
import pytest
import pytest_asyncio

from guerdon.app import routes
from guerdon.kit import db
from guerdon.kit.call import Route
from guerdon.kit.ids import PREFIXES, new_id
from guerdon.projects.bootstrap import add_key, create_project, revoke_key

from . import loyalty
from .checkout import TEN_OFF, ask, code, everything, post
from .conftest import client_for
from .named import NAMED_IN_PAYLOADS, NAMED_IN_QUERIES

SERVER_ROUTES = [route for route in routes() if route.access == "server"]
VOUCHER = {"type": "DISCOUNT_VOUCHER", "discount": TEN_OFF}
CAMPAIGN = {"name": "", "type": "STATIC", "voucher": VOUCHER}

# What stands in a path, and the kinds of names it takes.
PARAMETERS: dict[str, list[str]] = {
    "campaign_id": ["campaign", "campaign_name", "loyalty_campaign"],
    "code": ["voucher_code", "voucher"],
    "redemption_id": ["redemption", "rollback", "failed_redemption"],
    "parent_redemption_id": ["stack", "redemption"],
    "customer_id": ["customer", "customer_source_id"],
    "product_id": ["product", "product_source_id"],
    "sku_id": ["sku", "sku_source_id"],
    "order_id": ["order", "order_source_id"],
    "async_action_id": ["async_action"],
    "segment_id": ["segment"],
    "validation_rule_id": ["validation_rule"],
    "assignment_id": ["assignment"],
    "category_id": ["category"],
    "resource": ["metadata_schema", "schema_name"],
    "product_collection_id": ["collection"],
    "promotion_tier_id": ["promotion_tier"],
    "stack_id": ["promotion_stack"],
    "session_key": ["session"],
    **loyalty.PARAMETERS,
    "export_id": ["export"],
    "member_id": ["loyalty_member", "loyalty_card", "loyalty_card_code", "referral_code"],
    "holder_id": ["holder"],
}

# Routes that answer for nobody too: what somebody unknown would be.
FOR_ANYBODY = {"list_customer_segments"}

# What a route is sent; the others are sent nothing.
PAYLOADS: dict[str, Any] = {
    "create_campaign": CAMPAIGN | {"name": "New"},
    "update_campaign": {"description": "changed"},
    "add_campaign_vouchers": {},
    "add_campaign_voucher": {},
    "import_campaign_vouchers": [{"code": "IMPORTED"}],
    "import_campaign_vouchers_csv": None,
    "generate_voucher": VOUCHER,
    "create_voucher": VOUCHER,
    "update_voucher": {"metadata": {"a": 1}},
    "import_vouchers": [VOUCHER | {"code": "IMPORTED"}],
    "import_vouchers_csv": None,
    "validate": ask("NONE"),
    "redeem": ask("NONE"),
    "roll_back": {"reason": "theirs"},
    "roll_back_stack": {"reason": "theirs"},
    "return_goods": {"amount": 5},
    "update_balance": {"amount": 5},
    "cash_out_card": {"amount": 5},
    "look_up_balance": {},
    "activate_card": {"order": {"id": "ord_nowhere"}},
    "set_pin": {"pin": True},
    "create_customer": {"name": "New"},
    "update_customer": {"name": "Changed"},
    "create_product": {"name": "New"},
    "update_product": {"name": "Changed"},
    "create_sku": {"sku": "New"},
    "update_sku": {"sku": "Changed"},
    "create_order": {"amount": 5},
    "add_promotion_tier": {"name": "New", "action": {"discount": TEN_OFF}},
    "update_promotion_tier": {"name": "Changed"},
    "create_promotion_stack": {"name": "New", "tiers": {"ids": ["promo_nowhere"]}},
    "update_promotion_stack": {"name": "Changed"},
    "update_order": {"amount": 6},
    "create_export": {"exported_object": "order"},
    "export_orders": {},
    "export_loyalty_campaign_transactions": {},
    "export_loyalty_card_transactions": {},
    "export_loyalty_card_transactions_1": {},
    "export_points_expiration": {},
    "export_card_transactions": {},
    "export_campaign_transactions": {},
    "create_publication": {"customer": {"source_id": "x"}, "voucher": "NOWHERE"},
    "track_custom_event": {"event": "unheard", "customer": {"source_id": "x"}},
    "qualify": {"order": {"amount": 5000}},
    "validate_promotions": {"order": {"amount": 5000}},
    "qualify_vouchers": {"order": {"amount": 5000}},
    "qualify_campaigns": {"order": {"amount": 5000}},
    "validate_promotion_tier": {"order": {"amount": 5000}},
    "redeem_promotion_tier": {"order": {"amount": 5000}},
    "create_segment": {"name": "New"},
    "update_segment": {"name": "Changed"},
    "create_validation_rule": {"name": "New"},
    "update_validation_rule": {"name": "Changed"},
    "create_assignment": {"related_object_id": "MINE"},
    "create_category": {"name": "New"},
    "update_category": {"name": "Changed"},
    "create_metadata_schema": {"properties": {"a": {"type": "string"}}},
    "update_metadata_schema": {"properties": {"a": {"type": "string"}}},
    "create_product_collection": {"name": "New", "type": "STATIC"},
    "update_product_collection": {"name": "Changed"},
    "add_member_holders": {"holders": [{"source_id": "x"}]},
    "add_campaign_member_holders": {"holders": [{"source_id": "x"}]},
    **loyalty.PAYLOADS,
}

# Routes whose parameter names something that is made here, whatever others have.
MAKES = {("create_voucher", "code"), ("add_campaign_voucher", "code"), ("create_metadata_schema", "resource")}


@pytest_asyncio.fixture(scope="module")
async def theirs(app: Any, pool: db.Pool) -> Any:
    """Another project with one of everything: its client, and its ids by kind."""
    async with client_for(app, await create_project(pool, "theirs")) as client:
        ids: dict[str, str] = {}
        campaign = await post(client, "/v1/campaigns", CAMPAIGN | {"name": "Their campaign"})
        ids |= {"campaign": campaign["id"], "campaign_name": "Their campaign"}
        await post(client, "/v1/campaigns/Their campaign/vouchers/THEIR-CODE", {})
        ids["voucher_code"] = "THEIR-CODE"
        ids["voucher"] = (await client.get("/v1/vouchers/THEIR-CODE")).json()["id"]
        customer = {"source_id": "their-customer"}
        made = await post(client, "/v1/redemptions", ask("THEIR-CODE", customer=customer, order={
            "source_id": "their-order", "amount": 9_000,
        }))  # fmt: skip
        ids |= {"customer": made["redemptions"][0]["customer_id"], "customer_source_id": "their-customer"}
        ids |= {"order": made["order"]["id"], "order_source_id": "their-order"}
        ids["redemption"] = made["redemptions"][0]["id"]
        stack = await post(client, "/v1/redemptions", ask(await code(client), await code(client)))
        ids["stack"] = stack["parent_redemption"]["id"]
        gone = (await post(client, "/v1/redemptions", ask("THEIR-CODE")))["redemptions"][0]["id"]
        ids["rollback"] = (await post(client, f"/v1/redemptions/{gone}/rollback", {}))["id"]
        await post(client, "/v1/redemptions", ask("UNKNOWN"), 404)
        failed = await client.get("/v1/redemptions?filters[result][conditions][$is]=FAILURE")
        ids["failed_redemption"] = failed.json()["redemptions"][0]["id"]
        product = await post(
            client, "/v1/products", {"source_id": "their-product", "name": "P", "price": 700}
        )
        ids |= {"product": product["id"], "product_source_id": "their-product"}
        sku = await post(client, "/v1/products/their-product/skus", {"source_id": "their-sku", "sku": "S"})
        ids |= {"sku": sku["id"], "sku_source_id": "their-sku"}
        await promotions(client, ids)
        await rules(client, ids)
        action = await post(client, f"/v1/campaigns/{ids['campaign']}/vouchers?vouchers_count=5", {}, 202)
        ids["async_action"] = action["async_action_id"]
        ids["category"] = (await post(client, "/v1/categories", {"name": "Theirs"}))["id"]
        schema = await post(
            client, "/v1/metadata-schemas/their_kind", {"properties": {"a": {"type": "string"}}}
        )
        ids |= {"metadata_schema": schema["id"], "schema_name": "their_kind"}
        picked = {"name": "Theirs", "type": "STATIC", "products": [{"id": product["id"]}]}
        ids["collection"] = (await post(client, "/v1/product-collections", picked))["id"]
        held = await post(client, "/v1/validations", ask("THEIR-CODE", session={"type": "LOCK"}))
        ids["session"] = held["session"]["key"]
        await publications(client, ids)
        await books(client, ids)
        await referrals(client, ids)
        await loyalty.furnish(client, ids)
        await app.desk.validated.flush()  # counts are written a little later, and would be news
        yield client, ids


async def promotions(client: Any, ids: dict[str, str]) -> None:
    """A campaign of promotions with a tier and a stack."""
    tiers = [{"name": "Their tier", "action": {"discount": TEN_OFF}}]
    made = await post(client, "/v1/campaigns", {"name": "Their promotion", "promotion": {"tiers": tiers}})
    ids |= {"promotion": made["id"], "promotion_tier": made["promotion"]["tiers"][0]["id"]}
    stack = {"name": "Their stack", "tiers": {"ids": [ids["promotion_tier"]]}}
    ids["promotion_stack"] = (await post(client, f"/v1/promotions/{made['id']}/stacks", stack))["id"]


async def publications(client: Any, ids: dict[str, str]) -> None:
    """A code that was given to their customer."""
    body = {
        "customer": {"source_id": "their-customer"},
        "voucher": await code(client),
        "source_id": "their-letter",
    }
    made = await post(client, "/v1/publications", body)
    ids |= {"publication": made["id"], "publication_source_id": "their-letter"}


async def books(client: Any, ids: dict[str, str]) -> None:
    """Campaigns of gift cards and of loyalty cards with a card each, and an export."""
    cards = {"name": "Their cards", "voucher": {"gift": {"amount": 700}}, "vouchers_count": 1}
    ids["gift_campaign"] = (await post(client, "/v1/campaigns", cards))["id"]
    program = {
        "name": "Their club",
        "campaign_type": "LOYALTY_PROGRAM",
        "voucher": {"loyalty_card": {"points": 7}},
    }
    ids["loyalty_campaign"] = (await post(client, "/v1/campaigns", program))["id"]
    made = await post(client, "/v1/campaigns/Their club/vouchers/THEIR-MEMBER", {})
    ids |= {"loyalty_card": made["id"], "loyalty_card_code": "THEIR-MEMBER"}
    ids["export"] = (await post(client, "/v1/exports", {"exported_object": "order"}))["id"]


async def referrals(client: Any, ids: dict[str, str]) -> None:
    """A referral code with its referrer and a referee."""
    friends = {"name": "Their friends", "referral_program": {}, "voucher": CAMPAIGN["voucher"]}
    await post(client, "/v1/campaigns", friends)
    await post(client, "/v1/campaigns/Their friends/vouchers/THEIR-FRIEND", {})
    await post(client, "/v1/publications", {"customer": {"source_id": "referrer"}, "voucher": "THEIR-FRIEND"})
    named = {"holders": [{"source_id": "their-referee"}]}
    made = await post(client, "/v1/referrals/members/THEIR-FRIEND/holders", named)
    ids |= {"referral_code": "THEIR-FRIEND", "holder": made["holders"][0]["id"]}


async def rules(client: Any, ids: dict[str, str]) -> None:
    """A segment, and a rule that is assigned to their code."""
    listed = {"name": "Their segment", "customers": ["their-customer"]}
    ids["segment"] = (await post(client, "/v1/segments", listed))["id"]
    ids["validation_rule"] = (await post(client, "/v1/validation-rules", {"name": "Their rule"}))["id"]
    where = f"/v1/validation-rules/{ids['validation_rule']}/assignments"
    ids["assignment"] = (await post(client, where, {"related_object_id": ids["voucher"]}))["id"]


def unknown(kind: str) -> str:
    """A name of a kind that exists nowhere, of the same form."""
    return new_id(kind) if kind in PREFIXES else new_id("redemption" if kind == "stack" else "event")


def words(answer: httpx.Response, *names: str) -> tuple[int, str]:
    """Status and body, without what tells one request from another."""
    body = answer.text
    for name in sorted(names, key=len, reverse=True):
        body = body.replace(name, "<name>").replace(name.replace(" ", "%20"), "<name>")
    body = re.sub(r'"redeemed_quantity":\d+', '"redeemed_quantity":…', body)  # of our own code, used twice
    body = re.sub(r'"(request_id|date|created_at|updated_at)":"[^"]*"', r'"\1":"…"', body)
    return answer.status_code, re.sub(
        r'"(valid|r|rf|rr|ord|cust|v|ordli|camp|aa|val|seg|promo|stack|pc|lben|lern|lernei|lts|lprg|lcdef)_[0-9A-Za-z]{22}"',
        r'"\1_…"',
        body,
    )


async def call(client: Any, route: Route, path: str, **more: Any) -> httpx.Response:
    payload = PAYLOADS.get(route.handler.__name__)
    path += loyalty.QUERIES.get(route.handler.__name__, "")
    if payload is not None:
        return await client.request(route.method, path, json=payload, **more)
    if route.handler.__name__.endswith("_csv"):
        files = {"file": ("codes.csv", b"Code,Active\nIMPORTED,true\n", "text/csv")}
        return await client.request(route.method, path, files=files, **more)
    return await client.request(route.method, path, **more)


def in_path(route: Route) -> list[str]:
    return re.findall(r"{(\w+)}", route.path)


@pytest.mark.parametrize("route", SERVER_ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_every_route_has_its_place_in_the_matrix(route: Route) -> None:
    assert set(in_path(route)) <= PARAMETERS.keys(), "say in PARAMETERS what may stand in this path"
    takes = "data" in inspect.signature(route.handler).parameters or route.streams
    assert not takes or route.handler.__name__ in PAYLOADS, "say in PAYLOADS what this route is sent"


def test_the_tables_name_nothing_that_is_gone() -> None:
    handlers = {route.handler.__name__ for route in SERVER_ROUTES}
    assert PAYLOADS.keys() <= handlers
    assert {name for name, _ in MAKES} <= handlers
    paths = {f"{route.method} {route.path}" for route in SERVER_ROUTES}
    assert {path for path, _, _ in NAMED_IN_PAYLOADS} <= paths


@pytest.mark.parametrize(
    "route", [r for r in SERVER_ROUTES if in_path(r)], ids=lambda route: f"{route.method} {route.path}"
)
async def test_another_projects_ids_in_the_path(
    client: Any, theirs: Any, pool: db.Pool, route: Route
) -> None:
    stranger, ids = theirs
    before = await everything(pool, stranger.project_id), await everything(pool, client.project_id)
    asked = [name for name in in_path(route) if (route.handler.__name__, name) not in MAKES]
    if not asked:
        return await makes_its_own(client, theirs, route)
    for parameter in asked:
        for kind in PARAMETERS[parameter]:
            stand_in = unknown(kind)
            theirs_path = nothing_path = route.path
            for name in in_path(route):
                other = ids[PARAMETERS[name][0]] if name in asked else "MINE"
                theirs_path = theirs_path.replace(f"{{{name}}}", ids[kind] if name == parameter else other)
                nothing_path = nothing_path.replace(f"{{{name}}}", stand_in if name == parameter else other)
            answer = await call(client, route, theirs_path)
            nothing = await call(client, route, nothing_path)
            assert answer.status_code == (200 if route.handler.__name__ in FOR_ANYBODY else 404), (
                kind,
                answer.text,
            )
            assert words(answer, ids[kind]) == words(nothing, stand_in), kind
    assert before == (await everything(pool, stranger.project_id), await everything(pool, client.project_id))
    return None


async def makes_its_own(client: Any, theirs: Any, route: Route) -> None:
    """A name that others have is free here, and what is made is ours."""
    stranger, ids = theirs
    name, read = MADE[in_path(route)[-1]]
    path = route.path.replace(f"{{{in_path(route)[-1]}}}", ids[name])
    assert (await call(client, route, path)).status_code == 200
    mine = (await client.get(read % ids[name])).json()
    assert mine["id"] != (await stranger.get(read % ids[name])).json()["id"]


# What is made under a name: the kind of name, and where it is read.
MADE = {"code": ("voucher_code", "/v1/vouchers/%s"), "resource": ("schema_name", "/v1/metadata-schemas/%s")}


async def test_a_sku_of_theirs_under_a_product_of_ours(client: Any, theirs: Any) -> None:
    _, ids = theirs
    await post(client, "/v1/products", {"source_id": "ours", "name": "Ours"})
    for method in ("PUT", "DELETE"):
        for kind in ("sku", "sku_source_id"):
            stand_in = unknown(kind)
            answer = await client.request(method, f"/v1/products/ours/skus/{ids[kind]}", json={"sku": "x"})
            nothing = await client.request(method, f"/v1/products/ours/skus/{stand_in}", json={"sku": "x"})
            assert answer.status_code == 404
            assert words(answer, ids[kind]) == words(nothing, stand_in)


async def test_a_session_of_theirs_on_a_code_of_ours(client: Any, theirs: Any) -> None:
    _, ids = theirs
    await code(client, name="MINE")
    stand_in = unknown("session")
    answer = await client.delete(f"/v1/vouchers/MINE/sessions/{ids['session']}")
    nothing = await client.delete(f"/v1/vouchers/MINE/sessions/{stand_in}")
    assert answer.status_code == 404
    assert words(answer, ids["session"]) == words(nothing, stand_in)


@pytest.mark.parametrize(("where", "kind", "payload"), NAMED_IN_PAYLOADS)
async def test_another_projects_ids_in_a_payload(
    client: Any, theirs: Any, pool: db.Pool, where: str, kind: str, payload: str
) -> None:
    stranger, ids = theirs
    await code(client, name="MINE")
    path, stand_in = where.split(" ")[1], unknown(kind)
    if "{" in path:
        await post(client, "/v1/campaigns", {"name": "MINE", "campaign_type": "PROMOTION"})
        rule = await post(client, "/v1/validation-rules", {"name": "Mine"})
        path = path.format(campaign_id="MINE", code="MINE", validation_rule_id=rule["id"])
    before = await everything(pool, stranger.project_id)
    headers = {"Content-Type": "application/json"}
    answer = await client.post(path, content=payload % ids[kind], headers=headers)
    nothing = await client.post(path, content=payload % stand_in, headers=headers)
    assert words(answer, ids[kind]) == words(nothing, stand_in)
    assert await everything(pool, stranger.project_id) == before


@pytest.mark.parametrize(("path", "kind"), NAMED_IN_QUERIES)
async def test_another_projects_ids_in_a_query(client: Any, theirs: Any, path: str, kind: str) -> None:
    _, ids = theirs
    stand_in = unknown(kind)
    answer, nothing = await client.get(path % ids[kind]), await client.get(path % stand_in)
    assert words(answer, ids[kind]) == words(nothing, stand_in)
    if answer.status_code == 200:
        body = answer.json()
        assert body[body.get("data_ref", "data")] == [], "nothing is listed"


@pytest.mark.parametrize(
    "route",
    [r for r in SERVER_ROUTES if r.method == "GET" and r.kind == "read" and not in_path(r)],
    ids=lambda route: route.path,
)
async def test_lists_show_nothing_of_others(client: Any, theirs: Any, route: Route) -> None:
    answer = await client.get(route.path)
    assert answer.status_code == 200
    body = answer.json()
    assert body[body.get("data_ref", "data")] == []
    assert body.get("total", 0) == 0


@pytest.mark.parametrize("route", SERVER_ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_keys_that_open_nothing(
    client: Any, theirs: Any, pool: db.Pool, app: Any, route: Route
) -> None:
    """Missing, unknown, wrong and revoked keys: 401 in words that do not tell which, and nothing changes."""
    stranger, ids = theirs
    path = route.path
    for name in in_path(route):
        path = path.replace(f"{{{name}}}", ids[PARAMETERS[name][0]])
    revoked = await add_key(pool, stranger.project_id)
    async with client_for(app, revoked) as former:
        assert (await former.get("/v1/customers")).status_code == 200
        await revoke_key(pool, stranger.project_id, revoked.app_id)
        app.front.keys._known.clear()
        before = await everything(pool, stranger.project_id)
        refused = [
            await call(former, route, path),
            await call(stranger, route, path, headers={"X-App-Token": "wrong"}),
            await call(stranger, route, path, headers={"X-App-Token": client.credentials.app_token}),
            await call(stranger, route, path, headers={"X-App-Id": "unknown"}),
        ]
        assert {answer.status_code for answer in refused} == {401}
        assert len({words(answer) for answer in refused}) == 1
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://guerdon.test"
        ) as bare:
            assert (await call(bare, route, path)).status_code == 401
        assert await everything(pool, stranger.project_id) == before


@pytest.mark.parametrize("route", SERVER_ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_a_role_that_may_not(client: Any, pool: db.Pool, app: Any, route: Route) -> None:
    """A merchant's key may not use what takes several codes at once; everything else it may."""
    path = re.sub(r"{\w+}", "nothing", route.path)
    stacked = route.handler.__name__ in ("validate", "redeem", "roll_back_stack")
    before = await everything(pool, client.project_id)
    async with client_for(app, await add_key(pool, client.project_id, role="merchant")) as merchant:
        answer = await call(merchant, route, path)
        assert (answer.status_code == 403) is stacked, answer.text
        if stacked:
            assert answer.json()["key"] == "missing_required_permission"
            after = await everything(pool, client.project_id)
            assert {name: rows for name, rows in after.items() if name != "api_keys"} == {
                name: rows for name, rows in before.items() if name != "api_keys"
            }
