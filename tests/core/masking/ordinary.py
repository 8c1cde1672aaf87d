"""What a Debian machine prints, made on the spot: lists of packages and files, logs, sources, dumps, numbers.

What is random is the same each time; what the machine prints is what it has.
"""

from __future__ import annotations

import gzip
import json
import random
import re
import subprocess
import sysconfig
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

_KEYS = ("shadow", "/ssl/", "/ssh/", "chromium")
"""Where keys and passwords are meant to be, or real ones to be found."""
_FONTS = re.compile(rb"\\f[BIRP]|\\(?=-)|\\&")
"""What manuals have in their source and nobody sees printed."""
ROOT = Path(__file__).parents[3]
MIB = 1 << 20
_TEXT = b"The quick brown FOX jumps over 13 lazy DOGS; NUMBERS 0123456789 AND CAPITALS. "
COMMANDS: Sequence[Sequence[str]] = (
    ("dpkg", "-l"),
    ("dpkg-query", "-W", "-f", "${Package} ${Version} ${Installed-Size} ${Maintainer}\n"),
    ("ls", "-lR", "/etc", "/var"),
    ("ls", "-lR", "/usr"),
    ("git", "-C", str(ROOT), "log", "--stat"),
    ("git", "-C", str(ROOT), "log", "-p", "-n", "60", "--", "bastion", ":!bastion/masking"),
    ("ps", "auxww"),
    ("mount",),
    ("df",),
    ("env", "-i", "sh", "-c", "set"),
    ("ip", "address"),
    ("sysctl", "-a"),
    ("dmesg",),
    ("openssl", "ciphers", "-v"),
    ("ssh", "-Q", "key"),
    ("ssh", "-Q", "mac"),
    ("ssh", "-Q", "cipher"),
    ("apt-cache", "dumpavail"),
    ("systemctl", "list-units", "--all"),
    ("find", "/usr/lib", "-name", "*.so*", "-printf", "%i %k %M %n %u %s %TY-%Tm-%Td %T@ %p\n"),
)
FOLDERS = ("/usr/share/man", "/usr/share/doc", "/etc", "/var/log")
PROC = (
    "cpuinfo",
    "meminfo",
    "stat",
    "interrupts",
    "modules",
    "mounts",
    "self/maps",
    "self/status",
    "net/dev",
    "vmstat",
)


