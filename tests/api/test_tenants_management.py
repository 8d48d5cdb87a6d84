"""G-10 at the management door: a management key opens its own project and nothing else, nothing else opens it.

Like test_tenants.py the matrix is made from the routes; what is new has to be given its place in the tables.
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
from guerdon.kit.ids import new_id
from guerdon.projects.bootstrap import add_key, add_management_key, create_project, revoke_key

from .checkout import everything, post
from .conftest import client_for
from .test_tenants import SERVER_ROUTES, call, words

ROUTES = [route for route in routes() if route.access == "management"]

# What stands in a path beside the project, and what kind of id it is.
PARAMETERS = {
    "stacking_rules_id": "stacking_rules",
    "metadata_schema_id": "metadata_schema",
    "custom_event_schema_id": "custom_event_schema",
}

PAYLOADS: dict[str, Any] = {
    "create_stacking_rules": {"redeemables_application_mode": "PARTIAL"},
    "update_stacking_rules": {"redeemables_application_mode": "PARTIAL"},
    "create_project_metadata_schema": {"related_object": "order", "properties": {}},
    "update_project_metadata_schema": {"allow_defined_only": True},
    "create_custom_event_schema": {"name": "read", "schema": {"properties": {}}},
    "update_custom_event_schema": {"schema": {"properties": {"pages": {"type": "number"}}}},
}

# Lists of ids in stacking rules: another project's are as good as none.
CATEGORIES = [
    "exclusive_categories", "joint_categories", "initial_amount_mode_categories",
    "discounted_amount_mode_categories", "no_effect_skip_categories", "no_effect_redeem_anyway_categories",
]  # fmt: skip


def naming(routes: list[Route]) -> Any:
    return pytest.mark.parametrize("route", routes, ids=lambda route: f"{route.method} {route.path}")


def named(route: Route) -> list[str]:
    return [name for name in re.findall(r"{(\w+)}", route.path) if name != "project_id"]


def address(route: Route, project_id: str, ids: dict[str, str]) -> str:
    path = route.path.replace("{project_id}", project_id)
    for name in named(route):
        path = path.replace(f"{{{name}}}", ids[PARAMETERS[name]])
    return path


async def send(client: Any, route: Route, path: str, **headers: str) -> httpx.Response:
    return await client.request(
        route.method, path, json=PAYLOADS.get(route.handler.__name__), headers=headers
    )


def management(app: Any, made: Any) -> httpx.AsyncClient:
    headers = {"X-Management-Id": made.management_id, "X-Management-Token": made.management_token}
    transport = httpx.ASGITransport(app)
    return httpx.AsyncClient(transport=transport, base_url="http://guerdon.test", headers=headers, timeout=60)


@pytest_asyncio.fixture(scope="module")
async def theirs(app: Any, pool: db.Pool) -> Any:
    """Another project with stacking rules and a schema: the client of its manager, its id, and its ids by kind."""
    made = await create_project(pool, "theirs")
    async with management(app, await add_management_key(pool, made.project_id)) as manager:
        at = f"/management/v1/projects/{made.project_id}"
        rules = await post(manager, f"{at}/stacking-rules", {"applicable_redeemables_limit": 3})
        schema = await post(
            manager, f"{at}/metadata-schemas", {"related_object": "customer", "properties": {}}
        )
        event = await post(manager, f"{at}/custom-event-schemas", {"name": "theirs"})
        async with client_for(app, made) as client:
            category = await post(client, "/v1/categories", {"name": "Theirs"})
        ids = {"stacking_rules": rules["id"], "metadata_schema": schema["id"], "category": category["id"]}
        ids["custom_event_schema"] = event["id"]
        yield manager, made.project_id, ids


@pytest_asyncio.fixture
async def ours(client: Any, pool: db.Pool, app: Any) -> Any:
    """The client of our manager."""
    async with management(app, await add_management_key(pool, client.project_id)) as manager:
        yield manager


@naming(ROUTES)
def test_every_route_has_its_place_in_the_matrix(route: Route) -> None:
    assert route.path.startswith("/management/v1/projects/{project_id}/")
    assert set(named(route)) <= PARAMETERS.keys(), "say in PARAMETERS what may stand in this path"
    takes = "data" in inspect.signature(route.handler).parameters
    assert takes == (route.handler.__name__ in PAYLOADS), "say in PAYLOADS what this route is sent"


@naming(ROUTES)
async def test_another_project(client: Any, ours: Any, theirs: Any, pool: db.Pool, route: Route) -> None:
    """Its address is nobody's, and its ids are unknown below our own address."""
    _, project_id, ids = theirs
    stand_ins = {kind: new_id(kind) for kind in ids}
    before = await everything(pool, project_id), await everything(pool, client.project_id)
    nobody = new_id("project")
    answer = await send(ours, route, address(route, project_id, ids))
    nothing = await send(ours, route, address(route, nobody, stand_ins))
    assert answer.status_code == 404
    assert words(answer, project_id, *ids.values()) == words(nothing, nobody, *stand_ins.values())
    for name in named(route):
        kind = PARAMETERS[name]
        answer = await send(ours, route, address(route, client.project_id, ids))
        nothing = await send(ours, route, address(route, client.project_id, stand_ins))
        assert answer.status_code == 404
        assert words(answer, ids[kind]) == words(nothing, stand_ins[kind])
    assert before == (await everything(pool, project_id), await everything(pool, client.project_id))


