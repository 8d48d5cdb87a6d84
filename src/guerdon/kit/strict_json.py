"""The front door for JSON: what RFC 8259 leaves to the reader, we refuse, so that no two readers disagree.

Refused: other encodings than UTF-8, a byte order mark, duplicate keys, NaN and Infinity, NUL characters, lone
surrogates, more than 32 levels, integers beyond 2**53 - 1.
"""

import json
import re
from typing import Any

import msgspec

from guerdon.kit.errors import ApiError, Fault, invalid_payload

MAX_DEPTH = 32
MAX_INTEGER = 2**53 - 1

# Possessive: a string that never ends is given up at once, and not tried in all the ways there are to cut it up.
_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))
_DIGITS = bytes(48 if 48 <= byte <= 57 else 32 for byte in range(256))
_LONG_NUMBER = b"0" * 16


def check(body: bytes) -> None:
    """Raise `ApiError` 400 when the body is not strict JSON; it need not be an object.

    >>> check(b'{"a": [1, {"b": "c"}]}')
    >>> check(b'{"a": 1, "a": 2}')
    Traceback (most recent call last):
    guerdon.kit.errors.ApiError: Invalid payload
    """
    if too_deep(body):
        raise _refused("", f"the body is nested deeper than {MAX_DEPTH} levels")
    if not _plain(body):
        _read_closely(body)


def _plain(body: bytes) -> bool:
    """Whether the body is what a reader would write again, bar the usual spaces: then nothing in it is odd.

    Sound because dropping a duplicate key drops quotes, and without backslashes nothing can add any.
    """
    if b"\\" in body or _LONG_NUMBER in body.translate(_DIGITS):
        return False
    try:
        again = msgspec.json.encode(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return again == body or again == body.replace(b'": ', b'":').replace(b', "', b',"').replace(b", {", b",{")


def _read_closely(body: bytes) -> None:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _refused("", f"the body is not UTF-8 (byte {error.start})") from None
    try:
        json.loads(text, object_pairs_hook=_object, parse_int=_integer, parse_constant=_constant)
    except json.JSONDecodeError as error:
        raise _refused("", f"the body is not JSON: {error.msg.lower()} (character {error.pos})") from None
    if "\\u0000" in text and _holds_nul(json.loads(text)):
        raise _refused("", "a text holds the NUL character")
    if "\\ud" in text or "\\uD" in text:
        _no_surrogates(json.loads(text))


def too_deep(body: bytes) -> bool:
    """Whether brackets nest deeper than MAX_DEPTH: peel the innermost pairs off, level by level.

    >>> too_deep(b"[" * 33 + b"]" * 33), too_deep(b"[" * 32 + b"]" * 32)
    (True, False)
    """
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return False
    if b"\\" in body:
        outside = _STRINGS.sub(b"", body)
    else:
        outside = b"".join(body.split(b'"')[::2])
    rest = outside.translate(None, _BRACKETS)
    for _ in range(MAX_DEPTH):
        if not rest:
            return False
        rest = rest.replace(b"{}", b".").replace(b"[]", b".").replace(b".", b"")  # one level a round
    return b"{" in rest or b"[" in rest


def _object(pairs: list[tuple[str, Any]]) -> None:
    keys = [key for key, _ in pairs]
    if len(set(keys)) != len(keys):
        twice = next(key for key in keys if keys.count(key) > 1)
        raise _refused(twice, "this key stands twice in one object")


def _integer(digits: str) -> int:
    number = int(digits) if len(digits) < 20 else MAX_INTEGER + 1
    if not -MAX_INTEGER <= number <= MAX_INTEGER:
        raise _refused("", f"the integer {digits[:24]} is beyond 2**53 - 1, where readers disagree")
    return number


def _constant(name: str) -> None:
    raise _refused("", f"{name} is not JSON")


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)


def _no_surrogates(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise _refused("", "a text holds half of a surrogate pair") from None


def _refused(path: str, message: str) -> ApiError:
    return invalid_payload(Fault(path, message))
