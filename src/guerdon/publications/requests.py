"""What callers send to have a code given to a customer, as a payload or, from tools that cannot post, as a query."""

import re
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from guerdon.customers.upsert import CustomerUpsert
from guerdon.kit.errors import ApiError, Fault, invalid_payload, invalid_query

MOST_CODES = 50
"""How many codes one publication can give."""

Name = Annotated[str, Meta(min_length=1, max_length=512)]


class CampaignAsked(Struct, kw_only=True):
    """A campaign to pick from, by its name or id, and how many codes."""

    name: Name | None = None
    id: Name | None = None
    count: Annotated[int, Meta(ge=1, le=2**31 - 1)] | None = None


class PublicationIn(Struct, kw_only=True):
    """Give `voucher`, or codes of `campaign`, to `customer`. Of the two sources the voucher wins."""

    customer: CustomerUpsert | None = None
    voucher: Name | None = None
    campaign: CampaignAsked | None = None
    source_id: Name | None = None
    channel: Annotated[str, Meta(min_length=1, max_length=100)] | None = None
    metadata: dict[str, Any] | None = None

    @property
    def count(self) -> int:
        """How many codes are asked for."""
        return 1 if self.voucher is not None or self.campaign is None else self.campaign.count or 1

    @property
    def named_campaign(self) -> str | None:
        """The campaign to pick from, None when a code is named."""
        if self.voucher is not None or self.campaign is None:
            return None
        return self.campaign.id or self.campaign.name


def check(data: PublicationIn, *, once: bool) -> CustomerUpsert:
    """The customer to give to. Raises `ApiError` 400 for what cannot be meant; `once`: `join_once` was asked for."""
    if data.voucher is None and data.named_campaign is None:
        raise ApiError(
            400,
            "missing_vouchers",
            "Missing vouchers",
            "Say which code (voucher) or which campaign (campaign.name) to publish from.",
        )
    customer = data.customer
    if customer is None or (customer.id is None and customer.source_id is None):
        raise invalid_payload(
            Fault("customer", "needs the id or source_id of who gets the code"),
            key="missing_customer",
            message="Missing customer",
        )
    check_count(data, once=once)
    return customer


def check_count(data: PublicationIn, *, once: bool) -> None:
    """Raise `ApiError` 400 ``too_many_vouchers_requested``."""
    limit, why = MOST_CODES, f"a publication gives {MOST_CODES} codes at most"
    if data.source_id is not None:
        limit, why = 1, "with a source_id a publication gives one code"
    if once:
        limit, why = 1, "whoever joins once gets one code"
    if data.count > limit:
        raise invalid_payload(
            Fault("campaign.count", why),
            key="too_many_vouchers_requested",
            message="Too many vouchers requested",
        )


_STEP = re.compile(r"\[([^\[\]]{1,255})\]")
_KEY = re.compile(r"(voucher|campaign|source_id|channel|customer|metadata)((?:\[[^\[\]]{1,255}\]){0,4})")
_TEXTS = {"voucher", "source_id", "channel"}


def read_query(query: Sequence[tuple[str, str]]) -> PublicationIn:
    """The payload that a query spells: ``campaign[name]=…&customer[source_id]=…&metadata[…]=…``.

    All values are texts. The Python SDK writes objects as JSON: ``customer={"source_id": …}``. Raises `ApiError` 400
    that names the parameter.
    """
    found: dict[str, Any] = {}
    for key, value in query:
        match = _KEY.fullmatch(key)
        if match is None:
            continue
        name, steps = match[1], _STEP.findall(match[2])
        if name not in _TEXTS and not steps:
            found[name] = _object(key, value)
        elif name in _TEXTS and steps:
            raise invalid_query(key[:200], "is a text without parts")
        else:
            _put(found, [name, *steps], value, key)
    campaign = found.get("campaign")
    if campaign is not None and isinstance(count := campaign.get("count"), str) and count.isdecimal():
        campaign["count"] = int(count[:10])
    try:
        return msgspec.convert(found, PublicationIn)
    except msgspec.ValidationError as error:
        raise invalid_query("query", str(error)) from None


def _object(key: str, value: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(value, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError):
        raise invalid_query(key, f"is written {key}[name]=… or as a JSON object") from None


def _put(found: dict[str, Any], steps: Sequence[str], value: str, key: str) -> None:
    for step in steps[:-1]:
        found = found.setdefault(step, {})
        if not isinstance(found, dict):
            raise invalid_query(key[:200], "contradicts a parameter before it")
    if isinstance(found.get(steps[-1]), dict):
        raise invalid_query(key[:200], "contradicts a parameter before it")
    found[steps[-1]] = value
