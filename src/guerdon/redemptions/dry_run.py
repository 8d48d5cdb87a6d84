"""Dry runs: decide for another instant, and with definitions that are not saved. Nothing of it is ever written.

Drafts are checked by the functions that check what is saved, and then stand in a copy of the project's definitions
(and among the codes that were read), so that the decision itself knows nothing of them.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct

from guerdon.campaigns import store as campaigns
from guerdon.campaigns.create import merge_options
from guerdon.categories import stacking
from guerdon.definitions.snapshot import Campaign, Segment, Snapshot, Tier
from guerdon.engine import StackingRules, parse_terms
from guerdon.engine.filter import CUSTOMER_FIELDS, parse_filter
from guerdon.engine.product_fields import PRODUCT_FIELDS
from guerdon.engine.rule import parse_rule_set
from guerdon.engine.situation import Collection
from guerdon.kit import db
from guerdon.kit.dates import parse_instant
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.kit.web import payload_error
from guerdon.product_collections import filters
from guerdon.product_collections import store as collections
from guerdon.redemptions.drafted import Body, CampaignTerms, Code, Drafted, below, wrong
from guerdon.redemptions.drafts import (
    MOST,
    CampaignDraft,
    CollectionDraft,
    Drafts,
    RuleDraft,
    TierDraft,
    VoucherDraft,
)
from guerdon.validation_rules.api import MEMBERS
from guerdon.validation_rules.contexts import CONTEXTS
from guerdon.validation_rules.edit import DEFAULTS, path_of
from guerdon.vouchers.codes import check_code
from guerdon.vouchers.store import code_key
from guerdon.vouchers.terms import LimitIn, WindowsIn, merge
from guerdon.vouchers.value import type_of

if TYPE_CHECKING:
    from guerdon.redemptions.gather import Seen

YEARS = (1970, 2999)
ALONE = "draft"
"""The campaign of drafted tiers that name none."""


class _Work(Struct):
    """Drafts in the making: the copy of the definitions they go into, and what they say of codes."""

    conn: db.Db
    project_id: str
    snapshot: Snapshot
    zone: ZoneInfo
    now: datetime
    case_sensitive: bool
    drafted: Drafted
    tiers: int = 0


def instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant to decide for; a day alone is its first moment in the project's zone. Raises `ApiError` 400."""
    try:
        at = parse_instant(text, zone)
    except ValueError as error:
        raise invalid_payload(Fault("at", str(error))) from None
    if not YEARS[0] <= at.year <= YEARS[1]:
        raise invalid_payload(Fault("at", f"must lie in the years {YEARS[0]} to {YEARS[1]}"))
    return at


async def overlay(
    conn: db.Db, seen: "Seen", at: str | None, drafts: Drafts | Mapping[str, Any] | None, case_sensitive: bool
) -> None:
    """Put another instant and drafts over what a request sees of its project. Before codes are read; once they
    are, `put_codes` does the same to them. Raises `ApiError` 400 with the path below `drafts`.
    """
    if at is not None:
        seen.now = instant(at, seen.zone)
    if drafts is None:
        return
    seen.snapshot, seen.drafted = await drafted(
        conn, seen.project_id, seen.snapshot, drafts, seen.zone, seen.now, case_sensitive
    )
    seen.stacking, seen.collections = seen.snapshot.stacking, seen.snapshot.collections


