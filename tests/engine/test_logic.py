"""Expressions over rules: precedence, brackets, keys of every kind, and what is refused."""

import pytest

from guerdon.engine import EngineError
from guerdon.engine.logic import all_of, blamed, keys_of, parse_logic, print_logic, required

KEYS = {"1", "2", "3", "vip rule", "Black-Friday", 'q"uote', "(x)", "and"}


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("1", "1"),
        ("1 AND 2 or 3", "1 and 2 or 3"),
        ("1 or 2 And 3", "1 or 2 and 3"),
        ("(1 or 2) and 3", "(1 or 2) and 3"),
        ("((1)and(2))", "1 and 2"),
        ("(1 and 2) and 3", "1 and 2 and 3"),
        ('"vip rule" or Black-Friday', '"vip rule" or Black-Friday'),
        ('"q\\"uote" and "(x)" and "and"', '"q\\"uote" and "(x)" and "and"'),
        ("", ""),
        ("  ", ""),
        ("(" * 32 + "1" + ")" * 32, "1"),
    ],
)
def test_reads_and_prints(text: str, printed: str) -> None:
    logic = parse_logic(text, KEYS, "rules.logic")
    assert print_logic(logic) == printed
    assert parse_logic(printed, KEYS, "rules.logic") == logic


@pytest.mark.parametrize(
    "text",
    [
        "9",
        "1 and",
        "and 1",
        "1 2",
        "(1",
        "1)",
        "()",
        "1 and or 2",
        '"1',
        "not 1",
        "(" * 33 + "1" + ")" * 33,
        "1 or " * 3000 + "1",
    ],
)
def test_refuses(text: str) -> None:
    with pytest.raises(EngineError) as caught:
        parse_logic(text, KEYS, "rules.logic")
    assert (caught.value.path, caught.value.key) == ("rules.logic", "invalid_validation_rules")


@pytest.mark.parametrize(
    ("text", "failing", "blame"),
    [
        ("1 and 2", "2", "2"),
        ("1 and 2", "12", "1"),
        ("1 or 2", "1", None),
        ("1 or 2", "12", "1"),
        ("1 or 2 and 3", "13", "1"),
        ("(1 or 2) and 3", "1", None),
        ("(1 or 2) and 3", "13", "3"),
    ],
)
def test_blames_the_first_that_kept_it_from_holding(text: str, failing: str, blame: str | None) -> None:
    logic = parse_logic(text, KEYS, "rules.logic")
    assert logic is not None
    assert blamed(logic, lambda key: key if key in failing else None) == blame


def test_names_its_keys_and_those_it_requires() -> None:
    logic = parse_logic("1 and (2 or 3) and 1", KEYS, "rules.logic")
    assert list(keys_of(logic)) == ["1", "2", "3", "1"]
    assert set(required(logic)) == {"1"}
    assert list(required(parse_logic("1 or 2", KEYS, ""))) == []


def test_without_logic_all_must_hold() -> None:
    assert print_logic(all_of(["1", "2"])) == "1 and 2"
    assert print_logic(all_of(["1"])) == "1"
    assert all_of([]) is None
