"""The command line against an API with ports of the tests' own: in a demo's folder, with an issuer that the people of
that demo have tokens of."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from aiohttp import web

from bastion.cli import main
from bastion.demo import folder as places
from bastion.demo.folder import Credentials
from tests.adapters.api_house import House, house

PEOPLE = {"rev@demo": "acme:sre", "audit@demo": "acme:auditors", "none@demo": "acme:none", "gone@demo": ""}
"""Tokens of the API's tests by person; `gone@demo` is refused by the issuer."""
SECONDS = 20


@dataclass(slots=True)
class Told:
    """What one command printed, and its exit status."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class Line:
    """The command line, run in this process."""

    def __init__(self, api: House, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.api = api
        self.folder = folder
        self._capsys = capsys

    async def run(self, *words: str, tenant: str | None = "acme", who: str | None = None) -> Told:
        """By the folder; as the local operator, or a person of the demo."""
        return await self.bare(*words, *self._where(tenant, who))

    async def bare(self, *words: str) -> Told:
        self._capsys.readouterr()
        status = await asyncio.to_thread(_main, words)
        printed = self._capsys.readouterr()
        return Told(status, printed.out, printed.err)

    @asynccontextmanager
    async def begun(self, *words: str) -> AsyncIterator[Begun]:
        """One that goes on until the bastion ends it, and does not wait for another."""
        self._capsys.readouterr()
        task = asyncio.create_task(asyncio.to_thread(_main, (*words, *self._where("acme", None))))
        try:
            yield Begun(task, self._capsys)
        finally:
            with patch("bastion.cli.approvals.GIVES_UP", 0.0):
                await self.api.api.stop()
                async with asyncio.timeout(SECONDS):
                    await task

    def _where(self, tenant: str | None, who: str | None) -> list[str]:
        words = ["--dir", str(self.folder)]
        words += [] if tenant is None or who is not None else ["--tenant", tenant]
        return words if who is None else [*words, "--as", who]


class Begun:
    """`seen` is what it printed so far."""

    def __init__(self, task: asyncio.Task[int], capsys: pytest.CaptureFixture[str]) -> None:
        self.task = task
        self.out = self.err = ""
        self._capsys = capsys

    async def until(self, text: str) -> str:
        """All that was printed, once `text` is in it, or on stderr."""
        async with asyncio.timeout(SECONDS):
            while text not in self.out + self.err:
                await asyncio.sleep(0)
                self._take()
                assert not self.task.done() or text in self.out + self.err, f"it ended: {self.out!r} {self.err!r}"
        return self.out

    async def end(self) -> int:
        async with asyncio.timeout(SECONDS):
            status = await self.task
        self._take()
        return status

    def _take(self) -> None:
        printed = self._capsys.readouterr()
        self.out += printed.out
        self.err += printed.err


def _main(words: Sequence[str]) -> int:
    try:
        return main(words)
    except SystemExit as ended:  # argparse's
        return int(ended.code or 0)


@asynccontextmanager
async def line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    folder = tmp_path / "demo"
    state = places.socket(folder).parent
    state.mkdir(parents=True)
    async with house(state) as api, _issuer() as issuer:
        places.keep(folder, {name: Credentials(issuer, name, "s3cret") for name in PEOPLE})
        yield Line(api, folder, capsys)


@asynccontextmanager
async def _issuer() -> AsyncIterator[str]:
    """Client credentials (RFC 6749 section 4.4), with the tokens of the API's tests."""
    url = ""

    async def discovery(_: web.Request) -> web.Response:
        return web.json_response({"issuer": url, "token_endpoint": f"{url}/token"})

    async def token(request: web.Request) -> web.Response:
        login = request.headers["Authorization"]
        person = next(name for name in PEOPLE if _basic(name) == login)
        if not PEOPLE[person]:
            return web.json_response({"error": "invalid_client"}, status=401)
        return web.json_response({"access_token": PEOPLE[person], "token_type": "Bearer"})

    application = web.Application()
    application.router.add_get("/.well-known/openid-configuration", discovery)
    application.router.add_post("/token", token)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield url
    finally:
        await runner.cleanup()


def _basic(name: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:s3cret'.encode()).decode()}"
