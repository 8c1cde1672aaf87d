"""Policies over HTTP, for CI: what `bastion policy check`, `test` and `explain` do.

    POST /v1/policies/validate   {"files": {"look-around.yaml": "version: 1 …", "look-around.cases.yaml": "…"}}
                                 200 {"ok", "problems": [{"file", "line", "column", "message"}], and of a good policy
                                      "version", "files", "rules", "mode", "default", "undecidable", "cases"}
    POST /v1/policies/explain    {"command": "uptime", "stdin": "…"} or {"commands": [ … ]}, and who and where
                                 ("groups", "target" …, see asker.py); the caller's own identity, groups, claims and
                                 address, and now, are the default. With "files" by that policy, else by the one in
                                 force of the caller's tenant.
                                 200 the object of explain.py, or {"results": [ … ]} for `commands`

Whoever is known may ask (see callers), which is seen to before anything of the body is read. The tenant is the
token's; where several trust its issuer, `?tenant=NAME` chooses. Nothing is allowed by an answer, and no answer names a
folder of the bastion's.

Limits: whoever may have a certificate of a tenant may ask what its policy in force says of any identity of that tenant,
though not by which rules that did not decide.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import orjson
from aiohttp import web

from bastion.api.bodies import read_json
from bastion.api.bounds import MAX_POLICY_BODY
from bastion.api.callers import Caller
from bastion.api.guard import Asked, Handler
from bastion.api.judging import Judging
from bastion.api.problems import BadRequest, problem
from bastion.identity.principal import Identity
from bastion.policy.asker import KEYS, Asker, BadAsker, Text
from bastion.policy.model import Policy

MAX_COMMANDS = 100
"""Commands of one request."""
MAX_FILES = 100
"""Files of one request."""


class Asking(Protocol):
    """callers.Callers: who sent a request, in the tenant that they mean. BadToken, Denied (revoked), IssuerDown."""

    async def of(self, request: web.Request, tenant: str | None) -> Caller: ...


class Policies:
    """Life: `handlers` once, `stop` once. `in_force` gives the policy of a tenant as it is now."""

    def __init__(
        self,
        callers: Asking,
        in_force: Callable[[str], Policy],
        judging: Judging,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._callers = callers
        self._in_force = in_force
        self._judging = judging

    def handlers(self) -> Mapping[str, Handler]:
        return {"validate": self.validate, "explain": self.explain}

    async def stop(self) -> None:
        """End the process that judges."""
        await self._judging.stop()

    async def validate(self, asked: Asked) -> web.Response:
        _, body = await self._request(asked, ("files",))
        return _answer(await self._judging.validate(_files(body)))

    async def explain(self, asked: Asked) -> web.Response:
        identity, body = await self._request(asked, ("command", "stdin", "commands", "files", *KEYS))
        commands = _commands(body)
        claims = tuple(sorted(identity.claims.items()))
        source = asked.request.remote or ""
        caller = Asker(identity.principals, identity.groups, claims, source=source, at=self._clock())
        try:
            asker = caller.but(body)
        except BadAsker as error:
            raise BadRequest(str(error)) from error
        of = _files(body) if "files" in body else self._in_force(identity.tenant)
        answer = await self._judging.explain(of, asker, commands)
        found = orjson.loads(answer)
        if "problems" in found:
            return problem(400, "the policy that was sent has mistakes", problems=found["problems"])
        return _answer(answer if "commands" in body else orjson.dumps(found["results"][0]))

    async def _request(self, asked: Asked, known: tuple[str, ...]) -> tuple[Identity, dict[str, Any]]:
        """Who asks, which is known before the body is read, and the body."""
        body = await read_json(asked.request, MAX_POLICY_BODY)
        if not isinstance(body, dict):
            raise BadRequest("expected a JSON object")
        for name in body:
            if name not in (*known, "tenant"):
                raise BadRequest(f"unknown member {name!a}; expected {', '.join(known)}")
        identity = asked.caller.identity
        tenant = body.pop("tenant", identity.tenant)
        if not isinstance(tenant, str):
            raise BadRequest("'tenant' must be text")
        if tenant != identity.tenant:
            identity = (await self._callers.of(asked.request, tenant)).identity
        return identity, body


def _files(body: Mapping[str, Any]) -> dict[str, bytes]:
    files = body.get("files")
    if not isinstance(files, dict) or not all(isinstance(text, str) for text in files.values()):
        raise BadRequest('expected \'files\' such as {"look-around.yaml": "version: 1 …"}')
    if not 0 < len(files) <= MAX_FILES:
        raise BadRequest(f"expected 1 to {MAX_FILES} files")
    return {name: text.encode("utf-8", "surrogatepass") for name, text in files.items()}


def _commands(body: Mapping[str, Any]) -> list[Text]:
    if ("command" in body) == ("commands" in body):
        raise BadRequest("expected either 'command' or 'commands'")
    commands = body["commands"] if "commands" in body else [body["command"]]
    if not isinstance(commands, list) or not all(isinstance(text, str) for text in commands):
        raise BadRequest("'command' must be text, and 'commands' a list of texts")
    if not 0 < len(commands) <= MAX_COMMANDS:
        raise BadRequest(f"expected 1 to {MAX_COMMANDS} commands")
    stdin = body.get("stdin")
    if "stdin" in body and (not isinstance(stdin, str) or "command" not in body):
        raise BadRequest("'stdin' must be text, and goes with 'command'")
    given = None if stdin is None else stdin.encode("utf-8", "surrogatepass")
    return [(text.encode("utf-8", "surrogatepass"), given) for text in commands]


def _answer(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", headers={"Cache-Control": "no-store"})
