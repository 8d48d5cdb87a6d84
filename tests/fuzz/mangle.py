"""Bodies, queries and headers that nobody sends on purpose, made by dice from good ones."""

import copy
import json
import random
from typing import Any
from urllib.parse import quote

NASTY_TEXTS = [
    "", " ", "\x00", "\u0000x", "'", "''", '"', "\\", "';drop table vouchers;--", "%00", "%", "%s%s%n", "../../etc/passwd",
    "<script>alert(1)</script>", "{{7*7}}", "${jndi:x}", "\ud83d\ude00", "\u202e", "\ufeff", "a" * 600, "ß", "İ", "ﬀ",
    "null", "true", "NaN", "-0", "1e999", "0x10", "9" * 400, "2026-02-30", "99999-01-01T00:00:00Z", "P1Y2M", "PT0S",
    "r_", "v_", "v_" + "z" * 22, "cust_0", "ord_\n", "\r\nX-Evil: 1", "\t", "\x7f", "\u2028", "𝕏" * 100,
]  # fmt: skip
NASTY_VALUES: list[Any] = [
    None, True, False, 0, -1, 1, 2**31, 2**53 - 1, 2**53, -(2**53), 2**63, 2**64, 10**30, 0.1, -0.0, 1e308, 1e-320,
    [], {}, [[]], [{}], {"": ""}, {"a": {"b": {"c": []}}}, [None], ["a", 1, None],
]  # fmt: skip
NASTY_BYTES = [
    b"", b"{", b"}", b"[", b"nul", b"NaN", b"Infinity", b"-", b"1e", b'"', b'"\\', b'"\\ud800"', b'{"a":1,"a":2}', b"\xff",
    b"\xef\xbb\xbf{}", b"\x00", b"{}{}", b"//", b"{'a':1}", b'{"a":1e999}', b"[" * 2000, b"[" * 33 + b"]" * 33,
    b'{"a":' * 40 + b"1" + b"}" * 40, b"1" * 5000, b'"' + b"\\u0000" * 50 + b'"', b"\x1f\x8b\x08\x00", b'{"a":"\x01"}',
]  # fmt: skip


def good_body(dice: random.Random) -> dict[str, Any]:
    """A body with something for every operation."""
    return {
        "redeemables": [{"object": "voucher", "id": dice.choice(["FUZZ-1", "FUZZ-2", "NONE"])}],
        "order": {
            "source_id": f"o-{dice.randrange(50)}", "amount": 10_000, "status": "PAID",
            "items": [{"source_id": "shirt", "quantity": 2, "price": 5_000, "product": {"name": "Shirt", "override": True}}],
            "metadata": {"a": 1},
        },
        "customer": {"source_id": "alice", "name": "Alice", "address": {"city": "Łódź"}, "birthdate": "1990-01-31"},
        "items": [{"source_id": "shirt", "related_object": "product", "quantity": "2", "price": 5_000}],
        "options": {"expand": ["order"], "explain": True},
        "metadata": {"till": 7, "list": [1, 2]},
        "tracking_id": "track", "reason": "none", "amount": 10,
        "name": f"n-{dice.randrange(10**9)}", "source_id": f"s-{dice.randrange(50)}", "email": "a@shop.test", "price": 100,
        "type": "DISCOUNT_VOUCHER", "campaign_type": "DISCOUNT_COUPONS", "vouchers_count": 1,
        "discount": {"type": "PERCENT", "percent_off": 10, "amount_limit": 500},
        "voucher": {"discount": {"type": "AMOUNT", "amount_off": 5}, "code_config": {"length": 8, "pattern": "A-##"}},
        "code_config": {"length": 9, "charset": "abc", "prefix": "x"},
        "redemption": {"quantity": 5},
        "start_date": "2026-01-01T00:00:00Z", "expiration_date": "2030-01-01",
        "validity_timeframe": {"interval": "P7D", "duration": "P1D"},
        "validity_day_of_week": [1, 2],
        "validity_hours": {"daily": [{"start_time": "09:00", "expiration_time": "17:00", "days_of_week": [1]}]},
        "attributes": ["size"], "sku": "XL", "category": "c",
    }  # fmt: skip


def body(dice: random.Random) -> bytes:
    """A body with something wrong with it: in its values, its structure or its bytes."""
    kind = dice.random()
    if kind < 0.1:
        return dice.choice(NASTY_BYTES)
    value: Any = good_body(dice)
    for _ in range(dice.randint(1, 4)):
        _spoil(dice, value)
    raw = json.dumps(value, ensure_ascii=dice.random() < 0.5).encode("utf-8", "surrogatepass")
    if kind < 0.35:
        raw = _spoil_bytes(dice, raw)
    return raw


