"""What the lists of loyalty show, may be ordered by, and filtered by."""

from typing import LiteralString, cast

from guerdon.kit.filters import Field
from guerdon.loyalty.cursors import CursorListing
from guerdon.loyalty.parts import KINDS, Kind

Sorts = dict[str, tuple[LiteralString, bool]]
_CREATED: Sorts = {"created_at": ("p.created_at", True)}
_NAME: Sorts = {"name": ('(p.name collate "C")', False)}
_NAMED: Sorts = _CREATED | _NAME
_SORTS: Sorts = {"type": ("p.type", False), "status": ("p.status", False)}
_FIELDS = {
    "id": Field("p.id"),
    "name": Field("p.name"),
    "created_at": Field("p.created_at", "date"),
}
_MORE_FIELDS = {
    "type": Field("p.type"),
    "status": Field("p.status"),
    "updated_at": Field("p.updated_at", "date"),
}


def _parts(kind: Kind) -> CursorListing:
    return CursorListing(
        prefix=kind.cursor,
        columns="p.id, p.kind, p.name, p.type, p.status, p.body, p.metadata, p.taken, p.created_at, p.updated_at",
        source="loyalty_parts p",
        where="p.project_id = $1 and p.kind = $2 and p.status <> 'DELETED'",
        id="p.id",
        fields=_FIELDS | {name: _MORE_FIELDS[name] for name in kind.filters},
        sorts=_NAMED | {name: _SORTS[name] for name in kind.sorts},
    )


def activities(shown: str, cursor: str) -> CursorListing:
    """What happened to $2. An activity's id is its event's under a name of its own."""
    prefix = cast(LiteralString, shown)  # of the table of kinds
    return CursorListing(
        prefix=cursor,
        columns="e.id, e.type, e.data, e.created_at, e.request_id",
        source="events e",
        where="e.project_id = $1 and e.entity_id = $2 and e.type like 'vl.%'",
        id="e.id",
        fields={
            "id": Field("'" + prefix + "' || substr(e.id, 4)"),
            "type": Field("e.type"),
            "created_at": Field("e.created_at", "date"),
        },
        sorts={"created_at": ("e.created_at", True)},
    )


PARTS = {name: _parts(kind) for name, kind in KINDS.items()}
ACTIVITIES = {name: activities(kind.activity, kind.activity_cursor) for name, kind in KINDS.items()}
PROGRAM_ACTIVITIES = activities("laprg_", "lcrsapr_")

PROGRAMS = CursorListing(
    prefix="lcrsprg_",
    columns=(
        "p.id, p.name, p.status, p.start_date, p.end_date, p.validity_hours, p.settings, p.metadata, p.created_at,"
        " p.updated_at"
    ),
    source="loyalty_programs p",
    where="p.project_id = $1 and p.status <> 'DELETED'",
    id="p.id",
    fields=_FIELDS | {"status": Field("p.status")},
    sorts=_NAMED,
)
TIERS = CursorListing(
    prefix="lcrst_",
    columns="p.id, p.structure_id, p.name, p.body, p.metadata, p.created_at, p.updated_at",
    source="loyalty_tiers p",
    where="p.project_id = $1 and p.structure_id = $2",
    id="p.id",
    fields={},
    sorts=_NAMED,
)


def _assignments(cursor: str) -> CursorListing:
    return CursorListing(
        prefix=cursor,
        columns="p.id, p.program_id, p.part_id, p.kind, p.body, p.stock, p.redeemed, p.created_at, p.updated_at",
        source="loyalty_assignments p",
        where="p.project_id = $1 and p.program_id = $2 and p.kind = $3",
        id="p.part_id",
        fields={},
        sorts=_CREATED,
    )


ASSIGNMENTS = {
    "card_definition": _assignments("lcrscdefa_"),
    "earning_rule": _assignments("lcrserna_"),
    "reward": _assignments("lcrsrewa_"),
    "tier_structure": _assignments("lcrstsa_"),
}
