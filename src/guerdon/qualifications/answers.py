"""Answers of qualifications: each redeemable as a validation of it alone would show it."""

from collections.abc import Sequence
from typing import Any

import msgspec
from msgspec import UNSET, Raw

from guerdon.customers.tracking import tracking_id
from guerdon.engine import Outcome, Reason
from guerdon.orders.locked import Held
from guerdon.qualifications.judge import Verdict
from guerdon.qualifications.look import Look
from guerdon.qualifications.pages import Page
from guerdon.qualifications.places import precise
from guerdon.qualifications.shapes import Assignments, Qualification, Qualified, Redeemables, Refused
from guerdon.redemptions import answers
from guerdon.redemptions.candidates import Candidate
from guerdon.validation_rules import assign
from guerdon.validation_rules.store import AssignmentRow, assignments_of


async def qualification(at: Look, page: Page, expand: Sequence[str]) -> bytes:
    """The whole answer, encoded."""
    assigned = await _assigned(at, page.listed)
    whose = at.seen.customers.find(at.ask.customer) or at.ask.customer
    refused = [told(one) for one in page.refused]
    return answers.encode(
        Qualification(
            redeemables=Redeemables(
                data=[qualified(at, verdict, expand, assigned) for verdict in page.listed],
                total=len(page.listed),
                has_more=page.more is not None,
                more_starting_after=page.more or UNSET,
                looked_at=page.looked_at or UNSET,
            ),
            stacking_rules=at.seen.stacking,
            tracking_id=tracking_id(at.ask.data.tracking_id, whose) or UNSET,
            order=UNSET if at.order is None else Raw(answers.order_json(Held(at.order))),
            inapplicable=refused if at.ask.explain else UNSET,
        )
    )


async def _assigned(at: Look, verdicts: Sequence[Verdict]) -> dict[str, list[AssignmentRow]]:
    """The assignments of rules to what is listed, and to the campaigns of that."""
    parts = [part.redeemable for verdict in verdicts for part in verdict.offer.parts]
    owners = [owner for one in parts if one.rules for owner in (one.key, one.campaign_id) if owner]
    return await assignments_of(at.conn, at.seen.project_id, owners) if owners else {}


def qualified(
    at: Look, verdict: Verdict, expand: Sequence[str], assigned: dict[str, list[AssignmentRow]]
) -> Qualified:
    """One redeemable of a page."""
    offer, decision = verdict.offer, verdict.decision
    made = precise(offer.place[0])
    if offer.object != "promotion_stack":
        return _part(at, verdict, decision.outcomes[0], offer.parts[0], made, expand, assigned)
    shown = [
        _part(at, verdict, decision.outcomes[n], offer.parts[n], made, expand, assigned)
        for n in decision.applied
    ]
    stack = at.snapshot.stacks.get(offer.id)
    order = decision.order
    one = Qualified(
        id=offer.id,
        object=offer.object,
        created_at=made,
        order=UNSET if order is None else Raw(answers.order_json(Held(order))),
        redeemables=shown,
    )
    if stack is not None and "redeemable" in expand:
        campaign = at.snapshot.campaigns.get(stack.campaign_id)
        one.name, one.campaign_id, one.metadata = stack.name, stack.campaign_id, {}
        one.campaign_name = UNSET if campaign is None else campaign.name
    if "category" in expand:
        known = at.snapshot.categories.get((stack and stack.category_id) or "")
        one.categories = answers.categories(at.seen, known)
    return one


def _part(
    at: Look,
    verdict: Verdict,
    outcome: Outcome,
    candidate: Candidate,
    made: str,
    expand: Sequence[str],
    assigned: dict[str, list[AssignmentRow]],
) -> Qualified:
    out = answers.out(at.seen, at.ask, outcome, candidate)
    tier = candidate.tier
    if tier is not None and verdict.offer.object == "promotion_stack":
        made = precise(tier.created_at)
    whole = verdict.offer.object == "campaign"
    return Qualified(
        id=out.id,
        object="campaign" if whole else out.object,
        created_at=made,
        result=_result(at, candidate, out.result),
        order=out.order if verdict.order is not None else UNSET,
        applicable_to=out.applicable_to,
        inapplicable_to=out.inapplicable_to,
        metadata=out.metadata,
        categories=out.categories,
        banner=(tier.banner if tier is not None and "redeemable" in expand else None) or UNSET,
        name=out.name,
        campaign_name=UNSET if whole else out.campaign_name,
        campaign_id=UNSET if whole else out.campaign_id,
        validation_rules_assignments=_rules(candidate, verdict, expand, assigned),
        explain=out.explain,
    )


def _result(at: Look, candidate: Candidate, result: Any) -> Any:
    """What a redeemable comes to; where a session is asked for, with what sessions hold of a gift card, its own too."""
    if at.ask.data.session is None or not isinstance(result, dict) or "gift" not in result:
        return result
    locked = at.seen.held(f"c:{candidate.redeemable.key}", None)
    return {**result, "gift": {**result["gift"], "locked_credits": locked}}


def _rules(
    candidate: Candidate, verdict: Verdict, expand: Sequence[str], assigned: dict[str, list[AssignmentRow]]
) -> Any:
    """The assignments, when they are asked for, or when some conditions had no say."""
    if "validation_rules" not in expand and not verdict.omitted:
        return UNSET
    redeemable, data = candidate.redeemable, []
    for owner in dict.fromkeys((redeemable.key, redeemable.campaign_id or "")):
        for row in assigned.get(owner, ()):
            shown = msgspec.to_builtins(assign.shape(row))
            omitted = verdict.omitted.get(row.rule_id)
            if omitted:
                shown |= {"validation_status": "PARTIALLY_VALID", "validation_omitted_rules": omitted}
            data.append(shown)
    return Assignments(data=data, total=len(data))


def told(verdict: Verdict) -> Refused:
    """Why something does not qualify."""
    outcomes = verdict.decision.outcomes
    at = next((n for n, one in enumerate(outcomes) if one.status == "INAPPLICABLE"), 0)
    outcome = outcomes[at]
    reason = outcome.reason or Reason.NO_EFFECT
    return Refused(
        id=verdict.offer.id,
        object=verdict.offer.object,
        key=reason.key,
        message=outcome.message or outcome.details or reason.message,
        checks=list(outcome.trace or ()),
        nearest_change=outcome.hint,
    )
