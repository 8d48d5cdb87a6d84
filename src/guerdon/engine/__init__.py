"""The engine: facts in, decision out. Standard library and msgspec only; no clock, no chance, no I/O."""

from guerdon.engine.checks import Redeemable
from guerdon.engine.codes import CodeConfig, bytes_for, capacity, codes_from, parse_code_config
from guerdon.engine.decide import decide
from guerdon.engine.decision import Certificate, Decision, Facts, Outcome
from guerdon.engine.discount import Discount, parse_discount
from guerdon.engine.effects import Step
from guerdon.engine.fault import EngineError
from guerdon.engine.opening import end_of_day, next_opening, start_of_day
from guerdon.engine.order import (
    CatalogItem,
    Order,
    OrderIn,
    OrderItem,
    OrderItemIn,
    catalog_of,
    order_from,
    price_order,
    resume_order,
)
from guerdon.engine.reasons import Reason
from guerdon.engine.rollback import Allotment, TakeBack, allot, give_back, take_all, take_amount, take_items
from guerdon.engine.rule import RuleSet, parse_rule_set
from guerdon.engine.running import Given
from guerdon.engine.situation import Category, Collection, Person, Situation
from guerdon.engine.stacking import DEFAULT_STACKING, StackingRules
from guerdon.engine.terms import Terms, parse_terms
from guerdon.engine.trace import Check
from guerdon.engine.units import units_named
from guerdon.engine.window import check_windows

__all__ = [
    "DEFAULT_STACKING",
    "Allotment",
    "CatalogItem",
    "Category",
    "Certificate",
    "Check",
    "CodeConfig",
    "Collection",
    "Decision",
    "Discount",
    "EngineError",
    "Facts",
    "Given",
    "Order",
    "OrderIn",
    "OrderItem",
    "OrderItemIn",
    "Outcome",
    "Person",
    "Reason",
    "Redeemable",
    "RuleSet",
    "Situation",
    "StackingRules",
    "Step",
    "TakeBack",
    "Terms",
    "allot",
    "bytes_for",
    "capacity",
    "catalog_of",
    "check_windows",
    "codes_from",
    "decide",
    "end_of_day",
    "give_back",
    "next_opening",
    "order_from",
    "parse_code_config",
    "parse_discount",
    "parse_rule_set",
    "parse_terms",
    "price_order",
    "resume_order",
    "start_of_day",
    "take_all",
    "take_amount",
    "take_items",
    "units_named",
]
