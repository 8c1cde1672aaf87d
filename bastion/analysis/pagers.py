"""No pager on a terminal: `systemctl status` opens one there by itself, and from a pager `!` opens a shell.

What is sent with a terminal is preceded by assignments that name `cat` as the pager, and that tell the pagers and
programs which honour it to offer no commands. They are ours, not the client's, and stand in the audit trail as part
of the text that runs. Without a terminal no program pages.

Limits: a program that pages by a variable of its own, or whatever its environment says, still does; those that are
known to are named in programs/ as taking commands, and run only where a rule says `interactive: true`.
"""

from __future__ import annotations

_ASSIGNMENTS = (
    b"PAGER=cat",
    b"GIT_PAGER=cat",
    b"MANPAGER=cat",
    b"SYSTEMD_PAGER=cat",
    b"SYSTEMD_PAGERSECURE=1",
    b"LESSSECURE=1",
)
NO_PAGER = b" ".join([b"export", *_ASSIGNMENTS])
"""A command that says so to all that follow it."""


def without_pager(runs: bytes) -> bytes:
    """The printed text of any script, as it is sent when there is a terminal. Exported first, not put before it: an
    assignment before a script would hold for its first command only."""
    return NO_PAGER + b"; " + runs
