"""A real shell, with its builtins and with what an evasion needs, and a canary among its programs.

The canary writes down the session that it runs in, so it is heard whatever its environment, folder and descriptors are.
Each text has a session of its own. Nothing on PATH could do harm: there is nothing that deletes, and no network tool.

Limits: Linux (/proc). A text that makes a session of its own would not be heard; no generated one does.
"""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

BIN = "@BIN@"
"""Stands in a generated text for the folder where the canary is."""

_TOOLS = (
    *("awk", "base64", "bash", "cat", "cp", "cut", "dash", "env", "find", "head", "ls", "nice", "nohup", "od"),
    *("printf", "rev", "sed", "seq", "sh", "sort", "stdbuf", "tee", "timeout", "tr", "true", "xargs", "xxd"),
)
_CANARY = """#!/bin/sh
read -r _ _ _ _ _ session _ < /proc/$$/stat
: > {folder}/$session
"""
_AT_ONCE = 4


class Cage:
    """`sang` runs texts and says which of them ran the canary; `close` removes what they wrote."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="canary"))
        self.bin = self._folder / "bin"
        self._heard = self._folder / "heard"
        self.bin.mkdir()
        self._heard.mkdir()
        canary = self.bin / "canary"
        canary.write_text(_CANARY.format(folder=self._heard))
        canary.chmod(0o755)
        for tool in _TOOLS:
            if (found := shutil.which(tool)) is not None:
                (self.bin / tool).symlink_to(found)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def placed(self, text: str) -> bytes:
        """A generated text as it is for this cage."""
        return text.replace(BIN, str(self.bin)).encode()

    def sang(self, texts: Iterable[tuple[str, bytes]], seconds: float = 4) -> list[bool]:
        """For each shell and text, in order, whether the canary ran. One that does not end is ended after `seconds`."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(lambda pair: self._one(pair[0], pair[1], seconds), texts))

    def _one(self, shell: str, text: bytes, seconds: float) -> bool:
        work = tempfile.mkdtemp(dir=self._folder)
        # Whatever runs holds the write end of this pipe: its end is the end of all of them.
        reading, writing = os.pipe()
        process = subprocess.Popen(
            [shutil.which(shell) or shell, "-c", text],
            env={"PATH": str(self.bin), "LC_ALL": "C.UTF-8", "HOME": work},
            cwd=work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            pass_fds=(writing,),
        )
        os.close(writing)
        select.select([reading], [], [], seconds)
        os.close(reading)
        with contextlib.suppress(ProcessLookupError):  # gone by itself, with all its children
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        heard = self._heard / str(process.pid)
        sang = heard.exists()
        heard.unlink(missing_ok=True)
        shutil.rmtree(work, ignore_errors=True)
        return sang
