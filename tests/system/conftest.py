"""The fixtures of the system tests: `target` (an sshd), `bastion` (serving it as web-1), `client` (makes clients).

One sshd and one bastion serve a whole module, so tests of a module must not undo each other; who changes policy or
kills the bastion makes one of its own with `Bastion(tmp_path, …)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import Sshd


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder starts real servers."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.system)


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    with Sshd(tmp_path_factory.mktemp("target")) as sshd:
        yield sshd


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    with Bastion(tmp_path_factory.mktemp("bastion"), [Target.of("web-1", target)]) as served:
        yield served


@pytest.fixture
def client(tmp_path: Path, bastion: Bastion) -> Maker:
    """Makes clients of the module's bastion, each in a folder of its own."""
    made: list[Client] = []

    def make(*arguments: object, **keywords: object) -> Client:
        made.append(Client(tmp_path / f"client-{len(made)}", bastion, *arguments, **keywords))  # type: ignore[arg-type]  # Client checks them
        return made[-1]

    return make
