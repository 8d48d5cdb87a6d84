"""What a formula is once it is read: a small tree that never changes, and the bounds it keeps to."""

from datetime import date, datetime
from decimal import Decimal
from typing import Union

from msgspec import Struct

MAX_TEXT = 2_000
"""Characters in one formula."""
MAX_DEPTH = 32
"""How deep brackets, functions and signs may be nested."""
MAX_NODES = 500
"""Operands, operators and functions in one formula."""
MAX_DIGITS = 30
"""Digits in one number of a formula."""

Value = Union[Decimal, str, bool, date, datetime, "tuple[Value, ...]"]
"""What a formula works on. Money is in major units; a datetime is always aware."""


class Constant(Struct, frozen=True, gc=False):
    """A number, a text or a truth value written in the formula."""

    value: Value


class Operand(Struct, frozen=True, gc=False):
    """Something known about the order, the customer, the redeemable or the day, like ``ORDER_AMOUNT``."""

    name: str


class Metadata(Struct, frozen=True, gc=False):
    """One attribute: ``name`` is ``ORDER_METADATA`` and the like."""

    name: str
    key: str


class Unknown(Struct, frozen=True, gc=False):
    """A name nobody knows. It is no fault of the text: it fails when it is needed, and the fallback steps in."""

    name: str


class Minus(Struct, frozen=True, gc=False):
    """A part with its sign turned."""

    part: "Node"


class Chain(Struct, frozen=True, gc=False):
    """Arithmetic from left to right, operators of one rank: kept flat, so that long sums are not deep."""

    first: "Node"
    rest: "tuple[tuple[str, Node], ...]"


class Joined(Struct, frozen=True, gc=False):
    """``and`` or ``or`` over all parts; no more of them is looked at than needed."""

    word: str
    parts: "tuple[Node, ...]"


class Comparison(Struct, frozen=True, gc=False):
    """Two parts compared; ``operator`` is lower-case, without underscores."""

    operator: str
    left: "Node"
    right: "Node"


class Listed(Struct, frozen=True, gc=False):
    """A list written in the formula: ``["a"; "b"]``."""

    parts: "tuple[Node, ...]"


class Call(Struct, frozen=True, gc=False):
    """A function of its arguments; ``name`` is upper-case."""

    name: str
    arguments: "tuple[Node, ...]"


class Switch(Struct, frozen=True, gc=False):
    """The result of the first case that equals the value, else the default if there is one."""

    value: "Node"
    cases: "tuple[tuple[Node, Node], ...]"
    default: "Node | None"


Node = Constant | Operand | Metadata | Unknown | Minus | Chain | Joined | Comparison | Listed | Call | Switch


class Formula(Struct, frozen=True, gc=False):
    """A formula that was read. ``names`` are the operands and kinds of metadata it may look at."""

    text: str
    root: Node
    names: frozenset[str]


def looks_at_lines(names: frozenset[str]) -> bool:
    """Whether a formula of these operands may come to something else for each line of the order."""
    return any(name.startswith("ORDER_ITEM_") for name in names)
