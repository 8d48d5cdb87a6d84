"""Providers of mailboxes for minutes, as far as they are well known. Ours by hand; as of the day below."""

from datetime import date
from typing import Final

AS_OF: Final = date(2026, 11, 22)

DISPOSABLE: Final = frozenset({
    "10minutemail.com", "10minutemail.net", "20minutemail.com", "33mail.com", "anonbox.net", "burnermail.io",
    "byom.de", "discard.email", "discardmail.com", "dispostable.com", "dropmail.me", "einrot.com", "emailondeck.com",
    "fakeinbox.com", "fakemail.net", "getairmail.com", "getnada.com", "grr.la", "guerrillamail.biz",
    "guerrillamail.com", "guerrillamail.de", "guerrillamail.info", "guerrillamail.net", "guerrillamail.org",
    "guerrillamailblock.com", "harakirimail.com", "inboxbear.com", "inboxkitten.com", "jetable.org", "mail-temp.com",
    "mail.tm", "mailcatch.com", "maildrop.cc", "mailexpire.com", "mailinator.com", "mailinator.net", "mailnesia.com",
    "mailnull.com", "mailpoof.com", "mailsac.com", "mintemail.com", "moakt.com", "mohmal.com", "mytemp.email",
    "nada.email", "owlymail.com", "pokemail.net", "sharklasers.com", "smailpro.com", "spam4.me", "spambog.com",
    "spambox.us", "spamgourmet.com", "temp-mail.io", "temp-mail.org", "tempail.com", "tempinbox.com", "tempmail.dev",
    "tempmail.net", "tempmail.plus", "tempmailo.com", "tempr.email", "throwawaymail.com", "trash-mail.com",
    "trashmail.com", "trashmail.de", "trashmail.net", "trbvm.com", "wegwerfmail.de", "yopmail.com", "yopmail.fr",
    "yopmail.net",
})  # fmt: skip
"""Domains; their subdomains are meant too."""
