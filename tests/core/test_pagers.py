"""On a terminal no program that was judged opens a pager, and what it is given is still what was judged."""

import subprocess

from bastion.analysis.pagers import without_pager
from bastion.analysis.shell import analyse


def test_the_words_are_the_same_and_every_known_pager_is_cat() -> None:
    analysis = analyse(rb"""env 'a b' "c'd" """)
    assert analysis.runs is not None
    script = b"env() { for word; do printf '<%s>' \"$word\"; done; command env; }\n" + without_pager(analysis.runs)
    said = subprocess.run(["sh", "-c", script], capture_output=True, check=True, env={"PATH": "/usr/bin:/bin"})
    assert said.stdout.startswith(b"<a b><c'd>")
    for variable in (b"PAGER=cat", b"SYSTEMD_PAGER=cat", b"SYSTEMD_PAGERSECURE=1", b"LESSSECURE=1", b"MANPAGER=cat"):
        assert variable in said.stdout
