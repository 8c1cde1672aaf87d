"""bastion grants: those in force, and taking one back."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.characters import hidden
from tests.adapters.cli_house import Line, line


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    async with line(tmp_path, capsys) as made:
        yield made


async def test_grants_are_listed_and_revoked(cli: Line) -> None:
    told = await cli.run("grants", "list")
    assert told.out.splitlines()[1].split()[:4] == ["grant-acme", "live", "agent-1", "restarts"]
    assert not any(hidden(one) for one in told.out.splitlines())
    told = await cli.run("grants", "revoke", "grant-acme")
    assert (told.status, told.out) == (0, "grant-acme: revoked: restarts for agent-1\n")
    assert (await cli.run("grants", "list")).err == "none\n"
    assert [one["why"][:7] for one in (await cli.run("grants", "list", "--all", "--json")).json] == ["revoked"]
    assert [one["action"] for one in cli.api.audit.told] == ["revoke-grant"]


async def test_why_a_grant_is_revoked_is_told_and_in_the_trail(cli: Line) -> None:
    told = await cli.run("grants", "revoke", "grant-acme", "--reason", "an incident", "--json")
    assert told.json["why"].endswith(": an incident")
    ((action, on, reason),) = [(one["action"], one["on"], one["reason"]) for one in cli.api.audit.told]
    assert (action, on, reason) == ("revoke-grant", "grant-acme", "an incident")
    assert (await cli.run("grants", "revoke", "grant-acme", "--reason", "")).status == 2


@pytest.mark.parametrize(
    ("words", "who", "status"),
    [
        (("revoke", "grant-other"), None, 3),
        (("revoke", "a/b"), None, 3),
        (("revoke", "grant-acme"), "rev@demo", 4),
        (("list",), "audit@demo", 4),
        (("revoke",), None, 2),
    ],
)
async def test_what_is_not_there_or_not_for_them(
    cli: Line, words: tuple[str, ...], who: str | None, status: int
) -> None:
    assert (await cli.run("grants", *words, who=who)).status == status
    assert cli.api.deciding.granted["grant-acme"].ended is None
