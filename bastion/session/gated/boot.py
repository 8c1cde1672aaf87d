"""How the target's shell is started: the exec texts of the two channels, and what both sides know them by.

The terminal's channel runs `boot`: it makes a FIFO where it may write, tells its path in a marker, waits until the
command channel's `feeder` has opened it, removes it, and becomes the shell, which reads its commands from the FIFO and
never from the terminal. Both texts are read by the account's login shell (any that targets/login_shell.py takes) and
hold nothing of a client's.

    bash   `bash --noprofile --noediting -il` whose standard input is the FIFO. It is interactive in every way, so
           Ctrl-C ends a whole line and not only its first program, which `bash -i /dev/fd/9` can not do. What this asks
           of wire.py is told there.
    posix  `sh -il /dev/fd/9` (dash, busybox ash): the FIFO is the script, kept where no program inherits it.

The nonce stands in the arguments of the account's login shell for as long as `boot` runs, then in variables of the
shell: whoever may read that account's memory, or has the shell print its variables, knows it. With it he can end the
`running` state early, by printing a marker himself: the client's keys go to the bastion's editor, its lines to the
judge. That opens nothing. It is not exported, so no program that the shell runs is given it (but in dash and ash
after an `export PS1`).

Limits: Linux's /proc is needed. Who can write as the account can write into the FIFO by /proc/PID/fd, as he can into
its start-up files, so rules must not let a command write there; wire.py takes the FIFO's mode away, which leaves that
to root (and to a chmod). A start-up file that replaces the shell (`exec zsh`) leaves a session without a marker.
"""

from __future__ import annotations

import hashlib
import re
from enum import Enum

from bastion.analysis.printer import quote

OSC = b"\x1b]7777;"
"""What every marker begins with: an Operating System Command (ECMA-48, 8.3.89) that no terminal knows."""
BEL = b"\x07"

_NONCE = re.compile(r"[0-9a-z]{16,64}\Z")


class Kind(Enum):
    """What reads the commands: `dash`, `ash` and their like are POSIX."""

    BASH = "bash"
    POSIX = "posix"


def kind_of(shell: str) -> Kind:
    """Of a login shell by its name (targets/login_shell.py)."""
    return Kind.BASH if shell in ("bash", "rbash") else Kind.POSIX


def check(nonce: str) -> bytes:
    """The nonce of a session as bytes: 16 to 64 of [0-9a-z], unguessable. Raises ValueError for any other."""
    if not _NONCE.match(nonce):
        raise ValueError("a nonce is 16 to 64 digits and small letters")
    return nonce.encode()


def boot(nonce: str, kind: Kind) -> bytes:
    """The exec text of the terminal's channel. It tells a `fifo` marker, or a `refused` one and exits with 125.

    After the marker it waits for the feeder; the end of the terminal (SIGHUP) ends it and removes the FIFO.
    """
    mark = OSC.replace(b"\x1b", b"\\033") + check(nonce)
    name = hashlib.sha256(b"folder " + nonce.encode()).hexdigest()[:16].encode()
    return _BOOT.replace(b"MARK", mark).replace(b"NAME", name).replace(b"BECOME", _BECOME[kind])


def feeder(path: bytes) -> bytes:
    """The exec text of the command channel, given the path that the marker told. Raises NotPrintable for a NUL.

    What comes on its standard input goes to the shell; the first line, its own, tells the shell which process it is.
    """
    return b"exec > " + quote(path) + b' && printf "__bastion_feeder=%s\\n" $$ && exec cat'


_BOOT = rb"""
unset SSH_ORIGINAL_COMMAND
why='no folder can be written to: TMPDIR, /tmp, /var/tmp, /dev/shm, XDG_RUNTIME_DIR and HOME were tried'
refuse() { printf 'MARK;refused;%s\007' "$1"; exit 125; }
d=
for b in "$TMPDIR" /tmp /var/tmp /dev/shm "$XDG_RUNTIME_DIR" "$HOME"; do
    case $b in *[[:cntrl:]]*) continue ;; /*) ;; *) continue ;; esac
    d=$b/.bastion-NAME
    mkdir -m 700 "$d" 2>/dev/null || { d=; continue; }
    (umask 077; mkfifo "$d/c" || mknod "$d/c" p) 2>/dev/null && break
    rmdir "$d"
    d=
    why='neither mkfifo nor mknod makes a FIFO'
done
[ -n "$d" ] || refuse "$why"
clean() { rm -f "$d/c"; rmdir "$d" 2>/dev/null; }
[ -e /proc/self/fd/0 ] && [ -e /dev/fd/0 ] || { clean; refuse 'there is no /proc or no /dev/fd'; }
trap clean EXIT
trap 'clean; exit 129' HUP INT QUIT TERM
printf 'MARK;fifo;%s\007' "$d/c"
BECOME
""".strip()

_BECOME = {
    # The prompts are empty until the first unit has set everything up.
    Kind.BASH: rb"""
exec < "$d/c"
clean
case ${SHELL##*/} in bash) ;; *) SHELL=bash ;; esac
PS1= PS2= exec "$SHELL" --noprofile --noediting -il
""".strip(),
    Kind.POSIX: rb"""
exec 9< "$d/c"
clean
case ${SHELL##*/} in sh|dash|ash) ;; *) SHELL=sh ;; esac
exec "$SHELL" -il /dev/fd/9
""".strip(),
}
