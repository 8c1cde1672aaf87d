"""The local socket: the kernel says who is there, and nothing that comes by TCP is ever taken for it."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from bastion.api import unix
from bastion.errors import OperatorError
from tests.adapters.api_house import House, house

OPERATOR = ["approver", "auditor", "operator", "viewer"]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        yield made


async def test_who_runs_it_is_operator_of_every_tenant_and_says_of_which(api: House) -> None:
    async with api.by_socket() as client:
        for tenant in ("acme", "other"):
            me = await (await client.get("/v1/me", params={"tenant": tenant})).json()
            assert (me["tenant"], me["roles"], me["how"], me["issuer"]) == (tenant, OPERATOR, "socket", "unix")
            assert me["subject"] == f"uid {os.geteuid()}"
            found = await (await client.get("/v1/sessions", params={"tenant": tenant})).json()
            assert {one["tenant"] for one in found["items"]} == {tenant}
        assert (await client.get("/v1/me")).status == 400
        assert (await client.get("/v1/me", params={"tenant": "nil"})).status == 404


async def test_an_operator_is_in_no_group_and_so_decides_on_nothing(api: House) -> None:
    async with api.by_socket() as client:
        answer = await client.post("/v1/approvals/request-acme/approve?tenant=acme", json={})
        assert answer.status == 403
        assert "sre" in (await answer.json())["detail"]


async def test_a_token_counts_also_by_the_socket(api: House) -> None:
    async with api.by_socket() as client:
        answer = await client.get("/v1/me", headers={"Authorization": "Bearer acme:sre"})
        assert (await answer.json())["identity"] == "sre@acme"
        assert (await client.get("/v1/me", headers={"Authorization": "Bearer wrong"})).status == 401


async def test_what_an_operator_does_is_told_with_who_it_was(api: House) -> None:
    async with api.by_socket() as client:
        answer = await client.post("/v1/sessions/live-acme/terminate?tenant=acme", json={"reason": "drill"})
        assert answer.status == 202
    told = api.audit.told[-1]
    assert (told["action"], told["issuer"], told["source"], told["reason"]) == ("terminate", "unix", "unix", "drill")


@pytest.mark.parametrize("headers", [{"X-Forwarded-For": "unix"}, {"Host": "unix"}, {"X-Real-IP": "127.0.0.1"}])
async def test_over_tcp_nobody_is_the_operator(api: House, headers: dict[str, str]) -> None:
    status, _, _ = await api.ask("nobody", "GET", "/v1/me?tenant=acme", headers=headers)
    assert status == 401


async def test_the_socket_is_its_owners_alone(api: House) -> None:
    assert stat.S_IMODE(api.socket.stat().st_mode) == 0o600


@pytest.mark.parametrize(("user", "let_in"), [(0, True), (os.geteuid(), True), (65534, False), (1000 + 1, False)])
def test_root_and_the_bastions_own_user_may_come_in(user: int, let_in: bool) -> None:
    class Peer:
        def getsockopt(self, *_: int) -> bytes:
            return unix._CREDENTIALS.pack(1, user, 0)

    assert unix.peer(Peer()) == (user if let_in else None)


async def test_anyone_else_is_cut(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unix, "peer", lambda _: None)
    async with api.by_socket() as client:
        with pytest.raises(aiohttp.ClientError):
            await client.get("/healthz")


def test_a_socket_that_a_killed_bastion_left_is_replaced_and_a_living_ones_is_not(tmp_path: Path) -> None:
    path = tmp_path / unix.NAME
    unix.listen(path).close()
    assert path.exists()
    alive = unix.listen(path)
    with pytest.raises(OperatorError, match="in use"):
        unix.listen(path)
    alive.close()
    path.unlink()
    path.write_text("keep me")
    with pytest.raises(OperatorError, match="not a socket"):
        unix.listen(path)
    assert path.read_text() == "keep me"


async def test_a_folder_with_a_long_name_is_no_hindrance(tmp_path: Path) -> None:
    """The kernel takes 107 bytes, and a demo's folder may be longer."""
    folder = tmp_path / ("x" * 120)
    folder.mkdir()
    async with house(folder) as made:
        client = await asyncio.to_thread(unix.connect, made.socket)
        client.setblocking(False)
        reader, writer = await asyncio.open_unix_connection(sock=client)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
    assert not made.socket.exists()


def test_a_folder_that_is_not_there_is_the_operators_to_know(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="can not be made"):
        unix.listen(tmp_path / "missing" / unix.NAME)
