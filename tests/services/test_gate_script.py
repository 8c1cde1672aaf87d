"""The gate and scripts on standard input: read where that is all that is missing, judged, told, and never both ways."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from bastion.errors import Denied, InputRefused, Interrupted, NotRecorded, TargetDown
from bastion.policy import loader
from tests.services.gate_house import House, asked
from tests.services.test_gate_login_shell import unnamed

POLICY = """\
version: 1
rules:
  - id: look
    effect: allow
    who: {groups: [agents]}
    where: {targets: [web-1], accounts: [deploy]}
    commands: ["uptime", "echo **", "bash -s **", "bash", "sh", "python3 -"]
  - {id: never, effect: deny, commands: ["reboot **"]}
  - {id: select, effect: allow, commands: [psql], sql: [select]}
"""
NO_SHELLS = """\
version: 1
rules:
  - {id: look, effect: allow, who: {groups: [agents]}, commands: [uptime]}
  - {id: never, effect: deny, commands: [sh]}
"""
STREAM = """
  - {id: stream, effect: allow, commands: ["bash -s **"], interactive: true}
"""


class Stdin:
    """A client's standard input: what `whole` gives, or fails with."""

    def __init__(self, script: bytes | Exception) -> None:
        self.script = script
        self.read = 0

    async def whole(self, limit: int) -> bytes:
        assert limit == 8192
        self.read += 1
        await asyncio.sleep(0)
        if isinstance(self.script, Exception):
            raise self.script
        return self.script


@pytest.fixture
def house(tmp_path: Path) -> House:
    made = House(tmp_path)
    use(made, tmp_path, POLICY)
    return made


def use(house: House, folder: Path, policy: str) -> None:
    (folder / "policy.yaml").write_text(policy)
    house.tenant.policy = loader.load(folder)


@pytest.mark.parametrize("text", [b"bash -s", b"bash", b"bash -s -- one", b"sh"])
async def test_a_script_of_allowed_commands_is_allowed_and_printed(house: House, text: bytes) -> None:
    """What is sent has the script in it, quoted; the client's own bytes are not to be sent; the trail has both."""
    stdin = Stdin(b"uptime\necho  two   words\n")
    allowed = await house.gate.judge(await house.context(), asked(text, stdin=stdin))
    assert allowed.input_used
    assert allowed.runs is not None
    assert b"words" in allowed.runs
    assert b"two   words" not in allowed.runs
    event = house.trail.events[-1]
    assert getattr(event, "script", None) == stdin.script
    assert getattr(event, "runs", None) == allowed.runs


@pytest.mark.parametrize(
    ("script", "rule"),
    [
        (b"uptime\nreboot\n", "never"),
        (b"uptime; id\n", "default"),
        (b"echo $(\n", "undecidable"),
        (b"echo \xff\n", "undecidable"),
        (b"echo a\0b\n", "undecidable"),
        (b"$x\n", "undecidable"),
        (b"bash\n", "undecidable"),
        (b"(" * 8192, "undecidable"),
    ],
)
async def test_any_other_script_is_denied(house: House, script: bytes, rule: str) -> None:
    with pytest.raises(Denied) as caught:
        await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(script)))
    assert caught.value.rule == rule
    event = house.trail.events[-1]
    assert (getattr(event, "script", None), getattr(event, "runs", b"")) == (script, None)


async def test_literal_sql_is_judged_too(house: House) -> None:
    context = await house.context()
    assert (await house.gate.judge(context, asked(b"psql", stdin=Stdin(b"SELECT 1;\n")))).input_used
    with pytest.raises(Denied):
        await house.gate.judge(context, asked(b"psql", stdin=Stdin(b"DROP TABLE t;\n")))


@pytest.mark.parametrize("text", [b"python3 -", b"bash -s | bash", b"reboot; bash -s", b"cat; python3 -"])
async def test_what_is_no_shell_or_is_doubtful_anyway_is_denied_unread(house: House, text: bytes) -> None:
    stdin = Stdin(b"uptime\n")
    with pytest.raises(Denied):
        await house.gate.judge(await house.context(), asked(text, stdin=stdin))
    assert stdin.read == 0


@pytest.mark.parametrize(
    ("text", "rule"),
    [(b"bash -s", "default"), (b"sh", "never"), (b"reboot; bash -s", "default")],
)
async def test_nobody_waits_for_a_script_that_could_not_help(
    house: House, tmp_path: Path, text: bytes, rule: str
) -> None:
    """What is denied with an empty script is with any other; the reason is that one's, and no script is told."""
    use(house, tmp_path, NO_SHELLS)
    stdin = Stdin(b"uptime\n")
    with pytest.raises(Denied) as caught:
        await house.gate.judge(await house.context(), asked(text, stdin=stdin))
    assert (caught.value.rule, stdin.read) == (rule, 0)
    assert "script" not in house.trail.events[-1].record()


