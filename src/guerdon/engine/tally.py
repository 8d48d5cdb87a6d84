"""Tallies: what limits count. A tally has a key, made here and nowhere else, and a number in the database.

A key names whose redemptions are counted (a campaign's, or one redeemable's), by whom (a customer, an API key, a
user, or anybody), what is counted (redemptions ``n``, order value ``orders``, discount ``off``, units of a product
``units:…``) and when (``all``, or a day, week or month of the project's calendar, named by its first day).

>>> key_of("camp_1", "n", "d2026-11-22", "cust_1")
'camp_1|n|d2026-11-22|cust_1'
"""

from collections.abc import Container, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Literal
from zoneinfo import ZoneInfo

from msgspec import Struct

if TYPE_CHECKING:
    from guerdon.engine.checks import Redeemable
    from guerdon.engine.situation import Situation

Span = Literal["all", "day", "week", "month"]
Scope = Literal["campaign", "redeemable"]
By = Literal["anybody", "customer", "api_key", "user"]
SPANS: tuple[Span, ...] = ("all", "day", "week", "month")


class Tally(Struct, frozen=True):
    """What a limit counts, before it is known of whom and when. `measure` as in the module's text."""

    scope: Scope
    measure: str
    span: Span = "all"
    by: By = "anybody"


def _counts(prefix: str, scope: Scope, by: By = "anybody", whole: bool = True) -> dict[str, Tally]:
    named: dict[str, Tally] = {prefix: Tally(scope, "n", "all", by)} if whole else {}
    for name, span in (("daily", "day"), ("weekly", "week"), ("monthly", "month")):
        named[f"{prefix}.{name}"] = Tally(scope, "n", span, by)  # type: ignore[arg-type]
    return named


# The rule names that are limits, and what each counts.
LIMITS: dict[str, Tally] = {
    **_counts("campaign.redemptions.count", "campaign"),
    **_counts("campaign.redemptions.customers_count", "campaign", "customer"),
    "campaign.orders.amount": Tally("campaign", "orders"),
    "campaign.orders.amount_discounted": Tally("campaign", "off"),
    **_counts("redemption.count", "redeemable", whole=False),
    **_counts("redemption.count.per_customer", "redeemable", "customer"),
    "redemption.count.per_api_key": Tally("redeemable", "n", "all", "api_key"),
    "redemption.count.per_user": Tally("redeemable", "n", "all", "user"),
}


def key_of(owner: str, measure: str, span: str, by: str | None = None) -> str:
    """The key of a tally; `span` is ``all`` or what `spans` gives, `by` a customer, key or user."""
    return f"{owner}|{measure}|{span}|{by}" if by is not None else f"{owner}|{measure}|{span}"


@lru_cache(maxsize=64)
def spans(now: datetime, zone: ZoneInfo, week_start: int) -> dict[Span, str]:
    """How the present day, week and month are named, in the project's calendar; `week_start` 0 = Sunday.

    >>> from datetime import UTC
    >>> spans(datetime(2026, 11, 22, 23, 30, tzinfo=UTC), ZoneInfo("Europe/Berlin"), 1)
    {'all': 'all', 'day': 'd2026-11-23', 'week': 'w2026-11-23', 'month': 'm2026-11'}
    """
    today = now.astimezone(zone).date()
    first = today - timedelta(days=(today.isoweekday() - week_start) % 7)
    return {"all": "all", "day": f"d{today}", "week": f"w{first}", "month": f"m{today:%Y-%m}"}


def until(span: str) -> date | None:
    """The day from which a tally can be forgotten, judged by the span in its key; None for ``all``.

    >>> [f"{until(span)}" for span in ("d2026-12-31", "w2026-12-28", "m2026-12", "q2026-10", "h2026-07", "y2026")]
    ['2027-01-01', '2027-01-04', '2027-01-01', '2027-01-01', '2027-01-01', '2027-01-01']
    """
    match span[:1]:
        case "d":
            return date.fromisoformat(span[1:]) + timedelta(days=1)
        case "w":
            return date.fromisoformat(span[1:]) + timedelta(days=7)
        case "m":
            return _months_on(span[1:], 1)
        case "q":
            return _months_on(span[1:], 3)
        case "h":
            return _months_on(span[1:], 6)
        case "y":
            return _months_on(span[1:] + "-01", 12)
    return None


def _months_on(month: str, count: int) -> date:
    first = date.fromisoformat(month + "-01")
    years, index = divmod(first.month - 1 + count, 12)
    return date(first.year + years, index + 1, 1)


def key_asked(name: str, redeemable: "Redeemable", situation: "Situation") -> str | None:
    """The key of the tally that a limit of this name asks for, or None when nobody is there to count by."""
    keyed = redeemable.keyed
    if keyed is not None and name in keyed:
        return keyed[name]
    tally = LIMITS[name]
    owner = owner_of(tally.scope, redeemable)
    by = by_of(tally.by, situation)
    if owner is None or (by is None and tally.by != "anybody"):
        return None
    span = (
        "all"
        if tally.span == "all"
        else spans(situation.now, situation.zone, situation.week_start)[tally.span]
    )
    return key_of(owner, tally.measure, span, by)


def owner_of(scope: Scope, redeemable: "Redeemable") -> str | None:
    """Whose redemptions are counted. The epoch in it changes with the rules that count: a tally that was not kept
    for a while, since no rule asked for it, is never taken for one that was.
    """
    if scope == "redeemable":
        return f"{redeemable.key}@{max(redeemable.epoch, redeemable.campaign_epoch)}"
    if redeemable.campaign_id is None:
        return None
    return f"{redeemable.campaign_id}@{redeemable.campaign_epoch}"


def by_of(by: By, situation: "Situation") -> str | None:
    """By whom redemptions are counted; None when nobody is known, or when it does not matter."""
    match by:
        case "customer":
            return None if situation.customer is None else situation.customer.id
        case "api_key":
            return None if situation.api_key is None else f"api_key:{situation.api_key}"
        case "user":
            return None if situation.user is None else f"user:{situation.user}"
    return None


def takes_of(
    redeemable: "Redeemable",
    situation: "Situation",
    *,
    order_amount: int = 0,
    off: int = 0,
    units: Mapping[str, int] | None = None,
    valued: Container[str] = (),
) -> dict[str, int]:
    """How much of each tally one redemption uses: one redemption, the order's amount, the discount (minor units).

    `units` are tallies of product budgets with the units taken of each, as item scopes count them; `valued` those
    that have the order's value already, which counts once. What counts is named by ``redeemable.limits``.
    """
    takes: dict[str, int] = dict(units or {})
    for name in redeemable.limits:
        key = key_asked(name, redeemable, situation)
        if key is not None:
            measure = LIMITS[name].measure
            worth = 0 if key in valued else order_amount
            takes[key] = 1 if measure == "n" else worth if measure == "orders" else off
    return takes
