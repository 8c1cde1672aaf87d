"""The house keeps its own rules: sizes, names, and calls that are not to be made. Floors are lint-imports' to check."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FILES = sorted(path for folder in ("bastion", "tests") for path in (ROOT / folder).rglob("*.py"))
FILES = [path for path in FILES if "node_modules" not in path.parts]
MAX_FILE = 400
MAX_FUNCTION = 50
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "manager", "common", "misc"}
ASYNCSSH_ROOMS = {"ssh", "demo"}


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def calls(path: Path) -> Iterator[tuple[str, ast.Call]]:
    """Every call in a file, by the last name of what is called."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Call):
            function = node.func
            name = getattr(function, "attr", None) or getattr(function, "id", "")
            yield str(name), node


@pytest.mark.parametrize("path", FILES, ids=named)
def test_no_file_has_more_than_400_lines_and_no_function_more_than_50(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_FILE
    long = {
        node.name: (node.end_lineno or 0) - node.lineno + 1
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    assert {name: lines for name, lines in long.items() if lines > MAX_FUNCTION} == {}


def test_every_file_says_at_its_head_what_it_is() -> None:
    silent = [named(path) for path in FILES if path.read_text().strip() and ast.get_docstring(tree(path)) is None]
    assert silent == []


def test_no_room_is_called_for_nothing_in_particular() -> None:
    assert [named(path) for path in FILES if {path.stem, *path.parent.parts} & FORBIDDEN_NAMES] == []


def test_asyncssh_is_imported_in_its_own_rooms_only() -> None:
    outside = []
    for path in FILES:
        room = path.relative_to(ROOT).parts
        if room[0] != "bastion" or room[1] in ASYNCSSH_ROOMS:
            continue
        for node in ast.walk(tree(path)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            outside += [named(path) for name in names if name.split(".")[0] == "asyncssh"]
    assert outside == []


def test_no_task_is_started_and_forgotten() -> None:
    """A task that nobody holds can be collected while it runs, and its exception is told to nobody."""
    bare = []
    for path in FILES:
        groups = _task_groups(tree(path))
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
                function = node.value.func
                name = getattr(function, "attr", None) or getattr(function, "id", "")
                owner = getattr(getattr(function, "value", None), "id", "")
                if name in ("create_task", "ensure_future") and owner not in groups:
                    bare.append(f"{named(path)}:{node.lineno}")
    assert bare == []


def _task_groups(module: ast.Module) -> set[str]:
    """Names that `async with asyncio.TaskGroup() as NAME` binds: a group holds its tasks and tells their failures."""
    items = (item for node in ast.walk(module) if isinstance(node, ast.AsyncWith) for item in node.items)
    return {
        item.optional_vars.id
        for item in items
        if isinstance(item.optional_vars, ast.Name)
        and isinstance(item.context_expr, ast.Call)
        and getattr(item.context_expr.func, "attr", "") == "TaskGroup"
    }


def test_no_test_sleeps() -> None:
    """Time is an argument; what must wait for another process uses the harness's `until`, which has a deadline."""
    waiting = ROOT / "tests/system/harness/waiting.py"
    sleeping = [
        f"{named(path)}:{call.lineno}"
        for path in FILES
        if path.is_relative_to(ROOT / "tests") and path != waiting
        for name, call in calls(path)
        if name == "sleep" and not _yields_only(call)
    ]
    assert sleeping == []


def _yields_only(call: ast.Call) -> bool:
    """`asyncio.sleep(0)` lets others run and waits for no time."""
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def test_every_silenced_check_says_why() -> None:
    unexplained = []
    for path in FILES:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            for mark in ("# noqa", "# type: ignore"):
                _, found, rest = line.partition(mark)
                if found and '"' + mark not in line and len(rest.split(None, 1)[-1].split()) < 3:
                    unexplained.append(f"{named(path)}:{number}")
    assert unexplained == []
