"""What was said of a code when it was published, for formulas that ask (`PUBLICATION_METADATA`)."""

from collections.abc import Sequence
from typing import Any

from guerdon.engine.formed import names_asked
from guerdon.kit import db
from guerdon.redemptions.candidates import Candidate

OPERAND = "PUBLICATION_METADATA"

LATEST = """
    select w.id, p.metadata
    from unnest($2::text[]) as w (id)
    cross join lateral (
        select pv.publication_id from publication_vouchers pv
        where pv.project_id = $1 and pv.voucher_id = w.id order by pv.publication_id desc limit 1
    ) as n
    join publications p on p.project_id = $1 and p.id = n.publication_id
"""

# A generic code is given to many: what counts is what was said to this customer.
LATEST_TO = """
    select w.id, p.metadata
    from unnest($2::text[]) as w (id)
    cross join lateral (
        select g.metadata from publications g
        where g.project_id = $1 and g.customer_id = $3 and g.result = 'SUCCESS' and g.voucher_ids = array[w.id]
        order by g.created_at desc, g.id desc limit 1
    ) as p
"""


def asks(candidate: Candidate) -> bool:
    """Whether a formula of a code's discount may look at its publication."""
    terms, voucher = candidate.redeemable.terms, candidate.voucher
    if voucher is None or not voucher.published_count or terms is None:
        return False
    discount = terms.discount
    return discount is not None and discount.is_dynamic and OPERAND in names_asked(discount)


async def fill(
    conn: db.Db, project_id: str, candidates: Sequence[Candidate], customer_id: str | None
) -> None:
    """Give those that ask the metadata of their latest publication; of a generic code, of that to this customer."""
    asking = {one.voucher.id: one for one in candidates if one.voucher is not None and asks(one)}
    if not asking:
        return
    generic = [name for name, one in asking.items() if one.voucher is not None and one.voucher.generic]
    own = [name for name in asking if name not in generic]
    found: list[Any] = await db.records(conn, LATEST, project_id, own) if own else []
    if generic and customer_id is not None:
        found += await db.records(conn, LATEST_TO, project_id, generic, customer_id)
    for record in found:
        asking[record["id"]].redeemable.publication_metadata = record["metadata"]
