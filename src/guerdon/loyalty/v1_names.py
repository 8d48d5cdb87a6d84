"""How the older API calls what the newer one calls otherwise: the same things, with the same letters behind the prefix."""

from typing import Any, Literal

from guerdon.loyalty.place import suffix

Noun = Literal[
    "program", "card_definition", "tier_structure", "earning_rule", "tier", "reward", "campaign", "card"
]

STORED: dict[Noun, str] = {
    "program": "lprg_",
    "card_definition": "lcdef_",
    "tier_structure": "lts_",
    "earning_rule": "lern_",
    "tier": "lt_",
    "reward": "lrew_",
    "card": "v_",
}
OLDER: dict[Noun, str] = {"campaign": "camp_", "earning_rule": "ern_", "tier": "ltr_", "reward": "rew_"}


def stored(noun: Noun, name: str) -> str:
    """The id under which something stands in the tables."""
    return STORED[noun] + suffix(name)


def older(noun: Noun, name: str) -> str:
    """The id by which the older API shows something."""
    return OLDER[noun] + suffix(name)


def stored_map(noun: Noun, of: dict[str, Any]) -> dict[str, Any]:
    """A map by ids of the older API, by those of the tables."""
    return {stored(noun, name): value for name, value in of.items()}


def older_map(noun: Noun, of: dict[str, Any]) -> dict[str, Any]:
    """A map by ids of the tables, by those of the older API."""
    return {older(noun, name): value for name, value in of.items()}


def by_stored_id(noun: Noun, query: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """A query of a list whose rows have ids of their own: where to go on, by the row's."""
    return [(name, stored(noun, value) if name == "starting_after_id" else value) for name, value in query]
