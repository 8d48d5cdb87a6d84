"""The older ways to ask for codes and for campaigns of codes: the same decisions in the shapes of their time."""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import asdict

from guerdon.campaigns import answers as campaign_answers
from guerdon.campaigns.shape import Campaign, CampaignRow
from guerdon.kit import db
from guerdon.kit.call import Call
from guerdon.kit.clock import iso
from guerdon.kit.ids import new_id
from guerdon.qualifications import older, store
from guerdon.qualifications.filters import Filters
from guerdon.qualifications.judge import Verdict
from guerdon.qualifications.look import Look, look
from guerdon.qualifications.pages import Wanted, page
from guerdon.qualifications.scenarios import SCENARIOS, Scenario
from guerdon.qualifications.streams import CODES
from guerdon.redemptions import answers
from guerdon.redemptions.desk import Desk
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.store import with_rules

MOST = 50
NEWEST = "-created_at"
OF_CUSTOMERS = SCENARIOS["AUDIENCE_ONLY"].groups

Limit = Annotated[int, Meta(ge=1, le=MOST)]
VoucherOrder = Literal["created_at", "-created_at", "updated_at", "-updated_at", "code", "-code"]
CampaignOrder = Literal[
    "created_at", "-created_at", "updated_at", "-updated_at", "type", "-type", "code", "-code", "category", "-category",
    "campaign", "-campaign",
]  # fmt: skip
T = TypeVar("T")


class QualifiedVoucher(Voucher, kw_only=True):
    """A code that qualifies, and the products that its discount is for."""

    applicable_to: dict[str, Any]
    inapplicable_to: dict[str, Any]


class QualifiedVouchers(Struct, omit_defaults=True, kw_only=True):
    """The codes for anybody that qualify. `total` counts what is listed."""

    object: str
    data_ref: str
    data: list[QualifiedVoucher]
    total: int
    id: str
    created_at: str
    tracking_id: str | UnsetType = UNSET


class QualifiedCampaigns(Struct, omit_defaults=True, kw_only=True):
    """The campaigns of codes that qualify. `total` counts what is listed."""

    object: str
    data_ref: str
    data: list[Campaign]
    total: int
    id: str
    created_at: str
    tracking_id: str | UnsetType = UNSET


async def qualify_vouchers(
    call: Call,
    data: older.PromotionsIn,
    audienceRulesOnly: bool = False,
    limit: Limit = MOST,
    order: VoucherOrder = NEWEST,
) -> QualifiedVouchers:
    """List the codes for anybody that apply to a cart, in the older shape.

    `audienceRulesOnly` asks only the rules about the customer. POST /v1/qualifications does more.
    """
    scenario = Scenario(tiers=False, own=False, groups=OF_CUSTOMERS if audienceRulesOnly else None)
    async with call.state.pool.acquire() as conn:
        at, found = await _found(call, conn, data, scenario, limit if order == NEWEST else CODES)
        listed = _ordered(found, order, _of_voucher)[:limit]
        vouchers = [_voucher(at, verdict) for verdict in listed]
        await with_rules(conn, call.project_id, vouchers)
    return QualifiedVouchers(object="list", data_ref="data", data=vouchers, total=len(vouchers), **_about(at))


async def qualify_campaigns(
    call: Call,
    data: older.PromotionsIn,
    audienceRulesOnly: bool = False,
    limit: Limit = MOST,
    order: CampaignOrder = NEWEST,
) -> QualifiedCampaigns:
    """List the campaigns an unused code of which would apply to a cart, in the older shape.

    Promotions and campaigns of one code are not among them. `audienceRulesOnly` asks only the rules about the
    customer.
    """
    groups = OF_CUSTOMERS if audienceRulesOnly else None
    scenario = Scenario(tiers=False, standalone=False, own=False, campaigns=True, groups=groups)
    async with call.state.pool.acquire() as conn:
        at, found = await _found(call, conn, data, scenario, limit if order == NEWEST else CODES)
        rows = await store.campaign_rows(conn, call.project_id, [one.offer.id for one in found])
        listed = [rows[one.offer.id] for one in found if one.offer.id in rows]
        listed = _ordered(listed, order, _of_campaign)[:limit]
        shown = await campaign_answers.answers(conn, call.project_id, listed)
    return QualifiedCampaigns(object="list", data_ref="data", data=shown, total=len(shown), **_about(at))


async def _found(
    call: Call, conn: db.Conn, data: older.PromotionsIn, scenario: Scenario, limit: int
) -> tuple[Look, list[Verdict]]:
    """What qualifies, the newest first."""
    desk = call.state.desk
    assert isinstance(desk, Desk)
    at = await look(conn, desk.memory, older.ask_of(call, older.validation_of(data)))
    wanted = Wanted(scenario, Filters(), limit, "DEFAULT", None, explain=False)
    return at, (await page(at, wanted)).listed


def _ordered(found: list[T], order: str, key: Callable[[T, str], Any]) -> list[T]:
    """In the order asked for; what has no value there stands last."""
    if order == NEWEST:
        return found
    name, backwards = order.removeprefix("-"), order.startswith("-")
    known = [one for one in found if key(one, name) is not None]
    known.sort(key=lambda one: key(one, name), reverse=backwards)
    return known + [one for one in found if key(one, name) is None]


def _of_voucher(verdict: Verdict, name: str) -> Any:
    return getattr(verdict.offer.voucher, name)


def _of_campaign(row: CampaignRow, name: str) -> Any:
    named = {"type": row.campaign_type, "code": row.name, "campaign": row.name, "category": row.category}
    return named[name] if name in named else getattr(row, name)


def _voucher(at: Look, verdict: Verdict) -> QualifiedVoucher:
    voucher = verdict.offer.voucher
    assert voucher is not None
    shown = answers.out(at.seen, at.ask, verdict.decision.outcomes[0], verdict.offer.parts[0])
    return QualifiedVoucher(
        **asdict(answers.voucher(voucher, at.seen)),
        applicable_to=shown.applicable_to or answers.EMPTY_LIST,
        inapplicable_to=shown.inapplicable_to or answers.EMPTY_LIST,
    )


def _about(at: Look) -> dict[str, Any]:
    return {
        "id": new_id("qualification"),
        "created_at": iso(at.seen.now),
        "tracking_id": older.tracking_id_of(at),
    }
