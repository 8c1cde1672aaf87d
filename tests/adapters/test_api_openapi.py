"""The OpenAPI document tells of every route that is served and of no other; and whatever is asked by it, or against it,
is answered as it says, without a failure of the server (schemathesis)."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.generation.modes import GenerationMode

from bastion.api.callers import Callers
from bastion.api.judging import Judging
from bastion.api.logins import Logins
from bastion.api.openapi import document
from bastion.api.policies import Policies
from bastion.api.roles import Roles
from bastion.api.routes import EVENTS, ROUTES, Route
from bastion.api.site import Site
from tests.adapters.api_house import House, house, policy
from tests.adapters.api_ports import NOW, TENANTS, Tokens

EXAMPLES = 1_000 if os.environ.get("HYPOTHESIS_PROFILE") == "hunt" else 12
"""Of each route; with a seed that is always the same where it is few."""
load_all_checks()
LEFT_OUT = {
    "ignored_auth",  # wants requests without a token; tests/adapters/test_api_roles.py asks them all
    "missing_required_header",  # there is none
    "use_after_free",  # nothing is made and deleted
    "ensure_resource_availability",
    "unsupported_method",  # aiohttp answers HEAD and OPTIONS in its own way; told below
}
JUDGED_BY_CONTENT = {"validate", "explain", "issue"}
"""Routes that refuse bodies of a good form for what they say."""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    tokens, judging = Tokens(), Judging()
    in_force = {tenant: policy(tmp_path) for tenant in TENANTS}
    site = Site()
    callers = Callers(
        tokens, Logins(lambda: 0.0), Roles({}, in_force.get), site, TENANTS, tokens.revoked_why, lambda: NOW
    )
    policies = Policies(callers, in_force.__getitem__, judging)
    async with house(tmp_path, policies=policies, site=site) as made:
        yield made
    await policies.stop()


def test_the_document_is_good_openapi() -> None:
    OpenAPIV31SpecValidator(document(ROUTES)).validate()


async def test_the_document_names_every_route_that_is_served_and_no_other(api: House) -> None:
    _, found, _ = await api.ask("nobody", "GET", "/v1/openapi.json")
    named = {(method.upper(), path) for path, item in found["paths"].items() for method in item}
    served = {
        (route.method, route.resource.canonical)
        for route in api.api.application().router.routes()
        if route.resource is not None and route.resource.canonical not in api.api._console
    }
    assert named == served == {(route.method, route.path) for route in ROUTES}


async def test_every_schema_that_is_named_is_there_and_every_one_is_used(api: House) -> None:
    _, found, _ = await api.ask("nobody", "GET", "/v1/openapi.json")
    named = set(re.findall(r"#/components/schemas/(\w+)", str(found)))
    assert named == set(found["components"]["schemas"])


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "HEAD", "OPTIONS", "TRACE"])
async def test_methods_that_are_not_served_are_refused(api: House, method: str) -> None:
    async with api.client.request(method, "/v1/sessions") as answer:
        assert answer.status == 405
        assert answer.headers["Allow"] == "GET"


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("route", [route for route in ROUTES if route.kind != EVENTS], ids=lambda route: route.name)
async def test_whatever_is_asked_is_answered_as_the_document_says(
    api: House, route: Route, mode: GenerationMode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By who may do most. Streams are left out: they have no end to compare."""
    monkeypatch.setattr("bastion.api.guard.Guard._may_observe", lambda *_: True)
    _, found, _ = await api.ask("nobody", "GET", "/v1/openapi.json")
    await asyncio.to_thread(_hunt, api, found, route, mode)


def _hunt(api: House, found: dict[str, Any], route: Route, mode: GenerationMode) -> None:
    """In a thread: schemathesis waits for answers, which the event loop gives."""
    schema = schemathesis.openapi.from_dict(found)
    schema.config.update(base_url=f"http://{api.address[0]}:{api.address[1]}")
    operation = schema[route.path][route.method]
    checks: Any = [check for check in CHECKS.get_all() if check.__name__ not in LEFT_OUT]
    if route.name in JUDGED_BY_CONTENT:
        checks = [check for check in checks if check.__name__ != "positive_data_acceptance"]
    if not operation.query and not operation.path_parameters and not operation.body and mode is GenerationMode.NEGATIVE:
        return  # there is nothing to get wrong

    @settings(
        max_examples=EXAMPLES,
        derandomize=EXAMPLES < 1_000,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: schemathesis.Case[Any]) -> None:
        if mode is GenerationMode.POSITIVE and case.query:
            case.query.pop("cursor", None)  # only an earlier page has good ones
        case.call_and_validate(headers={"Authorization": "Bearer acme:operators"}, checks=checks, allow_redirects=False)

    asked()
