"""bastion approvals, and how every command reaches the bastion: by its socket, as whom, and with which exit status."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bastion.api import bounds
from bastion.approvals.ports import Change
from bastion.approvals.request import State
from bastion.approvals.told import TAKES_COMMANDS
from bastion.characters import hidden
from bastion.cli import calling
from bastion.config import DEFAULT_STATE
from tests.adapters.cli_house import Line, line
from tests.adapters.test_api_streams import until

ID = "request-acme"
SHOWN = "echo \\x1b[31m\\u{202e}<script>alert(1)</script>"


@pytest.fixture
async def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Line]:
    async with line(tmp_path, capsys) as made:
        yield made


async def test_what_waits_is_a_table_in_which_nothing_is_obeyed_by_a_terminal(cli: Line) -> None:
    told = await cli.run("approvals", "list")
    head, row = told.out.splitlines()
    assert head.split() == ["ID", "STATE", "WHO", "WHERE", "ASKED", "ENDS", "RULE", "WHAT"]
    assert row.split()[:4] == [ID, "pending", "agent-1", "deploy@web-1"]
    assert row.endswith(SHOWN)
    assert row.index("pending") == head.index("STATE")
    assert not any(hidden(one) for one in told.out.splitlines())


async def test_json_is_an_array_of_the_apis_objects(cli: Line) -> None:
    told = await cli.run("approvals", "list", "--json")
    _, body, _ = await cli.api.ask("acme:operators", "GET", f"/v1/approvals/{ID}")
    assert [one["id"] for one in told.json] == [ID]
    assert told.json[0]["asked"] == "2027-01-15T08:00:00.000Z"
    assert set(told.json[0]) == set(body) - {"past", "past_whole"}


async def test_what_is_settled_is_listed_when_it_is_asked_for(cli: Line) -> None:
    deciding = cli.api.deciding
    deciding.requests[ID] = dataclasses.replace(deciding.requests[ID], state=State.DENIED)
    told = await cli.run("approvals", "list")
    assert (told.status, told.out, told.err) == (0, "", "nothing waits\n")
    assert (await cli.run("approvals", "list", "--json")).json == []
    for words in (("--all",), ("--state", "denied")):
        assert [one["state"] for one in (await cli.run("approvals", "list", "--json", *words)).json] == ["denied"]


async def test_all_pages_are_asked_for_and_no_more_than_wanted(cli: Line) -> None:
    one = cli.api.deciding.requests[ID]
    for number in range(450):
        cli.api.deciding.requests[f"r{number}"] = dataclasses.replace(one, id=f"r{number}", asked=one.asked + number)
    assert len((await cli.run("approvals", "list", "--json", "-n", "10000")).json) == 451
    found = (await cli.run("approvals", "list", "--json", "-n", "201")).json
    assert [one["id"] for one in found] == [f"r{number}" for number in range(449, 248, -1)]


async def test_one_request_is_told_with_all_that_decides(cli: Line) -> None:
    told = await cli.run("approvals", "show", ID)
    for words in ("agent-1", "192.0.2.1", "deploy@web-1", SHOWN, "restarts (policy v1)", "a restart drops", "1 of sre"):
        assert words in told.out
    assert ["missing", "1"] in [row.split() for row in told.out.splitlines()]
    assert "may not decide: it takes someone of: sre" in told.out
    assert not any(hidden(one) for one in told.out.splitlines())
    assert (await cli.run("approvals", "show", ID, "--json")).json["id"] == ID


async def test_the_operator_is_told_who_may_decide(cli: Line) -> None:
    for verb in ("approve", "deny"):
        told = await cli.run("approvals", verb, ID)
        assert (told.status, told.out) == (4, "")
        assert "it takes someone of: sre" in told.err
        assert "--as PERSON" in told.err
        assert len(told.err.splitlines()) == 1


async def test_a_person_of_the_demo_approves(cli: Line) -> None:
    told = await cli.run("approvals", "approve", ID, "--comment", "go on", "--grant", who="rev@demo")
    assert (told.status, told.err) == (0, "")
    assert told.out == f"{ID}: approved: {SHOWN}\n"
    (vote,) = cli.api.deciding.requests[ID].votes
    assert (vote.person.name, vote.comment, vote.grant) == ("sre@acme", "go on", True)
    again = await cli.run("approvals", "approve", ID, who="rev@demo")
    assert (again.status, "approved already" in again.err, "--as" in again.err) == (4, True, False)


async def test_a_person_of_the_demo_denies_with_a_comment(cli: Line) -> None:
    told = await cli.run("approvals", "deny", ID, "--comment", "not\x1b[2J today", "--json", who="rev@demo")
    assert (told.status, told.json["state"], told.json["why"]) == (0, "denied", "not\\x1b[2J today")
    shown = await cli.run("approvals", "show", ID)
    assert "by sre@acme" in shown.out
    assert "\x1b" not in shown.out


@pytest.mark.parametrize(
    ("words", "who", "status", "told"),
    [
        (("approvals", "show", "nothere"), None, 3, "no such request"),
        (("approvals", "show", "request-other"), None, 3, "no such request"),
        (("approvals", "show", "../me"), None, 3, "no such id: ../me"),
        (("approvals", "show", ""), None, 3, "no such id"),
        (("approvals", "approve", "x\x1b[2J"), None, 3, "no such id: x\\x1b[2J"),
        (("approvals", "list"), "none@demo", 4, "approver"),
        (("approvals", "list"), "nobody@demo", 3, "there are: audit@demo, gone@demo, none@demo, rev@demo"),
        (("approvals", "list"), "../client/secret", 3, "no person"),
        (("approvals", "list"), "gone@demo", 1, "refused gone@demo: invalid_client"),
        (("approvals", "list", "-n", "0"), None, 2, "--limit"),
        (("approvals", "list", "-n", "many"), None, 2, "invalid int value"),
        (("approvals", "list", "--state", "lost"), None, 2, "invalid choice"),
    ],
)
async def test_what_is_wrong_is_one_line_and_a_status_of_its_own(
    cli: Line, words: tuple[str, ...], who: str | None, status: int, told: str
) -> None:
    found = await cli.run(*words, who=who)
    assert (found.status, found.out) == (status, "")
    assert told in found.err
    assert "Traceback" not in found.err
    assert "\x1b" not in found.err


async def test_of_several_tenants_one_must_be_named(cli: Line) -> None:
    told = await cli.run("approvals", "list", tenant=None)
    assert told.status == 2
    assert "(--tenant): acme, other" in told.err
    assert (await cli.run("approvals", "list", tenant="nil")).status == 3
    found = await cli.run("approvals", "list", "--json", tenant="other")
    assert [one["tenant"] for one in found.json] == ["other"]


async def test_the_socket_is_found_by_its_path_and_by_the_settings(cli: Line, tmp_path: Path) -> None:
    words = ("approvals", "list", "--json", "--tenant", "acme")
    assert (await cli.bare(*words, "--socket", str(cli.api.socket))).status == 0
    settings = tmp_path / "bastion.yaml"
    settings.write_text("version: 1\n")
    told = await cli.bare(*words, "--config", str(settings))
    assert (told.status, "missing key 'ssh'" in told.err) == (1, True)
    assert calling.DEFAULT.parent == DEFAULT_STATE
    assert (await cli.bare(*words, "--socket", "/x", "--dir", "/y")).status == 2


async def test_as_is_for_the_demo_alone(cli: Line) -> None:
    told = await cli.bare("approvals", "list", "--socket", str(cli.api.socket), "--as", "rev@demo")
    assert (told.status, "--dir" in told.err) == (2, True)


@pytest.mark.parametrize("there", [False, True])
async def test_without_a_bastion_it_says_what_to_look_at(cli: Line, tmp_path: Path, there: bool) -> None:
    """No socket at all, or one that a killed bastion left."""
    path = tmp_path / "state" / "bastion.sock"
    if there:
        path.parent.mkdir()
        path.touch()
    told = await cli.bare("approvals", "list", "--socket", str(path))
    assert (told.status, "no bastion listens at" in told.err) == (1, True)


async def test_somebody_else_is_told_that_it_is_not_for_them(cli: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bastion.api.unix.peer", lambda _: None)
    told = await cli.run("approvals", "list")
    assert (told.status, "not one who may use it" in told.err) == (1, True)


async def test_a_folder_with_a_long_name_is_no_hindrance(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    async with line(deep, capsys) as cli:
        assert (await cli.run("approvals", "list")).status == 0


async def test_show_says_that_what_runs_takes_commands_itself(cli: Line) -> None:
    requests = cli.api.deciding.requests
    assert TAKES_COMMANDS not in (await cli.run("approvals", "show", ID)).out
    requests[ID] = dataclasses.replace(requests[ID], takes_commands=True)
    assert TAKES_COMMANDS in (await cli.run("approvals", "show", ID)).out


async def test_watch_goes_on_when_the_bastion_is_there_again(cli: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """It says so on stderr, and tells what came meanwhile."""
    monkeypatch.setattr("bastion.cli.approvals._AGAIN", 0.01)
    deciding = cli.api.deciding
    async with cli.begun("approvals", "watch") as watching:
        await watching.until(f"{ID} pending, 1 missing")
        await cli.api.api.stop()
        await watching.until("trying again")
        deciding.requests["another"] = dataclasses.replace(deciding.requests[ID], id="another")
        cli.api.streams._stopped = False
        await cli.api.api.start_socket(cli.api.socket)
        await watching.until("another pending")
        await watching.until("connected again")
    assert watching.out.count(ID) == 1


async def test_watch_loses_nothing_between_two_streams_of_which_the_first_told_nothing(
    cli: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bastion.cli.approvals._AGAIN", 0.01)
    deciding, streams = cli.api.deciding, cli.api.streams
    async with cli.begun("approvals", "watch") as watching:
        await watching.until(f"{ID} pending, 1 missing")
        with monkeypatch.context() as aged:
            aged.setattr(bounds, "STREAM_AGE", 0.0)
            streams.wake()
            await until(lambda: len(streams) == 0)
            deciding.requests["another"] = dataclasses.replace(deciding.requests[ID], id="another")
            cli.api.feed.changed([Change(1, "acme", "request", "another")])
        await watching.until("another pending")
    assert watching.out.count(ID) == 1


async def test_watch_tells_what_waits_and_each_change_until_the_bastion_ends(
    cli: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    deciding = cli.api.deciding
    async with cli.begun("approvals", "watch") as watching:
        await watching.until(f"{ID} pending, 1 missing")
        deciding.requests["another"] = dataclasses.replace(deciding.requests[ID], id="another")
        cli.api.feed.changed([Change(1, "acme", "request", "another"), Change(2, "acme", "grant", "g")])
        await watching.until("another pending")
        deciding.requests["another"] = dataclasses.replace(deciding.requests["another"], state=State.USED)
        cli.api.feed.changed([Change(3, "acme", "request", "another"), Change(4, "acme", "request", "forgotten")])
        out = await watching.until("another used")
        monkeypatch.setattr("bastion.cli.approvals.GIVES_UP", 0.0)
        await cli.api.api.stop()
        assert await watching.end() == 1
    assert out.count(ID) == 1
    assert not any(hidden(one) for one in out.splitlines())


async def test_every_command_shows_an_example(cli: Line) -> None:
    for group, actions in {
        "approvals": ("list", "show", "approve", "deny", "watch"),
        "sessions": ("list", "show", "watch", "kill"),
        "recordings": ("list", "play", "export", "verify"),
        "grants": ("list", "revoke"),
        "audit": ("tail", "search"),
    }.items():
        assert "examples:" in (await cli.bare(group, "--help")).out
        for action in actions:
            told = await cli.bare(group, action, "--help")
            assert (told.status, f"example: bastion {group} {action}" in told.out) == (0, True), action
