"""Drafts over codes: what is said of codes and of their campaigns, put over those that were read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import UNSET, Struct, field

from guerdon.engine import EngineError, parse_terms
from guerdon.kit.errors import ApiError, Fault, invalid_payload
from guerdon.kit.web import payload_error
from guerdon.redemptions.drafts import VoucherDraft
from guerdon.vouchers.locked import Kept, Voucher
from guerdon.vouchers.terms import merge, quantity_of

if TYPE_CHECKING:
    from guerdon.redemptions.gather import Seen

Body = dict[str, Any]


class CampaignTerms(Struct, kw_only=True):
    """A drafted campaign of codes, as its codes stand under it. `new` if none of that id is saved."""

    id: str
    name: str
    body: Body
    active: bool
    category_id: str | None
    limit_policy: str | None
    new: bool


class Code(Struct):
    """A drafted code, and where it stands among the drafts."""

    path: str
    draft: VoucherDraft


class Drafted(Struct):
    """What drafts say of codes: put over the codes of a request once these were read."""

    codes: dict[str, Code] = field(default_factory=dict)
    campaigns: dict[str, CampaignTerms] = field(default_factory=dict)


@contextmanager
def below(path: str) -> Iterator[None]:
    """Put the place of a draft before the paths of what is wrong with it."""
    try:
        yield
    except EngineError as error:
        fault = Fault(_under(path, error.path), error.message)
        raise invalid_payload(fault, key=error.key or "invalid_payload") from None
    except msgspec.ValidationError as error:
        problem = payload_error(error)
        raise invalid_payload(*_moved(problem, path)) from None
    except ApiError as error:
        raise invalid_payload(
            *_moved(error, path), key=error.key or "invalid_payload", message=error.message
        ) from None


def _moved(error: ApiError, path: str) -> list[Fault]:
    faults = error.faults or [Fault("", error.details or error.message)]
    return [Fault(_under(path, fault.path), fault.message) for fault in faults]


def _under(path: str, inner: str) -> str:
    return f"{path}.{inner}" if inner and not inner.startswith("[") else path + inner


def wrong(path: str, message: str, key: str = "invalid_payload") -> ApiError:
    """One fault, at a path inside a draft."""
    return invalid_payload(Fault(path, message), key=key)


def put_codes(seen: "Seen") -> None:
    """Put drafts over the codes that were read: of campaigns first, then of codes. Raises `ApiError` 400."""
    drafted = seen.drafted
    if drafted is None:
        return
    join_campaigns(drafted, seen.vouchers.values())
    for number, (key, code) in enumerate(drafted.codes.items()):
        with below(code.path):
            voucher = _put_code(seen, number, key, code.draft, seen.zone)
        seen.vouchers[voucher.id] = seen.vouchers_by_code[key] = voucher


def join_campaigns(drafted: Drafted, codes: Iterable[Voucher]) -> None:
    """Let codes that were read stand under the drafts of their campaigns."""
    for voucher in codes:
        campaign = drafted.campaigns.get(voucher.campaign_id or "")
        if campaign is not None:
            _join(voucher, campaign)
            if voucher.terms_id is None:
                voucher.kept = _kept(campaign.body)


def _put_code(seen: "Seen", number: int, key: str, draft: VoucherDraft, zone: ZoneInfo) -> Voucher:
    assert seen.drafted is not None
    saved = seen.vouchers_by_code.get(key)
    voucher = saved if saved is not None and saved.living else _new_code(seen, number, key, draft)
    campaign = seen.drafted.campaigns.get(draft.campaign_id or "")
    before: Body = {} if voucher.kept is None else voucher.kept.body
    if campaign is not None:
        voucher.campaign_id = campaign.id
        _join(voucher, campaign)
        before = before or campaign.body
    if draft.discount is None and "discount" not in before:
        raise wrong("discount", "a discount voucher needs its discount")
    if draft.says_terms() or voucher.kept is None:
        body = merge(before, draft, zone, discount=draft.discount, limit=draft.redemption)
        voucher.kept = _kept(body)
    if draft.category_id is not UNSET or draft.category is not UNSET:
        voucher.category_id = draft.category_id or None
        voucher.category = draft.category or None
    if draft.active is not None:
        voucher.active = draft.active
    if draft.metadata is not None:
        voucher.metadata = voucher.metadata | draft.metadata
    if draft.validation_rules is not UNSET:
        voucher.rule_ids = list(draft.validation_rules or ()) or None
    return voucher


def _join(voucher: Voucher, campaign: CampaignTerms) -> None:
    voucher.campaign_name, voucher.campaign_active = campaign.name, campaign.active
    voucher.campaign_category_id, voucher.limit_policy = campaign.category_id, campaign.limit_policy


def _kept(body: Body) -> Kept:
    return Kept(body, parse_terms(body | {"quantity": quantity_of(body)}))


def _new_code(seen: "Seen", number: int, key: str, draft: VoucherDraft) -> Voucher:
    return Voucher(
        id=f"v_draft{number}",
        code=draft.code,
        type="DISCOUNT_VOUCHER",
        campaign_id=None,
        terms_id=None,
        active=True,
        quantity=None,
        redeemed_quantity=0,
        published_count=0,
        category=None,
        category_id=None,
        additional_info=None,
        holder_id=None,
        is_referral_code=False,
        metadata={},
        created_at=seen.now,
        updated_at=None,
        code_key=key,
        in_force="",
        campaign_name=None,
        campaign_active=True,
        living=True,
    )
