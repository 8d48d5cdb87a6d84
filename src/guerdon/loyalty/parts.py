"""The kinds of parts, as a table: their shapes, defaults, states, and what may change when."""

from collections.abc import Mapping
from typing import Any, Literal, get_args

from msgspec import Struct

from guerdon.loyalty import shapes_cards, shapes_rewards, shapes_rules, shapes_tiers

Verb = Literal["activate", "deactivate", "draft"]
VERBS: tuple[Verb, ...] = get_args(Verb)
DONE: dict[Verb, str] = {"activate": "activated", "deactivate": "deactivated", "draft": "drafted"}


class Kind(Struct, frozen=True, kw_only=True):
    """A kind of part.

    name: as events and answers say it. id: its entry in the table of id prefixes. cursor, activity_cursor and
    activity: prefixes of its lists' cursors and of its activities' ids. create, change, answer: shapes.
    defaults: sections that are always there, and what they are when nothing is said. moves: from which states
    each verb leads to which. refused: status of the answer to another move. free: what may change when it is no
    draft any more. sorts: orders of its list beside created_at and name. filters: likewise.
    """

    name: str
    id: str
    path: str
    create: type[Struct]
    change: type[Struct]
    answer: type[Struct]
    activity_answer: type[Struct]
    cursor: str
    activity: str
    activity_cursor: str
    defaults: Mapping[str, Any]
    moves: Mapping[Verb, tuple[tuple[str, ...], str]]
    refused: int
    free: frozenset[str]
    sorts: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()

    @property
    def noun(self) -> str:
        """Its name for people."""
        return self.name.replace("_", " ")


_BACK: dict[Verb, tuple[tuple[str, ...], str]] = {
    "activate": (("DRAFT",), "ACTIVE"),
    "draft": (("ACTIVE",), "DRAFT"),
}
_ALL: dict[Verb, tuple[tuple[str, ...], str]] = {
    "activate": (("DRAFT", "INACTIVE"), "ACTIVE"),
    "deactivate": (("ACTIVE",), "INACTIVE"),
    "draft": (("ACTIVE",), "DRAFT"),
}

CARD_DEFINITION = Kind(
    name="card_definition",
    id="card_definition",
    path="card-definitions",
    create=shapes_cards.CardDefinitionIn,
    change=shapes_cards.CardDefinitionChange,
    answer=shapes_cards.CardDefinition,
    activity_answer=shapes_cards.CardDefinitionActivity,
    cursor="lcrscdef_",
    activity="lacd_",
    activity_cursor="lcrsacd_",
    defaults=shapes_cards.DEFAULTS,
    moves=_BACK,
    refused=409,
    free=frozenset(("name", "metadata", "pay_with_points")),  # once there are cards
    sorts=("type", "status"),
    filters=("type", "status", "updated_at"),
)
EARNING_RULE = Kind(
    name="earning_rule",
    id="earning_rule",
    path="earning-rules",
    create=shapes_rules.EarningRuleIn,
    change=shapes_rules.EarningRuleChange,
    answer=shapes_rules.EarningRule,
    activity_answer=shapes_rules.EarningRuleActivity,
    cursor="lcrsern_",
    activity="laer_",
    activity_cursor="lcrsaer_",
    defaults=shapes_rules.DEFAULTS,
    moves=_ALL,
    refused=409,
    free=frozenset(
        (
            "name", "earnings", "error", "validity_hours", "start_date", "end_date", "trigger_limits", "metadata",
            "caps",
        )
    ),
    filters=("status",),
)  # fmt: skip
REWARD = Kind(
    name="reward",
    id="loyalty_reward",
    path="rewards",
    create=shapes_rewards.RewardIn,
    change=shapes_rewards.RewardChange,
    answer=shapes_rewards.Reward,
    activity_answer=shapes_rewards.RewardActivity,
    cursor="lcrsrew_",
    activity="larew_",
    activity_cursor="lcrsarew_",
    defaults=shapes_rewards.REWARD_DEFAULTS,
    moves=_ALL,
    refused=409,
    free=frozenset(("name", "metadata", "refunds", "validity_hours", "start_date", "end_date", "costs")),
    filters=("type", "status"),
)
BENEFIT = Kind(
    name="benefit",
    id="benefit",
    path="benefits",
    create=shapes_rewards.BenefitIn,
    change=shapes_rewards.BenefitChange,
    answer=shapes_rewards.Benefit,
    activity_answer=shapes_rewards.BenefitActivity,
    cursor="lcrsben_",
    activity="laben_",
    activity_cursor="lcrsaben_",
    defaults=shapes_rewards.BENEFIT_DEFAULTS,
    moves=_BACK,
    refused=400,
    free=frozenset(("name", "stock")),
    sorts=("type",),
    filters=("status", "type"),
)
TIER_STRUCTURE = Kind(
    name="tier_structure",
    id="tier_structure",
    path="tier-structures",
    create=shapes_tiers.TierStructureIn,
    change=shapes_tiers.TierStructureChange,
    answer=shapes_tiers.TierStructure,
    activity_answer=shapes_tiers.TierStructureActivity,
    cursor="lcrsts_",
    activity="lats_",
    activity_cursor="lcrsats_",
    defaults=shapes_tiers.DEFAULTS,
    moves=_ALL,
    refused=409,
    free=frozenset(("name", "metadata")),
    sorts=("type", "status"),
    filters=("type", "status"),
)

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (CARD_DEFINITION, EARNING_RULE, REWARD, BENEFIT, TIER_STRUCTURE)
}
OWN = frozenset(("name", "type", "status", "metadata"))
"""What a body says that stands in columns of their own."""
