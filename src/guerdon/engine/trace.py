"""The checks that ``explain`` shows, in the order they were made."""

from typing import Any, Literal

from msgspec import Struct


class Check(Struct, gc=False, omit_defaults=True):
    """One check made: what was asked of which fact, what was seen, and what came of it. Plain JSON values.

    ``opens_at`` tells of a window that is shut when it opens next (UTC), if it ever does; ``hint`` names the
    nearest change that would make a failed check pass ("add 3.20", "1 more of Fruit").
    """

    check: str
    asked: Any
    seen: Any
    outcome: Literal["passed", "failed"]
    opens_at: str | None = None
    hint: str | None = None


Trace = list[Check] | None


def note_check(trace: list[Check], check: str, asked: Any, seen: Any, passed: bool) -> None:
    """Add a check to the trace."""
    trace.append(Check(check, asked, seen, "passed" if passed else "failed"))
