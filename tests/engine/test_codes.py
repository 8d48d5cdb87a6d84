"""Random codes: their shape, their number, their evenness, and configs that make no sense."""

import os
from collections import Counter

import pytest

from guerdon.engine import CodeConfig, EngineError, bytes_for, capacity, codes_from, parse_code_config
from guerdon.engine.codes import GIFT_LENGTH, UNAMBIGUOUS


@pytest.mark.parametrize(
    ("raw", "shape"),
    [
        ({}, "##########"),
        (None, "##########"),
        ({"length": 8.0, "prefix": "A-", "postfix": "-Z"}, "A-########-Z"),
        ({"pattern": "X#-##-#Y", "prefix": "no", "length": 3}, "X#-##-#Y"),
        ({"pattern": "SALE-####", "charset": "0123456789"}, "SALE-####"),
        ({"charset": "aabbé€", "length": 6}, "######"),
    ],
)
def test_codes_have_the_shape_asked_for(raw, shape):
    config = parse_code_config(raw)
    alphabet = set(config.charset or UNAMBIGUOUS)
    codes = codes_from(os.urandom(bytes_for(config, 50)), config, 50)
    assert len(codes) >= 40  # four characters to the power of six, at least: repeats are rare
    for code in codes:
        assert len(code) == len(shape)
        assert all(c in alphabet if s == "#" else c == s for c, s in zip(code, shape, strict=True))


def test_the_usual_alphabet_cannot_be_misread():
    assert len(UNAMBIGUOUS) == len(set(UNAMBIGUOUS)) == 32
    assert not set("0O1Il") & set(UNAMBIGUOUS)


def test_capacity():
    assert capacity(CodeConfig()) == 32**10
    assert capacity(CodeConfig(), GIFT_LENGTH) == 32**16
    assert capacity(parse_code_config({"pattern": "#-#", "charset": "abc"})) == 9


def test_every_character_is_equally_likely():
    """All byte values once: a biased mapping (256 is no multiple of 10) would favour the first six digits."""
    config = parse_code_config({"charset": "0123456789", "length": 1})
    drawn = [codes_from(bytes([number]), config, 1) for number in range(256)]
    counts = Counter(code[0] for code in drawn if code)
    assert set(counts.values()) == {25} and len(counts) == 10
    assert sum(1 for code in drawn if not code) == 6


def test_same_bytes_same_codes_and_too_few_bytes_fewer_codes():
    config = CodeConfig(length=4)
    stock = bytes(range(64))
    assert codes_from(stock, config, 16) == codes_from(stock, config, 16)
    assert len(codes_from(stock, config, 100)) == 8  # bytes 32–63 repeat the characters of 0–31
    assert codes_from(b"", config, 5) == []


def test_a_hundred_thousand_codes_are_enough_in_one_go():
    config = parse_code_config({"charset": "ABCDEFGHIJKLMNOPQRSTUVWXYZ"})
    assert len(codes_from(os.urandom(bytes_for(config, 100_000)), config, 100_000)) == 100_000


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        (5, "code_config"),
        ({"length": 0}, "code_config.length"),
        ({"length": 129}, "code_config.length"),
        ({"length": 2.5}, "code_config.length"),
        ({"length": "8"}, "code_config.length"),
        ({"length": True}, "code_config.length"),
        ({"length": float("inf")}, "code_config.length"),
        ({"charset": "aaa"}, "code_config.charset"),
        ({"charset": "ab c"}, "code_config.charset"),
        ({"charset": 5}, "code_config.charset"),
        ({"charset": "ab" * 200}, "code_config.charset"),
        ({"pattern": "no place"}, "code_config.pattern"),
        ({"prefix": "a\n"}, "code_config.prefix"),
        ({"prefix": "a" * 129}, "code_config.prefix"),
        ({"prefix": "a" * 100, "postfix": "b" * 20, "length": 20}, "code_config"),
    ],
)
def test_a_wrong_config_names_its_fault(raw, path):
    with pytest.raises(EngineError) as caught:
        parse_code_config(raw)
    assert (caught.value.path, caught.value.key) == (path, "invalid_code_config")
