"""Who is who: addresses and phone numbers in the one form that all spellings of them share.

What reaches one person's mailbox or phone is one identity, however it is written, so that nobody refers himself.
"""

import unicodedata
from typing import Final

from guerdon.engine.disposable import DISPOSABLE

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

CALLING_CODES: Final[dict[str, str]] = {
    "AR": "54", "AT": "43", "AU": "61", "BE": "32", "BG": "359", "BR": "55", "CA": "1", "CH": "41", "CL": "56",
    "CN": "86", "CO": "57", "CY": "357", "CZ": "420", "DE": "49", "DK": "45", "EE": "372", "EG": "20", "ES": "34",
    "FI": "358", "FR": "33", "GB": "44", "GR": "30", "HK": "852", "HR": "385", "HU": "36", "ID": "62", "IE": "353",
    "IL": "972", "IN": "91", "IS": "354", "IT": "39", "JP": "81", "KR": "82", "LT": "370", "LU": "352", "LV": "371",
    "MA": "212", "MT": "356", "MX": "52", "MY": "60", "NG": "234", "NL": "31", "NO": "47", "NZ": "64", "PE": "51",
    "PH": "63", "PL": "48", "PT": "351", "RO": "40", "RS": "381", "RU": "7", "SA": "966", "SE": "46", "SG": "65",
    "SI": "386", "SK": "421", "TH": "66", "TR": "90", "TW": "886", "UA": "380", "US": "1", "VN": "84", "ZA": "27",
}  # fmt: skip
"""Country calling codes, by ISO 3166 code."""

NO_TRUNK: Final = frozenset({"IT"})
"""Countries whose numbers keep their leading zero behind the calling code."""

SHORTEST, LONGEST = 8, 15
"""Digits that a number in E.164 has, the calling code among them; shorter ones identify nobody."""


def canonical_email(text: str | None) -> str | None:
    """The mailbox that an address reaches; None for what is no address.

    >>> canonical_email("Ann.Lee+shop@GoogleMail.com"), canonical_email("ann"), canonical_email(" A@b.EU. ")
    ('annlee@gmail.com', None, 'a@b.eu')
    """
    local, at, domain = unicodedata.normalize("NFKC", text or "").strip().casefold().rpartition("@")
    domain = domain.rstrip(".")
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
    """The number in E.164; None if it is too short or its country is not known. `country` is an ISO 3166 code.

    >>> canonical_phone("(030) 901820-12", "DE"), canonical_phone("0049 30 90182012"), canonical_phone("90182012")
    ('+493090182012', '+493090182012', None)
    """
    written = unicodedata.normalize("NFKC", text or "").strip()
    digits = "".join(str(unicodedata.digit(c)) for c in written if c.isdigit())
    if written.startswith("+"):
        whole = digits
    elif digits.startswith("00"):
        whole = digits[2:]
    else:
        land = (country or "").upper()
        code = CALLING_CODES.get(land)
        if code is None:
            return None
        if land in ("US", "CA") and len(digits) == 11 and digits.startswith("1"):
            digits = digits[1:]
        whole = code + (digits if land in NO_TRUNK else digits.lstrip("0"))
    if whole.startswith("44") and whole[2:3] == "0":  # written +44 (0) 20 …
        whole = "44" + whole[2:].lstrip("0")
    if whole.startswith("49") and whole[2:3] == "0":
        whole = "49" + whole[2:].lstrip("0")
    return f"+{whole}" if SHORTEST <= len(whole) <= LONGEST else None


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