@pytest.mark.parametrize("member", [*CATEGORIES, "applicable_redeemables_category_limits"])
async def test_another_projects_category(client: Any, ours: Any, theirs: Any, member: str) -> None:
    _, _, ids = theirs
    at = f"/management/v1/projects/{client.project_id}/stacking-rules"
    answers = []
    for category in (ids["category"], new_id("category")):
        body = {member: [category] if member in CATEGORIES else {category: 2}}
        answer = await ours.post(at, json=body)
        assert answer.status_code == 400
        answers.append(words(answer, category))
    assert answers[0] == answers[1]


@naming(ROUTES)
async def test_keys_that_open_nothing(
    client: Any, theirs: Any, pool: db.Pool, app: Any, route: Route
) -> None:
    """Missing, unknown, wrong and revoked keys: 401 in words that do not tell which, and nothing changes."""
    manager, project_id, ids = theirs
    path = address(route, project_id, ids)
    revoked = await add_management_key(pool, project_id)
    async with management(app, revoked) as former:
        at = f"/management/v1/projects/{project_id}"
        assert (await former.get(f"{at}/metadata-schemas")).status_code == 200
        await revoke_key(pool, project_id, revoked.management_id)
        app.front.keys._known.clear()
        before = await everything(pool, project_id)
        refused = [
            await send(former, route, path),
            await send(manager, route, path, **{"X-Management-Token": "wrong"}),
            await send(manager, route, path, **{"X-Management-Id": "unknown"}),
        ]
        assert {answer.status_code for answer in refused} == {401}
        assert len({words(answer) for answer in refused}) == 1
        assert (await send(client, route, path)).status_code == 401, "a server key has other headers"
        assert await everything(pool, project_id) == before


@pytest.mark.parametrize("role", ["server", "merchant"])
@naming(ROUTES)
async def test_roles_that_may_not(
    client: Any, theirs: Any, pool: db.Pool, app: Any, route: Route, role: str
) -> None:
    """Keys of a shop do not open the management door, not even in its headers, not even of the same project."""
    _, project_id, ids = theirs
    made = await add_key(pool, project_id, role=role)
    before = await everything(pool, project_id)
    headers = {"X-Management-Id": made.app_id, "X-Management-Token": made.app_token}
    answer = await send(client, route, address(route, project_id, ids), **headers)
    assert (answer.status_code, answer.json()["key"]) == (403, "missing_required_permission")
    assert await everything(pool, project_id) == before


@naming(SERVER_ROUTES)
async def test_a_management_key_opens_no_shop(client: Any, pool: db.Pool, app: Any, route: Route) -> None:
    made = await add_key(pool, client.project_id, role="management")
    before = await everything(pool, client.project_id)
    async with client_for(app, made) as manager:
        answer = await call(manager, route, re.sub(r"{\w+}", "nothing", route.path))
    assert (answer.status_code, answer.json()["key"]) == (403, "missing_required_permission"), answer.text
    assert await everything(pool, client.project_id) == before
