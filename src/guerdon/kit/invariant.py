"""What must hold in a project's books, as a statement that finds where it does not."""

from typing import LiteralString

import msgspec


class Invariant(msgspec.Struct, frozen=True):
    """`sql` takes a project's id as $1 and returns offending rows: first column the id, then what is wrong."""

    name: str
    says: str
    sql: LiteralString
