"""No pager on a terminal: `systemctl status` opens one there by itself, and from a pager `!` opens a shell.

What is sent with a terminal is preceded by assignments that name `cat` as the pager, and that tell the pagers and
programs which honour it to offer no commands. They are ours, not the client's, and stand in the audit trail as part
of the text that runs. Without a terminal no program pages.

Limits: a program that pages by a variable of its own, or whatever its environment says, still does; those that are
known to are named in programs/ as taking commands, and run only where a rule says `interactive: true`.
"""

from __future__ import annotations

from collections.abc import Sequence

_ASSIGNMENTS = (
    b"PAGER=cat",
    b"GIT_PAGER=cat",
    b"MANPAGER=cat",
    b"SYSTEMD_PAGER=cat",
    b"SYSTEMD_PAGERSECURE=1",
    b"LESSSECURE=1",
)
_PAGE = frozenset(
    b"""
    systemctl journalctl loginctl timedatectl hostnamectl localectl networkctl resolvectl busctl machinectl coredumpctl
    systemd-analyze systemd-cgls udevadm bootctl homectl userdbctl portablectl git man perldoc pydoc pydoc3 info psql
    mysql mariadb aws gh glab bat batcat delta apt nmcli hg jj ri
    """.split()
)
"""Programs that open a pager on a terminal, by a variable that we set."""
_FORGET = frozenset(
    b"""
    sudo doas su runuser pkexec run0 systemd-run machinectl ssh docker podman nerdctl kubectl oc lxc lxc-attach incus
    toolbox distrobox
    """.split()
)
"""Programs that run another one with an environment of their own, as the administrator set them up or elsewhere."""
_QUIET = {
    b"systemctl": frozenset(
        b"""
        start stop restart reload try-restart reload-or-restart enable disable mask unmask kill is-active is-enabled
        is-failed reset-failed daemon-reload
        """.split()
    ),
    b"apt": frozenset(b"install remove purge autoremove update upgrade full-upgrade clean autoclean".split()),
}
"""First words of such programs that show nothing long."""
NO_PAGER = b" ".join([b"export", *_ASSIGNMENTS])
"""A command that says so to all that follow it."""


def pages_again(via: tuple[bytes, ...], argv: Sequence[bytes | None]) -> bool:
    """Whether a program that is reached through these may open a pager in spite of what we set. Its `--no-pager` is
    believed where it can be nothing but that option: first, or last behind a word that is no option."""
    program = (argv[0] or b"").rpartition(b"/")[2]
    if program not in _PAGE or _FORGET.isdisjoint(via):
        return False
    words = tuple(argv[1:])
    if words[:1] == (b"--no-pager",) or (words and words[0] in _QUIET.get(program, frozenset())):
        return False
    before = words[-2] if len(words) > 1 and words[-1] == b"--no-pager" and b"--" not in words else None
    return before is None or before.startswith(b"-")


def without_pager(runs: bytes) -> bytes:
    """The printed text of any script, as it is sent when there is a terminal. Exported first, not put before it: an
    assignment before a script would hold for its first command only."""
    return NO_PAGER + b"; " + runs
