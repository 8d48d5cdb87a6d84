"""The formula language: what every operand, function and operator comes to, and why a formula fails."""

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from guerdon.engine import EngineError, OrderIn, OrderItemIn, Redeemable, Terms, price_order
from guerdon.engine.formula import Failure, amount_of, compiled, evaluate, number_of, parse_formula
from guerdon.engine.order import ProductRef, SkuRef
from guerdon.engine.situation import Person, Situation

ORDER = price_order(
    OrderIn(
        items=[
            OrderItemIn(
                product_id="tea",
                price=600,
                quantity=3,
                metadata={"size": "big"},
                product=ProductRef(metadata={"weight": 2.5}),
            ),
            OrderItemIn(
                product_id="cup", price=3400, quantity=1, sku=SkuRef(id="red", metadata={"shade": 7})
            ),
            OrderItemIn(product_id="mug", price=600, quantity=1, discount_amount=50),
            OrderItemIn(product_id="pot", price=3400, quantity=2),
        ],
        metadata={"day": "monday", "gift": True, "null": None, "huge": 10**60, "long": "x" * 10_001},
    )
)
PERSON = Person(
    id="cust_1",
    birthdate=date(1999, 11, 23),
    metadata={
        "age": 27,
        "ratio": 0.1,
        "brands": ["Acme", "Umbra", 5],
        "since": "2026-01-31",
        "seen": "2026-11-22T00:30:00+01:00",
        "box": {"a": 1},
        "many": [1] * 1001,
        "text_number": "5",
    },
)
VOUCHER = Redeemable(
    id="CODE",
    metadata={"tier": "gold"},
    published_count=1,
    redeemed_quantity=4,
    publication_metadata={"year": 2026},
    terms=Terms(quantity=10, start_date=datetime(2026, 11, 1, tzinfo=UTC)),
)
TIER = Redeemable(
    id="promo_1",
    object="promotion_tier",
    metadata={"level": 2},
    terms=Terms(expiration_date=datetime(2026, 11, 30, 23, tzinfo=UTC)),
)
# In Berlin it is Monday the 23rd already.
SITUATION = Situation(
    now=datetime(2026, 11, 22, 23, 30, tzinfo=UTC),
    zone=ZoneInfo("Europe/Berlin"),
    order=ORDER,
    customer=PERSON,
    metadata={"store": "north"},
)


