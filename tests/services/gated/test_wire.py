"""The units, with real bash, dash and busybox ash: what is sent is what runs, and nothing else ever does."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bastion.analysis.printer import quote
from bastion.session.gated import wire
from bastion.session.gated.boot import Kind
from bastion.session.gated.markers import Prompt
from tests.services.gated.target import SHELLS, Target, started


@pytest.fixture(params=SHELLS)
def target(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Target]:
    """Each of the shells, at its first prompt."""
    with started(request.param, tmp_path) as made:
        yield made


@pytest.fixture
def bash(tmp_path: Path) -> Iterator[Target]:
    with started("bash", tmp_path) as made:
        yield made


def canary(target: Target) -> Path:
    return target.home / "canary"


# -- a shell like any other


def test_what_a_unit_leaves_behind_the_next_one_finds(target: Target) -> None:
    """Directory, variables, functions, options, status: it is one shell all along."""
    assert target.run("cd / && x=5 && f() { echo f:$x:$1; return 3; }").directory == b"/"
    assert target.run("f a").status == 3
    assert target.lines == ["f:5:a"]
    target.run("echo $?; set -f; echo *")
    assert target.lines == ["3", "*"]
    target.run("cd /tmp; cd -")
    assert target.prompts[-1].directory == b"/"


def test_status_is_the_commands(target: Target) -> None:
    assert target.run("false").status == 1
    assert target.run("nosuchprogram").status == 127
    assert target.run("true").status == 0
    assert target.run("sh -c 'kill -9 $$'").status == 128 + 9
    assert target.run("(exit 42)").status == 42
    target.run("echo $?")
    assert target.lines == ["42"]


@pytest.mark.parametrize(
    "broken", ["echo 'a", 'echo "a', "if", "for", "echo $(", "a ;; b", "case x in", "}", "echo ${x", "f() {"]
)
def test_what_does_not_parse_fails_alone(target: Target, broken: str) -> None:
    assert target.run(broken).status != 0
    assert target.run("echo fine").status == 0
    assert target.lines == ["fine"]


@pytest.mark.parametrize(
    "failing", ["echo ${x?gone}", "echo $((1/0))", ". /nosuch", "readonly r=1; r=2", "shift 9", "exec nosuch"]
)
def test_what_fails_does_not_end_the_shell(target: Target, failing: str) -> None:
    if failing == "exec nosuch" and target.kind is Kind.POSIX:
        target.send(failing)  # POSIX lets a failed exec end the shell, and dash and ash do
        assert target.until_ended() != 0
        return
    assert target.run(failing).status != 0
    assert target.run("echo fine").status == 0


@pytest.mark.parametrize("before", ["set -u", "unset PWD; set -u", "unset IFS; set -u", "set -f", "set -a", "set -C"])
def test_options_that_a_unit_sets_do_not_stop_the_next_one(target: Target, before: str) -> None:
    target.run(before)
    assert target.run("echo fine").status == 0
    assert target.lines == ["fine"]


def test_a_text_arrives_byte_for_byte(target: Target) -> None:
    """Newlines, quotes, backslashes, percent signs, bytes that are no text, and many of them."""
    every = bytes(byte for byte in range(1, 256) if byte not in b"\r") * 100
    number = target.send(b"printf %s " + quote(every) + b" > every")
    assert target.until_prompt(number).status == 0
    assert (target.home / "every").read_bytes() == every
    target.run("cat <<E\n$HOME\n  it's \\$x\nE")
    assert target.lines == [str(target.home), "  it's $x"]


def test_standard_input_is_the_terminal(target: Target) -> None:
    number = target.send("read y; echo got:$y; tty")
    target.keys(b"hello\n")
    target.until_prompt(number)
    assert "got:hello" in target.lines
    assert any(line.startswith("/dev/pts/") for line in target.lines)


def test_a_program_has_the_terminal_to_itself(target: Target) -> None:
    """A read-eval-print loop takes what is typed ahead, line for line, and the prompt comes when it ends."""
    number = target.send("python3 -q")
    target.keys(b"print(6*7)\nimport sys\nprint(sys.stdin.isatty())\n")
    target.until_shown(b"True\r\n>>> ")
    target.keys(b"\x04")
    assert target.until_prompt(number).status == 0
    assert "42" in target.lines
    assert "True" in target.lines


def test_exit_ends_the_shell_with_its_status(target: Target) -> None:
    target.send("exit 3")
    assert target.until_ended() == 3


def test_the_end_of_the_command_channel_ends_the_shell(target: Target) -> None:
    assert target.feeder is not None
    target.feeder.kill()
    target.until_ended()


def test_a_window_change_reaches_the_program(target: Target) -> None:
    target.resize(101, 41)
    target.run("stty size")
    assert target.lines == ["41 101"]
    number = target.send(
        "python3 -c '\nimport os, signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, {28})\n"
        'print("at work", flush=True)\nsignal.sigwait({28})\nprint(os.get_terminal_size(0))\''
    )
    target.until_shown(b"at work")
    target.resize(90, 30)
    target.until_prompt(number)
    assert target.lines == ["at work", "os.terminal_size(columns=90, lines=30)"]


# -- signals and jobs


@pytest.mark.parametrize(
    "text", ["sleep 60; echo next", "while :; do :; done; echo next", "for i in 1 2 3; do sleep 60; done; echo next"]
)
def test_an_interrupt_ends_the_line_and_not_the_shell(target: Target, text: str) -> None:
    number = target.send(f"sh -c 'echo at work'; {text}")
    target.until_shown(b"at work")
    target.quiet(0.2)
    target.interrupt()
    assert target.until_prompt(number).status == 130
    assert "next" not in target.lines
    target.run("echo alive")
    assert target.lines == ["alive"]


def test_a_stopped_job_comes_back(target: Target) -> None:
    number = target.works("exec sleep 61")
    target.interrupt(b"\x1a")
    assert target.until_prompt(number).status == 128 + signal.SIGTSTP
    target.run("jobs")
    assert any("sleep 61" in line and "topped" in line for line in target.lines)
    number = target.send("fg")
    target.until_shown(b"sleep 61")
    assert target.interrupt_until(number).status == 130


def test_a_background_job_runs_on(target: Target) -> None:
    assert target.run("sleep 62 & echo started").status == 0
    target.run("jobs; kill %1; echo over")
    assert any("sleep 62" in line for line in target.lines)
    assert "over" in target.lines


# -- nothing unjudged


def test_what_is_typed_ahead_is_never_a_command(target: Target) -> None:
    """It waits in the terminal for the next program that reads."""
    number = target.works("sleep 0.3")
    target.keys(b"touch canary\n\x0ftouch canary\r\x04")
    target.until_prompt(number)
    target.run("true")
    number = target.send("cat")
    target.until_prompt(number)
    assert not canary(target).exists()
    assert "touch canary" in target.lines


def test_no_program_inherits_the_command_channel(target: Target) -> None:
    target.run("for f in /proc/self/fd/*; do readlink $f; done; ls -l /proc/self/fd | grep -c bastion")
    assert target.lines[-1] == "0"
    number = target.send("python3 -c 'import os; print(sorted(int(d) for d in os.listdir(\"/proc/self/fd\")))'")
    target.until_prompt(number)
    assert target.lines == ["[0, 1, 2, 3]"]


def test_the_nonce_is_given_to_no_program(target: Target) -> None:
    """Neither in its environment nor where everyone may read: the arguments of the shell and of who started it."""
    target.run("set -a" + ("; export PS1 PROMPT_COMMAND" if target.kind is Kind.BASH else ""))
    assert target.run("env; cat /proc/self/environ /proc/$$/environ /proc/$$/cmdline /proc/$PPID/cmdline").status == 0
    assert b"PATH=" in target.shown
    assert target.nonce.encode() not in target.shown


def test_the_fifo_is_gone_and_nobody_may_open_it(target: Target) -> None:
    assert [path.name for path in target.home.parent.iterdir() if path.name.startswith(".bastion")] == []
    channels = [
        entry for entry in Path(f"/proc/{target.process.pid}/fd").iterdir() if ".bastion-" in str(entry.readlink())
    ]
    assert channels
    assert {entry.stat().st_mode & 0o777 for entry in channels} == {0}


@pytest.mark.parametrize(
    "tampering",
    [
        "exec 10<&-",
        "exec 10</dev/tty",
        "exec 10<evil",
        "exec 11</dev/tty 10<&11",
        "exec 0<evil",
        "exec </dev/tty",
        "{ exec 10<&-; } 2>/dev/null",
    ],
)
def test_bash_ends_rather_than_read_from_elsewhere(bash: Target, tampering: str) -> None:
    """A unit that takes the command channel's descriptor away ends the shell, or changes nothing."""
    (bash.home / "evil").write_text("touch canary\n" * 3)
    bash.send(tampering)
    bash.keys(b"touch canary\n")
    bash.quiet(0.3)
    bash.keys(b"touch canary\n")
    if bash.ended or (bash.feeder is not None and bash.feeder.poll() is not None):
        bash.until_ended()
    bash.quiet(0.2)
    assert not canary(bash).exists()


