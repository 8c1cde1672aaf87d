"""A permission is a value that only its checker makes: Context and Allowed come out of bastion/gate.py alone."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from bastion.gate import Allowed

ROOT = Path(__file__).parents[2] / "bastion"
PERMISSIONS = {"Context", "Allowed"}
MAKERS = {ROOT / "gate.py"}


def called(node: ast.Call) -> str:
    return str(getattr(node.func, "attr", None) or getattr(node.func, "id", ""))


def test_nobody_else_constructs_one() -> None:
    made = [
        f"{path.relative_to(ROOT)}:{node.lineno} {called(node)}"
        for path in ROOT.rglob("*.py")
        if path not in MAKERS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and called(node) in PERMISSIONS
    ]
    assert made == []


def test_each_is_constructed_in_one_place_only() -> None:
    tree = ast.parse((ROOT / "gate.py").read_text())
    calls = [called(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert {name: calls.count(name) for name in PERMISSIONS} == {"Context": 1, "Allowed": 1}


def test_nobody_derives_or_aliases_one() -> None:
    """No subclass, no other name, no reaching for what makes them."""
    found = []
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            where = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}"
            if isinstance(node, ast.ClassDef):
                found += [where for base in node.bases if getattr(base, "id", "") in PERMISSIONS]
            if isinstance(node, ast.Assign) and getattr(node.value, "id", "") in PERMISSIONS:
                found.append(where)
            if isinstance(node, ast.alias) and node.asname is not None and node.name in PERMISSIONS:
                found.append(where)
            if path not in MAKERS and getattr(node, "attr", getattr(node, "id", "")) == "_MADE_HERE":
                found.append(where)
    assert found == []


def test_those_who_hold_one_do_not_copy_it() -> None:
    """`dataclasses.replace` and `copy` would make another Context without asking; nobody who imports one calls them."""
    found = []
    for path in ROOT.rglob("*.py"):
        tree = ast.parse(path.read_text())
        names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
        if not names & PERMISSIONS:
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and called(node) in {"replace", "copy", "deepcopy", "__new__"}:
                found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_an_allowed_refuses_to_be_made_by_others() -> None:
    with pytest.raises(TypeError, match=r"made by Gate\.judge and nowhere else"):
        Allowed(object(), None, "exec", b"true", {}, None, False, "")  # type: ignore[arg-type]  # it is refused before it is used
