"""Nothing is left out: every route is called through the SDK, and the page says what there is."""

import ast
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
import voucherify.api

from .document import PAGE, Place, answered, ours, place, read_operations, render
from .sdk import Sdk

HERE = Path(__file__).parent

OURS = {
    ("POST", "/v1/async-actions/{async_action_id}/cancel"),
    ("GET", "/v1/async-actions/{async_action_id}/report"),
    ("GET", "/v1/vouchers/{code}/publications"),
    ("GET", "/v1/ledger/postings"),
    ("GET", "/v1/ledger/liability"),
    ("POST", "/v1/vouchers/{code}/activation"),
    ("POST", "/v1/vouchers/{code}/balance/look-up"),
    ("POST", "/v1/vouchers/{code}/cash-out"),
    ("PUT", "/v1/vouchers/{code}/pin"),
    ("POST", "/v1/orders/{order_id}/returns"),
    ("GET", "/v1/orders/{order_id}/returns"),
    ("GET", "/v1/referrals"),
}

# What the reference has and this SDK has no method for: called with `sdk.raw`.
BY_HAND = {
    ("POST", "/v1/metadata-schemas/{resource}"),
    ("PUT", "/v1/metadata-schemas/{resource}"),
    ("DELETE", "/v1/metadata-schemas/{resource}"),
    ("PUT", "/v1/product-collections/{product_collection_id}"),
    ("POST", "/v1/promotions/validation"),
    ("POST", "/v1/promotions/tiers/{promotion_tier_id}/validation"),
    ("POST", "/v1/promotions/tiers/{promotion_tier_id}/redemption"),
    ("POST", "/v1/vouchers/qualification"),
    ("POST", "/v1/campaigns/qualification"),
    ("POST", "/v1/loyalties/{campaign_id}/qualifications"),
    ("GET", "/v1/customers/{customer_id}/activities"),
    ("GET", "/v1/product-collections/{product_collection_id}/activities"),
    ("GET", "/v1/segments/{segment_id}/activities"),
    ("GET", "/v1/segments"),
    ("PUT", "/v1/segments/{segment_id}"),
}


def sdk_operations() -> dict[str, Place]:
    """The SDK's methods and what they call, read off its sources."""
    found: dict[str, Place] = {}
    for module in pkgutil.iter_modules(voucherify.api.__path__):
        source = inspect.getsource(importlib.import_module(f"voucherify.api.{module.name}"))
        calls = re.finditer(
            r"def _(\w+)_serialize\(.*?method='(\w+)',\s+resource_path='([^']+)'", source, re.DOTALL
        )
        for name, method, path in (match.groups() for match in calls):
            found[name] = place(method, path)
    return found


def called() -> set[str]:
    """The SDK's methods that the tests of this folder call."""
    names: set[str] = set()
    for file in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Attribute) and getattr(owner.value, "id", "") in ("sdk", "self"):
                    name = node.func.attr.removesuffix("_with_http_info")
                    names.add(name.removesuffix("_without_preload_content"))
    return names


def test_every_route_is_called_through_the_sdk() -> None:
    known = sdk_operations()
    reached = {known[name] for name in called() & known.keys()}
    missed = {
        path
        for where, path in answered().items()
        if where not in reached
        and (where[0], path) not in OURS | BY_HAND
        and not path.startswith("/v2/")  # no SDK has these yet
    }
    assert missed == set()
    assert len(reached) >= 40


def test_what_is_called_by_hand_has_no_method() -> None:
    known = set(sdk_operations().values())
    assert [path for method, path in sorted(BY_HAND) if place(method, path) in known] == []


def test_what_is_ours_is_meant_to_be() -> None:
    assert set(ours()) == OURS


def test_the_facts_are_those_of_the_sdk() -> None:
    names = {operation.place: operation.name for operation in read_operations()}
    theirs: dict[tuple[str, str], set[str]] = {}
    for name, where in sdk_operations().items():  # downloads of exports have a name of their own, and no path
        theirs.setdefault(where, set()).add(name.replace("_", "").lower())
    assert theirs.keys() <= names.keys()
    for where in theirs.keys() & answered().keys():
        assert names[where].replace("-", "").lower() in theirs[where]


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text() == render(), "run: python tests/compat/document.py"


def test_the_pages_example_runs(sdk: Sdk, capsys: pytest.CaptureFixture[str]) -> None:
    found = re.search(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    assert found
    example = found[1].replace("http://127.0.0.1:8770", sdk.host)
    for name, value in sdk.keys.items():
        example = example.replace(f'"{name}": "…"', f'"{name}": "{value}"')
    exec(compile(example, str(PAGE), "exec"), {})  # noqa: S102 - the page is ours
    assert capsys.readouterr().out.strip().isdigit()
