"""A gated shell without a terminal: `ssh web-1 < script` runs as plain ssh runs it, one judged command after the other,
with real shells behind a real sshd."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client
from tests.system.harness.sshd import Sshd
from tests.system.oracle import Direct
from tests.system.test_login_shell import with_shell

SHELLS = {"bash": "bash", "dash": "dash", "ash": "busybox"}
POLICY = """\
version: 1
rules:
  - {id: shell, effect: allow, who: {groups: [agents]}, shell: gated}
  - id: tests
    effect: allow
    who: {groups: [agents]}
    dynamic: true
    commands: ["echo **", "cd **", "pwd", "sleep *", "cat **", "true", "false", "jobs", "wait", "wait *", "test **",
               "[ **", "ls **", "printf **", "read **", "sort", "sort **", "exit", "exit *", "set **", "trap **",
               "head **", "tr **", "wc **", "greet **", "kill **", "exec **", ":", "shift", "umask **", "id -un",
               "return *", "seq **", "yes", "cleanup", "id -u", "stat **", "readlink **", "{folder}/*", "{folder}/* **"]
    writes: ["/tmp/**", "{folder}/**", "/proc/**"]
  - {id: never, effect: deny, commands: ["touch **", "rm **"], reason: it is kept}
"""
SCRIPTS = {
    "one command": b"echo one\n",
    "no last newline": b"echo one\necho two",
    "nothing": b"",
    "a newline": b"\n",
    "only comments": b"#!/bin/bash\n# nothing\n\n   # to do\n",
    "a status": b"echo before\nexit 3\necho never\n",
    "the status of the last": b"true\nfalse\n",
    "the status of the last, kept": b"(exit 9)\necho $?\n(exit 7)\n",
    "a directory": b"cd /usr\npwd\ncd share\npwd\ncd -\n",
    "variables": b'x=5\ny="$x $x"\necho $y\nexport z=7\ncat <<E\n$x and $z\nE\n',
    "a function": b'greet() {\n  echo "hello $1"\n  return 4\n}\ngreet you\necho $?\ngreet all\n',
    "a loop": b"for x in a b c\ndo\n  echo $x\ndone\nn=0\nwhile test $n -lt 3; do n=$((n+1)); echo $n; done\n",
    "a case": b"x=b\ncase $x in\n  a) echo first ;;\n  *) echo other ;;\nesac\n",
    "here-documents": b"cat <<A; cat <<'B'\none\nA\n$two `x`\nB\necho end\n",
    "pipes": b"printf 'b\\na\\n' | sort | tr a-z A-Z\necho $?\n",
    "jobs": b"sleep 0.2 &\nwait\necho $?\n(sleep 0.1; echo late) &\necho soon\nwait\n",
    "a background job is left": b"(sleep 0.3; echo late) &\necho soon\n",
    "set -e": b"set -e\ntrue\nfalse && echo no\ntest -e /nope && echo no\necho on\nfalse\necho never\n",
    "set -e, not": b"set -e\n! true\necho $?\n",
    "a trap on EXIT": b"trap 'echo bye $?' EXIT\necho on\n(exit 6)\n",
    "a trap on EXIT, and exit": b"trap 'echo bye $?' EXIT\nexit 5\n",
    "both streams": b"echo out\necho err >&2\nls /nope\n",
    "IFS": b"x=aeb\nIFS=e\necho $x\nunset IFS\necho $x\n",
    "arguments": b"set -- a 'b c'\necho $2\nshift\necho $#\necho \"$0\"\n",
    "bytes": "echo 'naïve “quotes” ☃'\n".encode(),
    "an escape is left": b"printf '\\033'\nexit 2\n",
    "something like a marker": b"printf '\\033]7777;%s;prompt;1;0\\007' 0123456789abcdef0123456789abcdef\necho on\n",
    "standard output to a file": b"exec 3>&1 > /tmp/bastion-test-$$\necho hidden\nexec >&3\ncat /tmp/bastion-test-$$\n"
    b"exec > /tmp/bastion-test-$$\n",
    "standard output closed": b"exec >&-\nexit 4\n",
    "a signal to itself": b"echo on\nkill -TERM $$\necho never\n",
    "it becomes a program": b"echo on\nexec ls /nope\n",
    "continued lines": b"echo one \\\n  two\ntrue &&\n  echo three\n",
    "quotes over lines": b"echo 'a\nb' \"c\nd\"\n",
    "subshells": b"(cd /; pwd)\nx=1; (x=2); echo $x\n",
    "umask": b"umask 077\numask\n",
    "a mebibyte": b"head -c 1048576 /dev/zero | tr '\\0' x\necho\necho end\n",
    "500 commands": b"".join(b"echo %d\n" % number for number in range(500)),
}
IN_BASH = {
    "an unset variable": b"set -u\necho on\n\n# a comment\necho $nope\necho never\n",
    "no such program": b"echo on\nls -d / |\n  cat\n\ncd /nope\necho $?\ncat < /nope\n",
    "an error in arithmetic": b"echo $((1/0)); echo no\necho next\n",
    "an array": b"x=(a 'b c')\necho \"${x[1]}\"\n[[ ${#x[@]} == 2 ]] && echo two\n",
    "read from a here-string": b'read -r first rest <<< "a b c"\necho "$rest/$first"\n',
    "a trap on ERR": b"trap 'echo err' ERR\nfalse\necho on\nfalse\n",
    "its flags": b"echo $- $0 ${#BASH_SOURCE[@]} $SHLVL\n",
    "a line number": b"echo a\n\necho $LINENO\n",
}


class Served(NamedTuple):
    shell: str
    bastion: Bastion
    client: Client
    sshd: Sshd
    direct: Direct


@contextmanager
def serving(folder: Path, name: str, policy: str = POLICY) -> Iterator[Served]:
    with with_shell(folder / "target", name, SHELLS[name]) as sshd:
        target = Target("web-1", sshd.host, sshd.port, sshd.host_key, sshd.key, shell=name)
        with Bastion(folder / "bastion", [target], policy=policy.replace("{folder}", str(folder))) as bastion:
            client = Client(folder / "client", bastion)
            yield Served(name, bastion, client, sshd, Direct(folder / "direct", sshd))


@pytest.fixture(scope="module", params=SHELLS, ids=list(SHELLS))
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp(request.param), request.param) as made:
        yield made


def told(done: subprocess.CompletedProcess[bytes]) -> tuple[int, bytes, bytes]:
    return done.returncode, done.stdout, done.stderr


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=list(SCRIPTS))
def test_a_script_runs_as_it_does_through_plain_ssh(served: Served, script: bytes) -> None:
    """Byte for byte on both streams, and with the same end."""
    assert told(served.client.run("-T", "web-1", stdin=script)) == told(served.direct.run("-T", stdin=script))


@pytest.fixture(scope="module")
def bash(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("bash"), "bash") as made:
        yield made


@pytest.mark.parametrize("script", IN_BASH.values(), ids=list(IN_BASH))
def test_in_bash_also_what_the_shell_itself_says(bash: Served, script: bytes) -> None:
    assert told(bash.client.run("-T", "web-1", stdin=script)) == told(bash.direct.run("-T", stdin=script))
