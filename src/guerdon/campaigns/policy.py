"""The policy of a campaign of gift cards: what the law of a place says about it, as advice or as a bar."""

from datetime import date, datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from msgspec import UNSET, Struct, UnsetType

from guerdon.kit import clock
from guerdon.kit.call import Call
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.ledger.policy import Breach, Offer, breaches, known, rules_of
from guerdon.ledger.policy_rules import PLACES, Rule

UTC = ZoneInfo("UTC")


class PolicyRule(Struct, kw_only=True):
    """A rule, where it is written, and when that was looked at (null: it was not). `certain` is false where the law
    is disputed or we have not read it. No legal advice."""

    place: str
    kind: Literal["MINIMUM_VALIDITY", "NO_EXPIRY", "CASH_OUT", "FEES", "ADVICE"]
    says: str
    source: str
    seen: str | None
    checked: str | None
    since: str
    until: str | None
    certain: bool


class PolicyWarning(Struct, kw_only=True):
    """A rule that cards of this campaign would not keep, and where."""

    path: str
    message: str
    rule: PolicyRule


class PolicyOut(Struct, kw_only=True):
    """How a campaign stands to the rules of `country`, as of the day it was saved last. `obligations` are those that
    no setting of a campaign can break: cash-out, fees, advice."""

    country: str
    mode: Literal["WARN", "BLOCK"]
    judged_on: str
    warnings: list[PolicyWarning]
    obligations: list[PolicyRule]


async def check_policy(
    call: Call,
    campaign_type: str,
    options: dict[str, Any] | None,
    body: dict[str, Any],
    lasts: str | UnsetType | None,
) -> None:
    """Raise `ApiError` 400 for a place without rules, and, where the mode is BLOCK, for rules that are not kept."""
    policy = (options or {}).get("policy")
    if policy is None:
        return
    if campaign_type != "GIFT_VOUCHERS":
        raise invalid_payload(Fault("options.policy", "belongs to campaigns of type GIFT_VOUCHERS"))
    if not known(policy["country"]):
        places = ", ".join(PLACES)
        raise invalid_payload(Fault("options.policy.country", f"has no rules here; there are: {places}"))
    if policy["mode"] != "BLOCK":
        return
    zone = call.caller.zone
    day = (await clock.database_now(call.db)).astimezone(zone).date()
    found = breaches(policy["country"], _offer(body, None if lasts is UNSET else lasts), day, zone)
    surely = [breach for breach in found if breach.surely]
    if surely:
        raise invalid_payload(
            *(Fault(breach.path, f"{breach.says} ({breach.rule.source})") for breach in surely),
            key="policy_violated",
            message="The policy of the campaign's country is not kept",
        )


def told(
    options: dict[str, Any] | None, body: dict[str, Any], lasts: str | None, saved: datetime
) -> PolicyOut | UnsetType:
    """What a campaign's answer says of its policy; UNSET where it has none."""
    policy = (options or {}).get("policy")
    if policy is None:
        return UNSET
    day = saved.astimezone(UTC).date()
    return PolicyOut(
        country=policy["country"],
        mode=policy["mode"],
        judged_on=day.isoformat(),
        warnings=[_warning(breach) for breach in breaches(policy["country"], _offer(body, lasts), day, UTC)],
        obligations=[
            shown(rule)
            for rule in rules_of(policy["country"], day)
            if rule.kind in ("CASH_OUT", "FEES", "ADVICE")
        ],
    )


def shown(rule: Rule) -> PolicyRule:
    """A rule as answered."""

    def text(day: date | None) -> str | None:
        return None if day is None else day.isoformat()

    return PolicyRule(
        place=rule.place, kind=rule.kind, says=rule.says, source=rule.source, seen=rule.seen,
        checked=text(rule.checked), since=rule.since.isoformat(), until=text(rule.until), certain=rule.certain,
    )  # fmt: skip


def _offer(body: dict[str, Any], lasts: str | None) -> Offer:
    ends = body.get("expiration_date")
    return Offer(datetime.fromisoformat(ends) if ends else None, lasts)


def _warning(breach: Breach) -> PolicyWarning:
    return PolicyWarning(path=breach.path, message=breach.says, rule=shown(breach.rule))
