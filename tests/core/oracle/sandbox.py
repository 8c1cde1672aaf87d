"""A shell in which every simple command is logged and none does anything.

bash: all builtins are disabled and PATH leads nowhere, so each command ends in `command_not_found_handle`, which
appends the argv to a log, one file a process. dash has no such handler: there the stubs are files in PATH, by name.
Both begin in a fresh empty folder, where redirections may create files.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

Call = tuple[bytes, ...]

BASH = shutil.which("bash") or "bash"
DASH = shutil.which("dash")
OUTPUT = b"o1 o2"
"""What every command writes, for substitutions and pipes to have something."""

# One file a process, in one folder a run: what an earlier run left in the background can not write here.
_LOG = """#!/bin/sh
{{ printf '%s\\0' {first}"$@"; }} >> "$ORACLE_LOGS/$$"
printf '%s\\n' '{output}'
"""
# Whatever is not disabled here would run unseen; `enable` goes last.
_BUILTINS = (
    ". : [ alias bg bind break builtin caller cd command compgen complete compopt continue dirs "
    "disown echo eval exec exit false fc fg getopts hash help history jobs kill let logout "
    "mapfile popd printf pushd pwd read readarray return set shift shopt source suspend test "
    "times trap true type ulimit umask unalias unset wait enable"
)


class Sandbox:
    """One folder of logs and stubs. `calls` runs a text and tells what it called, in no order."""

    def __init__(self, stubs: tuple[str, ...] = ()) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="oracle"))
        self._programs = self._folder / "programs"
        self._programs.mkdir()
        self._write(self._folder / "log", "")
        for name in stubs:
            self._write(self._programs / name, '"${0##*/}" ')
        handler = f'command_not_found_handle() {{ {self._folder / "log"} "$@"; }}'
        self._head = f"{handler}\nenable -n {_BUILTINS}\n".encode()

    def _write(self, path: Path, first: str) -> None:
        path.write_text(_LOG.format(first=first, output=OUTPUT.decode()))
        path.chmod(0o755)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def calls(self, text: bytes, shell: str = BASH, seconds: float = 20) -> Counter[Call]:
        """Every command that the shell ran for `text`. Raises TimeoutExpired for a text that does not end."""
        run = Path(tempfile.mkdtemp(dir=self._folder))
        work, logs = run / "work", run / "logs"
        work.mkdir()
        logs.mkdir()
        bash = shell == BASH
        # Whatever runs holds the write end of this pipe, redirected or not: its end is the end of all of them.
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [shell, "-c", (self._head if bash else b"") + text],
            env={
                "PATH": "/nowhere" if bash else str(self._programs),
                "LC_ALL": "C.UTF-8",
                "HOME": "/home/h",
                "ORACLE_LOGS": str(logs),
            },
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        try:
            if not select.select([reading], [], [], seconds)[0]:
                raise subprocess.TimeoutExpired(shell, seconds)
        finally:
            os.close(reading)
            with contextlib.suppress(ProcessLookupError):  # gone by itself, with all its children
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        # A stub in the background may be ended with the shell, between making its log and writing to it: not a call.
        written = (log for file in logs.iterdir() if (log := file.read_bytes()))
        return Counter(tuple(log.split(b"\0")[:-1]) for log in written)


def named(call: Call, argv: tuple[bytes | None, ...]) -> bool:
    """Whether a call is one that the analysis named: an unknown word stands for any number of words."""
    if not argv:
        return not call
    if argv[0] is None:
        return any(named(call[count:], argv[1:]) for count in range(len(call) + 1))
    return bool(call) and call[0] == argv[0] and named(call[1:], argv[1:])
