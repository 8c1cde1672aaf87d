"""The hooks into asyncssh: what they override, and what they reach for, is still there under that name and shape."""

from __future__ import annotations

import ast
import inspect
from importlib import metadata
from pathlib import Path

import asyncssh
import pytest
from asyncssh.packet import SSHPacket, String, UInt32

from bastion.ssh import flow, hooks

FILES = {Path(module.__file__ or "") for module in (flow, hooks)}

OVERRIDDEN = [
    (hooks.ServerConnection, "reload_config"),
    (hooks.ServerConnection, "validate_public_key"),
    (hooks.ServerConnection, "_finish_userauth"),
    (hooks.ServerConnection, "send_userauth_failure"),
    (flow.Flow, "send_packet"),
    (flow.Flow, "_send"),
    (flow.Flow, "_force_close"),
    (flow.Flow, "_send_kexinit"),
    (flow.Flow, "send_newkeys"),
    (flow.Flow, "pause_writing"),
    (flow.Flow, "resume_writing"),
    (hooks.Channel, "_process_exec_request"),
    (hooks.Channel, "_process_env_request"),
    (hooks.Channel, "_process_x11_req_request"),
    (hooks.Channel, "_process_auth_agent_req_at_openssh_dot_com_request"),
    (hooks.Channel, "_process_close"),
]


def test_the_version_is_the_one_that_the_hooks_were_written_for() -> None:
    assert metadata.version("asyncssh").startswith("2.24.")
    settings = (Path(__file__).parents[2] / "setup.cfg").read_text()
    assert "asyncssh >=2.24,<2.25\n" in settings


@pytest.mark.parametrize(("ours", "name"), OVERRIDDEN, ids=lambda value: getattr(value, "__name__", value))
def test_what_is_overridden_is_there_and_takes_the_same(ours: type, name: str) -> None:
    """An override of a method that is gone would be called by nobody, and asyncssh's own judgement be back."""
    [theirs] = [base for base in ours.__mro__ if base.__module__.startswith("asyncssh") and name in vars(base)][:1]
    assert name in vars(ours)
    before = inspect.signature(vars(theirs)[name]).parameters
    after = inspect.signature(vars(ours)[name]).parameters
    assert len(before) == len(after)
    assert inspect.iscoroutinefunction(vars(theirs)[name]) == inspect.iscoroutinefunction(vars(ours)[name])


def test_every_private_name_that_is_reached_for_is_asyncssh_s_own_or_ours() -> None:
    """`self._session_id` and its like: each stands in asyncssh's source, or is assigned or defined in our file."""
    theirs = Path(asyncssh.connection.__file__).read_text() + Path(asyncssh.channel.__file__).read_text()
    theirs += (Path(asyncssh.__file__).parent / "session.py").read_text()
    missing = []
    for path in FILES:
        tree = ast.parse(path.read_text())
        defined = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
        attributes = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr.startswith("_")]
        defined |= {node.attr for node in attributes if isinstance(node.ctx, ast.Store)}
        for node in attributes:
            name = node.attr
            known = f"self.{name}" in theirs or f"def {name}(" in theirs or f"    {name}:" in theirs
            known = known or f"    {name} = " in theirs
            if name not in defined and not known and not name.startswith("__"):
                missing.append(f"{path.name}:{node.lineno} {name}")
    assert missing == []


def test_what_we_take_over_of_asyncssh_s_state_has_still_its_kind() -> None:
    """What our hooks assign to or read, by the names that asyncssh gives it."""
    source = inspect.getsource(asyncssh.connection.SSHConnection) + inspect.getsource(asyncssh.SSHServerConnection)
    for name in ("self._session_id", "self._protocol_factory", "self._loop"):
        assert f"{name}" in source
    channel = inspect.getsource(asyncssh.SSHServerChannel) + inspect.getsource(asyncssh.channel.SSHChannel)
    for name in ("self._env", "self._session", "self._recv_state", "def _start_session("):
        assert f"{name}" in channel


def test_a_plain_key_is_told_from_a_certificate_by_its_first_word() -> None:
    assert hooks._kind(String("ssh-ed25519") + String(b"x" * 32)) == b"ssh-ed25519"
    assert hooks._kind(String("ssh-ed25519-cert-v01@openssh.com")).endswith(hooks.CERTIFICATE)
    for blob in (b"", b"\0", UInt32(1 << 31) + b"x" * 100, UInt32(65) + b"x" * 65):
        assert not hooks._kind(blob).endswith(hooks.CERTIFICATE)


@pytest.mark.parametrize("text", [b"uptime", b"", b"\xff\xfe", "é".encode(), b"a\0b", b"x" * 70000, b"\r\n"])
def test_the_bytes_of_an_exec_request_come_back_as_they_were_sent(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = hooks.Channel.__new__(hooks.Channel)
    seen: list[str] = []

    def start(command: str | None = None) -> bool:
        seen.append(command or "")
        return True

    monkeypatch.setattr(channel, "_start_session", start, raising=False)
    assert channel._process_exec_request(SSHPacket(String(text)))
    assert [one.encode("utf-8", "surrogateescape") for one in seen] == [text]


def test_the_environment_is_bounded_in_number_and_in_bytes() -> None:
    channel = hooks.Channel.__new__(hooks.Channel)
    channel._env = {}
    taken = [channel._process_env_request(SSHPacket(String(f"V{number}") + String("x"))) for number in range(100)]
    assert taken == [True] * hooks.MAX_ENVIRONMENT + [False] * (100 - hooks.MAX_ENVIRONMENT)
    channel._env = {}
    half = hooks.MAX_ENVIRONMENT_BYTES // 2
    taken = [channel._process_env_request(SSHPacket(String(f"V{number}") + String("x" * half))) for number in range(3)]
    assert taken == [True, False, False]
