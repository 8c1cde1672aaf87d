"""The audit log is opened: continued, mended, or refused; never by two, and never a broken one."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bastion.audit import log as log_module
from bastion.errors import OperatorError
from tests.core.test_audit_log import event, opened, records


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "audit.jsonl"


async def filled(path: Path, count: int) -> None:
    log = opened(path)
    await asyncio.gather(*(log.write(event(number)) for number in range(count)))
    await log.close()


async def test_only_one_bastion_has_the_log(path: Path) -> None:
    """A second one is refused, and told why."""
    log = opened(path)
    with pytest.raises(OperatorError, match="another bastion"):
        opened(path)
    await log.close()
    await opened(path).close()


async def test_every_torn_end_is_mended(path: Path) -> None:
    """Cut at any byte of the last line: whole lines stay, the rest is set aside, and the next line follows."""
    await filled(path, 3)
    content = path.read_bytes()
    last = content.rindex(b"\n", 0, -1) + 1
    aside = path.with_name("audit.jsonl.torn")
    for size in range(last, len(content), 13):
        path.write_bytes(content[:size])
        aside.unlink(missing_ok=True)
        log = opened(path)
        await log.write(event(7))
        await log.close()
        mended = [] if size == last else ["audit-mended"]
        assert [record["kind"] for record in records(path)] == ["revoked", "revoked", *mended, "revoked"]
        assert not mended or aside.read_bytes() == content[last:size] + b"\n"


async def test_a_torn_end_is_set_aside_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of it is lost, though the operating system takes a few bytes at a time; a second one is added."""
    await filled(path, 1)
    real = os.write
    monkeypatch.setattr(os, "write", lambda fd, data: real(fd, bytes(data[:5])))
    for torn in (b'{"seq":2,"first', b'{"seq":3,"second'):
        with path.open("ab") as file:
            file.write(torn)
        await opened(path).close()
    assert path.with_name("audit.jsonl.torn").read_bytes() == b'{"seq":2,"first\n{"seq":3,"second\n'


@pytest.mark.parametrize("row", range(3))
async def test_an_altered_log_is_refused(path: Path, row: int) -> None:
    """A chain that does not hold stops the start, with the line and what to do."""
    await filled(path, 4)
    lines = path.read_bytes().splitlines(keepends=True)
    lines[row] = lines[row].replace(b"serial", b"Serial")
    path.write_bytes(b"".join(lines))
    before = path.read_bytes()
    with pytest.raises(OperatorError, match=rf"line {row + 2}.*move it aside"):
        opened(path)
    assert path.read_bytes() == before


async def test_a_long_log_is_checked_at_its_end(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a log longer than the tail that is read, the chain goes on, and a change within the tail is seen."""
    monkeypatch.setattr(log_module, "TAIL_BYTES", 1000)
    await filled(path, 20)
    await filled(path, 1)
    assert records(path)[-1]["seq"] == 21
    content = path.read_bytes()
    path.write_bytes(content[:-600] + b"x" + content[-599:])
    with pytest.raises(OperatorError, match="altered"):
        opened(path)


@pytest.mark.parametrize("kind", ["directory", "link", "device", "rubbish"])
def test_what_is_no_log_is_refused(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A directory, a link, a device or a file without lines is not taken for a log, and not touched."""
    path = tmp_path / "audit.jsonl"
    match kind:
        case "directory":
            path.mkdir()
        case "link":
            (tmp_path / "elsewhere").touch()
            path.symlink_to(tmp_path / "elsewhere")
        case "device":
            path = Path("/dev/null")
        case "rubbish":
            monkeypatch.setattr(log_module, "TAIL_BYTES", 1000)
            path.write_bytes(b"x" * 3000)
    with pytest.raises(OperatorError):
        opened(path)
    assert kind != "rubbish" or path.read_bytes() == b"x" * 3000


def test_a_loop_that_has_ended_does_not_stop_the_log(path: Path) -> None:
    """Whoever waited in an event loop that is gone: the next loop's events are kept."""
    log = opened(path)

    async def leave() -> None:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().stop)
        await log.write(event(1))

    loop = asyncio.new_event_loop()
    task = loop.create_task(leave())
    with contextlib.suppress(RuntimeError):
        loop.run_until_complete(task)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()

    async def rest() -> None:
        await log.write(event(2))
        await log.close()

    asyncio.run(rest())
    assert [record["sessions"] for record in records(path)] == [1, 2]


def test_the_lock_goes_with_the_process(path: Path) -> None:
    """After `kill -9` the log can be opened at once."""
    script = "import sys; from pathlib import Path; from bastion.audit.log import AuditLog; " + (
        "AuditLog.open(Path(sys.argv[1]), clock=lambda: 0.0); print('open', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(OperatorError):
            opened(path)
        process.kill()
        process.wait()
        asyncio.run(opened(path).close())
