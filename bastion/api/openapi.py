"""The OpenAPI document (3.1), made from the table of routes and the shapes of answers: it says what is served."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from bastion import __version__
from bastion.api.params import Param, object_of
from bastion.api.routes import EVENTS, JSON, NONE, Needs, Route
from bastion.api.schemas import SCHEMAS, Schema, ref

_PART = re.compile(r"\{(\w+)\}")
_ID: Schema = {"type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]{0,127}$"}
_PROBLEM = {"application/problem+json": {"schema": ref("Problem")}}
_ERRORS = {
    "400": "The request is not of this form",
    "401": "Nobody is known by this request",
    "403": "Whoever it is may not",
    "404": "There is no such thing, or it is another tenant's",
    "409": "It is not in a state in which that can be done",
    "413": "The body is too long",
    "415": "The body is encoded",
    "416": "There is no such range",
    "429": "Too many requests: Retry-After says when to try again",
    "500": "The bastion failed",
    "503": "What the bastion needs for it is not there now",
}


def document(routes: Iterable[Route]) -> dict[str, Any]:
    """Of these routes."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bastion",
            "version": __version__,
            "description": "An SSH bastion's API. Lists come in pages; errors are problem details (RFC 9457).",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "session": {"type": "apiKey", "in": "cookie", "name": "bastion"},
            },
        },
    }


def _operation(route: Route) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.about,
        "parameters": [*_in_path(route), *(_in_query(param) for param in route.query)],
        "responses": {str(route.status): _good(route), **_bad(route)},
        "x-needs": route.needs.value,
        "security": [] if route.needs in (Needs.NOBODY, Needs.OBSERVER) else [{"token": []}, {"session": []}],
    }
    if route.name == "cast":
        operation["responses"]["206"] = _good(route)
    if route.name == "issue":
        operation["security"] = [{"token": []}]
    if route.raw_body:
        operation["requestBody"] = {"required": True, "content": {JSON: {"schema": ref(route.raw_body)}}}
    elif route.body is not None:
        required = any(param.required for param in route.body)
        operation["requestBody"] = {"required": required, "content": {JSON: {"schema": object_of(route.body)}}}
    return operation


def _in_path(route: Route) -> list[dict[str, Any]]:
    return [{"name": name, "in": "path", "required": True, "schema": _ID} for name in _PART.findall(route.path)]


def _in_query(param: Param) -> dict[str, Any]:
    return {
        "name": param.name,
        "in": "query",
        "required": param.required,
        "description": param.about,
        "schema": param.schema(),
    }


def _good(route: Route) -> dict[str, Any]:
    if route.kind == NONE:
        return {"description": route.about}
    schema: Schema = ref(route.answer) if route.kind == JSON else {"type": "string"}
    found: dict[str, Any] = {"description": route.about, "content": {route.kind: {"schema": schema}}}
    if route.kind == EVENTS:
        found["description"] += ". Server-Sent Events; it goes on until the client leaves"
    return found


def _bad(route: Route) -> dict[str, Any]:
    """The problems that this route may answer."""
    found = {"400", "429", "500", "503"}
    known = route.needs not in (Needs.NOBODY, Needs.OBSERVER) or route.name in ("issue", "callback")
    found |= {"401", "403"} if known else set()
    if "{" in route.path or route.needs is Needs.OBSERVER or route.name in ("login", "callback") or known:
        found.add("404")
    if route.name in ("terminate", "follow", "cast", "logout"):
        found.add("409")
    if route.name == "cast":
        found.add("416")
    if route.body is not None or route.raw_body:
        found |= {"413", "415"}
    return {status: {"description": _ERRORS[status], "content": _PROBLEM} for status in sorted(found)}
