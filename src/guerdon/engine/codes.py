"""How random codes look: length, alphabet, prefix and postfix or a pattern; and codes from random bytes.

The bytes come from the caller, who must draw them from a cryptographic source.

>>> config = parse_code_config({"pattern": "SALE-##", "charset": "AB"})
>>> codes_from(bytes([0, 1, 1, 0]), config, 2)
['SALE-AB', 'SALE-BA']
>>> capacity(config)
4
"""

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from guerdon.engine.fault import EngineError

UNAMBIGUOUS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 characters that are hard to misread: no 0 and O, no 1 and I."""

COUPON_LENGTH = 10
GIFT_LENGTH = 16
MAX_LENGTH = 128
KEY = "invalid_code_config"


class CodeConfig(Struct, kw_only=True, frozen=True, omit_defaults=True):
    """``pattern`` replaces every ``#`` by a random character and overrides the other three."""

    length: int | None = None
    charset: str | None = None
    prefix: str | None = None
    postfix: str | None = None
    pattern: str | None = None


def parse_code_config(raw: object, path: str = "code_config") -> CodeConfig:
    """A checked code config from decoded JSON; raises :class:`EngineError` with the path of the fault."""
    if raw is None:
        return CodeConfig()
    if not isinstance(raw, Mapping):
        raise EngineError(path, "must be an object", KEY)
    length = raw.get("length")
    if length is not None:
        # Lengths arrive as 8.0 from clients whose only number is a float.
        if isinstance(length, bool) or not isinstance(length, (int, float)) or length != length // 1:
            raise EngineError(f"{path}.length", "must be a whole number", KEY)
        if not 1 <= length <= MAX_LENGTH:
            raise EngineError(f"{path}.length", f"must be from 1 to {MAX_LENGTH}", KEY)
        length = int(length)
    charset = _text(raw, "charset", path, 256)
    if charset is not None and (len(set(charset)) < 2 or any(character.isspace() for character in charset)):
        raise EngineError(
            f"{path}.charset", "must hold two different characters at least, and no blanks", KEY
        )
    pattern = _text(raw, "pattern", path, MAX_LENGTH)
    if pattern is not None and "#" not in pattern:
        raise EngineError(f"{path}.pattern", "must hold one # at least, the place of a random character", KEY)
    config = CodeConfig(
        length=length,
        charset=None if charset is None else "".join(dict.fromkeys(charset)),
        prefix=_text(raw, "prefix", path, MAX_LENGTH),
        postfix=_text(raw, "postfix", path, MAX_LENGTH),
        pattern=pattern,
    )
    if len(config.prefix or "") + len(config.postfix or "") + (length or 0) > MAX_LENGTH:
        raise EngineError(path, f"makes codes longer than {MAX_LENGTH} characters", KEY)
    return config


def _text(raw: Mapping[str, Any], name: str, path: str, most: int) -> str | None:
    value = raw.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > most:
        raise EngineError(f"{path}.{name}", f"must be a text of at most {most} characters", KEY)
    if not value.isprintable():
        raise EngineError(f"{path}.{name}", "must hold printable characters only", KEY)
    return value


def random_characters(config: CodeConfig, default_length: int = COUPON_LENGTH) -> int:
    """How many characters of a code are random."""
    if config.pattern is not None:
        return config.pattern.count("#")
    return config.length or default_length


def capacity(config: CodeConfig, default_length: int = COUPON_LENGTH) -> int:
    """How many different codes there are."""
    return len(config.charset or UNAMBIGUOUS) ** random_characters(config, default_length)


def bytes_for(config: CodeConfig, count: int, default_length: int = COUPON_LENGTH) -> int:
    """How many random bytes make ``count`` codes, almost always; the caller fills a rare shortfall."""
    size = len(config.charset or UNAMBIGUOUS)
    useful = 256 - 256 % size
    wanted = count * random_characters(config, default_length)
    # Bytes beyond the last full multiple of the alphabet are dropped, or some characters would be likelier.
    return wanted if useful == 256 else wanted * 256 // useful + wanted // 16 + 64


def codes_from(
    random_bytes: bytes, config: CodeConfig, count: int, default_length: int = COUPON_LENGTH
) -> list[str]:
    """Up to ``count`` codes, every one equally likely. Fewer when the bytes run out; repeats are dropped.

    The same bytes give the same codes.
    """
    alphabet = config.charset or UNAMBIGUOUS
    size, length = len(alphabet), random_characters(config, default_length)
    useful = 256 - 256 % size
    table = bytes(number % size for number in range(256))
    drawn = random_bytes.translate(table, bytes(range(useful, 256)))
    stream = drawn.decode("latin-1").translate(dict(enumerate(alphabet)))
    whole = min(count, len(stream) // length)
    bodies = [stream[start : start + length] for start in range(0, whole * length, length)]
    return list(dict.fromkeys(_dress(bodies, config)))


def _dress(bodies: list[str], config: CodeConfig) -> list[str]:
    if config.pattern is None:
        prefix, postfix = config.prefix or "", config.postfix or ""
        return [prefix + body + postfix for body in bodies] if prefix or postfix else bodies
    pieces = config.pattern.split("#")
    first, rest = pieces[0], pieces[1:]
    if not any(rest):
        return [first + body for body in bodies]
    return [
        first + "".join([character + piece for character, piece in zip(body, rest, strict=True)])
        for body in bodies
    ]
