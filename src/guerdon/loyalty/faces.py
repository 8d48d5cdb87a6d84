"""The operations that all kinds of parts have, made from the table of kinds: one set of handlers, five faces."""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec

from guerdon.kit import clock
from guerdon.kit.call import Call, Route
from guerdon.loyalty import cursors, define, listing
from guerdon.loyalty.parts import VERBS, Kind, Verb
from guerdon.loyalty.shapes_programs import Cursor, CursorList
from guerdon.loyalty.store import EventRow, PartRow

Handler = Callable[..., Awaitable[Any]]
MOVED: dict[Verb, str] = {
    "activate": "Make {a} {noun} active: what it says counts from now on.",
    "deactivate": "Switch {a} {noun} off; it may be made active again.",
    "draft": "Make {a} {noun} a draft again, that may be changed freely.",
}
CHANGED: dict[str, str] = {
    "card_definition": "Once there are cards, name, metadata and payment with points alone may change.",
    "earning_rule": "What sets it off stays as it is once the rule is no draft any more.",
    "reward": "Once it is no draft, name, metadata, refunds, dates, hours and costs alone may change.",
    "benefit": "Once it is active, name and stock alone may change.",
    "tier_structure": "Once it is no draft, name and metadata alone may change.",
}


def routes(kind: Kind, tag: str) -> list[Route]:
    """The routes of a kind: list, create, read, change, delete, its moves, and what happened to it."""
    every, one = f"/v2/loyalties/{kind.path}", f"/v2/loyalties/{kind.path}/{{{kind.name}_id}}"
    table = [
        Route(method="GET", path=every, handler=_list(kind), tag=tag),
        Route(method="POST", path=every, handler=_create(kind), tag=tag, kind="write"),
        Route(method="GET", path=one, handler=_get(kind), tag=tag),
        Route(method="PUT", path=one, handler=_change(kind), tag=tag, kind="write"),
        Route(method="DELETE", path=one, handler=_delete(kind), tag=tag, kind="write"),
        Route(method="GET", path=f"{one}/activities", handler=_activities(kind), tag=tag),
    ]
    for verb in VERBS:
        if verb in kind.moves:
            table.append(
                Route(method="POST", path=f"{one}/{verb}", handler=_move(kind, verb), tag=tag, kind="write")
            )
    return table


def _list(kind: Kind) -> Handler:
    async def handler(call: Call, **given: Any) -> Any:
        return await listed(
            call, PartRow, listing.PARTS[kind.name], lambda row: define.shown(kind, row), (kind.name,)
        )

    name, sorts = f"list_{kind.name}s", ", ".join(sorted({"created_at", "name", *kind.sorts}))
    return _named(handler, name, CursorList[kind.answer], f"""List {kind.noun}s.

        `order` is of {sorts}, with a dash before a name to reverse it; `filters[field][conditions][$operator]`
        narrows the list; `cursor` goes on where a page ended.
    """, **PAGING)  # fmt: skip


def _create(kind: Kind) -> Handler:
    async def handler(call: Call, data: Any) -> Any:
        return define.shown(kind, await define.create(call, kind, data))

    text = f"Create {_a(kind)} {kind.noun}.\n\nA draft, if nothing else is said."
    return _named(handler, f"create_{kind.name}", kind.answer, text, data=kind.create)


def _get(kind: Kind) -> Handler:
    async def handler(call: Call, **given: str) -> Any:
        part_id = given[f"{kind.name}_id"]
        return define.shown(kind, await define.found(call.db, call.project_id, kind, part_id))

    return _of_one(kind, handler, f"get_{kind.name}", kind.answer, f"Read {_a(kind)} {kind.noun}.")


def _change(kind: Kind) -> Handler:
    async def handler(call: Call, data: Any, **given: str) -> Any:
        return define.shown(kind, await define.change(call, kind, given[f"{kind.name}_id"], data))

    text = f"Change {_a(kind)} {kind.noun}; what is absent stays.\n\n{CHANGED[kind.name]}"
    return _of_one(kind, handler, f"update_{kind.name}", kind.answer, text, data=kind.change)