def texts(share: int) -> Iterator[tuple[str, bytes]]:
    """Texts by name, each of at most `share` bytes."""
    for command in COMMANDS:
        yield " ".join(command[:3]), _printed(command, share)
    yield "python", b"".join(_files(Path(sysconfig.get_path("stdlib")), "*.py", share))
    for folder in FOLDERS:
        yield folder, b"".join(_files(Path(folder), "*", share))
    yield "/proc", b"".join(_files(Path("/proc"), "", share))
    made = random.Random(20)  # noqa: S311 (output that is the same each time, and no secret)
    yield "numbers", _made(share // 4, lambda: _numbers(made))
    yield "hex", _made(share // 4, lambda: _dump(made))
    yield "json", _made(share // 4, lambda: _json(made))
    yield "log", _made(share // 4, lambda: _log(made))


def _printed(command: Sequence[str], most: int) -> bytes:
    """The beginning of what it prints; nothing where this machine does not have it."""
    try:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    except FileNotFoundError:
        return b""
    with running:
        assert running.stdout is not None
        read = running.stdout.read(most)
        running.kill()
    return read


def _files(folder: Path, pattern: str, share: int) -> Iterator[bytes]:
    found = sorted(folder.rglob(pattern)) if pattern else [folder / name for name in PROC]
    for file in found:
        if share <= 0:
            return
        read = _read(file)
        yield read[:share]
        share -= len(read)


def _read(file: Path) -> bytes:
    if file.is_symlink() or not file.is_file() or any(part in str(file) for part in _KEYS):
        return b""
    try:
        read = file.read_bytes()[:MIB]
    except OSError:
        return b""
    if file.suffix == ".gz":
        read = gzip.decompress(read) if len(read) < MIB else b""
    return b"" if b"\0" in read else _FONTS.sub(b"", read)


def _made(size: int, line: object) -> bytes:
    assert callable(line)
    lines: list[bytes] = []
    while size > 0:
        lines.append(line())
        size -= len(lines[-1])
    return b"".join(lines)


def _numbers(made: random.Random) -> bytes:
    stamp = 1_700_000_000 + made.randrange(10**7)
    fields = [
        str(stamp),
        str(stamp * 1000 + made.randrange(1000)),
        str(stamp * 10**9 + made.randrange(10**9)),
        f"{made.random():.17f}",
        f"{made.uniform(-1e6, 1e6)!r}",
        str(made.randrange(10**8)),
        str(made.getrandbits(63)),
        f"{made.randrange(10**6):,}",
        str(uuid.UUID(int=made.getrandbits(128))),
        f"{made.randrange(256)}.{made.randrange(256)}.{made.randrange(256)}.{made.randrange(256)}",
        f"v{made.randrange(20)}.{made.randrange(99)}.{made.randrange(9999)}",
        f"2026-{made.randrange(1, 13):02}-{made.randrange(1, 29):02}T{made.randrange(24):02}:00:07Z",
    ]
    made.shuffle(fields)
    return (made.choice([" ", "\t", ",", " | ", ":"]).join(fields[:7]) + "\n").encode()


def _dump(made: random.Random) -> bytes:
    data = made.randbytes(16) if made.random() < 0.6 else bytes(made.choice(_TEXT) for _ in range(16))
    shown = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in data)
    match made.randrange(4):
        case 0:  # xxd
            groups = " ".join(data[at : at + 2].hex() for at in range(0, 16, 2))
            return f"{made.randrange(1 << 20) * 16:08x}: {groups}  {shown}\n".encode()
        case 1:  # hexdump -C
            return f"{made.randrange(1 << 20) * 16:08x}  {data[:8].hex(' ')}  {data[8:].hex(' ')}  |{shown}|\n".encode()
        case 2:  # od
            words = " ".join(f"{int.from_bytes(data[at : at + 2], 'little'):06o}" for at in range(0, 16, 2))
            return f"{made.randrange(1 << 20) * 16:07o} {words}\n".encode()
    return f"{made.randbytes(32).hex()}  file-{made.randrange(999)}.tar.gz\n".encode()


def _json(made: random.Random) -> bytes:
    value = {
        "id": (1 << 60) + made.getrandbits(59),
        "uuid": str(uuid.UUID(int=made.getrandbits(128))),
        "sha": made.randbytes(20).hex(),
        "size": made.randrange(10**10),
        "ratio": made.random(),
        "created_at": 1_700_000_000_000 + made.randrange(10**10),
        "key": f"cache/{made.randrange(10**12)}",
        "token_count": made.randrange(9999),
        "tags": [made.choice(["web", "db", "edge"]) for _ in range(3)],
        "integrity": "sha512-" + made.randbytes(32).hex(),
    }
    return json.dumps(value, indent=made.choice([None, 2])).encode() + b"\n"


def _log(made: random.Random) -> bytes:
    request = uuid.UUID(int=made.getrandbits(128))
    texts = [
        f"sshd[{made.randrange(65536)}]: Accepted publickey for deploy from 10.0.0.{made.randrange(256)} port 5123",
        f"kernel: [{made.random() * 1e5:12.6f}] usb 1-1: new high-speed USB device number {made.randrange(99)}",
        f"app: request_id={request} status=200 bytes={made.randrange(10**7)} ms={made.random():.3f}",
        f"systemd[1]: Started session-{made.randrange(999)}.scope - Session {made.randrange(999)} of User deploy.",
        f'nginx: 10.1.2.3 - - "GET /v1/items/{made.randrange(10**9)}?page=2 HTTP/1.1" 200 {made.randrange(99999)} "-"',
        f"CRON[{made.randrange(65536)}]: pam_unix(cron:session): session opened for user root(uid=0) by (uid=0)",
        f"auth: password check for user deploy took {made.randrange(99)} ms, token expires in {made.randrange(3600)} s",
    ]
    day, hour = made.randrange(1, 29), made.randrange(24)
    return (
        f"Nov {day:2} {hour:02}:{made.randrange(60):02}:{made.randrange(60):02} web-1 {made.choice(texts)}\n".encode()
    )
