"""Signals by channel requests (RFC 4254, section 6.9), which stock `ssh` never sends: at the prompt, while a line is
being judged, while a program runs. The shell goes on or ends; nothing unjudged runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import asyncssh
import pytest

from tests.system.asyncssh_client import jumped
from tests.system.hostile import Site, site

SIGNALS = ("INT", "TSTP", "USR1", "TERM", "HUP", "KILL", "nonsense")
SECONDS = 20.0
MOMENTS = (0.0, 0.004, 0.05)
"""Seconds after Enter."""


@pytest.fixture(scope="module", params=["bash", "dash"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with site(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


class Talk:
    """A shell on a channel of asyncssh's, on a terminal or without one."""

    def __init__(self, process: asyncssh.SSHClientProcess[bytes]) -> None:
        self.process = process
        self.seen = b""

    def type(self, keys: bytes) -> bool:
        """Whether there is still a shell to type to."""
        if self.process.is_closing():
            return False
        self.process.stdin.write(keys)
        return True

    async def look(self, seconds: float) -> None:
        """What is shown within that time."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while data := await self.process.stdout.read(4096):
                    self.seen += data

    async def prompt(self, after: bytes) -> bool:
        """Whether that was shown, and a prompt behind it; not, if the shell ended first."""
        wanted = re.compile(re.escape(after) + rb"\r?\n.*[#$] ", re.DOTALL)
        async with asyncio.timeout(SECONDS):
            while not wanted.search(self.seen):
                data = await self.process.stdout.read(4096)
                if not data:
                    return False
                self.seen += data
        return True


@pytest.mark.parametrize("term", ["xterm", None], ids=["terminal", "piped"])
@pytest.mark.parametrize("line", [b"echo a b", b"sleep 0.05", b"reboot"], ids=["echo", "sleep", "refused"])
async def test_a_signal_at_any_moment_brings_no_command_in(
    place: Site, line: bytes, term: str | None, tmp_path: Path
) -> None:
    """Every signal, at several moments after a line was sent, with a forbidden line behind it."""
    canary = tmp_path / "c"
    end = b"\r" if term else b"\n"
    async with jumped(place.client, "gated") as connection:
        for name in SIGNALS:
            for moment in MOMENTS:
                async with connection.create_process(term_type=term, encoding=None) as process:
                    talk = Talk(process)
                    talk.type(line + end)
                    await talk.look(moment)
                    if not process.is_closing():
                        process.channel.send_signal(name)
                    if talk.type(b"touch %s" % str(canary).encode() + end):
                        talk.type(b"echo all''over" + end)
                    if term and await talk.prompt(b"allover"):
                        talk.type(b"exit\r")
                    elif not process.is_closing():
                        process.stdin.write_eof()
                    async with asyncio.timeout(SECONDS):
                        await process.wait_closed()
                assert not canary.exists(), (name, moment)


async def test_a_signal_reaches_what_runs_as_it_would_in_a_raw_shell(place: Site) -> None:
    """It is for the shell that sshd started: TERM is nothing to an interactive one, HUP ends it; in both kinds."""
    ends: dict[str, list[bool]] = {}
    for kind in ("raw", "gated"):
        async with jumped(place.client, kind) as connection:
            for name in ("TERM", "HUP", "KILL"):
                async with connection.create_process(term_type="xterm", encoding=None) as process:
                    talk = Talk(process)
                    talk.type(b"echo be''gun\r")
                    assert await talk.prompt(b"begun")
                    process.channel.send_signal(name)
                    ended = not (talk.type(b"echo go''es on\r") and await talk.prompt(b"goes on"))
                    ends.setdefault(kind, []).append(ended)
                    if not ended:
                        talk.type(b"exit\r")
                    async with asyncio.timeout(SECONDS):
                        await process.wait_closed()
    assert ends["gated"] == ends["raw"]
