"""Recordings over HTTP: the bytes of the file and no others, ranges of them, and whether they are what was recorded."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.errors import NotRecorded
from tests.adapters.api_house import House, house

CAST = "/v1/recordings/past-acme/cast"
BODY = bytes(range(256)) * 1000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[House]:
    async with house(tmp_path) as made:
        file(made).write_bytes(BODY)
        yield made


def file(api: House) -> Path:
    return api.folder / "recordings/acme/2027/01/15/past-acme.cast"


async def get(api: House, span: str | None = None) -> tuple[int, bytes, dict[str, str]]:
    headers = {"Authorization": "Bearer acme:auditors", **({} if span is None else {"Range": span})}
    async with api.client.get(CAST, headers=headers) as answer:
        return answer.status, await answer.read(), dict(answer.headers)


@pytest.mark.parametrize(
    ("span", "start", "end"),
    [
        ("bytes=0-", 0, len(BODY)),
        ("bytes=0-0", 0, 1),
        ("bytes=10-19", 10, 20),
        ("bytes=100000-", 100_000, len(BODY)),
        ("bytes=-5", len(BODY) - 5, len(BODY)),
        ("bytes=-999999999", 0, len(BODY)),
        ("bytes=5-999999999", 5, len(BODY)),
    ],
)
async def test_a_range_is_what_was_asked_for(api: House, span: str, start: int, end: int) -> None:
    status, body, headers = await get(api, span)
    assert body == BODY[start:end]
    assert headers["Content-Length"] == str(end - start)
    whole = (start, end) == (0, len(BODY))
    assert status == (200 if whole else 206)
    assert headers.get("Content-Range") == (None if whole else f"bytes {start}-{end - 1}/{len(BODY)}")


@pytest.mark.parametrize("span", [None, "bytes=", "bytes=-", "bytes=0-1,3-4", "lines=1-2", "bytes=x-y", "bytes=٣-"])
async def test_what_is_no_single_range_is_the_whole(api: House, span: str | None) -> None:
    status, body, headers = await get(api, span)
    assert (status, body) == (200, BODY)
    assert headers["Content-Type"] == "application/x-asciicast"
    assert headers["Accept-Ranges"] == "bytes"
    assert [(one["action"], one["on"]) for one in api.audit.told] == [("replay", "past-acme")]


@pytest.mark.parametrize("span", ["bytes=9999999-", "bytes=5-4", "bytes=-0"])
async def test_a_range_that_there_is_not_is_refused(api: House, span: str) -> None:
    status, _, headers = await get(api, span)
    assert (status, headers["Content-Range"]) == (416, f"bytes */{len(BODY)}")


async def test_nothing_is_replayed_that_the_trail_can_not_tell_of(api: House) -> None:
    api.audit.error = NotRecorded("the disk is full")
    assert (await get(api))[0] == 503


async def test_a_recording_whose_file_is_gone_is_told_so(api: House) -> None:
    file(api).unlink()
    assert (await get(api))[0] == 409


async def test_a_recording_is_whole_when_the_trail_says_the_same(api: House, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(BODY).hexdigest()
    told: tuple[bool | None, str, int] = (True, digest, len(BODY))

    async def says(*_: str) -> tuple[bool | None, str, int]:
        return told

    monkeypatch.setattr(api.searches, "digest", says)
    verify = "/v1/recordings/past-acme/verify"
    _, answer, _ = await api.ask("acme:auditors", "POST", verify)
    same = {"sha256": digest, "size": len(BODY)}
    assert answer == {"session": "past-acme", "whole": True, "why": "", "file": same, "trail": same}
    found = await api.recordings.find("acme", "past-acme")
    assert (found.verified, found.whole) == (1_800_000_000.0, True)
    told = (True, digest, len(BODY) + 1)
    _, answer, _ = await api.ask("acme:auditors", "POST", verify)
    assert (answer["whole"], answer["why"]) == (False, "the file is not the one that was recorded")
    told = (False, "", 0)
    _, answer, _ = await api.ask("acme:auditors", "POST", verify)
    assert (answer["whole"], answer["trail"]) == (False, None)
    told = (None, "", 0)
    _, answer, _ = await api.ask("acme:auditors", "POST", verify)
    assert answer["whole"] is None
    file(api).unlink()
    told = (True, digest, len(BODY))
    _, answer, _ = await api.ask("acme:auditors", "POST", verify)
    assert (answer["whole"], answer["file"]) == (False, None)
    assert (await api.recordings.find("acme", "past-acme")).whole is False
