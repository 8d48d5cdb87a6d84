"""G-13: hostile formulas. Each is refused or worked out within 50 ms; nothing but a fault of the text is ever raised."""

import random
import string
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from time import perf_counter
from zoneinfo import ZoneInfo

from guerdon.engine import EngineError, OrderIn, OrderItemIn, Redeemable, Terms, parse_discount, price_order
from guerdon.engine.discount import AmountOff, FixedAmount, PercentOff, UnitOff
from guerdon.engine.formed import formed
from guerdon.engine.formula import Failure, amount_of, compiled, evaluate, parse_formula
from guerdon.engine.formula_grammar import COMPARISONS, FUNCTIONS
from guerdon.engine.formula_operands import METADATA, OPERANDS
from guerdon.engine.formula_tree import MAX_TEXT
from guerdon.engine.money import MAX_AMOUNT
from guerdon.engine.situation import Person, Situation

FORMULAS = 10_000
SECONDS = 0.05

NASTY = {
    "n": 5,
    "big": 10**4000,
    "wide": 10**30,
    "f": 1e308,
    "tiny": 5e-324,
    "nan": float("nan"),
    "inf": float("inf"),
    "text": "a" * 10_000,
    "long": "a" * 1_000_000,
    "list": [f"entry {number}" for number in range(500)],
    "numbers": list(range(500)),
    "endless": ["x"] * 100_000,
    "nested": [[[["deep"]]], {"a": {}}],
    "object": {"a": 1},
    "yes": True,
    "none": None,
    "date": "9999-12-31T23:59:59Z",
    "first": "0001-01-01",
}
ORDER = price_order(
    OrderIn(
        items=[
            OrderItemIn(
                product_id=f"p{line}", price=MAX_AMOUNT // 10**6 - line, quantity=line + 1, metadata=NASTY
            )
            for line in range(500)
        ],
        metadata=NASTY,
    )
)
FEW_LINES = price_order(OrderIn(items=[OrderItemIn(product_id=f"p{line}", price=line) for line in range(5)]))
SITUATION = Situation(
    now=datetime(2026, 11, 22, tzinfo=UTC),
    zone=ZoneInfo("Pacific/Kiritimati"),
    order=ORDER,
    customer=Person(id="cust", birthdate=date(1, 1, 1), metadata=NASTY),
    metadata=NASTY,
)
VOUCHER = Redeemable(id="CODE", metadata=NASTY, terms=Terms(quantity=1))

FRAGMENTS = (
    *OPERANDS,
    *METADATA,
    *FUNCTIONS,
    *COMPARISONS,
    *(f'{name}("{key}")' for name in ("ORDER_METADATA", "CUSTOMER_METADATA") for key in NASTY),
    *"+-*/%();[],.\"'\\=<>",
    *(
        "SWITCH(",
        "SWITCH_CASE(",
        "AND",
        "or",
        "IN_ARRAY",
        "9" * 30,
        "9" * 31,
        "1e9",
        "0.000001",
        "\x00",
        "٣",
        "\n",
    ),
    *(
        "(((((((((",
        "))))))))))",
        "-" * 50,
        "POW(9;POW(9;9))",
        "''",
        "__class__",
        "{{7*7}}",
        "${jndi:x}",
        "NaN",
        "Infinity",
    ),
)


def _grown(dice: random.Random, depth: int) -> str:
    """A formula of the grammar, types be damned."""
    pick = dice.random()
    if depth <= 0 or pick < 0.2:
        return dice.choice(
            (
                dice.choice(list(OPERANDS)),
                f'{dice.choice(list(METADATA))}("{dice.choice(list(NASTY))}")',
                str(dice.choice((0, 1, -1, 0.001, 10**29, dice.randrange(10**6)))),
                '"' + "".join(dice.choices(string.printable.replace('"', "").replace("\\", ""), k=5)) + '"',
            )
        )
    if pick < 0.6:
        operator = dice.choice(
            ("+", "-", "*", "/", "%", " AND ", " OR ", *(f" {word} " for word in COMPARISONS))
        )
        return f"({_grown(dice, depth - 1)}{operator}{_grown(dice, depth - 1)})"
    if pick < 0.65:
        cases = " ".join(
            f"SWITCH_CASE({_grown(dice, 0)};{_grown(dice, depth - 2)})" for _ in range(dice.randint(1, 3))
        )
        return f"SWITCH({_grown(dice, 1)};{cases};{_grown(dice, depth - 1)})"
    name = dice.choice(list(FUNCTIONS))
    least, most = FUNCTIONS[name]
    count = dice.randint(least, min(most, 4)) if dice.random() < 0.95 else dice.randint(0, 5)
    return f"{name}({';'.join(_grown(dice, depth - 1) for _ in range(count))})"


