"""The demo's people on the command line: each by the demo's issuer, with what the demo's settings give their group."""

from __future__ import annotations

import argparse
import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.app import Bound
from bastion.cli import calling, demo_shown, main
from bastion.demo.demo import PEOPLE, Demo

ALL = ["approver", "auditor", "operator", "viewer"]

pytestmark = pytest.mark.system


@pytest.fixture
async def demo(tmp_path: Path) -> AsyncIterator[Demo]:
    made = Demo(tmp_path / "demo")
    await made.start()
    yield made
    await made.stop()


async def run(demo: Demo, *words: str) -> int:
    return await asyncio.to_thread(main, [*words, "--dir", str(demo.folder)])


async def test_a_person_is_who_the_issuer_says(demo: Demo, capsys: pytest.CaptureFixture[str]) -> None:
    """The approver is an auditor, too, so reads the trail. The agent is none of these people."""
    parser = argparse.ArgumentParser()
    calling.configure(parser)
    for who, roles in (("rev@demo", ["approver", "auditor", "viewer"]), ("ops@demo", ALL)):
        asked = parser.parse_args(["--dir", str(demo.folder), "--as", who])
        me = await asyncio.to_thread(_me, asked)
        assert (me["identity"], me["roles"], me["how"]) == (who, roles, "token")
        assert await run(demo, "audit", "search", "--json", "--as", who) == 0
        assert isinstance(json.loads(capsys.readouterr().out), list)
    assert await run(demo, "audit", "tail", "--as", "agent@demo") == 3


async def test_credentials_of_an_earlier_demo_are_replaced(tmp_path: Path) -> None:
    demo, again = Demo(tmp_path / "demo"), Demo(tmp_path / "demo")
    await demo.start()
    before = {path.name: path.read_text() for path in (demo.folder / "people").iterdir()}
    assert set(before) == set(PEOPLE)
    await demo.stop()
    await again.start()
    try:
        after = {path.name: path.read_text() for path in (demo.folder / "people").iterdir()}
        assert {name for name in after if after[name] == before[name]} == set()
        assert await run(again, "audit", "tail", "--as", "rev@demo") == 0
    finally:
        await again.stop()


def _me(asked: argparse.Namespace) -> dict[str, object]:
    with calling.bastion(asked) as bastion:
        return bastion.get("/v1/me")


def test_what_to_try_names_the_console_and_the_approver(tmp_path: Path) -> None:
    told = demo_shown.what_to_try(Demo(tmp_path), Bound((("127.0.0.1", 1),), ("127.0.0.1", 8022)))
    assert "http://127.0.0.1:8022/" in told
    assert f"bastion approvals approve ID --dir {tmp_path} --as rev@demo" in told