def value(text, redeemable=VOUCHER, item=None, bundles=None, situation=SITUATION):
    return evaluate(parse_formula(text, "here"), situation, redeemable, item, bundles)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3 - 4 / 2", 5),
        ("(1 + 2) * 3", 9),
        ("10 - 3 - 2", 5),
        ("7 % 3", 1),
        ("-7 % 3", -1),
        ("2 * -3", -6),
        ("5 - -2", 7),
        ("+-+-3", 3),
        ("0.1 + 0.2", "0.3"),
        ("1 / 3 * 3 = 1", False),
        ("ROUND(1 / 3 * 3; 10) = 1", True),
        ("MIN(3; 1; 2)", 1),
        ("max(3; 1; 2)", 3),
        ("POW(2; 10)", 1024),
        ("POW(2; -1)", "0.5"),
        ("POW(0; 0)", 1),
        ("ROUND(2.5)", 3),
        ("ROUND(12.345; 2)", "12.35"),
        ("ROUND(1250; -2)", 1300),
        ("FLOOR(1299; -2)", 1200),
        ("FLOOR(-1.5)", -2),
        ("Ceil(1.001; 2)", "1.01"),
        ("IF(2 > 1; 10; 1 / 0)", 10),
        ("if(2 < 1; 1 / 0; 20)", 20),
        ("IF(1 = 1 AND NOT_THERE = 2; 1; 2)", "unknown name NOT_THERE"),
        ("1 = 2 and NOT_THERE = 2", False),
        ("1 = 1 or NOT_THERE = 2", True),
        ("AND(1 = 1; 2 = 2)", True),
        ("OR(1 = 2; 2 = 3)", False),
        ("1 = 1 OR 1 = 1 AND 1 = 2", True),
        ("3 >= 3 AND 3 <= 3 AND 3 != 4 AND 3 <> 4", True),
        ("TRUE AND NOT_THERE", "unknown name NOT_THERE"),
        ('DEFAULT_TO(ORDER_METADATA("nothing"); 3)', 3),
        ("DEFAULT_TO(1 / 0; 4)", 4),
        ('DEFAULT_TO(CUSTOMER_METADATA("age"); 3)', 27),
        ('SWITCH(ORDER_METADATA("day"); SWITCH_CASE("sunday"; 5) SWITCH_CASE("monday"; 3); 1)', 3),
        ('SWITCH(ORDER_METADATA("day"); SWITCH_CASE("sunday"; 5); SWITCH_CASE("friday"; 3); 1)', 1),
        ("switch(27; switch_case(27; 2))", 2),
        ("SWITCH(28; SWITCH_CASE(27; 2))", "no case of SWITCH is the number 28"),
    ],
)
def test_arithmetic_and_choices(text, expected):
    _check(value(text), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ORDER_AMOUNT", "126"),
        ("order_items_quantity", 4),
        ("ORDER_UNITS_QUANTITY", 7),
        ("CHEAPEST_ORDER_ITEM_PRICE", 6),
        ("CHEAPEST_ORDER_ITEM_SUBTOTAL", "5.5"),
        ("CHEAPEST_ORDER_ITEM_AMOUNT", 6),
        ("CHEAPEST_ORDER_ITEM_UNITS_QUANTITY", 1),
        ("MOST_EXPENSIVE_ORDER_ITEM_PRICE", 34),
        ("MOST_EXPENSIVE_ORDER_ITEM_UNITS_QUANTITY", 1),
        ('MOST_EXPENSIVE_ORDER_ITEM_SKU_METADATA("shade")', 7),
        ("VOUCHER_REDEMPTION_QUANTITY - VOUCHER_REDEEMED_QUANTITY", 6),
        ("VOUCHER_PUBLISH_COUNT", 1),
        ("VOUCHER_START_DATE DATE_IS DATE('2026-11-01')", True),
        ("VOUCHER_EXPIRATION_DATE IS_AFTER NOW", "VOUCHER_EXPIRATION_DATE is not set"),
        (
            "DAYS_UNTIL(PROMOTION_TIER_EXPIRATION_DATE)",
            "PROMOTION_TIER_EXPIRATION_DATE belongs to a promotion tier",
        ),
        ('CUSTOMER_METADATA("age") + 2', 29),
        ('CUSTOMER_METADATA("ratio") * 3', "0.3"),
        ('REDEMPTION_METADATA("store") is "north"', True),
        ('REDEEMABLE_METADATA("tier") is "gold"', True),
        ('VOUCHER_METADATA("tier") is "gold"', True),
        ('PROMOTION_TIER_METADATA("tier") is "gold"', "PROMOTION_TIER_METADATA belongs to a promotion tier"),
        ('PUBLICATION_METADATA("year")', 2026),
        ('ORDER_METADATA("gift")', True),
        ('ORDER_METADATA("null")', 'missing metadata "null" for ORDER_METADATA'),
        ('ORDER_METADATA("huge")', "too large"),
        ('ORDER_METADATA("long")', "too large"),
        ('CUSTOMER_METADATA("many")', "too large"),
        ('CUSTOMER_METADATA("box")', "wrong type"),
        ("order.bundle.quantity", "ORDER.BUNDLE.QUANTITY needs a validation rule with a bundle"),
        ("ORDER_ITEM_PRICE", "ORDER_ITEM_PRICE has a value for a line"),
    ],
)
def test_operands(text, expected):
    _check(value(text), expected)


