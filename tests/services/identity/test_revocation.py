"""Revocation: what a line of the file takes away, and how lines get there."""

from __future__ import annotations

import json
import multiprocessing
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bastion.errors import BadFile, OperatorError
from bastion.identity.principal import Credential, Identity
from bastion.identity.revocation import Revocation, Revocations, add, doubts, now, verify

KEY = "SHA256:" + "A" * 43
TIME = "2026-01-31T12:00:00Z"
IDENTITY = Identity("demo", "https://i.example.com", "subject-1", ("agent@demo", "second"), frozenset(), {})
CREDENTIAL = Credential(IDENTITY, 7, "id", KEY, b"", 0, 1)


def entry(**what: Any) -> Revocation:
    return Revocation(**{"tenant": "demo", "reason": "lost", "time": TIME, **what})


@pytest.mark.parametrize(
    ("what", "hits"),
    [
        ({"serial": 7}, True),
        ({"serial": 8}, False),
        ({"serial": 7, "tenant": "other"}, False),
        ({"key": KEY}, True),
        ({"key": "SHA256:" + "B" * 43}, False),
        ({"key": KEY, "tenant": "other"}, False),
        ({"identity": "agent@demo"}, True),
        ({"identity": "second"}, True),
        ({"identity": "subject-1"}, True),
        ({"identity": "agent"}, False),
        ({"identity": "agent@demo", "tenant": "other"}, False),
        ({"identity": "subject-1", "issuer": "https://i.example.com"}, True),
        ({"identity": "subject-1", "issuer": "https://other.example.com"}, False),
    ],
)
def test_an_entry_revokes_what_it_names_in_its_tenant(what: dict[str, Any], hits: bool) -> None:
    assert Revocations(None, [entry(**what)]).revoked(CREDENTIAL) == ("lost" if hits else None)


def test_new_certificates_are_refused_to_a_revoked_identity_and_key_not_to_a_serial() -> None:
    revocations = Revocations(None, [entry(identity="agent@demo"), entry(key=KEY), entry(serial=7)])
    assert revocations.identity_revoked(IDENTITY) == "lost"
    assert revocations.key_revoked("demo", KEY) == "lost"
    assert Revocations(None, [entry(serial=7)]).identity_revoked(IDENTITY) is None


def test_what_is_added_is_found_after_a_reload(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    revocations = Revocations.load(path)
    assert len(revocations) == 0
    add(path, entry(serial=7))
    assert revocations.revoked(CREDENTIAL) is None
    revocations.reload()
    assert revocations.revoked(CREDENTIAL) == "lost"
    assert path.read_text() == f'{{"tenant":"demo","reason":"lost","time":"{TIME}","serial":7}}\n'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{", "not JSON"),
        ("[]", "one JSON object"),
        ("7", "one JSON object"),
        ("[" * 20000, "not a revocation"),
        ('{"serial":7}', "missing key 'reason'"),
        ('{"tenant":"demo","serial":7,"time":"t","reason":"x","extra":1}', "unknown key 'extra'"),
        ('{"tenant":"demo","serial":7,"time":"yesterday","reason":"x"}', "isoformat"),
        ('{"tenant":"demo","serial":"7","time":"2026-01-31","reason":"x"}', "whole number"),
        ('{"tenant":"demo","serial":true,"time":"2026-01-31","reason":"x"}', "whole number"),
        ('{"tenant":"demo","serial":0,"time":"2026-01-31","reason":"x"}', "whole number"),
        ('{"tenant":"demo","serial":7,"key":"SHA256:x","time":"2026-01-31","reason":"x"}', "exactly one"),
        ('{"tenant":"demo","time":"2026-01-31","reason":"x"}', "exactly one"),
        ('{"tenant":"demo","key":"MD5:00","time":"2026-01-31","reason":"x"}', "fingerprint"),
        ('{"tenant":"demo","key":7,"time":"2026-01-31","reason":"x"}', "fingerprint"),
        ('{"tenant":"demo","identity":"","time":"2026-01-31","reason":"x"}', "principal or a subject"),
        ('{"tenant":"demo","serial":7,"serial":8,"time":"2026-01-31","reason":"x"}', "duplicate key 'serial'"),
        ('{"tenant":"demo","identity":"a","issuer":"","time":"2026-01-31","reason":"x"}', "'issuer' goes"),
        ('{"tenant":"demo","serial":' + "7" * 5000 + ',"time":"2026-01-31","reason":"x"}', "not a revocation"),
        ('{"tenant":"demo","serial":7,"issuer":"i","time":"2026-01-31","reason":"x"}', "'issuer' goes"),
        ('{"tenant":"","serial":7,"time":"2026-01-31","reason":"x"}', "'tenant' must"),
        ('{"tenant":"demo","serial":7,"time":"2026-01-31","reason":null}', "'reason' must"),
    ],
)
def test_a_wrong_line_is_told_with_its_number_and_nothing_in_force_is_lost(
    tmp_path: Path, line: str, message: str
) -> None:
    path = tmp_path / "revocations.jsonl"
    add(path, entry(serial=7))
    revocations = Revocations.load(path)
    path.write_text("\n" + line + "\n")
    (problem,) = revocations.reload().problems
    assert message in problem.message
    assert problem.place.line == 2
    assert revocations.revoked(CREDENTIAL) == "lost"
    with pytest.raises(BadFile, match=message):
        Revocations.load(path)


