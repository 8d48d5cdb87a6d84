"""G-09: whatever the OpenAPI document allows, and what it does not, no operation answers with a 5xx, with a status or a
content type that the document does not know, or with an answer of another shape than it says."""

from typing import Any

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from guerdon import app

from .conftest import PROVE, Served

EXAMPLES = 200 if PROVE else 8
SECONDS = 2.0
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    unsupported_method,
]
SCHEMA = schemathesis.openapi.from_dict(msgspec.json.decode(app.openapi()))
# The shop's own window: its pages are open only while a demo runs.
OPERATIONS = [
    operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
    if operation.path.startswith(("/v1/", "/v2/", "/management/v1/"))
]


def label(operation: Any) -> str:
    return f"{operation.method.upper()} {operation.path}"


def test_all_operations_are_tried() -> None:
    served = {f"{r.method} {r.path}" for r in app.routes() if r.access != "public" and "json" in r.media_type}
    assert {label(operation) for operation in OPERATIONS} == served


@pytest.mark.sized
@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_no_input_breaks_an_operation(operation: Any, served: Served) -> None:
    cases = st.one_of(
        operation.as_strategy(generation_mode=GenerationMode.POSITIVE),
        operation.as_strategy(generation_mode=GenerationMode.NEGATIVE),
    )
    phases = [Phase.generate, Phase.shrink] if PROVE else [Phase.generate]

    @given(case=cases, real=st.integers(0, 3))
    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=not PROVE, phases=phases,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def run(case: Any, real: int) -> None:
        if real and case.path_parameters and case.method != "DELETE":  # else nearly all would be 404
            case.path_parameters = {
                name: served.known.get(name, [value])[real % len(served.known.get(name, [value]))]
                for name, value in case.path_parameters.items()
            }
        response = case.call(base_url=served.url, headers=served.headers)
        case.validate_response(response, checks=CHECKS)
        assert response.elapsed < SECONDS if isinstance(response.elapsed, float) else True

    run()


@pytest.mark.parametrize("operation", OPERATIONS, ids=label)
def test_no_operation_forgets_to_ask_for_a_key(operation: Any, served: Served) -> None:
    @given(case=operation.as_strategy(generation_mode=GenerationMode.POSITIVE))
    @settings(
        max_examples=1, deadline=None, database=None, derandomize=True, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    def run(case: Any) -> None:
        response = case.call(base_url=served.url, headers=served.headers)
        case.validate_response(response, checks=[ignored_auth])

    run()