async def drafted(
    conn: db.Db,
    project_id: str,
    snapshot: Snapshot,
    drafts: Drafts | Mapping[str, Any],
    zone: ZoneInfo,
    now: datetime,
    case_sensitive: bool,
) -> tuple[Snapshot, Drafted]:
    """A copy of the definitions with drafts in it, and what they say of codes; `snapshot` stays as it is.

    ``touched`` of the copy names the tiers that are not as they were. Raises `ApiError` 400.
    """
    if not isinstance(drafts, Drafts):
        try:
            drafts = msgspec.convert(drafts, Drafts)
        except msgspec.ValidationError as error:
            with below("drafts"):
                raise payload_error(error) from None
    work = _Work(conn, project_id, snapshot.with_drafts(), zone, now, case_sensitive, Drafted())
    for place, segment in enumerate(drafts.segments or ()):
        with below(f"drafts.segments[{place}]"):
            parsed = parse_filter(segment.filter, "filter", CUSTOMER_FIELDS)
            name = segment.name or segment.id
            work.snapshot.segments[segment.id] = Segment(
                id=segment.id, name=name, type="passive", filter=parsed
            )
    for place, collection in enumerate(drafts.product_collections or ()):
        with below(f"drafts.product_collections[{place}]"):
            await _put_collection(work, collection)
    for place, rule in enumerate(drafts.validation_rules or ()):
        with below(f"drafts.validation_rules[{place}]"):
            _put_rule(work, rule)
    for place, campaign in enumerate(drafts.campaigns or ()):
        await _put_campaign(work, campaign, f"drafts.campaigns[{place}]")
    for place, tier in enumerate(drafts.promotion_tiers or ()):
        with below(f"drafts.promotion_tiers[{place}]"):
            await _put_tier(work, tier, tier.campaign_id, "campaign_id")
    for place, voucher in enumerate(drafts.vouchers or ()):
        path = f"drafts.vouchers[{place}]"
        with below(path):
            await _note_code(work, voucher, path)
    if drafts.stacking_rules is not None:
        with below("drafts.stacking_rules"):
            work.snapshot.stacking = await _stacking(work, drafts.stacking_rules)
    return work.snapshot, work.drafted


async def _put_collection(work: _Work, draft: CollectionDraft) -> None:
    if (draft.filter is None) == (draft.products is None):
        raise wrong("filter", "a collection has either its products or a filter")
    members: set[str] = set()
    if draft.filter is not None:
        filters.checked(draft.filter)
    for kind in ("product", "sku"):
        asked = {one.id: n for n, one in enumerate(draft.products or ()) if one.object == kind}
        named = {"product": ([*asked], []), "sku": ([], [*asked])}[kind]
        things = await collections.named(work.conn, work.project_id, *named) if asked else []
        for thing in things:
            members.update(name for name in (thing.id, thing.source_id) if name)
        missing = asked.keys() - {thing.asked for thing in things}
        if missing:
            first = min(missing, key=asked.__getitem__)
            raise wrong(f"products[{asked[first]}].id", f"there is no {kind} {first!r} in this project")
    parsed = None
    if draft.filter is not None:
        parsed = parse_filter({"junction": "and"} | draft.filter, "filter", PRODUCT_FIELDS)
    work.snapshot.collections[draft.id] = Collection(
        id=draft.id, name=draft.name or draft.id, members=frozenset(members), filter=parsed
    )


def _put_rule(work: _Work, draft: RuleDraft) -> None:
    given = {name: getattr(draft, name) for name in MEMBERS}
    body = DEFAULTS | {name: one for name, one in given.items() if one is not UNSET and one is not None}
    if body["context_type"] not in CONTEXTS:
        raise wrong("context_type", "is none of the contexts there are", "invalid_validation_rules")
    rules = parse_rule_set(body, id=draft.id, name=draft.name or draft.id)
    snapshot = work.snapshot
    for named, known, what in (
        (rules.segments, snapshot.segments, "segment"),
        (rules.collections, snapshot.collections, "product collection"),
    ):
        unknown = sorted(str(name) for name in named if name not in known)
        if unknown:
            where = path_of(body, unknown[0], "") or "rules"
            raise wrong(
                where, f"there is no {what} {unknown[0]!r} in this project", "invalid_validation_rules"
            )
    snapshot.put_rule(rules)


