"""`bastion serve`: nothing listens unless everything is good, and everything that is not is told at once."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.harness.bastion import TENANT, Bastion, Target
from tests.system.harness.sshd import Sshd


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def bastion(tmp_path: Path, target: Sshd) -> Bastion:
    served = Bastion(tmp_path / "b", [Target.of("web-1", target)])
    served.settings["ssh"]["listen"] = [f"127.0.0.1:{free_port()}"]
    return served


def serve(bastion: Bastion, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run it to its end, which a good configuration would not reach."""
    bastion.config.write_text(json.dumps(bastion.settings) if text is None else text)
    command = [sys.executable, "-m", "bastion", "serve", "--config", str(bastion.config)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def refused(bastion: Bastion, done: subprocess.CompletedProcess[str]) -> str:
    """It ended with 1, with words for people, and nothing listens."""
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    host, _, port = bastion.settings["ssh"]["listen"][0].rpartition(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), 5)
    return done.stderr


def test_every_problem_of_the_configuration_is_told_at_once(bastion: Bastion) -> None:
    text = """\
version: 2
ssh:
  listen: [nowhere]
  names: []
  host-key: {file: relative}
  colour: blue
tenants: {}
"""
    told = refused(bastion, serve(bastion, text))
    places = [f"bastion.yaml:{place}: " for place in ("1:10", "3:12", "4:10", "5:20", "6:3", "7:10")]
    assert [place for place in places if place not in told] == [], told
    assert "host-ca" in told


@pytest.mark.parametrize("text", ["", "{", "- 1", "\x00", "version: 1\nversion: 1\n", "a: &a [*a]\n"])
def test_what_is_no_configuration_is_told_with_its_place(bastion: Bastion, text: str) -> None:
    assert "bastion.yaml:" in refused(bastion, serve(bastion, text))


def test_a_configuration_that_is_not_there(bastion: Bastion) -> None:
    bastion.config.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bastion", "serve", "--config", str(bastion.config)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert "bastion.yaml" in refused(bastion, done)


def _policy(bastion: Bastion) -> None:
    bastion.write_policy("version: 1\nrules: [{id: x, effect: perhaps}]\n")


def _inventory(bastion: Bastion) -> None:
    (bastion.folder / "inventory" / f"{TENANT}.yaml").write_text("version: 1\ntargets: [{name: web-1}]\n")


def _no_key(bastion: Bastion) -> None:
    (bastion.folder / "keys" / "host-key").unlink()


def _open_key(bastion: Bastion) -> None:
    (bastion.folder / "keys" / f"{TENANT}-user-ca").chmod(0o644)


def _no_authority(bastion: Bastion) -> None:
    path = bastion.folder / "keys" / "host-ca"
    path.write_text("not a key\n")


def _altered_trail(bastion: Bastion) -> None:
    (bastion.folder / "state" / "audit.jsonl").write_text('{"seq": 1, "kind": "revoked"}\n')


def _port_taken(bastion: Bastion) -> None:
    bastion.settings["ssh"]["listen"].append("192.0.2.1:22")


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (_policy, "tests.yaml:2:"),
        (_inventory, f"{TENANT}.yaml:2:"),
        (_no_key, "host-key"),
        (_open_key, f"{TENANT}-user-ca"),
        (_no_authority, "host-ca"),
        (_altered_trail, "audit.jsonl"),
        (_port_taken, "can not listen"),
    ],
)
def test_whatever_is_unfit_keeps_it_from_starting(
    bastion: Bastion, spoil: Callable[[Bastion], None], words: str
) -> None:
    spoil(bastion)
    assert words in refused(bastion, serve(bastion))


def test_two_do_not_share_a_state(bastion: Bastion, tmp_path: Path, target: Sshd) -> None:
    first = Bastion(tmp_path / "first", [Target.of("web-1", target)])
    with first:
        bastion.settings["state"] = str(tmp_path / "first" / "state")
        assert "another bastion" in refused(bastion, serve(bastion))


def test_where_it_listens_is_printed_and_then_ready(bastion: Bastion) -> None:
    with bastion:
        assert bastion.ssh_port == int(bastion.settings["ssh"]["listen"][0].rpartition(":")[2])
        assert bastion.api_port > 0
        event = bastion.audit("bastion-started")[0]
        assert event["listen"] == bastion.settings["ssh"]["listen"]
        assert (bastion.folder / "state" / "audit.jsonl").stat().st_mode & 0o077 == 0
