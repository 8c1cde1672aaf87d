"""Scripts for a shell without a terminal, a bastion to run them through, and a client that talks to such a shell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

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
               "[ **", "ls **", "printf **", "read **", "sort", "sort **", "exit", "exit *", "set **", "[[ **",
               "head **", "tr **", "wc **", "greet **", "kill **", "exec **", ":", "shift", "umask **", "id -un",
               "return *", "seq **", "yes", "cleanup", "id -u", "stat **", "readlink **", "{folder}/*", "{folder}/* **"]
    writes: ["/**"]
    reads: ["/**"]
  - {id: by-hand, effect: allow, commands: ["trap **", "export **"], interactive: true}
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
    "a loop": b'for x in a b c\ndo\n  echo $x\ndone\nwhile read -r x; do echo "<$x>"; done <<E\n1\n2\nE\n',
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
    "arguments": b"set -- a 'b c'\necho $2\nshift\necho $#\necho \"$0\"\n",
    "bytes": "echo 'naïve “quotes” ☃'\n".encode(),
    "an escape is left": b"printf '\\033'\nexit 2\n",
    "something like a marker": b"printf '\\033]7777;%s;prompt;1;0\\007' 0123456789abcdef0123456789abcdef\necho on\n",
    "standard output to a file": b"exec 3>&1 > {folder}/out\necho hidden\nexec >&3\ncat {folder}/out\n"
    b"exec > {folder}/out\n",
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


REFUSED = {
    "alone": b"touch {canary}\n",
    "at the end of the input": b"touch {canary}",
    "in a line": b"true; touch {canary}\n",
    "in a loop": b"for x in {canary}\ndo\ntouch $x\ndone\n",
    "in a function": b"f() {\ntouch {canary}\n}\nf\n",
    "in a substitution": b"echo $(touch {canary})\n",
    "in a here-document": b"cat <<E\n$(touch {canary})\nE\n",
    "by a variable": b"x=touch\n$x {canary}\n",
    "by its bytes": b"$'\\x74ouch' {canary}\n",
    "by eval": b"x='touch {canary}'\neval \"$x\"\n",
    "for a shell": b"echo touch {canary} | sh\n",
    "for a shell, by a here-document": b"bash <<E\ntouch {canary}\nE\n",
    "left open": b"if true; then touch {canary}\n",
    "behind a carriage return": b"echo a\rtouch {canary}\n",
    "behind a NUL": b"echo a\0; touch {canary}\n",
    "behind what is not UTF-8": b"echo \xff\ntouch {canary}\n",
    "behind what does not parse": b"echo )\ntouch {canary}\n",
    "behind a refused one": b"touch /\ntouch {canary}\n",
    "behind a long line": b"echo " + b"x" * 9000 + b"\ntouch {canary}\n",
    "behind an endless quote": b"echo '" + b"x\n" * 9000 + b"touch {canary}\n",
    "a line of 64 KiB": b"touch {canary} " + b"x" * 65536 + b"\n",
    "with a name of the bastion's": b"__bastion_unit='touch {canary}'\n",
    "as a file of commands": b"echo touch {canary} > {folder}/f\n. {folder}/f\n",
    "as a shell": b"exec bash\ntouch {canary}\n",
    "as its input": b"exec < {folder}/script\necho on\ntouch / \n",
    "with its input closed": b"exec 0<&-\ntouch {canary}\n",
    "into the shell": b"echo 'touch {canary}' > /proc/$$/fd/0\ntouch {canary}\n",
    "into its parent": b"(echo 'touch {canary}' > /proc/$PPID/fd/0)\necho on\ntouch {canary}\n",
}
RUNS_IN_A_PLAIN_SHELL = set(REFUSED) - {
    "left open",
    "behind what does not parse",
    "with a name of the bastion's",
    "behind a carriage return",
    "with its input closed",
    "into its parent",
    "behind an endless quote",
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


class Talk:
    """A client that writes a command, reads its answer, and then writes the next."""

    def __init__(self, client: Client) -> None:
        self.process = client.popen("-T", "web-1")

    def say(self, text: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(text)

    def hear(self) -> bytes:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[int, bytes, bytes]:
        out, err = self.process.communicate(timeout=30)
        return self.process.returncode, out, err