async def _put_campaign(work: _Work, draft: CampaignDraft, path: str) -> None:
    """A campaign, and what stands in it."""
    with below(path):
        saved = await _saved(work, draft.id) if draft.id is not None else None
        if saved is None and draft.id is None and draft.name is None:
            raise wrong("id", "a draft needs an id, or a name to be called by")
        campaign_id = saved.id if saved else draft.id or draft.name or ""
        is_promotion = _is_promotion(draft, saved)
        body = _campaign_body(work, draft, {} if saved is None else saved.body)
        options = merge_options(saved.options if saved else None, draft.options) or {}
        active = draft.active if draft.active is not None else saved.active if saved else True
        name = draft.name or (saved.name if saved else campaign_id)
        if isinstance(draft.validation_rules, list) or draft.validation_rules is None:
            rules = _known_rules(work, draft.validation_rules or [])
            work.snapshot.assign(campaign_id, rules)
    if is_promotion:
        work.snapshot.put_campaign(
            Campaign(
                id=campaign_id,
                name=name,
                active=active,
                terms=parse_terms(body),
                body=body,
                category_id=body.get("category_id"),
                limit_policy=options.get("limit_policy") or "STRICT",
                metadata=draft.metadata or (saved.metadata if saved else {}),
                created_at=saved.created_at if saved else work.now,
            )
        )
        for place, tier in enumerate((draft.promotion and draft.promotion.tiers) or ()):
            with below(f"{path}.promotion.tiers[{place}]"):
                await _put_tier(work, tier, campaign_id, "campaign_id")
        return
    work.drafted.campaigns[campaign_id] = CampaignTerms(
        id=campaign_id,
        name=name,
        body=body,
        active=active,
        category_id=body.get("category_id"),
        limit_policy=options.get("limit_policy"),
        new=saved is None,
    )
    code = None if draft.voucher is None else draft.voucher.code
    if code is not None:
        with below(path):
            if saved is not None:
                raise wrong("voucher.code", "codes of a saved campaign are drafted among vouchers")
            await _note_code(work, VoucherDraft(code=code, campaign_id=campaign_id), path, "voucher.code")


async def _saved(work: _Work, campaign_id: str) -> Any:
    """A saved campaign by its id, or by its name."""
    return await campaigns.find(work.conn, work.project_id, campaign_id)


def _is_promotion(draft: CampaignDraft, saved: Any) -> bool:
    kind = draft.campaign_type or ("PROMOTION" if draft.promotion is not None else None)
    if saved is not None:
        if kind not in (None, saved.campaign_type):
            raise wrong("campaign_type", f"is {saved.campaign_type} and stays so")
        kind = saved.campaign_type
    if kind == "PROMOTION":
        if draft.voucher is not None:
            raise wrong("voucher", "a PROMOTION campaign has tiers instead of codes")
        return True
    if draft.promotion is not None:
        raise wrong("promotion", "belongs to campaigns of type PROMOTION only")
    if saved is None and (draft.voucher is None or draft.voucher.discount is None):
        raise wrong("voucher.discount", "codes of a campaign need their discount")
    return False


def _campaign_body(work: _Work, draft: CampaignDraft, before: Body) -> Body:
    voucher = draft.voucher
    body = merge(
        before,
        draft,
        work.zone,
        discount=UNSET if voucher is None else voucher.discount,
        discount_path="voucher.discount",
        limit=(voucher and voucher.redemption) or LimitIn(),
    )
    return _categorized(work, draft, body)


def _categorized(work: _Work, draft: WindowsIn, body: Body) -> Body:
    """The body with a category's name and id that belong together."""
    if draft.category_id is UNSET and draft.category is UNSET:
        return body
    known = work.snapshot.categories
    rest = {name: one for name, one in body.items() if name not in ("category", "category_id")}
    if isinstance(draft.category_id, str):
        if draft.category_id not in known:
            raise wrong("category_id", f"there is no category {draft.category_id!r} in this project")
        return rest | {"category_id": draft.category_id, "category": known[draft.category_id].name}
    if isinstance(draft.category, str):
        found = next((one for one in known.values() if one.name == draft.category), None)
        return rest | {"category": draft.category} | ({} if found is None else {"category_id": found.id})
    return rest


def _known_rules(work: _Work, named: Sequence[str]) -> tuple[str, ...]:
    for place, name in enumerate(named):
        if name not in work.snapshot.rules:
            raise wrong(f"validation_rules[{place}]", f"there is no validation rule {name!r} in this project")
    return tuple(named)


