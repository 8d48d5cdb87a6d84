"""What an order would earn: the rules asked as if it were paid now, and nothing written."""

from typing import Any, Literal

from msgspec import Struct

from guerdon.customers.store import find as find_customer
from guerdon.customers.upsert import CustomerUpsert
from guerdon.engine.earning_rule import OrderPaid
from guerdon.engine.fault import EngineError
from guerdon.engine.order import Order, OrderIn, price_order
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError
from guerdon.loyalty import members_store
from guerdon.loyalty.checks import fault_of
from guerdon.loyalty.compiled import Program
from guerdon.loyalty.dry_run import would_earn
from guerdon.loyalty.earn import Case
from guerdon.loyalty.happened import Happened
from guerdon.loyalty.members import compiled_of
from guerdon.loyalty.members_store import MemberRow
from guerdon.loyalty.place import Place, place_of, running
from guerdon.loyalty.v1_members import ProgramRef, program_of
from guerdon.products import catalog


class EstimateIn(Struct, kw_only=True):
    """Who would order what."""

    customer: CustomerUpsert
    order: OrderIn


class Named(Struct):
    """The program."""

    id: str
    name: str
    object: Literal["campaign"] = "campaign"


class Estimate(Struct):
    """How many points it would be."""

    campaign: Named
    points_estimation: int


async def estimate(call: Call, campaign: str, data: EstimateIn) -> Estimate:
    """How many points an order would earn, by the rules for paid orders.

    Raises `ApiError` 404, 400 ``campaign_not_active``, ``campaign_not_allow_auto_join``, ``loyalty_card_not_active``.
    """
    named = await program_of(call, campaign)
    place = await place_of(call.db, call.project_id)
    program = compiled_of(place, named.id)
    if not running(program, place.now, place.zone):
        raise _refused(named, "campaign_not_active", f"Loyalty campaign {named.name!r} is not active.")
    member = await _member(call, place, named, program, data.customer)
    order = await priced(call, data.order)
    happened = Happened(
        cause_id="", at=place.now, payload={}, happening=OrderPaid(), order=order,
        customer_id=member.customer_id,
    )  # fmt: skip
    points = (await would_earn(call.db, place, Case(happened, program, member))).points()
    return Estimate(Named(named.campaign_id, named.name), points)


async def _member(
    call: Call, place: Place, named: ProgramRef, program: Program, said: CustomerUpsert
) -> MemberRow:
    """The member, or who would become one."""
    name = said.id or said.source_id
    customer = await find_customer(call.db, call.project_id, name) if name else None
    rows = [] if customer is None else await members_store.of_customer(call.db, call.project_id, customer.id)
    for row in rows:
        if row.program_id == program.id:
            if row.status != "ACTIVE":
                why = f"The card of {name!r} is not active."
                raise _refused(named, "loyalty_card_not_active", why)
            return row
    if not program.settings.get("auto_join"):
        why = f"Loyalty campaign {named.name!r} does not allow auto-join for non-members."
        raise _refused(named, "campaign_not_allow_auto_join", why)
    return MemberRow(
        id="", program_id=program.id, customer_id="" if customer is None else customer.id, status="ACTIVE",
        tier_id=None, tier=None, tier_check_at=None, metadata={}, created_at=place.now, updated_at=None,
    )  # fmt: skip


async def priced(call: Call, said: OrderIn) -> Order:
    """An order as sent, with its totals by the catalog. Raises `ApiError` 400."""
    names: dict[str, None] = {}
    for item in said.items or ():
        for ref in (item, item.product, item.sku):
            for field in ("id", "source_id", "product_id", "sku_id"):
                name = getattr(ref, field, None)
                if name:
                    names[name] = None
    stored: Any = await catalog.load(call.db, call.project_id, sorted(names)) if names else None
    try:
        return price_order(said, stored)
    except EngineError as error:
        raise fault_of(EngineError(f"order.{error.path}", error.message, error.key)) from None


def _refused(named: ProgramRef, key: str, details: str) -> ApiError:
    return ApiError(
        400, key, key.replace("_", " ").capitalize(), details, resource_id=named.campaign_id,
        resource_type="campaign",
    )  # fmt: skip
