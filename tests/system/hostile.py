"""A gated shell, and the same account's shell without the gate, for those who mean ill: what they type, and the canary.

The canary is a file that only a smuggled command makes: no rule allows `touch`. Whoever tries to get one through is a
Person at a prompt, gated or raw; what he does is a tuple of steps, so that both can be asked to do the very same.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.harness.waiting import until
from tests.system.terminal import Terminal
from tests.system.test_login_shell import installed

SHELLS = {"bash": "bash", "dash": "dash", "ash": "busybox"}
"""What the login shell is called, and the program that it is."""
POLICY = """\
version: 1
rules:
  - {id: gated, effect: allow, where: {labels: {shell: gated}}, shell: gated}
  - {id: raw, effect: allow, where: {labels: {shell: raw}}, shell: raw}
  - id: tests
    effect: allow
    dynamic: true
    reads: ["/**"]
    writes: ["/proc/**", "/dev/pts/*", "/dev/tty"]
    env: ["*"]
    commands:
      ["echo **", "cd **", "pwd", "sleep *", "cat **", "true **", "false", "jobs **", "wait **", "test **", "[ **",
       "ls **", "stty **", "printf **", "read **", "sort **", "tee **", "head **", "exec **", "set **", "shopt **",
       "trap **", "hash **", "enable **", "bind **", "alias **", "unalias **", "unset **", "declare **", "typeset **",
       "export **", "readonly **", "getopts **", "mapfile **", "let **", "kill **", "type **", "command **", "eval **",
       "builtin **", "history **", "fc **", "complete **", "compgen **", "printenv **", "f **", "local **", "umask",
       "suspend **", "disown **", "times", "ulimit **", "shift", "return", "source **", ". **", "seq **", "yes",
       "readarray **", "caller", "dirs", "pushd **", "popd", "logout", "newgrp **", "coproc **", "select **"]
  - {id: by-hand, effect: allow, commands: ["fg **", "bg **"], interactive: true}
"""
"""Wide on purpose: what stops a trick must be the gate, and not a rule that does not cover its program."""
# What sshd does with an account's login shell, as another account when `user` is one.
LOGIN = """\
#!{python}
import os
if {user}:
    for fd in (0, 1, 2):
        if os.isatty(fd):
            os.fchown(fd, {user}, {user})
    os.setgroups([]); os.setgid({user}); os.setuid({user}); os.chdir('/')
os.environ["SHELL"] = {program!r}
text = os.environ.get("SSH_ORIGINAL_COMMAND")
os.execv({program!r}, ["-{name}"] if text is None else ["{name}", "-c", text])
"""
NOBODY = 65534
PROMPT = re.compile(rb"[$#] \x1b\[\?2004h")

Step = bytes | float | str
"""Bytes are typed, in one piece; seconds are waited for; "ready" is the next prompt; any other text is a line, typed
and waited for; "each:…" is typed a byte at a time. `{canary}` stands for its path."""


@dataclass(frozen=True)
class Site:
    """One account's shell, behind a bastion that gates it as `gated` and does not as `raw`."""

    name: str
    bastion: Bastion
    client: Client
    sshd: Sshd

    def sit(self, target: str = "gated", *, columns: int = 200) -> Person:
        person = Person(self.client.command("-tt", "-q", target), columns=columns, environment={"TERM": "xterm"})
        person.gated = target == "gated"
        person.ready()
        return person


@contextmanager
def site(
    folder: Path, name: str, *, policy: str = POLICY, user: int = 0, options: Sequence[str] = ()
) -> Iterator[Site]:
    login = folder / "login"
    folder.mkdir(parents=True, exist_ok=True)
    login.write_text(LOGIN.format(python=sys.executable, program=installed(SHELLS[name]), name=name, user=user))
    login.chmod(0o755)
    sshd = Sshd(folder / "target", options=[f"ForceCommand {login}", *options])
    with sshd:
        targets = [
            Target(kind, sshd.host, sshd.port, sshd.host_key, sshd.key, labels={"shell": kind}, shell=name)
            for kind in ("gated", "raw")
        ]
        with Bastion(folder / "bastion", targets, policy=policy) as bastion:
            options = [f"ControlPath {folder}/control-%n"]
            client = Client(folder / "client", bastion, ("gated", "raw"), options=options)
            masters = [client.popen("-M", "-N", kind) for kind in ("gated", "raw")]
            for kind in ("gated", "raw"):
                until((folder / f"control-{kind}").exists)
            try:
                yield Site(name, bastion, client, sshd)
            finally:
                for kind, master in zip(("gated", "raw"), masters, strict=True):
                    client.run("-O", "exit", kind)
                    master.communicate(timeout=20)


class Person(Terminal):
    """Someone at a prompt."""

    gated = True

    def ready(self, seconds: float = 20) -> bytes:
        """What came until the next prompt. A raw shell's is not looked for: it is quiet for a while."""
        if not self.gated:
            start = len(self.seen)
            before = -1
            while before != len(self.seen) or not self.seen:
                before = len(self.seen)
                self.look(0.3)
            return self.seen[start:]
        start = getattr(self, "_matched", 0)
        until(
            lambda: self.look(0.02) and PROMPT.search(self.seen, start),
            seconds=seconds,
            told=lambda: f"no prompt: {self.seen[start:]!r}",
        )
        found = PROMPT.search(self.seen, start)
        assert found is not None
        self._matched = found.end()
        return self.seen[start : found.start()]

    def run(self, line: str) -> bytes:
        """Type a line; what came until the next prompt."""
        self.type(line.encode() + b"\r")
        return self.ready()

    def do(self, steps: Sequence[Step], canary: Path) -> None:
        for step in steps:
            if isinstance(step, float):
                self.look(step)
            elif step == "ready":
                self.ready()
            elif isinstance(step, bytes):
                self.type(step.replace(b"{canary}", os.fsencode(canary)))
            elif step.startswith("each:"):
                for byte in step[5:].replace("{canary}", str(canary)).encode():
                    self.type(bytes((byte,)))
                    self.look(0.002)
            else:
                self.run(step.replace("{canary}", str(canary)))

    def settle(self) -> None:
        """Back to an empty prompt, whatever was typed."""
        if not self.gated:
            self.look(0.2)
            self.type(b"\x1b[201~\x11\x03")
            self.look(0.1)
            self.type(b"\x15\r")
            self.look(0.1)
            return
        self.type(b"\x1b[201~\x11")
        self.look(0.15)
        for _ in range(20):
            self._matched = len(self.seen)
            self.type(b"\x03")
            self.look(0.05)
            if PROMPT.search(self.seen, self._matched):
                break
        self.ready()

    def still_there(self, seconds: float = 10) -> bool:
        """Whether a command that is typed now, after Ctrl-C, is run. It is typed anew: what comes before the prompt is
        back goes to the program that runs."""
        start = len(self.seen)

        def asked() -> bool:
            for keys, after in ((b"\x03", 0.1), (b"\x03", 0.1), (b"echo al''ive\r", 1.0)):
                self.type(keys)
                self.look(after)
            return b"alive\r\n" in self.seen[start:]

        until(asked, seconds=seconds, told=lambda: f"{self.seen[-2000:]!r}")
        return True