def test_operands_of_a_line_a_bundle_and_a_tier():
    tea, cup = ORDER.items[0], ORDER.items[1]
    assert value("ORDER_ITEM_PRICE * 0.9", item=tea) == Decimal("5.4")
    assert value("ORDER_ITEM_AMOUNT - ORDER_ITEM_SUBTOTAL + ORDER_ITEM_UNITS_QUANTITY", item=tea) == 3
    assert value('ORDER_ITEM_METADATA("size")', item=tea) == "big"
    assert value('ORDER_ITEM_PRODUCT_METADATA("weight")', item=tea) == Decimal("2.5")
    assert value('ORDER_ITEM_SKU_METADATA("shade")', item=cup) == 7
    assert value("order.bundle.quantity * 2", bundles=3) == 6
    assert value("DAYS_UNTIL(PROMOTION_TIER_EXPIRATION_DATE)", redeemable=TIER) == 8
    assert value('PROMOTION_TIER_METADATA("level")', redeemable=TIER) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('CUSTOMER_METADATA("brands") contains "Umbra"', True),
        ('CUSTOMER_METADATA("brands") contains "Umb"', False),
        ('CUSTOMER_METADATA("brands") contains 5', True),
        ('ORDER_METADATA("day") contains "nda"', True),
        ('ORDER_METADATA("day") startsWith "mon"', True),
        ('ORDER_METADATA("day") STARTS_WITH "day"', False),
        ('ORDER_METADATA("day") endsWith "day"', True),
        ('ORDER_METADATA("day") is "monday"', True),
        ('ORDER_METADATA("day") isNot "Monday"', True),
        ('CUSTOMER_METADATA("age") is "27"', True),
        ('CUSTOMER_METADATA("text_number") is 5', True),
        ('"Acme" IN_ARRAY CUSTOMER_METADATA("brands")', True),
        ('CUSTOMER_METADATA("brands") IN_ARRAY "Acme"', True),
        ('CUSTOMER_METADATA("brands") IN_ARRAY ["Other"; "5"]', True),
        ('ORDER_METADATA("day") IN_ARRAY ["monday", "friday"]', True),
        ('ORDER_METADATA("day") NOT_IN_ARRAY ["tuesday"]', True),
        ('"a" IN_ARRAY []', False),
        ("'it\\'s' is \"it's\"", True),
        ('5 startsWith "5"', True),
        ('TRUE contains "a"', "wrong type"),
    ],
)
def test_texts_and_lists(text, expected):
    _check(value(text), expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("TODAY DATE_IS DATE('2026-11-23')", True),
        ("NOW DATE_IS TODAY()", True),
        ("NOW() IS_BEFORE DATE_TIME('2026-11-23T00:31')", True),
        ("NOW IS_AFTER DATE_TIME('2026-11-22T23:29:00Z')", True),
        ("NOW IS_AFTER TODAY", False),
        ("TODAY DATE_IS_NOT '2026-11-22'", True),
        ("DAY_OF_MONTH() + MONTH() + YEAR()", 2060),
        ("DAY_OF_MONTH(CUSTOMER_BIRTHDATE)", 23),
        ("MONTH(DATE('2026-02-03'))", 2),
        ("YEARS_SINCE(CUSTOMER_BIRTHDATE)", 27),
        ('DAYS_SINCE(CUSTOMER_METADATA("since"))', 296),
        ('MONTHS_SINCE(CUSTOMER_METADATA("since"))', 9),
        ('DAYS_SINCE(CUSTOMER_METADATA("seen"))', 1),
        ("DAYS_UNTIL(DATE('2026-12-24'))", 31),
        ("DAYS_SINCE(DATE('2026-12-24'))", -31),
        ("MONTHS_UNTIL(DATE('2027-01-22'))", 1),
        ("YEARS_UNTIL(DATE('2025-01-01'))", -1),
        ('DATE(ORDER_METADATA("day")) DATE_IS TODAY', "wrong type: a date is needed, not the text 'monday'"),
        ("DATE_TIME('9999-12-31T23:59:59Z') DATE_IS TODAY", "too large"),
        ("TODAY > 5", "wrong type"),
    ],
)
def test_dates(text, expected):
    _check(value(text), expected)


def _check(got, expected):
    if isinstance(got, Failure):
        assert isinstance(expected, str) and got.reason.startswith(expected), got
    else:
        assert got == (Decimal(expected) if isinstance(expected, str) else expected)
        assert isinstance(got, bool) is isinstance(expected, bool)


