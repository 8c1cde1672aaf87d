"""Every route, for every role of its own tenant and of another: who may ask what, and that another tenant's things are
not there. A route without a row in SAMPLES fails."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bastion.api.routes import ROUTES, Needs, Route
from tests.adapters.api_house import House, house
from tests.adapters.api_ports import CALLERS, head

MAY: dict[Needs, set[str]] = {
    Needs.NOBODY: set(CALLERS),
    Needs.ANYONE: set(CALLERS) - {"nobody"},
    Needs.VIEWER: {"viewers", "auditors", "approvers", "sre", "operators"},
    Needs.AUDITOR: {"auditors", "operators"},
    Needs.APPROVER: {"approvers", "sre", "operators"},
    Needs.OPERATOR: {"operators"},
}
WHY = {"reason": "a test"}
KEY = {"public_key": "ssh-ed25519 AAAA"}

# By the route's name: what stands in the path, the body, and the status of who may. `%` is the tenant.
SAMPLES: dict[str, tuple[str, Any, int | dict[str, int]]] = {
    "login": ("", None, 302),
    "callback": ("", None, 302),
    "logout": ("", None, 409),  # a token has no session to end
    "me": ("", None, 200),
    "targets": ("", None, 200),
    "sessions": ("", None, 200),
    "session": ("live-%", None, 200),
    "follow": ("live-%", None, 200),
    "terminate": ("live-%", WHY, 202),
    "recordings": ("", None, 200),
    "recording": ("past-%", None, 200),
    "cast": ("past-%", None, 200),
    "verify": ("past-%", None, 200),
    "approvals": ("", None, 200),
    "approval": ("request-%", None, 200),
    "approve": ("request-%", {}, {"sre": 200, "approvers": 403, "operators": 403}),
    "deny": ("request-%", {"comment": "no"}, {"sre": 200, "approvers": 403, "operators": 403}),
    "grants": ("", None, 200),
    "revoke_grant": ("grant-%", None, 200),
    "audit": ("", None, 200),
    "issue": ("", KEY, {"nobody": 401, **dict.fromkeys(CALLERS[1:], 201)}),
    "certificates": ("", None, 200),
    "revoke_certificate": ("4711", WHY, 200),
    "host_ca": ("", None, 200),
    "policy": ("", None, 200),
    "validate": ("", None, 0),  # served where policies are judged: see test_api_policies
    "explain": ("", None, 0),
    "events": ("", None, 200),
    "health": ("", None, 200),
    "ready": ("", None, 0),  # by network, not by role: see test_api_condition
    "metrics": ("", None, 0),
    "openapi": ("", None, 200),
}
TABLE = [route for route in ROUTES if route.name not in ("validate", "explain", "ready", "metrics")]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        recorders = [made.files.open(head(tenant, f"live-{tenant}")) for tenant in ("acme", "other")]
        yield made
        for recorder in recorders:
            recorder.abandon()


def address(route: Route, tenant: str) -> str:
    part = SAMPLES[route.name][0].replace("%", tenant)
    if tenant == "other" and part == "4711":
        part = "4712"
    before, brace, rest = route.path.partition("{")
    return before + part + rest.partition("}")[2] if brace else route.path


def test_every_route_has_its_row() -> None:
    assert set(SAMPLES) == {route.name for route in ROUTES}
    assert len({route.name for route in ROUTES}) == len(ROUTES)
    assert len({(route.method, route.path) for route in ROUTES}) == len(ROUTES)


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", TABLE, ids=lambda route: route.name)
async def test_a_role_opens_its_routes_and_no_others(api: House, route: Route, caller: str) -> None:
    body, good = SAMPLES[route.name][1:]
    status, answer, _ = await api.ask(f"acme:{caller}", route.method, address(route, "acme"), json=body)
    if caller not in MAY[route.needs]:
        assert status == (401 if caller == "nobody" else 403)
        assert answer["status"] == status
    else:
        assert status == (good if isinstance(good, int) else good[caller]), answer


@pytest.mark.parametrize("caller", CALLERS[1:])
@pytest.mark.parametrize("route", [route for route in TABLE if "{" in route.path], ids=lambda route: route.name)
async def test_what_is_another_tenants_is_not_there(api: House, route: Route, caller: str) -> None:
    """Whoever may ask learns no more than of an id that nothing has, and whoever may not learns less."""
    asked = {"json": SAMPLES[route.name][1]}
    theirs = await api.ask(f"other:{caller}", route.method, address(route, "acme"), **asked)
    none = await api.ask(f"other:{caller}", route.method, address(route, "acme").replace("acme", "nil")
                         .replace("4711", "9999"), **asked)  # fmt: skip
    assert theirs[0] == (404 if caller in MAY[route.needs] else 403)
    assert theirs[:2] == none[:2]
    assert not api.audit.events
    assert not api.live.ended


@pytest.mark.parametrize("route", [route for route in TABLE if "{" not in route.path], ids=lambda route: route.name)
async def test_a_list_has_nothing_of_another_tenant(api: House, route: Route) -> None:
    status, answer, _ = await api.ask("other:operators", route.method, route.path, json=SAMPLES[route.name][1])
    if route.needs.role is None or route.name == "events":
        return
    assert status == 200
    assert "acme" not in str(answer)
    assert "other" in str(answer)


async def test_another_tenant_can_not_be_asked_for_with_ones_own_token(api: House) -> None:
    for tenant in ("other", "nil", "", "\0"):
        status, _, _ = await api.ask("acme:operators", "GET", "/v1/sessions", params={"tenant": tenant})
        assert status in (400, 401), tenant
