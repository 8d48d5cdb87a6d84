"""``/v2/loyalties``: programs with what belongs to them, and the parts that they are made of."""

from typing import Any

import msgspec

from guerdon.kit.call import Call, Route
from guerdon.loyalty import define, listing, programs, tiers
from guerdon.loyalty.faces import activity, listed, routes
from guerdon.loyalty.parts import BENEFIT, CARD_DEFINITION, EARNING_RULE, REWARD, TIER_STRUCTURE
from guerdon.loyalty.programs_store import AssignmentRow, ProgramRow
from guerdon.loyalty.shapes_programs import (
    Batch,
    BatchDone,
    CursorList,
    Program,
    ProgramActivity,
    ProgramCard,
    ProgramChange,
    ProgramCreated,
    ProgramIn,
    ProgramReward,
    ProgramRule,
    ProgramTiers,
    RewardBatch,
    StockChange,
)
from guerdon.loyalty.shapes_tiers import Tier, TierChange, TierIn
from guerdon.loyalty.store import EventRow, TierRow


async def list_programs(
    call: Call, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[Program]:
    """List loyalty programs.

    `order` is of created_at and name, with a dash before a name to reverse it; `filters[field][conditions][$is]` on
    id, name, status and created_at; `cursor` goes on where a page ended.
    """
    return await listed(call, ProgramRow, listing.PROGRAMS, programs.shown_program, ())


async def create_program(call: Call, data: ProgramIn) -> ProgramCreated:
    """Create a loyalty program, with parts if they are named.

    One that is to be active needs an active card definition and an active earning rule (423 otherwise).
    """
    return await programs.create(call, data)


async def get_program(call: Call, program_id: str) -> Program:
    """Read a loyalty program."""
    return programs.shown_program(await programs.found(call.db, call.project_id, program_id))


async def update_program(call: Call, program_id: str, data: ProgramChange) -> Program:
    """Change a loyalty program; what is absent stays.

    Once it is no draft, name and metadata alone may change.
    """
    return programs.shown_program(await programs.change(call, program_id, data))


async def delete_program(call: Call, program_id: str) -> Program:
    """Delete a loyalty program, and answer what it was.

    Its parts stay for other programs.
    """
    return programs.shown_program(await programs.remove(call, program_id))


async def activate_program(call: Call, program_id: str) -> Program:
    """Make a loyalty program active.

    From draft or inactive. It needs an active card definition and an active earning rule, and a tier structure that
    it has must be active (423 otherwise).
    """
    return programs.shown_program(await programs.move(call, program_id, "activate"))


async def deactivate_program(call: Call, program_id: str) -> Program:
    """Switch an active loyalty program off: nothing is earned or spent until it is active again."""
    return programs.shown_program(await programs.move(call, program_id, "deactivate"))


async def list_program_activities(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[ProgramActivity]:
    """List what happened to a loyalty program, the latest first."""
    await programs.found(call.db, call.project_id, program_id)

    def shown(row: EventRow) -> ProgramActivity:
        return msgspec.convert(activity(row, "laprg_") | {"program_id": program_id}, ProgramActivity)

    return await listed(call, EventRow, listing.PROGRAM_ACTIVITIES, shown, (program_id,))


async def _assigned(call: Call, program_id: str, kind: str) -> CursorList[Any]:
    await programs.found(call.db, call.project_id, program_id)
    return await listed(
        call, AssignmentRow, listing.ASSIGNMENTS[kind], programs.shown_assignment, (program_id, kind)
    )


async def _batch(call: Call, program_id: str, kind: str, data: Batch | RewardBatch) -> BatchDone[Any]:
    given, taken = await programs.batch(call, program_id, kind, data.assign, data.unassign)
    shown = programs.shown_assignment
    return BatchDone(
        assigned=None if given is None else [shown(row) for row in given],
        unassigned=None if taken is None else [shown(row) for row in taken],
    )


async def list_program_card_definitions(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[ProgramCard]:
    """List the card definitions of a program: of each, its members hold a card."""
    return await _assigned(call, program_id, "card_definition")


async def batch_program_card_definitions(call: Call, program_id: str, data: Batch) -> BatchDone[ProgramCard]:
    """Take card definitions from a program and give it others, all or none.

    While it is a draft; only active definitions are given.
    """
    return await _batch(call, program_id, "card_definition", data)


async def list_program_earning_rules(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[ProgramRule]:
    """List the earning rules of a program."""
    return await _assigned(call, program_id, "earning_rule")


async def batch_program_earning_rules(call: Call, program_id: str, data: Batch) -> BatchDone[ProgramRule]:
    """Take earning rules from a program and give it others, all or none.

    An active program keeps one that is active at least.
    """
    return await _batch(call, program_id, "earning_rule", data)


async def list_program_tier_structures(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[ProgramTiers]:
    """List the tier structure of a program, if it has one."""
    return await _assigned(call, program_id, "tier_structure")


async def batch_program_tier_structures(call: Call, program_id: str, data: Batch) -> BatchDone[ProgramTiers]:
    """Take the tier structure from a program, or give it one.

    Only a draft loses its tiers; only an active structure is given.
    """
    return await _batch(call, program_id, "tier_structure", data)


async def list_program_rewards(
    call: Call, program_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[ProgramReward]:
    """List the rewards of a program, with their stock and how many are gone."""
    return await _assigned(call, program_id, "reward")


async def batch_program_rewards(call: Call, program_id: str, data: RewardBatch) -> BatchDone[ProgramReward]:
    """Take rewards from a program and give it others with their stock, all or none."""
    return await _batch(call, program_id, "reward", data)


async def update_program_reward(
    call: Call, program_id: str, reward_id: str, data: StockChange
) -> ProgramReward:
    """Say anew how many of a reward a program has; those that are gone stay gone."""
    row = await programs.set_stock(call, program_id, reward_id, data.stock)
    answer = programs.shown_assignment(row)
    assert isinstance(answer, ProgramReward)
    return answer


async def list_tiers(
    call: Call, tier_structure_id: str, limit: int = 10, order: str = "-created_at", cursor: str | None = None
) -> CursorList[Tier]:
    """List the tiers of a structure."""
    await define.found(call.db, call.project_id, TIER_STRUCTURE, tier_structure_id)
    return await listed(call, TierRow, listing.TIERS, tiers.shown_tier, (tier_structure_id,))


async def create_tier(call: Call, tier_structure_id: str, data: TierIn) -> Tier:
    """Add a tier to a structure, which may have 100."""
    return tiers.shown_tier(await tiers.create(call, tier_structure_id, data))


async def update_tier(call: Call, tier_structure_id: str, tier_id: str, data: TierChange) -> Tier:
    """Change a tier; what is absent stays.

    Once its structure is no draft, name and metadata alone may change.
    """
    return tiers.shown_tier(await tiers.change(call, tier_structure_id, tier_id, data))


async def delete_tier(call: Call, tier_structure_id: str, tier_id: str) -> Tier:
    """Delete a tier, and answer what it was.

    While earning rules name it or members are in it that is refused.
    """
    return tiers.shown_tier(await tiers.remove(call, tier_structure_id, tier_id))


_PROGRAMS = "/v2/loyalties/programs"
_PROGRAM = _PROGRAMS + "/{program_id}"
_TIERS = "/v2/loyalties/tier-structures/{tier_structure_id}/tiers"
_TAG, _TIER_TAG = "Loyalty programs", "Loyalty tiers"

_ASSIGNED: list[tuple[str, Any, Any]] = [
    ("card-definitions", list_program_card_definitions, batch_program_card_definitions),
    ("earning-rules", list_program_earning_rules, batch_program_earning_rules),
    ("tier-structures", list_program_tier_structures, batch_program_tier_structures),
    ("rewards", list_program_rewards, batch_program_rewards),
]

ROUTES = [
    Route(method="GET", path=_PROGRAMS, handler=list_programs, tag=_TAG),
    Route(method="POST", path=_PROGRAMS, handler=create_program, tag=_TAG, kind="write"),
    Route(method="GET", path=_PROGRAM, handler=get_program, tag=_TAG),
    Route(method="PUT", path=_PROGRAM, handler=update_program, tag=_TAG, kind="write"),
    Route(method="DELETE", path=_PROGRAM, handler=delete_program, tag=_TAG, kind="write"),
    Route(method="POST", path=_PROGRAM + "/activate", handler=activate_program, tag=_TAG, kind="write"),
    Route(method="POST", path=_PROGRAM + "/deactivate", handler=deactivate_program, tag=_TAG, kind="write"),
    Route(method="GET", path=_PROGRAM + "/activities", handler=list_program_activities, tag=_TAG),
    *(Route(method="GET", path=f"{_PROGRAM}/{name}", handler=of, tag=_TAG) for name, of, _ in _ASSIGNED),
    *(
        Route(method="POST", path=f"{_PROGRAM}/{name}/batch", handler=batch, tag=_TAG, kind="write")
        for name, _, batch in _ASSIGNED
    ),
    Route(
        method="PUT",
        path=_PROGRAM + "/rewards/{reward_id}",
        handler=update_program_reward,
        tag=_TAG,
        kind="write",
    ),
    *routes(CARD_DEFINITION, "Loyalty cards"),
    *routes(EARNING_RULE, "Loyalty earning rules"),
    *routes(REWARD, "Loyalty rewards"),
    *routes(BENEFIT, "Loyalty benefits"),
    *routes(TIER_STRUCTURE, _TIER_TAG),
    Route(method="GET", path=_TIERS, handler=list_tiers, tag=_TIER_TAG),
    Route(method="POST", path=_TIERS, handler=create_tier, tag=_TIER_TAG, kind="write"),
    Route(method="PUT", path=_TIERS + "/{tier_id}", handler=update_tier, tag=_TIER_TAG, kind="write"),
    Route(method="DELETE", path=_TIERS + "/{tier_id}", handler=delete_tier, tag=_TIER_TAG, kind="write"),
]
