"""What a qualification may be narrowed by: fields of redeemables, each with conditions, all of them or any."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from msgspec import Struct

from guerdon.kit.errors import ApiError, Fault, invalid_payload

FIELDS = (
    "category_id",
    "campaign_id",
    "campaign_type",
    "resource_id",
    "resource_type",
    "voucher_type",
    "code",
    "holder_role",
)
CHOICES: dict[str, tuple[str, ...]] = {
    "campaign_type": (
        "PROMOTION", "GIFT_VOUCHERS", "REFERRAL_PROGRAM", "DISCOUNT_COUPONS", "LOYALTY_PROGRAM",
    ),
    "resource_type": ("campaign", "voucher", "promotion_tier", "promotion_stack"),
    "holder_role": ("OWNER", "REFERRER", "REFEREE"),
}  # fmt: skip
OPERATORS = ("$is", "$is_not", "$in", "$not_in", "$has_value", "$is_unknown")
MOST_VALUES = 200
MOST_TEXT = 1000

Facts = Mapping[str, str | None]


class Condition(Struct, frozen=True):
    """One operator on one field."""

    field: str
    operator: str
    values: frozenset[str]

    def holds(self, value: str | None) -> bool:
        """Whether a value passes. What is not known is not equal to anything."""
        match self.operator:
            case "$is" | "$in":
                return value in self.values
            case "$is_not" | "$not_in":
                return value not in self.values
            case "$has_value":
                return value is not None
        return value is None


class Filters(Struct, frozen=True):
    """Conditions on fields; those of one field must all hold, fields are joined by the junction."""

    by_field: dict[str, tuple[Condition, ...]] = {}
    any_of: bool = False

    def hold(self, facts: Facts) -> bool:
        """Whether a redeemable with all of these facts passes."""
        if not self.by_field:
            return True
        verdicts = (self._field(name, facts[name]) for name in self.by_field)
        return any(verdicts) if self.any_of else all(verdicts)

    def may_hold(self, facts: Facts) -> bool:
        """Whether one of which only these facts are known may pass."""
        if self.any_of:
            return True
        return all(self._field(name, facts[name]) for name in self.by_field if name in facts)

    def named(self, field: str) -> frozenset[str] | None:
        """The only values that a field may have; None when it is not narrowed to some."""
        if self.any_of:
            return None
        for condition in self.by_field.get(field, ()):
            if condition.operator in ("$is", "$in"):
                return condition.values
        return None

    def _field(self, name: str, value: str | None) -> bool:
        return all(condition.holds(value) for condition in self.by_field[name])


def parse_filters(raw: Mapping[str, Any] | None, path: str, code_key: Callable[[str], str]) -> Filters:
    """Filters as sent: `{junction, field: {conditions: {$operator: [values]}}}`.

    Codes are compared by their keys. Raises `ApiError` 400 with the path of what is not known.
    """
    any_of = False
    found: dict[str, tuple[Condition, ...]] = {}
    for name, given in (raw or {}).items():
        if name == "junction":
            any_of = _junction(given, f"{path}.junction")
        elif given is not None:
            if name not in FIELDS:
                raise _wrong(f"{path}.{name[:60]}", "is not a field to filter by: " + ", ".join(FIELDS))
            found[name] = tuple(_conditions(name, given, f"{path}.{name}", code_key))
    return Filters({name: conditions for name, conditions in found.items() if conditions}, any_of)


def _junction(given: Any, path: str) -> bool:
    word = given.lower() if isinstance(given, str) else given
    if word not in ("and", "or", None):
        raise _wrong(path, "must be 'and' or 'or'")
    return word == "or"


def _conditions(field: str, given: Any, path: str, code_key: Callable[[str], str]) -> list[Condition]:
    conditions = given.get("conditions") if isinstance(given, dict) else None
    if not isinstance(conditions, dict):
        raise _wrong(path, "must be an object with conditions")
    found: list[Condition] = []
    for operator, operands in conditions.items():
        here = f"{path}.conditions.{operator[:60]}"
        if operator not in OPERATORS:
            raise _wrong(here, "is no operator of this field: " + ", ".join(OPERATORS))
        if operands is None:
            continue
        values = _values(operands, here) if operator not in ("$has_value", "$is_unknown") else []
        _check_choices(field, values, here)
        if field == "code":
            values = [code_key(value) for value in values]
        if operator in ("$has_value", "$is_unknown") and operands in (False, [False], "false", ["false"]):
            operator = "$is_unknown" if operator == "$has_value" else "$has_value"
        found.append(Condition(field, operator, frozenset(values)))
    return found


def _values(operands: Any, path: str) -> list[str]:
    values: Sequence[Any] = operands if isinstance(operands, list) else [operands]
    if not values or len(values) > MOST_VALUES:
        raise _wrong(path, f"takes 1 to {MOST_VALUES} values")
    for place, value in enumerate(values):
        if not isinstance(value, str) or len(value) > MOST_TEXT:
            raise _wrong(f"{path}[{place}]", f"must be a text of at most {MOST_TEXT} characters")
    return list(values)


def _check_choices(field: str, values: Sequence[str], path: str) -> None:
    choices = CHOICES.get(field)
    if choices is None:
        return
    for place, value in enumerate(values):
        if value not in choices:
            raise _wrong(f"{path}[{place}]", "must be one of " + ", ".join(choices))


def _wrong(path: str, message: str) -> ApiError:
    return invalid_payload(Fault(path, message))