async def _put_tier(work: _Work, draft: TierDraft, campaign_id: str | None, path: str) -> None:
    work.tiers += 1
    if work.tiers > MOST:
        raise wrong("", f"a request may bring {MOST} tiers in all")
    snapshot = work.snapshot
    tier_id = draft.id or draft.name
    if tier_id is None:
        raise wrong("id", "a draft needs an id, or a name to be called by")
    if "|" in tier_id or "@" in tier_id:
        raise wrong("id", "may not hold | or @")
    saved = snapshot.tiers.get(tier_id)
    owner = campaign_id or (saved.campaign_id if saved else ALONE)
    if owner not in snapshot.campaigns:
        if owner != ALONE:
            raise wrong(path, f"there is no promotion campaign {owner!r} in this project")
        snapshot.put_campaign(Campaign(id=ALONE, name="Drafts", active=True, terms=parse_terms({}), body={}))
    discount = draft.action.discount if draft.action else None
    if discount is None and saved is None:
        raise wrong("action.discount", "a promotion tier needs its discount")
    body = merge(
        saved.body if saved else {}, draft, work.zone, discount=discount, discount_path="action.discount"
    )
    body = _categorized(work, draft, body)
    siblings = (snapshot.tiers[name].hierarchy for name in snapshot.tiers_of.get(owner, ()))
    place = saved.hierarchy if saved else max(siblings, default=0) + 1
    snapshot.put_tier(
        Tier(
            id=tier_id,
            campaign_id=owner,
            name=draft.name or (saved.name if saved else tier_id),
            banner=(saved.banner if saved else None) if draft.banner is UNSET else draft.banner or None,
            hierarchy=place if draft.hierarchy is None else draft.hierarchy,
            active=(saved.active if saved else True) if draft.active is None else draft.active,
            category_id=body.get("category_id"),
            terms=parse_terms(body),
            body=body,
            metadata=(saved.metadata if saved else {}) | (draft.metadata or {}),
            created_at=saved.created_at if saved else work.now,
            updated_at=saved.updated_at if saved else None,
        )
    )
    rules = draft.rules()
    if rules is not None:
        snapshot.assign(tier_id, _known_rules(work, rules))


async def _note_code(work: _Work, draft: VoucherDraft, path: str, field: str = "code") -> None:
    """Check what can be checked before the saved code, if there is one, was read."""
    if type_of(draft.type, draft.gift, draft.loyalty_card, draft.discount) != "DISCOUNT_VOUCHER":
        raise wrong("type", "drafts of cards are not possible: what is on a card is in the books")
    check_code(draft.code, field)
    key = code_key(draft.code, work.case_sensitive)
    if key in work.drafted.codes:
        raise wrong(field, "is drafted twice")
    if draft.campaign_id is not None and draft.campaign_id not in work.drafted.campaigns:
        saved = await _saved(work, draft.campaign_id)
        if saved is None or saved.campaign_type == "PROMOTION":
            raise wrong("campaign_id", f"there is no campaign of codes {draft.campaign_id!r} in this project")
        # it may be called by its name here, and by its id where it is drafted
        work.drafted.campaigns[draft.campaign_id] = work.drafted.campaigns.get(saved.id) or CampaignTerms(
            id=saved.id,
            name=saved.name,
            body=saved.body,
            active=saved.active,
            category_id=saved.category_id,
            limit_policy=(saved.options or {}).get("limit_policy"),
            new=False,
        )
    _categorized(work, draft, {})
    if isinstance(draft.validation_rules, list):
        _known_rules(work, draft.validation_rules)
    work.drafted.codes[key] = Code(path, draft)


async def _stacking(work: _Work, given: Mapping[str, Any]) -> StackingRules:
    saved = work.snapshot.stacking
    unknown = sorted(name for name in given if name not in stacking.NAMES)
    if unknown:
        raise wrong(unknown[0], "is no field of stacking rules")
    before = {name: getattr(saved, name) for name in stacking.NAMES}
    rules = msgspec.convert(before | dict(given), StackingRules)
    await stacking.check(work.conn, work.project_id, rules, was=saved)
    return rules
