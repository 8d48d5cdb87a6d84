"""What a process remembers between batches: terms of codes, which never change, and compiled definitions."""

from guerdon.definitions.snapshot import Snapshots
from guerdon.vouchers.locked import TermsCache


class Memory:
    """One a process."""

    def __init__(self) -> None:
        self.terms = TermsCache()
        self.snapshots = Snapshots()
