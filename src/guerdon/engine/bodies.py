"""The parts of a decoded body, each checked as it is taken: objects, lists, texts, formulas, numbers.

What is not as it must be raises :class:`EngineError` with the dotted path of the fault.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NoReturn

from guerdon.engine.fault import EngineError
from guerdon.engine.formula import parse_formula
from guerdon.engine.operators import number_of


def an_object(raw: object, path: str) -> dict[str, Any]:
    """A JSON object."""
    if not isinstance(raw, dict):
        fail(path, "must be an object")
    return raw


def a_list(raw: object, path: str, most: int) -> list[Any]:
    """A list of 1 to ``most``."""
    if not isinstance(raw, list) or not 1 <= len(raw) <= most:
        fail(path, f"must list 1 to {most}")
    return raw


def a_text(body: Mapping[str, Any], name: str, path: str) -> str:
    """A text that must be there."""
    value = body.get(name)
    if not isinstance(value, str) or not 1 <= len(value) <= 512:
        fail(f"{path}.{name}", "must be a text of 1 to 512 characters")
    return value


def a_name(body: Mapping[str, Any], path: str = "", name: str = "name") -> str:
    """A text that may be missing; then it is empty."""
    value = body.get(name)
    if value is not None and (not isinstance(value, str) or len(value) > 512):
        fail(f"{path}{name}", "must be a text of at most 512 characters")
    return value or ""


def a_formula(body: Mapping[str, Any], name: str, path: str) -> str | None:
    """The text of a formula that can be read, or None."""
    value = body.get(name)
    if value is not None:
        parse_formula(value, f"{path}.{name}")
    return value


def a_number(raw: object, path: str, most: int) -> Decimal:
    """A number from 0 to ``most`` with at most six decimals, exactly."""
    value = number_of(raw) if not isinstance(raw, str) else None
    if value is None or not 0 <= value <= most:
        fail(path, f"must be a number from 0 to {most}")
    number = Decimal(value)
    if number != round(number, 6):
        fail(path, "may have six decimals at most")
    return number


def fail(path: str, message: str) -> NoReturn:
    """A mistake at a path of the body."""
    raise EngineError(path, message)
