"""Qualifications over HTTP: what a customer can use for a cart."""

from guerdon.kit.call import Call, Reply, Route
from guerdon.qualifications import answers, older, older_lists, wallet
from guerdon.qualifications.filters import parse_filters
from guerdon.qualifications.judge import judge
from guerdon.qualifications.look import Look, look
from guerdon.qualifications.pages import Page, Wanted, page
from guerdon.qualifications.places import parse_after
from guerdon.qualifications.scenarios import SCENARIOS
from guerdon.qualifications.shapes import OptionsIn, Qualification, QualificationIn
from guerdon.redemptions.desk import Desk
from guerdon.redemptions.shapes import Options, ValidationIn
from guerdon.vouchers.store import code_key

DEFAULT_LIMIT = 5


async def qualify(call: Call, data: QualificationIn) -> Qualification | Reply:
    """List what a customer can use for a cart: promotions, codes for anybody, and the customer's own codes.

    What is listed is what a validation accepts, budgets and limits included, as things stand now. `scenario`
    narrows what is looked through and which rules have a say.
    """
    options = data.options or OptionsIn()
    wanted = _wanted(call, data, options)
    desk = call.state.desk
    assert isinstance(desk, Desk)
    async with call.state.pool.acquire() as conn:
        at = await look(conn, desk.memory, older.ask_of(call, _validation(data, options)))
        found = await page(at, wanted)
        if options.explain:
            await _explain(at, wanted, found)
        return Reply(await answers.qualification(at, found, options.expand or ()))


def _validation(data: QualificationIn, options: OptionsIn) -> ValidationIn:
    """The request as a validation of nothing yet."""
    return ValidationIn(
        redeemables=[],
        order=data.order,
        customer=data.customer,
        tracking_id=data.tracking_id,
        metadata=data.metadata,
        options=Options(expand=["order", *(options.expand or ())], explain=options.explain),
        session=data.session,
        at=data.at,
        drafts=data.drafts,  # type: ignore[arg-type]
    )


def _wanted(call: Call, data: QualificationIn, options: OptionsIn) -> Wanted:
    case_sensitive = call.caller.case_sensitive_codes
    return Wanted(
        scenario=SCENARIOS[data.scenario or "ALL"],
        filters=parse_filters(
            options.filters, "options.filters", lambda code: code_key(code, case_sensitive)
        ),
        limit=options.limit or DEFAULT_LIMIT,
        sorting=options.sorting_rule or "DEFAULT",
        after=parse_after(options.starting_after, call.caller.timezone),
        explain=options.explain,
    )


async def _explain(at: Look, wanted: Wanted, found: Page) -> None:
    """Decide what is listed once more, with every check told."""
    told = (judge(at, wanted.scenario, one.offer, explain=True) for one in found.listed)
    found.listed = [verdict for verdict in told if verdict is not None]


TAG = "Qualifications"
TIERS = "/v1/promotions/tiers/{promotion_tier_id}"

ROUTES = [
    Route(method="POST", path="/v1/qualifications", handler=qualify, tag=TAG, kind="flow", hot=True),
    Route(
        method="GET",
        path="/v1/customers/{customer_id}/redeemables",
        handler=wallet.list_customer_redeemables,
        tag="Customers",
    ),
    Route(
        method="POST",
        path="/v1/promotions/validation",
        handler=older.validate_promotions,
        tag=TAG,
        kind="flow",
    ),
    Route(
        method="POST",
        path="/v1/vouchers/qualification",
        handler=older_lists.qualify_vouchers,
        tag=TAG,
        kind="flow",
    ),
    Route(
        method="POST",
        path="/v1/campaigns/qualification",
        handler=older_lists.qualify_campaigns,
        tag=TAG,
        kind="flow",
    ),
    Route(
        method="POST", path=TIERS + "/validation", handler=older.validate_promotion_tier, tag=TAG, kind="flow"
    ),
    Route(
        method="POST", path=TIERS + "/redemption", handler=older.redeem_promotion_tier, tag=TAG, kind="flow"
    ),
]
