"""What `bastion demo --show` does: the things to try, run as a person would, with stock ssh and our own commands.

Each is printed as one could type it in another terminal, with what it prints itself.
"""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bastion.characters import shown
from bastion.errors import BastionError

if TYPE_CHECKING:
    from bastion.app import Bound
    from bastion.demo.demo import Demo

ALLOWED = "uptime"
REFUSED = "rm -rf /tmp/something"
HELD = "ps -o pid,user,args -p 1"
APPROVER = "rev@demo"
PATIENCE = 30.0
"""Seconds for a request to be there, and for an approved command to end."""
_LOOK = 0.2


def show(demo: Demo) -> None:
    """Run all of it, one after the other."""
    for told, command in (("An allowed command", ALLOWED), ("A refused one", REFUSED)):
        line = _ssh(demo, command)
        print(f"\n-- {told}:\n$ {line}", flush=True)
        status = subprocess.run(shlex.split(line), stdin=subprocess.DEVNULL, check=False).returncode
        print(f"(exit status {status})", flush=True)
    _approval(demo)
    for first in _recordings(demo)[:1]:
        if shutil.which("asciinema") and sys.stdin.isatty():
            print(f"\n-- The first one again, from its recording:\n$ asciinema play {first}", flush=True)
            subprocess.run(["asciinema", "play", str(first)], check=False)
        else:
            print(f"\n-- The recording of the first one, as asciinema plays it on a terminal:\n{first.read_text()}")
    print(flush=True)


def what_to_try(demo: Demo, bound: Bound) -> str:
    """For the person at the terminal."""
    folder = demo.folder
    recordings = _recordings(demo)
    newest = recordings[0] if recordings else folder / "recordings" / "demo" / "YEAR/MONTH/DAY/SESSION.cast"
    console = "" if bound.api is None else f"http://{bound.api[0]}:{bound.api[1]}/"
    return f"""
The target is {demo.target.kind}, as user {demo.target.user}. You are agent@demo, in group agents. In another terminal:

  an allowed command   {_ssh(demo, ALLOWED)}
  a refused one        {_ssh(demo, REFUSED)}
  one that waits       {_ssh(demo, HELD)}
    who may approve    {_ours(demo, "list", who=APPROVER)}
                       {_ours(demo, "approve", "ID", who=APPROVER)}
  a replay             asciinema play {newest}

  the console          {console}    (log in as {APPROVER}, who approves, or as ops@demo)
  the policy           {folder}/policies/demo/    (change a file: the next command is judged by it)
  the audit trail      {folder}/audit.jsonl

Ctrl-C ends it."""


# -- inside


def _ssh(demo: Demo, command: str) -> str:
    return f"ssh -F {shlex.quote(str(demo.folder / 'ssh_config'))} demo -- {command}"


def _ours(demo: Demo, *words: str, who: str | None = None) -> str:
    more = [] if who is None else ["--as", who]
    return shlex.join(["bastion", "approvals", *words, "--dir", str(demo.folder), *more])


def _recordings(demo: Demo) -> list[Path]:
    return sorted((demo.folder / "recordings").rglob("*.cast"), key=lambda path: path.stat().st_mtime)


def _approval(demo: Demo) -> None:
    """Ask for it, look at it, approve it as somebody else, and let it end."""
    line = _ssh(demo, HELD)
    print(f"\n-- One that waits for a person:\n$ {line} &", flush=True)
    with subprocess.Popen(shlex.split(line), stdin=subprocess.DEVNULL) as asking:
        try:
            found = _waiting(demo, asking)
            if found is None:
                print("(nothing waits for a person: is the policy another one?)", flush=True)
            else:
                _run(_ours(demo, "show", found, who=APPROVER))
                _run(_ours(demo, "approve", found, "--comment", "harmless", who=APPROVER))
            status = asking.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            asking.terminate()
            status = asking.wait()
    print(f"(exit status {status})", flush=True)


def _waiting(demo: Demo, asking: subprocess.Popen[bytes]) -> str | None:
    """The id of the request, once it is there; None when the command ended without one."""
    from bastion.cli.reach import Bastion
    from bastion.demo.folder import socket

    ends = time.monotonic() + PATIENCE
    try:
        with Bastion(socket(demo.folder)) as bastion:
            while asking.poll() is None and time.monotonic() < ends:
                for one in bastion.items("/v1/approvals", 1, state="pending"):
                    return str(one.get("id"))
                time.sleep(_LOOK)
    except BastionError as error:
        print(f"(no request can be seen: {shown(str(error))})", flush=True)
    return None


def _run(line: str) -> None:
    """One of our own commands, by the interpreter that runs this."""
    print(f"$ {line}", flush=True)
    subprocess.run([sys.executable, "-m", *shlex.split(line)], stdin=subprocess.DEVNULL, check=False)
