"""Custom events that convert a referral."""

from guerdon.customers.store import CustomerRow
from guerdon.kit import clock, db
from guerdon.kit.call import Call
from guerdon.kit.errors import ApiError
from guerdon.referrals import record, screen
from guerdon.referrals.record import Referred
from guerdon.referrals.screen import Person

REFERRAL_CODE = "select is_referral_code from vouchers where project_id = $1 and id = $2"


async def convert(call: Call, voucher_id: str, name: str, customer: CustomerRow, event_id: str) -> None:
    """Note that a customer did what a referral program waits for, if this event is it.

    Raises `ApiError` 400 for a code that was not published, and for whoever may not be referred by it.
    """
    if not await db.value(call.db, REFERRAL_CODE, call.project_id, voucher_id):
        return
    known = await screen.gather(call.db, call.project_id, [voucher_id], [customer.id])
    code = known.codes.get(voucher_id)
    if code is None or code.program.by_event != name:
        return
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
    await record.write(call.conn, call.project_id, [referred], await clock.database_now(call.db))
