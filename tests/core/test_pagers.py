"""On a terminal no program that was judged opens a pager, and what it is given is still what was judged."""

import subprocess

import pytest

from bastion.analysis.command import FindingKind
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


@pytest.mark.parametrize(
    ("text", "pages"),
    [
        (b"systemctl status nginx", False),
        (b"sudo systemctl status nginx", True),
        (b"sudo /usr/bin/systemctl status nginx", True),
        (b"sudo sh -c 'journalctl -u nginx'", True),
        (b"sudo -u postgres psql -c 'select 1'", True),
        (b"ssh other systemctl list-units", True),
        (b"sudo systemctl restart nginx", False),
        (b"sudo systemctl -t restart status", True),
        (b"sudo systemctl --no-pager status nginx", False),
        (b"sudo systemctl status nginx --no-pager", False),
        (b"sudo systemctl status -- nginx --no-pager", True),
        (b"sudo systemctl status -t --no-pager", True),
    ],
)
def test_who_runs_a_program_with_another_environment_may_have_it_page(text: bytes, pages: bool) -> None:
    def doubts(terminal: bool) -> list[FindingKind]:
        found = analyse(text, terminal=terminal).undecidable
        return [finding.kind for finding in found if "may open a pager" in finding.reason]

    assert doubts(terminal=True) == [FindingKind.TAKES_COMMANDS] * pages
    assert not doubts(terminal=False)
