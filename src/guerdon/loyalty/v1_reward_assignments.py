"""Which reward belongs to which program of the older API, for how many points."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from msgspec.structs import replace

from guerdon.definitions.changes import Kind, changed
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.errors import ApiError, Fault, duplicate, invalid_payload, not_found
from guerdon.kit.ids import new_id
from guerdon.kit.outbox import Event, emit
from guerdon.kit.paging import Field, Listing, page
from guerdon.loyalty import programs_store, v1_rewards
from guerdon.loyalty.shapes import MAX_NUMBER
from guerdon.loyalty.v1_members import ProgramRef, program_of
from guerdon.loyalty.v1_names import older, stored
from guerdon.loyalty.v1_rewards import OlderReward, RewardRow
from guerdon.validation_rules.assign import assign_all, forget

MOST = 1000
"""So many rewards a program may have."""

COLUMNS = """
    a.id, a.program_id, a.part_id, a.kind, a.body, a.redeemed, a.created_at, a.updated_at, p.name as program,
    t.body -> 'costs' as costs
"""
SOURCE = """
    loyalty_assignments a
    join loyalty_programs p on p.project_id = $1 and p.id = a.program_id and p.status <> 'DELETED' and p.settings ? 'v1'
    join loyalty_parts t on t.project_id = $1 and t.id = a.part_id and t.status = 'ACTIVE'
"""
WHERE = "a.project_id = $1 and a.kind in ('reward', 'coin')"
FIND = f"select {COLUMNS} from {SOURCE} where {WHERE} and a.id = $2"
OF_PROGRAM = (
    f"select {COLUMNS} from {SOURCE} where {WHERE} and a.program_id = $2 order by a.created_at, a.part_id"
)
LOCK = FIND + " for update of a"
UPDATE = "update loyalty_assignments set body = $3, updated_at = now() where project_id = $1 and id = $2"
COSTS = "update loyalty_parts set body = jsonb_set(body, '{costs}', $3) where project_id = $1 and id = $2"
LOCK_PROGRAM = "select id from loyalty_programs where project_id = $1 and id = $2 for update"
AUTOMATIC = """
    select id from loyalty_assignments
    where project_id = $1 and program_id = $2 and body ->> 'auto_redeem' = 'true' and id <> $3
"""
COUNT = "select count(*) from loyalty_assignments where project_id = $1 and program_id = $2 and kind in ('reward', 'coin')"

_LISTING = Listing(
    name="data",
    columns=COLUMNS,
    source=SOURCE,
    where=WHERE + " and a.program_id = $2 and ($3::text is null or a.id = $3)",
    id="a.id",
    fields={"id": Field("a.id")},
    sorts={"created_at": "a.created_at", "updated_at": "a.updated_at"},
)
BY_PROGRAM = _LISTING
BY_REWARD = replace(_LISTING, where=WHERE + " and a.part_id = $2")

Points = Annotated[int, Meta(ge=1, le=MAX_NUMBER)]
Id = Annotated[str, Meta(min_length=1, max_length=200)]


class LoyaltyIn(Struct, kw_only=True):
    """The price, and whether the reward is bought as soon as there are points enough."""

    points: Points | None = None
    auto_redeem: bool | None = None


class CostIn(Struct, kw_only=True):
    """What it costs."""

    loyalty: LoyaltyIn | None = None


class ToProgram(Struct, kw_only=True):
    """A program to have a reward. `validation_rules` are for payment with points, which has no price."""

    campaign: Id
    parameters: CostIn | None = None
    validation_rules: list[Id] | None = None


class OfReward(Struct, kw_only=True):
    """A reward for a program."""

    reward: Id
    parameters: CostIn | None = None
    validation_rules: list[Id] | None = None


OfRewards = Annotated[list[OfReward], Meta(min_length=1, max_length=100)]


class AssignmentChange(Struct, kw_only=True):
    """What is to change of an assignment; absent stays."""

    parameters: CostIn | None = None


class LoyaltyOut(Struct, kw_only=True):
    """The price."""

    points: int
    auto_redeem: bool | UnsetType | None = UNSET


class CostOut(Struct, kw_only=True):
    """What it costs."""

    loyalty: LoyaltyOut


class RewardAssignment(Struct, kw_only=True):
    """A reward in a program."""

    id: str
    reward_id: str
    created_at: str
    updated_at: str | None
    related_object_id: str
    related_object_type: Literal["campaign"] = "campaign"
    parameters: CostOut | UnsetType = UNSET
    object: Literal["reward_assignment"] = "reward_assignment"


class AssignmentsMade(RewardAssignment, kw_only=True):
    """The first of the assignments that were made, as the reference answers; `data` are all of them."""

    data: list[RewardAssignment]


class RewardAssignments(Struct, kw_only=True):
    """A page of assignments."""

    object: str = "list"
    data_ref: str = "data"
    data: list[RewardAssignment]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


class Row(Struct, kw_only=True):
    """An assignment with its program's name and what the newer API says that the reward costs."""

    id: str
    program_id: str
    part_id: str
    kind: str
    body: dict[str, Any]
    redeemed: int
    created_at: datetime
    updated_at: datetime | None
    program: str
    costs: list[dict[str, Any]] | None

    @property
    def points(self) -> int | None:
        """The price: the one of the assignment, else of the newer API for this program's cards."""
        said = self.body.get("points")
        if said is not None:
            return said
        card = stored("card_definition", self.program_id)
        spendings = (one for cost in self.costs or () for one in cost["spending"])
        return next((one["points"] for one in spendings if one["card_definition_id"] == card), None)


