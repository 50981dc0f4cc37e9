"""schemathesis over the gateway's own OpenAPI: what it says of itself holds, and nothing breaks."""

from collections.abc import Iterator
from typing import Any  # what schemathesis' own types leave open

import httpx
import pytest
import schemathesis
from gateway_server import Running, running
from hypothesis import HealthCheck, Phase, settings
from schemathesis import checks
from schemathesis.openapi import from_dict

from feilun.gateway.openapi import document
from feilun.gateway.routes import ROUTES

_EXAMPLES = 50
_CHECKS = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
    checks.response_headers_conformance,
]
schema = from_dict(document())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with running(tmp_path_factory.mktemp("gateway")) as found:
        yield found


def test_the_document_that_is_served_is_the_one_that_is_checked(server: Running) -> None:
    served = httpx.get(server.url + "/openapi.json").json()
    assert served == document()
    told = {
        (method.upper(), path)
        for path, item in served["paths"].items()
        for method in item
        if method != "parameters"
    }
    assert told == {(route.method, route.path) for route in ROUTES}


@schema.parametrize()
@settings(
    max_examples=_EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_the_document_says(
    server: Running, case: schemathesis.Case[Any]
) -> None:
    answer = case.call(base_url=server.url, headers=server.headers, timeout=6)
    case.validate_response(answer, checks=_CHECKS)
    # A task may be declared that no mock can do: that its answers are wrong is well said.
    assert answer.status_code < 500 or answer.json()["error"]["code"] == "invalid_output"
