"""Bodies that are lists: whatever is wrong in one, the answer names the place, as `[1].points`."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from msgspec.inspect import (
    FloatType,
    IntType,
    ListType,
    LiteralType,
    Metadata,
    StrType,
    StructType,
    Type,
    UnionType,
    type_info,
)

from guerdon.app import routes
from guerdon.kit.call import Route

from .conftest import Client
from .loyalty import ok
from .test_loyalty_v1 import club, join

Wrap = Callable[[Any], Any]
DEEPEST = 4
LARGEST = 2**53 - 1


def _payload(route: Route) -> Any:
    data = inspect.signature(route.handler).parameters.get("data")
    return None if data is None or route.streams else data.annotation


def _bare(kind: Type) -> Type:
    while isinstance(kind, Metadata):
        kind = kind.type
    return kind


LISTS = [
    route for route in routes() if _payload(route) and isinstance(_bare(type_info(_payload(route))), ListType)
]


def faults(kind: Type, path: str, wrap: Wrap, depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Bodies with one fault each, of a wrong type or beyond a bound, and the place where it is."""
    kind = _bare(kind)
    if depth > DEEPEST:
        return
    match kind:
        case StructType():
            yield path, wrap(5)
            for field in kind.fields:
                name = field.encode_name
                within: Wrap = lambda value, name=name: wrap({name: value})  # noqa: E731
                yield from faults(field.type, f"{path}.{name}", within, depth + 1)
        case ListType():
            yield path, wrap(5)
            yield from faults(kind.item_type, f"{path}[0]", lambda value: wrap([value]), depth + 1)
        case IntType() | FloatType():
            yield path, wrap({"no": "number"})
            if kind.ge is not None:
                yield path, wrap(int(kind.ge) - 1)
            if (
                kind.le is not None and kind.le < LARGEST
            ):  # what is larger is refused as JSON, without a place
                yield path, wrap(int(kind.le) + 1)
        case StrType():
            yield path, wrap([])
            if kind.max_length is not None:
                yield path, wrap("x" * (kind.max_length + 1))
            if kind.min_length:
                yield path, wrap("")
        case LiteralType():
            yield path, wrap("no such thing")
        case UnionType():
            kinds = [_bare(each) for each in kind.types]
            for each in kinds:
                if len(kinds) <= 2 or isinstance(each, StructType):
                    yield from faults(each, path, wrap, depth)
        case _:
            pass


def test_there_are_bodies_that_are_lists() -> None:
    assert {route.path.rsplit("/", 1)[1] for route in LISTS} >= {
        "earning-rules",
        "tiers",
        "transfers",
        "rewards",
    }


@pytest.mark.parametrize("route", LISTS, ids=[f"{route.method} {route.path}" for route in LISTS])
async def test_every_fault_names_its_place(client: Client, route: Route) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    path = route.path.format(campaign_id=made["id"], member_id=card["code"])
    kind = _bare(type_info(_payload(route)))
    assert isinstance(kind, ListType)
    bodies = [("", {}), ("", []), *faults(kind.item_type, "[0]", lambda value: [value])]
    assert len(bodies) > 8
    for place, body in bodies:
        answer = await client.request(route.method, path, json=body)
        told = answer.json()
        assert (answer.status_code, told["key"]) == (400, "invalid_payload"), (body, told)
        assert [one["path"] for one in told["errors"]] == [place], (body, told)
        assert told["errors"][0]["message"] and "the payload" not in told["errors"][0]["message"]


async def test_the_faulty_one_of_many_is_named(client: Client) -> None:
    made = await club(client)
    card = await join(client, made["id"])
    path = f"/v1/loyalties/{made['id']}/members/{card['code']}/transfers"
    good = {"code": "A", "points": 1, "source_id": "s"}
    answer = await client.post(path, json=[good, good, good | {"points": -5}])
    assert [one["path"] for one in answer.json()["errors"]] == ["[2].points"]
    assert (await ok(client, "GET", f"/v1/loyalties/members/{card['code']}"))["loyalty_card"]["balance"] == 0


async def test_choices_within_a_body_name_their_place(client: Client) -> None:
    """What is no list is told by the same decoder."""
    answer = await client.post(
        "/v1/loyalties", json={"name": "x", "voucher": {"loyalty_card": {"points": -1}}}
    )
    assert [one["path"] for one in answer.json()["errors"]] == ["voucher.loyalty_card.points"]
    assert msgspec.json.decode(answer.content)["key"] == "invalid_payload"