@pytest.mark.parametrize("number", [10, 11, 12, 255])
def test_no_descriptor_leads_dash_or_ash_astray(target: Target, number: int) -> None:
    (target.home / "evil").write_text("touch canary\n" * 3)
    for text in (f"exec {number}<evil", f"exec {number}<&-", f"exec {number}</dev/tty"):
        if target.ended:
            break
        target.send(text)
        target.keys(b"touch canary\n")
        target.quiet(0.2)
    assert not canary(target).exists()


def test_what_reads_the_command_channel_makes_no_other_command_of_it(bash: Target) -> None:
    """A trap runs while the shell waits for a command, with the channel as its standard input."""
    bash.run("trap 'head -c 100 > taken' USR1")
    os.kill(bash.process.pid, signal.SIGUSR1)
    bash.quiet(0.3)
    bash.send(b"echo " + quote(b"'; touch canary; '" * 20))
    bash.quiet(0.3)
    bash.write(wire.again(bash.number) * 2)
    assert bash.until_prompt(bash.number).status == 125
    assert (bash.home / "taken").stat().st_size == 100
    assert not canary(bash).exists()
    assert bash.run("echo fine").status == 0


PAYLOADS = [
    b"'; touch canary; '",
    b"\ntouch canary\n",
    b"' <>x; touch canary #",
    b"$(touch canary)",
    b"x; touch canary; ",
]


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payloads=st.lists(st.sampled_from(PAYLOADS), min_size=2, max_size=2),
    cuts=st.lists(st.floats(0, 1), min_size=2, max_size=6),
)
def test_whatever_is_lost_of_the_stream_no_other_command_runs(
    target: Target, payloads: list[bytes], cuts: list[float]
) -> None:
    """Any stretches of two units are taken away: a whole unit runs, or none."""
    stream = b""
    for payload in payloads:
        target.number += 1
        stream += wire.unit(target.kind, target.number, b"echo " + quote(payload * 2))
    places = sorted(int(cut * len(stream)) for cut in cuts)
    kept = b"".join(stream[a:b] for a, b in zip([0, *places[1::2]], [*places[::2], len(stream)], strict=False))
    target.shown = b""
    target.write(kept + b"\n\n" + wire.again(target.number))
    target.until_prompt(target.number)
    assert not canary(target).exists()
    assert target.run("echo fine").status == 0


