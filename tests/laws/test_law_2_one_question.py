"""Law 2: nothing unjudged reaches a shell. What a target is sent is an Allowed's text, the one constant question, or
what begins a gated shell; and what goes to such a shell is a judged unit, or a constant."""

from __future__ import annotations

import ast
from pathlib import Path

from bastion.targets import login_shell

ROOT = Path(__file__).parents[2] / "bastion"
STARTS = {"create_session", "create_process", "run", "create_subprocess", "open_session"}
"""Calls of asyncssh's client connection that start something on a target."""


def starts() -> list[tuple[str, str, ast.Call]]:
    """Every such call in the SSH room: file, the text that it sends, and the call."""
    return [
        (path.name, ast.unparse(node.args[1]) if len(node.args) > 1 else "", node)
        for path in sorted((ROOT / "ssh").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in STARTS
        and ast.unparse(node.func.value) != "asyncio"
    ]


def test_three_places_start_something_on_a_target_and_say_what() -> None:
    assert [(file, text) for file, text, _ in starts()] == [
        ("question.py", "cast(str, QUESTION)"),
        ("upstream.py", "text"),
        ("upstream.py", "cast(str, boot.feeder(path))"),
    ]
    tree = ast.parse((ROOT / "ssh" / "upstream.py").read_text())
    given = [
        ast.unparse(node.args[3])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "self._session"
    ]
    assert sorted(given) == ["None", "_text(allowed, nonce)"], "a plain shell, or what was allowed"


def test_the_command_channel_takes_what_was_allowed_and_constants() -> None:
    """All that is ever written into it, by the one call that writes."""
    tree = ast.parse((ROOT / "ssh" / "feeder.py").read_text())
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    written = [ast.unparse(call.args[0]) for call in calls if ast.unparse(call.func) == "self._write"]
    assert sorted(written) == [
        "wire.again(number)",
        "wire.setup(self._kind, self._nonce)",
        "wire.unit(self._kind, number, NO_PAGER)",
        "wire.unit(self._kind, number, b'(exit %d)' % status)",
        "wire.unit(self._kind, number, b'exit')",
        "wire.unit(self._kind, number, runs)",
        "wire_piped.LEAVE",
        "wire_piped.setup(self._kind, self._nonce)",
        "wire_piped.unit(self._kind, number, line, runs)",
    ]
    units = [ast.unparse(call.args[2]) for call in calls if ast.unparse(call.func) == "self._unit"]
    assert sorted(units) == ["b'(exit %d)' % status", "runs"]
    runs = [
        ast.unparse(node.value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "runs"
    ]
    assert runs == ["_text(allowed, self._context)"] * 2
    (text,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "_text")
    assert [ast.unparse(node.value) for node in ast.walk(text) if isinstance(node, ast.Return) and node.value] == [
        "allowed.runs"
    ]
    assert [ast.unparse(call.func) for call in calls if ast.unparse(call.func).endswith(".write")] == [
        "self._channel.write"
    ] * 2


def test_the_question_is_sent_bare() -> None:
    """No terminal, no variables, no subsystem: nothing beside the constant could say anything to the shell."""
    (call,) = (call for file, _, call in starts() if file == "question.py")
    given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
    assert (given["env"], given["send_env"], given["request_pty"], given["subsystem"]) == (
        "()",
        "None",
        "False",
        "None",
    )


def test_the_question_is_a_literal_that_nothing_changes() -> None:
    """Assigned once, from literals alone, and imported by name, never assigned to elsewhere."""
    tree = ast.parse(Path(login_shell.__file__).read_text())
    values = [
        node.value
        for node in tree.body
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["QUESTION"]
    ]
    assert [ast.literal_eval(value) for value in values] == [login_shell.QUESTION]
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Attribute | ast.Name)
                and isinstance(node.ctx, ast.Store)
                and path.name != ("login_shell.py")
            ):
                assert getattr(node, "attr", getattr(node, "id", "")) != "QUESTION", path


def test_whoever_asks_can_not_choose_the_text() -> None:
    """`ask` and `put` take no text at all."""
    taken = {}
    for file, name in (("upstream.py", "ask"), ("question.py", "put")):
        tree = ast.parse((ROOT / "ssh" / file).read_text())
        (function,) = (node for node in ast.walk(tree) if isinstance(node, ast.AsyncFunctionDef) and node.name == name)
        taken[name] = [argument.arg for argument in function.args.args]
    assert taken == {"ask": ["self", "context"], "put": ["connection", "opened"]}
