"""Who is who: addresses and phone numbers in the one form that all spellings of them share.

What reaches one person's mailbox or phone is one identity, however it is written, so that nobody refers himself.
"""

import unicodedata
from typing import Final

import phonenumbers

from guerdon.referrals.disposable import DISPOSABLE

DOMAINS: Final[dict[str, str]] = {
    "googlemail.com": "gmail.com",
    "protonmail.com": "proton.me",
    "protonmail.ch": "proton.me",
    "pm.me": "proton.me",
    "me.com": "icloud.com",
    "mac.com": "icloud.com",
    "ya.ru": "yandex.ru",
    "yandex.com": "yandex.ru",
    "yandex.by": "yandex.ru",
    "yandex.kz": "yandex.ru",
    "yandex.ua": "yandex.ru",
    "narod.ru": "yandex.ru",
}
"""Domains of one provider whose users have the same mailbox under each of them."""

IGNORED: Final[dict[str, str]] = {"gmail.com": ".", "proton.me": ".-_"}
"""Characters of the local part that a provider does not look at."""

DASH_TAGS: Final = frozenset({"yahoo.com", "ymail.com", "rocketmail.com"})
"""Domains that write tags behind a dash instead of a plus."""

LONGEST: Final = 80
"""Characters of a written number that are looked at."""


def canonical_email(text: str | None) -> str | None:
    """The mailbox that an address reaches; None for what is no address.

    >>> canonical_email("Ann.Lee+shop@GoogleMail.com"), canonical_email("ann"), canonical_email(" A@b.EU. ")
    ('annlee@gmail.com', None, 'a@b.eu')
    """
    local, at, domain = _seen(text).casefold().rpartition("@")
    local, domain = local.replace('"', ""), _ascii(domain.rstrip("."))
    if not at or not local or not domain:
        return None
    domain = DOMAINS.get(domain, domain)
    kept = local.split("+", 1)[0]
    if domain in DASH_TAGS:
        kept = kept.split("-", 1)[0]
    for character in IGNORED.get(domain, ""):
        kept = kept.replace(character, "")
    if domain == "yandex.ru":
        kept = kept.replace(".", "-")
    return f"{kept or local}@{domain}"


def canonical_phone(text: str | None, country: str | None = None) -> str | None:
    """The number in E.164; None if no such number can be, or its country is not known. `country` is an ISO 3166 code.

    >>> canonical_phone("(030) 901820-12", "DE"), canonical_phone("0049 30 90182012"), canonical_phone("90182012")
    ('+493090182012', '+493090182012', None)
    >>> canonical_phone("8 (912) 345-67-89", "RU"), canonical_phone("011 44 20 7946 0958", "US")
    ('+79123456789', '+442079460958')
    """
    written = "".join(str(unicodedata.decimal(c, c)) for c in _seen(text)[:LONGEST])
    land = (country or "").upper()
    if land in phonenumbers.SUPPORTED_REGIONS:
        return _numbered(written, land, sure=False)
    if "+" in written:
        return _numbered(written, None, sure=False)
    return _numbered("+" + written.removeprefix("00"), None, sure=not written.startswith("00"))


def _numbered(written: str, land: str | None, *, sure: bool) -> str | None:
    """In E.164; with `sure` no number that is not given to anybody, since its calling code is a guess."""
    try:
        number = phonenumbers.parse(written, land)
    except phonenumbers.NumberParseException:
        return None
    if number.italian_leading_zero and not phonenumbers.is_valid_number(number):  # +48 (0) 601 234 567
        without = phonenumbers.PhoneNumber(number.country_code, number.national_number)
        number = without if phonenumbers.is_valid_number(without) else number
    if not phonenumbers.is_possible_number(number) or (sure and not phonenumbers.is_valid_number(number)):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _seen(text: str | None) -> str:
    """A text without what nobody sees of it."""
    shown = "".join(c for c in text or "" if unicodedata.category(c) != "Cf")
    return unicodedata.normalize("NFKC", shown).strip()


def _ascii(domain: str) -> str:
    """A domain as mail servers look it up."""
    if domain.isascii():
        return domain
    try:
        return domain.encode("idna").decode()
    except UnicodeError:
        return domain


def identities(email: str | None, phone: str | None, country: str | None = None) -> frozenset[str]:
    """What a person is known by."""
    found = (canonical_email(email), canonical_phone(phone, country))
    return frozenset(one for one in found if one is not None)


def is_disposable(email: str | None) -> bool:
    """Whether an address is of a provider that hands out mailboxes for minutes.

    >>> is_disposable("x@mail.mailinator.com"), is_disposable("x@example.com"), is_disposable(None)
    (True, False, False)
    """
    canonical = canonical_email(email)
    if canonical is None:
        return False
    labels = canonical.rpartition("@")[2].split(".")
    return any(".".join(labels[place:]) in DISPOSABLE for place in range(len(labels) - 1))
