"""Codes: what one may be made of, and new ones that nobody can guess."""

import os
from typing import Any

from msgspec.structs import replace

from guerdon.engine.codes import (
    GIFT_LENGTH,
    CodeConfig,
    bytes_for,
    capacity,
    codes_from,
    parse_code_config,
    random_characters,
)
from guerdon.engine.fault import EngineError
from guerdon.kit.errors import Fault, invalid_payload
from guerdon.vouchers.terms import fault_of

MAX_LENGTH = 512
# Drawn at random, codes repeat more and more as their space fills up; beyond this share a draw is mostly in vain.
MOST_FULL = 0.9


def code_fault(code: str) -> str | None:
    """What is wrong with a code that a caller chose, or None."""
    if not 1 <= len(code) <= MAX_LENGTH:
        return f"must have 1 to {MAX_LENGTH} characters"
    if code != code.strip():
        return "must not begin or end with a blank"
    return None if code.isprintable() else "must hold printable characters only"


def check_code(code: str, path: str = "code") -> str:
    """The code as it is, or `ApiError` 400."""
    fault = code_fault(code)
    if fault is not None:
        raise invalid_payload(Fault(path, fault))
    return code


def read_config(raw: dict[str, Any] | None, path: str = "code_config") -> CodeConfig:
    """A checked code config. Raises `ApiError` 400 `invalid_code_config`."""
    try:
        return parse_code_config(raw, path)
    except EngineError as error:
        raise fault_of(error) from None


def long_enough(config: CodeConfig, kind: str) -> CodeConfig:
    """A config that says nothing of the length, as it is for this kind of voucher: what holds money is longer."""
    if kind == "DISCOUNT_VOUCHER" or config.length is not None or config.pattern is not None:
        return config
    return replace(config, length=GIFT_LENGTH)


def check_room(config: CodeConfig, wanted: int, path: str, *, case_sensitive: bool = True) -> None:
    """Raise `ApiError` 400 when a config cannot make so many different codes, or only after endless repeats."""
    room = int(_space(config, case_sensitive) * MOST_FULL) if wanted > 1 else _space(config, case_sensitive)
    if wanted > room:
        message = f"makes at most {room} codes, {wanted} are asked for; give longer codes or more characters"
        raise invalid_payload(Fault(path, message), key="invalid_code_config", message="Invalid code config")


def _space(config: CodeConfig, case_sensitive: bool) -> int:
    if case_sensitive or config.charset is None:
        return capacity(config)
    # Codes that differ in case alone are one code.
    folded = "".join(dict.fromkeys(config.charset.casefold()))
    return len(folded) ** random_characters(config)


def mint(config: CodeConfig, count: int) -> list[str]:
    """Up to `count` new codes, all different; a few less now and then, so ask again for what is missing."""
    return codes_from(os.urandom(bytes_for(config, count)), config, count)
