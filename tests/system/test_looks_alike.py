"""A target that does not exist and one that is not permitted can not be told apart by the client; accounts neither."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator

import pytest

from tests.system.harness.bastion import Bastion, Target
from tests.system.harness.client import Client, Maker
from tests.system.harness.sshd import ACCOUNT, Sshd

POLICY = """\
version: 1
rules:
  - id: one
    effect: allow
    who: {groups: [agents]}
    where: {targets: [web-1], accounts: [deploy]}
    commands: ["true"]
"""
ROUNDS = 7
ALIKE_SECONDS = 0.1
"""How far the quickest of ROUNDS may differ: the machine's own noise is about a tenth of it."""


@pytest.fixture(scope="module")
def bastion(tmp_path_factory: pytest.TempPathFactory, target: Sshd) -> Iterator[Bastion]:
    """`web-1` may be reached as `deploy` only; `hidden` is there, and may not be."""
    served = Bastion(tmp_path_factory.mktemp("bastion"), policy=POLICY)
    web = Target.of("web-1", target)
    inventory = served.write_inventory([web, Target.of("hidden", target)])
    login = f'"{ACCOUNT}": {{'
    inventory.write_text(inventory.read_text().replace(login, '"deploy": {"certificate": true}, ' + login))
    with served:
        yield served


def answer(client: Client, *words: str) -> tuple[subprocess.CompletedProcess[bytes], float]:
    """What it says, and how long the quickest took."""
    took = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        done = client.run(*words, "true")
        took.append(time.monotonic() - began)
    return done, min(took)


@pytest.mark.parametrize(
    ("there", "absent"),
    [
        (("hidden",), ("absent",)),
        ((f"{ACCOUNT}%hidden@bastion",), (f"{ACCOUNT}%absent@bastion",)),
        (("-l", ACCOUNT, "web-1"), ("-l", "nobody", "web-1")),
        ((f"{ACCOUNT}%web-1@bastion",), ("nobody%web-1@bastion",)),
    ],
    ids=["targets, by a jump", "targets, direct", "accounts, by a jump", "accounts, direct"],
)
def test_absent_and_not_permitted(
    bastion: Bastion, client: Maker, target: Sshd, there: tuple[str, ...], absent: tuple[str, ...]
) -> None:
    opened = target.accepted
    user = client(("web-1", "hidden", "absent"))
    (one, one_took), (two, two_took) = answer(user, *there), answer(user, *absent)

    def said(done: subprocess.CompletedProcess[bytes]) -> str:
        """Without the names, which are the client's own."""
        text = done.stderr.decode()
        for name in (ACCOUNT, "nobody", "hidden", "absent"):
            text = text.replace(name, "NAME")
        return text

    assert (one.returncode, said(one)) == (two.returncode, said(two))
    assert one.returncode == 255
    assert "no such target or account, or not permitted" in said(one)
    assert abs(one_took - two_took) < ALIKE_SECONDS
    assert target.accepted == opened
    reasons = {event["reason"] for event in bastion.audit("admission-refused")}
    assert reasons >= {"no rule lets this identity reach it"}
    assert any(reason.startswith("no such target") for reason in reasons)


def test_ports_of_a_target_are_not_told_either(client: Maker) -> None:
    user = client()
    done = [user.run("-W", f"{name}:80", "bastion") for name in ("web-1", "hidden", "absent")]
    assert {(one.returncode, one.stderr) for one in done} == {(255, done[0].stderr)}
    assert b"no such target or account, or not permitted" in done[0].stderr