@pytest.mark.parametrize(
    ("text", "kind", "reason"),
    [
        ("1 / 0", "division_by_zero", "division by zero"),
        ("1 % (2 - 2)", "division_by_zero", "division by zero"),
        ("POW(0; -1)", "division_by_zero", "division by zero"),
        ("LOYALTY_POINTS + 1", "unknown_name", "unknown name LOYALTY_POINTS"),
        ("SQRT(4)", "unknown_name", "unknown name SQRT"),
        ('1 + "a"', "wrong_type", "wrong type: a number is needed, not the text 'a'"),
        ("IF(1; 2; 3)", "wrong_type", "wrong type: a condition is needed, not the number 1"),
        ("POW(-2; 0.5)", "wrong_type", "wrong type: a negative number has no power that is not whole"),
        ("POW(2; 101)", "too_large", "too large: POW takes exponents from -100 to 100"),
        ("POW(999999; 99)", "too_large", "too large: a number or date left its bounds"),
        ("ROUND(1; 16)", "too_large", "too large: ROUND takes a whole number of digits up to 15"),
        ("ROUND(1; 0.5)", "too_large", "too large: ROUND takes a whole number of digits up to 15"),
    ],
)
def test_a_failure_says_why(text, kind, reason):
    assert value(text) == Failure(kind, reason)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (5, "must be a text"),
        ("", "the formula ends too early: a value is expected"),
        ("1 +", "the formula ends too early: a value is expected"),
        ("(1", "the formula ends too early: ) is expected"),
        ("1 2", "at character 3, '2': an operator or the end is expected"),
        ("MIN(1, 2)", "at character 6, ',': arguments are separated by ;"),
        ("MIN()", "MIN at character 1 takes 1 or more arguments, separated by ;"),
        ("IF(1 = 1; 2)", "IF at character 1 takes 3 arguments, separated by ;"),
        ("ROUND(1; 2; 3)", "ROUND at character 1 takes 1 to 2 arguments, separated by ;"),
        ("POW", "POW at character 1 takes 2 arguments, separated by ;"),
        (
            "ORDER_METADATA",
            'ORDER_METADATA at character 1 takes the name of an attribute: ORDER_METADATA("size")',
        ),
        (
            "ORDER_METADATA(size)",
            'ORDER_METADATA at character 1 takes the name of an attribute: ORDER_METADATA("size")',
        ),
        ('"abc', "the text that begins at character 1 has no closing quote"),
        ("1 ^ 2", "character 3, '^', means nothing here"),
        ("1 < 2 < 3", "at character 7, '<': comparisons are not chained; join them by AND"),
        ("SWITCH(1; 2)", "at character 11, '2': SWITCH_CASE(value;result) is expected"),
        ("DATE('tomorrow')", "DATE at character 1 takes an ISO 8601 date, like 2026-12-24"),
        ("1" * 31, "the number at character 1 has more than 30 digits"),
        ("1+" * 1000 + "1", "a formula may have 2000 characters at most"),
        ("+".join("1" * 251), "a formula may have 500 parts at most"),
        ("(" * 32 + "1" + ")" * 32, "a formula may be 32 levels deep at most"),
        ("ORDER_AMOUNT(1)", "at character 14, '1': ) is expected"),
        ("__import__('os').system('id')", "character 17, '.', means nothing here"),
    ],
)
def test_a_text_that_is_no_formula_is_refused_with_the_place(text, message):
    with pytest.raises(EngineError) as caught:
        parse_formula(text, "discount.amount_off_formula")
    assert (caught.value.path, caught.value.message) == ("discount.amount_off_formula", message)


def test_the_bounds_themselves_are_allowed():
    assert value("(" * 31 + "1" + ")" * 31) == 1
    assert value("+".join("1" * 250)) == 250
    assert value(" " * 1999 + "1") == 1


def test_the_deepest_formula_leaves_room_on_the_stack():
    text = "1"
    for _ in range(30):
        text = f"IF(2>1;-{text}*1+0;0)"
    assert isinstance(value(text), Decimal)


def test_nothing_is_known_without_an_order_or_a_customer():
    bare = Situation(now=SITUATION.now, zone=SITUATION.zone)
    assert value("ORDER_AMOUNT", situation=bare).reason == "there is no order for ORDER_AMOUNT"
    assert value("CUSTOMER_BIRTHDATE", situation=bare).reason == "CUSTOMER_BIRTHDATE is not known"
    assert value('CUSTOMER_METADATA("a")', situation=bare).kind == "missing"
    assert value("VOUCHER_PUBLISH_COUNT", redeemable=None).kind == "missing"


@pytest.mark.parametrize(
    ("exponent", "text", "minor"),
    [(2, "1.065", 107), (2, "-3", 0), (0, "2.5", 3), (3, "0.0005", 1), (2, "POW(10; 39)", 2**53 - 1)],
)
def test_amounts_are_minor_units_half_up_within_bounds(exponent, text, minor):
    situation = Situation(now=SITUATION.now, zone=SITUATION.zone, exponent=exponent)
    assert amount_of(text, situation) == minor


def test_operands_of_money_follow_the_currency():
    yen = Situation(now=SITUATION.now, zone=SITUATION.zone, order=ORDER, exponent=0)
    assert number_of("ORDER_AMOUNT", yen) == 12600
    dinar = Situation(now=SITUATION.now, zone=SITUATION.zone, order=ORDER, exponent=3)
    assert number_of("CHEAPEST_ORDER_ITEM_PRICE", dinar) == Decimal("0.6")


def test_only_a_number_is_a_number():
    assert number_of("1 = 1", SITUATION) == Failure(
        "wrong_type", "wrong type: the formula comes to true, not to a number"
    )
    assert number_of("(", SITUATION).reason == "the formula ends too early: a value is expected"


def test_a_text_is_read_once_and_never_changes():
    formula = compiled("ORDER_AMOUNT + CUSTOMER_METADATA('age')")
    assert compiled("ORDER_AMOUNT + CUSTOMER_METADATA('age')") is formula
    assert formula.names == {"ORDER_AMOUNT", "CUSTOMER_METADATA"}
    with pytest.raises(AttributeError):
        formula.text = "1"
