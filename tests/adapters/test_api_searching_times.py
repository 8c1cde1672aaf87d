"""Attacks on the search of the trail: a time that no calendar has is the asker's mistake and nobody's failure."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.api.searching import Searching
from tests.adapters.api_house import house


@pytest.fixture
async def searching(tmp_path: Path) -> AsyncIterator[Searching]:
    made = Searching(tmp_path / "audit.jsonl")
    (tmp_path / "audit.jsonl").write_bytes(b'{"tenant":"acme","time":"2026-01-31T12:00:00.000000Z","kind":"x"}\n')
    yield made
    await made.stop()


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00%2B23:59", "9999-12-31T23:59:59-23:59"])
@pytest.mark.parametrize("name", ["since", "until"])
async def test_a_moment_out_of_the_calendar(name: str, moment: str, searching: Searching, tmp_path: Path) -> None:
    async with house(tmp_path, searches=searching) as api:
        status, _, _ = await api.ask("acme:auditors", "GET", f"/v1/audit?{name}={moment}")
        assert status in (200, 400)