def _spoil(dice: random.Random, value: Any) -> None:
    """Put something nasty in some place of a JSON value."""
    place = value
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        if not keys:
            return
        key = dice.choice(keys)
        deeper = place[key]
        if isinstance(deeper, dict | list) and deeper and dice.random() < 0.7:
            place = deeper
            continue
        action = dice.random()
        if action < 0.1:
            del place[key]
        elif action < 0.2 and isinstance(place, dict):
            place[dice.choice(NASTY_TEXTS)] = deeper
        elif action < 0.6:
            place[key] = dice.choice(NASTY_TEXTS)
        else:
            place[key] = copy.deepcopy(dice.choice(NASTY_VALUES))
        return


def _spoil_bytes(dice: random.Random, raw: bytes) -> bytes:
    place = dice.randrange(len(raw))
    match dice.randrange(5):
        case 0:
            return raw[:place]
        case 1:
            return raw[:place] + bytes([dice.randrange(256)]) + raw[place + 1 :]
        case 2:
            return raw[:place] + dice.choice(NASTY_BYTES[:20]) + raw[place:]
        case 3:
            other = dice.randrange(len(raw))
            return raw[:place] + raw[min(place, other) : max(place, other)] + raw[place:]
        case _:
            return raw.decode("utf-8", "replace").encode("utf-16")


FIELDS = [
    "limit", "page", "order", "starting_after_id", "code", "campaign", "campaign_id", "customer", "category", "ids[]",
    "result", "expand", "force", "vouchers_count", "end_date", "[created_at][before]", "[updated_at][after]",
    "filters[code][conditions][$is][0]", "filters[created_at][conditions][$more_than_ago][0]",
    "filters[metadata.x][conditions][$contains][0]", "filters[junction]", "filters[active][conditions][$active]",
    "filters[redemption.redeemed_quantity][conditions][$more_than][0]", "filters[expiration_date][conditions][$after]",
    "filters[amount][conditions][$in][0]", "filters[email][conditions][$starts_with]", "filters", "filters[]", "filters[[",
    "filters[x][conditions][$is][99999]", "filters[code][conditions][$count_more]",
]  # fmt: skip
GOOD = [
    "1",
    "10",
    "100",
    "-created_at",
    "code",
    "true",
    "false",
    "2026-01-01",
    "FUZZ-1",
    "OR",
    "and",
    "P1D",
    "5",
    "SUCCESS",
]


def query(dice: random.Random) -> str:
    """A query string, some of it sensible, some of it not even percent-encoded."""
    pairs = []
    for _ in range(dice.randint(1, 6)):
        name = dice.choice(FIELDS) if dice.random() < 0.9 else dice.choice(NASTY_TEXTS)
        value = dice.choice(GOOD) if dice.random() < 0.4 else dice.choice(NASTY_TEXTS)
        if dice.random() < 0.1:
            name += dice.choice(["[", "]", "[]", "[0]", "=", "[$is]"])
        pairs.append(_quoted(dice, name) + "=" + _quoted(dice, value))
    return dice.choice(["&", "&", "&&", ";"]).join(pairs)[:6_000]


def _quoted(dice: random.Random, text: str) -> str:
    if dice.random() < 0.05:
        return dice.choice(["%", "%zz", "%ff%fe", "%c0%80", "%ed%a0%80", "+", "%2525", "%u0041"])
    return quote(text.encode("utf-8", "surrogatepass"), safe="[]$" if dice.random() < 0.5 else "")


HEADERS = [
    "Idempotency-Key", "X-Request-Id", "If-Match", "If-None-Match", "Accept", "Accept-Encoding", "Content-Type",
    "Content-Encoding", "X-Voucherify-Channel", "X-Voucherify-API-Version", "Authorization", "Origin", "X-Forwarded-For",
    "Range", "Cookie", "Expect", "Accept-Language", "X-App-Id", "X-App-Token",
]  # fmt: skip
VALUES = [
    b"", b" ", b"x" * 300, b"x" * 5_000, b"\xff\xfe", b"*", b'"', b'W/"x"', b"*/*;q=zero", b"application/json; charset=latin-1",
    b"gzip", b"bytes=0-", b"../..", b"\xc3\x28", b"a,b,c," * 100, b"true", b"0", b"-1", b"application/json;;;", b"text/html",
    b"%00", b"{}", b"'", b"k-1",
]  # fmt: skip


def headers(dice: random.Random) -> list[tuple[bytes, bytes]]:
    """A few headers, with values that the protocol still allows."""
    return [(dice.choice(HEADERS).encode(), dice.choice(VALUES)) for _ in range(dice.randint(0, 3))]


def path_part(dice: random.Random) -> str:
    """Something to stand for an id in a path."""
    return quote(dice.choice(NASTY_TEXTS).encode("utf-8", "surrogatepass"), safe="")[:2_000] or "%20"
