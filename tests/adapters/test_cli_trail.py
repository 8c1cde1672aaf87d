"""bastion audit tail and search: what is sought is what the API is asked for, and events are told inert."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bastion.api.searching import Page
from bastion.audit.search import Sought
from bastion.characters import hidden
from bastion.cli import trail
from tests.adapters.cli_house import Line, line

JUDGED = {
    "seq": 7, "time": "2027-01-15T08:00:01.000000Z", "kind": "command-judged", "tenant": "acme",
    "identity": "agent-1", "target": "web-1", "account": "deploy", "text": "echo \x1b[2J\u202e", "effect": "deny",
    "rule": "never",
}  # fmt: skip


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    async with line(tmp_path, capsys) as made:
        made.api.searches.events.insert(0, dict(JUDGED))
        yield made


async def test_events_are_told_inert_and_whole_as_json(cli: Line) -> None:
    told = await cli.run("audit", "search")
    assert (
        "2027-01-15T08:00:01  command-judged  agent-1  deploy@web-1  deny (never): echo \\x1b[2J\\u{202e}" in told.out
    )
    assert not any(hidden(one) for one in told.out.splitlines())
    assert [one["seq"] for one in (await cli.run("audit", "search", "--json")).json] == [7, 1]


async def test_what_is_sought_is_what_the_bastion_is_asked_for(cli: Line) -> None:
    words = ("--kind", "k", "--identity", "i", "--target", "t", "--session", "s", "--text", "x")
    since = ("--since", "2027-01-15T08:00:00Z", "--until", "2027-01-15T09:00:00+00:00")
    assert (await cli.run("audit", "search", *words, *since)).status == 0
    assert cli.api.searches.asked[-1] == Sought("acme", "k", "i", "t", "s", 1_800_000_000.0, 1_800_003_600.0, "x")
    assert (await cli.run("audit", "search", "--since", "yesterday")).status == 2
    assert (await cli.run("audit", "search", who="rev@demo")).status == 4


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, None),
        ("2h", "2027-01-15T06:00:00.000Z"),
        ("90s", "2027-01-15T07:58:30.000Z"),
        ("1d", "2027-01-14T08:00:00.000Z"),
        ("2027-01-01T00:00:00Z", "2027-01-01T00:00:00Z"),
        ("2w", "2w"),
    ],
)
def test_a_span_is_a_time_so_long_ago(text: str | None, told: str | None) -> None:
    assert trail.moment(text, 1_800_000_000.0) == told


async def test_a_search_that_takes_long_goes_on_and_says_so(cli: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int | None] = []

    async def search(_: Sought, before: int | None, __: int) -> Page:
        asked.append(before)
        return Page((), 500, False) if before is None else Page((JUDGED,), None, True)

    monkeypatch.setattr(cli.api.searches, "search", search)
    told = await cli.run("audit", "search", "--json")
    assert (asked, [one["seq"] for one in told.json]) == ([None, 500], [7])
    assert "looking further back" in told.err


async def test_tail_tells_the_oldest_first_and_with_follow_each_new_event_once(
    cli: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = await cli.run("audit", "tail")
    assert [row.split()[1] for row in told.out.splitlines()] == ["admitted", "command-judged"]
    rounds: list[float] = []

    def more(seconds: float) -> None:
        rounds.append(seconds)
        if len(rounds) == 2:
            raise KeyboardInterrupt
        events: list[dict[str, Any]] = cli.api.searches.events
        events.insert(0, {**JUDGED, "seq": 8, "kind": "admitted"})

    monkeypatch.setattr("bastion.cli.trail.time.sleep", more)
    told = await cli.run("audit", "tail", "-f")
    assert told.status == 130
    assert [row.split()[1] for row in told.out.splitlines()] == ["admitted", "command-judged", "admitted"]
    assert cli.api.searches.asked[-1].since == 1_800_000_001.0
    assert rounds == [trail.EVERY] * 2
