"""Where the store is: a file beside the rest of the state, or a server whose address is a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from bastion import document
from bastion.config.store import Store, read_store
from bastion.document import Node
from bastion.errors import OperatorError, Problem
from bastion.targets.keyring import Keyring


def read(text: str, folder: Path, problems: list[Problem]) -> Store | None:
    section = document.parse(f"store: {text}\n".encode(), "b.yaml", problems)

    def found(node: Node) -> Store | None:
        return read_store(node, folder)

    return section.read("store", found, None)


def test_a_file_is_relative_to_the_configuration(tmp_path: Path) -> None:
    problems: list[Problem] = []
    store = read("{sqlite: kept.db}", tmp_path, problems)
    assert store == Store(tmp_path / "kept.db", None)
    assert store is not None
    assert store.url(Keyring(None)) == f"sqlite:///{tmp_path}/kept.db"
    assert problems == []


def test_the_address_of_a_server_is_read_from_its_secret(tmp_path: Path) -> None:
    """And one that is no such address is not told, for there may be a password in it."""
    secret = tmp_path / "url"
    secret.write_text("postgresql://bastion:hush@db/bastion\n")
    secret.chmod(0o600)
    store = read(f"{{postgresql: {{file: {secret}}}}}", tmp_path, [])
    assert store is not None
    assert store.url(Keyring(None)) == "postgresql://bastion:hush@db/bastion"
    secret.write_text("mysql://bastion:hush@db/bastion\n")
    with pytest.raises(OperatorError) as caught:
        store.url(Keyring(None))
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "the store is in one place"),
        ("{sqlite: a.db, postgresql: {file: /x}}", "the store is in one place"),
        ("{sqlite: [a]}", "expected text"),
        ("{mysql: a}", "unknown key 'mysql'"),
        ("{postgresql: 'postgresql://hush@db/x'}", "expected a mapping"),
    ],
)
def test_what_is_wrong_is_told(text: str, told: str, tmp_path: Path) -> None:
    problems: list[Problem] = []
    assert read(text, tmp_path, problems) is None
    assert any(told in str(problem) for problem in problems), problems
