"""Law 3, in the source: nothing is caught that would let a request go on. (Its deeds: test_gate, test_fail_closed.)"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2] / "bastion"
BETWEEN = [*(ROOT / "ssh").glob("*.py"), *(ROOT / "session").glob("*.py"), ROOT / "gate.py", ROOT / "verdicts.py"]
"""The rooms that a request passes between the client and the target."""

CATCH_ALL = {"Exception", "BaseException", ""}
ALLOWED_CATCH_ALL = {
    ("verdicts.py", "_decide"): "denies, with an event",
    ("gate.py", "_hiding"): "tells nothing of the text",
    ("showing.py", "_masked"): "shows nothing, and ends the session",
    ("service.py", "_outcome"): "ends the session, with a reason and an event",
}


def caught(handler: ast.ExceptHandler) -> set[str]:
    nodes = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return {"" if node is None else str(getattr(node, "attr", None) or getattr(node, "id", "?")) for node in nodes}


def handlers(path: Path) -> Iterator[tuple[str, ast.ExceptHandler]]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ExceptHandler):
                    yield function.name, node


def test_everything_is_caught_only_where_it_ends_in_a_refusal() -> None:
    found = {
        (path.name, function)
        for path in BETWEEN
        for function, handler in handlers(path)
        if caught(handler) & CATCH_ALL and not any(isinstance(node, ast.Raise) for node in ast.walk(handler))
    }
    assert found == set(ALLOWED_CATCH_ALL)


def test_nothing_is_caught_and_forgotten() -> None:
    """`except X: pass` hides a fault; `contextlib.suppress` says what it expects and why, and never expects it all."""
    silent = [
        f"{path.name}:{handler.lineno}"
        for path in BETWEEN
        for _, handler in handlers(path)
        if len(handler.body) == 1 and isinstance(handler.body[0], ast.Pass)
    ]
    assert silent == []
    for path in BETWEEN:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "suppress":
                assert not {getattr(argument, "id", "") for argument in node.args} & CATCH_ALL


ENDS_ANYWAY = "_tell_not_recorded"
"""Called only where the session ends with 254 already; it tries to tell the trail of it, which may be what failed."""


def test_an_unrecorded_event_is_nowhere_taken_for_a_recorded_one() -> None:
    """Who catches NotRecorded refuses: by another error, or by a status of its own; nobody goes on."""
    going_on = []
    for path in BETWEEN:
        for function, handler in handlers(path):
            if "NotRecorded" not in caught(handler) or function == ENDS_ANYWAY:
                continue
            text = ast.unparse(handler)
            refuses = (
                "raise" in text or "EXIT_NOT_RECORDED" in text or "self.end(error)" in text or "return None" in text
            )
            if not refuses:
                going_on.append(f"{path.name}:{handler.lineno} {function}")
    assert going_on == []
