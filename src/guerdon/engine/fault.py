"""What is wrong with something a caller defined: a path into it, a stable key, and a sentence."""


class EngineError(Exception):
    """A mistake in the caller's data (never a refusal). ``path`` is dotted, e.g. ``order.items[3].price``."""

    def __init__(self, path: str, message: str, key: str = "invalid_payload") -> None:
        super().__init__(f"{path}: {message}")
        self.path = path
        self.message = message
        self.key = key