def shown(row: Row, points: int | None = None) -> RewardAssignment:
    """The row as the older API has it; with another price, for members of a tier."""
    price = row.points if points is None else points
    return RewardAssignment(
        id=row.id,
        reward_id=older("reward", row.part_id),
        created_at=iso(row.created_at),
        updated_at=None if row.updated_at is None else iso(row.updated_at),
        related_object_id=older("campaign", row.program_id),
        parameters=UNSET
        if price is None
        else CostOut(loyalty=LoyaltyOut(points=price, auto_redeem=row.body.get("auto_redeem", UNSET))),
    )


async def assign(call: Call, reward_name: str, data: ToProgram) -> RewardAssignment:
    """A reward given to a program. Raises `ApiError` 404, 400, 409 where the program has it."""
    program = await _program(call, data.campaign)
    reward = await _reward(call, reward_name)
    row = await _assign(call, program, reward, data.parameters, data.validation_rules, "")
    await _tell(call, program, [row], "created")
    return shown(row)


async def assign_many(call: Call, campaign: str, data: Sequence[OfReward]) -> AssignmentsMade:
    """Rewards given to a program, all or none. Raises `ApiError` 404, 400, 409."""
    program = await _program(call, campaign)
    rows: list[Row] = []
    for index, each in enumerate(data):
        reward = await _reward(call, each.reward)
        rows.append(
            await _assign(call, program, reward, each.parameters, each.validation_rules, f"[{index}].")
        )
    await _tell(call, program, rows, "created")
    made = [shown(row) for row in rows]
    return AssignmentsMade(**structs.asdict(made[0]), data=made)


async def _program(call: Call, campaign: str) -> ProgramRef:
    """A program of the older API, locked: before its parts."""
    program = await program_of(call, campaign)
    await db.execute(call.conn, LOCK_PROGRAM, call.project_id, program.id)
    return program


async def _reward(call: Call, name: str) -> RewardRow:
    found = await v1_rewards.hold(call, name)
    if found is None:
        raise not_found("reward", name)
    return found


async def _assign(
    call: Call,
    program: ProgramRef,
    reward: RewardRow,
    cost: CostIn | None,
    rules: list[str] | None,
    path: str,
) -> Row:
    said = None if cost is None else cost.loyalty
    coin = reward.kind == "coin"
    if coin and said is not None and said.points is not None:
        raise invalid_payload(Fault(f"{path}parameters", "payment with points has a rate and no price"))
    if not coin and (said is None or said.points is None):
        raise ApiError(
            400, "missing_param", "Missing required parameter",
            f"{path}parameters.loyalty.points is required: what the reward costs",
            faults=[Fault(f"{path}parameters.loyalty.points", "is required")],
        )  # fmt: skip
    if not coin and rules:
        raise invalid_payload(Fault(f"{path}validation_rules", "belong to payment with points"))
    target = ((reward.body.get("v1") or {}).get("parameters") or {}).get("campaign") or {}
    if target.get("id") == program.campaign_id:
        raise invalid_payload(Fault(f"{path}campaign", "would pay points for its own points"))
    if await db.value(call.conn, COUNT, call.project_id, program.id) >= MOST:
        raise invalid_payload(Fault(path.rstrip("."), f"a program may have {MOST} rewards"))
    body = _body({}, said)
    row = await programs_store.assign(
        call.conn, call.project_id, program.id, reward.id, reward.kind, None, body
    )
    if row is None or row.id is None:
        raise duplicate("reward_assignment", older("reward", reward.id), f"{path}reward")
    await _only_one(call, program.id, row.id, body, path)
    await _price(call, reward, program.id, body)
    await assign_all(
        call.conn, call.project_id, rules, row.id, "reward_assignment",
        request_id=call.request_id, path=f"{path}validation_rules",
    )  # fmt: skip
    return await found(call, row.id, None, None)


def _body(before: dict[str, Any], said: LoyaltyIn | None) -> dict[str, Any]:
    body = dict(before)
    if said is not None:
        body |= {} if said.points is None else {"points": said.points}
        body |= {} if said.auto_redeem is None else {"auto_redeem": said.auto_redeem}
    return body


async def _only_one(call: Call, program_id: str, assignment_id: str, body: dict[str, Any], path: str) -> None:
    """One reward of a program is bought by itself, or none."""
    if not body.get("auto_redeem"):
        return
    other = await db.value(call.conn, AUTOMATIC, call.project_id, program_id, assignment_id)
    if other is not None:
        where = f"{path}parameters.loyalty.auto_redeem"
        raise invalid_payload(Fault(where, f"the program has one that is: {other}"))