def _repeated(dice: random.Random) -> str:
    """One dear thing as often as it fits."""
    dear = dice.choice(
        (
            '"a"IN_ARRAY ORDER_METADATA("list")OR ',
            'ORDER_METADATA("numbers")IN_ARRAY ORDER_METADATA("list")OR ',
            'ORDER_METADATA("text")contains"' + "a" * 40 + 'b"OR ',
            'ORDER_METADATA("text")contains CUSTOMER_METADATA("text")AND ',
            "MOST_EXPENSIVE_ORDER_ITEM_PRICE+",
            "ORDER_UNITS_QUANTITY*",
            "POW(1.23456789;99.987654321)*",
            "POW(ORDER_AMOUNT;9)/",
            "ROUND(1/3;15)+",
            "DAYS_SINCE(CUSTOMER_BIRTHDATE)-",
            "DEFAULT_TO(1/0;",
            "IF(1=1;",
            "(-",
            "[",
            '"\\"',
            "MIN(1;",
            "SWITCH(1;SWITCH_CASE(2;3);",
            "1e",
        )
    )
    times = dice.choice((31, 33, 60, 250, MAX_TEXT))
    text = (dear * times)[: MAX_TEXT - 4 if dice.random() < 0.8 else None]
    closing = text.count("(") - text.count(")")
    return text[: len(text) - len(text) % len(dear)] + "1" + ")" * (closing if dice.random() < 0.7 else 0)


def hostile(dice: random.Random) -> str:
    """A formula that means ill."""
    pick = dice.random()
    if pick < 0.4:
        return _grown(dice, dice.randint(1, 7))
    if pick < 0.6:
        return _repeated(dice)
    if pick < 0.9:
        return dice.choice(("", " ")).join(dice.choices(FRAGMENTS, k=dice.randint(1, 60)))
    return "".join(
        chr(dice.choice((dice.randrange(128), dice.randrange(0xD800)))) for _ in range(dice.randrange(2_100))
    )


def _outcome(text: str) -> str:
    """How it ends: refused, a failure, or the type of the value."""
    try:
        formula = parse_formula(text, "discount.amount_off_formula")
    except EngineError as error:
        return "refused" if 0 < len(error.message) < 500 else "a silent refusal"
    value = evaluate(formula, SITUATION, VOUCHER, (ORDER.items or [])[-1])
    if isinstance(value, Failure):
        assert 0 < len(value.reason) < 500
        return value.kind
    if isinstance(value, Decimal):
        assert value.is_finite() and abs(value.adjusted()) <= 100
    amount = amount_of(text, SITUATION, VOUCHER)
    assert isinstance(amount, Failure) or 0 <= amount <= MAX_AMOUNT
    return type(value).__name__


def test_every_hostile_formula_ends_quickly() -> None:
    dice = random.Random(13)
    ends: Counter[str] = Counter()
    slow: list[tuple[float, str]] = []
    for _ in range(FORMULAS):
        text = hostile(dice)
        # The best of three tells what the formula costs rather than what else the machine was doing.
        for attempt in range(3):
            compiled.cache_clear()
            started = perf_counter()
            end = _outcome(text)
            taken = perf_counter() - started
            if taken < SECONDS:
                break
            if attempt == 2:
                slow.append((taken, text[:200]))
        ends[end] += 1
    assert not slow, slow[:5]
    assert ends.total() == FORMULAS and not ends["a silent refusal"]
    kinds = (
        "refused",
        "unknown_name",
        "missing",
        "division_by_zero",
        "wrong_type",
        "too_large",
        "Decimal",
        "bool",
    )
    assert all(ends[kind] >= 5 for kind in kinds), ends


def test_no_hostile_formula_leads_a_discount_out_of_its_bounds() -> None:
    dice = random.Random(14)
    few = Situation(now=SITUATION.now, zone=SITUATION.zone, order=FEW_LINES, customer=SITUATION.customer)
    made: Counter[str] = Counter()
    for _ in range(FORMULAS // 5):
        try:
            discount = parse_discount(_dynamic(dice))
        except EngineError:
            continue
        plain = formed(discount, few, VOUCHER, [] if dice.random() < 0.5 else None)
        made[type(plain).__name__] += 1
        assert not plain.is_dynamic
        match plain:
            case PercentOff():
                values = [plain.percent_off, *(plain.by_line or {}).values()]
                assert all(0 <= value <= 100 and value * 100 == int(value * 100) for value in values)
                assert all(0 <= limit <= MAX_AMOUNT for limit in (plain.limit_by_line or {}).values())
            case UnitOff():
                assert all(0 < unit.unit_off <= 10**6 for unit in plain.units or ())
                assert 0 <= (plain.unit_off or 0) <= 10**6
            case FixedAmount():
                assert all(
                    0 <= value <= MAX_AMOUNT
                    for value in [plain.fixed_amount, *(plain.by_line or {}).values()]
                )
            case AmountOff():
                assert all(
                    0 <= value <= MAX_AMOUNT for value in [plain.amount_off, *(plain.by_line or {}).values()]
                )
    assert len(made) == 4 and min(made.values()) > 50, made


def _dynamic(dice: random.Random) -> dict[str, object]:
    text = _grown(dice, dice.randint(1, 5))
    effect = dice.choice(("APPLY_TO_ORDER", "APPLY_TO_ITEMS"))
    match dice.randrange(5):
        case 0:
            own = {"percent_off_formula": text, "amount_limit_formula": text}
            return {"type": "PERCENT", "effect": effect} | own
        case 1:
            return {"type": "FIXED", "fixed_amount_formula": text, "effect": effect}
        case 2:
            return {"type": "UNIT", "unit_type": "p0", "unit_off_formula": text}
        case 3:
            return {"type": "UNIT", "units": [{"unit_type": "p0", "unit_off_formula": text}]}
    return {"type": "AMOUNT", "amount_off": 5, "amount_off_formula": text, "effect": effect}
