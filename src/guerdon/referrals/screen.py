"""Who may redeem a referral code: not its referrer, under whatever spelling, nor anybody it was not meant for."""

from collections.abc import Collection, Sequence

from msgspec import Struct, field

from guerdon.engine.reasons import Reason
from guerdon.kit import db
from guerdon.referrals.identity import identities, is_disposable
from guerdon.referrals.program import Program, stored

CODES = """
    select v.id, h.id as holder_id, h.email, h.phone, h.address ->> 'country' as country, c.referral_program as program,
           v.campaign_id
    from unnest($2::text[]) as w (id)
    join vouchers v on v.project_id = $1 and v.id = w.id
    join campaigns c on c.project_id = $1 and c.id = v.campaign_id
    left join customers h on h.project_id = $1 and h.id = v.holder_id
"""

REFERRED_BY = """
    select r.referee_id as voucher_holder, r.referrer_id as customer_id, r.campaign_id
    from unnest($2::text[]) as w (id)
    join referrals r on r.project_id = $1 and r.referrer_id = w.id and r.status <> 'UNDONE'
    where r.referee_id = any($3::text[])
"""

COUNTRIES = """
    select c.id, c.address ->> 'country' as country
    from unnest($2::text[]) as w (id) join customers c on c.project_id = $1 and c.id = w.id
"""

Refusal = tuple[Reason, str]


class Code(Struct, frozen=True):
    """A referral code: its referrer (None before it was published) and the identities they are known by."""

    id: str
    campaign_id: str
    holder_id: str | None
    identities: frozenset[str]
    program: Program


class Person(Struct, frozen=True):
    """Whoever wants to redeem: as stored, or as only said (`id` None)."""

    id: str | None
    emails: tuple[str | None, ...]
    phones: tuple[str | None, ...]
    country: str | None = None

    def identities(self) -> frozenset[str]:
        """All that the customer is known by."""
        found: set[str] = set()
        for email in self.emails:
            found |= identities(email, None)
        for phone in self.phones:
            found |= identities(None, phone, self.country)
        return frozenset(found)


class Screen(Struct):
    """The referral codes of a batch, who has referred whom in their campaigns (referrer, referee, campaign), and the
    countries of customers, for phone numbers that were written without a calling code.
    """

    codes: dict[str, Code] = field(default_factory=dict)
    referred: set[tuple[str, str, str]] = field(default_factory=set)
    countries: dict[str, str | None] = field(default_factory=dict)

    def refusal(self, voucher_id: str, name: str, person: Person | None) -> Refusal | None:
        """Why a customer may not have a referral code, or None."""
        code = self.codes.get(voucher_id)
        if code is None:
            return None
        if code.holder_id is None:
            return Reason.NOT_PUBLISHED, f"{name} was not given to anybody yet"
        if person is None:
            return Reason.MISSING_CUSTOMER, f"{name} is a referral code: whom it refers has to be named"
        if person.id == code.holder_id:
            return Reason.REFERRER_NOT_PERMITTED, f"{name} is the customer's own referral code"
        if person.identities() & code.identities:
            details = f"{name} is the referral code of somebody with the same address or phone number"
            return Reason.REFERRER_NOT_PERMITTED, details
        if (person.id, code.holder_id, code.campaign_id) in self.referred:
            return Reason.REFERRER_NOT_PERMITTED, f"The referrer of {name} was referred by this customer"
        if code.program.disposable_addresses == "REFUSE" and any(map(is_disposable, person.emails)):
            return Reason.DISPOSABLE_ADDRESS, f"{name} is for customers with an address of their own"
        return None


async def gather(
    conn: db.Db, project_id: str, voucher_ids: Collection[str], customer_ids: Sequence[str]
) -> Screen:
    """Read what is to be known of referral codes and of the customers (ids) who want them."""
    screen = Screen()
    for row in await db.records(conn, CODES, project_id, sorted(voucher_ids)):
        screen.codes[row["id"]] = Code(
            id=row["id"],
            campaign_id=row["campaign_id"],
            holder_id=row["holder_id"],
            identities=identities(row["email"], row["phone"], row["country"]),
            program=stored(row["program"]),
        )
    holders = sorted({code.holder_id for code in screen.codes.values() if code.holder_id is not None})
    if holders and customer_ids:
        for row in await db.records(conn, REFERRED_BY, project_id, sorted(set(customer_ids)), holders):
            screen.referred.add((row["customer_id"], row["voucher_holder"], row["campaign_id"]))
        for row in await db.records(conn, COUNTRIES, project_id, sorted(set(customer_ids))):
            screen.countries[row["id"]] = row["country"]
    return screen