@pytest.mark.parametrize("text", [b"uptime", b"echo hello", b"bash -c uptime"])
async def test_what_reads_no_script_keeps_its_standard_input(house: House, tmp_path: Path, text: bytes) -> None:
    use(house, tmp_path, POLICY.replace("bash -s **", "bash **"))
    stdin = Stdin(b"uptime\n")
    allowed = await house.gate.judge(await house.context(), asked(text, stdin=stdin))
    assert (stdin.read, allowed.input_used) == (0, False)


async def test_a_rule_that_lets_commands_be_taken_streams_as_ever(house: House, tmp_path: Path) -> None:
    use(house, tmp_path, POLICY + STREAM)
    stdin = Stdin(b"reboot\n")
    allowed = await house.gate.judge(await house.context(), asked(b"bash -s", stdin=stdin))
    assert (stdin.read, allowed.input_used, allowed.runs) == (0, False, b"'bash' '-s'")


async def test_on_a_terminal_nothing_is_read(house: House) -> None:
    stdin = Stdin(b"uptime\n")
    with pytest.raises(Denied):
        await house.gate.judge(await house.context(), asked(b"bash -s", terminal=True, stdin=stdin))
    assert stdin.read == 0


async def test_one_that_can_not_be_read_whole_is_denied_and_says_why(house: House) -> None:
    stdin = Stdin(InputRefused("longer than 8192 bytes"))
    with pytest.raises(Denied, match="longer than 8192 bytes") as caught:
        await house.gate.judge(await house.context(), asked(b"bash -s", stdin=stdin))
    assert caught.value.rule == "undecidable"
    assert house.trail.kinds == ["admitted", "command-judged"]


@pytest.mark.parametrize("fault", [Interrupted("INT"), ConnectionError("the client closed the channel")], ids=str)
async def test_a_session_that_ends_meanwhile_is_told_with_its_command(house: House, fault: Exception) -> None:
    with pytest.raises(type(fault)):
        await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(fault)))
    event = house.trail.events[-1]
    assert (event.kind, getattr(event, "effect", ""), getattr(event, "rule", "")) == (
        "command-judged",
        "deny",
        "unjudged",
    )


async def test_one_that_ends_because_nothing_can_be_recorded_is_not_told(house: House) -> None:
    with pytest.raises(NotRecorded):
        await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(NotRecorded("full"))))


async def test_a_revocation_while_it_is_read_is_seen(house: House) -> None:
    class Revoking(Stdin):
        async def whole(self, limit: int) -> bytes:
            house.revoke()
            return await super().whole(limit)

    with pytest.raises(Denied, match="revoked"):
        await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Revoking(b"uptime\n")))


# -- observed only


OBSERVED = POLICY.replace("rules:", "mode: observe\nrules:", 1)


async def test_observed_it_runs_as_it_would_if_enforced(house: House, tmp_path: Path) -> None:
    use(house, tmp_path, OBSERVED)
    allowed = await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(b"uptime\n")))
    assert (allowed.input_used, allowed.decision.rule) == (True, "look")
    allowed = await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(b"reboot\n")))
    assert (allowed.input_used, allowed.decision.rule) == (True, "observe")


@pytest.mark.parametrize("script", [InputRefused("too long"), b"echo $("], ids=["too long", "unreadable"])
async def test_observed_what_can_not_be_judged_streams_as_it_came(
    house: House, tmp_path: Path, script: bytes | Exception
) -> None:
    use(house, tmp_path, OBSERVED)
    allowed = await house.gate.judge(await house.context(), asked(b"bash -s", stdin=Stdin(script)))
    assert (allowed.input_used, allowed.runs, allowed.decision.rule) == (False, b"'bash' '-s'", "observe")


# -- with a login shell that has to be asked for


async def test_the_script_is_read_once_and_before_anyone_is_asked(house: House) -> None:
    stdin = Stdin(b"uptime\n")
    allowed = await house.gate.judge(await unnamed(house), asked(b"bash -s", stdin=stdin))
    assert (allowed.input_used, stdin.read, house.shells.asked) == (True, 1, 1)


async def test_a_script_that_is_denied_asks_nobody(house: House) -> None:
    with pytest.raises(Denied):
        await house.gate.judge(await unnamed(house), asked(b"bash -s", stdin=Stdin(b"reboot\n")))
    assert house.shells.asked == 0


async def test_a_target_that_is_down_then_is_told_as_ever(house: House) -> None:
    house.shells.answer = TargetDown("no answer")
    with pytest.raises(TargetDown):
        await house.gate.judge(await unnamed(house), asked(b"bash -s", stdin=Stdin(b"uptime\n")))
