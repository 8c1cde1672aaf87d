"""Which target the demo has: sshd's where this user's login shell may read commands, a stand-in else."""

from __future__ import annotations

import shutil

import pytest

from bastion.demo import target


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name, path: f"/usr/sbin/{name}" if path else None)


@pytest.mark.parametrize("shell", ["/bin/bash", "/usr/bin/dash", "/bin/sh", "", "/bin/rbash"])
def test_a_shell_that_reads_right_has_the_real_server(shell: str) -> None:
    assert target._sshd_for(shell)[0] == "/usr/sbin/sshd"


@pytest.mark.parametrize("shell", ["/bin/zsh", "/usr/bin/fish", "/usr/sbin/nologin"])
def test_any_other_has_a_stand_in_and_says_why(shell: str) -> None:
    found, why = target._sshd_for(shell)
    assert found is None
    assert shell.rpartition("/")[2] in why
