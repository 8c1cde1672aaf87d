"""What browsers get: the console's files, and on every answer the headers that keep a page from being anything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.api import files
from bastion.api.headers import ALWAYS, POLICY
from bastion.errors import OperatorError
from tests.adapters.api_house import House, house


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    console = tmp_path / "console"
    (console / "inner").mkdir(parents=True)
    (console / "index.html").write_text("<!doctype html>")
    (console / "app.js").write_text("'use strict'")
    (console / "inner" / "style.css").write_text("body {}")
    (console / "secret.py").write_text("secret")
    (console / ".hidden.js").write_text("secret")
    (tmp_path / "outside.js").write_text("secret")
    (console / "link.js").symlink_to(tmp_path / "outside.js")
    async with house(tmp_path, console=files.read({"/": console})) as made:
        yield made


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html; charset=utf-8"),
        ("/index.html", "text/html; charset=utf-8"),
        ("/app.js", "text/javascript; charset=utf-8"),
        ("/inner/style.css", "text/css; charset=utf-8"),
    ],
)
async def test_what_is_in_the_folder_is_served_as_what_it_is(api: House, path: str, kind: str) -> None:
    async with api.client.get(path) as answer:
        assert (answer.status, answer.headers["Content-Type"]) == (200, kind)
        assert await answer.read()


@pytest.mark.parametrize(
    "path",
    ["/secret.py", "/.hidden.js", "/link.js", "/../outside.js", "/%2e%2e/outside.js", "/inner/..%2f..%2foutside.js",
     "//etc/passwd", "/inner/", "/app.js/", "/%00", "/app.js%00.html", "/inner%5c..%5c..%5coutside.js"],
)  # fmt: skip
async def test_nothing_else_is(api: House, path: str) -> None:
    reader, writer = await asyncio.open_connection(*api.address)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    assert answer.split()[1] in (b"404", b"400")
    assert b"secret" not in answer
    assert b"root:" not in answer


async def test_the_shipped_console_can_be_served() -> None:
    found = files.read({"/": files.CONSOLE})
    assert "/" in found
    assert b"/v1/login" in b"".join(file.body for file in found.values())


def test_a_console_has_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.js").write_text("x" * 100)
    monkeypatch.setattr(files, "MAX_BYTES", 99)
    with pytest.raises(OperatorError, match="99 bytes"):
        files.read({"/": tmp_path})


@pytest.mark.parametrize(
    "request_line",
    [
        "GET / HTTP/1.1",
        "GET /nowhere HTTP/1.1",
        "GET /healthz HTTP/1.1",
        "GET /v1/me HTTP/1.1",
        "GET /v1/login HTTP/1.1",
        "GET /v1/callback HTTP/1.1",
        "POST /v1/certificates HTTP/1.1",
        "DELETE / HTTP/1.1",
        "GET / HTTP/1.1\r\nExpect: nonsense",
        "nonsense",
    ],
)
async def test_every_answer_has_them(api: House, request_line: str) -> None:
    reader, writer = await asyncio.open_connection(*api.address)
    writer.write(f"{request_line}\r\nHost: x\r\n\r\n".encode())
    answer = (await asyncio.wait_for(reader.read(), 10)).decode()
    writer.close()
    head = answer.partition("\r\n\r\n")[0].split("\r\n")[1:]
    found = {line.partition(": ")[0]: line.partition(": ")[2] for line in head}
    assert {name: found.get(name) for name in ALWAYS} == ALWAYS


async def test_streams_have_them_too(api: House) -> None:
    async with api.client.get("/v1/events", headers={"Authorization": "Bearer acme:viewers"}) as answer:
        assert {name: answer.headers.get(name) for name in ALWAYS} == ALWAYS


def test_the_policy_lets_nothing_in_from_elsewhere() -> None:
    """And no inline script or style: what a session printed can not become one."""
    assert "unsafe" not in POLICY.replace("'wasm-unsafe-eval'", "")  # the player's WebAssembly, and no script from text
    assert "*" not in POLICY
    assert "http" not in POLICY
    for directive in (
        "default-src 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
        "script-src 'self' 'wasm-unsafe-eval'",
    ):
        assert directive in POLICY.split("; ")
