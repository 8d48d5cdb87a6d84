"""How publications look in answers."""

from collections.abc import Sequence
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType

from guerdon.customers import api as customers
from guerdon.customers import summary
from guerdon.customers.api import Customer
from guerdon.customers.store import CustomerRow
from guerdon.kit import db
from guerdon.kit.clock import iso
from guerdon.publications import store
from guerdon.publications.store import PublicationRow
from guerdon.vouchers.shape import Voucher
from guerdon.vouchers.store import with_rules, with_values
from guerdon.vouchers.value import GiftOut, PointsOut


class Publication(Struct, kw_only=True):
    """A publication as it is made: one code is shown whole as `voucher`, several by `vouchers`, their codes.

    `channel` is always API here, since the official SDK takes nothing else; lists show the one that was sent.
    """

    id: str
    object: Literal["publication"] = "publication"
    created_at: str
    customer_id: str
    tracking_id: str | UnsetType = UNSET
    metadata: dict[str, Any]
    channel: Literal["API"]
    source_id: str | None
    result: Literal["SUCCESS", "FAILURE"]
    customer: Customer | None
    voucher: Voucher | UnsetType = UNSET
    vouchers: list[str] | UnsetType = UNSET
    vouchers_id: list[str]


class PublishedVoucher(Struct, kw_only=True):
    """A code in short, as it is now."""

    code: str
    object: Literal["voucher"] = "voucher"
    campaign: str | None
    campaign_id: str | UnsetType = UNSET
    discount: dict[str, Any] | UnsetType = UNSET
    gift: GiftOut | UnsetType = UNSET
    loyalty_card: PointsOut | UnsetType = UNSET
    is_referral_code: bool = False


class PublicationListed(Struct, kw_only=True):
    """A publication in a list; one that failed says why. Of a customer who was deleted the id alone is left."""

    id: str
    object: Literal["publication"] = "publication"
    created_at: str
    customer_id: str
    tracking_id: str | UnsetType = UNSET
    metadata: dict[str, Any]
    channel: str
    source_id: str | None
    result: Literal["SUCCESS", "FAILURE"]
    failure_code: str | UnsetType = UNSET
    failure_message: str | UnsetType = UNSET
    customer: Customer | None
    voucher: PublishedVoucher | UnsetType = UNSET
    vouchers: list[str] | UnsetType = UNSET
    vouchers_id: list[str]


class Publications(Struct, kw_only=True):
    """A page of publications. `more_starting_after` is the id to go on behind."""

    object: Literal["list"] = "list"
    data_ref: Literal["publications"] = "publications"
    publications: list[PublicationListed]
    total: int
    has_more: bool
    more_starting_after: str | UnsetType = UNSET


async def answer(conn: db.Db, project_id: str, row: PublicationRow, customer: CustomerRow) -> Publication:
    """A successful publication, as the one who asked for it gets it."""
    so_far = await summary.tell(conn, project_id, [customer.id])
    who = customers.shape(customer, so_far[customer.id])
    facts: dict[str, Any] = _facts(row) | {"channel": "API"}
    made = Publication(**facts, customer=who, result="SUCCESS", vouchers_id=row.voucher_ids)
    if len(row.voucher_ids) > 1:
        made.vouchers = row.voucher_codes
        return made
    found = await store.vouchers(conn, project_id, row.voucher_ids)
    shown = await with_rules(conn, project_id, [one.answer() for one in found.values()])
    if shown:
        made.voucher = shown[0]
    return made


async def listed(conn: db.Db, project_id: str, rows: Sequence[PublicationRow]) -> list[PublicationListed]:
    """Publications in a list; customers and codes are read in one statement each."""
    people = await _people(conn, project_id, rows)
    single = [row.voucher_ids[0] for row in rows if len(row.voucher_ids) == 1]
    found = await store.vouchers(conn, project_id, single)
    codes = {one.id: one.answer() for one in found.values()}
    await with_values(conn, project_id, list(codes.values()))
    return [_listed(row, people.get(row.customer_id), codes) for row in rows]


def _listed(row: PublicationRow, customer: Customer | None, codes: dict[str, Voucher]) -> PublicationListed:
    shown = PublicationListed(
        **_facts(row), customer=customer, result=row.result, vouchers_id=row.voucher_ids,
        failure_code=_known(row.failure_code), failure_message=_known(row.failure_message),
    )  # fmt: skip
    if len(row.voucher_ids) > 1:
        shown.vouchers = row.voucher_codes
    elif row.voucher_ids:
        shown.voucher = _short(row.voucher_codes[0], codes.get(row.voucher_ids[0]))
    return shown


def _short(code: str, voucher: Voucher | None) -> PublishedVoucher:
    if voucher is None:  # deleted for good
        return PublishedVoucher(code=code, campaign=None)
    return PublishedVoucher(
        code=code,
        campaign=voucher.campaign,
        campaign_id=_known(voucher.campaign_id),
        discount=_known(voucher.discount),
        gift=_known(voucher.gift),
        loyalty_card=_known(voucher.loyalty_card),
        is_referral_code=voucher.is_referral_code,
    )


def _facts(row: PublicationRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "created_at": iso(row.created_at),
        "customer_id": row.customer_id,
        "tracking_id": _known(row.tracking_id),
        "metadata": row.metadata,
        "channel": row.channel,
        "source_id": row.source_id,
    }


async def _people(conn: db.Db, project_id: str, rows: Sequence[PublicationRow]) -> dict[str, Customer]:
    ids = list(dict.fromkeys(row.customer_id for row in rows))
    found = await store.customers(conn, project_id, ids)
    so_far = await summary.tell(conn, project_id, list(found))
    return {one: customers.shape(row, so_far[one]) for one, row in found.items()}


def _known(value: Any) -> Any:
    return UNSET if value is None else value
