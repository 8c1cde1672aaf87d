"""A small API for the console's tests: the addresses and JSON of the real one, the console's own files under their own
policy, and a memory that tests write to. It checks what the real one checks of a change: JSON, and the header that no
other site can set."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

from aiohttp import web

import bastion.api
from tests.console import answers
from tests.console.answers import Json, moment

CONSOLE = Path(bastion.api.__file__).with_name("console")
PLAYER = CONSOLE / "node_modules" / "asciinema-player" / "dist"
KINDS = {".html": "text/html", ".js": "text/javascript", ".css": "text/css"}
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "form-action 'self'",
    )
)
"""'wasm-unsafe-eval' is for the player's terminal; it permits WebAssembly, and no script from text."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Fake:
    """Order of calls: `start`, `stop`. Tests change the fields and then `tell` browsers of it."""

    def __init__(self, *, player: bool = True) -> None:
        self.player = player
        self.me: Json | None = answers.me()
        self.approvals: dict[str, Json] = {}
        self.sessions: dict[str, Json] = {}
        self.recordings: dict[str, Json] = {}
        self.casts: dict[str, str] = {}
        self.grants: dict[str, Json] = {}
        self.policy = answers.policy()
        self.audit = answers.events()
        self.several = False
        """Whether there are several tenants, of which a login has to name one."""
        self.live: list[object] = []
        self.over = asyncio.Event()
        """The session that is followed has ended, or this API."""
        self.asked: list[tuple[str, str, Json]] = []
        """Every change that was asked for: method, path, body."""
        self.searched: list[dict[str, str]] = []
        self._streams: set[asyncio.Queue[tuple[str, Json] | None]] = set()
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    async def start(self) -> None:
        """Listen, on the port of before when there was one."""
        application = web.Application(middlewares=[self._dress])
        router = application.router
        router.add_get("/v1/me", self._me)
        router.add_get("/v1/events", self._events)
        router.add_get("/v1/approvals", self._approvals)
        router.add_get("/v1/approvals/{id}", self._approval)
        router.add_post("/v1/approvals/{id}/{vote:approve|deny}", self._vote)
        router.add_get("/v1/sessions", self._list("sessions"))
        router.add_get("/v1/sessions/{id}", self._one("sessions"))
        router.add_get("/v1/sessions/{id}/live", self._live)
        router.add_post("/v1/sessions/{id}/terminate", self._terminate)
        router.add_get("/v1/recordings", self._list("recordings"))
        router.add_get("/v1/recordings/{id}", self._one("recordings"))
        router.add_get("/v1/recordings/{id}/cast", self._cast)
        router.add_post("/v1/recordings/{id}/verify", self._verify)
        router.add_get("/v1/grants", self._list("grants"))
        router.add_post("/v1/grants/{id}/revoke", self._revoke)
        router.add_get("/v1/audit", self._audit)
        router.add_get("/v1/policies/current", self._policy)
        router.add_post("/v1/policies/explain", self._explain)
        router.add_post("/v1/logout", self._logout)
        router.add_get("/v1/login", self._login)
        router.add_get("/{path:.*}", self._file)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        self.over.set()
        self.cut()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    def cut(self) -> None:
        """End every stream of events."""
        for stream in list(self._streams):
            stream.put_nowait(None)

    def tell(self, kind: str, id: str) -> None:
        """Every browser hears that this one changed."""
        for stream in self._streams:
            stream.put_nowait((kind, {"id": id}))

    def ask(self, **fields: Any) -> Json:
        """Someone asks for an approval."""
        made = answers.approval(**fields)
        self.approvals[made["id"]] = made
        self.tell("approval", made["id"])
        return made

    # -- what is answered ----------------------------------------------------------------------------------------------

    @web.middleware
    async def _dress(self, request: web.Request, handler: Any) -> web.StreamResponse:
        if request.path.startswith("/v1/") and request.path != "/v1/login" and self.me is None:
            return _problem(401, "log in")
        if request.method == "POST":
            body = await request.text()
            if request.headers.get("X-Bastion") != "1" or (body and request.content_type != "application/json"):
                return _problem(403, "by cookie, a change needs the header")
            self.asked.append((request.method, request.path, json.loads(body) if body else {}))
        response: web.StreamResponse = await handler(request)
        if not response.prepared:
            response.headers.update(HEADERS)
        return response

    async def _file(self, request: web.Request) -> web.Response:
        path = request.path.lstrip("/") or "index.html"
        folder = PLAYER if path.startswith("player/") else CONSOLE
        file = folder / path.removeprefix("player/")
        if not file.is_file() or file.suffix not in KINDS or (folder is PLAYER and not self.player):
            return _problem(404, "not found")
        return web.Response(body=file.read_bytes(), content_type=KINDS[file.suffix], charset="utf-8")

    async def _me(self, _: web.Request) -> web.Response:
        return web.json_response(self.me)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        await response.prepare(request)
        queue: asyncio.Queue[tuple[str, Json] | None] = asyncio.Queue()
        self._streams.add(queue)
        try:
            await response.write(b"retry: 2000\n\n")
            while (changed := await queue.get()) is not None:
                await response.write(_event(*changed))
        finally:
            self._streams.discard(queue)
        return response

    async def _approvals(self, request: web.Request) -> web.Response:
        state = request.query.get("state")
        found = [one for one in self.approvals.values() if state in (None, one["state"])]
        return web.json_response({"items": found[::-1], "next": None})

    async def _approval(self, request: web.Request) -> web.Response:
        found = self.approvals.get(request.match_info["id"])
        return web.json_response(found) if found else _problem(404, "no such request")

    async def _vote(self, request: web.Request) -> web.Response:
        found = self.approvals[request.match_info["id"]]
        approves = request.match_info["vote"] == "approve"
        body = self.asked[-1][2]
        if found["state"] != "pending":
            return _problem(409, f"the request is {found['state']} already")
        found["votes"].append(
            {"person": "rev@acme", "approves": approves, "comment": body["comment"], "at": moment(time.time())}
        )
        found |= {"state": "approved" if approves else "denied", "settled": moment(time.time()), "may_vote": False}
        self.tell("approval", found["id"])
        return web.json_response(found)

    def _list(self, name: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            found = list(getattr(self, name).values())
            if name == "sessions" and "live" in request.query:
                found = [one for one in found if one["live"] == (request.query["live"] == "true")]
            if name == "grants" and request.query.get("live") == "true":
                found = [one for one in found if one["live"]]
            return web.json_response({"items": found, "next": None})

        return answer

    def _one(self, name: str) -> Any:
        async def answer(request: web.Request) -> web.Response:
            found = getattr(self, name).get(request.match_info["id"])
            return web.json_response(found) if found else _problem(404, f"no such {name[:-1]}")

        return answer

    async def _live(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", **HEADERS})
        await response.prepare(request)
        await response.write(_event("header", {"version": 2, "width": 80, "height": 24}))
        for event in self.live:
            await response.write(_event("", event))
        await self.over.wait()
        await response.write(_event("end", {}))
        return response

    async def _terminate(self, request: web.Request) -> web.Response:
        found = self.sessions[request.match_info["id"]]
        found |= {"live": False, "ended": moment(time.time()), "reason": self.asked[-1][2]["reason"]}
        self.over.set()
        self.tell("session", found["id"])
        return web.json_response(found, status=202)

    async def _cast(self, request: web.Request) -> web.Response:
        return web.Response(text=self.casts[request.match_info["id"]], content_type="application/x-asciicast")

    async def _verify(self, request: web.Request) -> web.Response:
        found = self.recordings[request.match_info["id"]]
        found |= {"whole": "changed" not in found["session"], "verified": moment(time.time())}
        why = "" if found["whole"] else "the file is not the one that was recorded"
        return web.json_response({"session": found["session"], "whole": found["whole"], "why": why})

    async def _revoke(self, request: web.Request) -> web.Response:
        found = self.grants[request.match_info["id"]]
        found |= {"live": False, "ended": moment(time.time()), "why": "revoked by rev@acme"}
        return web.json_response(found)

    async def _audit(self, request: web.Request) -> web.Response:
        self.searched.append(dict(request.query))
        text = request.query.get("text", "")
        return web.json_response({"items": [one for one in self.audit if text in json.dumps(one)], "next": None})

    async def _policy(self, _: web.Request) -> web.Response:
        return web.json_response(self.policy)

    async def _explain(self, _: web.Request) -> web.Response:
        return web.json_response(answers.EXPLAINED)

    async def _logout(self, _: web.Request) -> web.Response:
        self.me = None
        return web.Response(status=204)

    async def _login(self, request: web.Request) -> web.Response:
        self.searched.append(dict(request.query))
        if self.several and "tenant" not in request.query:
            return web.Response(status=302, headers={"Location": "/?problem=tenant"})
        self.me = answers.me()
        return web.Response(status=302, headers={"Location": "/"})


def _event(kind: str, data: object) -> bytes:
    """Of a stream of Server-Sent Events; without a kind it is a plain message."""
    named = f"event: {kind}\n" if kind else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()


def _problem(status: int, detail: str) -> web.Response:
    body = {"type": "about:blank", "title": "problem", "status": status, "detail": detail}
    return web.json_response(body, status=status, content_type="application/problem+json")