@pytest.mark.parametrize("bad", ['{"tenant":"de', "x", "{}"])
def test_a_bad_line_makes_no_other_void(tmp_path: Path, bad: str) -> None:
    """What is revoked after it was torn is in force, with what was in force before."""
    path = tmp_path / "revocations.jsonl"
    add(path, entry(serial=8))
    revocations = Revocations.load(path)
    path.write_text(bad)
    add(path, entry(serial=7))
    reading = revocations.reload()
    assert (reading.new, len(reading.problems)) == ((entry(serial=7),), 1)
    assert len(revocations) == 2
    assert revocations.revoked(CREDENTIAL) == "lost"


def test_only_a_settled_file_pardons_and_none_of_zero_bytes(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    add(path, entry(serial=7))
    revocations = Revocations.load(path)
    path.write_text("")
    assert revocations.reload().problems[0].message.startswith("of zero bytes")
    assert len(revocations) == 1
    path.write_text("\n")
    assert revocations.reload(settled=False).problems == ()
    assert len(revocations) == 1
    assert revocations.reload().problems == ()
    assert len(revocations) == 0


@pytest.mark.parametrize("what", ["pipe", "folder", "dangling link"])
def test_what_is_no_file_is_refused_and_never_waited_for(tmp_path: Path, what: str) -> None:
    path = tmp_path / "revocations.jsonl"
    if what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "not-mounted" / "revocations.jsonl")
    with pytest.raises(OperatorError, match="can not be read"):
        Revocations.load(path)
    with pytest.raises(OperatorError):
        add(path, entry(serial=7))


def test_a_link_is_not_written_through(tmp_path: Path) -> None:
    """root adds in a folder of another user, who could have put a link there."""
    (tmp_path / "precious").write_text("x")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    with pytest.raises(OperatorError, match="was not written"):
        add(tmp_path / "link", entry(serial=7))
    assert (tmp_path / "precious").read_text() == "x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_root_makes_can_be_read_by_the_owner_of_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)
    path = folder / "revocations.jsonl"
    add(path, entry(serial=7))
    verify(path, entry(serial=7))
    assert (path.stat().st_uid, path.stat().st_gid) == (65534, 65534)
    os.chown(path, 0, 0)
    with pytest.raises(OperatorError, match=r"NOBODY IS LOCKED OUT.*chown 65534:65534"):
        verify(path, entry(serial=7))


def test_what_is_not_in_the_file_or_stands_among_bad_lines_is_told(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    add(path, entry(serial=8))
    with pytest.raises(OperatorError, match="NOBODY IS LOCKED OUT"):
        verify(path, entry(serial=7))
    path.write_text(f"x\n{entry(serial=7).line}\n")
    with pytest.raises(OperatorError, match="will not start until they are mended"):
        verify(path, entry(serial=7))


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ({"identity": "agent-1"}, ""),
        ({"identity": "agent-1", "issuer": "https://i.example.com"}, ""),
        ({"identity": "agent-1 "}, "identity 'agent-1 ' has a blank"),
        ({"identity": "agent\u200b"}, "can not be printed"),
        ({"identity": "agent-1", "issuer": "i.example.com"}, "no https:// address"),
        ({"identity": "agent-1", "issuer": "https://i.example.com/"}, "ends in a slash"),
        ({"identity": "agent-1", "tenant": "Demo"}, "tenant 'Demo' can not be"),
    ],
)
def test_what_may_match_nobody_is_doubted(what: dict[str, Any], told: str) -> None:
    said = doubts(entry(**what))
    assert len(said) == bool(told)
    assert all(told in one for one in said)


def test_a_file_that_is_gone_lets_nobody_in_again(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    add(path, entry(serial=7))
    revocations = Revocations.load(path)
    path.unlink()
    with pytest.raises(OperatorError, match="can not be read"):
        revocations.reload()
    assert revocations.revoked(CREDENTIAL) == "lost"


def test_a_torn_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    path.write_bytes(b'{"tenant":"de')
    add(path, entry(serial=7))
    assert json.loads(path.read_bytes().split(b"\n")[1])["serial"] == 7


def _add_many(path: Path, first: int) -> None:
    for serial in range(first, first + 25):
        add(path, entry(serial=serial))


def test_several_may_add_at_once(tmp_path: Path) -> None:
    path = tmp_path / "revocations.jsonl"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add_many, args=(path, 1 + 25 * number)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(60)
        assert worker.exitcode == 0
    assert len(Revocations.load(path)) == 100


def test_where_nothing_can_be_written_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="was not written"):
        add(tmp_path / "missing" / "file", entry(serial=7))


def test_time_is_rfc_3339() -> None:
    assert now(lambda: 1_800_000_000.9) == "2027-01-15T08:00:00Z"


@given(st.binary(max_size=200))
def test_noise_in_the_file_is_a_bad_file_or_empty(tmp_path_factory: pytest.TempPathFactory, noise: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "noise.jsonl"
    path.write_bytes(noise)
    try:
        assert len(Revocations.load(path)) == 0
    except BadFile as refused:
        assert refused.problems  # noqa: PT017  (only when it is raised)
