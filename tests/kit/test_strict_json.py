"""The front door for JSON keeps nobody waiting."""

import pytest

from guerdon.kit import strict_json
from guerdon.kit.errors import ApiError


def test_a_string_that_never_ends_is_refused_at_once() -> None:
    """Each escape doubles the ways to cut such a string up; whoever tries them all is busy for ever."""
    body = b'{"a": ' + b"[" * 40 + b'"' + b"\\u0141 and so on " * 200
    with pytest.raises(ApiError):
        strict_json.check(body)
