"""bastion audit verify: the whole chain, its first wrong line by number and reason, as text and as JSON."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bastion.audit.chain import Head, link
from bastion.audit.log import AuditLog
from bastion.cli import main


@pytest.fixture
def trail(tmp_path: Path) -> Path:
    """Ten lines of one chain."""
    path, head, lines = tmp_path / "audit.jsonl", Head(), []
    for number in range(10):
        line, head = link(head, {"kind": "revoked", "entry": f"serial {number}", "sessions": 0})
        lines.append(line)
    path.write_bytes(b"".join(lines))
    return path


def verified(trail: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, object]]:
    status = main(["audit", "verify", str(trail), "--json"])
    return status, json.loads(capsys.readouterr().out)


def test_a_whole_trail_is_told_with_its_head(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", "verify", str(trail)]) == 0
    assert "whole: 10 line(s)" in capsys.readouterr().out
    status, told = verified(trail, capsys)
    assert (status, told["ok"], told["seq"], len(str(told["digest"]))) == (0, True, 10, 64)


Change = Callable[[list[bytes]], list[bytes]]


@pytest.mark.parametrize(
    ("change", "line", "reason"),
    [
        (lambda lines: [lines[0].replace(b"serial 0", b"serial 9"), *lines[1:]], 2, "the line before was altered"),
        (lambda lines: [*lines[:3], *lines[4:]], 4, "expected seq 4, found 5"),
        (lambda lines: lines[1:], 1, "expected seq 1, found 2"),
        (lambda lines: [*lines[:5], b"\n", *lines[5:]], 6, "not JSON"),
        (lambda lines: [*lines[:9], lines[9][:-1]], 10, "the line has no end"),
        (lambda lines: [*lines, b"x" * (5 << 20) + b"\n"], 11, "not JSON"),
    ],
    ids=["altered", "taken out", "begun later", "blank", "torn", "endless"],
)
def test_the_first_line_that_does_not_hold_is_named(
    trail: Path, capsys: pytest.CaptureFixture[str], change: Change, line: int, reason: str
) -> None:
    trail.write_bytes(b"".join(change(trail.read_bytes().splitlines(keepends=True))))
    assert main(["audit", "verify", str(trail)]) == 1
    assert f"{trail}:{line}: the chain does not hold: {reason}" in capsys.readouterr().err
    assert verified(trail, capsys) == (1, {"ok": False, "file": str(trail), "line": line, "reason": reason})


async def test_the_trail_of_a_bastion_that_runs(trail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A line that is being written does not count yet, and nothing keeps the bastion from its file."""
    log = AuditLog.open(trail, clock=time.time)
    with trail.open("ab") as file:
        file.write(b'{"seq":11,')
    assert main(["audit", "verify", str(trail)]) == 0
    assert "10 line(s)" in capsys.readouterr().out
    await log.close()
    assert main(["audit", "verify", str(trail)]) == 1


@pytest.mark.parametrize("what", ["missing", "folder", "fifo"])
def test_what_is_no_trail_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], what: str) -> None:
    path = tmp_path / what
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    assert main(["audit", "verify", str(path)]) == 1
    assert str(path) in capsys.readouterr().err
