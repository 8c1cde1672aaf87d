"""Past commands are read from the headers of recordings, and what tells none is told, never fatal."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path

import orjson
import pytest

from bastion.asciicast.encoder import Encoder, Head
from bastion.errors import OperatorError
from bastion.policy.asker import Asker
from bastion.recording.past import Past, Skipped, one, read
from tests.core.test_asciicast_encoder import HEAD

JUDGED: Mapping[str, object] = {
    "source": "192.0.2.7",
    "principals": ["agent@acme", "repo:acme/x"],
    "groups": ["agents"],
    "claims": {"env": "prod"},
    "labels": {"tier": "web"},
}


def recording(folder: Path, head: Head, timestamp: int = 1_800_000_000) -> Path:
    path = folder / head.tenant / f"{head.session}.cast"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(Encoder().begin(head, timestamp))
    return path


def test_the_header_tells_who_asked_for_what_and_where(tmp_path: Path) -> None:
    path = recording(tmp_path, dataclasses.replace(HEAD, judged=JUDGED, shell="dash", command="größe $x"))
    assert one(path) == Past(
        session="s1",
        tenant="acme",
        command="größe $x".encode(),
        asker=Asker(
            ("agent@acme", "repo:acme/x"),
            frozenset({"agents"}),
            (("env", "prod"),),
            "web-1",
            (("tier", "web"),),
            "deploy",
            "dash",
            True,
            "192.0.2.7",
            1_800_000_000,
        ),
        groups_known=True,
    )


@pytest.mark.parametrize(
    ("told", "read_as"), [("", "bash"), ("sh", "bash"), ("/bin/dash", "dash"), ("fish", "bash"), ("busybox", "busybox")]
)
def test_the_login_shell_reads_the_text(tmp_path: Path, told: str, read_as: str) -> None:
    """What is not known is read as bash would, which takes the most."""
    found = one(recording(tmp_path, dataclasses.replace(HEAD, shell=told)))
    assert isinstance(found, Past)
    assert found.asker.shell == read_as


def test_an_old_header_leaves_groups_unknown(tmp_path: Path) -> None:
    found = one(recording(tmp_path, HEAD))
    assert isinstance(found, Past)
    assert (found.groups_known, found.asker.identity, found.asker.groups) == (False, ("agent@acme",), frozenset())


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "line 1: empty"),
        (b'{"version": 2, "wid', "line 1: torn: the header has no end"),
        (b"x\n", "line 1: not JSON"),
        (b'{"version": 2, "width": 80, "height": 24}\n', "not a recording of a bastion"),
        (b'{"version": 1, "width": 80, "height": 24}\n', "line 1: not the header of an asciicast v2"),
        (
            b'{"version": 2, "width": 80, "height": 24, "bastion": {"tenant": "a"}}\n',
            "line 1: its header tells no command",
        ),
    ],
)
def test_what_can_not_be_read_is_skipped_with_a_reason(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "a.cast"
    path.write_bytes(content)
    found = one(path)
    assert isinstance(found, Skipped)
    assert found.torn
    assert (found.file, found.why[: len(why)]) == (str(path), why)


@pytest.mark.parametrize(
    ("name", "value"), [("groups", "x"), ("groups", "{}"), ("claims", '{"a": 7}'), ("labels", "[]")]
)
def test_a_header_that_says_something_else_is_skipped(tmp_path: Path, name: str, value: str) -> None:
    path = recording(tmp_path, dataclasses.replace(HEAD, judged={name: value}))
    assert isinstance(one(path), Skipped)


def test_a_torn_end_is_told_and_the_command_known(tmp_path: Path) -> None:
    path = recording(tmp_path, HEAD)
    path.write_bytes(path.read_bytes() + b'[1.0, "o", "x')
    found = one(path)
    assert isinstance(found, Past)
    assert found.torn == str(path)


def test_no_shell_is_a_command_and_no_pipe_is_waited_for(tmp_path: Path) -> None:
    found = one(recording(tmp_path, dataclasses.replace(HEAD, kind="shell")))
    assert found == Skipped(str(tmp_path / "acme" / "s1.cast"), "a shell, not a command", torn=False)
    os.mkfifo(tmp_path / "pipe.cast")
    (tmp_path / "link.cast").symlink_to(tmp_path / "acme" / "s1.cast")
    for name in ("pipe.cast", "link.cast"):
        assert isinstance(one(tmp_path / name), Skipped)


def test_all_below_a_folder_is_read_in_order(tmp_path: Path) -> None:
    for tenant, session in (("b", "s2"), ("a", "s3"), ("a", "s1")):
        recording(tmp_path, dataclasses.replace(HEAD, tenant=tenant, session=session))
    (tmp_path / "a" / "notes.txt").write_text("x")
    assert [(found.tenant, found.session) for found in read(tmp_path) if isinstance(found, Past)] == [
        ("a", "s1"),
        ("a", "s3"),
        ("b", "s2"),
    ]
    with pytest.raises(OperatorError, match="no such folder"):
        list(read(tmp_path / "none"))


def test_times_that_no_calendar_has_are_not_known(tmp_path: Path) -> None:
    path = recording(tmp_path, HEAD, 1 << 60)
    found = one(path)
    assert isinstance(found, Past)
    assert found.asker.at is None
    assert orjson.loads(path.read_bytes().splitlines()[0])["timestamp"] == 1 << 60
