"""``/v1/publications``."""

from typing import Any, LiteralString, cast

import msgspec

from guerdon.kit import paging
from guerdon.kit.call import Call, Reply, Route
from guerdon.kit.errors import ApiError, invalid_query, not_found
from guerdon.publications.publish import publish
from guerdon.publications.requests import PublicationIn, check_count, read_query
from guerdon.publications.shape import Publication, Publications, listed
from guerdon.publications.store import LISTING, PublicationRow
from guerdon.vouchers.store import find_any

LAST_PAGE = 1000
KINDS = {"discount": "DISCOUNT_VOUCHER", "gift": "GIFT_VOUCHER", "loyalty": "LOYALTY_CARD"}

# Shortcuts of the list beside filters[…]: what stands before and after the value's place.
SHORTCUTS: dict[str, tuple[LiteralString, LiteralString]] = {
    "campaign": (
        "p.campaign_id = (select named.id from campaigns named where named.project_id = $1 and named.name = ",
        ")",
    ),
    "customer": (
        "p.customer_id in (select who.id from customers who where who.project_id = $1 and ",
        " in (who.id, who.source_id))",
    ),
    "voucher": (
        "p.id in (select given.publication_id from publication_vouchers given where given.project_id = $1"
        " and given.voucher_id = ",
        ")",
    ),
    "result": ("p.result = ", ""),
    "voucher_type": ("v.type = ", ""),
    "source_id": ("p.source_id = ", ""),
}
REFERRAL_CODES: LiteralString = " and v.is_referral_code"


async def create_publication(call: Call, data: PublicationIn, join_once: bool = False) -> Publication | Reply:
    """Give codes to a customer.

    Either the code `voucher`, or 1 to 50 codes of `campaign` that nobody has yet, all or none. The customer is created or changed. From then on the codes keep the terms they have; with the campaign's
    `activity_duration_after_publishing` their time begins now. An AUTO_UPDATE campaign makes the codes it lacks.
    With `join_once` a customer gets one code of a campaign and, asking again, the same. A `source_id` can be used
    once. What cannot be given is a 400 and is recorded as a failed publication.
    """
    return await publish(call, data, join_once=join_once)


async def create_publication_by_get(
    call: Call,
    voucher: str | None = None,
    source_id: str | None = None,
    join_once: bool = False,
) -> Publication | Reply:
    """Give one code to a customer, for tools that cannot post.

    `campaign[name]`, `customer[source_id]`, `customer[…]` and `metadata[…]` say what the payload says otherwise.
    """
    data = read_query(call.query)
    check_count(data, once=True)
    return await publish(call, data, join_once=join_once)


async def list_publications(
    call: Call,
    limit: int = 10,
    page: int = 1,
    order: str = "-created_at",
    starting_after_id: str | None = None,
    campaign: str | None = None,
    customer: str | None = None,
    voucher: str | None = None,
    result: str | None = None,
    voucher_type: str | None = None,
    is_referral_code: bool | None = None,
    source_id: str | None = None,
) -> Publications:
    """List publications, those that failed too.

    Pages end at 1000; `starting_after_id` walks on without an end. `campaign` is a name, `customer` an id or source id, `voucher` a code, `result` SUCCESS or FAILURE,
    `voucher_type` discount, gift or loyalty. They go together with `filters[field][conditions][$operator]` and
    `[created_at][before|after]`.
    """
    return await _page(call, await _narrowed(call))


async def list_voucher_publications(
    call: Call, code: str, limit: int = 10, page: int = 1, order: str = "-created_at"
) -> Publications:
    """List the publications of a code."""
    voucher_id = await find_any(call.db, call.project_id, code, call.caller.case_sensitive_codes)
    if voucher_id is None:
        raise not_found("voucher", code)
    return await _page(call, [("voucher", voucher_id)])


async def _narrowed(call: Call) -> list[tuple[str, Any]]:
    given: dict[str, Any] = {key: value for key, value in call.query if key in SHORTCUTS and value}
    if given.get("result", "SUCCESS") not in ("SUCCESS", "FAILURE"):
        raise invalid_query("result", "must be SUCCESS or FAILURE")
    if "voucher_type" in given:
        kind = KINDS.get(given["voucher_type"])
        if kind is None:
            raise invalid_query("voucher_type", "must be one of " + ", ".join(KINDS))
        given["voucher_type"] = kind
    if "voucher" in given:
        found = await find_any(call.db, call.project_id, given["voucher"], call.caller.case_sensitive_codes)
        given["voucher"] = found or ""
    return list(given.items())


async def _page(call: Call, narrowed: list[tuple[str, Any]]) -> Publications:
    asked = dict(call.query)
    number = asked.get("page", "")
    if number.isdecimal() and int(number[:9]) > LAST_PAGE:
        raise ApiError(
            400, "page_over_limit", "Page over limit",
            f"Pages end at {LAST_PAGE}; starting_after_id goes on behind any publication.",
        )  # fmt: skip
    where, args = LISTING.where, []
    for name, value in narrowed:
        before, after = SHORTCUTS[name]
        args.append(value)
        where += " and " + before + cast(LiteralString, f"${len(args) + 1}") + after
    if asked.get("is_referral_code", "").lower() == "true":
        where += REFERRAL_CODES
    found = await paging.page(
        call.db,
        PublicationRow,
        msgspec.structs.replace(LISTING, where=where),
        call.project_id,
        call.query,
        args=tuple(args),
        max_page=LAST_PAGE,
        zone=call.caller.timezone,
    )
    return Publications(
        publications=await listed(call.db, call.project_id, found.rows),
        total=found.total,
        has_more=found.has_more,
        more_starting_after=found.more_starting_after or msgspec.UNSET,
    )


TAG = "Publications"

ROUTES = [
    Route(method="POST", path="/v1/publications", handler=create_publication, tag=TAG, kind="write"),
    Route(method="GET", path="/v1/publications", handler=list_publications, tag=TAG),
    Route(
        method="GET", path="/v1/publications/create", handler=create_publication_by_get, tag=TAG, kind="write"
    ),
    Route(method="GET", path="/v1/vouchers/{code}/publications", handler=list_voucher_publications, tag=TAG),
]
