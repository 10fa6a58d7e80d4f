"""The OpenAPI document, and schemathesis over it: no 5xx, only documented answers. Target 35."""

from __future__ import annotations

import random
import re

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import seed as seeded
from schemathesis import checks
from schemathesis.specs.openapi import checks as of_openapi

from app.acts import REGISTRY
from app.reports.base import REPORTS

CHECKS = [
    checks.not_a_server_error,
    of_openapi.status_code_conformance,
    of_openapi.content_type_conformance,
    of_openapi.response_schema_conformance,
]
#: Not generated: the token would end, or the answer is no JSON of ours.
LEFT_OUT = {"login"}


@pytest.fixture
def token(app, session):
    from tests.conftest import PASSWORD

    given = {"username": "admin", "password": PASSWORD, "provider": "db"}
    return app.test_client().post("/api/v1/security/login", json=given).json["access_token"]


@pytest.fixture
def schema(app, token):
    return schemathesis.openapi.from_wsgi("/api/v1/openapi.json", app, headers={"Authorization": f"Bearer {token}"})


def test_a_stranger_does_not_read_it(app, session):
    assert app.test_client().get("/api/v1/openapi.json").status_code == 401


def test_it_is_valid_and_names_everything(schema, app):
    schema.validate()
    told = schema.raw_schema
    paths = told["paths"]
    for act in REGISTRY:
        path = f"/api/v1/{act.table}/{act.name}" if act.creates else f"/api/v1/{act.table}/{{pk}}/{act.name}"
        assert (path in paths) is not act.by_system, act.key
    assert all(f"/api/v1/report/{name}" in paths for name in REPORTS)
    names = [each["operationId"] for path in paths.values() for each in path.values()]
    assert len(names) == len(set(names))
    adapter = app.url_map.bind("localhost")
    for path, operations in paths.items():
        for method in operations:
            filled = re.sub(r"\{[^}]*\}", "1", path)
            assert adapter.match(filled, method=method.upper()), (method, path)


def examine(schema, token, operations, examples):
    """Send generated calls for operations; raises on the first that answers what the document does not say."""
    for operation in operations:

        @seeded(20261122)
        @settings(
            max_examples=examples,
            deadline=None,
            database=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def call(case):
            case.call_and_validate(
                headers={"Authorization": f"Bearer {token}", "Accept-Encoding": "identity"}, checks=CHECKS
            )

        call()


def operations_of(schema):
    found = [result.ok() for result in schema.get_all_operations()]
    return [each for each in found if each.definition.raw["operationId"] not in LEFT_OUT]


def test_a_sample_of_calls_is_answered_as_documented(schema, token):
    chosen = random.Random(20261122).sample(operations_of(schema), 24)
    examine(schema, token, chosen, 2)


@pytest.mark.nightly
def test_every_call_is_answered_as_documented(schema, token):
    examine(schema, token, operations_of(schema), 25)
