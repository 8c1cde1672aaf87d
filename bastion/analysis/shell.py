"""What would this shell text do? Text to tree, tree to commands, and the tree back to the text that may run.

    guards   what is not parsed at all              read     text to tree, by an allow-list
    walk     tree to commands, shells' texts too    printer  tree to text, every literal quoted

Judge and printer read one tree, so what runs is what was judged, also where a parser reads a text otherwise than the
target's shell would. What has no place in the tree is undecidable; a text is never "no commands found, so fine".

Limits: this is about what a text says. What a program that it names does, is for its profile to know.
"""

from __future__ import annotations

import dataclasses

from bastion.analysis.bounds import MAX_FINDINGS
from bastion.analysis.command import Analysis, Command, Earlier, Finding, FindingKind
from bastion.analysis.guards import guard, guard_characters
from bastion.analysis.profiles import acts
from bastion.analysis.read import read
from bastion.analysis.read_words import Unreadable
from bastion.analysis.walk_commands import CommandWalk, printed_within_bounds

UNDECIDABLE = "undecidable"


def analyse(
    text: bytes,
    shell: str = "bash",
    terminal: bool = False,
    stdin: bytes | None = None,
    earlier: Earlier | None = None,
) -> Analysis:
    """What `text`, given to a login shell, would run. Never raises for any bytes; pure, and bounded (bounds.py).

    `shell` is the login shell's name: anything but "bash" (or "rbash", which only refuses more) gets what POSIX has,
    and the rest is undecidable. `terminal` says whether there is one: some programs take commands from it. `stdin` is
    all of the text's standard input, where it is known before anything runs: a script in it is judged with the text
    and printed into it (Analysis.stdin_used). `earlier`: the shell has read other texts before this one, and will read
    more.
    """
    shell = "bash" if shell == "rbash" else shell
    refused = guard(text)
    if refused is not None:
        return _unreadable(text, refused)
    walk = CommandWalk(shell, terminal, acts, stdin, earlier)
    analysis = _walked(text, shell, walk)
    if not walk.moves or analysis.unreadable is not None:
        return analysis
    again = CommandWalk(shell, terminal, acts, stdin, earlier)
    again.settle(walk)
    return _walked(text, shell, again)


def _walked(text: bytes, shell: str, walk: CommandWalk) -> Analysis:
    runs: bytes | None = None
    try:
        script = read(text, shell, walk.budget)
        if not script.items:
            raise Unreadable(0, len(text), "there is no command here")
        runs = printed_within_bounds(walk.script(script), 0, len(text), shell != "bash")
    except Unreadable as error:
        return _unreadable(text, Finding(error.start, error.end, error.reason), walk)
    hidden = guard_characters(runs)
    if hidden is not None:
        # Such as $'\x1b'. Who approves, or reads the audit trail, must be able to see what runs; and what is printed
        # must be decidable again, as the same commands.
        return _unreadable(text, Finding(0, len(text), f"an escape stands for {hidden.reason}"), walk)
    return _analysis(text, walk, tuple(walk.undecidable), runs)


def _unreadable(text: bytes, finding: Finding, walk: CommandWalk | None = None) -> Analysis:
    """What was found before is told: a rule that denies by category holds whatever else the text says."""
    if walk is None:
        return Analysis(text, (), (finding,), None, frozenset({UNDECIDABLE}))
    return _analysis(text, walk, (finding, *walk.undecidable), None)


def _analysis(text: bytes, walk: CommandWalk, undecidable: tuple[Finding, ...], runs: bytes | None) -> Analysis:
    analysis = Analysis(
        text,
        _called(walk.commands),
        undecidable[:MAX_FINDINGS],
        runs,
        frozenset(finding.category for finding in walk.findings),
        tuple(walk.sql),
        tuple(walk.findings),
        _wants_stdin(walk, undecidable),
        walk.stdin_used,
    )
    if analysis.unreadable is None and runs is not None:
        return analysis
    return dataclasses.replace(analysis, runs=None, categories=analysis.categories | {UNDECIDABLE}, stdin_used=False)


def _called(commands: list[Command]) -> tuple[Command, ...]:
    """Where anything is unset, no call is surely one of a function: it may run before that, or after."""
    if any(command.argv[:1] == (b"unset",) for command in commands):
        return tuple(dataclasses.replace(command, function=False) for command in commands)
    return tuple(commands)


def _wants_stdin(walk: CommandWalk, undecidable: tuple[Finding, ...]) -> bool:
    """Whether there is no doubt but that of the one program that asked for the text's standard input."""
    if walk.terminal or len(walk.asking) != 1 or len(undecidable) != 1:
        return False
    return undecidable[0].kind is FindingKind.TAKES_COMMANDS and undecidable[0].command == walk.asking[0]
