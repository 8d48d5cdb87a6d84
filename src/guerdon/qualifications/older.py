"""The older ways to ask for promotions, in the shapes of their time: the same decisions, the same writer."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from guerdon.customers.locked import CustomerIn
from guerdon.customers.tracking import tracking_id
from guerdon.engine import Reason
from guerdon.kit.call import Call, Reply
from guerdon.kit.errors import not_found
from guerdon.orders.locked import Held
from guerdon.promotions import tiers
from guerdon.qualifications.filters import Filters
from guerdon.qualifications.judge import Verdict, judge
from guerdon.qualifications.look import Look, know, look, offer_of
from guerdon.qualifications.pages import Wanted, page
from guerdon.qualifications.scenarios import SCENARIOS, Scenario
from guerdon.redemptions import answers
from guerdon.redemptions.asks import RedeemAsk, redeem_ask
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.shapes import (
    ErrorOut,
    Options,
    OrderNamed,
    RedeemableIn,
    Redemption,
    TrackingId,
    ValidationIn,
)

MOST = 150
"""So many promotions one answer lists, the newest that apply."""
ONLY_TIERS = Scenario(standalone=False, own=False)
AUDIENCE = Scenario(standalone=False, own=False, groups=SCENARIOS["AUDIENCE_ONLY"].groups)


class OlderOptions(Struct):
    """What answers show in full."""

    expand: list[Literal["category"]] | None = None


class PromotionsIn(Struct, kw_only=True):
    """Who asks, and for which cart."""

    customer: CustomerIn | None = None
    order: OrderNamed | None = None
    metadata: dict[str, Any] | None = None
    tracking_id: TrackingId | None = None
    options: OlderOptions | None = None


class Whole(Struct, kw_only=True):
    """The campaign of a tier."""

    id: str
    start_date: str | None
    expiration_date: str | None
    active: bool
    object: str = "campaign"


class PromotionTier(Struct, omit_defaults=True, kw_only=True):
    """A tier, and whether it applies; if it does not, `reason` and `error` say why."""

    valid: bool
    id: str
    name: str
    object: str
    hierarchy: int
    campaign: Whole
    metadata: dict[str, Any]
    discount: dict[str, Any] | UnsetType = UNSET
    banner: str | UnsetType = UNSET
    start_date: str | UnsetType = UNSET
    expiration_date: str | UnsetType = UNSET
    category_id: str | UnsetType = UNSET
    categories: list[Any] | UnsetType = UNSET
    tracking_id: str | UnsetType = UNSET
    order: Raw | UnsetType = UNSET
    applicable_to: dict[str, Any] | UnsetType = UNSET
    inapplicable_to: dict[str, Any] | UnsetType = UNSET
    discount_amount: int | UnsetType = UNSET
    applied_discount_amount: int | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    error: ErrorOut | UnsetType = UNSET


class Promotions(Struct, omit_defaults=True, kw_only=True):
    """The promotions that apply, in the order of their hierarchy."""

    valid: bool
    promotions: list[PromotionTier]
    tracking_id: str | UnsetType = UNSET


def ask_of(call: Call, data: ValidationIn) -> RedeemAsk:
    """A question that writes nothing."""
    return redeem_ask(call.caller, call.request_id, call.path, data, dry=True, key=None, mark=b"")


async def validate_promotions(
    call: Call, data: PromotionsIn, audienceRulesOnly: bool = False
) -> Promotions | Reply:
    """List the promotions that apply to a cart, in the older shape.

    `audienceRulesOnly` asks only the rules about the customer. POST /v1/qualifications does more.
    """
    scenario = AUDIENCE if audienceRulesOnly else ONLY_TIERS
    wanted = Wanted(scenario, Filters(), MOST, "DEFAULT", None, explain=False)
    async with call.state.pool.acquire() as conn:
        at = await look(conn, _desk(call).memory, ask_of(call, validation_of(data)))
        found = await page(at, wanted)
    shown = [_shown(at, verdict) for verdict in found.listed]
    shown.sort(key=lambda one: one.hierarchy)
    answer = Promotions(valid=bool(shown), promotions=shown, tracking_id=tracking_id_of(at))
    return Reply(answers.encode(answer))


async def validate_promotion_tier(
    call: Call, promotion_tier_id: str, data: PromotionsIn
) -> PromotionTier | Reply:
    """Tell whether one promotion tier applies to a cart, in the older shape."""
    async with call.state.pool.acquire() as conn:
        at = await look(conn, _desk(call).memory, ask_of(call, validation_of(data)))
        offer = offer_of(at, promotion_tier_id)
        if offer is None:
            raise not_found("promotion_tier", promotion_tier_id)
        await know(at, [offer])
    verdict = judge(at, ONLY_TIERS, offer)
    assert verdict is not None
    return Reply(answers.encode(_shown(at, verdict)))


async def redeem_promotion_tier(call: Call, promotion_tier_id: str, data: PromotionsIn) -> Redemption | Reply:
    """Redeem one promotion tier, as POST /v1/redemptions does, and answer in the older shape."""
    await tiers.find(call, promotion_tier_id)  # what there is not leaves no failed redemption
    key = call.idempotency_key
    asked = validation_of(data)
    asked.redeemables = [RedeemableIn(id=promotion_tier_id, object="promotion_tier")]
    mark = b"" if key is None else call.fingerprint()
    ask = redeem_ask(call.caller, call.request_id, call.path, asked, dry=False, key=key, mark=mark)
    reply = await _desk(call).write(ask)
    if reply.status != 200:
        return reply
    made = msgspec.json.decode(reply.content, type=dict[str, Raw])
    return Reply(msgspec.json.decode(made["redemptions"], type=list[Raw])[0], 200, reply.headers)


def validation_of(data: PromotionsIn) -> ValidationIn:
    """The request as a validation of nothing yet."""
    expand = ["order", *((data.options and data.options.expand) or ())]
    return ValidationIn(
        redeemables=[],
        order=data.order,
        customer=data.customer,
        tracking_id=data.tracking_id,
        metadata=data.metadata,
        options=Options(expand=expand),  # type: ignore[arg-type]
    )


def tracking_id_of(at: Look) -> str | UnsetType:
    """The tracking id as asked, else the customer's."""
    whose = at.seen.customers.find(at.ask.customer) or at.ask.customer
    return tracking_id(at.ask.data.tracking_id, whose) or UNSET