def _plainly(word: bytes) -> bytes:
    """As most would quote it."""
    return b"'" + word.replace(b"'", b"'\\''") + b"'"


def test_a_quoted_text_would_run_what_it_hides(target: Target) -> None:
    """What the test above is about: a line without its beginning."""
    line = b"eval " + _plainly(b"'echo' " + _plainly(PAYLOADS[0]))
    target.write(line[line.index(b"touch") :] + b"\n\n")
    target.quiet(0.5)
    assert canary(target).exists()


@pytest.mark.parametrize(
    "definition",
    [
        "alias eval=true printf=true command=true",
        "printf() { echo touch canary; }",
        "alias printf='echo touch canary;'",
        "IFS=x",
    ],
)
def test_what_a_unit_defines_does_not_change_what_the_next_one_is(target: Target, definition: str) -> None:
    target.run(definition)
    target.send("echo fine > fine")
    target.quiet(0.3)
    target.write(wire.again(target.number))
    target.until_prompt(target.number)
    assert (target.home / "fine").read_text() == "fine\n"
    assert not canary(target).exists()


@pytest.mark.parametrize(
    "text", [b"__bastion() { :; }", b"x=1; __bastion_unit=evil", b"unset '__bastion_tty'", b"__=1", b"read '__b'"]
)
def test_reserved_names_make_no_unit(text: bytes) -> None:
    for kind in Kind:
        with pytest.raises(wire.NotAUnit):
            wire.unit(kind, 1, text)


def test_a_nul_makes_no_unit() -> None:
    with pytest.raises(wire.NotAUnit):
        wire.unit(Kind.BASH, 1, b"a\0b")


def test_a_unit_is_one_line_of_the_bastions_own_words() -> None:
    """Nothing of the text stands in it but as escapes."""
    for kind in Kind:
        line = wire.unit(kind, 7, b"echo 'a\nb' \xff").split(b"\n")[0]
        code = rb"(?:\\\\(?:x[0-9a-f]{2}|0[0-7]{3}))+"
        assert re.fullmatch(rb"\\__bastion 7 1[0-9]{7} " + code + rb" 7; \\eval \$__bastion_eval", line)


def test_a_marker_that_a_program_prints_is_output(target: Target) -> None:
    fake = "\\033]7777;{};prompt;999;0\\007/\\033]7777;{};at\\007# \\033]7777;{};end\\007"
    target.run("printf '" + fake.replace("{}", "0" * 32) + "'")
    assert target.shown.count(b"\x1b]7777;") == 3


def test_a_stolen_nonce_ends_the_running_state_early_and_opens_nothing(target: Target) -> None:
    """The terminal's keys stay the program's, and the marker that comes later is dropped."""
    fake = "\\033]7777;{};prompt;1;0\\007/\\033]7777;{};at\\007# \\033]7777;{};end\\007".replace("{}", target.nonce)
    number = target.send(f"printf '{fake}'; cat")
    assert target.until_prompt(number) == Prompt(1, 0, b"/", b"# ")
    target.keys(b"touch canary\n\x04")
    assert target.run("true").number == 2
    assert not canary(target).exists()
