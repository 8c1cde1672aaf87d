"""The demo with stock ssh: a command waits, people decide on it by the command line, and others are told of it."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Verifier

from bastion.cli import demo_shown, main
from bastion.cli.demo import _ssh_config
from bastion.demo import private
from bastion.demo.demo import Demo
from bastion.errors import EXIT_DENIED, EXIT_NOT_APPROVED
from tests.adapters.test_sinks_webhook import SECRET, Receiver, receiving
from tests.system.harness.waiting import until

pytestmark = pytest.mark.system

HELD = "ps -o pid,args -p 1"


@dataclass(slots=True)
class Place:
    """A demo that runs, and whoever is told of its requests."""

    demo: Demo
    receiver: Receiver
    capfd: pytest.CaptureFixture[str]

    def asked(self, command: str = HELD) -> subprocess.Popen[str]:
        words = ["ssh", "-F", str(self.demo.folder / "ssh_config"), "demo", "--", command]
        return subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    async def ended(self, asking: subprocess.Popen[str]) -> tuple[int, str, str]:
        out, err = await asyncio.to_thread(asking.communicate, timeout=60)
        return asking.returncode, out, err

    async def run(self, *words: str, who: str | None = None) -> tuple[int, str, str]:
        """One of our commands: status, stdout, stderr."""
        where = ["--dir", str(self.demo.folder), *([] if who is None else ["--as", who])]
        self.capfd.readouterr()
        status = await asyncio.to_thread(main, [*words, *where])
        printed = self.capfd.readouterr()
        return status, printed.out, printed.err

    async def one(self) -> dict[str, Any]:
        """The one request that waits, once it is there."""

        def look() -> list[dict[str, Any]]:
            self.capfd.readouterr()
            assert main(["approvals", "list", "--json", "--dir", str(self.demo.folder), "--as", "rev@demo"]) == 0
            found: list[dict[str, Any]] = json.loads(self.capfd.readouterr().out)
            return found

        (found,) = await asyncio.to_thread(until, look)
        return found


@pytest.fixture
async def place(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Place]:
    settings = Demo._settings
    (tmp_path / "webhook").write_text(SECRET)
    (tmp_path / "webhook").chmod(0o600)
    async with receiving() as receiver:

        def told(self: Demo, keys: Path) -> object:
            made: Any = settings(self, keys)
            made["tenants"]["demo"]["notices"] = [
                {"url": receiver.url, "secret": {"file": str(tmp_path / "webhook")}},
                {"url": f"{receiver.url}/slack", "secret": {"file": str(tmp_path / "webhook")}, "slack": True},
            ]
            return made

        monkeypatch.setattr(Demo, "_settings", told)
        demo = Demo(tmp_path / "demo")
        bound = await demo.start()
        private.replace(demo.folder / "ssh_config", f"{_ssh_config(demo, bound)}\n".encode())
        try:
            yield Place(demo, receiver, capfd)
        finally:
            await demo.stop()


async def test_a_person_approves_and_the_command_runs_once(place: Place) -> None:
    asking = place.asked()
    one = await place.one()
    assert (one["identity"], one["rule"], one["written"], one["owners"]) == (
        *("agent@demo", "see-processes", HELD),
        ["ops@demo"],
    )
    status, out, _ = await place.run("approvals", "show", one["id"], who="rev@demo")
    assert (status, "'ps' '-o' 'pid,args' '-p' '1'" in out) == (0, True)
    for who, told in ((None, "someone of: sre"), ("ops@demo", "agent of their own")):
        status, _, err = await place.run("approvals", "approve", one["id"], who=who)
        assert (status, told in err) == (4, True)
    assert (await place.run("approvals", "approve", one["id"], who="rev@demo"))[0] == 0
    status, out, err = await place.ended(asking)
    assert (status, out.split()[:3]) == (0, ["PID", "COMMAND", "1"])
    assert f"held for approval {one['id']} by see-processes" in err
    again = place.asked()
    other = await place.one()
    assert other["id"] != one["id"]
    again.terminate()
    await place.ended(again)


async def test_a_person_denies_and_the_agent_reads_why(place: Place) -> None:
    asking = place.asked()
    one = await place.one()
    assert (await place.run("approvals", "deny", one["id"], "--comment", "not now", who="rev@demo"))[0] == 0
    status, out, err = await place.ended(asking)
    assert (status, out) == (EXIT_NOT_APPROVED, "")
    assert "denied by rev@demo: not now" in err


async def test_a_grant_lets_it_through_until_it_is_revoked(place: Place) -> None:
    asking = place.asked()
    one = await place.one()
    assert (await place.run("approvals", "approve", one["id"], "--grant", who="rev@demo"))[0] == 0
    assert (await place.ended(asking))[0] == 0
    assert (await place.ended(place.asked()))[0] == 0
    (grant,) = json.loads((await place.run("grants", "list", "--json"))[1])
    assert (grant["identity"], grant["rule"], grant["by"]) == ("agent@demo", "see-processes", ["rev@demo"])
    assert (await place.run("grants", "revoke", grant["id"], who="rev@demo"))[0] == 4
    assert (await place.run("grants", "revoke", grant["id"], who="ops@demo"))[0] == 0
    asking = place.asked()
    one = await place.one()
    assert (await place.run("sessions", "kill", one["session"], "--reason", "drill"))[0] == 0
    status, out, err = await place.ended(asking)
    assert (status == 0, out, "drill" in err) == (False, "", True)


async def test_others_are_told_of_each_request_and_of_what_became_of_it(place: Place) -> None:
    asking = place.asked()
    one = await place.one()
    await place.run("approvals", "deny", one["id"], "--comment", "no", who="rev@demo")
    await place.ended(asking)
    await asyncio.to_thread(until, lambda: len(place.receiver.had) >= 4)
    plain = [Verifier(SECRET).verify(body, headers) for headers, body in place.receiver.had]
    told = [(one["type"], one["data"]["state"]) for one in plain if "type" in one]
    assert sorted(told) == [("approval.requested", "pending"), ("approval.settled", "denied")]
    link = next(one["data"]["link"] for one in plain if "type" in one)
    assert link.endswith(f"/#/approvals/{one['id']}?tenant=demo")
    assert sum("blocks" in one for one in plain) == 2


async def test_what_make_demo_shows(place: Place) -> None:
    await asyncio.to_thread(demo_shown.show, place.demo)
    shown = place.capfd.readouterr()
    statuses = [line for line in shown.out.splitlines() if line.startswith("(exit status")]
    assert statuses == [f"(exit status {number})" for number in (0, EXIT_DENIED, 0)]
    for words in ("takes    1 of sre", ": approved: 'ps'", "PID USER     COMMAND"):
        assert words in shown.out
    assert "held for approval" in shown.err
