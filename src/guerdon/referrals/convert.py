"""Custom events that convert a referral."""

from datetime import datetime
from zoneinfo import ZoneInfo

from guerdon.customers.store import CustomerRow
from guerdon.engine.reasons import Reason
from guerdon.engine.terms import parse_terms
from guerdon.engine.window import check_times
from guerdon.kit import clock, db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError
from guerdon.referrals import record, screen
from guerdon.referrals.record import Referred
from guerdon.referrals.screen import Person

# `referred`: the customer was referred in the code's campaign before.
CODE = """
    select v.active, c.active as campaign_active, t.body, exists (
        select 1 from referrals r
        where r.project_id = $1 and r.campaign_id = v.campaign_id and r.referee_id = $3 and r.status <> 'UNDONE'
    ) as referred
    from vouchers v
    join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    join voucher_terms t on t.project_id = $1 and t.id = coalesce(v.terms_id, c.terms_id)
    where v.project_id = $1 and v.id = $2 and v.is_referral_code
"""


async def convert(call: Call, voucher_id: str, name: str, customer: CustomerRow, event_id: str) -> None:
    """Note that a customer did what a referral program waits for, if this event is it.

    Raises `ApiError` 400 for a code that was not published or, to whom it would refer anew, is of no use now, and for
    whoever may not be referred by it.
    """
    found = await db.records(call.db, CODE, call.project_id, voucher_id, customer.id)
    if not found:
        return
    known = await screen.gather(call.db, call.project_id, [voucher_id], [customer.id])
    code = known.codes.get(voucher_id)
    if code is None or code.program.by_event != name:
        return
    now = await clock.database_now(call.db)
    useless = None if found[0]["referred"] else _useless(found[0], now, call.caller.zone)
    if useless is not None:
        raise ApiError(
            useless.code, useless.key, useless.message, "The code of the referral cannot be used now"
        )
    country = (customer.address or {}).get("country")
    person = Person(customer.id, (customer.email,), (customer.phone,), country)
    refused = known.refusal(voucher_id, "The code", person)
    if refused is not None:
        reason, details = refused
        raise ApiError(reason.code, reason.key, reason.message, details)
    assert code.holder_id is not None, "an unpublished code is refused"
    referred = Referred(
        campaign_id=code.campaign_id,
        voucher_id=voucher_id,
        referrer_id=code.holder_id,
        referee_id=customer.id,
        event_id=event_id,
        request_id=call.request_id,
    )
    await record.write(call.conn, call.project_id, [referred], now)


def _useless(code: db.Record, now: datetime, zone: ZoneInfo) -> Reason | None:
    if not code["active"]:
        return Reason.VOUCHER_DISABLED
    if not code["campaign_active"]:
        return Reason.CAMPAIGN_DISABLED
    return check_times(parse_terms(code["body"]), now, zone)
