"""What the bastion is compared with, and what runs behind it.

`Direct` is plain ssh straight to the target's sshd: the oracle for bytes and exit statuses. `Programs` are small
files on the target, each doing one thing that no stock program does (`ready PROGRAM …` says that it runs, then becomes
it); their policy allows them and a few stock ones.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.system.harness.sshd import ACCOUNT, Sshd

POLICY = """\
version: 1
mode: enforce
default: deny
undecidable: deny
rules:
  - id: tests
    effect: allow
    who: {{groups: [agents]}}
    env: ["BASTION_TEST_*", "LC_*", LANG]
    commands: ["true", "false", "echo **", "cat **", "sleep *", "stty **", "printenv **", "wc *", "sort", "sha256sum",
               "tty", "head **", "{folder}/*", "{folder}/* **"]
"""

_SOURCES = {
    # Ends by the signal that is asked for, without leaving a core file.
    "die": """
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
signal.signal(int(sys.argv[1]), signal.SIG_DFL) if int(sys.argv[1]) != 9 else None
os.kill(os.getpid(), int(sys.argv[1]))
time.sleep(60)
""",
    # All byte values to both streams, in an order that tells them apart.
    "bytes": """
os.write(1, bytes(range(256)))
os.write(2, bytes(reversed(range(256))))
""",
    # So many MiB of numbered lines.
    "flood": """
block = b"".join(b"%015d\\n" % number for number in range(65536))
for _ in range(int(sys.argv[1])):
    sys.stdout.buffer.write(block)
""",
    # Tells the terminal's size now and after each change, until input comes.
    "sizes": """
def told(*_):
    size = os.get_terminal_size(0)
    os.write(1, b"size %dx%d\\n" % (size.columns, size.lines))
signal.signal(signal.SIGWINCH, told)
told()
os.read(0, 1)
""",
    # Reads nothing until the file named is there, then all of it, and tells its length and digest.
    "slow": """
while not os.path.exists(sys.argv[1]):
    time.sleep(0.05)
digest, size = hashlib.sha256(), 0
while data := sys.stdin.buffer.read(65536):
    digest.update(data)
    size += len(data)
print(size, digest.hexdigest())
""",
    # Leaves a file where it is told to: whether this ran can be seen.
    "touch": "open(sys.argv[1], 'w').close()",
}


class Programs:
    """Writes the programs into `folder`; `str(programs / name)` is what to run."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._write("sleeps", "#!/bin/sh\ntrap 'exit 130' INT\necho asleep\nfor _ in $(seq 600); do sleep 0.1; done\n")
        self._write("ready", '#!/bin/sh\necho ready\nexec "$@"\n')
        self._write("exit", '#!/bin/sh\nexit "$1"\n')
        for name, source in _SOURCES.items():
            imports = "import hashlib, os, resource, signal, sys, time"
            self._write(name, f"#!{sys.executable} -IS\n{imports}\n{source.strip()}\n")

    def __truediv__(self, name: str) -> str:
        assert (self.folder / name).exists(), name
        return str(self.folder / name)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text)
        path.chmod(0o755)

    @property
    def policy(self) -> str:
        """Allows these programs and a few stock ones."""
        return POLICY.format(folder=self.folder)


class Direct:
    """Plain ssh to the target itself, with the key that the bastion holds."""

    def __init__(self, folder: Path, target: Sshd) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._known = folder / "known_hosts"
        self._known.write_text(f"[{target.host}]:{target.port} {target.host_key}\n")
        self._target = target

    def command(self, *arguments: str) -> list[str]:
        """The words of the call; `arguments` begin with options, then the command."""
        options = [
            "-F",
            "none",
            *("-i", str(self._target.key)),
            *("-p", str(self._target.port)),
            *("-o", f"UserKnownHostsFile={self._known}"),
            *("-o", "IdentitiesOnly=yes"),
            *("-o", "BatchMode=yes"),
        ]
        flags = 0
        while flags < len(arguments) and arguments[flags].startswith("-"):
            flags += 2 if arguments[flags] in ("-o", "-e") else 1
        where = f"{ACCOUNT}@{self._target.host}"
        return ["ssh", *options, *arguments[:flags], where, *arguments[flags:]]

    def run(self, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
        """Run it to its end, stdout and stderr apart."""
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, timeout=60, check=False)