def _shown(at: Look, verdict: Verdict) -> PromotionTier:
    """A tier as the older answers show it."""
    part, outcome = verdict.offer.parts[0], verdict.decision.outcomes[0]
    tier = part.tier
    assert tier is not None
    campaign = at.snapshot.campaigns.get(tier.campaign_id)
    body = {} if campaign is None else campaign.body
    out = answers.out(at.seen, at.ask, outcome, part)
    one = PromotionTier(
        valid=verdict.holds,
        id=tier.id,
        name=tier.name,
        object="promotion_tier",
        hierarchy=tier.hierarchy,
        campaign=Whole(
            id=tier.campaign_id,
            start_date=body.get("start_date"),
            expiration_date=body.get("expiration_date"),
            active=campaign is not None and campaign.active,
        ),
        metadata=tier.metadata,
        discount=tier.body.get("discount", UNSET),
        banner=tier.banner or UNSET,
        start_date=tier.body.get("start_date", UNSET),
        expiration_date=tier.body.get("expiration_date", UNSET),
        category_id=tier.category_id or UNSET,
        categories=out.categories,
        tracking_id=tracking_id_of(at),
    )
    order = verdict.order
    if verdict.holds:
        one.applicable_to, one.inapplicable_to = out.applicable_to, out.inapplicable_to
        if order is not None:
            one.order = Raw(answers.order_json(Held(order)))
            one.discount_amount = one.applied_discount_amount = verdict.off
        return one
    reason = outcome.reason or Reason.NO_EFFECT
    one.reason = outcome.message or reason.message
    one.error = ErrorOut(
        code=reason.code,
        key=reason.key,
        message=reason.message,
        details=outcome.message or outcome.details or reason.message,
        request_id=at.ask.request_id,
    )
    return one


def _desk(call: Call) -> Desk:
    desk = call.state.desk
    assert isinstance(desk, Desk)
    return desk
