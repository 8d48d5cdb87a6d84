"""What callers told of a person, taken out of kept documents. Pure."""

from typing import Any, Final

PERSONAL: Final = frozenset(
    ("source_id", "tracking_id", "session_key", "reason", "customer_source_id", "email")
)
"""Keys whose texts were the callers' own."""
PERSONS: Final = frozenset(("customer", "referrer", "holder"))
"""Keys of objects that describe a person: what is left of them is who is meant."""
GOODS: Final = frozenset(("product", "sku"))
"""Keys of things of the catalog: these are nobody's, but for what an order said beside them."""


def scrubbed(document: Any) -> Any:
    """A JSON value without what callers told of a person: metadata are empty, texts of their own are null.

    Numbers, states, dates and ids stay, and so does what goods are called.
    """
    if isinstance(document, list):
        return [scrubbed(each) for each in document]
    if not isinstance(document, dict):
        return document
    return {name: _kept(name, value) for name, value in document.items()}


def _kept(name: str, value: Any) -> Any:
    if name == "metadata":
        return {} if isinstance(value, dict) else None
    if name in PERSONAL and isinstance(value, str):
        return None
    if name in PERSONS and isinstance(value, dict):
        return {key: value[key] for key in ("id", "object") if key in value}
    if name == "items" and isinstance(value, list):
        return [_line(each) for each in value]
    return scrubbed(value)


def scrubbed_reward(reward: dict[str, Any]) -> dict[str, Any]:
    """What a redemption keeps of a reward likewise; goods keep their names."""
    return scrubbed(reward) | {name: _thing(reward[name]) for name in GOODS if name in reward}


def scrubbed_lines(lines: Any) -> Any:
    """The lines of an order likewise. What they name the goods by stays."""
    return [_line(each) for each in lines] if isinstance(lines, list) else lines


def _line(line: Any) -> Any:
    if not isinstance(line, dict):
        return line
    goods = {"source_id": line["source_id"]} if "source_id" in line else {}
    goods |= {name: _thing(line[name]) for name in GOODS if name in line}
    return scrubbed({name: value for name, value in line.items() if name not in goods}) | goods


def _thing(thing: Any) -> Any:
    if not isinstance(thing, dict):
        return thing
    return thing | ({"metadata": {}} if thing.get("metadata") else {})