def _delete(kind: Kind) -> Handler:
    async def handler(call: Call, **given: str) -> Any:
        return define.shown(kind, await define.remove(call, kind, given[f"{kind.name}_id"]))

    text = (
        f"Delete {_a(kind)} {kind.noun}, and answer what it was.\n\nWhile something names it that is refused."
    )
    return _of_one(kind, handler, f"delete_{kind.name}", kind.answer, text)


def _move(kind: Kind, verb: Verb) -> Handler:
    async def handler(call: Call, **given: str) -> Any:
        return define.shown(kind, await define.move(call, kind, given[f"{kind.name}_id"], verb))

    allowed, _ = kind.moves[verb]
    states = " or ".join(state.lower() for state in allowed)
    text = MOVED[verb].format(a=_a(kind), noun=kind.noun) + f"\n\nFrom {states} only."
    return _of_one(kind, handler, f"{verb}_{kind.name}", kind.answer, text)


def _activities(kind: Kind) -> Handler:
    async def handler(call: Call, **given: Any) -> Any:
        part_id = given[f"{kind.name}_id"]
        await define.found(call.db, call.project_id, kind, part_id)

        def shown(row: EventRow) -> Any:
            told = activity(row, kind.activity) | {f"{kind.name}_id": part_id}
            return msgspec.convert(told, kind.activity_answer)

        return await listed(call, EventRow, listing.ACTIVITIES[kind.name], shown, (part_id,))

    text = f"List what happened to {_a(kind)} {kind.noun}, the latest first."
    answer = CursorList[kind.activity_answer]
    return _of_one(kind, handler, f"list_{kind.name}_activities", answer, text, **PAGING)


PAGING: dict[str, Any] = {"limit": (int, 10), "order": (str, "-created_at"), "cursor": (str | None, None)}
"""Query parameters of lists, for the document; cursors.py reads them."""


def activity(row: EventRow, prefix: str) -> dict[str, Any]:
    """An event as activities show it."""
    told = {
        "id": prefix + row.id.partition("_")[2],
        "type": row.type,
        "data": row.data,
        "created_at": clock.iso(row.created_at),
    }
    return told | ({} if row.request_id is None else {"group_id": row.request_id})


async def listed(
    call: Call,
    into: type[Any],
    source: cursors.CursorListing,
    shape: Callable[[Any], Any],
    args: tuple[Any, ...],
) -> CursorList[Any]:
    """A page of a list, each row in its shape. Raises `ApiError` 400 for a query that cannot be."""
    found = await cursors.page(
        call.db, into, source, call.project_id, call.query, args=args, zone=call.caller.timezone
    )
    cursor = None
    if found.next is not None:
        assert found.expires_at is not None
        cursor = Cursor(next=found.next, expires_at=found.expires_at)
    return CursorList(data=[shape(row) for row in found.rows], cursor=cursor)


def _a(kind: Kind) -> str:
    return "an" if kind.noun[0] in "aeiou" else "a"


def _of_one(kind: Kind, handler: Handler, name: str, answer: Any, text: str, **more: Any) -> Handler:
    return _named(handler, name, answer, text, **{f"{kind.name}_id": str}, **more)


def _named(handler: Handler, name: str, answer: Any, text: str, **parameters: Any) -> Handler:
    """A handler that says of itself what one written by hand would: its name, what it takes, answers and does."""
    taken = [inspect.Parameter("call", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=Call)]
    for parameter, meant in parameters.items():
        annotation, default = meant if isinstance(meant, tuple) else (meant, inspect.Parameter.empty)
        taken.append(
            inspect.Parameter(
                parameter, inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=annotation, default=default
            )
        )
    taken.sort(key=lambda each: each.default is not inspect.Parameter.empty)
    handler.__signature__ = inspect.Signature(taken, return_annotation=answer)  # type: ignore[attr-defined]
    handler.__name__, handler.__doc__ = name, inspect.cleandoc(text)
    return handler
