"""What the law says of gift cards, by place, with where it is written and when that was looked at.

Not legal advice. `certain` is False where the law is disputed, was not read by us, or may have been renumbered;
`checked` is None where nobody looked it up for this table. Amounts are minor units.
"""

from datetime import date
from typing import Final, Literal

from msgspec import Struct
from msgspec.structs import replace

Kind = Literal["MINIMUM_VALIDITY", "NO_EXPIRY", "CASH_OUT", "FEES", "ADVICE"]

CHECKED: Final = date(2026, 11, 22)
OLR: Final = "https://www.cga.ct.gov/2015/rpt/2015-R-0095.htm"


class Rule(Struct, frozen=True, kw_only=True):
    """A rule of a place: a country, or a country and a region (ISO 3166). A region has its country's rules too.

    MINIMUM_VALIDITY: `months` from the sale, counted from the end of its year where `year_end`. CASH_OUT: what
    is below `amount` (or that much, where `inclusive`) is paid out in cash when asked for. In force from `since`
    up to and with `until`.
    """

    place: str
    kind: Kind
    says: str
    source: str
    since: date
    until: date | None = None
    months: int | None = None
    year_end: bool = False
    amount: int | None = None
    currency: str | None = None
    inclusive: bool = False
    seen: str | None = None
    checked: date | None = CHECKED
    certain: bool = True

    def in_force(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.since <= day and (self.until is None or day <= self.until)


def _cash(
    region: str,
    amount: int,
    source: str,
    since: date,
    says: str = "",
    *,
    inclusive: bool = False,
    until: date | None = None,
    seen: str | None = OLR,
    certain: bool = True,
) -> Rule:
    limit = f"{amount // 100}.{amount % 100:02d} USD" + (" or less" if inclusive else "")
    words = f"A balance {'of' if inclusive else 'below'} {limit} is paid out in cash when the holder asks."
    return Rule(
        place=f"US-{region}", kind="CASH_OUT", says=f"{words} {says}".strip(), source=source, since=since, until=until,
        amount=amount, currency="USD", inclusive=inclusive, seen=seen, checked=CHECKED if seen else None,
        certain=certain,
    )  # fmt: skip


UNITED_STATES: Final = (
    Rule(
        place="US",
        kind="MINIMUM_VALIDITY",
        says="What was paid for a card may not expire within five years of the sale, or of the last time it was loaded.",
        source="15 U.S.C. § 1693l-1(c); 12 CFR § 1005.20(e)",
        since=date(2010, 8, 22),
        months=60,
        seen="https://classaction.org/blog/gift-cards-expiration-laws-a-state-by-state-review",
    ),
    Rule(
        place="US",
        kind="FEES",
        says="No dormancy, inactivity or service fee in the first twelve months without activity; then one a month at "
        "most, told beforehand.",
        source="15 U.S.C. § 1693l-1(b); 12 CFR § 1005.20(d)",
        since=date(2010, 8, 22),
    ),
    Rule(
        place="US-CA",
        kind="NO_EXPIRY",
        says="A gift card that was sold may have no expiration date.",
        source="Cal. Civ. Code § 1749.5(a)(1)",
        since=date(1997, 1, 1),
        seen="https://www.stradlinglaw.com/news-insights/california-increases-gift-card-cash-out-threshold-to-dollar15-starting-april-1-2026.html",
    ),
    Rule(
        place="US-CA",
        kind="FEES",
        says="No service fee; but 1 USD a month on a reloadable card with 5 USD or less after 24 months without use.",
        source="Cal. Civ. Code § 1749.5(a)(2), (e)",
        since=date(2004, 1, 1),
    ),
    _cash("CA", 1_000, "Cal. Civ. Code § 1749.5(b)(2)", date(2008, 1, 1), until=date(2026, 3, 31)),
    _cash(
        "CA",
        1_500,
        "Cal. Civ. Code § 1749.5 as amended by SB 22 (Stats. 2025, ch. 207)",
        date(2026, 4, 1),
        "Cards that were donated with a notice are exempt.",
        seen="https://www.morganlewis.com/fr/pubs/2026/03/california-raises-gift-card-cash-out-threshold-to-15",
    ),
    _cash("CO", 500, "Colo. Rev. Stat. § 6-1-722(2)(b)", date(2010, 8, 11), inclusive=True),
    Rule(
        place="US-CO",
        kind="FEES",
        says="No service, dormancy, inactivity or maintenance fee.",
        source="Colo. Rev. Stat. § 6-1-722",
        since=date(2010, 8, 11),
        seen=OLR,
    ),
    Rule(
        place="US-CT",
        kind="NO_EXPIRY",
        says="A gift certificate may have no expiration date.",
        source="Conn. Gen. Stat. § 42-460",
        since=date(2003, 8, 16),
        checked=None,
        certain=False,
    ),
    _cash("CT", 300, "Conn. Gen. Stat. § 42-460 as amended", date(2018, 10, 1), seen=None, certain=False),
    Rule(
        place="US-FL",
        kind="NO_EXPIRY",
        says="A gift certificate that was sold may have no expiration date and no fee after the sale.",
        source="Fla. Stat. § 501.95",
        since=date(2007, 6, 28),
        checked=None,
        certain=False,
    ),
    Rule(
        place="US-ME",
        kind="NO_EXPIRY",
        says="No time limit may be set to the holder's right to use the card.",
        source="33 M.R.S., unclaimed property act (formerly § 1953(1)(G)); renumbered since",
        since=date(2009, 1, 1),
        checked=None,
        certain=False,
    ),
    _cash(
        "ME", 500, "33 M.R.S., unclaimed property act (formerly § 1953(1)(G)(5)); renumbered since",
        date(2009, 1, 1), "Not for cards sold for 5 USD or less, or given for nothing.", certain=False,
    ),
    Rule(
        place="US-MA",
        kind="MINIMUM_VALIDITY",
        says="A gift certificate is valid for at least seven years; one that names no end does not expire.",
        source="Mass. Gen. Laws ch. 200A § 5D; ch. 255D § 1",
        since=date(2003, 4, 1),
        months=84,
    ),
    _cash(
        "MA", 500, "Mass. Gen. Laws ch. 200A § 5D", date(2003, 4, 1),
        "That is for reloadable cards; others, once 90 % of their value was used.",
    ),
    Rule(
        place="US-MT",
        kind="NO_EXPIRY",
        says="A gift certificate does not expire and may bear no dormancy fee.",
        source="Mont. Code Ann. § 30-14-108",
        since=date(2005, 10, 1),
        seen=OLR,
        certain=False,
    ),
    _cash("MT", 500, "Mont. Code Ann. § 30-14-108(4)", date(2005, 10, 1), "If it was worth more than that at first."),
    _cash("NJ", 500, "N.J. Stat. Ann. § 56:8-110(c)", date(2012, 12, 1)),
    Rule(
        place="US-NY",
        kind="MINIMUM_VALIDITY",
        says="What is on a card may not expire within nine years of the sale, or of the last time it was loaded.",
        source="N.Y. Gen. Bus. Law § 396-i",
        since=date(2022, 12, 10),
        months=108,
        seen="https://cadeauwinkel.net/us-new-york-extends-minimum-term-for-gift-cards-from-5-to-9-years/",
    ),
    Rule(
        place="US-NY",
        kind="FEES",
        says="No fee after the sale.",
        source="N.Y. Gen. Bus. Law § 396-i",
        since=date(2022, 12, 10),
    ),
    _cash(
        "NY", 500, "N.Y. Gen. Bus. Law § 396-i", date(2022, 12, 10),
        seen="https://newyork.public.law/laws/n.y._general_business_law_section_396-i", certain=False,
    ),
    Rule(
        place="US-OR",
        kind="NO_EXPIRY",
        says="A gift card may not expire, except where it was sold below its value and says so.",
        source="Or. Rev. Stat. § 646A.276",
        since=date(2007, 1, 1),
        checked=None,
        certain=False,
    ),
    _cash("OR", 500, "Or. Rev. Stat. § 646A.276(1)(d)", date(2016, 1, 1), "Once it was used."),
    Rule(
        place="US-RI",
        kind="NO_EXPIRY",
        says="A gift certificate may have no expiration date and no fee.",
        source="R.I. Gen. Laws § 6-13-12",
        since=date(2000, 1, 1),
        checked=None,
        certain=False,
    ),
    _cash("RI", 100, "R.I. Gen. Laws § 6-13-12", date(2000, 1, 1)),
    _cash("TX", 250, "Tex. Bus. & Com. Code ch. 604", date(2015, 9, 1), seen=None, certain=False),
    _cash("VT", 100, "8 V.S.A. § 2704", date(2006, 7, 1)),
    Rule(
        place="US-WA",
        kind="NO_EXPIRY",
        says="A gift certificate may have no expiration date, with few exceptions.",
        source="Wash. Rev. Code § 19.240.020",
        since=date(2004, 7, 1),
        checked=None,
        certain=False,
    ),
    _cash("WA", 500, "Wash. Rev. Code § 19.240.020(3)", date(2004, 7, 1)),
)  # fmt: skip

ELSEWHERE: Final = (
    Rule(
        place="IE",
        kind="MINIMUM_VALIDITY",
        says="A gift voucher is valid for at least five years.",
        source="Consumer Protection Act 2007, as amended by the Consumer Protection (Gift Vouchers) Act 2019",
        since=date(2019, 12, 2),
        months=60,
        seen="https://www.mccannfitzgerald.com/knowledge/retail/traders-must-comply-with-new-rules-on-gift-vouchers",
    ),
    Rule(
        place="IE",
        kind="ADVICE",
        says="A voucher need not be spent at once; where it can be used only once, what is left above 1.00 EUR is given "
        "back in cash, by transfer or as a new voucher. Several may be used for one purchase.",
        source="Consumer Protection (Gift Vouchers) Act 2019",
        since=date(2019, 12, 2),
        seen="https://www.lexology.com/library/detail.aspx?g=82d940eb-1918-4b74-902b-ec1818285153",
    ),
    Rule(
        place="AU",
        kind="MINIMUM_VALIDITY",
        says="A gift card is valid for at least three years.",
        source="Australian Consumer Law (Competition and Consumer Act 2010, Sch. 2), s 99B",
        since=date(2019, 11, 1),
        months=36,
        seen="https://allens.com.au/insights-news/insights/2019/11/new-laws-on-gift-cards-what-you-need-to-know-now",
    ),
    Rule(
        place="AU",
        kind="FEES",
        says="No fee after the sale that lowers the card's value.",
        source="Australian Consumer Law, Part 3-2 Division 3A",
        since=date(2019, 11, 1),
        seen="https://allens.com.au/insights-news/insights/2019/11/new-laws-on-gift-cards-what-you-need-to-know-now",
    ),
    Rule(
        place="NZ",
        kind="MINIMUM_VALIDITY",
        says="A gift card may not be sold with an expiry earlier than three years after its first sale.",
        source="Fair Trading Act 1986, as amended by the Fair Trading (Gift Card Expiry) Amendment Act 2024",
        since=date(2026, 3, 16),
        months=36,
        seen="https://simpsongrierson.com/insights-news/legal-updates/longer-lifespan-for-gift-cards-ahead",
    ),
    Rule(
        place="CA-ON",
        kind="NO_EXPIRY",
        says="A gift card agreement may set no expiry date.",
        source="O. Reg. 17/05 under the Consumer Protection Act, 2002, s. 25.3",
        since=date(2007, 10, 1),
        checked=None,
        certain=False,
    ),
    Rule(
        place="CA-QC",
        kind="NO_EXPIRY",
        says="A prepaid card may set no expiry date.",
        source="Consumer Protection Act, CQLR c. P-40.1, s. 187.3",
        since=date(2010, 6, 30),
        checked=None,
        certain=False,
    ),
    Rule(
        place="CA-QC",
        kind="CASH_OUT",
        says="A balance of 5.00 CAD or less is paid out in cash when the holder asks.",
        source="Consumer Protection Act, CQLR c. P-40.1, s. 187.4",
        since=date(2010, 6, 30),
        amount=500,
        currency="CAD",
        inclusive=True,
        checked=None,
        certain=False,
    ),
    Rule(
        place="CA-BC",
        kind="NO_EXPIRY",
        says="A prepaid purchase card may set no expiry date.",
        source="Prepaid Purchase Cards Regulation, B.C. Reg. 292/2008",
        since=date(2008, 11, 1),
        checked=None,
        certain=False,
    ),
    Rule(
        place="DE",
        kind="MINIMUM_VALIDITY",
        says="The claim is barred three years after the end of the year of the sale; standard terms that end it earlier "
        "are mostly void.",
        source="§§ 195, 199, 307 BGB; case law",
        since=date(2002, 1, 1),
        months=36,
        year_end=True,
        seen="https://webshoprecht.de/IRTexte/Rspr447.php",
        certain=False,
    ),
    Rule(
        place="AT",
        kind="ADVICE",
        says="Claims are barred after thirty years; a shorter term needs a reason that weighs more than the holder's "
        "interest, and courts held two and three years too short.",
        source="§§ 879, 1478 ABGB; case law",
        since=date(1917, 1, 1),
        seen="https://360.lexisnexis.at/d/z_vbr_2019_3_rdb_tso_ENvbr20190306_fb07b9eff0",
        certain=False,
    ),
    Rule(
        place="CH",
        kind="ADVICE",
        says="Claims are barred after ten years, some after five; whether terms may be shorter is disputed.",
        source="Art. 127–129 OR",
        since=date(1912, 1, 1),
        seen="https://beobachter.ch/beratung/rechtsratgeber/konsum/kauf-und-leasing/gutscheine/wie-lange-sind-gutscheine-gultig",
        certain=False,
    ),
    Rule(
        place="GB",
        kind="ADVICE",
        says="No minimum is set; terms must be fair and told before the sale, and an end must be plain on the card.",
        source="Consumer Rights Act 2015, ss 62–68",
        since=date(2015, 10, 1),
        checked=None,
        certain=False,
    ),
)


def _as_seen(rule: Rule) -> Rule:
    """A rule is only as certain as what we read of it."""
    return rule if rule.seen else replace(rule, checked=None, certain=False)


POLICY_RULES: Final[tuple[Rule, ...]] = tuple(_as_seen(rule) for rule in (*UNITED_STATES, *ELSEWHERE))
PLACES: Final = tuple(sorted({rule.place for rule in POLICY_RULES}))
