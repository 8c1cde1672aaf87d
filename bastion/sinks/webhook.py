"""Requests for approval told to addresses of the operator's: the port approvals.ports.Notices, over HTTP.

Each notice is handed over at once and sent by itself: whoever asks waits for nobody's server. What is not taken with a
2xx is sent again after WAITS, and given up with a line in the log. An address has at most MAX_PENDING notices on their
way and MAX_AT_ONCE of them being sent; further ones are dropped, with a line. So a dead or slow server costs memory and
connections up to there, and the rest of the bastion nothing.

No redirect is followed and no body of an answer is read. The address and what is sent stand in no log, as an address
may be a secret by itself (Slack's are): its host does.

Limits: a notice may be lost when the process ends, and may come twice, or after a later one; the id of a message is the
same each time, and the state of a request is the API's to tell. Where it may go is the operator's to say: an address in
bastion.yaml is believed.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx2

from bastion.approvals.request import Request
from bastion.background import Background
from bastion.characters import shown
from bastion.sinks import messages, signature
from bastion.sinks.messages import Kind

log = logging.getLogger(__name__)

TIMEOUT = 10.0
"""Seconds for one attempt, whole."""
WAITS = (1.0, 5.0, 20.0, 60.0)
"""Seconds before each further attempt."""
MAX_PENDING = 256
MAX_AT_ONCE = 4
_GONE = 410
"""The receiver wants no more (Standard Webhooks)."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One address. `key` signs (signature.key_of); `slack` sends what Slack draws."""

    url: str
    key: bytes
    slack: bool = False

    @property
    def host(self) -> str:
        """What logs may say of it."""
        return shown(urlsplit(self.url).hostname or "")


class Webhook:
    """Notices of all tenants. Life: `requested`, `reminded`, `settled` at will, in a running loop; `stop` once.

    `hooks` are the addresses of each tenant; `link` gives the address of a request (tenant, id) for people; `clock`
    seconds since 1970. `wait` is asyncio.sleep, but for tests.
    """

    def __init__(
        self,
        hooks: Mapping[str, Sequence[Hook]],
        link: Callable[[str, str], str],
        clock: Callable[[], float],
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._link = link
        self._clock = clock
        # Plain HTTP is for receivers on this machine itself: a proxy of the environment has no part in it.
        self._client = httpx2.AsyncClient(
            verify=ssl.create_default_context(),
            timeout=TIMEOUT,
            follow_redirects=False,
            mounts={"http://": None},
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
        )
        self._posts = {tenant: [_Post(hook, self._client, clock, wait) for hook in of] for tenant, of in hooks.items()}

    def requested(self, request: Request) -> None:
        self._tell(Kind.REQUESTED, request)

    def reminded(self, request: Request) -> None:
        self._tell(Kind.REMINDED, request)

    def settled(self, request: Request) -> None:
        self._tell(Kind.SETTLED, request)

    async def stop(self) -> None:
        """What was not sent by now is not."""
        for posts in self._posts.values():
            for post in posts:
                await post.stop()
        await self._client.aclose()

    def _tell(self, kind: Kind, request: Request) -> None:
        posts = self._posts.get(request.bound.tenant, ())
        if not posts:
            return
        link = self._link(request.bound.tenant, request.id)
        id = f"msg_{request.id}_{kind.name.lower()}_{request.state.value}"
        for post in posts:
            slack = post.hook.slack
            body = messages.slack(kind, request, link) if slack else messages.plain(kind, request, link, self._clock())
            post.send(id, body)


class _Post:
    """One address, and what is on its way there."""

    def __init__(
        self,
        hook: Hook,
        client: httpx2.AsyncClient,
        clock: Callable[[], float],
        wait: Callable[[float], Awaitable[None]],
    ) -> None:
        self.hook = hook
        self._client = client
        self._clock = clock
        self._wait = wait
        self._background = Background()
        self._at_once = asyncio.Semaphore(MAX_AT_ONCE)

    def send(self, id: str, body: bytes) -> None:
        if len(self._background) >= MAX_PENDING:
            log.warning("notice %s was not sent to %s: %d wait already", id, self.hook.host, MAX_PENDING)
            return
        self._background.start(self._deliver(id, body), f"notice {id}")

    async def stop(self) -> None:
        await self._background.stop()

    async def _deliver(self, id: str, body: bytes) -> None:
        outcome = await self._once(id, body)
        for seconds in WAITS:
            if outcome is None or outcome == str(_GONE):
                break
            await self._wait(seconds)
            outcome = await self._once(id, body)
        if outcome is not None:
            log.warning("notice %s was not taken by %s: %s", id, self.hook.host, outcome)

    async def _once(self, id: str, body: bytes) -> str | None:
        """None when it was taken; else what came instead."""
        signed = signature.headers(self.hook.key, id, self._clock(), body)
        try:
            async with (
                self._at_once,
                asyncio.timeout(TIMEOUT),
                self._client.stream("POST", self.hook.url, content=body, headers=dict(signed)) as answer,
            ):
                return None if answer.is_success else str(answer.status_code)
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            return type(error).__name__