async def _price(call: Call, reward: RewardRow, program_id: str, body: dict[str, Any] | None) -> None:
    """Have the reward's own costs, which the newer API shows, say what it costs in a program; None: not there."""
    if not reward.own or reward.kind != "reward":
        return
    card = stored("card_definition", program_id)
    costs = [
        cost for cost in reward.body.get("costs") or () if cost["spending"][0]["card_definition_id"] != card
    ]
    if body is not None:
        spending = {"id": new_id("reward_spending"), "points": body["points"], "card_definition_id": card}
        costs.append({"id": new_id("reward_cost"), "spending": [spending]})
    await db.execute(call.conn, COSTS, call.project_id, reward.id, costs)
    reward.body["costs"] = costs


async def change(
    call: Call, name: str, data: AssignmentChange, campaign: str | None, reward: str | None
) -> RewardAssignment:
    """An assignment with another price. Raises `ApiError` 404, 400."""
    row, part, program = await _locked(call, name, campaign, reward)
    said = None if data.parameters is None else data.parameters.loyalty
    if said is not None and said.points is not None and row.kind == "coin":
        raise invalid_payload(Fault("parameters", "payment with points has a rate and no price"))
    body = _body(row.body, said)
    await _only_one(call, row.program_id, row.id, body, "")
    await db.execute(call.conn, UPDATE, call.project_id, row.id, body)
    if body.get("points") is not None:
        await _price(call, part, row.program_id, body)
    written = await found(call, row.id, None, None)
    await _tell(call, program, [written], "updated")
    return shown(written)


async def remove(call: Call, name: str, campaign: str | None, reward: str | None) -> None:
    """Take a reward from a program. Raises `ApiError` 404."""
    row, part, program = await _locked(call, name, campaign, reward)
    await programs_store.unassign(call.conn, call.project_id, row.program_id, row.part_id)
    await _price(call, part, row.program_id, None)
    await forget(call.conn, call.project_id, [row.id], request_id=call.request_id)
    await _tell(call, program, [row], "deleted")


async def _locked(
    call: Call, name: str, campaign: str | None, reward: str | None
) -> tuple[Row, RewardRow, ProgramRef]:
    before = await found(call, name, campaign, reward)
    program = await _program(call, older("campaign", before.program_id))
    part = await _reward(call, older("reward", before.part_id))
    row = await db.row(call.conn, Row, LOCK, call.project_id, name)
    if row is None:
        raise not_found("reward_assignment", name)
    return row, part, program


async def found(call: Call, name: str, campaign: str | None, reward: str | None) -> Row:
    """An assignment, which a program or a reward may have to own. Raises `ApiError` 404."""
    program = None if campaign is None else await program_of(call, campaign)
    row = await db.row(call.db, Row, FIND, call.project_id, name)
    if (
        row is None
        or (program is not None and row.program_id != program.id)
        or (reward is not None and row.part_id != stored("reward", reward))
    ):
        raise not_found("reward_assignment", name)
    return row


async def reward_of(call: Call, campaign: str, name: str) -> OlderReward:
    """The reward of an assignment. Raises `ApiError` 404."""
    row = await found(call, name, campaign, None)
    return await v1_rewards.read(call, older("reward", row.part_id))


async def of_program(conn: db.Db, project_id: str, program_id: str) -> list[Row]:
    """All rewards of a program, the oldest first."""
    return await db.rows(conn, Row, OF_PROGRAM, project_id, program_id)


async def listed(call: Call, campaign: str, assignment_id: str | None) -> RewardAssignments:
    """A page of a program's assignments. Raises `ApiError` 404, 400 for a query that cannot be."""
    program = await program_of(call, campaign)
    return await _page(call, BY_PROGRAM, (program.id, assignment_id))


async def listed_of(call: Call, reward: str) -> RewardAssignments:
    """A page of the programs that have a reward. Raises `ApiError` 404, 400 for a query that cannot be."""
    row = await v1_rewards.find(call.db, call.project_id, reward)
    if row is None:
        raise not_found("reward", reward)
    return await _page(call, BY_REWARD, (row.id,))


async def _page(call: Call, listing: Listing, args: tuple[Any, ...]) -> RewardAssignments:
    found = await page(
        call.db, Row, listing, call.project_id, call.query, args=args, zone=call.caller.timezone
    )
    return RewardAssignments(
        data=[shown(row) for row in found.rows],
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or UNSET,
    )


async def _tell(call: Call, program: ProgramRef, rows: Sequence[Row], what: str) -> None:
    """Events, and that definitions changed: a write's last act."""
    events = [
        Event(
            f"campaign.reward.assignment.{what}", program.campaign_id, None,
            {"reward_assignment": {"id": row.id}, "reward": {"id": older("reward", row.part_id)}},
        )
        for row in rows
    ]  # fmt: skip
    await emit(call.conn, call.project_id, events, call.request_id)
    changes: list[tuple[Kind, str]] = [("loyalty", row.part_id) for row in rows]
    await changed(call.conn, call.project_id, [("loyalty", program.id), *changes])
